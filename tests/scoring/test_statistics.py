"""Intervals: a case that can be enumerated, coverage in a simulation, degenerate cases."""

import itertools

import numpy as np
import pytest

from dsnet.scoring import statistics
from dsnet.scoring.metrics import uar, war
from dsnet.scoring.statistics import paired_difference, shared_speakers, speaker_interval


def of_accuracies(correct, total=10):
    """Return (1, P, 2, 2) counts: of `total` utterances of each class so many are right."""
    counts = [[[hit, total - hit], [total - hit, hit]] for hit in correct]
    return np.array([counts])


def test_interval_equals_that_of_all_resamples():
    correct = [1, 2, 5, 7, 9]
    everything = [
        np.mean(draw) / 10 for draw in itertools.product(correct, repeat=5)
    ]  # the 3,125 equally likely resamples
    interval = speaker_interval(of_accuracies(correct), uar, np.random.default_rng(0))
    assert interval.estimate == pytest.approx(24 / 50)
    low, high = np.quantile(everything, [0.025, 0.975], method="inverted_cdf")
    assert interval.low == pytest.approx(low)
    assert interval.high == pytest.approx(high)


def test_speakers_are_pooled_by_utterances_and_not_averaged():
    large, small = np.array([[90, 10], [10, 90]]), np.array([[0, 1], [1, 0]])
    interval = speaker_interval(np.array([[large, small]]), war, np.random.default_rng(0))
    assert interval.estimate == pytest.approx(180 / 202)


def test_seeds_are_averaged_inside_a_resample():
    # What one seed wins the other loses, speaker by speaker: the mean never moves.
    correct = np.array([2, 5, 9, 7, 4])
    counts = np.concatenate([of_accuracies(correct), of_accuracies(10 - correct)])
    interval = speaker_interval(counts, uar, np.random.default_rng(0))
    assert (interval.estimate, interval.low, interval.high) == pytest.approx((0.5, 0.5, 0.5))


def test_difference_is_paired():
    # Speakers differ widely, but the first system is better by a tenth for each of them.
    rng = np.random.default_rng(0)
    correct = rng.integers(1, 9, 12)
    first, second = of_accuracies(correct + 1), of_accuracies(correct)
    paired = paired_difference(first, second, uar, np.random.default_rng(0))
    assert (paired.estimate, paired.low, paired.high) == pytest.approx((0.1, 0.1, 0.1))
    alone = speaker_interval(first, uar, np.random.default_rng(0))
    assert alone.high - alone.low > 0.2


def test_difference_leaves_out_speakers_that_one_system_lacks():
    first, second = of_accuracies([5, 5, 5]), of_accuracies([4, 4, 0])
    second[:, 2] = 0
    assert shared_speakers(first, second).tolist() == [True, True, False]
    difference = paired_difference(first, second, uar, np.random.default_rng(0))
    assert difference.estimate == pytest.approx(0.1)


def test_a_speaker_whom_one_seed_lacks_leaves_the_interval_finite():
    counts = np.concatenate([of_accuracies([2, 5, 5, 5, 5])] * 2)
    counts[1, :4] = 0  # a resample without speaker 4 has nothing in the second seed
    interval = speaker_interval(counts, uar, np.random.default_rng(0))
    assert interval.estimate == pytest.approx((0.44 + 0.5) / 2)
    assert np.isfinite([interval.low, interval.high]).all() and interval.low < 0.44


@pytest.mark.parametrize("speakers", [1, 2, 4])
def test_few_speakers_have_an_estimate_and_no_interval(speakers):
    counts = of_accuracies([7] * speakers)
    interval = speaker_interval(counts, uar, np.random.default_rng(0))
    assert interval.estimate == pytest.approx(0.7)
    assert np.isnan([interval.low, interval.high]).all()


def test_no_shared_speaker_has_nothing():
    first, second = of_accuracies([5, 5]), of_accuracies([5, 5])
    first[:, 0] = 0
    second[:, 1] = 0
    difference = paired_difference(first, second, uar, np.random.default_rng(0))
    assert np.isnan([difference.estimate, difference.low, difference.high]).all()


def test_same_generator_same_interval():
    counts = of_accuracies([2, 5, 9, 7])
    one, other = (speaker_interval(counts, uar, np.random.default_rng(3)) for _ in range(2))
    assert one == other


def test_interval_holds_the_truth_about_as_often_as_it_says(monkeypatch):
    monkeypatch.setattr(statistics, "NUM_RESAMPLES", 500)
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):  # 30 speakers, skill beta(6, 4): in truth 0.6
        skill = rng.beta(6, 4, 30)
        interval = speaker_interval(of_accuracies(rng.binomial(20, skill), 20), uar, rng)
        held += interval.low <= 0.6 <= interval.high
    assert 0.88 <= held / 200 <= 0.99
