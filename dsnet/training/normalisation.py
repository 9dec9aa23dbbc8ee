"""Normalisation of the input: features as an average voice would have them.

Each dimension of an utterance is shifted, and scaled, so that what was heard of its speaker has the
mean (and deviation) of an average voice: what is left of a speaker's level, microphone and timbre
is what that does not explain.

A few utterances say little about a voice: their mean is as much that of what is said, and how. So
they are believed as far as they can be: of their distance to the average voice, K utterances get
the share K / (K + W / B), with B the variance of a dimension between speakers and W that between
utterances of one speaker, both of the training speakers. This is the best linear estimate of a
speaker's mean, and likewise of the logarithm of the deviation.
Source: Efron and Morris 1973, doi 10.1080/01621459.1973.10481350.

A pool is the utterances that are heard of a speaker for an utterance, best first.
Axes: B utterances of a batch, T frames, F dimensions, U utterances of the store, P pools.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from dsnet.models.front_end import FrontEnd
from dsnet.training.frames import Frames

MOST_DRAWN = 5  # utterances of a pool, in training
Pool = Sequence[str]


@dataclass(frozen=True)
class Voice:
    """An average voice, (F,) each, and how much utterances say about another.

    mean, deviation: of each dimension over time.
    mean_noise, deviation_noise: W / B: the number of utterances that are believed by half; 0: what
    is heard is believed.
    """

    mean: Tensor
    deviation: Tensor
    mean_noise: Tensor
    deviation_noise: Tensor


class Normalisation:
    """What the pools of a store are like, and utterances in their light."""

    def __init__(
        self,
        frames: Frames,
        pools: Mapping[str, Pool],
        voice: Voice,
        front_end: FrontEnd,
        scale: bool,
        count: int | None = None,
    ):
        """Measure the pools.

        Args:
            frames: with all utterances.
            pools: for each utterance that will be read, not empty.
            voice: that normalised features shall have.
            front_end: knows the floor of these features.
            scale: whether deviations are made equal, too.
            count: how many of a pool count outside of training, where 1 to 5 of them are drawn;
                None: always all of them.
        """
        self.voice, self.front_end, self.scale, self.count = voice, front_end, scale, count
        distinct = list(dict.fromkeys(tuple(pool) for pool in pools.values()))
        place = {pool: i for i, pool in enumerate(distinct)}
        self.pool_of = torch.zeros(len(frames.index), dtype=torch.long)  # (U,)
        for utt, pool in pools.items():
            self.pool_of[frames.index[utt]] = place[tuple(pool)]
        names = sorted({utt for pool in distinct for utt in pool})
        row = {utt: i for i, utt in enumerate(names)}
        sums = torch.stack([_sums(frames, [name], front_end.floor) for name in names])
        self.totals = torch.stack(
            [sums[[row[utt] for utt in pool[:count]]].sum(0) for pool in distinct]
        )  # (P, 2F + 2)
        self.sizes = torch.tensor([len(pool) for pool in distinct])  # (P,)
        if count is not None:
            self.sums = sums
            self.members = torch.zeros(len(distinct), int(self.sizes.max()), dtype=torch.long)
            for i, pool in enumerate(distinct):
                self.members[i, : len(pool)] = torch.tensor([row[utt] for utt in pool])

    def __call__(
        self, feats: Tensor, positions: Tensor, generator: Generator | None = None
    ) -> Tensor:
        """Return normalised features, (B, T, F).

        Args:
            feats: (B, T, F).
            positions: (B,) of their utterances in the store, on the CPU.
            generator: draws from the pools, in training.
        """
        pools = self.pool_of[positions]  # (B,)
        if generator is None or self.count is None:
            totals = self.totals[pools]
        else:
            totals = self._drawn(pools, generator)
        mean, deviation = self._heard(totals)
        goal = self.voice
        centred = feats.clamp(min=self.front_end.floor) - _batch(mean, feats)
        if self.scale:
            centred = centred * _batch(goal.deviation / deviation, feats)
        return _batch(goal.mean[None], feats) + centred

    def _drawn(self, pools: Tensor, generator: Generator) -> Tensor:
        """Return the sums of 1 to 5 utterances of each pool: (B,) -> (B, 2F + 2)."""
        available = self.sizes[pools]  # (B,)
        places = torch.arange(self.members.shape[1])
        most = available.clamp(max=MOST_DRAWN)
        wanted = 1 + (torch.rand(len(pools), generator=generator) * most).long()
        order = torch.rand(len(pools), len(places), generator=generator)
        order[places >= available[:, None]] = 2.0  # behind all that are there
        chosen = order.argsort(1).argsort(1) < wanted[:, None]
        return (self.sums[self.members[pools]] * chosen[:, :, None]).sum(1)

    def _heard(self, totals: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and deviation as far as they are believed: (B, 2F + 2) -> (B, F) twice."""
        goal, count = self.voice, totals[:, -1:]
        mean, deviation = _moments(totals, self.front_end.least_deviation)
        mean = torch.lerp(goal.mean.expand_as(mean), mean, count / (count + goal.mean_noise))
        logs = goal.deviation.log().expand_as(deviation)
        share = count / (count + goal.deviation_noise)
        return mean, torch.lerp(logs, deviation.log(), share).exp()


def voice_of(frames: Frames, speakers: Sequence[Pool], front_end: FrontEnd, shrink: bool) -> Voice:
    """Return the average voice of some speakers.

    Args:
        frames: with their utterances.
        speakers: the utterances of each.
        front_end: knows the floor of these features.
        shrink: measure how much an utterance says; with one speaker, or one utterance of each,
            nothing is known of that, and what is heard is believed.
    """
    floor, least = front_end.floor, front_end.least_deviation
    of_speakers = torch.stack([_sums(frames, pool, floor) for pool in speakers])
    mean, deviation = _moments(of_speakers, least)
    zero = torch.zeros_like(mean[0])
    noise = [zero, zero]
    if shrink and len(speakers) > 1 and any(len(pool) > 1 for pool in speakers):
        clips = [
            torch.stack([_sums(frames, [utt], floor) for utt in dict.fromkeys(pool)])
            for pool in speakers
        ]
        of_clips = [_moments(own, least) for own in clips]
        noise[0] = _noise([mean for mean, _ in of_clips])
        if frames.info.frame_shift_ms is not None:  # one vector has no deviation
            noise[1] = _noise([deviation.log() for _, deviation in of_clips])
    return Voice(mean.mean(0), deviation.log().mean(0).exp(), *noise)


def _noise(speakers: Sequence[Tensor]) -> Tensor:
    """Return W / B of (utterances, F) values of each speaker: (F,), infinite where B is 0.

    The estimates are those of a one-way analysis of variance with random effects.
    """
    counts = torch.tensor([float(len(own)) for own in speakers], dtype=torch.double)
    within = sum((own - own.mean(0)).square().sum(0) for own in speakers)
    within = within / (counts.sum() - len(speakers))
    between = torch.stack([own.mean(0) for own in speakers]).var(0)
    between = (between - within * (1 / counts).mean()).clamp(min=0)
    return torch.where(within > 0, within / between, torch.zeros_like(within))


def _batch(x: Tensor, feats: Tensor) -> Tensor:
    return x.float()[:, None].to(feats.device)


def _sums(frames: Frames, pool: Pool, floor: float) -> Tensor:
    """Return sums of a pool's frames and of their squares, how many, of utterances: (2F + 2,)."""
    total = None
    for utt in pool:
        own = frames.whole(utt).float().clamp(min=floor).double()
        numbers = own.new_tensor([len(own), 1])
        sums = torch.cat([own.sum(0), own.square().sum(0), numbers]).cpu()
        total = sums if total is None else total + sums
    return total


def _moments(sums: Tensor, least_deviation: float) -> tuple[Tensor, Tensor]:
    """Return mean and deviation of each dimension: (B, 2F + 2) -> (B, F) twice."""
    dim = (sums.shape[1] - 2) // 2
    mean = sums[:, :dim] / sums[:, -2:-1]
    variance = sums[:, dim:-2] / sums[:, -2:-1] - mean.square()
    return mean, variance.clamp(min=least_deviation**2).sqrt()
