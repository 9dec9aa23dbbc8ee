"""Stage 0, after prepare: print the counts of a task and stop if its gate says others."""

import argparse
import dataclasses
import json
from pathlib import Path

from lhotse import SupervisionSegment

from dsnet.bin import run
from dsnet.config import load, nearest
from dsnet.corpus.gate import (
    GateReport,
    TaskLabels,
    check,
    count,
    first_ten,
    label,
    speaker_is_known,
)
from dsnet.corpus.manifests import read_manifests
from dsnet.corpus.prepare import UNKNOWN, count_table
from dsnet.errors import ConfigError
from dsnet.files import write_text
from dsnet.folds.audit import speaker_sides
from dsnet.folds.predefined import partitions, predefined_fold
from dsnet.folds.protocols import known_fold_names
from dsnet.task import PREDEFINED, TaskConfig

WITHOUT_NEUTRAL = {
    "all_utterances": "any utterance of theirs serves as reference",
    "drop_speaker": "stage 2 leaves them out of the task",
    "no_reference": "their utterances have no reference",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("task_config", type=Path, help="conf/<task>.yaml")
    parser.add_argument("manifest_dir", type=Path)
    parser.add_argument("report", type=Path, help="data/manifests/gate.<task>.json")
    parser.add_argument("--allow-count-mismatch", choices=("true", "false"), default="false")
    parser.add_argument("--folds", default="", help="that the run asks for, such as '03 08'")
    args = parser.parse_args()
    task = load(args.task_config, TaskConfig)
    _, supervisions = read_manifests(args.manifest_dir)
    labels = label(supervisions, task)
    report = count(labels, task)
    rows = [
        (s.speaker if speaker_is_known(s) else UNKNOWN, labels.utt2emo[s.id])
        for s in supervisions
        if s.id in labels.utt2emo
    ]
    print(count_table(rows))
    if report.of_unknown:
        print(f"{report.of_unknown} utterances of unknown speakers, each without a reference")
    for name, number in report.ignored.items():
        print(f"{number} utterances left out: native label '{name}' (ignored_labels)")
    for name, number in report.others.items():
        print(f"{number} utterances left out: {name} (only, unknown_speakers)")
    if report.one_class:
        named = [f"{speaker} ({name})" for speaker, name in report.one_class.items()]
        print(f"note: {len(named)} speakers have one class only: {first_ten(named)}")
    if report.without_neutral and task.references.if_missing in WITHOUT_NEUTRAL:
        print(
            f"note: {len(report.without_neutral)} speakers have no neutral utterance: "
            f"{WITHOUT_NEUTRAL[task.references.if_missing]}: {first_ten([*report.without_neutral])}"
        )
    allowed = args.allow_count_mismatch == "true"
    for difference in report.differences if allowed else ():
        print(f"note: {difference}")
    check(report, task, args.manifest_dir, args.task_config, allowed)
    if task.folds.protocol == PREDEFINED:
        check_sides(task, list(supervisions), labels, report)
    there = known_fold_names(task)
    if task.folds.protocol == "leave_one_speaker_out":
        there = list(report.by_speaker)
    for name in args.folds.split() if there else ():
        if name not in there:
            raise ConfigError(f"--folds: no fold '{name}'; {nearest(name, there)}")
    write_text(args.report, json.dumps(dataclasses.asdict(report), indent=1) + "\n")


def check_sides(
    task: TaskConfig,
    supervisions: list[SupervisionSegment],
    labels: TaskLabels,
    report: GateReport,
) -> None:
    """Stop at a predefined split that stage 2 would refuse, before hours of features.

    Raises:
        FoldError: see `partitions` and `speaker_sides`.
    """
    dropped = report.without_neutral if task.references.if_missing == "drop_speaker" else {}
    kept = [s for s in labels.candidates if s.id in labels.utt2emo and s.speaker not in dropped]
    utt2spk = {s.id: s.speaker for s in kept}
    folds = predefined_fold(task.folds, partitions(task.folds, supervisions, kept))
    for name, fold in folds.items():
        speaker_sides(name, fold, utt2spk)


if __name__ == "__main__":
    run(main)
