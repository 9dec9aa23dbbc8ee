"""What every system is: a network, its losses and the order of its updates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from dsnet.models.finetuned import FinetunedLayers


@dataclass
class Batch:
    """B utterances of S training speakers on the device of the network.

    feats: (B, T, F) features; lengths: (B,) frames before padding, None if there is no padding.
    targets: (B, K) class probabilities: one and zeros, unless augmentation mixed utterances.
    neutral_feats, neutral_lengths: one neutral utterance of each speaker, for systems with
    `needs_neutral`; has_neutral: (B,) bool, false where the speaker has no other neutral utterance.
    speaker_targets: (B, S) speaker probabilities, mixed as the targets are.
    unlabelled_feats, unlabelled_lengths: (B, T, F) and (B,), other utterances, of whom nothing else
    is known, for systems with `needs_unlabelled`.
    """

    feats: Tensor
    lengths: Tensor | None
    targets: Tensor
    neutral_feats: Tensor | None = None
    neutral_lengths: Tensor | None = None
    has_neutral: Tensor | None = None
    speaker_targets: Tensor | None = None
    unlabelled_feats: Tensor | None = None
    unlabelled_lengths: Tensor | None = None


@dataclass
class Output:
    """logits: (B, K); embeddings: named (B, D), such as h, s and e."""

    logits: Tensor
    embeddings: dict[str, Tensor]


Update = Callable[[Tensor, str], None]


class System(nn.Module):
    """Base of the systems; training and inference use nothing else of them.

    is_network: it is trained in epochs; else by its `fit` on all utterances at once.
    A system declares what it is given beside labelled training utterances:
    needs_neutral: a neutral utterance of the same speaker with every training utterance.
    neutral_at_inference: one at validation and test too; `forward` then takes neutral_feats and
    neutral_lengths as third and fourth argument.
    needs_unlabelled: audio of the validation and test speakers, in training.
    side_information: what a prediction rests on beyond the utterance itself, for result tables.
    loss_keys: the keys of LossConfig that it uses beside `label_smoothing` and `balance`.
    class_offsets: (K,) what training adds to the logits (see LossConfig.balance); None: nothing.
    """

    is_network: ClassVar[bool] = True
    needs_neutral: ClassVar[bool] = False
    neutral_at_inference: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = False
    side_information: ClassVar[str] = "none"
    loss_keys: ClassVar[tuple[str, ...]] = ()
    class_offsets: Tensor | None = None

    def __init__(self, label_smoothing: float = 0.0):
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> Output:
        """Classify utterances: (B, T, F) features and (B,) lengths, or None without padding."""
        raise NotImplementedError

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return what each optimiser updates; systems that alternate have several groups."""
        return {"all": list(self.parameters())}

    def learning_rate_factors(self) -> dict[nn.Parameter, float]:
        """Return by what the learning rate of some parameters is multiplied; of others by 1."""
        return {
            parameter: part.learning_rate_factor
            for part in self.modules()
            if isinstance(part, FinetunedLayers)
            for parameter in part.parameters()
        }

    def training_parts(self) -> list[nn.Module]:
        """Return the parts that a prediction does without."""
        return []

    def inference_parameters(self) -> int:
        """Return how many parameters a prediction needs."""
        return count(self) - sum(count(part) for part in self.training_parts())

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return named scalar losses; "loss" is the one to minimise."""
        task = self.task_loss(self(batch.feats, batch.lengths).logits, batch.targets)
        return {"loss": task, "task": task}

    def step(self, batch: Batch, update: Update) -> dict[str, Tensor]:
        """Train on one batch.

        Args:
            batch: B utterances, B at least 2.
            update: update(loss, group) takes one optimiser step of a parameter group.

        Returns:
            Named scalar losses, for the log.
        """
        losses = self.losses(batch)
        update(losses["loss"], "all")
        return {name: value.detach() for name, value in losses.items()}

    def task_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the cross entropy of (B, K) logits and (B, K) shares or (B,) class indices.

        Labels are smoothed towards classes of equal odds for the logits that a prediction sees:
        with offsets, that is towards the classes' shares. Uniformly, a seldom class would be raised
        by one over its share wherever an utterance tells nothing.
        """
        logits = logits.float()
        if self.class_offsets is None:
            return cross_entropy(logits, targets, label_smoothing=self.label_smoothing)
        logits = logits + self.class_offsets
        smooth = self.class_offsets.softmax(0).expand_as(logits)
        told, untold = cross_entropy(logits, targets), cross_entropy(logits, smooth)
        return (1 - self.label_smoothing) * told + self.label_smoothing * untold


def count(module: nn.Module) -> int:
    """Return the number of parameters that are trained; frozen ones are the features' cost."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def together(logits: Sequence[Tensor]) -> Tensor:
    """Return one decision of several, (..., K) logits each: the mean of their log posteriors.

    What is alone stays as it is.
    """
    if len(logits) == 1:
        return logits[0]
    return torch.stack([own.log_softmax(-1) for own in logits]).mean(0)


def join(
    feats: Tensor, lengths: Tensor | None, other_feats: Tensor, other_lengths: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Return utterances and others behind them, for one pass: (2B, T, F), (2B,) or None.

    One pass lets batch norm treat both alike, as it will in evaluation.

    Args:
        feats, other_feats: (B, T, F); T may differ if there are lengths.
        lengths, other_lengths: (B,) frames before padding, or None for both.
    """
    if lengths is None:
        return torch.cat([feats, other_feats]), None
    frames = max(feats.shape[1], other_feats.shape[1])
    padded = [pad(x, (0, 0, 0, frames - x.shape[1])) for x in (feats, other_feats)]
    return torch.cat(padded), torch.cat([lengths, other_lengths])
