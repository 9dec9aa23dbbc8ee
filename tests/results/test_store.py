"""Reading exp trees: what is there is read, what is missing is named, what does not fit stops."""

import json
import shutil

import numpy as np
import pytest

from dsnet.errors import ScoringError
from dsnet.results.posteriors import read_posteriors
from dsnet.results.store import read_results


@pytest.fixture
def exp_dir(small_task, make_exp, fake_system):
    return make_exp(small_task, {"base": fake_system(), "dsnet": fake_system(kind="dsnet")})


def test_reads_all_runs(small_task, exp_dir):
    results = read_results(exp_dir, small_task)
    assert [system.name for system in results.systems] == ["base", "dsnet"]
    assert [system.kind for system in results.systems] == ["base", "dsnet"]
    for system in results.systems:
        assert system.seeds == [1, 2]
        assert [run.fold for run in system.runs] == ["A", "B", "C", "D"] * 2
        assert not system.missing


def test_counts_by_seed_and_speaker(small_task, exp_dir):
    results = read_results(exp_dir, small_task)
    run = results.systems[0].runs[5]  # seed 2, fold B, whose only speaker is B
    counts = results.confusions(results.systems[0])
    assert counts.shape == (2, 4, 4, 4)
    expected = np.zeros((4, 4), dtype=int)
    for label, prediction in zip(run.labels, run.predictions, strict=True):
        expected[label, prediction] += 1
    assert counts[1, 1].tolist() == expected.tolist()
    assert counts[0].sum() == len(small_task.utt2emo)


def test_counts_without_references(small_task, exp_dir):
    results = read_results(exp_dir, small_task)
    excluded = small_task.reference_utterances
    counts = results.confusions(results.systems[0], excluded)
    assert len(excluded) == 12  # three a speaker
    assert counts[0].sum() == len(small_task.utt2emo) - 12


def test_missing_folds_are_named(small_task, exp_dir):
    shutil.rmtree(exp_dir / "base" / "seed_2" / "fold_C")
    shutil.rmtree(exp_dir / "base" / "seed_1" / "fold_D" / "test")
    (base, dsnet) = read_results(exp_dir, small_task).systems
    assert base.missing == [(1, "D"), (2, "C")]
    assert len(base.runs) == 6
    assert not dsnet.missing


def test_a_system_without_posteriors_is_no_system(small_task, exp_dir):
    (exp_dir / "new" / "seed_1" / "fold_A").mkdir(parents=True)
    (exp_dir / "log").mkdir()
    assert len(read_results(exp_dir, small_task).systems) == 2


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
        (1, lambda s: s.replace("A_angry_0", "A_angry_x"), r"not in the fold: A_angry_x \(1\)"),
        (1, lambda s: s + "\n" + s, "A_angry_0 stands in it twice"),
        (2, lambda s: s.split("\t")[0] + "\tnan" * 4, "posteriors.tsv:3: expected probabilities"),
        (2, lambda s: s.split("\t")[0] + "\t0.5" * 4, "that sum to 1"),
        (2, lambda s: s.split("\t")[0] + "\t2\t-1\t0\t0", "that sum to 1"),
        (2, lambda s: s + "\t0.1", "expected 4 probabilities for A_angry_1, found 5"),
        (2, lambda s: s.replace("0.", "zero"), "could not convert"),
    ],
)
def test_posteriors_that_do_not_fit(small_task, exp_dir, number, change, message):
    change_line(exp_dir / "base/seed_1/fold_A/test/posteriors.tsv", number, change)
    with pytest.raises(ScoringError, match=message) as caught:
        read_results(exp_dir, small_task)
    assert "fold_A/test/posteriors.tsv" in str(caught.value)
    assert "rerun" in str(caught.value)


@pytest.mark.parametrize(
    "key, value, message",
    [
        ("fold", "B", "was it copied"),
        ("seed", 2, "was it copied"),
        ("config_digest", "another", "2 different configs"),
        ("task_digest", "another", "have changed since; rerun from stage 3"),
        ("git_revision", None, "no 'git_revision' in it; rerun stage 3"),
    ],
)
def test_training_record_that_does_not_fit(small_task, exp_dir, key, value, message):
    path = exp_dir / "base/seed_1/fold_A/train.json"
    train = json.loads(path.read_text())
    if value is None:
        del train[key]
    else:
        train[key] = value
    path.write_text(json.dumps(train))
    with pytest.raises(ScoringError, match=message):
        read_results(exp_dir, small_task)


def test_training_record_that_is_not_there(small_task, exp_dir):
    (exp_dir / "base/seed_1/fold_A/train.json").unlink()
    with pytest.raises(ScoringError, match="train.json: no such file.*rerun stage 3"):
        read_results(exp_dir, small_task)


def test_what_only_networks_have_may_be_absent(small_task, make_exp, fake_system):
    absent = dict.fromkeys(("selection", "selected_epoch", "epochs", "num_parameters"))
    exp_dir = make_exp(small_task, {"svm": fake_system(kind="svm", train=absent)})
    for path in exp_dir.glob("*/*/*/log.jsonl"):
        path.unlink()
    (svm,) = read_results(exp_dir, small_task).systems
    assert len(svm.runs) == 8 and not svm.missing


def test_a_fold_of_another_split_stops(small_task, exp_dir):
    (exp_dir / "base" / "seed_1" / "fold_Z").mkdir()
    with pytest.raises(ScoringError, match="fold_Z: the task has no such fold"):
        read_results(exp_dir, small_task)


def test_posteriors_come_back_as_written(tmp_path):
    path = tmp_path / "posteriors.tsv"
    path.write_text("utt_id\tx\ty\nu1\t0.250000\t0.750000\nu2\t1.000000\t0.000000\n")
    utt_ids, posteriors = read_posteriors(path, ["x", "y"])
    assert utt_ids == ["u1", "u2"]
    assert posteriors.tolist() == [[0.25, 0.75], [1.0, 0.0]]
