"""Linear systems against scikit-learn's own pieces, put together without our code."""

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.model_selection import GroupKFold
from sklearn.svm import LinearSVC

from dsnet.errors import TrainingError
from dsnet.systems import build_system
from dsnet.systems.config import LinearConfig, SystemConfig
from dsnet.systems.linear import layer_runs

GRID = [1.0, 1e-4, 1e-2]  # in any order


@pytest.fixture
def make_svm(functionals):
    def make(dim=5, c_values=GRID):
        config = SystemConfig(kind="svm", linear=LinearConfig(c_values))
        return build_system(config, functionals(dim), num_classes=3, num_speakers=4)

    return make


def points(num_each, spread, seed, num_classes=3):
    """Return (N, 5) points around the corners of a simplex, their classes and four speakers."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(num_classes), num_each)
    values = 5 * np.eye(num_classes, 5)[labels] + spread * rng.normal(size=(len(labels), 5))
    speakers = np.array(["a", "b", "c", "d"])[np.arange(len(labels)) % 4]
    return values, labels, speakers


def decide(svm, values):
    with torch.inference_mode():
        return svm(torch.from_numpy(values)[:, None]).logits.numpy()


def test_separable_classes_are_told_apart_and_the_smallest_c_wins_a_tie(make_svm):
    svm, (x, y, speakers) = make_svm(), points(20, 0.1, 0)
    log = svm.fit(x, y, speakers, seed=1)
    assert [(entry["C"], entry["uar"]) for entry in log] == [(1e-4, 1), (1e-2, 1), (1.0, 1)]
    assert [entry["chosen"] for entry in log] == [True, False, False]
    assert (decide(svm, points(7, 0.1, 1)[0]).argmax(1) == points(7, 0.1, 1)[1]).all()
    assert svm.inference_parameters() == 3 * (5 + 1)


def test_c_is_the_best_over_training_speakers_left_out_and_all_of_them_train(make_svm):
    svm, (x, y, speakers) = make_svm(), points(12, 6, 4)
    # speakers differ, so that who is left out matters
    x = x + 4 * np.random.default_rng(9).normal(size=(4, 5))[np.unique(speakers, False, True)[1]]
    scaled = (x - x.mean(0)) / x.std(0)
    expected = []
    for c in sorted(GRID):
        guesses = np.zeros_like(y)
        for known, left_out in GroupKFold(4).split(x, y, speakers):
            assert len(set(speakers[left_out])) == 1
            one = LinearSVC(C=c, max_iter=20_000, random_state=1).fit(scaled[known], y[known])
            guesses[left_out] = one.predict(scaled[left_out])
        expected.append(recall_score(y, guesses, average="macro"))
    assert len(set(expected)) == 3
    log = svm.fit(x, y, speakers, seed=1)
    assert [entry["uar"] for entry in log] == pytest.approx(expected)
    (chosen,) = (entry["C"] for entry in log if entry["chosen"])
    assert chosen == sorted(GRID)[int(np.argmax(expected))]
    whole = LinearSVC(C=chosen, tol=1e-8, max_iter=20_000).fit(scaled, y)
    new = points(5, 6, 7)[0]
    wanted = whole.decision_function((new - x.mean(0)) / x.std(0))
    np.testing.assert_allclose(decide(svm, new), wanted, atol=1e-3)


def test_more_functionals_than_utterances_give_the_same_svm(make_svm):
    rng = np.random.default_rng(0)
    x, y, speakers = rng.normal(size=(12, 40)), np.tile([0, 1, 2], 4), np.repeat(list("abcd"), 3)
    x[:, 0] = 1  # says nothing, and has no deviation to divide by
    svm = make_svm(40, [0.01])
    svm.fit(x, y, speakers, seed=1)
    deviation = np.where(x.std(0) == 0, 1, x.std(0))
    alone = LinearSVC(C=0.01, tol=1e-8).fit((x - x.mean(0)) / deviation, y)
    other = rng.normal(size=(5, 40))
    expected = alone.decision_function((other - x.mean(0)) / deviation)
    np.testing.assert_allclose(decide(svm, other), expected, atol=1e-3)
    assert svm.inference_parameters() == alone.coef_.size + alone.intercept_.size


def test_two_classes_and_a_class_without_training(make_svm):
    x, y, speakers = points(20, 0.1, 0, num_classes=2)
    y = np.where(y == 0, 0, 2)
    svm = make_svm()
    svm.fit(x, y, speakers, seed=1)
    decisions = decide(svm, x)
    assert decisions.shape == (40, 3)
    assert (decisions.argmax(1) == y).all()
    assert np.isneginf(decisions[:, 1]).all()
    np.testing.assert_allclose(decisions[:, 0], -decisions[:, 2])


def test_a_stored_svm_decides_the_same(make_svm, tmp_path):
    svm, (x, y, speakers) = make_svm(), points(12, 6, 0)
    svm.fit(x, y, speakers, seed=1)
    torch.save(svm.state_dict(), tmp_path / "svm.pt")
    again = make_svm()
    again.load_state_dict(torch.load(tmp_path / "svm.pt", weights_only=True))
    np.testing.assert_array_equal(decide(again, x), decide(svm, x))


def test_config_check():
    for values in ([], [0.1, 0.0]):
        with pytest.raises(ValueError, match="linear.c_values must be numbers above 0"):
            LinearConfig(values).check()


def test_one_training_speaker_is_refused(make_svm):
    values, labels = np.eye(4), np.array([0, 0, 1, 1])
    with pytest.raises(TrainingError, match="training part has one speaker, anna.*two or more"):
        make_svm(4).fit(values, labels, np.array(["anna"] * 4), 0)


@pytest.fixture
def make_logistic(states):
    """A function from dimensions and layers to logistic regression on statistics of an encoder."""

    def make(dim, num_layers, c_values=GRID):
        config = SystemConfig(kind="logistic", linear=LinearConfig(c_values))
        features = dataclasses.replace(states(dim, num_layers), frame_shift_ms=None)
        return build_system(config, features, num_classes=3, num_speakers=4)

    return make


def test_what_may_be_chosen_of_layers():
    assert layer_runs(1) == [(0,)]
    assert layer_runs(2) == [(0,), (1,)]
    assert layer_runs(4) == [(0,), (1,), (2,), (3,), (0, 1, 2), (1, 2, 3)]


def test_the_layer_that_tells_the_classes_is_chosen_and_the_others_count_nothing(make_logistic):
    """Of four layers of five dimensions, all but the third are noise."""
    x, y, speakers = points(20, 1.5, 0)
    noise = np.random.default_rng(3).normal(size=(len(x), 20))
    noise[:, 10:15] = x
    system = make_logistic(20, 4)
    log = system.fit(noise, y, speakers, seed=1)
    assert [entry["layers"] for entry in log[:6]] == [list(run) for run in layer_runs(4)]
    assert {entry["C"] for entry in log[:6]} == {1e-2}
    (chosen,) = (entry for entry in log if entry["chosen"])
    assert chosen["layers"] == [2] and chosen["uar"] == max(entry["uar"] for entry in log)
    assert sorted(entry["C"] for entry in log if entry["layers"] == [2]) == sorted(GRID)
    used = system.coefficients.any(0).nonzero().flatten().tolist()
    assert used == [10, 11, 12, 13, 14] and system.inference_parameters() == 3 * (5 + 1)


@pytest.mark.parametrize("there", [[0, 1, 2], [0, 2]])
def test_logistic_regression_gives_probabilities_in_which_classes_count_alike(make_logistic, there):
    """Also with more dimensions than utterances; classes of 30, 20 and 10, or two of 40 and 20."""
    rng = np.random.default_rng(0)
    y = np.repeat(there, [30, 20, 10] if len(there) == 3 else [40, 20])
    x = rng.normal(size=(60, 80)) * rng.uniform(0.5, 3, 80) + np.eye(3, 80)[y] * 4
    speakers = np.tile(list("abcd"), 15)
    system = make_logistic(80, 1, [0.1])
    system.fit(x, y, speakers, seed=1)
    scaled = (x - x.mean(0)) / x.std(0)
    weights = 60 / len(there) / np.array([(y == k).sum() for k in y])
    whole = LogisticRegression(C=0.1, max_iter=20_000, tol=1e-8)
    whole.fit(scaled, y, sample_weight=weights)
    new = rng.normal(size=(9, 80))
    found = torch.from_numpy(decide(system, new)).softmax(1).numpy()
    wanted = whole.predict_proba((new - x.mean(0)) / x.std(0))
    np.testing.assert_allclose(found[:, there], wanted, atol=2e-3)
