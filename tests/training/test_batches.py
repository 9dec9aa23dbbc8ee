"""Batches: every utterance once an epoch, with what a system needs and nothing else."""

import dataclasses

import numpy as np
import pytest
import torch

from dsnet.models.augment import AugmentConfig
from dsnet.models.encoder import MIN_FRAMES
from dsnet.models.front_end import SILENCE, build_front_end
from dsnet.models.voice import Voice
from dsnet.systems import SYSTEMS
from dsnet.training.batches import TrainingSet
from dsnet.training.normalisation import Normalisation, Pools

NUM_BINS = 20
VOICE = {"vocal_tract": 0.12, "gain": 3.0, "tilt": 1.0, "equaliser": 0.25}
NETWORKS = [kind for kind, system in SYSTEMS.items() if system.is_network]


def an_epoch(fold, config, seed=0):
    data = TrainingSet(fold, config)
    batches = list(data.epoch(torch.Generator().manual_seed(seed), SYSTEMS[config.kind]))
    assert len(batches) == data.num_batches
    return batches


@pytest.mark.parametrize("mode", ["fixed", "variable"])
def test_every_utterance_is_there_and_no_batch_is_tiny(fold, make_config, mode):
    batches = an_epoch(fold, make_config(mode=mode, batch_size=10))  # 21 utterances
    assert [len(b.targets) for b in batches] == [7, 7, 7]
    assert torch.cat([b.targets for b in batches]).sum(0).tolist() == [7, 7, 7]


def test_an_epoch_is_decided_by_its_generator(fold, make_config):
    first, again, other = (an_epoch(fold, make_config(), seed) for seed in (1, 1, 2))
    assert all(torch.equal(a.feats, b.feats) for a, b in zip(first, again, strict=True))
    assert any(
        a.feats.shape != b.feats.shape or not torch.equal(a.feats, b.feats)
        for a, b in zip(first, other, strict=True)
    )


def test_every_reference_is_drawn_and_none_is_the_utterance_itself(fold, make_config):
    config = make_config(mode="fixed")
    neutral = {u: fold.frames.fixed(fold.frames.positions([u]), 48)[0] for u in fold.train[:9:3]}
    seen = set()
    for seed in range(5):
        for batch in an_epoch(fold, config, seed):
            assert batch.has_neutral.all()
            for feats, reference in zip(batch.feats, batch.neutral_feats, strict=True):
                assert not torch.equal(feats, reference)
                seen |= {u for u, x in neutral.items() if torch.equal(x, reference)}
    assert seen == set(neutral)


def test_utterances_without_reference_are_marked(fold, make_config):
    fold.references[fold.train[4]] = []
    marked = sum(int((~b.has_neutral).sum()) for b in an_epoch(fold, make_config(batch_size=7)))
    assert marked == 1


def test_an_utterance_without_reference_stands_for_itself(fold, make_config):
    """So that batch norm hears nobody who is not named."""
    fold.references = {utt: [] for utt in fold.train}
    for batch in an_epoch(fold, make_config(mode="fixed")):
        assert torch.equal(batch.neutral_feats, batch.feats)


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_batch_has_what_its_system_needs(fold, make_config, kind):
    for batch in an_epoch(fold, make_config(kind=kind)):
        assert (batch.neutral_feats is not None) == (
            kind in ("dsnet", "dsnet_plus", "dsc", "isnet")
        )
        assert (batch.unlabelled_feats is not None) == (kind == "dat_transductive")
        assert torch.equal(batch.speaker_targets, batch.targets)


def test_mixup_mixes_speakers_as_it_mixes_classes(fold, make_config):
    """In this fold the class of an utterance has the number of its speaker."""
    config = make_config(mode="crop", augment={"mixup": 1.0})
    batches = an_epoch(fold, config)
    shares = torch.cat([b.targets for b in batches])
    assert ((shares > 0.01) & (shares < 0.99)).any()
    assert all(torch.equal(b.targets, b.speaker_targets) for b in batches)


def test_unlabelled_utterances_are_drawn_from_their_list_alone(fold, make_config):
    given = {u: fold.frames.fixed(fold.frames.positions([u]), 48)[0] for u in fold.unlabelled}
    config = make_config(kind="dat_transductive", mode="fixed")
    seen = []
    for seed in range(3):
        for batch in an_epoch(fold, config, seed):
            assert len(batch.unlabelled_feats) == len(batch.feats)
            for feats in batch.unlabelled_feats:
                (found,) = (u for u, x in given.items() if torch.equal(x, feats))
                seen.append(found)
    assert set(seen) == set(given)


def test_unlabelled_utterances_are_mixed_where_labelled_ones_are(fold, make_config):
    given = [fold.frames.fixed(fold.frames.positions([u]), 48)[0] for u in fold.unlabelled]
    config = make_config(kind="dat_transductive", mode="fixed", augment={"mixup": 1.0})
    feats = torch.cat([b.unlabelled_feats for b in an_epoch(fold, config)])
    mixed = [all(not torch.equal(x, g) for g in given) for x in feats]
    assert sum(mixed) > len(mixed) / 2


def test_the_input_is_normalised_before_it_is_augmented(fold, make_config):
    """By a pool whose frames are all alike, all is shifted by the same; then comes a gain."""
    fold.frames.frames[: int(fold.frames.lengths[0])] = 10.0
    plain = an_epoch(fold, make_config(kind="base", mode="fixed"))
    parts = [Pools({"all": [fold.train[0]]}, dict.fromkeys(fold.train, "all"))]
    zero = torch.zeros(fold.frames.info.dim, dtype=torch.double)
    voice = Voice(zero + 17, zero, zero, zero)
    fold.normalisation = Normalisation(fold.frames, parts, voice, fold.front_end, scale=False)
    config = make_config(kind="base", mode="fixed", augment={"gain": 3.0})
    fold.front_end = build_front_end(config.augment, fold.frames.info, fold.frames.info.config)
    for before, after in zip(plain, an_epoch(fold, config), strict=True):
        gain = after.feats - (before.feats.clamp(min=SILENCE) + 17 - 10)
        torch.testing.assert_close(gain, gain[:, :1, :1].expand_as(gain), atol=1e-4, rtol=0)
        assert (gain.abs() < 3.001).all() and gain.std() > 0.1


def with_voices(fold, **augment):
    """Let the features of a fold be changed as a config with this augmentation says."""
    info = fold.frames.info
    fold.front_end = build_front_end(AugmentConfig(**augment), info, info.config)


@pytest.mark.parametrize("mode", ["fixed", "variable"])
def test_an_utterance_and_its_reference_are_changed_to_one_voice(fold, make_config, mode):
    fold.references = {utt: [utt] for utt in fold.train}
    with_voices(fold, **VOICE)
    config = make_config(mode=mode, augment=VOICE)
    config.input.max_seconds = 1.0  # so that no utterance is cut
    for batch in an_epoch(fold, config):
        assert torch.equal(batch.feats, batch.neutral_feats)


def test_every_row_is_another_voice(fold, make_config):
    fold.frames.frames[:] = 10.0
    with_voices(fold, **VOICE)
    for batch in an_epoch(fold, make_config(kind="dsnet", mode="fixed", augment=VOICE)):
        assert torch.equal(batch.feats, batch.neutral_feats)
        curves = batch.feats[:, 0]
        apart = torch.cdist(curves, curves) + torch.eye(len(curves))
        assert apart.min() > 0.1


@pytest.mark.parametrize(
    "augment",
    [{"time_masks": 1, "max_masked_seconds": 0.3}, {"frequency_masks": 1, "max_masked_bins": 9}],
)
def test_an_utterance_and_its_reference_are_masked_on_their_own(fold, make_config, augment):
    fold.references = {utt: [utt] for utt in fold.train}
    with_voices(fold, **VOICE)
    batches = an_epoch(fold, make_config(mode="fixed", augment=augment | VOICE))
    same = torch.cat([(b.feats == b.neutral_feats).all(2).all(1) for b in batches])
    assert same.sum() < len(same) / 4


def test_unlabelled_utterances_have_voices_of_their_own(fold, make_config):
    fold.frames.frames[:] = 0.0
    with_voices(fold, gain=3.0)
    config = make_config(kind="dat_transductive", mode="fixed", augment={"gain": 3.0})
    for batch in an_epoch(fold, config):
        gains = torch.cat([batch.feats, batch.unlabelled_feats])[:, 0, 0]
        assert len(set(gains.tolist())) == 2 * len(batch.feats)


@pytest.fixture
def voices(fold, make_frames):
    """The fold with 8 speakers whose mean spectra differ, and a neutral reference of each.

    Speech of 30 frames has a spectrum of its own beside that of the speaker, and noise.
    """
    rng = np.random.default_rng(0)
    speakers = {f"speaker {i}": rng.normal(0, 0.5, NUM_BINS) for i in range(8)}
    slope = np.linspace(16, 10, NUM_BINS)

    def utter(speaker):
        content = rng.normal(0, 0.5, NUM_BINS)
        return slope + speakers[speaker] + content + rng.normal(0, 2, (30, NUM_BINS))

    said = {f"{speaker} said {n}": speaker for speaker in speakers for n in range(25)}
    matrices = {utt: utter(speaker) for utt, speaker in said.items()}
    matrices |= {f"{speaker} neutral": utter(speaker) for speaker in speakers}
    fold.frames = make_frames(**matrices)
    fold.train, fold.speakers, fold.unlabelled = list(said), said, []
    fold.labels = {utt: n % 3 for n, utt in enumerate(said)}
    fold.references = {utt: [f"{speaker} neutral"] for utt, speaker in said.items()}
    return fold


def nearest_is_own(batches):
    """Return how often the own reference has the nearest mean spectrum, of all in the batch."""
    own = []
    for feats, references, speaker_targets in batches:
        distance = torch.cdist(feats.mean(1), references.mean(1))
        speakers = speaker_targets.argmax(1)
        other = speakers[:, None] != speakers
        own.append(distance.diagonal() < distance.where(other, torch.inf).min(1).values)
    return float(torch.cat(own).float().mean())


def test_a_changed_voice_is_still_told_by_its_reference(voices, make_config):
    """More often than an unchanged one, as the references of the other rows are changed otherwise.

    With a change for each of the two, as of unlike speakers, it is hardly ever told.
    """

    def epoch(augment):
        config = make_config(mode="fixed", augment=augment, batch_size=24)
        batches = an_epoch(voices, config)
        return [(b.feats, b.neutral_feats, b.speaker_targets) for b in batches]

    plain = epoch({})
    with_voices(voices, **VOICE)
    changed = epoch(VOICE)
    generator, front_end = torch.Generator().manual_seed(0), voices.front_end
    independent = [
        (
            front_end.change_voice(feats, front_end.draw_voice(len(feats), generator)),
            front_end.change_voice(refs, front_end.draw_voice(len(refs), generator)),
            speakers,
        )
        for feats, refs, speakers in plain
    ]
    without, shared, apart = map(nearest_is_own, (plain, changed, independent))
    assert 0.5 < without < 0.99  # neither too easy nor hopeless
    assert shared >= without
    assert apart < without - 0.2


def test_seconds_are_frames_of_the_features(fold, make_config):
    config = make_config(mode="crop", augment={"time_masks": 1, "max_masked_seconds": 0.1})
    assert [TrainingSet(fold, config).max_frames, TrainingSet(fold, config).max_masked] == [48, 10]
    slow = dataclasses.replace(fold.frames.info, frame_shift_ms=20.0)
    fold.frames.info = slow
    assert [TrainingSet(fold, config).max_frames, TrainingSet(fold, config).max_masked] == [24, 5]
    config.input.max_seconds = 0.1
    assert TrainingSet(fold, config).max_frames == MIN_FRAMES


def test_targets_are_the_rows_of_all_one_hot_targets(fold, make_config):
    training = TrainingSet(fold, make_config())
    chosen = torch.tensor([3, 20, 3, 0])
    found = training._targets(chosen)
    whole = torch.zeros(21, 3 + 3)  # classes, and speakers, who are called after their class
    for row, utt in enumerate(fold.train):
        whole[row, fold.labels[utt]] = whole[row, 3 + fold.labels[utt]] = 1.0
    assert found.dtype == torch.float32 and torch.equal(found, whole[chosen])
