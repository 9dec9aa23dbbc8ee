"""Near copies: found whatever was done to them, and nothing else is."""

import base64

import numpy as np
import pytest
import soundfile
from scipy.signal import butter, resample_poly, sosfilt

from dsnet.corpus.fingerprint import fingerprint, read_fingerprint
from dsnet.corpus.near_copies import is_copy, near_copies

RATE = 16000


def voice(seed, seconds=2.0):
    """Return noise in syllables: 4 a second, each with a spectrum and a length of its own."""
    rng = np.random.default_rng(seed)
    samples = rng.normal(0, 1e-4, int(seconds * RATE))
    at = 0
    while at < len(samples):
        size = int(rng.uniform(0.15, 0.35) * RATE)
        band = np.sort(rng.uniform(200, 3600, 2)) + [0, 200]
        sound = sosfilt(butter(2, band, "bandpass", fs=RATE, output="sos"), rng.normal(size=size))
        part = samples[at : at + size]
        part += (rng.uniform(0.3, 1) * np.hanning(size) * sound)[: len(part)]
        at += size
    return (0.3 * samples / np.abs(samples).max()).astype("float32")


def encoded(samples, path, **how):
    soundfile.write(path, samples, RATE, **how)
    return soundfile.read(path, dtype="float32")[0]


CHANGES = {
    "nothing": lambda x, _: x,
    "trimmed": lambda x, _: x[int(0.2037 * RATE) : -3211],
    "padded": lambda x, _: np.r_[np.zeros(4871, "float32"), x, np.zeros(1234, "float32")],
    "quieter": lambda x, _: 0.5 * x,
    "a half": lambda x, _: x[9001 : 9001 + len(x) // 2],
    "mp3": lambda x, folder: encoded(x, folder / "a.mp3"),
    "ogg": lambda x, folder: encoded(0.3 * x, folder / "a.ogg"),
    "telephone": lambda x, _: resample_poly(resample_poly(x, 1, 2), 2, 1),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_among_others(tmp_path, change):
    voices = {str(seed): voice(seed) for seed in range(8)}
    voices["copy"] = CHANGES[change](voices["5"], tmp_path)
    prints = {name: fingerprint(samples, RATE) for name, samples in voices.items()}
    assert near_copies(prints) == [("5", "copy")]


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_rates_do_not_matter(rate):
    step = np.gcd(rate, RATE)
    other = resample_poly(voice(1), rate // step, RATE // step)
    assert near_copies({"a": fingerprint(voice(1), RATE), "b": fingerprint(other, rate)})


def test_gain_and_whole_frames_of_silence_do_not_change_the_prints():
    padded = np.r_[np.zeros(8000, "float32"), voice(2)]  # 50 frames
    frames, prints = read_fingerprint(fingerprint(voice(2), RATE))
    later, same = read_fingerprint(fingerprint(padded / 4, RATE))
    inner = later - 50 >= frames[0]
    assert (later[inner] - 50 == frames).all() and (same[inner] == prints).all()
    assert 2 <= len(frames) / 2 <= 8  # a second
    assert (np.diff(frames) > 4).all()


def test_a_long_recording_is_that_of_its_blocks():
    """70 s are two blocks; landmarks of the second one are those of the audio alone."""
    samples = voice(3, seconds=70)
    frames, prints = read_fingerprint(fingerprint(samples, RATE))
    later, same = read_fingerprint(fingerprint(samples[50 * RATE :], RATE))
    inner = frames >= 5000 + later[0]
    assert (frames[inner] == later + 5000).all()
    # bands near the floor, which is that of the loudest band, may differ
    assert np.bitwise_count(prints[inner] ^ same).sum() <= 0.01 * 8 * same.size


@pytest.mark.parametrize(
    "samples",
    [
        voice(0, 0.5),  # too short for the reach of a print
        voice(0, 0.02),  # for a window
        np.zeros(2 * RATE, "float32"),
        np.sin(np.arange(2 * RATE) * 2 * np.pi / 16).astype("float32"),  # 1 kHz, all frames equal
    ],
)
def test_what_says_nothing_has_no_landmarks_and_no_copies(samples):
    text = fingerprint(samples, RATE)
    assert text == ""
    assert near_copies({"a": text, "b": text, "c": fingerprint(voice(0), RATE)}) == []


def landmarks(frames, differing):
    """Return landmarks whose prints differ in so many bits from zeros."""
    bits = np.zeros((len(frames), 256), "uint8")
    for row, number in zip(bits, differing, strict=True):
        row[:number] = 1
    return np.array(frames), np.packbits(bits, axis=1)


@pytest.mark.parametrize(
    ("frames", "differing", "copy"),
    [
        ([100], [48], True),
        ([100], [49], False),
        ([100, 150], [64, 64], True),  # lags of 0 and 0
        ([100, 152], [64, 64], True),  # and 2, the slack
        ([100, 160], [64, 64], False),  # and 10
        ([100, 150], [64, 65], False),
    ],
)
def test_the_rule(frames, differing, copy):
    here = np.array([100, 150]), np.array([[0] * 32, [255] * 16 + [0] * 16], "uint8")
    there = landmarks(frames, differing)
    if len(frames) > 1:
        there[1][1] ^= here[1][1]
    assert is_copy(here, there) == copy and is_copy(there, here) == copy


def test_a_landmark_takes_36_bytes():
    text = fingerprint(voice(4), RATE)
    assert len(base64.b64decode(text)) == 36 * len(read_fingerprint(text)[0])
