"""Augmentation: off means off, and each kind does what its words say."""

import math

import numpy as np
import pytest
import torch

from dsnet.features.fbank import FbankConfig
from dsnet.models.augment import AugmentConfig, Augmenter, band_masks

BINS = 40
LENGTHS = torch.tensor([30, 20])


def augmenter(**config):
    return Augmenter(AugmentConfig(**config), FbankConfig(num_mel_bins=BINS))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def speech():
    return torch.randn(2, 30, BINS, generator=seeded(9))


def test_off_by_default():
    feats = speech()
    torch.testing.assert_close(augmenter().spectral(feats, LENGTHS, seeded()), feats)


def test_gain_and_tilt_are_the_same_in_every_frame():
    feats = speech()
    change = augmenter(gain=2.0, tilt=1.0).spectral(feats, LENGTHS, seeded()) - feats
    torch.testing.assert_close(change, change[:, :1].expand_as(change), atol=1e-5, rtol=0)
    steps = change[:, 0].diff(dim=1)  # a straight line over the bins
    torch.testing.assert_close(steps, steps[:, :1].expand_as(steps), atol=1e-5, rtol=0)
    middle = change[:, 0].mean(1)
    assert (middle.abs() <= 2).all() and middle[0] != middle[1]
    assert (change[:, 0, -1] - middle).abs().max() <= 1


def test_a_longer_vocal_tract_moves_a_resonance_by_the_factor():
    warper = augmenter(vocal_tract=0.5)
    peak = 20
    feats = -(torch.arange(BINS) - peak).square().float().expand(1, 3, BINS) / 20
    warped = warper._warp(feats, torch.tensor([1.2]))[0, 0]
    hz = warper.bin_hz.numpy()
    found = np.interp(float(warped.argmax()), np.arange(BINS), hz)
    # the output at f is the input at 1.2 f, so the peak moves down to f / 1.2
    assert found == pytest.approx(hz[peak] / 1.2, rel=0.05)
    torch.testing.assert_close(warper._warp(feats, torch.tensor([1.0])), feats, atol=1e-4, rtol=0)


def test_bin_centres_are_the_peaks_of_torchaudios_filters():
    from dsnet.features.fbank import mel_banks

    config = FbankConfig(num_mel_bins=20)
    lines = mel_banks(config).argmax(1)
    width = 8000 / mel_banks(config).shape[1]
    hz = Augmenter(AugmentConfig(), config).bin_hz
    assert (hz - lines * width).abs().max() <= width


def test_tempo_factors_are_symmetric_in_the_logarithm():
    rates = augmenter(tempo=0.25).rates(4000, seeded())
    assert rates.min() >= 1 / 1.25 and rates.max() <= 1.25
    assert rates.log().mean().abs() < 0.01


def test_masked_bands_lie_inside_the_utterance_and_take_its_mean():
    feats = speech()
    got = augmenter(time_masks=2, max_masked_frames=5).spectral(feats, LENGTHS, seeded(3))
    changed = (got != feats).any(2)
    assert changed.any() and not changed[1, 20:].any() and changed.sum(1).max() <= 10
    mean = feats[1, :20].mean(0)
    for frame in changed[1].nonzero()[:, 0]:
        torch.testing.assert_close(got[1, frame], mean)


def test_band_widths_go_from_nothing_to_the_largest():
    masks = band_masks(50, torch.full((2000,), 50), 1, 3, seeded())
    assert set(masks.sum(1).tolist()) == {0, 1, 2, 3}
    assert masks.any(0).all()  # every place may be hit


def test_mixup_keeps_the_larger_share_and_mixes_targets_alike():
    feats = torch.tensor([0.0, 1.0])[:, None, None].expand(2, 3, BINS)
    targets = torch.eye(2)
    seen = []
    for seed in range(50):
        mixed, mixed_targets = augmenter(mixup=1.0).mix(feats, targets, seeded(seed))
        torch.testing.assert_close(mixed[:, 0, 0], mixed_targets[:, 1])
        assert (mixed_targets.argmax(1) == torch.tensor([0, 1])).all()
        seen.append(mixed_targets[0, 0].item())
    assert min(seen) < 0.6 and max(seen) == pytest.approx(1)
    assert math.isclose(sum(seen) / 50, 0.875, abs_tol=0.06)  # half of the time with itself
