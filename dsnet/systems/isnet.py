"""Individual standardisation: the classifier sees what is left without the speaker's neutral state.

    feats -- encoder -- h --+-- translator -- s                 L1 distance of s to r
                            +-- h - s = e -- classifier(e)      cross entropy with the label
    neutral - reference_encoder - r -- speaker_classifier(r)    cross entropy with the speaker

Each batch takes two steps: reference encoder and translator meet on a fixed h; then encoder and
classifier learn with the translator fixed. A prediction needs no neutral utterance.

What r is: the mean of the reference encoder over all neutral utterances of the speaker in the
batch. The batch draws one of the speaker's references with each utterance, so that this is in
expectation the published mean over all of them, without encoding all of them for every utterance.

The guard: for the L1 distance alone the best r is a constant, which says nothing about the speaker
(a collapse). So r must also tell the training speakers apart. A floor under the variance between
speakers would do for r that are close together, but its gradient vanishes where they are equal;
that of a cross entropy does not.
Axes: B utterances, T frames, F mel bins, D embedding, K classes, S training speakers.
Source: Fan et al. 2022, doi 10.1109/TASLP.2022.3171965.
"""

from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from dsnet.models.encoder import build_encoder
from dsnet.models.front_end import Features
from dsnet.models.heads import Classifier, Discriminator
from dsnet.models.translator import Translator
from dsnet.systems.config import SystemConfig
from dsnet.systems.system import Batch, Output, System, Update


class ISNet(System):
    """Two encoders of the same form; the second is for training only."""

    needs_neutral = True
    loss_keys = ("guard",)

    def __init__(
        self, config: SystemConfig, features: Features, num_classes: int, num_speakers: int
    ):
        super().__init__(config.losses.label_smoothing)
        self.guard = config.losses.guard
        embed_dim = config.encoder.embed_dim
        self.encoder = build_encoder(config.encoder, features)
        self.classifier = Classifier(embed_dim, num_classes, config.classifier.dropout)
        self.translator = Translator(embed_dim)
        self.reference_encoder = build_encoder(config.encoder, features)
        self.speaker_classifier = Discriminator(embed_dim, num_speakers)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        groups = {
            "emotion": [self.encoder, self.classifier],
            "reference": [self.translator, self.reference_encoder, self.speaker_classifier],
        }
        return {name: [p for m in parts for p in m.parameters()] for name, parts in groups.items()}

    def training_parts(self) -> list[nn.Module]:
        return [self.reference_encoder, self.speaker_classifier]

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> Output:
        return self._parts(self.encoder(feats, lengths))

    def _parts(self, h: Tensor) -> Output:
        s = self.translator(h)
        e = h - s
        return Output(self.classifier(e), {"h": h, "s": s, "e": e})

    def step(self, batch: Batch, update: Update) -> dict[str, Tensor]:
        h = self.encoder(batch.feats, batch.lengths)
        r = self.reference_encoder(batch.neutral_feats, batch.neutral_lengths)
        reference = self.reference_losses(h.detach(), r, batch)
        update(reference["standardisation"] + self.guard * reference["guard"], "reference")
        task = self.task_loss(self._parts(h).logits, batch.targets)
        update(task, "emotion")
        return {name: x.detach() for name, x in {"loss": task, "task": task, **reference}.items()}

    def reference_losses(self, h: Tensor, r: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Return L1 distance and guard, means over the utterances that have a reference.

        Args:
            h, r: (B, D), embeddings of the utterances and of their neutral references.
        """
        known = batch.has_neutral.float()
        # a reference is of one speaker even where utterances of two are mixed
        speaker = batch.speaker_targets.argmax(1)
        of_speaker = one_hot(speaker, batch.speaker_targets.shape[1]) * known[:, None]  # (B, S)
        counts = of_speaker.sum(0).clamp(min=1)
        mean = (of_speaker.T @ r.float() / counts[:, None])[speaker]  # (B, D)
        distance = (self.translator(h).float() - mean).abs().mean(1)
        guard = cross_entropy(self.speaker_classifier(r).float(), speaker, reduction="none")
        total = known.sum().clamp(min=1)
        return {
            "standardisation": (distance * known).sum() / total,
            "guard": (guard * known).sum() / total,
        }
