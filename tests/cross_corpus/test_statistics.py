"""Target statistics: moments against NumPy, and audio through a fixed filter comes back."""

import numpy as np
import pytest

from dsnet.cross_corpus.statistics import group_utterances, match, moments
from dsnet.training.frames import FrameStore

RNG = np.random.default_rng(0)
MATRICES = {
    f"{speaker}{n}": (12 + 4 * RNG.normal(size=(20 + 7 * n, 5))).astype("float32")
    for speaker in "ab"
    for n in range(3)
}
UTT2SPK = {utt: utt[0] for utt in MATRICES}


def store(change=lambda utt, x: x):
    lengths = {utt: len(x) for utt, x in MATRICES.items()}
    return FrameStore(lengths, [(u, change(u, x)) for u, x in MATRICES.items()], "cpu")


def test_moments_are_those_of_numpy():
    found = moments(MATRICES.values())
    frames = np.concatenate(list(MATRICES.values())).astype(float)
    np.testing.assert_allclose(found.mean, frames.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.deviation, frames.std(0), rtol=1e-9)


@pytest.mark.parametrize("kind", ["corpus", "speaker"])
def test_each_group_gets_the_moments_that_were_asked_for(kind):
    goal = moments([RNG.normal(3, 2, (50, 5))])
    made = store()
    groups = group_utterances(kind, UTT2SPK)
    match(made, groups, goal)
    assert len(groups) == {"corpus": 1, "speaker": 2}[kind]
    for group in groups:
        rows = [made.variable(made.positions([utt]), 1)[0][0].numpy() for utt in group]
        after = moments(rows)
        np.testing.assert_allclose(after.mean, goal.mean, rtol=1e-5)
        np.testing.assert_allclose(after.deviation, goal.deviation, rtol=1e-5)


def test_a_fixed_filter_is_undone():
    """A filter adds to each log-mel bin; so does a gain, to all alike."""
    gain = np.linspace(-6, 9, 5).astype("float32")
    made = store(lambda utt, x: x + gain)
    match(made, group_utterances("corpus", UTT2SPK), moments(MATRICES.values()))
    assert np.abs(made.frames.numpy() - store().frames.numpy()).max() < 1e-4


def test_a_filter_a_speaker_is_undone_speaker_by_speaker():
    """Both speakers' own moments become those of one goal, whatever microphone each had."""
    goal = moments(MATRICES.values())
    plain, filtered = store(), store(lambda utt, x: x + (5 if utt[0] == "a" else -3))
    for made in (plain, filtered):
        match(made, group_utterances("speaker", UTT2SPK), goal)
    assert np.abs(plain.frames.numpy() - filtered.frames.numpy()).max() < 1e-4


def test_a_bin_that_never_changes_is_only_shifted():
    made = store(lambda utt, x: np.concatenate([x[:, :4], np.full((len(x), 1), 7.0)], 1, dtype="f"))
    match(made, group_utterances("corpus", UTT2SPK), moments(MATRICES.values()))
    want = moments(MATRICES.values()).mean[4]
    np.testing.assert_allclose(made.frames[:, 4].numpy(), want, rtol=1e-5)
