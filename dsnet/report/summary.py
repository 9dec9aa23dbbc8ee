"""Every number of the report, as one nested dict that JSON can hold: what metrics.json is.

Scores are fractions of 1; None stands for what does not exist, such as the deviation of one seed.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from dsnet.folds.protocols import Fold
from dsnet.folds.task_data import TaskData
from dsnet.report.differences import CONTROL, compare, stem
from dsnet.results.runs import Results, SystemResults
from dsnet.scoring import metrics
from dsnet.scoring.calibration import pool
from dsnet.scoring.statistics import LEVEL, NUM_RESAMPLES, Interval, speaker_interval

ALL, WITHOUT = "all", "without_references"  # scorings: every test utterance; without the clips
NOTHING = "none"  # side_information of a system that hears the utterance alone
MAX_MAIN = 6


def summarise(results: Results, seed: int) -> dict[str, Any]:
    """Compute all that the report shows.

    Args:
        results: what was tested.
        seed: of bootstrap and permutation tests. Each starts from it, so that a system's figures
            do not depend on which others are there, and all systems see the same resamples.
    """
    task, systems = results.task, results.systems
    excluded = {ALL: set(), WITHOUT: results.clips}
    confusions = {
        scoring: {system.name: results.confusions(system, clips) for system in systems}
        for scoring, clips in excluded.items()
    }
    facts = {system.name: _describe(system) for system in systems}
    headline = {name: fact["headline"] for name, fact in facts.items()}
    return jsonable(
        {
            "classes": task.classes,
            "folds": {name: _describe_fold(fold, task) for name, fold in results.folds.items()},
            "num_speakers": len(results.speakers),
            "utterances": {"count": len(results.utterances), "digest": results.utterances_digest},
            "bootstrap": {"resamples": NUM_RESAMPLES, "level": LEVEL, "seed": seed},
            "main_systems": main_systems(list(facts)),
            "systems": facts,
            **{
                scoring: _score_all(results, clips, confusions[scoring], seed)
                for scoring, clips in excluded.items()
            },
            "differences": compare(confusions, headline, _fold_of_speakers(results), seed),
            "calibration": {
                system.name: pool([(run.seed, run.calibration) for run in system.runs])
                for system in systems
                if all(run.calibration for run in system.runs)
            },
        }
    )


def main_systems(names: Sequence[str]) -> list[str]:
    """Choose the systems that get figures and columns of their own, controls first.

    All of them up to MAX_MAIN; of more, the controls and those named dsnet..., without variants
    (@) and combinations (+), and no more than MAX_MAIN.
    """
    if len(names) > MAX_MAIN:
        plain = [name for name in names if name == stem(name)]
        names = [name for name in plain if name.startswith((CONTROL, "dsnet"))] or plain
    order = sorted(names, key=lambda name: (not name.startswith(CONTROL), len(name), name))
    return order[:MAX_MAIN]


def _describe_fold(fold: Fold, task: TaskData) -> dict[str, Any]:
    parts = fold.parts()
    speakers = {part: {task.utt2spk[utt] for utt in utts} for part, utts in parts.items()}
    return {
        "num_utterances": {part: len(utts) for part, utts in parts.items()},
        "test_speakers": sorted(speakers["test"]),
        "dev_speakers": sorted(speakers["dev"]),
        "num_train_speakers": len(speakers["train"]),
    }


def _fold_of_speakers(results: Results) -> np.ndarray:
    """Return which fold tests each speaker, (P,)."""
    owners = [{results.task.utt2spk[u] for u in fold.test} for fold in results.folds.values()]
    return np.array(
        [next(f for f, own in enumerate(owners) if speaker in own) for speaker in results.speakers]
    )


def _describe(system: SystemResults) -> dict[str, Any]:
    trains = [run.train for run in system.runs]

    def all_of(key: str) -> list:
        """Return what the runs have, sorted, each value once."""
        return sorted({train[key] for train in trains if train.get(key) is not None})

    def mean_of(key: str) -> float:
        values = [train[key] for train in trains if train.get(key) is not None]
        return float(np.mean(values)) if values else math.nan

    side = trains[0].get("side_information")
    num_clips = len({utt for run in system.runs for utt in run.given_utterances})
    return {
        "kind": system.kind,
        "side_information": side,
        "transductive": "transductive" in system.kind or "unlabelled audio" in (side or ""),
        "num_given_clips": num_clips,
        "headline": ALL if side in (NOTHING, None) and not num_clips else WITHOUT,
        "num_parameters": all_of("num_parameters"),
        "inference_parameters": all_of("inference_parameters"),
        "seeds": system.seeds,
        "num_folds": len(system.folds),
        "num_runs": len(system.runs),
        "missing": [{"seed": seed, "fold": fold} for seed, fold in system.missing],
        "seconds_per_epoch": mean_of("seconds_per_epoch"),
        "seconds": mean_of("seconds"),
        "peak_memory_bytes": max(all_of("peak_memory_bytes"), default=None),
        "peak_gpu_bytes": max(all_of("peak_gpu_bytes"), default=None),
        "machines": all_of("machine"),
        "epochs": all_of("epochs"),
        "selected_epochs": all_of("selected_epoch"),
        "selection": trains[0].get("selection"),
        "config_digest": trains[0]["config_digest"],
        "trained_with": distinct([train["versions"] for train in trains]),
        "trained_at": all_of("git_revision"),
    }


def distinct(values: list[dict]) -> list[dict]:
    """Return each value once, in the order of the first."""
    return [value for number, value in enumerate(values) if value not in values[:number]]


def _score_all(
    results: Results, excluded: set[str], confusions: dict[str, np.ndarray], seed: int
) -> dict[str, Any]:
    task = results.task
    left = [utt for utt in results.utterances if utt not in excluded]
    present = {task.utt2emo[utt] for utt in left}
    return {
        "num_utterances": len(left),
        "absent_classes": [name for name in task.classes if name not in present],
        "systems": {
            system.name: _score(results, system, seed, confusions[system.name])
            for system in results.systems
        },
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
