"""DSNet: a Siamese network that tells a voice's emotion from the rest of it.

    feats -- encoder -- h --+-- to_irrelevant -- s     similarity      s close to r
                            +-- to_emotion ----- e     difference      e orthogonal to s
    neutral - encoder - r       decoder(s, e)          reconstruction  close to h
                                classifier(e)          cross entropy with the label

Axes: B utterances, T frames, F mel bins, D embedding, K classes.
Source: Chen and Zhang, doi 10.1007/s12204-024-2724-1.
"""

import torch
from torch import Tensor, nn

from dsnet.losses.published import difference, reconstruction, similarity
from dsnet.models.encoder import build_encoder
from dsnet.models.front_end import Features
from dsnet.models.heads import Classifier, Decoder
from dsnet.models.translator import Translator
from dsnet.systems.config import SystemConfig
from dsnet.systems.system import Batch, Output, System, join


class DSNet(System):
    """The published system; loss weights and alpha are config. Nothing is given at inference."""

    needs_neutral = True
    loss_keys = ("similarity", "difference", "reconstruction", "alpha")

    def __init__(
        self, config: SystemConfig, features: Features, num_classes: int, num_speakers: int
    ):
        super().__init__(config.losses.label_smoothing)
        self.weights = config.losses
        self.encoder = build_encoder(config.encoder, features)
        self.to_irrelevant = Translator(config.encoder.embed_dim)
        self.to_emotion = Translator(config.encoder.embed_dim)
        self.decoder = Decoder(config.encoder.embed_dim)
        self.classifier = Classifier(
            config.encoder.embed_dim, num_classes, config.classifier.dropout
        )

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> Output:
        return self.decide(self.encoder(feats, lengths))

    def decide(self, h: Tensor) -> Output:
        """Classify (B, D) embeddings of the encoder."""
        s, e = self.to_irrelevant(h), self.to_emotion(h)
        return Output(self.classifier(self.weights.alpha * s + e), {"h": h, "s": s, "e": e})

    def recombine(self, s: Tensor, e: Tensor) -> Output:
        """Classify what the decoder makes of two parts, (B, D) each, also of two utterances."""
        return self.decide(self.decoder(torch.cat([s, e], 1)))

    def training_parts(self) -> list[nn.Module]:
        return [self.decoder] + ([self.to_irrelevant] if self.weights.alpha == 0 else [])

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        pair = join(batch.feats, batch.lengths, batch.neutral_feats, batch.neutral_lengths)
        h, r = self.encoder(*pair).chunk(2)
        output = self.decide(h)
        h, s, e, r = (x.float() for x in (h, output.embeddings["s"], output.embeddings["e"], r))
        paired = batch.has_neutral
        terms = {
            "similarity": self.similarity(s, r, batch) if paired.any() else s.sum() * 0,
            "difference": self.difference(s, e),
            "reconstruction": self.reconstruction(self.decoder(torch.cat([s, e], 1)).float(), h),
        }
        task = self.task_loss(output.logits, batch.targets)
        total = task + sum(getattr(self.weights, name) * term for name, term in terms.items())
        return {"loss": total, "task": task, **terms}

    def similarity(self, s: Tensor, r: Tensor, batch: Batch) -> Tensor:
        """Compare s with neutral embeddings r, (B, D) each, of which some utterance has one."""
        return similarity(s[batch.has_neutral], r[batch.has_neutral])

    difference = staticmethod(difference)
    reconstruction = staticmethod(reconstruction)
