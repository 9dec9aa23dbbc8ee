"""From the files of stages 1 and 2 to what training needs of a fold."""

from dataclasses import dataclass

import torch

from dsnet.errors import TrainingError
from dsnet.features.store import FeatureStore
from dsnet.folds.task_data import TaskData
from dsnet.models.encoder import MIN_FRAMES
from dsnet.models.front_end import FrontEnd, build_front_end
from dsnet.recipe import Recipe
from dsnet.systems import find_system
from dsnet.systems.config import SystemConfig
from dsnet.training.enrolment import (
    enrolled_pools,
    first_references,
    given,
    heard_of,
    scales,
    shrinks,
    training_pools,
)
from dsnet.training.frames import Frames
from dsnet.training.normalisation import Normalisation, Pools, voice_of


@dataclass
class FoldData:
    """What training may see of a fold; of test utterances nothing unless the system declares it."""

    name: str
    frames: Frames
    front_end: FrontEnd
    train: list[str]
    dev: list[str]  # without what the system is given of its speakers
    labels: dict[str, int]  # of train and dev
    speakers: dict[str, str]  # of train
    references: dict[str, list[str]]  # of train
    dev_references: dict[str, str]  # if the system needs one at inference
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
        TrainingError: speakers of any part lack the utterances that the system needs of them, or
            none is left to validate.
    """
    task = TaskData.load(recipe.task(task_name))
    store = FeatureStore.open(recipe.features(config.features))
    fold, system = task.fold(fold_name), find_system(config)
    if not fold.dev:
        require_no_validation(config)
    heard = set(fold.train)  # a fold may leave utterances of its training speakers out
    references = {
        utt: [ref for ref in task.references[utt] if ref in heard or ref not in task.utt2spk]
        for utt in fold.train
    }
    wanted = {*fold.train, *fold.dev, *(ref for refs in references.values() for ref in refs)}
    unlabelled = [*fold.dev, *fold.test] if system.needs_unlabelled else []
    wanted |= set(unlabelled)
    dev_references = {}
    # of test speakers too, since an hour of training is too late to hear of it
    speakers = {task.utt2spk[utt] for utt in [*fold.dev, *fold.test]}
    if system.neutral_at_inference:
        firsts = first_references(speakers, task)
        dev_references = {utt: firsts[task.utt2spk[utt]] for utt in fold.dev}
        wanted |= set(dev_references.values())
    unscored = {*dev_references.values(), *given(config.enrolment, speakers, task)}
    parts: list[Pools] = []
    if config.enrolment.source != "none":
        unseen = {utt for utt in wanted if task.speaker(utt) in speakers}
        parts = [
            training_pools(config.enrolment, sorted(wanted - unseen), fold.train, task),
            enrolled_pools(config.enrolment, sorted(unseen), task),
        ]
        wanted |= {utt for part in parts for pool in part.pools.values() for utt in pool}
    store.require(wanted)
    frames = Frames(store, device)
    front_end = build_front_end(config.augment, store.info, store.info.config)
    normalisation = None
    if parts:
        trained = heard_of(config.enrolment, fold.train, task)
        voice = voice_of(frames, list(trained.values()), front_end, shrinks(config.enrolment))
        normalisation = Normalisation(frames, parts, voice, front_end, scales(config.enrolment))
    dev = [utt for utt in fold.dev if utt not in unscored]
    if fold.dev and not dev:
        raise TrainingError(
            f"fold {fold_name}: the system is given all {len(fold.dev)} validation utterances, so "
            "that none is left to be judged. Choose a smaller enrolment.count"
        )
    index = {name: i for i, name in enumerate(task.classes)}
    return FoldData(
        name=fold_name,
        frames=frames,
        front_end=front_end,
        train=list(fold.train),
        dev=dev,
        labels={utt: index[task.utt2emo[utt]] for utt in [*fold.train, *dev]},
        speakers={utt: task.utt2spk[utt] for utt in fold.train},
        references=references,
        dev_references=dev_references,
        unlabelled=unlabelled,
        normalisation=normalisation,
        classes=task.classes,
        task_digest=task.digest,
    )


def require_no_validation(config: SystemConfig) -> None:
    """Raise TrainingError for a network whose training looks at validation speakers."""
    train = config.train
    wanted = {"select": "last", "stop_after": 0}
    wrong = [f"{key} {getattr(train, key)}" for key in wanted if getattr(train, key) != wanted[key]]
    wrong += ["schedule plateau"] * (train.schedule == "plateau")
    if find_system(config).is_network and wrong:
        raise TrainingError(
            "nobody validates in this task (folds.validation none), but the system's config has "
            f"train.{', train.'.join(wrong)}, which look at validation speakers. Set select last, "
            "stop_after 0 and schedule one_cycle or constant, or choose another folds.validation"
        )


def max_frames(config: SystemConfig, frames: Frames) -> int:
    """Return how many frames input.max_seconds are, at least what every encoder needs."""
    return max(MIN_FRAMES, in_frames(config.input.max_seconds, frames))


def in_frames(seconds: float, frames: Frames) -> int:
    """Return a time as a number of frames; one vector an utterance is one frame."""
    shift = frames.info.frame_shift_ms
    return 1 if shift is None else round(1000 * seconds / shift)
