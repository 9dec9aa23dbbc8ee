"""Stage 0, after prepare: print the counts of a task and stop if its gate says others."""

import argparse
import dataclasses
import json
from pathlib import Path

from dsnet.bin import run
from dsnet.config import load
from dsnet.corpus.gate import check, count, label
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
    labels = label(supervisions, task)
    report = count(labels, task)
    rows = [(s.speaker, labels.utt2emo[s.id]) for s in supervisions if s.id in labels.utt2emo]
    print(count_table(rows))
    for name, number in report.ignored.items():
        print(f"{number} utterances left out: native label '{name}' (ignored_labels)")
    for name, number in report.others.items():
        print(f"{number} utterances left out: {name} (only)")
    if args.allow_count_mismatch == "true":
        for difference in report.differences:
            print(f"note: {difference}")
    else:
        check(report, args.manifest_dir, args.task_config)
    write_text(args.report, json.dumps(dataclasses.asdict(report), indent=1) + "\n")


if __name__ == "__main__":
    run(main)
