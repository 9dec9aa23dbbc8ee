"""Numbers and tables as text."""

import pytest

from dsnet.report.tables import count, interval, markdown_table, percent, span, terminal_table


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
    ],
)
def test_numbers(text, expected):
    assert text == expected


def test_tables():
    header, rows = ["system", "UAR"], [["base", "50.0"], ["dsnet_plus", "7.0"]]
    assert terminal_table(header, rows) == "system      UAR\nbase        50.0\ndsnet_plus  7.0"
    assert markdown_table(header, rows).splitlines()[:3] == [
        "| system | UAR |",
        "| --- | --- |",
        "| base | 50.0 |",
    ]
