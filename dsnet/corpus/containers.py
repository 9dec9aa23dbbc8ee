"""Containers of sound: is what their headers promise there?

libsndfile reads what is there of a file that lost its end, and says nothing. Each container says
in its own way how long it is; writers to a pipe, who cannot know, leave a placeholder.
Sources: the formats' specifications, as the names of the functions tell.
"""

import io
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

SLACK = 0.99  # of the promised bytes; a header that is off by a little is no damage
LEAST_PLACEHOLDER = 2**31 - 2**17
ROUND = 10**6  # sizes of a thousand millions and more that are round are placeholders too
NIST_NUMBERS = (b"sample_count", b"channel_count", b"sample_n_bytes")
OGG_PAGE = 65307  # bytes at most
MP3_HERTZ = (44100, 48000, 32000)  # MPEG 1; versions 2 and 2.5 halve them
MP3_KILOBITS = (  # of layer III in versions 2 and 2.5, and in 1, by index; 0: not allowed
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
)


def why_damaged(source: Path | io.BytesIO) -> str:
    """Say what a container's header tells of damage; nothing if it is whole, or of another kind."""
    if isinstance(source, Path):
        with source.open("rb") as stream:
            return _check(stream, os.fstat(stream.fileno()).st_size)
    fault = _check(source, len(source.getbuffer()))
    source.seek(0)
    return fault


def _check(stream: BinaryIO, size: int) -> str:
    check = CHECKS.get(stream.read(4))
    return check(stream, size) if check else ""


def read_bytes(source: Path | io.BytesIO) -> bytes:
    """Return all of a file, or of what came through a pipe."""
    return source.read_bytes() if isinstance(source, Path) else source.getvalue()


def _riff(stream: BinaryIO, size: int) -> str:
    """WAVE in RIFF, RIFX (big-endian) and RF64 (sizes of 64 bits in the chunk ds64)."""
    stream.seek(0)
    order = "big" if stream.read(4) == b"RIFX" else "little"
    long = 0
    for name, start, length in _chunks(stream, size, 12, 4, order):
        if name == b"ds64":
            stream.seek(start + 8)
            long = int.from_bytes(stream.read(8), "little")
        if name == b"data":
            there = size - start
            if length == 2**32 - 1 and long:
                length = long
            if length == 0 and there > 0:
                return (
                    f"its header says 0 bytes of audio, but {there} follow: it was never closed; "
                    "repair it, such as with sox --ignore-length OLD.wav NEW.wav"
                )
            return _short(there, length) or _more(stream, size, start + length, order)
    return ""


def _more(stream: BinaryIO, size: int, end: int, order: str) -> str:
    """Look at what follows the audio: other chunks, padding, or audio that the header forgot."""
    last = end + end % 2
    for _, start, length in _chunks(stream, size, end + end % 2, 4, order):
        last = start + length
    rest = size - last
    if rest <= (1 - SLACK) * size or _placeholder(end):
        return ""
    stream.seek(last)
    if not any(stream.read(1 << 16)):  # zeros to the end of a block
        return ""
    return (
        f"{rest} bytes follow the audio that its header names: was the recorder stopped, or "
        "another file appended? Repair it, such as with sox --ignore-length OLD.wav NEW.wav"
    )


def _chunks(
    stream: BinaryIO, size: int, start: int, width: int, order: str
) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and length of each chunk as far as they make sense."""
    while start + 4 + width <= size:
        stream.seek(start)
        name = stream.read(4)
        length = int.from_bytes(stream.read(width), order)
        if not (name.isascii() and name.decode().isprintable()):
            return
        start += 4 + width
        if name != b"data" and start + length > size:
            return
        yield name, start, length
        start += length + length % 2


def _au(stream: BinaryIO, size: int) -> str:
    stream.seek(0)
    order = "big" if stream.read(4) == b".snd" else "little"
    start, length = (int.from_bytes(stream.read(4), order) for _ in range(2))
    return _short(size - start, length)


def _aiff(stream: BinaryIO, size: int) -> str:
    return _short(size - 8, int.from_bytes(stream.read(4), "big"))


def _w64(stream: BinaryIO, size: int) -> str:
    stream.seek(16)
    return _short(size, int.from_bytes(stream.read(8), "little"))


def _caf(stream: BinaryIO, size: int) -> str:
    for name, start, length in _chunks(stream, size, 8, 8, "big"):
        if name == b"data":
            return _short(size - start, length)
    return ""


def _voc(stream: BinaryIO, size: int) -> str:
    stream.seek(20)
    place = int.from_bytes(stream.read(2), "little")
    while place < size:
        stream.seek(place)
        kind = stream.read(1)[0]
        if kind == 0:  # the end
            return ""
        length = int.from_bytes(stream.read(3), "little")
        fault = _short(size - place - 4, length)
        if fault:
            return fault
        place += 4 + length
    return ""


def _nist(stream: BinaryIO, size: int) -> str:
    """NIST SPHERE: lines of text; what is compressed besides is not told by its bytes."""
    stream.seek(0)
    words = [line.split() for line in stream.read(1024).split(b"\n")]
    fields = {line[0]: line[2] for line in words if len(line) == 3}
    numbers = [fields.get(name, b"") for name in NIST_NUMBERS]
    start = words[1][0] if len(words) > 1 and words[1] else b""
    if b"," in fields.get(b"sample_coding", b""):  # such as pcm,embedded-shorten-v2.00
        return ""
    if not all(number.isdigit() for number in [start, *numbers]):
        return ""
    return _short(size - int(start), math.prod(map(int, numbers)))


def _ogg(stream: BinaryIO, size: int) -> str:
    """The last page says that it is the last, and is whole."""
    first = max(0, size - 2 * OGG_PAGE)
    stream.seek(first)
    end = stream.read()
    page = end.rfind(b"OggS")
    if page < 0 or len(end) < page + 27:
        return "cut off: no whole page at its end"
    sizes = end[page + 27 : page + 27 + end[page + 26]]
    whole = len(end) >= page + 27 + len(sizes) + sum(sizes)
    if not end[page + 5] & 4 or not whole:
        return "cut off: its last page does not say that it is the last"
    return ""


def mp3_samples(data: bytes) -> int:
    """Return how many samples a channel the frames of an MP3 file hold, by their headers."""
    place, samples = data.find(b"\xff", _id3(data)), 0
    while 0 <= place < len(data) - 4:
        _, second, third, _ = data[place : place + 4]
        version, rate = second >> 3 & 3, third >> 2 & 3
        kilobits = MP3_KILOBITS[version == 3][third >> 4]
        if data[place] != 0xFF or second >> 5 != 7 or version == 1 or rate == 3 or not kilobits:
            place = data.find(b"\xff", place + 1)  # junk between frames
            continue
        hertz = MP3_HERTZ[rate] >> {3: 0, 2: 1, 0: 2}[version]
        of_frame = 1152 if version == 3 else 576
        place += of_frame // 8 * 1000 * kilobits // hertz + (third >> 1 & 1)
        samples += of_frame
    return samples


def _id3(data: bytes) -> int:
    """Return where the audio begins behind a tag with the title."""
    if data[:3] != b"ID3":
        return 0
    return 10 + sum(part << shift for part, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))


def _short(there: int, promised: int) -> str:
    if _placeholder(promised) or there >= SLACK * promised:
        return ""
    return f"cut off: {there} of {promised} bytes are there"


def _placeholder(length: int) -> bool:
    """Say whether a size is that of a writer who does not know it."""
    round_number = length >= 1000 * ROUND and min(length % ROUND, (length - 36) % ROUND) == 0
    return length == 0 or length >= LEAST_PLACEHOLDER or round_number


CHECKS: dict[bytes, Callable[[BinaryIO, int], str]] = {
    b"RIFF": _riff,
    b"RIFX": _riff,
    b"RF64": _riff,
    b".snd": _au,
    b"dns.": _au,
    b"FORM": _aiff,
    b"riff": _w64,
    b"caff": _caf,
    b"Crea": _voc,
    b"NIST": _nist,
    b"OggS": _ogg,
}
