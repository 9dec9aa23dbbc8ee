"""End of stage 1: the jobs' archives become one feature folder that Kaldi and Lhotse open."""

import dataclasses
import glob
import shutil
from collections.abc import Mapping
from pathlib import Path

from lhotse import CutSet, Features, MonoCut, MultiCut, Recording, SupervisionSegment, validate
from lhotse.utils import compute_num_frames

from dsnet.config import config_digest, differences
from dsnet.corpus.manifests import manifests_digest, read_manifests, relative_path, write_jsonl
from dsnet.errors import FeatureError
from dsnet.features.archive import Entry, Shard
from dsnet.features.extract import ids, require_distinct, shard_stamp, share, target_samples
from dsnet.features.extractor import Extractor, at_speed
from dsnet.features.feats import FeatsInfo, load_matrix
from dsnet.features.resample import rate_at
from dsnet.features.store import write_frames
from dsnet.files import digest, write_text


def combine(manifest_dir: Path, feats_dir: Path, extractor: Extractor) -> FeatsInfo:
    """Write feats.scp, utt2num_frames, cuts, feature store and feats.json over all archives.

    How many jobs there were, and where they computed, is what the first one says.

    Raises:
        FeatureError: a job is missing, unfinished or was computed from something else.
    """
    recordings, supervisions = read_manifests(manifest_dir)
    segments = list(supervisions)
    require_distinct(segments, extractor)
    of_manifests = manifests_digest(manifest_dir)
    first = {"num_jobs": 1, "device": "cpu"} | (Shard(feats_dir, 1).stamp() or {})
    num_jobs = first["num_jobs"]
    stamp = shard_stamp(extractor, of_manifests, num_jobs, first["device"])
    places: dict[str, str] = {}
    frames: dict[str, int] = {}
    by_id = {recording.id: recording for recording in recordings}
    for job in range(1, num_jobs + 1):
        shard = Shard(feats_dir, job)
        mine = [segments[i] for i in share(len(segments), job, num_jobs)]
        entries = _checked_entries(shard, stamp, mine, by_id, extractor)
        shard.require_whole()
        ark = relative_path(shard.ark)
        # the store has the copies of an utterance behind it, in the order of the speeds
        for utt in (utt for segment in mine for utt in ids(segment, extractor)):
            places[utt] = f"{ark}:{entries[utt].start}"
            frames[utt] = entries[utt].num_frames
    scp_path = relative_path(feats_dir / "feats.scp")
    cuts = CutSet.from_cuts(
        make_cut(segment, by_id[segment.recording_id], frames[utt], extractor, scp_path, speed)
        for segment in segments
        for utt, speed in zip(ids(segment, extractor), extractor.all_speeds, strict=True)
    )
    try:
        validate(cuts)
    except AssertionError as error:
        raise FeatureError(f"{feats_dir}: Lhotse does not accept the cuts: {error}") from error
    info = FeatsInfo(
        name=extractor.name,
        kind=extractor.kind,
        dim=extractor.dim,
        frame_shift_ms=extractor.frame_shift_ms,
        config=dataclasses.asdict(extractor.config),
        identity=extractor.identity(),
        digest=_feature_digest(segments, frames, extractor),
        manifests_digest=of_manifests,
        num_utterances=len(segments),
        num_frames=sum(frames.values()),
        num_layers=extractor.num_layers,
        storage=extractor.storage,
    )
    # sorted, as Kaldi wants a list that it is to search
    scp = "".join(f"{utt} {place}\n" for utt, place in sorted(places.items()))
    write_text(feats_dir / "feats.scp", scp)
    write_text(
        feats_dir / "utt2num_frames", "".join(f"{utt} {count}\n" for utt, count in frames.items())
    )
    write_jsonl(feats_dir / "cuts.jsonl.gz", cuts)
    matrices = ((utt, load_matrix(place)) for utt, place in places.items())
    write_frames(feats_dir, matrices, info)
    info.write(feats_dir)
    _remove_other_jobs(feats_dir, num_jobs)
    return info


def _checked_entries(
    shard: Shard,
    stamp: dict,
    mine: list[SupervisionSegment],
    recordings: Mapping[str, Recording],
    extractor: Extractor,
) -> dict[str, Entry]:
    there = shard.stamp()
    if there is None:
        raise FeatureError(f"{shard.ark}: this job has not run; run --stage 1")
    if there != stamp:
        why = ", ".join(differences(there.get("config", {}), stamp["config"]))
        raise FeatureError(
            f"{shard.ark}: computed from something else "
            f"({why or 'the manifests, a library or the number of jobs changed'}); run --stage 1"
        )
    entries = shard.entries()
    wanted = [utt for segment in mine for utt in ids(segment, extractor)]
    missing = [utt for utt in wanted if utt not in entries]
    if missing:
        raise FeatureError(
            f"{shard.ark}: {len(entries)} utterances, expected {len(wanted)}; missing: "
            f"{', '.join(missing[:10])}. The job was stopped or failed (see its log); run --stage 1"
        )
    for segment in mine:
        rate = recordings[segment.recording_id].sampling_rate
        for utt, speed in zip(ids(segment, extractor), extractor.all_speeds, strict=True):
            expected = extractor.num_frames(target_samples(segment, rate, extractor, speed))
            if entries[utt].num_frames != expected:
                raise FeatureError(
                    f"{shard.ark}: '{utt}' has {entries[utt].num_frames} frames, {expected} "
                    f"expected for {segment.duration} s at a speed of {speed}"
                )
    return entries


def make_cut(
    segment: SupervisionSegment,
    recording: Recording,
    count: int,
    extractor: Extractor,
    scp_path: str,
    speed: float = 1,
) -> MonoCut | MultiCut:
    """Return the Lhotse cut of one utterance, or of its copy at a speed, with `count` frames.

    Its recording is resampled as the features were, so that all of Lhotse's counts agree; where
    frames at the end were dropped (snip_edges, convolutions) it ends where the frames end. Lhotse
    has no features without a frame shift: one vector an utterance is in feats.scp alone. A MultiCut
    is one whose channels were averaged.
    """
    rate, source_rate = extractor.sampling_rate, recording.sampling_rate
    duration = target_samples(segment, source_rate, extractor, speed) / rate
    utt, start = at_speed(segment.id, speed), segment.start
    if speed != 1:
        recording = recording.perturb_speed(speed)
        start *= source_rate / rate_at(source_rate, speed)
    if source_rate != rate:
        recording = recording.resample(rate)
    features = None
    if extractor.frame_shift_ms is not None:
        shift = extractor.frame_shift_ms / 1000
        if compute_num_frames(duration, shift, rate) > count:
            duration = count * round(shift * rate) / rate
        features = Features(
            type=f"dsnet-{extractor.kind}",
            num_frames=count,
            num_features=extractor.dim,
            frame_shift=shift,
            sampling_rate=rate,
            start=start,
            duration=duration,
            storage_type="kaldiio",
            storage_path=scp_path,
            storage_key=utt,
            recording_id=recording.id,
            channels=segment.channel,
        )
    cut_type = MultiCut if isinstance(segment.channel, list) else MonoCut
    return cut_type(
        id=utt,
        start=start,
        duration=duration,
        channel=segment.channel,
        supervisions=[
            dataclasses.replace(
                segment, id=utt, recording_id=recording.id, start=0.0, duration=duration
            )
        ],
        features=features,
        recording=recording,
    )


def _feature_digest(
    segments: list[SupervisionSegment], frames: dict[str, int], extractor: Extractor
) -> str:
    parts = [config_digest(extractor.config), repr(sorted(extractor.identity().items()))]
    for segment in segments:
        parts += [segment.id, (segment.custom or {}).get("audio_hash", "")]
        parts += [str(frames[utt]) for utt in ids(segment, extractor)]
    return digest(parts)


def _remove_other_jobs(feats_dir: Path, num_jobs: int) -> None:
    """Remove archives and indices of an earlier run with more jobs."""
    for path in [
        *feats_dir.glob(f"{glob.escape(feats_dir.name)}.*.ark"),
        *(feats_dir / "shards").iterdir(),
    ]:
        job = path.name.removesuffix(".ark").rpartition(".")[2]
        if job.isdecimal() and int(job) > num_jobs:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
