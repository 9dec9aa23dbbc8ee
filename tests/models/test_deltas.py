"""Deltas of padded batches against those of each utterance by itself, and by hand."""

import torch
from torchaudio.functional import compute_deltas

from dsnet.models.deltas import with_deltas


def test_a_ramp_has_slope_one_inside_and_less_at_its_replicated_edges():
    ramp = torch.arange(6.0)[None, :, None]
    delta = with_deltas(ramp)[0, 1, :, 0]
    # at t = 0: (1 (1 - 0) + 2 (2 - 0)) / 10, at t = 1: (1 (2 - 0) + 2 (3 - 0)) / 10
    torch.testing.assert_close(delta, torch.tensor([0.5, 0.8, 1.0, 1.0, 0.8, 0.5]))


def test_padding_does_not_change_the_deltas():
    torch.manual_seed(0)
    lengths = torch.tensor([9, 4, 1])
    feats = torch.randn(3, 9, 2)
    channels = with_deltas(feats, lengths)
    for b, length in enumerate(lengths):
        alone = feats[b, :length].T  # (F, T)
        delta = compute_deltas(alone, mode="replicate")
        twice = compute_deltas(delta, mode="replicate")
        wanted = torch.stack([alone, delta, twice]).transpose(1, 2)
        torch.testing.assert_close(channels[b, :, :length], wanted)
