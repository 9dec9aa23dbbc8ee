"""Tables with a row a system, as cells of text, from the numbers of `summarise`.

Scores are in percent with one decimal; a dash stands for what does not exist.
"""

from collections.abc import Sequence
from typing import Any

from dsnet.report.answer import spoken_of
from dsnet.report.tables import (
    DASH,
    HEADLINE,
    count,
    decimals,
    ends,
    interval,
    p_value,
    percent,
    without,
)
from dsnet.scoring.calibration import VARIANTS
from dsnet.systems import SYSTEMS

MOST = 12  # rows of a table that shall be read at a glance
SHORT_HEADER = [
    "system", "given beside the utterance", "UAR [95 %]", "minus control [95 %]", "p (Holm)",
    "seeds × folds",
]  # fmt: skip
PRIMARY_HEADER = [
    "system", "control", "scored on", "UAR", "UAR of control", "difference [95 %]", "of each seed",
    "p (uncorrected)", "p (Holm)", "exchanged",
]  # fmt: skip
EXPLORATORY_HEADER = PRIMARY_HEADER[:7]
SPREAD_HEADER = ["system", "UAR mean ± sd", "sd over seeds", "weighted F1"]
CALIBRATION_HEADER = [
    "system", "ECE", "Brier", "NLL", "temperature", "ECE scaled", "Brier scaled", "NLL scaled",
]  # fmt: skip
COST_HEADER = [
    "system", "kind", "features", "parameters in training", "s/epoch", "min/run", "peak memory",
]  # fmt: skip
GIVEN = {"alone": 0, "neutral": 1, "any": 2, "other": 3}  # kinds, in the order of tables


def label(summary: dict[str, Any], name: str) -> str:
    """Return a row's name as tables and figures show it: transductive ones are marked."""
    mark = " (transductive)" if summary["systems"][name]["transductive"] else ""
    return f"{name}{mark}"


def kind_of_given(facts: dict[str, Any]) -> str:
    """Return the key of GIVEN that says what a row is given of the speaker."""
    if facts["transductive"]:
        return "other"
    if facts["side_information"] == "none":
        return "alone"
    source, system = facts["enrolment"]["source"], SYSTEMS.get(facts["kind"])
    if source == "none" and system is not None and system.neutral_at_inference:
        source = "neutral"
    return source if source in GIVEN else "other"


def in_order(summary: dict[str, Any], names: Sequence[str]) -> list[str]:
    """Return rows by what they are given, and of those the best first."""

    def order(name: str) -> tuple:
        facts = summary["systems"][name]
        uar = facts[HEADLINE]["uar"]["estimate"]
        pair = (facts["across"], facts["trained_on"], facts["tested_on"])
        return (*pair, GIVEN[kind_of_given(facts)], -(uar or 0), name)

    return sorted(names, key=order)


def main_rows(summary: dict[str, Any]) -> list[str]:
    """Return the rows of a table that shall be read at a glance, in order.

    All of few. Of more than MOST the systems as their configs say; of more than MOST of these
    first those that the answer speaks of, then others with figures of their own, then other single
    ones.
    """
    systems = summary["systems"]
    if len(systems) <= MOST:
        return in_order(summary, list(systems))
    names = in_order(summary, [name for name, facts in systems.items() if facts["primary"]])
    if len(names) > MOST:
        single = [name for name in names if not systems[name]["members"]]
        first = [*spoken_of(summary), *summary["main_systems"], *single]
        names = list(dict.fromkeys(first))[:MOST]
    return in_order(summary, names or list(systems)[:MOST])


def short_rows(summary: dict[str, Any]) -> list[list[str]]:
    """Return the cells under SHORT_HEADER of `main_rows`."""
    pairs = {pair["system"]: pair for pair in summary["differences"]["pairs"]}
    rows = []
    for name in main_rows(summary):
        facts = summary["systems"][name]
        scores, pair = facts[HEADLINE], pairs.get(name)
        rows.append(
            [
                label(summary, name),
                given(facts),
                f"{interval(scores['uar'])}{without(scores)}",
                DASH if pair is None else interval(pair, "+"),
                DASH if pair is None else p_value(pair["adjusted_p"]),
                runs(facts),
            ]
        )
    return rows


def partition_table(summary: dict[str, Any]) -> tuple[list[str], list[list[str]]] | None:
    """Return header and rows of the test sets of a predefined split; None if there is one set."""
    sizes = [test["partitions"] for test in summary["test_sets"].values() if test["partitions"]]
    if not sizes:
        return None
    header = ["system"]
    for name in sizes[0]:
        header += [f"{name}: UAR [95 %]", f"{name}: macro F1"]
    rows = []
    for name in main_rows(summary):
        cells = [label(summary, name)]
        for scores in summary["systems"][name][HEADLINE]["by_partition"].values():
            cells += [f"{interval(scores['uar'])}{without(scores)}"]
            cells += [percent(scores["macro_f1"]["estimate"])]
        rows.append(cells)
    return header, rows


def worst_speaker(facts: dict[str, Any]) -> str:
    """Return the least UAR of a speaker, mean over seeds, and whose it is."""
    speakers = facts[HEADLINE]["by_speaker"]
    worst = min(speakers.items(), key=lambda item: item[1]["uar"], default=None)
    return f"{percent(worst[1]['uar'])} ({worst[0]})" if worst else DASH


def parameters(facts: dict[str, Any]) -> str:
    """Return how many parameters inference needs."""
    return _counts(facts["inference_parameters"])


def kind_of_difference(summary: dict[str, Any], pair: dict[str, Any]) -> str:
    """Return "primary", "ablation" (a changed config or task), or "other" (enrolment, input)."""
    if pair["primary"]:
        return "primary"
    facts = summary["systems"][pair["system"]]
    changed = facts["changes"] or facts["task"] != summary["test_sets"][facts["trained_on"]]["task"]
    return "ablation" if changed else "other"


def difference_rows(summary: dict[str, Any], kind: str) -> list[list[str]]:
    """Return the cells of one kind of difference.

    Under PRIMARY_HEADER those that are tested, of the others those under EXPLORATORY_HEADER.
    """
    rows = []
    for pair in summary["differences"]["pairs"]:
        if kind_of_difference(summary, pair) == kind:
            total = summary["test_sets"][summary["systems"][pair["system"]]["tested_on"]]
            cells = [
                label(summary, pair["system"]),
                label(summary, pair["control"]),
                f"{pair['num_utterances']} of {total['num_utterances']}{without(pair)}",
                percent(pair["uar"]),
                percent(pair["control_uar"]),
                interval(pair, sign="+"),
                ", ".join(percent(value, "+") for value in pair["by_seed"].values()) or DASH,
            ]
            plural = "" if pair["num_units"] == 1 else "s"
            tested = [*_p_values(pair), f"{pair['num_units']} {pair['unit']}{plural}"]
            rows.append(cells + tested if pair["primary"] else cells)
    return rows


def _p_values(pair: dict[str, Any]) -> list[str]:
    return [p_value(pair["p_value"]), p_value(pair["adjusted_p"])]


def spread_rows(summary: dict[str, Any]) -> list[list[str]]:
    """Return the cells under SPREAD_HEADER; across corpora the spread is over models."""
    over = "uar_model" if summary["across"] else "uar_fold"
    return [
        [
            label(summary, name),
            " ± ".join(percent(facts[HEADLINE][f"{over}_{what}"]) for what in ("mean", "sd")),
            percent(facts[HEADLINE]["uar_seed_sd"]),
            percent(facts[HEADLINE]["weighted_f1"]["estimate"]),
        ]
        for name, facts in summary["systems"].items()
    ]


def calibration_rows(summary: dict[str, Any]) -> list[list[str]]:
    """Return the cells under CALIBRATION_HEADER."""
    rows = []
    for name, pooled in summary["calibration"].items():
        raw, scaled = (
            [percent(scores["ece"]), decimals(scores["brier"], 3), decimals(scores["nll"], 3)]
            for scores in (pooled[variant] for variant in VARIANTS)
        )
        temperatures = " to ".join(f"{t:.2f}" for t in ends(pooled["temperatures"]))
        rows.append([label(summary, name), *raw, temperatures, *scaled])
    return rows


def cost_rows(summary: dict[str, Any]) -> list[list[str]]:
    """Return the cells under COST_HEADER; another enrolment at the test costs no training."""
    return [
        [
            label(summary, name),
            facts["kind"],
            facts["features"],
            _counts(facts["num_parameters"]),
            decimals(facts["seconds_per_epoch"], 1),
            DASH if facts["seconds"] is None else f"{facts['seconds'] / 60:.1f}",
            _memory(facts),
        ]
        for name, facts in summary["systems"].items()
        if facts["own_enrolment"] and not facts["across"]
    ]


def given(facts: dict[str, Any]) -> str:
    """Say what a row was given beside the utterance; a dash only if that is nothing."""
    words = [facts["side_information"]] if facts["side_information"] != "none" else []
    if facts["transductive"]:
        words.append("(transductive)")
    return ", ".join(words).replace(", (", " (") or DASH


def runs(facts: dict[str, Any]) -> str:
    """Return seeds × folds; of a row that lacks runs, what there is of them."""
    seeds, folds = len(facts["seeds"]), facts["num_folds"]
    if not facts["missing"]:
        return f"{seeds} × {folds}"
    if seeds == 1:
        return f"{facts['num_runs']} of {folds} folds"
    return f"{facts['num_runs']} of {facts['num_runs'] + len(facts['missing'])} runs"


def _counts(values: list[int]) -> str:
    return " to ".join(count(n) for n in ends(values)) if values else DASH


def _memory(facts: dict[str, Any]) -> str:
    if facts["peak_memory_bytes"] is None:
        return DASH
    gpu = facts["peak_gpu_bytes"]
    on_gpu = f", GPU {gpu / 2**30:.1f} GiB" if gpu is not None else ""
    return f"{facts['peak_memory_bytes'] / 2**30:.1f} GiB{on_gpu}"
