"""The three auxiliary losses of DSNet, as published. B utterances, D units.

Source: Chen and Zhang, doi 10.1007/s12204-024-2724-1.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, mse_loss


def similarity(irrelevant: Tensor, neutral: Tensor) -> Tensor:
    """Jensen-Shannon divergence (nats) of the softmaxes over the units, mean over the batch.

    Between 0 (equal) and ln 2. The gradient goes to both sides.

    Args:
        irrelevant: (B, D), the emotion-irrelevant part s of each utterance.
        neutral: (B, D), the embedding of a neutral utterance of the same speaker.
    """
    log_p, log_q = log_softmax(irrelevant, dim=1), log_softmax(neutral, dim=1)
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    kl_p = (log_p.exp() * (log_p - log_m)).sum(1)
    kl_q = (log_q.exp() * (log_q - log_m)).sum(1)
    return (0.5 * (kl_p + kl_q)).mean()


def difference(irrelevant: Tensor, emotion: Tensor) -> Tensor:
    """Mean squared entry of the D x D product of the two parts, centred over the batch.

    Each row is divided by its norm, through which no gradient goes. 0 if every unit of one part
    is uncorrelated with every unit of the other.

    Its gradient shrinks both parts, though their scale changes nothing (but for the 1e-6): as the
    norm counts as a constant, the inner product of a part with the gradient is twice the loss,
    where it should be 0, and the step is the larger, the less of the part is left. Similarity and
    reconstruction pull too weakly against that, so DSNet's s ends as a constant; e is held up by
    the cross entropy. dsnet_plus has another loss.

    Args:
        irrelevant: (B, D).
        emotion: (B, D).
    """
    s, e = (_centred_unit_rows(x) for x in (irrelevant, emotion))
    with torch.autocast(s.device.type, enabled=False):
        return (s.T @ e).square().mean()


def _centred_unit_rows(x: Tensor) -> Tensor:
    x = x - x.mean(0)
    return x / (x.norm(dim=1, keepdim=True).detach() + 1e-6)


def reconstruction(decoded: Tensor, embedding: Tensor) -> Tensor:
    """Mean squared error of the decoder's output and the embedding; both (B, D)."""
    return mse_loss(decoded, embedding)
