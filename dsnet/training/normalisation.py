"""Normalisation of the input: whose voice is heard for which utterance; see models/voice.py.

What is known of an utterance is mean and log deviation of each dimension over its frames, and
utterances of a pool count alike. Of one vector an utterance the deviation is that of the pool.
Axes: B utterances of a batch, T frames, F dimensions, U utterances of the store, N of them in a
pool, P pools of at most M utterances, V versions of each: a copy at another speed is another voice,
of which the copies at that speed are heard.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Generator, Tensor

from dsnet.models.front_end import FrontEnd
from dsnet.models.voice import Voice, measure
from dsnet.training.frames import Frames


@dataclass(frozen=True)
class Pools:
    """What may be heard for some utterances.

    pools: utterances, best first, of each speaker (or of whom they stand for).
    pool_of: the pool of each utterance that will be read.
    count: how many of its pool an utterance is normalised by; None: all.
    others: by others than itself, if there are any.
    draws: training draws 1 to 2 `draws` - 1 of them; 0: it draws none.
    """

    pools: Mapping[str, Sequence[str]]
    pool_of: Mapping[str, str]
    count: int | None = None
    others: bool = False
    draws: int = 0


class Normalisation:
    """What the pools of a store are like, and utterances in their light."""

    def __init__(
        self, frames: Frames, parts: Sequence[Pools], voice: Voice, front_end: FrontEnd, scale: bool
    ):
        """Measure the pools.

        Args:
            frames: with all utterances.
            parts: pools of different utterances, such as those that train and that validate.
            voice: that normalised features shall have.
            front_end: knows the floor of these features.
            scale: whether deviations are made equal, too.
        """
        self.voice, self.front_end, self.scale = voice, front_end, scale
        self.vectors = frames.info.frame_shift_ms is None
        versions = range(frames.num_versions)
        names = sorted({utt for part in parts for pool in part.pools.values() for utt in pool})
        row = {(utt, v): i for i, (utt, v) in enumerate(product(names, versions))}
        self.known = torch.stack(
            [measure(frames.whole(utt, v), front_end) for utt, v in row]
        )  # (N, 2F)
        pools = [(part, name, v) for part in parts for name in part.pools for v in versions]
        place = {(id(part), name, v): i for i, (part, name, v) in enumerate(pools)}
        self.sizes = torch.tensor([len(part.pools[name]) for part, name, _ in pools])  # (P,)
        width = int(self.sizes.max())
        self.members = torch.zeros(len(pools), width, dtype=torch.long)  # (P, M)
        for i, (part, name, v) in enumerate(pools):
            self.members[i, : len(part.pools[name])] = torch.tensor(
                [row[utt, v] for utt in part.pools[name]]
            )
        self.counts = torch.tensor([part.count or width for part, _, _ in pools])  # (P,)
        self.others = torch.tensor([part.others for part, _, _ in pools])  # (P,)
        self.draws = torch.tensor([part.draws for part, _, _ in pools])  # (P,)
        self.pool_of = torch.zeros(len(frames.index), dtype=torch.long)  # (U,)
        self.row = torch.full((len(frames.index),), -1)  # (U,) of `known`; -1: in no pool
        for part, v in product(parts, versions):
            for utt, name in part.pool_of.items():
                self.pool_of[frames.index[utt] + v] = place[id(part), name, v]
        for (utt, v), i in row.items():
            self.row[frames.index[utt] + v] = i

    def hear(
        self,
        positions: Tensor,
        generator: Generator | None = None,
        references: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return mean and log deviation of what is heard for utterances, as far as believed.

        Args:
            positions: (B,) in the store, on the CPU.
            generator: draws from the pools, in training.
            references: (B,) positions of utterances that share what is heard; neither they are
                heard, if there are others.

        Returns:
            (B, F) each.
        """
        pools = self.pool_of[positions]
        members, others = self.members[pools], self.others[pools, None]  # (B, M), (B, 1)
        places = torch.arange(members.shape[1])
        there = places < self.sizes[pools, None]
        unheard = members == self.row[positions, None]
        if references is not None:
            unheard |= members == self.row[references, None]
        unheard &= there & others
        order = places.double().expand(len(pools), -1).clone()
        wanted = self.counts[pools]
        if generator is not None:
            draws = self.draws[pools]
            random = torch.rand(order.shape, generator=generator, dtype=torch.double)
            order = torch.where(draws[:, None] > 0, random, order)
            share = torch.rand(len(pools), generator=generator, dtype=torch.double)
        order[unheard] += len(places)
        order[~there] = torch.inf
        available = (there & ~unheard).sum(1)
        available = torch.where(available > 0, available, self.sizes[pools])  # there is no other
        wanted = torch.minimum(wanted, available)
        if generator is not None:
            most = torch.minimum(2 * draws - 1, available)
            wanted = torch.where(draws > 0, 1 + (share * most).long(), wanted)
        first = order.topk(int(wanted.max()), largest=False).indices  # (B, K)
        chosen = torch.arange(first.shape[1]) < wanted[:, None]
        # rows that hear the same share one sum
        heard = torch.cat([wanted[:, None], members.gather(1, first).where(chosen, 0)], 1)
        heard, back = torch.unique(heard, dim=0, return_inverse=True)  # (H, 1 + K), (B,)
        number, chosen = heard[:, :1].double(), torch.arange(first.shape[1]) < heard[:, :1]
        known = self.known[heard[:, 1:]] * chosen[:, :, None]  # (H, K, 2F)
        mean, log_deviation = (known.sum(1) / number).chunk(2, dim=1)
        if self.vectors and self.scale:
            spread = known.chunk(2, dim=2)[0].square().sum(1) / number - mean.square()
            log_deviation = spread.clamp(min=self.front_end.least_deviation**2).log() / 2
        mean, log_deviation = self.voice.believe(mean, log_deviation, number)
        return mean[back], log_deviation[back]

    def __call__(self, feats: Tensor, heard: tuple[Tensor, Tensor]) -> Tensor:
        """Return normalised features, (B, T, F).

        Args:
            feats: (B, T, F).
            heard: mean and log deviation, (B, F) each, that `hear` returned for them.
        """
        return self.voice.normalise(feats, *heard, self.front_end.floor, self.scale)


def voice_of(
    frames: Frames, speakers: Sequence[Sequence[str]], front_end: FrontEnd, shrink: bool
) -> Voice:
    """Return the average voice of some speakers, who count alike.

    Args:
        frames: with their utterances.
        speakers: the utterances of each.
        front_end: knows the floor of these features.
        shrink: measure how much an utterance says (a one-way analysis of variance with random
            effects); with one speaker, or one utterance of each, nothing is known of that, and what
            is heard is believed.
    """
    vectors = frames.info.frame_shift_ms is None
    means, within, inverse_counts, total = [], 0.0, 0.0, 0
    for pool in speakers:
        known = torch.stack([measure(frames.whole(utt), front_end) for utt in pool])  # (n, 2F)
        means.append(known.mean(0))
        if vectors:
            dim = known.shape[1] // 2
            deviation = known[:, :dim].std(0, correction=0)
            means[-1][dim:] = deviation.clamp(min=front_end.least_deviation).log()
        within = within + (known - known.mean(0)).square().sum(0)
        inverse_counts, total = inverse_counts + 1 / len(pool), total + len(pool)
    of_speakers = torch.stack(means)  # (S, 2F)
    noise = torch.zeros_like(of_speakers[0])
    if shrink and len(speakers) > 1 and total > len(speakers):
        within = within / (total - len(speakers))
        between = of_speakers.var(0) - within * inverse_counts / len(speakers)
        noise = torch.where(within > 0, within / between.clamp(min=0), noise)
    mean_noise, deviation_noise = noise.chunk(2)
    if vectors:
        deviation_noise = torch.zeros_like(mean_noise)
    return Voice(*of_speakers.mean(0).chunk(2), mean_noise, deviation_noise)
