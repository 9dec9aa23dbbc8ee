"""Every number of the page, as one nested dict that JSON can hold: what metrics.json is.

Scores are fractions of 1; None stands for what does not exist, such as the deviation of one seed.
The scores of a row depend on no other row; what does (its control, corrected p-values, which rows
are drawn) stands in `differences`, `main_systems` and `is_control`.

Axes: A assessments, P speakers, K classes.
"""

import math
from collections import Counter
from collections.abc import Set
from dataclasses import asdict
from typing import Any

import numpy as np

from dsnet.folds.task_data import read_task_json
from dsnet.report.answer import main_systems
from dsnet.report.differences import compare, is_primary
from dsnet.report.matrices import find_matrices
from dsnet.report.tables import HEADLINE, WITHOUT
from dsnet.results.runs import Results, SystemResults, TestSet
from dsnet.scoring import metrics
from dsnet.scoring.calibration import pool
from dsnet.scoring.statistics import LEVEL, NUM_RESAMPLES, speaker_interval


def summarise(results: Results, seed: int) -> dict[str, Any]:
    """Compute all that the page shows.

    Args:
        results: what was tested.
        seed: of bootstrap and permutation tests. Each starts from it, so that all rows see the
            same resamples.
    """
    rows = results.systems
    differences = compare(rows, seed)
    controls = {pair["control"] for pair in differences["pairs"]}
    summary = jsonable(
        {
            "classes": results.classes,
            "across": len(results.test_sets) > 1 or any(row.across for row in rows),
            "test_sets": {test.name: _describe_test_set(test) for test in results.test_sets},
            "bootstrap": {"resamples": NUM_RESAMPLES, "level": LEVEL, "seed": seed},
            "systems": {
                row.name: _describe(row)
                | {
                    "is_control": row.name in controls,
                    HEADLINE: _score(row, row.given, seed),
                    WITHOUT: _score(row, row.given | row.test_set.references, seed),
                }
                for row in rows
            },
            "differences": differences,
            "matrices": find_matrices(results),
            "calibration": {
                row.name: pool(
                    [((run.seed, run.fold if row.across else ""), run.calibration)
                     for run in row.runs if run.calibration]
                )
                for row in rows
                if any(run.calibration for run in row.runs)
            },
        }
    )  # fmt: skip
    return summary | {"main_systems": main_systems(summary)}


def _describe_test_set(test: TestSet) -> dict[str, Any]:
    task, about = test.task, read_task_json(test.task.task_dir)
    in_folds = (utt for fold in test.folds.values() for utt in fold.test)
    tested = Counter(task.utt2emo[utt] for utt in (task.utt2emo if test.whole else in_folds))
    left = set(test.utterances) - test.references
    return {
        "task": task.task_dir.name,
        "num_utterances": len(test.utterances),
        "num_references": len(test.references),
        "absent_without_references": _absent(test, left),
        "num_speakers": len(set(test.speakers) - task.unknown_speakers),
        "num_of_unknown_speakers": len(task.unknown_speakers.intersection(test.speakers)),
        "partitions": {name: len(utts) for name, utts in test.partitions.items()},
        "digest": test.digest,
        "parts": {
            name: {own: tested[own] for own, page in test.class_map.items() if page == name}
            for name in test.classes
        },
        "left_out": {own: tested[own] for own in task.classes if own not in test.class_map},
        "protocol": about["protocol"],
        "references": about["references"],
        "folds": {name: _describe_fold(test, name) for name in test.folds},
    }


def _describe_fold(test: TestSet, name: str) -> dict[str, Any]:
    parts, unknown = test.folds[name].parts(), test.task.unknown_speakers
    speakers = {
        part: {test.task.utt2spk[utt] for utt in utts} - unknown for part, utts in parts.items()
    }
    return {
        "num_utterances": {part: len(utts) for part, utts in parts.items()},
        "num_scored": len(test.of_fold(name)),
        "test_speakers": sorted(speakers["test"]),
        "dev_speakers": sorted(speakers["dev"]),
        "num_train_speakers": len(speakers["train"]),
    }


def _describe(row: SystemResults) -> dict[str, Any]:
    info, facts = row.info, [run.info["training"] for run in row.runs]

    def all_of(key: str) -> list:
        """Return what the runs have, sorted, each value once."""
        return sorted({fact[key] for fact in facts if fact.get(key) is not None})

    def mean_of(key: str) -> float:
        values = [fact[key] for fact in facts if fact.get(key) is not None]
        return float(np.mean(values)) if values else math.nan

    folds = list(dict.fromkeys([*row.folds, *(fold for _, fold in row.missing)]))
    versions = [fact["versions"] for fact in facts if fact.get("versions")]
    identity = (
        "system", "base", "changes", "members", "kind", "control", "features", "enrolment",
        "own_enrolment", "side_information", "trained_on", "tested_on", "task", "task_changes",
        "tested_task", "normalised_by_target", "digests",
    )  # fmt: skip
    return {key: info[key] for key in identity} | {
        "across": row.across,
        "primary": is_primary(row),
        "transductive": info["transductive"],
        "num_given": len(row.given & set(row.test_set.utterances)),
        "num_parameters": all_of("num_parameters"),
        "inference_parameters": all_of("inference_parameters"),
        "seeds": sorted({*row.seeds, *(seed for seed, _ in row.missing)}),
        "num_folds": len(folds),
        "num_folds_there": len(row.folds),
        "num_runs": len(row.runs),
        "missing": [{"seed": seed, "fold": fold} for seed, fold in row.missing],
        "seconds_per_epoch": mean_of("seconds_per_epoch"),
        "seconds": mean_of("seconds"),
        "peak_memory_bytes": max(all_of("peak_memory_bytes"), default=None),
        "peak_gpu_bytes": max(all_of("peak_gpu_bytes"), default=None),
        "machines": all_of("machine"),
        "epochs": all_of("epochs"),
        "selected_epochs": all_of("selected_epoch"),
        "selection": facts[0].get("selection"),
        "trained_with": [v for number, v in enumerate(versions) if v not in versions[:number]],
        "trained_at": all_of("git_revision"),
    }


def _score(row: SystemResults, excluded: Set[str], seed: int) -> dict[str, Any]:
    """Score a row without the utterances in `excluded`."""
    test = row.test_set
    scored = {utt for run in row.runs for utt in run.utt_ids} - excluded
    confusions = row.confusions(excluded)  # (A, P, K, K)
    pooled = confusions.sum(1)
    by_speaker = mean(metrics.uar(confusions))  # (P,)
    count = confusions.sum((2, 3)).max(0)  # (P,) utterances, in the fullest assessment
    recalls = mean(metrics.class_recalls(pooled))
    of_class = Counter(test.labels[utt] for utt in scored)
    return (
        {
            "num_utterances": len(scored),
            "class_counts": {name: of_class[k] for k, name in enumerate(test.classes)},
            "absent_classes": _absent(test, scored),
        }
        | {
            name: asdict(speaker_interval(confusions, metric, np.random.default_rng(seed)))
            for name, metric in metrics.METRICS.items()
        }
        | _spread(row, excluded, metrics.uar(pooled))
        | {
            "by_speaker": {
                speaker: {"uar": by_speaker[p], "num_utterances": count[p]}
                for p, speaker in enumerate(test.speakers)
                if count[p] and speaker not in test.task.unknown_speakers
            },
            "by_partition": {
                name: _score_partition(row, excluded | (set(test.utterances) - utts), seed)
                for name, utts in test.partitions.items()
            },
            "class_recalls": dict(zip(test.classes, recalls, strict=True)),
            "confusion": pooled.sum(0),
        }
    )


def _score_partition(row: SystemResults, excluded: Set[str], seed: int) -> dict[str, Any]:
    """Score a row on one of several test sets, without the utterances in `excluded`."""
    confusions = row.confusions(excluded)
    of_class = confusions.sum((0, 1, 3))  # (K,)
    return {
        "num_utterances": int(confusions.sum((1, 2, 3)).max(initial=0)),
        "absent_classes": [c for k, c in enumerate(row.test_set.classes) if not of_class[k]],
    } | {
        name: asdict(speaker_interval(confusions, metric, np.random.default_rng(seed)))
        for name, metric in metrics.METRICS.items()
    }


def _spread(row: SystemResults, excluded: Set[str], uars: np.ndarray) -> dict[str, Any]:
    """Return UAR by seed (from that of each assessment, (A,)), by fold and by model."""
    of_seed: dict[int, list[float]] = {}
    for (seed, *_), uar in zip(row.assessments, uars, strict=True):
        of_seed.setdefault(seed, []).append(uar)
    by_seed = {str(seed): float(mean(np.array(values))) for seed, values in of_seed.items()}
    models = []
    for run in row.runs:
        kept = np.array([utt not in excluded for utt in run.utt_ids], dtype=bool)
        counts = metrics.confusion_matrix(
            run.labels[kept], run.predictions[kept], len(row.test_set.classes)
        )
        models.append((run, float(metrics.uar(counts))))
    by_fold = {
        fold: float(mean(np.array([uar for run, uar in models if run.fold == fold])))
        for fold in row.folds
    }
    by_fold = {fold: uar for fold, uar in by_fold.items() if not math.isnan(uar)}
    over_folds, over_models = np.array([*by_fold.values()]), np.array([uar for _, uar in models])
    return {
        "uar_by_seed": by_seed,
        "uar_seed_sd": sd(np.array([*by_seed.values()])),
        "uar_by_fold": by_fold,
        "uar_fold_mean": mean(over_folds),
        "uar_fold_sd": sd(over_folds),
        "uar_by_model": [{"seed": run.seed, "fold": run.fold, "uar": uar} for run, uar in models],
        "uar_model_mean": mean(over_models),
        "uar_model_sd": sd(over_models),
    }


def _absent(test: TestSet, utterances: Set[str]) -> list[str]:
    present = {test.labels[utt] for utt in utterances}
    return [name for k, name in enumerate(test.classes) if k not in present]


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
