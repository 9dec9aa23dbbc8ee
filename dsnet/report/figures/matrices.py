"""Figures of one matrix of corpora: its UARs, and what was taken for what.

Axes: K shared classes.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from dsnet.report.figures.plotting import WIDTH, Figure, file_stem, new_canvas, save
from dsnet.report.summary import HEADLINE


def draw_matrices(matrix: dict[str, Any], summary: dict[str, Any], folder: Path) -> list[Figure]:
    """Draw both figures of a matrix of `summary` into `folder`."""
    return [_draw_uar(matrix, summary, folder), _draw_confusions(matrix, summary, folder)]


def _draw_uar(matrix: dict[str, Any], summary: dict[str, Any], folder: Path) -> Figure:
    recipes, cells, chance = matrix["recipes"], _cells(matrix, summary), 1 / len(summary["classes"])
    size = min(WIDTH, 2.4 + 1.05 * len(recipes))
    canvas = new_canvas(size, 0.82 * size)
    axes = canvas.add_subplot()
    uars = np.full((len(recipes), len(recipes)), np.nan)
    texts = {}
    for (row, column), cell in cells.items():
        uars[row, column] = 100 * cell["uar"]["estimate"]
        deviation = cell["uar_model_sd"]
        texts[row, column] = f"{uars[row, column]:.1f}"
        if row != column and deviation is not None:
            texts[row, column] += f"\n± {100 * deviation:.1f}"
    _heat(axes, uars, texts, 100 * chance, 10)
    axes.set_xticks(range(len(recipes)), recipes, rotation=25, ha="right")
    axes.set_yticks(range(len(recipes)), recipes)
    axes.set_xlabel("tested on")
    axes.set_ylabel("trained on")
    axes.set_title(f"{matrix['title']}: UAR in percent", fontsize=11)
    name = f"matrix_{file_stem(matrix['title'])}.png"
    save(canvas, folder / name)
    return Figure(
        name,
        f"UAR of {matrix['title']} across corpora",
        "UAR in percent, mean ± deviation over models; on the diagonal pooled over the folds. "
        f"White is guessing ({100 * chance:.1f} %) or worse; grey was not scored.",
    )


def _draw_confusions(matrix: dict[str, Any], summary: dict[str, Any], folder: Path) -> Figure:
    recipes, cells, classes = matrix["recipes"], _cells(matrix, summary), summary["classes"]
    canvas = new_canvas(WIDTH, 0.4 + WIDTH * 0.98)
    grid = canvas.subplots(len(recipes), len(recipes), squeeze=False)
    small = len(recipes) * len(classes) > 14  # counts would not be legible
    for (row, column), axes in np.ndenumerate(grid):
        cell = cells.get((row, column))
        percent = np.full((len(classes), len(classes)), np.nan)
        if cell is not None:
            counts = np.array(cell["confusion"], dtype=float)
            totals = counts.sum(1, keepdims=True)
            percent = np.where(totals > 0, 100 * counts / np.maximum(totals, 1), np.nan)
        texts = {
            place: f"{value:.0f}"
            for place, value in np.ndenumerate(percent)
            if not small and not np.isnan(value)
        }
        _heat(axes, percent, texts, 0, 7)
        axes.set_xticks(range(len(classes)), classes if row == len(recipes) - 1 else [])
        axes.set_yticks(range(len(classes)), classes if column == 0 else [])
        axes.tick_params(labelsize=7, length=2)
        axes.tick_params(axis="x", labelrotation=90)
        if row == 0:
            axes.set_title(f"tested on\n{recipes[column]}", fontsize=9)
        if column == 0:
            axes.set_ylabel(f"trained on\n{recipes[row]}", fontsize=9)
    canvas.suptitle(f"{matrix['title']}: what was taken for what", fontsize=11)
    name = f"confusions_{file_stem(matrix['title'])}.png"
    save(canvas, folder / name)
    return Figure(
        name,
        f"Confusion matrices of {matrix['title']} across corpora",
        "In each panel a row is what became of the utterances of one class, in percent of them, "
        "added up over models; a column is what they were taken for; grey does not exist.",
    )


def _heat(
    axes: Axes, values: np.ndarray, texts: dict[tuple[int, int], str], low: float, size: int
) -> None:
    """Colour a table from `low` (white) to 100 percent, with a text in each cell that has one."""
    axes.set_facecolor("0.85")
    axes.imshow(np.ma.masked_invalid(values), cmap="Blues", vmin=low, vmax=100)
    for (row, column), text in texts.items():
        dark = values[row, column] > low + 0.65 * (100 - low)
        axes.annotate(
            text,
            (column, row),
            ha="center",
            va="center",
            fontsize=size,
            color="white" if dark else "black",
        )


def _cells(
    matrix: dict[str, Any], summary: dict[str, Any]
) -> dict[tuple[int, int], dict[str, Any]]:
    """Return the headline scores by row and column."""
    place = {name: number for number, name in enumerate(matrix["recipes"])}
    return {
        (place[cell["train"]], place[cell["test"]]): summary["systems"][cell["row"]][HEADLINE]
        for cell in matrix["cells"]
    }
