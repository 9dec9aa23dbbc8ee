"""Speaker conditioning: a neutral utterance of the speaker says how an utterance is to be read.

    feats -- encoder -- h --+-- film(h, r) -- e -- classifier(e)      cross entropy with the label
    neutral - encoder - r --+

The neutral embedding r scales and shifts each unit of h. (The published form weights the frames of
one utterance by the attention of another, whose time axes have nothing to do with each other.)
Axes: B utterances, T frames, F mel bins, D embedding, K classes.
Source: Triantafyllopoulos et al. 2021, deep speaker conditioning.
"""

from torch import Tensor

from dsnet.models.encoder import build_encoder
from dsnet.models.front_end import Features
from dsnet.models.heads import Classifier, FiLM
from dsnet.systems.config import SystemConfig
from dsnet.systems.system import Batch, Output, System, join


class DSC(System):
    """Needs a neutral utterance of the speaker with every utterance, at test time too."""

    needs_neutral = True
    neutral_at_inference = True
    side_information = "1 neutral utterance of the speaker at inference"

    def __init__(
        self, config: SystemConfig, features: Features, num_classes: int, num_speakers: int
    ):
        super().__init__(config.losses.label_smoothing)
        self.encoder = build_encoder(config.encoder, features)
        self.classifier = Classifier(
            config.encoder.embed_dim, num_classes, config.classifier.dropout
        )
        self.film = FiLM(config.encoder.embed_dim)

    def forward(
        self,
        feats: Tensor,
        lengths: Tensor | None,
        neutral_feats: Tensor,
        neutral_lengths: Tensor | None,
    ) -> Output:
        """Classify (B, T, F) utterances, each with a (B, T', F) neutral one of its speaker."""
        h, r = self.encoder(feats, lengths), self.encoder(neutral_feats, neutral_lengths)
        e = self.film(h, r)
        return Output(self.classifier(e), {"h": h, "e": e, "r": r})

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        pair = join(batch.feats, batch.lengths, batch.neutral_feats, batch.neutral_lengths)
        h, r = self.encoder(*pair).chunk(2)
        e = self.film(h, r, batch.has_neutral)
        task = self.task_loss(self.classifier(e), batch.targets)
        return {"loss": task, "task": task}
