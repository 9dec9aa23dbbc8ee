"""Which control a system meets, and what is tested: folds, corrected in one family a page."""

import numpy as np
import pytest

from dsnet.report.differences import compare, controls_of
from dsnet.scoring.significance import holm


@pytest.mark.parametrize(
    "system, control",
    [
        ("dsnet_small", "base_matched_small"),
        ("dsnet", "base_matched"),
        ("dsnet_plus_small+compare_svm", "base_matched_small"),
        ("dsnet_small@losses.alpha=1", "base_matched_small"),
        ("dsnet_small+neutral3", "base_matched_small+neutral3"),
        ("dsnet_plus_small-neutral1", "base_matched_small"),
        ("base_matched_small+neutral3", "base_matched_small"),
        ("compare_svm", "base_matched"),
    ],
)
def test_the_control_with_the_same_ending(system, control):
    names = ["base_matched", "base_matched_small", "base_matched_small+neutral3"]
    assert controls_of(system, [*names, "dsnet", "dsnet_small"]) == [control]


def test_without_the_same_ending_it_is_the_plainest_control():
    names = ["base_matched_neutral_small", "base_matched_small", "svm"]
    assert controls_of("svm", names) == ["base_matched_small"]
    assert controls_of("base_matched_big", ["base_matched_big", "base_matched_small"]) == []
    assert controls_of("svm", ["svm", "dsnet"]) == []


def right(share):
    """Return (S, P, 2, 2) counts of one seed: of 4 + 4 utterances each speaker has these right."""
    share = np.array(share)
    diagonal = np.stack([share, np.full_like(share, 4)], axis=-1)  # (P, K)
    counts = np.zeros((len(share), 2, 2), dtype=int)
    counts[:, [0, 1], [0, 1]] = diagonal
    counts[:, 0, 1] = 4 - share
    return counts[None]


def test_by_hand():
    """All of four speakers are better by 1 of 8 with `a`; two are with `b`."""
    counts = {
        "all": {
            "base_matched": right([2, 2, 2, 2]),
            "a": right([3, 3, 3, 3]),
            "b": right([3, 3, 2, 2]),
        }
    }
    headline = dict.fromkeys(counts["all"], "all")
    a, b = compare(counts, headline, np.arange(4), seed=0)
    assert (a["system"], a["control"], a["num_units"]) == ("a", "base_matched", 4)
    assert a["estimate"] == pytest.approx(1 / 8) and b["estimate"] == pytest.approx(1 / 16)
    assert a["p_value"] == pytest.approx(2 / 16)  # two of the 16 sign patterns are as far from 0
    assert b["p_value"] == pytest.approx(8 / 16)
    assert [a["adjusted_p"], b["adjusted_p"]] == pytest.approx(holm([2 / 16, 8 / 16]).tolist())


def test_speakers_of_one_fold_are_exchanged_together():
    counts = {"all": {"base_matched": right([2, 2, 2, 2]), "a": right([3, 3, 3, 3])}}
    (pair,) = compare(counts, dict.fromkeys(counts["all"], "all"), np.array([0, 0, 1, 1]), seed=0)
    assert pair["num_units"] == 2
    assert pair["p_value"] == 1 / 2 * 1  # 2 of 4 patterns
    assert pair["estimate"] == pytest.approx(1 / 8)


def test_one_family_a_page_whatever_the_controls():
    counts = {
        "all": {
            "base_matched": right([2, 2, 2, 2]),
            "base_matched_small": right([1, 1, 1, 1]),
            "dsnet": right([3, 3, 3, 3]),
            "dsnet_small": right([2, 2, 2, 2]),
        }
    }
    pairs = compare(counts, dict.fromkeys(counts["all"], "all"), np.arange(4), seed=0)
    adjusted = holm([pair["p_value"] for pair in pairs])
    assert {pair["control"] for pair in pairs} == {"base_matched", "base_matched_small"}
    assert [pair["adjusted_p"] for pair in pairs] == adjusted.tolist()
    assert pairs[0]["p_value"] == 2 / 16 and pairs[0]["adjusted_p"] == pytest.approx(3 * 2 / 16)
