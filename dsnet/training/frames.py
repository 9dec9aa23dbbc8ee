"""Frame store: the features of many utterances as one tensor, batches of them without a loop.

Axes: N frames of all utterances, U utterances, B of them in a batch, T frames, F bins.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Generator, Tensor


class FrameStore:
    """Features of U utterances, end to end in one (N, F) tensor on one device."""

    def __init__(self, matrices: Iterable[tuple[str, np.ndarray]], device: torch.device | str):
        """Copy (utterance id, (T, F) float32) pairs to `device`."""
        ids, arrays = [], []
        for utt_id, matrix in matrices:
            ids.append(utt_id)
            arrays.append(torch.from_numpy(np.array(matrix, dtype=np.float32)))
        self.frames = torch.cat(arrays).to(device)  # (N, F)
        lengths = torch.tensor([len(a) for a in arrays])
        self.lengths = lengths.to(device)  # (U,)
        self.offsets = (lengths.cumsum(0) - lengths).to(device)  # (U,)
        self.index = {utt_id: i for i, utt_id in enumerate(ids)}

    @property
    def device(self) -> torch.device:
        return self.frames.device

    def positions(self, utt_ids: Sequence[str]) -> Tensor:
        """Return (len(utt_ids),) positions in the store, on the CPU."""
        return torch.tensor([self.index[u] for u in utt_ids], dtype=torch.long)

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
        lengths = torch.full((len(positions),), num_frames, device=self.device)
        return self._read(positions, lengths, rates, generator)

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
        whole = self.lengths[positions.to(self.device)]
        if rates is not None:
            whole = (whole / rates.to(self.device)).long()
        lengths = whole.clamp(min=min_frames, max=max_frames)
        feats = self._read(positions, lengths, rates, generator)
        real = torch.arange(feats.shape[1], device=self.device) < lengths[:, None]
        return feats * real[:, :, None], lengths

    def _read(
        self, positions: Tensor, lengths: Tensor, rates: Tensor | None, generator: Generator | None
    ) -> Tensor:
        """Read `lengths` frames of each utterance, over and over if it has fewer."""
        positions = positions.to(self.device)
        whole, offsets = self.lengths[positions, None], self.offsets[positions, None]  # (B, 1)
        time = torch.arange(int(lengths.max()), device=self.device)
        draw = torch.zeros(len(positions), 1)
        if generator is not None:
            draw = torch.rand(len(positions), 1, generator=generator)
        draw = draw.to(self.device)
        if rates is None:
            spare = (whole - lengths[:, None]).clamp(min=0)
            start = (draw * (spare + 1)).long()
            return self.frames[offsets + (start + time) % whole]
        rates = rates.to(self.device)[:, None]
        start = draw * (whole - lengths[:, None] * rates).clamp(min=0)
        place = (start + time * rates) % whole  # (B, T), between frames
        before = place.long().clamp(max=whole - 1)
        after = (before + 1).clamp(max=whole - 1)
        return torch.lerp(
            self.frames[offsets + before],
            self.frames[offsets + after],
            (place - before)[:, :, None],
        )
