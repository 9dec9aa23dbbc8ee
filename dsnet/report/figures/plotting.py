"""What all figures share: size, colours, markers, and how they are saved.

Colours are those of Okabe and Ito, which people with colour-blindness tell apart; yellow is darker
than theirs, to be seen on white. Markers repeat what colours say.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from dsnet.files import replacing

DPI = 110
WIDTH = 7.6  # inches: 836 pixels, a README's width
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#A89C00")
MARKERS = "osD^vPX*"


@dataclass(frozen=True)
class Figure:
    """A file in figures/, its title, and a sentence on how to read it."""

    file_name: str
    title: str
    caption: str


def file_stem(system: str) -> str:
    """Return a system's name as part of a file name that is a link as it stands."""
    return re.sub(r"[^\w.-]", "-", system)


def wrapped(label: str) -> str:
    """Return a row's name for a title: what stands behind its system on lines of its own."""
    return label.replace(", ", ",\n").replace(" (", "\n(")


def new_canvas(width: float, height: float) -> Canvas:
    """Return an empty figure; sizes in inches."""
    # A figure of its own, not pyplot's: no global state, no window, always the Agg renderer.
    return Canvas(figsize=(width, height), dpi=DPI, layout="constrained")


def save(canvas: Canvas, path: Path) -> None:
    """Write a figure as PNG; the same figure gives the same bytes."""
    with replacing(path) as temporary:
        canvas.savefig(temporary, format="png", metadata={"Software": None})


def tidy(axes: Axes) -> None:
    """Leave horizontal grid lines, and spines on the left and below."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)


def draw_chance(axes: Axes, num_classes: int) -> None:
    """Draw a horizontal line at the UAR of a guess, in percent."""
    axes.axhline(100 / num_classes, color="0.4", linewidth=1, linestyle="--", label="guessing")


def legend_below(canvas: Canvas, columns: int = 4) -> None:
    """Put one legend for all axes below them, each label once."""
    found = {
        label: handle
        for axes in canvas.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    canvas.legend(
        found.values(),
        found.keys(),
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=9,
    )
