"""The columns of a table: which there may be, and how a table calls them (--columns)."""

import difflib
import shlex
from collections.abc import Collection, Mapping, Sequence

from dsnet.corpus.utterance import UNKNOWN_SPEAKER
from dsnet.errors import ConfigError, CorpusError

REQUIRED = ("path", "speaker", "emotion")
OPTIONAL = ("id", "start", "end", "channel", "sex", "text", "session", "dialogue", "recording")
OURS = REQUIRED + OPTIONAL
RESERVED = ("audio_hash", "fingerprint", UNKNOWN_SPEAKER)
EXAMPLE = "--columns \"path=File 'emotion=Primary emotion'\""


def parse_columns(text: str) -> dict[str, str]:
    """Return the table's own name of each column that it calls otherwise.

    Args:
        text: pairs OURS=THEIRS, split at blanks as a shell does it: a pair with a name of several
            words stands in quotes. Empty: the table has our names.

    Raises:
        ConfigError: all that is wrong with the pairs.

    >>> parse_columns("path=File 'emotion=Primary emotion'")
    {'path': 'File', 'emotion': 'Primary emotion'}
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"--columns: {text}: {error}; write it as in {EXAMPLE}") from error
    columns: dict[str, str] = {}
    wrong = []
    for word in words:
        ours, _, theirs = word.partition("=")
        if not ours or not theirs:
            wrong.append(f"'{word}' is no pair; a name of several words needs quotes: {EXAMPLE}")
        elif ours not in OURS and theirs in OURS:
            wrong.append(f"'{word}' is the wrong way round; write {_pair(theirs, ours)}")
        elif ours not in OURS:
            wrong.append(f"'{word}': there is no column '{ours}' to fill; {_there(ours, OURS)}")
        elif ours in columns:
            wrong.append(f"'{ours}' is given twice: {columns[ours]} and {theirs}")
        elif theirs in columns.values():
            other = next(name for name, value in columns.items() if value == theirs)
            wrong.append(f"'{theirs}' is given to both {other} and {ours}; a column has one use")
        else:
            columns[ours] = theirs
    if wrong:
        raise ConfigError("--columns: " + "\n  ".join(wrong))
    return columns


def name_columns(where: str, header: Sequence[str], columns: Mapping[str, str]) -> list[str | None]:
    """Return our name of each column of a table; None: another one has been given its name.

    Args:
        where: "file:line" of the header.
        header: names as the table spells them.
        columns: from `parse_columns`.

    Raises:
        CorpusError: all that is wrong with the header, or with the columns that are to be there.
    """
    wrong = [
        f"--columns: no column '{theirs}' in the table; {_there(theirs, header)}"
        for theirs in columns.values()
        if theirs not in header
    ]
    ours_of = {theirs: ours for ours, theirs in columns.items()}
    names = [ours_of.get(name, None if name in columns else name) for name in header]
    misspelt: dict[str, str] = {}
    for number, name in enumerate(header, 1):
        plain = name.strip().lower()
        if not plain:
            wrong.append(f"column {number} has no name; name or remove it (pandas: index=False)")
        elif header.index(name) < number - 1:
            wrong.append(f"two columns '{name}'; rename or remove one")
        elif plain in OURS and plain not in names and name not in columns.values():
            misspelt[plain] = name
            wrong.append(f"column '{name}': write it '{plain}', or {_option({plain: name})}")
        elif names[number - 1] in RESERVED:
            wrong.append(f"column '{name}' is a name that stage 0 uses; rename it")
    missing = [name for name in REQUIRED if name not in {*names, *columns, *misspelt}]
    if missing:
        wrong.append(_say_which(missing, header, columns))
    if wrong:
        raise CorpusError(f"{where}: " + "\n  ".join(wrong))
    return names


def _say_which(missing: Sequence[str], header: Sequence[str], columns: Mapping[str, str]) -> str:
    """Name the columns that are needed and not there, and the --columns that may be meant."""
    said = {ours: theirs for ours, theirs in columns.items() if theirs in header}
    free = [name for name in header if name not in {*OURS, *said.values()}]
    meant = {name: _nearest(name, free) or "..." for name in missing}
    return (
        f"no column {' or '.join(map(repr, missing))} among {', '.join(map(repr, header))}. Needed "
        f"are {', '.join(REQUIRED)}, separated by commas, semicolons or tabs. If the table calls "
        f"them otherwise, say so: {_option({**said, **meant})}"
    )


def _option(columns: Mapping[str, str]) -> str:
    """Return the option as it is typed in a shell."""
    text = " ".join(_pair(*pair) for pair in columns.items())
    is_plain = not any(c in text for c in '"\\$`!')
    return f'--columns "{text}"' if is_plain else f"--columns {shlex.quote(text)}"


def _pair(ours: str, theirs: str) -> str:
    """Return a pair as `parse_columns` reads it back."""
    pair = f"{ours}={theirs}"
    try:
        is_one_word = shlex.split(pair) == [pair]
    except ValueError:  # a quote in it
        is_one_word = False
    return pair if is_one_word else shlex.quote(pair)


def _there(name: str, names: Collection[str]) -> str:
    """Return which names there are, and the nearest to one that there is not."""
    near = _nearest(name, names)
    return f"there are: {', '.join(names)}" + (f"; did you mean '{near}'?" if near else "")


def _nearest(name: str, names: Collection[str]) -> str:
    """Return the nearest of some names, whatever the case; empty: none is near."""
    folded = {each.casefold(): each for each in names}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    return folded[close[0]] if close else ""
