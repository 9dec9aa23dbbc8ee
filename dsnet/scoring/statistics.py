"""How far a score would move with other speakers: a bootstrap over speakers.

Axes: S seeds, P speakers, K classes.

Utterances of one voice stand or fall together, so whole speakers are drawn with replacement and
their utterances pooled. Every speaker's confusion matrix is enough for that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import nan

import numpy as np
from scipy.stats import bootstrap

NUM_RESAMPLES = 10_000
LEVEL = 0.95
MIN_SPEAKERS = 5  # that an interval needs: of fewer there are too few different resamples
_BATCH_BYTES = 1e8  # memory of the resamples that are computed at once

Metric = Callable[[np.ndarray], np.ndarray]  # (..., K, K) -> (...)


@dataclass(frozen=True)
class Interval:
    """An estimate and its percentile interval; `low` and `high` are NaN under MIN_SPEAKERS."""

    estimate: float
    low: float
    high: float


def speaker_interval(confusions: np.ndarray, metric: Metric, rng: np.random.Generator) -> Interval:
    """Return a pooled score, mean over seeds, with its interval over speakers.

    The seeds share each resample; they are not resampled themselves, so the interval is about
    other speakers, not about other seeds.

    Args:
        confusions: (S, P, K, K) counts; a speaker without any utterance is left out.
        metric: from pooled counts (..., K, K) to scores (...).
        rng: draws the speakers.
    """
    confusions = confusions[:, _has_data(confusions)]
    return _interval([(1, confusions)], metric, rng)


def paired_difference(
    first: np.ndarray, second: np.ndarray, metric: Metric, rng: np.random.Generator
) -> Interval:
    """Return score(first) - score(second) with its interval; both see the same resamples.

    Args:
        first: (S1, P, K, K) counts of one system.
        second: (S2, P, K, K) counts of the other, the same speakers in the same order; speakers
            that one of the two lacks in any of its seeds are left out of both.
        metric: from pooled counts (..., K, K) to scores (...).
        rng: draws the speakers.
    """
    both = shared_speakers(first, second)
    return _interval([(1, first[:, both]), (-1, second[:, both])], metric, rng)


def shared_speakers(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Say which speakers every seed of both systems has: (S1, P, K, K), (S2, P, K, K) -> (P,)."""
    return (np.concatenate([first, second]).sum((-2, -1)) > 0).all(0)


def _has_data(confusions: np.ndarray) -> np.ndarray:
    return confusions.sum((0, 2, 3)) > 0


def _interval(
    signed: list[tuple[int, np.ndarray]], metric: Metric, rng: np.random.Generator
) -> Interval:
    """Bootstrap a signed sum of pooled scores, each the mean over the seeds of its counts."""

    def score(speakers: np.ndarray, axis: int = -1) -> np.ndarray:
        """Pool the drawn speakers, (..., P) indices -> (...); scipy puts them on the last axis."""
        assert axis in (-1, speakers.ndim - 1)
        times = _times_drawn(speakers)
        total = np.zeros(speakers.shape[:-1])
        for sign, confusions in signed:
            by_seed = [metric(np.tensordot(times, counts, axes=1)) for counts in confusions]
            total += sign * np.nanmean(by_seed, axis=0)  # NaN: a seed lacks all that were drawn
        return total

    num_speakers = signed[0][1].shape[1]
    if num_speakers == 0:
        return Interval(nan, nan, nan)
    speakers = np.arange(num_speakers)
    estimate = float(score(speakers))
    if num_speakers < MIN_SPEAKERS:
        return Interval(estimate, nan, nan)
    bytes_per_resample = 8 * max(num_speakers, signed[0][1].shape[-1] ** 2)
    interval = bootstrap(
        (speakers,),
        score,
        n_resamples=NUM_RESAMPLES,
        batch=max(1, int(_BATCH_BYTES / bytes_per_resample)),
        confidence_level=LEVEL,
        method="percentile",
        vectorized=True,
        rng=rng,
    ).confidence_interval
    return Interval(estimate, float(interval.low), float(interval.high))


def _times_drawn(speakers: np.ndarray) -> np.ndarray:
    """Count how often each of P speakers was drawn: (..., P) indices -> (..., P).

    As float: products of integers bypass BLAS; counts stay exact.
    """
    num_speakers = speakers.shape[-1]
    rows = speakers.reshape(-1, num_speakers)
    places = (np.arange(len(rows))[:, None] * num_speakers + rows).ravel()
    times = np.bincount(places, minlength=rows.size).astype(float)
    return times.reshape(speakers.shape)
