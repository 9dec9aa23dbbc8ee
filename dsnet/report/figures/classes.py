"""Figure of the confusion matrices of the main systems, side by side."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from dsnet.report.figures.plotting import WIDTH, Figure, new_canvas, save, wrapped
from dsnet.report.summary import HEADLINE
from dsnet.report.system_tables import label


def draw_confusions(summary: dict[str, Any], folder: Path) -> Figure:
    """Draw them in percent of the labelled utterances, two a row for many classes, else three."""
    names, classes = summary["main_systems"], summary["classes"]
    columns = min(len(names), 3 if len(classes) <= 4 else 2)
    rows = -(-len(names) // columns)
    size = WIDTH / max(columns, 2)
    canvas = new_canvas(WIDTH if columns > 1 else 1.3 * size, 0.95 * size * rows + 0.3)
    grid = canvas.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(grid, names, strict=False):
        draw_matrix(axes, wrapped(label(summary, name)), summary["systems"][name][HEADLINE])
    for axes in grid[len(names) :]:
        axes.remove()
    canvas.supxlabel("recognised as", fontsize=9)
    canvas.supylabel("labelled as", fontsize=9)
    save(canvas, folder / "confusions.png")
    return Figure(
        "confusions.png",
        "What was taken for what",
        "Each row is what became of the utterances of one class, in percent (all folds and seeds "
        "added up); the diagonal holds the recalls, n is how many utterances the headline counts.",
    )


def draw_matrix(axes: Axes, name: str, scores: dict[str, Any]) -> None:
    """Draw one in percent of its rows; `scores` has "confusion" (K, K) and "class_counts"."""
    counts, sizes = np.array(scores["confusion"]), scores["class_counts"]
    percent = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    for (row, column), value in np.ndenumerate(percent):
        axes.annotate(
            f"{value:.0f}",
            (column, row),
            ha="center",
            va="center",
            fontsize=7,
            color="white" if value > 65 else "black",
        )
    axes.set_xticks(range(len(sizes)), list(sizes), rotation=35, ha="right", fontsize=7)
    rows = [f"{class_name} (n = {n})" for class_name, n in sizes.items()]
    axes.set_yticks(range(len(rows)), rows, fontsize=7)
    axes.set_title(name, fontsize=9)
