"""Static log-mels to three channels: static, delta, delta-delta."""

import torch
from torch import Tensor
from torchaudio.functional import compute_deltas

WINDOW = 5  # frames; Kaldi's default


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
    return compute_deltas(x.transpose(1, 2), win_length=WINDOW, mode="replicate").transpose(1, 2)


def _replicate_last(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Fill the padding of each utterance with its last real frame."""
    if lengths is None:
        return x
    time = torch.arange(x.shape[1], device=x.device)
    index = torch.minimum(time, lengths[:, None] - 1)  # (B, T)
    return x.gather(1, index[:, :, None].expand_as(x))
