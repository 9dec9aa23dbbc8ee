"""UAR of what `dsnet predict` said of a recipe, in the classes that model and recipe share.

Usage, in a recipe whose stages 0 to 2 have run:
    dsnet predict --format csv FOLDER > out.csv
    python ../../utils/score_predictions.py --shared ../cross_corpus/conf/6class.yaml \\
        --trained-on emodb out.csv

Rows are known by the names of their files, an utterance each. A row with an error counts as
wrong. The interval is over speakers.
"""

import argparse
import csv
from dataclasses import asdict
from pathlib import Path

import numpy as np

from dsnet.bin import run
from dsnet.config import load
from dsnet.corpus.manifests import read_manifests
from dsnet.errors import ScoringError
from dsnet.folds.task_data import TaskData
from dsnet.recipe import Recipe
from dsnet.report.summary import jsonable
from dsnet.report.tables import interval
from dsnet.results.classes import SharedClasses
from dsnet.scoring.metrics import class_recalls, confusion_matrix, uar
from dsnet.scoring.statistics import speaker_interval


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--shared", type=Path, required=True, help="such as conf/6class.yaml")
    parser.add_argument("--trained-on", required=True, help="recipe of the model, such as emodb")
    parser.add_argument("predictions", type=Path, help="csv of dsnet predict")
    args = parser.parse_args()
    recipe = Recipe()
    shared = load(args.shared, SharedClasses)
    own, theirs = shared.of(recipe.name), shared.of(args.trained_on)
    task = TaskData.load(recipe.task(own.task))
    index = {name: i for i, name in enumerate(shared.classes)}
    labels = {
        utt: index[own.label_map[emotion]]
        for utt, emotion in task.utt2emo.items()
        if emotion in own.label_map
    }
    guesses = read_guesses(args.predictions, recipe, theirs.label_map, shared.classes)
    missing = sorted(set(labels) - set(guesses))
    if missing:
        raise ScoringError(
            f"{args.predictions}: no row for {len(missing)} of {len(labels)} utterances, such as "
            f"{missing[0]}; judge all recordings of the task"
        )
    speakers = sorted({task.utt2spk[utt] for utt in labels})
    counts = np.zeros((1, len(speakers), len(index), len(index)), dtype=int)
    wrong = 0
    for number, speaker in enumerate(speakers):
        utts = [utt for utt in labels if task.utt2spk[utt] == speaker]
        truth = np.array([labels[utt] for utt in utts])
        said = np.array([guesses[utt] for utt in utts])
        wrong += int((said < 0).sum())
        said = np.where(said < 0, (truth + 1) % len(index), said)
        counts[0, number] = confusion_matrix(truth, said, len(index))
    found = speaker_interval(counts, uar, np.random.default_rng(0))
    recalls = zip(shared.classes, class_recalls(counts.sum((0, 1))), strict=True)
    print(
        f"UAR {interval(jsonable(asdict(found)))} of "
        f"{len(labels)} utterances of {len(speakers)} speakers in {len(index)} classes (guessing "
        f"{100 / len(index):.1f}); {wrong} could not be judged"
    )
    print("recall: " + ", ".join(f"{name} {100 * value:.1f}" for name, value in recalls))


def read_guesses(
    path: Path, recipe: Recipe, label_map: dict[str, str], classes: list[str]
) -> dict[str, int]:
    """Return the place of the shared class that each utterance was given; -1 for an error.

    The probability of a shared class is the sum over the model's classes that lead to it.
    """
    recordings, supervisions = read_manifests(recipe.manifests)
    files = {rec.id: Path(rec.sources[0].source).name for rec in recordings}
    utt_of = {files[segment.recording_id]: segment.id for segment in supervisions}
    if len(utt_of) < len(supervisions):
        raise ScoringError(f"{recipe.manifests}: several utterances in one file, or equal names")
    guesses: dict[str, int] = {}
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream)
        lacking = {"file", "error", *label_map} - set(rows.fieldnames or ())
        if lacking:
            raise ScoringError(
                f"{path}: no column {', '.join(sorted(lacking))}; expected what dsnet predict "
                "--format csv writes, by a model of the classes of --trained-on"
            )
        for row in rows:
            utt = utt_of.get(Path(row["file"]).name)
            if utt is None:
                continue
            if utt in guesses:
                raise ScoringError(
                    f"{path}: {row['file']}: a second row of that name; judge each recording once "
                    "and whole, without --windows"
                )
            if row["error"]:
                guesses[utt] = -1
                continue
            sums = dict.fromkeys(classes, 0.0)
            for name, target in label_map.items():
                sums[target] += float(row[name])
            guesses[utt] = max(range(len(classes)), key=lambda i: sums[classes[i]])
    return guesses


if __name__ == "__main__":
    run(main)
