"""What is to be judged: files, folders, lists of files, and segments of them."""

import gzip
import json
import os
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import soundfile

from dsnet.errors import BundleError
from dsnet.files import files_below

OTHER_SUFFIXES = {"aif", "aifc", "oga", "opus", "sph", "snd", "wave"}  # beside the formats' names


@dataclass(frozen=True)
class Segment:
    """A part of a recording that is judged by itself; seconds. end None: to its end."""

    name: str
    start: float = 0.0
    end: float | None = None


@dataclass(frozen=True)
class Item:
    """A file, and the segments of it that are wanted; None: it is judged whole."""

    path: Path
    segments: list[Segment] | None = None


@dataclass(frozen=True)
class Inputs:
    """What was found.

    Args:
        items: in the order given; of folders sorted.
        passed_over: files in folders whose names are not those of sound files.
        strangers: recordings that have segments, but were not given.
    """

    items: list[Item]
    passed_over: int = 0
    strangers: int = 0


def sound_suffixes() -> set[str]:
    """Return the suffixes of sound files that libsndfile reads, such as wav."""
    return {name.lower() for name in soundfile.available_formats()} - {"raw"} | OTHER_SUFFIXES


def find_inputs(words: Sequence[str], listed: BinaryIO, null: bool = False) -> Inputs:
    """Return the files that words name.

    Args:
        words: files; folders, which are searched with those below; - for a list of files.
        listed: the list, a name a line.
        null: its names end in a NUL byte in the place of a line's end.

    Raises:
        BundleError: nothing there to be judged.
    """
    items, passed_over = [], 0
    suffixes = sound_suffixes()
    for word in words:
        path = Path(word)
        if not word:
            raise BundleError("an empty word in the place of a recording; is a variable not set?")
        if word == "-":
            names = listed.read().split(b"\0" if null else b"\n")
            names = names if null else [name.removesuffix(b"\r") for name in names]
            items += [Item(Path(os.fsdecode(name))) for name in names if name.strip()]
        elif os.path.isdir(word):
            try:
                below = files_below(path)
            except OSError as error:
                raise BundleError(
                    f"{error.filename}: this folder cannot be read ({error.strerror})"
                ) from error
            sound = [p for p in below if p.suffix[1:].lower() in suffixes]
            items += [Item(p) for p in sound]
            passed_over += len(below) - len(sound)
            if not sound:
                raise BundleError(
                    f"{word}: no sound file in this folder, by the names of its {len(below)} files"
                )
        else:
            items.append(Item(path))
    if not items:
        raise BundleError("no recording is named; the list on standard input is empty")
    return Inputs(items, passed_over)


def with_segments(inputs: Inputs, path: Path) -> Inputs:
    """Return inputs with the segments that a file lists, by recording.

    Args:
        inputs: each recording's name is that of its file without suffix.
        path: RTTM (.rttm), Lhotse supervisions (.jsonl, .jsonl.gz), or Kaldi's segments.

    Raises:
        BundleError: a file that is none of them, or that has no segment of the recordings.
    """
    by_recording: dict[str, list[Segment]] = {}
    for recording, segment in _read_segments(path):
        by_recording.setdefault(recording, []).append(segment)
    names = [item.path.stem for item in inputs.items]
    require_names(inputs, "--segments")
    items = [
        Item(item.path, sorted(by_recording.get(item.path.stem, []), key=lambda s: s.start))
        for item in inputs.items
    ]
    if not any(item.segments for item in items):
        raise BundleError(
            f"{path}: no segment of {', '.join(names[:3])}; it has those of "
            f"{', '.join(sorted(by_recording)[:3]) or 'none'}"
        )
    return Inputs(items, inputs.passed_over, len(by_recording.keys() - set(names)))


def require_names(inputs: Inputs, option: str) -> None:
    """Raise BundleError if two recordings have one name, by which alone an option knows them."""
    for name, count in Counter(item.path.stem for item in inputs.items).items():
        if count > 1:
            raise BundleError(
                f"{option}: {count} recordings are named {name}, and they are known by name alone; "
                "give one of them at a time"
            )


def _read_segments(path: Path) -> Iterator[tuple[str, Segment]]:
    """Yield recording and segment of each line."""
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise BundleError(f"--segments {path}: cannot be read ({error})") from error
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    if path.suffix == ".rttm":
        parse = _rttm
    elif ".jsonl" in path.suffixes:
        parse = _supervision
    else:
        parse = _kaldi
    for number, line in lines:
        try:
            found = parse(line)
            if found and not 0 <= found[1].start < found[1].end < float("inf"):
                raise ValueError(f"from {found[1].start:g} to {found[1].end:g} s")
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise BundleError(
                f"{path}:{number}: not a segment ({type(error).__name__}: {error}); expected RTTM "
                "(.rttm), Lhotse supervisions (.jsonl), or Kaldi's segments, lines of 'utterance "
                "recording start end'"
            ) from error
        if found:
            yield found


def _rttm(line: str) -> tuple[str, Segment] | None:
    fields = line.split()
    if fields[0] != "SPEAKER":
        return None
    start, duration = float(fields[3]), float(fields[4])
    return fields[1], Segment(fields[7], start, start + duration)


def _supervision(line: str) -> tuple[str, Segment]:
    one = json.loads(line)
    start = float(one["start"])
    return one["recording_id"], Segment(one["id"], start, start + float(one["duration"]))


def _kaldi(line: str) -> tuple[str, Segment]:
    name, recording, start, end = line.split()
    return recording, Segment(name, float(start), float(end))
