"""A task folder and networks as stages 2 to 4 would leave them, whose embeddings are simulated."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dsnet.folds.protocols import make_folds
from dsnet.folds.task_data import TaskData
from dsnet.probes.labels import Labels
from dsnet.task import FoldConfig

CLASSES = ["happy", "neutral", "sad"]
SEXES = {"A": "f", "B": "m", "C": "f", "D": "f", "E": "m", "F": "m"}
TEXTS = ["Good day.", "it rains", "no", "Well, yes"]
TAKES = 2
DIM = 12


def write_task(task_dir: Path) -> TaskData:
    """Write a leave-one-speaker-out task; all say all texts in all emotions, two times each."""
    utts = {
        f"{spk}_{emotion}_{text}_{take}": (spk, emotion, TEXTS[text])
        for spk in SEXES
        for emotion in CLASSES
        for text in range(len(TEXTS))
        for take in range(TAKES)
    }
    utt2spk = {utt: spk for utt, (spk, _, _) in utts.items()}
    folds = make_folds(FoldConfig(), utt2spk, {}, {})
    neutral = {utt: spk for utt, (spk, emotion, _) in utts.items() if emotion == "neutral"}
    tables = {
        "utt2emo": {utt: emotion for utt, (_, emotion, _) in utts.items()},
        "utt2spk": utt2spk,
        "utt2text": {utt: text for utt, (_, _, text) in utts.items()},
        "spk2gender": SEXES,
        "neutral2spk": neutral,
        "spk2neutral": {s: next(u for u in neutral if neutral[u] == s) for s in SEXES},
        "folds": dict.fromkeys(folds, ""),
    }
    for name, fold in folds.items():
        for part, part_utts in fold.parts().items():
            tables[f"fold_{name}/{part}"] = dict.fromkeys(part_utts, "")
    for name, table in tables.items():
        path = task_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{key} {value}".strip() + "\n" for key, value in table.items()))
    task = {
        "classes": CLASSES,
        "protocol": {"validation": "next_speaker"},
        "references": {"fallback_speakers": []},
    }
    (task_dir / "task.json").write_text(json.dumps(task))
    return TaskData.load(task_dir)


def held_by(values: list[str], rng: np.random.Generator) -> np.ndarray:
    """Return embeddings (N, DIM) that hold `values` and noise."""
    names, which = np.unique(values, return_inverse=True)
    noise = 0.3 * rng.normal(size=(len(values), DIM))
    return (rng.normal(size=(len(names), DIM))[which] + noise).astype(np.float32)


@dataclass
class Networks:
    """A task, and networks of it that are written on demand."""

    task: TaskData
    labels: Labels
    exp_dir: Path

    def write(self, system: str, seed: int, fold: str, arrays: dict[str, np.ndarray]) -> Path:
        """Write what stages 3 and 4 leave of a network.

        Args:
            arrays: named (N, D), rows as in the sorted utterances of the task.
        """
        folder = self.exp_dir / system / f"seed_{seed}" / f"fold_{fold}"
        row = {utt: number for number, utt in enumerate(sorted(self.task.utt2spk))}
        for part, utts in self.task.fold(fold).parts().items():
            (folder / part).mkdir(parents=True)
            chosen = {name: array[[row[utt] for utt in utts]] for name, array in arrays.items()}
            np.savez(folder / part / "embeddings.npz", utt_ids=np.array(utts), **chosen)
        digests = {"config": "c", "features": "f", "task": self.task.digest, "code": "k"}
        about = {"system": system, "seed": seed, "fold": fold, "digests": digests, "epochs": 3}
        (folder / "train.json").write_text(json.dumps(about))
        return folder

    def disentangled(self, seed: int) -> dict[str, np.ndarray]:
        """Return parts that hold the speaker (s), the emotion (e) and both (h)."""
        utts = sorted(self.task.utt2spk)
        rng = np.random.default_rng(seed)
        s = held_by([self.task.utt2spk[utt] for utt in utts], rng)
        e = held_by([self.task.utt2emo[utt] for utt in utts], rng)
        return {"h": np.concatenate([s, e], 1), "s": s, "e": e}


@pytest.fixture
def networks(tmp_path: Path) -> Networks:
    """Return a task of six speakers under data/3class and an empty exp/3class."""
    task = write_task(tmp_path / "data" / "3class")
    return Networks(task, Labels.read(task), tmp_path / "exp" / "3class")
