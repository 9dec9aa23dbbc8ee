"""Stage 5 from the command line, on a made-up exp tree."""

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dsnet.bin import score
from dsnet.errors import ScoringError

FAKE = runpy.run_path(str(Path(__file__).parents[1] / "conftest.py"))
CLASSES = FAKE["CLASSES"]
LABELS = ", ".join(f"{name}: {name}" for name in CLASSES)


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Return a recipe folder with one system, and go there."""
    utt2emo = FAKE["random_utterances"](["A", "B", "C"], CLASSES, 6, np.random.default_rng(0))
    task = FAKE["write_task"](tmp_path / "data" / "4class", utt2emo, CLASSES)
    FAKE["write_system"](tmp_path / "exp" / "4class", task, "base", FAKE["FakeSystem"](), 1, 5)
    (tmp_path / "conf").mkdir()
    write_config(tmp_path, CLASSES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_config(folder, classes):
    text = f"classes: [{', '.join(classes)}]\nlabel_map: {{{LABELS}}}\n"
    (folder / "conf" / "4class.yaml").write_text(text)


def arguments(results_dir):
    return [
        "--results-dir", str(results_dir), "--command", "bash egs/x/run.sh", "--recipe", "x",
        "conf/4class.yaml", "data/4class", "exp/4class",
    ]  # fmt: skip


def test_writes_report_metrics_and_figures(recipe, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["score", *arguments("out dir")])
    score.main()
    text = (recipe / "out dir" / "RESULTS.md").read_text()
    metrics = json.loads((recipe / "out dir" / "metrics.json").read_text())
    shown = f"{100 * metrics['all']['systems']['base']['uar']['estimate']:.1f} ["
    printed = capsys.readouterr().out
    assert shown in text and shown in printed
    assert "out dir/RESULTS.md" in printed
    for line in text.splitlines():
        if line.startswith("!["):
            assert (recipe / "out dir" / line.split("(")[1].rstrip(")")).is_file()


def test_a_deleted_run_stays_on_the_page(recipe, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["score", *arguments("out")])
    score.main()
    before = json.loads((recipe / "out" / "metrics.json").read_text())
    shutil.rmtree(recipe / "exp")
    score.main()
    assert json.loads((recipe / "out" / "metrics.json").read_text()) == before
    assert len((recipe / "out" / "ledger.jsonl").read_text().splitlines()) == 3
    (recipe / "conf" / "base.yaml").write_text("kind: base\n")
    with pytest.raises(ScoringError, match="no result counts .base: its config .* changed"):
        score.main()


def test_a_broken_ledger_is_named(recipe, monkeypatch):
    (recipe / "out").mkdir()
    (recipe / "out" / "ledger.jsonl").write_text("{}\n")
    monkeypatch.setattr(sys, "argv", ["score", *arguments("out")])
    with pytest.raises(ScoringError, match="^out/ledger.jsonl:1: expected an object with"):
        score.main()
    assert not (recipe / "out" / "RESULTS.md").exists()


def test_classes_of_config_and_task_must_be_the_same(recipe, monkeypatch):
    write_config(recipe, CLASSES[::-1])
    monkeypatch.setattr(sys, "argv", ["score", *arguments("out")])
    with pytest.raises(ScoringError, match="made for the classes angry, happy.*from stage 2"):
        score.main()


def test_an_error_is_one_line_and_leaves_no_report(recipe):
    (recipe / "exp/4class/base/seed_1/fold_A/train.json").unlink()
    command = [sys.executable, "-m", "dsnet.bin.score", *arguments("out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("score: exp/4class/base/seed_1/fold_A/train.json: no such file")
    assert len(done.stderr.splitlines()) == 1
    assert not (recipe / "out").exists()
