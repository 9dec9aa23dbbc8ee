"""Reliability diagram of the main systems, before and after the temperature."""

from pathlib import Path
from typing import Any

import numpy as np

from dsnet.report.figures.plotting import (
    COLOURS,
    GUESS,
    WIDTH,
    Figure,
    legend_below,
    new_canvas,
    save,
    tidy,
    wrapped,
)
from dsnet.report.system_tables import label

MIN_COUNT = 10  # utterances of a bin, below which its accuracy is mostly chance
LOOKS = {  # of calibration.VARIANTS: marker and line, colour
    "raw": ("as it is", "o-", COLOURS[1]),
    "scaled": ("with the temperature", "s-", COLOURS[0]),
}


def draw_reliability(summary: dict[str, Any], folder: Path) -> Figure | None:
    """Draw accuracy by confidence, a panel a main system; None if none of them has any."""
    names = [name for name in summary["main_systems"] if name in summary["calibration"]]
    if not names:
        return None
    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    canvas = new_canvas(WIDTH * max(columns, 2) / 3, 2.5 * rows + 0.5)
    grid = canvas.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(grid, names, strict=False):
        axes.plot([0, 100], [0, 100], "--", color=GUESS, linewidth=1, label="honest")
        for variant, (words, line, colour) in LOOKS.items():
            bins = {key: np.array(v) for key, v in summary["calibration"][name][variant].items()}
            there = bins["count"] >= MIN_COUNT
            count = bins["count"][there]
            x, y = (100 * bins[key][there] / count for key in ("confidence", "hits"))
            axes.plot(x, y, line[1:], color=colour, linewidth=1)
            size = 4 + 110 * count / bins["count"].sum()
            axes.scatter(x, y, s=size, color=colour, marker=line[0], label=words)
        axes.set_title(wrapped(label(summary, name), 28), fontsize=9)
        axes.set_xlim(0, 101)
        axes.set_ylim(0, 101)
        axes.set_xlabel("posterior in percent", fontsize=9)
        axes.set_ylabel("right, in percent", fontsize=9)
        axes.set_xticks(range(0, 101, 20))
        axes.set_yticks(range(0, 101, 20))
        tidy(axes)
    for axes in grid[len(names) :]:
        axes.remove()
    legend_below(canvas)
    save(canvas, folder / "reliability.svg")
    return Figure(
        "reliability.svg",
        "Reliability of the posteriors",
        "The headline's utterances of all folds and seeds by the posterior of the recognised "
        "class: how many of them were right. On the dashed line probabilities are what they say; "
        "below it the system is too sure. The larger a mark, the more utterances; bins with "
        f"fewer than {MIN_COUNT} are left out.",
        "calibration",
    )
