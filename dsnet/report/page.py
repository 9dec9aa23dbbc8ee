"""RESULTS.md, from the numbers of `summarise`: one page for one corpus and for several.

Scores are shown in percent with one decimal; a dash stands for what does not exist.
"""

from typing import Any

from dsnet.report import system_tables as tables
from dsnet.report.differences import SIGNIFICANT
from dsnet.report.figures.plotting import Figure
from dsnet.report.matrices import matrix_md
from dsnet.report.provenance import Provenance
from dsnet.report.tables import DASH, markdown_table, p_value, percent, span

_POLICIES = {
    "first": "the first {count} in file order",
    "random": "{count} at random (seed {seed})",
    "longest": "the longest {count}",
    "same_text": "{count} for each utterance, of the same sentence where there is one",
}


def results_md(
    summary: dict[str, Any], provenance: Provenance, figures: list[Figure], sections: list[str]
) -> str:
    """Return the text of RESULTS.md.

    Args:
        summary: from `summarise`, and the `title` of the page.
        provenance: where and by which command.
        figures: what lies in figures/ beside the file.
        sections: more to stand before the figures, such as probes and stale results.
    """
    parts = [
        f"# Results: {summary['title']}",
        "Written by stage 5 of the recipe; a change by hand is lost at the next run.",
        _protocol(summary),
        "## Systems",
        _missing(summary),
        markdown_table(tables.SYSTEMS_HEADER, tables.system_rows(summary)),
        _headlines(summary),
        _how_to_read(summary),
        *_matrices(summary),
        *_differences(summary),
        *_calibration(summary),
        "## Spread, and recall of each class",
        f"Of the headline's utterances. UAR {_spread_over(summary)}, then mean and deviation; "
        "deviation of the pooled UAR over seeds; percent of the utterances of a class that were "
        "recognised, mean over seeds, and how many there are.",
        markdown_table(
            [*tables.SPREAD_HEADER, *summary["classes"]],
            [
                [*spread, *recalls[1:]]
                for spread, recalls in zip(
                    tables.spread_rows(summary), tables.recall_rows(summary), strict=True
                )
            ],
        ),
        *_folds(summary),
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


def _protocol(summary: dict[str, Any]) -> str:
    classes = summary["classes"]
    guess = f"guessing has a UAR of {percent(1 / len(classes))} %"
    if summary["across"]:
        sentences = [
            f"{len(classes)} shared classes ({', '.join(classes)}); {guess}. Across corpora every "
            "model of the first corpus, one for each of its folds and seeds, is tested on all "
            "utterances of the second that have a shared class; a corpus on itself is what its own "
            "folds test, in the same classes. No model was chosen or changed by labels of a corpus "
            "that it was not trained on. A model answers with a shared class: the probability of "
            "one is the sum over the model's classes that make it up, probabilities of other "
            "classes are dropped, and the highest sum is the answer."
        ]
    else:
        (test,) = summary["test_sets"].values()
        sentences = [
            f"{test['num_utterances']} utterances of {test['num_speakers']} speakers in "
            f"{len(classes)} classes ({_counts(test)}); {guess}.",
            f"Protocol: {test['protocol']['in_words']} ({_fold_sizes(test)}).",
        ]
        if test["protocol"]["validation"] == "paired_speaker":
            sentences.append(
                "The validation speaker shares session, room and dialogue with the test speaker, "
                "so validation is closer to the test than it would be in use."
            )
    sentences += [*_selection(summary["systems"]), "Test utterances take no part in that choice."]
    text = " ".join(sentences)
    return f"{text}\n\n{_corpora(summary)}" if summary["across"] else text


def _counts(test: dict[str, Any]) -> str:
    parts = test["parts"]
    return ", ".join(f"{name} {sum(own.values())}" for name, own in parts.items())


def _fold_sizes(test: dict[str, Any]) -> str:
    folds = test["folds"].values()
    sizes = [
        span([len(fold["test_speakers"]) for fold in folds]),
        span([len(fold["dev_speakers"]) for fold in folds]),
        span([fold["num_train_speakers"] for fold in folds]),
    ]
    return f"{len(folds)} folds; speakers for test, validation and training: {', '.join(sizes)}"


def _corpora(summary: dict[str, Any]) -> str:
    """Return a table of the corpora and the classes that make up the shared ones."""
    rows = [
        [
            f"{name}, {test['task']}",
            str(test["num_speakers"]),
            f"{test['protocol']['in_words']} ({len(test['folds'])} folds)",
            str(test["num_utterances"]),
            *(
                ", ".join(f"{own} {count}" for own, count in test["parts"][shared].items())
                for shared in summary["classes"]
            ),
            ", ".join(f"{own} {count}" for own, count in test["left_out"].items()) or DASH,
        ]
        for name, test in summary["test_sets"].items()
    ]
    header = ["corpus, task", "speakers", "protocol", "utterances", *summary["classes"]]
    return markdown_table([*header, "trained on, but no answer"], rows)


def _selection(systems: dict[str, Any]) -> list[str]:
    """Say what was chosen on which speakers; systems of which the same is said stand together."""
    groups: dict[str, list[str]] = {}
    for name, facts in systems.items():
        if (facts["selection"] or "").startswith("cross-validation"):
            words = "C is chosen by cross-validation over the training speakers"
        elif facts["selection"] == "last":
            words = f"The last epoch ({span(facts['epochs'])}) is tested"
        elif facts["selection"] == "best":
            chosen, total = span(facts["selected_epochs"]), span(facts["epochs"])
            words = f"The epoch with the best validation UAR ({chosen} of {total}) is tested"
        else:  # an ensemble
            continue
        groups.setdefault(words, []).append(name)
    return [f"{words} for {', '.join(names)}." for words, names in groups.items()]


def _headlines(summary: dict[str, Any]) -> str:
    test_sets = summary["test_sets"]
    text = (
        "**What a figure counts.** The bold UAR is over all test utterances but those that the "
        "system itself was given; what others were given does not matter to it. The second one is "
        "without the utterances that stage 2 lists as somebody's reference as well, the same for "
        f"every system: {'; '.join(_references(name, test) for name, test in test_sets.items())}. "
        "What compares two systems leaves out what either of them was given. A UAR behind which a "
        "class is named as missing is over fewer classes, since all of its utterances were given "
        "or left out, and does not compare with the others. A system marked as transductive hears "
        "unlabelled audio that it is tested on before it decides, and does not compete with the "
        "others as an equal. WAR, macro F1 and worst speaker (UAR, mean over "
        "seeds) belong to the bold figure; parameters are those needed for inference."
    )
    for name, test in test_sets.items():
        fallback = test["references"]["fallback_speakers"]
        if fallback:
            text += (
                f" {len(fallback)} speakers of {name} have no neutral utterance: for them any "
                f"utterance serves as reference ({', '.join(fallback[:10])}"
                f"{', ...' if len(fallback) > 10 else ''}), so what is called neutral is not for "
                "them."
            )
        absent = test["absent_without_references"]
        if absent:
            text += (
                f" **No {' and no '.join(absent)} of {name} remains** without references, so that "
                "UAR is over fewer classes and not to be compared with the one beside it."
            )
    return text


def _references(name: str, test: dict[str, Any]) -> str:
    references = test["references"]
    policy = _POLICIES[references["policy"]].format(
        count=references["count"], seed=references["seed"]
    )
    return (
        f"{test['num_references']} of {test['num_utterances']} of {name} (neutral as "
        f"{references['native_label']}; {policy})"
    )


def _how_to_read(summary: dict[str, Any]) -> str:
    scores = [facts["headline"]["uar"]["low"] for facts in summary["systems"].values()]
    without = f" [{DASH}]: no interval, which needs five tested speakers." if None in scores else ""
    bootstrap = summary["bootstrap"]
    across = (
        " A model of one corpus is pooled over all utterances of the other by itself, then the "
        "mean is over models: they share most of their training data and all of what they are "
        "tested on, so their deviation is no confidence interval."
    )
    return (
        "Scores in percent. UAR: mean recall of the classes that occur; WAR: accuracy; F1: over "
        "the classes that occur. Pooled: one confusion matrix of the test utterances of all "
        "folds for each seed, then the mean over seeds; so are WAR and F1."
        f"{across if summary['across'] else ''} In brackets: how far the figure would move with "
        f"other speakers ({100 * bootstrap['level']:.0f} % percentile interval of a bootstrap over "
        f"speakers, {bootstrap['resamples']:,} resamples); other seeds are not in it.{without}"
    )


def _missing(summary: dict[str, Any]) -> str:
    """Name the runs that are not there; an empty text if none is missing."""
    groups: dict[str, list[str]] = {}
    for name, facts in summary["systems"].items():
        for seed in sorted({run["seed"] for run in facts["missing"]}):
            folds = [run["fold"] for run in facts["missing"] if run["seed"] == seed]
            there = f"{facts['num_folds'] - len(folds)} of {facts['num_folds']} folds"
            key = f"seed {seed}: {there}; not there: {', '.join(folds)}"
            groups.setdefault(key, []).append(name)
    if not groups:
        return ""
    lines = [f"- {', '.join(names)}, {words}" for words, names in groups.items()]
    head = "**Not complete**, so these figures do not cover the same networks or utterances:"
    return "\n".join([head, "", *lines])


def _matrices(summary: dict[str, Any]) -> list[str]:
    if not summary["matrices"]:
        return []
    parts = [part for one in summary["matrices"] for part in matrix_md(one, summary)]
    return ["## Trained on, tested on", *parts]


def _differences(summary: dict[str, Any]) -> list[str]:
    """Return the section on differences, nothing if no system has its control on the page."""
    found = summary["differences"]
    if not found["pairs"]:
        return []
    lacking = [f"{name} ({control})" for name, control in found["without_control"].items()]
    parts = [
        "## Difference to the control",
        "A system names what it is compared with in its config (`control`). Both are scored on the "
        "utterances that neither was given, over the speakers that all seeds of both have; the "
        "interval is a bootstrap over speakers, too narrow for few."
        + (f" Their control is not on this page: {', '.join(lacking)}." if lacking else ""),
    ]
    primary = tables.difference_rows(summary, primary=True)
    if primary:
        tests = [_tests(found)] if found["family_size"] else []
        parts += [*tests, markdown_table(tables.PRIMARY_HEADER, primary)]
    exploratory = tables.difference_rows(summary, primary=False)
    if exploratory:
        parts += [
            "Exploratory: changed configs, tasks, enrolments or inputs. Many may have been tried, "
            "so they have no p.",
            markdown_table(tables.EXPLORATORY_HEADER, exploratory),
        ]
    return parts


def _tests(found: dict[str, Any]) -> str:
    text = (
        "p: two-sided permutation test that exchanges the two systems fold by fold, or speaker by "
        "speaker where one model tests them all; p (Holm): corrected for the "
        f"{found['family_size']} comparisons of this table, one family."
    )
    if found["smallest_p"] is not None:
        text += f" The smallest p that is possible here is {p_value(found['smallest_p'])}."
    if (found["smallest_adjusted_p"] or 0) > SIGNIFICANT:
        text += (
            f" **Significance is impossible here**: {found['family_size']} comparisons over so few "
            f"folds cannot have a corrected p of {SIGNIFICANT} or less, however large the "
            "differences are."
        )
    return text


def _calibration(summary: dict[str, Any]) -> list[str]:
    if not summary["calibration"]:
        return []
    return [
        "## Calibration of the probabilities",
        "Of the headline's utterances, pooled over folds, mean over seeds; less is better. ECE: "
        "expected calibration error, percent, 15 bins (a handful of utterances has one above 0 by "
        "chance); Brier: squared distance to the label, 0 to 2; NLL: negative log likelihood, "
        "nats. Scaled: logits divided by the temperature that makes each fold's validation labels "
        "most likely; above 1 the system was too sure. An SVM's posteriors are a softmax of its "
        "decision values and mean nothing before scaling.",
        markdown_table(tables.CALIBRATION_HEADER, tables.calibration_rows(summary)),
    ]


def _spread_over(summary: dict[str, Any]) -> str:
    return "of each model" if summary["across"] else "of each fold"


def _folds(summary: dict[str, Any]) -> list[str]:
    """Return the table of folds; across corpora folds are not what is tested."""
    if summary["across"]:
        return []
    (test,) = summary["test_sets"].values()
    systems = {name: summary["systems"][name]["headline"] for name in summary["main_systems"]}
    rows = [
        [
            name,
            ", ".join(fold["test_speakers"]),
            ", ".join(fold["dev_speakers"]) or DASH,
            str(fold["num_scored"]),
            *(percent(scores["uar_by_fold"].get(name)) for scores in systems.values()),
        ]
        for name, fold in test["folds"].items()
    ]
    main = len(systems) < len(summary["systems"])
    return [
        "## UAR of each fold",
        "Of the headline's utterances, mean over seeds, over the classes that the fold's test "
        f"speakers have{' (the main systems; all are in `metrics.json`)' if main else ''}.",
        markdown_table(["fold", "tests", "validates", "test utterances", *systems], rows),
    ]


def _machines(summary: dict[str, Any]) -> str:
    machines = {m for facts in summary["systems"].values() for m in facts["machines"]}
    return "; ".join(sorted(machines)) or "not recorded"


def figure_md(figure: Figure) -> str:
    """Return a figure with its caption."""
    return f"![{figure.title}](figures/{figure.file_name})\n\n{figure.caption}"


def _provenance(summary: dict[str, Any], provenance: Provenance) -> str:
    facts = summary["systems"].values()
    trained_at = sorted({revision for own in facts for revision in own["trained_at"]})
    trained_with = sorted({version_list(v) for own in facts for v in own["trained_with"]})
    tested = [
        f"{test['num_utterances']} of {name}, checksum `{test['digest']}`"
        for name, test in summary["test_sets"].items()
    ]
    others = "; other pairs by the same one with their recipes and systems"
    return "\n".join(
        [
            f"- Command: `{provenance.command}`{others if summary['across'] else ''}",
            f"- Test utterances: {'; '.join(tested)} (of the sorted lines `utterance class`)",
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
