"""Augmentation of whole batches of log-mels, on the device, for training only.

Axes: B utterances, T frames, F bins, K classes. Random numbers are drawn on the CPU, a few an
utterance, so that CPU and GPU runs see the same ones.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn.functional import interpolate

from dsnet.features.fbank import FbankConfig

EQUALISER_KNOTS = 6


@dataclass
class AugmentConfig:
    """All off by default, as published; ranges are symmetric, draws uniform unless said otherwise.

    tempo: 0.25 plays between 1.25 times slower and 1.25 times faster (uniform in the logarithm).
    vocal_tract: 0.12 stretches the frequency axis by up to 1.12 either way, likewise.
    gain, tilt: nats on all bins; on the last bin and, with the other sign, on the first.
    equaliser: standard deviation in nats of a random curve over the bins with six knots.
    time_masks, frequency_masks: so many bands an utterance, of 0 to `max_masked_frames` frames or
    `max_masked_bins` bins, take the utterance's mean of the bin.
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
    max_masked_frames: int = 0
    frequency_masks: int = 0
    max_masked_bins: int = 0
    mixup: float = 0.0

    def check(self) -> None:
        negative = [name for name, value in vars(self).items() if value < 0]
        if negative:
            raise ValueError(f"augment.{negative[0]} must be 0 (off) or above")


class Augmenter:
    """Draws and applies what an AugmentConfig asks for."""

    def __init__(self, config: AugmentConfig, fbank: FbankConfig):
        """Args: what to do, and how the features were computed (for the frequency axis)."""
        self.config = config
        self.low, self.high = (
            _mel(fbank.low_freq_hz),
            _mel(fbank.high_freq_hz or fbank.sampling_rate / 2),
        )
        self.num_bins = fbank.num_mel_bins
        mel = torch.linspace(self.low, self.high, self.num_bins + 2)[1:-1]
        self.bin_hz = 700 * torch.expm1(mel / 1127)  # (F,) centres of the filters

    def rates(self, batch: int, generator: Generator) -> Tensor:
        """Draw (B,) factors of the tempo, above 1 for faster."""
        return _log_uniform((batch,), self.config.tempo, generator)

    def spectral(self, feats: Tensor, lengths: Tensor, generator: Generator) -> Tensor:
        """Return changed log-mels.

        Args:
            feats: (B, T, F).
            lengths: (B,) int, frames before padding.
            generator: on the CPU.
        """
        config, batch = self.config, len(feats)
        if config.vocal_tract:
            factors = _log_uniform((batch,), config.vocal_tract, generator)
            feats = self._warp(feats, factors)
        curve = torch.zeros(batch, 1, self.num_bins)
        if config.gain:
            curve = curve + _symmetric((batch, 1, 1), config.gain, generator)
        if config.tilt:
            slope = torch.linspace(-1, 1, self.num_bins)
            curve = curve + _symmetric((batch, 1, 1), config.tilt, generator) * slope
        if config.equaliser:
            knots = torch.randn(batch, 1, EQUALISER_KNOTS, generator=generator) * config.equaliser
            curve = curve + interpolate(knots, self.num_bins, mode="linear", align_corners=True)
        feats = feats + curve.to(feats.device)
        return self._mask(feats, lengths, generator)

    def mix(self, feats: Tensor, targets: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Blend each utterance with another of the batch, itself having at least half.

        Args:
            feats: (B, T, F), without padding.
            targets: (B, K) class probabilities.
        """
        seed = int(torch.randint(2**62, (1,), generator=generator))
        alpha = self.config.mixup
        share = np.random.default_rng(seed).beta(alpha, alpha, len(feats))
        own = torch.from_numpy(np.maximum(share, 1 - share)).float().to(feats.device)
        other = torch.randperm(len(feats), generator=generator).to(feats.device)
        feats = torch.lerp(feats[other], feats, own[:, None, None])
        return feats, torch.lerp(targets[other], targets, own[:, None])

    def _warp(self, feats: Tensor, factors: Tensor) -> Tensor:
        """Read bin f of the output at the place of `factors` times its frequency; (B, T, F)."""
        mel = 1127 * torch.log1p(factors[:, None] * self.bin_hz / 700)  # (B, F)
        place = (mel - self.low) / (self.high - self.low) * (self.num_bins + 1) - 1
        place = place.clamp(0, self.num_bins - 1).to(feats.device)
        below = place.long().clamp(max=self.num_bins - 2)

        def at(bins: Tensor) -> Tensor:
            return feats.gather(2, bins[:, None].expand_as(feats))

        return torch.lerp(at(below), at(below + 1), (place - below)[:, None])

    def _mask(self, feats: Tensor, lengths: Tensor, generator: Generator) -> Tensor:
        config, (_, frames, bins) = self.config, feats.shape
        masked = torch.zeros_like(feats, dtype=torch.bool)
        if config.time_masks:
            count, width = config.time_masks, config.max_masked_frames
            masked |= band_masks(frames, lengths, count, width, generator)[:, :, None]
        if config.frequency_masks:
            count, width = config.frequency_masks, config.max_masked_bins
            whole = torch.full_like(lengths, bins)
            masked |= band_masks(bins, whole, count, width, generator)[:, None, :]
        real = torch.arange(frames, device=feats.device) < lengths[:, None]
        mean = (feats * real[:, :, None]).sum(1, keepdim=True) / lengths[:, None, None]
        return torch.where(masked, mean, feats)


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


def _mel(hz: float) -> float:
    return 1127 * math.log1p(hz / 700)  # as Kaldi


def _symmetric(shape: tuple[int, ...], size: float, generator: Generator) -> Tensor:
    return (2 * torch.rand(shape, generator=generator) - 1) * size


def _log_uniform(shape: tuple[int, ...], size: float, generator: Generator) -> Tensor:
    return torch.exp(_symmetric(shape, math.log1p(size), generator))
