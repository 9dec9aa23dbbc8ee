"""Probe the embeddings of one system and seed: what h, s and e tell of speaker, sex, text, emotion.

Reads what stages 3 and 4 left in <seed_dir>/fold_<name>/, where train.json says which network it
is; writes probes.json there. Uses the labels of validation and test utterances, so nothing may be
chosen by it.
"""

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from dsnet.bin import run
from dsnet.bin.trained import open_model
from dsnet.environment import limit_threads
from dsnet.files import locked, write_text
from dsnet.folds.task_data import TaskData
from dsnet.probes.labels import Labels
from dsnet.probes.network import probe_network
from dsnet.probes.summary import PROBES, read_identity
from dsnet.probes.swap import Separable
from dsnet.results.embeddings import is_constant
from dsnet.training.checkpoint import check
from dsnet.training.loop import MODEL


def main() -> None:
    """Parse, probe each network, write."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--folds", required=True, help="fold names, such as '03 08 09'")
    parser.add_argument("task_dir", type=Path, help="data/<task>, from stage 2")
    parser.add_argument("seed_dir", type=Path, help="exp/<task>/<system>/seed_<seed>")
    args = parser.parse_args()
    task = TaskData.load(args.task_dir)
    labels = Labels.read(task)
    limit_threads(1)
    folds = args.folds.split()
    constant: Counter[str] = Counter()
    for fold in folds:
        folder = args.seed_dir / f"fold_{fold}"
        with locked(folder):
            about = read_identity(folder)
            system = load_separable(folder / MODEL, about, task)
            found = probe_network(folder, task, about["fold"], labels, system)
            text = json.dumps({**about, **found}, indent=1, ensure_ascii=False, allow_nan=False)
            write_text(folder / PROBES, text + "\n")
        constant.update(part for part, value in found["variation"].items() if is_constant(value))
    print(f"{args.seed_dir}: {len(folds)} networks probed")
    for part, count in constant.items():
        print(
            f"{args.seed_dir}: {part} is the same for every utterance in {count} of {len(folds)} "
            "networks: it holds nothing, whatever the losses say"
        )


def load_separable(path: Path, about: dict[str, Any], task: TaskData) -> Separable | None:
    """Return a network that puts parts together, None if it cannot.

    Raises:
        TrainingError: it is not the network that train.json tells of, or not of this task.
    """
    system, content = open_model(path)
    expected = {
        "classes": task.classes,
        "task_digest": task.digest,
        "features_digest": about["digests"]["features"],
        "code_digest": about["digests"]["code"],
        "fold": about["fold"],
        "seed": about["seed"],
    }
    check(path, content, expected)
    return system if hasattr(system, "recombine") else None


if __name__ == "__main__":
    run(main)
