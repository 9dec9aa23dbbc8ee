"""Small systems and batches of random features: 4 utterances of 2 speakers, 3 classes."""

from collections.abc import Callable
from dataclasses import dataclass

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
    """A function that trains a system and returns the losses of each step.

    On one batch, or on those that a function draws.
    """

    def run(
        system: System, batch: Batch | Callable[[], Batch], num_steps: int, rate: float = 0.01
    ) -> list[dict]:
        groups = system.parameter_groups()
        optimizers = {name: torch.optim.Adam(group, rate) for name, group in groups.items()}

        def update(loss, group):
            optimizers[group].zero_grad()
            loss.backward()
            optimizers[group].step()

        draw = batch if callable(batch) else lambda: batch
        return [system.step(draw(), update) for _ in range(num_steps)]

    return run


@dataclass
class Voices:
    """Utterances of four voices in three emotions, 12 at a time, each with a neutral one."""

    means: torch.Tensor  # (4, 1, 20)
    emotions: torch.Tensor  # (3, 1, 20)

    def neutral(self) -> torch.Tensor:
        """Draw (12, 16, 20) neutral utterances, of one speaker after the other."""
        return self.means[self.speakers] + torch.randn(12, 16, 20)

    speakers = torch.arange(12) % 4

    def draw(self) -> Batch:
        label = torch.randint(3, (12,))
        return Batch(
            self.neutral() + self.emotions[label],
            None,
            torch.eye(3)[label],
            self.neutral(),
            has_neutral=torch.ones(12, dtype=torch.bool),
            speaker_targets=torch.eye(4)[self.speakers],
        )


@pytest.fixture
def train_on_voices(log_mels, take_steps):
    """A function that trains a system on voices and returns it with them, in evaluation mode.

    Of a given seed weights, voices and batches are the same; 0 steps leave the system as built.
    """

    def run(
        kind: str, num_steps: int, embed_dim: int = 8, rate: float = 0.02, **losses: float
    ) -> tuple[System, Voices]:
        torch.manual_seed(0)
        encoder = EncoderConfig(channels=[4, 4, 6, 8], embed_dim=embed_dim, dropout=0.0)
        config = SystemConfig(kind=kind, encoder=encoder, losses=LossConfig(**losses))
        system = build_system(config, log_mels(20), 3, 4)
        voices = Voices(2 * torch.randn(4, 1, 20), torch.randn(3, 1, 20))
        take_steps(system, voices.draw, num_steps, rate)
        return system.eval(), voices

    return run
