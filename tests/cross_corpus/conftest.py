"""Two toy recipes as stages 1 to 4 leave them, with random features and models."""

import dataclasses
import hashlib
import json
import shutil
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import kaldiio
import numpy as np
import pytest
import torch
import yaml
from lhotse import CutSet, MonoCut, SupervisionSegment

from dsnet.config import config_digest, load
from dsnet.cross_corpus.classes import RecipeClasses, SharedClasses
from dsnet.cross_corpus.recipe import Recipe
from dsnet.features.fbank import FbankConfig
from dsnet.features.feats import FeatsInfo
from dsnet.folds.build import build_task, read_supervisions
from dsnet.folds.task_data import TaskData
from dsnet.systems import build_system
from dsnet.systems.config import SystemConfig
from dsnet.task import ReferenceConfig, TaskConfig
from dsnet.training import checkpoint

NUM_BINS = 20
CLASSES = {"one": ["angry", "bored", "calm", "glad"], "two": ["joy", "rage", "rest"]}
SHARED = SharedClasses(
    ["anger", "happiness", "neutral"],
    {
        "one": RecipeClasses(
            "four", {"angry": "anger", "calm": "neutral", "glad": "happiness"}, ["bored"]
        ),
        "two": RecipeClasses("three", {"rage": "anger", "joy": "happiness", "rest": "neutral"}),
    },
)
TINY = {
    "kind": "base",
    "input": {"mode": "variable", "max_frames": 100},
    "encoder": {"num_bins": NUM_BINS, "channels": [4, 4, 6, 8], "embed_dim": 8},
}


class Toy:
    """One recipe of three speakers, two utterances of each class each."""

    def __init__(self, egs: Path, name: str):
        self.path, self.classes = egs / name, CLASSES[name]
        self.recipe = Recipe(Path("..", name), SHARED.of(name).task, "fbank")

    def build(self, seed: int) -> None:
        (self.path / "conf").mkdir(parents=True)
        (self.path / "run.sh").touch()
        (self.path / "conf" / "tiny.yaml").write_text(yaml.safe_dump(TINY))
        self.write_features(seed)
        self.write_task()
        for fold in self.task.fold_names:
            self.write_model(fold)
            self.write_test_posteriors(fold)

    @property
    def task(self) -> TaskData:
        return TaskData.load(self.path / "data" / self.recipe.task)

    def fold_dir(self, fold: str) -> Path:
        return self.path / "exp" / self.recipe.task / "tiny" / "seed_1" / f"fold_{fold}"

    def write_features(self, seed: int, given: dict | None = None, **config) -> None:
        """Write features; equal seeds are the same audio.

        Args:
            seed: of random frames.
            given: utterance to its (T, F) instead.
            config: what differs from the defaults of FbankConfig.
        """
        rng = np.random.default_rng(seed)
        folder = self.path / "data" / "fbank"
        folder.mkdir(parents=True, exist_ok=True)
        ids = [f"{s}-{c}-{n}" for s in "abc" for c in self.classes for n in (1, 2)]
        level = rng.normal(size=NUM_BINS)
        made = {u: level + rng.normal(size=(rng.integers(20, 60), NUM_BINS)) for u in ids}
        made = {u: matrix.astype(np.float32) for u, matrix in (given or made).items()}
        scp = folder / "feats.scp"
        kaldiio.save_ark(str(folder / "fbank.1.ark"), made, scp=str(scp))
        scp.write_text(scp.read_text().replace(f"{self.path}/", ""))  # relative to the recipe
        lengths = "".join(f"{u} {len(matrix)}\n" for u, matrix in made.items())
        (folder / "utt2num_frames").write_text(lengths)
        cuts = []
        for utt in ids:
            speaker, emotion, _ = utt.split("-")
            custom = {"emotion": emotion, "audio_hash": f"{seed} {utt}"}
            segment = SupervisionSegment(utt, utt, 0.0, 1.0, speaker=speaker, custom=custom)
            cuts.append(MonoCut(utt, 0.0, 1.0, 0, supervisions=[segment]))
        CutSet.from_cuts(cuts).to_file(folder / "cuts.jsonl.gz")
        fbank = dataclasses.asdict(FbankConfig(num_mel_bins=NUM_BINS, **config))
        FeatsInfo(fbank, "", "", len(ids), 1, f"features of seed {seed} {config}").write(folder)

    def write_task(self, **changes) -> None:
        same = {name: name for name in self.classes}
        neutral = ReferenceConfig(self.classes[2], count=1)
        config = TaskConfig(self.classes, same, references=neutral, **changes)
        build_task(config, read_supervisions(self.path / "data" / "fbank"), self.task_dir)

    def read_features(self) -> dict[str, np.ndarray]:
        return dict(kaldiio.load_ark(str(self.path / "data" / "fbank" / "fbank.1.ark")))

    @property
    def task_dir(self) -> Path:
        return self.path / "data" / self.recipe.task

    def write_model(self, fold: str, seed: int = 0) -> None:
        """Write an untrained network as stage 3 leaves a trained one."""
        torch.manual_seed(zlib.crc32(f"{self.recipe.name} {fold} {seed}".encode()))
        config = load(self.path / "conf" / "tiny.yaml", SystemConfig)
        about = {
            "config_digest": config_digest(config),
            "features_digest": FeatsInfo.load(self.path / "data" / "fbank").digest,
            "task_digest": self.task.digest,
        }
        system = build_system(config, len(self.classes), 1)
        with torch.no_grad():
            for weight in system.parameters():
                weight.add_(0.3 * torch.randn(weight.shape))
        content = {"config": dataclasses.asdict(config), "classes": self.classes, "epoch": 1}
        content["num_speakers"] = 1
        checkpoint.save(
            self.fold_dir(fold) / "model.pt", about | content | {"model": system.state_dict()}
        )
        train = about | {
            "kind": "base", "fold": fold, "seed": 1, "num_parameters": 10, "selection": "last",
            "selected_epoch": 1, "seconds_per_epoch": 1.0, "versions": {"torch": "2"},
            "git_revision": "r", "trained": seed,
        }  # fmt: skip
        (self.fold_dir(fold) / "train.json").write_text(json.dumps(train))
        (self.fold_dir(fold) / "log.jsonl").write_text("")

    def write_test_posteriors(self, fold: str, answer: str = "") -> None:
        """Answer every test utterance rightly, or with `answer`, and mark stage 4 as done."""
        answers = {utt: answer or utt.split("-")[1] for utt in self.task.fold(fold).test}
        write_posteriors(self.fold_dir(fold) / "test", self.classes, answers)
        marker = self.path / ".done" / f"4-infer.{self.recipe.task}.tiny.1.json"
        marker.parent.mkdir(exist_ok=True)
        read = json.loads(marker.read_text())["reads"] if marker.exists() else {}
        path = self.fold_dir(fold) / "train.json"
        read[str(path.relative_to(self.path))] = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        marker.write_text(json.dumps({"reads": read}))


def write_posteriors(folder: Path, classes: list[str], answers: dict[str, str]) -> None:
    """Write probability 1 for each utterance's answer."""
    lines = ["\t".join(["utt_id", *classes])]
    for utt, answer in sorted(answers.items()):
        lines.append("\t".join([utt, *("1" if name == answer else "0" for name in classes)]))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "posteriors.tsv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """Return a project with a space in its name, and recipes "one" and "two" in it."""
    project = tmp_path_factory.mktemp("toys") / "a project"
    (project / "egs" / "cross_corpus").mkdir(parents=True)
    for seed, name in enumerate(CLASSES):
        Toy(project / "egs", name).build(seed)
    return project


@pytest.fixture
def toys(built, tmp_path, monkeypatch) -> dict[str, Toy]:
    """Return both recipes of a copy of it, to be changed; we are in its egs/cross_corpus."""
    egs = shutil.copytree(built, tmp_path / "a project") / "egs"
    monkeypatch.chdir(egs / "cross_corpus")
    return {name: Toy(egs, name) for name in CLASSES}


@pytest.fixture
def run_program(monkeypatch) -> Callable[..., None]:
    """Return a function that runs a main() with arguments, as a process of its own would."""

    def run(main: Callable[[], None], *args: str | Path) -> None:
        monkeypatch.setattr(sys, "argv", ["program", *map(str, args)])
        main()

    return run


@pytest.fixture(name="write_posteriors")
def _write_posteriors() -> Callable[..., None]:
    return write_posteriors


@pytest.fixture
def shared() -> SharedClasses:
    """Return the shared classes of both recipes: three, and `bored` is ignored."""
    return SHARED


@pytest.fixture
def shared_config(tmp_path) -> Path:
    """Return them as a file."""
    path = tmp_path / "shared.yaml"
    path.write_text(yaml.safe_dump(dataclasses.asdict(SHARED)))
    return path
