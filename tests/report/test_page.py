"""What RESULTS.md says, and when it says more."""

import dataclasses
import re
import shutil

import numpy as np
import pytest

from dsnet.report import page
from dsnet.report.figures.plotting import Figure
from dsnet.report.page import results_md
from dsnet.report.provenance import Provenance
from dsnet.report.sections import probes_md, stale_md, tried_md
from dsnet.report.summary import summarise
from dsnet.report.system_tables import SYSTEMS_HEADER, p_value, short_rows, system_rows
from dsnet.results.ledger import update
from dsnet.results.staleness import Stale, select
from dsnet.results.store import read_results
from dsnet.task import FoldConfig, TaskConfig

CONFIG = TaskConfig(
    classes=["angry", "happy", "neutral", "sad"],
    label_map={name: name for name in ("angry", "happy", "neutral", "sad")},
)
PROVENANCE = Provenance("bash egs/x/run.sh", "abc-dirty", {"torch": "2.11.0"}, "2026-01-02", 4)
FIGURES = [Figure("uar_by_speaker.png", "UAR by speaker", "Each column is a speaker.")]


def report(summary, config=CONFIG, sections=()):
    return results_md(summary, config, "x", "4class", PROVENANCE, FIGURES, list(sections))


def cells(text, header, row):
    """Return the cells of a table's row by the table's header, found by its first columns."""
    table = next(block for block in text.split("\n\n") if block.startswith(f"| {header}"))
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return next(dict(zip(lines[0], line, strict=True)) for line in lines if line[0] == row)


@pytest.fixture
def exp_dir(small_task, make_exp, fake_system):
    given = {"side_information": "3 clips", "given_utterances": ["A_neutral_0", "A_neutral_1"]}
    lean = dict.fromkeys(
        ("selection", "selected_epoch", "epochs", "seconds", "seconds_per_epoch", "machine")
    )
    systems = {
        "base_matched": fake_system(skill=1.0),
        "dsnet": fake_system("dsnet", 3.0, num_parameters=432_100, last_epoch=False),
        "dsnet+neutral3": fake_system("dsnet", 3.0, train=given),
        "compare_svm": fake_system("svm", train=lean | {"num_parameters": None}),
    }
    return make_exp(small_task, systems)


def test_every_table_is_there_and_even(small_task, exp_dir, tmp_path):
    read = read_results(exp_dir, small_task)
    results, _ = select(update(tmp_path / "ledger.jsonl", read), read, exp_dir, tmp_path)
    text = report(summarise(results, 0))
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 6
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
        assert table.splitlines()[0].count("|") <= 10
    assert "None" not in text and "nan" not in text
    assert re.fullmatch(
        r"\d\.\d\d to \d\.\d\d", cells(text, "system | ECE", "dsnet")["temperature"]
    )


def test_says_protocol_selection_and_origin(small_task, exp_dir):
    text = report(summarise(read_results(exp_dir, small_task), 0))
    assert text.startswith("# Results: x, 4class\n")
    assert "the next speaker in sorted order validates" in text
    assert "guessing has a UAR of 25.0 %" in text
    assert "speakers for test, validation and training: 1, 1, 2" in text
    assert re.search(r"best validation UAR \(.* of 5\) is tested for dsnet\.", text)
    assert "The last epoch (5) is tested for base_matched, dsnet+neutral3." in text
    assert "C is chosen by validation UAR for compare_svm." in text
    assert "`bash egs/x/run.sh`" in text and "abc-dirty" in text and "torch 2.11.0" in text
    assert "![UAR by speaker](figures/uar_by_speaker.png)" in text
    assert "Not complete" not in text
    assert "Trained on: CPU of 2 cores." in text


def test_rows_show_what_was_computed(small_task, exp_dir):
    results = read_results(exp_dir, small_task)
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
    assert row["UAR, all [95 %]"].startswith(f"**{100 * np.mean(recalls):.1f} [")
    by_speaker = summary["all"]["systems"]["dsnet"]["by_speaker"]
    worst = min(by_speaker, key=lambda speaker: by_speaker[speaker]["uar"])
    assert row["worst speaker"] == f"{100 * by_speaker[worst]['uar']:.1f} ({worst})"


def test_the_headline_of_a_system_with_clips_is_without_them(small_task, exp_dir):
    summary = summarise(read_results(exp_dir, small_task), 0)
    text = report(summary)
    row = cells(text, "system | given", "dsnet+neutral3")
    assert row["given beside the utterance"] == "3 clips"
    scores = summary["without_references"]["systems"]["dsnet+neutral3"]
    assert row["UAR, without clips [95 %]"].startswith(f"**{100 * scores['uar']['estimate']:.1f}")
    assert not row["UAR, all [95 %]"].startswith("**")
    assert row["WAR"] == f"{100 * scores['war']['estimate']:.1f}"
    assert "Two headline figures" in text
    assert f"every system: 12 of {summary['all']['num_utterances']}" in text
    assert cells(text, "system | minus", "dsnet+neutral3")["scored on"] == "without clips"
    assert cells(text, "system | minus", "dsnet")["scored on"] == "all"


def test_differences_have_both_p_values(small_task, exp_dir):
    summary = summarise(read_results(exp_dir, small_task), 0)
    row = cells(report(summary), "system | minus", "dsnet")
    (pair,) = [pair for pair in summary["differences"] if pair["system"] == "dsnet"]
    assert row["minus"] == "base_matched" and row["folds"] == "4"
    assert row["p"] == f"{pair['p_value']:.3f}" and row["p (Holm)"] == f"{pair['adjusted_p']:.3f}"
    # four folds: 2 of 16 sign patterns at least, so nothing can be significant
    assert pair["p_value"] >= pair["smallest_p"] == 2 / 16
    most = len(summary["differences"]) * pair["p_value"]
    assert pair["p_value"] <= pair["adjusted_p"] <= min(1, most)
    assert "**Significance is impossible here**: " in report(summary)


def test_ten_folds_can_be_significant():
    pairs = [{"smallest_p": 2 / 1024}] * 3
    assert page._impossible(pairs) == ""
    assert "Significance is impossible" in page._impossible([{"smallest_p": 2 / 32}])


def test_the_terminal_has_the_corrected_p(small_task, exp_dir):
    summary = summarise(read_results(exp_dir, small_task), 0)
    row = cells(report(summary), "system | minus", "dsnet")
    short = next(row for row in short_rows(summary) if row[0] == "dsnet")
    assert short[-1] == row["p (Holm)"]


@pytest.mark.parametrize("value, text", [(None, "–"), (0.0004, "< 0.001"), (0.0123, "0.012")])
def test_p_values(value, text):
    assert p_value(value) == text


def test_what_a_system_lacks_is_a_dash(small_task, exp_dir):
    text = report(summarise(read_results(exp_dir, small_task), 0))
    assert cells(text, "system | kind", "compare_svm") == {
        "system": "compare_svm", "kind": "svm", "parameters in training": "–", "s/epoch": "–",
        "min/run": "–", "peak memory": "1.0 GiB",
    }  # fmt: skip


def test_missing_runs_are_shown(small_task, exp_dir):
    shutil.rmtree(exp_dir / "dsnet" / "seed_2" / "fold_C")
    shutil.rmtree(exp_dir / "base_matched" / "seed_2")
    text = report(summarise(read_results(exp_dir, small_task), 0))
    assert "- dsnet, seed 2: 3 of 4 folds; not there: C" in text
    assert cells(text, "system | given", "base_matched")["seeds × folds"] == "1 × 4"
    assert cells(text, "system | given", "dsnet")["seeds × folds"] == "2 × 4, 7 of 8 runs"


def test_a_class_of_references_alone_is_named(small_task, exp_dir):
    neutral = {utt for utt, emotion in small_task.utt2emo.items() if emotion == "neutral"}
    task = dataclasses.replace(small_task, reference_utterances=neutral)
    text = report(summarise(read_results(exp_dir, task), 0))
    assert "**No neutral remains**" in text


def test_without_a_control_there_is_no_difference(small_task, exp_dir):
    shutil.rmtree(exp_dir / "base_matched")
    assert "## Difference" not in report(summarise(read_results(exp_dir, small_task), 0))


def test_one_speaker_has_no_interval_and_the_report_says_so(small_task, exp_dir):
    for folder in exp_dir.glob("*/seed_*/fold_[BCD]"):
        shutil.rmtree(folder)
    text = report(summarise(read_results(exp_dir, small_task), 0))
    assert "[–]" in cells(text, "system | given", "dsnet")["UAR, all [95 %]"]
    assert cells(text, "system | minus", "dsnet")["p"] == "–"
    assert "needs two tested speakers" in text


def test_a_paired_validation_speaker_is_pointed_out(small_task, exp_dir):
    config = dataclasses.replace(CONFIG, folds=FoldConfig(validation="paired_speaker"))
    text = report(summarise(read_results(exp_dir, small_task), 0), config)
    assert "shares session, room and dialogue" in text


def test_stale_results_are_listed_with_what_to_do():
    stale = [Stale("dsnet", 1, fold, "its config (a, now b)") for fold in "AB"]
    (title, _, lines) = stale_md(stale)
    assert title == "## Stale results"
    assert lines.startswith("- dsnet, seed 1, folds A, B: its config (a, now b) changed; rerun")
    assert stale_md([]) == [] and probes_md(["system"], []) == []


def test_what_was_tried_is_taken_from_the_readme(tmp_path):
    readme = tmp_path / "README.md"
    assert tried_md(readme) == []
    readme.write_text("# A corpus\n\n## Licence\n\nNone.\n")
    assert tried_md(readme) == []
    readme.write_text(
        "# A corpus\n\n## What was tried\n\n- More.\n- Less.\n\n## Licence\n\nNone.\n"
    )
    assert tried_md(readme) == ["## What was tried\n\n- More.\n- Less."]
