"""Figure of the UAR of each test speaker under control and other systems, as paired lines."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from dsnet.report.figures.plotting import (
    COLOURS,
    WIDTH,
    Figure,
    draw_chance,
    file_stem,
    legend_below,
    new_canvas,
    save,
    tidy,
    wrapped,
)
from dsnet.report.summary import HEADLINE
from dsnet.report.system_tables import label as label_of

MAX_NAMED = 12  # speakers whose names fit beside their lines
LABEL_HEIGHT = 3.2  # of the axis' 100


@dataclass(frozen=True)
class Panel:
    """A control and the main systems that are compared with it; without a control, all of them."""

    control: str | None
    names: list[str]


def find_panels(summary: dict[str, Any]) -> list[Panel]:
    """Group the main systems by their controls, on each corpus of the page."""
    main, systems = summary["main_systems"], summary["systems"]
    control_of = {pair["system"]: pair["control"] for pair in summary["differences"]["pairs"]}
    controls = list(dict.fromkeys(control_of[name] for name in main if name in control_of))
    panels = [
        Panel(control, [control, *(name for name in main if control_of.get(name) == control)])
        for control in controls
    ]
    if panels:
        return panels
    corpora = dict.fromkeys(systems[name]["tested_on"] for name in main)
    return [
        Panel(None, [name for name in main if systems[name]["tested_on"] == corpus])
        for corpus in corpora
    ]


def draw_speakers(panel: Panel, summary: dict[str, Any], folder: Path) -> Figure:
    """Draw the UAR of each speaker under the systems of a panel."""
    canvas = new_canvas(WIDTH, 4.2)
    axes = canvas.add_subplot()
    _draw_panel(axes, panel.names, summary)
    axes.set_ylabel("UAR in percent")
    legend_below(canvas)
    name = f"uar_by_speaker_{file_stem(panel.control or panel.names[0])}.png"
    save(canvas, folder / name)
    first = "the control" if panel.control else "the first system"
    return Figure(
        name,
        f"UAR by speaker: {', '.join(panel.names)}",
        f"A thin line is one test speaker under {first} and under the other main systems (mean "
        "over seeds, the headline's utterances of each): blue rises from the first to the last, "
        "orange falls. Lines that mostly go one way are what a small p needs; no network had heard "
        "the speaker whom it was tested on.",
    )


def _draw_panel(axes: Axes, names: list[str], summary: dict[str, Any]) -> None:
    scores = [summary["systems"][name][HEADLINE]["by_speaker"] for name in names]
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
    ticks = [wrapped(label_of(summary, name)) for name in names]
    axes.set_xticks(x, ticks, fontsize=8, rotation=25 if crowded else 0)
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
