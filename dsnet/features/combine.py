"""End of stage 1: the jobs' archives become one feature folder that Kaldi and Lhotse open."""

import dataclasses
import shutil
from pathlib import Path

from lhotse import CutSet, Features, MonoCut, Recording, SupervisionSegment, validate

from dsnet.config import config_digest
from dsnet.corpus.manifests import manifests_digest, read_manifests, relative_path, write_jsonl
from dsnet.errors import FeatureError
from dsnet.features.archive import Entry, Shard
from dsnet.features.extract import shard_stamp, share, target_samples
from dsnet.features.fbank import FbankConfig, differing_keys, num_frames
from dsnet.features.feats import FeatsInfo
from dsnet.files import digest, write_text


def combine(manifest_dir: Path, feats_dir: Path, config: FbankConfig, num_jobs: int) -> FeatsInfo:
    """Write feats.scp, utt2num_frames, cuts.jsonl.gz and feats.json over the archives of all jobs.

    Raises:
        FeatureError: a job is missing, unfinished or was computed from something else.
    """
    recordings, supervisions = read_manifests(manifest_dir)
    segments = list(supervisions)
    of_manifests = manifests_digest(manifest_dir)
    stamp = shard_stamp(config, of_manifests, num_jobs)
    scp, frames = [], {}
    for job in range(1, num_jobs + 1):
        shard = Shard(feats_dir, job)
        mine = [segments[i] for i in share(len(segments), job, num_jobs)]
        entries = _checked_entries(shard, stamp, mine, config)
        ark = relative_path(shard.ark)
        for segment in mine:
            entry = entries[segment.id]
            scp.append(f"{segment.id} {ark}:{entry.start}\n")
            frames[segment.id] = entry.num_frames
    by_id = {recording.id: recording for recording in recordings}
    scp_path = relative_path(feats_dir / "feats.scp")
    cuts = CutSet.from_cuts(
        make_cut(segment, by_id[segment.recording_id], frames[segment.id], config, scp_path)
        for segment in segments
    )
    try:
        validate(cuts)
    except AssertionError as error:
        raise FeatureError(f"{feats_dir}: Lhotse does not accept the cuts: {error}") from error
    info = FeatsInfo(
        config=dataclasses.asdict(config),
        config_digest=config_digest(config),
        manifests_digest=of_manifests,
        num_utterances=len(frames),
        num_frames=sum(frames.values()),
        digest=_feature_digest(segments, frames, config),
    )
    write_text(feats_dir / "feats.scp", "".join(scp))
    write_text(
        feats_dir / "utt2num_frames", "".join(f"{utt} {count}\n" for utt, count in frames.items())
    )
    write_jsonl(feats_dir / "cuts.jsonl.gz", cuts)
    info.write(feats_dir)
    _remove_other_jobs(feats_dir, num_jobs)
    return info


def _checked_entries(
    shard: Shard, stamp: dict, mine: list[SupervisionSegment], config: FbankConfig
) -> dict[str, Entry]:
    there = shard.stamp()
    if there is None:
        raise FeatureError(f"{shard.ark}: this job has not run; run --stage 1")
    if there != stamp:
        why = differing_keys(there.get("config", {}), config) or (
            "the manifests or the number of jobs changed since"
        )
        raise FeatureError(f"{shard.ark}: computed from something else ({why}); run --stage 1")
    entries = shard.entries()
    missing = [segment.id for segment in mine if segment.id not in entries]
    if missing:
        raise FeatureError(
            f"{shard.ark}: {len(entries)} utterances, expected {len(mine)}; missing: "
            f"{', '.join(missing[:10])}. The job was stopped or failed (see its log); run --stage 1"
        )
    for segment in mine:
        expected = num_frames(config, target_samples(segment.duration, config))
        if entries[segment.id].num_frames != expected:
            raise FeatureError(
                f"{shard.ark}: '{segment.id}' has {entries[segment.id].num_frames} frames, "
                f"{expected} expected for {segment.duration} s"
            )
    return entries


def make_cut(
    segment: SupervisionSegment,
    recording: Recording,
    count: int,
    config: FbankConfig,
    scp_path: str,
) -> MonoCut:
    """Return the Lhotse cut of one utterance with `count` frames.

    Its recording is resampled as the features were, so that all of Lhotse's counts agree; with
    `snip_edges` it ends where the frames end.
    """
    if config.snip_edges:
        duration = count * config.shift_samples / config.sampling_rate
    else:
        duration = target_samples(segment.duration, config) / config.sampling_rate
    if recording.sampling_rate != config.sampling_rate:
        recording = recording.resample(config.sampling_rate)
    features = Features(
        type="kaldi-fbank",
        num_frames=count,
        num_features=config.num_mel_bins,
        frame_shift=config.frame_shift_ms / 1000,
        sampling_rate=config.sampling_rate,
        start=segment.start,
        duration=duration,
        storage_type="kaldiio",
        storage_path=scp_path,
        storage_key=segment.id,
        recording_id=recording.id,
        channels=segment.channel,
    )
    return MonoCut(
        id=segment.id,
        start=segment.start,
        duration=duration,
        channel=segment.channel,
        supervisions=[dataclasses.replace(segment, start=0.0, duration=duration)],
        features=features,
        recording=recording,
    )


def _feature_digest(
    segments: list[SupervisionSegment], frames: dict[str, int], config: FbankConfig
) -> str:
    parts = [config_digest(config)]
    for segment in segments:
        parts += [segment.id, segment.custom["audio_hash"], str(frames[segment.id])]
    return digest(parts)


def _remove_other_jobs(feats_dir: Path, num_jobs: int) -> None:
    """Remove archives of an earlier run with more jobs."""
    for folder in (feats_dir / "shards").iterdir():
        if folder.name.isdecimal() and int(folder.name) > num_jobs:
            Shard(feats_dir, int(folder.name)).ark.unlink(missing_ok=True)
            shutil.rmtree(folder)
