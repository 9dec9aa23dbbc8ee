"""index.html: all that stage 5 knows, one file that needs nothing but itself.

What the page shows is computed here; dsnet/report/look has its template, style and script. The
script hides (rows' details, variants, sections behind tabs), sorts and filters; without it
everything is there, one below the other. Printed are all sections and rows, and open details.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import markdown
from markupsafe import Markup, escape

from dsnet.probes import summary as probes
from dsnet.report import system_tables as tables
from dsnet.report import words
from dsnet.report.answer import (
    best_rows,
    folds_there,
    is_shown,
    missing_lines,
    remark,
    subject_pairs,
)
from dsnet.report.figures.plotting import Figure
from dsnet.report.inlined import inlined
from dsnet.report.listening import Listening
from dsnet.report.matrices import matrix_table, matrix_uses
from dsnet.report.provenance import GENERATION, Provenance
from dsnet.report.tables import (
    DASH,
    HEADLINE,
    WITHOUT,
    interval,
    p_value,
    percent,
    without,
    without_empty,
)

MOST_NAMES = 30  # speakers in a cell


@dataclass(frozen=True)
class Extras:
    """What a page shows beside the numbers of `summarise`.

    Args:
        config_changes: of each row, how its config differs from its control's.
        listening: mistakes to listen to; None: nobody's posteriors are here.
        stale: sections in Markdown on results that do not count.
        tried: sections in Markdown on what was tried.
    """

    config_changes: Mapping[str, Sequence[str]]
    listening: Listening | None
    stale: Sequence[str]
    tried: Sequence[str]


def page_html(
    summary: dict[str, Any],
    provenance: Provenance,
    figures: Sequence[Figure],
    figure_dir: Path,
    extras: Extras,
) -> str:
    """Return the text of index.html.

    Args:
        summary: from `summarise`, and the `title` of the page and `probes`.
        provenance: where and by which command.
        figures: what was drawn.
        figure_dir: folder with their files.
        extras: see there.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dsnet.report", "look"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["markdown"] = to_html
    environment.filters["breakable"] = breakable
    drawn = [
        {"figure": figure, "svg": Markup(inlined(figure_dir / figure.file_name))}
        for figure in figures
    ]
    pairs = {pair["system"]: pair for pair in summary["differences"]["pairs"]}
    context = {
        "summary": summary,
        "generation": GENERATION,
        "style": Markup(_look("palette.css") + _look("page.css")),
        "script": Markup(_look("page.js")),
        "answers": _answers(summary),
        "added": _added(summary),
        "missing": missing_lines(summary),
        "groups": _groups(summary, pairs, extras),
        "bar_start": _bar_start(summary),
        "figures": lambda *topics: [one for one in drawn if one["figure"].topic in topics],
        "primary": (tables.PRIMARY_HEADER, tables.difference_rows(summary, "primary")),
        "ablation": (tables.EXPLORATORY_HEADER, tables.difference_rows(summary, "ablation")),
        "exploratory": (tables.EXPLORATORY_HEADER, tables.difference_rows(summary, "other")),
        "matrices": matrix_table(summary) if summary["matrices"] else None,
        "matrix_uses": _uses(summary),
        "by_partition": tables.partition_table(summary),
        "folds": _folds(summary),
        "spread": (tables.SPREAD_HEADER, tables.spread_rows(summary)),
        "calibration": (tables.CALIBRATION_HEADER, tables.calibration_rows(summary)),
        "cost": (tables.COST_HEADER, tables.cost_rows(summary)),
        "probes": without_empty(probes.HEADER, probes.probe_rows(summary["probes"])),
        "probe_words": probes.EXPLANATION,
        "words": words,
        "provenance": provenance,
        "extras": extras,
    }
    return environment.get_template("page.html").render(context)


def to_html(text: str) -> Markup:
    """Return Markdown of our own as HTML."""
    return Markup(markdown.markdown(text, extensions=["tables", "sane_lists"]))


def breakable(name: str) -> Markup:
    """Return a name that may be broken behind _ and +."""
    return Markup(re.sub(r"([_+])(?=[a-z])", r"\1<wbr>", str(escape(name))))


def _look(name: str) -> str:
    return (Path(__file__).parent / "look" / name).read_text(encoding="utf-8")


def _answers(summary: dict[str, Any]) -> list[dict[str, str]]:
    answers = []
    for best in best_rows(summary):
        scores = summary["systems"][best.row][HEADLINE]
        estimate, _, brackets = interval(scores["uar"]).partition(" ")
        answers.append(
            {
                "given": best.given,
                "estimate": estimate,
                "interval": brackets,
                "row": best.row,
                "more": f"{best.rivals}; {folds_there(summary, best.row)}",
            }
        )
    return answers


def _added(summary: dict[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "system": pair["system"],
            "control": pair["control"],
            "difference": interval(pair, "+"),
            "verdict": remark(summary, pair),
            "shown": is_shown(pair),
        }
        for pair in subject_pairs(summary)
    ]


def _groups(
    summary: dict[str, Any], pairs: Mapping[str, dict[str, Any]], extras: Extras
) -> list[list[dict[str, Any]]]:
    """Return the rows of the table: a system as its config says, then what was tried of it.

    Of a system that is there only with a changed key, that with its own enrolment comes first.
    """

    def own_first(name: str) -> tuple[bool, bool]:
        facts = summary["systems"][name]
        return not facts["primary"], not facts["own_enrolment"]

    groups: dict[tuple, list[str]] = {}
    for name in tables.in_order(summary, list(summary["systems"])):
        facts = summary["systems"][name]
        key = (facts["base"], facts["trained_on"], facts["tested_on"])
        groups.setdefault(key, []).append(name)
    ordered = []
    for names in groups.values():
        ordered.append(sorted(names, key=own_first))
    first = tables.in_order(summary, [names[0] for names in ordered])
    ordered.sort(key=lambda names: first.index(names[0]))
    return [[_row(summary, name, pairs, extras) for name in names] for names in ordered]


def _row(
    summary: dict[str, Any], name: str, pairs: Mapping[str, dict[str, Any]], extras: Extras
) -> dict[str, Any]:
    facts, pair = summary["systems"][name], pairs.get(name)
    scores = facts[HEADLINE]
    total = summary["test_sets"][facts["tested_on"]]["num_utterances"]
    return {
        "name": tables.label(summary, name),
        "facts": facts,
        "kind": tables.kind_of_given(facts),
        "given": tables.given(facts),
        "uar": scores["uar"],
        "uar_text": f"{interval(scores['uar'])}{without(scores)}",
        "difference": None if pair is None else pair["estimate"],
        "difference_text": DASH if pair is None else interval(pair, "+"),
        "p": None if pair is None else pair["adjusted_p"],
        "p_text": DASH if pair is None else p_value(pair["adjusted_p"]),
        "shown": pair is not None and is_shown(pair),
        "war": percent(scores["war"]["estimate"]),
        "f1": percent(scores["macro_f1"]["estimate"]),
        "worst": tables.worst_speaker(facts),
        "parameters": tables.parameters(facts),
        "runs": tables.runs(facts),
        "scored": f"{scores['num_utterances']} of {total}",
        "without": f"{interval(facts[WITHOUT]['uar'])}{without(facts[WITHOUT])}",
        "selected": words.selected(facts) or "what its members test",
        "classes": _classes(scores),
        "confusion": _confusion(scores),
        "folds": [
            (fold, percent(uar)) for fold, uar in scores["uar_by_fold"].items()
        ] if not facts["across"] else [],
        "seeds": [(seed, percent(uar)) for seed, uar in scores["uar_by_seed"].items()],
        "changes": extras.config_changes.get(name, ()),
        "search": f"{name} {facts['kind']} {facts['features']} {tables.given(facts)}".lower(),
    }  # fmt: skip


def _classes(scores: dict[str, Any]) -> list[tuple[str, str, int]]:
    """Return each class with its recall and how many utterances it has."""
    return [
        (name, percent(recall), scores["class_counts"][name])
        for name, recall in scores["class_recalls"].items()
    ]


def _confusion(scores: dict[str, Any]) -> list[tuple[str, list[int | None]]]:
    """Return each class with what became of its utterances, in whole percent."""
    rows = []
    for name, counts in zip(scores["class_counts"], scores["confusion"], strict=True):
        total = sum(counts)
        rows.append((name, [round(100 * n / total) if total else None for n in counts]))
    return rows


def _bar_start(summary: dict[str, Any]) -> float:
    """Return where the bars of the table begin, in percent."""
    lows = [
        facts[HEADLINE]["uar"]["low"] or facts[HEADLINE]["uar"]["estimate"]
        for facts in summary["systems"].values()
    ]
    least = min((low for low in lows if low is not None), default=0)
    return min(90.0, 10 * math.floor(10 * least))


def _uses(summary: dict[str, Any]) -> dict[str, list[str]]:
    """Return what was used of tested corpora, and the matrices of which that is said."""
    found: dict[str, list[str]] = {}
    for matrix in summary["matrices"]:
        found.setdefault(matrix_uses(matrix, summary), []).append(matrix["title"])
    return found


def _folds(summary: dict[str, Any]) -> tuple[list[str], list[list[str]]] | None:
    """Return the table of folds with the main systems; across corpora folds are not tested."""
    if summary["across"]:
        return None
    (test,) = summary["test_sets"].values()
    systems = {name: summary["systems"][name][HEADLINE] for name in summary["main_systems"]}
    rows = [
        [
            name,
            _names(fold["test_speakers"]),
            _names(fold["dev_speakers"]),
            str(fold["num_scored"]),
            *(percent(scores["uar_by_fold"].get(name)) for scores in systems.values()),
        ]
        for name, fold in test["folds"].items()
    ]
    return ["fold", "tests", "validates", "test utterances", *systems], rows


def _names(speakers: Sequence[str]) -> str:
    if len(speakers) > MOST_NAMES:
        return f"{len(speakers)} speakers"
    return ", ".join(speakers) or DASH
