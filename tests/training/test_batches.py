"""Batches: every utterance once an epoch, references of the right speaker, little padding."""

import pytest
import torch

from dsnet.training.batches import TrainingSet


def an_epoch(fold, config, seed=0):
    labels = [fold.labels[u] for u in fold.train]
    references = [fold.references[u] for u in fold.train]
    data = TrainingSet(fold.store, fold.train, labels, 3, references, config, fold.fbank)
    batches = list(data.epoch(torch.Generator().manual_seed(seed), with_neutral=True))
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
