"""RESULTS.md and the table for the terminal, from the numbers of `summarise`.

Scores are shown in percent with one decimal; a dash stands for what does not exist.
"""

from typing import Any

from dsnet.folds.protocols import in_words
from dsnet.scoring.plotting import Figure
from dsnet.scoring.provenance import Provenance
from dsnet.scoring.summary import CONTROL
from dsnet.scoring.tables import DASH, count, ends, interval, markdown_table, percent, span
from dsnet.task import TaskConfig

HEADER = [
    "system", "kind", "parameters", "seeds × folds", "UAR pooled [95 %]",
    "UAR mean ± sd over folds", "sd over seeds", "WAR", "macro F1", "weighted F1", "s/epoch",
]  # fmt: skip
_POLICIES = {
    "first": "the first {count} in file order",
    "random": "{count} at random (seed {seed})",
    "longest": "the longest {count}",
    "same_text": "{count} for each utterance, of the same sentence where there is one",
}


def system_rows(summary: dict[str, Any], scoring: str) -> list[list[str]]:
    """Return the cells of the system table under HEADER, a row a system.

    Args:
        summary: from `summarise`.
        scoring: "all" or "without_references".
    """
    rows = []
    for name, scores in summary[scoring]["systems"].items():
        facts = summary["systems"][name]
        rows.append(
            [
                name,
                facts["kind"],
                " to ".join(count(n) for n in ends(facts["num_parameters"])),
                _runs(facts, len(summary["folds"])),
                interval(scores["uar"]),
                f"{percent(scores['uar_fold_mean'])} ± {percent(scores['uar_fold_sd'])}",
                percent(scores["uar_seed_sd"]),
                *(percent(scores[m]["estimate"]) for m in ("war", "macro_f1", "weighted_f1")),
                f"{facts['seconds_per_epoch']:.1f}",
            ]
        )
    return rows


def results_md(
    summary: dict[str, Any],
    config: TaskConfig,
    recipe: str,
    task_name: str,
    provenance: Provenance,
    figures: list[Figure],
) -> str:
    """Return the text of RESULTS.md.

    Args:
        summary: from `summarise`.
        config: the task's config, for the protocol in words.
        recipe: name of the recipe, such as emodb.
        task_name: name of the task, such as 7class.
        provenance: where and by which command.
        figures: what lies in figures/ beside the file.
    """
    parts = [
        f"# Results: {recipe}, {task_name}",
        "Written by stage 5 of the recipe; a change by hand is lost at the next run.",
        _protocol(summary, config),
        "## Systems",
        markdown_table(HEADER, system_rows(summary, "all")),
        _how_to_read(summary),
        _missing(summary),
        "## Without the reference utterances",
        _without_references(summary, config),
        *_differences(summary),
        "## Recall of each class",
        "Percent of the utterances of a class that were recognised, pooled over folds, mean over "
        "seeds.",
        _recalls(summary),
        "## UAR of each fold",
        "Percent, mean over seeds, over the classes that the fold's test speakers have.",
        _folds(summary),
        "## Worst speaker",
        "The speaker with the lowest UAR, mean over seeds.",
        _worst_speakers(summary),
        "## Figures",
        *(figure_md(figure) for figure in figures),
        "## How this was made",
        _provenance(summary, provenance),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _protocol(summary: dict[str, Any], config: TaskConfig) -> str:
    classes = summary["classes"]
    folds = summary["folds"].values()
    sizes = [
        span([len(fold["test_speakers"]) for fold in folds]),
        span([len(fold["dev_speakers"]) for fold in folds]),
        span([fold["num_train_speakers"] for fold in folds]),
    ]
    sentences = [
        f"{summary['utterances']['count']} utterances of {summary['num_speakers']} speakers in "
        f"{len(classes)} classes ({', '.join(classes)}); guessing has a UAR of "
        f"{percent(1 / len(classes))} %.",
        f"Protocol: {in_words(config.folds)} ({len(folds)} folds; speakers for test, validation "
        f"and training: {sizes[0]}, {sizes[1]}, {sizes[2]}).",
        *_selection(summary["systems"]),
        "Test utterances take no part in that choice.",
    ]
    transductive = [n for n, facts in summary["systems"].items() if "transductive" in facts["kind"]]
    if transductive:
        sentences.append(
            f"{' and '.join(transductive)}: trained with the audio of the test speakers, without "
            "its labels; not to be compared with the others as equals."
        )
    if config.folds.validation == "paired_speaker":
        sentences.append(
            "The validation speaker shares session, room and dialogue with the test speaker, so "
            "validation is closer to the test than it would be in use."
        )
    return " ".join(sentences)


def _selection(systems: dict[str, Any]) -> list[str]:
    last = [name for name, facts in systems.items() if facts["selection"] == "last"]
    best = [name for name in systems if name not in last]
    sentences = []
    if best:
        named = ", ".join(
            f"{name} ({span(systems[name]['selected_epochs'])} of {span(systems[name]['epochs'])})"
            for name in best
        )
        sentences.append(f"The epoch with the best validation UAR is tested for {named}.")
    if last:
        named = ", ".join(f"{name} ({span(systems[name]['epochs'])})" for name in last)
        sentences.append(f"The last epoch is tested for {named}.")
    return sentences


def _how_to_read(summary: dict[str, Any]) -> str:
    scores = summary["all"]["systems"].values()
    without = any(score["uar"]["low"] is None for score in scores)
    no_interval = f" [{DASH}]: no interval, which needs two tested speakers." if without else ""
    bootstrap = summary["bootstrap"]
    return (
        "Scores in percent. UAR: mean recall of the classes that occur; WAR: accuracy; F1: over "
        "the classes that occur. Pooled: one confusion matrix of the test utterances of all "
        "folds for each seed, then the mean over seeds; so are WAR and F1. In brackets: how far "
        f"the figure would move with other speakers ({100 * bootstrap['level']:.0f} % percentile "
        f"interval of a bootstrap over speakers, {bootstrap['resamples']:,} resamples); other "
        f"seeds are not in it.{no_interval}"
    )


def _missing(summary: dict[str, Any]) -> str:
    """Name the runs that are not there; an empty text if none is missing."""
    all_seeds = sorted({seed for facts in summary["systems"].values() for seed in facts["seeds"]})
    lines = []
    for name, facts in summary["systems"].items():
        by_seed: dict[int, list[str]] = {}
        for run in facts["missing"]:
            by_seed.setdefault(run["seed"], []).append(run["fold"])
        lines += [
            f"- {name}, seed {seed}: {len(summary['folds']) - len(folds)} of "
            f"{len(summary['folds'])} folds; not there: {', '.join(folds)}"
            for seed, folds in by_seed.items()
        ]
        absent = sorted(set(all_seeds) - set(facts["seeds"]) - set(by_seed))
        if absent:
            lines.append(f"- {name}: no seed {', '.join(map(str, absent))}, which others have")
    if not lines:
        return ""
    head = "**Not complete**, so these figures do not cover the same networks or utterances:"
    return "\n".join([head, "", *lines])


def _without_references(summary: dict[str, Any], config: TaskConfig) -> str:
    scoring = summary["without_references"]
    references = config.references
    excluded = summary["all"]["num_utterances"] - scoring["num_utterances"]
    policy = _POLICIES[references.policy].format(count=references.count, seed=references.seed)
    text = (
        f"The neutral utterances that may serve as a speaker's reference (native label "
        f"{references.native_label}; {policy}) count among the test utterances above. Here the "
        f"{excluded} of them are left out; {scoring['num_utterances']} of "
        f"{summary['all']['num_utterances']} utterances remain."
    )
    if scoring["absent_classes"]:
        text += (
            f" **No {' and no '.join(scoring['absent_classes'])} remains**, so this UAR is over "
            "fewer classes and not to be compared with the one above."
        )
    return text + "\n\n" + markdown_table(HEADER, system_rows(summary, "without_references"))


def _differences(summary: dict[str, Any]) -> list[str]:
    """Return the section on differences, nothing if there is no control system."""
    rows = [
        [
            one["system"],
            one["control"],
            interval(one, sign="+"),
            interval(other, sign="+"),
            str(one["num_speakers"]),
        ]
        for one, other in zip(
            summary["all"]["differences"], summary["without_references"]["differences"], strict=True
        )
    ]
    if not rows:
        return []
    header = ["system", "minus", "UAR points [95 %]", "without references [95 %]", "speakers"]
    return [
        "## Difference to the matched control",
        f"Names that start with {CONTROL} are controls: about the capacity of DSNet, trained with "
        "the classification loss alone. Both systems of a row see the same resamples of the "
        "speakers that all their seeds have tested; where the interval holds 0, these speakers do "
        "not tell the two apart.",
        markdown_table(header, rows),
    ]


def _recalls(summary: dict[str, Any]) -> str:
    rows = [
        [name, *(percent(scores["class_recalls"][label]) for label in summary["classes"])]
        for name, scores in summary["all"]["systems"].items()
    ]
    return markdown_table(["system", *summary["classes"]], rows)


def _folds(summary: dict[str, Any]) -> str:
    systems = summary["all"]["systems"]
    rows = [
        [
            name,
            ", ".join(fold["test_speakers"]),
            ", ".join(fold["dev_speakers"]),
            str(fold["num_utterances"]["test"]),
            *(percent(scores["uar_by_fold"].get(name)) for scores in systems.values()),
        ]
        for name, fold in summary["folds"].items()
    ]
    return markdown_table(["fold", "tests", "validates", "test utterances", *systems], rows)


def _worst_speakers(summary: dict[str, Any]) -> str:
    rows = []
    for name, scores in summary["all"]["systems"].items():
        speaker, values = min(scores["by_speaker"].items(), key=lambda item: item[1]["uar"])
        rows.append([name, speaker, percent(values["uar"]), str(values["num_utterances"])])
    return markdown_table(["system", "speaker", "UAR", "utterances"], rows)


def figure_md(figure: Figure) -> str:
    """Return a figure with its caption."""
    return f"![{figure.title}](figures/{figure.file_name})\n\n{figure.caption}"


def _provenance(summary: dict[str, Any], provenance: Provenance) -> str:
    trained_at = sorted({r for facts in summary["systems"].values() for r in facts["trained_at"]})
    trained_with = sorted(
        {version_list(v) for facts in summary["systems"].values() for v in facts["trained_with"]}
    )
    utterances = summary["utterances"]
    return "\n".join(
        [
            f"- Command: `{provenance.command}`",
            f"- Test utterances: {utterances['count']}, checksum `{utterances['digest']}` (of the "
            "sorted lines `utterance class`)",
            f"- Trained at revision {', '.join(trained_at)} with {'; '.join(trained_with)}",
            f"- Scored at revision {provenance.git_revision} with "
            f"{version_list(provenance.versions)}",
            f"- Date: {provenance.date}; the machine that scored has {provenance.num_cpus} CPUs",
            "- All figures of this page and more: `metrics.json`",
        ]
    )


def version_list(versions: dict[str, str]) -> str:
    """Return names and versions on one line."""
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _runs(facts: dict[str, Any], num_folds: int) -> str:
    text = f"{len(facts['seeds'])} × {num_folds}"
    if not facts["missing"]:
        return text
    if len(facts["seeds"]) == 1:
        return f"1 × {facts['num_runs']} of {num_folds} folds"
    return f"{text}, {facts['num_runs']} of {len(facts['seeds']) * num_folds} runs"
