"""The time that is left, against a table computed by hand."""

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "utils" / "time_left.py"
spec = importlib.util.spec_from_file_location("time_left", SCRIPT)
time_left = importlib.util.module_from_spec(spec)
spec.loader.exec_module(time_left)
Trainings, makespan, short = time_left.Trainings, time_left.makespan, time_left.short


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


class Stage3:
    """A recipe's folder between stages 2 and 3, with systems one and two and folds a and b."""

    def __init__(self, folder):
        self.folder, self.stop_after = folder, 0
        self.change_folds("t1")
        write(folder / "data/fbank/feats.json", {"digest": "f1"})
        for system in ("one", "two"):
            self.change(system, "c1")

    def change_folds(self, digest):
        write(self.folder / "data/4class/task.json", {"digest": digest})

    def config(self, system):
        train = {"max_epochs": 10, "stop_after": self.stop_after}
        return {"features": "fbank", "kind": system, "train": train}

    def change(self, system, code):
        content = {"code": code, "config": self.config(system)}
        write(self.folder / f"exp/4class/{system}/system.json", content)

    def path(self, system, seed, fold):
        return self.folder / f"exp/4class/{system}/seed_{seed}/fold_{fold}/train.json"

    def trained(self, system, seed, fold, seconds):
        config = self.config(system)
        identity = {"config": config, "code_digest": "c1", "features_digest": "f1"}
        identity |= {"task_digest": "t1", "fold": fold}
        about = {"identity": identity, "seconds": 1, "process_seconds": seconds}
        write(self.path(system, seed, fold), about)

    def runs(self, system, seed, fold, epochs):
        """Leave the log of a training that runs; return when its launcher began."""
        log = self.path(system, seed, fold).with_name("log.jsonl")
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("".join(f'{{"seconds": {seconds}}}\n' for seconds in epochs))
        return log.stat().st_mtime

    def words(self, systems, seeds, jobs, since=0, folds="a b"):
        return ("4class", systems, seeds, folds, str(jobs), str(since))

    def tell(self, *args, began=math.inf, **kwargs):
        return Trainings(*self.words(*args, **kwargs)).in_words(began)


@pytest.fixture
def stage3(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Stage3(tmp_path)


def test_before_the_first_nothing_is_known(stage3):
    assert stage3.tell("one two", "1 2", 2) == "0 of 8 trainings done; time left not known yet"


def test_the_program_prints_the_same(stage3):
    command = [sys.executable, SCRIPT, *stage3.words("one", "1", 2)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "  0 of 2 trainings done; time left not known yet\n"
    stage3.trained("one", 1, "a", 5)
    stage3.trained("one", 1, "b", 5)
    assert subprocess.run(command, capture_output=True, check=True).stdout == b""


def test_one_system(stage3):
    stage3.trained("one", 1, "a", 300)
    expected = "1 of 2 trainings done (5 min each); about 5 min left"
    assert stage3.tell("one", "1", 2) == expected


def test_each_system_has_its_own_mean(stage3):
    """One: 1 training of 300 s. Two: 3 of 120 s, beside it or behind it."""
    for training in [("one", 1, "a", 200), ("one", 1, "b", 400), ("one", 2, "a", 300)]:
        stage3.trained(*training)
    stage3.trained("two", 1, "a", 120)
    assert stage3.tell("one two", "1 2", 2) == "4 of 8 trainings done; about 6 min left"
    assert stage3.tell("one two", "1 2", 1).endswith("done; about 11 min left")
    assert stage3.tell("one two", "1 2", 3).endswith("done; about 5 min left")


def test_the_slowest_come_first_behind_those_that_nobody_knows(stage3):
    stage3.change("new", "c1")
    stage3.trained("one", 1, "a", 200)
    stage3.trained("two", 1, "a", 400)
    command = [sys.executable, SCRIPT, "--order", *stage3.words("one new two", "1", 2)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "new two one\n"


def test_a_system_that_has_not_begun_is_not_guessed_from_others(stage3):
    """One: 2 trainings of 300 s are left, two at a time."""
    stage3.trained("one", 1, "a", 300)
    stage3.trained("one", 1, "b", 300)
    assert stage3.tell("one two", "1 2", 2).endswith("; about 5 min + two left")
    for name in ("six", "ten"):
        stage3.change(name, "c1")
    assert "; about 5 min + two + six left" in stage3.tell("one two six", "1 2", 2)
    assert "; about 5 min + 3 systems left" in stage3.tell("one two six ten", "1 2", 2)
    done = "2 of 4 trainings done; time left not known yet"
    assert stage3.tell("one two", "1", 2) == done


def test_epochs_of_the_first_trainings_tell(stage3):
    """10 epochs of 30 s; 90 s and 30 s are done of the two that run, then come three of 300 s.

    Slots: 210 + 300 and 270 + 300 at two at a time for one seed of four folds; 300 for the other.
    """
    began = stage3.runs("one", 1, "a", [20, 30, 40]) - 5
    stage3.runs("one", 1, "b", [30])
    text = stage3.tell("one", "1", 2, began=began, folds="a b c d")
    assert text == "0 of 4 trainings done (5 min each); about 10 min left"  # 570 s
    assert "time left not known" in stage3.tell("one", "1", 2)  # that of a killed run
    assert "time left not known" in stage3.tell("one", "1", 2, began=began + 60)


def test_where_training_may_stop_early_it_is_at_most_that(stage3):
    stage3.stop_after = 20
    stage3.change("one", "c1")
    began = stage3.runs("one", 1, "a", [60]) - 5
    text = stage3.tell("one", "1", 1, began=began, folds="a")
    assert text == "0 of 1 trainings done (10 min each); at most 9 min left"


def test_one_that_runs_longer_than_the_others_ends_soon(stage3):
    stage3.trained("one", 1, "a", 60)
    began = stage3.runs("one", 1, "b", [50, 50]) - 5
    assert stage3.tell("one", "1", 2, began=began).endswith("(60 s each); about 1 s left")


def test_jobs_in_two_slots():
    """60 and 20; then 60 behind the 20, and 60 behind the first: 120."""
    assert makespan([60, 20, 60, 60], 2) == 120
    assert makespan([7, 7, 7], 1) == 21 and makespan([7, 7, 7], 5) == 7
    assert makespan([], 2) == 0


def test_seconds_minutes_hours():
    assert [short(s) for s in (0, 6, 99, 100, 5940, 6000)] == [
        "1 s", "6 s", "99 s", "2 min", "99 min", "1 h 40 min",
    ]  # fmt: skip


def test_a_train_json_of_an_earlier_version_tells_of_its_epochs(stage3):
    stage3.trained("one", 1, "a", 0)
    about = json.loads(stage3.path("one", 1, "a").read_text())
    del about["process_seconds"]
    write(stage3.path("one", 1, "a"), about | {"seconds": 300})
    assert "about 5 min left" in stage3.tell("one", "1", 2)


def test_what_is_trained_anew_is_not_done(stage3):
    stage3.trained("one", 1, "a", 60)
    stage3.trained("one", 1, "b", 60)
    begin = stage3.path("one", 1, "a").stat().st_mtime + 1
    forced = stage3.tell("one", "1", 2, since=begin)
    assert forced == "0 of 2 trainings done (60 s each); about 60 s left"
    stage3.change_folds("t2")
    assert "0 of 2" in stage3.tell("one", "1", 2)
    stage3.change_folds("t1")  # written anew, but the same
    assert stage3.tell("one", "1", 2) == ""
    stage3.change("one", "c2")
    assert stage3.tell("one", "1", 2) == "0 of 2 trainings done; time left not known yet"
    stage3.change("one", "c1")
    write(stage3.folder / "data/fbank/feats.json", {"digest": "f2"})
    assert stage3.tell("one", "1", 2) == "0 of 2 trainings done; time left not known yet"


def test_what_ends_meanwhile_is_seen(stage3):
    trainings = Trainings(*stage3.words("one", "1", 2))
    assert trainings.in_words().startswith("0 of 2")
    stage3.trained("one", 1, "a", 60)
    assert trainings.in_words().startswith("1 of 2")
    stage3.trained("one", 1, "b", 60)
    assert trainings.in_words() == ""
