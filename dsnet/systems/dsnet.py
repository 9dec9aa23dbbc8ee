"""DSNet: a Siamese network that tells a voice's emotion from the rest of it.

    feats -- encoder -- h --+-- to_irrelevant -- s     similarity      s close to r
                            +-- to_emotion ----- e     difference      e orthogonal to s
    neutral - encoder - r       decoder(s, e)          reconstruction  close to h
                                classifier(e)          cross entropy with the label

Axes: B utterances, T frames, F mel bins, D embedding, K classes.
Source: Chen and Zhang, doi 10.1007/s12204-024-2724-1.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

from dsnet.losses.calibration import difference, reconstruction, similarity
from dsnet.models.encoder import build_encoder
from dsnet.models.heads import Classifier, Decoder
from dsnet.models.translator import Translator
from dsnet.systems.config import SystemConfig
from dsnet.systems.system import Batch, Output, System


class DSNet(System):
    """The published system; loss weights and alpha are config. No neutral clip at inference."""

    needs_neutral = True

    def __init__(self, config: SystemConfig, num_classes: int):
        super().__init__(config.losses.label_smoothing)
        self.weights = config.losses
        self.encoder = build_encoder(config.encoder)
        self.to_irrelevant = Translator(config.encoder.embed_dim)
        self.to_emotion = Translator(config.encoder.embed_dim)
        self.decoder = Decoder(config.encoder.embed_dim)
        self.classifier = Classifier(
            config.encoder.embed_dim, num_classes, config.classifier.dropout
        )

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> Output:
        return self._parts(self.encoder(feats, lengths))

    def _parts(self, h: Tensor) -> Output:
        s, e = self.to_irrelevant(h), self.to_emotion(h)
        return Output(self.classifier(self.weights.alpha * s + e), {"h": h, "s": s, "e": e})

    def inference_parameters(self) -> int:
        unused = [self.decoder] + ([self.to_irrelevant] if self.weights.alpha == 0 else [])
        return super().inference_parameters() - sum(
            p.numel() for part in unused for p in part.parameters()
        )

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        # Both branches in one pass, so that batch norm treats them alike, as it will in evaluation.
        h, r = self.encoder(*join(batch)).chunk(2)
        output = self._parts(h)
        h, s, e, r = (x.float() for x in (h, output.embeddings["s"], output.embeddings["e"], r))
        paired = batch.has_neutral
        terms = {
            "task": self.task_loss(output.logits, batch.targets),
            "similarity": similarity(s[paired], r[paired]) if paired.any() else s.sum() * 0,
            "difference": difference(s, e),
            "reconstruction": reconstruction(self.decoder(torch.cat([s, e], 1)).float(), h),
        }
        total = (
            terms["task"]
            + self.weights.similarity * terms["similarity"]
            + self.weights.difference * terms["difference"]
            + self.weights.reconstruction * terms["reconstruction"]
        )
        return {"loss": total, **terms}


def join(batch: Batch) -> tuple[Tensor, Tensor | None]:
    """Return the utterances and behind them their neutral references: (2B, T, F), (2B,) or None."""
    branches = [batch.feats, batch.neutral_feats]
    if batch.lengths is None:
        return torch.cat(branches), None
    frames = max(x.shape[1] for x in branches)
    padded = [pad(x, (0, 0, 0, frames - x.shape[1])) for x in branches]
    return torch.cat(padded), torch.cat([batch.lengths, batch.neutral_lengths])
