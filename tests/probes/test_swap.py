"""The swap test on systems whose decision is known by construction."""

import numpy as np
import pytest
import torch

from dsnet.probes import swap
from dsnet.probes.swap import swap_test
from dsnet.systems.system import Output

CLASSES = 3


def parts(n=20):
    """Return (N, K) one-hot parts s and e of utterances with certain decisions, and embeddings."""
    one_hot = np.eye(CLASSES, dtype=np.float32)[np.arange(n) % CLASSES]
    return one_hot, one_hot.copy(), one_hot.copy()


class Decides:
    """By what the test says of s and e; by an embedding, the class of its highest number."""

    def __init__(self, logits):
        self.logits = logits

    def decide(self, h):
        return Output(h, {})

    def recombine(self, s, e):
        return Output(self.logits(s, e), {})


def run(logits):
    s, e, h = parts()
    return swap_test(Decides(logits), h, s, e, np.random.default_rng(0))


def test_follows_the_emotion_part():
    assert run(lambda s, e: e + 0.1 * s) == {
        # 20 utterances, classes of 7, 7 and 6: 400 - 49 - 49 - 36 pairs differ
        "num_pairs": 266,
        "follows_e": 1.0,
        "follows_s": 0.0,
        "neither": 0.0,
        "unswapped": 1.0,
    }


def test_follows_the_rest():
    found = run(lambda s, e: s)
    assert (found["follows_e"], found["follows_s"], found["unswapped"]) == (0, 1, 1)


def test_a_decoder_that_ignores_both_parts_follows_what_it_always_says():
    found = run(lambda s, e: torch.tensor([1.0, 0.0, 0.0]).expand(len(s), -1))
    # of the 266 pairs 7 * 13 have class 0 as e's owner, as many as s's owner
    assert found["follows_e"] == found["follows_s"] == pytest.approx(91 / 266)
    assert found["neither"] == pytest.approx(84 / 266)
    assert found["unswapped"] == 7 / 20


def test_a_third_class_is_neither():
    # with the parts of two classes the third is decided, with those of one the next
    found = run(lambda s, e: 1 - s - e + torch.roll(s * e, 1, 1) * 3)
    assert found["neither"] == 1
    assert found["unswapped"] == 0


def test_many_pairs_are_drawn(monkeypatch):
    monkeypatch.setattr(swap, "MAX_PAIRS", 50)
    found = run(lambda s, e: e)
    assert (found["num_pairs"], found["follows_e"]) == (50, 1)


def test_equal_decisions_leave_nothing_to_swap():
    s, e, h = parts()
    assert swap_test(Decides(lambda s, e: e), 0 * h, s, e, np.random.default_rng(0)) is None
