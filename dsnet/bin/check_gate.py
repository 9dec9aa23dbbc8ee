"""Stage 0, after prepare: print the counts of a task and stop if its gate says others."""

import argparse
import dataclasses
import json
from pathlib import Path

from dsnet.bin import run
from dsnet.config import load
from dsnet.corpus.gate import apply_labels, check, count, native_labels
from dsnet.corpus.manifests import read_manifests
from dsnet.corpus.prepare import count_table
from dsnet.files import write_text
from dsnet.task import TaskConfig


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("task_config", type=Path, help="conf/<task>.yaml")
    parser.add_argument("manifest_dir", type=Path)
    parser.add_argument("report", type=Path, help="data/<task>/gate.json")
    parser.add_argument("--allow-count-mismatch", choices=("true", "false"), default="false")
    args = parser.parse_args()
    task = load(args.task_config, TaskConfig)
    _, supervisions = read_manifests(args.manifest_dir)
    utt2spk = {segment.id: segment.speaker for segment in supervisions}
    utt2emo, ignored = apply_labels(native_labels(supervisions), task)
    report = count(utt2emo, utt2spk, ignored, task)
    print(count_table((utt2spk[utt_id], emotion) for utt_id, emotion in utt2emo.items()))
    for label, number in ignored.items():
        print(f"{number} utterances left out: native label '{label}' (ignored_labels)")
    if args.allow_count_mismatch == "true":
        for difference in report.differences:
            print(f"note: {difference}")
    else:
        check(report, args.manifest_dir, args.task_config)
    write_text(args.report, json.dumps(dataclasses.asdict(report), indent=1) + "\n")


if __name__ == "__main__":
    run(main)
