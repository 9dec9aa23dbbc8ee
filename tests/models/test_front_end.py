"""What is known of features: changes of a voice on log-mels, and none on anything else."""

import dataclasses

import numpy as np
import pytest
import torch

from dsnet.errors import ConfigError
from dsnet.features.fbank import FbankConfig, mel_banks
from dsnet.models.augment import AugmentConfig
from dsnet.models.front_end import FRONT_ENDS, SILENCE, FrontEnd, build_front_end

BINS = 40


@pytest.fixture
def mel(log_mels):
    """A function from an augmentation to the front end of log-mels."""

    def make(num_bins=BINS, **augment):
        config = dataclasses.asdict(FbankConfig(num_mel_bins=num_bins))
        return build_front_end(AugmentConfig(**augment), log_mels(num_bins), config)

    return make


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def speech():
    return torch.randn(2, 30, BINS, generator=seeded(9))


def changed(front_end, feats):
    return front_end.change_voice(feats, front_end.draw_voice(len(feats), seeded()))


def test_off_by_default(mel):
    feats = speech()
    assert changed(mel(), feats) is feats


def test_gain_and_tilt_are_the_same_in_every_frame(mel):
    feats = speech()
    change = changed(mel(gain=2.0, tilt=1.0), feats) - feats
    torch.testing.assert_close(change, change[:, :1].expand_as(change), atol=1e-5, rtol=0)
    steps = change[:, 0].diff(dim=1)  # a straight line over the bins
    torch.testing.assert_close(steps, steps[:, :1].expand_as(steps), atol=1e-5, rtol=0)
    middle = change[:, 0].mean(1)
    assert (middle.abs() <= 2).all() and middle[0] != middle[1]
    assert (change[:, 0, -1] - middle).abs().max() <= 1


def test_an_equaliser_has_its_deviation_and_is_the_same_in_every_frame(mel):
    feats = torch.zeros(4000, 2, BINS)
    change = changed(mel(equaliser=0.25), feats)
    assert torch.equal(change[:, 0], change[:, 1])
    assert change[:, 0, [0, -1]].std(0).tolist() == pytest.approx([0.25, 0.25], rel=0.05)


def test_one_drawn_voice_changes_other_speech_alike(mel):
    front_end = mel(vocal_tract=0.2, gain=2.0, tilt=1.0, equaliser=0.25)
    voice = front_end.draw_voice(2, seeded())
    feats, silence = speech(), torch.zeros(2, 3, BINS)
    torch.testing.assert_close(  # a warp of silence is silence: what is left is the curve
        front_end.change_voice(feats, voice),
        front_end._warp(feats, voice.warp) + front_end.change_voice(silence, voice)[:, :1],
    )
    longer = torch.cat([feats, speech()], 1)
    again = front_end.change_voice(longer, voice)
    assert torch.equal(again[:, :30], front_end.change_voice(feats, voice))
    assert voice.warp[0] != voice.warp[1] and not torch.equal(*voice.curve)


def test_a_longer_vocal_tract_moves_a_resonance_by_the_factor(mel):
    warper = mel(vocal_tract=0.5)
    peak = 20
    feats = -(torch.arange(BINS) - peak).square().float().expand(1, 3, BINS) / 20
    warped = warper._warp(feats, torch.tensor([1.2]))[0, 0]
    hz = warper.bin_hz.numpy()
    found = np.interp(float(warped.argmax()), np.arange(BINS), hz)
    # the output at f is the input at 1.2 f, so the peak moves down to f / 1.2
    assert found == pytest.approx(hz[peak] / 1.2, rel=0.05)
    torch.testing.assert_close(warper._warp(feats, torch.tensor([1.0])), feats, atol=1e-4, rtol=0)


def test_bin_centres_are_the_peaks_of_torchaudios_filters(mel):
    config = FbankConfig(num_mel_bins=20)
    lines = mel_banks(config).argmax(1)
    width = 8000 / mel_banks(config).shape[1]
    assert (mel(num_bins=20).bin_hz - lines * width).abs().max() <= width


def test_other_features_have_no_floor_and_change_nothing(functionals):
    front_end = build_front_end(AugmentConfig(time_masks=1, mixup=0.3), functionals(), {})
    assert type(front_end) is FrontEnd and functionals().kind not in FRONT_ENDS
    assert front_end.floor == -np.inf
    assert FRONT_ENDS["fbank"].floor == SILENCE
    feats = torch.randn(2, 1, 6373)
    assert changed(front_end, feats) is feats


@pytest.mark.parametrize("key", ["vocal_tract", "gain", "tilt", "equaliser"])
def test_what_only_log_mels_allow_is_refused_elsewhere(functionals, key):
    message = f"augment.{key} changes log-mels .*'egemaps' are of kind opensmile: set it to 0"
    with pytest.raises(ConfigError, match=message):
        build_front_end(AugmentConfig(**{key: 0.1}), functionals(), {})
