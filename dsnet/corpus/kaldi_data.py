"""Kaldi data directories: write one from the manifests, and read one into utterances.

Beside Kaldi's own lists there are utt2emo, and utt2session and utt2dialogue where they are known.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from lhotse import Recording, RecordingSet, SupervisionSegment, SupervisionSet

from dsnet.corpus.gate import native_labels
from dsnet.corpus.utterance import Utterance
from dsnet.errors import CorpusError
from dsnet.files import read_lines, write_text

SEXES = {"f": "female", "m": "male"}
OPTIONAL = ("segments", "text", "spk2gender", "utt2session", "utt2dialogue", "feats.scp")


def write_list(path: Path, values: Mapping[str, str]) -> None:
    """Write `key value` lines, sorted as in the C locale; no file if there is nothing."""
    if values:
        # code points sort as UTF-8 bytes do
        write_text(path, "".join(f"{key} {values[key]}\n" for key in sorted(values)))


def read_list(path: Path, may_be_empty: bool = False) -> dict[str, str]:
    """Read `key value` lines; a value may hold spaces.

    Args:
        path: the list.
        may_be_empty: a key without a value is left out, instead of refused.

    Raises:
        CorpusError: no such list, a line without a value, or a key that comes twice.
    """
    if not path.is_file():
        raise CorpusError(f"{path}: no such list; is {path.parent} a Kaldi data directory?")
    values: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), 1):
        fields = line.split(maxsplit=1)
        if len(fields) == 1 and may_be_empty:
            continue
        if len(fields) < 2:
            raise CorpusError(f"{path}:{number}: expected 'key value', found {line!r}")
        if fields[0] in values:
            raise CorpusError(f"{path}:{number}: '{fields[0]}' is listed twice")
        values[fields[0]] = fields[1].rstrip()
    return values


def export_kaldi(
    recordings: RecordingSet,
    supervisions: SupervisionSet,
    out_dir: Path,
    utt2emo: Mapping[str, str] | None = None,
    feats: Mapping[str, str] | None = None,
    roots: Sequence[Path] = (Path(),),
) -> int:
    """Write a Kaldi data directory; paths are absolute, so it can be used from anywhere.

    Args:
        recordings, supervisions: the manifests.
        out_dir: where the lists go; lists of an earlier export are replaced or removed.
        utt2emo: labels to write, for these utterances only; None: all, with native labels.
        feats: per utterance "archive:offset", as in feats.scp.
        roots: folders where paths that are not absolute may begin, such as the recipe's.

    Returns:
        How many utterances were written.

    Raises:
        CorpusError: no utterance, some that are not in the manifests or have no features, one that
            is not the first channel of its file, or files that are not there.
    """
    native = native_labels(supervisions)
    utt2emo = native if utt2emo is None else utt2emo
    strangers = sorted(set(utt2emo) - set(native))
    if strangers or not utt2emo:
        raise CorpusError(
            f"{len(utt2emo)} utterances to export, {len(strangers)} of them not in the manifests "
            f"({', '.join(strangers[:10])}); were manifests and task made by one run?"
        )
    without = sorted(set(utt2emo) - set(feats)) if feats is not None else []
    if without:
        raise CorpusError(
            f"{len(without)} of {len(utt2emo)} utterances to export have no features: "
            f"{', '.join(without[:10])}; run --stage 1"
        )
    segments = [segment for segment in supervisions if segment.id in utt2emo]
    by_id = {recording.id: recording for recording in recordings}
    _check_channels(segments, by_id)
    spk2utt: dict[str, list[str]] = {}
    for segment in sorted(segments, key=lambda segment: segment.id):
        spk2utt.setdefault(segment.speaker, []).append(segment.id)
    for name in OPTIONAL:
        (out_dir / name).unlink(missing_ok=True)
    lists: dict[str, dict[str, str]] = {
        "wav.scp": {
            segment.recording_id: by_id[segment.recording_id].sources[0].source
            for segment in segments
        },
        "utt2spk": {segment.id: segment.speaker for segment in segments},
        "spk2utt": {speaker: " ".join(utt_ids) for speaker, utt_ids in spk2utt.items()},
        "utt2emo": dict(utt2emo),
        "spk2gender": {s.speaker: s.gender[0] for s in segments if s.gender},
        "text": {s.id: " ".join(s.text.split()) for s in segments if s.text},
        "utt2session": {s.id: s.custom["session"] for s in segments if "session" in s.custom},
        "utt2dialogue": {s.id: s.custom["dialogue"] for s in segments if "dialogue" in s.custom},
        "feats.scp": {s.id: feats[s.id] for s in segments if feats},
    }
    if not all(_is_whole(segment, by_id[segment.recording_id]) for segment in segments):
        lists["segments"] = {
            s.id: f"{s.recording_id} {s.start:.7f} {s.start + s.duration:.7f}" for s in segments
        }
    for name in ("wav.scp", "feats.scp"):
        lists[name] = _absolute(lists[name], roots)
    for name, values in lists.items():
        write_list(out_dir / name, values)
    return len(segments)


def _absolute(places: Mapping[str, str], roots: Sequence[Path]) -> dict[str, str]:
    """Return places, "file" or "archive:offset", as absolute ones, below the first root that fits.

    Raises:
        CorpusError: some are below none of them.
    """
    found, missing = {}, []
    for key, place in places.items():
        below = [os.path.abspath(root / place) for root in roots]
        there = [p for p in below if os.path.exists(p) or os.path.exists(p.rpartition(":")[0])]
        found[key] = (there or below)[0]
        missing += [] if there else below[:1]
    if missing:
        raise CorpusError(
            f"{len(missing)} of {len(places)} files to export are not there, such as {missing[0]}; "
            "run this in the folder of the recipe that wrote the manifests"
        )
    return found


def _is_whole(segment: SupervisionSegment, recording: Recording) -> bool:
    return (
        segment.id == recording.id
        and segment.start == 0
        and abs(segment.duration - recording.duration) < 0.5 / recording.sampling_rate
    )


def _check_channels(segments: list[SupervisionSegment], by_id: Mapping[str, Recording]) -> None:
    later = [segment.id for segment in segments if segment.channel != 0]
    if later:
        raise CorpusError(
            f"{len(later)} of {len(segments)} utterances are not the first channel of their file, "
            f"which a plain wav.scp cannot say: {', '.join(later[:10])}; write these channels, or "
            "their average, to files of their own first"
        )


def read_kaldi(data_dir: Path) -> list[Utterance]:
    """Read the utterances of a Kaldi data directory with utt2emo.

    wav.scp, utt2spk and utt2emo must be there; segments, text, spk2gender, utt2session and
    utt2dialogue are read if they are. Relative paths in wav.scp start at the current folder.

    Raises:
        CorpusError: a list is missing or malformed, lists name other utterances, or wav.scp holds
            a command.
    """
    wavs = read_list(data_dir / "wav.scp")
    commands = [key for key, value in wavs.items() if value.endswith("|") or value[0] == "|"]
    if commands:
        raise CorpusError(
            f"{data_dir / 'wav.scp'}: {len(commands)} of {len(wavs)} entries are commands, first: "
            f"'{commands[0]} {wavs[commands[0]]}'; only plain paths are read, commands are never "
            "run. Write the audio to files (wav-copy) and list these"
        )
    utt2spk, utt2emo = read_list(data_dir / "utt2spk"), read_list(data_dir / "utt2emo")
    spans = _spans(data_dir, wavs)
    for name, values in (("utt2spk", utt2spk), ("utt2emo", utt2emo)):
        _check_same(data_dir, name, values, spans)
    text, sexes, sessions, dialogues = (
        # Kaldi and Lhotse allow an empty transcript
        read_list(data_dir / name, may_be_empty=name == "text")
        if (data_dir / name).is_file()
        else {}
        for name in ("text", "spk2gender", "utt2session", "utt2dialogue")
    )
    strange = sorted(speaker for speaker, sex in sexes.items() if sex not in SEXES)
    if strange:
        raise CorpusError(
            f"{data_dir / 'spk2gender'}: '{strange[0]} {sexes[strange[0]]}'; expected f or m"
        )
    return [
        Utterance(
            id=utt_id,
            speaker=utt2spk[utt_id],
            emotion=utt2emo[utt_id],
            path=Path(wavs[recording]),
            start=start,
            end=end,
            sex=SEXES.get(sexes.get(utt2spk[utt_id], "")),
            text=text.get(utt_id),
            session=sessions.get(utt_id),
            dialogue=dialogues.get(utt_id),
            recording=recording,
        )
        for utt_id, (recording, start, end) in sorted(spans.items())
    ]


def _spans(
    data_dir: Path, wavs: Mapping[str, str]
) -> dict[str, tuple[str, float | None, float | None]]:
    """Return per utterance its recording, start and end in seconds (None: of the file)."""
    path = data_dir / "segments"
    if not path.is_file():
        return {key: (key, None, None) for key in wavs}
    spans = {}
    for utt_id, value in read_list(path).items():
        try:
            recording, start, end = value.split()
            times = float(start), float(end)
        except ValueError as error:
            raise CorpusError(
                f"{path}: expected 'utterance recording start end', found '{utt_id} {value}'"
            ) from error
        if recording not in wavs:
            raise CorpusError(f"{path}: recording '{recording}' of '{utt_id}' is not in wav.scp")
        # Kaldi writes -1 for the end of the file
        spans[utt_id] = (recording, times[0], None if times[1] == -1 else times[1])
    return spans


def _check_same(
    data_dir: Path, name: str, values: Mapping[str, str], spans: Mapping[str, object]
) -> None:
    differing = sorted(values.keys() ^ spans.keys())
    if differing:
        source = "segments" if (data_dir / "segments").is_file() else "wav.scp"
        raise CorpusError(
            f"{data_dir}: {name} has {len(values)} utterances, {source} {len(spans)}; only in one "
            f"of them: {', '.join(differing[:10])}"
        )
