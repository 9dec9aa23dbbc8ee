"""Levels: what is refused, what is remarked upon, at the limits that the module names."""

import numpy as np
import pytest
import soundfile

from dsnet.corpus.audio import inspect
from dsnet.corpus.levels import EmptyChannel, check_channel, check_samples, is_weak, remarks
from dsnet.corpus.sound import BadAudio, NoSignal
from dsnet.corpus.utterance import Utterance

WAVE = np.random.default_rng(0).normal(size=1600).astype("float32")
WAVE = np.append(WAVE / np.abs(WAVE).max(), [1, -1]).astype("float32")


def test_sixteen_bits_as_floats_are_refused_and_a_loud_float_is_not():
    with pytest.raises(BadAudio, match="a.wav: samples reach 9830.*integers stored as floats"):
        check_samples(WAVE * 9830, "a.wav")
    with pytest.raises(BadAudio, match="samples reach 17"):
        check_samples(np.array([0, -17.0]), "a.wav")
    check_samples(WAVE * 15.9, "a.wav")


@pytest.mark.parametrize(
    ("samples", "begin"),
    [
        (WAVE, []),
        (WAVE * 1.9, []),  # overshoots as lossy codecs do
        (WAVE * 2.1, ["too loud"]),
        (WAVE * 1.1e-3, []),
        (WAVE * 0.9e-3, ["inaudible"]),
        (WAVE * 0.9e-3 + 0.5, ["inaudible"]),  # a constant is not heard
        ((WAVE * 9).clip(-1, 1), ["clipped"]),
        ((WAVE * 9).clip(-3, 3), ["clipped", "too loud"]),
    ],
)
def test_remarks(samples, begin):
    assert [words.partition(":")[0] for words in remarks(samples)] == begin


@pytest.mark.parametrize(("gain", "weak"), [(0.011, False), (0.009, True)])
def test_a_channel_40_db_below_another_is_weak(gain, weak):
    channels = np.stack([WAVE * gain + 0.2, WAVE], 1)
    assert is_weak(channels[:, 0], channels) == weak
    assert not is_weak(channels[:, 1], channels)
    assert not is_weak(channels[:, 0], channels[:, :1])


def test_the_mean_of_a_channel_and_its_opposite_is_weak():
    channels = np.stack([WAVE, -0.99 * WAVE], 1)  # half a hundredth is left: -46 dB
    assert is_weak(channels.mean(1), channels)


def test_an_empty_channel_is_told_from_an_empty_file():
    channels = np.stack([np.zeros_like(WAVE), WAVE, np.ones_like(WAVE), -WAVE], 1)
    with pytest.raises(
        EmptyChannel, match="of channel 0 is 0, but there is signal on channel 1 and 3"
    ):
        check_channel(channels[:, 0], channels, 0, "a.wav")
    with pytest.raises(EmptyChannel, match=r"of the mean of channels \[1, 3\] is 0"):
        check_channel(channels[:, [1, 3]].mean(1), channels, [1, 3], "a.wav")
    with pytest.raises(NoSignal, match="every sample of channel 0 is 0$") as caught:
        check_channel(channels[:, 0], channels[:, ::2], 0, "a.wav")
    assert not isinstance(caught.value, EmptyChannel)


def test_facts_have_the_remarks(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([WAVE * 5e-4, WAVE], 1), 16000)
    assert inspect(Utterance("a", "s", "N", path)).remarks == (
        "inaudible: the peak is below -60 dB of full scale",
        "40 dB weaker than another channel of the file",
    )
    assert inspect(Utterance("a", "s", "N", path, channel=1)).remarks == ()
