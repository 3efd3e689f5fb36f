"""Gaussian components with one covariance matrix each."""

from __future__ import annotations

import functools
from typing import ClassVar

import numpy as np
from scipy.linalg import solve_triangular

from .._linalg import matrices
from .._linalg.conditioner import Conditioner
from .gaussian import GaussianFamily
from .gaussian_form import GaussianParams, GaussianStatistics
from .incomplete import ConditionalForm


class FullGaussian(GaussianFamily):
    """Each component has its own covariance, (n_components, n_features, n_features).

    Features: 1, z and the upper triangle of zz', taken in strips of a few rows that each cost one
    call (the few pairs that come twice share their coefficient). With many features the triangle
    outgrows the cache, and components are evaluated one by one with triangular factors instead.
    """

    covariance_type = "full"
    dense = True
    max_moment_features: ClassVar[float] = 96

    @staticmethod
    def incomplete_form():
        return ConditionalForm

    def n_quadratic(self, n_features):
        return sum((stop - start) * (n_features - start) for start, stop in strips(n_features))

    def fill_quadratic(self, z, out):
        n_features, n_rows = z.shape
        filled = 0
        for start, stop in strips(n_features):
            shape = (stop - start, n_features - start, n_rows)
            products = out[filled : filled + shape[0] * shape[1]].reshape(shape)
            np.multiply(z[start:stop, None], z[None, start:], out=products)
            filled += shape[0] * shape[1]

    def natural_parameters(self, params):
        n_components, n_features = params.means.shape
        linear = np.empty_like(params.means)
        rows, columns, share = pairs(n_features if self._has_moments(n_features) else 0)
        quadratic = np.empty((n_components, len(rows)))
        for some in matrices.batches(n_components, n_features):
            factors = params.precisions_cholesky[some]
            whitened = params.means[some, None] @ factors
            linear[some] = (factors @ whitened.swapaxes(1, 2))[:, :, 0]
            if len(rows):
                quadratic[some] = -share * self.precisions(factors)[:, rows, columns]
        return linear, quadratic

    def _has_moments(self, n_features):
        return n_features <= self.max_moment_features

    def log_det_precision_cholesky(self, params):
        return np.log(np.diagonal(params.precisions_cholesky, axis1=1, axis2=2)).sum(axis=1)

    def mahalanobis(self, params, k, diff, scratch):
        return matrices.squared_norms(params.precisions_cholesky[k], diff, scratch)

    def zeros_centred(self, n_features, n_centred):
        return matrices.zeros_lower(n_features, n_centred)

    def add_centred(self, totals, i, diff, resp, scratch):
        matrices.add_lower(totals, i, diff, resp, scratch)

    def second_moments(self, quadratic, centred, totals):
        if len(centred) == len(quadratic):
            return matrices.from_lower(totals)
        n_features = totals[-1].shape[2]
        second = np.empty((len(quadratic), n_features, n_features))
        rows, columns, _ = pairs(n_features)
        second[:, rows, columns] = quadratic
        second[:, columns, rows] = quadratic
        second[centred] = matrices.from_lower(totals)
        return second

    def empirical_covariances(self, statistics: GaussianStatistics, counts, shift):
        covariances = statistics.second
        covariances /= counts[:, None, None]
        for some in matrices.batches(*shift.shape):
            covariances[some] -= shift[some, :, None] * shift[some, None, :]
        clear_below(covariances, self.resolution)
        return covariances

    def add_to_variances(self, covariances, variances):
        diagonal = np.arange(len(variances))
        covariances[..., diagonal, diagonal] += variances
        return covariances

    @staticmethod
    def covariance_shape(n_components, n_features):
        return (n_components, n_features, n_features)

    def unit_covariances(self, n_components):
        n_features = len(self.frame.scale)
        shape = self.covariance_shape(n_components, n_features)
        return np.broadcast_to(np.eye(n_features), shape).copy()

    def precisions(self, precisions_cholesky):
        return precisions_cholesky @ np.swapaxes(precisions_cholesky, -1, -2)

    def factor_precisions(self, precisions):
        # The Cholesky factor of the matrix read backwards is the upper factor read backwards.
        return np.linalg.cholesky(precisions[..., ::-1, ::-1])[..., ::-1, ::-1].copy()

    def invert_factors(self, precisions_cholesky):
        inverse = np.linalg.inv(precisions_cholesky)
        return np.swapaxes(inverse, -1, -2) @ inverse

    def precisions_cholesky(self, covariances):
        return matrices.inverse_cholesky(covariances)

    def make_positive_definite(self, covariances):
        return matrices.raise_eigenvalues(covariances)

    def largest_precision(self, params, radius):
        return matrices.spectral_bound(params.precisions_cholesky * radius[..., None])

    def largest_share(self, params, variances):
        factors = params.precisions_cholesky * np.sqrt(variances)[:, None]
        return matrices.largest_eigenvalues(factors)

    def pivots(self, params):
        return 1.0 / np.diagonal(params.precisions_cholesky, axis1=-2, axis2=-1) ** 2

    def variances(self, params):
        diagonals = np.diagonal(self.covariances(params), axis1=-2, axis2=-1)
        return np.broadcast_to(diagonals, params.means.shape)

    def rescale(self, params: GaussianParams, scale):
        covariances = params.covariances
        return params._replace(
            means=params.means * scale,
            covariances=None if covariances is None else covariances * np.outer(scale, scale),
            precisions_cholesky=params.precisions_cholesky / scale[:, None],
        )

    def n_covariance_parameters(self, n_components, n_features):
        return n_components * n_features * (n_features + 1) // 2

    def marginal_covariances(self, covariances, features):
        return covariances[..., features, :][..., features]

    def longest_axis(self, params, k, spread):
        variances, axes = np.linalg.eigh(self.matrices(params)[k])
        return np.sqrt(variances[-1]) * axes[:, -1]

    def narrowed(self, covariances, k, step):
        covariances[k] -= np.outer(step, step)
        return covariances

    def conditional(self, params):
        conditioner = self.conditioner(params)

        def given(row):
            means, covariances = conditioner.given(row)
            return means, covariances.reshape(self.covariance_shape(*means.shape))

        return given

    def conditioner(self, params):
        """Return the components as the kernel of all conditioning takes them."""
        covariances, factors = self.covariances(params), params.precisions_cholesky
        shape = (-1, *factors.shape[-2:])
        return Conditioner(params.means, covariances.reshape(shape), factors.reshape(shape))

    def shift_second(self, second, counts, lag, moved):
        cross = lag[:, :, None] * (moved - 0.5 * counts * lag)[:, None, :]
        return second - cross - cross.swapaxes(1, 2)

    def filter_noise(self, params, counts, deviation, second):
        gain, spread = self.gain(params)
        filtered = gain @ second @ gain.swapaxes(1, 2) + counts[:, None, None] * spread
        return (gain @ deviation[:, :, None])[:, :, 0], filtered

    def gain(self, params):
        """Gain of the Wiener filter, and what it leaves of the covariance."""
        covariances = self.covariances(params)
        factors = self.with_noise(params).precisions_cholesky
        gain = covariances @ self.precisions(factors)
        spread = covariances - gain @ covariances
        return gain, 0.5 * (spread + spread.swapaxes(-1, -2))

    def draw_noise(self, params, component, n_samples, rng):
        return correlated_noise(params.precisions_cholesky[component], n_samples, rng)


def strips(n_features: int) -> list[tuple[int, int]]:
    """Cut the rows of a triangle into at most eight strips."""
    height = max(1, -(-n_features // 8))
    starts = range(0, n_features, height)
    return [(start, min(start + height, n_features)) for start in starts]


@functools.lru_cache(maxsize=8)
def pairs(n_features: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index pairs (i, j) in the order of the quadratic features, and the share of each.

    Shares add up to 1/2 for squares and to 1 for the two orders of a product.
    """
    rows, columns, shares = [], [], []
    for start, stop in strips(n_features):
        i, j = np.meshgrid(np.arange(start, stop), np.arange(start, n_features), indexing="ij")
        rows.append(i.ravel())
        columns.append(j.ravel())
        shares.append(np.where(j.ravel() < stop, 0.5, 1.0))
    if not rows:
        return np.empty(0, int), np.empty(0, int), np.empty(0)
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(shares)


def correlated_noise(factor: np.ndarray, n_samples: int, rng) -> np.ndarray:
    """Draw rows with precision U U' for an upper triangular factor U."""
    noise = rng.standard_normal((len(factor), n_samples))
    return solve_triangular(factor, noise, trans="T", lower=False).T


def clear_below(covariances: np.ndarray, resolution: np.ndarray) -> None:
    """Zero the rows and columns whose variance is rounding of the coordinates."""
    below = np.diagonal(covariances, axis1=-2, axis2=-1) <= resolution
    if below.any():
        covariances[below] = 0.0
        covariances.swapaxes(-1, -2)[below] = 0.0
