"""Augmentation of any features: off means off, and each kind does what its words say."""

import math

import pytest
import torch

from dsnet.models.augment import AugmentConfig, band_masks, mask, mix, tempo_rates

BINS = 40
LENGTHS = torch.tensor([30, 20])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def speech():
    return torch.randn(2, 30, BINS, generator=seeded(9))


def test_off_by_default():
    assert not any(vars(AugmentConfig()).values())
    feats = speech()
    assert torch.equal(mask(feats, LENGTHS, AugmentConfig(), 5, seeded()), feats)


def test_below_zero_is_refused():
    with pytest.raises(ValueError, match=r"augment\.tilt must be 0 \(off\) or above"):
        AugmentConfig(tilt=-1.0).check()


def test_tempo_factors_are_symmetric_in_the_logarithm():
    rates = tempo_rates(4000, 0.25, seeded())
    assert rates.min() >= 1 / 1.25 and rates.max() <= 1.25
    assert rates.log().mean().abs() < 0.01


def test_masked_bands_lie_inside_the_utterance_and_take_its_mean():
    feats = speech()
    got = mask(feats, LENGTHS, AugmentConfig(time_masks=2), 5, seeded(3))
    changed = (got != feats).any(2)
    assert changed.any() and not changed[1, 20:].any() and changed.sum(1).max() <= 10
    mean = feats[1, :20].mean(0)
    for frame in changed[1].nonzero()[:, 0]:
        torch.testing.assert_close(got[1, frame], mean)


def test_masked_dimensions_are_masked_in_every_frame():
    feats = speech()
    config = AugmentConfig(frequency_masks=1, max_masked_bins=8)
    got = mask(feats, LENGTHS, config, 0, seeded(1))
    changed = got != feats
    assert changed.any() and torch.equal(changed.all(1), changed.any(1))
    assert changed[:, 0].sum(1).max() <= 8
    mean = feats[1, :20].mean(0)
    torch.testing.assert_close(got[1, :20][:, changed[1, 0]][0], mean[changed[1, 0]])


def test_band_widths_go_from_nothing_to_the_largest():
    masks = band_masks(50, torch.full((2000,), 50), 1, 3, seeded())
    assert set(masks.sum(1).tolist()) == {0, 1, 2, 3}
    assert masks.any(0).all()  # every place may be hit


def test_mixup_keeps_the_larger_share_and_mixes_targets_alike():
    feats = torch.tensor([0.0, 1.0])[:, None, None].expand(2, 3, BINS)
    targets = torch.eye(2)
    seen = []
    for seed in range(50):
        mixed, mixed_targets = mix(feats, targets, 1.0, seeded(seed))
        torch.testing.assert_close(mixed[:, 0, 0], mixed_targets[:, 1])
        assert (mixed_targets.argmax(1) == torch.tensor([0, 1])).all()
        seen.append(mixed_targets[0, 0].item())
    assert min(seen) < 0.6 and max(seen) == pytest.approx(1)
    assert math.isclose(sum(seen) / 50, 0.875, abs_tol=0.06)  # half of the time with itself
