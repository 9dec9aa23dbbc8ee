"""Utterances behind each other: where they lie, how far apart, and back again."""

import torch

from dsnet.models.masking import frame_mask
from dsnet.models.packing import pack, unpack


def test_utterances_lie_behind_each_other_with_a_gap():
    x = torch.arange(1.0, 15.0).reshape(2, 1, 7, 1)  # 1 to 7, and 8 to 14
    packed, mask = pack(x, torch.tensor([7, 2]), gap=2, step=4)
    # 7 + 2 frames take 12, 2 + 2 take 4
    assert packed.flatten().tolist() == [1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0, 0, 8, 9, 0, 0]
    assert torch.equal(mask[0], packed.flatten() > 0)


def test_there_and_back():
    torch.manual_seed(0)
    x, lengths = torch.randn(3, 4, 9, 1), torch.tensor([5, 9, 1])
    packed, mask = pack(x, lengths, gap=3, step=2)
    assert packed.is_contiguous(memory_format=torch.channels_last)
    back, back_mask = unpack(packed.mean(3), mask, lengths)
    assert torch.equal(back_mask, frame_mask(lengths, 9))
    assert torch.equal(back, x[..., 0] * back_mask[:, None])


def test_not_a_number_in_padding_does_no_harm():
    x = torch.full((1, 1, 3, 2), torch.nan)
    x[:, :, :2] = 1.0
    packed, _ = pack(x, torch.tensor([2]), gap=1, step=1)
    assert packed[0, 0].tolist() == [[1, 1], [1, 1], [0, 0]]
