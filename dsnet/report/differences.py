"""Each system against its control: interval, permutation test, Holm's correction.

A control is a system whose name starts with CONTROL: about the capacity of DSNet, trained with the
classification loss alone.

Axes: S seeds, P speakers, F folds, K classes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from dsnet.scoring import metrics
from dsnet.scoring.significance import holm, paired_test
from dsnet.scoring.statistics import paired_difference

CONTROL = "base_matched"


def stem(system: str) -> str:
    """Return what stands before @ or a bracket (changes), - (other clips), + (another system)."""
    return re.split(r"[@+-]| \(", system)[0]


def controls_of(system: str, names: Sequence[str]) -> list[str]:
    """Return the systems to compare one with.

    Of several controls it is the one with the longest ending (such as _small in
    base_matched_small) that the system's name has too; if there is none, the one with the
    shortest name, but a control is compared with another only for its ending.
    """
    controls = [name for name in names if name.startswith(CONTROL) and name != system]
    endings = {name: name.removeprefix(CONTROL) for name in controls}
    fitting = [n for n in controls if any(x.endswith(endings[n]) for x in (system, stem(system)))]
    if fitting:
        return [max(fitting, key=lambda name: len(endings[name]))]
    return [] if system.startswith(CONTROL) or not controls else [min(controls, key=len)]


def compare(
    confusions: Mapping[str, Mapping[str, np.ndarray]],
    headline: Mapping[str, str],
    fold_of: np.ndarray,
    seed: int,
) -> list[dict[str, Any]]:
    """Compare every system with its control by UAR.

    Args:
        confusions: for each scoring and system (S, P, K, K) counts.
        headline: for each system the scoring that counts for it; its control's counts are of the
            same.
        fold_of: (P,) which fold tests each speaker, in [0, F). The test exchanges whole folds:
            speakers of one fold share the luck of its network.
        seed: of the bootstrap and the permutation test.

    Returns:
        For each pair the difference in UAR with its interval, `p_value`, `adjusted_p` (by Holm
        over all comparisons of the page, whatever their control), `smallest_p` and
        `num_units` (folds), NaN where there are too few.
    """
    names = list(headline)
    found = []
    for system in names:
        for control in controls_of(system, names):
            pair = [confusions[headline[system]][name] for name in (system, control)]
            interval = paired_difference(*pair, metrics.uar, np.random.default_rng(seed))
            by_fold = [_by_fold(counts, fold_of) for counts in pair]
            tested = paired_test(*by_fold, metrics.uar, np.random.default_rng(seed))
            found.append(
                {
                    "system": system,
                    "control": control,
                    "scoring": headline[system],
                    **asdict(interval),
                    "p_value": tested.p_value,
                    "smallest_p": tested.smallest_p,
                    "num_units": tested.num_speakers,
                }
            )
    adjusted = holm([pair["p_value"] for pair in found])
    for pair, value in zip(found, adjusted, strict=True):
        pair["adjusted_p"] = value
    return found


def _by_fold(confusions: np.ndarray, fold_of: np.ndarray) -> np.ndarray:
    """Add up the speakers of each fold, (S, P, K, K) -> (S, F, K, K)."""
    membership = fold_of == np.arange(fold_of.max() + 1)[:, None]  # (F, P)
    return np.einsum("fp,spij->sfij", membership.astype(int), confusions)
