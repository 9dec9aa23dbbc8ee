"""Linear and nearest-neighbour probes: can a label be read off embeddings?

Axes: N rows to train a probe on, M rows to judge it on, D embedding.

A probe must find what the embeddings hold, not recognise what it has seen. So rows have groups,
such as the sentence that is said, and a split trains on none of the groups that it judges. A probe
that finds nothing shows only that nothing can be read in this way from so many rows.

Balanced accuracy is the mean of the class recalls: a guess that does not look at the embedding has
1 / number of classes, whatever it prefers. Accuracy can be compared with `majority`, which the
constant guess of the most frequent class has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

MAX_SPLITS = 5
NUM_NEIGHBOURS = 5
CLASSIFIERS = ("linear", "knn")


@dataclass(frozen=True)
class Rows:
    """Label, None where it is unknown, and group of each row."""

    labels: Sequence[str | None]
    groups: Sequence[str]


@dataclass(frozen=True)
class Question:
    """Labels that both sides have, and which rows train and are judged in each split.

    Args:
        train_labels: (N,) strings; rows that no split uses may hold None.
        test_labels: (M,) the same for the judged side.
        splits: row numbers of the two sides; each row with a label that counts is judged once.
        classes: sorted, at least two.
    """

    train_labels: np.ndarray
    test_labels: np.ndarray
    splits: list[tuple[np.ndarray, np.ndarray]]
    classes: list[str]

    @property
    def judged(self) -> np.ndarray:
        """Row numbers of the judged side that some split judges, sorted."""
        return np.sort(np.concatenate([test for _, test in self.splits]))

    def describe(self) -> dict[str, Any]:
        """Return what a guess would score, and how many rows the scores stand on."""
        counts = np.unique(self.test_labels[self.judged], return_counts=True)[1]
        return {
            "num_classes": len(self.classes),
            "chance": 1 / len(self.classes),
            "majority": float(counts.max() / counts.sum()),
            "num_splits": len(self.splits),
            "num_judged": int(counts.sum()),
            "num_left_out": int(len(self.test_labels) - counts.sum()),
        }


def pose(train: Rows, test: Rows) -> Question | None:
    """Split rows so that no group is trained on and judged in the same split.

    Groups that only one side has need no care: without shared ones there is one split, of all rows.
    To probe within one set of rows, give it as both sides.

    Returns:
        None if there are under two classes that both sides have, or if no split leaves every class
        some rows to train on.
    """
    classes = sorted((set(train.labels) & set(test.labels)) - {None})
    if len(classes) < 2:
        return None
    train_rows, test_rows = (
        np.flatnonzero([label in classes for label in side.labels]) for side in (train, test)
    )
    train_groups = np.array(train.groups)[train_rows]
    test_groups = np.array(test.groups)[test_rows]
    num_groups = len(np.unique(test_groups))
    if not np.isin(test_groups, train_groups).any():
        judged = [test_rows]
    elif num_groups < 2:
        return None
    else:
        folds = GroupKFold(min(MAX_SPLITS, num_groups)).split(test_rows, groups=test_groups)
        judged = [test_rows[chosen] for _, chosen in folds]
    splits = []
    for rows in judged:
        seen = np.isin(train_groups, np.array(test.groups)[rows])
        splits.append((train_rows[~seen], rows))
    train_labels = np.array(train.labels, dtype=object)
    if any(set(train_labels[rows]) != set(classes) for rows, _ in splits):
        return None
    return Question(train_labels, np.array(test.labels, dtype=object), splits, classes)


def answer(question: Question, train: np.ndarray, test: np.ndarray) -> dict[str, dict[str, float]]:
    """Return `balanced_accuracy` and `accuracy` of each probe, over the rows of all splits.

    Embeddings are standardised by the rows that the probe is trained on.

    Args:
        question: from `pose`.
        train: (N, D) embeddings.
        test: (M, D) embeddings.
    """
    predicted = {name: np.empty(len(test), dtype=object) for name in CLASSIFIERS}
    for train_rows, test_rows in question.splits:
        scaler = StandardScaler().fit(train[train_rows])
        known, unknown = scaler.transform(train[train_rows]), scaler.transform(test[test_rows])
        labels = question.train_labels[train_rows].astype(str)
        for name, probe in _probes(len(train_rows)).items():
            predicted[name][test_rows] = probe.fit(known, labels).predict(unknown)
    rows = question.judged
    truth = question.test_labels[rows].astype(str)
    return {
        name: {
            "balanced_accuracy": float(balanced_accuracy_score(truth, guess[rows].astype(str))),
            "accuracy": float(accuracy_score(truth, guess[rows].astype(str))),
        }
        for name, guess in predicted.items()
    }


def _probes(num_rows: int) -> dict[str, LogisticRegression | KNeighborsClassifier]:
    return {
        # Balanced: a split that holds back a class's group would else make it less likely there.
        "linear": LogisticRegression(class_weight="balanced", max_iter=1000),
        "knn": KNeighborsClassifier(min(NUM_NEIGHBOURS, num_rows)),
    }
