"""Resampling: what fits into the new rate stays, the rest goes."""

import tracemalloc

import numpy as np
import pytest
import torch
from scipy.signal import resample_poly

from dsnet.features.resample import _low_pass, resample


def tone(hertz, rate):
    return 0.5 * torch.sin(2 * torch.pi * hertz * torch.arange(rate, dtype=torch.float64) / rate)


@pytest.mark.parametrize("rate", [48000, 44100, 22050, 32000, 44056, 16001, 47999])
def test_resampling_keeps_what_fits_and_removes_the_rest(rate):
    kept = resample(tone(1000, rate).float(), rate, 16000, 16000)
    assert kept.shape == (16000,)
    inner = slice(1000, -1000)  # the ends hear silence outside
    np.testing.assert_allclose(kept[inner], tone(1000, 16000)[inner], atol=2e-3)
    if rate > 20000:
        gone = resample(tone(10000, rate).float(), rate, 16000, 16000)
        assert gone[inner].abs().max() < 1e-3  # unfiltered, it would be at 6 kHz with 0.5


def test_both_ways_are_one_filter():
    """44100 to 16000 has 441 phases, for torchaudio; 44056 to 16000 has 5507, for scipy."""
    noise = torch.randn(44100, generator=torch.Generator().manual_seed(0))
    ours = resample_poly(noise.double().numpy(), 160, 441, window=_low_pass(160, 441))
    np.testing.assert_allclose(resample(noise, 44100, 16000, 16000), ours[:16000], atol=1e-3)


def test_odd_rates_take_ordinary_memory():
    tracemalloc.start()
    resample(torch.zeros(16001), 16001, 16000, 16000)
    assert tracemalloc.get_traced_memory()[1] < 200e6
    tracemalloc.stop()


def test_resampling_does_nothing_at_the_same_rate():
    samples = tone(1000, 16000).float()
    assert torch.equal(resample(samples, 16000, 16000, 16000), samples)
