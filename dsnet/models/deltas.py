"""Static log-mels to three channels: static, delta, delta-delta."""

import torch
from torch import Tensor

REACH = 2  # frames on both sides, a window of 5: Kaldi's default


def with_deltas(feats: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Stack static features with their first and second regression deltas.

    Edges are replicated: beyond the first and last frame of the utterance (not of the padded
    batch) its first and last values go on.

    Args:
        feats: (B, T, F).
        lengths: (B,) int, frames before padding; None if there is no padding.

    Returns:
        (B, 3, T, F).
    """
    channels = [feats]
    for _ in range(2):
        channels.append(_delta(_replicate_last(channels[-1], lengths)))
    return torch.stack(channels, dim=1)


def _delta(x: Tensor) -> Tensor:
    """Return the slope of a line through each frame and its neighbours, in one unit a frame.

    The same as torchaudio's compute_deltas, whose convolution with a group for each bin of each
    utterance cannot be exported to ONNX for a batch of any size.
    """
    first, last = x[:, :1], x[:, -1:]
    x = torch.cat([first.expand(-1, REACH, -1), x, last.expand(-1, REACH, -1)], 1)
    frames = x.shape[1] - 2 * REACH
    steps = range(1, REACH + 1)
    rise = sum(
        n * (x[:, REACH + n : REACH + n + frames] - x[:, REACH - n : REACH - n + frames])
        for n in steps
    )
    return rise / (2 * sum(n * n for n in steps))


def _replicate_last(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Fill the padding of each utterance with its last real frame."""
    if lengths is None:
        return x
    time = torch.arange(x.shape[1], device=x.device)
    index = torch.minimum(time, lengths[:, None] - 1)  # (B, T)
    return x.gather(1, index[:, :, None].expand_as(x))
