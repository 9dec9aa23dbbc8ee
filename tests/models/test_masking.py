"""Masks and masked batch norm against torch's own batch norm of the real frames alone."""

import torch
from torch import nn

from dsnet.models.masking import MaskedBatchNorm2d, frame_mask


def test_mask_marks_the_frames_before_padding():
    mask = frame_mask(torch.tensor([1, 3]), 4)
    assert mask.tolist() == [[True, False, False, False], [True, True, True, False]]


def test_training_statistics_are_those_of_the_real_frames():
    torch.manual_seed(0)
    x = torch.randn(2, 4, 7, 5)  # (B, C, T, F)
    lengths = torch.tensor([7, 3])
    masked, plain = MaskedBatchNorm2d(4), nn.BatchNorm2d(4)
    real = torch.cat([x[0], x[1, :, :3]], dim=1)[None]  # (1, C, 10, F)
    wanted = plain(real)
    got = masked(x, frame_mask(lengths, 7))
    torch.testing.assert_close(got[0], wanted[0, :, :7])
    torch.testing.assert_close(got[1, :, :3], wanted[0, :, 7:])
    torch.testing.assert_close(masked.running_mean, plain.running_mean)
    torch.testing.assert_close(masked.running_var, plain.running_var)
