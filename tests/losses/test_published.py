"""DSNet's auxiliary losses against scipy and values computed by hand."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax

from dsnet.losses.published import difference, reconstruction, similarity


def test_similarity_is_scipys_squared_jensen_shannon_distance():
    rng = np.random.default_rng(0)
    s, r = rng.normal(size=(2, 5, 16))
    wanted = np.mean(
        [jensenshannon(softmax(a), softmax(b)) ** 2 for a, b in zip(s, r, strict=True)]
    )
    assert similarity(torch.tensor(s), torch.tensor(r)).item() == pytest.approx(wanted, rel=1e-9)


def test_similarity_lies_between_zero_and_log_two():
    same = torch.randn(3, 8)
    assert similarity(same, same).item() == pytest.approx(0, abs=1e-6)
    far = torch.tensor([[100.0, 0.0]])
    assert similarity(far, far.flip(1)).item() == pytest.approx(math.log(2))


def test_similarity_pulls_both_sides():
    s, r = torch.randn(2, 3, 8).requires_grad_().unbind()
    s.retain_grad(), r.retain_grad()
    similarity(s, r).backward()
    assert s.grad.abs().sum() > 0 and r.grad.abs().sum() > 0


def test_difference_by_hand():
    # centred: s (1, 0), (-1, 0), e (0, 2), (0, -2); with rows of norm 1 s^T e = [[0, 2], [0, 0]]
    s = torch.tensor([[2.0, 5.0], [0.0, 5.0]])
    e = torch.tensor([[1.0, 4.0], [1.0, 0.0]])
    assert difference(s, e).item() == pytest.approx((2.0**2) / 4, rel=1e-5)


def test_difference_vanishes_for_parts_that_do_not_vary_together():
    s = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]])
    e = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
    assert difference(s, e).item() == pytest.approx(0, abs=1e-12)


def test_no_gradient_goes_through_the_norm_of_a_row():
    s = torch.randn(4, 3, dtype=torch.double, requires_grad=True)
    e = torch.randn(4, 3, dtype=torch.double)
    difference(s, e).backward()
    with torch.no_grad():
        scale = 1 / ((s - s.mean(0)).norm(dim=1, keepdim=True) + 1e-6)
    fixed = s.detach().clone().requires_grad_()
    f = (e - e.mean(0)) / ((e - e.mean(0)).norm(dim=1, keepdim=True) + 1e-6)
    ((((fixed - fixed.mean(0)) * scale).T @ f) ** 2).mean().backward()
    torch.testing.assert_close(s.grad, fixed.grad)


def test_difference_asks_to_shrink_what_its_value_does_not_depend_on():
    """Euler: the inner product of x and the gradient of f is n f(x), f homogeneous of degree n."""
    s, e = torch.randn(2, 24, 16, dtype=torch.double).requires_grad_().unbind()
    s.retain_grad(), e.retain_grad()
    loss = difference(s, e)
    loss.backward()
    assert difference(0.1 * s, 3 * e).item() == pytest.approx(loss.item(), rel=1e-4)
    for x in (s, e):
        assert (x.grad * (x - x.mean(0))).sum().item() == pytest.approx(2 * loss.item(), rel=1e-6)


def test_reconstruction_by_hand():
    decoded, embedding = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 4.0]])
    assert reconstruction(decoded, embedding).item() == pytest.approx((1 + 4) / 2)
