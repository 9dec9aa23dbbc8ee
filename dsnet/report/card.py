"""The card of a bundle: what the model is good for, and what not, in Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dsnet.report.tables import interval, markdown_table, percent

WORDS = {
    "none": "the recording alone",
    "neutral": "and {count} neutral clips of the speaker",
    "any": "and {count} unlabelled clips of the speaker, of whatever emotion",
}


@dataclass
class CardConfig:
    """card.yaml of a recipe: what a card says of its corpus.

    corpus: its name. source: where it is described. licence: of the data. speech: language, style
    and room, in a few words. good_for, not_for: what a model of it can and cannot be used for.
    elsewhere: what was measured on other corpora, with the command.
    """

    corpus: str = ""
    source: str = ""
    licence: str = "not stated; ask the owner of the data before you pass the model on"
    speech: str = ""
    good_for: list[str] = field(default_factory=list)
    not_for: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)


def card_md(name: str, classes: Sequence[str], facts: Mapping[str, Any]) -> str:
    """Return the card.

    Args:
        name: of the bundle.
        classes: K names.
        facts: of manifest.json.
    """
    corpus = facts["trained_on"]
    lines = [
        f"# {name}",
        "",
        f"Recognises {len(classes)} classes in speech: {', '.join(classes)}. Trained on all "
        f"{corpus['utterances']:,} utterances of all {corpus['speakers']} speakers of "
        f"{corpus['corpus']}{_in_brackets(corpus['source'])}.",
    ]
    if corpus["speech"]:
        lines[-1] += f" Its speech: {corpus['speech']}."
    for title, words in (("Good for", corpus["good_for"]), ("Not for", corpus["not_for"])):
        if words:
            lines += ["", f"## {title}", "", *(f"- {word}" for word in words)]
    lines += [
        "",
        "## On speakers that it does not know",
        "",
        f"Measured with the same systems in folds: {facts['protocol']}. UAR and accuracy in "
        f"percent, with a 95 % interval over speakers; seeds {_listed(facts['seeds'])} (the first "
        f"is in the bundle), folds {_listed(facts['folds'])}; clips that are given are not scored, "
        "so rows are of different recordings.",
        "",
        _results(facts),
        "",
        "Its probabilities are made honest by a temperature fitted to these speakers, for all "
        "classes together: of emotions that are rarer in your recordings than in these, a model is "
        "surer than it is right. What the temperature is worth, and what `--reject` gives, is "
        "measured on each fold with what was fitted to the others: calibration error before and "
        "after, then for each wanted error rate the error rate that it came to and the share of "
        "recordings that got an answer.",
        "",
        _honesty(facts),
    ]
    if corpus["elsewhere"]:
        lines += ["", "## On other corpora", "", *(f"- {word}" for word in corpus["elsewhere"])]
    lines += [
        "",
        "## Made by",
        "",
        f"    {facts['command']} --stop-stage final",
        "",
        f"dsnet {facts['dsnet']}, revision {facts['git_revision']}. Data: {corpus['licence']}.",
        "",
    ]
    return "\n".join(lines)


def _words(facts: Mapping[str, Any], given: str) -> str:
    return WORDS[given].format(count=facts["clips"].get(given))


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values))


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""


def _results(facts: Mapping[str, Any]) -> str:
    rows = []
    for given, found in facts["results"].items():
        cells = [interval(found["uar"]), interval(found["war"]), str(found["utterances"])]
        rows.append([_words(facts, given), facts["systems"][given], *cells])
    return markdown_table(["it is given", "system", "UAR", "accuracy", "scored"], rows)


def _honesty(facts: Mapping[str, Any]) -> str:
    results = facts["results"]
    targets = [entry["target"] for entry in next(iter(results.values()))["reject"]]
    head = ["it is given", "calibration error", *(f"--reject {target:g}" for target in targets)]
    rows = []
    for given, found in results.items():
        cells = [
            f"error {percent(entry['error'])}, answered {percent(entry['answered'])}"
            for entry in found["reject"]
        ]
        ece = f"{percent(found['ece_raw'])} to {percent(found['ece'])}"
        rows.append([_words(facts, given), ece, *cells])
    return markdown_table(head, rows)
