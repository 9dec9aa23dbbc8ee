"""The numbers of the report against a case computed by hand."""

import dataclasses
import json

import numpy as np
import pytest

from dsnet.report.summary import main_systems, summarise
from dsnet.results.runs import Results, Run, SystemResults

TRAIN = {
    "kind": "base", "num_parameters": 10, "seconds_per_epoch": 1.0, "selection": "last",
    "selected_epoch": 1, "epochs": 3, "side_information": "none", "config_digest": "d",
    "versions": {}, "git_revision": "r",
}  # fmt: skip


def run(task, seed, fold, wrong, label_as):
    """Return a run that takes the utterances in `wrong` for `label_as`."""
    utts = task.fold(fold).test
    labels = np.array([task.classes.index(task.utt2emo[u]) for u in utts])
    predictions = np.where([u in wrong for u in utts], label_as, labels)
    return Run(seed, fold, TRAIN, utts, labels, predictions)


@pytest.fixture
def results(tiny_task):
    """Speakers A B C with one `sad` and one `neutral` each; C has no `sad`."""
    folds = {name: tiny_task.fold(name) for name in tiny_task.fold_names}
    # seed 1 mistakes A's sad, seed 2 nothing
    runs = [run(tiny_task, 1, fold, {"A_sad_0"}, 0) for fold in folds]
    runs += [run(tiny_task, 2, fold, set(), 0) for fold in folds]
    better = [run(tiny_task, 1, fold, set(), 0) for fold in folds]
    systems = [
        SystemResults("base_matched", runs, []),
        SystemResults("dsnet", better[:2], [(1, "C")]),
    ]
    return Results(tiny_task, folds, systems)


def test_numbers_by_hand(results):
    scores = summarise(results, 0)["all"]["systems"]["base_matched"]
    # seed 1: recall of neutral 3/3, of sad 1/2; five utterances, four right
    assert scores["uar_by_seed"] == {"1": 0.75, "2": 1.0}
    assert scores["uar"]["estimate"] == pytest.approx(0.875)
    assert scores["uar_seed_sd"] == pytest.approx(0.125 * 2**0.5)
    assert scores["war"]["estimate"] == pytest.approx((4 / 5 + 1) / 2)
    assert scores["class_recalls"] == {"neutral": 1.0, "sad": 0.75}
    assert scores["confusion"] == [[6, 0], [1, 3]]
    # fold A: (0.5 + 1) / 2; C has one class only, and it counts fully
    assert scores["uar_by_fold"] == {"A": 0.75, "B": 1.0, "C": 1.0}
    assert scores["uar_fold_mean"] == pytest.approx(11 / 12)
    assert scores["uar_fold_sd"] == pytest.approx(np.std([0.75, 1, 1], ddof=1))
    assert scores["by_speaker"]["A"] == {
        "uar": 0.75, "uar_by_seed": [0.5, 1.0], "num_utterances": 2,
    }  # fmt: skip


def test_references_leave_the_second_scoring(results):
    summary = summarise(results, 0)
    without = summary["without_references"]
    assert summary["all"]["num_utterances"] == 5
    assert without["num_utterances"] == 2  # every neutral utterance is a reference here
    assert without["absent_classes"] == ["neutral"]
    scores = without["systems"]["base_matched"]
    assert scores["class_recalls"] == {"neutral": None, "sad": 0.75}
    assert scores["uar"]["estimate"] == 0.75
    assert "C" not in scores["uar_by_fold"]


def test_missing_runs_are_counted_and_differences_use_shared_speakers(results):
    summary = summarise(results, 0)
    assert summary["systems"]["dsnet"]["missing"] == [{"seed": 1, "fold": "C"}]
    assert summary["systems"]["dsnet"]["num_runs"] == 2
    (difference,) = summary["differences"]
    assert (difference["system"], difference["control"]) == ("dsnet", "base_matched")
    assert difference["num_units"] == 2
    # on A and B alone: 1 against the mean of 3/4 and 1
    assert difference["estimate"] == pytest.approx(0.125)


def test_checksum_changes_with_a_label(results):
    before = summarise(results, 0)["utterances"]
    results.task.utt2emo["A_sad_0"] = "neutral"
    after = summarise(dataclasses.replace(results), 0)["utterances"]
    assert before["count"] == after["count"] == 5
    assert before["digest"] != after["digest"]


def test_is_strict_json_and_does_not_depend_on_other_systems(results):
    summary = summarise(results, 0)
    json.dumps(summary, allow_nan=False)
    alone = summarise(Results(results.task, results.folds, results.systems[1:]), 0)
    assert alone["all"]["systems"]["dsnet"] == summary["all"]["systems"]["dsnet"]
    assert alone["differences"] == []


def test_what_a_system_lacks_is_none(results):
    lean = {key: TRAIN[key] for key in ("kind", "config_digest", "versions", "git_revision")}
    runs = [dataclasses.replace(run, train=lean) for run in results.systems[0].runs]
    summary = summarise(Results(results.task, results.folds, [SystemResults("x", runs, [])]), 0)
    facts = summary["systems"]["x"]
    assert facts["seconds_per_epoch"] is facts["selection"] is facts["peak_memory_bytes"] is None
    assert facts["num_parameters"] == facts["machines"] == facts["epochs"] == []
    assert summary["calibration"] == {}


def test_clips_given_to_one_system_are_left_out_for_all(results):
    """A's sad utterance, which base_matched mistakes, is given to dsnet."""
    train = TRAIN | {"side_information": "1 clip", "given_utterances": ["A_sad_0"]}
    (control, dsnet) = results.systems
    runs = [dataclasses.replace(run, train=train) for run in dsnet.runs]
    task = dataclasses.replace(results.task, reference_utterances={"B_neutral_0"})
    systems = [control, SystemResults("dsnet", runs, dsnet.missing)]
    summary = summarise(Results(task, results.folds, systems), 0)
    assert summary["without_references"]["num_utterances"] == 3
    for scores in summary["without_references"]["systems"].values():
        assert scores["uar"]["estimate"] == 1
    assert summary["systems"]["dsnet"]["headline"] == "without_references"
    assert summary["systems"]["base_matched"]["headline"] == "all"
    (difference,) = summary["differences"]
    assert difference["scoring"] == "without_references" and difference["estimate"] == 0


@pytest.mark.parametrize(
    "kind, side, transductive",
    [
        ("svm_transductive", "none", True),
        ("ensemble", "1 clip; unlabelled audio of the test speakers in training", True),
        ("dsc", "1 neutral clip of the speaker at inference", False),
    ],
)
def test_transductive_systems_are_marked(results, kind, side, transductive):
    train = TRAIN | {"kind": kind, "side_information": side}
    runs = [dataclasses.replace(run, train=train) for run in results.systems[0].runs]
    summary = summarise(Results(results.task, results.folds, [SystemResults("x", runs, [])]), 0)
    assert summary["systems"]["x"]["transductive"] is transductive


def test_main_systems_are_all_of_few_and_the_controls_and_dsnets_of_many():
    few = ["svm", "dsnet", "base_matched"]
    assert main_systems(few) == ["base_matched", "svm", "dsnet"]
    many = [*few, "dat", "dsnet@losses.alpha=1", "dsnet+svm", "dsnet_plus", "base_matched_small"]
    assert main_systems(many) == ["base_matched", "base_matched_small", "dsnet", "dsnet_plus"]
    others = [f"svm_{number}" for number in range(8)]
    assert main_systems(others) == others[:6]
