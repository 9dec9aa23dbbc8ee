"""Stage 5: score every system of a task; write RESULTS.md, metrics.json and figures."""

import argparse
import json
from pathlib import Path

from dsnet.bin import run
from dsnet.config import load
from dsnet.errors import ScoringError
from dsnet.files import write_text
from dsnet.folds.task_data import TaskData
from dsnet.scoring.figures import draw_figures
from dsnet.scoring.provenance import Provenance
from dsnet.scoring.report import HEADER, results_md, system_rows
from dsnet.scoring.results import read_results
from dsnet.scoring.summary import summarise
from dsnet.scoring.tables import terminal_table
from dsnet.task import TaskConfig

BOOTSTRAP_SEED = 0


def main() -> None:
    """Parse, score, write, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("task_config", help="such as conf/4class.yaml")
    parser.add_argument("task_dir", help="folder of stage 2, such as data/4class")
    parser.add_argument("exp_dir", help="folder with a folder a system, such as exp/4class")
    parser.add_argument("--results-dir", type=Path, default=Path(), help="where to write")
    parser.add_argument("--command", required=True, help="the command to print in the report")
    parser.add_argument("--recipe", required=True, help="the name to print, such as emodb")
    args = parser.parse_args()

    config = load(args.task_config, TaskConfig)
    task = TaskData.load(args.task_dir)
    if config.classes != task.classes:
        raise ScoringError(
            f"{args.task_dir}: made for the classes {', '.join(task.classes)}, but "
            f"{args.task_config} has {', '.join(config.classes)}; rerun from stage 2"
        )
    results = read_results(args.exp_dir, task)
    summary = summarise(results, BOOTSTRAP_SEED)
    figures = draw_figures(results, summary, args.results_dir / "figures")
    task_name = Path(args.task_config).stem
    provenance = Provenance.here(args.command)
    report = results_md(summary, config, args.recipe, task_name, provenance, figures)
    write_text(args.results_dir / "metrics.json", json.dumps(summary, indent=1) + "\n")
    write_text(args.results_dir / "RESULTS.md", report)
    print(terminal_table(HEADER, system_rows(summary, "all")))
    print(f"{args.results_dir / 'RESULTS.md'}: tables, intervals and figures")


if __name__ == "__main__":
    run(main)
