"""Normalisation of the input: features as an average voice would have them.

Each dimension of an utterance is shifted, and scaled, so that what was heard of its speaker has the
mean (and deviation) of an average voice: what is left of a speaker's level, microphone and timbre
is what that does not explain. Axes: B utterances, T frames, F dimensions, U utterances of the
store, M pools of each at most.

A pool is utterances whose frames are taken together: one neutral utterance, or all of a speaker.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from dsnet.models.front_end import FrontEnd
from dsnet.training.frames import Frames

MOST_DRAWN = 5  # pools in training
Pool = tuple[str, ...]


@dataclass(frozen=True)
class Voice:
    """Mean and deviation of each dimension that normalised features shall have: scalars or (F,)."""

    mean: float | Tensor
    deviation: float | Tensor


class Normalisation:
    """What the pools of a store are like, and utterances in their light."""

    def __init__(
        self,
        frames: Frames,
        pools: Mapping[str, Sequence[Pool]],
        count: int,
        front_end: FrontEnd,
        scale: bool,
        voice: Voice | None = None,
    ):
        """Measure the pools.

        Args:
            frames: with all utterances.
            pools: for each utterance that will be read at least one, best first.
            count: how many of them count outside training.
            front_end: knows the floor of these features, and an average voice.
            scale: whether deviations are made equal, too.
            voice: in the place of the front end's average one.
        """
        self.count, self.front_end, self.scale = count, front_end, scale
        self.voice = voice or Voice(front_end.mean, front_end.deviation)
        names = sorted({pool for own in pools.values() for pool in own})
        place = {name: i for i, name in enumerate(names)}
        self.sums = torch.stack([_sums(frames, name, front_end.floor) for name in names])
        width = max(map(len, pools.values()))
        self.pools = torch.zeros(len(frames.index), width, dtype=torch.long)  # (U, M)
        self.num_pools = torch.zeros(len(frames.index), dtype=torch.long)  # (U,)
        for utt, own in pools.items():
            row = frames.index[utt]
            self.pools[row, : len(own)] = torch.tensor([place[pool] for pool in own])
            self.num_pools[row] = len(own)

    def __call__(
        self, feats: Tensor, positions: Tensor, generator: Generator | None = None
    ) -> Tensor:
        """Return normalised features, (B, T, F).

        Args:
            feats: (B, T, F).
            positions: (B,) of their utterances in the store, on the CPU.
            generator: draws 1 to 5 pools for each, in training; None: the first `count` of them.
        """
        available = self.num_pools[positions]  # (B,)
        places = torch.arange(self.pools.shape[1])
        if generator is None:
            chosen = places < available.clamp(max=self.count)[:, None]  # (B, M)
        else:
            most = available.clamp(max=MOST_DRAWN)
            wanted = 1 + (torch.rand(len(positions), generator=generator) * most).long()
            order = torch.rand(len(positions), len(places), generator=generator)
            order[places >= available[:, None]] = 2.0  # behind all that are there
            chosen = order.argsort(1).argsort(1) < wanted[:, None]
        sums = (self.sums[self.pools[positions]] * chosen[:, :, None]).sum(1)  # (B, 2F + 1)
        mean, deviation = _moments(sums, self.front_end.least_deviation)
        goal = self.voice
        mean, deviation = (x.float()[:, None].to(feats.device) for x in (mean, deviation))
        centred = feats.clamp(min=self.front_end.floor) - mean
        if not self.scale:
            return goal.mean + centred
        return goal.mean + goal.deviation * centred / deviation


def voice_of(frames: Frames, utt_ids: Sequence[str], front_end: FrontEnd) -> Voice:
    """Return mean and deviation of each dimension over all frames of some utterances, (F,)."""
    sums = _sums(frames, tuple(utt_ids), front_end.floor)
    mean, deviation = _moments(sums[None], front_end.least_deviation)
    return Voice(*(x[0].float().to(frames.device) for x in (mean, deviation)))


def _sums(frames: Frames, pool: Pool, floor: float) -> Tensor:
    """Return the sum of a pool's frames, that of their squares, and their number: (2F + 1,)."""
    total = None
    for utt in pool:
        own = frames.whole(utt).float().clamp(min=floor).double()
        number = own.new_full((1,), len(own))
        sums = torch.cat([own.sum(0), own.square().sum(0), number]).cpu()
        total = sums if total is None else total + sums
    return total


def _moments(sums: Tensor, least_deviation: float) -> tuple[Tensor, Tensor]:
    """Return mean and deviation of each dimension: (B, 2F + 1) -> (B, F) twice."""
    dim = sums.shape[1] // 2
    mean = sums[:, :dim] / sums[:, -1:]
    variance = sums[:, dim:-1] / sums[:, -1:] - mean.square()
    return mean, variance.clamp(min=least_deviation**2).sqrt()
