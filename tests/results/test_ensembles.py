"""Ensembles: geometric means by hand, each run at its temperature, systems of equal weight."""

import numpy as np
import pytest
from scipy.special import softmax

from dsnet.results.ensembles import combine
from dsnet.scoring.probabilities import fit_temperature


def draw(count, seed, sharpness=1.0):
    """Return posteriors from which the labels were drawn, with their logits times `sharpness`."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(count, 3))
    labels = np.array([rng.choice(3, p=p) for p in softmax(logits, axis=1)])
    return logits, softmax(sharpness * logits, axis=1), labels


def test_copies_of_one_run_are_that_run_at_its_temperature():
    logits, posteriors, labels = draw(400, 0)
    dev, test = combine({"a": [(posteriors, posteriors[:5])] * 2}, labels, labels >= 0)
    expected = softmax(logits / fit_temperature(posteriors, labels), axis=1)
    assert dev == pytest.approx(expected, abs=1e-9)
    assert test == pytest.approx(expected[:5], abs=1e-9)


def test_how_sure_a_member_is_does_not_matter():
    """Ten times the logits are the same knowledge, said louder."""
    _, quiet, labels = draw(400, 0)
    _, loud, _ = draw(400, 0, sharpness=10)
    other = draw(400, 1)[1]
    one = combine({"a": [(quiet, quiet)], "b": [(other, other)]}, labels, labels >= 0)
    two = combine({"a": [(loud, loud)], "b": [(other, other)]}, labels, labels >= 0)
    assert one[1] == pytest.approx(two[1], abs=1e-3)


def test_systems_weigh_the_same_however_many_seeds():
    _, a, labels = draw(300, 0)
    b = draw(300, 1)[1]
    few = combine({"a": [(a, a)], "b": [(b, b)]}, labels, labels >= 0)[1]
    many = combine({"a": [(a, a)] * 3, "b": [(b, b)]}, labels, labels >= 0)[1]
    assert few == pytest.approx(many, abs=1e-9)


def test_a_posterior_that_was_rounded_to_zero_decides_nothing_alone():
    dev = np.full((3, 3), 0.1) + 0.7 * np.eye(3)
    sure, test = np.array([[1.0, 0.0, 0.0]]), np.array([[0.2, 0.7, 0.1]])
    _, combined = combine({"a": [(dev, sure), (dev, test)]}, np.arange(3), np.full(3, True))
    assert np.isfinite(combined).all() and combined.sum() == pytest.approx(1)


def test_what_a_member_was_given_does_not_count_for_its_temperature():
    """Wrong labels of utterances that are not judged change nothing."""
    _, a, labels = draw(300, 0)
    judged = np.arange(300) % 3 > 0
    wrong = np.where(judged, labels, (labels + 1) % 3)
    found = combine({"a": [(a, a)]}, wrong, judged)[1]
    assert found == pytest.approx(combine({"a": [(a, a)]}, labels, judged)[1], abs=1e-12)
    assert found != pytest.approx(combine({"a": [(a, a)]}, wrong, labels >= 0)[1], abs=1e-3)


def test_where_nobody_validates_members_are_as_they_are():
    """Log posteriors are averaged: (0.9 * 0.4)^(1/2) = 0.6, (0.1 * 0.6)^(1/2) = 0.245."""
    none = np.empty((0, 2))
    a, b = np.array([[0.9, 0.1]]), np.array([[0.4, 0.6]])
    empty = np.array([], dtype=int)
    dev, test = combine({"a": [(none, a)], "b": [(none, b)]}, empty, empty.astype(bool))
    assert dev.shape == (0, 2)
    assert test[0] == pytest.approx([0.6 / 0.84495, 0.24495 / 0.84495], abs=1e-5)
