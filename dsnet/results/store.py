"""Reads what training and inference left under exp/<task> and holds it against the task's folds.

    exp/<task>/<system>/seed_<s>/fold_<name>/{train.json, test/posteriors.tsv}

Axes: N utterances, K classes.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from dsnet.errors import ScoringError
from dsnet.folds.protocols import Fold
from dsnet.folds.task_data import TaskData
from dsnet.results.posteriors import read_posteriors
from dsnet.results.runs import Results, Run, SystemResults, class_indices

TRAIN_KEYS = (  # a system that has no parameters, epochs and so on may leave these out
    "kind", "fold", "seed", "config_digest", "task_digest", "versions", "git_revision",
)  # fmt: skip


def read_results(exp_dir: Path | str, task: TaskData) -> Results:
    """Read every system under `exp_dir`.

    A run without test posteriors, and a fold without a folder, is listed as missing; whatever is
    there must fit the task.

    Args:
        exp_dir: exp/<task>; need not exist.
        task: the task that the systems were trained for.

    Raises:
        ScoringError: a file that does not fit; says which stage to rerun.
    """
    exp_dir = Path(exp_dir)
    folds = {name: task.fold(name) for name in task.fold_names}
    _check_tested_once(folds, task)
    systems = []
    for folder in sorted({path.parent for path in exp_dir.glob("*/seed_*") if path.is_dir()}):
        system = read_system(folder, task, folds)
        if system.runs:
            systems.append(system)
    return Results(task, folds, systems)


def _check_tested_once(folds: dict[str, Fold], task: TaskData) -> None:
    fold_of: dict[str, str] = {}
    for name, fold in folds.items():
        for speaker in sorted({task.utt2spk[utt] for utt in fold.test}):
            if fold_of.setdefault(speaker, name) != name:
                raise ScoringError(
                    f"{task.task_dir}: folds {fold_of[speaker]} and {name} both test speaker "
                    f"{speaker}, whose utterances would count twice; rerun from stage 2"
                )


def read_system(folder: Path, task: TaskData, folds: dict[str, Fold]) -> SystemResults:
    """Read the runs of one system; for arguments and errors see `read_results`.

    Args:
        folder: exp/<task>/<system>.
        task: the task that it was trained for.
        folds: of the task, by name in the order of testing.
    """
    runs, missing = [], []
    for seed_dir in folder.glob("seed_*"):
        seed = _seed(seed_dir)
        found = {path.name.removeprefix("fold_") for path in seed_dir.glob("fold_*")}
        strange = found - set(folds)
        if strange:
            raise ScoringError(
                f"{seed_dir}/fold_{min(strange)}: the task has no such fold (it has "
                f"{', '.join(folds)}); the network is from other folds: "
                "delete that folder and rerun from stage 3"
            )
        for name, fold in folds.items():
            if (seed_dir / f"fold_{name}" / "test" / "posteriors.tsv").is_file():
                runs.append(_read_run(seed_dir / f"fold_{name}", seed, name, fold, task))
            else:
                missing.append((seed, name))
    runs.sort(key=lambda run: run.seed)  # stable: folds stay in the task's order
    _check_one_config(folder, runs)
    return SystemResults(folder.name, runs, sorted(missing))


def _seed(seed_dir: Path) -> int:
    try:
        return int(seed_dir.name.removeprefix("seed_"))
    except ValueError as error:
        raise ScoringError(f"{seed_dir}: expected a folder seed_<whole number>") from error


def _check_one_config(folder: Path, runs: list[Run]) -> None:
    by_digest = {run.train["config_digest"]: run for run in runs}
    if len(by_digest) > 1:
        one, other = list(by_digest.values())[:2]
        raise ScoringError(
            f"{folder}: its networks were trained with {len(by_digest)} different configs, for "
            f"instance {one.folder} and {other.folder}; their mean says nothing. "
            "Rerun stages 3 and 4 for all of them, or give the new config a name of its own"
        )


def _read_run(folder: Path, seed: int, name: str, fold: Fold, task: TaskData) -> Run:
    train = _read_train(folder / "train.json", seed, name, task)
    utt_ids, posteriors = read_part(folder, "test", fold, task.classes)
    labels = class_indices(utt_ids, task)
    return Run(seed, name, train, utt_ids, labels, posteriors.argmax(1), folder)


def read_part(
    folder: Path, part: str, fold: Fold, classes: list[str]
) -> tuple[list[str], np.ndarray]:
    """Read the posteriors of a fold's "dev" or "test" utterances; see `read_posteriors`.

    Raises:
        ScoringError: there are none, or not of these utterances.
    """
    path = folder / part / "posteriors.tsv"
    if not path.is_file():
        raise ScoringError(f"{path}: no such file; rerun stage 4")
    utt_ids, posteriors = read_posteriors(path, classes)
    _check_utterances(path, utt_ids, fold.parts()[part], part)
    return utt_ids, posteriors


def _read_train(path: Path, seed: int, fold: str, task: TaskData) -> dict[str, Any]:
    if not path.is_file():
        raise ScoringError(f"{path}: no such file, though the fold has posteriors; rerun stage 3")
    try:
        train = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ScoringError(f"{path}: not valid JSON ({error}); rerun stage 3") from error
    absent = [key for key in TRAIN_KEYS if key not in train]
    if absent:
        raise ScoringError(f"{path}: no '{absent[0]}' in it; rerun stage 3")
    if (train["seed"], train["fold"]) != (seed, fold):
        raise ScoringError(
            f"{path}: written for seed {train['seed']}, fold {train['fold']}, but it lies in the "
            f"folder of seed {seed}, fold {fold}; was it copied? Rerun stages 3 and 4"
        )
    if train["task_digest"] != task.digest:
        raise ScoringError(
            f"{path}: trained on a task with digest {train['task_digest']}, but {task.task_dir} "
            f"now has {task.digest}: its folds, labels or references have changed since; "
            "rerun from stage 3"
        )
    return train


def _check_utterances(path: Path, found: list[str], expected: list[str], part: str) -> None:
    if len(set(found)) < len(found):
        twice = next(utt for utt in found if found.count(utt) > 1)
        raise ScoringError(f"{path}: utterance {twice} stands in it twice; rerun stage 4")
    missing, extra = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if missing or extra:
        detail = [
            f"{what}: {' '.join(utts[:3])}{' ...' if len(utts) > 3 else ''} ({len(utts)})"
            for what, utts in (("missing", missing), ("not in the fold", extra))
            if utts
        ]
        raise ScoringError(
            f"{path}: {len(found)} utterances, expected the {len(expected)} of the fold's {part} "
            f"list; {'; '.join(detail)}. The folds have changed: rerun from stage 3"
        )
