"""GMMRegressor: conditional means of a joint mixture."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from skmix import GaussianMixture, GMMRegressor


def bent(n_samples=600, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, size=n_samples)
    return x[:, None], np.abs(x) + 0.1 * rng.normal(size=n_samples)


def plane(n_samples=300, n_outputs=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, 3))
    return X, X @ rng.normal(size=(3, n_outputs)) + 0.5 * rng.normal(size=(n_samples, n_outputs))


def test_one_component_is_least_squares():
    X, y = plane()
    linear = LinearRegression().fit(X, y)
    regressor = GMMRegressor(reg_covar=0.0).fit(X, y)
    mean, std = regressor.predict(X, return_std=True)
    np.testing.assert_allclose(mean, linear.predict(X), atol=1e-10)
    residual = np.sqrt(np.mean((y - linear.predict(X)) ** 2, axis=0))
    np.testing.assert_allclose(std, np.tile(residual, (len(X), 1)), rtol=1e-9)


def test_weighted_least_squares():
    X, y = plane()
    weight = np.random.default_rng(0).uniform(0.1, 3.0, size=len(X))
    linear = LinearRegression().fit(X, y, sample_weight=weight)
    regressor = GMMRegressor(reg_covar=0.0).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(regressor.predict(X), linear.predict(X), atol=1e-10)


def test_components_bend_the_line():
    X, y = bent()
    straight = GMMRegressor().fit(X, y)
    regressor = GMMRegressor(2, random_state=0).fit(X, y)
    assert straight.score(X, y) < 0.1
    assert regressor.score(X, y) > 0.95
    mean, std = regressor.predict([[-1.5], [1.5]], return_std=True)
    np.testing.assert_allclose(mean, [1.5, 1.5], atol=0.05)
    np.testing.assert_allclose(std, [0.1, 0.1], atol=0.02)


def test_predicts_what_the_conditional_mixture_says():
    X, y = plane()
    regressor = GMMRegressor(3, random_state=0).fit(X, y)
    mean, std = regressor.predict(X[:5], return_std=True)
    rows = np.column_stack([X[:5], np.full((5, 2), np.nan)])
    for i, conditional in enumerate(regressor.mixture_.condition(rows)):
        weights, means = conditional.weights_, conditional.means_
        np.testing.assert_allclose(mean[i], weights @ means, atol=1e-10)
        variances = np.diagonal(conditional.covariances_, axis1=1, axis2=2)
        variance = weights @ (variances + (means - weights @ means) ** 2)
        np.testing.assert_allclose(std[i], np.sqrt(variance), atol=1e-10)


@pytest.mark.parametrize("shape", [(300,), (300, 1), (300, 2)])
def test_shapes_of_targets(shape):
    X, y = plane()
    y = y[:, : shape[1]] if len(shape) == 2 else y[:, 0]
    mean, std = GMMRegressor().fit(X, y).predict(X, return_std=True)
    assert mean.shape == std.shape == shape


def test_missing_inputs_are_integrated_out():
    X, y = plane()
    holes = np.where(np.random.default_rng(1).random(X.shape) < 0.2, np.nan, X)
    regressor = GMMRegressor().fit(holes, y)
    joint = GaussianMixture().fit(np.column_stack([holes, y]))
    np.testing.assert_array_equal(regressor.mixture_.means_, joint.means_)
    mean, std = regressor.predict(holes, return_std=True)
    assert np.all(np.isfinite(mean))
    complete = ~np.isnan(holes).any(axis=1)
    assert std[complete].max() < std[~complete].mean()
    everything, _ = regressor.predict(np.full((1, 3), np.nan), return_std=True)
    np.testing.assert_allclose(everything[0], y.mean(axis=0), atol=0.02)


def test_bad_targets_keep_the_earlier_fit():
    X, y = plane()
    regressor = GMMRegressor().fit(X, y)
    expected = regressor.predict(X)
    for bad in (np.where(y > 1, np.nan, y), np.where(y > 1, np.inf, y), y[:-1]):
        with pytest.raises(ValueError, match=r"y contains|inconsistent numbers"):
            regressor.fit(X, bad)
    np.testing.assert_array_equal(regressor.predict(X), expected)


def test_float32_stays():
    X, y = plane()
    regressor = GMMRegressor(2, random_state=0).fit(X.astype(np.float32), y)
    assert regressor.predict(X.astype(np.float32)).dtype == np.float32
