"""The audio of a table's rows: find it, and name by line what is not as the table says."""

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import soundfile

from dsnet.corpus.audio import OVERHANG_SECONDS
from dsnet.corpus.table import Row, Table
from dsnet.corpus.utterance import Utterance
from dsnet.errors import CorpusError

AUDIO_SUFFIXES = (".aif", ".aiff", ".au", ".flac", ".mp3", ".ogg", ".opus", ".sph", ".wav")


def find_utterances(
    table: Table, corpus_dir: Path | str, allow_missing: bool = False
) -> list[Utterance]:
    """Return the utterances of a table, with their audio files.

    Args:
        table: from `read_table`.
        corpus_dir: folder that relative paths start from.
        allow_missing: return rows without audio too; `prepare` may leave them out, counted.

    Raises:
        CorpusError: a relative path that leaves the folder, audio that is not there, or a span or
            channel that a file does not have; names the line.
    """
    corpus_dir = Path(corpus_dir)
    if not corpus_dir.is_dir():
        raise CorpusError(f"{corpus_dir}: no such corpus folder; see --corpus-dir")
    found = [(row, Utterance(path=_resolve(row, corpus_dir), **row.facts)) for row in table.rows]
    missing = [row for row, utterance in found if not utterance.path.is_file()]
    if missing and not allow_missing:
        close = {_loose(p): p for p in audio_below(corpus_dir)}
        raise CorpusError(
            f"{table.path}: {len(missing)} of {len(found)} rows name audio that is not there; "
            "first ten:\n"
            + "".join(
                f"  {row.where}: '{row.path}'"
                + (f"; is it '{close[_loose(row.path)]}'?" if _loose(row.path) in close else "")
                + "\n"
                for row in missing[:10]
            )
            + f"Relative paths start from {corpus_dir}. Is the copy of the corpus complete? "
            "--drop-bad-audio true leaves these rows out."
        )
    lengths: dict[Path, tuple[float, int] | None] = {}
    for row, utterance in found:
        if row.facts.keys() & {"start", "end", "channel"}:
            if utterance.path not in lengths:
                lengths[utterance.path] = _length(utterance.path)
            _check_span(row, lengths[utterance.path])
    return [utterance for _, utterance in found]


def _resolve(row: Row, corpus_dir: Path) -> Path:
    if not os.path.isabs(row.path) and os.path.normpath(row.path).startswith(".."):
        raise CorpusError(
            f"{row.where}: path '{row.path}' leaves the corpus folder {corpus_dir}; give the full "
            "path, or a --corpus-dir that holds all of the audio"
        )
    return corpus_dir / row.path  # a full path replaces the folder


def audio_below(folder: Path | str) -> list[str]:
    """Return the audio files below a folder, relative to it and sorted, without hidden ones."""
    found = []
    for top, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name[0] != "."]
        found += [
            os.path.relpath(os.path.join(top, name), folder)
            for name in files
            if name[0] != "." and name.lower().endswith(AUDIO_SUFFIXES)
        ]
    return sorted(found)


def unnamed_audio(corpus_dir: Path | str, utterances: Iterable[Utterance]) -> list[str]:
    """Return the audio files below `corpus_dir` that no utterance is in, sorted."""
    named = {os.path.abspath(utterance.path) for utterance in utterances}
    return [p for p in audio_below(corpus_dir) if os.path.abspath(Path(corpus_dir, p)) not in named]


def _loose(path: str) -> str:
    """Return a path as a person compares it: letters by their looks, case and slashes aside."""
    plain = unicodedata.normalize("NFC", path.replace("\\", "/")).casefold()
    return os.path.normpath(plain)


def _length(path: Path) -> tuple[float, int] | None:
    """Return seconds and channels of a file; None if unreadable: `prepare` names and counts it."""
    try:
        info = soundfile.info(path)
    except (soundfile.SoundFileError, OSError):
        return None
    return info.frames / info.samplerate, info.channels


def _check_span(row: Row, length: tuple[float, int] | None) -> None:
    if length is None:
        return
    seconds, num_channels = length
    start, end = row.facts.get("start", 0.0), row.facts.get("end", seconds)
    if start >= seconds or end > seconds + OVERHANG_SECONDS:
        raise CorpusError(
            f"{row.where}: the utterance spans {start} to {end} s, but '{row.path}' has "
            f"{seconds:.4f} s; are the times in seconds, and is this its file?"
        )
    if row.facts.get("channel", 0) >= num_channels:
        raise CorpusError(
            f"{row.where}: channel is {row.facts['channel']}, but '{row.path}' has "
            f"{num_channels} (counted from 0)"
        )
