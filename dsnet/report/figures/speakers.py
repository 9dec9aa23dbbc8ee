"""Figure of the UAR of each test speaker under control and other systems, as paired lines."""

from dataclasses import dataclass
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
    draw_chance,
    file_stem,
    legend_below,
    new_canvas,
    save,
    tidy,
    whole_numbers,
    wrapped,
)
from dsnet.report.system_tables import label as label_of
from dsnet.report.tables import HEADLINE

MAX_NAMED = 30  # speakers whose names fit beside their lines
LABEL_INCHES = 0.125  # between two names
AXES_INCHES = 3.2  # how high the axes are at least
LETTERS = 90  # of all systems' names in a line below the axes
MEAN = dict(color=INK, linewidth=2.4, markersize=12, markeredgewidth=2.4)
STEP = 10  # percent: the axis begins and ends at a multiple of it


@dataclass(frozen=True)
class Panel:
    """A control and the main systems that are compared with it; without a control, all of them.

    Args:
        control: None if no main system has its control on the page.
        names: of the systems, the control first.
        speakers: whom all of them are tested on, two at least where there is one system.
    """

    control: str | None
    names: list[str]
    speakers: list[str]


def find_panels(summary: dict[str, Any]) -> list[Panel]:
    """Group the main systems by their controls, on each corpus of the page.

    A group without a common speaker, or of one system on one speaker, has no panel.
    """
    main, systems = summary["main_systems"], summary["systems"]
    control_of = {pair["system"]: pair["control"] for pair in summary["differences"]["pairs"]}
    controls = list(dict.fromkeys(control_of[name] for name in main if name in control_of))
    groups: list[tuple[str | None, list[str]]] = [
        (control, [control, *(name for name in main if control_of.get(name) == control)])
        for control in controls
    ]
    if not groups:
        corpora = dict.fromkeys(systems[name]["tested_on"] for name in main)
        groups = [
            (None, [name for name in main if systems[name]["tested_on"] == corpus])
            for corpus in corpora
        ]
    panels = [Panel(control, names, _shared(names, summary)) for control, names in groups]
    return [panel for panel in panels if len(panel.names) * len(panel.speakers) > 1]


def _shared(names: list[str], summary: dict[str, Any]) -> list[str]:
    first, *others = (summary["systems"][name][HEADLINE]["by_speaker"] for name in names)
    return [speaker for speaker in first if all(speaker in own for own in others)]


def draw_speakers(panel: Panel, summary: dict[str, Any], folder: Path) -> Figure:
    """Draw the UAR of each speaker under the systems of a panel."""
    named = len(panel.speakers) <= MAX_NAMED
    height = max(AXES_INCHES, LABEL_INCHES * len(panel.speakers) if named else 0)
    canvas = new_canvas(WIDTH if len(panel.names) > 1 else WIDTH / 2, height + 1)
    axes = canvas.add_subplot()
    uars = np.array(
        [
            [
                100 * summary["systems"][name][HEADLINE]["by_speaker"][speaker]["uar"]
                for speaker in panel.speakers
            ]
            for name in panel.names
        ]
    )  # (systems, speakers)
    low, high = _limits(uars)
    last = len(panel.names) - 1
    axes.set_xlim(-0.3 if last else -0.05, last + 0.05 * len(panel.names))
    axes.set_ylim(low, high)
    letters = LETTERS // len(panel.names)
    ticks = [wrapped(label_of(summary, name), letters) for name in panel.names]
    axes.set_xticks(range(len(ticks)), ticks, fontsize=8)
    _draw_lines(axes, uars, panel.control is not None)
    if named:
        pairs = sorted(zip(uars[-1], panel.speakers, strict=True))
        _name_ends(axes, pairs, (low, high), LABEL_INCHES / height * (high - low))
    chance = 100 / len(summary["classes"])
    if chance >= low:
        draw_chance(axes, len(summary["classes"]))
    axes.set_ylabel("UAR in percent")
    whole_numbers(axes.yaxis)
    tidy(axes)
    legend_below(canvas)
    name = f"uar_by_speaker_{file_stem(panel.control or panel.names[0])}.svg"
    save(canvas, folder / name)
    below = "" if chance >= low else f" Guessing has {chance:.1f} %, below what is drawn."
    return Figure(
        name,
        f"UAR by speaker: {', '.join(panel.names)}",
        f"{_meaning(panel)} No model was trained with labels of the speaker whom it was tested "
        f"on.{below}",
        "speakers",
    )


def _meaning(panel: Panel) -> str:
    counted = "(mean over seeds, the headline's utterances of each)"
    if len(panel.names) == 1:
        return f"A dot is one test speaker {counted}."
    if panel.control is None:
        return f"A thin line is one test speaker under each of the main systems {counted}."
    return (
        "A thin line is one test speaker under the control and under the other main systems "
        f"{counted}: blue rises from the first to the last, orange falls. Lines that mostly go one "
        "way are what a small p needs."
    )


def _limits(uars: np.ndarray) -> tuple[float, float]:
    """Return where the axis begins and ends; a little above 100 if there is a mark at 100."""
    low = STEP * np.floor((uars.min() - 1) / STEP)
    high = STEP * np.ceil((uars.max() + 1) / STEP)
    return max(0.0, float(low)), min(101.0, float(high))


def _draw_lines(axes: Axes, uars: np.ndarray, compared: bool) -> None:
    """Draw (systems, speakers); where all are compared with the first, colour says who falls."""
    x, many = np.arange(len(uars)), uars.shape[1] > MAX_NAMED
    for line in uars.T:
        colour = COLOURS[1] if compared and line[-1] < line[0] else COLOURS[0]
        alpha = 0.35 if many else 0.8
        axes.plot(x, line, "o-", color=colour, alpha=alpha, linewidth=1, markersize=3)
    if uars.shape[1] > 1:
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
