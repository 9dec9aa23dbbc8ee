"""What is scored: test sets, the runs of systems on them, and their counts by speaker.

Axes: N utterances, M classes of a task, K classes of the page, A assessments, P test speakers.

An assessment is what tests every utterance once: within a corpus the runs of one seed, each of
which tests its own fold; across corpora each single run, which tests all of the other corpus.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dsnet.files import digest
from dsnet.folds.protocols import Fold
from dsnet.folds.task_data import TaskData


@dataclass(frozen=True)
class TestSet:
    """The utterances of a recipe's task that have a class of the page.

    Args:
        name: of the recipe, such as emodb.
        task: the recipe's task.
        folds: of the task, by name in the order of testing.
        classes: K classes of the page.
        class_map: class of the task to class of the page; a class that is absent is left out.
        whole: all utterances may be tested, as by models of another corpus, not only those that
            some fold tests. That is one and the same but for a predefined split.
    """

    __test__ = False  # no test of pytest's

    name: str
    task: TaskData
    folds: Mapping[str, Fold]
    classes: list[str]
    class_map: Mapping[str, str]
    whole: bool = True

    @cached_property
    def labels(self) -> dict[str, int]:
        """Return the index of each utterance's class of the page, if it has one; sorted."""
        index = {name: number for number, name in enumerate(self.classes)}
        of_page = {utt: self.class_map.get(own) for utt, own in self.task.utt2emo.items()}
        return {utt: index[of_page[utt]] for utt in sorted(of_page) if of_page[utt] is not None}

    @cached_property
    def utterances(self) -> list[str]:
        """Return the sorted utterances that are scored."""
        if self.whole:
            return list(self.labels)
        return sorted(utt for name in self.folds for utt in self.of_fold(name))

    @cached_property
    def partitions(self) -> dict[str, set[str]]:
        """Return the scored utterances of each test set of a predefined split that has several."""
        found: dict[str, set[str]] = {}
        if self.task.utt2partition and not self.whole:
            for utt in self.utterances:
                found.setdefault(self.task.utt2partition[utt], set()).add(utt)
        return dict(sorted(found.items())) if len(found) > 1 else {}

    @cached_property
    def matrix(self) -> np.ndarray:
        """Return (M, K): 1 where a class of the task is part of one of the page."""
        own = [self.class_map.get(name) for name in self.task.classes]
        return np.array([[name == page for page in self.classes] for name in own], dtype=float)

    @cached_property
    def digest(self) -> str:
        """Checksum of the scored utterances and their classes."""
        lines = [f"{utt} {self.classes[self.labels[utt]]}" for utt in self.utterances]
        return digest(["\n".join(lines)])

    @cached_property
    def speakers(self) -> list[str]:
        """Return the sorted speakers of the scored utterances."""
        return sorted({self.task.utt2spk[utt] for utt in self.utterances})

    @cached_property
    def references(self) -> set[str]:
        """Return the scored utterances that stage 2 lists as somebody's reference."""
        return self.task.reference_utterances & set(self.utterances)

    def of_fold(self, name: str) -> list[str]:
        """Return the sorted scored utterances of one fold."""
        return sorted(utt for utt in self.folds[name].test if utt in self.labels)


@dataclass(frozen=True)
class Run:
    """One network, SVM or ensemble on one test set."""

    info: dict[str, Any]  # of run.json
    utt_ids: list[str]  # sorted
    labels: np.ndarray  # (N,) class indices of the page
    predictions: np.ndarray  # (N,) the same
    folder: Path | None = None  # with its files; None if they are not here
    calibration: dict[str, Any] | None = None  # from `measure`; None: nothing to measure by

    @property
    def seed(self) -> int:
        return self.info["seed"]

    @property
    def fold(self) -> str:
        return self.info["fold"]

    @property
    def given(self) -> set[str]:
        """Utterances of the tested speakers that the system was given; they are not scored."""
        return set(self.info["given"])


@dataclass(frozen=True)
class SystemResults:
    """A row of the page: all runs of one system, under one enrolment, on one test set."""

    name: str  # for people; no other row has it
    test_set: TestSet
    runs: list[Run]  # by seed, then in the order of the folds
    missing: list[tuple[int, str]]  # (seed, fold) that are not there
    other_task: bool = False  # trained for another task than the page is of, such as a variant

    @property
    def info(self) -> dict[str, Any]:
        """What all runs have in common is that of the first."""
        return self.runs[0].info

    @property
    def across(self) -> bool:
        """Whether it was trained on another corpus than it is tested on."""
        return self.info["trained_on"] != self.info["tested_on"]

    @property
    def seeds(self) -> list[int]:
        return sorted({run.seed for run in self.runs})

    @property
    def folds(self) -> list[str]:
        return [name for name in dict.fromkeys(run.fold for run in self.runs)]

    @property
    def given(self) -> set[str]:
        """Utterances that some run was given: no figure of the row counts them."""
        return {utt for run in self.runs for utt in run.given}

    @property
    def assessments(self) -> list[tuple]:
        """Return what names each assessment: (seed,), or (seed, fold) across corpora."""
        keys = [self._assessment(run) for run in self.runs]
        return list(dict.fromkeys(keys))

    def _assessment(self, run: Run) -> tuple:
        return (run.seed, run.fold) if self.across else (run.seed,)

    def confusions(self, excluded: Set[str] = frozenset()) -> np.ndarray:
        """Count by assessment and speaker, without the utterances in `excluded`.

        Returns:
            (A, P, K, K) counts; as in `assessments`, and as in the test set's `speakers`.
        """
        test = self.test_set
        place = {speaker: p for p, speaker in enumerate(test.speakers)}
        num_classes = len(test.classes)
        shape = (len(self.assessments), len(place), num_classes, num_classes)
        counts = np.zeros(shape, dtype=int)
        assessments = self.assessments
        for run in self.runs:
            row = assessments.index(self._assessment(run))
            kept = np.array([utt not in excluded for utt in run.utt_ids], dtype=bool)
            owners = np.array([place[test.task.utt2spk[utt]] for utt in run.utt_ids], dtype=int)
            cells = (owners[kept], run.labels[kept], run.predictions[kept])
            np.add.at(counts[row], cells, 1)
        return counts


@dataclass(frozen=True)
class Results:
    """What a page shows: rows sorted by name, on one or several test sets of the same classes."""

    classes: list[str]
    test_sets: list[TestSet]
    systems: list[SystemResults]
