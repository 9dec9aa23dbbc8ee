"""A recipe as stages 2 to 4 would leave it, made of random numbers, and encoders likewise."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from dsnet.folds.protocols import in_words, make_folds
from dsnet.folds.task_data import TaskData
from dsnet.recipe import Recipe
from dsnet.results import ledger
from dsnet.results.classes import SharedClasses
from dsnet.results.runs import Results
from dsnet.results.staleness import Present, Stale, select
from dsnet.results.store import find_runs, open_test_sets
from dsnet.systems import code_digest
from dsnet.systems.catalog import resolve
from dsnet.task import TaskConfig

os.environ["HF_HUB_OFFLINE"] = "1"  # read at its import: no test asks the Hugging Face hub
sys.path.append(str(Path(__file__).parent))  # where tiny_encoders.py is
CLASSES = ["angry", "happy", "neutral", "sad"]
CONFIG = TaskConfig(classes=CLASSES, label_map={name: name for name in CLASSES})


@dataclass
class FakeSystem:
    """How good a system is, and what embeddings it leaves."""

    kind: str = "base"
    skill: float = 1.5  # logit of the true class above the others
    control: str = ""
    embeddings: tuple[str, ...] = ("h",)
    num_parameters: int = 1_234_567
    last_epoch: bool = True
    training: dict = field(default_factory=dict)  # more of the facts, or None for what it lacks
    info: dict = field(default_factory=dict)  # more of run.json


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
        json.dumps(
            {
                "classes": classes,
                "protocol": {
                    "in_words": in_words(CONFIG.folds),
                    "validation": CONFIG.folds.validation,
                },
                "references": {
                    "native_label": "N",
                    "policy": "first",
                    "count": 3,
                    "seed": 0,
                    "fallback_speakers": [],
                },
                "digest": "",
            }
        )
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


def write_config(recipe: Recipe, name: str, system: FakeSystem) -> None:
    """Write the config of a system, unless it is an ensemble or has one."""
    path = recipe.folder / "conf" / "systems" / f"{name.partition('@')[0]}.yaml"
    if "+" not in name and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"kind: {system.kind}\ncontrol: '{system.control}'\n")


def write_system(
    recipe: Recipe, task: TaskData, name: str, system: FakeSystem, seeds: int, num_epochs: int
) -> None:
    """Write all runs of a system with plausible curves, posteriors and embeddings."""
    write_config(recipe, name, system)
    for seed in range(1, seeds + 1):
        for fold in task.fold_names:
            rng = np.random.default_rng([seed, *name.encode(), *fold.encode()])
            folder = recipe.run(task.task_dir.name, name, seed, fold)
            for part in ("dev", "test"):
                _write_part(folder / part, task, getattr(task.fold(fold), part), system, rng)
            uars = _write_log(folder / "log.jsonl", system, num_epochs, rng)
            best = num_epochs if system.last_epoch else int(np.argmax(uars)) + 1
            training = {
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
                "versions": {"python": "3.12", "torch": "2.11.0"},
                "git_revision": "0123456789ab",
            }
            training = {k: v for k, v in (training | system.training).items() if v is not None}
            write_run(folder, recipe, task, name, system.info, training, seed, fold)


def write_run(
    folder: Path,
    recipe: Recipe,
    task: TaskData,
    name: str,
    info: dict,
    training: dict,
    seed: int,
    fold: str,
) -> None:
    """Write run.json as stage 4 does."""
    spec = resolve(name, recipe.folder)
    about = {
        "system": name,
        "base": spec.base,
        "changes": spec.changes,
        "members": [],
        "kind": spec.config.kind if spec.config else "ensemble",
        "control": spec.control,
        "features": spec.config.features if spec.config else "",
        "enrolment": {"source": "none", "count": 0},
        "own_enrolment": True,
        "side_information": "none",
        "transductive": False,
        "given": [],
        "trained_on": recipe.name,
        "tested_on": recipe.name,
        "tested_task": task.task_dir.name,
        "task": task.task_dir.name,
        "task_changes": {},
        "normalised_by_target": "none",
        "seed": seed,
        "fold": fold,
        "digests": {
            "config": spec.digest,
            "features": "",
            "task": task.digest,
            "code": code_digest(spec.config.kind) if spec.config else "",
            "model": "",
        },
        "tested_digests": {},
        "training": training,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(about | info))


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


@dataclass(frozen=True)
class Known:
    """What models and systems must know of their features, without any."""

    name: str
    kind: str
    dim: int
    frame_shift_ms: float | None
    num_layers: int = 1


@pytest.fixture
def log_mels():
    """A function from a number of mel bins to what is known of such features."""
    return lambda dim=80: Known(f"fbank_{dim}", "fbank", dim, 10.0)


@pytest.fixture
def functionals():
    """A function from a number of functionals to what is known of such features."""
    return lambda dim=88: Known("egemaps", "opensmile", dim, None)


@pytest.fixture
def states():
    """A function from dimensions and layers to what is known of states of an encoder."""
    return lambda dim=32, num_layers=1: Known("states", "pretrained", dim, 20.0, num_layers)


@pytest.fixture(scope="session", autouse=True)
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Let DSNET_MODELS hold a tiny encoder in the place of each that egs/conf/features names."""
    from tiny_encoders import SHIPPED, write_encoder

    folder = tmp_path_factory.mktemp("models")
    for name, settings in SHIPPED.items():
        write_encoder(folder / name, settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DSNET_MODELS", str(folder))
        yield folder


@pytest.fixture(scope="session")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the folders of encoders of 4 layers; a test does not change them."""
    from encoder_kinds import SETTINGS
    from tiny_encoders import write_encoder

    top = tmp_path_factory.mktemp("encoders")
    return {name: write_encoder(top / name, values) for name, values in SETTINGS.items()}


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """Return the recipe x, whose folder is there."""
    (tmp_path / "egs" / "x").mkdir(parents=True)
    return Recipe(tmp_path / "egs" / "x")


@pytest.fixture
def small_task(recipe: Recipe) -> TaskData:
    """Four speakers, four classes, about 100 utterances, in data/4class."""
    utt2emo = random_utterances(["A", "B", "C", "D"], CLASSES, 6, np.random.default_rng(0))
    return write_task(recipe.task("4class"), utt2emo, CLASSES)


@pytest.fixture
def make_exp(recipe: Recipe) -> Callable[..., Path]:
    """Return a function that writes systems for a task under its exp and returns that folder."""

    def make(task: TaskData, systems: dict[str, FakeSystem], seeds: int = 2) -> Path:
        for name, system in systems.items():
            write_system(recipe, task, name, system, seeds, num_epochs=5)
        return recipe.exp(task.task_dir.name)

    return make


@pytest.fixture
def score_runs(recipe: Recipe, tmp_path: Path) -> Callable[..., tuple[Results, list[Stale]]]:
    """Return a function that does what stage 5 does with a task's runs and the ledger."""

    def score(task: TaskData, *variants: str) -> tuple[Results, list[Stale]]:
        name = task.task_dir.name
        shared = SharedClasses.of_one(recipe.name, name, task.classes)
        recipes = {recipe.name: recipe}
        test_sets = open_test_sets(shared, recipes)
        runs = find_runs(recipe.exp(one) for one in (name, *variants))
        lines = ledger.update(tmp_path / "ledger.jsonl", runs, test_sets)
        return select(
            lines,
            runs,
            test_sets,
            Present(recipes),
            {recipe.name: [name, *variants]},
            lambda row: row.title(name, across=False),
        )

    return score


@pytest.fixture
def fake_system() -> type[FakeSystem]:
    """Return the class: how good a system is, and what embeddings it leaves."""
    return FakeSystem


@pytest.fixture
def tiny_task(recipe: Recipe) -> TaskData:
    """Speakers A, B, C with one neutral utterance each; A and B have a sad one too."""
    utts = ["A_neutral_0", "A_sad_0", "B_neutral_0", "B_sad_0", "C_neutral_0"]
    utt2emo = {utt: utt.split("_")[1] for utt in utts}
    return write_task(recipe.task("2class"), utt2emo, ["neutral", "sad"])
