"""What is scored: the runs of systems on a task, and their counts by seed and speaker.

Axes: N utterances, K classes, S seeds, P test speakers.
"""

from collections.abc import Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dsnet.files import digest
from dsnet.folds.protocols import Fold
from dsnet.folds.task_data import TaskData
from dsnet.scoring.metrics import confusion_matrix


@dataclass(frozen=True)
class Run:
    """A system trained with one seed, tested on one fold."""

    seed: int
    fold: str
    train: dict[str, Any]  # of train.json
    utt_ids: list[str]
    labels: np.ndarray  # (N,) class indices
    predictions: np.ndarray  # (N,) class indices
    folder: Path | None = None  # with its files; None if they are not here
    calibration: dict[str, Any] | None = None  # from `calibration.measure`

    @property
    def given_utterances(self) -> set[str]:
        """Clips of test speakers that the system was given beside the utterance to judge."""
        return set(self.train.get("given_utterances") or ())

    def without(self, excluded: Set[str]) -> np.ndarray:
        """Mark the utterances that are not in `excluded`: (N,) booleans."""
        return np.array([utt not in excluded for utt in self.utt_ids])


@dataclass(frozen=True)
class SystemResults:
    """All runs of one system; `missing` names those that are not there yet."""

    name: str
    runs: list[Run]
    missing: list[tuple[int, str]]  # (seed, fold)

    @property
    def kind(self) -> str:
        return self.runs[0].train["kind"]

    @property
    def seeds(self) -> list[int]:
        return sorted({run.seed for run in self.runs})

    @property
    def folds(self) -> list[str]:
        return sorted({run.fold for run in self.runs})


@dataclass(frozen=True)
class Results:
    """All systems of a task, sorted by name, and what they were tested on."""

    task: TaskData
    folds: dict[str, Fold]  # in the order of testing
    systems: list[SystemResults]

    @cached_property
    def utterances(self) -> list[str]:
        """The sorted utterances that the folds test."""
        return sorted({utt for fold in self.folds.values() for utt in fold.test})

    @cached_property
    def utterances_digest(self) -> str:
        """Checksum of the tested utterances and their classes."""
        return digest(["\n".join(f"{utt} {self.task.utt2emo[utt]}" for utt in self.utterances)])

    @cached_property
    def speakers(self) -> list[str]:
        """The sorted speakers that the folds test."""
        return sorted({self.task.utt2spk[utt] for utt in self.utterances})

    @cached_property
    def clips(self) -> set[str]:
        """Tested utterances that serve some speaker as reference or were given to some system."""
        given = {utt for s in self.systems for run in s.runs for utt in run.given_utterances}
        return (given | self.task.reference_utterances) & set(self.utterances)

    def confusions(self, system: SystemResults, excluded: Set[str] = frozenset()) -> np.ndarray:
        """Count by seed and speaker, without the utterances in `excluded`.

        Returns:
            (S, P, K, K) counts; seeds as in `system.seeds`, speakers as in `speakers`.
        """
        position = {speaker: p for p, speaker in enumerate(self.speakers)}
        num_classes = len(self.task.classes)
        shape = (len(system.seeds), len(position), num_classes, num_classes)
        counts = np.zeros(shape, dtype=int)
        for run in system.runs:
            seed = system.seeds.index(run.seed)
            kept = run.without(excluded)
            owners = np.array([position[self.task.utt2spk[utt]] for utt in run.utt_ids])
            for p in np.unique(owners):
                rows = kept & (owners == p)
                counts[seed, p] += confusion_matrix(
                    run.labels[rows], run.predictions[rows], num_classes
                )
        return counts


def class_indices(utt_ids: list[str], task: TaskData) -> np.ndarray:
    """Return the labels of N utterances, (N,) class indices."""
    index = {name: number for number, name in enumerate(task.classes)}
    return np.array([index[task.utt2emo[utt]] for utt in utt_ids])
