"""Labels and ids as MSP-Podcast has them, of any size: no audio, no label of the corpus itself."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

COLUMNS = (
    "FileName", "EmoClass", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "Gender", "Split_Set",
)  # fmt: skip
SHARES = {"Train": 0.56, "Development": 0.13, "Test1": 0.21, "Test2": 0.10}
CLASSES = dict(zip("NHXASOUCDF", (30, 17, 18, 8, 8, 4, 4, 5, 3, 3), strict=True))  # percent
UNKNOWN = {"Train": 0.1, "Development": 0.05, "Test1": 0.05, "Test2": 0.5}
PER_SPEAKER = 80
PER_PODCAST = 40


def rows(size: int, seed: int = 0) -> Iterator[dict[str, str]]:
    """Yield so many rows; a speaker is in one of the sets."""
    rng = np.random.default_rng(seed)
    sides = np.repeat(list(SHARES), np.round(size * np.array([*SHARES.values()])).astype(int))
    share = np.array([*CLASSES.values()]) / 100
    classes = rng.choice(list(CLASSES), size, p=share)
    ratings = rng.uniform(1, 7, (size, 3))
    unknown = rng.random(size)
    for i, side in enumerate(sides):
        speaker = f"{side}_{i // PER_SPEAKER}"
        of_nobody = unknown[i] < UNKNOWN[side]
        yield {
            "FileName": f"MSP-PODCAST_{i // PER_PODCAST:04}_{i % PER_PODCAST:04}.wav",
            "EmoClass": classes[i],
            **dict(zip(COLUMNS[2:5], map(str, ratings[i].round(6)), strict=True)),
            "SpkrID": "Unknown" if of_nobody else speaker,
            "Gender": "Unknown" if of_nobody else ("Male", "Female")[i // PER_SPEAKER % 2],
            "Split_Set": side,
        }


def write_labels(corpus: Path, table: list[dict[str, str]]) -> Path:
    """Write Labels/labels_consensus.csv; return its path."""
    path = corpus / "Labels" / "labels_consensus.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(table)
    return path
