"""The numbers of the report against cases computed by hand."""

import dataclasses
import json

import numpy as np
import pytest

from dsnet.report.summary import summarise
from dsnet.report.system_tables import difference_rows, short_rows
from dsnet.results.runs import Run

TRAINING = {
    "num_parameters": 10, "seconds_per_epoch": 1.0, "selection": "last", "selected_epoch": 1,
    "epochs": 3, "versions": {}, "git_revision": "r",
}  # fmt: skip


@pytest.fixture
def results(tiny_task, make_exp, fake_system, score_runs):
    """Speakers A B C with one `sad` and one `neutral` each; C has no `sad`.

    Seed 1 of base mistakes A's sad utterance, seed 2 nothing; dsnet has folds A and B only.
    """
    systems = {"base": fake_system(), "dsnet": fake_system("dsnet", control="base")}
    make_exp(tiny_task, systems)
    results, _ = score_runs(tiny_task)
    base, dsnet = results.systems

    def with_errors(run: Run, wrong: set[str]) -> Run:
        predictions = np.where([u in wrong for u in run.utt_ids], 0, run.labels)
        return dataclasses.replace(run, predictions=predictions)

    runs = [with_errors(run, {"A_sad_0"} if run.seed == 1 else set()) for run in base.runs]
    base = dataclasses.replace(base, runs=runs)
    better = [with_errors(run, set()) for run in dsnet.runs if (run.seed, run.fold) < (1, "C")]
    dsnet = dataclasses.replace(dsnet, runs=better, missing=[(1, "C")])
    return dataclasses.replace(results, systems=[base, dsnet])


def test_numbers_by_hand(results):
    scores = summarise(results, 0)["systems"]["base"]["headline"]
    # seed 1: recall of neutral 3/3, of sad 1/2; five utterances, four right
    assert scores["uar_by_seed"] == {"1": 0.75, "2": 1.0}
    assert scores["uar"]["estimate"] == pytest.approx(0.875)
    assert scores["uar"]["low"] is None  # of three speakers
    assert scores["uar_seed_sd"] == pytest.approx(0.125 * 2**0.5)
    assert scores["war"]["estimate"] == pytest.approx((4 / 5 + 1) / 2)
    assert scores["class_recalls"] == {"neutral": 1.0, "sad": 0.75}
    assert scores["class_counts"] == {"neutral": 3, "sad": 2}
    assert scores["confusion"] == [[6, 0], [1, 3]]
    # fold A: (0.5 + 1) / 2; C has one class only, and it counts fully
    assert scores["uar_by_fold"] == {"A": 0.75, "B": 1.0, "C": 1.0}
    assert scores["uar_fold_mean"] == pytest.approx(11 / 12)
    assert scores["uar_fold_sd"] == pytest.approx(np.std([0.75, 1, 1], ddof=1))
    assert scores["by_speaker"]["A"] == {"uar": 0.75, "num_utterances": 2}


def test_references_leave_the_second_scoring(results):
    summary = summarise(results, 0)
    assert summary["systems"]["base"]["headline"]["num_utterances"] == 5
    scores = summary["systems"]["base"]["without_references"]
    assert scores["num_utterances"] == 2  # every neutral utterance is a reference here
    assert scores["absent_classes"] == ["neutral"]
    assert summary["test_sets"]["x"]["absent_without_references"] == ["neutral"]
    assert scores["class_recalls"] == {"neutral": None, "sad": 0.75}
    assert scores["uar"]["estimate"] == 0.75
    assert "C" not in scores["uar_by_fold"]


def test_missing_runs_are_counted_and_differences_use_shared_speakers(results):
    summary = summarise(results, 0)
    assert summary["systems"]["dsnet"]["missing"] == [{"seed": 1, "fold": "C"}]
    assert summary["systems"]["dsnet"]["num_runs"] == 2
    assert summary["systems"]["dsnet"]["num_folds"] == 3
    (difference,) = summary["differences"]["pairs"]
    assert (difference["system"], difference["control"]) == ("dsnet", "base")
    assert difference["num_units"] == 2
    # on A and B alone, seed 1, which both have: 1 against 3/4
    assert difference["estimate"] == pytest.approx(0.25)


def test_is_strict_json(results):
    json.dumps(summarise(results, 0), allow_nan=False)


def test_no_figure_of_a_row_depends_on_other_rows(test_set, row):
    """On pages of one and of three rows; the third was given most neutral utterances."""
    test = test_set("emodb", "ABCDE")
    given = [f"{s}_neutral_{n}" for s in "ABCDE" for n in range(3)]
    rows = [
        row(test, "a", 3),
        row(test, "b", 2, given=["A_neutral_0"], side_information="1 neutral utterance"),
        row(test, "c", 4, given=given, side_information="3 neutral utterances"),
    ]
    whole = summarise_rows(test, rows)
    for one in rows:
        alone = summarise_rows(test, [one])
        assert alone["systems"][one.name] == whole["systems"][one.name]
    counts = [whole["systems"][name]["headline"]["num_utterances"] for name in "abc"]
    assert counts == [40, 39, 25]


def summarise_rows(test, rows):
    from dsnet.report import summary
    from dsnet.results.runs import Results

    about = {"protocol": {"in_words": "", "validation": ""}, "references": {}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(summary, "read_task_json", lambda _: about)
        return summarise(Results(test.classes, [test], rows), 0)


def test_what_a_system_lacks_is_none(test_set, row):
    test = test_set("x")
    summary = summarise_rows(test, [row(test, "a", 3)])
    facts = summary["systems"]["a"]
    assert facts["seconds_per_epoch"] is facts["selection"] is facts["peak_memory_bytes"] is None
    assert facts["num_parameters"] == facts["machines"] == facts["epochs"] == []
    assert summary["calibration"] == {}


@pytest.mark.parametrize(
    "info, transductive",
    [
        ({"transductive": True}, True),
        ({"side_information": "1 neutral utterance of the speaker"}, False),
    ],
)
def test_transductive_systems_are_marked(test_set, row, info, transductive):
    test = test_set("x")
    summary = summarise_rows(test, [row(test, "a", 3, **info)])
    assert summary["systems"]["a"]["transductive"] is transductive


def test_across_corpora_the_mean_is_over_models(test_set, row):
    """Both models of x are tested on all of y: 3 of 4 neutral utterances of each speaker right."""
    test = test_set("y", "ABCDEF", together=3)
    across = row(test, "a", {s: 2 if s in "ABC" else 4 for s in "ABCDEF"}, trained_on="x")
    scores = summarise_rows(test, [across])["systems"]["a"]["headline"]
    assert scores["num_utterances"] == 48
    assert scores["uar"]["estimate"] == pytest.approx((18 / 24 + 1) / 2)
    assert scores["uar_model_mean"] == pytest.approx(scores["uar"]["estimate"])
    assert scores["uar_model_sd"] == 0
    assert [len(scores["by_speaker"]), len(scores["uar_by_model"])] == [6, 2]
    assert scores["uar"]["low"] < scores["uar"]["estimate"] < scores["uar"]["high"]


def test_a_class_that_was_all_given_is_named_wherever_its_uar_stands(test_set, row):
    """Both neutral and sad are scored of the control; of the enrolled system, sad alone."""
    test = test_set("x")
    given = [f"{s}_neutral_{n}" for s in "ABCD" for n in range(4)]
    info = {"side_information": "4 neutral utterances", "given": given, "control": "c"}
    summary = summarise_rows(test, [row(test, "a", 1, **info), row(test, "c", 2)])
    table = {cells[0]: cells for cells in short_rows(summary)}
    assert table["a"][2] == "100.0 [–] (no neutral)" and table["c"][2].endswith("]")
    (pair,) = difference_rows(summary, "primary")
    assert pair[2] == "16 of 32 (no neutral)"
