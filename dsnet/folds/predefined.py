"""Protocol predefined: a field of the manifest says on which side an utterance is."""

from collections import Counter
from collections.abc import Mapping, Sequence

from lhotse import SupervisionSegment

from dsnet.corpus.gate import first_ten
from dsnet.errors import FoldError
from dsnet.folds.protocols import PARTS, Fold
from dsnet.task import PREDEFINED, FoldConfig


def partitions(
    config: FoldConfig,
    supervisions: Sequence[SupervisionSegment],
    kept: Sequence[SupervisionSegment],
) -> dict[str, str]:
    """Return the value of `config.field` of each utterance of a task.

    Args:
        config: the protocol, with the values of each side.
        supervisions: all of the corpus.
        kept: those in the task.

    Raises:
        FoldError: an utterance lacks the field; or all values that no side names, and all named
            ones without an utterance in the task.
    """
    values = {s.id: (s.custom or {}).get(config.field) for s in kept}
    without = [utt for utt, value in values.items() if value is None]
    if without:
        fields = sorted({name for s in kept for name in s.custom or {}})
        raise FoldError(
            f"folds.field is '{config.field}', but {len(without)} of {len(kept)} utterances have "
            f"no custom field of that name: {first_ten(without)}. Fields are {', '.join(fields)}; "
            "correct folds.field, or let stage 0 give it"
        )
    found = {utt: str(value) for utt, value in values.items()}
    spaced = sorted({value for value in found.values() if value.split() != [value]})
    if spaced:
        raise FoldError(
            f"values of '{config.field}' with white space, which no list of ours can hold: "
            f"{first_ten([repr(value) for value in spaced])}; let stage 0 give them without"
        )
    there = Counter(found.values())
    everywhere = Counter(str((s.custom or {}).get(config.field)) for s in supervisions)
    wrong = [
        _empty(config.field, f"folds.{part}", value, everywhere)
        for part in PARTS
        for value in getattr(config, part)
        if not there[value]
    ]
    named = [*config.train, *config.dev, *config.test]
    strange = [f"'{v}' ({n} utterances)" for v, n in sorted(there.items()) if v not in named]
    if strange:
        wrong.append(
            f"values of '{config.field}' that neither folds.train nor dev nor test names: "
            f"{first_ten(strange)}. Add each to a side, or leave them out: "
            f"only: {{{config.field}: [{', '.join(v for v in named if there[v])}]}}"
        )
    if wrong:
        raise FoldError("\n".join(wrong))
    return found


def _empty(field: str, side: str, value: str, everywhere: Counter[str]) -> str:
    if everywhere[value]:
        return (
            f"{side} names '{value}', but none of its {everywhere[value]} utterances is in the "
            "task: their labels are in ignored_labels, as of a test set with hidden labels, or "
            "only, unknown_speakers or references.if_missing leaves them out. Without labels "
            f"nothing can be scored: take '{value}' off {side}"
        )
    return (
        f"{side} names '{value}', but no utterance has that value of '{field}'; there are "
        f"{', '.join(f'{v} ({n})' for v, n in sorted(everywhere.items()))}. Correct the name, or "
        "is the copy of the corpus complete?"
    )


def predefined_fold(config: FoldConfig, utt2partition: Mapping[str, str]) -> dict[str, Fold]:
    """Return the one fold of a protocol; with validation none, what would validate trains.

    Args:
        config: the protocol, with the values of each side.
        utt2partition: from `partitions`.
    """
    side = {value: part for part in PARTS for value in getattr(config, part)}
    if config.validation == "none":
        side |= dict.fromkeys(config.dev, "train")
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    for utt in sorted(utt2partition):
        parts[side[utt2partition[utt]]].append(utt)
    return {PREDEFINED: Fold(**parts)}
