"""What a system's folds say together of speakers that it was not trained on, for a bundle.

A temperature and thresholds that are fitted to all held-out speakers go into the bundle; what they
are worth is measured with those fitted to the other folds' speakers.
Axes: N utterances, K classes, S seeds, P speakers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dsnet.errors import ScoringError
from dsnet.folds.task_data import TaskData
from dsnet.recipe import Recipe
from dsnet.results.posteriors import read_posteriors
from dsnet.results.store import StoredRun, open_run
from dsnet.scoring import metrics
from dsnet.scoring.probabilities import (
    apply_temperature,
    calibration_error,
    fit_temperature,
    reliability,
)
from dsnet.scoring.rejection import risk_curve, threshold
from dsnet.scoring.statistics import speaker_interval

NUM_GROUPS = 5  # of the speakers of a single fold
TARGETS = (0.2, 0.1, 0.05)  # error rates at which rejecting is measured


@dataclass(frozen=True)
class HeldOut:
    """Posteriors of the utterances of left-out speakers, of all seeds; none that was given.

    Args:
        runs: of all folds and seeds.
        posteriors: (N, K).
        labels: (N,) class indices.
        speakers: (N,) names.
        folds: (N,) names; numbers of groups of speakers where the task has one fold.
        seeds: (N,).
    """

    runs: list[StoredRun]
    posteriors: np.ndarray
    labels: np.ndarray
    speakers: np.ndarray
    folds: np.ndarray
    seeds: np.ndarray

    def __post_init__(self) -> None:
        if len(np.unique(self.folds)) < 2:
            raise ScoringError(
                "one fold alone: what is fitted to held-out speakers is measured on those of "
                "others; run stages 3 and 4 of two folds or more (a predefined split must test "
                "several known speakers)"
            )

    def require(self, digests: Mapping[str, str]) -> None:
        """Raise ScoringError for runs of another config, code, features or task."""
        for stored in self.runs:
            found = stored.info["digests"]
            differing = [key for key, value in digests.items() if found.get(key) != value]
            if differing:
                raise ScoringError(
                    f"{stored.folder}: of other {', '.join(differing)} than the model of all "
                    "speakers, whose probabilities it should calibrate; rerun from stage 3"
                )

    @cached_property
    def temperature(self) -> float:
        """The temperature that makes the labels most likely."""
        return round(fit_temperature(self.posteriors, self.labels), 4)

    @cached_property
    def curve(self) -> dict[str, list[float]]:
        """Confidence, from sure to unsure, and share of wrong answers among those so sure."""
        scaled = apply_temperature(self.posteriors, self.temperature)
        return risk_curve(scaled, self.labels)

    @cached_property
    def results(self) -> dict[str, Any]:
        """What the card says: UAR and WAR with interval, calibration, and what rejecting gives."""
        confusions = self._confusions()
        scores = {}
        for name in ("uar", "war"):
            interval = speaker_interval(
                confusions, getattr(metrics, name), np.random.default_rng(0)
            )
            scores[name] = {
                end: None if np.isnan(value) else round(value, 4)
                for end, value in vars(interval).items()
            }
        scaled = np.empty_like(self.posteriors)
        accepted: dict[float, np.ndarray] = {t: np.zeros(len(scaled), bool) for t in TARGETS}
        for fold in np.unique(self.folds):
            own, others = self.folds == fold, self.folds != fold
            temperature = fit_temperature(self.posteriors[others], self.labels[others])
            scaled[own] = apply_temperature(self.posteriors[own], temperature)
            fitted = apply_temperature(self.posteriors[others], temperature)
            curve = risk_curve(fitted, self.labels[others])
            for target in TARGETS:
                limit = threshold(curve, target)
                if limit is not None:
                    accepted[target][own] = scaled[own].max(1) >= limit
        wrong = scaled.argmax(1) != self.labels
        return {
            **scores,
            "utterances": len(self.labels) // len(np.unique(self.seeds)),
            "ece_raw": round(calibration_error(reliability(self.posteriors, self.labels)), 4),
            "ece": round(calibration_error(reliability(scaled, self.labels)), 4),
            "reject": [
                {
                    "target": target,
                    "error": round(float(wrong[kept].mean()), 4) if kept.any() else None,
                    "answered": round(float(kept.mean()), 4),
                }
                for target, kept in accepted.items()
            ],
        }

    def _confusions(self) -> np.ndarray:
        """Return (S, P, K, K) counts."""
        seeds, seed = np.unique(self.seeds, return_inverse=True)
        speakers, speaker = np.unique(self.speakers, return_inverse=True)
        size = self.posteriors.shape[1]
        counts = np.zeros((len(seeds), len(speakers), size, size), dtype=int)
        np.add.at(counts, (seed, speaker, self.labels, self.posteriors.argmax(1)), 1)
        return counts


def read_held_out(
    recipe: Recipe, task: TaskData, system: str, seeds: Sequence[int], folds: Sequence[str]
) -> HeldOut:
    """Read what stage 4 left of a system: every fold of every seed.

    Raises:
        ScoringError: runs that are missing.
    """
    index = {name: i for i, name in enumerate(task.classes)}
    runs, parts = [], []
    for seed in seeds:
        for fold in folds:
            stored = open_run(recipe.run(task.task_dir.name, system, seed, fold))
            given = set(stored.info["given"])
            utts, posteriors = read_posteriors(stored.posteriors("test"), task.classes)
            kept = [i for i, utt in enumerate(utts) if utt not in given]
            runs.append(stored)
            parts.append(
                {
                    "posteriors": posteriors[kept],
                    "labels": np.array([index[task.utt2emo[utts[i]]] for i in kept], dtype=int),
                    "speakers": np.array([task.utt2spk[utts[i]] for i in kept]),
                    "folds": np.full(len(kept), fold),
                    "seeds": np.full(len(kept), seed),
                }
            )
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if len(task.fold_names) == 1:  # a predefined split: others are other speakers all the same
        known = [s if s not in task.unknown_speakers else "" for s in joined["speakers"].tolist()]
        _, number = np.unique(known, return_inverse=True)  # nobody known may be one and the same
        joined["folds"] = number % NUM_GROUPS
    return HeldOut(runs, **joined)
