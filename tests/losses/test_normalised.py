"""Normalised losses: values by hand, bounds, where gradients go and what training on them does."""

import math

import numpy as np
import pytest
import torch

from dsnet.losses.normalised import (
    TEMPERATURE,
    alignment,
    contrastive,
    debiased_cka,
    unexplained,
)
from dsnet.probes import similarity

B, D = 24, 128  # as the shipped configs train


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "loss", [alignment, lambda s, e: contrastive(s, e, torch.arange(B) % 8)], ids=["cka", "nce"]
)
def test_no_loss_asks_for_less_of_a_part(loss):
    """Euler: of what scale does not change, the inner product of gradient and part is 0."""
    s, e = (draw(B, D, seed=seed).double().requires_grad_() for seed in range(2))
    loss(s, e).backward()
    assert s.grad.norm() > 1e-3
    for x in (s, e):
        if x.grad is not None:
            assert (x.grad * (x - x.mean(0))).sum().item() == pytest.approx(0, abs=1e-9)


def test_contrastive_by_hand():
    """Two speakers whose centred embeddings point to opposite sides: cosines 1 and -1."""
    s, r = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[3.0, 1.0], [1.0, 3.0]])
    wanted = math.log1p(math.exp(-2 / TEMPERATURE)) / math.log(2)
    assert contrastive(s, r, torch.tensor([0, 1])) == pytest.approx(wanted, rel=0.01)
    assert contrastive(s, r.flip(0), torch.tensor([0, 1])) > 1  # each is taken for the other


def test_guessing_costs_one_whatever_the_number_of_speakers():
    for count in (2, 5, 11):
        r = draw(count, 4)
        s = torch.zeros(count, 4)  # says nothing: every cosine is 0
        assert contrastive(s, r, torch.arange(count)) == pytest.approx(1, abs=1e-5)


def test_utterances_of_the_same_speaker_are_no_negatives():
    s, r = draw(3, 8), draw(3, 8, seed=1)
    r[1] = r[0]
    both = contrastive(s, r, torch.tensor([0, 0, 1]))
    cosine = torch.nn.functional.cosine_similarity
    sc, rc = s - s.mean(0), r - r.mean(0)
    logits = torch.stack([cosine(sc[i : i + 1], rc) for i in range(3)]) / TEMPERATURE
    by_hand = [
        -logits[0, [0, 2]].log_softmax(0)[0] / math.log(2),
        -logits[1, [1, 2]].log_softmax(0)[0] / math.log(2),
        -logits[2].log_softmax(0)[2] / math.log(3),
    ]
    assert both == pytest.approx(sum(by_hand).item() / 3, rel=1e-4)


def test_one_speaker_alone_costs_nothing():
    s = draw(3, 4).requires_grad_()
    loss = contrastive(s, draw(3, 4), torch.tensor([2, 2, 2]))
    loss.backward()
    assert loss == 0 and not s.grad.any()


def test_alignment_of_turned_and_scaled_copies_is_one():
    for count, dim in ((6, 4), (B, D)):
        x = draw(count, dim)
        turn = torch.linalg.qr(draw(dim, dim, seed=1))[0]
        assert alignment(x, x) == pytest.approx(1, abs=1e-5)
        assert alignment(x, 3 * x @ turn + 7) == pytest.approx(1, abs=1e-5)
        assert alignment(x, 1e-5 * x @ turn) == pytest.approx(1, abs=1e-5)


def test_alignment_by_hand():
    """Of four utterances who is with whom: s has 12 | 34, e has 13 | 24, `both` is half of each.

    Centred, the three ways to pair them have 4 -2 -2, -2 4 -2 and 2 2 -4 (in thirds).
    """
    s = torch.tensor([[1.0, 0], [1, 0], [-1, 0], [-1, 0]])
    e = torch.tensor([[0.0, 1], [0, -1], [0, 1], [0, -1]])
    both = s + e
    assert debiased_cka(s, e) == pytest.approx(-1 / 2)
    assert debiased_cka(s, both) == pytest.approx(1 / 2)
    assert alignment(s, e) == pytest.approx(1 / 4) == alignment(s, both)


@pytest.mark.parametrize("shared", [0.0, 0.5, 1.0])
def test_debiased_cka_is_that_of_the_probes(shared):
    x, y = 3 + draw(B, D), draw(B, D, seed=1)
    y = y + shared * x
    wanted = similarity.debiased_cka(x.numpy(), y.numpy())
    assert float(debiased_cka(x, y)) == pytest.approx(wanted, abs=1e-5)
    assert float(alignment(x, y)) == pytest.approx(wanted**2, abs=1e-5)


def test_independent_parts_have_no_alignment_on_average():
    pairs = [(draw(B, D, seed=2 * i), draw(B, D, seed=2 * i + 1)) for i in range(200)]
    values = np.array([float(debiased_cka(*pair)) for pair in pairs])
    assert abs(values.mean()) < 3 * values.std() / math.sqrt(len(values))
    squares = np.array([float(alignment(*pair)) for pair in pairs])
    assert squares == pytest.approx(values**2)
    # as of random directions in the space of such Gram matrices
    assert squares.mean() == pytest.approx(1 / (B * (B - 3) / 2), rel=0.3)
    assert np.mean([similarity.cka(*(x.numpy() for x in pair)) for pair in pairs[:9]]) > 0.8


def effective_rank(x):
    """Return the exponential of the entropy of the variance over directions."""
    share = np.linalg.svd(x - x.mean(0), compute_uv=False) ** 2
    share = share[share > 0] / share.sum()
    return math.exp(-(share * np.log(share)).sum())


def trained_apart(s, e):
    """Return two parts after 200 steps on their alignment, and its values on the way."""
    s, e = s.clone().requires_grad_(), e.clone().requires_grad_()
    optimizer = torch.optim.Adam([s, e], lr=0.01)
    values = []
    for _ in range(200):
        loss = alignment(s, e)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    return s.detach(), e.detach(), values


def test_training_on_alignment_leaves_independent_parts_their_rank():
    before = draw(B, D), draw(B, D, seed=1)
    *after, values = trained_apart(*before)
    for old, new in zip(before, after, strict=True):
        assert effective_rank(new.numpy()) > 0.9 * effective_rank(old.numpy()) > 15
    assert max(values) < 0.02
    assert abs(similarity.debiased_cka(*(x.numpy() for x in after))) < 0.01


def test_training_on_alignment_parts_what_is_shared():
    s, noise = draw(B, D), draw(B, D, seed=1)
    before = s, s + 0.5 * noise
    *after, values = trained_apart(*before)
    assert values[0] > 0.5 and values[-1] < 0.01
    for old, new in zip(before, after, strict=True):
        assert effective_rank(new.numpy()) > 0.5 * effective_rank(old.numpy())


@pytest.mark.parametrize("count", [1, 2, 3])
def test_too_few_utterances_have_no_alignment(count):
    s, e = (draw(count, 4, seed=i).requires_grad_() for i in range(2))
    loss = alignment(s, e)
    loss.backward()
    assert loss == 0 and not s.grad.any() and not e.grad.any()


@pytest.mark.parametrize(
    "part",
    [
        torch.zeros(B, D),
        torch.full((B, D), 0.1),
        7 + 1e-6 * draw(B, D, seed=2),  # but for rounding
        torch.cat([draw(1, D, seed=2), torch.full((B - 1, D), 0.1)]),  # one utterance differs
    ],
    ids=["zero", "constant", "rounding", "one"],
)
def test_a_part_that_hardly_varies_has_no_alignment(part):
    s, e = part.clone().requires_grad_(), draw(B, D).requires_grad_()
    for loss in (alignment(s, e), alignment(e, s), alignment(s, s)):
        loss.backward()
        assert loss == 0 and not s.grad.any() and not e.grad.any()


def test_unexplained_by_hand():
    h = torch.tensor([[1.0, 3.0], [3.0, 3.0]])
    assert unexplained(h, h) == 0
    assert unexplained(h.mean(0).expand(2, 2), h) == pytest.approx(1)
    assert unexplained(h + 1, h) == pytest.approx(1 / 0.5)


def test_no_gradient_to_what_is_fixed():
    s, e, r, h, d = (draw(5, 4, seed=i).requires_grad_() for i in range(5))
    loss = contrastive(s, r, torch.arange(5)) + alignment(s, e) + unexplained(d, h)
    loss.backward()
    assert r.grad is None and h.grad is None
    assert all(x.grad.abs().sum() > 0 for x in (s, e, d))
