"""A task folder written by hand is read as it stands; each broken file is named."""

import dataclasses
import json
from pathlib import Path

import pytest

from dsnet.errors import FoldError
from dsnet.folds.protocols import Fold
from dsnet.folds.task_data import TaskData

FILES = {
    "utt2emo": "a1 x\na2 y\nb1 x\nc1 y\n",
    "utt2spk": "a1 a\na2 a\nb1 b\nc1 c\n",
    "neutral2spk": "a1 a\nb0 b\nc1 c\n",
    "spk2neutral": "a a1\nb b0\nc c1\n",
    "folds": "a\nb\n",
    "fold_a/train": "c1\n",
    "fold_a/dev": "b1\n",
    "fold_a/test": "a1\na2\n",
    "fold_b/train": "a1\na2\n",
    "fold_b/dev": "c1\n",
    "fold_b/test": "b1\n",
    "task.json": json.dumps(
        {
            "classes": ["y", "x"],
            "protocol": {"validation": "next_speaker"},
            "references": {"fallback_speakers": []},
        }
    ),
}


@pytest.fixture
def task_dir(tmp_path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_reads_what_is_there(task_dir):
    task = TaskData.load(task_dir)
    assert task.classes == ["y", "x"]  # the order of the config, not of the alphabet
    assert task.utt2emo["a2"] == "y" and task.utt2spk["a2"] == "a"
    assert task.fold_names == ["a", "b"]
    assert task.fold("a") == Fold(train=["c1"], dev=["b1"], test=["a1", "a2"])
    assert task.references == {"a1": [], "a2": ["a1"], "b1": ["b0"], "c1": []}
    assert task.reference_utterances == {"a1", "b0", "c1"}


class Counting(dict):
    """A dict that counts how often it is gone through."""

    walks = 0

    def items(self):
        self.walks += 1
        return super().items()


def test_neutral_utterances_of_a_speaker_in_one_walk_for_all(task_dir):
    task = TaskData.load(task_dir)
    table = Counting(task.neutral2spk | {"a0": "a"})
    task = dataclasses.replace(task, neutral2spk=table)
    assert [task.spk2neutral.get(spk) for spk in "abc"] == [["a1", "a0"], ["b0"], ["c1"]]
    assert table.walks == 1  # one an utterance would be quadratic in the corpus


@pytest.mark.parametrize("name", sorted(set(FILES) - {"task.json"}))
def test_digest_follows_every_file_that_training_depends_on(task_dir, name):
    before = TaskData.load(task_dir).digest
    assert TaskData.load(task_dir).digest == before
    path = task_dir / name
    path.write_text(path.read_text().replace("\n", " \n", 1))
    assert TaskData.load(task_dir).digest != before


def test_digest_follows_the_order_of_the_classes(task_dir):
    before = TaskData.load(task_dir).digest
    path = task_dir / "task.json"
    path.write_text(path.read_text().replace('"y", "x"', '"x", "y"'))
    assert TaskData.load(task_dir).digest != before


def test_digest_does_not_depend_on_the_place(task_dir):
    before = TaskData.load(task_dir).digest
    moved = task_dir.rename(task_dir.with_name("elsewhere"))
    assert TaskData.load(moved).digest == before


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("utt2emo", "a1 x\na2 z\n", r"utt2emo:2: 'z' is not among y, x"),
        ("utt2emo", "a1 x\na2\n", r"utt2emo:2: expected 'utterance value', found 'a2'"),
        ("utt2spk", "a1 a\na1 a\n", r"utt2spk:2: a1 has a line already"),
        ("utt2spk", "a1 a\na2 a\nb1 b\n", r"differ in 1 utterances, such as c1"),
        ("folds", "a\nd\n", r"fold_d/train: no such file, though .*folds names the fold d"),
        ("spk2neutral", "a a1\nb b1\nc c1\n", r"spk2neutral:2: 'b1' is not neutral"),
    ],
)
def test_broken_file_is_named_on_loading(task_dir, name, text, message):
    (task_dir / name).write_text(text)
    with pytest.raises(FoldError, match=message):
        TaskData.load(task_dir)


@pytest.mark.parametrize("name", ["task.json", "utt2emo", "neutral2spk", "spk2neutral"])
def test_missing_file_says_which_stage_to_run(task_dir, name):
    (task_dir / name).unlink()
    with pytest.raises(FoldError, match="--stage 2"):
        TaskData.load(task_dir)


@pytest.mark.parametrize(
    ("part", "text", "message"),
    [
        ("train", "c1\nc9\n", r"fold_a/train:2: expected one utterance of the task, found 'c9'"),
        ("train", "c1 a1\n", r"fold_a/train:1: expected one utterance of the task"),
        ("test", "a1\nb1\n", r"fold_a/test:2: speaker b of b1 is in dev too"),
        ("dev", "", r"fold_a/dev: empty"),
        ("dev", "b1\nb1\n", r"twice"),
    ],
)
def test_broken_fold_is_named(task_dir, part, text, message):
    (task_dir / "fold_a" / part).write_text(text)
    with pytest.raises(FoldError, match=message):
        TaskData.load(task_dir).fold("a")


def test_unknown_fold(task_dir):
    with pytest.raises(FoldError, match="no fold 'c'; folds are a b"):
        TaskData.load(task_dir).fold("c")


def test_a_part_that_should_be_empty_is(task_dir):
    path = task_dir / "task.json"
    path.write_text(path.read_text().replace("next_speaker", "none"))
    with pytest.raises(FoldError, match="fold_a/dev: not empty, though nobody validates"):
        TaskData.load(task_dir).fold("a")
    (task_dir / "fold_a" / "dev").write_text("")
    assert TaskData.load(task_dir).fold("a").dev == []
