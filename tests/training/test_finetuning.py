"""Layers of an encoder in training: resumption, files, learning rates, and a recognizer of them."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch
from encoder_kinds import SETTINGS, known, noise, pretrained, rewritten
from tiny_encoders import D, random_weights, write_encoder

from dsnet.errors import BundleError, FeatureError
from dsnet.features.store import FeatureStore
from dsnet.models.encoder import EncoderConfig
from dsnet.models.finetuned import FinetunedConfig
from dsnet.recognizer.bundle import FeaturesFacts, Member, write_bundle
from dsnet.recognizer.onnx import check_exportable
from dsnet.recognizer.recognizer import Recognizer
from dsnet.systems.config import InputConfig, SystemConfig, TrainConfig
from dsnet.training import checkpoint
from dsnet.training.frames import Frames
from dsnet.training.inference import predict
from dsnet.training.loop import CHECKPOINT, MODEL, Trainer

pytest.importorskip("transformers")
pytest.importorskip("peft")


class Killed(Exception):
    pass


@pytest.fixture
def encoder(tmp_path):
    """Return the folder of an encoder with dropout, which draws random numbers."""
    return write_encoder(tmp_path / "encoder", SETTINGS["hubert"])


@pytest.fixture
def states(fold, encoder):
    """Return the fold with frames of state 2, noise that differs by class."""
    rng = np.random.default_rng(0)
    lengths = torch.tensor([int(n) for n in rng.integers(20, 60, len(fold.labels))])
    matrices = [
        rng.normal(size=(length, D)) + np.eye(3, D)[label]
        for length, label in zip(lengths, fold.labels.values(), strict=True)
    ]
    info = known(pretrained(encoder, layers=[2]))
    index = {utt: place for place, utt in enumerate(fold.labels)}
    frames = torch.tensor(np.concatenate(matrices), dtype=torch.float32)
    store = FeatureStore(info, index, lengths, lengths.cumsum(0) - lengths, frames, encoder, {})
    return dataclasses.replace(fold, frames=Frames(store, "cpu"))


def config(kind="base", rank=2, **train):
    wanted = {"optimizer": "adamw", "batch_size": 6, "max_epochs": 3, "stop_after": 0, **train}
    finetuned = FinetunedConfig(lora_rank=rank, learning_rate_factor=0.25)
    return SystemConfig(
        kind=kind,
        features="toy",
        input=InputConfig("variable", 0.8),
        encoder=EncoderConfig("finetuned", [6, 6], embed_dim=8, finetuned=finetuned),
        train=TrainConfig(**{"schedule": "one_cycle", "select": "last", **wanted}),
    )


def train(config, fold, folder, until=None):
    def report(entry):
        if entry["epoch"] == until:
            raise Killed

    trainer = Trainer(config, fold, 1, folder)
    trainer.resume()
    trainer.run(report)
    return trainer


@pytest.mark.parametrize("kind, rank", [("base", 0), ("base", 2), ("dsnet", 2), ("menan", 2)])
def test_a_resumed_run_ends_with_the_same_bits(states, tmp_path, kind, rank):
    train(config(kind, rank), states, tmp_path / "whole")
    for epoch in (1, 2):
        with pytest.raises(Killed):
            train(config(kind, rank), states, tmp_path / "killed", until=epoch)
    train(config(kind, rank), states, tmp_path / "killed")
    first, second = (
        checkpoint.load(tmp_path / name / MODEL)["model"] for name in ("whole", "killed")
    )
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("rank", [0, 2])
def test_a_model_file_gives_the_network_back(states, encoder, tmp_path, rank):
    folder = tmp_path / "model"
    trainer = train(config(rank=rank), states, folder)
    trained = {name for name, p in trainer.system.named_parameters() if p.requires_grad}
    before = Trainer(config(rank=rank), states, 1, tmp_path).system.state_dict()
    saved = checkpoint.load(folder / MODEL)["model"]
    assert saved.keys() == checkpoint.load(folder / CHECKPOINT)["system"].keys()
    assert {name for name in saved if name in trained} == trained
    assert not any("base_layer" in name for name in saved)
    layers = [name for name in trained if ".layers." in name and "k_proj.bias" not in name]
    assert layers and not any(torch.equal(saved[name], before[name]) for name in layers)
    system, _ = checkpoint.load_model(folder / MODEL)
    asked = (states.frames, states.dev, states.dev_references, config())
    assert torch.equal(predict(system, *asked).logits, predict(trainer.system, *asked).logits)
    assert trainer.num_parameters == sum(saved[name].numel() for name in trained)
    rewritten(encoder, random_weights(SETTINGS["hubert"], seed=1))
    with pytest.raises(FeatureError, match="another encoder than the one that computed the feat"):
        checkpoint.load_model(folder / MODEL)


@pytest.mark.parametrize("schedule", ["one_cycle", "constant", "plateau"])
@pytest.mark.parametrize("kind", ["base", "menan"])
def test_layers_have_a_learning_rate_of_their_own(states, tmp_path, kind, schedule):
    wanted = config(kind, schedule=schedule, weight_decay=0.3, warmup=0.5, max_epochs=2)
    trainer = Trainer(wanted, states, 1, tmp_path)
    parts = {id(p): name for name, p in trainer.system.named_parameters()}
    peak: dict[str, float] = {}
    original = trainer.update

    def update(loss, group):
        for one in (g for o in trainer.optimizers.values() for g in o.param_groups):
            for parameter in one["params"]:
                name = parts[id(parameter)]
                assert one["weight_decay"] == (0.3 if parameter.ndim > 1 else 0)
                peak[name] = max(peak.get(name, 0.0), one["lr"])
        original(loss, group)

    trainer.update = update
    trainer.run(lambda entry: None)
    assert peak.keys() == {n for n, p in trainer.system.named_parameters() if p.requires_grad}
    for name, rate in peak.items():
        assert rate == pytest.approx(0.00025 if ".layers." in name else 0.001, rel=0.01), name
    assert trainer.progress.history[0]["learning_rate"] <= 0.001


def test_a_recognizer_takes_the_encoder_from_the_folder_that_is_named(states, encoder, tmp_path):
    trainer = train(config(), states, tmp_path / "model")
    info = states.frames.info
    facts = {name: getattr(info, name) for name in FeaturesFacts.__dataclass_fields__}
    curve = {"confidence": [0.9, 0.5], "error": [0.1, 0.4]}
    member = Member(config(), 3, 1.0, curve, trainer.system.state_dict(), {})
    ones = torch.ones(D, dtype=torch.double)
    folder = tmp_path / "bundle"
    write_bundle(
        folder, "toy", states.classes, FeaturesFacts(**facts), {"none": member}, ones, 1.0, {}, ""
    )
    elsewhere = shutil.move(encoder, tmp_path / "elsewhere")
    with pytest.raises(FeatureError, match="toy: no files of .*or name its folder by --encoder"):
        Recognizer.load(folder)
    recognizer = Recognizer.load(folder, encoder=elsewhere)
    samples = noise(16000)
    feats = pretrained(elsewhere, layers=[2])(samples).half().float()
    with torch.no_grad():
        expected = trainer.system.eval()(feats[None]).logits[0].softmax(0)
    found = recognizer(samples.numpy(), 16000)
    assert list(found.scores.values()) == pytest.approx(expected.tolist(), abs=1e-6)
    with pytest.raises(BundleError, match="only models on log-mels"):
        check_exportable(recognizer.bundle, "none")
