"""A network on each device that is there: what is trained on it decides the same on the CPU."""

import copy
import dataclasses
from pathlib import Path

import pytest
import torch

from dsnet.features.store import FeatureStore
from dsnet.training.frames import Frames
from dsnet.training.inference import predict
from dsnet.training.loop import Trainer

NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


def on_device(fold, device):
    """Return a fold whose frames, and so whose batches and network, are on a device."""
    own = fold.frames
    store = FeatureStore(own.info, own.index, own.lengths, own.offsets, own.frames, Path(), {})
    return dataclasses.replace(fold, frames=Frames(store, device))


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NO_GPU)])
@pytest.mark.parametrize("mixed_precision", [False, True])
@pytest.mark.parametrize(("kind", "mode"), [("dsnet", "variable"), ("base", "fixed")])
def test_a_network_learns_there_and_decides_the_same_elsewhere(
    fold, make_config, tmp_path, device, mixed_precision, kind, mode
):
    config = make_config(
        kind, mode, max_epochs=12, learning_rate=0.01, mixed_precision=mixed_precision
    )
    there = on_device(fold, device)
    trainer = Trainer(config, there, 1, tmp_path)
    losses = [entry["train"]["task"] for entry in trainer.run(lambda entry: None).history]
    assert losses[-1] < 0.95 * losses[0]
    assert {p.device.type for p in trainer.system.parameters()} == {device}
    system = copy.deepcopy(trainer.system).to("cpu")
    found = predict(trainer.system, there.frames, fold.dev, {}, config).logits
    expected = predict(system, fold.frames, fold.dev, {}, config).logits
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-2)  # TF32 in convolutions
