"""Permutation tests against swaps done by hand, one by one and in a simulation; Holm by hand."""

import itertools

import numpy as np
import pytest

from dsnet.scoring import significance
from dsnet.scoring.metrics import METRICS, macro_f1, uar, war
from dsnet.scoring.significance import holm, paired_test
from dsnet.scoring.statistics import paired_difference

NUM_SPEAKERS = 10


def of_hits(hits, totals):
    """Return (1, P, 2, 2) counts from (P, 2): how many of each class's utterances are right."""
    hits, totals = np.broadcast_arrays(hits, totals)
    missed = totals - hits
    return np.array(
        [[[[h0, m0], [m1, h1]] for (h0, h1), (m0, m1) in zip(hits, missed, strict=True)]]
    )


def of_accuracies(correct, total=10):
    """Return (1, P, 2, 2) counts: of `total` utterances of each class so many are right."""
    return of_hits(np.array(correct)[:, None] * [1, 1], total)


def random_counts(num_seeds, num_speakers, rng):
    """Return (S, P, 3, 3) counts; every seed and every call has the same utterances."""
    totals = 1 + np.arange(num_speakers * 3).reshape(num_speakers, 3) % 7
    chances = rng.dirichlet([2, 1, 1], (num_seeds, num_speakers, 3))
    return rng.multinomial(totals, chances)


def run(first, second, metric=uar):
    return paired_test(first, second, metric, np.random.default_rng(0))


def test_three_speakers_by_hand():
    # Utterances of class 0: 10 + 6 + 4 = 20, of class 1: 2 + 4 + 4 = 10.
    totals = [[10, 2], [6, 4], [4, 4]]
    first = of_hits([[9, 2], [2, 4], [3, 2]], totals)
    second = of_hits([[5, 1], [4, 2], [2, 1]], totals)
    # First over second, class 0: 4, -2, 1 hits; class 1: 1, 2, 1. In pooled UAR, where a hit is
    # worth 1/40 and 2/40: 6, 2, 3. Swaps of the second and third speaker, in 40ths:
    #   6 + 2 + 3 = 11    6 + 2 - 3 = 5    6 - 2 + 3 = 7    6 - 2 - 3 = 1
    # and, when the first speaker is swapped too, the same with the other sign.
    result = run(first, second, uar)
    assert result.difference == pytest.approx(11 / 40)
    assert result.p_value == 2 / 8
    assert result.smallest_p == 2 / 8
    # In WAR, in 30ths: 5, 0, 2, so swapping the second speaker changes nothing.
    result = run(first, second, war)
    assert result.difference == pytest.approx(7 / 30)
    assert result.p_value == 4 / 8


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("num_seeds", [(1, 1), (2, 2), (2, 3)])
def test_agrees_with_swaps_done_one_by_one(name, num_seeds):
    rng = np.random.default_rng(1)
    first, second = (random_counts(number, 4, rng) for number in num_seeds)
    metric = METRICS[name]
    differences = []
    for swap in itertools.product([False, True], repeat=4):
        scores = []
        for a, b in itertools.product(first, second):  # every seed of one with every of the other
            ours = sum(b[p] if swap[p] else a[p] for p in range(4))
            theirs = sum(a[p] if swap[p] else b[p] for p in range(4))
            scores.append(metric(ours) - metric(theirs))
        differences.append(np.mean(scores))
    far = np.abs(differences) >= abs(differences[0]) - 1e-9  # the first swap is none
    assert run(first, second, metric).p_value == far.mean()


@pytest.mark.parametrize("metric", [uar, macro_f1])
def test_the_difference_is_that_of_the_interval(metric):
    rng = np.random.default_rng(0)
    first, second = random_counts(3, 5, rng), random_counts(2, 5, rng)
    interval = paired_difference(first, second, metric, rng)
    assert run(first, second, metric).difference == pytest.approx(interval.estimate)


def test_identical_systems_have_p_1():
    counts = random_counts(3, 6, np.random.default_rng(0))
    for other in (counts, counts[::-1]):  # the seeds in another order: the sums round otherwise
        result = run(counts, other)
        assert (result.difference, result.p_value) == (0, 1)


def test_better_for_each_of_ten_speakers():
    correct = np.arange(10) % 9
    result = run(of_accuracies(correct + 1), of_accuracies(correct))
    assert result.p_value == result.smallest_p == 2 / 1024
    assert result.num_speakers == 10


def test_swapping_the_systems_changes_the_signs_only():
    rng = np.random.default_rng(4)
    first, second = random_counts(2, 7, rng), random_counts(2, 7, rng)
    one, other = run(first, second), run(second, first)
    assert one.p_value == other.p_value
    assert one.difference == -other.difference


def test_many_speakers_are_swapped_at_random(monkeypatch):
    rng = np.random.default_rng(2)
    first, second = random_counts(1, 12, rng), random_counts(1, 12, rng)
    exact = run(first, second)
    assert 0.02 < exact.p_value < 0.98
    monkeypatch.setattr(significance, "NUM_SWAPS", 3000)  # of 4096
    drawn = run(first, second)
    assert drawn.p_value != exact.p_value
    assert drawn.p_value == pytest.approx(exact.p_value, abs=0.03)
    assert drawn == run(first, second)  # the same generator


def test_random_swaps_never_give_zero():
    correct = np.arange(30) % 9
    result = run(of_accuracies(correct + 1), of_accuracies(correct))
    assert result.p_value == result.smallest_p == pytest.approx(2 / 10_001)


def test_speakers_that_one_system_lacks_are_left_out():
    first, second = of_accuracies([5, 7, 9, 9]), of_accuracies([4, 5, 6, 0])
    second[:, 3] = 0
    assert run(first, second) == run(first[:, :3], second[:, :3])
    assert run(first, second).num_speakers == 3


def test_under_two_speakers_there_is_no_test():
    one = run(of_accuracies([6]), of_accuracies([5]))
    assert (one.num_speakers, one.difference) == (1, pytest.approx(0.1))
    assert np.isnan([one.p_value, one.smallest_p]).all()
    none = run(np.zeros((1, 2, 2, 2), int), of_accuracies([5, 5]))
    assert none.num_speakers == 0
    assert np.isnan([none.difference, none.p_value, none.smallest_p]).all()


def test_holm_by_hand():
    # 0.01 * 4, 0.02 * 3, 0.03 * 2 (0.06, no less than the one before), 0.6 * 1
    assert holm([0.03, 0.01, 0.6, 0.02]) == pytest.approx([0.06, 0.04, 0.6, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1, 1])


def test_holm_does_not_count_what_was_not_tested():
    adjusted = holm([0.02, np.nan, 0.03])
    assert adjusted[[0, 2]] == pytest.approx([0.04, 0.04])
    assert np.isnan(adjusted[1])
    assert np.isnan(holm([np.nan])).all()
    assert holm([]).shape == (0,)


def simulate(advantage, rng):
    """Return the counts of two systems and, pooled over utterances, how sure a naive test is.

    A speaker is easy or hard for both systems, and a bit easier for one of them by chance.
    """
    speaker = rng.normal(0.65, 0.1, NUM_SPEAKERS)
    chances = speaker + rng.normal(0, 0.06, (2, NUM_SPEAKERS)) + [[advantage], [0]]
    hits = rng.binomial(60, np.clip(chances, 0, 1)[..., None], (2, NUM_SPEAKERS, 2))
    rates = hits.mean((1, 2)) / 60
    variance = (rates * (1 - rates)).sum() / (NUM_SPEAKERS * 2 * 60)
    return of_hits(hits[0], 60), of_hits(hits[1], 60), abs(rates[0] - rates[1]) / variance**0.5


def test_exchangeable_systems_differ_in_5_of_100_simulations():
    rng = np.random.default_rng(0)
    simulations = [simulate(0, rng) for _ in range(300)]
    rejected = np.mean([run(first, second).p_value <= 0.05 for first, second, _ in simulations])
    assert 0.02 <= rejected <= 0.085  # 0.05 within three deviations
    naive = np.mean([z >= 1.96 for *_, z in simulations])  # utterances taken for independent
    assert naive > 0.15


def test_a_real_difference_is_found():
    rng = np.random.default_rng(0)
    simulations = [simulate(0.12, rng) for _ in range(50)]
    assert np.mean([run(first, second).p_value <= 0.05 for first, second, _ in simulations]) > 0.9
