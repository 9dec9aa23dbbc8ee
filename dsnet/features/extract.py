"""One job of stage 1: decode, resample and compute the features of its share of the utterances."""

import dataclasses
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from lhotse import Recording, SupervisionSegment
from lhotse.utils import compute_num_samples
from tqdm import tqdm

from dsnet.corpus.audio import audio_hash, read_samples
from dsnet.corpus.manifests import manifests_digest, read_manifests
from dsnet.errors import CorpusError, FeatureError
from dsnet.features.archive import Shard
from dsnet.features.fbank import FbankConfig, compute_fbank, resample
from dsnet.files import locked

INDEX_FILES = ("feats.json", "feats.scp", "utt2num_frames", "cuts.jsonl.gz")


def shard_stamp(config: FbankConfig, digest: str, num_jobs: int) -> dict:
    """Return what a job's archive depends on; `digest` is that of the manifests."""
    return {
        "config": dataclasses.asdict(config),
        "manifests_digest": digest,
        "num_jobs": num_jobs,
    }


def share(num_items: int, job: int, num_jobs: int) -> range:
    """Return the positions that are the share of job 1 to `num_jobs`: neighbours stay together."""
    return range((job - 1) * num_items // num_jobs, job * num_items // num_jobs)


def target_samples(seconds: float, config: FbankConfig) -> int:
    """Return how many samples an utterance has at the config's sampling rate."""
    return compute_num_samples(seconds, config.sampling_rate)


def compute_shard(
    manifest_dir: Path, feats_dir: Path, config: FbankConfig, job: int, num_jobs: int
) -> tuple[int, int]:
    """Compute the features of one job's utterances; those that are there already stay.

    Returns:
        How many utterances were computed, and how many are the job's share.

    Raises:
        FeatureError: an utterance is too short for the config, the disk is full, or job and
            num_jobs do not fit together.
        CorpusError: audio that is missing or not what stage 0 saw.
        DsnetError: another process computes this job.
    """
    if not 1 <= job <= num_jobs:
        raise FeatureError(f"job must be 1 to num_jobs ({num_jobs}), found {job}")
    recordings, supervisions = read_manifests(manifest_dir)
    segments = list(supervisions)
    mine = [segments[i] for i in share(len(segments), job, num_jobs)]
    shard = Shard(feats_dir, job)
    with locked(shard.folder):
        stamp = shard_stamp(config, manifests_digest(manifest_dir), num_jobs)
        there = shard.entries() if shard.stamp() == stamp else {}
        if not all(segment.id in there for segment in mine):
            # the lists over all jobs go before the archive that they point into
            for name in INDEX_FILES:
                (feats_dir / name).unlink(missing_ok=True)
        done = shard.start(stamp)
        todo = [segment for segment in mine if segment.id not in done]
        by_id = {recording.id: recording for recording in recordings}
        pairs = [(segment, by_id[segment.recording_id]) for segment in todo]
        _note_low_rates(pairs, config)
        shard.append(_matrices(pairs, config), config.compression_method)
    return len(todo), len(mine)


def _note_low_rates(pairs: list[tuple[SupervisionSegment, Recording]], config: FbankConfig) -> None:
    low = [segment.id for segment, rec in pairs if rec.sampling_rate < config.sampling_rate]
    if low:
        print(
            f"note: {len(low)} utterances ({low[0]}, ...) are sampled below "
            f"{config.sampling_rate} Hz: their upper mel bins are empty",
            file=sys.stderr,
        )


def _matrices(
    pairs: Iterable[tuple[SupervisionSegment, Recording]], config: FbankConfig
) -> Iterator[tuple[str, np.ndarray]]:
    for segment, recording in tqdm(pairs, "fbank", unit=" utterances", disable=None):
        samples = torch.from_numpy(decode(segment, recording))
        samples = resample(
            samples,
            recording.sampling_rate,
            config.sampling_rate,
            target_samples(segment.duration, config),
        )
        try:
            yield segment.id, compute_fbank(samples, config).numpy()
        except FeatureError as error:
            raise FeatureError(f"utterance '{segment.id}': {error}") from error


def decode(segment: SupervisionSegment, recording: Recording) -> np.ndarray:
    source = recording.sources[0].source
    samples = read_samples(
        source,
        segment.channel,
        compute_num_samples(segment.start, recording.sampling_rate),
        compute_num_samples(segment.duration, recording.sampling_rate),
    )
    if audio_hash(samples) != (segment.custom or {}).get("audio_hash"):
        raise CorpusError(
            f"{source}: the audio of utterance '{segment.id}' is not what stage 0 saw; was the "
            "file replaced? Run --stage 0"
        )
    return samples
