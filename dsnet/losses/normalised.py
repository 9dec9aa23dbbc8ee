"""The auxiliary losses of DSNet on scales of their own: about 1 where nothing is learnt, best 0.

The published ones are so small beside the cross entropy that their weights hardly matter, and
their difference is about as large for equal parts as for independent ones. B utterances, D units.
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

TEMPERATURE = 0.2  # of the cosines in `contrastive`


def contrastive(irrelevant: Tensor, neutral: Tensor, speakers: Tensor) -> Tensor:
    """Say how hard it is to tell by s which neutral embedding of the batch is the speaker's own.

    Cross entropy over the cosines (both centred over the batch) of each s with its own neutral
    embedding and those of other speakers, divided by that of guessing. No gradient goes to the
    neutral embeddings, so that they do not give way to s.

    Args:
        irrelevant: (B, D), the emotion-irrelevant part s of each utterance.
        neutral: (B, D), the embedding of a neutral utterance of the same speaker.
        speakers: (B,) indices; utterances of the same speaker are no negatives of each other.

    Source: van den Oord et al. 2018 (InfoNCE), arXiv 1807.03748.
    """
    neutral = neutral.detach()
    s, r = (normalize(x - x.mean(0), dim=1) for x in (irrelevant, neutral))
    own = torch.eye(len(s), dtype=torch.bool, device=s.device)
    same = speakers[:, None] == speakers
    logits = (s @ r.T / TEMPERATURE).masked_fill(same & ~own, float("-inf"))
    candidates = (own | ~same).sum(1)
    told = candidates > 1
    if not told.any():
        return irrelevant.sum() * 0  # one speaker alone
    target = torch.arange(len(s), device=s.device)
    loss = cross_entropy(logits, target, reduction="none") / candidates.clamp(min=2).log()
    return loss[told].mean()


def alignment(irrelevant: Tensor, emotion: Tensor) -> Tensor:
    """Return the linear CKA of the two parts over a batch, in [0, 1].

    1 if one part is the other turned and scaled; 0 if no direction of the one varies with any of
    the other.

    Args:
        irrelevant: (B, D).
        emotion: (B, D).

    Source: Kornblith et al. 2019, arXiv 1905.00414.
    """
    s, e = (x - x.mean(0) for x in (irrelevant, emotion))
    s, e = s @ s.T, e @ e.T  # (B, B)
    return (s * e).sum() / (s.norm() * e.norm()).clamp(min=1e-12)


def unexplained(decoded: Tensor, embedding: Tensor) -> Tensor:
    """Return the share of the embedding's variance over the batch that the decoder misses.

    No gradient goes to the embedding, which could otherwise shrink to be decoded well.

    Args:
        decoded: (B, D).
        embedding: (B, D).
    """
    embedding = embedding.detach()
    spread = (embedding - embedding.mean(0)).square().mean()
    return (decoded - embedding).square().mean() / spread.clamp(min=1e-12)
