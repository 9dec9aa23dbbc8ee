"""The published encoder: size, range, and padding that leaves no trace."""

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from dsnet.models.encoder import ConvEncoder, EncoderConfig

SMALL = EncoderConfig(channels=[4, 6, 8, 10], embed_dim=12, dropout=0.0)


def test_number_of_parameters():
    # weights of the 5x5 convolutions, batch norms of bins and channels, two 1x1 convolutions
    convolutions = 25 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512)
    wanted = convolutions + 2 * (80 + 64 + 128 + 256 + 512) + 2 * (512 * 256 + 256)
    assert sum(p.numel() for p in ConvEncoder(EncoderConfig()).parameters()) == wanted == 4_570_336


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("shortest", [16, 37, 99])
def test_padding_does_not_change_the_embedding(training, shortest):
    torch.manual_seed(0)
    encoder = ConvEncoder(SMALL)
    encoder(torch.randn(4, 50, 80))  # running statistics that are not the initial ones
    encoder.train(training)
    lengths = torch.tensor([100, shortest, 64])
    feats = pad_sequence([torch.randn(n, 80) * 3 - 5 for n in lengths], batch_first=True)
    more = torch.nn.functional.pad(feats, (0, 0, 0, 29), value=7.0)
    torch.testing.assert_close(encoder(feats, lengths), encoder(more, lengths))
    if not training:
        for b, n in enumerate(lengths):
            alone = encoder(feats[b : b + 1, :n])
            torch.testing.assert_close(encoder(feats, lengths)[b : b + 1], alone)


def test_every_unit_lies_between_zero_and_one():
    h = ConvEncoder(SMALL)(torch.randn(3, 40, 80) * 10)
    assert h.shape == (3, 12) and h.min() > 0 and h.max() < 1
