"""Swap test: whose decision follows when one utterance's emotion part meets another's rest?

    s of j --+-- decoder -- h' -- translators, classifier -- decision: i's, j's or neither's?
    e of i --+

If the parts are disentangled as they are meant to be, the decision is that of i, who gave e.

Axes: N utterances, P pairs, D embedding, K classes.
"""

from typing import Any, Protocol

import numpy as np
import torch

from dsnet.systems.system import Output

MAX_PAIRS = 10_000


class Separable(Protocol):
    """A system in evaluation mode that decides by embeddings, and by two parts of them."""

    def decide(self, h: torch.Tensor) -> Output:
        """Classify (N, D) embeddings."""

    def recombine(self, s: torch.Tensor, e: torch.Tensor) -> Output:
        """Decode the parts, (P, D) each, and classify what comes of them."""


@torch.inference_mode()
def swap_test(
    system: Separable, h: np.ndarray, s: np.ndarray, e: np.ndarray, rng: np.random.Generator
) -> dict[str, Any] | None:
    """Swap the parts of utterances on which the network decides differently; quadratic in N.

    Args:
        system: whose parts they are.
        h: (N, D) embeddings: at the speed of the recording, where it hears several.
        s: (N, D) emotion-irrelevant parts.
        e: (N, D) emotion parts.
        rng: draws the pairs, if there are more than MAX_PAIRS.

    Returns:
        `num_pairs`; the shares `follows_e`, `follows_s` and `neither`, which sum to 1; and
        `unswapped`: how often an utterance's own parts, recombined, give its own decision, without
        which the other shares say more of the decoder than of the parts. None if all decisions are
        the same.
    """
    decisions = system.decide(torch.from_numpy(h)).logits.argmax(1).numpy()
    pairs = np.argwhere(decisions[:, None] != decisions)
    if not len(pairs):
        return None
    if len(pairs) > MAX_PAIRS:
        pairs = pairs[rng.choice(len(pairs), MAX_PAIRS, replace=False)]
    of_e, of_s = pairs.T

    def decide(s: np.ndarray, e: np.ndarray) -> np.ndarray:
        logits = system.recombine(torch.from_numpy(s), torch.from_numpy(e)).logits
        return logits.argmax(1).numpy()

    swapped = decide(s[of_s], e[of_e])
    follows_e = float(np.mean(swapped == decisions[of_e]))
    follows_s = float(np.mean(swapped == decisions[of_s]))
    return {
        "num_pairs": len(pairs),
        "follows_e": follows_e,
        "follows_s": follows_s,
        "neither": 1 - follows_e - follows_s,
        "unswapped": float(np.mean(decide(s, e) == decisions)),
    }
