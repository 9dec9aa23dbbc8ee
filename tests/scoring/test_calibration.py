"""Sums over folds against the same measures of all utterances at once."""

import json

import numpy as np
import pytest

from dsnet.scoring.calibration import measure, pool
from dsnet.scoring.probabilities import (
    apply_temperature,
    brier_score,
    calibration_error,
    negative_log_likelihood,
    reliability,
)


@pytest.fixture
def folds():
    """Two folds of 40 test utterances in 3 classes: posteriors and labels for dev and test."""
    rng = np.random.default_rng(0)

    def part():
        return rng.dirichlet(np.ones(3), 40), rng.integers(0, 3, 40)

    return [(*part(), *part()) for _ in range(2)]


def test_folds_are_pooled_as_if_they_were_one(folds):
    measured = [measure(*fold) for fold in folds]
    pooled = pool([(1, one) for one in measured])
    labels = np.concatenate([fold[3] for fold in folds])
    raw = np.concatenate([fold[2] for fold in folds])
    scaled = np.concatenate(
        [apply_temperature(f[2], m["temperature"]) for f, m in zip(folds, measured, strict=True)]
    )
    for variant, posteriors in (("raw", raw), ("scaled", scaled)):
        scores = pooled[variant]
        assert scores["ece"] == pytest.approx(
            calibration_error(reliability(posteriors, labels)), abs=1e-4
        )
        assert scores["brier"] == pytest.approx(brier_score(posteriors, labels), abs=1e-4)
        expected = negative_log_likelihood(posteriors, labels)
        assert scores["nll"] == pytest.approx(expected, abs=1e-3)
        assert sum(scores["count"]) == 80
    assert pooled["temperatures"] == sorted(one["temperature"] for one in measured)


def test_seeds_are_averaged_not_pooled(folds):
    one, other = (measure(*fold) for fold in folds)
    both = pool([(1, one), (2, other)])
    alone = [pool([(1, fold)])["raw"]["ece"] for fold in (one, other)]
    assert both["raw"]["ece"] == pytest.approx(np.mean(alone))


def test_json_can_hold_it(folds):
    measured = measure(*folds[0])
    assert json.loads(json.dumps(measured, allow_nan=False)) == measured
