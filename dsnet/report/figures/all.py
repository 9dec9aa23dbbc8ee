"""Which figures the report has.

Comparisons show every system or the main ones in one figure each; confusion matrices, learning
curves and maps are drawn of the main systems only (`summary.main_systems`): a page of twenty
systems with three figures each would hide what matters. The tables have all systems.
"""

from pathlib import Path
from typing import Any

from dsnet.report.figures.calibration import draw_reliability
from dsnet.report.figures.classes import draw_confusions
from dsnet.report.figures.curves import draw_curves
from dsnet.report.figures.embeddings import draw_map, embedding_map
from dsnet.report.figures.forest import draw_forest
from dsnet.report.figures.matrices import draw_matrix_confusions
from dsnet.report.figures.plotting import Figure
from dsnet.report.figures.probes import draw_probes
from dsnet.report.figures.speakers import draw_speakers
from dsnet.report.figures.sweeps import draw_sweep, find_sweeps
from dsnet.results.runs import Results


def draw_figures(results: Results, summary: dict[str, Any], folder: Path) -> list[Figure]:
    """Draw every figure into `folder`; pictures of an earlier scoring go.

    Args:
        results: what was tested.
        summary: from `summarise`, of the same results, and `probes` (may be empty).
        folder: figures/; made if it is not there.

    Returns:
        What was drawn, in the order of the report. Curves and maps need files of training and
        inference; those of systems whose files are not here are left out.
    """
    figures = _draw(results, summary, folder)
    drawn = {figure.file_name for figure in figures}
    for path in folder.iterdir():
        if path.suffix in (".svg", ".png") and path.name not in drawn:
            path.unlink()
    return figures


def _draw(results: Results, summary: dict[str, Any], folder: Path) -> list[Figure]:
    main = [s for name in summary["main_systems"] for s in results.systems if s.name == name]
    figures = [draw_forest(summary, folder)]
    figures += [draw_matrix_confusions(one, summary, folder) for one in summary["matrices"]]
    speakers = draw_speakers(summary, folder)
    if speakers is not None:
        figures.append(speakers)
    figures += [draw_sweep(sweep, summary, folder) for sweep in find_sweeps(summary)]
    probes = draw_probes(summary, folder)
    if probes is not None:
        figures.append(probes)
    reliability = draw_reliability(summary, folder)
    if reliability is not None:
        figures.append(reliability)
    figures.append(draw_confusions(summary, folder))
    if summary["across"]:  # their models are shown on the pages of the corpora that trained them
        return figures
    curves = draw_curves(main, len(results.classes), folder)
    if curves is not None:
        figures.append(curves)
    for system in main:
        task = system.test_set.task
        run = next((run for run in system.runs if run.folder is not None), None)
        points = embedding_map(run.folder, task) if run else None
        if points is not None:
            figures.append(draw_map(system, run, points, task.classes, folder))
    return figures
