"""Frames to one vector an utterance, padding left out."""

import torch
from torch import Tensor, nn

CLAMP = 10.0  # of the attention scores, before the softmax


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
        score = self.score(x).clamp(-CLAMP, CLAMP)
        if mask is not None:
            score = score.masked_fill(~mask[:, None], float("-inf"))
        return (score.softmax(dim=2) * torch.sigmoid(self.value(x))).sum(dim=2)
