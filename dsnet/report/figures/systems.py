"""Figures that compare all systems: intervals, and what a loss weight does."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dsnet.report.figures.plotting import (
    COLOURS,
    MARKERS,
    WIDTH,
    Figure,
    file_stem,
    legend_below,
    new_canvas,
    save,
    tidy,
)
from dsnet.report.summary import HEADLINE

LOSSES = "losses."  # what the keys of loss weights begin with
MOST_LETTERS = 52  # of a system's name


def draw_forest(summary: dict[str, Any], folder: Path) -> Figure:
    """Draw every system's headline UAR with its interval, best above."""
    names = [name for name in summary["systems"] if _uar(summary, name)["estimate"] is not None]
    names.sort(key=lambda name: _uar(summary, name)["estimate"])
    canvas = new_canvas(WIDTH, 1.5 + 0.27 * len(names))
    axes = canvas.add_subplot()
    for row, name in enumerate(names):
        uar, look = _uar(summary, name), _look(summary["systems"][name])
        words, number = look
        for seed in _by_seed(summary, name):
            axes.plot(100 * seed, row, "|", color="0.55", markersize=7, zorder=1)
        if uar["low"] is not None:
            ends = [100 * uar["low"], 100 * uar["high"]]
            axes.plot(ends, [row, row], color=COLOURS[number], linewidth=1.6, zorder=2)
        axes.plot(
            100 * uar["estimate"],
            row,
            MARKERS[number],
            color=COLOURS[number],
            fillstyle="none" if summary["systems"][name][HEADLINE]["absent_classes"] else "full",
            markeredgecolor="black" if summary["systems"][name]["is_control"] else COLOURS[number],
            markersize=6.5,
            label=words,
            zorder=3,
        )
        axes.annotate(
            f"{100 * uar['estimate']:.1f}",
            (1.01, row),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(names)), [_shortened(name) for name in names], fontsize=8)
    for text, name in zip(axes.get_yticklabels(), names, strict=True):
        text.set_fontweight("bold" if summary["systems"][name]["is_control"] else "normal")
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.set_xlabel("UAR in percent")
    tidy(axes)
    axes.grid(axis="x", color="0.9", linewidth=0.8)
    legend_below(canvas, columns=2)
    save(canvas, folder / "uar_by_system.png")
    return Figure(
        "uar_by_system.png",
        "UAR of every system",
        "Headline UAR of each system with its 95 % interval over speakers, best above; a grey tick "
        "is one seed. Colour and marker say what a system is given beside the utterance; only "
        "systems with the same marker compete as equals; of a hollow one the UAR is over fewer "
        "classes. "
        "Controls are bold. Intervals overlap even where paired differences are clear: judge "
        "differences by their table.",
    )


def _shortened(name: str) -> str:
    """Return a name that leaves room for the figure."""
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"


def _uar(summary: dict[str, Any], name: str) -> dict[str, float | None]:
    return summary["systems"][name][HEADLINE]["uar"]


def _by_seed(summary: dict[str, Any], name: str) -> list[float]:
    found = summary["systems"][name][HEADLINE]["uar_by_seed"]
    return [uar for uar in found.values() if uar is not None]


def _look(facts: dict[str, Any]) -> tuple[str, int]:
    """Return the group of a system by what it is given, and the number of colour and marker."""
    if facts["transductive"]:
        return "other audio of the test speaker (transductive)", 1
    if facts["side_information"] == "none":
        return "the utterance alone", 0
    return "utterances of the speaker, which are not scored", 2


@dataclass(frozen=True)
class Sweep:
    """Variants of one system that differ in one loss weight, by ascending weight."""

    base: str
    key: str
    weights: list[float]
    names: list[str]


def find_sweeps(summary: dict[str, Any]) -> list[Sweep]:
    """Find systems of which one loss weight and nothing else was changed, for each base and weight.

    The base itself is drawn as a line, since its weight is in its config only.
    """
    groups: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for name, facts in summary["systems"].items():
        weights = {key: value for key, value in facts["changes"].items() if key.startswith(LOSSES)}
        alone = len(facts["changes"]) == 1 and not facts["task_changes"] and facts["own_enrolment"]
        if weights and alone and not facts["across"]:
            ((key, value),) = weights.items()
            group = facts["base"], key.removeprefix(LOSSES)
            groups.setdefault(group, []).append((float(value), name))
    return [
        Sweep(base, key, [weight for weight, _ in points], [name for _, name in points])
        for (base, key), points in ((group, sorted(p)) for group, p in sorted(groups.items()))
    ]


def draw_sweep(sweep: Sweep, summary: dict[str, Any], folder: Path) -> Figure:
    """Draw UAR against the weight of a loss, with intervals; the unchanged system as a line."""
    canvas = new_canvas(WIDTH, 3.2)
    axes = canvas.add_subplot()
    uars = [_uar(summary, name) for name in sweep.names]
    means = np.array([100 * uar["estimate"] for uar in uars])
    x = range(len(uars))  # evenly: weights are tried on a scale with 0 and powers
    for place, uar in zip(x, uars, strict=True):
        if uar["low"] is not None:
            axes.vlines(place, 100 * uar["low"], 100 * uar["high"], color=COLOURS[0], alpha=0.5)
    axes.plot(x, means, MARKERS[0] + "-", color=COLOURS[0], label=f"{sweep.base}, weight changed")
    if sweep.base in summary["systems"]:
        own = 100 * _uar(summary, sweep.base)["estimate"]
        axes.axhline(own, color=COLOURS[1], linewidth=1.5, label=sweep.base)
    axes.set_xticks(x, [f"{weight:g}" for weight in sweep.weights])
    axes.set_xlabel(f"losses.{sweep.key}")
    axes.set_ylabel("UAR in percent")
    tidy(axes)
    legend_below(canvas)
    name = f"sweep_{file_stem(sweep.base)}_{sweep.key}.png"
    save(canvas, folder / name)
    return Figure(
        name,
        f"UAR of {sweep.base} by {sweep.key}",
        f"UAR when losses.{sweep.key} of {sweep.base} is changed, with 95 % intervals over "
        "speakers. The weights were judged on test speakers: the best of them is not a fair "
        "result, the shape is what counts.",
    )
