"""After stage 3: what a system makes of a test set with hidden labels, as a file for its owners.

Writes a CSV file of two columns, the name of the audio file and the native label, a row an
utterance of the manifests whose folds.field has --value, sorted by name. The task's protocol is
predefined, and the model of its one fold decides; of an ensemble or several seeds all of them do,
as `dsnet.bin.ensemble` combines them.
"""

import argparse
import csv
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from dsnet.bin import run
from dsnet.bin.infer import load
from dsnet.bin.job import Job, make_job
from dsnet.bin.plan import check_seeds
from dsnet.config import find
from dsnet.config import load as load_config
from dsnet.corpus.gate import first_ten
from dsnet.corpus.manifests import read_manifests
from dsnet.errors import ConfigError, TrainingError
from dsnet.files import replacing
from dsnet.folds.hidden import (
    file_names,
    hidden_utterances,
    native_label_of,
    require_same_task,
)
from dsnet.folds.task_data import TaskData
from dsnet.recipe import Recipe
from dsnet.results.ensembles import combine
from dsnet.systems import find_system
from dsnet.systems.catalog import resolve
from dsnet.task import PREDEFINED, TaskConfig
from dsnet.training.inference import predict
from dsnet.training.loop import MODEL


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--recipe", type=Path, default=Path(), help="folder (the current one)")
    parser.add_argument("--task", required=True, help="such as 8class")
    parser.add_argument("--system", required=True, help="such as dsnet, or dsnet+compare_svm")
    parser.add_argument("--seeds", default="1", help="such as '1 2' (%(default)s)")
    parser.add_argument("--value", required=True, help="of folds.field, such as Test3")
    parser.add_argument(
        "--columns",
        nargs=2,
        metavar=("FILE", "LABEL"),
        default=("file", "label"),
        help="names of the columns (file label)",
    )
    parser.add_argument(
        "--native",
        action="append",
        metavar="CLASS=LABEL",
        default=[],
        help="what is written for a class of several native labels; once for each such class",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N (%(default)s)")
    parser.add_argument("--num-threads", type=int, default=1, help="on the CPU (%(default)s)")
    parser.add_argument("csv", type=Path, help="file to write")
    parser.set_defaults(folds=PREDEFINED, job=1)
    args = parser.parse_args()
    if args.csv.is_dir():
        raise ConfigError(f"{args.csv}: a folder; give the name of the file to write")
    check_seeds(args.seeds.split())
    recipe = Recipe(args.recipe)
    config = load_config(find(args.task, [recipe.conf[0]], "task"), TaskConfig)
    natives = native_label_of(config, args.native)
    recordings, supervisions = read_manifests(recipe.manifests)
    hidden = hidden_utterances(config.folds, args.value, list(supervisions))
    names = file_names(hidden, recordings)
    jobs = make_jobs(args)
    task = TaskData.load(recipe.task(args.task))
    require_same_task(config, list(supervisions), hidden, task)
    posteriors = posteriors_of(sorted(names), jobs, task)
    labels = [natives[task.classes[k]] for k in posteriors.argmax(1)]
    files = [names[utt] for utt in sorted(names)]
    write_csv(args.csv, args.columns, sorted(zip(files, labels, strict=True)))
    counts = Counter(labels)
    words = ", ".join(f"{native} {counts[native]}" for native in natives.values())
    print(f"{args.csv}: {len(files)} rows, {args.value} by {args.system}: {words}")


def make_jobs(args: argparse.Namespace) -> list[Job]:
    """Return a job for each system and seed that decides.

    Raises:
        ConfigError: a system that hears more of a speaker than the utterance.
        TrainingError: some are not trained; says which command trains them.
    """
    names = resolve(args.system, args.recipe).members or (args.system,)
    jobs = [
        make_job(argparse.Namespace(**vars(args) | {"system": name, "seed": int(seed)}))
        for name in names
        for seed in args.seeds.split()
    ]
    for job in jobs:
        source = job.config.enrolment.source
        if source != "none" or find_system(job.config).neutral_at_inference:
            given = "a neutral utterance" if source == "none" else f"enrolment.source {source}"
            raise ConfigError(
                f"system {job.spec.name}: it is given clips of the tested speaker ({given}), but "
                "nobody knows the speakers of hidden utterances; choose one that hears the "
                "utterance alone"
            )
    untrained = [str(job.folder / MODEL) for job in jobs if not (job.folder / MODEL).is_file()]
    if untrained:
        command = ["bash", str(args.recipe / "run.sh"), "--stage", "3", "--stop-stage", "3"]
        command += ["--task", args.task, "--systems", " ".join(names), "--seeds", args.seeds]
        raise TrainingError(
            f"{len(untrained)} of {len(jobs)} models are not there: {first_ten(untrained)}. Train "
            f"first: {shlex.join(command)}"
        )
    return jobs


def posteriors_of(utts: Sequence[str], jobs: Sequence[Job], task: TaskData) -> np.ndarray:
    """Return (N, K) posteriors of N utterances: of one job, or of several together.

    Raises:
        TrainingError: a model of another task, features or code, or with weights that are no
            numbers.
        FeatureError: utterances without features.
    """
    # one alone needs no validation temperature, which changes no decision
    dev = task.fold(PREDEFINED).dev if len(jobs) > 1 else []
    members: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for job in jobs:
        model = load(job)
        model.own.store.require([*dev, *utts])
        found = predict(model.system, model.own.frames, [*dev, *utts], {}, job.config).posteriors
        if not np.isfinite(found).all():
            raise TrainingError(
                f"{job.folder / MODEL}: its posteriors are no finite numbers; train it again "
                "(--stage 3), with a smaller learning rate"
            )
        members.setdefault(job.spec.name, []).append((found[: len(dev)], found[len(dev) :]))
    labels = np.array([task.classes.index(task.utt2emo[utt]) for utt in dev], dtype=int)
    return combine(members, labels, np.ones(len(dev), dtype=bool))[1]


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a header and rows; the file is whole or absent."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)


if __name__ == "__main__":
    run(main)
