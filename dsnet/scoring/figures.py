"""Figures of the report: UAR by speaker; for each system confusion matrix and learning curves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from dsnet.scoring.embeddings import draw_map, embedding_map
from dsnet.scoring.plotting import COLOURS, MARKERS, WIDTH, Figure, new_canvas, save, tidy
from dsnet.scoring.results import Results, SystemResults

MAX_MARKS = 100  # of speakers times systems that the eye can still tell apart in one figure


def draw_figures(results: Results, summary: dict[str, Any], folder: Path) -> list[Figure]:
    """Draw every figure into `folder`.

    Args:
        results: what was tested.
        summary: from `summarise`, of the same results.
        folder: figures/; made if it is not there.

    Returns:
        What was drawn, in the order of the report. A map is drawn for systems with both e and s.
    """
    figures = [_draw_speakers(summary, folder)]
    for system in results.systems:
        figures.append(_draw_confusion(system.name, summary, folder))
        figures.append(_draw_curves(system, len(results.task.classes), folder))
        points = embedding_map(system.runs[0].folder, results.task)
        if points is not None:
            figures.append(draw_map(system, points, results.task.classes, folder))
    return figures


def _draw_confusion(name: str, summary: dict[str, Any], folder: Path) -> Figure:
    classes = summary["classes"]
    counts = np.array(summary["all"]["systems"][name]["confusion"])  # (K, K)
    percent = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    num_seeds = len(summary["systems"][name]["seeds"])
    size = min(WIDTH, 1.6 + 0.62 * len(classes))
    canvas = new_canvas(size, 0.88 * size)
    axes = canvas.add_subplot()
    axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    for (row, column), value in np.ndenumerate(percent):
        axes.annotate(
            f"{value:.0f} %\n({counts[row, column]})",
            (column, row),
            ha="center",
            va="center",
            fontsize=8,
            color="white" if value > 65 else "black",
        )
    axes.set_xticks(range(len(classes)), classes, rotation=35, ha="right")
    axes.set_yticks(
        range(len(classes)),
        [f"{label} ({total})" for label, total in zip(classes, counts.sum(1), strict=True)],
    )
    axes.set_xlabel("recognised as")
    axes.set_ylabel("labelled as (utterances)")
    seeds = f", {num_seeds} seeds added up" if num_seeds > 1 else ""
    axes.set_title(f"{name}: what was taken for what", fontsize=11)
    save(canvas, folder / f"confusion_{name}.png")
    return Figure(
        f"confusion_{name}.png",
        f"Confusion matrix of {name}",
        f"Each row is what became of the utterances of one class under {name}, in percent and "
        f"counts (all folds{seeds}); the diagonal holds the recalls.",
    )


def _draw_speakers(summary: dict[str, Any], folder: Path) -> Figure:
    scores = {name: s["by_speaker"] for name, s in summary["all"]["systems"].items()}
    canvas = new_canvas(WIDTH, 3.9)
    axes = canvas.add_subplot()
    one_by_one = len(scores) * summary["num_speakers"] <= MAX_MARKS
    if one_by_one:
        how = _mark_speakers(axes, scores)
        canvas.suptitle("UAR by test speaker, hardest speaker first", fontsize=11)
    else:
        how = _mark_systems(axes, scores)
        canvas.suptitle(f"UAR of {summary['num_speakers']} test speakers", fontsize=11)
    _chance(axes, len(summary["classes"]))
    axes.tick_params(axis="x", length=0)
    axes.set_ylim(0, 101)
    axes.set_ylabel("UAR in percent")
    tidy(axes)
    canvas.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    save(canvas, folder / "uar_by_speaker.png")
    return Figure(
        "uar_by_speaker.png",
        "UAR by speaker",
        f"{how} The dashed line is guessing; no network had heard the speaker whom it was tested "
        "on.",
    )


def _mark_speakers(axes: Axes, scores: dict[str, dict[str, Any]]) -> str:
    """Draw a column for each speaker and a mark in it for each system; return how to read it."""
    counts = {spk: entry["num_utterances"] for s in scores.values() for spk, entry in s.items()}
    order = sorted(
        counts, key=lambda spk: np.mean([s[spk]["uar"] for s in scores.values() if spk in s])
    )
    step = min(0.8 / len(scores), 0.2)
    for number, (name, by_speaker) in enumerate(scores.items()):
        shift = (number - (len(scores) - 1) / 2) * step
        there = [(x + shift, by_speaker[spk]) for x, spk in enumerate(order) if spk in by_speaker]
        means = np.array([100 * entry["uar"] for _, entry in there])
        seeds = [
            [100 * uar for uar in entry["uar_by_seed"] if uar is not None] for _, entry in there
        ]
        lows, highs = np.array([min(s) for s in seeds]), np.array([max(s) for s in seeds])
        axes.errorbar(
            [x for x, _ in there],
            means,
            yerr=[np.maximum(means - lows, 0), np.maximum(highs - means, 0)],
            fmt=MARKERS[number % len(MARKERS)],
            color=COLOURS[number % len(COLOURS)],
            markersize=5 if len(order) <= 16 else 4,
            elinewidth=1,
            label=name,
        )
    for x in range(1, len(order)):
        axes.axvline(x - 0.5, color="0.93", linewidth=0.8, zorder=0)
    totals = [f"({counts[spk]})" for spk in order]
    with_totals = _fit_side_by_side([*order, *totals], len(order))
    labels = [f"{spk}\n{total}" for spk, total in zip(order, totals, strict=True)]
    axes.set_xticks(
        range(len(order)),
        labels if with_totals else order,
        rotation=0 if _fit_side_by_side(order, len(order)) else 90,
    )
    axes.set_xlim(-0.6, len(order) - 0.4)
    axes.set_xlabel("test speaker (utterances)" if with_totals else "test speaker")
    return (
        "Each column is a speaker, sorted by the mean of all systems; a mark is the mean over "
        "seeds, its bar goes from the worst to the best seed."
    )


def _mark_systems(axes: Axes, scores: dict[str, dict[str, Any]]) -> str:
    """Draw a column for each system and a dot in it for each speaker; return how to read it."""
    for x, by_speaker in enumerate(scores.values()):
        uars = np.sort([100 * entry["uar"] for entry in by_speaker.values()])
        spread = 0.6 * (np.arange(len(uars)) * 0.618 % 1 - 0.5)  # golden ratio: evenly, no chance
        axes.plot(x + spread, uars, "o", color=COLOURS[0], alpha=0.5, markersize=3.5, mew=0)
        axes.hlines(
            np.median(uars),
            x - 0.38,
            x + 0.38,
            color=COLOURS[1],
            linewidth=2.2,
            label="" if x else "median",
        )
    tilted = not _fit_side_by_side(list(scores), len(scores))
    axes.set_xticks(
        range(len(scores)),
        scores,
        rotation=20 if tilted else 0,
        ha="right" if tilted else "center",
        rotation_mode="anchor",
    )
    axes.set_xlim(-0.6, len(scores) - 0.4)
    return "Each dot is a speaker (mean over seeds); the thick line is the median speaker."


def _fit_side_by_side(labels: list[str], num_columns: int) -> bool:
    return num_columns * (max(map(len, labels)) + 1) <= 75  # characters in a figure's width


def _chance(axes: Axes, num_classes: int) -> None:
    axes.axhline(100 / num_classes, color="0.4", linewidth=1, linestyle="--", label="guessing")


def _draw_curves(system: SystemResults, num_classes: int, folder: Path) -> Figure:
    canvas = new_canvas(WIDTH, 3.1)
    left, right = canvas.subplots(1, 2)
    losses = [[entry["train"]["loss"] for entry in run.log] for run in system.runs]
    uars = [[100 * entry["dev"]["uar"] for entry in run.log] for run in system.runs]
    _draw_lines(left, losses)
    _draw_lines(right, uars)
    if system.runs[0].train["selection"] == "best":  # the last epoch needs no mark
        for uar, run in zip(uars, system.runs, strict=True):
            epoch = run.train["selected_epoch"]
            label = "epoch that was tested" if run is system.runs[0] else ""
            right.plot(epoch, uar[epoch - 1], "o", color="black", markersize=3.5, label=label)
    _chance(right, num_classes)
    left.set_title("Training loss (sum of all terms)", fontsize=10)
    left.set_ylabel("loss")
    if min(map(min, losses)) >= 0:
        left.set_ylim(bottom=0)
    right.set_title("UAR of the validation speakers", fontsize=10)
    right.set_ylabel("UAR in percent")
    right.set_ylim(0, 100)
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        tidy(axes)
    canvas.suptitle(f"{system.name}: learning curves of {len(system.runs)} networks", fontsize=11)
    handles = {
        label: handle
        for axes in (left, right)
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    canvas.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=4,
        frameon=False,
        fontsize=9,
    )
    save(canvas, folder / f"learning_{system.name}.png")
    return Figure(
        f"learning_{system.name}.png",
        f"Learning curves of {system.name}",
        f"A thin line is one network of {system.name} (a fold and seed), the thick line the mean "
        "of those still in training, as long as half of them are; a falling loss under a flat "
        "validation UAR is overfitting.",
    )


def _draw_lines(axes: Axes, lines: Sequence[Sequence[float]]) -> None:
    for number, line in enumerate(lines):
        axes.plot(
            range(1, len(line) + 1),
            line,
            color=COLOURS[0],
            alpha=max(0.1, min(0.35, 6 / len(lines))),
            linewidth=0.8,
            marker="" if len(line) > 1 else ".",
            label="" if number else "one network",
        )
    longest = max(map(len, lines))
    means = []
    for epoch in range(longest):
        values = [line[epoch] for line in lines if len(line) > epoch]
        if 2 * len(values) >= len(lines):
            means.append(np.mean(values))
    axes.plot(range(1, len(means) + 1), means, color=COLOURS[1], linewidth=2.2, label="mean")
