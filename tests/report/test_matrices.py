"""Pages of several corpora: matrices, and what was used of the tested corpus."""

import dataclasses

import pytest

from dsnet.report.matrices import find_matrices, matrix_uses, uses_md
from dsnet.report.provenance import Provenance
from dsnet.report.results_md import results_md
from dsnet.report.summary import summarise
from dsnet.results.runs import Results

GIVEN = {
    "side_information": "3 neutral utterances of the speaker",
    "enrolment": {"source": "neutral", "count": 3},
    "given": [f"{speaker}_neutral_{n}" for speaker in "ABCDEF" for n in range(3)],
}


MATCHED = {"normalised_by_target": "corpus", "transductive": True}


@pytest.fixture
def results(test_set, row):
    """Two systems of x on x and y; one of them on y with its statistics, too."""
    x, y = test_set("x", "ABCDE"), test_set("y", "ABCDEF", together=3)
    across = {"trained_on": "x", "tested_on": "y"}
    rows = [
        ("net, x on x", x, 4, {}),
        ("net, x on y", y, 2, across),
        ("net (matched by corpus), x on y", y, 1, across | MATCHED),
        ("enrolled, x on y", y, 3, across | GIVEN),
    ]
    systems = [
        row(test, name, right, **(info | {"system": name.split(",")[0].split(" (")[0]}))
        for name, test, right, info in rows
    ]
    return Results(x.classes, [x, y], systems)


def test_a_matrix_a_system_and_use_of_the_target(results):
    matrices = find_matrices(results)
    assert [one["title"] for one in matrices] == ["net", "net (transductive: corpus)", "enrolled"]
    assert [one["recipes"] for one in matrices] == [["x", "y"]] * 3
    cells = [(cell["train"], cell["test"], cell["row"]) for cell in matrices[0]["cells"]]
    assert cells == [("x", "x", "net, x on x"), ("x", "y", "net, x on y")]
    # the diagonal stands beside the matched row, too
    assert [cell["row"] for cell in matrices[1]["cells"]][0] == "net, x on x"


def test_a_declared_variant_of_a_task_is_no_system_of_its_own(test_set, row):
    """The page's task of x is a variant, that of y is none: one system, one matrix."""
    x, y = test_set("x"), test_set("y")
    variant = {"task_changes": {"folds.validation": "none"}, "system": "net"}
    rows = [
        row(x, "net, x on x", 4, **variant),
        row(y, "net, x on y", 2, trained_on="x", tested_on="y", **variant),
        row(x, "net, y on x", 2, trained_on="y", tested_on="x", system="net"),
        row(y, "net, y on y", 4, system="net"),
    ]
    (matrix,) = find_matrices(Results(x.classes, [x, y], rows))
    assert matrix["title"] == "net" and len(matrix["cells"]) == 4
    other = dataclasses.replace(rows[1], other_task=True)
    titles = [one["title"] for one in find_matrices(Results(x.classes, [x, y], [other, *rows[2:]]))]
    assert titles == ["net (folds.validation=none)", "net"]


@pytest.fixture
def summary(results, monkeypatch):
    about = {"protocol": {"in_words": "words", "validation": ""}}
    about["references"] = {
        "policy": "first", "count": 1, "seed": 0, "native_label": "N", "fallback_speakers": [],
    }  # fmt: skip
    monkeypatch.setattr("dsnet.report.summary.read_task_json", lambda _: about)
    return summarise(results, 0) | {"title": "two corpora"}


def test_given_utterances_are_not_scored_on_another_corpus_either(summary):
    """And the page does not say that nothing of the tested corpus was used."""
    facts = summary["systems"]["enrolled, x on y"]
    assert facts["headline"]["num_utterances"] == 48 - 18
    said = uses_md(facts)
    assert "Models were given 3 neutral utterances of the speaker." in said
    assert "not scored" in said and "Nothing" not in said


@pytest.mark.parametrize(
    "name, words",
    [
        ("net, x on y", "Nothing of the tested corpus was used before the test"),
        ("net (matched by corpus), x on y", "**Transductive**: before the test the features of"),
    ],
)
def test_uses_of_the_tested_corpus(summary, name, words):
    assert uses_md(summary["systems"][name]).startswith(words)


def test_the_page_has_the_matrices_by_hand(summary):
    provenance = Provenance("bash x", "r", {"torch": "2"}, "2026-11-24", 2)
    text = results_md(summary | {"num_stale": 0}, provenance, [])
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in text.splitlines()]
    # on y: neutral 2 of 4, sad 4 of 4, by both models, of every speaker
    own = "100.0 ± 0.0; pooled 100.0 [100.0, 100.0]"
    assert ["net", "x", own, "75.0 ± 0.0 [75.0, 75.0]"] in rows
    matched = "62.5 ± 0.0 [62.5, 62.5] (transductive)"
    assert ["net (transductive: corpus)", "x", own, matched] in rows
    assert "2 shared classes (neutral, sad); guessing has a UAR of 50.0 %" in text
    assert "None" not in text


def test_a_normalised_row_is_no_equal_of_the_diagonal(summary):
    said = [matrix_uses(one, summary) for one in summary["matrices"]]
    assert ["not to be compared with it as equals" in text for text in said] == [False, True, False]
