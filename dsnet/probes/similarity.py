"""Linear CKA: how similar the geometry of two sets of embeddings of the same utterances is.

Axes: N utterances, D embedding.

Both variants are the cosine of two centred Gram matrices; they differ in the centring. Biased:
rows and columns have mean 0 (Kornblith et al. 2019, arXiv 1905.00414). With N not far above D it is
high for independent embeddings too, since each utterance is similar to itself in both. Debiased:
the diagonal is left out and the rest centred so that independent embeddings have an expectation of
0 (unbiased HSIC, Song et al. 2012, JMLR 13:1393; as U-centring, Szekely and Rizzo 2014,
arXiv 1310.2926); it can be negative.
"""

import math

import numpy as np

NUM_PERMUTATIONS = 50
MIN_UTTERANCES = 4  # unbiased HSIC divides by N (N - 3)


def cka(x: np.ndarray, y: np.ndarray) -> float:
    """Return linear CKA of (N, D1) and (N, D2), 0 to 1; NaN if one of them is constant."""
    return _cosine(_gram(x), _gram(y))


def debiased_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Return debiased linear CKA of (N, D1) and (N, D2), at most 1; NaN if one is constant.

    N is at least MIN_UTTERANCES.
    """
    return _cosine(_u_centred(_gram(x)), _u_centred(_gram(y)))


def compare(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """Return both variants and what they are when utterances are paired at random.

    Args:
        x: (N, D1).
        y: (N, D2), of the same utterances.
        rng: draws the permutations.

    Returns:
        `debiased`, `biased`; `permuted_debiased`, `permuted_biased`: means over permutations;
        `permuted_debiased_high`: their 95 % quantile, above which the similarity of the true
        pairing is more than accident.
    """
    grams = [_gram(z) for z in (x, y)]
    orders = [rng.permutation(len(x)) for _ in range(NUM_PERMUTATIONS)]
    result = {}
    for name, (a, b) in {"biased": grams, "debiased": [_u_centred(g) for g in grams]}.items():
        permuted = [_cosine(a, b[np.ix_(order, order)]) for order in orders]
        result |= {name: _cosine(a, b), f"permuted_{name}": float(np.mean(permuted))}
    return result | {"permuted_debiased_high": float(np.quantile(permuted, 0.95))}


def _gram(x: np.ndarray) -> np.ndarray:
    """Return (N, N) inner products about the mean; zeros if (N, D) is constant but for rounding."""
    x = x.astype(np.float64)
    if np.ptp(x, axis=0).max() <= 1e-6 * np.abs(x).max():
        return np.zeros((len(x), len(x)))
    x = x - x.mean(0)
    return x @ x.T


def _u_centred(gram: np.ndarray) -> np.ndarray:
    n = len(gram)
    off_diagonal = ~np.eye(n, dtype=bool)
    gram = gram * off_diagonal
    sums = gram.sum(0)
    gram = gram - (sums[:, None] + sums) / (n - 2) + sums.sum() / ((n - 1) * (n - 2))
    return gram * off_diagonal


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    return float(np.vdot(a, b) / norm) if norm else math.nan
