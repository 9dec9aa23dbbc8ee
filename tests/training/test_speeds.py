"""Copies at other speeds in training and at test, against stores that hold each speed by itself."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from dsnet.features.store import FeatureStore
from dsnet.models.augment import AugmentConfig
from dsnet.models.front_end import build_front_end
from dsnet.models.voice import Voice
from dsnet.systems import build_system, find_system
from dsnet.training.batches import TrainingSet
from dsnet.training.fit import fit, vectors
from dsnet.training.frames import Frames
from dsnet.training.inference import predict
from dsnet.training.normalisation import Normalisation, Pools

SPEEDS = [0.9, 1.1]


@pytest.fixture
def versions(make_frames):
    """A function from one set of matrices for each version to their frames in one store."""

    def make(*each, kind="fbank"):
        matrices = {
            utt if v == 0 else f"{utt}_sp{SPEEDS[v - 1]}": own[utt]
            for utt in each[0]
            for v, own in enumerate(each)
        }
        frames = make_frames(kind=kind, **matrices)
        info = dataclasses.replace(frames.info, config={**frames.info.config, "speeds": SPEEDS})
        store = FeatureStore(
            info, frames.index, frames.lengths, frames.offsets, frames.frames, Path(), {}
        )
        return Frames(store, "cpu")

    return make


@pytest.fixture
def noise():
    def make(utts, seed, dim=20, least=20):
        rng = np.random.default_rng(seed)
        return {utt: rng.normal(12, 2, (rng.integers(least, least + 40), dim)) for utt in utts}

    return make


def test_an_utterance_and_its_reference_are_drawn_at_one_speed(fold, versions, make_config):
    utts = [*fold.train, *fold.dev]
    fold.frames = versions(*({utt: np.full((30, 20), 10.0 * v) for utt in utts} for v in range(3)))
    config = make_config("dsnet", "fixed")
    train_set = TrainingSet(fold, config)
    drawn = []
    for batch in train_set.epoch(torch.Generator().manual_seed(0), find_system(config)):
        own, neutral = batch.feats.mean((1, 2)), batch.neutral_feats.mean((1, 2))
        assert torch.equal(own, neutral)
        drawn += own.tolist()
    assert len(drawn) == len(fold.train) and set(drawn) == {0, 10, 20}


@pytest.mark.parametrize("kind", ["dsnet", "dsc"])
def test_a_decision_is_the_mean_of_log_posteriors_over_the_speeds(
    fold, versions, noise, make_frames, make_config, kind
):
    torch.manual_seed(0)
    utts, config = [*fold.train, *fold.dev], make_config(kind)
    each = [noise(utts, seed) for seed in range(3)]
    frames = versions(*each)
    system = build_system(config, frames.info, 3, 3)
    found = predict(system, frames, fold.dev, fold.dev_references, config, batch_size=3)
    alone = [
        predict(system, make_frames(**own), fold.dev, fold.dev_references, config) for own in each
    ]
    logs = np.mean([np.log(one.posteriors) for one in alone], 0)
    expected = np.exp(logs) / np.exp(logs).sum(1, keepdims=True)
    np.testing.assert_allclose(found.posteriors, expected, rtol=1e-4)
    for name, embedding in alone[0].embeddings.items():
        torch.testing.assert_close(found.embeddings[name], embedding)


@pytest.mark.parametrize("kind", ["fbank", "vectors"])
def test_a_copy_is_heard_by_copies_at_its_speed(versions, noise, make_frames, kind):
    utts = ["x", "y", "n1", "n2", "n3"]
    each = [noise(utts, seed, dim=4) for seed in range(3)]
    if kind == "vectors":
        each = [{utt: own[utt][:1] for utt in utts} for own in each]
    pools = {"a": ["n1", "n2", "n3"], "b": ["n2", "x"]}
    parts = [Pools(pools, {"x": "a", "y": "b", "n1": "a"}, count=2, others=True)]
    zero = torch.zeros(4, dtype=torch.double)
    voice = Voice(zero + 17, zero + 1, zero + 0.7, zero + 0.2)

    def heard(frames, version):
        front_end = build_front_end(AugmentConfig(), frames.info, frames.info.config)
        normalise = Normalisation(frames, parts, voice, front_end, True)
        return normalise.hear(frames.positions(["x", "y", "n1"]) + version)

    frames = versions(*each, kind=kind)
    for version, own in enumerate(each):
        alone = heard(make_frames(kind=kind, **own), 0)
        for found, expected in zip(heard(frames, version), alone, strict=True):
            torch.testing.assert_close(found, expected)


def test_a_linear_system_learns_from_every_speed(fold, versions, make_config, tmp_path):
    """Each version has the classes elsewhere, so that other labels than its own teach nothing."""
    utts = [*fold.train, *fold.dev]
    fold.speakers = {utt: f"speaker {i % 4}" for i, utt in enumerate(fold.train)}
    each = [{utt: [np.eye(9)[3 * v + fold.labels[utt]]] for utt in utts} for v in range(3)]
    fold.frames = versions(*each, kind="vectors")
    found = vectors(fold, fold.train[:2])
    expected = [own[utt][0] for own in each for utt in fold.train[:2]]
    np.testing.assert_array_equal(found, expected)
    facts = fit(make_config("svm"), fold, 1, tmp_path)
    assert facts["cross_validation_uar"] == facts["dev_uar"] == 1
