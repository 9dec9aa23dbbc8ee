"""Figure of the UAR of each test speaker under control and other systems, as paired lines."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from dsnet.report.differences import CONTROL, controls_of
from dsnet.report.figures.plotting import (
    COLOURS,
    WIDTH,
    Figure,
    draw_chance,
    legend_below,
    new_canvas,
    save,
    tidy,
)
from dsnet.report.summary import ALL

MAX_NAMED = 12  # speakers whose names fit beside their lines
LABEL_HEIGHT = 3.2  # of the axis' 100


def draw_speakers(summary: dict[str, Any], folder: Path) -> Figure:
    """Draw a panel for each control: its speakers' UARs, and theirs under the main systems."""
    panels = _panels(summary)
    canvas = new_canvas(WIDTH, 4.2)
    grid = canvas.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, names in zip(grid, panels, strict=True):
        _draw_panel(axes, names, summary)
    canvas.axes[0].set_ylabel("UAR in percent")
    legend_below(canvas)
    save(canvas, folder / "uar_by_speaker.png")
    return Figure(
        "uar_by_speaker.png",
        "UAR by speaker",
        "A thin line is one test speaker under the control and under the main systems that are "
        "compared with it (mean over seeds, all test utterances): blue rises from the control to "
        "the last system, orange falls. Lines that mostly go one way are what a small p needs; no "
        "network had heard the speaker whom it was tested on.",
    )


def _panels(summary: dict[str, Any]) -> list[list[str]]:
    """Group the main systems, each group with its control first; one group without controls."""
    main = summary["main_systems"]
    others = [name for name in main if not name.startswith(CONTROL)]
    groups: dict[str, list[str]] = {name: [] for name in main if name.startswith(CONTROL)}
    for name in others:
        for control in controls_of(name, main):
            groups[control].append(name)
    return [[control, *own] for control, own in groups.items() if own] or [main]


def _draw_panel(axes: Axes, names: list[str], summary: dict[str, Any]) -> None:
    scores = [summary[ALL]["systems"][name]["by_speaker"] for name in names]
    shared = [speaker for speaker in scores[0] if all(speaker in own for own in scores)]
    uars = np.array([[100 * own[speaker]["uar"] for speaker in shared] for own in scores])
    x = np.arange(len(names))
    alpha = 0.8 if len(shared) <= MAX_NAMED else 0.35
    for line in uars.T:
        colour = COLOURS[0] if line[-1] >= line[0] else COLOURS[1]
        axes.plot(x, line, "o-", color=colour, alpha=alpha, linewidth=1, markersize=3)
    if len(shared) <= MAX_NAMED:
        for height, speaker in _spread(sorted(zip(uars[-1], shared, strict=True))):
            axes.annotate(speaker, (x[-1] + 0.06, height), va="center", fontsize=7)
    if shared:
        axes.plot(x, uars.mean(1), "s-", color="black", linewidth=2.4, label="mean of speakers")
    draw_chance(axes, len(summary["classes"]))
    crowded = sum(map(len, names)) > 60
    axes.set_xticks(x, names, fontsize=8, rotation=25 if crowded else 0)
    if crowded:
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
    axes.set_xlim(-0.3, len(names) - 0.6)
    axes.set_ylim(0, 101)
    tidy(axes)


def _spread(labels: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Move labels, sorted by height, apart until none hides another; groups keep their middle."""
    groups: list[list[tuple[float, str]]] = []
    for label in labels:
        groups.append([label])
        while len(groups) > 1 and _bottom(groups[-1]) < _bottom(groups[-2]) + _height(groups[-2]):
            groups[-2:] = [groups[-2] + groups[-1]]
    return [
        (_bottom(group) + (number + 0.5) * LABEL_HEIGHT, text)
        for group in groups
        for number, (_, text) in enumerate(group)
    ]


def _height(group: list[tuple[float, str]]) -> float:
    return LABEL_HEIGHT * len(group)


def _bottom(group: list[tuple[float, str]]) -> float:
    """Return where a group begins that lies about the mean of its points."""
    return sum(height for height, _ in group) / len(group) - _height(group) / 2
