"""Several test sets of one model: each scored by hand, and systems compared speaker by speaker."""

import dataclasses
from types import SimpleNamespace

import pytest

from dsnet.folds.protocols import Fold
from dsnet.report.differences import compare
from dsnet.report.page import _names
from dsnet.report.summary import _score
from dsnet.report.system_tables import partition_table

SETS = {"A": "Tr", "B": "De", "C": "T1", "D": "T1", "E": "T2", "F": "T2"}


@pytest.fixture
def predefined(test_set):
    """A trains, B validates, C D E F are tested, F by nobody known; 4 + 4 utterances each."""
    test = test_set("x", "ABCDEF")
    utts = list(test.task.utt2emo)
    task = SimpleNamespace(
        **vars(test.task)
        | {
            "utt2partition": {utt: SETS[utt[0]] for utt in utts},
            "unknown_speakers": frozenset("F"),
        }
    )
    fold = Fold([u for u in utts if u[0] == "A"], [], [u for u in utts if u[0] in "CDEF"])
    return dataclasses.replace(test, task=task, folds={"predefined": fold}, whole=False)


def test_only_what_is_tested_is_scored(predefined):
    assert predefined.speakers == list("CDEF") and len(predefined.utterances) == 32
    assert {name: len(utts) for name, utts in predefined.partitions.items()} == {"T1": 16, "T2": 16}
    whole = dataclasses.replace(predefined, whole=True)  # by models of another corpus
    assert len(whole.utterances) == 48 and whole.partitions == {}


def test_each_test_set_by_hand(predefined, row):
    one = row(predefined, "a", {"C": 4, "D": 2, "E": 1, "F": 0})
    scores = _score(one, set(), 0)
    # sad utterances are all right; neutral ones 6 of 8 in T1, 1 of 8 in T2, 7 of 16 in both
    t1, t2 = scores["by_partition"]["T1"], scores["by_partition"]["T2"]
    assert t1["uar"]["estimate"] == pytest.approx((6 / 8 + 1) / 2)
    assert t2["uar"]["estimate"] == pytest.approx((1 / 8 + 1) / 2)
    assert scores["uar"]["estimate"] == pytest.approx((7 / 16 + 1) / 2)
    assert t1["num_utterances"] == t2["num_utterances"] == 16
    # T1: neutral has precision 1, recall 6/8; of 10 called sad 8 are
    assert t1["macro_f1"]["estimate"] == pytest.approx((2 * 6 / 14 + 2 * 8 / 18) / 2)
    assert list(scores["by_speaker"]) == ["C", "D", "E"]  # F is nobody known


def test_a_set_that_was_given_a_class_says_so(predefined, row):
    given = {f"{s}_neutral_{n}" for s in "EF" for n in range(4)}
    scores = _score(row(predefined, "a", 2), given, 0)
    assert scores["by_partition"]["T2"]["absent_classes"] == ["neutral"]
    assert scores["by_partition"]["T1"]["absent_classes"] == []


def test_one_model_is_compared_speaker_by_speaker(predefined, row):
    rows = [row(predefined, "c", 2), row(predefined, "a", 3, control="c")]
    (pair,) = compare(rows, seed=0)["pairs"]
    assert (pair["unit"], pair["num_units"]) == ("speaker", 4)
    assert pair["p_value"] == pytest.approx(2 / 16)
    assert list(pair["by_speaker"]) == ["C", "D", "E"]


def test_the_table_has_two_columns_a_test_set():
    score = {"uar": {"estimate": 0.5, "low": 0.4, "high": 0.6}, "macro_f1": {"estimate": 0.25}}
    scores = {"uar": score["uar"], "by_partition": {"T1": {**score, "absent_classes": []}}}
    facts = {
        "headline": scores, "transductive": False, "across": False, "trained_on": "x",
        "tested_on": "x", "side_information": "none", "enrolment": {"source": "none"},
    }  # fmt: skip
    summary = {"test_sets": {"x": {"partitions": {"T1": 8}}}, "systems": {"a": facts}}
    header, rows = partition_table(summary)
    assert header == ["system", "T1: UAR [95 %]", "T1: macro F1"]
    assert rows == [["a", "50.0 [40.0, 60.0]", "25.0"]]
    summary["test_sets"]["x"]["partitions"] = {}
    assert partition_table(summary) is None


def test_many_speakers_are_counted_in_a_cell():
    assert _names(["a", "b"]) == "a, b" and _names([]) == "–"
    assert _names([str(n) for n in range(31)]) == "31 speakers"
