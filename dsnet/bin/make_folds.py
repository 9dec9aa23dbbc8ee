"""Stage 2: split the utterances of a task into folds, choose neutral references, audit both."""

import argparse

from dsnet.bin import run
from dsnet.config import load
from dsnet.folds.audit import format_audit
from dsnet.folds.build import build_task, read_supervisions
from dsnet.folds.protocols import in_words
from dsnet.task import TaskConfig


def main() -> None:
    """Parse, make the folds, print them."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("task_config", help="such as conf/4class.yaml")
    parser.add_argument("feats_dir", help="folder with cuts.jsonl.gz, such as data/fbank")
    parser.add_argument("task_dir", help="folder to write, such as data/4class")
    args = parser.parse_args()
    config = load(args.task_config, TaskConfig)
    report = build_task(config, read_supervisions(args.feats_dir), args.task_dir)
    print(format_audit(report, in_words(config.folds)))


if __name__ == "__main__":
    run(main)
