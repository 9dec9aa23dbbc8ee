"""Baselines: an encoder and a classifier, with and without the parts that DSNet adds between."""

from torch import Tensor

from dsnet.models.encoder import build_encoder
from dsnet.models.front_end import Features
from dsnet.models.heads import Classifier
from dsnet.models.translator import Translator
from dsnet.systems.config import SystemConfig
from dsnet.systems.system import Output, System


class Base(System):
    """classifier(encoder(x)), trained by cross entropy alone."""

    def __init__(
        self, config: SystemConfig, features: Features, num_classes: int, num_speakers: int
    ):
        super().__init__(config.losses.label_smoothing)
        self.encoder = build_encoder(config.encoder, features)
        self.classifier = Classifier(
            config.encoder.embed_dim, num_classes, config.classifier.dropout
        )

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> Output:
        h = self.encoder(feats, lengths)
        return Output(self.classifier(h), {"h": h})


class BaseMatched(System):
    """DSNet's path from speech to classes without its other parts and losses.

    classifier(to_emotion(encoder(x))): as many parameters as DSNet uses for a prediction, so that
    what DSNet gains over it is not width.
    """

    def __init__(
        self, config: SystemConfig, features: Features, num_classes: int, num_speakers: int
    ):
        super().__init__(config.losses.label_smoothing)
        self.encoder = build_encoder(config.encoder, features)
        self.to_emotion = Translator(config.encoder.embed_dim)
        self.classifier = Classifier(
            config.encoder.embed_dim, num_classes, config.classifier.dropout
        )

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> Output:
        h = self.encoder(feats, lengths)
        e = self.to_emotion(h)
        return Output(self.classifier(e), {"h": h, "e": e})
