"""Audio of utterances: read it, look for what would spoil training, and take its fingerprint."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lhotse.utils import compute_num_samples

from dsnet.corpus.fingerprint import fingerprint
from dsnet.corpus.levels import WEAKER, check_channel, is_weak, remarks
from dsnet.corpus.sound import (
    MIN_SECONDS,
    OVERHANG_SECONDS,
    BadAudio,
    Sound,
    audio_hash,
    mix,
)
from dsnet.corpus.utterance import MEAN, Utterance
from dsnet.errors import CorpusError

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
        fingerprint: what near copies of it share.
        remarks: what is unusual about its level, in words.
        coarse: its samples have 8 bits or fewer.
        channel: the one that was decoded, or those that were averaged.
        channels_differ: the utterance is not the same in all channels of the file.
        overhangs: the end that was given lies behind the file's.
    """

    sampling_rate: int
    num_channels: int
    file_samples: int
    start_sample: int
    num_samples: int
    audio_hash: str
    fingerprint: str
    remarks: tuple[str, ...]
    coarse: bool
    channel: int | list[int] = 0
    channels_differ: bool = False
    overhangs: bool = False


def inspect(utterance: Utterance, overhang: float = OVERHANG_SECONDS) -> AudioFacts:
    """Decode an utterance and say what its audio is like.

    Args:
        utterance: what is in which file.
        overhang: seconds that it may end behind its file, where it is cut.

    Raises:
        BadAudio: unreadable, cut off, shorter than 0.1 s, not a number somewhere, constant, or far
            beyond full scale.
        CorpusError: a channel or a segment that the file does not have.
    """
    path = Path(utterance.path)
    try:
        with Sound(path) as sound:
            start, num_samples, overhangs = _span(utterance, sound, overhang)
            if num_samples < MIN_SECONDS * sound.sampling_rate:
                raise BadAudio(
                    f"{num_samples} samples ({num_samples / sound.sampling_rate:.4f} s), shorter "
                    f"than {MIN_SECONDS} s"
                )
            channels = sound.read(start, num_samples)
    except BadAudio as error:
        raise BadAudio(f"{path}: {error}") from error
    channel = _channel(utterance, sound.num_channels)
    samples = mix(channels, channel)
    check_channel(samples, channels, channel, path)
    return AudioFacts(
        sampling_rate=sound.sampling_rate,
        num_channels=sound.num_channels,
        file_samples=sound.num_samples,
        start_sample=start,
        num_samples=num_samples,
        audio_hash=audio_hash(samples),
        fingerprint=fingerprint(samples, sound.sampling_rate),
        remarks=(*remarks(samples), *([WEAKER] if is_weak(samples, channels) else [])),
        coarse=sound.subtype in COARSE_SUBTYPES,
        channel=channel,
        channels_differ=bool((channels != channels[:, :1]).any()),
        overhangs=overhangs,
    )


def _span(utterance: Utterance, sound: Sound, overhang: float) -> tuple[int, int, bool]:
    """Return the first sample of an utterance, how many it has, and if it was cut to its file."""
    path, seconds = utterance.path, sound.seconds
    if utterance.channel not in (None, MEAN) and not 0 <= utterance.channel < sound.num_channels:
        raise CorpusError(
            f"{path}: utterance '{utterance.id}' is on channel {utterance.channel}, but the file "
            f"has {sound.num_channels} (counted from 0)"
        )
    if utterance.start is None and utterance.end is None:
        return 0, sound.num_samples, False
    begin = 0.0 if utterance.start is None else utterance.start
    end = seconds if utterance.end is None else utterance.end
    if not 0 <= begin < end <= seconds + overhang:
        raise CorpusError(
            f"{path}: utterance '{utterance.id}' spans {begin} to {end} s, but the file has "
            f"{seconds:.4f} s; are its times in seconds, and is this its file? --overhang allows "
            f"more than {overhang:g} s"
        )
    start = compute_num_samples(begin, sound.sampling_rate)
    stop = compute_num_samples(end, sound.sampling_rate)
    overhangs = stop > sound.num_samples
    return start, max(min(stop, sound.num_samples) - start, 0), overhangs


def _channel(utterance: Utterance, num_channels: int) -> int | list[int]:
    """Return the channel to decode, or those to average: as Lhotse's supervisions spell it."""
    if utterance.channel == MEAN and num_channels > 1:
        return list(range(num_channels))
    return 0 if utterance.channel in (None, MEAN) else utterance.channel


def inspect_all(
    utterances: Iterable[Utterance], nj: int, overhang: float = OVERHANG_SECONDS
) -> Iterator[tuple[Utterance, AudioFacts | BadAudio]]:
    """Inspect utterances in `nj` threads, each decoded once; yield them in the order given.

    Raises:
        CorpusError: a channel or a segment that a file does not have.
    """

    def outcome(utterance: Utterance) -> tuple[Utterance, AudioFacts | BadAudio]:
        try:
            return utterance, inspect(utterance, overhang)
        except BadAudio as error:
            return utterance, error

    with ThreadPoolExecutor(nj) as pool:
        yield from pool.map(outcome, utterances)
