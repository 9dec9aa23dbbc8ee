"""Figures within a page: they follow its colours and its width, and keep their own."""

from matplotlib.figure import Figure as Canvas

from dsnet.report.figures.plotting import COLOURS, GRID, INK, PAPER, WIDTH, save
from dsnet.report.inlined import inlined


def test_ink_and_ground_are_those_of_the_page(tmp_path):
    canvas = Canvas(figsize=(4, 3))
    axes = canvas.add_subplot()
    axes.plot([0, 1], color=COLOURS[0])
    axes.plot([1, 0], color=INK)
    axes.grid(color=GRID)
    axes.set_title("a < b & c")
    save(canvas, tmp_path / "one.svg")
    whole, text = (tmp_path / "one.svg").read_text(), inlined(tmp_path / "one.svg")
    assert INK in whole and GRID in whole and whole.count(PAPER) > text.count(PAPER)
    assert text.startswith("<svg") and "<?xml" not in text and "DOCTYPE" not in text
    assert INK not in text and GRID not in text
    assert "currentColor" in text and "var(--line)" in text
    assert COLOURS[0].lower() in text and "a &lt; b &amp; c" in text
    head = text[: text.index(">")]
    assert "viewBox" in head and " width=" not in head and " height=" not in head
    assert f"max-width: {100 * 4 / WIDTH:.0f}%" in head
