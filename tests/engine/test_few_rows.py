"""Few rows take short ways: they must lead where the long ones do."""

from __future__ import annotations

import numpy as np
import pytest
from families import every_family
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from skmix import GaussianMixture
from skmix._engine import em, few_rows
from skmix._families import rounding
from skmix._rows.sources import ArraySource, Scratch

METHODS = ("predict", "predict_proba", "score_samples")


def fitted(covariance_type, dtype=np.float64, n_features=3):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, n_features)) + 3.0 * rng.integers(3, size=120)[:, None]
    X = X.astype(dtype)
    return GaussianMixture(
        3, covariance_type=covariance_type, init_params="kmeans", random_state=0
    ).fit(X), X


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@every_family
@pytest.mark.parametrize("method", METHODS)
def test_scores_of_few_rows_are_those_of_chunks(monkeypatch, method, case, dtype):
    mixture, X = fitted(case.covariance_type, dtype)
    short = getattr(mixture, method)(X)
    monkeypatch.setattr(few_rows, "FEW", 0)
    long = getattr(mixture, method)(X)
    assert short.dtype == long.dtype and short.flags.c_contiguous
    rtol = 1e-10 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(short, long, rtol=rtol, atol=rtol)


def test_scores_of_few_rows_are_the_densities():
    mixture, X = fitted("full")
    log_prob = [
        np.log(weight) + multivariate_normal(mean, covariance).logpdf(X)
        for weight, mean, covariance in zip(
            mixture.weights_, mixture.means_, mixture.covariances_, strict=True
        )
    ]
    np.testing.assert_allclose(mixture.score_samples(X), logsumexp(log_prob, axis=0), rtol=1e-10)


@every_family
def test_attributes_that_change_in_place_are_seen(case):
    mixture, X = fitted(case.covariance_type)
    one = mixture.score_samples(X[:1])
    mixture.means_ += 1.0
    moved = mixture.score_samples(X[:1] + 1.0)
    np.testing.assert_allclose(moved, one, rtol=1e-10)
    mixture.precisions_cholesky_ *= 0.5
    at_mean = mixture.score_samples(mixture.means_[:1])
    mixture.precisions_cholesky_ = 2.0 * mixture.precisions_cholesky_
    mixture.weights_ = np.array([1.0, 0.0, 0.0])
    lone = mixture.score_samples(mixture.means_[:1])
    assert lone[0] != at_mean[0] and np.isfinite(lone[0])
    np.testing.assert_array_equal(mixture.predict(X[:5]), 0)


@pytest.mark.parametrize("n_features", [3, 200])
def test_missing_cells_and_far_rows_take_the_long_way(n_features):
    mixture, X = fitted("diag", n_features=n_features)
    rows = X[:4].copy()
    rows[0, 1] = np.nan
    scores = mixture.score_samples(rows)
    np.testing.assert_allclose(scores[1:], mixture.score_samples(X[1:4]), rtol=1e-10)
    assert mixture.score_samples(rows[:1] * np.nan)[0] == 0.0
    for bad in (np.inf, -np.inf):
        rows[1, 1] = bad
        with pytest.raises(ValueError, match="infinity"):
            mixture.predict(rows)
    with pytest.raises(ValueError, match="features"):
        mixture.predict(X[:1, :2])
    with pytest.raises(ValueError, match="minimum of 1"):
        mixture.predict(X[:0])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@every_family
def test_features_kept_from_pass_to_pass_change_no_bit(monkeypatch, case, dtype):
    start, X = case.problem(0, n_samples=300)
    X = X.astype(dtype)

    def run():
        with case.bound(X, reg_covar=1e-6) as (source, family):
            return em.em(source, family, family.to_frame(start), tol=0.0, max_iter=5)

    kept = run()
    monkeypatch.setattr(Scratch, "made", lambda *args: None)
    made_anew = run()
    assert kept.lower_bounds == made_anew.lower_bounds
    for one, other in zip(kept.params, made_anew.params, strict=True):
        np.testing.assert_array_equal(one, other)


def test_kept_arrays_are_forgotten_when_their_place_is_taken():
    scratch, X = Scratch(), np.ones(3)
    array = scratch.array("features", (2, 3), np.float64)
    scratch.remember("features", (X,))
    assert scratch.made("features", (X,), (2, 3), np.float64) is array
    assert scratch.made("features", (X.copy(),), (2, 3), np.float64) is None
    assert scratch.made("features", (X,), (3, 2), np.float64) is None
    scratch.array("features", (2, 3), np.float64)
    assert scratch.made("features", (X,), (2, 3), np.float64) is None


@every_family
@pytest.mark.parametrize("coarse", [False, True])
def test_the_cheap_bound_on_rounding_is_a_bound(case, coarse):
    for seed, width in enumerate([1.0, 0.1, 1e-3, 1e-5]):
        start, X = case.problem(seed, n_samples=200)
        with case.bound(X, reg_covar=1e-6) as (_, family):
            family.coarse = coarse
            params = family.to_frame(start)
            params = params._replace(precisions_cholesky=params.precisions_cholesky / width)
            for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
                limit = rounding.surely_small(coarse, dtype)
                if family._bound(params) < limit:
                    units = rounding.of_sums(params.weights * 200, coarse)
                    radius = np.broadcast_to(family.frame.radius, params.means.shape)
                    factors = params.precisions_cholesky
                    norms = np.array([_norm2(case, factors, k) for k in range(len(radius))])
                    ratio2 = norms * radius.max() ** 2
                    assert np.all(rounding.is_small(ratio2, units, dtype))
            if width == 1e-5:
                assert family._bound(params) > rounding.surely_small(coarse, np.dtype(np.float64))


def _norm2(case, factors, k):
    """Largest squared scale of a component's precision factor."""
    if case.covariance_type == "tied":
        return np.linalg.norm(factors, 2) ** 2
    if case.covariance_type == "full":
        return np.linalg.norm(factors[k], 2) ** 2
    return np.max(factors[k]) ** 2


def test_chunks_that_are_all_rows_are_the_rows():
    X = np.zeros((5, 2))
    assert ArraySource(X).take(slice(0, 5)).X is X
