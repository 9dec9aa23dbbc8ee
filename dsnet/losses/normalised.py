"""The auxiliary losses of DSNet on scales of their own: about 1 where nothing is learnt, best 0.

The published ones are so small beside the cross entropy that their weights hardly matter, and
their difference is about as large for equal parts as for independent ones. B utterances, D units.
"""

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, cross_entropy, normalize

TEMPERATURE = 0.2  # of the cosines in `contrastive`
MIN_UTTERANCES = 4  # unbiased HSIC divides by B - 3
ROUNDING = 3e-6  # relative to what is rounded


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
    with torch.autocast(s.device.type, enabled=False):
        logits = (s @ r.T / TEMPERATURE).masked_fill(same & ~own, float("-inf"))
    candidates = (own | ~same).sum(1)
    told = candidates > 1
    if not told.any():
        return irrelevant.sum() * 0  # one speaker alone
    target = torch.arange(len(s), device=s.device)
    loss = cross_entropy(logits, target, reduction="none") / candidates.clamp(min=2).log()
    return loss[told].mean()


def alignment(irrelevant: Tensor, emotion: Tensor) -> Tensor:
    """Return the squared debiased CKA of the two parts over a batch, in [0, 1].

    1 if one part is the other turned and scaled, about 0 if they are independent. The biased
    estimate counts each utterance's likeness to itself: 0.84 for independent parts of B = 24 and
    D = 128. That shrinks with the rank of the parts, so they would learn to collapse.

    Args:
        irrelevant: (B, D).
        emotion: (B, D).
    """
    return debiased_cka(irrelevant, emotion).square()


def debiased_cka(x: Tensor, y: Tensor) -> Tensor:
    """Return debiased linear CKA, at most 1; of independent parts its expectation is about 0.

    0, with a gradient of 0, if a part is constant or there are too few utterances.

    Args:
        x: (B, D1).
        y: (B, D2).

    Source: unbiased HSIC, Song et al. 2012, JMLR 13:1393, for CKA, Kornblith et al. 2019, arXiv
    1905.00414. dsnet.probes.similarity has the same in numpy, for many utterances.
    """
    if len(x) < MIN_UTTERANCES:
        return (x.sum() + y.sum()) * 0
    x, y = (_off_diagonal(part).flatten() for part in (x, y))
    return cosine_similarity(x, y, dim=0, eps=1e-12)


def _off_diagonal(x: Tensor) -> Tensor:
    """Return the Gram matrix of (B, D) without its diagonal, and centred so that rows sum to 0.

    The inner product of two such (B, B) matrices is B (B - 3) times the unbiased HSIC. It is 0
    if nothing is left but rounding: x is constant, or one utterance alone differs.

    Source: Szekely and Rizzo 2014, doi 10.1214/14-AOS1255.
    """
    count = len(x)
    own = torch.eye(count, dtype=torch.bool, device=x.device)
    centred = x - x.mean(0)
    with torch.autocast(x.device.type, enabled=False):  # bfloat16 would hide what is left
        gram = centred @ centred.T
    others = gram.masked_fill(own, 0)
    sums = others.sum(1) / (count - 2)
    others = others - sums - sums[:, None] + sums.sum() / (count - 1)
    others = others.masked_fill(own, 0)
    varies = centred.abs().max() > ROUNDING * x.abs().max()
    return others * (varies & (others.norm() > ROUNDING * gram.norm()))


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
