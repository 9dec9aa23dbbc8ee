"""Utterances behind each other in one image, so that a batch costs what its real frames cost.

Padding to the longest of a batch is often more than a third of it. Behind each other, utterances
need only so much silence between them as the encoder's convolutions hear.

Axes: B utterances, C channels, T frames, F bins, P frames of all utterances and their gaps.
"""

import torch
from torch import Tensor

from dsnet.models.masking import frame_mask


def pack(x: Tensor, lengths: Tensor, gap: int, step: int) -> tuple[Tensor, Tensor]:
    """Lay utterances behind each other.

    Args:
        x: (B, C, T, F); what is padding is left out.
        lengths: (B,) int, frames before padding.
        gap: frames between two of them, at least.
        step: every utterance begins at a multiple of it.

    Returns:
        (1, C, P, F), channels last, zero in the gaps, and a (1, P) mask, true elsewhere.
    """
    sizes = (lengths + gap + step - 1) // step * step
    mask = frame_mask(lengths, x.shape[2])  # (B, T)
    starts = sizes.cumsum(0) - sizes
    places = (starts[:, None] + torch.arange(x.shape[2], device=x.device))[mask]  # of real frames
    packed = x.new_zeros(int(sizes.sum()), x.shape[3], x.shape[1])
    packed = packed.index_copy(0, places, x.permute(0, 2, 3, 1)[mask])
    real = torch.zeros(len(packed), dtype=torch.bool, device=x.device)
    return packed[None].permute(0, 3, 1, 2), real.index_fill(0, places, True)[None]


def unpack(x: Tensor, mask: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Undo `pack`, behind encoder and mean over the bins.

    Args:
        x: (1, C, P).
        mask: (1, P) bool, true in the frames of an utterance.
        lengths: (B,) int, how many of them each utterance has.

    Returns:
        (B, C, T), zero where padded, and its (B, T) mask.
    """
    padded_mask = frame_mask(lengths, int(lengths.max()))
    padded = x.new_zeros(*padded_mask.shape, x.shape[1])
    padded[padded_mask] = x[0].T[mask[0]]
    return padded.transpose(1, 2), padded_mask
