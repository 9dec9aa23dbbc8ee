"""What RESULTS.md says, and when it says more."""

import json
import re
import shutil

import numpy as np
import pytest

from dsnet.report.figures.plotting import Figure
from dsnet.report.page import results_md
from dsnet.report.provenance import Provenance
from dsnet.report.sections import probes_md, stale_md, tried_md
from dsnet.report.summary import summarise
from dsnet.report.system_tables import SYSTEMS_HEADER, short_rows, system_rows
from dsnet.results.staleness import Stale

PROVENANCE = Provenance("bash egs/x/run.sh", "abc-dirty", {"torch": "2.11.0"}, "2026-01-02", 4)
FIGURES = [Figure("by_speaker.svg", "UAR by speaker", "Each column is a speaker.", "speakers")]


def report(summary, sections=()):
    return results_md(summary | {"title": "x, 4class"}, PROVENANCE, FIGURES, list(sections))


def cells(text, first, second, row):
    """Return the cells of a table's row by its header, whose first two cells are given."""
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    split = [[[c.strip() for c in line.strip("|").split("|")] for line in t] for t in tables]
    table = next(lines for lines in split if lines[0][:2] == [first, second])
    return next(dict(zip(table[0], line, strict=True)) for line in table if line[0] == row)


@pytest.fixture
def exp_dir(small_task, make_exp, fake_system):
    given = {
        "side_information": "3 neutral utterances of the speaker",
        "enrolment": {"source": "neutral", "count": 3},
        "given": ["A_neutral_0", "A_neutral_1"],
    }
    lean = dict.fromkeys(("selected_epoch", "epochs", "seconds", "seconds_per_epoch", "machine"))
    svm = lean | {"num_parameters": None, "selection": "cross-validation over training speakers"}
    systems = {
        "base_matched": fake_system(skill=1.0),
        "dsnet": fake_system(
            "dsnet", 3.0, "base_matched", num_parameters=432_100, last_epoch=False
        ),
        "enrolled": fake_system("dsnet", 3.0, "base_matched", info=given),
        "dsnet@losses.similarity=3": fake_system("dsnet", 3.0, "base_matched"),
        "compare_svm": fake_system("svm", training=svm),
    }
    return make_exp(small_task, systems)


@pytest.fixture
def summary(small_task, exp_dir, score_runs):
    return summarise(score_runs(small_task)[0], 0)


def test_every_table_is_there_and_even(summary):
    text = report(summary)
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 7
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
    assert "None" not in text and "nan" not in text
    row = cells(text, "system", "ECE", "dsnet")
    assert re.fullmatch(r"\d\.\d\d to \d\.\d\d", row["temperature"])


def test_says_protocol_selection_and_origin(summary):
    text = report(summary)
    assert text.startswith("# Results: x, 4class\n")
    assert "the next speaker in sorted order validates" in text
    assert "guessing has a UAR of 25.0 %" in text
    assert "speakers for test, validation and training: 1, 1, 2" in text
    assert re.search(r"best validation UAR \(.* of 5\) is tested for dsnet\.", text)
    assert "(5) is tested for base_matched, dsnet@losses.similarity=3, enrolled." in text
    assert "C is chosen by cross-validation over the training speakers for compare_svm." in text
    assert "`bash egs/x/run.sh`" in text and "abc-dirty" in text and "torch 2.11.0" in text
    assert "![UAR by speaker](figures/by_speaker.svg)" in text
    assert "Not complete" not in text
    assert "Trained on: CPU of 2 cores." in text


def test_rows_show_what_was_computed(small_task, exp_dir, score_runs):
    results, _ = score_runs(small_task)
    summary = summarise(results, 0)
    row = next(row for row in system_rows(summary) if row[0] == "dsnet")
    row = dict(zip(SYSTEMS_HEADER, row, strict=True))
    assert row["parameters"] == "432 k"
    assert row["seeds × folds"] == "2 × 4"
    dsnet = next(system for system in results.systems if system.name == "dsnet")
    recalls = [
        np.mean([(run.predictions == k)[run.labels == k].sum() for run in runs_of_seed])
        / np.mean([(run.labels == k).sum() for run in runs_of_seed])
        for seed in (1, 2)
        for runs_of_seed in [[r for r in dsnet.runs if r.seed == seed]]
        for k in range(4)
    ]
    assert row["UAR [95 %]"].startswith(f"**{100 * np.mean(recalls):.1f} [")
    by_speaker = summary["systems"]["dsnet"]["headline"]["by_speaker"]
    worst = min(by_speaker, key=lambda speaker: by_speaker[speaker]["uar"])
    assert row["worst speaker"] == f"{100 * by_speaker[worst]['uar']:.1f} ({worst})"


def test_what_a_system_was_given_is_shown_and_not_scored(small_task, summary):
    total = len(small_task.utt2emo)
    row = cells(report(summary), "system", "given beside the utterance", "enrolled")
    assert row["given beside the utterance"] == "3 neutral utterances of the speaker"
    assert row["scored on"] == f"{total - 2} of {total}"
    other = cells(report(summary), "system", "given beside the utterance", "dsnet")
    assert other["scored on"] == f"{total} of {total}"
    assert f"every system: 12 of {total} of x" in report(summary)
    pair = cells(report(summary), "system", "control", "enrolled")
    assert pair["scored on"] == f"{total - 2} of {total}"


def test_differences_have_both_p_values(summary):
    text = report(summary)
    row = cells(text, "system", "control", "dsnet")
    pairs = {pair["system"]: pair for pair in summary["differences"]["pairs"]}
    pair = pairs["dsnet"]
    assert row["control"] == "base_matched" and row["exchanged"] == "4 folds"
    assert row["p (uncorrected)"] == f"{pair['p_value']:.3f}"
    assert row["p (Holm)"] == f"{pair['adjusted_p']:.3f}"
    # four folds: 2 of 16 sign patterns at least, so nothing can be significant
    assert pair["p_value"] >= pair["smallest_p"] == 2 / 16
    assert pair["p_value"] <= pair["adjusted_p"] <= 1
    assert "**Significance is impossible here**: 2 comparisons" in text
    assert "Exploratory" in text and pairs["dsnet@losses.similarity=3"]["p_value"] is None
    short = next(row for row in short_rows(summary) if row[0] == "dsnet")
    assert short[-1] == row["p (Holm)"]


def test_with_enough_folds_nothing_is_impossible(summary):
    summary["differences"] |= {"smallest_p": 2 / 1024, "smallest_adjusted_p": 4 / 1024}
    assert "impossible" not in report(summary)


def test_what_a_system_lacks_is_a_dash(summary):
    assert cells(report(summary), "system", "kind", "compare_svm") == {
        "system": "compare_svm", "kind": "svm", "features": "fbank",
        "parameters in training": "–", "s/epoch": "–", "min/run": "–", "peak memory": "1.0 GiB",
    }  # fmt: skip


def test_missing_runs_are_shown(small_task, exp_dir, score_runs):
    for fold in "BCD":
        shutil.rmtree(exp_dir / "compare_svm" / "seed_1" / f"fold_{fold}")
    shutil.rmtree(exp_dir / "compare_svm" / "seed_2")
    shutil.rmtree(exp_dir / "dsnet" / "seed_2" / "fold_C")
    shutil.rmtree(exp_dir / "base_matched" / "seed_2")
    summary = summarise(score_runs(small_task)[0], 0)
    text = report(summary)
    assert "- dsnet, seed 2: 3 of 4 folds; not there: C" in text
    header = ("system", "given beside the utterance")
    assert cells(text, *header, "base_matched")["seeds × folds"] == "1 × 4"
    assert cells(text, *header, "dsnet")["seeds × folds"] == "7 of 8 runs"
    assert cells(text, *header, "compare_svm")["seeds × folds"] == "1 of 4 folds"
    short = {row[0]: row for row in short_rows(summary)}
    assert short["compare_svm"][2] == "1 of 4 folds"
    assert "[–]" in cells(text, *header, "compare_svm")["UAR [95 %]"]
    assert "needs five tested speakers" in text


def test_recalls_say_of_how_many(summary):
    row = cells(report(summary), "system", "UAR mean ± sd", "dsnet")
    count = summary["systems"]["dsnet"]["headline"]["class_counts"]["angry"]
    assert row["angry"].endswith(f"(n = {count})")


def test_a_class_of_references_alone_is_named(small_task, exp_dir, score_runs):
    neutral = [utt for utt, emotion in small_task.utt2emo.items() if emotion == "neutral"]
    lines = [f"{s} {' '.join(u for u in neutral if u[0] == s)}\n" for s in "ABCD"]
    (small_task.task_dir / "spk2neutral").write_text("".join(lines))
    task = type(small_task).load(small_task.task_dir)
    for path in exp_dir.glob("*/*/*/run.json"):
        about = json.loads(path.read_text())
        about["digests"]["task"] = task.digest
        path.write_text(json.dumps(about))
    text = report(summarise(score_runs(task)[0], 0))
    assert "**No neutral of x remains**" in text


def test_speakers_without_neutral_utterance_are_named(summary):
    references = summary["test_sets"]["x"]["references"]
    assert "no neutral utterance" not in report(summary)
    references["fallback_speakers"] = ["A"]
    assert "1 speakers of x have no neutral utterance" in report(summary)


def test_without_a_control_there_is_no_difference(small_task, exp_dir, score_runs):
    shutil.rmtree(exp_dir / "base_matched")
    assert "## Difference" not in report(summarise(score_runs(small_task)[0], 0))


def test_a_paired_validation_speaker_is_pointed_out(summary):
    summary["test_sets"]["x"]["protocol"]["validation"] = "paired_speaker"
    assert "shares session, room and dialogue" in report(summary)


def test_stale_results_are_listed_with_what_to_do():
    stale = [Stale("dsnet", 1, fold, "its config (a, now b)") for fold in "AB"]
    (title, _, lines) = stale_md(stale)
    assert title == "## Stale results"
    assert lines.startswith("- dsnet, seed 1, folds A, B: its config (a, now b) changed; rerun")
    assert stale_md([]) == [] and probes_md({}) == []


def test_what_was_tried_is_taken_from_the_readme(tmp_path):
    readme = tmp_path / "README.md"
    assert tried_md(readme) == []
    readme.write_text("# A corpus\n\n## Licence\n\nNone.\n")
    assert tried_md(readme) == []
    readme.write_text(
        "# A corpus\n\n## What was tried\n\n- More.\n- Less.\n\n## Licence\n\nNone.\n"
    )
    assert tried_md(readme) == ["## What was tried\n\n- More.\n- Less."]
