"""RESULTS.md, from the numbers of `summarise`.

Scores are shown in percent with one decimal; a dash stands for what does not exist.
"""

from typing import Any

from dsnet.folds.protocols import in_words
from dsnet.report import system_tables as tables
from dsnet.report.differences import CONTROL
from dsnet.report.figures.plotting import Figure
from dsnet.report.provenance import Provenance
from dsnet.report.summary import ALL, WITHOUT
from dsnet.report.tables import DASH, markdown_table, percent, span
from dsnet.task import TaskConfig

SIGNIFICANT = 0.05
_POLICIES = {
    "first": "the first {count} in file order",
    "random": "{count} at random (seed {seed})",
    "longest": "the longest {count}",
    "same_text": "{count} for each utterance, of the same sentence where there is one",
}


def results_md(
    summary: dict[str, Any],
    config: TaskConfig,
    recipe: str,
    task_name: str,
    provenance: Provenance,
    figures: list[Figure],
    sections: list[str],
) -> str:
    """Return the text of RESULTS.md.

    Args:
        summary: from `summarise`.
        config: the task's config, for the protocol in words.
        recipe: name of the recipe, such as emodb.
        task_name: name of the task, such as 7class.
        provenance: where and by which command.
        figures: what lies in figures/ beside the file.
        sections: more to stand before the figures, such as probes and stale results.
    """
    parts = [
        f"# Results: {recipe}, {task_name}",
        "Written by stage 5 of the recipe; a change by hand is lost at the next run.",
        _protocol(summary, config),
        "## Systems",
        markdown_table(tables.SYSTEMS_HEADER, tables.system_rows(summary)),
        _two_headlines(summary, config),
        _how_to_read(summary),
        _missing(summary),
        *_differences(summary),
        *_calibration(summary),
        "## Spread, and recall of each class",
        "Over all test utterances: UAR of each fold, then mean and deviation; pooled UAR of each "
        "seed, then its deviation; percent of the utterances of a class that were recognised, mean "
        "over seeds.",
        markdown_table(
            [*tables.SPREAD_HEADER, *summary["classes"]],
            [
                [*spread, *recalls[1:]]
                for spread, recalls in zip(
                    tables.spread_rows(summary), tables.recall_rows(summary), strict=True
                )
            ],
        ),
        "## UAR of each fold",
        f"Over all test utterances, mean over seeds, over the classes that the fold's test "
        f"speakers have{_of_main(summary)}.",
        _folds(summary),
        "## Cost",
        "Mean over runs of the seconds; the largest peak memory; an SVM's epoch is one C. "
        f"Trained on: {_machines(summary)}.",
        markdown_table(tables.COST_HEADER, tables.cost_rows(summary)),
        *sections,
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
    transductive = [n for n, facts in summary["systems"].items() if facts["transductive"]]
    if transductive:
        sentences.append(
            f"{' and '.join(transductive)}: made with the audio of the test speakers, without "
            "its labels; not to be compared with the others as equals."
        )
    if config.folds.validation == "paired_speaker":
        sentences.append(
            "The validation speaker shares session, room and dialogue with the test speaker, so "
            "validation is closer to the test than it would be in use."
        )
    return " ".join(sentences)


def _selection(systems: dict[str, Any]) -> list[str]:
    """Say what was chosen by validation; systems of which the same is said are named together."""
    groups: dict[str, list[str]] = {}
    for name, facts in systems.items():
        if facts["kind"].startswith("svm"):
            words = "C is chosen by validation UAR"
        elif facts["selection"] == "last":
            words = f"The last epoch ({span(facts['epochs'])}) is tested"
        elif facts["selection"] == "best":
            chosen, total = span(facts["selected_epochs"]), span(facts["epochs"])
            words = f"The epoch with the best validation UAR ({chosen} of {total}) is tested"
        else:  # a combination
            continue
        groups.setdefault(words, []).append(name)
    return [f"{words} for {', '.join(names)}." for words, names in groups.items()]


def _two_headlines(summary: dict[str, Any], config: TaskConfig) -> str:
    without, references = summary[WITHOUT], config.references
    total = summary[ALL]["num_utterances"]
    policy = _POLICIES[references.policy].format(count=references.count, seed=references.seed)
    text = (
        "**Two headline figures, each bold in its column.** A system that hears nothing but the "
        "utterance needs no enrolment: it is scored on all test utterances. One that is given "
        "more of the speaker is scored without the clips, since it knows them, and is to be "
        "compared with the others in that column only. The clips are the neutral utterances that "
        f"may serve as a speaker's reference (native label {references.native_label}; {policy}) "
        "and all that were given to any system of this page; the same are left out for every "
        f"system: {total - without['num_utterances']} of {total}. WAR, macro F1 and worst speaker "
        "(UAR, mean over seeds) belong to the bold figure; parameters are those needed for "
        "inference."
    )
    if without["absent_classes"]:
        text += (
            f" **No {' and no '.join(without['absent_classes'])} remains** without the clips, so "
            "that UAR is over fewer classes and not to be compared with the one beside it."
        )
    return text


def _how_to_read(summary: dict[str, Any]) -> str:
    scores = summary[ALL]["systems"].values()
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
    if not lines:
        return ""
    head = "**Not complete**, so these figures do not cover the same networks or utterances:"
    return "\n".join([head, "", *lines])


def _differences(summary: dict[str, Any]) -> list[str]:
    """Return the section on differences, nothing if there is no control system."""
    if not summary["differences"]:
        return []
    smallest = max((p["smallest_p"] or 0 for p in summary["differences"]), default=0)
    return [
        "## Difference to the matched control",
        f"Names that start with {CONTROL} are controls: about the capacity of DSNet, trained with "
        "the classification loss alone. A system is compared with the control that has the same "
        "ending (such as _small), on its headline's utterances, over the folds that all seeds of "
        "both have. p: two-sided permutation test that exchanges the two systems fold by fold "
        f"(the smallest p that the folds allow is {tables.p_value(smallest)}); p (Holm): corrected "
        "for all comparisons of this page, in one family. The interval is a bootstrap over "
        "speakers, too narrow for few." + _impossible(summary["differences"]),
        markdown_table(tables.DIFFERENCES_HEADER, tables.difference_rows(summary)),
    ]


def _impossible(pairs: list[dict[str, Any]]) -> str:
    """Say so if no difference, however large, could be significant with so few folds."""
    smallest = [pair["smallest_p"] for pair in pairs if pair["smallest_p"] is not None]
    if smallest and min(smallest) * len(pairs) <= SIGNIFICANT:
        return ""
    return (
        f" **Significance is impossible here**: {len(pairs)} comparisons over so few folds cannot "
        f"have a corrected p of {SIGNIFICANT} or less, however large the differences are."
    )


def _calibration(summary: dict[str, Any]) -> list[str]:
    if not summary["calibration"]:
        return []
    return [
        "## Calibration of the probabilities",
        "Over all test utterances, pooled over folds, mean over seeds; less is better. ECE: "
        "expected calibration error, percent, 15 bins (a handful of utterances has one above 0 by "
        "chance); Brier: squared distance to the label, 0 to 2; NLL: negative log likelihood, "
        "nats. Scaled: logits divided by the temperature that makes each fold's validation labels "
        "most likely; above 1 the system was too sure. An SVM's posteriors are a softmax of its "
        "decision values and mean nothing before scaling.",
        markdown_table(tables.CALIBRATION_HEADER, tables.calibration_rows(summary)),
    ]


def _of_main(summary: dict[str, Any]) -> str:
    if len(summary["main_systems"]) == len(summary["systems"]):
        return ""
    return " (the main systems; all are in `metrics.json`)"


def _folds(summary: dict[str, Any]) -> str:
    systems = {name: summary[ALL]["systems"][name] for name in summary["main_systems"]}
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


def _machines(summary: dict[str, Any]) -> str:
    machines = {m for facts in summary["systems"].values() for m in facts["machines"]}
    return "; ".join(sorted(machines)) or "not recorded"


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
            "- Each run, with what it recognised and what it was made from: `ledger.jsonl`, from "
            "which the tables are made; all figures of this page and more: `metrics.json`",
        ]
    )


def version_list(versions: dict[str, str]) -> str:
    """Return names and versions on one line."""
    return ", ".join(f"{name} {version}" for name, version in versions.items())
