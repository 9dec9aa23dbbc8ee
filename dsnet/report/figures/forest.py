"""Figure of all systems: UAR and interval, grouped by what they are given, best first in each."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from dsnet.report.figures.plotting import (
    COLOURS,
    GRID,
    GUESS,
    INK,
    MARKERS,
    WIDTH,
    Figure,
    new_canvas,
    save,
    tidy,
    whole_numbers,
    wrapped,
)
from dsnet.report.system_tables import GIVEN, given, kind_of_given
from dsnet.report.tables import DASH, HEADLINE

ROW_INCHES, LINE_INCHES = 0.27, 0.14  # of a system, of a line of its name
LETTERS = 36  # of a system's name that fit on a line
MANY = 12  # rows, from which on the axis has numbers above too


def draw_forest(summary: dict[str, Any], folder: Path) -> Figure:
    """Draw every system's headline UAR with its interval, a row a system."""
    systems, groups = summary["systems"], group_rows(summary)
    canvas = new_canvas(WIDTH, 1)
    axes = canvas.add_subplot()
    bottom, places = 0.0, {}  # inches from above
    for head, names in groups:
        across = axes.get_yaxis_transform()
        words = dict(fontsize=8, fontstyle="italic", va="center", transform=across)
        axes.text(0.01, bottom + ROW_INCHES / 2, head, **words)
        bottom += ROW_INCHES
        for name in names:
            height = max(ROW_INCHES, LINE_INCHES * (1 + wrapped(name, LETTERS).count("\n")) + 0.02)
            places[name] = bottom + height / 2
            bottom += height
            _draw_row(axes, places[name], systems[name])
    canvas.set_figheight(bottom + 0.9)
    axes.set_yticks([*places.values()], [wrapped(name, LETTERS) for name in places], fontsize=8)
    for text, name in zip(axes.get_yticklabels(), places, strict=True):
        text.set_fontweight("bold" if systems[name]["is_control"] else "normal")
    axes.set_ylim(bottom, 0)
    axes.set_xlabel("UAR in percent")
    axes.tick_params(axis="x", top=len(places) > MANY, labeltop=len(places) > MANY)
    whole_numbers(axes.xaxis)
    tidy(axes)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    save(canvas, folder / "uar_by_system.svg")
    return Figure("uar_by_system.svg", "UAR of every system", _caption(summary, places), "systems")


def _caption(summary: dict[str, Any], drawn: Iterable[str]) -> str:
    systems = [summary["systems"][name] for name in drawn]
    known = any(facts[HEADLINE]["uar"]["low"] is not None for facts in systems)
    sentences = [
        f"Headline UAR of each system{' with its 95 % interval over speakers' if known else ''}. "
        "Groups, and their colours and markers, say what a system is given beside the utterance; "
        "only systems of one group compete as equals. The best of a group is above."
    ]
    if any(map(_has_seeds, systems)):
        sentences.append("A grey tick is one seed of several.")
    if any(facts[HEADLINE]["absent_classes"] for facts in systems):
        sentences.append("Of a hollow marker the UAR is over fewer classes.")
    if any(facts["is_control"] for facts in systems):
        sentences.append("Controls are bold.")
    if known and len(systems) > 1:
        sentences.append(
            "Intervals overlap even where paired differences are clear: judge differences by "
            "their table."
        )
    return " ".join(sentences)


def group_rows(summary: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Return the head of each group and its systems, those that have a UAR.

    Groups are of one corpus and of what is given: nothing, neutral clips, any clips, other; fewer
    clips first.
    """
    names = [name for name, facts in summary["systems"].items() if _estimate(facts) is not None]
    corpora = list(summary["test_sets"])

    def order(name: str) -> tuple:
        facts = summary["systems"][name]
        place = GIVEN[kind_of_given(facts)]
        return corpora.index(facts["tested_on"]), place, facts["enrolment"]["count"], given(facts)

    def head(name: str) -> str:
        facts = summary["systems"][name]
        words = given(facts)
        words = "the utterance alone" if words == DASH else words
        return f"tested on {facts['tested_on']}: {words}" if summary["across"] else words

    best_first = sorted(names, key=lambda name: -_estimate(summary["systems"][name]))
    return [
        (head(group[0]), group)
        for group in (list(g) for _, g in groupby(sorted(best_first, key=order), key=order))
    ]


def _draw_row(axes: Axes, place: float, facts: dict[str, Any]) -> None:
    scores, number = facts[HEADLINE], GIVEN[kind_of_given(facts)]
    uar, colour = scores["uar"], COLOURS[number]
    for seed in scores["uar_by_seed"].values():
        if _has_seeds(facts) and seed is not None:
            axes.plot(100 * seed, place, "|", color=GUESS, markersize=7, zorder=1)
    if uar["low"] is not None:
        ends = [100 * uar["low"], 100 * uar["high"]]
        axes.plot(ends, [place, place], color=colour, linewidth=1.6, zorder=2)
    axes.plot(
        100 * uar["estimate"],
        place,
        MARKERS[number],
        color=colour,
        fillstyle="none" if scores["absent_classes"] else "full",
        markeredgecolor=colour,
        markersize=6.5,
        zorder=3,
    )
    axes.annotate(
        f"{100 * uar['estimate']:.1f}",
        (1.01, place),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize=8,
        fontweight="bold" if facts["is_control"] else "normal",
        color=INK,
    )


def _has_seeds(facts: dict[str, Any]) -> bool:
    return len(facts[HEADLINE]["uar_by_seed"]) > 1


def _estimate(facts: dict[str, Any]) -> float | None:
    return facts[HEADLINE]["uar"]["estimate"]
