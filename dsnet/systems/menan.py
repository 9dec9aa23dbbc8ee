"""Maximum-entropy adversary: the encoder learns to leave a speaker classifier without a clue.

    feats -- encoder -- h --+-- classifier(h)           cross entropy with the label
                            +-- speaker_classifier(h)   its own cross entropy with the speaker;
                                                        of the encoder: with the speaker prior

Each batch takes two steps: the speaker classifier learns on a fixed h, then, with it fixed, encoder
and emotion classifier. The encoder's term is least where the posterior of the speakers is their
prior, that is where h says nothing about them; the reversed gradient of dat has no such rest.
Axes: B utterances, T frames, F mel bins, D embedding, K classes, S training speakers.
Source: Li et al. 2020, maximum entropy adversarial network, arXiv 1911.01533.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dsnet.models.front_end import Features
from dsnet.models.heads import Discriminator
from dsnet.systems.base import Base
from dsnet.systems.config import SystemConfig
from dsnet.systems.system import Batch, Update


class MEnAN(Base):
    """A prediction is that of the base system.

    The prior is each speaker's share of the utterances that training has seen so far.
    """

    loss_keys = ("adversary",)

    def __init__(
        self, config: SystemConfig, features: Features, num_classes: int, num_speakers: int
    ):
        super().__init__(config, features, num_classes, num_speakers)
        self.weight = config.losses.adversary
        self.speaker_classifier = Discriminator(config.encoder.embed_dim, num_speakers)
        # from 1, so that the first batch does not rule out whom it lacks
        self.register_buffer("utterances_seen", torch.ones(num_speakers, dtype=torch.double))

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {
            "emotion": [*self.encoder.parameters(), *self.classifier.parameters()],
            "speaker": list(self.speaker_classifier.parameters()),
        }

    def training_parts(self) -> list[nn.Module]:
        return [self.speaker_classifier]

    def step(self, batch: Batch, update: Update) -> dict[str, Tensor]:
        self.utterances_seen += batch.speaker_targets.sum(0)
        h = self.encoder(batch.feats, batch.lengths)
        speaker = cross_entropy(self.speaker_classifier(h.detach()).float(), batch.speaker_targets)
        update(speaker, "speaker")
        task = self.task_loss(self.classifier(h), batch.targets)
        adversary = self.to_prior(h)
        loss = task + self.weight * adversary
        update(loss, "emotion")
        terms = {"loss": loss, "task": task, "adversary": adversary, "speaker": speaker}
        return {name: value.detach() for name, value in terms.items()}

    def to_prior(self, h: Tensor) -> Tensor:
        """Return the cross entropy (nats) of the speakers' posteriors of (B, D) to their prior."""
        prior = (self.utterances_seen / self.utterances_seen.sum()).float()
        return cross_entropy(self.speaker_classifier(h).float(), prior.expand(len(h), -1))
