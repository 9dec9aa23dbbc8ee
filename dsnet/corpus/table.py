"""A corpus as a table: a row an utterance, in csv or tsv, every cell checked.

    path       audio file, relative to the corpus folder or in full
    speaker    name
    emotion    label as the corpus spells it
    optional   id (name of the utterance, unique; without: from the name of the file), start, end
               (seconds), channel (from 0, or mean), sex (f, m, female, male), text, session,
               dialogue, recording (id of the audio file, where two files have one name)

Any further column is kept in `custom` of the utterance: as numbers if all that it holds are numbers
without leading zeros, otherwise as text. An empty cell is no value.
"""

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsnet.corpus.columns import OURS, name_columns
from dsnet.corpus.problems import Problems
from dsnet.corpus.row import Row, read_row
from dsnet.corpus.table_ids import ids_from_paths
from dsnet.corpus.table_text import read_cells
from dsnet.corpus.votes import count_votes
from dsnet.errors import CorpusError

INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class Table:
    """A table that has been read.

    Args:
        path: the file.
        further: kind ("numbers" or "text") of each column that goes to `custom`.
        rows: in the order of the file; one or more.
        notes: what a person should know about it, in words.
    """

    path: Path
    further: dict[str, str]
    rows: list[Row]
    notes: list[str] = field(default_factory=list)


def read_table(
    path: Path | str,
    problems: Problems | None = None,
    columns: Mapping[str, str] | None = None,
    votes: bool = False,
) -> Table:
    """Read a table; the audio is not looked at.

    Args:
        path: UTF-8 with or without byte order mark; the header, or a line such as sep=; in front
            of it, tells whether columns are separated by commas, semicolons or tabs.
        problems: takes what is wrong with the rows, for the caller to check. Such a table is good
            for finding more problems only.
        columns: the table's own name of each column that it calls otherwise; see `parse_columns`.
        votes: a row is what one listener said of a clip; the table returned has a row a clip.

    Raises:
        CorpusError: no table, or no header that fits; without `problems` also what is wrong with
            the rows, all of it, with file, line and cell.
    """
    path, columns = Path(path), columns or {}
    found = Problems(path) if problems is None else problems
    (where, header), lines = read_cells(path, {*OURS, *columns.values()}, found)
    names = name_columns(where, header, columns)
    if not lines:
        found.check()
        raise CorpusError(f"{path}: a header and no row; expected a row an utterance")
    whole = [line for line in lines if _has_all_cells(header, *line, found)]
    cells = [
        {name: cell for name, cell in zip(names, fields, strict=True) if name is not None}
        for _, fields in whole
    ]
    further = {
        name: _column([given[name] for given in cells])
        for name in names
        if name is not None and name not in OURS
    }
    rows = [
        read_row(line[0], given, {name: v[i] for name, (_, v) in further.items() if i in v}, found)
        for i, (line, given) in enumerate(zip(whole, cells, strict=True))
    ]
    notes = [
        f"column '{name}' is not used: --columns takes it from '{columns[name]}'"
        for name, ours in zip(header, names, strict=True)
        if ours is None
    ]
    if votes:
        rows, counted = count_votes(rows, found)
        notes += counted
    if not any("id" in row.facts for row in rows):
        rows, note = ids_from_paths(rows, found)
        notes.append(note)
    _check_ids(rows, found)
    _check_labels(rows, found)
    _check_sexes(rows, found)
    if problems is None:
        found.check()
    kinds = {name: kind for name, (kind, _) in further.items()}
    return Table(path=path, further=kinds, rows=rows, notes=notes)


def _has_all_cells(
    header: Sequence[str], where: str, fields: list[str], problems: Problems
) -> bool:
    if len(fields) != len(header):
        problems.add(
            "rows with another number of cells than the header",
            f"{where}: {len(fields)} cells, but the header has {len(header)}: "
            f"{' | '.join(fields[:12])}. Is a cell missing, or a text with a delimiter not in "
            "double quotes?",
        )
    return len(fields) == len(header)


def _column(cells: list[str]) -> tuple[str, dict[int, Any]]:
    """Return the kind of a further column and its values by row, without empty cells."""
    filled = {i: cell for i, cell in enumerate(cells) if cell.strip()}
    if filled and all(INTEGER.fullmatch(cell) for cell in filled.values()):
        return "numbers", {i: int(cell) for i, cell in filled.items()}
    if filled and all(_is_number(cell) for cell in filled.values()):
        return "numbers", {i: float(cell) for i, cell in filled.items()}
    return "text", filled


def _is_number(cell: str) -> bool:
    # JSON knows no infinity
    return NUMBER.fullmatch(cell) is not None and math.isfinite(float(cell))


def _check_ids(rows: Iterable[Row], problems: Problems) -> None:
    seen: dict[str, Row] = {}
    for row in rows:
        if "id" not in row.facts:
            continue
        first = seen.setdefault(row.facts["id"], row)
        if first is not row:
            problems.add(
                "ids that another row has already",
                f"{row.where}: id '{row.facts['id']}' stands in {first.where} already; give every "
                "utterance its own, or remove one of the rows",
            )


def _check_labels(rows: Iterable[Row], problems: Problems) -> None:
    """Find audio that two rows give two labels or speakers."""
    seen: dict[tuple, Row] = {}
    for row in rows:
        if not row.path:
            continue
        span = [row.facts.get(name) for name in ("start", "end", "channel")]
        first = seen.setdefault((os.path.normpath(row.path), *span), row)
        here, there = ([r.facts.get(name) for name in ("emotion", "speaker")] for r in (row, first))
        if here != there and None not in here + there:
            problems.add(
                "rows that contradict another about the same audio",
                f"{row.where}: '{row.path}' is {' of '.join(here)} here and {' of '.join(there)} "
                f"in {first.where}; keep one, or give start, end or channel of each",
                "A row is an utterance. Where it is what one of several listeners said, give "
                "--votes majority: the label is what most of them said (egs/README.md, Votes).",
            )


def _check_sexes(rows: Iterable[Row], problems: Problems) -> None:
    seen: dict[str, Row] = {}
    told = set()
    for row in rows:
        speaker, sex = row.facts.get("speaker"), row.facts.get("sex")
        if speaker is None or sex is None:
            continue
        first = seen.setdefault(speaker, row)
        if first.facts["sex"] != sex and speaker not in told:
            told.add(speaker)
            problems.add(
                "speakers of two sexes",
                f"{row.where}: speaker '{speaker}' is {sex} here and {first.facts['sex']} in "
                f"{first.where}; correct one, or give two speakers two names",
            )
