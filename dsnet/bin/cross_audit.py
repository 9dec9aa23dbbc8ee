"""Stage 2 of egs/cross_corpus: may these models be scored on those utterances?"""

import argparse
import json
from pathlib import Path

from dsnet.bin import run
from dsnet.config import load
from dsnet.cross_corpus.audit import audit, format_audit
from dsnet.cross_corpus.classes import SharedClasses
from dsnet.cross_corpus.recipe import Recipe
from dsnet.files import write_text


def main() -> None:
    """Parse, audit, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--feats", default="fbank", help="name of the features (%(default)s)")
    parser.add_argument("config", help="shared classes, such as conf/6class.yaml")
    parser.add_argument("train", type=Path, help="recipe whose models are scored")
    parser.add_argument("test", type=Path, help="recipe whose utterances they are scored on")
    parser.add_argument("audit", type=Path, help="file to write")
    args = parser.parse_args()
    shared = load(args.config, SharedClasses)
    train, test = (
        Recipe(folder, shared.of(folder.name).task, args.feats)
        for folder in (args.train, args.test)
    )
    report = audit(shared, train, test)
    write_text(args.audit, json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    print(format_audit(report))


if __name__ == "__main__":
    run(main)
