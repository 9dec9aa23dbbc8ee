"""A fold of random features whose classes differ a little, and the files of stages 1 and 2."""

import dataclasses

import kaldiio
import numpy as np
import pytest
from lhotse import SupervisionSegment

from dsnet.features.fbank import FbankConfig
from dsnet.features.feats import FeatsInfo
from dsnet.files import write_text
from dsnet.folds.build import build_task
from dsnet.models.augment import AugmentConfig
from dsnet.models.encoder import EncoderConfig
from dsnet.systems.config import InputConfig, SystemConfig, TrainConfig
from dsnet.task import FoldConfig, ReferenceConfig, TaskConfig
from dsnet.training.frames import FrameStore
from dsnet.training.loop import FoldData

NUM_BINS = 20


@pytest.fixture
def fold():
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
    return FoldData(
        name="01",
        store=FrameStore({u: len(m) for u, m in matrices.items()}, matrices.items(), "cpu"),
        train=train,
        dev=dev,
        labels=labels,
        speakers={utt: f"speaker {labels[utt]}" for utt in train},  # so that tests can compare
        references={utt: [n for n in neutral if n != utt] for utt in ids},
        unlabelled=dev,
        given=[],
        calibration=None,
        classes=["neutral", "happy", "sad"],
        fbank=FbankConfig(num_mel_bins=NUM_BINS),
        digest="task",
        features_digest="features",
    )


@pytest.fixture
def make_config():
    def make(kind="dsnet", mode="variable", embed_dim=8, augment=None, **train):
        settings = {"batch_size": 5, "max_epochs": 4, "stop_after": 0, **train}
        return SystemConfig(
            kind=kind,
            input=InputConfig(mode=mode, max_frames=48),
            augment=AugmentConfig(**(augment or {})),
            encoder=EncoderConfig(num_bins=NUM_BINS, channels=[4, 4, 6, 8], embed_dim=embed_dim),
            train=TrainConfig(**settings),
        )

    return make


@pytest.fixture
def write_stages():
    """A function that writes stages 1 and 2 of three speakers, whose folds are a, b and c.

    In fold a, b validates and c trains. An utterance is called after speaker, emotion and number.
    """

    def write(folder, repeated_text="keep", count=2):
        corpus = [
            SupervisionSegment(
                id=f"{spk}-{emotion}-{n}",
                recording_id="r",
                start=0.0,
                duration=1.0,
                speaker=spk,
                # the first neutral utterance of a and of c are one sentence
                text="well" if f"{spk}{emotion}{n}" in ("aN1", "cN1") else f"{spk}{emotion}{n}",
                custom={"emotion": emotion},
            )
            for spk in "abc"
            for emotion in "NH"
            for n in (1, 2)
        ]
        task = TaskConfig(
            classes=["neutral", "happy"],
            label_map={"N": "neutral", "H": "happy"},
            folds=FoldConfig(repeated_text=repeated_text),
            references=ReferenceConfig("N", count=count),
        )
        build_task(task, corpus, folder / "task")
        rng = np.random.default_rng(0)
        matrices = {s.id: rng.normal(12, 2, (20, NUM_BINS)).astype(np.float32) for s in corpus}
        kaldiio.save_ark(str(folder / "feats.ark"), matrices, scp=str(folder / "feats.scp"))
        write_text(folder / "utt2num_frames", "".join(f"{s.id} 20\n" for s in corpus))
        config = dataclasses.asdict(FbankConfig(num_mel_bins=NUM_BINS))
        FeatsInfo(config, "", "", len(corpus), 20 * len(corpus), "").write(folder)

    return write
