"""Stage 5 of egs/cross_corpus: score every pair that was run; write page, metrics and figures."""

import argparse
import json
from pathlib import Path

from dsnet.bin import run
from dsnet.config import load
from dsnet.cross_corpus.classes import SharedClasses
from dsnet.cross_corpus.figures import draw_matrices
from dsnet.cross_corpus.report import HEADER, cell_rows, results_md
from dsnet.cross_corpus.results import read_matrices
from dsnet.cross_corpus.summary import summarise_matrices
from dsnet.files import write_text
from dsnet.report.provenance import Provenance
from dsnet.report.tables import terminal_table

BOOTSTRAP_SEED = 0


def main() -> None:
    """Parse, score, write, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("config", type=Path, help="shared classes, such as conf/6class.yaml")
    parser.add_argument("exp_dir", type=Path, help="folder with a folder a system, exp/6class")
    parser.add_argument("--results-dir", type=Path, default=Path(), help="where to write")
    parser.add_argument("--command", required=True, help="the command to print in the report")
    args = parser.parse_args()

    shared = load(args.config, SharedClasses)
    matrices = read_matrices(args.exp_dir, shared)
    summary = summarise_matrices(matrices, shared, BOOTSTRAP_SEED)
    figures = draw_matrices(summary, args.results_dir / "figures")
    report = results_md(summary, args.config.stem, Provenance.here(args.command), figures)
    write_text(args.results_dir / "metrics.json", json.dumps(summary, indent=1) + "\n")
    write_text(args.results_dir / "RESULTS.md", report)
    print(terminal_table(HEADER, cell_rows(summary)))
    print(f"{args.results_dir / 'RESULTS.md'}: the matrix, intervals and figures")


if __name__ == "__main__":
    run(main)
