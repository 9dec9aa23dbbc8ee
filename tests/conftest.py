"""A task folder and an exp tree as stages 2, 3 and 4 would leave them, made of random numbers."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from dsnet.folds.protocols import make_folds
from dsnet.folds.task_data import TaskData
from dsnet.task import TaskConfig

CLASSES = ["angry", "happy", "neutral", "sad"]
CONFIG = TaskConfig(classes=CLASSES, label_map={name: name for name in CLASSES})


@dataclass
class FakeSystem:
    """How good a system is, and what embeddings it leaves."""

    kind: str = "base"
    skill: float = 1.5  # logit of the true class above the others
    embeddings: tuple[str, ...] = ("h",)
    num_parameters: int = 1_234_567
    last_epoch: bool = True
    train: dict = field(default_factory=dict)  # more of train.json, or None for what it lacks


def write_task(task_dir: Path, utt2emo: dict[str, str], classes: list[str]) -> TaskData:
    """Write a leave-one-speaker-out task; an utterance id starts with its speaker and `_`."""
    utt2spk = {utt: utt.split("_")[0] for utt in sorted(utt2emo)}
    folds = make_folds(CONFIG.folds, utt2spk, {}, {})
    neutral2spk = {u: s for u, s in utt2spk.items() if utt2emo[u] == "neutral"}
    spk2neutral: dict[str, str] = {}
    for speaker in folds:
        own = [utt for utt, of in neutral2spk.items() if of == speaker]
        spk2neutral[speaker] = " ".join(own[:3])
    task_dir.mkdir(parents=True)
    for name, table in {
        "utt2emo": dict(sorted(utt2emo.items())),
        "utt2spk": utt2spk,
        "neutral2spk": neutral2spk,
        "spk2neutral": spk2neutral,
    }.items():
        (task_dir / name).write_text("".join(f"{k} {v}\n" for k, v in table.items()))
    (task_dir / "folds").write_text("".join(f"{name}\n" for name in folds))
    for name, fold in folds.items():
        (task_dir / f"fold_{name}").mkdir()
        for part, utts in fold.parts().items():
            (task_dir / f"fold_{name}" / part).write_text("".join(f"{utt}\n" for utt in utts))
    (task_dir / "task.json").write_text(
        json.dumps({"classes": classes, "references": {"fallback_speakers": []}, "digest": ""})
    )
    return TaskData.load(task_dir)


def write_posteriors(path: Path, classes: list[str], utts: list[str], table: np.ndarray) -> None:
    """Write posteriors.tsv; `table` is (N, K) and need not be probabilities."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = ["\t".join(["utt_id", *classes])]
    rows += [
        "\t".join([utt, *(f"{value:.6f}" for value in row)])
        for utt, row in zip(utts, table, strict=True)
    ]
    path.write_text("\n".join(rows) + "\n")


def write_system(
    exp_dir: Path, task: TaskData, name: str, system: FakeSystem, seeds: int, num_epochs: int
) -> None:
    """Write all runs of a system with plausible curves, posteriors and embeddings."""
    for seed in range(1, seeds + 1):
        for fold in task.fold_names:
            rng = np.random.default_rng([seed, *name.encode(), *fold.encode()])
            folder = exp_dir / name / f"seed_{seed}" / f"fold_{fold}"
            for part in ("dev", "test"):
                _write_part(folder / part, task, getattr(task.fold(fold), part), system, rng)
            uars = _write_log(folder / "log.jsonl", system, num_epochs, rng)
            best = num_epochs if system.last_epoch else int(np.argmax(uars)) + 1
            train = {
                "system": name,
                "kind": system.kind,
                "side_information": "none",
                "fold": fold,
                "seed": seed,
                "num_parameters": system.num_parameters,
                "inference_parameters": system.num_parameters,
                "epochs": num_epochs,
                "selection": "last" if system.last_epoch else "best",
                "selected_epoch": best,
                "seconds": 1.5 * num_epochs,
                "seconds_per_epoch": 1.5,
                "peak_memory_bytes": 2**30,
                "machine": "CPU of 2 cores",
                "dev_uar": uars[best - 1],
                "config_digest": f"digest-of-{name}",
                "task_digest": task.digest,
                "versions": {"python": "3.12", "torch": "2.11.0"},
                "git_revision": "0123456789ab",
                "command": "train",
            }
            (folder / "train.json").write_text(json.dumps(train | system.train))


def _write_part(folder: Path, task: TaskData, utts: list[str], system: FakeSystem, rng) -> None:
    labels = np.array([task.classes.index(task.utt2emo[utt]) for utt in utts])
    speakers = sorted(set(task.utt2spk.values()))
    owners = np.array([speakers.index(task.utt2spk[utt]) for utt in utts])
    logits = rng.normal(0, 1, (len(utts), len(task.classes)))
    logits[np.arange(len(utts)), labels] += system.skill + rng.normal(0, 0.5)
    posteriors = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    write_posteriors(folder / "posteriors.tsv", task.classes, utts, posteriors)
    centres = np.random.default_rng(0).normal(0, 1, (2, 100, 16))
    arrays = {"h": 0.5 * centres[0][labels] + centres[1][owners]}
    arrays |= {"e": centres[0][labels], "s": centres[1][owners]}
    np.savez(
        folder / "embeddings.npz",
        utt_ids=np.array(utts),
        **{
            key: (arrays[key] + 0.6 * rng.normal(0, 1, (len(utts), 16))).astype(np.float32)
            for key in system.embeddings
        },
    )


def _write_log(path: Path, system: FakeSystem, num_epochs: int, rng) -> np.ndarray:
    epochs = np.arange(1, num_epochs + 1)
    losses = 0.3 + 1.3 * np.exp(-epochs / 8) + rng.normal(0, 0.03, num_epochs)
    uars = 0.25 + 0.12 * system.skill * (1 - np.exp(-epochs / 6)) * (1 + rng.normal(0, 0.15))
    uars = np.clip(uars + rng.normal(0, 0.03, num_epochs), 0, 1)
    lines = [
        {
            "epoch": int(epoch),
            "learning_rate": 1e-3,
            "train": {"loss": loss, "task": loss},
            "dev": {"loss": 1.0, "uar": uar, "war": uar},
            "seconds": 1.5,
        }
        for epoch, loss, uar in zip(epochs, losses.tolist(), uars.tolist(), strict=True)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return uars


def random_utterances(
    speakers: list[str], classes: list[str], per_class: int, rng: np.random.Generator
) -> dict[str, str]:
    """Return `per_class` (give or take 2) utterances of each class for each speaker."""
    return {
        f"{speaker}_{name}_{take}": name
        for speaker in speakers
        for name in classes
        for take in range(per_class + int(rng.integers(-2, 3)))
    }


@pytest.fixture
def small_task(tmp_path: Path) -> TaskData:
    """Four speakers, four classes, about 100 utterances, in data/4class."""
    utt2emo = random_utterances(["A", "B", "C", "D"], CLASSES, 6, np.random.default_rng(0))
    return write_task(tmp_path / "data" / "4class", utt2emo, CLASSES)


@pytest.fixture
def make_exp(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes systems for a task under exp/4class and returns that folder."""

    def make(task: TaskData, systems: dict[str, FakeSystem], seeds: int = 2) -> Path:
        for name, system in systems.items():
            write_system(tmp_path / "exp" / "4class", task, name, system, seeds, num_epochs=5)
        return tmp_path / "exp" / "4class"

    return make


@pytest.fixture
def fake_system() -> type[FakeSystem]:
    """Return the class: how good a system is, and what embeddings it leaves."""
    return FakeSystem


@pytest.fixture
def tiny_task(tmp_path: Path) -> TaskData:
    """Speakers A, B, C with one neutral utterance each; A and B have a sad one too."""
    utts = ["A_neutral_0", "A_sad_0", "B_neutral_0", "B_sad_0", "C_neutral_0"]
    utt2emo = {utt: utt.split("_")[1] for utt in utts}
    return write_task(tmp_path / "data" / "2class", utt2emo, ["neutral", "sad"])
