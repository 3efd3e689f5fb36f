"""Missing cells of nearly collinear columns: densities, fillings and EM keep their digits."""

import numpy as np
import pytest

from skmix import GaussianMixture


def nearly_collinear(noise, n_features=20, rank=3, n_samples=400, unit=1e3, share=0.4, seed=0):
    """Rows of a low rank and a little noise, complete and with holes."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n_samples, rank)) @ rng.normal(size=(rank, n_features))
    X = unit * (common + noise * rng.normal(size=common.shape))
    holes = rng.random(X.shape) < share
    holes[holes.all(axis=1)] = False
    return X, np.where(holes, np.nan, X)


def in_long_doubles(mean, covariance, row):
    """Log density of the observed cells, and mean and variances of the missing ones.

    Eliminates the observed cells one after the other, in extended precision.
    """
    matrix = covariance.astype(np.longdouble)
    deviation = np.where(np.isnan(row), 0.0, row - mean).astype(np.longdouble)
    expected = np.zeros(len(row), dtype=np.longdouble)
    log_density = np.longdouble(0.0)
    for i in np.flatnonzero(~np.isnan(row)):
        pivot, error = matrix[i, i], deviation[i] - expected[i]
        log_density -= 0.5 * (np.log(2 * np.longdouble(np.pi) * pivot) + error**2 / pivot)
        gain = matrix[:, i] / pivot
        expected = expected + gain * error
        matrix = matrix - np.outer(gain, matrix[i])
    missing = np.isnan(row)
    return log_density, mean[missing] + expected[missing], np.diagonal(matrix)[missing]


@pytest.mark.parametrize("share", [0.1, 0.4, 0.8])
@pytest.mark.parametrize("noise", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("n_features", [4, 20, 36])
def test_conditioning_equals_elimination_in_extended_precision(n_features, noise, share):
    X, rows = nearly_collinear(noise, n_features, n_samples=60, share=share)
    rng = np.random.default_rng(1)
    loadings = rng.normal(size=(3, n_features))
    covariance = 1e6 * (loadings.T @ loadings + noise**2 * np.eye(n_features))
    mean = 1e3 * rng.normal(size=n_features)
    rows = rows - np.nanmean(X, axis=0) + mean
    draws = np.random.default_rng(2).multivariate_normal(mean, covariance, size=len(rows))
    rows = np.where(np.isnan(rows), np.nan, draws)
    mixture = GaussianMixture.from_parameters([1.0], [mean], [covariance])
    filled, std = mixture.impute(rows, return_std=True)
    log_density = mixture.score_samples(rows)
    # A covariance is known to a rounding of its largest variances, which its inverse multiplies.
    condition = np.linalg.cond(covariance)
    tolerance = max(1e-9, 50 * n_features * np.finfo(float).eps * condition)
    for row, own_log_density, own, own_std in zip(rows, log_density, filled, std, strict=True):
        expected, means, variances = in_long_doubles(mean, covariance, row)
        assert own_log_density == pytest.approx(
            float(expected), abs=tolerance * (n_features + abs(float(expected)))
        )
        missing = np.isnan(row)
        spread = np.sqrt(variances.astype(float))
        np.testing.assert_allclose(own_std[missing], spread, rtol=max(tolerance, 1e-8))
        error = (own[missing] - means.astype(float)) / spread
        np.testing.assert_allclose(error, 0.0, atol=max(1e3 * tolerance, 1e-6))


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
@pytest.mark.parametrize("noise", [1e-3, 1e-4, 3e-5])
@pytest.mark.parametrize(("n_features", "unit"), [(8, 1e-6), (20, 1e3), (30, 1e6)])
def test_likelihood_never_falls(covariance_type, noise, n_features, unit):
    X, rows = nearly_collinear(noise, n_features, unit=unit, seed=n_features)
    variances = np.nanvar(rows, axis=0)
    precisions = np.diag(1.0 / variances)
    mixture = GaussianMixture(
        covariance_type=covariance_type,
        reg_covar=0.0,
        tol=0.0,
        max_iter=25,
        means_init=np.nanmean(rows, axis=0)[None],
        precisions_init=precisions[None] if covariance_type == "full" else precisions,
    )
    with pytest.warns(match="did not converge"):
        mixture.fit(rows)
    assert np.diff(mixture.lower_bounds_).min() > -1e-9 * n_features
    # Twice as many observed cells as common factors tell the others to a few times the noise; what
    # no longer sees the collinearity is off by 1 / noise.
    holes = np.isnan(rows) & (np.isnan(rows).sum(axis=1, keepdims=True) <= n_features - 6)
    error = (mixture.impute(rows) - X)[holes] / (unit * noise)
    assert np.sqrt(np.mean(error**2)) < 6.0
