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

    def fixed(self, positions: Tensor, num_frames: int) -> Tensor:
        """Return (B, num_frames, F): longer utterances are cut, shorter ones repeated."""
        positions = positions.to(self.device)
        time = torch.arange(num_frames, device=self.device) % self.lengths[positions, None]
        return self.frames[self.offsets[positions, None] + time]

    def variable(
        self,
        positions: Tensor,
        min_frames: int,
        max_frames: int | None = None,
        generator: Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return (B, T, F), zero where padded, and (B,) lengths.

        Args:
            positions: (B,) positions in the store.
            min_frames: shorter utterances are repeated up to so many frames.
            max_frames: longer ones are cropped to so many, at a random place; None: whole.
            generator: on the CPU, for the place of the crop.
        """
        positions = positions.to(self.device)
        whole = self.lengths[positions]
        lengths = whole.clamp(min=min_frames, max=max_frames)
        start = torch.zeros_like(whole)
        if generator is not None:
            draw = torch.rand(len(positions), generator=generator).to(self.device)
            start = (draw * (whole - lengths + 1).clamp(min=1)).long()
        time = torch.arange(int(lengths.max()), device=self.device)
        index = self.offsets[positions, None] + (start[:, None] + time) % whole[:, None]
        real = time < lengths[:, None]
        return self.frames[index] * real[:, :, None], lengths
