"""Reads all pairs that were run, and each recipe's own test posteriors, in the shared classes.

    exp/<task>/<system>/<target statistics>/<train>/<test>/seed_<s>/fold_<name>/
        posteriors.tsv, cross.json

Axes: R models (seed, fold), P speakers of the tested recipe, K shared classes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dsnet.cross_corpus.classes import SharedClasses, shared_answers, shared_labels
from dsnet.cross_corpus.inputs import Inputs
from dsnet.cross_corpus.recipe import Recipe
from dsnet.cross_corpus.statistics import TARGET_STATISTICS
from dsnet.errors import DsnetError, ScoringError
from dsnet.folds.task_data import TaskData
from dsnet.results.posteriors import read_posteriors
from dsnet.results.store import read_system
from dsnet.scoring.metrics import confusion_matrix


@dataclass(frozen=True)
class Model:
    """One model of the training recipe."""

    seed: int
    fold: str
    train: dict[str, Any]  # its train.json
    counts: np.ndarray  # (P, K, K)


@dataclass(frozen=True)
class Cell:
    """The models of one recipe, tested on one recipe: their own, each by its own test speakers."""

    train: Recipe
    test: Recipe
    seeds: list[int]
    models: list[Model] = field(default_factory=list)
    missing: list[tuple[int, str]] = field(default_factory=list)  # (seed, fold)
    problem: str = ""  # why it has no figures

    @property
    def is_diagonal(self) -> bool:
        return self.train == self.test


@dataclass(frozen=True)
class Matrix:
    """All cells of one system under one use of the target's audio."""

    system: str
    target_statistics: str
    recipes: list[Recipe]  # in the order of the config
    cells: dict[tuple[str, str], Cell]  # by the names of train and test; absent: not run


def read_matrices(exp_dir: Path, shared: SharedClasses) -> list[Matrix]:
    """Read every pair under `exp_dir` and the diagonals that go with them.

    A cell whose inputs have changed since is kept with its `problem`, without figures.

    Raises:
        ScoringError: nothing to score, or files that do not fit.
        ConfigError: a recipe or a class that the shared classes do not declare.
    """
    inputs, matrices = Inputs(), []
    for system_dir in sorted(path for path in exp_dir.glob("*") if path.is_dir()):
        for statistics in TARGET_STATISTICS:
            pairs = sorted(
                {
                    p.parents[2]
                    for p in system_dir.glob(f"{statistics}/*/*/seed_*/fold_*/cross.json")
                }
            )
            if pairs:
                cells = [_read_pair(p, system_dir.name, shared, inputs) for p in pairs]
                matrices.append(_matrix(cells, system_dir.name, statistics, shared, inputs))
    if not matrices:
        raise ScoringError(
            f"{exp_dir}: expected SYSTEM/STATISTICS/TRAIN/TEST/seed_N/fold_NAME/cross.json, found "
            "none; run stage 4"
        )
    return matrices


def _matrix(
    cells: list[Cell], system: str, statistics: str, shared: SharedClasses, inputs: Inputs
) -> Matrix:
    by_name = {recipe.name: recipe for cell in cells for recipe in (cell.train, cell.test)}
    recipes = [by_name[name] for name in shared.recipes if name in by_name]
    cells = [*cells, *(_read_diagonal(recipe, system, shared, inputs) for recipe in recipes)]
    by_pair = {(cell.train.name, cell.test.name): cell for cell in cells}
    return Matrix(system, statistics, recipes, by_pair)


def _read_pair(folder: Path, system: str, shared: SharedClasses, inputs: Inputs) -> Cell:
    """Read exp/<task>/<system>/<target statistics>/<train>/<test>."""
    abouts = {
        path.parent: _read_json(path) for path in sorted(folder.glob("seed_*/fold_*/cross.json"))
    }
    first = next(iter(abouts.values()))
    train, test = (
        Recipe(Path("..", first[side]), shared.of(first[side]).task, first["feats"])
        for side in ("train", "test")
    )
    seeds = sorted({about["seed"] for about in abouts.values()})
    for path, about in abouts.items():
        found = (about["train_task"], about["test_task"], about["feats"])
        if found != (train.task, test.task, train.feats):
            problem = f"{path}: of {' '.join(found)}, other tasks or features"
            return Cell(train, test, seeds, problem=problem)
        seed, fold = about["seed"], about["fold"]
        problem = inputs.changes(about["inputs"], train, test, system, seed, fold)
        if problem:
            return Cell(train, test, seeds, problem=f"seed {seed}, fold {fold}: {problem}")
    utts = sorted(inputs.task(test).utt2emo)
    models = [
        Model(
            about["seed"],
            about["fold"],
            _read_json(train.fold_dir(system, about["seed"], about["fold"]) / "train.json"),
            _count(path / "posteriors.tsv", train, test, utts, shared, inputs),
        )
        for path, about in abouts.items()
    ]
    there = {(model.seed, model.fold) for model in models}
    folds = inputs.task(train).fold_names
    missing = [(s, f) for s in seeds for f in folds if (s, f) not in there]
    return Cell(train, test, seeds, models, missing)


def _read_diagonal(recipe: Recipe, system: str, shared: SharedClasses, inputs: Inputs) -> Cell:
    """Read what the recipe's own stage 4 left for each fold's test speakers."""
    again = f"run: {recipe.command('--systems', system, '--stage', '3')}"
    try:
        task = inputs.task(recipe)
        folds = {name: task.fold(name) for name in task.fold_names}
        results = read_system(recipe.exp_dir / system, task, folds)
        if not results.runs:
            return Cell(recipe, recipe, [], problem=f"not tested on itself; {again}")
        for run in results.runs:
            problem = inputs.own_changes(recipe, system, run.seed, run.fold)
            if problem:
                where = f"seed {run.seed}, fold {run.fold}"
                return Cell(recipe, recipe, [], problem=f"{where}: {problem}; {again}")
    except DsnetError as error:
        return Cell(recipe, recipe, [], problem=str(error))
    models = []
    for run in results.runs:
        path = run.folder / "test" / "posteriors.tsv"
        counts = _count(path, recipe, recipe, run.utt_ids, shared, inputs)
        models.append(Model(run.seed, run.fold, run.train, counts))
    return Cell(recipe, recipe, results.seeds, models, results.missing)


def _count(
    path: Path,
    train: Recipe,
    test: Recipe,
    expected: Sequence[str],
    shared: SharedClasses,
    inputs: Inputs,
) -> np.ndarray:
    """Count a model's answers by speaker of the tested recipe: (P, K, K)."""
    answering, tested = inputs.task(train), inputs.task(test)
    utt_ids, posteriors = read_posteriors(path, answering.classes)
    if sorted(utt_ids) != sorted(expected):
        raise ScoringError(
            f"{path}: {len(utt_ids)} utterances, which are not the {len(expected)} that "
            f"egs/{test.name} has to be tested on; rerun stage 4 with --force true"
        )
    index = np.array([tested.classes.index(tested.utt2emo[utt]) for utt in utt_ids])
    labels = shared_labels(index, shared.matrix(test.name, tested.classes))
    answers = shared_answers(posteriors, shared.matrix(train.name, answering.classes))
    owners = np.array([tested.utt2spk[utt] for utt in utt_ids])
    return np.stack(
        [
            confusion_matrix(labels[chosen], answers[chosen], len(shared.classes))
            for speaker in speakers(tested)
            for chosen in [(owners == speaker) & (labels >= 0)]
        ]
    )


def speakers(task: TaskData) -> list[str]:
    """Return the sorted speakers of a task."""
    return sorted(set(task.utt2spk.values()))


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))
