"""Speaker verification: do two embeddings tell whether one person speaks both utterances?

A pair of held-out utterances is scored by the cosine of their embeddings. Target pairs are of one
speaker, impostor pairs of two. The equal error rate (EER) is the share of target pairs rejected at
the threshold that accepts as large a share of the impostor pairs: 0 if the embedding tells every
voice from every other, 1/2 if the score says nothing of the voice.

A pair never says the same text, so that an embedding of the text alone is at chance. Two kinds of
pairs are also judged alone:

    same sex      voices of two sexes are told apart easily, and some folds hold out one of each;
                  only where two held-out speakers share a sex
    same emotion  emotion moves the embeddings so much that the cosine of all pairs hardly sees the
                  voice, even where a linear classifier does; so chance among all pairs does not
                  show that the voice is gone

Axes: N held-out utterances, P pairs, M utterances of training speakers, D embedding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import roc_curve
from sklearn.preprocessing import StandardScaler, normalize

from dsnet.probes.labels import Labels, text_groups

AT_ONCE = 1 << 16  # pairs whose cosines are taken together
VERIFICATIONS = ("speaker", "speaker_same_sex", "speaker_same_emotion")


@dataclass(frozen=True)
class Pairs:
    """Row numbers of both utterances, first below second, and whether one speaker says both."""

    first: np.ndarray  # (P,)
    second: np.ndarray  # (P,)
    target: np.ndarray  # (P,) bool

    def describe(self) -> dict[str, Any]:
        """Return what a guess has, and how many pairs the EER stands on."""
        num_target = int(self.target.sum())
        return {
            "chance": 0.5,
            "num_target": num_target,
            "num_impostor": len(self.target) - num_target,
        }


def pair_up(held_out: Sequence[str], labels: Labels) -> dict[str, Pairs | None]:
    """Pair all utterances that do not say the same text.

    Args:
        held_out: N utterances.
        labels: of all of them.

    Returns:
        For each of VERIFICATIONS the pairs; None without target or without impostor pairs.
    """
    speaker, sex, emotion, text = (
        np.unique(values, return_inverse=True)[1]
        for values in (
            [labels.speaker[utt] for utt in held_out],
            [labels.sex.get(utt, "") for utt in held_out],
            [labels.emotion[utt] for utt in held_out],
            text_groups(held_out, labels),
        )
    )
    first, second = np.triu_indices(len(held_out), 1)
    other = text[first] != text[second]
    first, second = first[other], second[other]
    known = np.array([utt in labels.sex for utt in held_out])
    shared = [s for s in np.unique(sex[known]) if len(np.unique(speaker[sex == s])) > 1]
    same_sex = (sex[first] == sex[second]) & np.isin(sex, shared)[first]

    def pairs(chosen: np.ndarray) -> Pairs | None:
        target = (speaker[first] == speaker[second])[chosen]
        if target.all() or not target.any():
            return None
        return Pairs(first[chosen], second[chosen], target)

    return {
        "speaker": pairs(np.ones(len(first), bool)),
        "speaker_same_sex": pairs(same_sex),
        "speaker_same_emotion": pairs(emotion[first] == emotion[second]),
    }


def verify(pairs: Pairs, train: np.ndarray, held_out: np.ndarray) -> dict[str, float]:
    """Return the `eer` of cosines of embeddings, standardised by those of the training speakers.

    Args:
        pairs: from `pair_up`.
        train: (M, D) embeddings.
        held_out: (N, D) embeddings.
    """
    x = normalize(StandardScaler().fit(train).transform(held_out))
    cosines = np.empty(len(pairs.target), x.dtype)
    for at in range(0, len(cosines), AT_ONCE):
        part = slice(at, at + AT_ONCE)
        cosines[part] = (x[pairs.first[part]] * x[pairs.second[part]]).sum(1)
    return {"eer": equal_error_rate(cosines, pairs.target)}


def equal_error_rate(scores: np.ndarray, target: np.ndarray) -> float:
    """Return the error rate at which as many targets are rejected as impostors accepted.

    Between two thresholds, and so among equal scores, a decision by lot is taken.

    Args:
        scores: (P,) higher for what looks more like a target.
        target: (P,) bool, with both values.
    """
    accepted_impostors, accepted_targets, _ = roc_curve(target, scores)
    rejected_targets = 1 - accepted_targets
    # from -1, where nothing is accepted, to 1
    balance = accepted_impostors - rejected_targets
    return float(np.interp(0, balance, accepted_impostors))
