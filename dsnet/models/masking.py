"""Padding that leaves no trace: masks from lengths, and batch norm over real frames only.

Axes: B utterances, C channels, T frames, F bins.
"""

import torch
from torch import Tensor, nn


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
        x = x.float()  # under autocast the sums need the range of float32
        weight = mask[:, None, :, None].float()  # (B, 1, T, 1)
        count = weight.sum() * x.shape[3]
        mean = (x * weight).sum((0, 2, 3)) / count
        centred = x - mean[:, None, None]
        variance = (centred.square() * weight).sum((0, 2, 3)) / count
        with torch.no_grad():
            unbiased = variance * (count / (count - 1))
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(unbiased, self.momentum)
            self.num_batches_tracked += 1
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return centred * scale[:, None, None] + self.bias[:, None, None]
