"""The gate: a corpus under a task has the counts that its config promises."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lhotse import SupervisionSegment

from dsnet.errors import CorpusError
from dsnet.task import GateConfig, TaskConfig


def native_labels(supervisions: Iterable[SupervisionSegment]) -> dict[str, str]:
    """Return per utterance the label as the corpus spells it.

    Raises:
        CorpusError: a supervision has none.
    """
    labels = {segment.id: (segment.custom or {}).get("emotion") for segment in supervisions}
    without = [utt_id for utt_id, label in labels.items() if label is None]
    if without:
        raise CorpusError(
            f"{len(without)} of {len(labels)} supervisions have no custom field 'emotion', first: "
            f"{', '.join(without[:10])}; were the manifests written by --stage 0?"
        )
    return labels


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
        by_speaker: utterances per speaker.
        ignored: utterances left out per native label.
        differences: what is not as the gate says, in words.
    """

    utterances: int
    by_class: dict[str, int]
    by_speaker: dict[str, int]
    ignored: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)


def count(
    utt2emo: Mapping[str, str],
    utt2spk: Mapping[str, str],
    ignored: Mapping[str, int],
    task: TaskConfig,
) -> GateReport:
    """Count the utterances of a task and compare with its gate."""
    of_class = Counter(utt2emo.values())
    of_speaker = Counter(utt2spk[utt_id] for utt_id in utt2emo)
    report = GateReport(
        utterances=len(utt2emo),
        by_class={name: of_class[name] for name in task.classes},
        by_speaker=dict(sorted(of_speaker.items())),
        ignored=dict(ignored),
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


def check(report: GateReport, manifest_dir: object, task_config: object) -> None:
    """Stop if a corpus does not have what its gate says.

    Args:
        report: from `count`.
        manifest_dir, task_config: where the counts and the gate come from, for the message.

    Raises:
        CorpusError: gives both figures of the first ten that differ.
    """
    if not report.differences:
        return
    more = len(report.differences) - 10
    raise CorpusError(
        f"{manifest_dir}: other counts than {task_config} (gate) says: "
        + "; ".join(report.differences[:10])
        + (f"; and {more} more" if more > 0 else "")
        + ". Is the copy of the corpus complete? --allow-count-mismatch true goes on"
    )
