"""Audio of utterances: read it, look for what would spoil training, hash what was decoded."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import soundfile
from lhotse.utils import compute_num_samples

from dsnet.corpus.sound import (
    MIN_SECONDS,
    BadAudio,
    audio_hash,
    check_length,
    check_samples,
    is_clipped,
    mix,
    read_from,
    why_unreadable,
)
from dsnet.corpus.utterance import MEAN, Utterance
from dsnet.errors import CorpusError

OVERHANG_SECONDS = 1e-3  # a segment may end this far beyond its file: times are often rounded
COARSE_SUBTYPES = {"PCM_S8", "PCM_U8", "DPCM_8", "ULAW", "ALAW"}


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


def inspect(utterance: Utterance) -> AudioFacts:
    """Decode an utterance and say what its audio is like.

    Raises:
        BadAudio: unreadable, cut off, shorter than 0.1 s, not a number somewhere, or constant.
        CorpusError: a channel or a segment that the file does not have.
    """
    path = Path(utterance.path)
    try:
        with soundfile.SoundFile(path) as file:
            check_length(path, file)
            start, num_samples = _span(utterance, file)
            if num_samples < MIN_SECONDS * file.samplerate:
                raise BadAudio(
                    f"{path}: {num_samples} samples ({num_samples / file.samplerate:.4f} s), "
                    f"shorter than {MIN_SECONDS} s"
                )
            channels = read_from(file, start, num_samples)
            channel = _channel(utterance, file.channels)
            samples = mix(channels, channel)
    except (soundfile.SoundFileError, OSError) as error:
        raise BadAudio(f"{path}: {why_unreadable(path, error)}") from error
    check_samples(samples, path, f" of channel {channel}" if channels.shape[1] > 1 else "")
    return AudioFacts(
        sampling_rate=file.samplerate,
        num_channels=file.channels,
        file_samples=file.frames,
        start_sample=start,
        num_samples=num_samples,
        audio_hash=audio_hash(samples),
        clipped=is_clipped(samples),
        coarse=file.subtype in COARSE_SUBTYPES,
        channel=channel,
        channels_differ=bool((channels != channels[:, :1]).any()),
    )


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
