"""The time that is left, against a table computed by hand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "utils" / "time_left.py"


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


class Stage3:
    """A recipe's folder between stages 2 and 3, with systems one and two and folds a and b."""

    def __init__(self, folder):
        self.folder = folder
        self.change_folds("t1")
        write(folder / "data/fbank/feats.json", {"digest": "f1"})
        for system in ("one", "two"):
            self.change(system, "c1")

    def change_folds(self, digest):
        write(self.folder / "data/4class/task.json", {"digest": digest})

    def change(self, system, code):
        content = {"code": code, "config": {"features": "fbank", "kind": system}}
        write(self.folder / f"exp/4class/{system}/system.json", content)

    def path(self, system, seed, fold):
        return self.folder / f"exp/4class/{system}/seed_{seed}/fold_{fold}/train.json"

    def trained(self, system, seed, fold, seconds):
        config = {"features": "fbank", "kind": system}
        identity = {"config": config, "code_digest": "c1", "features_digest": "f1"}
        identity |= {"task_digest": "t1", "fold": fold}
        write(self.path(system, seed, fold), {"identity": identity, "seconds": seconds})

    def ask(self, systems, seeds, jobs, since=0):
        done = subprocess.run(
            [sys.executable, SCRIPT, "4class", systems, seeds, "a b", str(jobs), str(since)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout


@pytest.fixture
def stage3(tmp_path):
    return Stage3(tmp_path)


def test_before_the_first_nothing_is_known(stage3):
    assert stage3.ask("one two", "1 2", 2) == "  0 of 8 trainings are done\n"
    assert stage3.ask("one", "1", 2) == "  0 of 2 trainings are done\n"


def test_one_system(stage3):
    stage3.trained("one", 1, "a", 300)
    assert stage3.ask("one", "1", 2) == "  1 of 2 trainings are done; about 5 min left\n"


def test_each_system_has_its_own_mean(stage3):
    """One: 1 training of 300 s. Two: 1 of 120 s, then 2 of a further seed, together or not."""
    for training in [("one", 1, "a", 200), ("one", 1, "b", 400), ("one", 2, "a", 300)]:
        stage3.trained(*training)
    stage3.trained("two", 1, "a", 120)
    assert stage3.ask("one two", "1 2", 2) == "  4 of 8 trainings are done; about 9 min left\n"
    assert stage3.ask("one two", "1 2", 1) == "  4 of 8 trainings are done; about 11 min left\n"


def test_what_is_taken_from_other_systems_is_said(stage3):
    """One: 2 trainings of 300 s, two at a time; two: the same."""
    stage3.trained("one", 1, "a", 300)
    stage3.trained("one", 1, "b", 300)
    expected = "  2 of 6 trainings are done; about 10 min left, if two takes as long as the others"
    stage3.change("two", "c1")
    assert stage3.ask("one two", "1", 2) == expected.replace("6", "4").replace("10", "5") + "\n"
    write(stage3.folder / "exp/4class/six/system.json", {"code": "c", "config": {"features": "x"}})
    text = stage3.ask("one two six", "1", 2)
    assert text == expected.replace("two takes", "two and six take") + "\n"


def test_hours_and_moments(stage3):
    stage3.trained("one", 1, "a", 6000)
    assert "about 1 h 40 min left" in stage3.ask("one", "1", 1)
    stage3.trained("one", 1, "a", 6)
    assert "; about 1 min left" in stage3.ask("one", "1", 1)


def test_when_none_is_left_it_says_nothing(stage3):
    stage3.trained("one", 1, "a", 5)
    stage3.trained("one", 1, "b", 5)
    assert stage3.ask("one", "1", 2) == ""


def test_what_is_trained_anew_is_not_done(stage3):
    stage3.trained("one", 1, "a", 60)
    stage3.trained("one", 1, "b", 60)
    begin = stage3.path("one", 1, "a").stat().st_mtime + 1
    forced = stage3.ask("one", "1", 2, since=begin)
    assert forced == "  0 of 2 trainings are done; about 1 min left\n"
    stage3.change_folds("t2")
    assert "0 of 2" in stage3.ask("one", "1", 2)
    stage3.change_folds("t1")  # written anew, but the same
    assert stage3.ask("one", "1", 2) == ""
    stage3.change("one", "c2")
    assert stage3.ask("one", "1", 2) == "  0 of 2 trainings are done\n"
    stage3.change("one", "c1")
    write(stage3.folder / "data/fbank/feats.json", {"digest": "f2"})
    assert stage3.ask("one", "1", 2) == "  0 of 2 trainings are done\n"
