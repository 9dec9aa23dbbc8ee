"""Encoders: log-mels to one embedding an utterance, with or without padding.

Axes: B utterances, C channels, T frames, F bins, D embedding.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from dsnet.models.deltas import with_deltas
from dsnet.models.masking import MaskedBatchNorm2d, frame_mask
from dsnet.models.pooling import AttentionPooling

MIN_FRAMES = 16  # four poolings by two leave one frame


@dataclass
class EncoderConfig:
    """The published encoder; `channels` are the widths of its blocks."""

    num_bins: int = 80
    channels: list[int] = field(default_factory=lambda: [64, 128, 256, 512])
    kernel_size: int = 5
    dropout: float = 0.2
    embed_dim: int = 256


class ConvBlock(nn.Module):
    """Convolution, batch norm, ReLU, max-pool 2x2, dropout: (B, C, T, F) -> (B, C', T/2, F/2)."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, dropout: float):
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False
        )
        nn.init.xavier_uniform_(self.conv.weight)
        self.norm = MaskedBatchNorm2d(out_channels)
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return the output and its mask.

        Args:
            x: (B, C, T, F), zero where the mask is false.
            mask: (B, T) bool or None.
        """
        x = self.dropout(self.pool(torch.relu(self.norm(self.conv(x), mask))))
        if mask is not None:
            mask = mask[:, 1::2]  # a pooled frame is real if both of its frames were
            x = x * mask[:, None, :, None]
        return x, mask


class ConvEncoder(nn.Module):
    """The published encoder: batch norm of the bins, convolution blocks, attention pooling.

    Source: Chen and Zhang, doi 10.1007/s12204-024-2724-1.
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.norm = MaskedBatchNorm2d(config.num_bins)
        widths = [3, *config.channels]
        self.blocks = nn.ModuleList(
            ConvBlock(i, o, config.kernel_size, config.dropout)
            for i, o in zip(widths, widths[1:], strict=False)
        )
        self.pooling = AttentionPooling(widths[-1], config.embed_dim)

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Embed utterances; padding does not change the result.

        Args:
            feats: (B, T, F) log-mels, T at least 16.
            lengths: (B,) int, frames before padding; None if there is no padding.

        Returns:
            (B, D), every unit in (0, 1).
        """
        mask = None if lengths is None else frame_mask(lengths, feats.shape[1])
        x = with_deltas(feats, lengths)  # (B, 3, T, F)
        x = self.norm(x.permute(0, 3, 2, 1), mask).permute(0, 3, 2, 1)
        if mask is not None:
            x = x * mask[:, None, :, None]
        for block in self.blocks:
            x, mask = block(x, mask)
        return self.pooling(x.mean(dim=3), mask)
