"""What every system is: a network, its losses and the order of its updates."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import cross_entropy


@dataclass
class Batch:
    """B utterances on the device of the network.

    feats: (B, T, F) log-mels; lengths: (B,) frames before padding, None if there is no padding.
    targets: (B, K) class probabilities: one and zeros, unless augmentation mixed utterances.
    neutral_feats, neutral_lengths: one neutral utterance of each speaker, for systems with
    `needs_neutral`; has_neutral: (B,) bool, false where the speaker has no other neutral utterance.
    """

    feats: Tensor
    lengths: Tensor | None
    targets: Tensor
    neutral_feats: Tensor | None = None
    neutral_lengths: Tensor | None = None
    has_neutral: Tensor | None = None


@dataclass
class Output:
    """logits: (B, K); embeddings: named (B, D), such as h, s and e."""

    logits: Tensor
    embeddings: dict[str, Tensor]


Update = Callable[[Tensor, str], None]


class System(nn.Module):
    """Base of the systems; the training loop uses nothing else of them."""

    needs_neutral = False

    def __init__(self, label_smoothing: float = 0.0):
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> Output:
        """Classify utterances: (B, T, F) log-mels and (B,) lengths, or None without padding."""
        raise NotImplementedError

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return what each optimiser updates; systems that alternate have several groups."""
        return {"all": list(self.parameters())}

    def inference_parameters(self) -> int:
        """Return how many parameters a prediction needs."""
        return sum(p.numel() for p in self.parameters())

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
        return cross_entropy(logits.float(), targets, label_smoothing=self.label_smoothing)
