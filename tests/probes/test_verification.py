"""Speaker verification: error rates by hand, and what embeddings of known contents give."""

import numpy as np
import pytest

from dsnet.probes.labels import Labels
from dsnet.probes.verification import VERIFICATIONS, equal_error_rate, pair_up, verify

SEXES = {"A": "f", "B": "f", "C": "m", "D": "m"}


def corpus(speakers="ABCD", texts=5, takes=4):
    """Return utterances speaker-text-take and their labels."""
    utts = [f"{s}-{t}-{k}" for s in speakers for t in range(texts) for k in range(takes)]
    return utts, Labels(
        speaker={utt: utt[0] for utt in utts},
        sex={utt: SEXES[utt[0]] for utt in utts},
        text={utt: f"text {utt[2]}" for utt in utts},
        emotion={utt: "happy" if utt[4] in "01" else "sad" for utt in utts},
    )


def one_hot(values):
    names, which = np.unique(values, return_inverse=True)
    return np.eye(len(names))[which]


def eers(utts, labels, x):
    return {name: p and verify(p, x, x)["eer"] for name, p in pair_up(utts, labels).items()}


@pytest.mark.parametrize(
    ("targets", "impostors", "wanted"),
    [
        ([0.9, 0.8, 0.7], [0.3, 0.2], 0),
        ([0.3, 0.2], [0.9, 0.8, 0.7], 1),
        # from 0.6 on, one of four targets is rejected and one of four impostors accepted
        ([0.9, 0.8, 0.6, 0.4], [0.7, 0.3, 0.2, 0.1], 1 / 4),
        # at 0.8, 1/3 rejected and 0 accepted; at 0.7 1/3 and 1/2: the line between has 1/3
        ([0.9, 0.8, 0.1], [0.7, 0.05], 1 / 3),
        # equal scores are decided by lot
        ([0.5, 0.5], [0.5], 1 / 2),
        ([1.0, 0.5], [0.5, 0.0], 1 / 4),
    ],
)
def test_equal_error_rate_by_hand(targets, impostors, wanted):
    scores = np.array([*targets, *impostors])
    target = np.arange(len(scores)) < len(targets)
    assert equal_error_rate(scores, target) == pytest.approx(wanted)


def test_equal_error_rate_of_two_normal_distributions():
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(2, 1, 20_000), rng.normal(0, 1, 50_000)])
    # the threshold is 1, one standard deviation from either mean
    assert equal_error_rate(scores, np.arange(70_000) < 20_000) == pytest.approx(0.1587, abs=0.005)


def test_a_pair_never_says_the_same_text():
    utts, labels = corpus()
    found = pair_up(utts, labels)
    for pairs in found.values():
        for i, j, target in zip(pairs.first, pairs.second, pairs.target, strict=True):
            assert labels.text[utts[i]] != labels.text[utts[j]]
            assert (labels.speaker[utts[i]] == labels.speaker[utts[j]]) == target
    # of an utterance's speaker 4 other texts, 4 takes each; the same of every other speaker
    wanted = {"chance": 0.5, "num_target": 80 * 16 // 2, "num_impostor": 80 * 3 * 16 // 2}
    assert found["speaker"].describe() == wanted
    assert found["speaker_same_sex"].describe() == wanted | {"num_impostor": 80 * 16 // 2}
    halves = {"num_target": 80 * 8 // 2, "num_impostor": 80 * 3 * 8 // 2}
    assert found["speaker_same_emotion"].describe() == wanted | halves


def test_utterances_without_text_are_all_paired():
    utts, labels = corpus()
    found = pair_up(utts, Labels(labels.speaker, labels.sex, {}, labels.emotion))
    assert len(found["speaker"].target) == 80 * 79 // 2


def test_an_embedding_of_the_speaker_has_none():
    utts, labels = corpus()
    found = eers(utts, labels, one_hot([utt[0] for utt in utts]))
    assert found == dict.fromkeys(VERIFICATIONS, 0)


def test_a_random_embedding_is_at_chance():
    utts, labels = corpus()
    runs = [
        [*eers(utts, labels, np.random.default_rng(seed).normal(size=(80, 16))).values()]
        for seed in range(10)
    ]
    assert np.mean(runs, 0) == pytest.approx([0.5] * 3, abs=0.03)


def test_an_embedding_of_the_text_or_nothing_is_at_chance():
    utts, labels = corpus()
    for x in (one_hot([utt[2] for utt in utts]), np.full((80, 3), 0.1, np.float32)):
        assert eers(utts, labels, x) == pytest.approx(dict.fromkeys(VERIFICATIONS, 0.5))


def test_sex_tells_voices_apart_but_not_within_a_sex():
    """Of the impostors 1 of 3 shares the sex: at the line from there EER = 1/4."""
    utts, labels = corpus()
    found = eers(utts, labels, one_hot([SEXES[utt[0]] for utt in utts]))
    wanted = {"speaker": 1 / 4, "speaker_same_sex": 1 / 2, "speaker_same_emotion": 1 / 4}
    assert found == pytest.approx(wanted)


def test_within_an_emotion_the_voice_shows_that_emotion_hides():
    utts, labels = corpus()
    noise = 0.1 * np.random.default_rng(0).normal(size=(80, 4))
    voice = one_hot([utt[0] for utt in utts]) + noise
    emotion = np.repeat(one_hot([labels.emotion[utt] for utt in utts]), 20, axis=1)
    found = eers(utts, labels, np.concatenate([voice, emotion], 1))
    assert found["speaker"] > 0.4
    assert found["speaker_same_emotion"] < 0.1


def test_pairs_within_a_sex_are_those_of_speakers_who_share_it():
    utts, labels = corpus("ABC")
    same_sex = pair_up(utts, labels)["speaker_same_sex"]
    used = {utts[i][0] for i in [*same_sex.first, *same_sex.second]}
    assert used == {"A", "B"}  # C, the only man, has no impostor
    utts, labels = corpus("AC")
    assert pair_up(utts, labels)["speaker_same_sex"] is None
    unknown = Labels(labels.speaker, {}, labels.text, labels.emotion)
    found = pair_up(utts, unknown)
    assert (found["speaker"] is None, found["speaker_same_sex"]) == (False, None)


def test_one_speaker_or_one_text_leaves_nothing_to_verify():
    for utts, labels in (corpus("A"), corpus("AB", texts=1)):
        assert pair_up(utts, labels) == dict.fromkeys(VERIFICATIONS)


def test_embeddings_are_standardised_by_the_training_speakers():
    """A dimension that varies more would else drown the one that tells the voice."""
    utts, labels = corpus("AB")
    rng = np.random.default_rng(0)
    voice = np.array([1.0 if utt[0] == "A" else -1.0 for utt in utts])
    held_out = np.stack([voice, 100 * rng.normal(size=len(utts))], 1)
    train = np.stack([rng.choice([-1.0, 1.0], 200), 100 * rng.normal(size=200)], 1)
    pairs = pair_up(utts, labels)["speaker"]
    assert verify(pairs, train, held_out)["eer"] < 0.35
    unit = held_out / np.linalg.norm(held_out, axis=1, keepdims=True)
    as_it_is = equal_error_rate((unit @ unit.T)[pairs.first, pairs.second], pairs.target)
    assert as_it_is == pytest.approx(0.5, abs=0.05)
