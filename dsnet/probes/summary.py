"""Probes of many networks: means over folds with intervals, and the rows of a table.

Each fold has networks of its own, with a space of their own, so the fold is the unit: its seeds are
averaged, and the bootstrap draws folds. Folds share training speakers, and a speaker who validates
one is tested in another, so folds are not quite independent and the intervals a little narrow.
"""

import json
from collections.abc import Iterable
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import bootstrap

from dsnet.errors import ScoringError
from dsnet.probes.classifiers import PROBES
from dsnet.probes.labels import TARGETS
from dsnet.report.summary import as_dict, jsonable
from dsnet.report.tables import DASH, interval, percent
from dsnet.scoring.statistics import LEVEL, NUM_RESAMPLES, Interval

BOOTSTRAP_SEED = 0
HEADER = ["system", "part", *TARGETS, "similarity of s and e", "decision follows e / s / neither"]


def fold_interval(values: np.ndarray, rng: np.random.Generator) -> Interval:
    """Return the mean of (F,) values of folds with its percentile interval.

    `low` and `high` are NaN for under two folds.
    """
    if not len(values):
        return Interval(nan, nan, nan)
    if len(values) == 1:
        return Interval(float(values[0]), nan, nan)
    found = bootstrap(
        (values,),
        np.mean,
        n_resamples=NUM_RESAMPLES,
        confidence_level=LEVEL,
        method="percentile",
        rng=rng,
    ).confidence_interval
    return Interval(float(np.mean(values)), float(found.low), float(found.high))


def read_probes(folders: Iterable[Path], task_digest: str) -> dict[str, Any]:
    """Read the probes of systems and summarise them.

    Args:
        folders: exp/<task>/<system>, with seed_<s>/fold_<name>/probes.json.
        task_digest: of the task whose networks they should be of.

    Returns:
        For each system `seeds`, `folds`, `num_networks`; `targets`: mean `chance` and `majority`,
        `num_asked` and `num_absent` networks; `parts`: for each target and probe the mean balanced
        accuracy with its interval over folds; `similarity` and `swap` in the same way, None for
        systems without. JSON can hold it.

    Raises:
        ScoringError: a system without probes, or probes of another task.
    """
    return {folder.name: _summarise(_read(folder, task_digest)) for folder in folders}


def _read(folder: Path, task_digest: str) -> list[dict[str, Any]]:
    paths = sorted(folder.glob("seed_*/fold_*/probes.json"))
    if not paths:
        raise ScoringError(f"{folder}: no seed_*/fold_*/probes.json; run python -m dsnet.bin.probe")
    networks = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    for path, network in zip(paths, networks, strict=True):
        if network["task_digest"] != task_digest:
            raise ScoringError(
                f"{path}: of a task with digest {network['task_digest']}, expected {task_digest}; "
                "folds, labels or references have changed: rerun from stage 3"
            )
    return networks


def _summarise(networks: list[dict[str, Any]]) -> dict[str, Any]:
    folds = sorted({network["fold"] for network in networks})

    def over_folds(*keys: str) -> dict[str, float]:
        """Average a number of every network that has it, within folds and then over them."""
        by_fold: dict[str, list[float]] = {}
        for network in networks:
            value = _look_up(network, keys)
            if value is not None:
                by_fold.setdefault(network["fold"], []).append(value)
        means = np.array([np.mean(by_fold[fold]) for fold in folds if fold in by_fold])
        return as_dict(fold_interval(means, np.random.default_rng(BOOTSTRAP_SEED)))

    def all_of(group: str) -> dict[str, dict[str, float]] | None:
        names = next((network[group] for network in networks if network[group]), None)
        return {name: over_folds(group, name) for name in names} if names else None

    asked = {name: sum(bool(n["targets"][name]) for n in networks) for name in TARGETS}
    return jsonable(
        {
            "seeds": sorted({network["seed"] for network in networks}),
            "folds": folds,
            "num_networks": len(networks),
            "targets": {
                name: {
                    "chance": over_folds("targets", name, "chance")["estimate"],
                    "majority": over_folds("targets", name, "majority")["estimate"],
                    "num_asked": asked[name],
                    "num_absent": len(networks) - asked[name],
                }
                for name in TARGETS
            },
            "parts": {
                part: {
                    target: {
                        probe: over_folds("parts", part, target, probe, "balanced_accuracy")
                        for probe in PROBES
                    }
                    for target in TARGETS
                }
                for part in networks[0]["parts"]
            },
            "similarity": all_of("similarity"),
            "swap": all_of("swap"),
        }
    )


def _look_up(network: dict[str, Any], keys: Iterable[str]) -> float | None:
    value: Any = network
    for key in keys:
        if value is None:
            return None
        value = value[key]
    return value


def probe_rows(summary: dict[str, Any]) -> list[list[str]]:
    """Return the cells under HEADER: what a guess has, then for each system a row a part.

    Targets: balanced accuracy in percent of the linear probe with its interval, then of k-NN.
    Similarity: debiased linear CKA with its interval (0: none, 1: the same geometry); it and the
    decisions stand beside the first part. A system that lacks folds of the one before may be asked
    for other classes; then the guess stands before it anew.

    Args:
        summary: from `read_probes`.
    """
    rows: list[list[str]] = []
    shown = None
    for name, system in summary.items():
        chances = [percent(system["targets"][target]["chance"]) for target in TARGETS]
        if chances != shown:
            rows.append(["a guess", DASH, *chances, DASH, DASH])
            shown = chances
        for number, (part, scores) in enumerate(system["parts"].items()):
            cells = [_scores(scores[target]) for target in TARGETS]
            both = [_similarity(system), _swap(system)] if number == 0 else [DASH, DASH]
            rows.append([name, part, *cells, *both])
    return rows


def _scores(probes: dict[str, dict[str, float | None]]) -> str:
    if probes["linear"]["estimate"] is None:
        return DASH
    return f"{interval(probes['linear'])}; {percent(probes['knn']['estimate'])}"


def _similarity(system: dict[str, Any]) -> str:
    if system["similarity"] is None or system["similarity"]["debiased"]["estimate"] is None:
        return DASH
    found = system["similarity"]["debiased"]
    ends = [DASH if found[end] is None else f"{found[end]:.2f}" for end in ("low", "high")]
    return f"{found['estimate']:.2f} [{', '.join(ends)}]"


def _swap(system: dict[str, Any]) -> str:
    if system["swap"] is None:
        return DASH
    shares = (system["swap"][name]["estimate"] for name in ("follows_e", "follows_s", "neither"))
    return " / ".join(percent(share) for share in shares)
