"""From utterances and a task config to a task folder: folds, references, audit."""

import dataclasses
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lhotse import SupervisionSegment

from dsnet.corpus.gate import label, speaker_is_known
from dsnet.errors import FoldError
from dsnet.files import digest, write_text
from dsnet.folds.audit import TaskTables, audit
from dsnet.folds.copies import Span
from dsnet.folds.predefined import partitions, predefined_fold
from dsnet.folds.protocols import Fold, in_words, make_folds
from dsnet.folds.references import SPK2NEUTRAL, UTT2NEUTRAL, References, choose_references
from dsnet.folds.task_data import UTT2PARTITION, read_task_json, task_digest
from dsnet.folds.texts import leave_out_repeated, text_key
from dsnet.recipe import FINAL
from dsnet.task import PREDEFINED, TaskConfig

LISTS = (
    "utt2emo", "utt2spk", "utt2text", "spk2gender", "neutral2spk", SPK2NEUTRAL, UTT2NEUTRAL,
    UTT2PARTITION,
)  # fmt: skip


def build_task(
    config: TaskConfig,
    supervisions: Sequence[SupervisionSegment],
    task_dir: Path | str,
    allow_near_copies: bool = False,
    files: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Choose references, split, audit and write a task folder, whole or not at all.

    A speaker without neutral utterance under `if_missing: drop_speaker` leaves before the split:
    no fold tests that speaker, and the next one validates instead.

    Args:
        config: the task.
        supervisions: all of the corpus in any order, with `custom` as stage 0 writes it.
        task_dir: folder to write; files there that are not of this stage stay.
        allow_near_copies: near copies on two sides are a warning, no reason to stop.
        files: audio file of each recording; None: each recording is a file of its own.

    Returns:
        What audit.json holds.

    Raises:
        FoldError: no folds or references can be made so, or the audit stops the run.
        CorpusError: a native label that the config does not know.
    """
    labels = label(sorted(supervisions, key=lambda s: s.id), config)
    utt2emo, candidates = labels.utt2emo, labels.candidates
    references = choose_references(config.references, candidates, labels.native, utt2emo)
    kept = [
        s for s in candidates if s.id in utt2emo and s.speaker not in references.dropped_speakers
    ]
    utt2spk = {s.id: s.speaker for s in kept}
    spk2sessions: dict[str, list[str]] = {}
    for s in kept:
        session = s.custom.get("session")
        if session is not None:
            spk2sessions.setdefault(s.speaker, []).append(session)
    spk2sex = {s.speaker: s.gender for s in kept if s.gender}
    utt2partition: dict[str, str] = {}
    if config.folds.protocol == PREDEFINED:
        utt2partition = partitions(config.folds, supervisions, kept)
        folds = predefined_fold(config.folds, utt2partition)
    else:
        folds = make_folds(config.folds, utt2spk, spk2sessions, spk2sex)
    utt2text = {s.id: " ".join(s.text.split()) for s in kept if s.text}
    utt2key = {utt: key for utt, text in utt2text.items() if (key := text_key(text))}
    if config.folds.repeated_text == "leave_out":
        if not utt2key:
            raise FoldError(
                f"folds.repeated_text is leave_out, but none of the {len(kept)} utterances has a "
                "text; give the texts in stage 0, or set it to keep"
            )
        folds = {name: leave_out_repeated(fold, utt2key) for name, fold in folds.items()}

    referred = {r for refs in references.table.values() for r in refs}
    heard = {*utt2spk, *referred, *references.neutral2spk}  # enrolments may be of any neutral one
    used = [s for s in candidates if s.id in heard]
    tables = TaskTables(
        classes=config.classes,
        utt2emo={utt: utt2emo[utt] for utt in utt2spk},
        utt2spk=utt2spk,
        utt2key=utt2key,
        utt2hash={s.id: s.custom["audio_hash"] for s in used if "audio_hash" in s.custom},
        utt2print={s.id: s.custom["fingerprint"] for s in used if "fingerprint" in s.custom},
        utt2span={s.id: span_of(s, files or {}) for s in used},
        reference2spk={s.id: s.speaker for s in candidates if s.id in referred},
        utt2partition=utt2partition,
        unknown_speakers={s.speaker for s in kept if not speaker_is_known(s)},
    )
    report = audit(tables, folds, references, allow_near_copies)
    task_dir = Path(task_dir)
    task_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=task_dir, prefix=".tmp-") as temporary:
        _write(Path(temporary), config, tables, utt2text, spk2sex, folds, references, report)
        _swap(Path(temporary), task_dir)
    return report


def span_of(supervision: SupervisionSegment, files: Mapping[str, str]) -> Span:
    channel, recording = supervision.channel, supervision.recording_id
    channels = frozenset(channel if isinstance(channel, list) else [channel])
    file = files.get(recording, recording)
    return Span(file, channels, supervision.start, supervision.end)


def _write(
    folder: Path,
    config: TaskConfig,
    tables: TaskTables,
    utt2text: Mapping[str, str],
    spk2sex: Mapping[str, str],
    folds: Mapping[str, Fold],
    references: References,
    report: Mapping[str, Any],
) -> None:
    lists = {
        "utt2emo": tables.utt2emo,
        "utt2spk": tables.utt2spk,
        "utt2text": utt2text,
        "spk2gender": {spk: sex[0].lower() for spk, sex in sorted(spk2sex.items())},
        "neutral2spk": references.neutral2spk,
        references.file_name: {key: " ".join(refs) for key, refs in references.table.items()},
    }
    if tables.utt2partition:
        lists[UTT2PARTITION] = tables.utt2partition
    for name, table in lists.items():
        write_text(folder / name, "".join(f"{key} {value}\n" for key, value in table.items()))
    write_text(folder / "folds", "".join(f"{name}\n" for name in folds))
    for name, fold in folds.items():
        if "/" in name or name.split() != [name] or name == FINAL:
            raise FoldError(
                f"fold '{name}': a speaker or session names its folder; no '/' or space, and not "
                f"'{FINAL}', which is the model of all speakers"
            )
        if "JOB" in name:
            raise FoldError(
                f"fold '{name}': a speaker or session names it, and the recipes' launchers put a "
                "number in the place of JOB; name it otherwise in stage 0"
            )
        for part, utts in fold.parts().items():
            write_text(folder / f"fold_{name}" / part, "".join(f"{utt}\n" for utt in utts))
    _write_json(folder / "audit.json", report)
    task = {
        "classes": config.classes,
        "protocol": {**dataclasses.asdict(config.folds), "in_words": in_words(config.folds)},
        "references": {
            **dataclasses.asdict(config.references),
            "fallback_speakers": references.fallback_speakers,
            "without_reference": references.without_reference,
            "digest": digest([(folder / references.file_name).read_bytes()]),
        },
        "unknown_speakers": sorted(tables.unknown_speakers),
        "digest": task_digest(folder, config.classes),
    }
    _write_json(folder / "task.json", task)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _swap(new: Path, task_dir: Path) -> None:
    """Put new files in the place of older ones; task.json comes last and says that all is there."""
    _keep_edited_references(task_dir)
    (task_dir / "task.json").unlink(missing_ok=True)
    for name in (*LISTS, "folds", "audit.json"):
        (task_dir / name).unlink(missing_ok=True)
    for stale in task_dir.glob("fold_*"):
        shutil.rmtree(stale)
    for path in sorted(new.iterdir(), key=lambda path: path.name == "task.json"):
        path.rename(task_dir / path.name)


def _keep_edited_references(task_dir: Path) -> None:
    """Keep references that a person has edited since this stage wrote them, under another name."""
    if not (task_dir / "task.json").is_file():
        return
    try:
        written = read_task_json(task_dir)["references"]["digest"]
    except FoldError as error:  # damaged; so the references may be edited ones
        print(f"{error}; now made anew")
        written = None
    for name in (SPK2NEUTRAL, UTT2NEUTRAL):
        path = task_dir / name
        if path.is_file() and digest([path.read_bytes()]) != written:
            path.rename(task_dir / f"{name}.edited")
            print(f"{path} was edited by hand and is made anew; the edited one is {path}.edited")
