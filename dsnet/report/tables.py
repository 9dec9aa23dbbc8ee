"""Numbers as text, and tables in plain text and Markdown; a dash stands for what does not exist."""

from typing import Any

from tabulate import tabulate

DASH = "–"
# scorings of a row: all that it may be scored on; of that, what is nobody's reference
HEADLINE, WITHOUT = "headline", "without_references"


def terminal_table(header: list[str], rows: list[list[str]]) -> str:
    """Return a table in plain text, its columns aligned."""
    return tabulate(rows, header, tablefmt="plain", disable_numparse=True)


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown; a cell may hold the "|" that ends one."""
    escaped = [[cell.replace("|", r"\|") for cell in line] for line in [header, *rows]]
    return tabulate(escaped[1:], escaped[0], tablefmt="github", disable_numparse=True)


def without_empty(header: list[str], rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Return a table without the columns that have nothing but dashes."""
    kept = [place for place in range(len(header)) if any(row[place] != DASH for row in rows)]
    return [header[place] for place in kept], [[row[place] for place in kept] for row in rows]


def count(number: int) -> str:
    """Return a number of parameters, such as "4.83 M" or "432 k"."""
    return f"{number / 1e6:.2f} M" if number >= 1e6 else f"{number / 1e3:.0f} k"


def ends(values: list[int]) -> list[int]:
    """Return the smallest and the largest value, once if they are equal."""
    return sorted({min(values), max(values)})


def span(values: list[int]) -> str:
    """Return "smallest to largest", or the one value that there is; a dash if there is none."""
    return " to ".join(map(str, ends(values))) if values else DASH


def decimals(value: float | None, digits: int) -> str:
    """Return a number with so many decimals."""
    return DASH if value is None else f"{value:.{digits}f}"


def percent(value: float | None, sign: str = "") -> str:
    """Return a fraction in percent with one decimal."""
    return DASH if value is None else f"{100 * value:{sign}.1f}"


def interval(values: dict[str, float | None], sign: str = "") -> str:
    """Return "estimate [low, high]" in percent; a dash in the brackets if there is no interval."""
    estimate = percent(values["estimate"], sign)
    if values["low"] is None:
        return f"{estimate} [{DASH}]"
    return f"{estimate} [{percent(values['low'], sign)}, {percent(values['high'], sign)}]"


def p_value(value: float | None) -> str:
    """Return a p-value with three decimals."""
    if value is None:
        return DASH
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def without(scores: dict[str, Any]) -> str:
    """Say over which classes a UAR is not, behind it: such do not compare with others."""
    absent = scores["absent_classes"]
    return f" (no {', no '.join(absent)})" if absent else ""
