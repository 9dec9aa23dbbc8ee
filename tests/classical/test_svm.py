"""Standardisation and C as somebody computes them without our code."""

import numpy as np
import pytest
from sklearn.metrics import recall_score
from sklearn.svm import LinearSVC

from dsnet.classical.svm import decide, select_svm, squared_hinge

GRID = [1e-4, 1e-2, 1.0]


def points(num_each, spread, seed, num_classes=3):
    """Return (N, 5) points around the corners of a simplex, and their (N,) classes."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(num_classes), num_each)
    values = 5 * np.eye(num_classes, 5)[labels] + spread * rng.normal(size=(len(labels), 5))
    return values, labels


def test_separable_classes_are_told_apart_and_the_smallest_c_wins_a_tie():
    selected = select_svm(points(20, 0.1, 0), points(5, 0.1, 1), 3, GRID, seed=1)
    assert [entry["dev"]["uar"] for entry in selected.log] == [1, 1, 1]
    assert selected.c == 1e-4
    assert selected.num_parameters == 3 * (5 + 1)


def test_c_is_the_one_with_the_best_validation_uar():
    (x, y), (dev_x, dev_y) = points(12, 6, 0), points(40, 6, 3)
    mean, deviation = x.mean(0), x.std(0)  # of the training part alone
    expected = []
    for c in GRID:
        svm = LinearSVC(C=c, max_iter=20_000, random_state=1).fit((x - mean) / deviation, y)
        found = svm.predict((dev_x - mean) / deviation)
        expected.append(recall_score(dev_y, found, average="macro"))
    assert len(set(expected)) == 3
    selected = select_svm((x, y), (dev_x, dev_y), 3, GRID, seed=1)
    assert [entry["dev"]["uar"] for entry in selected.log] == pytest.approx(expected)
    assert selected.c == GRID[int(np.argmax(expected))]
    np.testing.assert_allclose(selected.model[0].mean_, mean)
    np.testing.assert_allclose(selected.model[0].scale_, deviation)


def test_more_functionals_than_utterances_give_the_same_svm():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 40)), np.tile([0, 1, 2], 4)
    x[:, 0] = 1  # says nothing, and has no deviation to divide by
    selected = select_svm((x, y), (x, y), 3, [0.01], seed=1)
    deviation = np.where(x.std(0) == 0, 1, x.std(0))
    svm = LinearSVC(C=0.01, tol=1e-8).fit((x - x.mean(0)) / deviation, y)
    other = rng.normal(size=(5, 40))
    expected = svm.decision_function((other - x.mean(0)) / deviation)
    np.testing.assert_allclose(decide(selected.model, other, 3), expected, atol=1e-3)
    assert selected.num_parameters == svm.coef_.size + svm.intercept_.size


def test_training_loss_falls_with_c():
    selected = select_svm(points(12, 6, 0), points(40, 6, 3), 3, GRID, seed=1)
    losses = [entry["train"]["loss"] for entry in selected.log]
    assert losses == sorted(losses, reverse=True)


def test_two_classes_and_a_class_without_training():
    x, y = points(20, 0.1, 0, num_classes=2)
    y = np.where(y == 0, 0, 2)
    selected = select_svm((x, y), (x, y), 3, GRID, seed=1)
    decisions = decide(selected.model, x, 3)
    assert decisions.shape == (40, 3)
    assert (decisions.argmax(1) == y).all()
    assert np.isneginf(decisions[:, 1]).all()
    np.testing.assert_allclose(decisions[:, 0], -decisions[:, 2])


def test_squared_hinge_by_hand():
    decisions = np.array([[2.0, -0.5, -np.inf], [0.0, 0.0, -2.0]])
    # first: label 0 right by more than 1, class 1 half inside the margin; second: 1 + 1 + 0
    assert squared_hinge(decisions, np.array([0, 1])) == pytest.approx((0.25 + 2) / 2)
