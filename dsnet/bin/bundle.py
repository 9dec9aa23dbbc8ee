"""Stage final: put models of all speakers into a bundle that `dsnet predict` uses.

Reads the models of fold "final", which were trained on all speakers, and what stage 4 left of the
same systems in the folds that leave speakers out: by these its probabilities are calibrated, and
their results stand in the card. Writes a folder; see dsnet/recognizer/bundle.py.
"""

import argparse
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dsnet.bin import run
from dsnet.bin.trained import open_model
from dsnet.config import load
from dsnet.environment import git_revision, versions
from dsnet.features.store import FeatureStore
from dsnet.files import digest
from dsnet.folds.task_data import TaskData, read_task_json
from dsnet.models.front_end import build_front_end
from dsnet.models.voice import measure
from dsnet.recipe import FINAL, Recipe
from dsnet.recognizer.bundle import FeaturesFacts, Member, write_bundle
from dsnet.recognizer.profile import farthest
from dsnet.report.card import CardConfig, card_md
from dsnet.report.explain import MAP
from dsnet.results.held_out import HeldOut, read_held_out
from dsnet.systems import code_digest
from dsnet.systems.catalog import SystemSpec, resolve
from dsnet.training.checkpoint import check, config_values
from dsnet.training.frames import Frames
from dsnet.training.inference import predict
from dsnet.training.loop import MODEL

FEWEST = 3  # clips, of which one is held against the others
DRAWS = 2000  # sets of clips by which usual distances are measured
USUAL = 99.0  # percent of them
MAPPED = 600  # utterances of the map, at most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--task", required=True, help="such as 7class")
    parser.add_argument("--systems", required=True, help="one a kind of enrolment")
    parser.add_argument("--seeds", required=True, help="the first is bundled, all are scored")
    parser.add_argument("--folds", required=True, help="whose test speakers calibrate it")
    parser.add_argument("--command", required=True, help="the command to print in the card")
    parser.add_argument("folder", type=Path, help="the bundle; its name is that of the folder")
    args = parser.parse_args()
    recipe = Recipe()
    task = TaskData.load(recipe.task(args.task))
    seeds = [int(seed) for seed in args.seeds.split()]
    folds = args.folds.split()
    specs = [resolve(name) for name in args.systems.split()]
    found = {
        spec.config.enrolment.source: read_held_out(recipe, task, spec.name, seeds, folds)
        for spec in specs
    }
    members, features = {}, None
    for spec in specs:
        given = spec.config.enrolment.source
        members[given], features = read_member(
            spec, recipe, args.task, task, seeds[0], found[given]
        )
    alone = next((spec for spec in specs if spec.config.enrolment.source == "none"), None)
    within, usual = clip_distances(recipe, task, specs[0])
    about = recipe.folder / "card.yaml"
    corpus = load(about, CardConfig) if about.is_file() else CardConfig(corpus=recipe.name)
    facts = {
        "dsnet": versions()["dsnet"],
        "git_revision": git_revision(),
        "command": args.command,
        "trained_on": {
            "recipe": recipe.name,
            **asdict(corpus),
            "task": args.task,
            "utterances": len(task.utt2emo),
            "speakers": len(task.spk2utt.keys() - task.unknown_speakers),
        },
        "protocol": read_task_json(task.task_dir)["protocol"]["in_words"],
        "systems": {spec.config.enrolment.source: spec.name for spec in specs},
        "clips": {spec.config.enrolment.source: spec.config.enrolment.count for spec in specs},
        "seeds": seeds,
        "folds": folds,
        "results": {given: held.results for given, held in found.items()},
        MAP: training_map(recipe, args.task, task, alone, seeds[0]) if alone else {},
    }
    name = args.folder.resolve().name
    card = card_md(name, task.classes, facts)
    write_bundle(args.folder, name, task.classes, features, members, within, usual, facts, card)
    size = sum(path.stat().st_size for path in args.folder.iterdir()) / 1e6
    print(f"{args.folder}: {size:.1f} MB, for {', '.join(members)}; see card.md")
    print(f"  dsnet predict --model {shlex.quote(str(args.folder))} FILE...")


def read_member(
    spec: SystemSpec, recipe: Recipe, task_name: str, task: TaskData, seed: int, held: HeldOut
) -> tuple[Member, FeaturesFacts]:
    """Return a model of all speakers, and the features that it hears.

    Raises:
        TrainingError: it is missing, or of other data or code than the recipe has now.
        BundleError: what stage 4 left is of other code, config or features.
    """
    path = recipe.run(task_name, spec.name, seed, FINAL) / MODEL
    system, content = open_model(path)
    store = FeatureStore.open(recipe.features(spec.config.features))
    expected = {
        "config": config_values(spec.config),
        "classes": task.classes,
        "task_digest": task.digest,
        "features_digest": store.info.digest,
        "code_digest": code_digest(spec.config.kind),
        "fold": FINAL,
        "seed": seed,
    }
    check(path, content, expected)
    same = {
        "config": spec.digest,
        "features": store.info.digest,
        "task": task.digest,
        "code": expected["code_digest"],
    }
    held.require(same)
    info = content["features"]
    facts = FeaturesFacts(**{name: info[name] for name in FeaturesFacts.__dataclass_fields__})
    member = Member(
        system=spec.config,
        num_speakers=content["num_speakers"],
        temperature=held.temperature,
        held_out=held.curve,
        weights=system.state_dict(),
        voice=content["voice"] or {},
    )
    return member, facts


def training_map(
    recipe: Recipe, task_name: str, task: TaskData, spec: SystemSpec, seed: int
) -> dict[str, Any]:
    """Return where training utterances lie, seen from the two directions in which they differ most.

    Returns:
        What `dsnet predict --explain` draws, by what the system is given, which is nothing; empty
        if the system has no embeddings.
    """
    system, _ = open_model(recipe.run(task_name, spec.name, seed, FINAL) / MODEL)
    store = FeatureStore.open(recipe.features(spec.config.features))
    utts = sorted(task.utt2emo, key=lambda utt: digest(["drawn", utt]))[:MAPPED]
    store.require(utts)
    references = {utt: utt for utt in utts}  # none is looked at
    found = predict(system, Frames(store, "cpu"), utts, references, spec.config).embeddings
    if not found:
        return {}
    name = "e" if "e" in found else next(iter(found))
    values = found[name].double()
    mean = values.mean(0)
    axes = torch.linalg.svd(values - mean, full_matrices=False).Vh[:2]
    places = (values - mean) @ axes.T
    classes = [task.classes.index(task.utt2emo[utt]) for utt in utts]
    points = [
        [round(x, 4), round(y, 4), k] for (x, y), k in zip(places.tolist(), classes, strict=True)
    ]
    return {
        "none": {
            "embedding": name,
            "mean": [round(value, 6) for value in mean.tolist()],
            "axes": [[round(value, 6) for value in axis] for axis in axes.tolist()],
            "points": points,
        }
    }


def clip_distances(recipe: Recipe, task: TaskData, spec: SystemSpec) -> tuple[torch.Tensor, float]:
    """Return how much clips of a speaker differ.

    Returns:
        (F,) deviation of a dimension's mean between utterances of one speaker, and the distance
        that USUAL percent of a speaker's clips keep from FEWEST - 1 others; see `farthest`.
    """
    store = FeatureStore.open(recipe.features(spec.config.features))
    front_end = build_front_end(spec.config.augment, store.info, store.info.config)
    store.require(task.utt2spk)
    frames = Frames(store, "cpu")
    by_speaker = {
        speaker: np.stack([measure(frames.whole(utt), front_end).numpy() for utt in utts])
        for speaker, utts in task.spk2utt.items()
    }
    dim = store.info.dim
    centred = [clips[:, :dim] - clips[:, :dim].mean(0) for clips in by_speaker.values()]
    freedom = max(1, sum(len(clips) - 1 for clips in centred))
    within = np.sqrt(np.square(np.concatenate(centred)).sum(0) / freedom).clip(min=1e-6)
    rng = np.random.default_rng(0)
    able = [clips for clips in by_speaker.values() if len(clips) >= FEWEST]
    distances = [
        farthest(clips[rng.choice(len(clips), FEWEST, replace=False)], within)
        for clips in (able[rng.integers(len(able))] for _ in range(DRAWS if able else 0))
    ]
    usual = float(np.percentile(distances, USUAL)) if distances else float("inf")
    return torch.from_numpy(within), usual


if __name__ == "__main__":
    run(main)
