"""Frames to one vector an utterance, padding left out."""

import torch
from torch import Tensor, nn

CLAMP = 10.0  # of AttentionPooling's scores, before the softmax
MIN_VARIANCE = 1e-4


def time_softmax(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Return weights over time, zero in padding: (B, C, T) scores, (B, T) bool or None."""
    if mask is not None:
        scores = scores.masked_fill(~mask[:, None], float("-inf"))
    return scores.softmax(dim=2)


class AttentionPooling(nn.Module):
    """Pool (B, C, T) to (B, D): per unit, a softmax over time weights sigmoid values.

    Scores and values are two 1x1 convolutions C -> D; every unit of the result lies in (0, 1).
    Source: Chen and Zhang, doi 10.1007/s12204-024-2724-1.
    """

    def __init__(self, in_channels: int, embed_dim: int):
        super().__init__()
        self.score = nn.Conv1d(in_channels, embed_dim, 1)
        self.value = nn.Conv1d(in_channels, embed_dim, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pool over time.

        Args:
            x: (B, C, T).
            mask: (B, T) bool, true where a frame is real; None if all are.
        """
        weights = time_softmax(self.score(x).float().clamp(-CLAMP, CLAMP), mask)
        return (weights * torch.sigmoid(self.value(x).float())).sum(dim=2)


class AttentiveStatistics(nn.Module):
    """Pool (B, C, T) to (B, 2C): mean and standard deviation under per-channel attention.

    Source: Okabe et al. 2018, doi 10.21437/Interspeech.2018-993.
    """

    def __init__(self, channels: int, bottleneck: int = 64):
        super().__init__()
        self.score = nn.Sequential(
            nn.Conv1d(channels, bottleneck, 1), nn.Tanh(), nn.Conv1d(bottleneck, channels, 1)
        )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pool over time.

        Args:
            x: (B, C, T).
            mask: (B, T) bool, true where a frame is real; None if all are.
        """
        weights = time_softmax(self.score(x).float(), mask)
        x = x.float()  # in bfloat16 the difference below would be nothing but rounding
        mean = (weights * x).sum(2)
        variance = (weights * x.square()).sum(2) - mean.square()
        return torch.cat([mean, variance.clamp(min=MIN_VARIANCE).sqrt()], 1)
