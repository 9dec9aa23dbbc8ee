"""Calibration by neutral clips: against numbers computed clip by clip, and what it is blind to."""

import numpy as np
import pytest
import torch

from dsnet.errors import TrainingError
from dsnet.training.calibration import DEVIATION, MEAN, SpeakerCalibration
from dsnet.training.frames import FrameStore

BINS = 3


def make_store(**matrices):
    return FrameStore({u: len(m) for u, m in matrices.items()}, matrices.items(), "cpu")


@pytest.fixture
def matrices():
    rng = np.random.default_rng(0)
    lengths = {"x": 4, "n1": 5, "n2": 9, "n3": 7}
    return {u: rng.normal(12, 2, (t, BINS)).astype(np.float32) for u, t in lengths.items()}


def by_hand(x, clips):
    frames = np.concatenate(clips)
    return MEAN + DEVIATION * (x - frames.mean(0)) / frames.std(0)


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_the_first_clips_count(matrices, count):
    store = make_store(**matrices)
    clips = ["n2", "n1", "n3"]
    calibration = SpeakerCalibration(store, {"x": clips}, count)
    expected = by_hand(matrices["x"], [matrices[c] for c in clips[:count]])
    feats = torch.from_numpy(matrices["x"])[None]
    found = calibration(feats, store.positions(["x"]))[0].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_level_and_range_of_a_voice_do_not_matter(matrices):
    """Another microphone: every bin of utterance and clips has another gain and contrast."""
    gain, contrast = np.array([3.0, -1.0, 0.5]), np.array([1.2, 0.9, 1.1])
    other = {u: (m * contrast + gain).astype(np.float32) for u, m in matrices.items()}
    found = []
    for version in (matrices, other):
        store = make_store(**version)
        calibration = SpeakerCalibration(store, {"x": ["n1", "n2"]}, 2)
        found.append(calibration(torch.from_numpy(version["x"])[None], store.positions(["x"])))
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-3)


def test_training_draws_one_to_five_of_the_own_clips(matrices):
    """Every result is that of some subset, and all seven subsets of three clips occur."""
    store = make_store(**matrices)
    clips = {"x": ["n1", "n2", "n3"], "n1": ["n2"]}
    calibration = SpeakerCalibration(store, clips, 3)
    names = ["n1", "n2", "n3"]
    subsets = [[n for i, n in enumerate(names) if number >> i & 1] for number in range(1, 8)]
    expected = [by_hand(matrices["x"], [matrices[c] for c in subset]) for subset in subsets]
    positions = store.positions(["x"] * 200 + ["n1"])
    feats = torch.from_numpy(np.stack([matrices["x"]] * 201))
    drawn = calibration(feats, positions, torch.Generator().manual_seed(0)).numpy()
    which = [[np.allclose(d, e, rtol=1e-4) for e in expected].index(True) for d in drawn]
    assert set(which[:200]) == set(range(7)) and which[200] == 1


def test_an_utterance_without_clips_is_named(matrices):
    with pytest.raises(TrainingError, match="1 of 2 utterances have no neutral clip.*first: n1"):
        SpeakerCalibration(make_store(**matrices), {"x": ["n1"], "n1": []}, 3)
