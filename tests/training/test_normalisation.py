"""Normalisation of the input: against numbers computed by hand, and what it is blind to."""

from itertools import combinations

import numpy as np
import pytest
import torch

from dsnet.models.augment import AugmentConfig
from dsnet.models.front_end import SILENCE, build_front_end
from dsnet.models.voice import Voice
from dsnet.training.normalisation import Normalisation, Pools, voice_of

MEAN, DEVIATION = 17.0, 3.5
BINS = 4


@pytest.fixture
def matrices():
    rng = np.random.default_rng(0)
    lengths = {"x": 4, "n1": 5, "n2": 9, "n3": 7}
    return {u: rng.normal(12, 2, (t, BINS)).astype(np.float32) for u, t in lengths.items()}


def front_end_of(frames):
    config = frames.info.config or {}
    return build_front_end(AugmentConfig(), frames.info, config)


def plain(dim, mean=MEAN, deviation=DEVIATION):
    """Return a voice that believes what it hears."""
    zero = torch.zeros(dim, dtype=torch.double)
    logs = torch.as_tensor(deviation, dtype=torch.double).log()
    return Voice(zero + mean, zero + logs, zero, zero)


def by_hand(x, pool):
    """Utterances of a pool count alike, however long."""
    mean = np.mean([m.mean(0) for m in pool], 0)
    deviation = np.exp(np.mean([np.log(m.std(0)) for m in pool], 0))
    return MEAN + DEVIATION * (x - mean) / deviation


def normaliser(frames, pools, voice=None, scale=True, **how):
    """Return what normalises each utterance by its pool."""
    parts = [Pools(pools, {utt: utt for utt in pools}, **how)]
    voice = voice or plain(frames.info.dim)
    return Normalisation(frames, parts, voice, front_end_of(frames), scale)


def normalised(frames, pools, count, utt, scale=True, voice=None, others=False):
    """Return the features of an utterance, (T, F)."""
    normalise = normaliser(frames, pools, voice, scale, count=count, others=others)
    feats, positions = frames.whole(utt)[None], frames.positions([utt])
    return normalise(feats, normalise.hear(positions))[0].numpy()


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_the_first_pools_count(make_frames, matrices, count):
    names = ["n2", "n1", "n3"]
    found = normalised(make_frames(**matrices), {"x": list(names)}, count, "x")
    expected = by_hand(matrices["x"], [matrices[name] for name in names[:count]])
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_without_a_count_all_of_a_pool_counts_and_nothing_is_drawn(make_frames, matrices):
    frames, names = make_frames(**matrices), ["n1", "n2", "n3"]
    found = normalised(frames, {"x": names}, None, "x")
    np.testing.assert_array_equal(found, normalised(frames, {"x": names}, 3, "x"))
    normalise = normaliser(frames, {"x": names})
    heard = normalise.hear(frames.positions(["x"]), torch.Generator())
    np.testing.assert_array_equal(normalise(frames.whole("x")[None], heard)[0], found)


def test_each_of_a_batch_hears_its_own(make_frames, matrices):
    """However many rows of a batch hear the same, in whatever order."""
    pools = {"x": ["n1", "n2"], "n1": ["n1", "n2"], "n2": ["n3"], "n3": ["n3", "x", "n1"]}
    normalise = normaliser(frames := make_frames(**matrices), pools, others=True)
    batch = ["n3", "x", "x", "n2", "n1", "n3"]
    together = normalise.hear(frames.positions(batch))
    alone = [normalise.hear(frames.positions([utt])) for utt in batch]
    for found, one in zip(together, zip(*alone, strict=True), strict=True):
        assert torch.equal(found, torch.cat(one))


def test_others_are_heard_if_there_are_any(make_frames, matrices):
    frames = make_frames(**matrices)
    pools = {"n1": ["n1", "n2", "n3"], "n2": ["n2"]}
    found = {utt: normalised(frames, pools, 1, utt, others=True) for utt in pools}
    np.testing.assert_allclose(found["n1"], by_hand(matrices["n1"], [matrices["n2"]]), rtol=1e-4)
    np.testing.assert_allclose(found["n2"], by_hand(matrices["n2"], [matrices["n2"]]), rtol=1e-4)
    itself = normalised(frames, pools, 1, "n1")
    np.testing.assert_allclose(itself, by_hand(matrices["n1"], [matrices["n1"]]), rtol=1e-4)


def test_level_and_range_of_a_voice_do_not_matter(make_frames, matrices):
    """Another microphone: every bin of utterance and pools has another gain and contrast."""
    gain, contrast = np.array([3.0, -1.0, 0.5, 0.0]), np.array([1.2, 0.9, 1.1, 1.0])
    other = {u: (m * contrast + gain).astype(np.float32) for u, m in matrices.items()}
    found = [
        normalised(make_frames(**version), {"x": ["n1", "n2"]}, 2, "x")
        for version in (matrices, other)
    ]
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-3)


def test_log_mels_have_a_floor_and_a_bin_of_silence_is_not_blown_up(make_frames):
    quiet = {"x": [[-20.0, 1.0, 9.0, 9.0]], "n": [[1.0, -9.0, 8.0, 9.0], [2.0, 3.0, 12.0, 9.2]]}
    found = normalised(make_frames(**quiet), {"x": ["n"]}, 1, "x")[0]
    # below the floor all is alike; the third bin has 8 and 12; the last varies by 0.1, least 0.5
    wanted = [MEAN, MEAN, MEAN + DEVIATION * (9 - 10) / 2, MEAN + DEVIATION * (9 - 9.1) / 0.5]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert SILENCE > 3


def test_only_shifted_it_keeps_its_range(make_frames, matrices):
    found = normalised(make_frames(**matrices), {"x": ["n1"]}, 1, "x", scale=False)
    expected = MEAN + matrices["x"] - matrices["n1"].mean(0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_training_draws_from_the_own_pool(make_frames, matrices):
    """Every result is that of some subset, and all seven subsets of three utterances occur."""
    frames, names = make_frames(**matrices), ["n1", "n2", "n3"]
    normalise = normaliser(frames, {"x": names, "n1": ["n2"]}, count=3, others=True, draws=3)
    subsets = [[n for i, n in enumerate(names) if number >> i & 1] for number in range(1, 8)]
    expected = [by_hand(matrices["x"], [matrices[n] for n in subset]) for subset in subsets]
    feats = torch.from_numpy(np.stack([matrices["x"]] * 201))
    positions = frames.positions(["x"] * 200 + ["n1"])
    drawn = normalise(feats, normalise.hear(positions, torch.Generator().manual_seed(0))).numpy()
    which = [[np.allclose(d, e, rtol=1e-4) for e in expected].index(True) for d in drawn]
    assert set(which[:200]) == set(range(7)) and which[200] == 1


def test_neither_of_a_pair_is_drawn_for_it(make_frames, matrices):
    """Of x, n1, n2 and n3, with n1 as reference of x, only n2 and n3 are left; else all but x."""
    frames, pool = make_frames(**matrices), ["x", "n1", "n2", "n3"]
    normalise = normaliser(frames, {"x": pool}, others=True, draws=3)
    positions = frames.positions(["x"] * 100)
    for references, left in ((frames.positions(["n1"] * 100), pool[2:]), (None, pool[1:])):
        generator = torch.Generator().manual_seed(0)
        mean, _ = normalise.hear(positions, generator, references)
        subsets = [c for size in (1, 2, 3) for c in combinations(left, size)]
        means = [np.mean([matrices[n].mean(0) for n in subset], 0) for subset in subsets]
        found = {[np.allclose(one, m, rtol=1e-4) for m in means].index(True) for one in mean}
        assert found == set(range(len(subsets)))


@pytest.mark.parametrize("draws", [1, 3, 10])
def test_training_draws_one_to_twice_the_usual_number(make_frames, draws):
    """Every subset of the pool has another mean, which tells how many were drawn."""
    values = np.random.default_rng(0).uniform(10, 1000, 8)
    sizes = {
        values[list(subset)].mean(): size
        for size in range(1, 9)
        for subset in combinations(range(8), size)
    }
    pool = {f"n{i}": [[value] * BINS] for i, value in enumerate(values)}
    frames = make_frames(x=[[SILENCE] * BINS], **pool)
    normalise = normaliser(frames, {"x": list(pool)}, others=True, draws=draws)
    mean, _ = normalise.hear(frames.positions(["x"] * 400), torch.Generator().manual_seed(0))
    found = [sizes[min(sizes, key=lambda one: abs(one - float(m)))] for m in mean[:, 0]]
    most = min(2 * draws - 1, 8)
    assert set(found) == set(range(1, most + 1))
    assert all(found.count(size) > 200 / most for size in set(found))


VECTORS = {
    "a1": [1, 10, 7], "a2": [3, 30, 7], "a3": [2, 50, 7],
    "b1": [5, 0, 1], "b2": [9, 4, 2],
}  # fmt: skip
ALL_OF = {utt: [other for other in VECTORS if other[0] == utt[0]] for utt in VECTORS}
STANDARD = plain(3, mean=0, deviation=1)


@pytest.fixture
def speakers(make_frames):
    """A function that returns the vectors of speakers a and b, some of them changed."""

    def make(**other):
        return make_frames("opensmile", **{u: [v] for u, v in (VECTORS | other).items()})

    return make


def test_each_speaker_has_mean_0_and_deviation_1(speakers):
    s = np.sqrt(1.5)  # of -1, 0, 1 divided by their deviation, the root of 2/3
    expected = [[-s, -s, 0], [s, 0, 0], [0, s, 0], [-1, -1, -1], [1, 1, 1]]
    found = [normalised(speakers(), ALL_OF, None, utt, voice=STANDARD)[0] for utt in ALL_OF]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_another_speakers_audio_changes_nothing(speakers):
    louder = speakers(b1=[85, 0, 17], b2=[-3, 4, 34])
    for utt in ("a1", "a2", "a3"):
        np.testing.assert_array_equal(
            normalised(louder, ALL_OF, None, utt), normalised(speakers(), ALL_OF, None, utt)
        )


def test_the_mean_of_the_neutral_utterances_goes(speakers):
    pools = {"a1": ["a2", "a3"], "b2": ["b1"]}
    found = [normalised(speakers(), pools, 3, utt, scale=False, voice=STANDARD)[0] for utt in pools]
    np.testing.assert_allclose(found, [[1 - 2.5, 10 - 40, 0], [4, 4, 1]])


def test_a_voice_by_hand(make_frames, matrices):
    """Utterances of a speaker count alike, and so do speakers."""
    frames = make_frames(**matrices)
    voice = voice_of(frames, [["n1", "x"], ["n2"]], front_end_of(frames), shrink=False)
    n1, x, n2 = (matrices[utt] for utt in ("n1", "x", "n2"))
    wanted = ((n1.mean(0) + x.mean(0)) / 2 + n2.mean(0)) / 2
    np.testing.assert_allclose(voice.mean, wanted, rtol=1e-5)
    wanted = (np.log(n1.std(0) * x.std(0)) / 2 + np.log(n2.std(0))) / 2
    np.testing.assert_allclose(voice.log_deviation, wanted, rtol=1e-4)
    one = voice_of(frames, [["n1", "x"]], front_end_of(frames), shrink=True)
    assert not one.mean_noise.any()  # one speaker says nothing of how speakers differ


def test_another_voice_may_be_the_goal(make_frames, matrices):
    goal = plain(BINS, torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([0.5, 1.0, 2.0, 3.0]))
    found = normalised(make_frames(**matrices), {"x": ["x"]}, None, "x", voice=goal)
    np.testing.assert_allclose(found.mean(0), goal.mean, rtol=1e-4)
    np.testing.assert_allclose(found.std(0), goal.log_deviation.exp(), rtol=1e-4)


def test_noise_is_the_ratio_of_variances_by_hand(speakers):
    """Of a1 to a3 and b1, b2, first dimension: within (1 + 1 + 0 + 4 + 4) / (5 - 2) = 10 / 3.

    Means 2 and 7 have a variance of 12.5, of which 10 / 3 * (1 / 3 + 1 / 2) / 2 is within.
    """
    frames = speakers()
    own = [["a1", "a2", "a3"], ["b1", "b2"]]
    voice = voice_of(frames, own, front_end_of(frames), shrink=True)
    within = 10 / 3
    assert voice.mean_noise[0] == pytest.approx(within / (12.5 - within * 5 / 12))
    assert not voice.deviation_noise.any()  # a vector has none
    assert not voice_of(frames, own, front_end_of(frames), shrink=False).mean_noise.any()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_more_is_heard_the_more_of_it_is_believed(speakers, count):
    """With a noise of 2, one utterance is believed by a third, two by a half."""
    zero = torch.zeros(3, dtype=torch.double)
    voice = Voice(zero + 4, zero, zero + 2, zero)
    frames, pool = speakers(), ["a1", "a2", "a3"]
    found = normalised(frames, {"b1": pool}, count, "b1", scale=False, voice=voice)[0]
    mean = np.mean([VECTORS[utt] for utt in pool[:count]], 0)
    wanted = VECTORS["b1"] - count / (count + 2) * (mean - 4)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_a_dimension_in_which_speakers_do_not_differ_is_left_alone(speakers):
    same = {"a1": [1, 5, 0], "a2": [3, 7, 0], "a3": [2, 6, 0], "b1": [1, 4, 0], "b2": [3, 8, 0]}
    frames = speakers(**same)
    own = [["a1", "a2", "a3"], ["b1", "b2"]]
    voice = voice_of(frames, own, front_end_of(frames), shrink=True)
    found = normalised(frames, {"b1": ["a2"]}, 1, "b1", scale=False, voice=voice)[0]
    np.testing.assert_allclose(found, same["b1"], rtol=1e-6)


def test_shrinkage_is_nearer_to_the_speaker_than_all_or_nothing(make_frames):
    """Of many speakers whose variances are known, the mean of 3 utterances, of 40 dimensions."""
    rng = np.random.default_rng(0)
    between, within, num = rng.uniform(0, 2, 40), rng.uniform(0.5, 2, 40), 60
    truth = rng.normal(0, 1, (num, 40)) * np.sqrt(between)
    clips = truth[:, None] + rng.normal(0, 1, (num, 6, 40)) * np.sqrt(within)
    names = [[f"s{i}u{j}" for j in range(6)] for i in range(num)]
    flat = {name: [clips[i, j]] for i, own in enumerate(names) for j, name in enumerate(own)}
    frames = make_frames("opensmile", zero=[[0.0] * 40], **flat)
    voice = voice_of(frames, names[:30], front_end_of(frames), shrink=True)
    ratio = voice.mean_noise.numpy() / (within / between)
    assert np.median(ratio[between > 0.5]) == pytest.approx(1, abs=0.3)
    errors = {}
    for what, used in {"all": plain(40, 0, 1), "shrunk": voice}.items():
        moved = [
            -normalised(frames, {"zero": own[:3]}, 3, "zero", scale=False, voice=used)[0]
            for own in names[30:]
        ]
        errors[what] = np.square(np.array(moved) - truth[30:]).mean()
    assert errors["shrunk"] < 0.85 * errors["all"] and errors["shrunk"] < np.square(truth).mean()


def test_log_deviations_are_shrunk_too(make_frames, matrices):
    frames = make_frames(**matrices)
    zero = torch.zeros(BINS, dtype=torch.double)
    voice = Voice(zero + MEAN, zero + np.log(DEVIATION), zero, zero + 1)
    found = normalised(frames, {"x": ["n1"]}, 1, "x", voice=voice)
    deviation = np.sqrt(matrices["n1"].std(0) * DEVIATION)  # half way in the logarithm
    wanted = MEAN + DEVIATION * (matrices["x"] - matrices["n1"].mean(0)) / deviation
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
