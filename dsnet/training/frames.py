"""Frame store: the features of many utterances as one tensor, batches of them without a loop.

Axes: N frames of all utterances, U utterances, B of them in a batch, T frames, F bins.
"""

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Generator, Tensor

from dsnet.errors import FeatureError


class FrameStore:
    """Features of U utterances, end to end in one (N, F) tensor.

    It lies on the device of the network if it takes at most half of the free memory there, else in
    memory, else in a temporary file that is mapped into memory; batches always go to the device.
    """

    def __init__(
        self,
        lengths: Mapping[str, int],
        matrices: Iterable[tuple[str, np.ndarray]],
        device: torch.device | str,
        max_bytes: int | None = None,
    ):
        """Copy the matrices.

        Args:
            lengths: frames of each of the U utterances.
            matrices: each utterance with its (T, F) float32 matrix, in any order.
            device: of the network.
            max_bytes: in memory; None: a quarter of the machine's.

        Raises:
            FeatureError: a matrix has another length than `lengths` says.
        """
        self.device = torch.device(device)
        self.index = {utt_id: i for i, utt_id in enumerate(lengths)}
        self.lengths = torch.tensor(list(lengths.values()))  # (U,)
        self.offsets = self.lengths.cumsum(0) - self.lengths  # (U,)
        frames = None
        for utt_id, matrix in matrices:
            if frames is None:
                frames = _allocate(int(self.lengths.sum()), matrix.shape[1], max_bytes)
            place = self.index[utt_id]
            if len(matrix) != lengths[utt_id]:
                raise FeatureError(
                    f"'{utt_id}' has {len(matrix)} frames, utt2num_frames says {lengths[utt_id]}; "
                    "run --stage 1"
                )
            start = int(self.offsets[place])
            frames[start : start + len(matrix)] = torch.from_numpy(matrix.copy())
        if self.device.type == "cuda" and 2 * frames.nbytes <= torch.cuda.mem_get_info(device)[0]:
            frames = frames.to(device)
        self.frames = frames
        self.lengths = self.lengths.to(frames.device)
        self.offsets = self.offsets.to(frames.device)

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
            return self.frames[offsets + (start + time) % whole]
        rates = rates.to(there)[:, None]
        start = draw * (whole - lengths[:, None] * rates).clamp(min=0)
        place = (start + time * rates) % whole  # (B, T), between frames
        before = place.long().clamp(max=whole - 1)
        after = (before + 1).clamp(max=whole - 1)
        return torch.lerp(
            self.frames[offsets + before],
            self.frames[offsets + after],
            (place - before)[:, :, None],
        )


def _allocate(num_frames: int, num_bins: int, max_bytes: int | None) -> Tensor:
    """Return an empty (N, F) tensor in memory or, if it is too large for that, in a mapped file."""
    if max_bytes is None:
        max_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
    if num_frames * num_bins * 4 <= max_bytes:
        return torch.empty(num_frames, num_bins)
    with tempfile.NamedTemporaryFile(prefix="dsnet-frames-") as file:
        # the mapping outlives the name
        mapped = torch.from_file(file.name, shared=True, size=num_frames * num_bins)
    return mapped.view(num_frames, num_bins)
