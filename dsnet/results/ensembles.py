"""Ensembles: one decision of several networks, of several seeds or of several systems.

Axes: R runs, N utterances, K classes.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import log_softmax

from dsnet.scoring.probabilities import apply_temperature, fit_temperature

_TINY = 1e-300  # of a posterior that was rounded to zero


def combine(
    members: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]],
    dev_labels: np.ndarray,
    judged: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the posteriors of an ensemble on validation and test utterances.

    Every run is first brought to its own validation temperature (if anybody validates), so that
    systems which are sure of themselves do not outvote the others; then log posteriors are
    averaged, over the runs of a system and over systems. There is nothing to choose, and test
    labels are not seen.

    Args:
        members: for each system its runs, each with (N_dev, K) and (N_test, K) posteriors.
        dev_labels: (N_dev,) class indices.
        judged: (N_dev,) bool, false for what some member was given.
    """
    systems = []
    for runs in members.values():
        logs = []
        for dev, test in runs:
            temperature = 1.0
            if judged.any():
                temperature = fit_temperature(dev[judged], dev_labels[judged])
            logs.append([_log(apply_temperature(part, temperature)) for part in (dev, test)])
        systems.append([np.mean(part, axis=0) for part in zip(*logs, strict=True)])
    dev, test = (np.mean(part, axis=0) for part in zip(*systems, strict=True))
    return _posteriors(dev), _posteriors(test)


def _log(posteriors: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(posteriors, _TINY))


def _posteriors(logs: np.ndarray) -> np.ndarray:
    return np.exp(log_softmax(logs, axis=1))
