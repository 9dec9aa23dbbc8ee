"""Resampling: what fits into the new rate stays, the rest goes."""

import numpy as np
import pytest
import torch

from dsnet.features.resample import resample


def tone(hertz, rate):
    return 0.5 * torch.sin(2 * torch.pi * hertz * torch.arange(rate, dtype=torch.float64) / rate)


@pytest.mark.parametrize("rate", [48000, 44100, 22050, 32000])
def test_resampling_keeps_what_fits_and_removes_the_rest(rate):
    kept = resample(tone(1000, rate).float(), rate, 16000, 16000)
    assert kept.shape == (16000,)
    inner = slice(1000, -1000)  # the ends hear silence outside
    np.testing.assert_allclose(kept[inner], tone(1000, 16000)[inner], atol=2e-3)
    gone = resample(tone(10000, rate).float(), rate, 16000, 16000)
    assert gone[inner].abs().max() < 1e-3  # unfiltered, it would be at 6 kHz with 0.5


def test_resampling_does_nothing_at_the_same_rate():
    samples = tone(1000, 16000).float()
    assert torch.equal(resample(samples, 16000, 16000, 16000), samples)
