"""Numbers and tables as text."""

import pytest

from dsnet.report.tables import (
    count,
    interval,
    markdown_table,
    p_value,
    percent,
    span,
    terminal_table,
)


@pytest.mark.parametrize(
    "text, expected",
    [
        (count(4_830_000), "4.83 M"),
        (count(432_100), "432 k"),
        (span([3, 1, 2]), "1 to 3"),
        (span([7, 7]), "7"),
        (span([]), "–"),
        (percent(0.78912), "78.9"),
        (percent(0.0125, "+"), "+1.2"),
        (percent(None), "–"),
        (interval({"estimate": 0.5, "low": 0.4, "high": 0.625}), "50.0 [40.0, 62.5]"),
        (interval({"estimate": 0.01, "low": -0.02, "high": 0.04}, "+"), "+1.0 [-2.0, +4.0]"),
        (interval({"estimate": 0.5, "low": None, "high": None}), "50.0 [–]"),
        (p_value(None), "–"),
        (p_value(0.0004), "< 0.001"),
        (p_value(0.0123), "0.012"),
    ],
)
def test_numbers(text, expected):
    assert text == expected


def test_numbers_in_cells_stay_as_they_are_written():
    """Trailing zeros and leading ones, such as fold 03, are part of what a cell says."""
    text = terminal_table(["fold", "UAR"], [["03", "50.0"], ["10", "7.0"]])
    assert [line.split() for line in text.splitlines()] == [
        ["fold", "UAR"], ["03", "50.0"], ["10", "7.0"],
    ]  # fmt: skip


def test_a_bar_in_a_cell_does_not_end_it():
    header, line, row = markdown_table(["system", "UAR"], [["a|b", "50.0"]]).splitlines()
    assert r"a\|b" in row and header.count("|") == line.count("|") == 3
