"""Batches: every utterance once an epoch, with what a system needs and nothing else."""

import pytest
import torch

from dsnet.systems import SYSTEMS
from dsnet.training.batches import TrainingSet


def an_epoch(fold, config, seed=0):
    labels = [fold.labels[u] for u in fold.train]
    references = [fold.references[u] for u in fold.train]
    speakers = labels  # as in the fold
    data = TrainingSet(
        fold.store,
        fold.train,
        labels,
        3,
        speakers,
        references,
        fold.unlabelled,
        config,
        fold.fbank,
    )
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
    neutral = {u: fold.store.fixed(fold.store.positions([u]), 48)[0] for u in fold.train[:9:3]}
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


@pytest.mark.parametrize("kind", SYSTEMS)
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
    given = {u: fold.store.fixed(fold.store.positions([u]), 48)[0] for u in fold.unlabelled}
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
    given = [fold.store.fixed(fold.store.positions([u]), 48)[0] for u in fold.unlabelled]
    config = make_config(kind="dat_transductive", mode="fixed", augment={"mixup": 1.0})
    feats = torch.cat([b.unlabelled_feats for b in an_epoch(fold, config)])
    mixed = [all(not torch.equal(x, g) for g in given) for x in feats]
    assert sum(mixed) > len(mixed) / 2
