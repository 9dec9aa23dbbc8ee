"""CKA: against a hand computation, its invariances, and what independence gives."""

import numpy as np
import pytest
from scipy.stats import ortho_group

from dsnet.probes.similarity import NUM_PERMUTATIONS, cka, compare, debiased_cka


def pair(n, d1, d2, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d1)), rng.normal(size=(n, d2))


def unbiased_hsic(k, l_):
    """Estimator of Song et al. 2012, as they write it (equation 5)."""
    n = len(k)
    k, l_ = k - np.diag(np.diag(k)), l_ - np.diag(np.diag(l_))
    one = np.ones(n)
    terms = np.trace(k @ l_)
    terms += (one @ k @ one) * (one @ l_ @ one) / ((n - 1) * (n - 2))
    terms -= 2 / (n - 2) * (one @ k @ l_ @ one)
    return terms / (n * (n - 3))


def test_one_dimension_is_the_squared_correlation():
    x, y = np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([[1.0], [3.0], [2.0], [5.0]])
    assert cka(x, y) == pytest.approx(0.83152**2, abs=1e-4)  # r = 5.5 / sqrt(5 * 8.75)
    assert cka(x, y) == pytest.approx(np.corrcoef(x[:, 0], y[:, 0])[0, 1] ** 2)


def test_biased_is_the_ratio_of_frobenius_norms():
    x, y = pair(12, 3, 5)
    xc, yc = x - x.mean(0), y - y.mean(0)
    wanted = np.linalg.norm(xc.T @ yc) ** 2
    wanted /= np.linalg.norm(xc.T @ xc) * np.linalg.norm(yc.T @ yc)
    assert cka(x, y) == pytest.approx(wanted)


def test_debiased_is_the_ratio_of_unbiased_hsic():
    x, y = pair(9, 3, 5)
    y[:, 0] += x[:, 0]
    k, l_ = x @ x.T, y @ y.T
    wanted = unbiased_hsic(k, l_) / np.sqrt(unbiased_hsic(k, k) * unbiased_hsic(l_, l_))
    assert debiased_cka(x, y) == pytest.approx(wanted)


@pytest.mark.parametrize("similarity", [cka, debiased_cka])
def test_rotation_scale_and_shift_do_not_matter(similarity):
    x, y = pair(20, 6, 4)
    y = y + x[:, :4]
    rotation = ortho_group.rvs(6, random_state=0)
    assert similarity(3 * x @ rotation + 7, y) == pytest.approx(similarity(x, y))
    assert similarity(x, 3 * x @ rotation + 7) == pytest.approx(1)
    assert similarity(x * [1, 1, 1, 1, 1, 9], x) < 0.95  # other linear maps do


def test_independent_embeddings_are_similar_by_bias_alone():
    values = np.array(
        [[f(*pair(100, 128, 128, seed)) for f in (cka, debiased_cka)] for seed in range(20)]
    )
    biased, debiased = values.mean(0)
    assert biased > 0.5
    assert debiased == pytest.approx(0, abs=0.01)


def test_random_pairing_shows_the_bias():
    x, y = pair(60, 128, 128)
    y = y + x
    found = compare(x, y, np.random.default_rng(0))
    assert found["biased"] == cka(x, y)
    assert found["debiased"] == debiased_cka(x, y) > 0.4
    assert found["permuted_biased"] > 0.6
    assert found["permuted_debiased"] == pytest.approx(0, abs=0.02)
    assert found["permuted_debiased"] < found["permuted_debiased_high"] < 0.1
    rng = np.random.default_rng(0)
    by_rows = [debiased_cka(x, y[rng.permutation(60)]) for _ in range(NUM_PERMUTATIONS)]
    assert found["permuted_debiased"] == pytest.approx(np.mean(by_rows))


def test_no_matrix_grows_with_the_square_of_the_utterances():
    x, y = pair(20_000, 4, 3)  # two Gram matrices would need 6.4 GB
    y += x[:, :3]
    assert debiased_cka(x, y) == pytest.approx(cka(x, y), abs=1e-3)


def test_a_collapsed_part_has_no_similarity():
    x = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    constant = np.full((10, 3), 0.1, np.float32) + np.float32(1e-8) * x
    assert np.isnan(cka(x, constant))
    assert np.isnan(debiased_cka(constant, x))
    assert compare(x, constant, np.random.default_rng(0)) is None
