"""Metrics against tables computed by hand, and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, recall_score

from dsnet.scoring.metrics import (
    class_recalls,
    confusion_matrix,
    macro_f1,
    uar,
    war,
    weighted_f1,
)

#                       recognised as  a  b  c       recall   F1
BY_HAND = np.array(
    [
        [6, 2, 0],  #  8 a               3/4      12/16
        [2, 1, 1],  #  4 b               1/4       2/8
        [0, 1, 0],
    ]
)  # 1 c               0         0    fmt: skip


def unfolded(confusion):
    """Return labels and predictions that have this confusion matrix."""
    rows, columns = np.indices(confusion.shape)
    return np.repeat(rows.ravel(), confusion.ravel()), np.repeat(columns.ravel(), confusion.ravel())


def test_table_by_hand():
    labels, predictions = unfolded(BY_HAND)
    confusion = confusion_matrix(labels, predictions, 3)
    assert confusion.tolist() == BY_HAND.tolist()
    assert class_recalls(confusion).tolist() == [0.75, 0.25, 0.0]
    assert uar(confusion) == pytest.approx(1 / 3)
    assert war(confusion) == pytest.approx(7 / 13)
    assert macro_f1(confusion) == pytest.approx((12 / 16 + 2 / 8 + 0) / 3)
    assert weighted_f1(confusion) == pytest.approx((8 * 12 / 16 + 4 * 2 / 8) / 13)


def test_uar_and_war_are_not_swapped():
    confusion = np.array([[90, 0], [10, 0]])  # all taken for the frequent class
    assert uar(confusion) == 0.5
    assert war(confusion) == 0.9


def test_an_absent_class_counts_neither_as_0_nor_as_1():
    confusion = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 3]])  # nobody said class 1
    recalls = class_recalls(confusion)
    assert recalls[0] == 0.5 and np.isnan(recalls[1]) and recalls[2] == 0.75
    assert uar(confusion) == pytest.approx((0.5 + 0.75) / 2)
    assert macro_f1(confusion) == pytest.approx((2 / 3 + 6 / 7) / 2)


def test_class_indices_are_the_tasks_even_if_a_fold_lacks_a_class():
    with_all = confusion_matrix(np.array([0, 1, 2]), np.array([0, 1, 2]), 3)
    without_first = confusion_matrix(np.array([1, 2]), np.array([1, 2]), 3)
    assert (with_all + without_first).tolist() == [[1, 0, 0], [0, 2, 0], [0, 0, 2]]


@pytest.mark.parametrize("absent", [None, 1])
def test_agrees_with_scikit_learn(absent):
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 4, 60), rng.integers(0, 4, 60)
    labels[labels == absent] = 0
    confusion = confusion_matrix(labels, predictions, 4)
    present = np.unique(labels)
    f1 = {
        average: f1_score(labels, predictions, labels=present, average=average)
        for average in ("macro", "weighted")
    }
    recall = recall_score(labels, predictions, labels=present, average="macro")
    assert macro_f1(confusion) == pytest.approx(f1["macro"])
    assert weighted_f1(confusion) == pytest.approx(f1["weighted"])
    assert uar(confusion) == pytest.approx(recall)
    assert war(confusion) == pytest.approx((labels == predictions).mean())


def test_leading_axes_are_kept():
    stack = np.stack([BY_HAND, BY_HAND.T])[:, None]  # (2, 1, 3, 3)
    for metric in (uar, war, macro_f1, weighted_f1):
        assert metric(stack).shape == (2, 1)
        assert metric(stack)[1, 0] == metric(BY_HAND.T)


def test_no_utterance_has_no_score():
    empty = confusion_matrix(np.array([], dtype=int), np.array([], dtype=int), 3)
    for metric in (uar, war, macro_f1, weighted_f1):
        assert np.isnan(metric(empty))


@pytest.mark.parametrize("labels, predictions", [([0, 3], [0, 0]), ([0, 0], [0, -1])])
def test_a_strange_index_is_an_error(labels, predictions):
    with pytest.raises(ValueError, match="not a class index below 3"):
        confusion_matrix(np.array(labels), np.array(predictions), 3)
