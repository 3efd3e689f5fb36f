"""Standard errors of Gaussian mixtures against differences of SciPy's densities."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from skmix import DiagonalGMM, GaussianMixture, bootstrap
from skmix._mixtures.covariance_types import FAMILIES

LINEAR = ("full", "tied", "diag", "spherical", "EEI", "EII", "VVV", "EEE", "VVI", "VII")
CURVED = sorted(set(FAMILIES) - set(LINEAR) - {"tied-diag", "tied-spherical"})


def rows_of(n_features=2, n_samples=90, holes=0.0, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n_samples, n_features)) @ (np.eye(n_features) + 0.3)
    rows[: n_samples // 3] = rows[: n_samples // 3] * 0.7 + 2.5
    rows[rng.random(rows.shape) < holes] = np.nan
    return rows


def pack(mixture):
    """Weights but the last, means, and the entries of covariances that are free."""
    d = mixture.means_.shape[1]
    free = np.ones(mixture.covariances_.shape, bool)
    if mixture.covariances_.shape[-2:] == (d, d) and FAMILIES[mixture.covariance_type].dense:
        free[..., *np.triu_indices(d, 1)] = False
    return [mixture.weights_[:-1], mixture.means_, mixture.covariances_[free]], free


def naive_errors(mixture, X, weight, robust=False):
    """Hessian of the log-likelihood by central differences, parameter by parameter."""
    parts, free = pack(mixture)
    vector = np.concatenate([np.ravel(part) for part in parts])
    n_components, d = mixture.means_.shape
    kind = mixture.covariance_type
    patterns = np.unique(~np.isnan(X), axis=0)
    one = kind in ("EEI", "EII")  # all components have the same, and one is free
    if one:
        n_own = d if kind == "EEI" else 1
        vector = vector[: len(vector) - (n_components - 1) * n_own]

    def log_density(vector):
        weights = np.append(vector[: n_components - 1], 0.0)
        weights[-1] = 1.0 - weights.sum()
        means, rest = np.split(vector[n_components - 1 :], [n_components * d])
        if one:
            rest = np.tile(rest, n_components)
        covariances = np.zeros(free.shape)
        covariances[free] = rest
        terms = np.empty((len(X), n_components))
        for k in range(n_components):
            if FAMILIES[kind].dense:
                lower = covariances[k] if covariances.ndim == 3 else covariances
                matrix = np.tril(lower) + np.tril(lower, -1).T
            else:
                matrix = np.diag(np.broadcast_to(covariances[k], d))
            mean = means.reshape(n_components, d)[k]
            for o in patterns:
                rows = np.all(~np.isnan(X) == o, axis=1)
                density = multivariate_normal(mean[o], matrix[np.ix_(o, o)])
                terms[rows, k] = np.log(weights[k]) + density.logpdf(X[np.ix_(rows, o)])
        return logsumexp(terms, axis=1)

    size, h = len(vector), 3e-4
    steps = h * np.eye(size)
    gradients = np.array(
        [(log_density(vector + s) - log_density(vector - s)) / (2 * h) for s in steps]
    )
    hessian = np.empty((size, size))
    middle = weight @ log_density(vector)
    for i in range(size):
        for j in range(i + 1):
            if i == j:
                up, down = (weight @ log_density(vector + sign * steps[i]) for sign in (1, -1))
                hessian[i, i] = (up - 2 * middle + down) / h**2
            else:
                both = [
                    weight @ log_density(vector + a * steps[i] + b * steps[j])
                    for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))
                ]
                hessian[i, j] = hessian[j, i] = (both[0] - both[1] - both[2] + both[3]) / (
                    4 * h**2
                )
    inverse = np.linalg.inv(-hessian)
    if robust:
        inverse = inverse @ (gradients * weight**2) @ gradients.T @ inverse
    errors = np.sqrt(np.diag(inverse))
    last = np.sqrt(inverse[: n_components - 1, : n_components - 1].sum())
    weights = np.append(errors[: n_components - 1], last)
    means, rest = np.split(errors[n_components - 1 :], [n_components * d])
    covariances = np.zeros(free.shape)
    covariances[free] = np.tile(rest, n_components) if one else rest
    if FAMILIES[kind].dense:
        covariances = covariances + np.swapaxes(np.tril(covariances, -1), -1, -2)
    return weights, means.reshape(n_components, d), covariances


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("holes", [0.0, 0.25])
@pytest.mark.parametrize("covariance_type", LINEAR[:6])
def test_errors_equal_those_of_a_numerical_hessian(covariance_type, holes, robust):
    X = rows_of(holes=holes, n_samples=45)
    X = X[~np.isnan(X).all(axis=1)]
    weight = np.random.default_rng(1).integers(1, 4, size=len(X)).astype(float)
    mixture = GaussianMixture(
        2, covariance_type=covariance_type, tol=1e-11, max_iter=5000, random_state=0
    ).fit(X, sample_weight=weight)
    errors = mixture.standard_errors(X, weight, robust=robust)
    weights, means, covariances = naive_errors(mixture, X, weight, robust)
    np.testing.assert_allclose(errors.weights, weights, rtol=2e-3)
    np.testing.assert_allclose(errors.means, means, rtol=2e-3)
    np.testing.assert_allclose(errors.covariances, covariances, rtol=4e-3)
    assert errors.covariances.shape == mixture.covariances_.shape
    if FAMILIES[covariance_type].dense:
        covariances = np.broadcast_to(covariances, (2, 2, 2))
        covariances = np.diagonal(covariances, axis1=1, axis2=2)
    of_each = np.broadcast_to(np.asarray(covariances).reshape(2, -1), (2, 2))
    np.testing.assert_allclose(errors.variances, of_each, rtol=4e-3)


def test_old_and_new_names_and_the_diagonal_mixture_agree():
    X = rows_of()
    for one, two in (("full", "VVV"), ("tied", "EEE"), ("diag", "VVI"), ("spherical", "VII")):
        errors = [
            GaussianMixture(2, covariance_type=kind, random_state=0).fit(X).standard_errors(X)
            for kind in (one, two)
        ]
        for left, right in zip(*errors, strict=True):
            np.testing.assert_array_equal(left, right)
    diagonal = DiagonalGMM(2, random_state=0).fit(X)
    assert diagonal.standard_errors(X).covariances.shape == (2, 2)


def test_a_single_component_has_closed_forms():
    X = rows_of(3, 200)
    errors = GaussianMixture(reg_covar=0.0).fit(X).standard_errors(X)
    sigma = np.cov(X.T, ddof=0)
    variances = np.diag(sigma)
    np.testing.assert_allclose(errors.means[0], np.sqrt(variances / 200), rtol=1e-9)
    expected = np.sqrt((np.outer(variances, variances) + sigma**2) / 200)
    np.testing.assert_allclose(errors.covariances[0], expected, rtol=1e-9)
    np.testing.assert_allclose(errors.variances[0], variances * np.sqrt(2 / 200), rtol=1e-9)
    assert errors.weights == pytest.approx([0.0])


def test_weights_are_repetitions_and_units_do_not_matter():
    X = rows_of(holes=0.2)
    X[5] = np.nan
    weight = np.arange(90) % 3
    mixture = GaussianMixture(2, random_state=0).fit(X, sample_weight=weight)
    errors = mixture.standard_errors(X, weight)
    repeated = mixture.standard_errors(np.repeat(X, weight, axis=0))
    scale, offset = np.array([1e3, 1e-3]), 1e5
    moved = GaussianMixture.from_parameters(
        mixture.weights_,
        mixture.means_ * scale + offset * scale,
        mixture.covariances_ * np.outer(scale, scale),
    )
    other = moved.standard_errors((X + offset) * scale, weight)
    for mine, again, there, factor in zip(
        errors, repeated, other, (1.0, scale, scale**2, np.outer(scale, scale)), strict=True
    ):
        np.testing.assert_allclose(mine, again, rtol=1e-8)
        np.testing.assert_allclose(mine * factor, there, rtol=1e-4)
    robust = mixture.standard_errors(X, weight, robust=True)
    for one, two in zip(
        robust, mixture.standard_errors(X, 7.0 * weight, robust=True), strict=True
    ):
        np.testing.assert_allclose(one, two, rtol=1e-8)


def test_many_rows_agree_with_the_bootstrap():
    X = rows_of(n_samples=1500)
    mixture = GaussianMixture(2, random_state=0, tol=1e-8, max_iter=2000).fit(X)
    errors = mixture.standard_errors(X, robust=True)
    drawn = bootstrap(mixture, X, n_bootstrap=60, random_state=0).standard_errors
    for name in ("weights", "means", "variances"):
        np.testing.assert_allclose(getattr(errors, name), drawn[name], rtol=0.45)


def test_pieces_of_rows_add_up(monkeypatch):
    X = rows_of(holes=0.2)
    mixture = GaussianMixture(2, random_state=0).fit(X)
    whole = mixture.standard_errors(X)
    monkeypatch.setattr("skmix._mixtures.information.PIECE_BYTES", 2000)
    for one, two in zip(whole, mixture.standard_errors(X), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-8)


def test_dead_components_and_what_is_refused():
    X = rows_of()
    dead = GaussianMixture.from_parameters(
        [1.0, 0.0], [np.nanmean(X, axis=0), [50.0, 50.0]], [np.cov(X.T)] * 2
    )
    errors = dead.standard_errors(X)
    assert np.isfinite(errors.means[0]).all() and np.isnan(errors.means[1]).all()
    assert np.isnan(errors.covariances[1]).all() and np.isnan(errors.weights[1])
    twice = GaussianMixture.from_parameters(  # equal components: the rows do not tell them apart
        [0.5, 0.5], [np.nanmean(X, axis=0)] * 2, [np.cov(X.T)] * 2
    )
    assert np.isinf(twice.standard_errors(X).weights).all()
    for kind in CURVED:
        mixture = GaussianMixture(2, covariance_type=kind, random_state=0, tol=0.1).fit(X)
        with pytest.raises(ValueError, match=f"not available with covariance_type='{kind}'"):
            mixture.standard_errors(X)
