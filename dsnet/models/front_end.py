"""What is known of a kind of features: where silence begins, changes of a voice.

Axes: B utterances, T frames, F dimensions.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
from torch import Generator, Tensor
from torch.nn.functional import interpolate

from dsnet.errors import ConfigError
from dsnet.models.augment import AugmentConfig, log_uniform, symmetric

EQUALISER_KNOTS = 6
SILENCE = 4.0  # nats; about the energy of 16-bit rounding in a mel bin, so below it is silence


class Features(Protocol):
    """What a system must know of its features; FeatsInfo and every Extractor say it."""

    name: str
    kind: str
    dim: int  # F
    frame_shift_ms: float | None  # None: one vector an utterance
    num_layers: int  # so many blocks of equal size make up F
    config: Any  # of the type: a dict, or of an Extractor its dataclass


@dataclass(frozen=True)
class VoiceChange:
    """What makes another voice or room of each utterance of a batch; None: nothing.

    warp: (B,) factors of frequency, of the vocal tract.
    curve: (B, 1, F) that is added to every frame, in nats.
    """

    warp: Tensor | None = None
    curve: Tensor | None = None


class FrontEnd:
    """Features of which nothing special is known."""

    least_deviation: ClassVar[float] = 1e-6  # a dimension that varies less is not scaled up
    floor: ClassVar[float] = -math.inf

    def __init__(self, augment: AugmentConfig, features: Features, config: dict[str, Any]):
        """Args: what to do in training; the features, and how they were computed."""
        mel_only = [k for k in ("vocal_tract", "gain", "tilt", "equaliser") if getattr(augment, k)]
        if mel_only:
            raise ConfigError(
                f"augment.{mel_only[0]} changes log-mels (features of kind fbank); the features "
                f"'{features.name}' are of kind {features.kind}: set it to 0"
            )

    def draw_voice(self, batch_size: int, generator: Generator) -> VoiceChange:
        """Draw another voice or room for each of B utterances, on the CPU."""
        return VoiceChange()

    def change_voice(self, feats: Tensor, change: VoiceChange) -> Tensor:
        """Return features (B, T, F) as those voices or rooms would have them."""
        return feats


class MelFrontEnd(FrontEnd):
    """Log-mels, in nats."""

    least_deviation = 0.5  # so that a bin of silence is not blown up
    floor = SILENCE

    def __init__(self, augment: AugmentConfig, features: Features, config: dict[str, Any]):
        self.augment = augment
        self.low = _mel(config["low_freq_hz"])
        self.high = _mel(config["high_freq_hz"] or config["sampling_rate"] / 2)
        self.num_bins = features.dim
        mel = torch.linspace(self.low, self.high, self.num_bins + 2)[1:-1]
        self.bin_hz = 700 * torch.expm1(mel / 1127)  # (F,) centres of the filters

    def draw_voice(self, batch_size: int, generator: Generator) -> VoiceChange:
        """Draw a vocal tract, level, tilt and equaliser for each utterance."""
        config, one_each = self.augment, (batch_size, 1, 1)
        warp, curves = None, []
        if config.vocal_tract:
            warp = log_uniform((batch_size,), config.vocal_tract, generator)
        if config.gain:
            level = symmetric(one_each, config.gain, generator)
            curves.append(level.expand(-1, -1, self.num_bins))
        if config.tilt:
            slope = torch.linspace(-1, 1, self.num_bins)
            curves.append(symmetric(one_each, config.tilt, generator) * slope)
        if config.equaliser:
            knots = torch.randn(batch_size, 1, EQUALISER_KNOTS, generator=generator)
            knots = knots * config.equaliser
            curves.append(interpolate(knots, self.num_bins, mode="linear", align_corners=True))
        return VoiceChange(warp, sum(curves) if curves else None)

    def change_voice(self, feats: Tensor, change: VoiceChange) -> Tensor:
        """Return log-mels (B, T, F) with those vocal tracts, levels, tilts and equalisers."""
        if change.warp is not None:
            feats = self._warp(feats, change.warp)
        return feats if change.curve is None else feats + change.curve.to(feats.device)

    def _warp(self, feats: Tensor, factors: Tensor) -> Tensor:
        """Read bin f of the output at the place of `factors` times its frequency; (B, T, F)."""
        mel = 1127 * torch.log1p(factors[:, None] * self.bin_hz / 700)  # (B, F)
        place = (mel - self.low) / (self.high - self.low) * (self.num_bins + 1) - 1
        place = place.clamp(0, self.num_bins - 1).to(feats.device)
        below = place.long().clamp(max=self.num_bins - 2)

        def at(bins: Tensor) -> Tensor:
            return feats.gather(2, bins[:, None].expand_as(feats))

        return torch.lerp(at(below), at(below + 1), (place - below)[:, None])


FRONT_ENDS = {"fbank": MelFrontEnd}  # by kind of features; others are a FrontEnd


def build_front_end(augment: AugmentConfig, features: Features, config: dict[str, Any]) -> FrontEnd:
    """Return the front end for features of this kind.

    Raises:
        ConfigError: an augmentation that these features do not allow.
    """
    return FRONT_ENDS.get(features.kind, FrontEnd)(augment, features, config)


def _mel(hz: float) -> float:
    return 1127 * math.log1p(hz / 700)  # as Kaldi
