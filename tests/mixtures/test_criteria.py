"""Criteria of weighted rows, and of rows that say nothing."""

import numpy as np
import pytest
from own_families import Poisson

from skmix import CategoricalMixture, GaussianMixture, Mixture, select_mixture

pytestmark = pytest.mark.usefixtures("few_starts")

MIXTURES = [
    GaussianMixture(2, random_state=0),
    GaussianMixture(2, covariance_type="tied", random_state=0),
    GaussianMixture(2, covariance_type="diag", random_state=0),
    GaussianMixture(2, covariance_type="spherical", random_state=0),
    CategoricalMixture(2, random_state=0),
    Mixture(2, family_factory=Poisson, random_state=0),
]
each_mixture = pytest.mark.parametrize("mixture", MIXTURES, ids=repr)
CRITERIA = ("score", "aic", "bic", "icl", "sabic", "entropy")


def rows(n_samples=60, seed=0):
    """Counts, as numbers, categories or counts alike, some of them missing."""
    rng = np.random.default_rng(seed)
    rates = np.array([[1.0, 2.0, 4.0], [6.0, 7.0, 1.0]])
    X = rng.poisson(rates[np.arange(n_samples) % 2]).astype(float)
    return np.where(rng.random(X.shape) < 0.1, np.nan, np.minimum(X, 9.0))


def criteria(mixture, X, **options):
    values = [getattr(mixture, name)(X, **options) for name in CRITERIA]
    return np.array([*values, mixture.entropy(X, relative=True, **options)])


@each_mixture
def test_a_weight_is_a_repetition(mixture):
    X = rows()
    X = X[~np.isnan(X).all(axis=1)]
    weight = np.random.default_rng(1).integers(0, 4, size=len(X))
    mixture.fit(X)
    weighted = criteria(mixture, X, sample_weight=weight)
    repeated = criteria(mixture, np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted, repeated, rtol=1e-10)


@each_mixture
def test_rows_that_are_entirely_missing_count_nowhere(mixture):
    X = rows()
    mixture.fit(X)
    empty = np.full((500, X.shape[1]), np.nan)
    with_empty = np.concatenate([empty[:200], X, empty])
    np.testing.assert_allclose(
        criteria(mixture, with_empty), criteria(mixture, X), rtol=1e-12, atol=1e-10
    )
    with pytest.raises(ValueError, match="Every row of X of positive weight is entirely missing"):
        mixture.bic(empty)


def test_empty_rows_choose_no_other_mixture():
    X = np.concatenate([rows(), rows(seed=1)])
    grid = {"n_components": [1, 2]}
    choice = select_mixture(GaussianMixture(random_state=0), X, grid)
    empty = np.full((5000, X.shape[1]), np.nan)
    with_empty = select_mixture(GaussianMixture(random_state=0), np.concatenate([X, empty]), grid)
    assert choice.best_params_ == with_empty.best_params_
