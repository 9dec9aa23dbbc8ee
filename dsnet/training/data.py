"""From the files of stages 1 and 2 to what training needs of a fold."""

from dataclasses import dataclass

import torch

from dsnet.features.store import FeatureStore
from dsnet.folds.task_data import TaskData
from dsnet.models.encoder import MIN_FRAMES
from dsnet.models.front_end import FrontEnd, build_front_end
from dsnet.recipe import Recipe
from dsnet.systems import find_system
from dsnet.systems.config import SystemConfig
from dsnet.training.enrolment import first_references, pools_of, require
from dsnet.training.frames import Frames
from dsnet.training.normalisation import Normalisation


@dataclass
class FoldData:
    """What training may see of a fold; of test utterances nothing unless the system declares it."""

    name: str
    frames: Frames
    front_end: FrontEnd
    train: list[str]
    dev: list[str]
    labels: dict[str, int]  # of train and dev
    speakers: dict[str, str]  # of train
    references: dict[str, list[str]]  # of train; of dev too if the system needs one at inference
    unlabelled: list[str]  # utterances of dev and test if the system needs their audio, else none
    normalisation: Normalisation | None  # of train and dev, if the input is normalised
    classes: list[str]
    task_digest: str  # of the task's folds, labels and references

    @property
    def train_speakers(self) -> list[str]:
        """Return the names of the training speakers; a speaker index is a position in it."""
        return sorted(set(self.speakers.values()))


def load_training_data(
    recipe: Recipe, task_name: str, fold_name: str, config: SystemConfig, device: torch.device
) -> FoldData:
    """Load the training and validation parts of a fold, and what the system needs beside them.

    Test audio is read only for a system with `needs_unlabelled`, test labels never.

    Raises:
        FoldError, FeatureError: stage 1 or 2 is missing, or its files do not fit together.
        TrainingError: utterances of any part lack the neutral one that the system needs.
    """
    task = TaskData.load(recipe.task(task_name))
    store = FeatureStore.open(recipe.features(config.features))
    fold, system = task.fold(fold_name), find_system(config)
    heard = set(fold.train)  # a fold may leave utterances of its training speakers out
    references = {
        utt: [ref for ref in task.references[utt] if ref in heard or ref not in task.utt2spk]
        for utt in fold.train
    }
    wanted = {*fold.train, *fold.dev, *(ref for refs in references.values() for ref in refs)}
    unlabelled = [*fold.dev, *fold.test] if system.needs_unlabelled else []
    wanted |= set(unlabelled)
    if system.neutral_at_inference:
        # all parts, since an hour of training is too late to hear of it
        first_references([*fold.train, *fold.dev, *fold.test], task.references)
        references |= {utt: task.references[utt] for utt in fold.dev}
        wanted |= set(first_references(fold.dev, references).values())
    pools = {}
    if config.enrolment.source != "none":
        pools_of(config.enrolment, [*fold.dev, *fold.test], task)  # raises, likewise
        pools = pools_of(config.enrolment, sorted(wanted), task)
        if config.enrolment.source == "neutral":
            unseen = {*fold.dev, *fold.test}
            pools = require(
                {
                    utt: own if utt in unseen else [p for p in own if _may_train(p[0], heard, task)]
                    for utt, own in pools.items()
                }
            )
        wanted |= {utt for own in pools.values() for pool in own for utt in pool}
    store.require(wanted)
    frames = Frames(store, device)
    front_end = build_front_end(config.augment, store.info, store.info.config)
    normalisation = None
    if pools:
        scale = config.enrolment.normalise == "shift_and_scale"
        normalisation = Normalisation(frames, pools, config.enrolment.count, front_end, scale)
    index = {name: i for i, name in enumerate(task.classes)}
    return FoldData(
        name=fold_name,
        frames=frames,
        front_end=front_end,
        train=list(fold.train),
        dev=list(fold.dev),
        labels={utt: index[task.utt2emo[utt]] for utt in [*fold.train, *fold.dev]},
        speakers={utt: task.utt2spk[utt] for utt in fold.train},
        references=references,
        unlabelled=unlabelled,
        normalisation=normalisation,
        classes=task.classes,
        task_digest=task.digest,
    )


def _may_train(utt: str, heard: set[str], task: TaskData) -> bool:
    return utt in heard or utt not in task.utt2spk


def max_frames(config: SystemConfig, frames: Frames) -> int:
    """Return how many frames input.max_seconds are, at least what every encoder needs."""
    return max(MIN_FRAMES, in_frames(config.input.max_seconds, frames))


def in_frames(seconds: float, frames: Frames) -> int:
    """Return a time as a number of frames; one vector an utterance is one frame."""
    shift = frames.info.frame_shift_ms
    return 1 if shift is None else round(1000 * seconds / shift)
