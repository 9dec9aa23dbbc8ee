import numpy as np
import pytest
import soundfile
from tiny_bundles import sound

from dsnet.corpus.sound import BadAudio
from dsnet.recognizer.recording import Recording, windows


@pytest.mark.parametrize(
    ("seconds", "length", "hop", "expected"),
    [
        (10, 3, 3, [(0, 3), (3, 6), (6, 9), (7, 10)]),
        (9, 3, 3, [(0, 3), (3, 6), (6, 9)]),
        (2, 3, 1, [(0, 2)]),
        (3, 3, 1, [(0, 3)]),
        (4.5, 3, 1, [(0, 3), (1, 4), (1.5, 4.5)]),
        (10, 1, 0.1, [(i * 0.1, i * 0.1 + 1) for i in range(90)] + [(9, 10)]),
    ],
)
def test_windows_cover_a_recording_to_its_end(seconds, length, hop, expected):
    assert list(windows(seconds, length, hop)) == expected


def test_hops_longer_than_windows_leave_gaps_but_keep_the_end():
    assert list(windows(10, 1, 4)) == [(0, 1), (4, 5), (8, 9), (9, 10)]


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_formats(write_sound, suffix):
    with Recording(write_sound(f"a.{suffix}", 1.0)) as recording:
        assert recording.sampling_rate == 16000
        samples = recording.read().samples
    assert len(samples) == pytest.approx(16000, abs=2000)  # mp3 pads


def test_stretches_are_those_of_the_whole(write_sound):
    with Recording(write_sound("a.flac", 2.0)) as recording:
        whole = recording.read().samples
        part = recording.read(0.5, 1.25)
    assert (part.start, part.end) == (0.5, 1.25)
    assert (part.samples == whole[8000:20000]).all()


def test_channels_are_mixed_or_chosen(tmp_path):
    left, right = sound(1, 1), sound(1, 2)
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([left, right], 1), 16000, subtype="FLOAT")
    for channel, expected in (("mix", (left + right) / 2), ("0", left), (1, right)):
        with Recording(path, channel) as recording:
            assert np.allclose(recording.read().samples, expected, atol=1e-7)
    with pytest.raises(BadAudio, match="no channel 2: the file has 2, counted from 0"):
        Recording(path, "2")


def test_what_cannot_be_read_says_why(tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(2000))
    for name, words in {
        "none.wav": "no such file",
        "empty.wav": "0 bytes",
        "film.mp4": "not readable as audio.*wav, flac, ogg",
        ".": "is a folder",
    }.items():
        with pytest.raises(BadAudio, match=words):
            Recording(tmp_path / name)


def test_a_recording_that_lost_its_end_is_refused(write_sound):
    path = write_sound("a.wav", 2.0)
    path.write_bytes(path.read_bytes()[:40000])
    with pytest.raises(BadAudio, match="^cut off"):
        Recording(path)
