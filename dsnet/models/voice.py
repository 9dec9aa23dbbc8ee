"""Voices: what utterances say of a speaker, and features as an average voice would have them.

Each dimension of an utterance is shifted, and scaled, so that what was heard of its speaker has the
mean (and deviation over time) of an average voice: what is left of a speaker's level, microphone
and timbre is what that does not explain.

A few utterances say little about a voice: their mean is as much that of what is said, and how. So
they are believed as far as they can be: of their distance to the average voice, K utterances get
the share K / (K + W / B), with B the variance of a dimension between speakers and W that between
utterances of one speaker, both of the training speakers. This is the best linear estimate of a
speaker's mean, and likewise of the logarithm of the deviation.
Source: Efron and Morris 1973, doi 10.1080/01621459.1973.10481350.

Axes: B utterances of a batch, T frames, F dimensions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dsnet.models.front_end import FrontEnd


@dataclass(frozen=True)
class Voice:
    """An average voice, (F,) each, and how much utterances say about another.

    mean: of each dimension.
    log_deviation: natural logarithm of its deviation.
    mean_noise, deviation_noise: W / B: the number of utterances that are believed by half; 0: what
    is heard is believed.
    """

    mean: Tensor
    log_deviation: Tensor
    mean_noise: Tensor
    deviation_noise: Tensor

    def believe(self, mean: Tensor, log_deviation: Tensor, number: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is heard as far as it is believed, (B, F) each.

        Args:
            mean, log_deviation: (B, F), of what is heard.
            number: (B, 1), of utterances that it is the mean of.
        """
        return (
            torch.lerp(self.mean.expand_as(mean), mean, number / (number + self.mean_noise)),
            torch.lerp(
                self.log_deviation.expand_as(mean),
                log_deviation,
                number / (number + self.deviation_noise),
            ),
        )

    def normalise(
        self, feats: Tensor, mean: Tensor, log_deviation: Tensor, floor: float, scale: bool
    ) -> Tensor:
        """Return features as this voice would have them, (B, T, F).

        Args:
            feats: (B, T, F).
            mean, log_deviation: (B, F), of their speakers, on the CPU.
            floor: of these features; what is lower is silence.
            scale: whether deviations are made equal, too.
        """
        centred = feats.clamp(min=floor) - _batch(mean, feats)
        if scale:
            centred = centred * _batch((self.log_deviation - log_deviation).exp(), feats)
        return _batch(self.mean[None], feats) + centred


def measure(feats: Tensor, front_end: FrontEnd | type[FrontEnd]) -> Tensor:
    """Return mean and log deviation of each dimension over an utterance's frames.

    Args:
        feats: (T, F).
        front_end: knows the floor of these features.

    Returns:
        (2F,) float64, on the CPU.
    """
    own = feats.float().clamp(min=front_end.floor).double().cpu()
    deviation = own.std(0, correction=0).clamp(min=front_end.least_deviation)
    return torch.cat([own.mean(0), deviation.log()])


def _batch(x: Tensor, feats: Tensor) -> Tensor:
    return x.float()[:, None].to(feats.device)
