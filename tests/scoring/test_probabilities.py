"""Calibration against tables by hand, scikit-learn and labels drawn from the posteriors."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression

from dsnet.errors import ScoringError
from dsnet.scoring.probabilities import (
    apply_temperature,
    brier_score,
    calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability,
)

#                      posteriors, label    confidence  right  bin of 1/15
BY_HAND = [
    ([0.50, 0.30, 0.20], 0),  #             0.50        yes    7 (0.467 to 0.533)
    ([0.10, 0.52, 0.38], 2),  #             0.52        no     7
    ([0.05, 0.05, 0.90], 2),  #             0.90        yes    13 (0.867 to 0.933)
    ([1.00, 0.00, 0.00], 0),  #             1.00        yes    14
]
POSTERIORS = np.array([row for row, _ in BY_HAND])
LABELS = np.array([label for _, label in BY_HAND])


def drawn(logits, rng):
    """Return labels that follow softmax(logits): the largest logit plus Gumbel noise."""
    return (logits + rng.gumbel(size=logits.shape)).argmax(1)


@pytest.fixture
def simulated():
    """Logits of 20,000 utterances and 4 classes, with labels that follow their softmax."""
    rng = np.random.default_rng(0)
    logits = 2 * rng.standard_normal((20_000, 4))
    return logits, drawn(logits, rng)


def test_table_by_hand():
    bins = reliability(POSTERIORS, LABELS)
    filled = [7, 13, 14]
    assert bins.count.tolist() == [0] * 7 + [2] + [0] * 5 + [1, 1]
    assert bins.confidence[filled] == pytest.approx([0.51, 0.9, 1.0])
    assert bins.accuracy[filled] == pytest.approx([0.5, 1.0, 1.0])
    assert np.isnan(bins.accuracy[:7]).all() and np.isnan(bins.confidence[:7]).all()
    assert calibration_error(bins) == pytest.approx((2 * 0.01 + 0.1 + 0) / 4)
    distances = [0.25 + 0.09 + 0.04, 0.01 + 0.2704 + 0.3844, 0.0025 + 0.0025 + 0.01, 0]
    assert brier_score(POSTERIORS, LABELS) == pytest.approx(sum(distances) / 4)
    likelihood = 0.50 * 0.38 * 0.90 * 1.00
    assert negative_log_likelihood(POSTERIORS, LABELS) == pytest.approx(-np.log(likelihood) / 4)


def test_a_confidence_on_an_edge_is_in_the_bin_below():
    undecided = np.full((1, 5), 0.2)  # 3/15
    assert reliability(undecided, np.array([0])).count.nonzero()[0].tolist() == [2]


def test_brier_of_two_classes_is_not_halved():
    assert brier_score(np.array([[0.2, 0.8]]), np.array([0])) == pytest.approx(2 * 0.64)


def test_classes_without_a_label_count():
    # A validation speaker may lack a class: class 2 is never a label here.
    posteriors = np.array([[0.6, 0.2, 0.2], [0.2, 0.6, 0.2]])
    assert negative_log_likelihood(posteriors, np.array([0, 0])) == pytest.approx(
        -np.log(0.6 * 0.2) / 2
    )
    assert brier_score(posteriors, np.array([0, 0])) == pytest.approx((0.24 + 1.04) / 2)


def test_bins_agree_with_scikit_learn(simulated):
    logits, labels = simulated
    posteriors = softmax(logits, axis=1)
    accuracy, confidence = calibration_curve(
        posteriors.argmax(1) == labels, posteriors.max(1), n_bins=15, strategy="uniform"
    )
    bins = reliability(posteriors, labels)
    filled = bins.count > 0
    assert bins.accuracy[filled] == pytest.approx(accuracy)
    assert bins.confidence[filled] == pytest.approx(confidence)


def test_honest_posteriors_have_no_calibration_error_and_temperature_1(simulated):
    logits, labels = simulated
    posteriors = softmax(logits, axis=1)
    assert calibration_error(reliability(posteriors, labels)) < 0.01
    assert fit_temperature(posteriors, labels) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("factor", [3.0, 0.5])
def test_temperature_undoes_a_factor_of_the_logits(simulated, factor):
    logits, labels = simulated
    honest, scaled = softmax(logits, axis=1), softmax(factor * logits, axis=1)
    temperature = fit_temperature(scaled, labels)
    assert temperature == pytest.approx(factor, rel=0.03)
    assert calibration_error(reliability(scaled, labels)) > 0.08
    assert calibration_error(reliability(apply_temperature(scaled, temperature), labels)) < 0.01
    assert apply_temperature(scaled, factor) == pytest.approx(honest)


@pytest.mark.filterwarnings("error")  # scikit-learn warns of rows that do not sum to 1
def test_six_digits_are_enough(simulated):
    logits, labels = simulated
    exact = softmax(5 * logits[:2000], axis=1)
    written = np.array([[float(f"{p:.6g}") for p in row] for row in exact])
    assert fit_temperature(written, labels[:2000]) == pytest.approx(
        fit_temperature(exact, labels[:2000]), rel=1e-4
    )
    assert apply_temperature(written, 5) == pytest.approx(apply_temperature(exact, 5), abs=1e-5)

    def error(posteriors, labels):
        return calibration_error(reliability(posteriors, labels))

    for score in (brier_score, negative_log_likelihood, error):
        assert score(written, labels[:2000]) == pytest.approx(score(exact, labels[:2000]), abs=1e-5)


def test_temperature_of_two_classes_is_that_of_a_logistic_regression(simulated):
    # P(class 1) = sigmoid(slope * (log p1 - log p0)), no intercept: the slope is 1 / T.
    logits, _ = simulated
    logits = logits[:500, :2]
    labels = drawn(logits / 1.7, np.random.default_rng(1))
    posteriors = softmax(logits, axis=1)
    model = LogisticRegression(C=1e12, fit_intercept=False, tol=1e-8)
    model.fit(logits[:, 1:] - logits[:, :1], labels)
    assert fit_temperature(posteriors, labels) == pytest.approx(1 / model.coef_[0, 0], rel=1e-3)


@pytest.mark.parametrize("temperature", [0.05, 0.5, 1.0, 20.0])
def test_temperature_changes_no_decision(simulated, temperature):
    posteriors = softmax(simulated[0], axis=1)
    after = apply_temperature(posteriors, temperature)
    assert (after.argmax(1) == posteriors.argmax(1)).all()
    assert after.sum(1) == pytest.approx(np.ones(len(after)))
    if temperature == 1:
        assert after == pytest.approx(posteriors)


def test_zeros_stay_finite():
    posteriors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    labels = np.array([0, 1, 1])  # one of three is surely wrong
    temperature = fit_temperature(posteriors, labels)
    assert temperature == pytest.approx(20, rel=1e-3)
    assert np.isfinite(apply_temperature(posteriors, temperature)).all()
    assert negative_log_likelihood(posteriors, labels) == pytest.approx(52 * np.log(2) / 3)


def test_validation_without_an_error_has_the_lowest_temperature():
    posteriors = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert fit_temperature(posteriors, np.array([0, 1])) == pytest.approx(0.05, rel=1e-3)


@pytest.mark.parametrize(
    "posteriors, labels, message",
    [
        (np.zeros((0, 3)), [], "at least one utterance"),
        (POSTERIORS, [0, 1], r"found \(4, 3\) and \(2,\)"),
        (POSTERIORS, [0, 1, 2, 3], "label 3 is not a class index below 3"),
    ],
)
def test_labels_that_do_not_fit_are_an_error(posteriors, labels, message):
    for score in (reliability, brier_score, negative_log_likelihood, fit_temperature):
        with pytest.raises(ScoringError, match=message):
            score(posteriors, np.array(labels))
