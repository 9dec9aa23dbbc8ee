"""Rows of a page made by hand: who is right how often."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dsnet.folds.protocols import Fold
from dsnet.results.runs import Run, SystemResults, TestSet

CLASSES = ["neutral", "sad"]
EACH = 4  # utterances of each class that each speaker says


def make_test_set(name: str, speakers: str = "ABCD", together: int = 1) -> TestSet:
    """Return a test set of 4 + 4 utterances a speaker: A_neutral_0 ... A_sad_3.

    Args:
        name: of the recipe.
        speakers: a letter each.
        together: speakers of one fold.
    """
    utts = [f"{s}_{c}_{n}" for s in speakers for c in CLASSES for n in range(EACH)]
    groups = [speakers[i : i + together] for i in range(0, len(speakers), together)]
    folds = {group: Fold([], [], [u for u in utts if u[0] in group]) for group in groups}
    task = SimpleNamespace(
        utt2partition={},
        unknown_speakers=frozenset(),
        classes=CLASSES,
        utt2emo={utt: utt.split("_")[1] for utt in utts},
        utt2spk={utt: utt[0] for utt in utts},
        reference_utterances={f"{s}_neutral_0" for s in speakers},
        task_dir=Path(f"data/{name}"),
    )
    return TestSet(name, task, folds, CLASSES, {c: c for c in CLASSES})


def make_row(
    test: TestSet, name: str, right: dict[str, int] | int, other_task: bool = False, **info
) -> SystemResults:
    """Return a row of which each speaker has so many of the 4 neutral utterances right.

    The first ones are; sad utterances all are. Every fold of `test` has a run of seed 1.

    Args:
        test: what is tested.
        name: of the row and its system.
        right: by speaker, or of each.
        other_task: whether it is of another task than the page.
        info: what differs in run.json.
    """
    about = {
        "system": name, "base": name, "changes": {}, "members": [], "kind": "base",
        "control": None, "features": "fbank", "enrolment": {"source": "none", "count": 0},
        "own_enrolment": True, "side_information": "none", "transductive": False, "given": [],
        "trained_on": test.name, "tested_on": test.name, "tested_task": "2class", "task": "2class",
        "task_changes": {}, "normalised_by_target": "none", "digests": {}, "tested_digests": {},
        "training": {},
    } | info  # fmt: skip
    across = about["trained_on"] != about["tested_on"]
    runs = []
    for fold in test.folds:
        utts = test.utterances if across else test.of_fold(fold)
        labels = np.array([test.labels[utt] for utt in utts])
        share = {u[0]: right if isinstance(right, int) else right[u[0]] for u in utts}
        wrong = [u.split("_")[1] == "neutral" and int(u[-1]) >= share[u[0]] for u in utts]
        runs.append(
            Run(
                about | {"seed": 1, "fold": fold}, utts, labels, np.where(wrong, 1 - labels, labels)
            )
        )
    return SystemResults(name, test, runs, [], other_task)


@pytest.fixture
def test_set():
    """Return a function that makes a test set."""
    return make_test_set


@pytest.fixture
def row():
    """Return a function that makes a row."""
    return make_row
