"""Figure of one matrix of corpora: what was taken for what.

Axes: K shared classes.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from dsnet.report.figures.heat import draw_cells, percent_of_rows
from dsnet.report.figures.plotting import WIDTH, Figure, file_stem, new_canvas, save
from dsnet.report.tables import HEADLINE

MAX_CELLS = 28  # across a figure, for percentages that are legible


def draw_matrix_confusions(matrix: dict[str, Any], summary: dict[str, Any], folder: Path) -> Figure:
    """Draw a panel for each pair of corpora of a matrix of `summary`."""
    recipes, cells, classes = matrix["recipes"], _cells(matrix, summary), summary["classes"]
    canvas = new_canvas(WIDTH, 0.4 + WIDTH * 0.98)
    grid = canvas.subplots(len(recipes), len(recipes), squeeze=False)
    canvas.get_layout_engine().set(w_pad=0.06)  # inches beside n
    num_cells = len(recipes) * len(classes)
    font_size = 7 if num_cells <= MAX_CELLS / 2 else 5
    drawn = []
    for (row, column), axes in np.ndenumerate(grid):
        cell = cells.get((row, column))
        percent = np.full((len(classes), len(classes)), np.nan)
        if cell is not None:
            percent = percent_of_rows(np.array(cell["confusion"], dtype=float))
            _name_sizes(axes, list(cell["class_counts"].values()), min(font_size + 1, 7))
        texts = {
            place: f"{value:.0f}"
            for place, value in np.ndenumerate(percent)
            if num_cells <= MAX_CELLS and not np.isnan(value)
        }
        draw_cells(axes, percent, texts, 0, font_size)
        drawn.append(percent)
        below, left = (classes if outer else [] for outer in (row == len(grid) - 1, column == 0))
        axes.set_xticks(range(len(below)), below)
        axes.set_yticks(range(len(left)), left)
        axes.tick_params(labelsize=7)
        axes.tick_params(axis="x", labelrotation=90)
        if row == 0:
            axes.set_title(f"tested on\n{recipes[column]}", fontsize=9)
        if column == 0:
            axes.set_ylabel(f"trained on\n{recipes[row]}", fontsize=9)
    canvas.supxlabel("recognised as (percent of the row)", fontsize=9)
    name = f"confusions_{file_stem(matrix['title'])}.svg"
    save(canvas, folder / name)
    return Figure(
        name,
        f"Confusion matrices of {matrix['title']} across corpora",
        "In each panel a row is what became of the utterances of one class, in percent of them, "
        "added up over models; a column is what they were taken for, white 0, dark blue 100; "
        "n is how many utterances of the class are scored"
        f"{_grey(np.array(drawn), 'does not exist')}.",
        "across",
    )


def _name_sizes(axes: Axes, sizes: list[int], font_size: float) -> None:
    """Write how many utterances a row has on its right, under the head n."""
    for row, text in enumerate(["n", *map(str, sizes)], -1):
        axes.text(len(sizes) - 0.35, row, text, va="center", fontsize=font_size)


def _grey(percent: np.ndarray, words: str) -> str:
    """Say what grey cells are if there are any."""
    return f"; grey {words}" if np.isnan(percent).any() else ""


def _cells(
    matrix: dict[str, Any], summary: dict[str, Any]
) -> dict[tuple[int, int], dict[str, Any]]:
    """Return the headline scores by row and column."""
    place = {name: number for number, name in enumerate(matrix["recipes"])}
    return {
        (place[cell["train"]], place[cell["test"]]): summary["systems"][cell["row"]][HEADLINE]
        for cell in matrix["cells"]
    }
