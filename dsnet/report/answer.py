"""The answer of a page, before all tables: how well it goes, and what the paper's idea adds."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dsnet.report.differences import SIGNIFICANT
from dsnet.report.tables import HEADLINE, interval, p_value, percent

MOST = 4  # answers of one kind; the table has the rest
MAX_MAIN = 6
MIN_SEEDS = 3  # of networks that test all speakers, for a difference to be more than theirs
SUBJECTS = ("dsnet", "dsnet_plus")  # the kinds that the project is about, the paper's first


@dataclass(frozen=True)
class Best:
    """The best row of those that are given the same.

    Args:
        given: what they are given, such as "With 3 neutral utterances of the speaker".
        row: its name.
        num_rows: of how many it is the best.
    """

    given: str
    row: str
    num_rows: int

    @property
    def rivals(self) -> str:
        """Say that it was picked, which makes its figure a little high."""
        return f", the highest of {self.num_rows}" if self.num_rows > 1 else ""


def best_rows(summary: dict[str, Any]) -> list[Best]:
    """Return the best of what is given alike, the utterance alone first.

    Only systems as their configs say take part, over all classes, and none that is transductive;
    an ensemble, or one that lacks runs, only if there is nothing else. Across corpora what counts
    is what was trained on one and tested on another.
    """
    rows = {
        name: facts
        for name, facts in summary["systems"].items()
        if facts["primary"]
        and not facts["transductive"]
        and not facts[HEADLINE]["absent_classes"]
        and facts["across"] == summary["across"]
        and facts[HEADLINE]["uar"]["estimate"] is not None
    }
    for unfit in ("members", "missing"):
        rows = {name: facts for name, facts in rows.items() if not facts[unfit]} or rows
    groups: dict[tuple, list[str]] = {}
    for name, facts in rows.items():
        pair = (facts["trained_on"], facts["tested_on"]) if summary["across"] else ()
        groups.setdefault((*pair, facts["side_information"]), []).append(name)

    def order(key: tuple) -> tuple:
        enrolment = rows[groups[key][0]]["enrolment"]
        sources = ("none", "neutral", "any")
        place = sources.index(enrolment["source"]) if enrolment["source"] in sources else 9
        return (*key[:-1], key[-1] != "none", place, enrolment["count"], key)

    found = []
    for key in sorted(groups, key=order):
        names = groups[key]
        best = max(names, key=lambda name: rows[name][HEADLINE]["uar"]["estimate"])
        found.append(Best(_given(key), best, len(names)))
    return found


def _given(key: tuple) -> str:
    *pair, side = key
    words = "The utterance alone" if side == "none" else f"With {side}"
    return f"{pair[0]} on {pair[1]}, {words[0].lower()}{words[1:]}" if pair else words


def subject_pairs(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the comparisons of SUBJECTS with their controls, of configs as they are.

    In a fixed order: those that hear nothing beside the utterance first, the paper's before ours,
    then by name. Across corpora only what was tested on another one.
    """
    systems = summary["systems"]
    pairs = [
        pair
        for pair in summary["differences"]["pairs"]
        if pair["primary"]
        and systems[pair["system"]]["kind"] in SUBJECTS
        and systems[pair["system"]]["across"] == summary["across"]
    ]

    def order(pair: dict[str, Any]) -> tuple:
        facts = systems[pair["system"]]
        return (facts["side_information"] != "none", SUBJECTS.index(facts["kind"]), pair["system"])

    return sorted(pairs, key=order)


def spoken_of(summary: dict[str, Any]) -> list[str]:
    """Return the rows that the answer speaks of, each with its control."""
    control_of = {pair["system"]: pair["control"] for pair in summary["differences"]["pairs"]}
    names = [best.row for best in best_rows(summary)]
    names += [pair["system"] for pair in subject_pairs(summary)]
    both = [one for name in names for one in (name, control_of.get(name))]
    return [name for name in dict.fromkeys(both) if name is not None]


def main_systems(summary: dict[str, Any]) -> list[str]:
    """Choose the rows that get figures of their own: controls first, no more than MAX_MAIN.

    Of more rows those that the answer speaks of, with their controls, then other single systems as
    their configs say.
    """
    systems = summary["systems"]
    chosen = list(systems)
    if len(systems) > MAX_MAIN:
        single = [n for n, facts in systems.items() if facts["primary"] and not facts["members"]]
        chosen = list(dict.fromkeys([*spoken_of(summary), *(single or systems)]))[:MAX_MAIN]

    def order(name: str) -> tuple:
        facts = systems[name]
        return (not facts["is_control"], facts["kind"] not in SUBJECTS, len(name), name)

    return sorted(chosen, key=order)


def verdict(pair: dict[str, Any], found: dict[str, Any]) -> str:
    """Say what a comparison shows.

    Args:
        pair: of `differences`.
        found: `differences` of `summarise`.
    """
    if pair["p_value"] is None:
        return "too few folds for a test"
    units = f"{pair['num_units']} {pair['unit']}{'' if pair['num_units'] == 1 else 's'}"
    by_seed = pair["by_seed"].values()
    tests, seeds = found["family_size"], len(by_seed)
    corrected = f", {p_value(pair['adjusted_p'])} corrected for {tests} comparisons"
    words = f"p {p_value(pair['p_value'])}{corrected if tests > 1 else ''}"
    if pair["adjusted_p"] <= SIGNIFICANT:
        better = "better" if pair["estimate"] > 0 else "worse"
        if pair["unit"] == "fold":
            return f"{words}: {better} by more than chance"
        networks = "one seed" if seeds == 1 else f"{seeds} seeds"
        if not seeds:
            networks = "not compared seed by seed"
        elif not _seeds_agree(pair):
            networks = f"but seeds disagree: {', '.join(percent(v, '+') for v in by_seed)}"
        return (
            f"{words}: {better}, and would be to other speakers, with these networks ({networks})"
        )
    if (found["smallest_adjusted_p"] or 0) > SIGNIFICANT:
        return f"{words}: {tests} comparisons over {units} can show nothing"
    return f"{words}: not shown by these {units}"


def remark(summary: dict[str, Any], pair: dict[str, Any]) -> str:
    """Say what a comparison of `subject_pairs` shows, and of which parts it says nothing."""
    return verdict(pair, summary["differences"]) + _constant_parts(summary, pair["system"])


def _constant_parts(summary: dict[str, Any], row: str) -> str:
    """Say, to go on with, which parts of a row's networks are the same for every utterance.

    A difference of a system whose losses keep nothing apart says nothing of keeping things apart.
    Networks that are tested on another corpus are probed on their own, whose page says it.
    """
    if summary["across"]:
        return ""
    probes = summary["probes"].get(row)
    if not probes:
        return "; its parts were not probed"
    total = probes["num_networks"]
    networks = f"{total} network{'s' if total > 1 else ''}"
    return "".join(
        f"; {part} is the same for every utterance in {found['num_constant']} of {networks}"
        for part, found in probes["variation"].items()
        if found["num_constant"]
    )


def is_shown(pair: dict[str, Any]) -> bool:
    """Say whether a difference is more than chance, of speakers and, where it matters, of seeds."""
    if pair["adjusted_p"] is None or pair["adjusted_p"] > SIGNIFICANT:
        return False
    return pair["unit"] == "fold" or (len(pair["by_seed"]) >= MIN_SEEDS and _seeds_agree(pair))


def _seeds_agree(pair: dict[str, Any]) -> bool:
    """Say whether the difference of each seed has the same sign, which 0 has not."""
    return {np.sign(value) for value in pair["by_seed"].values()} in ({-1}, {1})


def answer_lines(summary: dict[str, Any]) -> list[str]:
    """Return the answer, a sentence a line, without markup."""
    lines, found, pairs = [], best_rows(summary), subject_pairs(summary)
    for best in found[:MOST]:
        uar = interval(summary["systems"][best.row][HEADLINE]["uar"])
        lines.append(f"{best.given}: UAR {uar} ({best.row}{best.rivals})")
    for pair in pairs[:MOST]:
        lines.append(
            f"{pair['system']} minus its control {pair['control']}: {interval(pair, '+')} "
            f"({remark(summary, pair)})"
        )
    left = max(0, len(found) - MOST) + max(0, len(pairs) - MOST)
    if left:
        lines.append(f"and {left} more, see `index.html`")
    return lines or ["No system has been scored as its config says it"]


def short_answer(summary: dict[str, Any]) -> str:
    """Return the answer in one line for the terminal."""
    found = best_rows(summary)[:MOST]
    if not found:
        return "no system was scored as its config says it; the page has what there is"
    parts = []
    for best in found:
        words = best.given if summary["across"] else f"{best.given[0].lower()}{best.given[1:]}"
        uar = interval(summary["systems"][best.row][HEADLINE]["uar"])
        parts.append(f"{words} {uar} ({best.row}{best.rivals}, {folds_there(summary, best.row)})")
    for pair in subject_pairs(summary)[:1]:
        words = f"{pair['system']} minus {pair['control']} {interval(pair, '+')}"
        parts.append(f"{words} ({remark(summary, pair)})")
    return f"UAR in percent: {'; '.join(parts)}"


def folds_there(summary: dict[str, Any], row: str) -> str:
    """Say of how many folds a row has results, of those that the task has."""
    facts = summary["systems"][row]
    if facts["across"]:
        return f"{facts['num_runs']} models"
    total = len(summary["test_sets"][facts["tested_on"]]["folds"])
    return f"{facts['num_folds_there']} of {total} folds"


def missing_lines(summary: dict[str, Any]) -> list[str]:
    """Name the runs that are not there, systems that lack the same together."""
    groups: dict[str, list[str]] = {}
    for name, facts in summary["systems"].items():
        for seed in sorted({run["seed"] for run in facts["missing"]}):
            folds = [run["fold"] for run in facts["missing"] if run["seed"] == seed]
            there = f"{facts['num_folds'] - len(folds)} of {facts['num_folds']} folds"
            groups.setdefault(f"seed {seed}: {there}; not there: {', '.join(folds)}", []).append(
                name
            )
    return [f"{', '.join(names)}, {words}" for words, names in groups.items()]
