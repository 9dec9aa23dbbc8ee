"""Figure of the UAR of each test speaker under a control and a system, as paired lines."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from dsnet.report.figures.plotting import (
    COLOURS,
    GUESS,
    INK,
    WIDTH,
    Figure,
    legend_below,
    new_canvas,
    save,
    tidy,
    whole_numbers,
    wrapped,
)
from dsnet.report.system_tables import label as label_of

MAX_NAMED = 30  # speakers whose names fit beside their lines
LABEL_INCHES = 0.125  # between two names
AXES_INCHES = 3.2  # how high the axes are at least
LETTERS = 22  # of a system's name in a line below the axes
MEAN = dict(color=INK, linewidth=2.4, markersize=12, markeredgewidth=2.4)
STEP = 10  # percent: the axis begins and ends at a multiple of it


def draw_speakers(summary: dict[str, Any], folder: Path) -> Figure | None:
    """Draw a panel for each main system that has its control on the page.

    Both are scored on the utterances that neither was given, as their difference is.

    Returns:
        None if there is nothing to compare.
    """
    pairs = [
        pair
        for pair in summary["differences"]["pairs"]
        if pair["system"] in summary["main_systems"] and len(pair["by_speaker"]) > 1
    ]
    if not pairs:
        return None
    most = max(len(pair["by_speaker"]) for pair in pairs)
    height = max(AXES_INCHES, LABEL_INCHES * most if most <= MAX_NAMED else 0)
    columns, rows = min(len(pairs), 2), -(-len(pairs) // 2)
    canvas = new_canvas(WIDTH / 2 * columns, (height + 0.7) * rows + 0.4)
    grid = canvas.subplots(rows, columns, squeeze=False).ravel()
    for axes, pair in zip(grid, pairs, strict=False):
        _draw_panel(axes, pair, summary, height)
    for axes in grid[len(pairs) :]:
        axes.remove()
    legend_below(canvas)
    save(canvas, folder / "uar_by_speaker.svg")
    return Figure(
        "uar_by_speaker.svg",
        "UAR by speaker, under the control and the system that is compared with it",
        "A thin line is one test speaker, scored on what neither system was given, mean over the "
        "seeds that both have: blue rises, orange falls. Lines that mostly go one way are what a "
        "small p needs. The thick line is the mean of speakers, which is not the pooled UAR. No "
        "model was trained with labels of the speaker whom it was tested on.",
        "speakers",
    )


def _draw_panel(axes: Axes, pair: dict[str, Any], summary: dict[str, Any], height: float) -> None:
    """Draw one comparison; `height` is that of the axes in inches."""
    speakers = pair["by_speaker"]
    uars = 100 * np.array([[one["control"], one["system"]] for one in speakers.values()]).T
    low, high = _limits(uars)
    axes.set_xlim(-0.3, 1.1)
    axes.set_ylim(low, high)
    ticks = [wrapped(label_of(summary, pair[key]), LETTERS) for key in ("control", "system")]
    axes.set_xticks([0, 1], ticks, fontsize=7)
    _draw_lines(axes, uars)
    if len(speakers) <= MAX_NAMED:
        ends = sorted(zip(uars[-1], speakers, strict=True))
        _name_ends(axes, ends, (low, high), LABEL_INCHES / height * (high - low))
    axes.set_ylabel("UAR in percent", fontsize=8)
    axes.tick_params(axis="y", labelsize=8)
    whole_numbers(axes.yaxis)
    tidy(axes)


def _limits(uars: np.ndarray) -> tuple[float, float]:
    """Return where the axis begins and ends; a little above 100 if there is a mark at 100."""
    low = STEP * np.floor((uars.min() - 1) / STEP)
    high = STEP * np.ceil((uars.max() + 1) / STEP)
    return max(0.0, float(low)), min(101.0, float(high))


def _draw_lines(axes: Axes, uars: np.ndarray) -> None:
    """Draw (2, speakers): control and system; colour says who falls."""
    x, many = np.arange(len(uars)), uars.shape[1] > MAX_NAMED
    for line in uars.T:
        colour = COLOURS[1] if line[-1] < line[0] else COLOURS[0]
        alpha = 0.35 if many else 0.8
        axes.plot(x, line, "o-", color=colour, alpha=alpha, linewidth=1, markersize=3)
    axes.plot(x, uars.mean(1), "_-", label="mean of speakers", **MEAN)


def _name_ends(
    axes: Axes, ends: list[tuple[float, str]], limits: tuple[float, float], height: float
) -> None:
    """Write speakers' names on the right, each with a line to its point under the last system."""
    last = axes.get_xticks()[-1]
    places = spread([y for y, _ in ends], height, limits)
    for (y, speaker), place in zip(ends, places, strict=True):
        axes.annotate(
            speaker,
            (last, y),
            (1.02, place),
            textcoords=("axes fraction", "data"),
            va="center",
            fontsize=7,
            arrowprops=dict(
                arrowstyle="-", color=GUESS, linewidth=0.5, relpos=(0, 0.5), shrinkA=0, shrinkB=2
            ),
        )


def spread(heights: list[float], gap: float, limits: tuple[float, float]) -> list[float]:
    """Move heights apart until none is nearer to the next than `gap`.

    Args:
        heights: ascending.
        gap: in their unit.
        limits: which no group leaves, unless it is larger than they are.

    Returns:
        Where each goes: groups of neighbours lie about their middle.
    """

    def bottom(group: list[float]) -> float:
        middle, size = sum(group) / len(group), gap * len(group)
        return max(limits[0], min(middle - size / 2, limits[1] - size))

    groups: list[list[float]] = []
    for height in heights:
        groups.append([height])
        while len(groups) > 1 and bottom(groups[-1]) < bottom(groups[-2]) + gap * len(groups[-2]):
            groups[-2:] = [groups[-2] + groups[-1]]
    return [bottom(group) + (n + 0.5) * gap for group in groups for n in range(len(group))]
