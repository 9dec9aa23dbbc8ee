"""Audit of folds and references: what would spoil a result stops the run, the rest is counted."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from tabulate import tabulate

from dsnet.corpus.gate import first_ten
from dsnet.corpus.same_audio import in_words, same_audio, shared_by_speakers
from dsnet.errors import FoldError
from dsnet.folds.copies import (
    Span,
    check_near_copies,
    check_overlaps,
    check_same_audio,
    unequal_copies,
)
from dsnet.folds.protocols import PARTS, Fold
from dsnet.folds.references import References

MOST_SHOWN = 100  # speakers on a line


@dataclass(frozen=True)
class TaskTables:
    """What is known of the utterances of a task.

    Args:
        classes: class names in order.
        utt2emo: class of each utterance of the task.
        utt2spk: its speaker.
        utt2key: its text as `text_key` compares it, where known.
        utt2hash: digest of the samples, where known; also of neutral utterances outside the task,
            which a system may be given of a speaker.
        utt2print: fingerprint, likewise; empty: too short for one.
        utt2span: where it lies in its file, likewise.
        reference2spk: speaker of each reference.
        utt2partition: of protocol predefined, where an utterance needs not be tested.
        unknown_speakers: those among the speakers who stand for nobody known.
    """

    classes: Sequence[str]
    utt2emo: Mapping[str, str]
    utt2spk: Mapping[str, str]
    utt2key: Mapping[str, str]
    utt2hash: Mapping[str, str]
    utt2print: Mapping[str, str]
    utt2span: Mapping[str, Span]
    reference2spk: Mapping[str, str]
    utt2partition: Mapping[str, str] = field(default_factory=dict)
    unknown_speakers: Set[str] = frozenset()


def audit(
    tables: TaskTables,
    folds: Mapping[str, Fold],
    references: References,
    allow_near_copies: bool = False,
) -> dict[str, Any]:
    """Check and count; the result is what audit.json holds.

    Args:
        tables, folds, references: the task.
        allow_near_copies: near copies on two sides, and utterances that hold another's part of
            their file, are a warning, no reason to stop.

    Raises:
        FoldError: a speaker, the same audio or near copies on two sides, a training part without
            some class, or, unless the split is predefined, an utterance that is not tested exactly
            once.
    """
    sides = {name: speaker_sides(name, fold, tables.utt2spk) for name, fold in folds.items()}
    speaker_of = {**references.neutral2spk, **tables.reference2spk, **tables.utt2spk}
    groups = same_audio(tables.utt2hash)
    check_same_audio(sides, groups, speaker_of)
    copies = unequal_copies(tables.utt2print, tables.utt2hash)
    warnings = check_near_copies(sides, copies, speaker_of, allow_near_copies)
    warnings += check_overlaps(sides, tables.utt2span, speaker_of, allow_near_copies)
    for name, fold in folds.items():
        absent = {p: _absent_classes(utts, tables) for p, utts in fold.parts().items()}
        if absent["train"]:
            raise FoldError(
                f"fold {name}: the training part has no utterance of {', '.join(absent['train'])}; "
                "choose a protocol that trains on more speakers, or leave the class out of the task"
            )
        for part in ("dev", "test"):
            if absent[part] and fold.parts()[part]:
                warnings.append(f"fold {name}: {part} has no {', '.join(absent[part])}")
    if not tables.utt2partition:
        _check_tested_once(folds, tables.utt2emo)
    unhashed = len(set(tables.utt2emo) - set(tables.utt2hash))
    if unhashed:
        warnings.append(f"{unhashed} utterances without audio_hash: not compared with others")
    without = [u for u, refs in references.by_utterance(tables.utt2spk).items() if not refs]
    return {
        "num_utterances": len(tables.utt2emo),
        "num_speakers": len(set(tables.utt2spk.values()) - tables.unknown_speakers),
        "num_of_unknown_speakers": len(tables.unknown_speakers),
        "num_without_text": len(tables.utt2spk) - len(tables.utt2key),
        "folds": {name: _describe(fold, sides[name], tables) for name, fold in folds.items()},
        "warnings": warnings,
        "references": {
            "num_by_speaker": dict(sorted(Counter(tables.reference2spk.values()).items())),
            "fallback_speakers": references.fallback_speakers,
            "dropped_speakers": references.dropped_speakers,
            "without_reference": [
                speaker
                for speaker in references.without_reference
                if speaker not in tables.unknown_speakers
            ],
            "utterances_without_reference": without,
        },
        "same_audio": groups,
        "speakers_with_same_audio": in_words(shared_by_speakers(groups, speaker_of)),
        "near_copies": copies,
        "num_without_fingerprint": sum(not tables.utt2print.get(utt) for utt in tables.utt2emo),
    }


def speaker_sides(name: str, fold: Fold, utt2spk: Mapping[str, str]) -> dict[str, str]:
    """Return the side of each speaker of a fold.

    Raises:
        FoldError: names speakers on two sides, with their utterances.
    """
    counts = {part: Counter(map(utt2spk.__getitem__, utts)) for part, utts in fold.parts().items()}
    times = Counter(speaker for of_part in counts.values() for speaker in of_part)
    shared = sorted(speaker for speaker, number in times.items() if number > 1)
    if shared:
        named = [
            f"{speaker} ("
            + ", ".join(f"{part} {own[speaker]}" for part, own in counts.items() if own[speaker])
            + ")"
            for speaker in shared
        ]
        raise FoldError(
            f"fold {name}: {len(shared)} speakers are on two sides, with so many utterances: "
            f"{first_ten(named)}; a speaker belongs to one part. Is it one person? Correct the "
            "speaker or the side in stage 0, or leave these utterances of one side out there"
        )
    return {speaker: part for part, own in counts.items() for speaker in own}


def _absent_classes(utts: Iterable[str], tables: TaskTables) -> list[str]:
    present = {tables.utt2emo[utt] for utt in utts}
    return [c for c in tables.classes if c not in present]


def _check_tested_once(folds: Mapping[str, Fold], utterances: Iterable[str]) -> None:
    times = Counter(utt for fold in folds.values() for utt in fold.test)
    wrong = sorted(utt for utt in {*utterances, *times} if times[utt] != 1)
    if wrong:
        raise FoldError(
            f"{len(wrong)} utterances are not tested exactly once over the folds, "
            f"such as {wrong[0]} ({times[wrong[0]]} times)"
        )


def _describe(fold: Fold, sides: Mapping[str, str], tables: TaskTables) -> dict[str, Any]:
    trained = {tables.utt2key[utt] for utt in fold.train if utt in tables.utt2key}
    of_side = Counter(sides.get(speaker) for speaker in tables.utt2spk.values())
    unknown = tables.unknown_speakers
    result: dict[str, Any] = {}
    for part, utts in fold.parts().items():
        counts = Counter(tables.utt2emo[utt] for utt in utts)
        result[part] = {
            "utterances": len(utts),
            "left_out": of_side[part] - len(utts),
            "speakers": sorted({tables.utt2spk[utt] for utt in utts} - unknown),
            "of_unknown_speakers": sum(tables.utt2spk[utt] in unknown for utt in utts),
            "classes": {c: counts[c] for c in tables.classes},
        }
        if tables.utt2partition:
            values = Counter(tables.utt2partition[utt] for utt in utts)
            result[part]["partitions"] = dict(sorted(values.items()))
        if part != "train":
            repeated = sum(tables.utt2key.get(utt) in trained for utt in utts)
            result[part]["utterances_with_text_of_train"] = repeated
    return result


def format_audit(report: Mapping[str, Any], words: str) -> str:
    """Return an audit as text to print; `words` says the protocol."""
    folds, references = report["folds"], report["references"]
    lines = [
        f"{report['num_utterances']} utterances of {report['num_speakers']} speakers, "
        f"{len(folds)} folds: {words}"
    ]
    rows = [
        [name]
        + [str(fold[part]["utterances"]) for part in ("train", "dev", "test")]
        + [_counts(fold[part]["classes"]) for part in ("dev", "test")]
        for name, fold in folds.items()
    ]
    header = ["fold", "train", "dev", "test", "dev by class", "test by class"]
    align = ["left", "right", "right", "right", "left", "left"]
    lines.append(tabulate(rows, header, tablefmt="plain", disable_numparse=True, colalign=align))
    for fold in folds.values():
        for part in PARTS:
            if len(fold[part].get("partitions", ())) > 1:
                lines.append(f"{part}: {_counts(fold[part]['partitions'])}")
    if report["num_of_unknown_speakers"]:
        number = report["num_of_unknown_speakers"]
        sides = _counts(
            {part: fold[part]["of_unknown_speakers"] for fold in folds.values() for part in PARTS}
        )
        lines.append(
            f"warning: {number} utterances of unknown speakers ({sides}), each without a "
            "reference: whether one of these people is on two sides cannot be known"
        )
    lines += [f"warning: {warning}" for warning in report["warnings"]]
    if 0 < report["num_without_text"] < report["num_utterances"]:
        lines.append(f"{report['num_without_text']} utterances without text: not compared by text")
    repeated = sum(fold["test"]["utterances_with_text_of_train"] for fold in folds.values())
    if repeated:
        lines.append(f"{repeated} test utterances say a text that the training part has too")
    for part in ("train", "dev"):
        left_out = [fold[part]["left_out"] for fold in folds.values()]
        if any(left_out):
            lines.append(
                f"{min(left_out)} to {max(left_out)} utterances a fold left out of {part}: a part "
                "nearer to the test has their text (folds.repeated_text)"
            )
    for utts in report["same_audio"][:10]:
        lines.append(f"same audio, on one side: {' '.join(utts)}")
    if len(report["same_audio"]) > 10:
        lines.append(f"and {len(report['same_audio']) - 10} more (audit.json: same_audio)")
    lines += report["speakers_with_same_audio"][:10]
    if report["near_copies"]:
        pairs = [" and ".join(pair) for pair in report["near_copies"]]
        lines.append(f"near copies ({len(pairs)}): {first_ten(pairs)}")
    if report["num_without_fingerprint"]:
        lines.append(
            f"{report['num_without_fingerprint']} utterances without fingerprint, as those of less "
            "than 0.6 s: not compared for near copies"
        )
    by_speaker = [f"{name} {n}" for name, n in references["num_by_speaker"].items()]
    shown = " ".join(by_speaker[:MOST_SHOWN])
    more = f" and {len(by_speaker) - MOST_SHOWN} more" if len(by_speaker) > MOST_SHOWN else ""
    lines.append(f"references by speaker: {shown}{more}")
    if references["fallback_speakers"]:
        fallback = references["fallback_speakers"]
        lines.append(
            f"{len(fallback)} speakers have no neutral utterance: any utterance of theirs serves "
            f"as reference: {first_ten(fallback)}"
        )
    if references["dropped_speakers"]:
        dropped = references["dropped_speakers"]
        lines.append(
            f"{len(dropped)} speakers, {sum(dropped.values())} utterances left out of the task, "
            f"no neutral utterance: {_counts(dropped)}"
        )
    if references["without_reference"]:
        speakers = references["without_reference"]
        lines.append(
            f"{len(speakers)} speakers have no neutral utterance and no reference: "
            f"{first_ten(speakers)}"
        )
    without = references["utterances_without_reference"]
    if without:
        lines.append(f"{len(without)} utterances have no reference: {first_ten(without)}")
    return "\n".join(lines)


def _counts(counts: Mapping[str, int]) -> str:
    return " ".join(f"{name} {count}" for name, count in counts.items())
