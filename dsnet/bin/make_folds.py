"""Stage 2: split the utterances of a task into folds, choose neutral references, audit both."""

import argparse
from pathlib import Path

from dsnet.bin import run
from dsnet.config import load
from dsnet.corpus.manifests import read_manifests
from dsnet.folds.audit import format_audit
from dsnet.folds.build import build_task
from dsnet.folds.protocols import in_words
from dsnet.task import TaskConfig


def main() -> None:
    """Parse, make the folds, print them."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("task_config", help="such as conf/4class.yaml")
    parser.add_argument("manifest_dir", type=Path, help="folder of stage 0: data/manifests")
    parser.add_argument("task_dir", help="folder to write, such as data/4class")
    parser.add_argument(
        "--allow-near-copies",
        choices=("true", "false"),
        default="false",
        help="go on though two sides hold near copies of one recording",
    )
    args = parser.parse_args()
    config = load(args.task_config, TaskConfig)
    recordings, supervisions = read_manifests(args.manifest_dir)
    allow = args.allow_near_copies == "true"
    files = {recording.id: recording.sources[0].source for recording in recordings}
    report = build_task(config, list(supervisions), args.task_dir, allow, files)
    print(format_audit(report, in_words(config.folds)))


if __name__ == "__main__":
    run(main)
