import numpy as np
import pytest

from dsnet.errors import ScoringError
from dsnet.results.held_out import HeldOut
from dsnet.scoring.probabilities import apply_temperature
from dsnet.scoring.rejection import risk_curve, threshold


def posteriors_of(confidences, right):
    """Two classes; the label is the first."""
    return np.array(
        [[c, 1 - c] if ok else [1 - c, c] for c, ok in zip(confidences, right, strict=True)]
    )


def test_a_curve_by_hand():
    posteriors = posteriors_of([0.6, 0.9, 0.8, 0.7], [False, True, False, True])
    curve = risk_curve(posteriors, np.zeros(4, dtype=int))
    assert curve["confidence"] == [0.9, 0.8, 0.7, 0.6]
    assert curve["error"] == [0, 0.5, 0.333333, 0.5]
    assert threshold(curve, 0.4) == 0.7
    assert threshold(curve, 0.0) == 0.9
    assert threshold(curve, 0.5) == 0  # all of them
    assert threshold({"confidence": [0.9], "error": [0.5]}, 0.4) is None


def test_answers_that_are_equally_sure_are_given_together():
    """Of ten whose confidence is 1, the last three are wrong: no share of them can be chosen."""
    posteriors = posteriors_of([1.0] * 10 + [0.8000006], [True] * 7 + [False] * 3 + [True])
    curve = risk_curve(posteriors, np.zeros(11, dtype=int))
    assert curve["confidence"] == [1.0, 0.8] and curve["error"] == [0.3, 0.272727]
    assert threshold(curve, 0.1) is None
    assert threshold(curve, 0.3) == 0.0


def test_a_long_curve_is_thinned_and_keeps_its_end():
    rng = np.random.default_rng(0)
    confidences, right = rng.uniform(0.5, 1, 5000), rng.random(5000) < 0.7
    curve = risk_curve(posteriors_of(confidences, right), np.zeros(5000, dtype=int))
    assert len(curve["error"]) == 200
    assert curve["error"][-1] == pytest.approx(1 - right.mean())
    assert curve["confidence"][-1] == pytest.approx(confidences.min(), abs=1e-6)


def make(num_speakers=6, each=200, sharpness=3.0, seed=0):
    """Logits whose softmax is honest, made `sharpness` times too sure; a fold a speaker."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (num_speakers * each, 4))
    honest = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([rng.choice(4, p=p) for p in honest])
    folds = np.repeat([f"f{k}" for k in range(num_speakers)], each)
    return HeldOut(
        runs=[],
        posteriors=apply_temperature(honest, 1 / sharpness),
        labels=labels,
        speakers=folds,
        folds=folds,
        seeds=np.ones(len(labels), dtype=int),
    )


def test_the_temperature_undoes_what_made_it_too_sure():
    held = make(sharpness=3.0)
    assert held.temperature == pytest.approx(3.0, rel=0.15)
    assert held.results["ece_raw"] > 0.15
    assert held.results["ece"] < 0.05


def test_rejecting_keeps_about_the_error_rate_that_is_wanted():
    results = make(each=1000).results
    entry = next(e for e in results["reject"] if e["target"] == 0.2)
    assert entry["error"] == pytest.approx(0.2, abs=0.03)
    assert 0 < entry["answered"] < 1


def test_what_a_fold_is_measured_with_was_fitted_to_the_others():
    """A fold whose labels are turned round cannot make its own thresholds."""
    held = make()
    own = held.folds == "f0"
    turned = HeldOut(
        [], held.posteriors, np.where(own, (held.labels + 1) % 4, held.labels),
        held.speakers, held.folds, held.seeds,
    )  # fmt: skip
    assert turned.results["reject"][0]["error"] > held.results["reject"][0]["error"]
    assert turned.results["uar"]["estimate"] < held.results["uar"]["estimate"]


def test_one_fold_alone_is_refused():
    held = make(num_speakers=2)
    own = held.folds == "f0"
    with pytest.raises(ScoringError, match="one fold alone"):
        HeldOut(
            [], held.posteriors[own], held.labels[own], held.speakers[own], held.folds[own],
            held.seeds[own],
        )  # fmt: skip
