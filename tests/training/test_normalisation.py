"""Normalisation of the input: against numbers computed by hand, and what it is blind to."""

from itertools import combinations

import numpy as np
import pytest
import torch

from dsnet.models.augment import AugmentConfig
from dsnet.models.front_end import SILENCE, MelFrontEnd, build_front_end
from dsnet.training.normalisation import Normalisation, Voice, voice_of

MEAN, DEVIATION = MelFrontEnd.mean, MelFrontEnd.deviation
BINS = 4


@pytest.fixture
def matrices():
    rng = np.random.default_rng(0)
    lengths = {"x": 4, "n1": 5, "n2": 9, "n3": 7}
    return {u: rng.normal(12, 2, (t, BINS)).astype(np.float32) for u, t in lengths.items()}


def front_end_of(frames):
    config = frames.info.config or {}
    return build_front_end(AugmentConfig(), frames.info, config)


def singles(*names):
    return [(name,) for name in names]


def by_hand(x, pools):
    frames = np.concatenate(pools)
    return MEAN + DEVIATION * (x - frames.mean(0)) / frames.std(0)


def normalised(frames, pools, count, utt, scale=True, voice=None):
    """Return the features of an utterance, (T, F)."""
    normalise = Normalisation(frames, pools, count, front_end_of(frames), scale, voice)
    return normalise(frames.whole(utt)[None], frames.positions([utt]))[0].numpy()


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_the_first_pools_count(make_frames, matrices, count):
    names = ["n2", "n1", "n3"]
    found = normalised(make_frames(**matrices), {"x": singles(*names)}, count, "x")
    expected = by_hand(matrices["x"], [matrices[name] for name in names[:count]])
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_frames_count_alike_in_a_pool_and_over_pools(make_frames, matrices):
    frames = make_frames(**matrices)
    together = normalised(frames, {"x": [("n1", "n2", "n3")]}, 1, "x")
    apart = normalised(frames, {"x": singles("n1", "n2", "n3")}, 3, "x")
    np.testing.assert_allclose(together, apart, rtol=1e-5)


def test_level_and_range_of_a_voice_do_not_matter(make_frames, matrices):
    """Another microphone: every bin of utterance and pools has another gain and contrast."""
    gain, contrast = np.array([3.0, -1.0, 0.5, 0.0]), np.array([1.2, 0.9, 1.1, 1.0])
    other = {u: (m * contrast + gain).astype(np.float32) for u, m in matrices.items()}
    found = [
        normalised(make_frames(**version), {"x": singles("n1", "n2")}, 2, "x")
        for version in (matrices, other)
    ]
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-3)


def test_log_mels_have_a_floor_and_a_bin_of_silence_is_not_blown_up(make_frames):
    quiet = {"x": [[-20.0, 1.0, 9.0, 9.0]], "n": [[1.0, -9.0, 8.0, 9.0], [2.0, 3.0, 12.0, 9.2]]}
    found = normalised(make_frames(**quiet), {"x": singles("n")}, 1, "x")[0]
    # below the floor all is alike; the third bin has 8 and 12; the last varies by 0.1, least 0.5
    wanted = [MEAN, MEAN, MEAN + DEVIATION * (9 - 10) / 2, MEAN + DEVIATION * (9 - 9.1) / 0.5]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert SILENCE > 3


def test_only_shifted_it_keeps_its_range(make_frames, matrices):
    found = normalised(make_frames(**matrices), {"x": singles("n1")}, 1, "x", scale=False)
    expected = MEAN + matrices["x"] - matrices["n1"].mean(0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_training_draws_one_to_five_of_the_own_pools(make_frames, matrices):
    """Every result is that of some subset, and all seven subsets of three pools occur."""
    frames = make_frames(**matrices)
    names = ["n1", "n2", "n3"]
    pools = {"x": singles(*names), "n1": singles("n2")}
    normalise = Normalisation(frames, pools, 3, front_end_of(frames), scale=True)
    subsets = [[n for i, n in enumerate(names) if number >> i & 1] for number in range(1, 8)]
    expected = [by_hand(matrices["x"], [matrices[n] for n in subset]) for subset in subsets]
    positions = frames.positions(["x"] * 200 + ["n1"])
    feats = torch.from_numpy(np.stack([matrices["x"]] * 201))
    drawn = normalise(feats, positions, torch.Generator().manual_seed(0)).numpy()
    which = [[np.allclose(d, e, rtol=1e-4) for e in expected].index(True) for d in drawn]
    assert set(which[:200]) == set(range(7)) and which[200] == 1


def test_of_many_pools_training_draws_five_at_most(make_frames):
    """Every subset of the pools has another mean, which tells how many were drawn."""
    values = np.random.default_rng(0).uniform(10, 1000, 8)
    sizes = {
        values[list(subset)].mean(): size
        for size in range(1, 9)
        for subset in combinations(range(8), size)
    }
    pools = {f"n{i}": [[value] * BINS] for i, value in enumerate(values)}
    frames = make_frames(x=[[SILENCE] * BINS], **pools)
    normalise = Normalisation(frames, {"x": singles(*pools)}, 3, front_end_of(frames), scale=False)
    feats = frames.whole("x")[None].repeat(200, 1, 1)
    drawn = normalise(feats, frames.positions(["x"] * 200), torch.Generator().manual_seed(0))
    means = (MEAN + SILENCE - drawn[:, 0, 0]).tolist()
    found = [sizes[min(sizes, key=lambda mean: abs(mean - wanted))] for wanted in means]
    assert {size: found.count(size) > 20 for size in found} == dict.fromkeys(range(1, 6), True)


VECTORS = {
    "a1": [1, 10, 7], "a2": [3, 30, 7], "a3": [2, 50, 7],
    "b1": [5, 0, 1], "b2": [9, 4, 2],
}  # fmt: skip
ALL_OF = {utt: [tuple(other for other in VECTORS if other[0] == utt[0])] for utt in VECTORS}


@pytest.fixture
def speakers(make_frames):
    """A function that returns the vectors of speakers a and b, some of them changed."""

    def make(**other):
        return make_frames("opensmile", **{u: [v] for u, v in (VECTORS | other).items()})

    return make


def test_each_speaker_has_mean_0_and_deviation_1(speakers):
    s = np.sqrt(1.5)  # of -1, 0, 1 divided by their deviation, the root of 2/3
    expected = [[-s, -s, 0], [s, 0, 0], [0, s, 0], [-1, -1, -1], [1, 1, 1]]
    found = [normalised(speakers(), ALL_OF, 1, utt)[0] for utt in ALL_OF]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_another_speakers_audio_changes_nothing(speakers):
    louder = speakers(b1=[85, 0, 17], b2=[-3, 4, 34])
    for utt in ("a1", "a2", "a3"):
        np.testing.assert_array_equal(
            normalised(louder, ALL_OF, 1, utt), normalised(speakers(), ALL_OF, 1, utt)
        )


def test_the_mean_of_the_neutral_utterances_goes(speakers):
    pools = {"a1": singles("a2", "a3"), "b2": singles("b1")}
    found = [normalised(speakers(), pools, 3, utt, scale=False)[0] for utt in pools]
    np.testing.assert_allclose(found, [[1 - 2.5, 10 - 40, 0], [4, 4, 1]])


def test_a_voice_by_hand(make_frames, matrices):
    frames = make_frames(**matrices)
    voice = voice_of(frames, ["n1", "x"], front_end_of(frames))
    both = np.concatenate([matrices["n1"], matrices["x"]])
    np.testing.assert_allclose(voice.mean, both.mean(0), rtol=1e-5)
    np.testing.assert_allclose(voice.deviation, both.std(0), rtol=1e-5)


def test_another_voice_may_be_the_goal(make_frames, matrices):
    goal = Voice(torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([0.5, 1.0, 2.0, 3.0]))
    found = normalised(make_frames(**matrices), {"x": [("x",)]}, 1, "x", voice=goal)
    np.testing.assert_allclose(found.mean(0), goal.mean, rtol=1e-4)
    np.testing.assert_allclose(found.std(0), goal.deviation, rtol=1e-4)
