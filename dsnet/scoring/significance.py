"""Is one system better than another on other speakers too: permutation test, Holm's correction.

Axes: S1, S2 seeds of the two systems, P speakers, K classes, R swaps.

A percentile bootstrap over ten speakers tends to be too narrow; a permutation test holds its level
for any number of them. Its unit is the speaker: utterances of one voice stand or fall together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from scipy.stats import permutation_test
from statsmodels.stats.multitest import multipletests

from dsnet.scoring.statistics import Metric, shared_speakers

NUM_SWAPS = 10_000  # all 2^P swaps where that is fewer: up to 13 speakers
_BATCH_BYTES = 1e7  # memory of the swaps that are computed at once
_DIGITS = 12  # decimals of a score; what differs by less is equal but for the order of summation


@dataclass(frozen=True)
class PairedTest:
    """A test of two systems on shared speakers; all but `num_speakers` may be NaN."""

    num_speakers: int
    difference: float  # score(first) - score(second), pooled over speakers, mean over seeds
    p_value: float  # two-sided; NaN for under two speakers
    smallest_p: float  # the smallest p-value that so many speakers can give


def paired_test(
    first: np.ndarray, second: np.ndarray, metric: Metric, rng: np.random.Generator
) -> PairedTest:
    """Test whether the pooled scores of two systems differ, by swapping them speaker by speaker.

    Under the null hypothesis the two systems are exchangeable for every speaker: whose counts
    are whose is a coin toss. Each swap exchanges all the seeds' counts of the chosen speakers,
    pools anew and takes the difference; the p-value is twice the smaller share of swaps, the
    observed one among them, whose difference is at least as high, or as low. Each swap has an
    opposite, so of all 2^P this is the share that is as far from zero. All are tried if they are
    at most 10,000, else 10,000 random ones, with 1 added to both counts of a share.

    Which seed of one system meets which of the other in a swapped pool is arbitrary, so the score
    is the mean over all S1 x S2 pairs of seeds; unswapped this is the mean over seeds, as
    `paired_difference` has it. With S1 = S2 the test is exact. With different numbers the counts
    of the two are no longer exchangeable: their means over seeds agree under the null hypothesis,
    but not their spread. The test then holds exactly if each speaker's difference is symmetric
    around zero, and approximately for many speakers.

    Speakers count as independent. If a fold tests several, they share the luck of its network and
    p comes out too small: give such counts summed by fold, with folds in the place of speakers.

    Args:
        first: (S1, P, K, K) counts of one system.
        second: (S2, P, K, K) counts of the other, the same speakers in the same order; speakers
            that one of the two lacks in any of its seeds are left out of both.
        metric: from pooled counts (..., K, K) to scores (...).
        rng: draws the swaps if there are too many to try all.

    Source: Phipson and Smyth 2010, "Permutation p-values should never be zero".
    """
    both = shared_speakers(first, second)
    first, second = first[:, both], second[:, both]
    num_speakers = int(both.sum())
    if num_speakers == 0:
        return PairedTest(0, nan, nan, nan)

    def difference(ours: np.ndarray, theirs: np.ndarray, axis: int = -1) -> np.ndarray:
        """Score two assignments: (..., P) numbers, p of first and P + p of second -> (...)."""
        assert axis in (-1, ours.ndim - 1)
        swapped = ours >= num_speakers  # `theirs` is the other half
        one, other = (first, second), (second, first)
        return np.round(_score(*one, swapped, metric) - _score(*other, swapped, metric), _DIGITS)

    ours = np.arange(num_speakers)
    observed = float(difference(ours, ours + num_speakers))
    if num_speakers == 1:
        return PairedTest(1, observed, nan, nan)
    bytes_per_swap = 8 * max(num_speakers, len(first) * len(second) * first.shape[-1] ** 2)
    tested = permutation_test(
        (ours, ours + num_speakers),
        difference,
        permutation_type="samples",
        vectorized=True,
        n_resamples=NUM_SWAPS,
        batch=max(1, int(_BATCH_BYTES / bytes_per_swap)),
        rng=rng,
    )
    all_swaps = 2**num_speakers
    return PairedTest(
        num_speakers,
        observed,
        float(tested.pvalue),
        2 / (all_swaps if all_swaps <= NUM_SWAPS else NUM_SWAPS + 1),
    )


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Adjust the p-values of one family of comparisons by Holm's step-down method.

    Args:
        p_values: of M tests; NaN is no test: it stays, and the others are not adjusted for it.

    Returns:
        (M,) adjusted p-values, to be held against the level of the whole family.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    adjusted = np.array(p_values, dtype=float)
    tests = ~np.isnan(adjusted)
    if tests.any():
        adjusted[tests] = multipletests(adjusted[tests], method="holm")[1]
    return adjusted


def _score(own: np.ndarray, other: np.ndarray, swapped: np.ndarray, metric: Metric) -> np.ndarray:
    """Score `own` with the swapped speakers taken from `other`, mean over all pairs of seeds.

    Args:
        own, other: (S1, P, K, K), (S2, P, K, K) counts.
        swapped: (..., P) booleans.

    Returns:
        (...) scores.
    """
    # float: products of integers bypass BLAS; counts stay exact
    stays = np.tensordot((~swapped).astype(float), own, axes=(-1, 1))  # (..., S1, K, K)
    comes = np.tensordot(swapped.astype(float), other, axes=(-1, 1))  # (..., S2, K, K)
    scores = metric(stays[..., :, None, :, :] + comes[..., None, :, :, :])  # (..., S1, S2)
    return scores.mean((-2, -1))
