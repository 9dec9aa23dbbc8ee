"""Print a draft of a task config, made from the manifests of stage 0."""

import argparse
from pathlib import Path

from dsnet.bin import run
from dsnet.corpus.draft import draft_task
from dsnet.corpus.gate import native_labels
from dsnet.corpus.manifests import read_manifests


def main() -> None:
    """Parse, read, print."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("manifest_dir", type=Path, help="such as egs/mycorpus/data/manifests")
    args = parser.parse_args()
    _, supervisions = read_manifests(args.manifest_dir)
    native = native_labels(supervisions)
    recipe = args.manifest_dir.resolve().parents[1].name
    print(draft_task([(s.speaker, native[s.id]) for s in supervisions], recipe), end="")


if __name__ == "__main__":
    run(main)
