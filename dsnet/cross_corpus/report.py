"""RESULTS.md and the table for the terminal, from the numbers of `summarise_matrices`.

Scores are shown in percent with one decimal; a dash stands for what does not exist.
"""

import shlex
from typing import Any

from dsnet.report.figures.plotting import Figure
from dsnet.report.page import figure_md, version_list
from dsnet.report.provenance import Provenance
from dsnet.report.tables import DASH, interval, markdown_table, percent

HEADER = [
    "system", "target audio", "trained on", "tested on", "folds × seeds", "utterances",
    "UAR mean ± sd over models", "UAR pooled [95 %]", "WAR",
]  # fmt: skip
NOT_USED = "not used"  # the target's audio, beyond the utterance at hand
_USES = {
    "none": "Nothing of the tested corpus was used before the test: no audio, label or statistic.",
    "corpus": "**Transductive**: before the test the log-mels of the tested corpus were shifted "
    "and scaled, bin by bin, so that their mean and deviation over all of its task utterances "
    "became those of the model's training part. That uses all of the tested corpus's audio, "
    "without its labels.",
    "speaker": "**Transductive**: before the test the log-mels of each tested speaker were shifted "
    "and scaled, bin by bin, so that their mean and deviation over all of the speaker's task "
    "utterances became those of the model's training part. That uses all of the tested "
    "speakers' audio, without its labels, and knows who speaks.",
}


def cell_rows(summary: dict[str, Any]) -> list[list[str]]:
    """Return the cells that have figures under HEADER, a row a cell."""
    return [
        [
            matrix["system"],
            _use(matrix, cell),
            cell["train"],
            cell["test"],
            f"{len(cell['folds'])} × {len(cell['seeds'])}",
            str(cell["utterances"]),
            f"{percent(cell['uar_model_mean'])} ± {percent(cell['uar_model_sd'])}",
            interval(cell["uar"]),
            percent(cell["war"]["estimate"]),
        ]
        for matrix in summary["matrices"]
        for cell in _in_order(matrix)
        if "problem" not in cell
    ]


def results_md(
    summary: dict[str, Any], task_name: str, provenance: Provenance, figures: list[list[Figure]]
) -> str:
    """Return the text of RESULTS.md.

    Args:
        summary: from `summarise_matrices`.
        task_name: name of the shared classes, such as 6class.
        provenance: where and by which command.
        figures: for each matrix what lies in figures/ beside the file.
    """
    sections = [
        part
        for matrix, drawn in zip(summary["matrices"], figures, strict=True)
        for part in _section(summary, matrix, task_name, drawn)
    ]
    parts = [
        f"# Results: models of one corpus on another, {task_name}",
        "Written by stage 5 of the recipe; a change by hand is lost at the next run.",
        _protocol(summary),
        _how_to_read(summary),
        *sections,
        "## Classes",
        "Classes of each recipe's task that make up a shared one, with the utterances of the task. "
        "Models of a recipe were trained on its ignored classes too, but cannot answer with them; "
        "tested utterances of ignored classes are left out.",
        _classes(summary),
        "## How this was made",
        _provenance(summary, provenance),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _protocol(summary: dict[str, Any]) -> str:
    classes = summary["classes"]
    return (
        f"{len(classes)} shared classes ({', '.join(classes)}); guessing has a UAR of "
        f"{percent(1 / len(classes))} %. Rows: the corpus that the models were trained on. "
        "Columns: the corpus that they were tested on. Off the diagonal every model of the row's "
        "recipe, one for each of its folds and seeds, was tested on all utterances of the column's "
        "task that have a shared class. On the diagonal each model was tested on the test speakers "
        "of its own fold, as in the recipe's own results. No model was chosen or changed by labels "
        "of a corpus that it was not trained on. A model answers with a shared class: the "
        "probability of one is the sum over the model's classes that make it up, probabilities of "
        "ignored classes are dropped, and the highest sum is the answer."
    )


def _how_to_read(summary: dict[str, Any]) -> str:
    bootstrap = summary["bootstrap"]
    return (
        "Scores in percent. UAR: mean recall of the shared classes that occur; WAR: accuracy. "
        "Mean ± standard deviation over models. Off the diagonal these share most of their "
        "training data and all of the tested utterances, so the deviation says how much the choice "
        "of training speakers and seed matters; it is no confidence interval. On the diagonal it "
        "is over folds, whose test speakers differ. In brackets: how far the mean over models "
        f"would move with other speakers of the tested corpus ({100 * bootstrap['level']:.0f} % "
        f"percentile interval of a bootstrap over them, {bootstrap['resamples']:,} resamples); "
        "other training speakers are not in it. On the diagonal it goes with the pooled UAR: all "
        "folds together, since a fold alone is small."
    )


def _section(
    summary: dict[str, Any], matrix: dict[str, Any], task_name: str, figures: list[Figure]
) -> list[str]:
    use = matrix["target_statistics"]
    title = matrix["system"] if use == "none" else f"{matrix['system']}, transductive: {use}"
    words = _USES[use]
    if use != "none":
        words += (
            " The diagonal is without it, as in the table without target statistics; the others "
            "are not to be compared with it as equals."
        )
    rows = cell_rows({"matrices": [matrix]})
    return [
        f"## {title}",
        words,
        "UAR, trained on (rows), tested on (columns):",
        _matrix_table(matrix),
        _problems(matrix, task_name),
        markdown_table(HEADER[2:], [row[2:] for row in rows]),
        "Recall of each class, mean over models (on the diagonal pooled over folds, mean over "
        "seeds):",
        _recalls(summary, matrix),
        *(figure_md(figure) for figure in figures),
    ]


def _matrix_table(matrix: dict[str, Any]) -> str:
    cells = {(cell["train"], cell["test"]): cell for cell in matrix["cells"]}
    mark = "" if matrix["target_statistics"] == "none" else " (transductive)"
    rows = [
        [
            f"{train}{mark}",
            *(_matrix_cell(cells.get((train, test))) for test in matrix["recipes"]),
        ]
        for train in matrix["recipes"]
    ]
    return markdown_table(["trained on", *matrix["recipes"]], rows)


def _matrix_cell(cell: dict[str, Any] | None) -> str:
    if cell is None:
        return DASH
    if "problem" in cell:
        return "out of date" if cell["train"] != cell["test"] else DASH
    text = f"{percent(cell['uar_model_mean'])} ± {percent(cell['uar_model_sd'])}"
    if cell["train"] == cell["test"]:
        return f"{text}; pooled {interval(cell['uar'])}"
    low, high = percent(cell["uar"]["low"]), percent(cell["uar"]["high"])
    return f"{text} [{low}, {high}]"


def _problems(matrix: dict[str, Any], task_name: str) -> str:
    """Name what is out of date or incomplete; an empty text if nothing is."""
    lines = []
    for cell in _in_order(matrix):
        where = f"- trained on {cell['train']}, tested on {cell['test']}"
        if "problem" in cell:
            lines.append(f"{where}: no figures: {' '.join(cell['problem'].split())}")
            if cell["train"] != cell["test"]:
                lines[-1] += f". Run: `{_command(matrix, cell, task_name)}`"
        elif cell["missing"]:
            named = ", ".join(f"seed {m['seed']} fold {m['fold']}" for m in cell["missing"][:10])
            lines.append(
                f"{where}: {cell['models']} of {cell['models'] + len(cell['missing'])} models; "
                f"not there: {named}{', ...' if len(cell['missing']) > 10 else ''}"
            )
    return "\n".join(["**Not complete**:", "", *lines]) if lines else ""


def _command(matrix: dict[str, Any], cell: dict[str, Any], task_name: str) -> str:
    words = ["bash", "egs/cross_corpus/run.sh", "--train", f"egs/{cell['train']}"]
    words += ["--test", f"egs/{cell['test']}", "--task", task_name, "--systems", matrix["system"]]
    words += ["--seeds", " ".join(map(str, cell["seeds"]))]
    if matrix["target_statistics"] != "none":
        words += ["--target-statistics", matrix["target_statistics"]]
    return shlex.join(words)


def _recalls(summary: dict[str, Any], matrix: dict[str, Any]) -> str:
    rows = [
        [
            cell["train"],
            cell["test"],
            *(percent(cell["recalls"][name]) for name in summary["classes"]),
        ]
        for cell in _in_order(matrix)
        if "problem" not in cell
    ]
    return markdown_table(["trained on", "tested on", *summary["classes"]], rows)


def _classes(summary: dict[str, Any]) -> str:
    rows = [
        [
            f"{name}, {facts['task']}",
            str(facts["speakers"]),
            str(facts["folds"]),
            str(facts["utterances"]),
            *(_counts(facts["classes"][shared]) for shared in summary["classes"]),
            _counts(facts["left_out"]) or DASH,
        ]
        for name, facts in summary["recipes"].items()
    ]
    header = ["recipe, task", "speakers", "folds", "utterances", *summary["classes"], "ignored"]
    return markdown_table(header, rows)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.items())


def _provenance(summary: dict[str, Any], provenance: Provenance) -> str:
    cells = [c for matrix in summary["matrices"] for c in matrix["cells"] if "problem" not in c]
    trained_at = sorted({revision for cell in cells for revision in cell["trained_at"]})
    trained_with = sorted({version_list(v) for cell in cells for v in cell["trained_with"]})
    return "\n".join(
        [
            f"- Last command: `{provenance.command}`; other pairs by the same one with their "
            "recipes and systems",
            f"- Trained at revision {', '.join(trained_at)} with {'; '.join(trained_with)}",
            f"- Scored at revision {provenance.git_revision} with "
            f"{version_list(provenance.versions)}",
            f"- Date: {provenance.date}; the machine that scored has {provenance.num_cpus} CPUs",
            "- All figures of this page and more, confusion counts among them: `metrics.json`",
        ]
    )


def _in_order(matrix: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the cells row by row."""
    place = {name: number for number, name in enumerate(matrix["recipes"])}
    return sorted(matrix["cells"], key=lambda c: (place[c["train"]], place[c["test"]]))


def _use(matrix: dict[str, Any], cell: dict[str, Any]) -> str:
    use = matrix["target_statistics"]
    if use == "none" or cell["train"] == cell["test"]:
        return NOT_USED
    return f"{use} statistics (transductive)"
