"""Sound files: what libsndfile reads, the ways in which it fails, samples that are no use.

This file is light to import: whoever only wants samples waits for no Lhotse.
"""

import hashlib
from pathlib import Path

import numpy as np
import soundfile

from dsnet.errors import CorpusError

MIN_SECONDS = 0.1
FULL_SCALE = 0.99  # of 1.0; the largest sample of 8-bit audio is 0.992
MAX_CLIPPED = 0.01  # of the samples


class BadAudio(CorpusError):
    """Audio that no system can learn from, or judge."""


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
            return mix(read_from(file, start_sample, num_samples), channel)
    except (soundfile.SoundFileError, OSError) as error:
        raise BadAudio(f"{path}: {why_unreadable(Path(path), error)}") from error


def read_from(file: soundfile.SoundFile, start: int, num_samples: int) -> np.ndarray:
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


def mix(samples: np.ndarray, channel: int | list[int]) -> np.ndarray:
    if isinstance(channel, list):
        # in float64, so that the order of the sum leaves no trace in the hash
        return samples[:, channel].mean(axis=1, dtype="float64").astype("float32")
    return np.ascontiguousarray(samples[:, channel])


def why_unreadable(path: Path, error: Exception) -> str:
    if not path.exists():
        return "no such file"
    if path.is_dir():
        return "is a folder"
    if path.stat().st_size == 0:
        return "0 bytes"
    reason = getattr(error, "error_string", str(error)).rstrip(". ")  # without the path
    return f"not readable as audio ({reason})"


def check_length(path: Path, file: soundfile.SoundFile) -> None:
    """Find a wav file that lost its end; libsndfile shortens such a file without a word."""
    if file.format not in ("WAV", "WAVEX"):
        return
    with path.open("rb") as stream:
        promised = int.from_bytes(stream.read(8)[4:], "little") + 8
    there = path.stat().st_size
    streamed = promised > 2**31 - 2**16 or promised == 8  # written to a pipe: length unknown
    if not streamed and there < 0.99 * promised:
        raise BadAudio(f"{path}: cut off: {there} of {promised} bytes are there")


def check_samples(samples: np.ndarray, name: Path | str, channel: str = "") -> None:
    """Raise BadAudio for samples that are not numbers, or all the same.

    Args:
        samples: (num_samples,).
        name: of what they are from.
        channel: such as " of channel 0", where there are several.
    """
    low, high = samples.min(), samples.max()
    if not np.isfinite(low + high):
        raise BadAudio(f"{name}: holds samples that are not finite (NaN or infinity)")
    if low == high:
        raise BadAudio(f"{name}: no signal: every sample{channel} is {low:g}")


def is_clipped(samples: np.ndarray) -> bool:
    """Say whether more than 1 % of the samples are at full scale."""
    peak = np.abs(samples).max()
    return bool(peak >= FULL_SCALE and (np.abs(samples) >= 0.999 * peak).mean() > MAX_CLIPPED)
