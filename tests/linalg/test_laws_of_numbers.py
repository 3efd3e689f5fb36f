"""Laws of arithmetic: missing cells up to a condition of 1e12, and long float32 data."""

import numpy as np
import pytest
from families import every_family
from test_collinear import in_long_doubles

from skmix import GaussianMixture
from skmix._engine.em import em


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
@pytest.mark.parametrize("condition", [1e2, 1e6, 1e9, 1e12])
@pytest.mark.parametrize("n_components", [1, 2])
def test_missing_cells_at_any_condition(covariance_type, condition, n_components, recwarn):
    rng = np.random.default_rng(int(np.log10(condition)))
    n_features, n_samples = 6, 240
    axes, _ = np.linalg.qr(rng.normal(size=(n_features, n_features)))
    root = axes * np.geomspace(1.0, condition**-0.5, n_features)
    means = 3.0 * np.arange(n_components)[:, None] * root.sum(axis=1)
    labels = np.arange(n_samples) % n_components
    X = means[labels] + rng.normal(size=(n_samples, n_features)) @ root.T
    X = np.where(rng.random(X.shape) < 0.25, np.nan, X)
    X = X[~np.isnan(X).all(axis=1)]
    covariance = root @ root.T
    precision = np.linalg.inv(covariance + 1e-9 * np.eye(n_features))
    shape = (n_components, 1, 1)
    mixture = GaussianMixture(
        n_components,
        covariance_type=covariance_type,
        reg_covar=0.0,
        tol=1e-6,
        max_iter=60,
        means_init=means,
        precisions_init=np.tile(precision, shape) if covariance_type == "full" else precision,
    )
    mixture.fit(X)
    assert not [w for w in recwarn if "fell" in str(w.message)]
    # Rounding of a covariance, which its inverse multiplies.
    tolerance = 50 * n_features * np.finfo(float).eps * condition
    assert np.diff(mixture.lower_bounds_).min() > -max(1e-9, tolerance)
    scores = mixture.score_samples(X[:20])
    covariances = mixture.covariances_
    if covariance_type == "tied":
        covariances = np.tile(covariances, shape)
    for row, score in zip(X[:20], scores, strict=True):
        own = [
            np.log(weight) + float(in_long_doubles(mean, matrix, row)[0])
            for weight, mean, matrix in zip(
                mixture.weights_, mixture.means_, covariances, strict=True
            )
        ]
        expected = np.logaddexp.reduce(own)
        assert score == pytest.approx(expected, abs=max(1e-9, tolerance) * (10 + abs(expected)))


@every_family
def test_float32_fits_of_many_rows_are_those_of_float64(case):
    # Narrow components far from the centre, where sums of squares lose digits.
    rng = np.random.default_rng(0)
    width = 1.0 / 60.0
    labels = rng.integers(2, size=200_000)
    X = np.where(labels, 1.0, -1.0)[:, None] + width * rng.normal(size=(200_000, 3))
    X = X.astype(np.float32)
    covariances = width**2 * case.random_covariances(rng, 2, 3)
    start = case.params([0.5, 0.5], np.array([[-1.0] * 3, [1.0] * 3]), covariances)
    results = []
    for rows in (X, X.astype(np.float64)):
        with case.bound(rows) as (source, family):
            result = em(source, family, family.to_frame(start), tol=0.0, max_iter=2)
            results.append((case.dense(family.from_frame(result.params)), result))
    (actual, run), (expected, _) = results
    variances = np.diagonal(expected, axis1=1, axis2=2)
    np.testing.assert_allclose(np.diagonal(actual, axis1=1, axis2=2), variances, rtol=1e-3)
    assert run.fall == 0.0
