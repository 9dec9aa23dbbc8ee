"""Audio checks: each kind of bad file is named, good ones decode to known samples."""

import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dsnet.corpus.audio import inspect, inspect_all
from dsnet.corpus.sound import BadAudio, audio_hash, read_samples
from dsnet.corpus.utterance import Utterance
from dsnet.errors import CorpusError

RATE = 16000


@pytest.fixture
def noise():
    return (np.random.default_rng(0).uniform(-0.5, 0.5, RATE)).astype("float32")


def utterance(path, **more):
    return Utterance("u1", "s1", "N", Path(path), **more)


def test_wav_and_flac_of_the_same_audio_agree(tmp_path, noise):
    stereo = (np.stack([noise, -noise], 1) * 32768).astype("int16")
    for name in ("a.wav", "a.flac"):
        soundfile.write(tmp_path / name, stereo, RATE)
    soundfile.write(tmp_path / "b.wav", stereo + np.int16(1), RATE)
    wav, flac = (inspect(utterance(tmp_path / name)) for name in ("a.wav", "a.flac"))
    assert wav == flac
    ints, _ = soundfile.read(tmp_path / "a.wav", dtype="int16")
    by_hand = struct.pack(f"<{RATE}f", *(ints[:, 0] / 32768))
    assert wav.audio_hash == hashlib.sha256(by_hand).hexdigest()[:16]
    assert inspect(utterance(tmp_path / "a.wav", channel=1)).audio_hash != wav.audio_hash
    assert inspect(utterance(tmp_path / "b.wav")).audio_hash != wav.audio_hash
    assert (wav.sampling_rate, wav.num_channels, wav.num_samples) == (RATE, 2, RATE)


def test_segment_is_the_same_samples_as_a_file_of_its_own(tmp_path, noise):
    for suffix in ("wav", "flac"):
        soundfile.write(tmp_path / f"long.{suffix}", noise, RATE, subtype="PCM_16")
        facts = inspect(utterance(tmp_path / f"long.{suffix}", start=0.25, end=0.5))
        assert (facts.start_sample, facts.num_samples, facts.file_samples) == (4000, 4000, RATE)
        read = read_samples(tmp_path / f"long.{suffix}", 0, 4000, 4000)
        np.testing.assert_allclose(read, noise[4000:8000], atol=1 / 32768)
        assert facts.audio_hash == audio_hash(read)


def bad_files(folder, noise):
    """Yield (file name, words of the reason)."""
    (folder / "empty.wav").write_bytes(b"")
    yield "empty.wav", "0 bytes"
    (folder / "text.wav").write_text("not audio at all, but long enough for a header")
    yield "text.wav", "not readable as audio"
    (folder / "folder.wav").mkdir()
    yield "folder.wav", "is a folder"
    yield "missing.wav", "no such file"
    soundfile.write(folder / "none.wav", noise[:0], RATE)
    yield "none.wav", "0 samples"
    soundfile.write(folder / "short.wav", noise[:1599], RATE)
    yield "short.wav", "1599 samples .*shorter than 0.1 s"
    soundfile.write(folder / "one.flac", noise[:1], RATE)
    yield "one.flac", "1 samples"
    soundfile.write(folder / "silent.wav", np.zeros(RATE), RATE)
    yield "silent.wav", "no signal"
    soundfile.write(folder / "constant.wav", np.full(RATE, 0.25), RATE)
    yield "constant.wav", "every sample is 0.25"
    for name, value in (("nan", np.nan), ("inf", np.inf), ("both", -np.inf)):
        broken = noise.copy()
        broken[7] = value
        soundfile.write(folder / f"{name}.wav", broken, RATE, subtype="FLOAT")
        yield f"{name}.wav", "not finite"
    for suffix in ("wav", "flac"):
        soundfile.write(folder / "whole", noise, RATE, format=suffix, subtype="PCM_16")
        (folder / f"half.{suffix}").write_bytes((folder / "whole").read_bytes()[:RATE])
        yield f"half.{suffix}", "cut off|not readable"


def test_bad_audio_is_named_with_its_reason(tmp_path, noise):
    for name, reason in bad_files(tmp_path, noise):
        with pytest.raises(BadAudio, match=rf"{name}: .*({reason})"):
            inspect(utterance(tmp_path / name))


def test_limit_of_length_is_inclusive(tmp_path, noise):
    soundfile.write(tmp_path / "a.wav", noise[:1600], RATE)
    assert inspect(utterance(tmp_path / "a.wav")).num_samples == 1600


def test_clipped_and_coarse_audio_is_accepted_and_marked(tmp_path, noise):
    peak = noise / np.abs(noise).max()
    for name, samples, subtype in (
        ("peak.wav", peak, "PCM_16"),
        ("clipped.wav", np.clip(4 * noise, -1, 1), "PCM_16"),
        ("clipped8.wav", np.clip(4 * noise, -1, 1), "PCM_U8"),
    ):
        soundfile.write(tmp_path / name, samples, RATE, subtype=subtype)
    found = {
        name: inspect(utterance(tmp_path / f"{name}.wav"))
        for name in ("peak", "clipped", "clipped8")
    }
    clipped = ("clipped: over 1% of the samples are at full scale",)
    assert {name: (f.remarks, f.coarse) for name, f in found.items()} == {
        "peak": ((), False),
        "clipped": (clipped, False),
        "clipped8": (clipped, True),
    }


@pytest.mark.parametrize(
    ("start", "end"), [(0.5, 1.02), (1.0, None), (-0.1, 0.5), (0.6, 0.5), (0.5, 0.5)]
)
def test_segment_outside_its_file_is_an_error_not_bad_audio(tmp_path, noise, start, end):
    soundfile.write(tmp_path / "a.wav", noise, RATE)
    with pytest.raises(CorpusError, match=r"but the file has 1\.0000 s") as caught:
        inspect(utterance(tmp_path / "a.wav", start=start, end=end))
    assert not isinstance(caught.value, BadAudio)


def test_segment_may_end_a_rounding_error_beyond_its_file(tmp_path, noise):
    soundfile.write(tmp_path / "a.wav", noise, RATE)
    assert inspect(utterance(tmp_path / "a.wav", start=0.5, end=1.0009)).num_samples == 8000


def test_channel_that_is_not_there(tmp_path, noise):
    soundfile.write(tmp_path / "a.wav", noise, RATE)
    with pytest.raises(CorpusError, match="channel 1, but the file has 1"):
        inspect(utterance(tmp_path / "a.wav", channel=1))


def test_the_mean_of_the_channels(tmp_path, noise):
    stereo = (np.stack([noise, noise[::-1]], 1) * 32768).astype("int16")
    soundfile.write(tmp_path / "a.wav", stereo, RATE)
    facts = inspect(utterance(tmp_path / "a.wav", channel="mean"))
    assert facts.channel == [0, 1] and facts.channels_differ
    by_hand = (stereo[:, 0] / 32768 + stereo[:, 1] / 32768) / 2
    read = read_samples(tmp_path / "a.wav", [0, 1])
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, by_hand, atol=1e-7)
    assert facts.audio_hash == audio_hash(read)


def test_equal_channels_do_not_differ_and_their_mean_is_one_of_them(tmp_path, noise):
    soundfile.write(tmp_path / "a.wav", np.stack([noise, noise], 1), RATE)
    first = inspect(utterance(tmp_path / "a.wav"))
    mean = inspect(utterance(tmp_path / "a.wav", channel="mean"))
    assert not first.channels_differ and first.audio_hash == mean.audio_hash


def test_a_silent_channel_is_named(tmp_path, noise):
    soundfile.write(tmp_path / "a.wav", np.stack([0 * noise, noise], 1), RATE)
    with pytest.raises(
        BadAudio, match=r"every sample of channel 0 is 0, but there is signal on channel 1"
    ):
        inspect(utterance(tmp_path / "a.wav"))
    assert inspect(utterance(tmp_path / "a.wav", channel=1)).num_samples == RATE


def test_inspect_all_keeps_the_order_and_the_errors(tmp_path, noise):
    for i in range(6):
        soundfile.write(tmp_path / f"{i}.wav", noise[: 0 if i == 3 else RATE - i], RATE)
    given = [Utterance(str(i), "s", "N", tmp_path / f"{i}.wav") for i in range(6)]
    outcomes = list(inspect_all(given, nj=3))
    assert [u.id for u, _ in outcomes] == list("012345")
    assert isinstance(outcomes[3][1], BadAudio)
    assert [f.num_samples for u, f in outcomes if u.id != "3"] == [
        16000,
        15999,
        15998,
        15996,
        15995,
    ]
