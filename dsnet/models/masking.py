"""Padding that leaves no trace: masks from lengths, and batch norm over real frames only.

Axes: B utterances, C channels, T frames, F bins.
"""

import torch
from torch import Tensor

from dsnet.models.batch_norm import BatchNorm2d


def frame_mask(lengths: Tensor, num_frames: int) -> Tensor:
    """Return (B, T) bool, true where a frame is not padding.

    Args:
        lengths: (B,) int, frames before padding.
        num_frames: T.
    """
    return torch.arange(num_frames, device=lengths.device) < lengths[:, None]


class MaskedBatchNorm2d(BatchNorm2d):
    """Batch norm of (B, C, T, F) whose training statistics leave padded frames out.

    Without a mask, and in evaluation, it is `BatchNorm2d`; with one, `BatchNorm2d` of the real
    frames behind each other. They are copied out and back as whole rows of all bins and channels,
    which is quick where channels lie last.
    """

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Normalise.

        Args:
            x: (B, C, T, F).
            mask: (B, T) bool, true where a frame is real; None if all are.

        Returns:
            (B, C, T, F), in training zero where the mask is false.
        """
        if mask is None or not self.training:
            return super().forward(x)
        batch, channels, frames, bins = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(batch * frames, bins * channels)
        real = mask.flatten().nonzero()[:, 0]
        normed = super().forward(_image(rows.index_select(0, real)[None], channels))
        normed = normed.permute(0, 2, 3, 1).reshape(len(real), bins * channels)
        padded = normed.new_zeros(rows.shape).index_copy(0, real, normed)
        return _image(padded.unflatten(0, (batch, frames)), channels)


def _image(rows: Tensor, channels: int) -> Tensor:
    """Return (B, C, T, F), channels last, of (B, T, F * C): frames that lie in one piece."""
    return rows.unflatten(2, (-1, channels)).permute(0, 3, 1, 2)
