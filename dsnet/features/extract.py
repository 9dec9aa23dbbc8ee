"""One job of stage 1: decode, resample and compute the features of its share of the utterances."""

import dataclasses
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lhotse import Recording, SupervisionSegment
from lhotse.utils import compute_num_samples
from tqdm import tqdm

from dsnet.corpus.manifests import manifests_digest, read_manifests
from dsnet.corpus.sound import audio_hash, read_samples
from dsnet.errors import CorpusError, FeatureError
from dsnet.features.archive import Shard
from dsnet.features.extractor import Extractor, at_speed
from dsnet.features.resample import rate_at, resample
from dsnet.files import locked

INDEX_FILES = (
    "feats.json", "feats.scp", "utt2num_frames", "cuts.jsonl.gz", "frames.bin", "utt2crc32",
)  # fmt: skip
LOG_SECONDS = 5.0


def shard_stamp(extractor: Extractor, digest: str, num_jobs: int, device: str) -> dict[str, Any]:
    """Return what a job's archive depends on.

    Args:
        extractor: of the features.
        digest: of the manifests.
        num_jobs: how many share the work.
        device: where it is computed; a job goes on where it began.
    """
    return {
        "config": dataclasses.asdict(extractor.config),
        "identity": extractor.identity(),
        "manifests_digest": digest,
        "num_jobs": num_jobs,
        "device": device,
    }


def share(num_items: int, job: int, num_jobs: int) -> range:
    """Return the positions that are the share of job 1 to `num_jobs`: neighbours stay together."""
    return range((job - 1) * num_items // num_jobs, job * num_items // num_jobs)


def target_samples(
    segment: SupervisionSegment, sampling_rate: int, extractor: Extractor, speed: float = 1
) -> int:
    """Return how many samples an utterance has at the extractor's sampling rate.

    Args:
        segment: the utterance.
        sampling_rate: of its recording, in Hz.
        extractor: of the features.
        speed: at which it is played.
    """
    seconds = segment.duration
    if speed != 1:
        seconds *= sampling_rate / rate_at(sampling_rate, speed)
    return compute_num_samples(seconds, extractor.sampling_rate)


def compute_shard(
    manifest_dir: Path, feats_dir: Path, extractor: Extractor, job: int, num_jobs: int
) -> tuple[int, int]:
    """Compute the features of one job's utterances; those that are there already stay.

    Returns:
        How many utterances were computed, and how many are the job's share.

    Raises:
        FeatureError: an utterance that has no features, the disk is full, or job and num_jobs do
            not fit together.
        CorpusError: audio that is missing or not what stage 0 saw.
        DsnetError: another process computes this job.
    """
    if not 1 <= job <= num_jobs:
        raise FeatureError(f"job must be 1 to num_jobs ({num_jobs}), found {job}")
    recordings, supervisions = read_manifests(manifest_dir)
    segments = list(supervisions)
    require_distinct(segments, extractor)
    mine = [segments[i] for i in share(len(segments), job, num_jobs)]
    shard = Shard(feats_dir, job)
    with locked(shard.folder):
        manifests = manifests_digest(manifest_dir)
        stamp = shard_stamp(extractor, manifests, num_jobs, extractor.device)
        there = shard.entries() if shard.stamp() == stamp else {}
        if not all(utt in there for segment in mine for utt in ids(segment, extractor)):
            # the lists over all jobs go before the archive that they point into
            for name in INDEX_FILES:
                (feats_dir / name).unlink(missing_ok=True)
        done = shard.start(stamp)
        todo = [s for s in mine if not all(utt in done for utt in ids(s, extractor))]
        by_id = {recording.id: recording for recording in recordings}
        pairs = [(segment, by_id[segment.recording_id]) for segment in todo]
        _note(pairs, extractor)
        matrices = _matrices(pairs, extractor, done)
        shard.append(matrices, extractor.config.compression_method)
    return len(todo), len(mine)


def ids(segment: SupervisionSegment, extractor: Extractor) -> list[str]:
    """Return the ids of an utterance and of its copies at other speeds."""
    return [at_speed(segment.id, speed) for speed in extractor.all_speeds]


def require_distinct(segments: Sequence[SupervisionSegment], extractor: Extractor) -> None:
    """Make sure that no copy of an utterance has the id of another utterance.

    Raises:
        FeatureError: some have, as where copies at other speeds are in the manifests already.
    """
    counts = Counter(utt for segment in segments for utt in ids(segment, extractor))
    twice = [utt for utt, count in counts.items() if count > 1]
    if twice:
        raise FeatureError(
            f"features {extractor.name}: {len(twice)} ids stand for an utterance and for the copy "
            f"of another at speeds {extractor.all_speeds[1:]}: {', '.join(twice[:10])}. Leave "
            "copies out of the corpus, or give these utterances other ids in stage 0"
        )


def _note(pairs: list[tuple[SupervisionSegment, Recording]], extractor: Extractor) -> None:
    low = [segment.id for segment, rec in pairs if rec.sampling_rate < extractor.sampling_rate]
    if low:
        print(
            f"note: {len(low)} utterances ({low[0]}, ...) are sampled below "
            f"{extractor.sampling_rate} Hz: their upper frequencies are empty",
            file=sys.stderr,
        )
    unknown = [segment.id for segment, _ in pairs if "audio_hash" not in (segment.custom or {})]
    if unknown:
        print(
            f"note: {len(unknown)} utterances ({unknown[0]}, ...) have no audio_hash in custom, so "
            "whether their audio was replaced since cannot be told",
            file=sys.stderr,
        )


def _matrices(
    pairs: list[tuple[SupervisionSegment, Recording]], extractor: Extractor, done: Collection[str]
) -> Iterator[tuple[str, np.ndarray]]:
    for segment, recording in _told(pairs, extractor.name):
        samples = torch.from_numpy(decode(segment, recording))
        rate = recording.sampling_rate
        for utt, speed in zip(ids(segment, extractor), extractor.all_speeds, strict=True):
            if utt in done:
                continue
            size = target_samples(segment, rate, extractor, speed)
            heard = resample(samples, rate_at(rate, speed), extractor.sampling_rate, size)
            try:
                yield utt, extractor(heard).numpy()
            except FeatureError as error:
                raise FeatureError(f"utterance '{utt}': {error}") from error


def _told(
    pairs: list[tuple[SupervisionSegment, Recording]], name: str
) -> Iterator[tuple[SupervisionSegment, Recording]]:
    """Yield the pairs and tell how many are done: by a bar on a terminal, else in a log."""
    if sys.stderr.isatty():
        yield from tqdm(pairs, name, unit=" utterances")
        return
    said = time.monotonic()
    for done, pair in enumerate(pairs):
        if time.monotonic() - said >= LOG_SECONDS:
            said = time.monotonic()
            print(f"utterance {done}/{len(pairs)}", flush=True)  # utils/progress.py reads it
        yield pair


def decode(segment: SupervisionSegment, recording: Recording) -> np.ndarray:
    """Return the samples of an utterance at the recording's rate.

    Raises:
        CorpusError: audio that is missing or not what stage 0 saw.
    """
    source = recording.sources[0].source
    samples = read_samples(
        source,
        segment.channel,
        compute_num_samples(segment.start, recording.sampling_rate),
        compute_num_samples(segment.duration, recording.sampling_rate),
    )
    expected = (segment.custom or {}).get("audio_hash")
    if expected is not None and audio_hash(samples) != expected:
        raise CorpusError(
            f"{source}: the audio of utterance '{segment.id}' is not what stage 0 saw; was the "
            "file replaced? Run --stage 0"
        )
    return samples
