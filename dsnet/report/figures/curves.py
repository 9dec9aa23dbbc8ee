"""Figure of the learning curves of the main systems, a row a system."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from dsnet.errors import ScoringError
from dsnet.files import read_lines
from dsnet.report.figures.plotting import (
    COLOURS,
    INK,
    WIDTH,
    Figure,
    draw_chance,
    legend_below,
    new_canvas,
    save,
    tidy,
    wrapped,
)
from dsnet.results.runs import Run, SystemResults

Log = list[dict[str, Any]]  # log.jsonl, one entry an epoch


def draw_curves(systems: Sequence[SystemResults], num_classes: int, folder: Path) -> Figure | None:
    """Draw training loss and validation UAR of every network; None if there are no logs here."""
    logs = {system.name: _read_logs(system) for system in systems}
    logs = {name: pairs for name, pairs in logs.items() if pairs}
    if not logs:
        return None
    validated = any(map(_is_validated, logs.values()))
    columns = min(2, len(logs) * (1 + validated))
    rows = len(logs) if validated else -(-len(logs) // columns)
    canvas = new_canvas(WIDTH if columns > 1 else 0.6 * WIDTH, 1.95 * rows + 0.5)
    panels = canvas.subplots(rows, columns, squeeze=False).ravel().tolist()
    for name, pairs in logs.items():
        _draw_losses(panels.pop(0), name, pairs)
        if _is_validated(pairs):
            _draw_validation(panels.pop(0), pairs, num_classes)
        elif validated:
            panels.pop(0).remove()
    for axes in panels:
        axes.remove()
    for axes in canvas.axes:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("epoch", fontsize=9)
        axes.tick_params(labelsize=8)
        tidy(axes)
    legend_below(canvas)
    save(canvas, folder / "learning.svg")
    over = "; a falling loss under a flat validation UAR is overfitting" if validated else ""
    return Figure(
        "learning.svg",
        "Learning curves",
        f"{'A row' if validated else 'A panel'} is a system, a thin line one network of it (a fold "
        "and seed), the thick line the mean of those still in training, as long as half of them "
        f"are{over}. The loss is the sum of all terms, which differ from system to system.",
        "learning",
    )


def _is_validated(pairs: list[tuple[Run, Log]]) -> bool:
    """Say whether somebody validates in the folds of a system."""
    return all(log[0]["dev"] for _, log in pairs)


def _draw_losses(axes: Axes, name: str, pairs: list[tuple[Run, Log]]) -> None:
    losses = [[entry["train"]["loss"] for entry in log] for _, log in pairs]
    _draw_lines(axes, losses)
    axes.set_title(wrapped(name, 36), fontsize=9, loc="left", fontweight="bold")
    axes.set_ylabel("training loss", fontsize=9)
    if min(map(min, losses)) >= 0:
        axes.set_ylim(bottom=0)


def _draw_validation(axes: Axes, pairs: list[tuple[Run, Log]], num_classes: int) -> None:
    uars = [[100 * entry["dev"]["uar"] for entry in log] for _, log in pairs]
    _draw_lines(axes, uars)
    for uar, (run, _) in zip(uars, pairs, strict=True):
        epoch = run.info["training"]["selected_epoch"]
        if run.info["training"]["selection"] == "best":  # the last epoch needs no mark
            ring = dict(color=INK, fillstyle="none", markersize=4, label="epoch that was tested")
            axes.plot(epoch, uar[epoch - 1], "o", **ring)
    draw_chance(axes, num_classes)
    axes.set_ylim(0, 100)
    axes.set_ylabel("validation UAR\nin percent", fontsize=9)


def _read_logs(system: SystemResults) -> list[tuple[Run, Log]]:
    """Read the log of each run that has one; an SVM has none."""
    pairs = []
    for run in system.runs:
        path = run.folder / "log.jsonl" if run.folder else None
        if path is not None and path.is_file():
            log = [_parse(line, path, number) for number, line in enumerate(read_lines(path), 1)]
            epochs = run.info["training"].get("epochs") or max(1, len(log))
            if len(log) != epochs:
                raise ScoringError(
                    f"{path}: {epochs} epochs were trained, found {len(log)} in it; delete it, or "
                    "rerun stage 3"
                )
            pairs.append((run, log))
    return pairs


def _parse(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise ScoringError(f"{path}:{number}: not valid JSON ({error}); rerun stage 3") from error


def _draw_lines(axes: Axes, lines: Sequence[Sequence[float]]) -> None:
    for line in lines:
        axes.plot(
            range(1, len(line) + 1),
            line,
            color=COLOURS[0],
            alpha=max(0.2, min(0.35, 6 / len(lines))),
            linewidth=0.8,
            marker="" if len(line) > 1 else ".",
            label="one network",
        )
    longest = max(map(len, lines))
    means = []
    for epoch in range(longest):
        values = [line[epoch] for line in lines if len(line) > epoch]
        if 2 * len(values) >= len(lines):
            means.append(np.mean(values))
    axes.plot(range(1, len(means) + 1), means, color=COLOURS[1], linewidth=1.6, label="mean")
