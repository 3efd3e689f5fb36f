"""Marginals, conditionals, imputation and draws of fitted mixtures against explicit formulas."""

import numpy as np
import oracles
import pytest
import scipy.integrate
import scipy.stats

from skmix import DiagonalGMM, GaussianMixture

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
each_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


def mixture_of(covariance_type, n_features=4, n_components=3, seed=0, **settings):
    """A fitted mixture with random parameters, and its covariances as matrices."""
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(n_components, n_features, n_features))
    matrices = roots @ roots.swapaxes(1, 2) + 0.3 * np.eye(n_features)
    covariances = {
        "full": matrices,
        "tied": matrices[0],
        "diag": np.diagonal(matrices, axis1=1, axis2=2),
        "spherical": matrices[:, 0, 0],
    }[covariance_type]
    weights = rng.dirichlet(np.ones(n_components))
    means = rng.normal(scale=2.0, size=(n_components, n_features))
    mixture = GaussianMixture.from_parameters(
        weights / weights.sum(), means, covariances, covariance_type=covariance_type
    ).set_params(**settings)
    return mixture, oracles.dense(covariance_type, covariances, n_components, n_features)


def rows_with_holes(mixture, n_samples=40, seed=0):
    """Draws of the mixture, each with one to all but one cells missing."""
    rng = np.random.default_rng(seed)
    X = mixture.set_params(random_state=seed).sample(n_samples)[0]
    n_features = X.shape[1]
    n_missing = rng.integers(1, n_features, size=n_samples)
    ranks = np.argsort(rng.random(X.shape), axis=1)
    return np.where(ranks < n_missing[:, None], np.nan, X)


@each_type
@pytest.mark.parametrize("n_features", [3, 30])
def test_condition_equals_the_explicit_formulas(covariance_type, n_features):
    mixture, matrices = mixture_of(covariance_type, n_features)
    X = rows_with_holes(mixture, 20)
    _, resp, expected, covariances = oracles.conditional(
        X, mixture.weights_, mixture.means_, matrices
    )
    conditionals = mixture.condition(X)
    assert len(conditionals) == len(X)
    for i, conditional in enumerate(conditionals):
        m = np.isnan(X[i])
        assert conditional.covariance_type == covariance_type
        assert conditional.n_features_in_ == m.sum()
        np.testing.assert_allclose(conditional.weights_, resp[i], rtol=0, atol=1e-11)
        np.testing.assert_allclose(conditional.means_, expected[i][:, m], atol=1e-9)
        dense = oracles.dense(covariance_type, conditional.covariances_, *conditional.means_.shape)
        np.testing.assert_allclose(dense, covariances[i][:, m][:, :, m], atol=1e-9)


@each_type
def test_conditional_density_is_a_ratio(covariance_type):
    mixture, _ = mixture_of(covariance_type, 2)
    (conditional,) = mixture.condition([[0.7, np.nan]])
    values = np.linspace(-4, 4, 9)
    joint = mixture.score_samples(np.column_stack([np.full(9, 0.7), values]))
    ratio = joint - mixture.score_samples([[0.7, np.nan]])
    np.testing.assert_allclose(conditional.score_samples(values[:, None]), ratio, atol=1e-11)
    mass, _ = scipy.integrate.quad(
        lambda value: np.exp(conditional.score_samples([[value]])[0]), -60, 60, limit=500
    )
    assert mass == pytest.approx(1.0, abs=1e-7)


@each_type
def test_imputation_is_the_mean_and_spread_of_the_conditional(covariance_type):
    mixture, _ = mixture_of(covariance_type, 5)
    X = rows_with_holes(mixture)
    filled, std = mixture.impute(X, return_std=True)
    for row, mean, deviation, conditional in zip(
        X, filled, std, mixture.condition(X), strict=True
    ):
        m = np.isnan(row)
        weights, means = conditional.weights_, conditional.means_
        variances = np.diagonal(
            oracles.dense(covariance_type, conditional.covariances_, *means.shape),
            axis1=1,
            axis2=2,
        )
        np.testing.assert_allclose(mean[m], weights @ means, atol=1e-10)
        variance = weights @ (variances + (means - weights @ means) ** 2)
        np.testing.assert_allclose(deviation[m], np.sqrt(variance), atol=1e-10)
    np.testing.assert_array_equal(filled[~np.isnan(X)], X[~np.isnan(X)])
    np.testing.assert_array_equal(std[~np.isnan(X)], 0.0)


@each_type
@pytest.mark.parametrize("n_features", [3, 30])
def test_draws_follow_the_conditional(covariance_type, n_features):
    mixture, _ = mixture_of(covariance_type, n_features)
    X = rows_with_holes(mixture, 4)
    n_draws = 4000
    draws = mixture.sample_conditional(X, n_draws, random_state=0)
    assert draws.shape == (n_draws, *X.shape)
    observed = ~np.isnan(X)
    np.testing.assert_array_equal(draws[:, observed], np.tile(X[observed], (n_draws, 1)))
    mean, std = mixture.impute(X, return_std=True)
    standardised = (draws.mean(axis=0) - mean)[~observed] / std[~observed] * np.sqrt(n_draws)
    assert np.abs(standardised).max() < 4.5
    np.testing.assert_allclose(draws.std(axis=0)[~observed], std[~observed], rtol=0.12)
    # One feature's whole distribution, against the conditional mixture's.
    i, j = np.argwhere(~observed)[0]
    (conditional,) = mixture.condition(X[[i]])
    where = int(np.isnan(X[i, :j]).sum())
    sd = np.sqrt(
        np.diagonal(
            oracles.dense(covariance_type, conditional.covariances_, *conditional.means_.shape),
            axis1=1,
            axis2=2,
        )[:, where]
    )

    def cdf(values):
        z = (np.asarray(values)[:, None] - conditional.means_[:, where]) / sd
        return scipy.stats.norm.cdf(z) @ conditional.weights_

    assert scipy.stats.kstest(draws[:, i, j], cdf).pvalue > 1e-3


def test_draws_are_reproducible_and_differ():
    mixture, _ = mixture_of("full", random_state=3)
    X = rows_with_holes(mixture)
    first = mixture.sample_conditional(X, 2, random_state=1)
    np.testing.assert_array_equal(mixture.sample_conditional(X, 2, random_state=1), first)
    assert not np.array_equal(mixture.sample_conditional(X, 2, random_state=2), first)
    assert not np.array_equal(first[0], first[1])
    mixture.set_params(random_state=1)
    np.testing.assert_array_equal(mixture.sample_conditional(X, 2), first)
    with pytest.raises(ValueError, match="'n_draws': 0"):
        mixture.sample_conditional(X, 0)


@each_type
def test_marginal_drops_features(covariance_type):
    mixture, matrices = mixture_of(covariance_type, 5)
    features = [3, 0, 4]
    marginal = mixture.marginal(features)
    assert marginal.covariance_type == covariance_type
    dense = oracles.dense(covariance_type, marginal.covariances_, 3, 3)
    np.testing.assert_allclose(dense, matrices[:, features][:, :, features], atol=1e-10)
    X = mixture.sample(20)[0]
    holes = np.full_like(X, np.nan)
    holes[:, features] = X[:, features]
    np.testing.assert_allclose(
        marginal.score_samples(X[:, features]), mixture.score_samples(holes), atol=1e-10
    )
    np.testing.assert_array_equal(
        mixture.marginal(np.array([True, False, True, False, False])).means_,
        mixture.means_[:, [0, 2]],
    )
    np.testing.assert_array_equal(mixture.marginal(-1).means_, mixture.means_[:, [4]])


def test_diagonal_mixtures_keep_their_type():
    mixture = DiagonalGMM.from_parameters([0.4, 0.6], [[0.0, 1.0], [2.0, 3.0]], np.ones((2, 2)))
    assert type(mixture.marginal([1])) is DiagonalGMM
    (conditional,) = mixture.condition([[0.0, np.nan]])
    assert type(conditional) is DiagonalGMM
    assert conditional.means_.tolist() == [[1.0], [3.0]]


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([4], "below n_features=4"),
        ([-5], "below n_features=4"),
        ([], "one or more"),
        ([[0, 1]], "a list"),
        ([0, 0], "must differ"),
        ([0, -4], "must differ"),
        ([0.5], "indices, names or a mask"),
        (["a"], r"\['a'\] are not among the names"),
        ([True, False], r"shape \(4,\)"),
    ],
)
def test_bad_features(features, message):
    with pytest.raises(ValueError, match=message):
        mixture_of("full")[0].marginal(features)


def test_condition_needs_something_missing():
    mixture, _ = mixture_of("full")
    X = rows_with_holes(mixture)
    X[7] = 1.0
    with pytest.raises(ValueError, match=r"Row 7 of X has no missing feature"):
        mixture.condition(X)


@each_type
def test_a_row_of_nothing_is_the_whole_mixture(covariance_type):
    mixture, _ = mixture_of(covariance_type)
    nothing = np.full((1, 4), np.nan)
    (conditional,) = mixture.condition(nothing)
    np.testing.assert_allclose(conditional.weights_, mixture.weights_, rtol=1e-12)
    np.testing.assert_allclose(conditional.means_, mixture.means_, rtol=1e-12)
    np.testing.assert_allclose(conditional.covariances_, mixture.covariances_, rtol=1e-9)


def test_far_rows_keep_finite_answers():
    mixture, _ = mixture_of("full")
    X = rows_with_holes(mixture) + 1e5
    filled, std = mixture.impute(X, return_std=True)
    assert np.all(np.isfinite(filled)) and np.all(std >= 0)
    for conditional in mixture.condition(X):
        assert conditional.weights_.sum() == pytest.approx(1.0)


def test_posterior_standard_deviations_cover_the_truth():
    """Learned from incomplete rows: errors in units of their standard deviation."""
    mixture, _ = mixture_of("full", random_state=0)
    X = mixture.sample(6000)[0]
    holes = np.where(np.random.default_rng(0).random(X.shape) < 0.3, np.nan, X)
    fitted = GaussianMixture(3, random_state=0, tol=1e-5, max_iter=1000).fit(holes)
    filled, std = fitted.impute(holes, return_std=True)
    missing = np.isnan(holes) & ~np.isnan(holes).all(axis=1, keepdims=True)
    errors = (X - filled)[missing]
    # Of 7200 cells: the square root of the mean square has an error of about 1 %.
    assert np.sqrt(np.mean(errors**2) / np.mean(std[missing] ** 2)) == pytest.approx(1.0, abs=0.03)
    assert np.mean(np.abs(errors / std[missing]) < 1.96) == pytest.approx(0.95, abs=0.02)
