"""Translators: one embedding in, the part of it that they are trained to keep out."""

import torch
from torch import Tensor, nn


class GatedLayer(nn.Module):
    """y = relu(W (x + g * x)) with the gate g = sigmoid(W2 relu(W1 x)); (B, in) -> (B, out)."""

    def __init__(self, in_dim: int, out_dim: int):
        super().__init__()
        bottleneck = in_dim // 2
        self.squeeze = nn.Linear(in_dim, bottleneck)
        self.excite = nn.Linear(bottleneck, in_dim)
        self.linear = nn.Linear(in_dim, out_dim)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.excite(torch.relu(self.squeeze(x))))
        return torch.relu(self.linear(x + gate * x))


class Translator(nn.Sequential):
    """Two gated layers D -> D / 2 -> D; (B, D) -> (B, D), not negative."""

    def __init__(self, embed_dim: int):
        super().__init__(
            GatedLayer(embed_dim, embed_dim // 2), GatedLayer(embed_dim // 2, embed_dim)
        )
