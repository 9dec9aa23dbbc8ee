"""Figures as part of an HTML page: their colours follow it, light or dark."""

import re
from pathlib import Path

from dsnet.report.figures.plotting import BACKGROUND, GRID, INK, WIDTH

_BACKGROUND = re.compile(rf'<g id="{BACKGROUND}">.*?</g>', re.DOTALL)
_HEAD = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_WIDTH = re.compile(r' width="([\d.]+)pt"')
_RULES = re.compile(r"<style[^>]*>.*?</style>", re.DOTALL)  # they would be of the whole page


def inlined(path: Path) -> str:
    """Return a figure's SVG to stand in a page.

    The page's ink takes the place of INK, its lines that of GRID, and its ground that of the white
    behind the figure. It is as wide as there is room, up to its share of the width of the page.
    """
    text = _HEAD.sub("", path.read_text(encoding="utf-8"), count=1)
    text = _RULES.sub("", text)
    text = _BACKGROUND.sub("", text, count=1)
    text = text.replace(INK, "currentColor").replace(GRID, "var(--line)")
    head, close, rest = text.partition(">")
    share = float(_WIDTH.search(head)[1]) / (72 * WIDTH)
    head = re.sub(r' (?:width|height)="[^"]*"', "", head)
    return f'{head} style="max-width: {100 * share:.0f}%"{close}{rest}'
