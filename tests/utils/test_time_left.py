"""The time that is left, against a table computed by hand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "utils" / "time_left.py"


@pytest.fixture
def ask(tmp_path):
    def trained(system, seed, fold, seconds):
        folder = tmp_path / system / f"seed_{seed}" / f"fold_{fold}"
        folder.mkdir(parents=True)
        (folder / "train.json").write_text(json.dumps({"seconds": seconds}))

    def ask(systems, seeds, jobs, done=()):
        for one in done:
            trained(*one)
        words = [tmp_path, systems, seeds, "a b", str(jobs)]
        done = subprocess.run(
            [sys.executable, SCRIPT, *words], capture_output=True, text=True, check=True
        )
        return done.stdout

    return ask


def test_before_the_first_nothing_is_known(ask):
    assert ask("one two", "1 2", 2) == "  0 of 8 trainings are done\n"


def test_each_system_has_its_own_mean(ask):
    """Left: 1 of one at 300 s; 4 of two at the mean of all, 300 s: 1,500 s by two jobs."""
    done = [("one", 1, "a", 200), ("one", 1, "b", 400), ("one", 2, "a", 300)]
    expected = "  3 of 8 trainings are done; about 12 min left\n"
    assert ask("one two", "1 2", 2, done) == expected
    assert ask("one two", "1 2", 1) == expected.replace("12 min", "25 min")


def test_hours(ask):
    assert "about 1 h 40 min left" in ask("one", "1 2", 1, [("one", 1, "a", 2000)])


def test_a_single_training_or_none_needs_no_word(ask):
    assert ask("one", "1", 2) == ""
    assert ask("one", "1", 2, [("one", 1, "a", 5), ("one", 1, "b", 5)]) == ""
