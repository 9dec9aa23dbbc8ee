"""A predefined split from stage 2 to the page's numbers: one model, two test sets."""

import dataclasses

import numpy as np
import pytest
from lhotse import SupervisionSegment

from dsnet.folds.build import build_task
from dsnet.folds.task_data import TaskData
from dsnet.report.summary import summarise
from dsnet.results.held_out import NUM_GROUPS, read_held_out
from dsnet.results.runs import Results
from dsnet.task import FoldConfig, ReferenceConfig, TaskConfig

SIDES = {"a": "Train", "b": "Train", "c": "Dev", **dict.fromkeys("defgh", "T1"), "i": "T2"}
CONFIG = TaskConfig(
    classes=["neutral", "sad"],
    label_map={"N": "neutral", "S": "sad"},
    folds=FoldConfig(
        "predefined", "predefined", train=["Train"], dev=["Dev"], test=["T1", "T2"], field="side"
    ),
    references=ReferenceConfig("N"),
)


@pytest.fixture
def task(recipe):
    corpus = [
        SupervisionSegment(
            f"{speaker}_{emotion}_{n}",
            f"{speaker}_{emotion}_{n}",
            0.0,
            1.0,
            speaker=speaker,
            custom={"emotion": emotion, "side": side},
        )
        for speaker, side in SIDES.items()
        for emotion in "NS"
        for n in range(4)
    ]
    build_task(CONFIG, corpus, recipe.task("2class"))
    return TaskData.load(recipe.task("2class"))


def test_one_model_is_scored_on_both_test_sets(task, make_exp, fake_system, score_runs):
    make_exp(task, {"base": fake_system(), "dsnet": fake_system("dsnet", control="base")}, seeds=1)
    results, stale = score_runs(task)
    assert stale == [] and [len(row.runs) for row in results.systems] == [1, 1]
    summary = summarise(results, 0)
    test = summary["test_sets"]["x"]
    assert test["num_utterances"] == 48 and test["num_speakers"] == 6
    assert test["partitions"] == {"T1": 40, "T2": 8}
    scores = summary["systems"]["base"]["headline"]
    sets = scores["by_partition"]
    assert [sets[name]["num_utterances"] for name in ("T1", "T2")] == [40, 8]
    # accuracy of all is the mean of both, by their sizes
    war = [sets[name]["war"]["estimate"] for name in ("T1", "T2")]
    assert scores["war"]["estimate"] == pytest.approx((40 * war[0] + 8 * war[1]) / 48)
    assert sets["T1"]["uar"]["low"] is not None and sets["T2"]["uar"]["low"] is None  # 1 speaker
    (pair,) = summary["differences"]["pairs"]
    assert (pair["unit"], pair["num_units"]) == ("speaker", 6)


def test_classes_of_what_models_of_another_corpus_are_tested_on_add_up(
    task, make_exp, fake_system, score_runs
):
    """These are tested on all utterances, not only on those of the split's test part."""
    make_exp(task, {"base": fake_system()}, seeds=1)
    results, _ = score_runs(task)
    whole = dataclasses.replace(results.test_sets[0], whole=True)
    for test, total in ((results.test_sets[0], 48), (whole, 72)):
        about = summarise(Results(test.classes, [test], results.systems[:0]), 0)["test_sets"]["x"]
        assert about["num_utterances"] == total
        assert sum(sum(own.values()) for own in about["parts"].values()) == total


def test_a_bundle_is_calibrated_by_groups_of_the_tested_speakers(
    recipe, task, make_exp, fake_system
):
    make_exp(task, {"base": fake_system()}, seeds=2)
    held = read_held_out(recipe, task, "base", [1, 2], task.fold_names)
    groups = {speaker: set(held.folds[held.speakers == speaker]) for speaker in "defghi"}
    assert all(len(own) == 1 for own in groups.values())
    assert len(np.unique(held.folds)) == NUM_GROUPS
    assert held.results["utterances"] == 48
    assert held.results["war"]["estimate"] == pytest.approx(
        (held.posteriors.argmax(1) == held.labels).mean(), abs=1e-4
    )
