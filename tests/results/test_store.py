"""Reading run folders: what is there is read, what is missing is named, what does not fit stops."""

import json
import shutil

import numpy as np
import pytest

from dsnet.errors import ScoringError
from dsnet.results.classes import RecipeClasses, SharedClasses
from dsnet.results.posteriors import read_posteriors
from dsnet.results.store import find_runs, open_run, open_test_sets


@pytest.fixture
def exp_dir(small_task, make_exp, fake_system):
    return make_exp(small_task, {"base": fake_system(), "dsnet": fake_system(kind="dsnet")})


def test_reads_all_runs(small_task, exp_dir, score_runs):
    results, _ = score_runs(small_task)
    assert [row.name for row in results.systems] == ["base", "dsnet"]
    base = results.systems[0]
    assert [(run.seed, run.fold) for run in base.runs] == [(s, f) for s in (1, 2) for f in "ABCD"]
    run = base.runs[0]
    assert run.utt_ids == sorted(small_task.fold("A").test)
    path = exp_dir / "base/seed_1/fold_A/test/posteriors.tsv"
    _, posteriors = read_posteriors(path, small_task.classes)
    assert run.predictions.tolist() == posteriors.argmax(1).tolist()
    counts = base.confusions()  # (A, P, K, K)
    assert base.assessments == [(1,), (2,)]
    expected = np.bincount(run.labels[run.predictions == run.labels], minlength=4)
    assert np.diag(counts[0, 0]).tolist() == expected.tolist()
    assert counts[0].sum() == len(small_task.utt2emo)


def test_counts_without_references(small_task, exp_dir, score_runs):
    base = score_runs(small_task)[0].systems[0]
    assert len(base.test_set.references) == 12  # three a speaker
    assert base.confusions(base.test_set.references)[0].sum() == len(small_task.utt2emo) - 12


def test_missing_folds_are_named(small_task, exp_dir, score_runs):
    shutil.rmtree(exp_dir / "base" / "seed_2" / "fold_C")
    (exp_dir / "base" / "seed_1" / "fold_D" / "run.json").unlink()
    (base, dsnet) = score_runs(small_task)[0].systems
    assert base.missing == [(1, "D"), (2, "C")]
    assert len(base.runs) == 6
    assert not dsnet.missing


def test_a_name_is_what_run_json_says_not_the_folder(small_task, exp_dir, score_runs):
    (exp_dir / "base").rename(exp_dir / "dsnet-neutral1@losses.alpha=3+x")
    assert [row.name for row in score_runs(small_task)[0].systems] == ["base", "dsnet"]


def test_a_copied_folder_is_the_same_run_twice(small_task, exp_dir, score_runs):
    shutil.copytree(exp_dir / "base" / "seed_1", exp_dir / "base" / "seed_7")
    with pytest.raises(ScoringError, match="seed_7/fold_A and .*seed_1/fold_A are the same run"):
        score_runs(small_task)


def change_line(path, number, change):
    lines = path.read_text().splitlines()
    lines[number] = change(lines[number])
    path.write_text("\n".join(line for line in lines if line is not None) + "\n")


@pytest.mark.parametrize(
    "number, change, message",
    [
        (0, lambda s: s.replace("angry\thappy", "happy\tangry"), "rerun from stage 3"),
        (0, lambda s: s.replace("\tsad", ""), "expected the columns utt_id angry"),
        (1, lambda s: None, r"missing: A_angry_0 \(1\)"),
        (1, lambda s: s.replace("A_angry_0", "A_angry_x"), r"not of that part: A_angry_x \(1\)"),
        (1, lambda s: s + "\n" + s, "A_angry_0 stands in it twice"),
        (2, lambda s: s.split("\t")[0] + "\tnan" * 4, "posteriors.tsv:3: expected probabilities"),
        (2, lambda s: s.split("\t")[0] + "\t0.5" * 4, "that sum to 1"),
        (2, lambda s: s.split("\t")[0] + "\t2\t-1\t0\t0", "that sum to 1"),
        (2, lambda s: s + "\t0.1", "expected 4 probabilities for A_angry_1, found 5"),
        (2, lambda s: s.replace("0.", "zero"), "could not convert"),
    ],
)
def test_posteriors_that_do_not_fit(small_task, exp_dir, score_runs, number, change, message):
    change_line(exp_dir / "base/seed_1/fold_A/test/posteriors.tsv", number, change)
    with pytest.raises(ScoringError, match=message) as caught:
        score_runs(small_task)
    assert "fold_A/test/posteriors.tsv" in str(caught.value)
    assert "rerun" in str(caught.value)


def test_a_run_json_that_is_not_whole(exp_dir):
    path = exp_dir / "base/seed_1/fold_A/run.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps(about)[:-5])
    with pytest.raises(ScoringError, match="run.json: not valid JSON .*; rerun stage 4"):
        find_runs([exp_dir])
    del about["given"]
    path.write_text(json.dumps(about))
    with pytest.raises(ScoringError, match="no 'given'; rerun stage 4"):
        find_runs([exp_dir])
    path.unlink()
    with pytest.raises(ScoringError, match="run.json: no such file; run stages 3 and 4"):
        open_run(path.parent)


def test_posteriors_come_back_as_written(tmp_path):
    path = tmp_path / "posteriors.tsv"
    path.write_text("utt_id\tx\ty\nu1\t0.250000\t0.750000\nu2\t1.000000\t0.000000\n")
    utt_ids, posteriors = read_posteriors(path, ["x", "y"])
    assert utt_ids == ["u1", "u2"]
    assert posteriors.tolist() == [[0.25, 0.75], [1.0, 0.0]]


def test_across_corpora_answers_are_in_the_classes_of_both(
    recipe, tiny_task, make_exp, fake_system, tmp_path
):
    """A model of x (angry happy neutral sad) is tested on y (neutral sad): by hand."""
    shared = SharedClasses(
        ["low", "rest"],
        {
            "x": RecipeClasses("2class", {"sad": "low", "neutral": "rest"}),
            "y": RecipeClasses("2class", {"sad": "low", "neutral": "rest"}),
        },
    )
    other = type(recipe)(tmp_path / "egs" / "y")
    shutil.copytree(recipe.folder, other.folder)
    exp = make_exp(tiny_task, {"base": fake_system()}, seeds=1)
    run = exp / "base/seed_1/fold_A"
    about = json.loads((run / "run.json").read_text()) | {"tested_on": "y"}
    (run / "run.json").write_text(json.dumps(about))
    table = ["utt_id\tneutral\tsad", *(f"{utt}\t0.25\t0.75" for utt in tiny_task.utt2emo)]
    (run / "test/posteriors.tsv").write_text("\n".join(table) + "\n")
    test_sets = open_test_sets(shared, {"x": recipe, "y": other})
    utts, posteriors = open_run(run).read("test", test_sets)
    assert utts == sorted(tiny_task.utt2emo)  # all of y, whatever fold the model is of
    assert posteriors.tolist() == [[0.75, 0.25]] * 5
    dev, _ = open_run(run).read("dev", test_sets)
    assert dev == sorted(tiny_task.fold("A").dev)  # its own validation speaker


def test_a_speaker_is_tested_once(recipe, small_task):
    test = small_task.task_dir / "fold_B" / "test"
    test.write_text((small_task.task_dir / "fold_A" / "test").read_text())
    (small_task.task_dir / "fold_B" / "train").write_text("C_sad_0\n")
    (small_task.task_dir / "fold_B" / "dev").write_text("D_sad_0\n")
    shared = SharedClasses.of_one("x", "4class", small_task.classes)
    with pytest.raises(ScoringError, match="folds A and B both test speaker A"):
        open_test_sets(shared, {"x": recipe})
