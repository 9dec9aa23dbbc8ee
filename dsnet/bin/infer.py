"""Stage 4: posteriors and embeddings of the utterances of one fold of one system.

Writes a run folder: {dev,test}/posteriors.tsv, of a network also {train,dev,test}/embeddings.npz,
and run.json (last), which says what was tested on what. Unless the system declares it in training,
this is the first time that test features are read. Test labels are not.

The run folder is that of the model. --enrolments adds one beside it for each other enrolment that
the model is tried with; --on tests the model on all utterances of another recipe's task instead of
its own test speakers, and writes to --to.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dsnet.bin import run
from dsnet.bin.job import Job, job_parser, make_job, require_voices
from dsnet.bin.trained import open_model, read_train_json
from dsnet.errors import ConfigError
from dsnet.features.feats import require_alike
from dsnet.features.store import FeatureStore
from dsnet.files import digest, locked, write_text
from dsnet.folds.task_data import TaskData
from dsnet.models.front_end import FrontEnd, build_front_end
from dsnet.models.voice import Voice
from dsnet.recipe import Recipe
from dsnet.results.posteriors import write_posteriors
from dsnet.systems import check_enrolment, code_digest
from dsnet.systems.catalog import check_matching, is_transductive, side_information
from dsnet.systems.config import EnrolmentConfig
from dsnet.systems.system import System
from dsnet.training.checkpoint import check, config_values
from dsnet.training.enrolment import (
    enrolled_pools,
    first_references,
    given,
    in_words,
    parse_enrolment,
    scales,
    training_pools,
)
from dsnet.training.frames import Frames
from dsnet.training.inference import Predictions, predict, write_embeddings
from dsnet.training.loop import MODEL
from dsnet.training.normalisation import Normalisation, Pools, voice_of

MATCHES = ("none", "corpus", "speaker")
FACTS = (  # what run.json repeats of train.json, if it is there
    "num_parameters", "inference_parameters", "epochs", "selection", "selected_epoch", "seconds",
    "seconds_per_epoch", "peak_memory_bytes", "peak_gpu_bytes", "machine", "versions",
    "git_revision",
)  # fmt: skip


@dataclass(frozen=True)
class Side:
    """A recipe's task and features, and what is known of such features."""

    recipe: Recipe
    task: TaskData
    store: FeatureStore
    frames: Frames
    front_end: FrontEnd

    @classmethod
    def open(cls, job: Job, recipe: Recipe, task_name: str) -> "Side":
        store = FeatureStore.open(recipe.features(job.config.features))
        front_end = build_front_end(job.config.augment, store.info, store.info.config)
        task = TaskData.load(recipe.task(task_name))
        return cls(recipe, task, store, Frames(store, job.device), front_end)


@dataclass(frozen=True)
class Model:
    """A trained system, its job, the side that it was trained on, its training speakers' voice."""

    job: Job
    system: System
    own: Side
    voice: Voice | None

    def predict(
        self, side: Side, utts: Sequence[str], enrolment: EnrolmentConfig, match: str, seen: bool
    ) -> tuple[Predictions, set[str]]:
        """Return what the system makes of utterances of a side, and what it was given for it.

        Args:
            side: that they are of.
            utts: of the side's task.
            enrolment: of their speakers.
            match: see --match-target.
            seen: whether they are those that it was trained on.
        """
        task = side.task
        speakers = {task.utt2spk[utt] for utt in utts}
        references, heard = {}, set()
        if self.system.neutral_at_inference and seen:
            references = {utt: (task.references[utt] or [utt])[0] for utt in utts}
        elif self.system.neutral_at_inference:
            firsts = first_references(speakers, task)
            references, heard = {u: firsts[task.utt2spk[u]] for u in utts}, set(firsts.values())
        read = sorted({*utts, *references.values()})
        pools, voice, scale = None, self.voice, scales(enrolment)
        if match != "none":
            pools = matched_pools(match, read, task)
            train = self.own.task.fold(self.job.fold).train
            voice = voice_of(self.own.frames, [train], self.own.front_end, shrink=False)
            scale = True
        elif enrolment.source != "none" and seen:
            pools = training_pools(enrolment, read, utts, task)
        elif enrolment.source != "none":
            pools = enrolled_pools(enrolment, read, task)
            heard |= given(enrolment, speakers, task)
        normalisation = None
        if pools is not None:
            side.store.require({utt for pool in pools.pools.values() for utt in pool})
            normalisation = Normalisation(side.frames, [pools], voice, side.front_end, scale)
        side.store.require(read)
        config = self.job.config
        found = predict(self.system, side.frames, utts, references, config, normalisation)
        return found, heard & set(task.utt2emo)


def matched_pools(match: str, utts: Sequence[str], task: TaskData) -> Pools:
    """Return the pools of utterances that matching the target normalises them by."""
    if match == "corpus":
        return Pools({"corpus": sorted(task.utt2emo)}, dict.fromkeys(utts, "corpus"))
    speaker_of = {utt: task.speaker(utt) for utt in utts}
    return Pools({spk: task.spk2utt[spk] for spk in set(speaker_of.values())}, speaker_of)


def main() -> None:
    parser = job_parser(__doc__)
    parser.add_argument(
        "--enrolments", default="", help="such as 'neutral:1 neutral:5', beside the system's"
    )
    parser.add_argument("--on", type=Path, help="another recipe, such as ../ravdess")
    parser.add_argument("--on-task", help="its task")
    parser.add_argument("--to", type=Path, help="folder that gets a folder fold_<name>; with --on")
    parser.add_argument(
        "--match-target",
        choices=MATCHES,
        default="none",
        help="shift and scale the features of --on (or of each of its speakers) to the mean and "
        "deviation of the training part; transductive (%(default)s)",
    )
    args = parser.parse_args()
    job = make_job(args)
    check_options(args, job)
    model = load(job)
    if args.on is not None:  # nothing is written into the folder of the model
        other = Side.open(job, Recipe(args.on), args.on_task)
        require_alike(model.own.frames.info, other.frames.info, model.own.recipe, other.recipe)
        folder = args.to / f"fold_{job.fold}"
        with locked(folder):
            test(model, folder, job.config.enrolment, other, args.match_target)
        return
    with locked(job.folder):
        test(model, job.folder, job.config.enrolment, model.own)
        for text in args.enrolments.split():
            enrolment = parse_enrolment(text, job.config.enrolment)
            if enrolment == job.config.enrolment:
                continue  # that is the run itself
            check_enrolment(enrolment, model.own.frames.info)
            folder = job.folder / f"enrolment_{in_words(enrolment)}"
            test(model, folder, enrolment, model.own)


def check_options(args: argparse.Namespace, job: Job) -> None:
    """Raise ConfigError for options that do not go together."""
    if (args.on is None) != (args.to is None) or (args.on is None) != (args.on_task is None):
        raise ConfigError("--on, --on-task and --to go together")
    if args.on is None and args.match_target != "none":
        raise ConfigError("--match-target needs --on: it is about another corpus")
    if args.on is not None and args.enrolments:
        raise ConfigError(
            "--enrolments goes with a model's own corpus; with --on name the system that you want, "
            "such as NAME@enrolment.count=1"
        )
    if args.match_target != "none":
        check_matching(job.spec)


def load(job: Job) -> Model:
    """Return the job's model, refusing one that is not of this very job."""
    path = job.folder / MODEL
    system, content = open_model(path, job.device)
    own = Side.open(job, job.recipe, job.task)
    expected = {
        "config": config_values(job.config),
        "classes": own.task.classes,
        "task_digest": own.task.digest,
        "features_digest": own.frames.info.digest,
        "code_digest": code_digest(job.config.kind),
        "fold": job.fold,
        "seed": job.seed,
    }
    check(path, content, expected)
    voice = content["voice"]  # what is heard is measured on the CPU
    voice = voice and Voice(**{name: value.cpu() for name, value in voice.items()})
    return Model(job, system, own, voice)


def test(
    model: Model, folder: Path, enrolment: EnrolmentConfig, tested: Side, match: str = "none"
) -> None:
    """Write a run folder: train and dev of the model's own fold, test of the tested side."""
    (folder / "run.json").unlink(missing_ok=True)
    own, fold = model.own, model.own.task.fold(model.job.fold)
    across = tested is not own
    parts = {"train": fold.train, "dev": fold.dev, "test": fold.test}
    if across:
        parts["test"] = sorted(tested.task.utt2emo)
    if model.job.config.enrolment.source == "all" or match == "speaker":
        require_voices(tested.frames.info, tested.task, parts["test"])
    if enrolment != model.job.config.enrolment:
        del parts["train"]
    all_given: set[str] = set()
    for part, utts in parts.items():
        if not utts:  # nobody validates
            table = folder / part / "posteriors.tsv"
            write_posteriors(table, [], own.task.classes, np.empty((0, 0)))
            continue
        side = tested if part == "test" else own
        matched = match if part == "test" else "none"
        found, heard = model.predict(side, utts, enrolment, matched, seen=part == "train")
        if found.embeddings:
            write_embeddings(folder / part, utts, found)
        if part != "train":
            write_posteriors(
                folder / part / "posteriors.tsv", utts, own.task.classes, found.posteriors
            )
        # what was given of training speakers, or across corpora of those that validate, is not
        # among what is scored
        if part == "test" or (part == "dev" and not across):
            all_given |= heard
        print(f"{folder / part}: {len(utts)} utterances", flush=True)
    about = describe(model, enrolment, tested, all_given, match)
    write_text(folder / "run.json", json.dumps(about, indent=1, ensure_ascii=False) + "\n")


def describe(
    model: Model, enrolment: EnrolmentConfig, tested: Side, all_given: set[str], match: str
) -> Mapping[str, Any]:
    """Return what run.json holds."""
    job, config = model.job, model.job.config
    trained = read_train_json(job.folder, "digests")
    across = tested is not model.own
    given_words = side_information(config, enrolment, across)
    transductive = is_transductive(config, enrolment, across)
    if match != "none":
        words = {"corpus": "all unlabelled audio of the tested corpus"}
        words["speaker"] = "all unlabelled audio of the speaker"
        given_words = "; ".join([w for w in (given_words, words[match]) if w != "none"])
        transductive = True
    conditioned = model.system.neutral_at_inference and enrolment.source == "none"
    shown = {"source": enrolment.source, "count": enrolment.count}
    if enrolment.source not in ("neutral", "any"):
        shown["count"] = 0
    if conditioned:
        shown = {"source": "neutral", "count": 1}
    return {
        "system": job.spec.name,
        "base": job.spec.base,
        "changes": job.spec.changes,
        "members": [],
        "kind": config.kind,
        "control": job.spec.control,
        "features": config.features,
        "enrolment": shown,
        "own_enrolment": enrolment == config.enrolment,
        "side_information": given_words,
        "transductive": transductive,
        "given": sorted(all_given),
        "trained_on": model.own.recipe.name,
        "tested_on": tested.recipe.name,
        "tested_task": tested.task.task_dir.name,
        "task": job.task,
        "task_changes": job.task_changes,
        "normalised_by_target": match,
        "seed": job.seed,
        "fold": job.fold,
        "digests": {**trained["digests"], "model": digest([(job.folder / MODEL).read_bytes()])},
        "tested_digests": {
            "features": tested.frames.info.digest,
            "task": tested.task.digest,
        }
        if across
        else {},
        "training": {key: trained[key] for key in FACTS if trained.get(key) is not None},
    }


if __name__ == "__main__":
    run(main)
