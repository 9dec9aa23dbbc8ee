"""The text of a table, split into rows and cells; what cannot be read is named by its line."""

import csv
import io
import re
from collections.abc import Collection
from pathlib import Path

from dsnet.corpus.columns import REQUIRED
from dsnet.corpus.problems import Problems
from dsnet.errors import CorpusError

DELIMITERS = ",;\t"
DELIMITER_LINE = re.compile(r'\s*"?sep=([^\r\n])"?(?=[\r\n])')  # Excel's, in front of the header
NOT_UTF_8 = re.compile("[\udc80-\udcff]")  # what "surrogateescape" makes of a byte
AS_UTF_8 = "Save the table as UTF-8 (in spreadsheets 'CSV UTF-8'), or convert it with iconv"

Line = tuple[str, list[str]]  # "file:line", cells


def read_cells(path: Path, known: Collection[str], problems: Problems) -> tuple[Line, list[Line]]:
    """Return the header and the rows of a table that can be read, without blank lines.

    Args:
        path: UTF-8 with or without byte order mark.
        known: names of columns; the delimiter that finds most of them in the header is the one,
            unless a line such as sep=; says which.
        problems: takes the rows that cannot be read.

    Raises:
        CorpusError: no such file, one that cannot be read, no text, or no header.
    """
    delimiter, text = _delimiter(_decode(path), known)
    lines = _split(path, text, delimiter, problems)
    if not lines:
        raise CorpusError(f"{path}: empty; expected a header with {', '.join(REQUIRED)}, and rows")
    header, *rows = lines
    if NOT_UTF_8.search("".join(header[1])):
        raise CorpusError(f"{_not_utf_8(*header)}. {AS_UTF_8}")
    whole = []
    for where, cells in rows:
        if NOT_UTF_8.search("".join(cells)):
            problems.add("rows that are not UTF-8", _not_utf_8(where, cells), AS_UTF_8)
        else:
            whole.append((where, cells))
    return header, whole


def _decode(path: Path) -> str:
    """Return the text; bytes that are not UTF-8 as surrogates, to be found in their cells."""
    try:
        data = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError) as error:
        found = "a folder, not a table" if path.is_dir() else "no such file"
        folder = path if path.is_dir() else path.parent
        there = [p.name for p in sorted(folder.glob("[!.]*")) if p.suffix in (".csv", ".tsv")]
        raise CorpusError(
            f"--table: {path}: {found}; tables in {folder}: {', '.join(there) or 'none'}"
        ) from error
    except OSError as error:
        raise CorpusError(f"--table: {path}: cannot be read: {error.strerror}") from error
    if data.startswith(b"PK\3\4"):
        raise CorpusError(f"{path}: a workbook, not a text; save the sheet as 'CSV UTF-8'")
    return data.decode("utf-8-sig", "surrogateescape")


def _delimiter(text: str, known: Collection[str]) -> tuple[str, str]:
    """Return what separates the cells, and the text without the line that said so."""
    if told := DELIMITER_LINE.match(text):
        # its line stays, empty, since lines are counted
        return told[1], re.sub(r"[^\r\n]", "", told[0]) + text[told.end() :]
    header = next((line for line in io.StringIO(text, newline=None) if line.strip()), "")
    names = {d: next(csv.reader([header], delimiter=d), []) for d in DELIMITERS}
    best = max(DELIMITERS, key=lambda d: (len({*known} & {*names[d]}), len(names[d])))
    return best, text


def _split(path: Path, text: str, delimiter: str, problems: Problems) -> list[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines: list[Line] = []
    number = 1  # of the line that the next row begins in
    while True:
        where, cells = f"{path}:{number}", []
        try:
            cells = next(reader)
        except StopIteration:
            return lines
        except csv.Error as error:
            swallowed = reader.line_num - number
            message = (
                f"{where}: not readable as a row ({error}"
                + (f"; it swallows the {swallowed} lines behind it" if swallowed > 0 else "")
                + '); is every quoted cell closed, and every " inside one doubled?'
            )
            if not lines:
                raise CorpusError(message) from error
            problems.add("rows that cannot be read", message)
        if len(cells) > 1 or "".join(cells).strip():  # no blank line
            lines.append((where, cells))
        number = reader.line_num + 1


def _not_utf_8(where: str, cells: list[str]) -> str:
    cell = next(cell for cell in cells if NOT_UTF_8.search(cell))
    raw = cell[:60].encode("utf-8", "surrogateescape")
    byte = ord(NOT_UTF_8.search(cell)[0]) - 0xDC00
    text = raw.decode("utf-8", "backslashreplace")
    return f"{where}: not UTF-8 (byte 0x{byte:02x}): '{text}'"
