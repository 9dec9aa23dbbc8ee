"""Stage 5: score every system of a task; write RESULTS.md, metrics.json, figures and the ledger."""

import argparse
import json
from pathlib import Path

from dsnet.bin import run
from dsnet.config import load
from dsnet.errors import ScoringError
from dsnet.files import write_text
from dsnet.folds.task_data import TaskData
from dsnet.probes.summary import HEADER as PROBES_HEADER
from dsnet.probes.summary import probe_rows, read_probes
from dsnet.report.figures.all import draw_figures
from dsnet.report.page import results_md
from dsnet.report.provenance import Provenance
from dsnet.report.sections import probes_md, stale_md, tried_md
from dsnet.report.summary import summarise
from dsnet.report.system_tables import SHORT_HEADER, short_rows
from dsnet.report.tables import terminal_table
from dsnet.results import ledger
from dsnet.results.staleness import select
from dsnet.results.store import read_results
from dsnet.task import TaskConfig

RANDOM_SEED = 0  # of bootstrap and permutation tests


def main() -> None:
    """Parse, score, write, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("task_config", help="such as conf/4class.yaml")
    parser.add_argument("task_dir", help="folder of stage 2, such as data/4class")
    parser.add_argument("exp_dir", type=Path, help="with a folder a system, such as exp/4class")
    parser.add_argument("--results-dir", type=Path, default=Path(), help="where to write")
    parser.add_argument(
        "--variants",
        type=Path,
        nargs="*",
        default=[],
        help="results of the same utterances under changes of the task, for the same page",
    )
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
    read = read_results(args.exp_dir, task)
    lines = ledger.update(args.results_dir / ledger.NAME, read)
    lines += [line for folder in args.variants for line in ledger.adopt(folder, read)]
    results, stale = select(lines, read, args.exp_dir, recipe=Path())
    probed = [args.exp_dir / system.name for system in results.systems]
    probed = [folder for folder in probed if any(folder.glob("seed_*/fold_*/probes.json"))]
    probes = read_probes(probed, task.digest)
    summary = summarise(results, RANDOM_SEED) | {"probes": probes}
    figures = draw_figures(results, summary, args.results_dir / "figures")
    sections = probes_md(PROBES_HEADER, probe_rows(probes)) + stale_md(stale)
    sections += tried_md(Path("README.md"))
    provenance = Provenance.here(args.command)
    names = args.recipe, Path(args.task_config).stem
    report = results_md(summary, config, *names, provenance, figures, sections)
    write_text(args.results_dir / "metrics.json", json.dumps(summary, indent=1) + "\n")
    write_text(args.results_dir / "RESULTS.md", report)
    print(terminal_table(SHORT_HEADER, short_rows(summary)))
    if stale:
        print(f"{len(stale)} stale runs are left out; the page lists them")
    print(f"{args.results_dir / 'RESULTS.md'}: tables, intervals and figures")


if __name__ == "__main__":
    run(main)
