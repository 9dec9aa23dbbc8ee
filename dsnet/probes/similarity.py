"""Linear CKA: how similar the geometry of two sets of embeddings of the same utterances is.

Axes: N utterances, D embedding.

Both variants are the cosine of two centred Gram matrices; they differ in the centring. Biased:
rows and columns have mean 0 (Kornblith et al. 2019, arXiv 1905.00414). With N not far above D it is
high for independent embeddings too, since each utterance is similar to itself in both. Debiased:
the diagonal is left out and the rest centred so that independent embeddings have an expectation of
0 (unbiased HSIC, Song et al. 2012, JMLR 13:1393); it can be negative.

The (N, N) matrices are never built: of linear kernels the inner product of two is that of (D, D)
ones, and with embeddings about their mean the rows of a Gram matrix sum to 0 already.
"""

import math
from collections.abc import Callable

import numpy as np

NUM_PERMUTATIONS = 50
MIN_UTTERANCES = 4  # unbiased HSIC divides by N - 3


def cka(x: np.ndarray, y: np.ndarray) -> float:
    """Return linear CKA of (N, D1) and (N, D2), 0 to 1; NaN if one of them is constant."""
    return _cosine(_product, _centred(x), _centred(y))


def debiased_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Return debiased linear CKA of (N, D1) and (N, D2), at most 1; NaN if one is constant.

    N is at least MIN_UTTERANCES.
    """
    return _cosine(_unbiased_product, _centred(x), _centred(y))


def compare(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> dict[str, float] | None:
    """Return both variants and what they are when utterances are paired at random.

    Args:
        x: (N, D1).
        y: (N, D2), of the same utterances; N is at least MIN_UTTERANCES.
        rng: draws the permutations.

    Returns:
        `debiased`, `biased`; `permuted_debiased`, `permuted_biased`: means over permutations;
        `permuted_debiased_high`: their 95 % quantile, above which the similarity of the true
        pairing is more than accident. None if one of the two is constant.
    """
    orders = [rng.permutation(len(x)) for _ in range(NUM_PERMUTATIONS)]
    result = {}
    for name, similarity in {"biased": cka, "debiased": debiased_cka}.items():
        permuted = [similarity(x, y[order]) for order in orders]
        result |= {name: similarity(x, y), f"permuted_{name}": float(np.mean(permuted))}
    result["permuted_debiased_high"] = float(np.quantile(permuted, 0.95))
    return None if any(math.isnan(value) for value in result.values()) else result


def _centred(x: np.ndarray) -> np.ndarray:
    """Return (N, D) about its mean; zeros if it is constant but for rounding.

    A guard of the arithmetic alone: results.embeddings says what varies too little to be looked at.
    """
    x = x.astype(np.float64)
    if np.ptp(x, axis=0).max() <= 1e-6 * np.abs(x).max():
        return np.zeros_like(x)
    return x - x.mean(0)


def _product(x: np.ndarray, y: np.ndarray) -> float:
    """Return the inner product of the Gram matrices of (N, D1) and (N, D2), both centred."""
    return np.square(x.T @ y).sum()


def _unbiased_product(x: np.ndarray, y: np.ndarray) -> float:
    """Return N (N - 3) times the unbiased HSIC of (N, D1) and (N, D2), both centred.

    Without its diagonal a row of a Gram matrix sums to minus the diagonal entry.
    """
    n = len(x)
    a, b = np.square(x).sum(1), np.square(y).sum(1)  # the diagonals
    return _product(x, y) - n / (n - 2) * (a @ b) + a.sum() * b.sum() / ((n - 1) * (n - 2))


def _cosine(
    product: Callable[[np.ndarray, np.ndarray], float], x: np.ndarray, y: np.ndarray
) -> float:
    norm = product(x, x) * product(y, y)
    return float(product(x, y) / math.sqrt(norm)) if norm > 0 else math.nan
