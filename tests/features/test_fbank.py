"""Filterbank: equal to torchaudio and to Kaldi's own code, frames counted as Lhotse counts."""

import dataclasses

import kaldi_native_fbank as knf
import numpy as np
import pytest
import torch
import torchaudio
from lhotse.utils import compute_num_frames

from dsnet.errors import FeatureError
from dsnet.features.fbank import Fbank, FbankConfig, compute_fbank, num_frames


def speech_like(num_samples, rate, seed=0):
    """Return harmonics of a wandering pitch under a syllable rhythm, with breath noise."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.arange(num_samples, dtype=torch.float64) / rate
    phase = 2 * torch.pi * torch.cumsum(120 + 30 * torch.sin(2 * torch.pi * 3 * t), 0) / rate
    tone = sum(torch.sin(k * phase) / k for k in range(1, 20) if k * 150 < rate / 2)
    noise = torch.randn(num_samples, generator=generator)
    return ((0.6 + 0.4 * torch.sin(2 * torch.pi * 4 * t)) * (0.15 * tone + 0.02 * noise)).float()


def kaldi_fbank(samples, config):
    options = knf.FbankOptions()
    options.frame_opts.samp_freq = config.sampling_rate
    options.frame_opts.frame_length_ms = config.frame_length_ms
    options.frame_opts.frame_shift_ms = config.frame_shift_ms
    options.frame_opts.window_type = config.window
    options.frame_opts.preemph_coeff = config.preemphasis
    options.frame_opts.remove_dc_offset = config.remove_dc
    options.frame_opts.dither = 0
    options.frame_opts.snip_edges = config.snip_edges
    options.mel_opts.num_bins = config.num_mel_bins
    options.mel_opts.low_freq = config.low_freq_hz
    options.mel_opts.high_freq = config.high_freq_hz
    options.use_energy = False
    options.use_log_fbank = config.use_log
    options.use_power = config.use_power
    fbank = knf.OnlineFbank(options)
    fbank.accept_waveform(config.sampling_rate, (samples * 32768).tolist())
    fbank.input_finished()
    return np.stack([fbank.get_frame(i) for i in range(fbank.num_frames_ready)])


CONFIGS = {
    "published": FbankConfig(snip_edges=True),
    "default": FbankConfig(),
    "8 kHz": FbankConfig(sampling_rate=8000, high_freq_hz=0, num_mel_bins=40),
    "44.1 kHz": FbankConfig(sampling_rate=44100, high_freq_hz=0, frame_length_ms=25),
    "asr": FbankConfig(
        frame_length_ms=25, low_freq_hz=20, high_freq_hz=7600, num_mel_bins=23, window="povey"
    ),
    "raw": FbankConfig(remove_dc=False, preemphasis=0, use_power=False, window="hanning"),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("num_samples", [30372, 16080, 4003])
def test_equals_kaldi(config, num_samples):
    config.check()
    samples = speech_like(num_samples, config.sampling_rate)
    found = compute_fbank(samples, config)
    expected = kaldi_fbank(samples, config)
    assert found.dtype == torch.float32
    assert found.shape == expected.shape == (num_frames(config, num_samples), config.num_mel_bins)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-2)


def test_equals_torchaudio_with_the_published_values():
    samples = speech_like(30372, 16000)
    expected = torchaudio.compliance.kaldi.fbank(
        samples[None] * 32768,
        sample_frequency=16000,
        num_mel_bins=80,
        low_freq=0,
        high_freq=8000,
        frame_length=40,
        frame_shift=10,
        window_type="hamming",
        preemphasis_coefficient=0.97,
        snip_edges=True,
    )
    torch.testing.assert_close(
        compute_fbank(samples, FbankConfig(snip_edges=True)), expected, atol=1e-4, rtol=0
    )
    assert expected.shape == (186, 80)  # 1.898 s, the example of a frame count that Lhotse rejects


@pytest.mark.parametrize("num_samples", [640, 719, 720, 16000, 16008, 16079, 16080, 16081, 30372])
@pytest.mark.parametrize(("rate", "shift"), [(16000, 10), (44100, 10), (8000, 12.5)])
def test_frames_are_counted_as_lhotse_counts_them(num_samples, rate, shift):
    num_samples *= 3  # long enough for a frame at every rate
    config = FbankConfig(sampling_rate=rate, frame_shift_ms=shift, high_freq_hz=0, num_mel_bins=40)
    config.check()
    expected = compute_num_frames(num_samples / rate, shift / 1000, rate)
    assert num_frames(config, num_samples) == expected
    assert len(compute_fbank(speech_like(num_samples, rate), config)) == expected


def test_half_a_shift_more_is_a_frame_more():
    assert [num_frames(FbankConfig(), n) for n in (16079, 16080, 16239, 16240)] == [
        100, 101, 101, 102,
    ]  # fmt: skip
    snip = FbankConfig(snip_edges=True)
    assert [num_frames(snip, n) for n in (639, 640, 799, 800)] == [0, 1, 1, 2]


def test_shorter_than_a_frame():
    assert len(compute_fbank(speech_like(640, 16000), FbankConfig())) == 4
    with pytest.raises(FeatureError, match=r"639 samples at 16000 Hz .* 40 ms \(640 samples\)"):
        compute_fbank(speech_like(639, 16000), FbankConfig())


def test_every_config_key_changes_the_features():
    samples = speech_like(16000, 16000)
    base = compute_fbank(samples, FbankConfig())
    for key, value in {
        "low_freq_hz": 100.0,
        "high_freq_hz": 7000.0,
        "frame_length_ms": 25.0,
        "frame_shift_ms": 12.5,
        "window": "povey",
        "preemphasis": 0.5,
        "remove_dc": False,
        "use_power": False,
        "use_log": False,
        "snip_edges": True,
        "num_mel_bins": 40,
    }.items():
        other = compute_fbank(samples, dataclasses.replace(FbankConfig(), **{key: value}))
        assert other.shape != base.shape or not torch.equal(other, base), key


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sampling_rate": 8000}, "between 0 and 4000, half the sampling rate .*found 8000"),
        ({"sampling_rate": 16}, "in Hz"),
        ({"low_freq_hz": 8000.0}, "below high_freq_hz"),
        ({"window": "kaiser"}, "'kaiser'; allowed: hamming"),
        ({"frame_shift_ms": 10.03}, "whole number of samples at 16000 Hz"),
        ({"frame_length_ms": 5.0}, "frame_shift_ms .10. or more, found 5"),
        ({"num_mel_bins": 2}, "4 or more"),
        ({"num_mel_bins": 400}, "too many for frames of 40 ms"),
        ({"preemphasis": 1.5}, "between 0 and 1"),
        ({"compression_method": 4}, "0, 1, 2, 3 or 5, found 4"),
    ],
)
def test_config_check(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(FbankConfig(), **change).check()


def test_the_extractor_says_what_it_computes():
    config = FbankConfig(num_mel_bins=23, frame_shift_ms=12.5, snip_edges=True)
    extractor, samples = Fbank("mine", config), speech_like(16000, 16000)
    found = extractor(samples)
    assert found.shape == (extractor.num_frames(16000), extractor.dim) == (77, 23)
    torch.testing.assert_close(found, compute_fbank(samples, config))
    assert (extractor.name, extractor.kind, extractor.frame_shift_ms) == ("mine", "fbank", 12.5)
    assert extractor.identity() == {}
