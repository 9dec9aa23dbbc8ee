"""RESULTS.md: the answer, one table and one figure; all the rest is in index.html beside it."""

from typing import Any

from dsnet.report.answer import answer_lines, missing_lines
from dsnet.report.figures.plotting import Figure
from dsnet.report.matrices import matrix_table
from dsnet.report.provenance import GENERATION, Provenance
from dsnet.report.system_tables import SHORT_HEADER, main_rows, partition_table, short_rows
from dsnet.report.tables import markdown_table
from dsnet.report.words import protocol

MOST_MISSING = 3


def head(summary: dict[str, Any]) -> str:
    """Return how RESULTS.md begins, by which pages of one generation are known."""
    return (
        f"# Results: {summary['title']}\n\n"
        f"Written by stage 5 of the recipe (pages of generation {GENERATION}); a change by hand is "
        "lost at the next run."
    )


def results_md(summary: dict[str, Any], provenance: Provenance, figures: list[Figure]) -> str:
    """Return the text of RESULTS.md.

    Args:
        summary: from `summarise`, and the `title` of the page and `num_stale`.
        provenance: where and by which command.
        figures: what lies in figures/ beside the file; the first is shown.
    """
    missing = missing_lines(summary)
    shown = [f"- **Not complete**: {line}" for line in missing[:MOST_MISSING]]
    if len(missing) > MOST_MISSING:
        shown.append(f"- and {len(missing) - MOST_MISSING} more gaps, see `index.html`")
    if summary["num_stale"]:
        shown.append(
            f"- {summary['num_stale']} stale runs are left out; `index.html` says which and why"
        )
    left_out = len(summary["systems"]) - len(main_rows(summary))
    rest = f" {left_out} more rows are in [index.html](index.html)." if left_out else ""
    origin = (
        f"Made by `{provenance.command}` at revision {provenance.git_revision} on "
        f"{provenance.date}."
    )
    parts = [
        head(summary),
        "\n".join([*(f"- {line}" for line in answer_lines(summary)), *shown]),
        *_table(summary),
        "UAR in percent, in brackets a 95 % interval over the tested speakers; differences are on "
        f"the utterances that neither system was given, p corrected by Holm.{rest} "
        f"{protocol(summary)}",
        *(f"![{figure.title}](figures/{figure.file_name})" for figure in figures[:1]),
        "Every system with its folds, classes, configs and confusions, differences, speakers, "
        "calibration, embeddings, mistakes to listen to, and what the words mean: "
        "[index.html](index.html), one file to be opened in a browser. All numbers: "
        "[metrics.json](metrics.json); every run: [ledger.jsonl](ledger.jsonl).",
        origin,
    ]
    return "\n\n".join(parts) + "\n"


def _table(summary: dict[str, Any]) -> list[str]:
    if summary["matrices"]:
        header, rows = matrix_table(summary)
        return [markdown_table(header, rows)]
    by_set = partition_table(summary)
    tables = [markdown_table(SHORT_HEADER, short_rows(summary))]
    return [*tables, markdown_table(*by_set)] if by_set else tables
