"""The store of results: run folders, as stage 4 leaves them, held against the tasks they are of.

    <anything>/run.json, dev/posteriors.tsv, test/posteriors.tsv

Folder names are for people; what a run is stands in its run.json.

Axes: N utterances, K classes of the page.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dsnet.errors import ScoringError
from dsnet.files import digest, read_json
from dsnet.folds.protocols import Fold
from dsnet.folds.task_data import TaskData
from dsnet.recipe import Recipe
from dsnet.results.classes import SharedClasses
from dsnet.results.posteriors import read_posteriors
from dsnet.results.runs import TestSet

RUN = "run.json"
PARTS = ("dev", "test")
KEYS = (
    "system", "base", "changes", "members", "kind", "control", "features", "enrolment",
    "own_enrolment", "side_information", "transductive", "given", "trained_on", "task",
    "task_changes", "tested_on", "tested_task", "normalised_by_target", "seed", "fold", "digests",
    "tested_digests", "training",
)  # fmt: skip
_TINY = 1e-12  # probability of a class to which a model gives none


def open_test_sets(shared: SharedClasses, recipes: Mapping[str, Recipe]) -> dict[str, TestSet]:
    """Read the tasks of recipes, by name, in the classes of a page.

    Raises:
        ConfigError: a class of a task that is not declared.
        FoldError: stage 2 has not ended in one.
        ScoringError: a speaker who is tested twice.
    """
    found = {}
    for name, recipe in recipes.items():
        declared = shared.of(name)
        task = TaskData.load(recipe.task(declared.task))
        shared.check_task(name, task.classes)
        folds = {fold: task.fold(fold) for fold in task.fold_names}
        _check_tested_once(folds, task)
        found[name] = TestSet(
            name, task, folds, shared.classes, dict(declared.label_map), whole=len(recipes) > 1
        )
    return found


def _check_tested_once(folds: Mapping[str, Fold], task: TaskData) -> None:
    fold_of: dict[str, str] = {}
    for name, fold in folds.items():
        for speaker in sorted({task.utt2spk[utt] for utt in fold.test}):
            if fold_of.setdefault(speaker, name) != name:
                raise ScoringError(
                    f"{task.task_dir}: folds {fold_of[speaker]} and {name} both test speaker "
                    f"{speaker}, whose utterances would count twice; rerun from stage 2"
                )


@dataclass(frozen=True)
class StoredRun:
    """A run folder and what its run.json says."""

    folder: Path
    info: dict[str, Any]

    @property
    def digest(self) -> str:
        """Return 16 hex digits that identify its posteriors."""
        return digest(self.posteriors(part).read_bytes() for part in PARTS)

    def posteriors(self, part: str) -> Path:
        """Return the table of a part.

        Raises:
            ScoringError: it is not there.
        """
        path = self.folder / part / "posteriors.tsv"
        if not path.is_file():
            raise ScoringError(f"{path}: no such file; rerun stage 4")
        return path

    def read(self, part: str, test_sets: Mapping[str, TestSet]) -> tuple[list[str], np.ndarray]:
        """Read the posteriors of "dev" or "test" in the classes of the page.

        The probability of a class of the page is the sum over the model's classes that make it up;
        what was given to ignored classes is dropped, and the rest divided by its sum.

        Args:
            part: "dev", of the corpus that the model was trained on, or "test".
            test_sets: of the corpora that it was trained and tested on, by name.

        Returns:
            Utterances that have a class of the page, sorted, and (N, K) probabilities.

        Raises:
            ScoringError: other utterances than those of the part; says which stage to rerun.
        """
        trained, tested = (test_sets[self.info[key]] for key in ("trained_on", "tested_on"))
        own = trained if part == "dev" else tested
        expected = trained.folds[self.info["fold"]].parts()[part]
        if part == "test" and tested is not trained:
            expected = sorted(tested.task.utt2emo)
        path = self.posteriors(part)
        utts, posteriors = read_posteriors(path, trained.task.classes)
        _check_utterances(path, utts, expected)
        scored = [i for i, utt in enumerate(utts) if own.task.utt2emo[utt] in own.class_map]
        order = sorted(scored, key=lambda i: utts[i])
        summed = np.maximum(posteriors[order] @ trained.matrix, _TINY)
        return [utts[i] for i in order], summed / summed.sum(1, keepdims=True)


def find_runs(folders: Iterable[Path]) -> list[StoredRun]:
    """Return the runs in and below some folders, which need not exist; sorted by path.

    Raises:
        ScoringError: see `open_run`.
    """
    paths = sorted({path for folder in folders for path in folder.rglob(RUN)})
    return [open_run(path.parent) for path in paths]


def open_run(folder: Path) -> StoredRun:
    """Return the run of a folder.

    Raises:
        ScoringError: there is none, or a run.json that is not whole.
    """
    path = folder / RUN
    if not path.is_file():
        raise ScoringError(f"{path}: no such file; run stages 3 and 4 of this system")
    return StoredRun(folder, read_json(path, ScoringError, "rerun stage 4", KEYS))


def _check_utterances(path: Path, found: Sequence[str], expected: Sequence[str]) -> None:
    if len(set(found)) < len(found):
        twice = next(utt for utt in found if found.count(utt) > 1)
        raise ScoringError(f"{path}: utterance {twice} stands in it twice; rerun stage 4")
    missing, extra = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if missing or extra:
        detail = [
            f"{what}: {' '.join(utts[:3])}{' ...' if len(utts) > 3 else ''} ({len(utts)})"
            for what, utts in (("missing", missing), ("not of that part", extra))
            if utts
        ]
        raise ScoringError(
            f"{path}: {len(found)} utterances, expected {len(expected)}; {'; '.join(detail)}. The "
            "folds have changed: rerun from stage 3"
        )
