"""Sound files that lost something, in every container that libsndfile writes."""

from random import Random

import numpy as np
import pytest
import soundfile
from faults.headers import damage_header, judge

from dsnet.corpus.containers import mp3_samples, why_damaged
from dsnet.corpus.sound import BadAudio, Sound, read_samples

RATE, LENGTH = 16000, 32000
WHOLE = {
    "a.wav": {"format": "WAV"},
    "big.wav": {"format": "WAV", "endian": "BIG"},
    "x.wav": {"format": "WAVEX"},
    "rf64.wav": {"format": "RF64"},
    "a.w64": {"format": "W64"},
    "a.aiff": {"format": "AIFF"},
    "a.au": {"format": "AU"},
    "little.au": {"format": "AU", "endian": "LITTLE"},
    "a.caf": {"format": "CAF", "subtype": "PCM_16"},
    "a.voc": {"format": "VOC", "subtype": "PCM_16"},
    "a.flac": {"format": "FLAC"},
    "a.ogg": {"format": "OGG", "subtype": "VORBIS"},
    "a.opus": {"format": "OGG", "subtype": "OPUS"},
    "a.mp3": {"format": "MP3"},
    "gsm.wav": {"format": "WAV", "subtype": "GSM610"},
    "g721.au": {"format": "AU", "subtype": "G721_32"},
    "a.sph": {"format": "NIST", "subtype": "PCM_16"},
}


@pytest.fixture
def write(tmp_path):
    def make(name):
        path = tmp_path / name
        noise = np.random.default_rng(0).normal(0, 0.1, LENGTH)
        soundfile.write(path, noise, RATE, **WHOLE[name])
        return path

    return make


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_is_read(write, name):
    path = write(name)
    with Sound(path) as sound:
        assert sound.num_samples == pytest.approx(LENGTH, abs=2000)  # mp3 pads
        assert len(sound.read()) == sound.num_samples


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_that_lost_its_end_is_refused(write, name):
    path = write(name)
    content = path.read_bytes()
    path.write_bytes(content[: int(0.6 * len(content))])
    with pytest.raises(BadAudio, match="cut off|not readable"):
        read_samples(path)


@pytest.mark.parametrize("name", WHOLE)
def test_a_damaged_header_is_no_traceback(write, name):
    path, rng = write(name), Random(name)
    content = path.read_bytes()
    for _ in range(100):
        path.write_bytes(damage_header(content, rng))
        well, error = judge(path)
        assert well, error


def test_a_part_of_what_cannot_be_sought_is_decoded(write):
    """GSM 6.10, as of telephones: libsndfile only reads it from the beginning."""
    path = write("gsm.wav")
    whole = read_samples(path)
    with Sound(path) as sound:
        parts = [sound.read(start, 1000)[:, 0] for start in (5000, 2000, 0)]
    for start, part in zip((5000, 2000, 0), parts, strict=True):
        assert (part == whole[start : start + 1000]).all()


def test_what_a_header_promises_is_not_allocated(write):
    path = write("a.flac")
    content = bytearray(path.read_bytes())
    content[21] |= 0x0F  # STREAMINFO: 64 thousand million samples, or 240 GiB
    path.write_bytes(content)
    with pytest.raises(BadAudio, match="cut off|not readable"):
        read_samples(path)


def test_a_compressed_sphere_file_is_not_called_cut_off(write):
    """As LDC distributes some: fewer bytes than samples, which libsndfile cannot decode."""
    path = write("a.sph")
    header = path.read_bytes()[:1024]
    coding = b"sample_coding -s26 pcm,embedded-shorten-v2.00"
    header = header.replace(b"sample_coding -s3 pcm", coding)[:1024]
    path.write_bytes(header + bytes(15000))
    assert b"shorten" in header and why_damaged(path) == ""


def test_a_flac_file_from_a_pipe_has_no_length_and_is_named(write):
    path = write("a.flac")
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # STREAMINFO: 36 bits with the number of samples
    content[22:26] = bytes(4)
    path.write_bytes(content)
    with pytest.raises(BadAudio, match="does not say how long it is"):
        Sound(path)


def sized(content, riff, data):
    """Return a wav file with other sizes in its header, which has 44 bytes."""
    return (
        content[:4] + riff.to_bytes(4, "little") + content[8:40] + data.to_bytes(4, "little")
        + content[44:]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("riff", "data"),
    [(2**32 - 1, 2**32 - 1), (2**31 - 1, 2**31 - 37), (2_000_000_036, 2_000_000_000)],
)
def test_placeholders_of_writers_to_a_pipe_are_known(write, riff, data):
    path = write("a.wav")
    expected = read_samples(path)
    path.write_bytes(sized(path.read_bytes(), riff, data))
    assert (read_samples(path) == expected).all()


def test_a_header_that_was_never_closed_is_named(write):
    path = write("a.wav")
    path.write_bytes(sized(path.read_bytes(), 36, 0))
    with pytest.raises(BadAudio, match="says 0 bytes of audio, but 64000 follow"):
        read_samples(path)


def test_audio_that_the_header_forgot_is_named(write):
    path = write("a.wav")
    path.write_bytes(sized(path.read_bytes(), 32036, 32000))
    with pytest.raises(BadAudio, match="32000 bytes follow the audio that its header names"):
        read_samples(path)


@pytest.mark.parametrize(
    "rest", [b"LIST" + (4000).to_bytes(4, "little") + bytes(range(200)) * 20, bytes(5000), b"abc"]
)
def test_what_may_follow_the_audio_may_follow_it(write, rest):
    """Another chunk, zeros to the end of a block, and a little of anything."""
    path = write("a.wav")
    expected = read_samples(path)
    path.write_bytes(path.read_bytes() + rest)
    assert (read_samples(path) == expected).all()


def test_an_mp3_of_varying_bit_rate_without_a_length_is_named(write):
    path = write("a.mp3")
    content = path.read_bytes()
    second = content.index(b"\xff\xf3", 4)  # the first frame holds the tag
    assert b"Xing" in content[:second]
    path.write_bytes(content[second:])
    with pytest.raises(BadAudio, match="varying bit rate without a tag"):
        Sound(path)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_samples_of_mp3_are_counted_by_its_frames(tmp_path, rate):
    path = tmp_path / "a.mp3"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 2 * rate), rate)
    assert mp3_samples(path.read_bytes()) == pytest.approx(
        2 * rate, abs=4000
    )  # the tag's frame, and padding
    tagged = b"ID3\x04\x00\x00\x00\x00\x01\x00" + b"\xff\xfb" * 64  # 128 bytes of a title
    title = tmp_path / "title.mp3"
    title.write_bytes(tagged + path.read_bytes())
    assert mp3_samples(title.read_bytes()) == mp3_samples(path.read_bytes())
