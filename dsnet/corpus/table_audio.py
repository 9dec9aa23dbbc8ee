"""The audio of a table's rows: find it, and name by line what is not as the table says."""

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from dsnet.corpus.problems import Problems
from dsnet.corpus.sound import OVERHANG_SECONDS, BadAudio, Sound
from dsnet.corpus.table import Row, Table
from dsnet.corpus.utterance import MEAN, Utterance
from dsnet.errors import CorpusError
from dsnet.files import files_below

AUDIO_SUFFIXES = (".aif", ".aiff", ".au", ".flac", ".mp3", ".ogg", ".opus", ".sph", ".wav")


def find_utterances(
    table: Table,
    corpus_dir: Path | str,
    allow_missing: bool = False,
    problems: Problems | None = None,
    overhang: float = OVERHANG_SECONDS,
) -> list[Utterance]:
    """Return the utterances of a table, with their audio files.

    Args:
        table: from `read_table`.
        corpus_dir: folder that relative paths start from.
        allow_missing: return rows without audio too; `prepare` may leave them out, counted.
        overhang: seconds that an utterance may end behind its file.
        problems: what `read_table` found wrong, to be told together with what is found here.

    Raises:
        CorpusError: a relative path that leaves the folder, audio that is not there, or a span or
            channel that a file does not have: all of them, with their lines.
    """
    corpus_dir = Path(corpus_dir)
    if not corpus_dir.is_dir():
        raise CorpusError(f"--corpus-dir: {corpus_dir}: no such folder")
    problems = problems or Problems(table.path)
    rows = [row for row in table.rows if row.path and _stays_inside(row, corpus_dir, problems)]
    paths = {row.path: corpus_dir / row.path for row in rows}  # a full path replaces the folder
    there = {name for name, path in paths.items() if os.path.isfile(path)}
    if not allow_missing and len(there) < len(paths):
        close = {_loose(p): p for p in audio_below(corpus_dir)}
        for row in rows:
            if row.path not in there:
                meant = close.get(_loose(row.path))
                problems.add(
                    f"of {len(table.rows)} rows name audio that is not there",
                    f"{row.where}: no such file: '{row.path}'"
                    + (f"; is it '{meant}'?" if meant else ""),
                    f"Relative paths start from {corpus_dir}. Is the copy of the corpus complete? "
                    "--drop-bad-audio true leaves these rows out.",
                )
    lengths: dict[str, tuple[float, int] | None] = {}
    for row in rows:
        if row.path in there and row.facts.keys() & {"start", "end", "channel"}:
            if row.path not in lengths:
                lengths[row.path] = _length(paths[row.path])
            _check_span(row, lengths[row.path], overhang, problems)
    problems.check()
    return [Utterance(path=paths[row.path], **row.facts) for row in rows]


def _stays_inside(row: Row, corpus_dir: Path, problems: Problems) -> bool:
    if os.path.isabs(row.path) or not os.path.normpath(row.path).startswith(".."):
        return True
    problems.add(
        "paths that leave the corpus folder",
        f"{row.where}: path '{row.path}' leaves the corpus folder {corpus_dir}; give the full "
        "path, or a --corpus-dir that holds all of the audio",
    )
    return False


def audio_below(folder: Path | str) -> list[str]:
    """Return the audio files below a folder, relative to it and sorted, without hidden ones.

    A folder that cannot be read, such as lost+found of a disk, has none.
    """
    below = files_below(folder, on_error=lambda error: None)
    names = (os.path.relpath(path, folder) for path in below)
    return sorted(name for name in names if name.lower().endswith(AUDIO_SUFFIXES))


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
        with Sound(path) as sound:
            return sound.seconds, sound.num_channels
    except BadAudio:
        return None


def _check_span(
    row: Row, length: tuple[float, int] | None, overhang: float, problems: Problems
) -> None:
    if length is None:
        return
    seconds, num_channels = length
    start, end = row.facts.get("start", 0.0), row.facts.get("end", seconds)
    if start >= seconds or end > seconds + overhang:
        problems.add(
            "utterances beyond their file",
            f"{row.where}: the utterance spans {start} to {end} s, but '{row.path}' has "
            f"{seconds:.4f} s; are the times in seconds, and is this its file? --overhang allows "
            f"more than {overhang:g} s",
        )
    channel = row.facts.get("channel", 0)
    if channel != MEAN and channel >= num_channels:
        problems.add(
            "channels that their file does not have",
            f"{row.where}: channel is {channel}, but '{row.path}' has {num_channels} "
            "(counted from 0)",
        )
