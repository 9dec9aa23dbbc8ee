"""Stage 4: the ensemble of systems and seeds, as a run made of runs.

Reads <exp_dir>/<member>/seed_<s>/fold_<name>/ and writes <exp_dir>/<a>+<b>/seed_1/fold_<name>/, in
the form that scoring reads. Each system weighs the same, however many seeds it has; test labels are
not read.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import recall_score

from dsnet.bin import run
from dsnet.errors import ScoringError
from dsnet.files import locked, write_text
from dsnet.folds.task_data import TaskData
from dsnet.recipe import Recipe
from dsnet.results.ensembles import combine
from dsnet.results.posteriors import read_posteriors, write_posteriors
from dsnet.results.store import PARTS, RUN, StoredRun, open_run
from dsnet.systems.catalog import SystemSpec, resolve

SEED = 1  # of the folder; the ensemble is over seeds
ALIKE = (  # what all members have in common
    "trained_on", "task", "task_changes", "tested_on", "tested_task", "normalised_by_target",
    "fold",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--recipe", type=Path, default=Path(), help="that trained the members")
    parser.add_argument("--task", required=True, help="that they were trained for, such as 4class")
    parser.add_argument("--system", required=True, help="such as dsnet+compare_svm")
    parser.add_argument("--seeds", required=True, help="of the members, such as '1 2'")
    parser.add_argument("--folds", required=True, help="fold names, such as '03 08 09'")
    parser.add_argument("exp_dir", type=Path, help="with a folder a member, such as exp/4class")
    args = parser.parse_args()
    recipe = Recipe(args.recipe)
    task, spec = TaskData.load(recipe.task(args.task)), resolve(args.system, args.recipe)
    for fold in args.folds.split():
        folder = args.exp_dir / spec.name / f"seed_{SEED}" / f"fold_{fold}"
        members = [
            [find_member(args.exp_dir / name / f"seed_{seed}" / f"fold_{fold}", task)
             for seed in args.seeds.split()]
            for name in spec.members
        ]  # fmt: skip
        with locked(folder):
            uar = write_run(folder, spec, members, task)
        sizes = ", ".join(f"{len(runs)} of {runs[0].info['system']}" for runs in members)
        validated = "" if uar is None else f"; validation UAR {100 * uar:.1f}"
        print(f"fold {fold}: {sizes}{validated}", flush=True)


def find_member(folder: Path, task: TaskData) -> StoredRun:
    """Return a member's run.

    Raises:
        ScoringError: it is not there, or of other folds.
    """
    member = open_run(folder)
    if member.info["digests"]["task"] != task.digest:
        raise ScoringError(
            f"{folder}: made for other folds, labels or references than {task.task_dir} has now; "
            "rerun it from stage 3"
        )
    return member


def write_run(
    folder: Path, spec: SystemSpec, members: list[list[StoredRun]], task: TaskData
) -> float | None:
    """Write an ensemble's run folder; return its UAR on validation, None if nobody validates.

    Args:
        folder: to write.
        spec: of the ensemble.
        members: the runs of each system.
        task: that they were trained for.
    """
    (folder / RUN).unlink(missing_ok=True)
    runs = [one for own in members for one in own]
    utts, posteriors = {}, {}
    for part in PARTS:
        tables = [
            read_posteriors(one.folder / part / "posteriors.tsv", task.classes) for one in runs
        ]
        utts[part] = tables[0][0]
        for one, (found, _) in zip(runs, tables, strict=True):
            if found != utts[part]:
                raise ScoringError(
                    f"{one.folder}/{part}/posteriors.tsv: other utterances than in "
                    f"{runs[0].folder}/{part}; rerun stage 4 of both"
                )
        posteriors[part] = {one.folder: table for one, (_, table) in zip(runs, tables, strict=True)}
    labels = np.array([task.classes.index(task.utt2emo[utt]) for utt in utts["dev"]], dtype=int)
    grouped = {
        own[0].info["system"]: [
            (posteriors["dev"][one.folder], posteriors["test"][one.folder]) for one in own
        ]
        for own in members
    }
    given = {utt for one in runs for utt in one.info["given"]}
    judged = np.array([utt not in given for utt in utts["dev"]], dtype=bool)
    for part, combined in zip(PARTS, combine(grouped, labels, judged), strict=True):
        write_posteriors(folder / part / "posteriors.tsv", utts[part], task.classes, combined)
        if part == "dev":
            decisions = combined[judged].argmax(1)
    about = describe(spec, runs, task)
    write_text(folder / RUN, json.dumps(about, indent=1, ensure_ascii=False) + "\n")
    labels = labels[judged]
    if not labels.size:
        return None
    return float(recall_score(labels, decisions, labels=np.unique(labels), average="macro"))


def describe(spec: SystemSpec, runs: list[StoredRun], task: TaskData) -> dict[str, Any]:
    """Return run.json of an ensemble.

    Raises:
        ScoringError: its members were not tested alike.
    """
    infos = [one.info for one in runs]
    for key in ALIKE:
        if any(info[key] != infos[0][key] for info in infos):
            raise ScoringError(f"{runs[0].folder} and others differ in {key}; rerun stage 4")
    tested_tasks = {info["tested_digests"].get("task", "") for info in infos}
    if len(tested_tasks) > 1:
        raise ScoringError(
            f"{runs[0].folder} and others were tested on different folds, labels or references of "
            f"{infos[0]['tested_on']}; rerun stage 4"
        )
    across = {"features": "", "task": tested_tasks.pop()} if infos[0]["tested_digests"] else {}
    said = {info["side_information"] for info in infos} - {"none"}
    enrolments = [info["enrolment"] for info in infos if info["enrolment"]["source"] != "none"]
    training = [info["training"] for info in infos]
    return {
        "system": spec.name,
        "base": spec.base,
        "changes": spec.changes,
        "members": [
            {"system": one.info["system"], "seed": one.info["seed"], "digest": one.digest}
            for one in runs
        ],
        "kind": "ensemble",
        "control": spec.control,
        "features": "+".join(dict.fromkeys(info["features"] for info in infos)),
        "enrolment": enrolments[0] if enrolments else infos[0]["enrolment"],
        "own_enrolment": True,
        "side_information": "; ".join(sorted(said)) or "none",
        "transductive": any(info["transductive"] for info in infos),
        "given": sorted({utt for info in infos for utt in info["given"]}),
        **{key: infos[0][key] for key in ALIKE},
        "seed": SEED,
        "tested_digests": across,
        "digests": {"config": spec.digest, "features": "", "task": task.digest, "code": ""},
        "training": {
            "num_parameters": sum(facts["num_parameters"] for facts in training),
            "inference_parameters": sum(facts["inference_parameters"] for facts in training),
            "selection": "none",
            "versions": training[0]["versions"],
            "git_revision": training[0]["git_revision"],
        },
    }


if __name__ == "__main__":
    run(main)
