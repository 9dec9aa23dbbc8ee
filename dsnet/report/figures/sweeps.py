"""Figure of what the weight of a loss does: variants of one system by ascending weight."""

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
    whole_numbers,
)
from dsnet.report.tables import HEADLINE

LOSSES = "losses."  # what the keys of loss weights begin with


@dataclass(frozen=True)
class Sweep:
    """Variants of one system that differ in one loss weight, by ascending weight."""

    base: str
    key: str
    weights: list[float]
    names: list[str]


def find_sweeps(summary: dict[str, Any]) -> list[Sweep]:
    """Find systems of which one loss weight and nothing else was changed, for each base and weight.

    The base itself is drawn as a line, since its weight is in its config only. One point has no
    shape and is no sweep.
    """
    groups: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for name, facts in summary["systems"].items():
        weights = {key: value for key, value in facts["changes"].items() if key.startswith(LOSSES)}
        alone = len(facts["changes"]) == 1 and facts["own_enrolment"] and not facts["across"]
        own_task = facts["task"] == summary["test_sets"][facts["trained_on"]]["task"]
        if weights and alone and own_task:
            ((key, value),) = weights.items()
            group = facts["base"], key.removeprefix(LOSSES)
            groups.setdefault(group, []).append((float(value), name))
    return [
        Sweep(base, key, [weight for weight, _ in points], [name for _, name in points])
        for (base, key), points in ((group, sorted(p)) for group, p in sorted(groups.items()))
        if len(points) > 1
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
    whole_numbers(axes.yaxis)
    tidy(axes)
    legend_below(canvas)
    known = any(uar["low"] is not None for uar in uars)
    name = f"sweep_{file_stem(sweep.base)}_{sweep.key}.svg"
    save(canvas, folder / name)
    return Figure(
        name,
        f"UAR of {sweep.base} by {sweep.key}",
        f"UAR when losses.{sweep.key} of {sweep.base} is changed"
        f"{', with 95 % intervals over speakers' if known else ''}. The weights were judged on "
        "test speakers: the best of them is not a fair result, the shape is what counts.",
        "ablation",
    )


def _uar(summary: dict[str, Any], name: str) -> dict[str, float | None]:
    return summary["systems"][name][HEADLINE]["uar"]
