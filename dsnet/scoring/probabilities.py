"""Are posteriors honest probabilities: calibration error, Brier score, likelihood, temperature.

Axes: N utterances, K classes, M = 15 bins of confidence.

Everywhere, posteriors are (N, K) rows that sum to 1 up to the 6 digits of posteriors.tsv (they are
normalised here), and labels are (N,) class indices.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.metrics import brier_score_loss, log_loss

from dsnet.errors import ScoringError

NUM_BINS = 15  # as Guo et al. 2017
LEAST, MOST = 0.05, 20.0  # temperatures that are tried
_FLOOR = np.finfo(float).tiny  # a smaller posterior may have become 0 in a double


@dataclass(frozen=True)
class Reliability:
    """Utterances by confidence, the posterior of the recognised class; each array is (M,).

    Bin m holds confidences in (m / M, (m + 1) / M].
    """

    count: np.ndarray  # utterances
    confidence: np.ndarray  # their mean confidence; NaN in an empty bin
    accuracy: np.ndarray  # share of them that is right; NaN in an empty bin


def reliability(posteriors: np.ndarray, labels: np.ndarray) -> Reliability:
    """Group utterances by confidence: honest posteriors have accuracy = confidence in every bin.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", section 2.
    """
    posteriors, labels = _checked(posteriors, labels)
    confidence = posteriors.max(1)
    right = posteriors.argmax(1) == labels
    edges = np.linspace(0, 1, NUM_BINS + 1)
    bins = np.digitize(confidence, edges[1:-1], right=True)
    count, summed, hits = (
        np.bincount(bins, weights, NUM_BINS) for weights in (None, confidence, right)
    )
    with np.errstate(invalid="ignore"):
        return Reliability(count, summed / count, hits / count)


def calibration_error(bins: Reliability) -> float:
    """Return the expected calibration error: the mean over utterances of their bin's |gap|.

    In [0, 1]. It looks at the recognised class only. Honest posteriors of few utterances are above
    0 by chance, so compare it between systems on the same utterances.

    Source: Guo et al. 2017, equation 3.
    """
    gaps = np.abs(bins.accuracy - bins.confidence)
    return float(np.nansum(bins.count * gaps) / bins.count.sum())


def brier_score(posteriors: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean squared distance of the posteriors to the one-hot label, in [0, 2].

    The sum is over all classes, also for two (where a half of it is customary).

    Source: Brier 1950, "Verification of forecasts expressed in terms of probability".
    """
    posteriors, labels = _checked(posteriors, labels)
    classes = np.arange(posteriors.shape[1])
    return brier_score_loss(labels, posteriors, labels=classes, scale_by_half=False)


def negative_log_likelihood(posteriors: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean negative log posterior of the label, in nats.

    scikit-learn floors posteriors at 2.2e-16, so no utterance costs more than 36 nats.
    """
    posteriors, labels = _checked(posteriors, labels)
    return log_loss(labels, posteriors, labels=np.arange(posteriors.shape[1]))


def fit_temperature(dev_posteriors: np.ndarray, dev_labels: np.ndarray) -> float:
    """Return the temperature that makes validation labels most likely.

    Over 1: the network is too sure. The posteriors are all that it takes: their logs are the
    logits but for a constant per utterance, which the softmax ignores. Zeros are floored at the
    smallest normal double, 2.2e-308. The likelihood has one maximum; where it lies outside
    [0.05, 20] (no error in validation, or no better than chance) the result is the nearer bound.

    Source: Guo et al. 2017, section 4.2.
    """
    posteriors, labels = _checked(dev_posteriors, dev_labels)
    logits = _logits(posteriors)
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        return -log_softmax(logits / np.exp(log_temperature), axis=1)[rows, labels].mean()

    fit = minimize_scalar(loss, bounds=np.log([LEAST, MOST]), method="bounded")
    return float(np.exp(fit.x))


def apply_temperature(posteriors: np.ndarray, temperature: float) -> np.ndarray:
    """Return softmax(logits / temperature), (N, K); the recognised class stays the same."""
    return softmax(_logits(posteriors) / temperature, axis=1)


def _logits(posteriors: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(posteriors, _FLOOR))


def _checked(posteriors: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as arrays, rows normalised.

    Raises:
        ScoringError: no utterance, or labels that do not belong to the posteriors.
    """
    posteriors, labels = np.asarray(posteriors), np.asarray(labels)
    if not len(posteriors) or labels.shape != posteriors.shape[:1]:
        raise ScoringError(
            f"expected posteriors (N, K) and labels (N,) of at least one utterance, found "
            f"{posteriors.shape} and {labels.shape}: is the test or validation list empty?"
        )
    num_classes = posteriors.shape[1]
    strange = labels[(labels < 0) | (labels >= num_classes)]
    if strange.size:
        raise ScoringError(
            f"label {strange[0]} is not a class index below {num_classes}, the number of "
            "posteriors; do labels and posteriors come from the same task?"
        )
    return posteriors / posteriors.sum(1, keepdims=True), labels
