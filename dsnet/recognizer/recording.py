"""Recordings: what libsndfile reads, or arrays, a stretch at a time, in one channel."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dsnet.corpus.levels import check_samples, is_weak
from dsnet.corpus.sound import MIN_SECONDS, OVERHANG_SECONDS, RATES, BadAudio, Sound, mix

MIXED = "mix"  # in the place of a channel: the mean of all
FORMATS = "wav, flac, ogg, opus, mp3, aiff and others that libsndfile knows"


@dataclass(frozen=True)
class Stretch:
    """A part of a recording.

    Args:
        start, end: in seconds.
        samples: (N,) float32 in [-1, 1].
        weak: another channel of the recording is 40 dB louder.
    """

    start: float
    end: float
    samples: np.ndarray
    weak: bool


class Recording(AbstractContextManager):
    """A sound file that is open for reading, in one channel; use it in a `with` statement.

    Raises:
        BadAudio: no file that can be read, cut off, or without the channel; says what to do.
    """

    def __init__(self, path: Path | str, channel: int | str = MIXED):
        try:
            self._sound = Sound(path)
        except BadAudio as error:
            hint = f"; {FORMATS} can be read" if "not readable" in str(error) else ""
            raise BadAudio(f"{error}{hint}") from error
        self.path = self._sound.path
        self.sampling_rate, self.num_channels = self._sound.sampling_rate, self._sound.num_channels
        self.seconds = self._sound.seconds
        if channel != MIXED and not 0 <= int(channel) < self.num_channels:
            raise BadAudio(
                f"no channel {channel}: the file has {self.num_channels}, counted from 0"
            )
        self._channel = list(range(self.num_channels)) if channel == MIXED else int(channel)

    def read(self, start: float = 0.0, end: float | None = None) -> Stretch:
        """Decode a stretch; end None: to the end.

        Raises:
            BadAudio: cut off, too short, or beyond the end.
        """
        rate, length = self.sampling_rate, self._sound.num_samples
        first = round(start * rate)
        last = length if end is None else min(round(end * rate), length)
        if first >= length > 0:
            raise BadAudio(f"begins at {start:.2f} s, but the recording has {self.seconds:.2f} s")
        if end is not None and end > self.seconds + OVERHANG_SECONDS:
            raise BadAudio(
                f"ends at {end:.2f} s, but the recording has {self.seconds:.2f} s; are the times "
                "in seconds, and is this their file?"
            )
        if (last - first) < MIN_SECONDS * rate:
            raise BadAudio(
                f"{(last - first) / rate:.3f} s are too short, {MIN_SECONDS:g} s are needed"
            )
        channels = self._sound.read(first, last - first)
        samples = mix(channels, self._channel)
        return Stretch(first / rate, last / rate, samples, is_weak(samples, channels))

    def __exit__(self, *error: object) -> None:
        self._sound.__exit__(*error)


def windows(seconds: float, length: float, hop: float) -> Iterator[tuple[float, float]]:
    """Yield start and end of windows, one every `hop`, until the end is covered.

    The last one ends with the recording and is as long as the others, if the recording is.
    """
    start, number = 0.0, 0
    while start + length < seconds - 1e-6:  # a millionth of a second is no window
        yield start, start + length
        number += 1
        start = number * hop  # a sum of many hops would drift
    yield max(0.0, min(start, seconds - length)), seconds


def as_samples(samples: np.ndarray, sampling_rate: int) -> np.ndarray:
    """Return samples as (N,) float32 in [-1, 1].

    Args:
        samples: (N,), or (N, channels), which are averaged; int16 and int32 are divided by their
            range.
        sampling_rate: Hz.

    Raises:
        BadAudio: another shape or type, too short, or samples that no sound has.
    """
    samples = np.asarray(samples)
    kind, size = samples.dtype.kind, samples.dtype.itemsize
    if kind != "f" and (kind, size) not in (("i", 2), ("i", 4)):
        raise BadAudio(
            f"samples must be float, int16 or int32, found {samples.dtype}; samples of 16 bits "
            "are .astype('int16')"
        )
    if kind == "i" and size == 4:
        peak = max(int(samples.max(initial=0)), -int(samples.min(initial=0)))
        if 0 < peak <= 2**15:
            raise BadAudio(
                f"samples of int32 reach {peak}, of 2147483647; are they of 16 bits? Then turn "
                "them by .astype('int16')"
            )
    if kind == "i":
        samples = samples / -float(np.iinfo(samples.dtype).min)
    if samples.ndim == 2:
        if samples.shape[1] > samples.shape[0]:
            raise BadAudio(
                f"samples must be (N,) or (N, channels), found {samples.shape}; turn it with .T"
            )
        samples = samples.mean(1, dtype="float64")
    if samples.ndim != 1:
        raise BadAudio(f"samples must be (N,) or (N, channels), found {samples.shape}")
    if not RATES[0] <= sampling_rate <= RATES[1] or sampling_rate != int(sampling_rate):
        raise BadAudio(
            f"the sampling rate must be in Hz, a whole number from {RATES[0]} to {RATES[1]}; found "
            f"{sampling_rate}"
        )
    if len(samples) < MIN_SECONDS * sampling_rate:
        raise BadAudio(
            f"{len(samples) / sampling_rate:.3f} s are too short, {MIN_SECONDS:g} s are needed"
        )
    return samples.astype("float32")


def check_sound(samples: np.ndarray) -> None:
    """Raise BadAudio for (N,) samples that are not finite, all the same, or far beyond [-1, 1]."""
    try:
        check_samples(samples, "samples")
    except BadAudio as error:
        raise type(error)(str(error).removeprefix("samples: ")) from error
