"""Probe the embeddings of one system and seed: what h, s and e tell of speaker, sex, text, emotion.

Reads what stages 3 and 4 left in <seed_dir>/fold_<name>/; writes probes.json there. Uses the labels
of validation and test utterances, so nothing may be chosen by it.
"""

import argparse
import json
from pathlib import Path

import torch

from dsnet.bin import run
from dsnet.errors import ScoringError
from dsnet.files import locked, write_text
from dsnet.folds.task_data import TaskData
from dsnet.probes.labels import Labels
from dsnet.probes.model import load_trained
from dsnet.probes.network import probe_network
from dsnet.report.summary import jsonable
from dsnet.training.loop import MODEL


def main() -> None:
    """Parse, probe each fold, write."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--folds", required=True, help="fold names, such as '03 08 09'")
    parser.add_argument("task_dir", type=Path, help="data/<task>, from stage 2")
    parser.add_argument("seed_dir", type=Path, help="exp/<task>/<system>/seed_<seed>")
    args = parser.parse_args()
    torch.set_num_threads(1)
    task = TaskData.load(args.task_dir)
    labels = Labels.read(task)
    seed = args.seed_dir.name.removeprefix("seed_")
    if not seed.isdecimal():
        raise ScoringError(f"{args.seed_dir}: expected a folder seed_<whole number>")
    for fold in args.folds.split():
        folder = args.seed_dir / f"fold_{fold}"
        with locked(folder):
            system = load_trained(folder / MODEL, task)
            about = {
                "system": args.seed_dir.parent.name,
                "seed": int(seed),
                "fold": fold,
                "task_digest": task.digest,
            }
            recombine = getattr(system, "recombine", None)  # only systems with a decoder have it
            found = probe_network(folder, task, fold, labels, recombine)
            text = json.dumps(jsonable({**about, **found}), indent=1, ensure_ascii=False)
            write_text(folder / "probes.json", text + "\n")
        print(f"{folder / 'probes.json'}: {found['num_held_out']} held-out utterances")


if __name__ == "__main__":
    run(main)
