"""Gradient reversal: which way the adversary pulls the encoder, and what its domains are."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_the_adversary_pulls_the_encoder_the_other_way(make_system, make_batch, weight):
    system = make_system("dat", adversary=weight).eval()
    batch = make_batch()
    parts = [*system.encoder.parameters(), *system.discriminator.parameters()]
    plain = cross_entropy(
        system.discriminator(system.encoder(batch.feats)), batch.speaker_targets.argmax(1)
    )
    reversed_ = system.losses(batch)["adversary"]
    torch.testing.assert_close(reversed_, plain)
    size = len(list(system.encoder.parameters()))
    wanted, found = (torch.autograd.grad(x, parts) for x in (plain, reversed_))
    assert sum(g.abs().sum() for g in wanted[:size]) > 0
    for a, b in zip(wanted[:size], found[:size], strict=True):
        torch.testing.assert_close(b, -weight * a)
    for a, b in zip(wanted[size:], found[size:], strict=True):
        torch.testing.assert_close(b, a)


def test_the_total_has_the_full_adversary_whatever_its_weight(make_system, make_batch):
    losses = make_system("dat", adversary=0.25).losses(make_batch())
    torch.testing.assert_close(losses["loss"], losses["task"] + losses["adversary"])


def test_mixed_speakers_count_by_their_shares(make_system, make_batch):
    system, batch = make_system("dat").eval(), make_batch()
    batch.speaker_targets[0] = torch.tensor([0.75, 0.25])
    log_p = system.discriminator(system.encoder(batch.feats)).log_softmax(1)
    wanted = -(0.75 * log_p[0, 0] + 0.25 * log_p[0, 1] + log_p[1, 0] + log_p[2, 1] + log_p[3, 1])
    torch.testing.assert_close(system.losses(batch)["adversary"], wanted / 4)


def test_transductive_domains_are_labelled_and_unlabelled(make_system, make_batch):
    system, batch = make_system("dat_transductive").eval(), make_batch()
    losses = system.losses(batch)
    labelled, unlabelled = (
        system.discriminator(system.encoder(x)).log_softmax(1)
        for x in (batch.feats, batch.unlabelled_feats)
    )
    wanted = -(labelled[:, 0].sum() + unlabelled[:, 1].sum()) / 8
    torch.testing.assert_close(losses["adversary"], wanted)
    for p in system.discriminator[-1].parameters():
        p.data.zero_()
    assert system.losses(batch)["adversary"].item() == pytest.approx(math.log(2))


def test_unlabelled_audio_takes_no_part_in_the_task(make_system, make_batch):
    system, batch = make_system("dat_transductive").eval(), make_batch()
    before = system.losses(batch)
    batch.unlabelled_feats += 3
    after = system.losses(batch)
    torch.testing.assert_close(after["task"], before["task"])
    assert after["adversary"] != before["adversary"]
