"""What all figures share: size, colours, markers, and how they are saved.

Colours are those of Okabe and Ito, which people with colour-blindness tell apart; yellow is darker
than theirs, to be seen on white, and grey stands for their black. Markers repeat what colours say.

A page may show a figure on another ground than white: what is pure black (INK) is a line or a text
on the page's ground and may change with it; what stands on a coloured cell is ON_CELL or PAPER.
"""

import io
import re
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from dsnet.files import write_text

DPI = 150  # of what is rasterised
WIDTH = 7.6  # inches: 730 pixels of a page
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#777777", "#A89C00")
MARKERS = "osD^vPX*"
INK, PAPER = "#000000", "#ffffff"  # axes and text; the ground
ON_CELL = "#111111"  # text on a light cell
GRID, GUESS, ABSENT = "#e6e6e6", "#666666", "#d9d9d9"  # lines; a guess; a cell that is not there
# as text is measured, then what is as wide or narrower
FONTS = ["DejaVu Sans", "Verdana", "Arial"]
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
BACKGROUND = "patch_1"  # matplotlib's id of the ground of a figure


@dataclass(frozen=True)
class Figure:
    """A file in figures/, its title, and a sentence on how to read it.

    Args:
        file_name: an SVG.
        title: says what is drawn.
        caption: says how it is read.
        topic: the part of the page where it belongs: systems, speakers, classes, calibration,
            learning, embeddings, across or ablation.
    """

    file_name: str
    title: str
    caption: str
    topic: str


def file_stem(system: str) -> str:
    """Return a system's name as part of a file name that is a link as it stands."""
    return re.sub(r"[^\w.-]", "-", system)


def wrapped(label: str, letters: int = 40) -> str:
    """Break a row's name for a title or an axis; what stands behind its system begins a line.

    Args:
        label: of the row.
        letters: that fit on a line; what is longer is broken at its underscores.
    """
    lines: list[str] = []
    for line in re.split(r" (?=\()|(?<=,) ", label):
        lines.append("")
        for word in re.split(r"(?<=[ ,])|(?=[+@])", line):
            parts = [word] if len(word) <= letters else re.split(r"(?<=_)", word)
            for part in parts:
                if lines[-1] and len(lines[-1] + part) > letters:
                    lines.append("")
                lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


def look(number: int) -> tuple[str, str]:
    """Return colour and marker of the n-th of many; 64 pairs differ, the first 8 in both."""
    turn, place = divmod(number, len(COLOURS))
    return COLOURS[place], MARKERS[(place + turn) % len(MARKERS)]


def new_canvas(width: float, height: float) -> Canvas:
    """Return an empty figure; sizes in inches."""
    # A figure of its own, not pyplot's: no global state, no window.
    return Canvas(figsize=(width, height), dpi=DPI, layout="constrained")


def save(canvas: Canvas, path: Path) -> None:
    """Write a figure as SVG with text as text; the same figure gives the same bytes.

    Its ids are its own, by its file's name, so that one page can hold many: clip paths and marks
    are salted, and no group has one but the ground.
    """
    for axes in canvas.axes:
        axes.patch.set_visible(False)  # the canvas has the ground
    settings = {
        "svg.fonttype": "none",
        "svg.hashsalt": path.name,
        "font.family": "sans-serif",
        "font.sans-serif": FONTS,
    }
    drawn = io.StringIO()
    with matplotlib.rc_context(settings):
        canvas.savefig(drawn, format="svg", metadata=NO_METADATA)
    text = re.sub(rf'<g id="(?!{BACKGROUND}")[^"]*"', "<g", drawn.getvalue())
    write_text(path, re.sub(r"<[^>]+>", lambda tag: _hundredths(tag[0]), text))


def _hundredths(tag: str) -> str:
    """Cut coordinates, in points, behind the second digit: files become half as large."""
    return re.sub(r"(\.\d\d)\d+", r"\1", tag)


def tidy(axes: Axes) -> None:
    """Leave horizontal grid lines, and spines on the left and below."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def whole_numbers(axis: Axis) -> None:
    """Leave numbers without a decimal on an axis."""
    axis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10], integer=True))


def draw_chance(axes: Axes, num_classes: int) -> None:
    """Draw a horizontal line at the UAR of a guess, in percent."""
    axes.axhline(100 / num_classes, color=GUESS, linewidth=1, linestyle="--", label="guessing")


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
