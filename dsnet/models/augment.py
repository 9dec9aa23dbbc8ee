"""Augmentation of whole batches of features, on the device, for training only.

Axes: B utterances, T frames, F dimensions, K classes. Random numbers are drawn on the CPU, a few an
utterance, so that CPU and GPU runs see the same ones. What only log-mels allow is in front_end.py.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor


@dataclass
class AugmentConfig:
    """All off by default, as published; ranges are symmetric, draws uniform unless said otherwise.

    tempo: 0.25 plays between 1.25 times slower and 1.25 times faster (uniform in the logarithm).
    vocal_tract: 0.12 stretches the frequency axis by up to 1.12 either way; log-mels only.
    gain, tilt: nats on all bins; on the last bin and, with the other sign, on the first; likewise.
    equaliser: standard deviation in nats of a random curve over the bins with six knots; likewise.
    time_masks, frequency_masks: so many bands an utterance, of 0 to `max_masked_seconds` or
    `max_masked_bins` dimensions, take the utterance's mean of the dimension.
    mixup: alpha of the Beta distribution of the share of another utterance; needs equal lengths.

    Sources: Jaitly and Hinton 2013 (vocal tract length); Park et al. 2019, SpecAugment,
    doi 10.21437/Interspeech.2019-2680; Zhang et al. 2018, mixup, arXiv 1710.09412.
    """

    tempo: float = 0.0
    vocal_tract: float = 0.0
    gain: float = 0.0
    tilt: float = 0.0
    equaliser: float = 0.0
    time_masks: int = 0
    max_masked_seconds: float = 0.0
    frequency_masks: int = 0
    max_masked_bins: int = 0
    mixup: float = 0.0

    def check(self) -> None:
        negative = [name for name, value in vars(self).items() if value < 0]
        if negative:
            raise ValueError(f"augment.{negative[0]} must be 0 (off) or above")


def tempo_rates(batch: int, size: float, generator: Generator) -> Tensor:
    """Draw (B,) factors of the tempo, above 1 for faster."""
    return log_uniform((batch,), size, generator)


def mask(
    feats: Tensor, lengths: Tensor, config: AugmentConfig, max_frames: int, generator: Generator
) -> Tensor:
    """Return features with bands of time and of dimensions set to the utterance's mean.

    Args:
        feats: (B, T, F).
        lengths: (B,) int, frames before padding.
        config: number of bands, and how many dimensions one takes at most.
        max_frames: how many frames one takes at most.
        generator: on the CPU.
    """
    if not (config.time_masks or config.frequency_masks):
        return feats
    _, frames, bins = feats.shape
    masked = torch.zeros_like(feats, dtype=torch.bool)
    if config.time_masks:
        masked |= band_masks(frames, lengths, config.time_masks, max_frames, generator)[:, :, None]
    if config.frequency_masks:
        count, width = config.frequency_masks, config.max_masked_bins
        whole = torch.full_like(lengths, bins)
        masked |= band_masks(bins, whole, count, width, generator)[:, None, :]
    real = torch.arange(frames, device=feats.device) < lengths[:, None]
    mean = (feats * real[:, :, None]).sum(1, keepdim=True) / lengths[:, None, None]
    return torch.where(masked, mean, feats)


def mix(
    feats: Tensor, targets: Tensor, alpha: float, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Blend each utterance with another of the batch, itself having at least half.

    Args:
        feats: (B, T, F), without padding.
        targets: (B, K) class probabilities.
        alpha: of the Beta distribution of the shares.
        generator: on the CPU.
    """
    seed = int(torch.randint(2**62, (1,), generator=generator))
    share = np.random.default_rng(seed).beta(alpha, alpha, len(feats))
    own = torch.from_numpy(np.maximum(share, 1 - share)).float().to(feats.device)
    other = torch.randperm(len(feats), generator=generator).to(feats.device)
    feats = torch.lerp(feats[other], feats, own[:, None, None])
    return feats, torch.lerp(targets[other], targets, own[:, None])


def band_masks(
    size: int, lengths: Tensor, num_masks: int, max_width: int, generator: Generator
) -> Tensor:
    """Return (B, size) bool, true inside `num_masks` random bands of 0 to `max_width` places.

    A band lies in the first `lengths[b]` places.
    """
    draws = torch.rand(2, num_masks, len(lengths), 1, generator=generator).to(lengths.device)
    width = (draws[0] * (max_width + 1)).floor()
    start = (draws[1] * (lengths[:, None] - width + 1).clamp(min=1)).floor()
    place = torch.arange(size, device=lengths.device)
    return ((place >= start) & (place < start + width)).any(0)


def symmetric(shape: tuple[int, ...], size: float, generator: Generator) -> Tensor:
    """Draw uniformly from [-size, size]."""
    return (2 * torch.rand(shape, generator=generator) - 1) * size


def log_uniform(shape: tuple[int, ...], size: float, generator: Generator) -> Tensor:
    """Draw from [1 / (1 + size), 1 + size], uniformly in the logarithm."""
    return torch.exp(symmetric(shape, math.log1p(size), generator))
