"""A fold of random features whose classes differ a little: enough for a loop to train on."""

import numpy as np
import pytest

from dsnet.features.fbank import FbankConfig
from dsnet.models.encoder import EncoderConfig
from dsnet.systems.config import InputConfig, SystemConfig, TrainConfig
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
        references={utt: [n for n in neutral if n != utt] for utt in train},
        classes=["neutral", "happy", "sad"],
        fbank=FbankConfig(num_mel_bins=NUM_BINS),
        digest="task",
        features_digest="features",
    )


@pytest.fixture
def make_config():
    def make(kind="dsnet", mode="variable", embed_dim=8, **train):
        settings = {"batch_size": 5, "max_epochs": 4, "stop_after": 0, **train}
        return SystemConfig(
            kind=kind,
            input=InputConfig(mode=mode, max_frames=48),
            encoder=EncoderConfig(num_bins=NUM_BINS, channels=[4, 4, 6, 8], embed_dim=embed_dim),
            train=TrainConfig(**settings),
        )

    return make
