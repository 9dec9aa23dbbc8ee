"""Batch norm of a batch that several processes share: each holds some utterances of it.

Statistics are of all utterances of the batch, as if one process held them; where only one process
works, these are torch's own. Only what an encoder is made of needs it: the rest of a network is
computed by every process on all embeddings (see training/team.py).
Axes: B utterances, C channels.
"""

import torch
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm


class BatchNorm1d(nn.BatchNorm1d):
    """Batch norm of (B, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return shared_batch_norm(self, x) if self.training and is_shared() else super().forward(x)


class BatchNorm2d(nn.BatchNorm2d):
    """Batch norm of (B, C, T, F)."""

    def forward(self, x: Tensor) -> Tensor:
        return shared_batch_norm(self, x) if self.training and is_shared() else super().forward(x)


def is_shared() -> bool:
    """Say whether several processes train together."""
    return distributed.is_available() and distributed.is_initialized()


def shared_batch_norm(norm: _BatchNorm, x: Tensor) -> Tensor:
    """Normalise this process's share of a batch, and keep the running statistics.

    Args:
        norm: the layer, in training.
        x: (B, C, ...), B of this process; float32 or less exact, statistics are in float32.
    """
    axes = [0, *range(2, x.ndim)]
    values = x.float()
    count = torch.full((1,), x.numel() / x.shape[1], device=x.device)
    total = all_reduce(torch.cat([values.sum(axes), count]))
    count = total[-1].detach()
    centred = values - _along(total[:-1] / count, x)
    variance = all_reduce(centred.square().sum(axes)) / count
    with torch.no_grad():
        norm.num_batches_tracked += 1
        norm.running_mean.lerp_(total[:-1] / count, norm.momentum)
        norm.running_var.lerp_(variance * count / (count - 1), norm.momentum)
    normed = centred * _along((variance + norm.eps).rsqrt(), x)
    if norm.affine:
        normed = normed * _along(norm.weight, x) + _along(norm.bias, x)
    return normed.to(x.dtype)


def _along(values: Tensor, x: Tensor) -> Tensor:
    """Return (C,) values as they go with (B, C, ...)."""
    return values.reshape(1, -1, *[1] * (x.ndim - 2))
