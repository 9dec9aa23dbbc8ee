"""Print what stage 5 found: the main systems, the answer, where the pages are, what is missing."""

import argparse
import os
from pathlib import Path

from dsnet.bin import run
from dsnet.errors import ScoringError
from dsnet.files import read_json
from dsnet.report.answer import missing_lines, short_answer
from dsnet.report.system_tables import SHORT_HEADER, short_rows
from dsnet.report.tables import terminal_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("results_dir", type=Path, help="where stage 5 wrote")
    folder = parser.parse_args().results_dir
    path = folder / "metrics.json"
    summary = read_json(path, ScoringError, "run --stage 5")
    print(terminal_table(SHORT_HEADER, short_rows(summary)))
    print(short_answer(summary))
    # paths that Shown knows as such
    page, text = (os.path.join(".", folder, name) for name in ("index.html", "RESULTS.md"))
    print(f"Pages: {page} (in a browser), {text}")
    gaps = missing_lines(summary)
    if summary["num_stale"]:
        gaps.append(f"{summary['num_stale']} stale runs are left out; the page says which and why")
    print(f"Missing: {'; '.join(gaps) or 'nothing'}")


if __name__ == "__main__":
    run(main)
