"""A table of percentages as coloured cells, with a text in each that has one."""

import matplotlib
import numpy as np
from matplotlib.axes import Axes

from dsnet.report.figures.plotting import ABSENT, ON_CELL, PAPER

COLOURED = matplotlib.colormaps["Blues"].with_extremes(bad=ABSENT)
DARK = 0.65  # of the scale, above which text is white


def percent_of_rows(counts: np.ndarray) -> np.ndarray:
    """Return each row of (K, K) counts in percent of its sum; NaN for a row of nothing."""
    totals = counts.sum(1, keepdims=True)
    return np.where(totals > 0, 100 * counts / np.maximum(totals, 1), np.nan)


def draw_cells(
    axes: Axes,
    percent: np.ndarray,
    texts: dict[tuple[int, int], str],
    lowest: float,
    font_size: float,
) -> None:
    """Draw cells, the first row above; the middle of a cell is at (column, row).

    Args:
        axes: empty.
        percent: (R, C), NaN for a cell that does not exist.
        texts: of cells, by row and column.
        lowest: percentage that is white; 100 is the darkest.
        font_size: of the texts, points.
    """
    rows, columns = percent.shape
    axes.pcolormesh(
        np.arange(columns + 1) - 0.5,
        np.arange(rows + 1) - 0.5,
        np.ma.masked_invalid(percent),
        cmap=COLOURED,
        vmin=lowest,
        vmax=100,
        edgecolors=PAPER,  # without edges renderers leave hairlines between cells
        linewidth=0.5,
        clip_on=False,
    )
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    axes.tick_params(length=2)
    for (row, column), text in texts.items():
        dark = percent[row, column] > lowest + DARK * (100 - lowest)
        axes.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=font_size,
            color=PAPER if dark else ON_CELL,
        )
