"""Audio of utterances: read it, look for what would spoil training, hash what was decoded."""

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from lhotse.utils import compute_num_samples

from dsnet.corpus.utterance import MEAN, Utterance
from dsnet.errors import CorpusError

MIN_SECONDS = 0.1
OVERHANG_SECONDS = 1e-3  # a segment may end this far beyond its file: times are often rounded
FULL_SCALE = 0.99  # of 1.0; the largest sample of 8-bit audio is 0.992
MAX_CLIPPED = 0.01  # of the samples
COARSE_SUBTYPES = {"PCM_S8", "PCM_U8", "DPCM_8", "ULAW", "ALAW"}


class BadAudio(CorpusError):
    """Audio that no system can learn from; `--drop-bad-audio true` leaves it out."""


@dataclass(frozen=True)
class AudioFacts:
    """What decoding an utterance showed; counts are samples a channel.

    Args:
        sampling_rate: of the file, in Hz.
        num_channels: of the file.
        file_samples: length of the file.
        start_sample: where the utterance starts in the file.
        num_samples: length of the utterance.
        audio_hash: 16 hex digits of its decoded samples.
        clipped: more than 1 % of its samples are at full scale.
        coarse: its samples have 8 bits or fewer.
        channel: the one that was decoded, or those that were averaged.
        channels_differ: the utterance is not the same in all channels of the file.
    """

    sampling_rate: int
    num_channels: int
    file_samples: int
    start_sample: int
    num_samples: int
    audio_hash: str
    clipped: bool
    coarse: bool
    channel: int | list[int] = 0
    channels_differ: bool = False


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
        with soundfile.SoundFile(path) as file:
            return _mix(_read(file, start_sample, num_samples), channel)
    except (soundfile.SoundFileError, OSError) as error:
        raise BadAudio(f"{path}: {_why_unreadable(Path(path), error)}") from error


def _read(file: soundfile.SoundFile, start: int, num_samples: int) -> np.ndarray:
    """Return (num_samples, channels of the file) float32."""
    if start:
        file.seek(start)
    samples = file.read(num_samples, dtype="float32", always_2d=True)
    expected = num_samples if num_samples >= 0 else file.frames - start
    if len(samples) < expected:
        raise BadAudio(
            f"{file.name}: cut off: {len(samples)} of {expected} samples could be decoded"
        )
    return samples


def _mix(samples: np.ndarray, channel: int | list[int]) -> np.ndarray:
    if isinstance(channel, list):
        # in float64, so that the order of the sum leaves no trace in the hash
        return samples[:, channel].mean(axis=1, dtype="float64").astype("float32")
    return np.ascontiguousarray(samples[:, channel])


def _why_unreadable(path: Path, error: Exception) -> str:
    if not path.exists():
        return "no such file"
    if path.is_dir():
        return "is a folder"
    if path.stat().st_size == 0:
        return "0 bytes"
    reason = str(error).replace(f"Error opening {str(path)!r}: ", "").rstrip(". ")
    return f"not readable as audio ({reason})"


def inspect(utterance: Utterance) -> AudioFacts:
    """Decode an utterance and say what its audio is like.

    Raises:
        BadAudio: unreadable, cut off, shorter than 0.1 s, not a number somewhere, or constant.
        CorpusError: a channel or a segment that the file does not have.
    """
    path = Path(utterance.path)
    try:
        with soundfile.SoundFile(path) as file:
            _check_length(path, file)
            start, num_samples = _span(utterance, file)
            if num_samples < MIN_SECONDS * file.samplerate:
                raise BadAudio(
                    f"{path}: {num_samples} samples ({num_samples / file.samplerate:.4f} s), "
                    f"shorter than {MIN_SECONDS} s"
                )
            channels = _read(file, start, num_samples)
            channel = _channel(utterance, file.channels)
            samples = _mix(channels, channel)
    except (soundfile.SoundFileError, OSError) as error:
        raise BadAudio(f"{path}: {_why_unreadable(path, error)}") from error
    low, high = samples.min(), samples.max()
    if not np.isfinite(low + high):
        raise BadAudio(f"{path}: holds samples that are not finite (NaN or infinity)")
    if low == high:
        where = f" of channel {channel}" if channels.shape[1] > 1 else ""
        raise BadAudio(f"{path}: no signal: every sample{where} is {low:g}")
    peak = max(-low, high)
    clipped = peak >= FULL_SCALE and (np.abs(samples) >= 0.999 * peak).mean() > MAX_CLIPPED
    return AudioFacts(
        sampling_rate=file.samplerate,
        num_channels=file.channels,
        file_samples=file.frames,
        start_sample=start,
        num_samples=num_samples,
        audio_hash=audio_hash(samples),
        clipped=bool(clipped),
        coarse=file.subtype in COARSE_SUBTYPES,
        channel=channel,
        channels_differ=bool((channels != channels[:, :1]).any()),
    )


def _check_length(path: Path, file: soundfile.SoundFile) -> None:
    """Find a wav file that lost its end; libsndfile shortens such a file without a word."""
    if file.format not in ("WAV", "WAVEX"):
        return
    with path.open("rb") as stream:
        promised = int.from_bytes(stream.read(8)[4:], "little") + 8
    there = path.stat().st_size
    streamed = promised > 2**31 - 2**16 or promised == 8  # written to a pipe: length unknown
    if not streamed and there < 0.99 * promised:
        raise BadAudio(f"{path}: cut off: {there} of {promised} bytes are there")


def _span(utterance: Utterance, file: soundfile.SoundFile) -> tuple[int, int]:
    """Return the first sample of an utterance in its file, and how many it has."""
    path, seconds = utterance.path, file.frames / file.samplerate
    if utterance.channel not in (None, MEAN) and not 0 <= utterance.channel < file.channels:
        raise CorpusError(
            f"{path}: utterance '{utterance.id}' is on channel {utterance.channel}, but the file "
            f"has {file.channels} (counted from 0)"
        )
    if utterance.start is None and utterance.end is None:
        return 0, file.frames
    begin = 0.0 if utterance.start is None else utterance.start
    end = seconds if utterance.end is None else utterance.end
    if not 0 <= begin < end <= seconds + OVERHANG_SECONDS:
        raise CorpusError(
            f"{path}: utterance '{utterance.id}' spans {begin} to {end} s, but the file has "
            f"{seconds:.4f} s; are its times in seconds, and is this its file?"
        )
    start = compute_num_samples(begin, file.samplerate)
    stop = min(compute_num_samples(end, file.samplerate), file.frames)
    return start, max(stop - start, 0)


def _channel(utterance: Utterance, num_channels: int) -> int | list[int]:
    """Return the channel to decode, or those to average: as Lhotse's supervisions spell it."""
    if utterance.channel == MEAN and num_channels > 1:
        return list(range(num_channels))
    return 0 if utterance.channel in (None, MEAN) else utterance.channel


def inspect_all(
    utterances: Iterable[Utterance], nj: int
) -> Iterator[tuple[Utterance, AudioFacts | BadAudio]]:
    """Inspect utterances in `nj` threads, each decoded once; yield them in the order given.

    Raises:
        CorpusError: a channel or a segment that a file does not have.
    """

    def outcome(utterance: Utterance) -> tuple[Utterance, AudioFacts | BadAudio]:
        try:
            return utterance, inspect(utterance)
        except BadAudio as error:
            return utterance, error

    with ThreadPoolExecutor(nj) as pool:
        yield from pool.map(outcome, utterances)
