"""Slopes, distribution functions, quantiles and divergences against SciPy and closed forms."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.datasets import load_iris
from sklearn.neighbors import KernelDensity

from skmix import (
    CategoricalMixture,
    DiagonalGMM,
    GaussianMixture,
    MixedMixture,
    TransformedDensity,
    kl_divergence,
)
from skmix._mixtures.covariance_types import FAMILIES

X = load_iris().data
quick = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def one_dimensional(covariance_type="full"):
    weights, means = np.array([0.3, 0.6, 0.1]), np.array([[-4.0], [1.0], [30.0]])
    covariances = {
        "full": np.array([[[0.25]], [[4.0]], [[9.0]]]),
        "diag": np.array([[0.25], [4.0], [9.0]]),
        "spherical": np.array([0.25, 4.0, 9.0]),
        "tied": np.array([[4.0]]),
    }[covariance_type]
    return GaussianMixture.from_parameters(
        weights, means, covariances, covariance_type=covariance_type
    )


def differences(score, rows, step):
    """Central differences of a function of the rows, 0 where a cell is missing."""
    gradient = np.zeros(rows.shape)
    for j in range(rows.shape[1]):
        high, low = rows.copy(), rows.copy()
        high[:, j] += step
        low[:, j] -= step
        gradient[:, j] = (score(high) - score(low)) / (2 * step)
    return np.where(np.isnan(rows), 0.0, gradient)


@quick
@pytest.mark.parametrize("covariance_type", sorted(FAMILIES))
def test_score_gradient_equals_differences_of_the_log_density(covariance_type):
    mixture = GaussianMixture(3, covariance_type=covariance_type, random_state=0, max_iter=20)
    mixture.fit(X)
    rows = X[::5].copy()
    rows[1::2][np.random.default_rng(0).random((len(rows[1::2]), 4)) < 0.5] = np.nan
    rows[0] = 30.0  # far from everything
    rows[1] = np.nan
    gradient = mixture.score_gradient(rows)
    expected = differences(mixture.score_samples, rows, 1e-5)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-5)
    assert np.all(gradient[np.isnan(rows)] == 0.0)
    np.testing.assert_allclose(gradient[2:3], mixture.score_gradient(rows[2:3]), rtol=1e-12)


def test_score_gradient_of_nearly_singular_components():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 5)) * np.array([1.0, 1.0, 1.0, 1e-5, 1e-6])
    covariance = root @ root.T
    mixture = GaussianMixture.from_parameters([1.0], np.zeros((1, 5)), covariance[None])
    rows = rng.normal(size=(6, 5)) @ root.T
    rows[:, 1] = np.nan
    seen = [0, 2, 3, 4]
    block = covariance[np.ix_(seen, seen)]
    expected = -np.linalg.solve(block, rows[:, seen].T).T
    error = np.abs(mixture.score_gradient(rows)[:, seen] - expected).max()
    rounding = np.linalg.cond(block) * np.finfo(float).eps  # 2e-3: what any two solvers agree to
    assert error < rounding * np.abs(expected).max()


def test_score_gradient_keeps_float32_and_takes_frames():
    frame = load_iris(as_frame=True).data
    mixture = DiagonalGMM(2, random_state=0).fit(frame)
    gradient = mixture.score_gradient(frame.astype(np.float32))
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, mixture.score_gradient(frame), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_cdf_sums_those_of_the_components(covariance_type):
    mixture = one_dimensional(covariance_type)
    x = np.linspace(-40.0, 60.0, 60).reshape(3, 20)
    sd = {"tied": np.full(3, 2.0)}.get(covariance_type, np.array([0.5, 2.0, 3.0]))
    expected = sum(
        weight * norm(mean, spread).cdf(x)
        for weight, mean, spread in zip(mixture.weights_, mixture.means_[:, 0], sd, strict=True)
    )
    np.testing.assert_allclose(mixture.cdf(x), expected, rtol=1e-13)
    assert mixture.cdf(0.5) == pytest.approx(float(mixture.cdf([0.5])[0]), rel=1e-15)
    np.testing.assert_array_equal(mixture.cdf([-np.inf, np.inf, np.nan]), [0.0, 1.0, np.nan])


def test_quantiles_invert_the_distribution_function_in_the_tails_as_well():
    mixture = one_dimensional()
    levels = np.array([1e-300, 1e-100, 1e-16, 1e-5, 0.01, 0.25, 0.5, 0.75, 0.95])
    np.testing.assert_allclose(mixture.cdf(mixture.quantile(levels)), levels, rtol=1e-11)
    mirrored = GaussianMixture.from_parameters(
        mixture.weights_, -mixture.means_, mixture.covariances_
    )
    upper = 1.0 - np.array([2.0**-50, 2.0**-30, 0.125])  # exact
    np.testing.assert_allclose(
        mixture.quantile(upper), -mirrored.quantile(1.0 - upper), rtol=1e-13
    )
    np.testing.assert_array_equal(mixture.quantile([[0.0], [1.0]]), [[-np.inf], [np.inf]])
    one = GaussianMixture.from_parameters([1.0, 0.0], [[3.0], [1e6]], [[[4.0]], [[1.0]]])
    np.testing.assert_allclose(one.quantile(levels), norm(3.0, 2.0).ppf(levels), rtol=1e-12)


def test_the_levels_of_several_features_are_refused():
    mixture = GaussianMixture(2, random_state=0).fit(X)
    for method, value in ((mixture.cdf, 0.0), (mixture.quantile, 0.5)):
        with pytest.raises(ValueError, match=r"one feature, but this one has 4.*marginal\(\[j\]"):
            method(value)
    assert mixture.marginal([0]).cdf(mixture.marginal([0]).quantile(0.3)) == pytest.approx(0.3)
    with pytest.raises(ValueError, match="q must be probabilities between 0 and 1, but holds 95"):
        one_dimensional().quantile([0.5, 95.0])
    with pytest.raises(ValueError, match="q must be probabilities between 0 and 1, but holds nan"):
        one_dimensional().quantile(np.nan)
    with pytest.raises(ValueError, match="x must be a number or an array of numbers"):
        one_dimensional().cdf("high")


def test_divergence_of_single_gaussians_has_a_closed_form():
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(2, 3, 3)) + 2 * np.eye(3)
    means, matrices = rng.normal(size=(2, 1, 3)), roots @ roots.swapaxes(1, 2)
    p, q = (
        GaussianMixture.from_parameters([1.0], mean, matrix[None])
        for mean, matrix in zip(means, matrices, strict=True)
    )
    apart = (means[1] - means[0])[0]
    inverse = np.linalg.inv(matrices[1])
    log_det = np.log(np.linalg.det(matrices[1]) / np.linalg.det(matrices[0]))
    exact = 0.5 * (np.trace(inverse @ matrices[0]) + apart @ inverse @ apart - 3 + log_det)
    errors = []
    for seed in range(60):
        value, standard_error = kl_divergence(p, q, 500, random_state=seed)
        errors.append((value - exact) / standard_error)
    assert abs(np.mean(errors)) < 3.0 / np.sqrt(60)
    assert 0.75 < np.std(errors) < 1.3


@pytest.mark.filterwarnings("ignore::skmix.exceptions.DegenerateComponentWarning")
def test_divergence_of_equals_is_zero_and_of_the_impossible_infinite():
    p = MixedMixture(2, random_state=0).fit(
        pd.DataFrame({"a": [1, 2, 3, 9] * 5, "b": list("xxyy") * 5})
    )
    assert kl_divergence(p, p, 100) == (0.0, 0.0)
    one, two = (CategoricalMixture().fit(rows) for rows in ([[0], [1], [0]], [[0], [0], [1]]))
    assert kl_divergence(one, two, 100, random_state=0).value == pytest.approx(0.0, abs=0.5)
    iris = GaussianMixture(random_state=0).fit(X)
    bounded = KernelDensity(kernel="tophat", bandwidth=0.1).fit(X)
    assert kl_divergence(iris, bounded, 100, random_state=0) == (np.inf, np.inf)


def test_divergence_takes_other_densities_and_names_what_differs():
    frame = load_iris(as_frame=True).data
    p = GaussianMixture(2, random_state=0).fit(frame)
    for q in (KernelDensity(), TransformedDensity(density=GaussianMixture(random_state=0))):
        assert kl_divergence(p, q.fit(X), 200, random_state=0).value > 0
    assert kl_divergence(p, KernelDensity().fit(frame), 200, random_state=0).value > 0
    swapped = GaussianMixture(2, random_state=0).fit(frame[frame.columns[::-1]])
    with pytest.raises(ValueError, match="same columns in the same order"):
        kl_divergence(p, swapped)
    with pytest.raises(ValueError, match="'p' parameter of kl_divergence"):
        kl_divergence(KernelDensity().fit(X), p)
