"""Lhotse manifests of a corpus: make, write and read them."""

import gzip
import json
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lhotse import (
    Recording,
    RecordingSet,
    SupervisionSegment,
    SupervisionSet,
    validate_recordings_and_supervisions,
)
from lhotse.audio import AudioSource

from dsnet.corpus.audio import AudioFacts
from dsnet.corpus.utterance import Utterance
from dsnet.errors import CorpusError
from dsnet.files import digest, replacing

RECORDINGS = "recordings.jsonl.gz"
SUPERVISIONS = "supervisions.jsonl.gz"


def relative_path(path: Path | str) -> str:
    """Return `path` relative to the current folder if it lies below it, otherwise absolute."""
    absolute = Path(os.path.abspath(path))  # resolve() would replace links that a user set up
    here = Path.cwd()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)


def make_manifests(
    inspected: Iterable[tuple[Utterance, AudioFacts]],
) -> tuple[RecordingSet, SupervisionSet]:
    """Return Lhotse's recordings and supervisions, sorted by id.

    Raises:
        CorpusError: two files under one recording id, or something that Lhotse does not accept.
    """
    recordings: dict[str, Recording] = {}
    supervisions = []
    for utterance, facts in inspected:
        recording = _recording(utterance, facts)
        known = recordings.setdefault(recording.id, recording)
        if known.sources[0].source != recording.sources[0].source:
            raise CorpusError(
                f"two files under one recording id '{recording.id}': {known.sources[0].source} and "
                f"{recording.sources[0].source}; set `recording` of their utterances"
            )
        supervisions.append(_supervision(utterance, facts))
    made = (
        RecordingSet.from_recordings(recordings[key] for key in sorted(recordings)),
        SupervisionSet.from_segments(sorted(supervisions, key=lambda segment: segment.id)),
    )
    try:
        validate_recordings_and_supervisions(*made)
    except AssertionError as error:
        raise CorpusError(f"Lhotse does not accept the manifests: {error}") from error
    return made


def _recording(utterance: Utterance, facts: AudioFacts) -> Recording:
    return Recording(
        id=utterance.recording_id,
        sources=[
            AudioSource(
                type="file",
                channels=list(range(facts.num_channels)),
                source=relative_path(utterance.path),
            )
        ],
        sampling_rate=facts.sampling_rate,
        num_samples=facts.file_samples,
        duration=facts.file_samples / facts.sampling_rate,
    )


def _supervision(utterance: Utterance, facts: AudioFacts) -> SupervisionSegment:
    custom = {
        "emotion": utterance.emotion,
        "session": utterance.session,
        "dialogue": utterance.dialogue,
        "audio_hash": facts.audio_hash,
        "fingerprint": facts.fingerprint,
    }
    return SupervisionSegment(
        id=utterance.id,
        recording_id=utterance.recording_id,
        start=facts.start_sample / facts.sampling_rate,
        duration=facts.num_samples / facts.sampling_rate,
        channel=facts.channel,
        text=utterance.text,
        speaker=utterance.speaker,
        gender=utterance.sex,
        custom={**utterance.custom, **{k: v for k, v in custom.items() if v is not None}},
    )


def write_jsonl(path: Path | str, items: Iterable[Any]) -> None:
    """Write Lhotse's objects as gzipped JSON lines; equal objects give equal bytes."""
    # Lhotse's own writer leaves the time and the temporary name in the gzip header.
    with (
        replacing(path) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as stream,
    ):
        for item in items:
            stream.write(json.dumps(item.to_dict(), ensure_ascii=False).encode() + b"\n")


def write_manifests(
    manifest_dir: Path | str, recordings: RecordingSet, supervisions: SupervisionSet
) -> None:
    """Write recordings.jsonl.gz and supervisions.jsonl.gz."""
    write_jsonl(Path(manifest_dir) / RECORDINGS, recordings)
    write_jsonl(Path(manifest_dir) / SUPERVISIONS, supervisions)


def read_manifests(manifest_dir: Path | str) -> tuple[RecordingSet, SupervisionSet]:
    """Read what `write_manifests` wrote.

    Raises:
        CorpusError: a manifest is missing or no manifest.
    """
    _check_there(manifest_dir)
    try:
        return (
            RecordingSet.from_file(Path(manifest_dir) / RECORDINGS).to_eager(),
            SupervisionSet.from_file(Path(manifest_dir) / SUPERVISIONS).to_eager(),
        )
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise CorpusError(
            f"{manifest_dir}: not readable as Lhotse manifests ({error}); run --stage 0"
        ) from error


def manifests_digest(manifest_dir: Path | str) -> str:
    """Return 16 hex digits that identify what the manifests say."""
    _check_there(manifest_dir)
    return digest(
        gzip.decompress((Path(manifest_dir) / name).read_bytes())
        for name in (RECORDINGS, SUPERVISIONS)
    )


def _check_there(manifest_dir: Path | str) -> None:
    for name in (RECORDINGS, SUPERVISIONS):
        if not (Path(manifest_dir) / name).is_file():
            raise CorpusError(f"{Path(manifest_dir) / name}: no such manifest; run --stage 0")
