"""Figure of the confusion matrices of the main systems, side by side."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from dsnet.report.figures.heat import draw_cells, percent_of_rows
from dsnet.report.figures.plotting import WIDTH, Figure, new_canvas, save, wrapped
from dsnet.report.system_tables import label
from dsnet.report.tables import HEADLINE


def draw_confusions(summary: dict[str, Any], folder: Path) -> Figure:
    """Draw them in percent of the labelled utterances, two a row for many classes, else three."""
    names, classes = summary["main_systems"], summary["classes"]
    columns = min(len(names), 3 if len(classes) <= 4 else 2)
    rows = -(-len(names) // columns)
    size = WIDTH / max(columns, 2)
    canvas = new_canvas(WIDTH if columns > 1 else size, (size - 0.4) * rows + 0.3)
    grid = canvas.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(grid, names, strict=False):
        draw_matrix(
            axes, wrapped(label(summary, name), 84 // columns), summary["systems"][name][HEADLINE]
        )
    for axes in grid[len(names) :]:
        axes.remove()
    canvas.supxlabel("recognised as (percent of the row)", fontsize=9)
    canvas.supylabel("labelled as", fontsize=9)
    save(canvas, folder / "confusions.svg")
    return Figure(
        "confusions.svg",
        "What was taken for what",
        "Each row is what became of the utterances of one class, in percent (all folds and seeds "
        "added up); the diagonal holds the recalls, n is how many utterances the headline counts.",
        "classes",
    )


def draw_matrix(axes: Axes, name: str, scores: dict[str, Any]) -> None:
    """Draw one in percent of its rows; `scores` has "confusion" (K, K) and "class_counts"."""
    percent, sizes = percent_of_rows(np.array(scores["confusion"])), scores["class_counts"]
    texts = {
        place: f"{value:.0f}" for place, value in np.ndenumerate(percent) if not np.isnan(value)
    }
    draw_cells(axes, percent, texts, 0, 7)
    axes.set_xticks(range(len(sizes)), list(sizes), rotation=35, ha="right", fontsize=7)
    rows = [f"{class_name} (n = {n})" for class_name, n in sizes.items()]
    axes.set_yticks(range(len(rows)), rows, fontsize=7)
    axes.set_title(name, fontsize=9)
