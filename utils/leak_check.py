"""Leak check: what a system scores where nothing can be learnt, and where speakers do leak.

Usage, in a recipe whose stages 0 to 2 have run:
    python ../../utils/leak_check.py --task 7class --systems "whisper_probe"

true       the task as it is
labels     labels permuted over all utterances: UAR must be that of guessing
speakers   speakers permuted over all utterances, so that everyone is on all sides: how much a split
           that is not of speakers would flatter

Where it deals labels, a speaker may have none that is neutral: any utterance is a reference then. A
predefined split is refused, since it would not follow the speakers.

The altered tasks are data/<task>.labels and data/<task>.speakers, and their models go under exp/ by
these names; the true ones are the models of the recipe, which takes them for its own.
"""

import argparse
import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import lhotse
import numpy as np

from dsnet.bin import run
from dsnet.config import load
from dsnet.corpus.manifests import read_manifests
from dsnet.errors import ConfigError, DsnetError
from dsnet.folds.build import build_task
from dsnet.folds.task_data import TaskData
from dsnet.recipe import Recipe
from dsnet.results.posteriors import read_posteriors
from dsnet.scoring.metrics import confusion_matrix, uar
from dsnet.task import TaskConfig


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--task", required=True, help="such as 7class")
    parser.add_argument("--systems", required=True, help="such as 'whisper_probe'")
    parser.add_argument("--seed", type=int, default=1, help="of permutation and system")
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    recipe = Recipe()
    config = load(recipe.conf[0] / f"{args.task}.yaml", TaskConfig)
    _, supervisions = read_manifests(recipe.manifests)
    dealt = for_dealt(config, args.task)
    chance = 100 / len(config.classes)
    for what in ("true", "labels", "speakers"):
        task = args.task if what == "true" else f"{args.task}.{what}"
        if what != "true":
            altered = permuted(list(supervisions), what, config.label_field, args.seed)
            build_task(dealt, altered, recipe.task(task), allow_near_copies=True)
        for system in args.systems.split():
            found = score(recipe, task, system, args.seed, args.device)
            print(f"{what:9}{system:24} UAR {found:5.1f}   guessing {chance:.1f}", flush=True)


def for_dealt(config: TaskConfig, name: str) -> TaskConfig:
    """Return the config of a task whose labels or speakers are dealt anew.

    Of labels that are dealt a speaker may have none that is neutral: any utterance serves then.

    Raises:
        ConfigError: the split is predefined, so it would not follow the speakers.
    """
    if config.folds.protocol == "predefined":
        raise ConfigError(
            f"--task {name}: its split is the owners', so speakers cannot be dealt anew; check a "
            "task whose folds are of speakers or of groups of them"
        )
    return replace(config, references=replace(config.references, if_missing="all_utterances"))


def permuted(
    supervisions: list[lhotse.SupervisionSegment], what: str, label_field: str, seed: int
) -> list[lhotse.SupervisionSegment]:
    """Return utterances with labels, or speakers (with sex and session), dealt anew.

    Where speakers are on all sides, so may copies of one recording be: what tells them is left out.
    """
    order = list(range(len(supervisions)))
    random.Random(seed).shuffle(order)
    altered = []
    for segment, other in zip(supervisions, (supervisions[i] for i in order), strict=True):
        if what == "labels":
            custom = {**segment.custom, label_field: other.custom[label_field]}
            altered.append(lhotse.fastcopy(segment, custom=custom))
        else:
            sessions = {key: other.custom[key] for key in ("session",) if key in other.custom}
            untold = ("session", "audio_hash", "fingerprint")
            custom = {k: v for k, v in segment.custom.items() if k not in untold} | sessions
            changes = {"speaker": other.speaker, "gender": other.gender, "custom": custom}
            altered.append(lhotse.fastcopy(segment, **changes))
    return altered


def score(recipe: Recipe, task_name: str, system: str, seed: int, device: str) -> float:
    """Train and test every fold, and return the pooled UAR in percent."""
    task = TaskData.load(recipe.task(task_name))
    labels, decisions = [], []
    for fold in task.fold_names:
        for program in ("train", "infer"):
            words = ["--task", task_name, "--system", system, "--seed", str(seed), "--folds", fold]
            done = subprocess.run(
                [sys.executable, "-m", f"dsnet.bin.{program}", *words, "--device", device],
                capture_output=True,
                text=True,
            )
            if done.returncode:
                raise DsnetError(f"{program}, fold {fold}: {done.stderr.strip()}")
        folder: Path = recipe.run(task_name, system, seed, fold)
        given = set(json.loads((folder / "run.json").read_text(encoding="utf-8"))["given"])
        utts, posteriors = read_posteriors(folder / "test" / "posteriors.tsv", task.classes)
        for utt, decision in zip(utts, posteriors.argmax(1).tolist(), strict=True):
            if utt not in given:
                labels.append(task.classes.index(task.utt2emo[utt]))
                decisions.append(decision)
    confusion = confusion_matrix(np.array(labels), np.array(decisions), len(task.classes))
    return 100 * float(uar(confusion))


if __name__ == "__main__":
    run(main)
