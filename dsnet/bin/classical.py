"""Train a classical system on folds and let it decide.

Writes into <exp_dir>/<system>/seed_1/fold_<name>/: c_values.jsonl (an entry for each C tried),
{dev,test}/posteriors.tsv and train.json (last). Test labels are not read.
"""

import argparse
import shlex
import sys
from pathlib import Path

from dsnet.bin import run
from dsnet.classical.results import write_fold
from dsnet.classical.systems import SYSTEMS, run_fold
from dsnet.features.functionals import Functionals
from dsnet.files import locked
from dsnet.folds.task_data import TaskData

SEED = 1  # the optimum of an SVM hardly depends on it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--system", choices=SYSTEMS, required=True)
    parser.add_argument("--folds", required=True, help="fold names, such as '03 08 09'")
    parser.add_argument("task_dir", type=Path, help="data/<task>, from stage 2")
    parser.add_argument("functionals_dir", type=Path, help="from compute_functionals")
    parser.add_argument("exp_dir", type=Path, help="exp/<task>")
    args = parser.parse_args()
    config, task = SYSTEMS[args.system], TaskData.load(args.task_dir)
    functionals = Functionals.load(args.functionals_dir, config.features)
    for name in args.folds.split():
        folder = args.exp_dir / args.system / f"seed_{SEED}" / f"fold_{name}"
        with locked(folder):
            outcome = run_fold(config, functionals, task, name, SEED)
            command = shlex.join(sys.argv)
            write_fold(folder, args.system, outcome, functionals, task, name, SEED, command)
        selected = outcome.selected
        best = max(entry["dev"]["uar"] for entry in selected.log)
        print(f"fold {name}: C = {selected.c:g}, validation UAR {100 * best:.1f}", flush=True)


if __name__ == "__main__":
    run(main)
