"""Recalls, UAR, WAR and F1 from confusion matrices.

Axes: K classes; `...` any leading axes (seeds, resamples), so that a bootstrap is one call.
A class is present if an utterance has it as its label; what a network predicts does not matter.
"""

import numpy as np


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """Count the pairs of true and predicted class.

    The class indices are the task's, whichever of them occur here, so that matrices of different
    folds can be added.

    Args:
        labels: (N,) true class indices in [0, num_classes).
        predictions: (N,) predicted class indices in [0, num_classes).
        num_classes: K.

    Returns:
        (K, K) counts; rows are true classes, columns predicted ones. All zero if N = 0.

    Raises:
        ValueError: an index outside [0, num_classes), or different lengths.
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if labels.shape != predictions.shape:
        raise ValueError(f"{labels.shape} labels but {predictions.shape} predictions")
    for name, values in (("label", labels), ("prediction", predictions)):
        strange = values[(values < 0) | (values >= num_classes)]
        if strange.size:
            raise ValueError(f"{name} {strange[0]} is not a class index below {num_classes}")
    pairs = labels.astype(np.int64) * num_classes + predictions.astype(np.int64)
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def class_recalls(confusion: np.ndarray) -> np.ndarray:
    """Return the share of each true class that was found: (..., K, K) -> (..., K).

    NaN for a class without utterances.
    """
    return _ratio(_hits(confusion), confusion.sum(-1))


def uar(confusion: np.ndarray) -> np.ndarray:
    """Return the unweighted average recall, (..., K, K) -> (...).

    The mean is over the classes that are present: an absent class counts neither as 0 nor as 1.
    NaN without any utterance.
    """
    return _mean_over_present(class_recalls(confusion), confusion)


def war(confusion: np.ndarray) -> np.ndarray:
    """Return the weighted average recall, which is the accuracy, (..., K, K) -> (...)."""
    return _ratio(_hits(confusion).sum(-1), confusion.sum((-2, -1)))


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Return the mean F1 over the classes that are present, (..., K, K) -> (...).

    An absent class has no F1 here; predictions of it still cost the true classes their recall.
    Equals scikit-learn's `f1_score(labels=present, average="macro")`.
    """
    return _mean_over_present(_class_f1(confusion), confusion)


def weighted_f1(confusion: np.ndarray) -> np.ndarray:
    """Return the mean F1 weighted by the utterances of each class, (..., K, K) -> (...)."""
    support = confusion.sum(-1)
    return _ratio((np.nan_to_num(_class_f1(confusion)) * support).sum(-1), support.sum(-1))


METRICS = {"uar": uar, "war": war, "macro_f1": macro_f1, "weighted_f1": weighted_f1}


def _class_f1(confusion: np.ndarray) -> np.ndarray:
    return _ratio(2 * _hits(confusion), confusion.sum(-1) + confusion.sum(-2))


def _hits(confusion: np.ndarray) -> np.ndarray:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _mean_over_present(values: np.ndarray, confusion: np.ndarray) -> np.ndarray:
    present = confusion.sum(-1) > 0
    return _ratio(np.where(present, values, 0.0).sum(-1), present.sum(-1))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide; 0 / 0 is NaN without a warning."""
    with np.errstate(invalid="ignore"):
        return np.true_divide(numerator, denominator)
