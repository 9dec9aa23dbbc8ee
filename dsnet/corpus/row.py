"""A row of a table: every cell checked, and what it says of its utterance."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dsnet.corpus.columns import REQUIRED
from dsnet.corpus.problems import Problems
from dsnet.corpus.utterance import MEAN, NAMES, plain_name, wrong_name

SEXES = {"f": "female", "female": "female", "m": "male", "male": "male"}
TIME_OF_DAY = re.compile(r"\d:\d|^NaT$|\bdays?\b")


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


def read_row(
    where: str, cells: Mapping[str, str], custom: dict[str, Any], problems: Problems
) -> Row:
    """Return a row with those of its facts that are right.

    Args:
        where: "file:line".
        cells: by our names of the columns; empty: not given.
        custom: what the further columns say.
        problems: takes what is wrong with the others.
    """
    given = {name: cell for name, cell in cells.items() if cell.strip()}
    empty = [name for name in ("id", *REQUIRED) if name in cells and name not in given]
    if empty:
        problems.add(
            "rows without a cell that is needed",
            f"{where}: {', '.join(empty)} is empty; fill it in or remove the row",
        )
    facts: dict[str, Any] = {"custom": custom}
    for name in NAMES:
        if name not in given:
            continue
        wrong = wrong_name(name, given[name])
        if wrong:
            problems.add(
                "names that cannot be used", f"{where}: {name} is {given[name]!r}; {wrong}"
            )
        else:
            facts[name] = plain_name(given[name])
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
    if TIME_OF_DAY.search(cell):
        problems.add(
            "times with days, minutes or NaT",
            f"{where}: {name} is '{cell}'; expected seconds, such as 12.34",
            "Write 62.5 for '0 days 00:01:02.5' (pandas: .dt.total_seconds()), nothing for NaT.",
        )
        return None
    wanted = "such as 12.34" if value is None else "from the file's start"
    hint = "; write the decimal point as a point" if "," in cell else ""
    problems.add(
        "times that are no seconds",
        f"{where}: {name} is '{cell}'; expected seconds, {wanted}{hint}",
    )
    return None
