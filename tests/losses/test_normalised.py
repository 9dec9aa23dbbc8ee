"""Normalised losses: values by hand, bounds, and where gradients go."""

import math

import pytest
import torch

from dsnet.losses.normalised import TEMPERATURE, alignment, contrastive, unexplained


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


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


def test_alignment_is_of_turned_copies_one_and_of_unrelated_parts_zero():
    x = draw(6, 4)
    turn = torch.linalg.qr(draw(4, 4, seed=1))[0]
    assert alignment(x, 3 * x @ turn + 7) == pytest.approx(1, abs=1e-5)
    s = torch.tensor([[1.0, 0], [1, 0], [-1, 0], [-1, 0]])
    e = torch.tensor([[0.0, 1], [0, -1], [0, 1], [0, -1]])
    assert alignment(s, e) == 0
    half = torch.stack([s[:, 0], e[:, 1]], 1)  # varies with s in one of its two directions
    assert alignment(s, half) == pytest.approx(1 / math.sqrt(2))


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
