"""Make a system of others: the ensemble of all their seeds, as if it had been trained so.

Writes into <exp_dir>/ensemble_of_<a>+<b>/seed_1/fold_<name>/: {dev,test}/posteriors.tsv and
train.json (last), in the form that scoring reads. Each system weighs the same, however many seeds
it has; test labels are not read.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import recall_score

from dsnet.bin import run
from dsnet.errors import ScoringError
from dsnet.files import digest, locked, write_text
from dsnet.folds.task_data import TaskData
from dsnet.results.ensembles import combine
from dsnet.results.posteriors import read_posteriors, write_posteriors

SEED = 1  # of the folder; the ensemble is over seeds
PARTS = ("dev", "test")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--systems", required=True, help="such as 'dsnet_plus compare_svm'")
    parser.add_argument("--folds", required=True, help="fold names, such as '03 08 09'")
    parser.add_argument("task_dir", type=Path, help="data/<task>, from stage 2")
    parser.add_argument("exp_dir", type=Path, help="exp/<task>")
    args = parser.parse_args()
    task, systems = TaskData.load(args.task_dir), args.systems.split()
    name = f"ensemble_of_{'+'.join(systems)}"
    for fold in args.folds.split():
        folder = args.exp_dir / name / f"seed_{SEED}" / f"fold_{fold}"
        members = {system: find_runs(args.exp_dir, system, fold) for system in systems}
        with locked(folder):
            uar = write_fold(folder, name, members, task, fold)
        sizes = ", ".join(f"{len(runs)} of {system}" for system, runs in members.items())
        print(f"fold {fold}: {sizes}; validation UAR {100 * uar:.1f}", flush=True)


def find_runs(exp_dir: Path, system: str, fold: str) -> list[Path]:
    """Return the folders of a fold's networks of all seeds.

    Raises:
        ScoringError: there is none.
    """
    runs = sorted(p.parent for p in exp_dir.glob(f"{system}/seed_*/fold_{fold}/train.json"))
    if not runs:
        raise ScoringError(
            f"{exp_dir}/{system}: expected seed_N/fold_{fold}/train.json, found none; train it "
            f"first (stages 3 and 4 with --systems {system})"
        )
    return runs


def write_fold(
    folder: Path, name: str, members: dict[str, list[Path]], task: TaskData, fold: str
) -> float:
    """Write an ensemble's files of one fold; return its UAR on validation."""
    (folder / "train.json").unlink(missing_ok=True)  # scoring takes no fold without it
    utts = {part: sorted(task.fold(fold).parts()[part]) for part in PARTS}
    index = {label: i for i, label in enumerate(task.classes)}
    labels = np.array([index[task.utt2emo[utt]] for utt in utts["dev"]])
    runs = [path for paths in members.values() for path in paths]
    posteriors = {p: [_read(p / part, utts[part], task) for part in PARTS] for p in runs}
    about = [json.loads((path / "train.json").read_text(encoding="utf-8")) for path in runs]
    for path, train in zip(runs, about, strict=True):
        if train["task_digest"] != task.digest:
            raise ScoringError(
                f"{path}: trained on other folds, labels or references than {task.task_dir} has "
                "now; rerun it from stage 3"
            )
    grouped = {system: [posteriors[path] for path in paths] for system, paths in members.items()}
    combined = dict(zip(PARTS, combine(grouped, labels), strict=True))
    for part in PARTS:
        write_posteriors(folder / part / "posteriors.tsv", utts[part], task.classes, combined[part])
    decisions = combined["dev"].argmax(1)
    uar = float(recall_score(labels, decisions, labels=np.unique(labels), average="macro"))
    content = _describe(name, about, fold, uar)
    content["made_from"] = {
        str(path.relative_to(folder.parents[2])): digest(
            [(path / part / "posteriors.tsv").read_bytes() for part in PARTS]
        )
        for path in runs
    }
    write_text(folder / "train.json", json.dumps(content, indent=2) + "\n")
    return uar


def _read(folder: Path, utt_ids: list[str], task: TaskData) -> np.ndarray:
    """Return (N, K) posteriors of a part."""
    found, posteriors = read_posteriors(folder / "posteriors.tsv", task.classes)
    if found != utt_ids:
        raise ScoringError(
            f"{folder}/posteriors.tsv: {len(found)} utterances, expected the {len(utt_ids)} of the "
            "fold, sorted; rerun stage 4"
        )
    return posteriors


def _describe(name: str, members: list[dict[str, Any]], fold: str, uar: float) -> dict[str, Any]:
    """Return train.json of an ensemble, without what it was made from."""
    given = sorted({m["side_information"] for m in members} - {"none"})
    return {
        "system": name,
        "kind": "ensemble",
        "side_information": "; ".join(given) or "none",
        "given_utterances": sorted({u for m in members for u in m.get("given_utterances", [])}),
        "config_digest": digest(sorted({m["config_digest"] for m in members})),
        "task_digest": members[0]["task_digest"],
        "fold": fold,
        "seed": SEED,
        "num_parameters": sum(m["num_parameters"] for m in members),
        "inference_parameters": sum(m["inference_parameters"] for m in members),
        "num_members": len(members),
        "selection": "none",
        "dev_uar": uar,
        "versions": members[0]["versions"],
        "git_revision": members[0]["git_revision"],
    }


if __name__ == "__main__":
    run(main)
