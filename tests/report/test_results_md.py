"""RESULTS.md: one screen."""

import pytest

from dsnet.report.figures.plotting import Figure
from dsnet.report.provenance import Provenance
from dsnet.report.results_md import head, results_md
from dsnet.report.summary import summarise

PROVENANCE = Provenance("bash egs/x/run.sh", "abc-dirty", {"torch": "2.11.0"}, "2026-01-02", 4)
FIGURES = [Figure(f"{n}.svg", f"Figure {n}", "", "systems") for n in (1, 2)]


@pytest.fixture
def text(small_task, make_exp, fake_system, score_runs):
    """Return a function that makes the page of many systems, or of some."""

    def make(num_changed=20, num_stale=0):
        changed = {
            f"dsnet@losses.alpha={n}": fake_system("dsnet", 2.0, "base") for n in range(num_changed)
        }
        systems = {"base": fake_system(), "dsnet": fake_system("dsnet", 3.0, "base")}
        make_exp(small_task, systems | changed, seeds=1)
        summary = summarise(score_runs(small_task)[0], 0)
        summary |= {"title": "x, 4class", "probes": {}, "num_stale": num_stale}
        return results_md(summary, PROVENANCE, FIGURES)

    return make


def test_is_one_screen_with_the_answer_first(text):
    page = text()
    blocks = page.split("\n\n")
    assert page.startswith("# Results: x, 4class\n")
    assert blocks[2].startswith("- The utterance alone: UAR ")
    assert len([block for block in blocks if block.startswith("|")]) == 1
    assert page.count("![") == 1 and "(figures/1.svg)" in page
    assert len(page.splitlines()) < 40
    assert "20 more rows are in [index.html](index.html)" in page
    assert "`bash egs/x/run.sh` at revision abc-dirty" in page
    assert "None" not in page and "nan" not in page


def test_what_is_stale_or_missing_is_said(text):
    assert "3 stale runs are left out" in text(0, num_stale=3)
    assert "stale" not in text(0).partition("## ")[0] and "more rows" not in text(0)


def test_begins_as_a_page_of_this_generation(text):
    assert text(0).startswith(head({"title": "x, 4class"}))
