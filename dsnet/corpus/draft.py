"""Draft a task config from the labels and speakers of a corpus, for a person to read and change."""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

import yaml

from dsnet.corpus.look_alikes import look_alikes_in_words
from dsnet.errors import CorpusError

NEUTRAL = ("n", "neu", "neutral")
MAX_SPEAKERS = 15  # more than this are tested in groups
# Ten folds or more, since tests compare systems over folds; the first that makes equal groups.
NUM_GROUPS = (12, 13, 11, 10)
MAX_COLUMNS = 100


def draft_task(
    utterances: Sequence[tuple[str, str]], name: str, ignored: Collection[str] = ()
) -> str:
    """Return the text of a task config in which every label is a class.

    Args:
        utterances: speaker and native label of each.
        name: of the corpus, for the first line.
        ignored: labels that are no class; those among them that occur are in ignored_labels.

    Raises:
        CorpusError: fewer than two labels, fewer than three speakers, or both.
    """
    left_out = sorted({label for _, label in utterances if label in ignored})
    utterances = [pair for pair in utterances if pair[1] not in ignored]
    by_speaker = Counter(speaker for speaker, _ in utterances)
    by_label = Counter(label for _, label in utterances)
    few = []
    if len(by_label) < 2:
        few.append(
            f"all {len(utterances)} utterances have the label {', '.join(by_label) or '(none)'}; "
            "a task needs two classes or more"
        )
    if len(by_speaker) < 3:
        few.append(
            f"{len(by_speaker)} speakers ({', '.join(sorted(by_speaker))}); folds by speaker need "
            "three or more: one to test, one to validate, one to train"
        )
    if few:
        raise CorpusError(". ".join(few))
    labels = sorted(by_label)
    return "\n".join(
        [
            f"# A task of {name}, drafted from its labels: each is a class. Read it, change it:",
            "# - labels may share a class, as in label_map: {happy: happy, excited: happy};",
            "# - labels that are no class of this task move from label_map to ignored_labels;",
            "# - gate has the counts that stage 0 checks: correct them with the classes.",
            "# All keys, with what they mean, are in dsnet/task.py.",
            *(f"# Look: {words}" for words in look_alikes_in_words(by_speaker, by_label)),
            *_entry("classes", "[]", map(plain, labels)),
            *_entry("label_map", "{}", (f"{plain(label)}: {plain(label)}" for label in labels)),
            *_entry("ignored_labels", "[]", map(plain, left_out)),
            "gate:",
            f"  utterances: {len(utterances)}",
            *_entry("  by_class", "{}", _counts(by_label)),
            *_entry("  by_speaker", "{}", _counts(by_speaker)),
            "folds:",
            *_folds(len(by_speaker)),
            *_references(labels),
            "",
        ]
    )


def _folds(num_speakers: int) -> list[str]:
    if num_speakers <= MAX_SPEAKERS:
        return ["  protocol: leave_one_speaker_out", "  validation: next_speaker"]
    equal = [number for number in NUM_GROUPS if num_speakers % number == 0]
    return [
        "  protocol: speaker_groups",
        f"  num_groups: {(equal or NUM_GROUPS)[0]}",
        "  validation: next_group",
    ]


def _references(labels: Sequence[str]) -> list[str]:
    neutral = [label for label in labels if label.casefold() in NEUTRAL]
    if len(neutral) == 1:
        entries = f"native_label: {plain(neutral[0])}, policy: first, count: 3, if_missing: error"
        return [f"references: {{{entries}}}"]
    return [
        "# Which label is neutral speech? Write it behind native_label; the run stops without it.",
        "# If there is none: native_label: none and if_missing: all_utterances, so that all",
        "# that a speaker says may stand for that speaker.",
        "references:",
        "  native_label:",
        "  policy: first",
        "  count: 3",
        "  if_missing: error",
    ]


def _counts(counts: Mapping[str, int]) -> list[str]:
    return [f"{plain(name)}: {counts[name]}" for name in sorted(counts)]


def _entry(key: str, brackets: str, items: Iterable[str]) -> list[str]:
    """Return the lines of `key: [item, item]`, broken between items where they get too long."""
    items = list(items)
    whole = f"{key}: {brackets[0]}{', '.join(items)}{brackets[1]}"
    if len(whole) <= MAX_COLUMNS:
        return [whole]
    indent = " " * (len(key) - len(key.lstrip()) + 2)
    lines = [indent + brackets[0]]
    for item in items:
        if len(lines[-1]) + len(item) + 1 > MAX_COLUMNS:
            lines.append(indent + " ")
        lines[-1] += f"{item}, "
    return [f"{key}:", *(line[:-1] for line in lines[:-1]), lines[-1][:-2] + brackets[1]]


def plain(name: str) -> str:
    """Return a name as YAML reads it back: in quotes unless it can only be a word.

    >>> plain("happy"), plain("01"), plain("no")
    ('happy', '"01"', '"no"')
    """
    word = re.fullmatch(r"[^\W\d][\w-]*", name) and yaml.safe_load(name) == name
    return name if word else json.dumps(name, ensure_ascii=False)
