"""Small systems and batches of random features: 4 utterances of 2 speakers, 3 classes."""

import pytest
import torch

from dsnet.models.encoder import EncoderConfig
from dsnet.systems import build_system
from dsnet.systems.config import LossConfig, SystemConfig
from dsnet.systems.system import Batch, System


@pytest.fixture
def make_system(log_mels):
    def make(kind: str, seed: int = 0, **losses: float) -> System:
        torch.manual_seed(seed)
        encoder = EncoderConfig(channels=[3, 4, 5, 6], embed_dim=8)
        config = SystemConfig(kind=kind, encoder=encoder, losses=LossConfig(**losses))
        return build_system(config, log_mels(20), num_classes=3, num_speakers=2)

    return make


@pytest.fixture
def make_batch():
    def make(has_neutral: tuple[bool, ...] = (True, True, True, True)) -> Batch:
        feats, neutral, unlabelled = torch.randn(3, 4, 32, 20).unbind()
        return Batch(
            feats,
            None,
            targets=torch.eye(3)[[0, 1, 2, 0]],
            neutral_feats=neutral,
            has_neutral=torch.tensor(has_neutral),
            speaker_targets=torch.eye(2)[[0, 0, 1, 1]],
            unlabelled_feats=unlabelled,
        )

    return make


@pytest.fixture
def take_steps():
    """A function that trains a system on one batch and returns the losses of each step."""

    def run(system: System, batch: Batch, num_steps: int, rate: float = 0.01) -> list[dict]:
        groups = system.parameter_groups()
        optimizers = {name: torch.optim.Adam(group, rate) for name, group in groups.items()}

        def update(loss, group):
            optimizers[group].zero_grad()
            loss.backward()
            optimizers[group].step()

        return [system.step(batch, update) for _ in range(num_steps)]

    return run
