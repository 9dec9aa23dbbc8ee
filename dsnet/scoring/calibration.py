"""How honest a run's posteriors are, as sums that can be added up over folds.

Axes: N utterances, K classes, M bins of confidence.

A temperature is fitted on the validation utterances of each run, so the test has no part in it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dsnet.scoring.probabilities import (
    Reliability,
    apply_temperature,
    brier_score,
    calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability,
)

VARIANTS = ("raw", "scaled")  # as the system gives them; with the temperature


def measure(
    dev_posteriors: np.ndarray,
    dev_labels: np.ndarray,
    test_posteriors: np.ndarray,
    test_labels: np.ndarray,
) -> dict[str, Any]:
    """Measure one run; posteriors are (N, K), labels (N,) class indices.

    Returns:
        `temperature`, and for each of VARIANTS sums over the test utterances: `count`,
        `confidence` and `hits` by bin (M,), `brier` and `nll`. JSON can hold it.
    """
    temperature = fit_temperature(dev_posteriors, dev_labels)
    scaled = apply_temperature(test_posteriors, temperature)
    return {
        "temperature": round(temperature, 4),
        "raw": _sums(test_posteriors, test_labels),
        "scaled": _sums(scaled, test_labels),
    }


def _sums(posteriors: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    bins = reliability(posteriors, labels)
    confidence, hits = (np.nan_to_num(v) * bins.count for v in (bins.confidence, bins.accuracy))
    return {
        "count": bins.count.tolist(),
        "confidence": np.round(confidence, 4).tolist(),
        "hits": np.rint(hits).astype(int).tolist(),
        "brier": round(len(labels) * brier_score(posteriors, labels), 4),
        "nll": round(len(labels) * negative_log_likelihood(posteriors, labels), 4),
    }


def pool(runs: Sequence[tuple[int, dict[str, Any]]]) -> dict[str, Any]:
    """Pool the runs of a system over folds for each seed, then take the mean over seeds.

    Args:
        runs: seed and `measure` of each.

    Returns:
        `temperatures`, sorted; for each of VARIANTS `ece`, `brier`, `nll`, and for a diagram the
        `count`, `confidence` and `hits` of all runs by bin.
    """
    seeds = sorted({seed for seed, _ in runs})
    pooled: dict[str, Any] = {
        "temperatures": sorted(measured["temperature"] for _, measured in runs)
    }
    for variant in VARIANTS:
        by_seed = [_add([m[variant] for s, m in runs if s == seed]) for seed in seeds]
        scores = [_scores(sums) for sums in by_seed]
        bins = _add(by_seed)
        pooled[variant] = {
            name: float(np.mean([score[name] for score in scores])) for name in scores[0]
        } | {name: bins[name].tolist() for name in ("count", "confidence", "hits")}
    return pooled


def _add(sums: Sequence[dict[str, Any]]) -> dict[str, np.ndarray]:
    return {name: np.sum([one[name] for one in sums], axis=0) for name in sums[0]}


def _scores(sums: dict[str, np.ndarray]) -> dict[str, float]:
    total = sums["count"].sum()
    with np.errstate(invalid="ignore"):
        means = (sums[name] / sums["count"] for name in ("confidence", "hits"))
        bins = Reliability(sums["count"], *means)
    return {
        "ece": calibration_error(bins),
        "brier": float(sums["brier"] / total),
        "nll": float(sums["nll"] / total),
    }
