"""The answer of a page by hand: what is best of its kind, and what is added."""

import pytest

from dsnet.report.answer import (
    answer_lines,
    best_rows,
    is_shown,
    main_systems,
    short_answer,
    subject_pairs,
    verdict,
)
from dsnet.report.summary import summarise
from dsnet.results.runs import Results

NEUTRAL = {
    "side_information": "3 neutral utterances of the speaker",
    "enrolment": {"source": "neutral", "count": 3},
}
ANY = {
    "side_information": "10 unlabelled utterances of the speaker",
    "enrolment": {"source": "any", "count": 10},
}
ALL = {
    "side_information": "all unlabelled audio of the speaker",
    "enrolment": {"source": "all", "count": 0},
    "transductive": True,
}


@pytest.fixture
def summarise_rows(test_set, row, monkeypatch):
    """Return a function from rows, as (name, right of 4 neutral ones, what differs), to numbers."""
    about = {"protocol": {"in_words": "", "validation": ""}}
    about["references"] = {
        "policy": "first", "count": 1, "seed": 0, "native_label": "N", "fallback_speakers": [],
    }  # fmt: skip
    monkeypatch.setattr("dsnet.report.summary.read_task_json", lambda _: about)

    def make(*rows):
        test = test_set("x", "ABCDEF")
        made = [row(test, name, right, **info) for name, right, info in rows]
        return summarise(Results(test.classes, [test], made), 0) | {"probes": {}}

    return make


def test_the_best_of_what_is_given_the_same(summarise_rows):
    summary = summarise_rows(
        ("poor", 1, {}),
        ("good", 2, {}),
        ("any", 3, ANY),
        ("neutral", 3, NEUTRAL),
        ("neutral_2", 2, NEUTRAL),
        ("cheats", 4, ALL),
        ("tuned@a=1", 4, {"changes": {"a": "1"}}),
        ("good+poor", 4, {"members": [{"system": "good"}]}),
    )
    found = [(best.given, best.row, best.num_rows) for best in best_rows(summary)]
    assert found == [
        ("The utterance alone", "good", 2),
        ("With 3 neutral utterances of the speaker", "neutral", 2),
        ("With 10 unlabelled utterances of the speaker", "any", 1),
    ]
    # 2 of 4 neutral and 4 of 4 sad ones: (0.5 + 1) / 2
    assert answer_lines(summary)[0] == (
        "The utterance alone: UAR 75.0 [75.0, 75.0] (good, the highest of 2)"
    )
    assert short_answer(summary).startswith(
        "UAR in percent: the utterance alone 75.0 [75.0, 75.0] (good, the highest of 2, 6 of 6 fold"
    )


def test_an_ensemble_answers_where_nothing_else_does(summarise_rows):
    summary = summarise_rows(("a+b", 4, {"members": [{"system": "a"}]}))
    assert [best.row for best in best_rows(summary)] == ["a+b"]


def test_what_is_not_complete_answers_only_where_nothing_else_does(summarise_rows):
    summary = summarise_rows(("whole", 1, {}), ("half", 4, {}))
    summary["systems"]["half"]["missing"] = [{"seed": 1, "fold": "F"}]
    assert [best.row for best in best_rows(summary)] == ["whole"]
    summary["systems"]["whole"]["missing"] = [{"seed": 1, "fold": "F"}]
    assert [best.row for best in best_rows(summary)] == ["half"]


def test_without_a_system_as_its_config_says_there_is_no_answer(summarise_rows):
    summary = summarise_rows(("a@b=1", 4, {"changes": {"b": "1"}}))
    assert best_rows(summary) == []
    assert answer_lines(summary) == ["No system has been scored as its config says it"]


def test_what_is_added_is_said_with_what_it_shows(summarise_rows):
    summary = summarise_rows(("c", 2, {}), ("dsnet", 4, {"kind": "dsnet", "control": "c"}))
    # six folds all better: 2 of 64 sign patterns
    assert answer_lines(summary)[-1] == (
        "dsnet minus its control c: +25.0 [+25.0, +25.0] (p 0.031: better by more than chance; its "
        "parts were not probed)"
    )


def test_a_constant_part_is_said_beside_what_is_added(summarise_rows):
    summary = summarise_rows(("c", 2, {}), ("plus", 4, {"kind": "dsnet_plus", "control": "c"}))
    varies = {"s": {"num_constant": 5}, "e": {"num_constant": 0}}
    summary["probes"] = {"plus": {"num_networks": 6, "variation": varies}}
    words = "s is the same for every utterance in 5 of 6 networks)"
    assert answer_lines(summary)[-1].endswith(f"chance; {words}")
    assert short_answer(summary).endswith(words)
    varies["s"]["num_constant"] = 0
    assert answer_lines(summary)[-1].endswith("better by more than chance)")


def test_the_papers_system_is_said_before_ours(summarise_rows):
    ours, paper = ({"kind": kind, "control": "c"} for kind in ("dsnet_plus", "dsnet"))
    rows = [("c", 2, {}), ("a_plus", 4, ours), ("b", 4, paper), ("a_neutral", 4, paper | NEUTRAL)]
    pairs = subject_pairs(summarise_rows(*rows))
    assert [pair["system"] for pair in pairs] == ["b", "a_plus", "a_neutral"]


@pytest.mark.parametrize(
    "p, adjusted, smallest, words",
    [
        (0.02, 0.04, 0.01, "p 0.020, 0.040 corrected for 2 comparisons: worse by more than chan"),
        (0.03, 0.06, 0.01, "p 0.030, 0.060 corrected for 2 comparisons: not shown by these 6 fo"),
        (0.5, 1.0, 0.06, "p 0.500, 1.000 corrected for 2 comparisons: 2 comparisons over 6 folds"),
        (None, None, None, "too few folds for a test"),
    ],
)
def test_verdicts(p, adjusted, smallest, words):
    pair = {"p_value": p, "adjusted_p": adjusted, "num_units": 6, "unit": "fold"}
    pair |= {"estimate": -0.1, "by_seed": {"1": -0.1}}
    found = {"family_size": 2, "smallest_adjusted_p": smallest}
    assert verdict(pair, found).startswith(words)


def test_a_verdict_of_speakers_is_about_these_networks():
    pair = {"p_value": 0.01, "adjusted_p": 0.01, "num_units": 24, "unit": "speaker"}
    pair |= {"estimate": 0.1, "by_seed": {"1": 0.1}}
    found = {"family_size": 1, "smallest_adjusted_p": 0.001}
    words = "p 0.010: better, and would be to other speakers, with these networks"
    assert verdict(pair, found) == f"{words} (one seed)" and not is_shown(pair)
    pair["by_seed"] = {"1": 0.1, "2": 0.1, "3": 0.1}
    assert verdict(pair, found) == f"{words} (3 seeds)" and is_shown(pair)
    pair["by_seed"]["2"] = -0.006
    said = f"{words} (but seeds disagree: +10.0, -0.6, +10.0)"
    assert verdict(pair, found) == said and not is_shown(pair)
    for direction in (-1, 1):  # a seed of which both are alike is on neither side
        pair["by_seed"] = {"1": 0.1 * direction, "2": 0.0, "3": 0.1 * direction}
        assert "but seeds disagree" in verdict(pair, found) and not is_shown(pair)
    pair["by_seed"] = {}
    assert verdict(pair, found) == f"{words} (not compared seed by seed)" and not is_shown(pair)


def test_without_a_speaker_in_common_nothing_is_shown():
    """As of three seeds whose folds are different ones, so far."""
    pair = {"p_value": None, "adjusted_p": None, "num_units": 0, "unit": "fold", "estimate": None}
    pair["by_seed"] = {"1": None, "2": None, "3": None}
    found = {"family_size": 0, "smallest_adjusted_p": None}
    assert verdict(pair, found) == "too few folds for a test" and not is_shown(pair)


def test_main_systems_are_all_of_few_and_what_the_answer_speaks_of_of_many(summarise_rows):
    few = [("svm", 1, {}), ("dsnet", 2, {"kind": "dsnet", "control": "c"}), ("c", 1, {})]
    assert main_systems(summarise_rows(*few)) == ["c", "dsnet", "svm"]
    many = [
        *few,
        ("best", 4, {}),
        ("dsnet@losses.alpha=1", 4, {"kind": "dsnet", "changes": {"losses.alpha": "1"}}),
        ("dsnet+svm", 4, {"kind": "ensemble", "members": [{"system": "dsnet"}]}),
        ("neutral", 1, NEUTRAL),
        ("poor", 0, {}),
    ]
    assert main_systems(summarise_rows(*many)) == ["c", "dsnet", "svm", "best", "poor", "neutral"]
