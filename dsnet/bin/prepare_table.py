"""Stage 0 from a table with a row an utterance: write checked Lhotse manifests."""

import argparse
from pathlib import Path

from dsnet.bin import run
from dsnet.corpus.columns import parse_columns
from dsnet.corpus.prepare import add_arguments, options, prepare
from dsnet.corpus.problems import Problems
from dsnet.corpus.table import read_table
from dsnet.corpus.table_audio import find_utterances, unnamed_audio


def main() -> None:
    """Parse, read, print what the table holds beyond the usual, write manifests."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("table", type=Path, help="csv or tsv; columns: egs/README.md")
    parser.add_argument("corpus_dir", type=Path, help="folder that relative paths start from")
    parser.add_argument(
        "--columns", default="", help="OURS=THEIRS ...: what the table calls otherwise"
    )
    parser.add_argument(
        "--votes",
        choices=("none", "majority"),
        default="none",
        help="majority: a row is what one listener said of a clip; most votes are its label",
    )
    add_arguments(parser)
    args = parser.parse_args()
    problems = Problems(args.table)
    votes = args.votes == "majority"
    table = read_table(args.table, problems, parse_columns(args.columns), votes)
    drop = args.drop_bad_audio == "true"
    utterances = find_utterances(table, args.corpus_dir, drop, problems, args.overhang)
    for words in table.notes:
        print(f"note: {args.table}: {words}")
    if table.further:
        kinds = ", ".join(f"{name} ({kind})" for name, kind in table.further.items())
        print(f"note: {args.table}: further columns, kept as custom fields: {kinds}")
    unnamed = unnamed_audio(args.corpus_dir, utterances)
    if unnamed:
        more = ", ..." if len(unnamed) > 3 else ""
        print(
            f"note: {len(unnamed)} audio files in {args.corpus_dir} that no row names: "
            f"{', '.join(unnamed[:3])}{more}"
        )
    prepare(utterances, args.manifest_dir, **options(args))


if __name__ == "__main__":
    run(main)
