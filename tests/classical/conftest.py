"""A task folder, and functionals made of an emotion's pattern, a speaker's offset and noise."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from dsnet.features.functionals import Functionals
from dsnet.folds.task_data import TaskData

CLASSES = ["neutral", "happy", "sad"]
SPEAKERS = ["a", "b", "c", "d"]
NUM_FUNCTIONALS = 6


@pytest.fixture
def task(tmp_path) -> TaskData:
    """Four speakers say five utterances of each class; each is tested, the next one validates."""
    utt2spk = {f"{s}_{c}_{i}": s for s in SPEAKERS for c in CLASSES for i in range(5)}
    own = {s: [utt for utt, of in utt2spk.items() if of == s] for s in SPEAKERS}
    tables = {
        "utt2spk": utt2spk,
        "utt2emo": {utt: utt.split("_")[1] for utt in utt2spk},
        "neutral2spk": {f"{s}_neutral_{i}": s for s in SPEAKERS for i in range(5)},
        "spk2neutral": {s: " ".join(f"{s}_neutral_{i}" for i in range(4)) for s in SPEAKERS},
    }
    task_dir = tmp_path / "data" / "3class"
    for position, speaker in enumerate(SPEAKERS):
        dev = SPEAKERS[(position + 1) % 4]
        parts = {
            "train": [utt for s in SPEAKERS if s not in (speaker, dev) for utt in own[s]],
            "dev": own[dev],
            "test": own[speaker],
        }
        (task_dir / f"fold_{speaker}").mkdir(parents=True)
        for part, utts in parts.items():
            (task_dir / f"fold_{speaker}" / part).write_text("\n".join(sorted(utts)) + "\n")
    for name, table in tables.items():
        (task_dir / name).write_text("".join(f"{k} {v}\n" for k, v in table.items()))
    (task_dir / "folds").write_text("".join(f"{s}\n" for s in SPEAKERS))
    about = {"classes": CLASSES, "references": {"fallback_speakers": []}}
    (task_dir / "task.json").write_text(json.dumps(about))
    return TaskData.load(task_dir)


@pytest.fixture
def make_functionals(task) -> Callable[..., Functionals]:
    """Return a function from how far speakers differ, and how noisy all is, to functionals."""

    def make(speaker_spread: float = 0.0, noise: float = 0.1) -> Functionals:
        rng = np.random.default_rng(0)
        pattern = dict(zip(CLASSES, np.eye(3, NUM_FUNCTIONALS), strict=True))
        offset = {s: speaker_spread * rng.normal(size=NUM_FUNCTIONALS) for s in SPEAKERS}
        utts = sorted(task.utt2spk)
        values = np.stack([pattern[task.utt2emo[u]] + offset[task.utt2spk[u]] for u in utts])
        return Functionals(
            values=(values + noise * rng.normal(size=values.shape)).astype(np.float32),
            speakers=np.array([task.utt2spk[u] for u in utts]),
            row={utt: i for i, utt in enumerate(utts)},
            digest="of the audio",
            opensmile_version="2.6.0",
        )

    return make
