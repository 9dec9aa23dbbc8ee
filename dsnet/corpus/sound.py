"""Sound files: what libsndfile reads, and the ways in which it fails.

This file is light to import: whoever only wants samples waits for no Lhotse.
"""

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import soundfile

from dsnet.corpus.containers import mp3_samples, read_bytes, why_damaged
from dsnet.errors import CorpusError

MIN_SECONDS = 0.1
RATES = (1000, 384_000)  # Hz
OVERHANG_SECONDS = 0.01  # a part may end this far behind its file: times are often rounded
UNKNOWN = 2**40  # libsndfile gives more samples than that where it knows no number
BLOCK = 1 << 16  # samples that are decoded at once to count or skip them
AT_ONCE = 1 << 24  # samples that are decoded at once: a header may promise what no memory holds
MOST_STREAMED = 2**30  # bytes through a pipe
MP3_HEAD = 8192  # bytes in which a tag with the length stands, behind that of the title


class BadAudio(CorpusError):
    """Audio that no system can learn from, or judge."""


class NoSignal(BadAudio):
    """Samples that are all the same."""


def audio_hash(samples: np.ndarray) -> str:
    """Return 16 hex digits that identify float32 samples: a file's wav and flac copies agree."""
    return hashlib.sha256(np.ascontiguousarray(samples, dtype="<f4").tobytes()).hexdigest()[:16]


def read_samples(
    path: Path | str, channel: int | list[int] = 0, start_sample: int = 0, num_samples: int = -1
) -> np.ndarray:
    """Decode one channel of an audio file, or a part of it.

    Args:
        path: any file that libsndfile reads: wav, flac, ...
        channel: from 0; several are averaged.
        start_sample: first sample.
        num_samples: how many; -1: to the end.

    Returns:
        (num_samples,) float32 in [-1, 1].

    Raises:
        BadAudio: missing, unreadable or shorter than asked for.
    """
    try:
        with Sound(path) as sound:
            return mix(sound.read(start_sample, num_samples), channel)
    except BadAudio as error:
        raise BadAudio(f"{path}: {error}") from error


class Sound(AbstractContextManager):
    """A sound file that is open for reading, and whole as far as its header tells.

    libsndfile shortens a file that lost its end without a word; here it is refused.

    Attributes:
        sampling_rate: Hz.
        num_channels: of the file.
        num_samples: its length, a channel; counted by decoding where libsndfile only guesses.
        subtype: as libsndfile names it, such as PCM_16.

    Raises:
        BadAudio: why it cannot be read, without its name.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        try:
            source: Path | io.BytesIO = self.path
            if self.path.is_fifo():
                with self.path.open("rb") as pipe:
                    content = pipe.read(MOST_STREAMED + 1)
                if len(content) > MOST_STREAMED:
                    raise BadAudio("more than 1 GiB through a pipe; save it to a file first")
                source, size = io.BytesIO(content), len(content)
            else:
                if self.path.exists() and not self.path.is_file():
                    raise BadAudio("is a folder" if self.path.is_dir() else "is a device")
                size = self.path.stat().st_size
                self.path.open("rb").close()  # says more than libsndfile, if it cannot be opened
        except FileNotFoundError as error:
            raise BadAudio("no such file") from error
        except OSError as error:
            raise BadAudio(error.strerror or str(error)) from error
        except ValueError as error:
            raise BadAudio(f"no name of a file ({error})") from error
        if size == 0:
            raise BadAudio("0 bytes")
        fault = why_damaged(source)
        if fault:
            raise BadAudio(fault)
        try:
            # as bytes: soundfile does not take a name that is not UTF-8 as text
            self._opened = source if isinstance(source, io.BytesIO) else os.fsencode(source)
            self._file = soundfile.SoundFile(self._opened)
            self.num_samples = self._count(source) if self._is_mp3(source) else self._file.frames
        except (soundfile.SoundFileError, OSError, TypeError) as error:
            raise BadAudio(_why_unreadable(error)) from error
        if self.num_samples > UNKNOWN:
            raise BadAudio(
                "its header does not say how long it is, as of FLAC that was written to a pipe; "
                "write it anew, such as with flac -d OLD.flac and flac OLD.wav"
            )
        self.sampling_rate: int = self._file.samplerate
        if not RATES[0] <= self.sampling_rate <= RATES[1]:
            raise BadAudio(
                f"its header says {self.sampling_rate} Hz, expected {RATES[0]} to {RATES[1]}"
            )
        self.num_channels: int = self._file.channels
        self.subtype: str = self._file.subtype

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.num_samples / self.sampling_rate

    def read(self, start: int = 0, num_samples: int = -1) -> np.ndarray:
        """Return (num_samples, channels of the file) float32; -1: to the end."""
        wanted = self.num_samples - start if num_samples < 0 else num_samples
        try:
            self._go_to(start)
            blocks = list(self._blocks(wanted, AT_ONCE))
        except (soundfile.SoundFileError, OSError) as error:
            raise BadAudio(_why_unreadable(error)) from error
        found = sum(map(len, blocks))
        if found < wanted:
            raise BadAudio(f"cut off: {found} of {wanted} samples could be decoded")
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _go_to(self, start: int) -> None:
        """Seek, or, as nobody can in GSM 6.10 and other codes, decode from the beginning."""
        if self._file.seekable():
            if self._file.tell() != start:
                self._file.seek(start)
            return
        self._file.close()
        if isinstance(self._opened, io.BytesIO):
            self._opened.seek(0)
        self._file = soundfile.SoundFile(self._opened)
        for _ in self._blocks(start, BLOCK):
            pass

    def _blocks(self, num_samples: int, size: int) -> Iterator[np.ndarray]:
        """Decode the next samples, `size` at once, as far as there are any; at least one block."""
        while True:
            block = self._file.read(min(num_samples, size), dtype="float32", always_2d=True)
            yield block
            num_samples -= len(block)
            if num_samples <= 0 or not len(block):
                return

    def _is_mp3(self, source: Path | io.BytesIO) -> bool:
        """Say whether libsndfile guesses the length: of MP3 without a tag that holds it."""
        if self._file.format != "MP3":
            return False
        head = read_bytes(source)[:MP3_HEAD]
        return not any(tag in head for tag in (b"Xing", b"Info", b"VBRI"))

    def _count(self, source: Path | io.BytesIO) -> int:
        """Decode everything; return how many samples there are."""
        count, there = 0, mp3_samples(read_bytes(source))
        for block in self._blocks(UNKNOWN, BLOCK):
            count += len(block)
        if count < 0.95 * there:  # it decodes no more than it guessed
            raise BadAudio(
                f"MP3 of varying bit rate without a tag that holds its length: {count} of {there} "
                "samples would be decoded. Write it anew, such as with ffmpeg -i OLD.mp3 NEW.wav"
            )
        self._file.seek(0)
        return count

    def __exit__(self, *error: object) -> None:
        self._file.close()


def mix(samples: np.ndarray, channel: int | list[int]) -> np.ndarray:
    if isinstance(channel, list):
        # in float64, so that the order of the sum leaves no trace in the hash
        return samples[:, channel].mean(axis=1, dtype="float64").astype("float32")
    return np.ascontiguousarray(samples[:, channel])


def _why_unreadable(error: Exception) -> str:
    reason = getattr(error, "error_string", str(error)).rstrip(". ")  # without the path
    return f"not readable as audio ({reason})"
