"""A corpus as a table: a row an utterance, in csv or tsv, every cell checked.

    id         name of the utterance, unique
    path       audio file, relative to the corpus folder or in full
    speaker    name
    emotion    label as the corpus spells it
    optional   start, end (seconds), channel (from 0, or mean), sex (f, m, female, male), text,
               session, dialogue, recording (id of the audio file, where two files have one name)

Any further column is kept in `custom` of the utterance: as numbers if all that it holds are numbers
without leading zeros, otherwise as text. An empty cell is no value.
"""

import csv
import difflib
import io
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsnet.corpus.problems import Problems
from dsnet.corpus.utterance import MEAN
from dsnet.errors import CorpusError

REQUIRED = ("id", "path", "speaker", "emotion")
OPTIONAL = ("start", "end", "channel", "sex", "text", "session", "dialogue", "recording")
NAMES = ("id", "speaker", "emotion", "session", "dialogue", "recording")  # without white space
SEXES = {"f": "female", "female": "female", "m": "male", "male": "male"}
DELIMITERS = ",;\t"
INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class Row:
    """One utterance as the table describes it.

    Args:
        where: "file:line", for messages.
        path: audio file as the table spells it; empty: not given.
        facts: the other arguments of its `Utterance`.
    """

    where: str
    path: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A table that has been read.

    Args:
        path: the file.
        further: kind ("numbers" or "text") of each column that goes to `custom`.
        rows: in the order of the file; one or more.
    """

    path: Path
    further: dict[str, str]
    rows: list[Row]


def read_table(path: Path | str, problems: Problems | None = None) -> Table:
    """Read a table; the audio is not looked at.

    Args:
        path: UTF-8 with or without byte order mark; the header tells whether columns are separated
            by commas, semicolons or tabs.
        problems: takes what is wrong with the rows, for the caller to check. Such a table is good
            for finding more problems only.

    Raises:
        CorpusError: no table, or no header that fits; without `problems` also what is wrong with
            the rows, all of it, with file, line and cell.
    """
    path = Path(path)
    found = Problems(path) if problems is None else problems
    text = _decode(path)
    (where, header), *lines = _split(path, text)
    _check_header(where, header)
    if not lines:
        raise CorpusError(f"{path}: a header and no row; expected a row an utterance")
    whole = [line for line in lines if _has_all_cells(header, *line, found)]
    rows = [(where, dict(zip(header, fields, strict=True))) for where, fields in whole]
    further = {
        name: _column([cells[name] for _, cells in rows])
        for name in header
        if name not in REQUIRED + OPTIONAL
    }
    table = Table(
        path=path,
        further={name: kind for name, (kind, _) in further.items()},
        rows=[
            _row(where, cells, {name: v[i] for name, (_, v) in further.items() if i in v}, found)
            for i, (where, cells) in enumerate(rows)
        ],
    )
    _check_ids(table.rows, found)
    _check_labels(table.rows, found)
    _check_sexes(table.rows, found)
    if problems is None:
        found.check()
    return table


def _decode(path: Path) -> str:
    if not path.is_file():
        there = [p.name for p in sorted(path.parent.glob("[!.]*")) if p.suffix in (".csv", ".tsv")]
        raise CorpusError(
            f"{path}: no such table; tables in this folder: {', '.join(there) or 'none'}"
        )
    data = path.read_bytes()
    if data.startswith(b"PK\3\4"):
        raise CorpusError(f"{path}: a workbook, not a text; save the sheet as 'CSV UTF-8'")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CorpusError(
            f"{path}:{line}: not UTF-8 (byte 0x{data[error.start]:02x}); save the table as UTF-8 "
            "(in spreadsheets 'CSV UTF-8'), or convert it with iconv"
        ) from error


def _split(path: Path, text: str) -> list[tuple[str, list[str]]]:
    """Return "file:line" and cells of the header and of every row."""
    start = next((line for line in io.StringIO(text, newline=None) if line.strip()), "")
    headers = {d: next(csv.reader([start], delimiter=d), []) for d in DELIMITERS}
    known = {*REQUIRED, *OPTIONAL}
    delimiter = max(DELIMITERS, key=lambda d: (len(known & {*headers[d]}), len(headers[d])))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    found, line = [], 1
    try:
        for fields in reader:
            if len(fields) > 1 or "".join(fields).strip():  # no blank line
                found.append((f"{path}:{line}", fields))
            line = reader.line_num + 1
    except csv.Error as error:
        raise CorpusError(
            f"{path}:{line}: not readable as a row ({error}); is every quoted cell closed, and "
            'every " inside one doubled?'
        ) from error
    if not found:
        raise CorpusError(f"{path}: empty; expected a header with {', '.join(REQUIRED)}, and rows")
    return found


def _check_header(where: str, header: list[str]) -> None:
    for number, name in enumerate(header, 1):
        if not name.strip():
            raise CorpusError(
                f"{where}: column {number} has no name; name it or remove it (pandas: index=False)"
            )
        if header.index(name) < number - 1:
            raise CorpusError(f"{where}: two columns '{name}'; rename or remove one")
        plain = name.strip().lower()
        if name not in REQUIRED + OPTIONAL and plain in REQUIRED + OPTIONAL:
            raise CorpusError(f"{where}: column '{name}': write it '{plain}'")
        if name == "audio_hash":
            raise CorpusError(
                f"{where}: column 'audio_hash' is a name that stage 0 uses; rename it"
            )
    for name in REQUIRED:
        if name not in header:
            others = [other for other in header if other not in REQUIRED + OPTIONAL]
            close = difflib.get_close_matches(name, others, n=1, cutoff=0.5)
            hint = f"; is it '{close[0]}'? Then rename that one" if close else ""
            raise CorpusError(
                f"{where}: no column '{name}' among {', '.join(map(repr, header))}{hint}. "
                f"Needed are {', '.join(REQUIRED)}, separated by commas, semicolons or tabs"
            )


def _has_all_cells(header: list[str], where: str, fields: list[str], problems: Problems) -> bool:
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


def _row(where: str, cells: Mapping[str, str], custom: dict[str, Any], problems: Problems) -> Row:
    """Return a row with those of its facts that are right."""
    given = {name: cell for name, cell in cells.items() if cell.strip()}
    empty = [name for name in REQUIRED if name not in given]
    if empty:
        problems.add(
            "rows without a cell that is needed",
            f"{where}: {', '.join(empty)} is empty; fill it in or remove the row",
        )
    facts: dict[str, Any] = {"custom": custom}
    for name in NAMES:
        if name not in given:
            continue
        if given[name].split() != [given[name]]:
            problems.add(
                "names with white space",
                f"{where}: {name} is {given[name]!r}; expected a name without white space "
                "(lists such as utt2spk are split at it)",
            )
        else:
            facts[name] = given[name]
    for name in ("start", "end"):
        if name in given and (seconds := _seconds(where, name, given[name], problems)) is not None:
            facts[name] = seconds
    if facts.get("end", math.inf) <= facts.get("start", 0.0):
        problems.add(
            "ends in front of their start",
            f"{where}: end is {given['end']} s and start is {given.get('start', 0)} s; "
            "expected an end behind the start",
        )
    if "channel" in given:
        channel = given["channel"].strip()
        if channel != MEAN and not channel.isdecimal():
            problems.add(
                "channels that are none",
                f"{where}: channel is '{given['channel']}'; expected 0 for the first, 1, ... or "
                f"{MEAN} for the average of all",
            )
        else:
            facts["channel"] = channel if channel == MEAN else int(channel)
    if "sex" in given:
        if given["sex"].strip().lower() not in SEXES:
            problems.add(
                "unknown sexes",
                f"{where}: sex is '{given['sex']}'; expected one of {', '.join(SEXES)}, or an "
                "empty cell where it is unknown",
            )
        else:
            facts["sex"] = SEXES[given["sex"].strip().lower()]
    if "text" in given:
        facts["text"] = given["text"]
    return Row(where, given.get("path", ""), facts)


def _seconds(where: str, name: str, cell: str, problems: Problems) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        value = None
    if value is not None and 0 <= value < math.inf:
        return value
    wanted = "such as 12.34" if value is None else "from the file's start"
    hint = "; write the decimal point as a point" if "," in cell else ""
    problems.add(
        "times that are no seconds",
        f"{where}: {name} is '{cell}'; expected seconds, {wanted}{hint}",
    )
    return None


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
