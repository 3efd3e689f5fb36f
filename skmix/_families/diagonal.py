"""Gaussian components with diagonal covariances."""

from __future__ import annotations

import numpy as np

from .gaussian import GaussianFamily
from .gaussian_form import GaussianParams, GaussianStatistics
from .incomplete import MaskedForm


class DiagonalGaussian(GaussianFamily):
    """Each component has its own variances, (n_components, n_features). Features: 1, z, z²."""

    covariance_type = "diag"
    dense = False

    @staticmethod
    def incomplete_form():
        return MaskedForm

    def n_quadratic(self, n_features):
        return n_features

    def fill_quadratic(self, z, out):
        np.multiply(z, z, out=out)

    def natural_parameters(self, params):
        precisions = params.precisions_cholesky**2
        return precisions * params.means, -0.5 * precisions

    def log_det_precision_cholesky(self, params):
        return np.log(params.precisions_cholesky).sum(axis=1)

    def mahalanobis(self, params, k, diff, scratch):
        diff *= params.precisions_cholesky[k].astype(diff.dtype)[:, None]
        np.multiply(diff, diff, out=diff)
        return diff.sum(axis=0)

    def zeros_centred(self, n_features, n_centred):
        return [np.zeros((n_centred, n_features))]

    def add_centred(self, totals, i, diff, resp, scratch):
        np.multiply(diff, diff, out=diff)
        totals[0][i] += diff @ resp

    def second_moments(self, quadratic, centred, totals):
        second = np.empty((len(quadratic), totals[0].shape[1]))
        if quadratic.size:
            second[:] = quadratic
        second[centred] = totals[0]
        return second

    def empirical_covariances(self, statistics: GaussianStatistics, counts, shift):
        variances = statistics.second / counts[:, None] - shift**2
        return np.where(variances > self.resolution, variances, 0.0)

    def add_to_variances(self, covariances, variances):
        return covariances + variances

    @staticmethod
    def covariance_shape(n_components, n_features):
        return (n_components, n_features)

    def unit_covariances(self, n_components):
        return np.ones(self.covariance_shape(n_components, len(self.frame.scale)))

    def precisions(self, precisions_cholesky):
        return precisions_cholesky**2

    def factor_precisions(self, precisions):
        if not np.all(precisions > 0.0):
            raise np.linalg.LinAlgError("a precision is not positive")
        return np.sqrt(precisions)

    def invert_factors(self, precisions_cholesky):
        return 1.0 / precisions_cholesky**2

    def precisions_cholesky(self, covariances):
        if not np.all(covariances > 0.0):
            raise np.linalg.LinAlgError("a variance is not positive")
        return 1.0 / np.sqrt(covariances)

    def make_positive_definite(self, covariances):
        return np.maximum(covariances, np.maximum(self.resolution, np.finfo(float).tiny))

    def largest_precision(self, params, radius):
        return ((params.precisions_cholesky * radius) ** 2).max(axis=1)

    def largest_share(self, params, variances):
        return (params.precisions_cholesky**2 * variances).max(axis=1)

    def pivots(self, params):
        return 1.0 / params.precisions_cholesky**2

    def variances(self, params):
        return self.pivots(params)

    def rescale(self, params: GaussianParams, scale):
        covariances = params.covariances
        return params._replace(
            means=params.means * scale,
            covariances=None if covariances is None else covariances * scale**2,
            precisions_cholesky=params.precisions_cholesky / scale,
        )

    def n_covariance_parameters(self, n_components, n_features):
        return n_components * n_features

    def marginal_covariances(self, covariances, features):
        return covariances[:, features]

    def longest_axis(self, params, k, spread):
        variances = self.variances(params)[k]
        return along_largest(variances, variances)

    def narrowed(self, covariances, k, step):
        covariances[k] -= step**2
        return covariances

    def conditional(self, params):
        covariances = self.invert_factors(params.precisions_cholesky)

        def given(row):
            missing = np.isnan(row)
            return params.means[:, missing], self.marginal_covariances(covariances, missing)

        return given

    def shift_second(self, second, counts, lag, moved):
        return second - 2.0 * lag * moved + counts * lag**2

    def filter_noise(self, params, counts, deviation, second):
        variances = self.covariances(params)
        gain = variances / (variances + self.noise)
        spread = counts[:, None] * (variances - gain * variances)
        return gain * deviation, gain**2 * second + spread

    def draw_noise(self, params, component, n_samples, rng):
        deviations = 1.0 / params.precisions_cholesky[component]
        return rng.standard_normal((n_samples, len(deviations))) * deviations


def along_largest(variances: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return the axis where `spread` is largest, times the deviation there."""
    axis = np.zeros(len(variances))
    j = int(np.argmax(np.nan_to_num(spread)))
    axis[j] = np.sqrt(variances[j])
    return axis
