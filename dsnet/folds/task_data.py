"""TaskData: what stage 2 wrote about a task, read and checked for the stages after it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from dsnet.errors import FoldError
from dsnet.files import digest, read_json
from dsnet.folds.protocols import PARTS, Fold
from dsnet.folds.references import SPK2NEUTRAL, UTT2NEUTRAL, read_fields, read_references
from dsnet.recipe import FINAL

UTT2PARTITION = "utt2partition"


@dataclass(frozen=True)
class TaskData:
    """A task ready for training and scoring.

    Args:
        task_dir: where it was read from, such as data/4class.
        classes: class names; a class index is a position in it.
        utt2emo: class name of each utterance of the task.
        utt2spk: speaker of each utterance of the task.
        fold_names: in the order of testing.
        references: neutral references of each utterance, best first; never itself, may be empty.
            They need not be utterances of the task.
        reference_utterances: the neutral utterances that serve some utterance as reference.
        neutral2spk: speaker of every neutral utterance to choose from, in file order.
        is_validated: whether anybody validates.
        utt2partition: the value of the field that protocol predefined goes by; of others empty.
        unknown_speakers: those who stand for nobody known, with one utterance each.
        digest: identifies classes, utterances, folds, neutrals and references as they are now.
    """

    task_dir: Path
    classes: list[str]
    utt2emo: dict[str, str]
    utt2spk: dict[str, str]
    fold_names: list[str]
    references: dict[str, list[str]]
    reference_utterances: set[str]
    neutral2spk: dict[str, str]
    is_validated: bool
    digest: str
    utt2partition: dict[str, str] = field(default_factory=dict)
    unknown_speakers: frozenset[str] = frozenset()

    @classmethod
    def load(cls, task_dir: Path | str) -> "TaskData":
        """Read a folder that `make_folds` wrote.

        Raises:
            FoldError: stage 2 has not ended there, or an edited file does not fit the others.
        """
        task_dir = Path(task_dir)
        task = read_task_json(task_dir)
        utt2emo = _read_map(task_dir / "utt2emo", values=task["classes"])
        utt2spk = _read_map(task_dir / "utt2spk")
        _require_alike(task_dir, "utt2emo", utt2emo, "utt2spk", utt2spk)
        neutral2spk = _read_map(task_dir / "neutral2spk")
        references, reference_utterances = read_references(
            task_dir,
            utt2spk,
            neutral2spk,
            task["references"]["fallback_speakers"],
            task["references"].get("without_reference", ()),  # of older folders nobody
        )
        utt2partition: dict[str, str] = {}
        if (task_dir / UTT2PARTITION).is_file():
            utt2partition = _read_map(task_dir / UTT2PARTITION)
            _require_alike(task_dir, "utt2emo", utt2emo, UTT2PARTITION, utt2partition)
        return cls(
            task_dir=task_dir,
            classes=task["classes"],
            utt2emo=utt2emo,
            utt2spk=utt2spk,
            fold_names=_read_fold_names(task_dir),
            references=references,
            reference_utterances=reference_utterances,
            neutral2spk=neutral2spk,
            is_validated=task["protocol"]["validation"] != "none",
            digest=task_digest(task_dir, task["classes"]),
            utt2partition=utt2partition,
            unknown_speakers=frozenset(task.get("unknown_speakers", ())),
        )

    @cached_property
    def spk2neutral(self) -> dict[str, list[str]]:
        """Every neutral utterance of each speaker, in file order."""
        return _by_value(self.neutral2spk)

    @cached_property
    def spk2utt(self) -> dict[str, list[str]]:
        """Utterances of the task by speaker, in file order."""
        return _by_value(self.utt2spk)

    def speaker(self, utt: str) -> str:
        """Return the speaker of an utterance of the task, or of a neutral one outside of it."""
        return self.utt2spk.get(utt) or self.neutral2spk[utt]

    def fold(self, name: str) -> Fold:
        """Read the train, dev and test utterances of a fold; all train in the fold "final".

        Raises:
            FoldError: no such fold, or its lists hold strangers, repetitions or a shared speaker.
        """
        if name == FINAL:
            return Fold(train=sorted(self.utt2emo), dev=[], test=[])
        if name not in self.fold_names:
            raise FoldError(
                f"{self.task_dir}: no fold '{name}'; folds are {' '.join(self.fold_names)}"
            )
        parts: dict[str, list[str]] = {}
        part_of: dict[str, str] = {}  # speaker to part
        for part in PARTS:
            utts: list[str] = []
            for where, fields in read_fields(self.task_dir / f"fold_{name}" / part):
                if len(fields) != 1 or fields[0] not in self.utt2spk:
                    raise FoldError(
                        f"{where}: expected one utterance of the task, found '{' '.join(fields)}'"
                    )
                speaker = self.utt2spk[fields[0]]
                if part_of.setdefault(speaker, part) != part:
                    raise FoldError(
                        f"{where}: speaker {speaker} of {fields[0]} is in {part_of[speaker]} too; "
                        "a speaker belongs to one part"
                    )
                utts.append(fields[0])
            parts[part] = utts
            wanted = part != "dev" or self.is_validated
            if bool(utts) != wanted or len(set(utts)) < len(utts):
                found = "empty" if wanted else "not empty, though nobody validates"
                raise FoldError(
                    f"{self.task_dir}/fold_{name}/{part}: {found}, or an utterance stands there "
                    "twice"
                )
        return Fold(**parts)


def read_task_json(task_dir: Path) -> dict:
    """Read task.json, which stage 2 writes last.

    Raises:
        FoldError: there is none, or a damaged one.
    """
    path = task_dir / "task.json"
    if not path.is_file():
        raise FoldError(
            f"{path}: no such file, so stage 2 has not ended here; run the recipe with --stage 2"
        )
    keys = ("classes", "protocol.validation", "references.fallback_speakers")
    return read_json(path, FoldError, "run the recipe with --stage 2", keys)


def task_digest(task_dir: Path, classes: Sequence[str]) -> str:
    """Return 16 hex digits that identify what the lists of a task folder say, and the classes."""
    names = ["utt2emo", "utt2spk", "neutral2spk", "folds"]
    optional = (SPK2NEUTRAL, UTT2NEUTRAL, UTT2PARTITION)
    names += [name for name in optional if (task_dir / name).is_file()]
    names += [f"fold_{fold}/{part}" for fold in _read_fold_names(task_dir) for part in PARTS]
    contents = [part for name in names for part in (name, (task_dir / name).read_bytes())]
    return digest([json.dumps(list(classes)), *contents])


def _read_fold_names(task_dir: Path) -> list[str]:
    names = [fields[0] for _, fields in read_fields(task_dir / "folds")]
    for name in names:
        for part in PARTS:
            if not (task_dir / f"fold_{name}" / part).is_file():
                raise FoldError(
                    f"{task_dir}/fold_{name}/{part}: no such file, though {task_dir}/folds "
                    f"names the fold {name}; run the recipe with --stage 2"
                )
    return names


def _read_map(path: Path, values: Sequence[str] | None = None) -> dict[str, str]:
    result: dict[str, str] = {}
    for where, fields in read_fields(path):
        if len(fields) != 2:
            raise FoldError(f"{where}: expected 'utterance value', found '{' '.join(fields)}'")
        key, value = fields
        if key in result:
            raise FoldError(f"{where}: {key} has a line already")
        if values is not None and value not in values:
            raise FoldError(f"{where}: '{value}' is not among {', '.join(values)}")
        result[key] = value
    return result


def _require_alike(
    task_dir: Path, name: str, table: dict[str, str], other_name: str, other: dict[str, str]
) -> None:
    strange = sorted(set(table) ^ set(other))
    if strange:
        raise FoldError(
            f"{task_dir}: {name} and {other_name} differ in {len(strange)} utterances, "
            f"such as {strange[0]}; run the recipe with --stage 2"
        )


def _by_value(table: dict[str, str]) -> dict[str, list[str]]:
    """Turn utterance to speaker into speaker to utterances."""
    result: dict[str, list[str]] = {}
    for utt, speaker in table.items():
        result.setdefault(speaker, []).append(utt)
    return result
