"""The report's tables with a row a system, as cells of text, from the numbers of `summarise`.

Scores are in percent with one decimal; a dash stands for what does not exist.
"""

from typing import Any

from dsnet.report.summary import ALL, NOTHING, WITHOUT
from dsnet.report.tables import DASH, count, ends, interval, percent
from dsnet.scoring.calibration import VARIANTS

SYSTEMS_HEADER = [
    "system", "given beside the utterance", "UAR, all [95 %]", "UAR, without clips [95 %]", "WAR",
    "macro F1", "worst speaker", "parameters", "seeds × folds",
]  # fmt: skip
SHORT_HEADER = ["system", "UAR [95 %]", "scored on", "minus control", "p (Holm)"]
DIFFERENCES_HEADER = [
    "system", "minus", "scored on", "UAR points [95 %]", "p", "p (Holm)", "folds",
]  # fmt: skip
SPREAD_HEADER = ["system", "UAR mean ± sd over folds", "sd over seeds", "weighted F1"]
CALIBRATION_HEADER = [
    "system", "ECE", "Brier", "NLL", "temperature", "ECE scaled", "Brier scaled", "NLL scaled",
]  # fmt: skip
COST_HEADER = [
    "system", "kind", "parameters in training", "s/epoch", "min/run", "peak memory",
]  # fmt: skip
SCORED_ON = {ALL: "all", WITHOUT: "without clips"}


def system_rows(summary: dict[str, Any]) -> list[list[str]]:
    """Return the cells under SYSTEMS_HEADER; a system's headline UAR is bold."""
    rows = []
    for name, facts in summary["systems"].items():
        headline = facts["headline"]
        uars = {
            scoring: interval(summary[scoring]["systems"][name]["uar"]) for scoring in SCORED_ON
        }
        uars[headline] = f"**{uars[headline]}**"
        scores = summary[headline]["systems"][name]
        speaker, worst = min(scores["by_speaker"].items(), key=lambda item: item[1]["uar"])
        rows.append(
            [
                name,
                given(facts),
                *uars.values(),
                percent(scores["war"]["estimate"]),
                percent(scores["macro_f1"]["estimate"]),
                f"{percent(worst['uar'])} ({speaker})",
                _counts(facts["inference_parameters"]),
                _runs(facts, len(summary["folds"])),
            ]
        )
    return rows


def short_rows(summary: dict[str, Any]) -> list[list[str]]:
    """Return the cells under SHORT_HEADER, for the terminal; the first control of each system."""
    rows = []
    for name, facts in summary["systems"].items():
        headline = facts["headline"]
        pair = next((p for p in summary["differences"] if p["system"] == name), None)
        rows.append(
            [
                name,
                interval(summary[headline]["systems"][name]["uar"]),
                SCORED_ON[headline],
                percent(pair["estimate"], "+") if pair else DASH,
                p_value(pair["adjusted_p"]) if pair else DASH,
            ]
        )
    return rows


def difference_rows(summary: dict[str, Any]) -> list[list[str]]:
    """Return the cells under DIFFERENCES_HEADER."""
    return [
        [
            pair["system"],
            pair["control"],
            SCORED_ON[pair["scoring"]],
            interval(pair, sign="+"),
            p_value(pair["p_value"]),
            p_value(pair["adjusted_p"]),
            str(pair["num_units"]),
        ]
        for pair in summary["differences"]
    ]


def spread_rows(summary: dict[str, Any]) -> list[list[str]]:
    """Return the cells under SPREAD_HEADER, over all test utterances."""
    return [
        [
            name,
            f"{percent(scores['uar_fold_mean'])} ± {percent(scores['uar_fold_sd'])}",
            percent(scores["uar_seed_sd"]),
            percent(scores["weighted_f1"]["estimate"]),
        ]
        for name, scores in summary[ALL]["systems"].items()
    ]


def recall_rows(summary: dict[str, Any]) -> list[list[str]]:
    """Return a system's name and its recall of each class, over all test utterances."""
    return [
        [name, *(percent(scores["class_recalls"][label]) for label in summary["classes"])]
        for name, scores in summary[ALL]["systems"].items()
    ]


def calibration_rows(summary: dict[str, Any]) -> list[list[str]]:
    """Return the cells under CALIBRATION_HEADER."""
    rows = []
    for name, pooled in summary["calibration"].items():
        raw, scaled = (
            [percent(scores["ece"]), _decimals(scores["brier"], 3), _decimals(scores["nll"], 3)]
            for scores in (pooled[variant] for variant in VARIANTS)
        )
        temperatures = " to ".join(f"{t:.2f}" for t in ends(pooled["temperatures"]))
        rows.append([name, *raw, temperatures, *scaled])
    return rows


def cost_rows(summary: dict[str, Any]) -> list[list[str]]:
    """Return the cells under COST_HEADER."""
    return [
        [
            name,
            facts["kind"],
            _counts(facts["num_parameters"]),
            _decimals(facts["seconds_per_epoch"], 1),
            DASH if facts["seconds"] is None else f"{facts['seconds'] / 60:.1f}",
            _memory(facts),
        ]
        for name, facts in summary["systems"].items()
    ]


def given(facts: dict[str, Any]) -> str:
    """Say what a system is given beside the utterance; transductive ones are marked."""
    side = facts["side_information"]
    if side in (None, NOTHING):
        return DASH
    return f"{side} (transductive)" if facts["transductive"] else side


def p_value(value: float | None) -> str:
    """Return a p-value with three decimals."""
    if value is None:
        return DASH
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _decimals(value: float | None, digits: int, sign: str = "") -> str:
    return DASH if value is None else f"{value:{sign}.{digits}f}"


def _counts(values: list[int]) -> str:
    return " to ".join(count(n) for n in ends(values)) if values else DASH


def _memory(facts: dict[str, Any]) -> str:
    if facts["peak_memory_bytes"] is None:
        return DASH
    gpu = facts["peak_gpu_bytes"]
    on_gpu = f", GPU {gpu / 2**30:.1f} GiB" if gpu is not None else ""
    return f"{facts['peak_memory_bytes'] / 2**30:.1f} GiB{on_gpu}"


def _runs(facts: dict[str, Any], num_folds: int) -> str:
    text = f"{len(facts['seeds'])} × {num_folds}"
    if not facts["missing"]:
        return text
    if len(facts["seeds"]) == 1:
        return f"1 × {facts['num_runs']} of {num_folds} folds"
    return f"{text}, {facts['num_runs']} of {len(facts['seeds']) * num_folds} runs"
