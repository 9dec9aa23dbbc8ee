"""Domain-adversarial training: the encoder learns what an adversary on it cannot use.

    feats -- encoder -- h --+-- classifier(h)                     cross entropy with the label
                            +-- reversal -- discriminator(h)      cross entropy with the domain

The reversal passes h on unchanged and multiplies the gradient by -losses.adversary, so that one
update makes the discriminator better and the encoder worse for it.
Axes: B utterances, T frames, F mel bins, D embedding, K classes, S training speakers.
Source: Ganin and Lempitsky 2015, arXiv 1409.7495.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dsnet.models.front_end import Features
from dsnet.models.heads import Discriminator
from dsnet.systems.base import Base
from dsnet.systems.config import SystemConfig
from dsnet.systems.system import Batch, join


class GradientReversal(torch.autograd.Function):
    """Identity whose gradient is multiplied by -weight."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return -ctx.weight * gradient, None


class DAT(Base):
    """Domains are the training speakers; no audio of other speakers is used."""

    loss_keys = ("adversary",)

    def __init__(
        self, config: SystemConfig, features: Features, num_classes: int, num_speakers: int
    ):
        super().__init__(config, features, num_classes, num_speakers)
        self.weight = config.losses.adversary
        self.discriminator = Discriminator(config.encoder.embed_dim, num_speakers)

    def training_parts(self) -> list[nn.Module]:
        return [self.discriminator]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        h = self.encoder(batch.feats, batch.lengths)
        return self._both(self.classifier(h), batch, h, batch.speaker_targets)

    def _both(self, logits: Tensor, batch: Batch, h: Tensor, domains: Tensor) -> dict[str, Tensor]:
        """Return the losses; `domains` holds the domain probabilities of each row of `h`."""
        task = self.task_loss(logits, batch.targets)
        found = self.discriminator(GradientReversal.apply(h, self.weight)).float()
        adversary = cross_entropy(found, domains)
        return {"loss": task + adversary, "task": task, "adversary": adversary}


class DATTransductive(DAT):
    """Two domains as published: training utterances, and the validation and test utterances.

    It hears the test speakers in training, without labels: compare it with systems that may.
    """

    needs_unlabelled = True
    side_information = "unlabelled audio of the test speakers in training"

    def __init__(
        self, config: SystemConfig, features: Features, num_classes: int, num_speakers: int
    ):
        super().__init__(config, features, num_classes, num_speakers=2)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        h = self.encoder(
            *join(batch.feats, batch.lengths, batch.unlabelled_feats, batch.unlabelled_lengths)
        )
        domains = torch.eye(2, device=h.device).repeat_interleave(len(batch.feats), 0)  # (2B, 2)
        return self._both(self.classifier(h[: len(batch.feats)]), batch, h, domains)
