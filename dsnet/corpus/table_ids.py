"""Ids of the rows of a table that has none: from the names of the audio files."""

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from dsnet.corpus.problems import Problems
from dsnet.corpus.row import Row


def ids_from_paths(rows: Sequence[Row], problems: Problems) -> tuple[list[Row], str]:
    """Return the rows with an id each, and how the ids are made, in words.

    An id is the name of the file without its suffix. If two files of the table have one name, all
    ids begin with as many folders as tell them apart. Of a part of a file the id ends with start
    and end in milliseconds, and with the channel if that is given; `recording` is without these.

    Args:
        rows: of the whole table; ids do not depend on their order.
        problems: takes files that even their whole path, so written, does not tell apart.
    """
    first: dict[str, Row] = {}
    for row in rows:
        if row.path:
            first.setdefault(os.path.normpath(row.path), row)
    parts = {path: _parts(path) for path in first}
    deepest = max(map(len, parts.values()), default=1)
    for depth in range(1, deepest + 1):
        names = {path: "-".join(of_path[-depth:]) for path, of_path in parts.items()}
        if len({*names.values()}) == len(names):
            break
    else:
        _tell_apart(names, first, problems)
    named = [_named(row, names[os.path.normpath(row.path)]) if row.path else row for row in rows]
    of_path = "the names of the files" if depth == 1 else f"the last {depth} parts of their paths"
    example = next((row.facts["id"] for row in named if row.path), "")
    return named, f"no column id: ids are {of_path}, such as '{example}'"


def _parts(path: str) -> list[str]:
    """Return folders and name of a file as they stand in ids: no white space, no suffix."""
    plain = unicodedata.normalize("NFC", os.path.splitext(path)[0])
    return ["_".join(part.split()) for part in PurePath(plain).parts if part != "/"]


def _named(row: Row, name: str) -> Row:
    facts, utt_id = dict(row.facts), name
    if facts.keys() & {"start", "end"}:
        facts.setdefault("recording", name)
        start, end = facts.get("start", 0.0), facts.get("end")
        utt_id += f"-{_milliseconds(start)}-{'end' if end is None else _milliseconds(end)}"
    if "channel" in facts:
        utt_id += f"-ch{facts['channel']}"
    return replace(row, facts={**facts, "id": utt_id})


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:07.0f}"


def _tell_apart(names: dict[str, str], first: dict[str, Row], problems: Problems) -> None:
    """Note the files that have one name."""
    seen: dict[str, Row] = {}
    for path, row in first.items():
        other = seen.setdefault(names[path], row)
        if other is not row:
            problems.add(
                "files whose names give one id",
                f"{row.where}: '{row.path}' and '{other.path}' in {other.where} both give the id "
                f"'{names[path]}'; give the table a column id, or remove one of the rows",
            )
