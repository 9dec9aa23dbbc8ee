"""Padding that leaves no trace: masks from lengths, and batch norm over real frames only.

Axes: B utterances, C channels, T frames, F bins.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm


def frame_mask(lengths: Tensor, num_frames: int) -> Tensor:
    """Return (B, T) bool, true where a frame is not padding.

    Args:
        lengths: (B,) int, frames before padding.
        num_frames: T.
    """
    return torch.arange(num_frames, device=lengths.device) < lengths[:, None]


class MaskedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm of (B, C, T, F) whose training statistics leave padded frames out.

    Without a mask, and in evaluation, it is `nn.BatchNorm2d`.
    """

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Normalise.

        Args:
            x: (B, C, T, F).
            mask: (B, T) bool, true where a frame is real; None if all are.
        """
        if mask is None or not self.training:
            return super().forward(x)
        self.num_batches_tracked += 1
        real = x.transpose(1, 2)[mask]  # (frames, C, F), so that torch's own batch norm serves
        normed = batch_norm(
            real,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training=True,
            momentum=self.momentum,
            eps=self.eps,
        )
        padded = normed.new_zeros(x.transpose(1, 2).shape)
        padded[mask] = normed
        return padded.transpose(1, 2)
