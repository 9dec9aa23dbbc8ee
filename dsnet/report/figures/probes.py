"""Figure that holds probes of e against UAR: does less of the speaker in e go with recognition?"""

from pathlib import Path
from typing import Any

from dsnet.report.figures.plotting import COLOURS, MARKERS, WIDTH, Figure, new_canvas, save, tidy
from dsnet.report.summary import ALL


def draw_probes(summary: dict[str, Any], folder: Path) -> Figure:
    """Draw UAR over the accuracy of a linear speaker probe of e, a mark a system."""
    canvas = new_canvas(0.75 * WIDTH, 3.9)
    axes = canvas.add_subplot()
    probed = {n: found for n, found in summary["probes"].items() if "e" in found["parts"]}
    for number, (name, found) in enumerate(probed.items()):
        speaker = found["parts"]["e"]["speaker"]["linear"]
        uar = summary[ALL]["systems"][name]["uar"]
        if speaker["estimate"] is None:
            continue
        x, y = 100 * speaker["estimate"], 100 * uar["estimate"]
        colour = COLOURS[number % len(COLOURS)]
        if speaker["low"] is not None:
            ends = [100 * speaker["low"], 100 * speaker["high"]]
            axes.plot(ends, [y, y], color=colour, linewidth=1, alpha=0.6)
        if uar["low"] is not None:
            axes.plot([x, x], [100 * uar["low"], 100 * uar["high"]], color=colour, alpha=0.6, lw=1)
        axes.plot(x, y, MARKERS[number % len(MARKERS)], color=colour, markersize=6, label=name)
    chances = [found["targets"]["speaker"]["chance"] for found in probed.values()]
    for chance in {chance for chance in chances if chance is not None}:
        axes.axvline(100 * chance, color="0.4", linewidth=1, linestyle="--")
    axes.set_xlabel("speakers told apart from e, in percent")
    axes.set_ylabel("UAR in percent")
    tidy(axes)
    axes.legend(frameon=False, fontsize=8)
    save(canvas, folder / "speaker_in_e.png")
    return Figure(
        "speaker_in_e.png",
        "Speaker in e against UAR",
        "How well a linear probe tells held-out speakers apart from e, against UAR over all test "
        "utterances, with 95 % intervals (over folds; over speakers); dashed: a guess. "
        "Disentanglement moves a system to the left; that it helps shows only if it moves up as "
        "well.",
    )
