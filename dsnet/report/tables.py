"""Numbers as text, and tables in plain text and Markdown."""

DASH = "–"  # for what does not exist, such as the deviation of one seed


def terminal_table(header: list[str], rows: list[list[str]]) -> str:
    """Return a table in plain text, its columns aligned."""
    lines = [header, *rows]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def count(number: int) -> str:
    """Return a number of parameters, such as "4.83 M" or "432 k"."""
    return f"{number / 1e6:.2f} M" if number >= 1e6 else f"{number / 1e3:.0f} k"


def ends(values: list[int]) -> list[int]:
    """Return the smallest and the largest value, once if they are equal."""
    return sorted({min(values), max(values)})


def span(values: list[int]) -> str:
    """Return "smallest to largest", or the one value that there is; a dash if there is none."""
    return " to ".join(map(str, ends(values))) if values else DASH


def percent(value: float | None, sign: str = "") -> str:
    """Return a fraction in percent with one decimal."""
    return DASH if value is None else f"{100 * value:{sign}.1f}"


def interval(values: dict[str, float | None], sign: str = "") -> str:
    """Return "estimate [low, high]" in percent; a dash in the brackets if there is no interval."""
    estimate = percent(values["estimate"], sign)
    if values["low"] is None:
        return f"{estimate} [{DASH}]"
    return f"{estimate} [{percent(values['low'], sign)}, {percent(values['high'], sign)}]"


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
