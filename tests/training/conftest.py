"""A fold of random features whose classes differ a little, and the files of stages 1 and 2."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from lhotse import SupervisionSegment

from dsnet.features.fbank import FbankConfig
from dsnet.features.feats import FeatsInfo
from dsnet.features.store import FRAMES, FeatureStore, write_frames
from dsnet.files import write_text
from dsnet.folds.build import build_task
from dsnet.models.augment import AugmentConfig
from dsnet.models.encoder import EncoderConfig
from dsnet.models.front_end import build_front_end
from dsnet.recipe import Recipe
from dsnet.systems.config import InputConfig, LinearConfig, SystemConfig, TrainConfig
from dsnet.task import FoldConfig, ReferenceConfig, TaskConfig
from dsnet.training.data import FoldData
from dsnet.training.frames import Frames

NUM_BINS = 20
NUM_FUNCTIONALS = 6


def info_of(matrices, kind="fbank"):
    """Return what stage 1 would say of matrices (T, F)."""
    dim = len(next(iter(matrices.values()))[0])
    count = sum(map(len, matrices.values()))
    if kind == "fbank":
        config = dataclasses.asdict(FbankConfig(num_mel_bins=dim))
        return FeatsInfo("fbank", kind, dim, 10.0, config, "features", "m", len(matrices), count)
    return FeatsInfo("vectors", kind, dim, None, {}, "vectors", "m", len(matrices), count)


@pytest.fixture
def make_frames():
    """A function from matrices (T, F) by utterance to their frames, as if read from a store."""

    def make(kind="fbank", **matrices):
        lengths = torch.tensor([len(matrix) for matrix in matrices.values()])
        frames = torch.tensor(np.concatenate(list(matrices.values())), dtype=torch.float32)
        index = {utt: place for place, utt in enumerate(matrices)}
        offsets = lengths.cumsum(0) - lengths
        info = info_of(matrices, kind)
        store = FeatureStore(info, index, lengths, offsets, frames, Path(FRAMES), {})
        return Frames(store, "cpu")

    return make


@pytest.fixture
def fold(make_frames):
    rng = np.random.default_rng(0)
    ids = [f"utt{i:02}" for i in range(28)]
    labels = {utt: i % 3 for i, utt in enumerate(ids)}
    pattern = 2 * rng.normal(size=(3, NUM_BINS))
    matrices = {
        utt: (pattern[labels[utt]] + rng.normal(size=(rng.integers(20, 60), NUM_BINS)))
        for utt in ids
    }
    train, dev = ids[:21], ids[21:]
    neutral = [utt for utt in train if labels[utt] == 0][:3]
    frames = make_frames(**matrices)
    return FoldData(
        name="01",
        frames=frames,
        front_end=build_front_end(AugmentConfig(), frames.info, frames.info.config),
        train=train,
        dev=dev,
        labels=labels,
        speakers={utt: f"speaker {labels[utt]}" for utt in train},  # so that tests can compare
        references={utt: [n for n in neutral if n != utt] for utt in ids},
        dev_references={utt: neutral[0] for utt in dev},
        unlabelled=dev,
        normalisation=None,
        classes=["neutral", "happy", "sad"],
        task_digest="task",
    )


@pytest.fixture
def make_config():
    def make(kind="dsnet", mode="variable", embed_dim=8, augment=None, **train):
        settings = {"batch_size": 5, "max_epochs": 4, "stop_after": 0, **train}
        svm = kind == "svm"
        return SystemConfig(
            kind=kind,
            features="vectors" if svm else "fbank",
            input=InputConfig(mode=mode, max_seconds=0.48),
            augment=AugmentConfig(**(augment or {})),
            encoder=EncoderConfig(channels=[4, 4, 6, 8], embed_dim=embed_dim),
            linear=LinearConfig([0.01, 0.1, 1.0, 10.0]),
            train=TrainConfig(**settings),
        )

    return make


def write_features(feats_dir, matrices, kind):
    """Write what training reads of stage 1."""
    info = info_of(matrices, kind)
    write_frames(feats_dir, matrices.items(), info)
    counts = "".join(f"{utt} {len(matrix)}\n" for utt, matrix in matrices.items())
    write_text(feats_dir / "utt2num_frames", counts)
    info.write(feats_dir)


@pytest.fixture
def write_stages():
    """A function that writes stages 1 and 2 of some speakers, whose folds are called after them.

    An utterance is called after speaker, emotion and number. In fold a, b validates and the others
    train. Features: fbank, noise; and vectors, that tell the emotion (its pattern, and noise on
    it) and, the more the larger `spread`, the speaker.
    """

    def write(
        folder,
        repeated_text="keep",
        count=2,
        speakers="abc",
        takes=2,
        spread=0.0,
        noise=0.1,
        validation="next_speaker",
    ):
        corpus = [
            SupervisionSegment(
                id=f"{spk}-{emotion}-{n}",
                recording_id=f"{spk}-{emotion}-{n}",
                start=0.0,
                duration=1.0,
                speaker=spk,
                # the first neutral utterance of a and of c are one sentence
                text="well" if f"{spk}{emotion}{n}" in ("aN1", "cN1") else f"{spk}{emotion}{n}",
                custom={"emotion": emotion},
            )
            for spk in speakers
            for emotion in "NH"
            for n in range(1, takes + 1)
        ]
        task = TaskConfig(
            classes=["neutral", "happy"],
            label_map={"N": "neutral", "H": "happy"},
            folds=FoldConfig(repeated_text=repeated_text, validation=validation),
            references=ReferenceConfig("N", count=count),
        )
        recipe = Recipe(folder)
        build_task(task, corpus, recipe.task("task"))
        rng = np.random.default_rng(0)
        matrices = {s.id: rng.normal(12, 2, (20, NUM_BINS)) for s in corpus}
        write_features(recipe.features("fbank"), matrices, "fbank")
        pattern = {emotion: rng.normal(size=NUM_FUNCTIONALS) for emotion in "NH"}
        offset = {spk: spread * rng.normal(size=NUM_FUNCTIONALS) for spk in speakers}
        vectors = {
            s.id: (
                pattern[s.custom["emotion"]]
                + offset[s.speaker]
                + noise * rng.normal(size=(1, NUM_FUNCTIONALS))
            )
            for s in corpus
        }
        write_features(recipe.features("vectors"), vectors, "opensmile")
        return recipe

    return write


@pytest.fixture
def replace_audio():
    """A function that replaces the stored frames of some utterances by others."""

    def replace(recipe, features, utt_ids):
        folder = recipe.features(features)
        store = FeatureStore.open(folder)
        frames = dict(
            zip(store.index, np.split(store.frames.numpy().copy(), store.offsets[1:]), strict=True)
        )
        rng = np.random.default_rng(9)
        for utt in utt_ids:
            frames[utt] = rng.normal(20, 9, frames[utt].shape)
        write_frames(folder, frames.items(), store.info)

    return replace
