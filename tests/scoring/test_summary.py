"""The numbers of the report against a case computed by hand."""

import json

import numpy as np
import pytest

from dsnet.scoring.results import Results, Run, SystemResults
from dsnet.scoring.summary import summarise

TRAIN = {
    "kind": "base", "num_parameters": 10, "seconds_per_epoch": 1.0, "selection": "last",
    "selected_epoch": 1, "config_digest": "d", "versions": {}, "git_revision": "r",
}  # fmt: skip


def run(task, seed, fold, wrong, label_as):
    """Return a run that takes the utterances in `wrong` for `label_as`."""
    utts = task.fold(fold).test
    labels = np.array([task.classes.index(task.utt2emo[u]) for u in utts])
    predictions = np.where([u in wrong for u in utts], label_as, labels)
    return Run(seed, fold, None, TRAIN, [{}], utts, labels, predictions)


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
    (difference,) = summary["all"]["differences"]
    assert (difference["system"], difference["control"]) == ("dsnet", "base_matched")
    assert difference["num_speakers"] == 2
    # on A and B alone: 1 against the mean of 3/4 and 1
    assert difference["estimate"] == pytest.approx(0.125)


def test_checksum_changes_with_a_label(results):
    before = summarise(results, 0)["utterances"]
    results.task.utt2emo["A_sad_0"] = "neutral"
    after = summarise(results, 0)["utterances"]
    assert before["count"] == after["count"] == 5
    assert before["digest"] != after["digest"]


def test_is_strict_json_and_does_not_depend_on_other_systems(results):
    summary = summarise(results, 0)
    json.dumps(summary, allow_nan=False)
    alone = summarise(Results(results.task, results.folds, results.systems[1:]), 0)
    assert alone["all"]["systems"]["dsnet"] == summary["all"]["systems"]["dsnet"]
    assert alone["all"]["differences"] == []
