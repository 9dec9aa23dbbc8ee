"""What is compared with what, on which utterances, and what is tested: folds, in one family."""

import dataclasses

import numpy as np
import pytest

from dsnet.report.differences import compare
from dsnet.scoring.significance import holm


def pairs_of(found):
    return {pair["system"]: pair for pair in found["pairs"]}


def test_by_hand(test_set, row):
    """All of four speakers are better by 1 of 8 with `a`; two are with `b`."""
    test = test_set("x")
    rows = [
        row(test, "control", 2),
        row(test, "a", 3, control="control"),
        row(test, "b", {"A": 3, "B": 3, "C": 2, "D": 2}, control="control"),
    ]
    found = compare(rows, seed=0)
    a, b = pairs_of(found)["a"], pairs_of(found)["b"]
    assert (a["control"], a["num_units"], a["unit"]) == ("control", 4, "fold")
    assert a["estimate"] == pytest.approx(1 / 8) and b["estimate"] == pytest.approx(1 / 16)
    assert a["uar"] - a["control_uar"] == pytest.approx(a["estimate"])
    assert a["p_value"] == pytest.approx(2 / 16)  # two of the 16 sign patterns are as far from 0
    assert b["p_value"] == pytest.approx(8 / 16)
    assert [a["adjusted_p"], b["adjusted_p"]] == pytest.approx(holm([2 / 16, 8 / 16]).tolist())
    assert found["family_size"] == 2 and found["smallest_p"] == 2 / 16
    assert found["smallest_adjusted_p"] == 2 * 2 / 16


def test_speakers_of_one_fold_are_exchanged_together(test_set, row):
    test = test_set("x", together=2)
    rows = [row(test, "control", 2), row(test, "a", 3, control="control")]
    (pair,) = compare(rows, seed=0)["pairs"]
    assert pair["num_units"] == 2
    assert pair["p_value"] == 1 / 2 * 1  # 2 of 4 patterns
    assert pair["estimate"] == pytest.approx(1 / 8)


def test_across_corpora_speakers_are_exchanged(test_set, row):
    test = test_set("y", "ABCDEF", together=3)
    across = {"trained_on": "x", "tested_on": "y"}
    rows = [row(test, "c", 2, **across), row(test, "a", 3, control="c", **across)]
    (pair,) = compare(rows, seed=0)["pairs"]
    assert (pair["unit"], pair["num_units"]) == ("speaker", 6)
    assert pair["p_value"] == pytest.approx(2 / 64)


def test_one_family_a_page_whatever_the_controls(test_set, row):
    test = test_set("x")
    rows = [
        row(test, "big", 2),
        row(test, "small", 1),
        row(test, "dsnet", 3, control="big"),
        row(test, "dsnet_small", 2, control="small"),
    ]
    pairs = compare(rows, seed=0)["pairs"]
    adjusted = holm([pair["p_value"] for pair in pairs])
    assert {pair["control"] for pair in pairs} == {"big", "small"}
    assert [pair["adjusted_p"] for pair in pairs] == adjusted.tolist()
    assert pairs[0]["p_value"] == 2 / 16 and pairs[0]["adjusted_p"] == pytest.approx(2 * 2 / 16)


def test_only_what_either_of_the_two_was_given_is_left_out(test_set, row):
    """A third system's enrolment changes nothing of what these two are scored on."""
    test = test_set("x")
    given = ["A_neutral_0"]  # which the control has right and `a` has, too
    rows = [row(test, "c", 2), row(test, "a", 3, control="c", given=given)]
    (pair,) = compare(rows, seed=0)["pairs"]
    assert pair["num_utterances"] == 31
    # of 15 neutral utterances a has 11 and c 7 right; all 16 sad ones are
    assert pair["uar"] == pytest.approx((11 / 15 + 1) / 2)
    assert pair["control_uar"] == pytest.approx((7 / 15 + 1) / 2)
    others = [f"{s}_neutral_{n}" for s in "ABCD" for n in range(3)]
    more = [*rows, row(test, "b", 4, control="c", given=others)]
    assert pairs_of(compare(more, seed=0))["a"] | {"adjusted_p": None} == pair | {
        "adjusted_p": None
    }


@pytest.mark.parametrize(
    "info",
    [
        {"changes": {"losses.alpha": "1"}},
        {"other_task": True, "task_changes": {"references.count": "1"}},
        {"own_enrolment": False, "side_information": "1 neutral utterance of the speaker"},
        {"normalised_by_target": "corpus"},
    ],
)
def test_what_is_tried_beside_the_systems_has_no_p(test_set, row, info):
    test = test_set("x")
    rows = [
        row(test, "c", 2),
        row(test, "a", 3, control="c"),
        row(test, "variant", 3, control="c", **info),
    ]
    pairs = pairs_of(compare(rows, seed=0))
    assert not pairs["variant"]["primary"]
    assert np.isnan(pairs["variant"]["p_value"]) and np.isnan(pairs["variant"]["adjusted_p"])
    assert pairs["a"]["adjusted_p"] == pairs["a"]["p_value"]  # it is alone in the family


def test_a_variant_of_the_task_meets_its_controls_variant_if_that_was_run(test_set, row):
    test, change = test_set("x"), {"task_changes": {"references.count": "1"}}
    rows = [row(test, "c", 2), row(test, "a", 3, control="c", **change)]
    assert compare(rows, seed=0)["pairs"][0]["control_uar"] == pytest.approx(0.75)
    rows.append(row(test, "c", 1, **change))
    assert compare(rows, seed=0)["pairs"][0]["control_uar"] == pytest.approx((1 / 4 + 1) / 2)


def test_a_variant_of_a_changed_task_meets_its_control_on_the_task_as_the_page_has_it(
    test_set, row
):
    test, own = test_set("x"), {"folds.validation": "none"}
    variant = {"task_changes": own | {"references.count": "1"}, "other_task": True}
    rows = [row(test, "c", 2, task_changes=own), row(test, "a", 3, control="c", **variant)]
    rows.append(row(test, "c", 0, task_changes={"references.count": "3"}, other_task=True))
    assert compare(rows, seed=0)["pairs"][0]["control_uar"] == pytest.approx(0.75)


def test_a_control_that_is_not_here_is_named(test_set, row):
    test = test_set("x")
    found = compare([row(test, "a", 3, control="c"), row(test, "b", 3)], seed=0)
    assert found["pairs"] == [] and found["without_control"] == {"a": "c"}
    assert found["smallest_adjusted_p"] is None


def test_the_difference_of_each_seed_that_both_have(test_set, row):
    """Seed 1 of the system has 4 of 4 neutral ones right, seed 2 has 2; all of the control 2."""
    test = test_set("x", "ABCDEF")
    good, poor = row(test, "a", 4, control="c"), row(test, "a", 2)
    seconds = [dataclasses.replace(run, info=run.info | {"seed": 2}) for run in poor.runs]
    system = dataclasses.replace(good, runs=[*good.runs, *seconds])
    control = row(test, "c", 2)
    both = dataclasses.replace(
        control,
        runs=[
            dataclasses.replace(run, info=run.info | {"seed": seed})
            for seed in (1, 2, 3)
            for run in control.runs
        ],
    )
    (pair,) = compare([system, both], 0)["pairs"]
    # UAR: (4/4 + 1) / 2 and (2/4 + 1) / 2
    assert pair["by_seed"] == {"1": 0.25, "2": 0.0}
    assert pair["estimate"] == pytest.approx(0.125)
    assert pair["by_speaker"]["A"] == pytest.approx({"control": 0.75, "system": 0.875})


@pytest.mark.parametrize("seeds, control_uar", [((1, 2, 3), (1 + 0.5 + 0.5) / 3), ((1,), 1.0)])
def test_an_ensemble_meets_the_seeds_that_it_is_made_of(test_set, row, seeds, control_uar):
    """Its own seed is but the name of a folder; of the control seed 1 is right, 2 and 3 are not."""
    test = test_set("x", "ABCDEF")
    runs = [
        dataclasses.replace(run, info=run.info | {"seed": seed})
        for seed, right in ((1, 4), (2, 0), (3, 0))
        for run in row(test, "c", right).runs
    ]
    members = [{"system": name, "seed": seed} for name in ("c", "d") for seed in seeds]
    both = row(test, "c+d", 3, control="c", members=members)
    (pair,) = compare([both, dataclasses.replace(row(test, "c", 4), runs=runs)], 0)["pairs"]
    assert pair["control_uar"] == pytest.approx(control_uar)
    assert pair["uar"] == pytest.approx((3 / 4 + 1) / 2) and pair["by_seed"] == {}


def test_one_seed_does_not_meet_the_mean_of_three(test_set, row):
    """Of seed 1 both are alike; the other seeds of the control are worse, and do not count."""
    test = test_set("x", "ABCDEF")
    system, control = row(test, "a", 4, control="c"), row(test, "c", 4)
    worse = [
        dataclasses.replace(run, info=run.info | {"seed": seed})
        for seed in (2, 3)
        for run in row(test, "c", 0).runs
    ]
    (pair,) = compare([system, dataclasses.replace(control, runs=[*control.runs, *worse])], 0)[
        "pairs"
    ]
    assert pair["by_seed"] == {"1": 0.0} and pair["estimate"] == 0
