"""Trained on (rows), tested on (columns): the rows of a page as matrices, a matrix a system.

A cell is a row of the page: models of one corpus tested on all of another or, on the diagonal, on
the test speakers of their own folds.
"""

import json
from typing import Any

from dsnet.report.tables import DASH, HEADLINE, interval, percent, without
from dsnet.results.runs import Results, SystemResults

_NORMALISED = {
    "corpus": "before the test the features of the tested corpus were shifted and scaled, "
    "dimension by dimension, so that their mean and deviation over all of its task utterances "
    "became those of the model's training part. That uses all of the tested corpus's audio, "
    "without its labels.",
    "speaker": "before the test the features of each tested speaker were shifted and scaled, "
    "dimension by dimension, so that their mean and deviation over all of the speaker's task "
    "utterances became those of the model's training part. That uses all of the tested speakers' "
    "audio, without its labels, and knows who speaks.",
}


def find_matrices(results: Results) -> list[dict[str, Any]]:
    """Group the rows that were tested on another corpus, with the diagonals that go with them.

    Returns:
        For each matrix its `title`, the `recipes` in the order of the test sets, and `cells`:
        `train`, `test` and the name of the `row`. The diagonal is never normalised by the target.
    """
    groups: dict[tuple, list[SystemResults]] = {}
    for row in results.systems:
        if row.across:
            groups.setdefault((*_system(row), row.info["normalised_by_target"]), []).append(row)
    found = []
    for (*system, _), rows in groups.items():
        names = {row.info[key] for row in rows for key in ("trained_on", "tested_on")}
        rows += [
            row
            for row in results.systems
            if not row.across and row.test_set.name in names and _system(row) == tuple(system)
        ]
        order = [test.name for test in results.test_sets if test.name in names]
        recipes = order + sorted(names - set(order))  # the latter are trained on only
        cells = [
            {"train": row.info["trained_on"], "test": row.info["tested_on"], "row": row.name}
            for row in rows
        ]
        cells.sort(key=lambda c: (recipes.index(c["train"]), recipes.index(c["test"])))
        found.append({"title": _title(rows[0]), "recipes": recipes, "cells": cells})
    return found


def _system(row: SystemResults) -> tuple[str, ...]:
    what = (row.info["system"], _changes(row), row.info["enrolment"])
    return tuple(json.dumps(one, sort_keys=True) for one in what)


def _changes(row: SystemResults) -> dict[str, str]:
    """Return what its task has in another way than that of the page, which may be a variant."""
    return row.info["task_changes"] if row.other_task else {}


def _title(row: SystemResults) -> str:
    info = row.info
    words = [f"{key}={value}" for key, value in _changes(row).items()]
    if not info["own_enrolment"]:
        words.append(f"enrolment: {info['side_information']}")
    if info["normalised_by_target"] != "none":
        words.append(f"transductive: {info['normalised_by_target']}")
    elif info["transductive"]:
        words.append("transductive")
    return f"{info['system']} ({', '.join(words)})" if words else info["system"]


def uses_md(facts: dict[str, Any]) -> str:
    """Say what was used of the corpus that a row was tested on, before or beside the test.

    Args:
        facts: of a row that was trained on another corpus.
    """
    sentences, side = [], facts["side_information"]
    if facts["normalised_by_target"] != "none":
        sentences.append(f"**Transductive**: {_NORMALISED[facts['normalised_by_target']]}")
    if side != "none" and facts["normalised_by_target"] == "none":
        mark = "**Transductive**: " if facts["transductive"] else ""
        sentences.append(f"{mark}Models were given {side}.")
    if facts["num_given"]:
        sentences.append("The utterances that a model was given are not scored.")
    if not sentences and facts["transductive"]:
        sentences.append("**Transductive**: audio of the tested corpus was used, not its labels.")
    return " ".join(sentences) or (
        "Nothing of the tested corpus was used before the test: no audio, label or statistic."
    )


def matrix_rows(matrix: dict[str, Any], summary: dict[str, Any]) -> list[list[str]]:
    """Return a matrix as cells: what was trained on, then a cell for each of its recipes.

    Args:
        matrix: of `summary`.
        summary: from `summarise`.
    """
    cells = {(cell["train"], cell["test"]): cell["row"] for cell in matrix["cells"]}
    return [
        [train, *(_cell(cells.get((train, test)), summary) for test in matrix["recipes"])]
        for train in matrix["recipes"]
    ]


def matrix_table(summary: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return all matrices as one table: header and cells."""
    recipes = list(summary["test_sets"])
    rows = []
    for matrix in summary["matrices"]:
        for train, *cells in matrix_rows(matrix, summary):
            of = dict(zip(matrix["recipes"], cells, strict=True))
            rows.append([matrix["title"], train, *(of.get(name, DASH) for name in recipes)])
    return ["system", "trained on", *(f"on {name}" for name in recipes)], rows


def matrix_uses(matrix: dict[str, Any], summary: dict[str, Any]) -> str:
    """Say what was used of the tested corpora, in Markdown; arguments as of `matrix_rows`."""
    across = [
        summary["systems"][cell["row"]] for cell in matrix["cells"] if cell["train"] != cell["test"]
    ]
    uses = list(dict.fromkeys(uses_md(facts) for facts in across))
    if any(facts["normalised_by_target"] != "none" for facts in across):
        uses.append(
            "The diagonal is without it, as in the table without target statistics; the others "
            "are not to be compared with it as equals."
        )
    return " ".join(uses)


def _cell(row: str | None, summary: dict[str, Any]) -> str:
    if row is None:
        return DASH
    facts = summary["systems"][row]
    scores = facts[HEADLINE]
    text = f"{percent(scores['uar_model_mean'])} ± {percent(scores['uar_model_sd'])}"
    pooled = interval(scores["uar"])
    # across corpora the pooled score is the mean over models: its interval is enough
    text += f" [{pooled.partition(' [')[2]}" if facts["across"] else f"; pooled {pooled}"
    text += without(scores)
    if facts["transductive"]:
        text += " (transductive)"
    if facts["missing"]:
        text += f"; {facts['num_runs']} of {facts['num_runs'] + len(facts['missing'])} models"
    return text
