"""Batches of features out of the feature store, without a loop.

Axes: N frames of all utterances, U utterances, B of them in a batch, T frames, F dimensions, V
versions of an utterance: as it is, and its copies at other speeds.
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from dsnet.features.store import FeatureStore


class Frames:
    """The frames of a feature store, on the device of the network if they fit, else mapped.

    They go to the device if they take at most half of the free memory there; batches always do.
    """

    def __init__(self, store: FeatureStore, device: torch.device | str):
        self.device = torch.device(device)
        self.info, self.index = store.info, store.index
        self.lengths, self.offsets, self.frames = store.lengths, store.offsets, store.frames
        self.num_versions = len(store.info.all_speeds)  # V; they lie behind each other
        if self.device.type == "cuda":
            free = torch.cuda.mem_get_info(self.device)[0]
            there = self.device if 2 * self.frames.nbytes <= free else torch.device("cpu")
            self.frames, self.lengths, self.offsets = (
                x.to(there) for x in (self.frames, self.lengths, self.offsets)
            )

    def positions(self, utt_ids: Sequence[str]) -> Tensor:
        """Return (len(utt_ids),) positions in the store, on the CPU."""
        return torch.tensor([self.index[u] for u in utt_ids], dtype=torch.long)

    def whole(self, utt_id: str, version: int = 0) -> Tensor:
        """Return the (T, F) frames of one utterance, or of its copy at another speed."""
        row = self.index[utt_id] + version
        start, length = int(self.offsets[row]), int(self.lengths[row])
        return self.frames[start : start + length]

    def fixed(
        self,
        positions: Tensor,
        num_frames: int,
        rates: Tensor | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return (B, num_frames, F): longer utterances are cut, shorter ones repeated.

        Args:
            positions: (B,) positions in the store.
            num_frames: T.
            rates: (B,) tempo, above 1 for faster; None: as it is.
            generator: on the CPU, for the place of the cut; None: the beginning is kept.
        """
        lengths = torch.full((len(positions),), num_frames, device=self.frames.device)
        return self._read(positions, lengths, rates, generator).to(self.device)

    def variable(
        self,
        positions: Tensor,
        min_frames: int,
        max_frames: int | None = None,
        rates: Tensor | None = None,
        generator: Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return (B, T, F), zero where padded, and (B,) lengths.

        Shorter utterances are repeated up to `min_frames`, longer ones cut to `max_frames`; for the
        other arguments see `fixed`.
        """
        there = self.frames.device
        whole = self.lengths[positions.to(there)]
        if rates is not None:
            whole = (whole / rates.to(there)).long()
        lengths = whole.clamp(min=min_frames, max=max_frames)
        feats = self._read(positions, lengths, rates, generator)
        real = torch.arange(feats.shape[1], device=there) < lengths[:, None]
        return (feats * real[:, :, None]).to(self.device), lengths.to(self.device)

    def _read(
        self, positions: Tensor, lengths: Tensor, rates: Tensor | None, generator: Generator | None
    ) -> Tensor:
        """Read `lengths` frames of each utterance, over and over if it has fewer."""
        there = self.frames.device
        positions = positions.to(there)
        whole, offsets = self.lengths[positions, None], self.offsets[positions, None]  # (B, 1)
        time = torch.arange(int(lengths.max()), device=there)
        draw = torch.zeros(len(positions), 1)
        if generator is not None:
            draw = torch.rand(len(positions), 1, generator=generator)
        draw = draw.to(there)
        if rates is None:
            spare = (whole - lengths[:, None]).clamp(min=0)
            start = (draw * (spare + 1)).long()
            return self.frames[offsets + (start + time) % whole].float()
        rates = rates.to(there)[:, None]
        start = draw * (whole - lengths[:, None] * rates).clamp(min=0)
        place = (start + time * rates) % whole  # (B, T), between frames
        before = place.long().clamp(max=whole - 1)
        after = (before + 1).clamp(max=whole - 1)
        return torch.lerp(
            self.frames[offsets + before].float(),
            self.frames[offsets + after].float(),
            (place - before)[:, :, None],
        )
