"""Augmentation of whole batches of log-mels, on the device, for training only.

Axes: B utterances, T frames, F bins. Random numbers are drawn on the CPU, a few an utterance, so
that CPU and GPU runs see the same ones.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass
class AugmentConfig:
    """All off by default, as published.

    time_masks, frequency_masks: so many bands an utterance, each at most `max_masked_frames` frames
    or `max_masked_bins` bins wide, take the utterance's mean of the bin.
    """

    time_masks: int = 0
    max_masked_frames: int = 0
    frequency_masks: int = 0
    max_masked_bins: int = 0


def _uniform(shape: tuple[int, ...], generator: Generator, device: torch.device) -> Tensor:
    return torch.rand(shape, generator=generator).to(device)


def band_masks(
    size: int, lengths: Tensor, num_masks: int, max_width: int, generator: Generator
) -> Tensor:
    """Return (B, size) bool, true inside `num_masks` random bands of 0 to `max_width` places.

    A band starts anywhere in the first `lengths[b]` places.
    """
    draws = _uniform((2, num_masks, len(lengths), 1), generator, lengths.device)
    width = (draws[0] * (max_width + 1)).floor()
    start = (draws[1] * (lengths[:, None] - width).clamp(min=0)).floor()
    place = torch.arange(size, device=lengths.device)
    return ((place >= start) & (place < start + width)).any(0)


def augment(feats: Tensor, lengths: Tensor, config: AugmentConfig, generator: Generator) -> Tensor:
    """Return augmented log-mels.

    Args:
        feats: (B, T, F).
        lengths: (B,) int, frames before padding.
        config: what to do.
        generator: on the CPU.

    Source of the masks: Park et al. 2019, SpecAugment, doi 10.21437/Interspeech.2019-2680.
    """
    batch, frames, bins = feats.shape
    masked = torch.zeros(batch, frames, bins, dtype=torch.bool, device=feats.device)
    if config.time_masks:
        bands = band_masks(frames, lengths, config.time_masks, config.max_masked_frames, generator)
        masked |= bands[:, :, None]
    if config.frequency_masks:
        whole = torch.full_like(lengths, bins)
        bands = band_masks(bins, whole, config.frequency_masks, config.max_masked_bins, generator)
        masked |= bands[:, None, :]
    mean = feats.sum(1, keepdim=True) / lengths[:, None, None]
    return torch.where(masked, mean, feats)
