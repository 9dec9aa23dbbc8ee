"""What a page says of its protocol, its figures and its origin: paragraphs in Markdown."""

from typing import Any

from dsnet.report.differences import SIGNIFICANT
from dsnet.report.provenance import Provenance
from dsnet.report.tables import DASH, HEADLINE, markdown_table, p_value, percent, span

_POLICIES = {
    "first": "the first {count} in file order",
    "random": "{count} at random (seed {seed})",
    "longest": "the longest {count}",
    "same_text": "{count} for each utterance, of the same sentence where there is one",
}


def protocol(summary: dict[str, Any]) -> str:
    """Say of how many utterances and classes a page is, and who trains, validates and is tested."""
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
        if test["num_of_unknown_speakers"]:
            sentences.append(
                f"Of unknown speakers: {test['num_of_unknown_speakers']} of these utterances; "
                "each counts as a speaker in intervals and tests, which makes them too narrow, and "
                "one of these people may be heard in training."
            )
        if test["protocol"]["validation"] == "paired_speaker":
            sentences.append(
                "The validation speaker shares session, room and dialogue with the test speaker, "
                "so validation is closer to the test than it would be in use."
            )
    return " ".join([*sentences, _selection(summary)])


def _selection(summary: dict[str, Any]) -> str:
    """Say what was chosen on whom, of all systems together; each row says it of itself."""
    alike: dict[str, dict[str, Any]] = {}
    for facts in summary["systems"].values():
        kind = facts["selection"] or ""
        every = alike.setdefault(kind, {"selection": kind, "epochs": [], "selected_epochs": []})
        for key in ("epochs", "selected_epochs"):
            every[key] += facts[key]
    chosen = sorted({selected(every) for every in alike.values()} - {""})
    words = f"What is tested: {'; '.join(chosen)}. " if chosen else ""
    return (
        f"{words}No model's epoch, C or layers were chosen by the speakers that it is tested on; "
        "which of several systems is the highest is seen from these very figures."
    )


def selected(facts: dict[str, Any]) -> str:
    """Say what of a system is tested; nothing of an ensemble, which its members say."""
    if (facts["selection"] or "").startswith("cross-validation"):
        return "linear systems with what cross-validation over their training speakers chose"
    if facts["selection"] == "last":
        return f"networks after their last epoch ({span(facts['epochs'])})"
    if facts["selection"] == "best":
        epochs, total = span(facts["selected_epochs"]), span(facts["epochs"])
        return f"networks after the epoch with the best validation UAR ({epochs} of {total})"
    return ""


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
    number = f"{len(folds)} folds" if len(folds) > 1 else "one fold"
    return f"{number}; speakers for test, validation and training: {', '.join(sizes)}"


def corpora(summary: dict[str, Any]) -> str:
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


def what_counts(summary: dict[str, Any]) -> str:
    """Say which utterances a figure is of."""
    test_sets = summary["test_sets"]
    text = (
        "UAR is over all test utterances but those that the system itself was given; what others "
        "were given does not matter to it. Without references is without the utterances that "
        "stage 2 lists as somebody's reference as well, the same for every system: "
        f"{'; '.join(_references(name, test) for name, test in test_sets.items())}. "
        "What compares two systems leaves out what either of them was given. A UAR behind which a "
        "class is named as missing is over fewer classes, since all of its utterances were given "
        "or left out, and does not compare with the others. A system marked as transductive hears "
        "unlabelled audio that it is tested on before it decides, and does not compete with the "
        "others as an equal. WAR, macro F1 and worst speaker (UAR, mean over "
        "seeds) are of the same utterances as UAR; parameters are those needed for inference."
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


def how_scored(summary: dict[str, Any]) -> str:
    """Say what the scores are and how their intervals are made."""
    scores = [facts[HEADLINE]["uar"]["low"] for facts in summary["systems"].values()]
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


def how_tested(found: dict[str, Any]) -> str:
    """Say how systems are compared with their controls, from `differences` of `summarise`."""
    lacking = [f"{name} ({control})" for name, control in found["without_control"].items()]
    text = (
        "A system names what it is compared with in its config (`control`). Both are scored on the "
        "utterances that neither was given, of the seeds that both have, over the speakers that "
        "all of these have; the interval is a bootstrap over speakers, too narrow for few."
        + (
            f" Compared with nothing here, since that is not on the page: {', '.join(lacking)}."
            if lacking
            else ""
        )
    )
    if not found["family_size"]:
        return text
    text += (
        " "
        "p: two-sided permutation test that exchanges the two systems fold by fold, or speaker by "
        "speaker where one model tests them all (then it says what other speakers would make of "
        "these networks, not what other networks would do: look at each seed); p (Holm): "
        f"corrected for the {found['family_size']} comparisons of this table, one family."
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


def machines(summary: dict[str, Any]) -> str:
    """Return what machines the systems were trained on."""
    found = {name for facts in summary["systems"].values() for name in facts["machines"]}
    return "; ".join(sorted(found)) or "not recorded"


def origin(summary: dict[str, Any], provenance: Provenance) -> str:
    """Return a list of what somebody needs to make a page again."""
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


GLOSSARY = """
- **UAR**, unweighted average recall: mean of the recalls of all classes. **WAR**: accuracy.
- **Fold**: a split by speakers; its models are tested on speakers who take no part in training.
- **Control**: the system that one is compared with, the same but for the idea in question.
- **e**, **s**, **h**: the emotion part of an embedding, the rest of the voice, what they come from.
- **Given**: what a system hears of a speaker beside the utterance; it is never scored.
- **Reference**: a neutral utterance of the speaker, from the list of stage 2.
- **Transductive**: hears unlabelled audio that it is tested on; no equal of the others.
- **p (Holm)**: how often chance alone does as well, counted for all comparisons that have a p.
"""
CALIBRATION = (
    "Pooled over folds, mean over seeds; less is better. ECE: expected calibration error, percent, "
    "15 bins (a handful of utterances has one above 0 by chance); Brier: squared distance to the "
    "label, 0 to 2; NLL: negative log likelihood, nats. Scaled: logits divided by the temperature "
    "that makes each fold's validation labels most likely; above 1 the system was too sure. An "
    "SVM's posteriors are a softmax of its decision values and mean nothing before scaling."
)
EXPLORATORY = (
    "Exploratory: what is not as its config says, on the page's task. Many may have been tried, so "
    "they have no p."
)
