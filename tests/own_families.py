"""Components that the tests define as users do."""

from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

from skmix.families import LinearFamily


class PoissonParams(NamedTuple):
    """Parameters of independent counts."""

    weights: np.ndarray  # (n_components,)
    rates: np.ndarray  # (n_components, n_features)


class Poisson(LinearFamily):
    """Independent Poisson counts; a missing one is left out."""

    allow_nan = True

    def features(self, X):
        if np.any(X < 0):
            raise ValueError(f"Counts must not be negative, but the smallest is {np.nanmin(X)}.")
        observed = ~np.isnan(X)
        return np.hstack([np.where(observed, X, 0.0), observed])

    def coefficients(self, params):
        return np.hstack([np.log(params.rates), -params.rates])

    def row_term(self, X):
        return -np.nansum(gammaln(X + 1), axis=1)

    def estimate(self, weights, means, counts):
        sums, observed = np.hsplit(means, 2)
        rates = np.maximum(sums, 1e-9) / np.maximum(observed, 1e-9)
        return PoissonParams(weights, rates)

    def sample(self, params, component, n_samples, rng):
        return rng.poisson(params.rates[component], (n_samples, self.n_features))

    def n_parameters(self, params):
        return params.rates.size + len(params.weights) - 1


class NormalParams(NamedTuple):
    """Parameters of independent Gaussian features."""

    weights: np.ndarray  # (n_components,)
    means: np.ndarray  # (n_components, n_features)
    variances: np.ndarray  # (n_components, n_features)


class Normal(LinearFamily):
    """Independent Gaussian features, in raw moments: good for standardised rows only."""

    def __init__(self, n_features, reg_variance=1e-6):
        super().__init__(n_features)
        self.reg_variance = reg_variance

    def features(self, X):
        return np.hstack([X, X**2])

    def coefficients(self, params):
        return np.hstack([params.means / params.variances, -0.5 / params.variances])

    def constants(self, params):
        scaled = params.means**2 / params.variances
        return -0.5 * (scaled + np.log(2 * np.pi * params.variances)).sum(axis=1)

    def estimate(self, weights, means, counts):
        means, squares = np.hsplit(means, 2)
        variances = np.maximum(squares - means**2, 0.0) + self.reg_variance
        return NormalParams(weights, means, variances)

    def sample(self, params, component, n_samples, rng):
        sd = np.sqrt(params.variances[component])
        return params.means[component] + sd * rng.standard_normal((n_samples, self.n_features))

    def n_parameters(self, params):
        return params.means.size + params.variances.size + len(params.weights) - 1


class StiffNormal(Normal):
    """Another family with the same columns: variances are 1 larger."""

    def __init__(self, n_features):
        super().__init__(n_features, reg_variance=1.0)
