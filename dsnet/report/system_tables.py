"""The page's tables with a row a system, as cells of text, from the numbers of `summarise`.

Scores are in percent with one decimal; a dash stands for what does not exist.
"""

from typing import Any

from dsnet.report.summary import HEADLINE, WITHOUT
from dsnet.report.tables import (
    DASH,
    count,
    decimals,
    ends,
    interval,
    p_value,
    percent,
    without,
)
from dsnet.scoring.calibration import VARIANTS

SYSTEMS_HEADER = [
    "system", "given beside the utterance", "UAR [95 %]", "scored on",
    "UAR without references [95 %]", "WAR", "macro F1", "worst speaker", "parameters",
    "seeds × folds",
]  # fmt: skip
SHORT_HEADER = [
    "system", "UAR [95 %]", "seeds × folds", "minus control", "p (uncorrected)", "p (Holm)",
]  # fmt: skip
PRIMARY_HEADER = [
    "system", "control", "scored on", "UAR", "UAR of control", "difference [95 %]",
    "p (uncorrected)", "p (Holm)", "exchanged",
]  # fmt: skip
EXPLORATORY_HEADER = PRIMARY_HEADER[:6]
SPREAD_HEADER = ["system", "UAR mean ± sd", "sd over seeds", "weighted F1"]
CALIBRATION_HEADER = [
    "system", "ECE", "Brier", "NLL", "temperature", "ECE scaled", "Brier scaled", "NLL scaled",
]  # fmt: skip
COST_HEADER = [
    "system", "kind", "features", "parameters in training", "s/epoch", "min/run", "peak memory",
]  # fmt: skip


def label(summary: dict[str, Any], name: str) -> str:
    """Return a row's name as tables and figures show it: transductive ones are marked."""
    mark = " (transductive)" if summary["systems"][name]["transductive"] else ""
    return f"{name}{mark}"


def system_rows(summary: dict[str, Any]) -> list[list[str]]:
    """Return the cells under SYSTEMS_HEADER; the headline is bold."""
    rows = []
    for name, facts in summary["systems"].items():
        scores = facts[HEADLINE]
        total = summary["test_sets"][facts["tested_on"]]["num_utterances"]
        worst = min(scores["by_speaker"].items(), key=lambda item: item[1]["uar"], default=None)
        rows.append(
            [
                label(summary, name),
                given(facts),
                f"**{interval(scores['uar'])}**{without(scores)}",
                f"{scores['num_utterances']} of {total}",
                f"{interval(facts[WITHOUT]['uar'])}{without(facts[WITHOUT])}",
                percent(scores["war"]["estimate"]),
                percent(scores["macro_f1"]["estimate"]),
                f"{percent(worst[1]['uar'])} ({worst[0]})" if worst else DASH,
                _counts(facts["inference_parameters"]),
                runs(facts),
            ]
        )
    return rows


def short_rows(summary: dict[str, Any]) -> list[list[str]]:
    """Return the cells under SHORT_HEADER, for the terminal."""
    pairs = {pair["system"]: pair for pair in summary["differences"]["pairs"]}
    rows = []
    for name, facts in summary["systems"].items():
        scores = facts[HEADLINE]
        cells = [
            label(summary, name), f"{interval(scores['uar'])}{without(scores)}", runs(facts),
        ]  # fmt: skip
        if name in pairs:
            pair = pairs[name]
            cells += [percent(pair["estimate"], "+"), *_p_values(pair)]
        rows.append(cells + [DASH] * (len(SHORT_HEADER) - len(cells)))
    return rows


def difference_rows(summary: dict[str, Any], primary: bool) -> list[list[str]]:
    """Return the cells under PRIMARY_HEADER, or those of the others under EXPLORATORY_HEADER."""
    rows = []
    for pair in summary["differences"]["pairs"]:
        if pair["primary"] == primary:
            total = summary["test_sets"][summary["systems"][pair["system"]]["tested_on"]]
            cells = [
                label(summary, pair["system"]),
                label(summary, pair["control"]),
                f"{pair['num_utterances']} of {total['num_utterances']}{without(pair)}",
                percent(pair["uar"]),
                percent(pair["control_uar"]),
                interval(pair, sign="+"),
            ]
            plural = "" if pair["num_units"] == 1 else "s"
            tested = [*_p_values(pair), f"{pair['num_units']} {pair['unit']}{plural}"]
            rows.append(cells + tested if primary else cells)
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


def recall_rows(summary: dict[str, Any]) -> list[list[str]]:
    """Return a row's name and its recall of each class with the number of its utterances."""
    return [
        [
            label(summary, name),
            *(
                f"{percent(facts[HEADLINE]['class_recalls'][key])} (n = {n})"
                for key, n in facts[HEADLINE]["class_counts"].items()
            ),
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
    """Return the cells under COST_HEADER."""
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
