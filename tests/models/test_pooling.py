"""Pooling over time, against the mean and deviation of what is pooled."""

import pytest
import torch

from dsnet.models.pooling import AttentiveStatistics


@pytest.mark.parametrize("spread", [0.03, 0.2, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_deviation_is_not_lost_beside_a_large_mean(spread, dtype):
    """With equal attention it is that of the values, however few bits each of them has."""
    torch.manual_seed(0)
    pooling = AttentiveStatistics(6)
    for parameter in pooling.score[2].parameters():
        torch.nn.init.zeros_(parameter)  # every frame has the same weight
    x = (3 + spread * torch.randn(2, 6, 400)).to(dtype)
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        mean, deviation = pooling(x).chunk(2, 1)
    true = x.double()
    torch.testing.assert_close(mean.double(), true.mean(2), rtol=1e-4, atol=0)
    torch.testing.assert_close(deviation.double(), true.std(2, correction=0), rtol=0.01, atol=0)
