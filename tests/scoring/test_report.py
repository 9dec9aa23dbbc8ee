"""What RESULTS.md says, and when it says more."""

import dataclasses
import shutil

import numpy as np
import pytest

from dsnet.scoring.plotting import Figure
from dsnet.scoring.provenance import Provenance
from dsnet.scoring.report import HEADER, results_md, system_rows
from dsnet.scoring.results import read_results
from dsnet.scoring.summary import summarise
from dsnet.task import FoldConfig, TaskConfig

CONFIG = TaskConfig(
    classes=["angry", "happy", "neutral", "sad"],
    label_map={name: name for name in ("angry", "happy", "neutral", "sad")},
)
PROVENANCE = Provenance("bash egs/x/run.sh", "abc-dirty", {"torch": "2.11.0"}, "2026-01-02", 4)
FIGURES = [Figure("uar_by_speaker.png", "UAR by speaker", "Each column is a speaker.")]


def report(summary, config=CONFIG):
    return results_md(summary, config, "x", "4class", PROVENANCE, FIGURES)


@pytest.fixture
def exp_dir(small_task, make_exp, fake_system):
    systems = {
        "base_matched": fake_system(skill=1.0),
        "dsnet": fake_system("dsnet", 3.0, num_parameters=432_100, last_epoch=False),
    }
    return make_exp(small_task, systems)


def test_every_table_is_there_and_even(small_task, exp_dir):
    text = report(summarise(read_results(exp_dir, small_task), 0))
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 6
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
    assert "None" not in text and "nan" not in text


def test_says_protocol_selection_and_origin(small_task, exp_dir):
    text = report(summarise(read_results(exp_dir, small_task), 0))
    assert text.startswith("# Results: x, 4class\n")
    assert "the next speaker in sorted order validates" in text
    assert "guessing has a UAR of 25.0 %" in text
    assert "speakers for test, validation and training: 1, 1, 2" in text
    assert "best validation UAR is tested for dsnet (" in text
    assert "The last epoch is tested for base_matched (5)." in text
    assert "the 12 of them are left out" in text
    assert "`bash egs/x/run.sh`" in text and "abc-dirty" in text and "torch 2.11.0" in text
    assert "![UAR by speaker](figures/uar_by_speaker.png)" in text
    assert "Not complete" not in text


def test_rows_show_what_was_computed(small_task, exp_dir):
    results = read_results(exp_dir, small_task)
    summary = summarise(results, 0)
    row = dict(zip(HEADER, system_rows(summary, "all")[1], strict=True))
    assert row["system"] == "dsnet" and row["kind"] == "dsnet"
    assert row["parameters"] == "432 k"
    assert row["seeds × folds"] == "2 × 4"
    recalls = [
        np.mean([(run.predictions == k)[run.labels == k].sum() for run in runs_of_seed])
        / np.mean([(run.labels == k).sum() for run in runs_of_seed])
        for seed in (1, 2)
        for runs_of_seed in [[r for r in results.systems[1].runs if r.seed == seed]]
        for k in range(4)
    ]
    assert row["UAR pooled [95 %]"].startswith(f"{100 * np.mean(recalls):.1f} [")


def test_missing_runs_are_shown(small_task, exp_dir):
    shutil.rmtree(exp_dir / "dsnet" / "seed_2" / "fold_C")
    shutil.rmtree(exp_dir / "base_matched" / "seed_2")
    summary = summarise(read_results(exp_dir, small_task), 0)
    text = report(summary)
    assert "- dsnet, seed 2: 3 of 4 folds; not there: C" in text
    assert "- base_matched: no seed 2, which others have" in text
    cells = [row[HEADER.index("seeds × folds")] for row in system_rows(summary, "all")]
    assert cells == ["1 × 4", "2 × 4, 7 of 8 runs"]


def test_a_class_of_references_alone_is_named(small_task, exp_dir):
    neutral = {utt for utt, emotion in small_task.utt2emo.items() if emotion == "neutral"}
    task = dataclasses.replace(small_task, reference_utterances=neutral)
    text = report(summarise(read_results(exp_dir, task), 0))
    assert "**No neutral remains**" in text


def test_without_a_control_there_is_no_difference(small_task, exp_dir):
    shutil.rmtree(exp_dir / "base_matched")
    assert "## Difference" not in report(summarise(read_results(exp_dir, small_task), 0))


def test_one_speaker_has_no_interval_and_the_report_says_so(small_task, exp_dir):
    for system in ("base_matched", "dsnet"):
        for seed in (1, 2):
            for fold in "BCD":
                shutil.rmtree(exp_dir / system / f"seed_{seed}" / f"fold_{fold}")
    summary = summarise(read_results(exp_dir, small_task), 0)
    assert "[–]" in system_rows(summary, "all")[0][HEADER.index("UAR pooled [95 %]")]
    assert "needs two tested speakers" in report(summary)


def test_a_paired_validation_speaker_is_pointed_out(small_task, exp_dir):
    config = dataclasses.replace(CONFIG, folds=FoldConfig(validation="paired_speaker"))
    text = report(summarise(read_results(exp_dir, small_task), 0), config)
    assert "shares session, room and dialogue" in text
