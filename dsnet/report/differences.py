"""Each row against its control: difference, interval, permutation test, Holm's correction.

Both are scored anew without what either of them was given, so that a comparison depends on no other
row. Only primary comparisons are tested, in one family: what a page tries beside them (changed
configs, tasks, enrolments) is exploratory and has an interval without p.

Axes: A assessments, P speakers, U units that are exchanged, K classes.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from dsnet.results.runs import SystemResults
from dsnet.scoring import metrics
from dsnet.scoring.significance import holm, paired_test
from dsnet.scoring.statistics import paired_difference, shared_speakers

SIGNIFICANT = 0.05


def compare(rows: Sequence[SystemResults], seed: int) -> dict[str, Any]:
    """Compare every row with its control by UAR.

    Args:
        rows: of the page.
        seed: of bootstrap and permutation test.

    Returns:
        `pairs`: what `_compare` returns, and `adjusted_p`; `without_control`: for each row whose
        control is not on the page the system that it is; `family_size`: tests that are corrected
        for each other; `smallest_p`, `smallest_adjusted_p`: the least that they can give.
    """
    pairs, without = [], {}
    for row in rows:
        control = control_of(row, rows)
        if control is not None:
            pairs.append(_compare(row, control, seed))
        elif row.info["control"] is not None:
            without[row.name] = row.info["control"]
    adjusted = holm([pair["p_value"] for pair in pairs])
    for pair, value in zip(pairs, adjusted, strict=True):
        pair["adjusted_p"] = float(value)
    smallest = [pair["smallest_p"] for pair in pairs if not np.isnan(pair["smallest_p"])]
    return {
        "pairs": pairs,
        "without_control": without,
        "family_size": len(smallest),
        "smallest_p": min(smallest, default=None),
        "smallest_adjusted_p": min(1, len(smallest) * min(smallest)) if smallest else None,
    }


def control_of(row: SystemResults, rows: Sequence[SystemResults]) -> SystemResults | None:
    """Return the row that one is compared with; None if it has no control here.

    It is the control's own enrolment on the same corpora, under the same changes of the task and
    the same normalisation of the tested corpus; if it was not run under these, without them.
    """

    def fits(other: SystemResults) -> bool:
        ours, theirs = row.info, other.info
        return (
            other is not row
            and theirs["system"] == ours["control"]
            and theirs["own_enrolment"]
            and all(theirs[key] == ours[key] for key in ("trained_on", "tested_on"))
            and (theirs["task_changes"] == ours["task_changes"] or not other.other_task)
            and theirs["normalised_by_target"] in ("none", ours["normalised_by_target"])
        )

    def same(other: SystemResults) -> tuple[bool, ...]:
        keys = ("task_changes", "normalised_by_target")
        return tuple(other.info[key] == row.info[key] for key in keys)

    return max(filter(fits, rows), key=same, default=None)


def is_primary(row: SystemResults) -> bool:
    """Say whether a row is a system as its config says, on the page's task and input as it is."""
    info = row.info
    changed = info["changes"] or row.other_task or info["normalised_by_target"] != "none"
    return info["own_enrolment"] and not changed


def _compare(row: SystemResults, control: SystemResults, seed: int) -> dict[str, Any]:
    """Return the difference of pooled UAR on the speakers that both have, and what it is of.

    Returns:
        `estimate`, `low` and `high` of the difference over the seeds that both have, `by_seed` that
        of each (nothing of an ensemble, which is of several), `uar` and `control_uar`, `by_speaker`
        those of each speaker, mean over seeds; `p_value` and `smallest_p`, NaN unless `primary` or
        for too few units.
    """
    excluded = row.given | control.given
    row, control = _of_shared_seeds(row, control)
    ours, theirs = (one.confusions(excluded) for one in (row, control))  # (A, P, K, K)
    difference = paired_difference(ours, theirs, metrics.uar, np.random.default_rng(seed))
    shared = shared_speakers(ours, theirs)
    ours, theirs = ours[:, shared], theirs[:, shared]
    one_model = row.across or len(row.test_set.folds) == 1
    by_unit = (ours, theirs) if one_model else _by_fold(row, shared, ours, theirs)
    unknown = row.test_set.task.unknown_speakers
    pair = {
        "system": row.name,
        "control": control.name,
        "primary": is_primary(row),
        "num_utterances": int(ours.sum((1, 2, 3)).max(initial=0)),
        "absent_classes": [
            name for k, name in enumerate(row.test_set.classes) if not ours[:, :, k].any()
        ],
        "uar": float(metrics.uar(ours.sum(1)).mean()),
        "control_uar": float(metrics.uar(theirs.sum(1)).mean()),
        **asdict(difference),
        "by_seed": _by_seed(row, control, ours, theirs),
        "by_speaker": {
            speaker: {"control": theirs_of, "system": ours_of}
            for speaker, theirs_of, ours_of in zip(
                np.array(row.test_set.speakers)[shared].tolist(),
                metrics.uar(theirs).mean(0).tolist(),
                metrics.uar(ours).mean(0).tolist(),
                strict=True,
            )
            if speaker not in unknown
        },
        "unit": "speaker" if one_model else "fold",
        "num_units": by_unit[0].shape[1],
        "p_value": np.nan,
        "smallest_p": np.nan,
    }
    if pair["primary"]:
        tested = paired_test(*by_unit, metrics.uar, np.random.default_rng(seed))
        pair |= {"p_value": tested.p_value, "smallest_p": tested.smallest_p}
    return pair


def _of_shared_seeds(
    row: SystemResults, control: SystemResults
) -> tuple[SystemResults, SystemResults]:
    """Return both with the runs of the seeds that both have; with all if they have none in common.

    Seeds differ by more than most systems do, so one seed does not meet the mean of three. An
    ensemble has the seeds of those of its members that are its control.
    """
    own = set(row.seeds)
    if row.info["members"]:
        named = control.info["system"]
        own = {member["seed"] for member in row.info["members"] if member["system"] == named}
    shared = own & set(control.seeds)
    if not shared:
        return row, control
    kept = [
        one
        if one.info["members"]
        else replace(one, runs=[run for run in one.runs if run.seed in shared])
        for one in (row, control)
    ]
    return kept[0], kept[1]


def _by_seed(
    row: SystemResults, control: SystemResults, ours: np.ndarray, theirs: np.ndarray
) -> dict[str, float]:
    """Return the difference of each seed that both have, from counts (A, P, K, K) of each."""
    if row.info["members"] or control.info["members"]:
        return {}
    means = []
    for one, counts in ((row, ours), (control, theirs)):
        uars = metrics.uar(counts.sum(1))
        seeds = np.array([seed for seed, *_ in one.assessments])
        means.append({seed: uars[seeds == seed].mean() for seed in np.unique(seeds)})
    shared = sorted(means[0].keys() & means[1].keys())
    return {str(seed): float(means[0][seed] - means[1][seed]) for seed in shared}


def _by_fold(row: SystemResults, shared: np.ndarray, *counts: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return counts (A, P, K, K) of the `shared` speakers summed by fold, (A, U, K, K).

    Within a corpus the speakers of a fold are exchanged together, since they share the luck of its
    network; where one network tests all speakers it is each alone.
    """
    test = row.test_set
    owners = [{test.task.utt2spk[utt] for utt in fold.test} for fold in test.folds.values()]
    units = np.array([[speaker in own for speaker in test.speakers] for own in owners])[:, shared]
    units = units[units.any(1)]  # (U, P)
    return tuple(np.einsum("up,apij->auij", units.astype(int), c) for c in counts)
