"""Every number of the report, as one nested dict that JSON can hold: what metrics.json is.

Scores are fractions of 1; None stands for what does not exist, such as the deviation of one seed.
"""

import math
from collections.abc import Set
from typing import Any

import numpy as np

from dsnet.files import digest
from dsnet.folds.protocols import Fold
from dsnet.folds.task_data import TaskData
from dsnet.scoring import metrics
from dsnet.scoring.results import Results, SystemResults
from dsnet.scoring.statistics import (
    LEVEL,
    NUM_RESAMPLES,
    Interval,
    paired_difference,
    shared_speakers,
    speaker_interval,
)

CONTROL = "base_matched"  # systems whose name starts so are what the others are compared with


def summarise(results: Results, seed: int) -> dict[str, Any]:
    """Compute all that the report shows.

    Args:
        results: what was tested.
        seed: of the bootstrap. Every interval starts from it, so that a system's figures do not
            depend on which others are there, and all systems see the same resamples.
    """
    task = results.task
    lines = [f"{utt} {task.utt2emo[utt]}" for utt in results.utterances]
    return jsonable(
        {
            "classes": task.classes,
            "folds": {name: _describe_fold(fold, task) for name, fold in results.folds.items()},
            "num_speakers": len(results.speakers),
            "utterances": {"count": len(lines), "digest": digest(["\n".join(lines)])},
            "bootstrap": {"resamples": NUM_RESAMPLES, "level": LEVEL, "seed": seed},
            "systems": {system.name: _describe(system) for system in results.systems},
            "all": _score_all(results, seed, set()),
            "without_references": _score_all(results, seed, task.reference_utterances),
        }
    )


def _describe_fold(fold: Fold, task: TaskData) -> dict[str, Any]:
    parts = fold.parts()
    speakers = {part: {task.utt2spk[utt] for utt in utts} for part, utts in parts.items()}
    return {
        "num_utterances": {part: len(utts) for part, utts in parts.items()},
        "test_speakers": sorted(speakers["test"]),
        "dev_speakers": sorted(speakers["dev"]),
        "num_train_speakers": len(speakers["train"]),
    }


def _describe(system: SystemResults) -> dict[str, Any]:
    trains = [run.train for run in system.runs]
    return {
        "kind": system.kind,
        "num_parameters": sorted({train["num_parameters"] for train in trains}),
        "seeds": system.seeds,
        "num_folds": len(system.folds),
        "num_runs": len(system.runs),
        "missing": [{"seed": seed, "fold": fold} for seed, fold in system.missing],
        "seconds_per_epoch": np.mean([train["seconds_per_epoch"] for train in trains]),
        "epochs": sorted({len(run.log) for run in system.runs}),
        "selected_epochs": sorted({train["selected_epoch"] for train in trains}),
        "selection": trains[0]["selection"],
        "config_digest": trains[0]["config_digest"],
        "trained_with": distinct([train["versions"] for train in trains]),
        "trained_at": sorted({train["git_revision"] for train in trains}),
    }


def distinct(values: list[dict]) -> list[dict]:
    """Return each value once, in the order of the first."""
    return [value for number, value in enumerate(values) if value not in values[:number]]


def _score_all(results: Results, seed: int, excluded: Set[str]) -> dict[str, Any]:
    task, systems = results.task, results.systems
    left = [utt for utt in results.utterances if utt not in excluded]
    present = {task.utt2emo[utt] for utt in left}
    confusions = {system.name: results.confusions(system, excluded) for system in systems}
    controls = [name for name in confusions if name.startswith(CONTROL)]
    return {
        "num_utterances": len(left),
        "absent_classes": [name for name in task.classes if name not in present],
        "systems": {
            system.name: _score(results, system, seed, confusions[system.name])
            for system in systems
        },
        "differences": [
            _difference(name, control, confusions, seed)
            for control in controls
            for name in confusions
            if name != control
        ],
    }


def _score(
    results: Results, system: SystemResults, seed: int, confusions: np.ndarray
) -> dict[str, Any]:
    pooled = confusions.sum(1)  # (S, K, K)
    uar_by_seed = metrics.uar(pooled)
    by_fold = _uar_by_fold(results, confusions)
    fold_uars = np.array(list(by_fold.values()))
    by_speaker = mean(metrics.uar(confusions))  # (P,)
    count = confusions.sum((2, 3)).max(0)  # (P,) utterances of a speaker, in the fullest seed
    recalls = mean(metrics.class_recalls(pooled))
    return {
        name: as_dict(speaker_interval(confusions, metric, np.random.default_rng(seed)))
        for name, metric in metrics.METRICS.items()
    } | {
        "uar_by_seed": dict(zip(map(str, system.seeds), uar_by_seed, strict=True)),
        "uar_seed_sd": sd(uar_by_seed),
        "uar_by_fold": by_fold,
        "uar_fold_mean": mean(fold_uars),
        "uar_fold_sd": sd(fold_uars),
        "by_speaker": {
            speaker: {
                "uar": by_speaker[p],
                "uar_by_seed": metrics.uar(confusions[:, p]),
                "num_utterances": count[p],
            }
            for p, speaker in enumerate(results.speakers)
            if count[p]
        },
        "class_recalls": dict(zip(results.task.classes, recalls, strict=True)),
        "confusion": pooled.sum(0),
    }


def _uar_by_fold(results: Results, confusions: np.ndarray) -> dict[str, float]:
    """Return the mean UAR over seeds for each fold that some seed has: (S, P, K, K) counts."""
    owners = [{results.task.utt2spk[u] for u in fold.test} for fold in results.folds.values()]
    tested = [[p for p, s in enumerate(results.speakers) if s in own] for own in owners]
    scores = [mean(metrics.uar(confusions[:, p].sum(1))) for p in tested]
    return {
        name: float(uar)
        for name, uar in zip(results.folds, scores, strict=True)
        if not np.isnan(uar)
    }


def _difference(
    name: str, control: str, confusions: dict[str, np.ndarray], seed: int
) -> dict[str, Any]:
    pair = confusions[name], confusions[control]
    interval = paired_difference(*pair, metrics.uar, np.random.default_rng(seed))
    num_speakers = int(shared_speakers(*pair).sum())
    return {"system": name, "control": control, "num_speakers": num_speakers} | as_dict(interval)


def as_dict(interval: Interval) -> dict[str, float]:
    """Return an interval as metrics.json has it."""
    return {"estimate": interval.estimate, "low": interval.low, "high": interval.high}


def mean(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is not NaN: seeds or folds that have the thing at all."""
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(there, values, 0).sum(0) / there.sum(0)


def sd(values: np.ndarray) -> float:
    """Standard deviation (n - 1) of what is not NaN; NaN for fewer than two values."""
    values = values[~np.isnan(values)]
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def jsonable(value: Any) -> Any:
    """Turn NumPy values into plain ones and NaN, which JSON lacks, into None."""
    if isinstance(value, dict):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return jsonable(value.tolist())
    if isinstance(value, float) and math.isnan(value):
        return None
    return value
