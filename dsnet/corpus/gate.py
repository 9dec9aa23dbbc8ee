"""The gate: a corpus under a task has the counts that its config promises."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lhotse import SupervisionSegment

from dsnet.corpus.utterance import UNKNOWN_SPEAKER
from dsnet.errors import CorpusError
from dsnet.task import GateConfig, TaskConfig


@dataclass(frozen=True)
class TaskLabels:
    """The utterances of a corpus as a task sees them.

    Args:
        candidates: those that `only` and `unknown_speakers` let in, of whatever label.
        native: label of each of them as the corpus spells it.
        utt2emo: class of each utterance of the task.
        ignored: utterances left out per ignored native label.
        others: utterances left out by `only` or `unknown_speakers`, per "field value".
    """

    candidates: list[SupervisionSegment]
    native: dict[str, str]
    utt2emo: dict[str, str]
    ignored: dict[str, int]
    others: dict[str, int]


def label(supervisions: Iterable[SupervisionSegment], task: TaskConfig) -> TaskLabels:
    """Choose the utterances of a task and give them their classes.

    Raises:
        CorpusError: a native label that the task does not know, an utterance without one, or a
            field or value in `only` that the corpus does not have.
    """
    candidates, others = _select(list(supervisions), task.only)
    if task.unknown_speakers == "leave_out":
        known = [s for s in candidates if speaker_is_known(s)]
        if len(known) < len(candidates):
            others["speaker unknown"] = len(candidates) - len(known)
        candidates = known
    native = native_labels(candidates, task.label_field)
    utt2emo, ignored = apply_labels(native, task)
    return TaskLabels(candidates, native, utt2emo, ignored, others)


def speaker_is_known(segment: SupervisionSegment) -> bool:
    """Say whether anybody knows who speaks."""
    return UNKNOWN_SPEAKER not in (segment.custom or {})


def _select(
    supervisions: list[SupervisionSegment], only: Mapping[str, list[str]]
) -> tuple[list[SupervisionSegment], dict[str, int]]:
    others: Counter[str] = Counter()
    for name, wanted in only.items():
        values = [str((s.custom or {}).get(name, "(none)")) for s in supervisions]
        absent = sorted(set(wanted) - set(values))
        if absent:
            there = sorted(set(values))
            raise CorpusError(
                f"only.{name} of the task config asks for '{absent[0]}', which no utterance has; "
                f"the custom field '{name}' has {len(there)} values: {', '.join(there[:10])}"
            )
        others.update(f"{name} {value}" for value in values if value not in wanted)
        supervisions = [s for s, v in zip(supervisions, values, strict=True) if v in wanted]
    return supervisions, dict(sorted(others.items()))


def native_labels(
    supervisions: Iterable[SupervisionSegment], label_field: str = "emotion"
) -> dict[str, str]:
    """Return per utterance the label as the corpus spells it.

    Args:
        supervisions: with `custom` as stage 0 writes it.
        label_field: the custom field that holds the label.

    Raises:
        CorpusError: a supervision has none.
    """
    labels = {segment.id: (segment.custom or {}).get(label_field) for segment in supervisions}
    without = [utt_id for utt_id, value in labels.items() if value is None]
    if without:
        raise CorpusError(
            f"{len(without)} of {len(labels)} supervisions have no custom field '{label_field}', "
            f"first: {', '.join(without[:10])}; the recipe's prepare.py gives it (stage 0), and "
            "label_field of the task config names it"
        )
    return {utt_id: str(value) for utt_id, value in labels.items()}  # a table may have numbers


def apply_labels(
    native: Mapping[str, str], task: TaskConfig
) -> tuple[dict[str, str], dict[str, int]]:
    """Map native labels to the classes of a task.

    Args:
        native: native label per utterance.
        task: says which native label is which class, and which are ignored.

    Returns:
        Class per utterance of the task, and how many utterances of each ignored native label
        are left out.

    Raises:
        CorpusError: native labels that the task does not know.
    """
    utt2emo: dict[str, str] = {}
    ignored: Counter[str] = Counter()
    unknown: dict[str, list[str]] = {}
    for utt_id, label in native.items():
        if label in task.label_map:
            utt2emo[utt_id] = task.label_map[label]
        elif label in task.ignored_labels:
            ignored[label] += 1
        else:
            unknown.setdefault(label, []).append(utt_id)
    if unknown:
        raise CorpusError(
            "native labels that the task config does not know: "
            + "; ".join(
                f"'{label}' {len(ids)} times, for example {ids[0]}"
                for label, ids in sorted(unknown.items())
            )
            + ". Add each to label_map or to ignored_labels"
        )
    return utt2emo, dict(sorted(ignored.items()))


@dataclass(frozen=True)
class GateReport:
    """What a corpus has under a task.

    Args:
        utterances: of the task.
        by_class: utterances per class, in the order of the classes.
        by_speaker: utterances per speaker whom somebody knows.
        of_unknown: utterances of nobody known.
        ignored: utterances left out per native label.
        others: utterances left out by `only` and `unknown_speakers` of the task.
        one_class: class of each speaker who has no other.
        without_neutral: utterances in the task of each speaker without a neutral one.
        differences: what is not as the gate says, in words.
    """

    utterances: int
    by_class: dict[str, int]
    by_speaker: dict[str, int]
    of_unknown: int = 0
    ignored: dict[str, int] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)
    one_class: dict[str, str] = field(default_factory=dict)
    without_neutral: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)


def count(labels: TaskLabels, task: TaskConfig) -> GateReport:
    """Count the utterances of a task and compare with its gate."""
    utt2spk = {
        s.id: s.speaker for s in labels.candidates if s.id in labels.utt2emo and speaker_is_known(s)
    }
    total = len(labels.utt2emo)
    of_class, of_speaker = Counter(labels.utt2emo.values()), Counter(utt2spk.values())
    spk2classes: dict[str, set[str]] = {}
    for utt, speaker in utt2spk.items():
        spk2classes.setdefault(speaker, set()).add(labels.utt2emo[utt])
    neutral = {
        s.speaker for s in labels.candidates if labels.native[s.id] == task.references.native_label
    }
    report = GateReport(
        utterances=total,
        by_class={name: of_class[name] for name in task.classes},
        by_speaker=dict(sorted(of_speaker.items())),
        of_unknown=total - len(utt2spk),
        ignored=labels.ignored,
        others=labels.others,
        one_class={s: next(iter(c)) for s, c in sorted(spk2classes.items()) if len(c) == 1},
        without_neutral={s: n for s, n in sorted(of_speaker.items()) if s not in neutral},
    )
    return dataclasses.replace(report, differences=_differences(report, task.gate))


def _differences(report: GateReport, gate: GateConfig) -> list[str]:
    found = []
    if gate.utterances and gate.utterances != report.utterances:
        found.append(f"{report.utterances} utterances, expected {gate.utterances}")
    for what, expected, counted in (
        ("class", gate.by_class, report.by_class),
        ("speaker", gate.by_speaker, report.by_speaker),
    ):
        if not expected:
            continue
        for name in sorted(expected.keys() | counted.keys()):
            there, wanted = counted.get(name, 0), expected.get(name, 0)
            if there != wanted:
                found.append(f"{what} {name}: {there}, expected {wanted}")
    return found


def check(
    report: GateReport,
    task: TaskConfig,
    manifest_dir: object,
    task_config: object,
    allow_count_mismatch: bool = False,
) -> None:
    """Stop if a corpus does not have what its gate says, or speakers lack the neutral they need.

    Args:
        report: from `count`.
        task: that it was counted for.
        manifest_dir, task_config: where the counts and the gate come from, for the message.
        allow_count_mismatch: other counts than the gate's are no reason to stop.

    Raises:
        CorpusError: gives both figures of the first ten that differ, and the first ten speakers.
    """
    found = []
    if report.differences and not allow_count_mismatch:
        found.append(
            f"{manifest_dir}: other counts than {task_config} (gate) says: "
            + first_ten(report.differences, "; ")
            + ". Is the copy of the corpus complete? --allow-count-mismatch true goes on"
        )
    if report.without_neutral and task.references.if_missing == "error":
        named = [f"{s} ({n} utterances in the task)" for s, n in report.without_neutral.items()]
        labels = sorted({*task.label_map, *task.ignored_labels})
        found.append(
            f"{manifest_dir}: {len(named)} of {len(report.by_speaker)} speakers have no utterance "
            f"with native label '{task.references.native_label}' to serve as neutral reference: "
            f"{first_ten(named)}. Labels are {first_ten(labels)}. Correct references.native_label "
            f"of {task_config}, or set "
            "references.if_missing to all_utterances (any utterance of the speaker serves), "
            "drop_speaker (leaves the task) or no_reference (stays without one)"
        )
    if found:
        raise CorpusError("\n".join(found))


def first_ten(names: Sequence[str], separator: str = ", ") -> str:
    """Return the first ten of some names, and how many more there are."""
    more = f"{separator}and {len(names) - 10} more" if len(names) > 10 else ""
    return separator.join(names[:10]) + more
