"""Figure that holds probes of e against UAR: does less of the speaker in e go with recognition?"""

from pathlib import Path
from typing import Any

from dsnet.report.figures.plotting import (
    GUESS,
    WIDTH,
    Figure,
    legend_below,
    look,
    new_canvas,
    save,
    tidy,
    whole_numbers,
)
from dsnet.report.system_tables import label
from dsnet.report.tables import HEADLINE

SHOWN = "speaker_same_emotion"  # of VERIFICATIONS: other pairs differ in emotion more than in voice


def draw_probes(summary: dict[str, Any], folder: Path) -> Figure | None:
    """Draw UAR over the error of telling by e who speaks, a mark a system; None of fewer
    than two.

    One speaker alone cannot be told from others, as where a fold tests one and nobody validates.
    """
    probed = {n: found for n, found in summary["probes"].items() if "e" in found["parts"]}
    marks = {
        name: (found["parts"]["e"][SHOWN]["eer"], summary["systems"][name][HEADLINE]["uar"])
        for name, found in probed.items()
    }
    marks = {
        name: mark for name, mark in marks.items() if all(m["estimate"] is not None for m in mark)
    }
    if len(marks) < 2:
        return None
    canvas = new_canvas(0.75 * WIDTH, 3.6 + 0.19 * len(marks))
    axes = canvas.add_subplot()
    for number, (name, (speaker, uar)) in enumerate(marks.items()):
        x, y = 100 * speaker["estimate"], 100 * uar["estimate"]
        colour, marker = look(number)
        if speaker["low"] is not None:
            ends = [100 * speaker["low"], 100 * speaker["high"]]
            axes.plot(ends, [y, y], color=colour, linewidth=1, alpha=0.6)
        if uar["low"] is not None:
            axes.plot([x, x], [100 * uar["low"], 100 * uar["high"]], color=colour, alpha=0.6, lw=1)
        axes.plot(
            x,
            y,
            marker,
            color=colour,
            markersize=6,
            label=label(summary, name),
        )
    chances = [found["targets"][SHOWN]["chance"] for found in probed.values()]
    for chance in {chance for chance in chances if chance is not None}:
        axes.axvline(100 * chance, color=GUESS, linewidth=1, linestyle="--")
    axes.set_xlabel("equal error rate of telling from e who speaks, in percent")
    axes.set_ylabel("UAR in percent")
    whole_numbers(axes.xaxis)
    whole_numbers(axes.yaxis)
    tidy(axes)
    legend_below(canvas, columns=1)
    known = any(m["low"] is not None for mark in marks.values() for m in mark)
    save(canvas, folder / "speaker_in_e.svg")
    return Figure(
        "speaker_in_e.svg",
        "Speaker in e against UAR",
        "How often e is wrong about whether two utterances of the same emotion are of one person, "
        "who is not in training, against the headline UAR"
        f"{', with 95 % intervals (over folds; over speakers)' if known else ''}; dashed: a guess. "
        "Disentanglement moves a system to the right; that it helps shows only if it moves up as "
        "well.",
        "embeddings",
    )
