"""Answers that are too unsure to be given: what share of the others is wrong.

Axes: N utterances, K classes.
"""

from collections.abc import Mapping, Sequence

import numpy as np

MOST_POINTS = 200  # of a curve
DIGITS = 6  # of a confidence


def risk_curve(posteriors: np.ndarray, labels: np.ndarray) -> dict[str, list[float]]:
    """Return `confidence`, falling, and `error`: the share of wrong answers that are as sure.

    Args:
        posteriors: (N, K).
        labels: (N,) class indices.

    Returns:
        At most MOST_POINTS of each; the last is of all utterances. Answers that are equally sure
        are given together. Confidences are rounded down, so that the answer itself is given.
    """
    confidence = posteriors.max(1)
    order = np.argsort(-confidence, kind="stable")
    wrong = (posteriors.argmax(1) != labels)[order]
    error = wrong.cumsum() / np.arange(1, len(wrong) + 1)
    sure = np.floor(confidence[order] * 10**DIGITS) / 10**DIGITS
    last = np.append(sure[1:] < sure[:-1], True).nonzero()[0]  # of those that are equally sure
    ends = np.ceil(np.linspace(0, len(wrong), MOST_POINTS + 1)[1:]).astype(int) - 1
    ends = np.unique(last[np.searchsorted(last, ends)])
    return {
        "confidence": sure[ends].round(DIGITS).tolist(),
        "error": error[ends].round(6).tolist(),
    }


def threshold(curve: Mapping[str, Sequence[float]], error: float) -> float | None:
    """Return the confidence from which on an answer is given.

    Args:
        curve: see `risk_curve`.
        error: the share of given answers that may be wrong.

    Returns:
        The lowest that does; 0 if all answers may be given, None if none does.
    """
    if curve["error"][-1] <= error:
        return 0.0
    able = [c for c, e in zip(curve["confidence"], curve["error"], strict=True) if e <= error]
    return min(able) if able else None
