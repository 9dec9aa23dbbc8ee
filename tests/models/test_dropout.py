"""Dropout against what it promises: its rate, its scale, independence of elements."""

import pytest
import torch

from dsnet.models.dropout import Dropout


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.5])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_rate_and_scale(rate, layout):
    torch.manual_seed(0)
    x = torch.ones(16, 8, 50, 41).contiguous(memory_format=layout).requires_grad_()
    y = Dropout(rate)(x)
    dropped = y == 0
    count = x.numel()
    assert abs(int(dropped.sum()) - rate * count) < 4 * (rate * (1 - rate) * count) ** 0.5
    assert torch.allclose(y[~dropped], torch.tensor(1 / (1 - rate)), rtol=1e-4)
    y.sum().backward()
    assert torch.equal(x.grad, y)  # what is dropped gets no gradient, what is kept the same factor
    assert y.is_contiguous(memory_format=layout)


def test_elements_are_dropped_independently():
    """Also those that lie next to each other, whose bits come from one random number."""
    torch.manual_seed(1)
    kept = (Dropout(0.5)(torch.ones(400_000)) > 0).double() - 0.5
    for lag in (1, 2, 3, 4, 5, 8):
        assert abs(float((kept[:-lag] * kept[lag:]).mean())) < 4 * 0.25 / 400_000**0.5


def test_a_seed_gives_the_same_and_another_another():
    def draw(seed):
        torch.manual_seed(seed)
        return Dropout(0.5)(torch.ones(100))

    assert torch.equal(draw(1), draw(1)) and not torch.equal(draw(1), draw(2))


def test_in_evaluation_and_at_a_rate_of_0_nothing_is_dropped():
    x = torch.randn(5)
    assert torch.equal(Dropout(0.5).eval()(x), x) and torch.equal(Dropout(0.0)(x), x)
    assert Dropout(1.0)(x).tolist() == [0, 0, 0, 0, 0]
