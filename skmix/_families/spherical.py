"""Gaussian components with one variance each."""

from __future__ import annotations

import numpy as np

from .diagonal import DiagonalGaussian, along_largest
from .gaussian_form import GaussianParams, GaussianStatistics


class SphericalGaussian(DiagonalGaussian):
    """Each component has one variance, (n_components,). Features: 1, z, ‖z‖²."""

    covariance_type = "spherical"
    common_scale = True

    def n_quadratic(self, n_features):
        return 1

    def fill_quadratic(self, z, out):
        np.einsum("dn,dn->n", z, z, out=out[0])

    def natural_parameters(self, params):
        precisions = params.precisions_cholesky[:, None] ** 2
        return precisions * params.means, -0.5 * precisions

    def log_det_precision_cholesky(self, params):
        return params.means.shape[1] * np.log(params.precisions_cholesky)

    def mahalanobis(self, params, k, diff, scratch):
        diff *= diff.dtype.type(params.precisions_cholesky[k])
        np.multiply(diff, diff, out=diff)
        return diff.sum(axis=0)

    def zeros_centred(self, n_features, n_centred):
        return [np.zeros(n_centred)]

    def add_centred(self, totals, i, diff, resp, scratch):
        np.multiply(diff, diff, out=diff)
        totals[0][i] += (diff @ resp).sum(dtype=np.float64)

    def second_moments(self, quadratic, centred, totals):
        second = quadratic[:, 0].copy() if quadratic.size else np.empty(len(quadratic))
        second[centred] = totals[0]
        return second

    def empirical_covariances(self, statistics: GaussianStatistics, counts, shift):
        n_features = shift.shape[1]
        variances = (statistics.second / counts - (shift**2).sum(axis=1)) / n_features
        return np.where(variances > self.resolution.max(), variances, 0.0)

    def add_to_variances(self, covariances, variances):
        return covariances + variances[0]

    @staticmethod
    def covariance_shape(n_components, n_features):
        return (n_components,)

    def make_positive_definite(self, covariances):
        return np.maximum(covariances, np.maximum(self.resolution.max(), np.finfo(float).tiny))

    def largest_precision(self, params, radius):
        return (params.precisions_cholesky * np.max(radius, axis=-1)) ** 2

    def largest_share(self, params, variances):
        return params.precisions_cholesky**2 * variances[0]

    def pivots(self, params):
        return 1.0 / params.precisions_cholesky[:, None] ** 2

    def variances(self, params):
        return np.broadcast_to(self.pivots(params), params.means.shape)

    def rescale(self, params: GaussianParams, scale):
        covariances = params.covariances
        return params._replace(
            means=params.means * scale,
            covariances=None if covariances is None else covariances * scale[0] ** 2,
            precisions_cholesky=params.precisions_cholesky / scale[0],
        )

    def n_covariance_parameters(self, n_components, n_features):
        return n_components

    def marginal_covariances(self, covariances, features):
        return covariances

    def longest_axis(self, params, k, spread):
        return along_largest(self.variances(params)[k], spread)

    def narrowed(self, covariances, k, step):
        return covariances

    def shift_second(self, second, counts, lag, moved):
        return second + (counts * lag**2 - 2.0 * lag * moved).sum(axis=1)

    def filter_noise(self, params, counts, deviation, second):
        variances = self.covariances(params)
        gain = variances / (variances + self.noise[0])
        spread = counts * deviation.shape[1] * (variances - gain * variances)
        return gain[:, None] * deviation, gain**2 * second + spread

    def draw_noise(self, params, component, n_samples, rng):
        n_features = params.means.shape[1]
        deviation = 1.0 / params.precisions_cholesky[component]
        return rng.standard_normal((n_samples, n_features)) * deviation
