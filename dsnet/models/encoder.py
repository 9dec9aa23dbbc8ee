"""Encoders: frames to one embedding an utterance, with or without padding.

Axes: B utterances, C channels, T frames, F bins or dimensions, L layers, D embedding.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d

from dsnet.errors import ConfigError
from dsnet.models.batch_norm import BatchNorm1d
from dsnet.models.deltas import with_deltas
from dsnet.models.dropout import Dropout
from dsnet.models.finetuned import FinetunedConfig, FinetunedLayers
from dsnet.models.front_end import SILENCE, Features
from dsnet.models.masking import MaskedBatchNorm2d, frame_mask
from dsnet.models.packing import pack, unpack
from dsnet.models.pooling import AttentionPooling, AttentiveStatistics

MIN_FRAMES = 16  # every encoder leaves at least one frame of so many


@dataclass
class EncoderConfig:
    """Which encoder, and how wide it is.

    kind conv: the published one. `channels` are the widths of its blocks, `kernel_size` holds for
    all of them. kind compact: for a CPU; `channels` are the widths of three convolutions in time
    and frequency and of two in time, `kernel_size` is that of the first. kind frames: for states of
    a pretrained encoder; `channels` are the widths of a projection and of a convolution in time,
    `kernel_size` is that of the latter. kind finetuned: the same behind layers of that encoder that
    are trained, too; `finetuned` says which.
    """

    kind: str = "conv"
    channels: list[int] = field(default_factory=lambda: [64, 128, 256, 512])
    kernel_size: int = 5
    dropout: float = 0.2
    embed_dim: int = 256
    finetuned: FinetunedConfig = field(default_factory=FinetunedConfig)

    def check(self) -> None:
        if self.kind not in ENCODERS:
            raise ValueError(f"encoder.kind is '{self.kind}'; allowed: {', '.join(ENCODERS)}")
        widths = ENCODERS[self.kind].num_widths
        if len(self.channels) != widths or min(self.channels) < 1:
            raise ValueError(
                f"encoder.channels of kind {self.kind} must be {widths} widths, "
                f"found {self.channels}"
            )
        if self.kernel_size % 2 == 0:
            raise ValueError(f"encoder.kernel_size must be odd, found {self.kernel_size}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"encoder.dropout must lie in [0, 1), found {self.dropout}")
        if self.embed_dim < 4 or self.embed_dim % 4:
            raise ValueError(f"encoder.embed_dim must be a multiple of 4, found {self.embed_dim}")
        if self.kind != "finetuned" and self.finetuned != FinetunedConfig():
            raise ValueError(f"encoder.finetuned is of kind finetuned; encoder.kind is {self.kind}")


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
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return the output and its mask.

        Args:
            x: (B, C, T, F), zero where the mask is false.
            mask: (B, T) bool or None.
        """
        x = self.pool(self.norm(self.conv(x), mask))
        x = self.dropout(torch.relu(x))  # after the pool: as good, on a quarter of the values
        if mask is not None:
            mask = mask[:, 1::2]  # a pooled frame is real if both of its frames were
            x = x * mask[:, None, :, None]
        return x, mask


class ConvEncoder(nn.Module):
    """The published encoder: batch norm of the bins, convolution blocks, attention pooling.

    Utterances of different lengths go through the blocks behind each other, not padded.
    Source: Chen and Zhang, doi 10.1007/s12204-024-2724-1.
    """

    reads = "fbank"
    least_dim = 16  # bins, halved four times
    num_widths = 4

    def __init__(self, config: EncoderConfig, features: Features):
        super().__init__()
        self.norm = MaskedBatchNorm2d(features.dim)
        widths = [3, *config.channels]
        self.blocks = nn.ModuleList(
            ConvBlock(i, o, config.kernel_size, config.dropout)
            for i, o in zip(widths, widths[1:], strict=False)
        )
        self.reach = config.kernel_size // 2  # frames to each side that a block hears
        self.pooling = AttentionPooling(widths[-1], config.embed_dim)

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Embed utterances; padding does not change the result.

        Args:
            feats: (B, T, F) log-mels, T at least 16.
            lengths: (B,) int, frames before padding; None if there is no padding.

        Returns:
            (B, D), every unit in (0, 1).
        """
        x, mask = with_deltas(feats, lengths), None  # (B, 3, T, F)
        if lengths is not None:
            step = 2 ** len(self.blocks)  # frames of the input to one that is pooled
            x, mask = pack(x, lengths, self.reach * step // 2, step)
        x = self.norm(x.permute(0, 3, 2, 1), mask).permute(0, 3, 2, 1)
        if mask is not None:
            x = x * mask[:, None, :, None]
        x = x.contiguous(memory_format=torch.channels_last)  # a sixth faster on CPUs
        for block in self.blocks:
            x, mask = block(x, mask)
        x = x.mean(dim=3)
        if lengths is not None:
            x, mask = unpack(x, mask, lengths // step)
        return self.pooling(x, mask)


class StridedBlock(nn.Module):
    """Strided convolution, batch norm, ReLU, dropout; padding stays zero."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        dropout: float,
    ):
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding, bias=False)
        self.norm = MaskedBatchNorm2d(out_channels)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return the output and its mask; see ConvBlock."""
        if mask is not None:
            mask = mask[:, :: self.conv.stride[0]]  # a frame is real if its centre is
        x = self.dropout(torch.relu(self.norm(self.conv(x), mask)))
        return x if mask is None else x * mask[:, None, :, None], mask


class CompactEncoder(nn.Module):
    """A small encoder for short corpora and CPUs.

    Frames are averaged in pairs. Four channels: static, static without the utterance's mean of
    each bin (what microphone and voice add to all frames), delta and delta-delta, each bin of each
    normalised. Three strided convolutions in time and frequency, two in time, attentive mean and
    deviation, and a linear layer whose sigmoid keeps the embedding in (0, 1) as published.
    """

    reads = "fbank"
    least_dim = 4
    num_widths = 4

    def __init__(self, config: EncoderConfig, features: Features):
        super().__init__()
        a, b, c, d = config.channels
        size, bins, dropout = config.kernel_size, features.dim, config.dropout
        self.norm = MaskedBatchNorm2d(4 * bins, affine=False)
        for stride in (4, 2, 2):
            bins = -(-bins // stride)  # rounded up
        self.blocks = nn.ModuleList(
            [
                StridedBlock(4, a, (size, size), (2, 4), dropout),
                StridedBlock(a, b, (3, 3), (2, 2), dropout),
                StridedBlock(b, c, (3, 3), (1, 2), dropout),
            ]
        )
        self.time_blocks = nn.ModuleList(
            [
                StridedBlock(c * bins, d, (1, 1), (1, 1), dropout),
                StridedBlock(d, d, (3, 1), (1, 1), dropout),
            ]
        )
        self.pooling = AttentiveStatistics(d)
        self.embedding = embedding_layers(2 * d, config.embed_dim, 0.3)

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Embed utterances; see ConvEncoder."""
        feats = feats.clamp(min=SILENCE)
        feats = avg_pool1d(feats.transpose(1, 2), 2).transpose(1, 2)  # (B, T, F), 20 ms a frame
        lengths = None if lengths is None else lengths // 2
        mask = None if lengths is None else frame_mask(lengths, feats.shape[1])
        x = with_deltas(feats, lengths)
        x = torch.cat([x, without_mean(feats, mask)[:, None]], 1)  # (B, 4, T, F)
        batch, channels, frames, bins = x.shape
        x = x.transpose(2, 3).reshape(batch, channels * bins, frames, 1)
        x = self.norm(x, mask).reshape(batch, channels, bins, frames).transpose(2, 3)
        if mask is not None:
            x = x * mask[:, None, :, None]
        x = x.contiguous(memory_format=torch.channels_last)  # a quarter faster on CPUs
        for block in self.blocks:
            x, mask = block(x, mask)
        x = x.transpose(2, 3).flatten(1, 2)[..., None]  # (B, C * F, T, 1)
        for block in self.time_blocks:
            x, mask = block(x, mask)
        return self.embedding(self.pooling(x[..., 0], mask))


def without_mean(feats: Tensor, mask: Tensor | None) -> Tensor:
    """Subtract the utterance's mean of each bin: (B, T, F), and a (B, T) mask or None."""
    if mask is None:
        return feats - feats.mean(1, keepdim=True)
    weight = mask[:, :, None]
    mean = (feats * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True)
    return feats - mean


class FramesEncoder(nn.Module):
    """States of a pretrained encoder to one embedding.

    Frames are averaged in pairs, each dimension is standardised over the training frames. Of
    several layers, a weighted mean is taken, the softmax of a learned weight each; a single one has
    no weight to learn, so that no gradient is computed for frames. A projection, a convolution in
    time, attentive mean and deviation, and what CompactEncoder ends in. Dropout takes a dimension
    away for a whole utterance, which is quicker, too.
    """

    reads = "pretrained"
    least_dim = 1
    num_widths = 2

    def __init__(self, config: EncoderConfig, features: Features):
        super().__init__()
        a, b = config.channels
        self.norm = MaskedBatchNorm2d(features.dim, affine=False)
        self.layer_weights = nn.Parameter(
            torch.zeros(features.num_layers), requires_grad=features.num_layers > 1
        )
        self.dropout = nn.Dropout1d(config.dropout)
        self.projection = nn.Conv1d(features.dim // features.num_layers, a, 1)
        self.conv = nn.Conv1d(a, b, config.kernel_size, padding=config.kernel_size // 2, bias=False)
        self.conv_norm = MaskedBatchNorm2d(b)
        self.pooling = AttentiveStatistics(b)
        self.embedding = embedding_layers(2 * b, config.embed_dim, 0.4)

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Embed utterances; see ConvEncoder."""
        x = avg_pool1d(feats.transpose(1, 2), 2)  # (B, F, T)
        lengths = None if lengths is None else lengths // 2
        mask = None if lengths is None else frame_mask(lengths, x.shape[2])
        x = self.norm(x[..., None], mask)[..., 0]
        x = x.unflatten(1, (len(self.layer_weights), -1))  # (B, L, D, T)
        x = torch.einsum("l,bldt->bdt", self.layer_weights.softmax(0), x)
        x = torch.relu(self.projection(self.dropout(x)))
        if mask is not None:
            x = x * mask[:, None]
        x = torch.relu(self.conv_norm(self.conv(x)[..., None], mask)[..., 0])
        x = self.dropout(x)
        if mask is not None:
            x = x * mask[:, None]
        return self.embedding(self.pooling(x, mask))


class FinetunedEncoder(FramesEncoder):
    """A state of a pretrained encoder to one embedding, by layers above it that are trained."""

    def __init__(self, config: EncoderConfig, features: Features):
        super().__init__(config, features)
        self.layers = FinetunedLayers(config.finetuned, features)

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Embed utterances; see ConvEncoder."""
        return super().forward(self.layers(feats, lengths), lengths)


def embedding_layers(width: int, embed_dim: int, dropout: float) -> nn.Sequential:
    """Return the way from (B, width) statistics to (B, D), every unit in (0, 1) as published."""
    return nn.Sequential(
        BatchNorm1d(width),
        nn.Dropout(dropout),
        nn.Linear(width, embed_dim, bias=False),
        BatchNorm1d(embed_dim),
        nn.Sigmoid(),
    )


ENCODERS = {
    "conv": ConvEncoder,
    "compact": CompactEncoder,
    "frames": FramesEncoder,
    "finetuned": FinetunedEncoder,
}


def build_encoder(config: EncoderConfig, features: Features) -> nn.Module:
    """Return the encoder that `config.kind` names, for features of F dimensions.

    Raises:
        ConfigError: features that it cannot read.
    """
    encoder = ENCODERS[config.kind]
    if features.kind != encoder.reads or features.frame_shift_ms is None:
        what = "one vector an utterance" if features.frame_shift_ms is None else "frames"
        raise ConfigError(
            f"encoder.kind {config.kind} reads frames of kind {encoder.reads}; the features "
            f"'{features.name}' are {what} of kind {features.kind}. Frames of kind fbank are for "
            "encoder.kind conv and compact, of kind pretrained for frames and finetuned; one "
            "vector an utterance is for a system of kind svm or logistic"
        )
    if features.dim < encoder.least_dim:
        raise ConfigError(
            f"encoder.kind {config.kind} needs {encoder.least_dim} mel bins or more; the features "
            f"'{features.name}' have {features.dim} (num_mel_bins)"
        )
    return encoder(config, features)
