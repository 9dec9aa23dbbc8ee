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
    candidates: Sequence[SupervisionSegment],
    kept: Sequence[SupervisionSegment],
) -> dict[str, str]:
    """Return the value of `config.field` of each utterance of a task.

    Args:
        config: the protocol, with the values of each side.
        candidates: utterances of whatever label.
        kept: those in the task.

    Raises:
        FoldError: an utterance lacks the field or has a value that no side names, or a named value
            has no utterance in the task.
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
    counts = Counter(found.values())
    named = [*config.train, *config.dev, *config.test]
    strange = [f"'{v}' ({n} utterances)" for v, n in sorted(counts.items()) if v not in named]
    if strange:
        raise FoldError(
            f"values of '{config.field}' that neither folds.train nor dev nor test names: "
            f"{first_ten(strange)}. Add each to a side, or leave them out: "
            f"only: {{{config.field}: [{', '.join(named)}]}}"
        )
    everywhere = Counter(str((s.custom or {}).get(config.field)) for s in candidates)
    for part in PARTS:
        for value in getattr(config, part):
            if not counts[value]:
                raise FoldError(_empty(config, part, value, everywhere))
    return found


def _empty(config: FoldConfig, part: str, value: str, everywhere: Counter[str]) -> str:
    if everywhere[value]:
        return (
            f"folds.{part} names '{value}', but none of its {everywhere[value]} utterances has a "
            "class of the task: their labels are in ignored_labels, as those of a test set whose "
            f"labels are hidden. Without labels nothing can be scored; take '{value}' off "
            f"folds.{part}, and use `dsnet predict` on its audio"
        )
    return (
        f"folds.{part} names '{value}', but no utterance has that value of '{config.field}'; there "
        f"are {', '.join(f'{v} ({n})' for v, n in sorted(everywhere.items()))}. Correct the name, "
        "or is the copy of the corpus complete?"
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
