"""Stage 5 from the command line, on a made-up recipe; ensembles, which are scored like the rest."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from dsnet.bin import ensemble, results, score
from dsnet.errors import ScoringError
from dsnet.results.posteriors import read_posteriors

CLASSES = ["angry", "happy", "neutral", "sad"]


@pytest.fixture
def here(recipe, small_task, make_exp, fake_system, monkeypatch):
    """Return a recipe's folder with two systems, and go there."""
    make_exp(small_task, {"base": fake_system(), "dsnet": fake_system("dsnet", 3.0)}, seeds=1)
    write_config(recipe.folder, CLASSES)
    monkeypatch.chdir(recipe.folder)
    return recipe.folder


def write_config(folder, classes):
    labels = ", ".join(f"{name}: {name}" for name in classes)
    text = f"classes: [{', '.join(classes)}]\nlabel_map: {{{labels}}}\n"
    (folder / "conf" / "4class.yaml").write_text(text)


ARGUMENTS = ["--results-dir", "out dir", "--command", "bash egs/x/run.sh", "--task", "4class"]


@pytest.fixture
def run_program(monkeypatch):
    def run(program, *args):
        monkeypatch.setattr(sys, "argv", ["program", *args])
        program.main()

    return run


def test_writes_pages_metrics_and_figures_and_prints_the_answer(here, run_program, capsys):
    run_program(score, *ARGUMENTS)
    run_program(results, "out dir")
    text = (here / "out dir" / "RESULTS.md").read_text()
    metrics = json.loads((here / "out dir" / "metrics.json").read_text())
    shown = f"{100 * metrics['systems']['base']['headline']['uar']['estimate']:.1f} ["
    printed = capsys.readouterr().out
    assert shown in text and shown in printed
    answer, pages, missing = printed.splitlines()[-3:]
    assert answer.startswith("UAR in percent: the utterance alone ") and "4 of 4 folds" in answer
    assert pages == "Pages: ./out dir/index.html (in a browser), ./out dir/RESULTS.md"
    assert missing == "Missing: nothing"
    page = (here / "out dir" / "index.html").read_text()
    assert shown.rstrip(" [") in page and "Cannot be listened to" in page  # there is no manifest
    for line in text.splitlines():
        if line.startswith("!["):
            assert (here / "out dir" / line.split("(")[1].rstrip(")")).is_file()


def test_what_is_missing_is_said_last(here, run_program, capsys):
    shutil.rmtree(here / "exp/4class/dsnet/seed_1/fold_C")
    run_program(score, *ARGUMENTS)
    run_program(results, "out dir")
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "Missing: dsnet, seed 1: 3 of 4 folds; not there: C"


def test_results_need_stage_5(here, run_program):
    with pytest.raises(ScoringError, match="^out dir/metrics.json: no such file; run --stage 5"):
        run_program(results, "out dir")


def test_figures_of_another_scoring_go(here, run_program):
    (here / "out dir" / "figures").mkdir(parents=True)
    (here / "out dir" / "figures" / "embeddings_gone.png").write_text("")
    run_program(score, *ARGUMENTS)
    assert not (here / "out dir" / "figures" / "embeddings_gone.png").exists()


def test_a_deleted_run_stays_on_the_page(here, run_program):
    run_program(score, *ARGUMENTS)
    before = json.loads((here / "out dir" / "metrics.json").read_text())
    shutil.rmtree(here / "exp")
    run_program(score, *ARGUMENTS)
    assert json.loads((here / "out dir" / "metrics.json").read_text()) == before
    assert len((here / "out dir" / "ledger.jsonl").read_text().splitlines()) == 8
    for name in ("base", "dsnet"):
        path = here / "conf" / "systems" / f"{name}.yaml"
        path.write_text(path.read_text() + "train: {max_epochs: 3}\n")
    with pytest.raises(ScoringError, match="no result counts .base: its config .* changed"):
        run_program(score, *ARGUMENTS)


def test_a_broken_ledger_is_named(here, run_program):
    (here / "out dir").mkdir()
    (here / "out dir" / "ledger.jsonl").write_text("{}\n")
    with pytest.raises(ScoringError, match="^out dir/ledger.jsonl:1: expected an object with"):
        run_program(score, *ARGUMENTS)
    assert not (here / "out dir" / "RESULTS.md").exists()


def test_classes_of_config_and_task_must_be_the_same(here, run_program):
    write_config(here, CLASSES[::-1])
    with pytest.raises(ScoringError, match="made for the classes angry, happy.*from stage 2"):
        run_program(score, *ARGUMENTS)


def test_an_error_is_one_line_and_leaves_no_report(here):
    (here / "exp/4class/base/seed_1/fold_A/run.json").write_text("{")
    command = [sys.executable, "-m", "dsnet.bin.score", *ARGUMENTS]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("score: exp/4class/base/seed_1/fold_A/run.json: not valid JSON")
    assert len(done.stderr.splitlines()) == 1
    assert not (here / "out dir").exists()


ENSEMBLE = ["--task", "4class", "--system", "base+dsnet", "--seeds", "1", "exp/4class"]


def test_an_ensemble_is_a_run_made_of_runs(here, run_program):
    run_program(ensemble, "--folds", "A B C D", *ENSEMBLE)
    about = json.loads((here / "exp/4class/base+dsnet/seed_1/fold_A/run.json").read_text())
    assert [(one["system"], one["seed"]) for one in about["members"]] == [("base", 1), ("dsnet", 1)]
    assert (about["kind"], about["control"]) == ("ensemble", "base")
    run_program(score, *ARGUMENTS)
    metrics = json.loads((here / "out dir" / "metrics.json").read_text())
    assert list(metrics["systems"]) == ["base", "base+dsnet", "dsnet"]
    (pair,) = metrics["differences"]["pairs"]
    assert (pair["system"], pair["control"], pair["primary"]) == ("base+dsnet", "base", True)


def test_an_ensemble_of_equals_decides_like_one_of_them(here, run_program):
    shutil.rmtree(here / "exp/4class/dsnet")
    shutil.copytree(here / "exp/4class/base", here / "exp/4class/dsnet")
    run_program(ensemble, "--folds", "A", *ENSEMBLE)
    table = "seed_1/fold_A/test/posteriors.tsv"
    one = read_posteriors(here / "exp/4class/base" / table, CLASSES)
    two = read_posteriors(here / "exp/4class/base+dsnet" / table, CLASSES)
    assert one[0] == two[0]
    assert np.array_equal(one[1].argmax(1), two[1].argmax(1))


def test_what_a_member_was_given_is_not_scored_for_the_ensemble(here, run_program):
    path = here / "exp/4class/dsnet/seed_1/fold_A/run.json"
    given = {"given": ["A_neutral_0"], "transductive": True, "side_information": "a"}
    path.write_text(json.dumps(json.loads(path.read_text()) | given))
    run_program(ensemble, "--folds", "A", *ENSEMBLE)
    about = json.loads((here / "exp/4class/base+dsnet/seed_1/fold_A/run.json").read_text())
    assert {key: about[key] for key in given} == given


def test_an_ensemble_needs_all_its_members(here, run_program):
    shutil.rmtree(here / "exp/4class/dsnet")
    with pytest.raises(ScoringError, match="dsnet/seed_1/fold_A/run.json: no such file; run stag"):
        run_program(ensemble, "--folds", "A", *ENSEMBLE)
