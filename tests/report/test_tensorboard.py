"""What stage 5 leaves for TensorBoard, as TensorBoard reads it."""

import io
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from dsnet.report.tensorboard import hyperparameters, write_scored, write_tensorboard
from dsnet.results import ledger
from dsnet.results.classes import SharedClasses
from dsnet.results.store import find_runs, open_test_sets

CLASSES = ["angry", "neutral", "sad"]
# recalls 3/4, 1/2; nobody is sad, but one neutral utterance was taken for it: UAR 5/8
CONFUSION = np.array([[3, 1, 0], [0, 1, 1], [0, 0, 0]])
FACTS = {"system": "dsnet", "seed": 2, "fold": "03", "train.learning_rate": 1e-3}


def read(run_folder):
    found = EventAccumulator(str(run_folder / "tensorboard" / "scored"))
    found.Reload()
    return found


def scalars(found):
    return {tag: [e.value for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def session(found):
    """Return the hyperparameters that the plugin gets."""
    content = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    start = HParamsPluginData.FromString(content).session_start_info
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}


def test_recalls_uar_and_hyperparameters(tmp_path):
    write_scored(tmp_path, FACTS, CLASSES, CONFUSION)
    found = read(tmp_path)
    expected = {"hparam/uar": [62.5], "recall/angry": [75.0], "recall/neutral": [50.0]}
    assert scalars(found) == expected
    assert session(found) == FACTS


def test_the_matrix_is_an_image(tmp_path):
    write_scored(tmp_path, FACTS, CLASSES, CONFUSION)
    (picture,) = read(tmp_path).Images("confusion")
    pixels = np.asarray(Image.open(io.BytesIO(picture.encoded_image_string)).convert("RGB"))
    assert pixels.shape == (picture.height, picture.width, 3)
    assert min(pixels.shape[:2]) > 300 and pixels.std() > 10  # legible, and not empty


def test_writing_again_leaves_one(tmp_path):
    write_scored(tmp_path, FACTS, CLASSES, np.eye(3, dtype=int))
    write_scored(tmp_path, FACTS, CLASSES, CONFUSION)
    assert len(list((tmp_path / "tensorboard").rglob("*tfevents*"))) == 1
    assert scalars(read(tmp_path))["hparam/uar"] == [62.5]


def test_hyperparameters_that_matter():
    info = {key: key for key in ("system", "kind", "features", "task", "trained_on", "tested_on")}
    info |= {"seed": 1, "fold": "a", "enrolment": {"source": "any", "count": 3}, "given": []}
    config = {
        "kind": "dsnet",
        "losses": {"alpha": 0.1, "guard": 1.0},
        "train": {"learning_rate": 0.001, "patience": 15},
        "encoder": {"kind": "compact", "channels": [8, 16]},
    }
    found = hyperparameters(info, config)
    assert found["enrolment"] == "any:3" and found["fold"] == "a" and "given" not in found
    assert {name: value for name, value in found.items() if "." in name} == {
        "losses.alpha": 0.1, "losses.guard": 1.0, "train.learning_rate": 0.001,
        "encoder.kind": "compact",
    }  # fmt: skip


@pytest.fixture
def scored(recipe, small_task, make_exp, fake_system, monkeypatch):
    """Return (runs, lines, test sets) of a recipe with one system, and go there."""
    make_exp(small_task, {"dsnet": fake_system("dsnet", 3.0)}, seeds=1)
    monkeypatch.chdir(recipe.folder)
    shared = SharedClasses.of_one(recipe.name, "4class", small_task.classes)
    runs = find_runs([Path("exp/4class")])
    test_sets = open_test_sets(shared, {recipe.name: recipe})
    return runs, ledger.update(Path("ledger.jsonl"), runs, test_sets), test_sets


def test_each_run_has_the_uar_of_its_line(scored):
    runs, lines, _ = scored
    write_tensorboard(*scored)
    assert len(runs) == len(lines) > 1
    for run, line in zip(runs, lines, strict=True):
        found = read(run.folder)
        assert scalars(found)["hparam/uar"] == [pytest.approx(100 * line["uar"], abs=1e-3)]
        assert session(found)["fold"] == line["run"]["fold"] == run.info["fold"]


def test_only_new_lines_are_written(scored):
    runs, lines, test_sets = scored
    write_tensorboard(*scored)
    folders = [run.folder / "tensorboard" / "scored" for run in runs]
    before = [folder.stat().st_ino for folder in folders]
    write_tensorboard(*scored)
    assert [folder.stat().st_ino for folder in folders] == before
    os.utime(folders[0], (0, time.time() - 60))  # the first line is younger now
    write_tensorboard(*scored)
    after = [folder.stat().st_ino for folder in folders]
    assert after[0] != before[0] and after[1:] == before[1:]


def test_runs_of_other_recipes_are_left_alone(scored, monkeypatch, tmp_path):
    runs, lines, test_sets = scored
    elsewhere = [type(run)(Path("../other") / run.folder, run.info) for run in runs]
    write_tensorboard(elsewhere, lines, test_sets)
    assert not list(tmp_path.rglob("scored"))


def test_the_config_of_the_training_is_there_if_its_folder_is(scored):
    runs, _, _ = scored
    train = runs[0].folder / "train.json"
    about = json.loads(train.read_text()) if train.is_file() else {}
    config = {"train": {"learning_rate": 0.25}}
    train.write_text(json.dumps(about | {"identity": {"config": config}}))
    write_tensorboard(*scored)
    assert session(read(runs[0].folder))["train.learning_rate"] == 0.25
