"""A model that hears a recording at other speeds, too, against one that hears one speed."""

import numpy as np
import pytest
import torch
from tiny_bundles import BINS, RATE, sound, write_tiny

from dsnet.features.resample import rate_at, resample
from dsnet.recognizer.recognizer import Recognizer

SPEEDS = [0.9, 1.1]


@pytest.fixture
def at_speeds(tmp_path):
    write_tiny(tmp_path / "tiny", speeds=SPEEDS)
    return Recognizer.load(tmp_path / "tiny")


def played(samples, speed):
    """Return samples that sound faster by a factor."""
    size = (2 * len(samples) * RATE + rate_at(RATE, speed)) // (2 * rate_at(RATE, speed))
    return resample(torch.from_numpy(samples), rate_at(RATE, speed), RATE, size).numpy()


@pytest.mark.parametrize("kind", ["none", "neutral", "any"])
def test_a_decision_is_the_geometric_mean_over_the_speeds(recognizer, at_speeds, kind):
    clips = [sound(1.5, seed) for seed in (7, 8)]
    sounds = [sound(seconds, seed) for seed, seconds in enumerate([1, 0.5, 1])]

    def scores(judge, change):
        speaker = None
        if kind != "none":
            speaker = judge.enrol("anna", [(change(clip), RATE) for clip in clips], kind)
        results = judge.judge([change(samples) for samples in sounds], RATE, speaker)
        return np.array([list(result.scores.values()) for result in results])

    alone = [scores(recognizer, lambda x, v=v: played(x, v)) for v in (1, *SPEEDS)]
    product = np.prod(alone, 0) ** (1 / 3)
    expected = product / product.sum(1, keepdims=True)
    np.testing.assert_allclose(scores(at_speeds, lambda x: x), expected, atol=1e-5)


def test_a_profile_holds_what_is_heard_at_every_speed(recognizer, at_speeds):
    assert (recognizer.num_measured, at_speeds.num_measured) == (2 * BINS, 6 * BINS)
    profile = at_speeds.enrol("anna", [(sound(), RATE)])
    (measured,) = profile.measured()
    expected = [recognizer.measure(played(sound(), v), RATE) for v in (1, *SPEEDS)]
    np.testing.assert_allclose(measured, np.concatenate(expected), atol=1e-4)
