"""The table of families: a new family joins the tests of all of them with one row.

Also what those tests share: random mixtures, rows drawn from them, and short ways to run EM.
Parameters are in the units of the rows here unless a name says `framed`.
"""

from collections.abc import Callable
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import oracles
import pytest

from skmix._engine.em import em, predict_proba, score_samples
from skmix._families import (
    DiagonalGaussian,
    Frame,
    FullGaussian,
    GaussianFamily,
    GaussianParams,
    SphericalGaussian,
    TiedGaussian,
)
from skmix._rows.sources import ArraySource


def _random_matrix(rng, n_features):
    """Standard deviations between 0.5 and 2 in random directions; symmetric to the bit."""
    axes, _ = np.linalg.qr(rng.normal(size=(n_features, n_features)))
    matrix = axes * rng.uniform(0.25, 4.0, size=n_features) @ axes.T
    return 0.5 * (matrix + matrix.T)


def _random_matrices(rng, n_components, n_features):
    return np.array([_random_matrix(rng, n_features) for _ in range(n_components)])


class Case(NamedTuple):
    """One row of the table."""

    family: type[GaussianFamily]
    random_covariances: Callable  # (rng, n_components, n_features) -> scikit-learn's shape

    @property
    def covariance_type(self):
        return self.family.covariance_type

    def dense(self, params):
        return oracles.dense(self.covariance_type, params.covariances, *params.means.shape)

    def params(self, weights, means, covariances):
        """Complete parameters with the factors of the precisions."""
        family = self.family(Frame.identity(np.shape(means)[1]))
        covariances = np.array(covariances, dtype=np.float64)
        factors = family.precisions_cholesky(covariances.copy())
        return GaussianParams(np.array(weights), np.array(means), covariances, factors)

    def random_params(self, rng, n_components, n_features, spread=3.0, width=1.0):
        """Component standard deviations of order `width`, `spread` apart; no weight is small."""
        weights = 0.5 * rng.dirichlet(np.ones(n_components)) + 0.5 / n_components
        means = rng.normal(scale=spread, size=(n_components, n_features))
        covariances = width**2 * self.random_covariances(rng, n_components, n_features)
        return self.params(weights, means, covariances)

    def draw(self, rng, params, n_samples):
        """Rows of the mixture, drawn without skmix."""
        labels = rng.choice(len(params.weights), size=n_samples, p=params.weights)
        factors = np.linalg.cholesky(self.dense(params))
        noise = rng.standard_normal((n_samples, params.means.shape[1]))
        return params.means[labels] + np.einsum("nij,nj->ni", factors[labels], noise)

    def problem(self, seed, n_samples=300, n_components=3, n_features=4, **options):
        """A random mixture and rows drawn from it."""
        rng = np.random.default_rng(seed)
        params = self.random_params(rng, n_components, n_features, **options)
        return params, self.draw(rng, params, n_samples)

    @contextmanager
    def bound(self, X, sample_weight=None, **options):
        """An open source of the rows and a family in their frame."""
        with ArraySource(X, sample_weight) as source:
            frame = Frame.of_source(source, common_scale=self.family.common_scale)
            yield source, self.family(frame, **options).for_rows(source)

    def fit(self, X, start, n_iter, sample_weight=None, **options):
        """Run EM for a fixed number of iterations."""
        with self.bound(X, sample_weight, **options) as (source, family):
            result = em(source, family, family.to_frame(start), tol=0.0, max_iter=n_iter)
            return Fit(
                params=family.from_frame(result.params),
                lower_bounds=np.array(result.lower_bounds),
                log_density=score_samples(source, family, result.params),
                resp=predict_proba(source, family, result.params),
            )


class Fit(NamedTuple):
    """What a run of EM led to."""

    params: GaussianParams
    lower_bounds: np.ndarray
    log_density: np.ndarray  # of the rows, at `params`
    resp: np.ndarray


FAMILIES = [
    Case(FullGaussian, _random_matrices),
    Case(TiedGaussian, lambda rng, n_components, n_features: _random_matrix(rng, n_features)),
    Case(DiagonalGaussian, lambda rng, *shape: rng.uniform(0.25, 4.0, size=shape)),
    Case(
        SphericalGaussian,
        lambda rng, n_components, n_features: rng.uniform(0.25, 4.0, size=n_components),
    ),
]

every_family = pytest.mark.parametrize("case", FAMILIES, ids=lambda case: case.covariance_type)


def with_holes(X, share=0.2, seed=0):
    """A copy with cells removed at random, and something left in every row and column."""
    rng = np.random.default_rng(seed)
    holes = rng.random(X.shape) < share
    kept = rng.integers(X.shape[1], size=len(X))
    holes[np.arange(len(X)), kept] = False
    holes[: X.shape[1], :] &= ~np.eye(X.shape[1], dtype=bool)
    return np.where(holes, np.nan, X).astype(X.dtype)


def assert_same_mixture(case, actual, expected, atol):
    """Compare means in component standard deviations, covariances relative to variances."""
    assert actual.covariances.shape == expected.covariances.shape
    np.testing.assert_allclose(actual.weights, expected.weights, rtol=0, atol=atol)
    matrices = case.dense(expected)
    sd = np.sqrt(np.diagonal(matrices, axis1=1, axis2=2))
    np.testing.assert_allclose(
        (actual.means - expected.means) / sd, np.zeros_like(sd), rtol=0, atol=atol
    )
    units = sd[:, :, None] * sd[:, None, :]
    np.testing.assert_allclose(
        case.dense(actual) / units, matrices / units, rtol=0, atol=atol, err_msg="covariances"
    )
