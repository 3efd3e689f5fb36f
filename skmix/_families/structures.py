"""The structures of covariances: variances or matrices, one for all components or one for each."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular

from .._linalg import matrices
from .._rows.sources import Scratch
from .gaussian_form import GaussianParams
from .structure import Structure


class OwnVariances(Structure):
    """Each component has its own variances, (n_components, n_features)."""

    covariance_type = margin_type = free_type = "diag"
    dense = False

    def log_det_precision_cholesky(self, params: GaussianParams) -> np.ndarray:
        return np.log(params.precisions_cholesky).sum(axis=1)

    def whiten(self, precisions_cholesky: np.ndarray, diff: np.ndarray) -> np.ndarray:
        return diff * precisions_cholesky[:, None]

    def mahalanobis(
        self, params: GaussianParams, k: int, diff: np.ndarray, scratch: Scratch
    ) -> np.ndarray:
        diff *= params.precisions_cholesky[k].astype(diff.dtype)[:, None]
        np.multiply(diff, diff, out=diff)
        return diff.sum(axis=0)

    def by_precision(self, params: GaussianParams, k: int, diff: np.ndarray) -> np.ndarray:
        return (params.precisions_cholesky[k] ** 2)[..., None] * diff

    def add_to_variances(self, covariances: np.ndarray, variances: np.ndarray) -> np.ndarray:
        return covariances + variances

    @staticmethod
    def covariance_shape(n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_components, n_features)

    def unit_covariances(self, n_components: int, n_features: int) -> np.ndarray:
        return np.ones(self.covariance_shape(n_components, n_features))

    def kept(self, matrix: np.ndarray) -> np.ndarray:
        return np.diagonal(matrix)

    def squares(self, deviations: np.ndarray) -> np.ndarray:
        return deviations**2

    def prior_rows(self, degrees: float, n_features: int) -> float:
        return degrees + 2.0

    def precisions(self, precisions_cholesky: np.ndarray) -> np.ndarray:
        return precisions_cholesky**2

    def factor_precisions(self, precisions: np.ndarray) -> np.ndarray:
        if not np.all(precisions > 0.0):
            raise np.linalg.LinAlgError("a precision is not positive")
        return np.sqrt(precisions)

    def invert_factors(self, precisions_cholesky: np.ndarray) -> np.ndarray:
        return 1.0 / precisions_cholesky**2

    def precisions_cholesky(self, covariances: np.ndarray) -> np.ndarray:
        if not np.all(covariances > 0.0):
            raise np.linalg.LinAlgError("a variance is not positive")
        return 1.0 / np.sqrt(covariances)

    def make_positive_definite(
        self, covariances: np.ndarray, resolution: np.ndarray
    ) -> np.ndarray:
        return np.maximum(covariances, np.maximum(resolution, np.finfo(float).tiny))

    def largest_precision(self, params: GaussianParams, radius: np.ndarray) -> np.ndarray:
        return ((params.precisions_cholesky * radius) ** 2).max(axis=1)

    def largest_share(self, params: GaussianParams, variances: np.ndarray) -> np.ndarray:
        return (params.precisions_cholesky**2 * variances).max(axis=1)

    def trace_with_precisions(self, params: GaussianParams, others: np.ndarray) -> np.ndarray:
        return np.sum(params.precisions_cholesky**2 * others, axis=1)

    def pivots(self, params: GaussianParams) -> np.ndarray:
        return 1.0 / params.precisions_cholesky**2

    def variances(self, params: GaussianParams) -> np.ndarray:
        return self.covariances(params)

    def rescale(self, params: GaussianParams, scale: np.ndarray) -> GaussianParams:
        covariances = params.covariances
        return params._replace(
            means=params.means * scale,
            covariances=None if covariances is None else covariances * scale**2,
            precisions_cholesky=params.precisions_cholesky / scale,
        )

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features

    def marginal_covariances(self, covariances: np.ndarray, features: np.ndarray) -> np.ndarray:
        return covariances[:, features]

    def longest_axis(self, params: GaussianParams, k: int, spread: np.ndarray) -> np.ndarray:
        variances = self.variances(params)[k]
        return along_largest(variances, variances)

    def narrowed(self, covariances: np.ndarray, k: int, step: np.ndarray) -> np.ndarray:
        covariances[k] -= step**2
        return covariances

    def draw_noise(
        self, params: GaussianParams, component: int, n_samples: int, rng: np.random.RandomState
    ) -> np.ndarray:
        deviations = 1.0 / params.precisions_cholesky[component]
        return rng.standard_normal((n_samples, len(deviations))) * deviations


class OneVariance(OwnVariances):
    """Each component has one variance, (n_components,)."""

    covariance_type = margin_type = free_type = "spherical"
    common_scale = one_variance = True

    def log_det_precision_cholesky(self, params: GaussianParams) -> np.ndarray:
        return params.means.shape[1] * np.log(params.precisions_cholesky)

    def whiten(self, precisions_cholesky: np.ndarray, diff: np.ndarray) -> np.ndarray:
        return diff * precisions_cholesky[:, None, None]

    def mahalanobis(
        self, params: GaussianParams, k: int, diff: np.ndarray, scratch: Scratch
    ) -> np.ndarray:
        diff *= diff.dtype.type(params.precisions_cholesky[k])
        np.multiply(diff, diff, out=diff)
        return diff.sum(axis=0)

    def add_to_variances(self, covariances: np.ndarray, variances: np.ndarray) -> np.ndarray:
        return covariances + variances[0]

    @staticmethod
    def covariance_shape(n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_components,)

    def kept(self, matrix: np.ndarray) -> np.ndarray:
        return np.asarray(np.diagonal(matrix).mean() / len(matrix))

    def squares(self, deviations: np.ndarray) -> np.ndarray:
        return (deviations**2).mean(axis=1)

    def prior_rows(self, degrees: float, n_features: int) -> float:
        return (degrees + 2.0) / n_features

    def make_positive_definite(
        self, covariances: np.ndarray, resolution: np.ndarray
    ) -> np.ndarray:
        return np.maximum(covariances, np.maximum(resolution.max(), np.finfo(float).tiny))

    def largest_precision(self, params: GaussianParams, radius: np.ndarray) -> np.ndarray:
        return (params.precisions_cholesky * np.max(radius, axis=-1)) ** 2

    def largest_share(self, params: GaussianParams, variances: np.ndarray) -> np.ndarray:
        added = variances[0]
        if variances.ndim > 1:  # all features share one variance, and observe some of it each
            added = 1.0 / np.mean(1.0 / variances, axis=1)
        return params.precisions_cholesky**2 * added

    def trace_with_precisions(self, params: GaussianParams, others: np.ndarray) -> np.ndarray:
        return params.means.shape[1] * params.precisions_cholesky**2 * others

    def pivots(self, params: GaussianParams) -> np.ndarray:
        return 1.0 / params.precisions_cholesky[:, None] ** 2

    def variances(self, params: GaussianParams) -> np.ndarray:
        return np.broadcast_to(self.covariances(params)[:, None], params.means.shape)

    def rescale(self, params: GaussianParams, scale: np.ndarray) -> GaussianParams:
        covariances = params.covariances
        return params._replace(
            means=params.means * scale,
            covariances=None if covariances is None else covariances * scale[0] ** 2,
            precisions_cholesky=params.precisions_cholesky / scale[0],
        )

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        return n_components

    def marginal_covariances(self, covariances: np.ndarray, features: np.ndarray) -> np.ndarray:
        return covariances

    def longest_axis(self, params: GaussianParams, k: int, spread: np.ndarray) -> np.ndarray:
        return along_largest(self.variances(params)[k], spread)

    def narrowed(self, covariances: np.ndarray, k: int, step: np.ndarray) -> np.ndarray:
        return covariances

    def draw_noise(
        self, params: GaussianParams, component: int, n_samples: int, rng: np.random.RandomState
    ) -> np.ndarray:
        n_features = params.means.shape[1]
        deviation = 1.0 / params.precisions_cholesky[component]
        return rng.standard_normal((n_samples, n_features)) * deviation


class OwnMatrices(Structure):
    """Each component has its own covariance, (n_components, n_features, n_features)."""

    covariance_type = margin_type = free_type = "full"
    dense = True

    def log_det_precision_cholesky(self, params: GaussianParams) -> np.ndarray:
        return np.log(np.diagonal(params.precisions_cholesky, axis1=1, axis2=2)).sum(axis=1)

    def whiten(self, precisions_cholesky: np.ndarray, diff: np.ndarray) -> np.ndarray:
        return diff @ precisions_cholesky

    def mahalanobis(
        self, params: GaussianParams, k: int, diff: np.ndarray, scratch: Scratch
    ) -> np.ndarray:
        return matrices.squared_norms(params.precisions_cholesky[k], diff, scratch)

    def by_precision(self, params: GaussianParams, k: int, diff: np.ndarray) -> np.ndarray:
        factor = params.precisions_cholesky[k]
        return factor @ (factor.T @ diff)

    def add_to_variances(self, covariances: np.ndarray, variances: np.ndarray) -> np.ndarray:
        diagonals = np.einsum("...ii->...i", covariances)  # a view
        diagonals += variances
        return covariances

    @staticmethod
    def covariance_shape(n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_components, n_features, n_features)

    def unit_covariances(self, n_components: int, n_features: int) -> np.ndarray:
        shape = self.covariance_shape(n_components, n_features)
        return np.broadcast_to(np.eye(n_features), shape).copy()

    def kept(self, matrix: np.ndarray) -> np.ndarray:
        return matrix

    def squares(self, deviations: np.ndarray) -> np.ndarray:
        return deviations[:, :, None] * deviations[:, None, :]

    def prior_rows(self, degrees: float, n_features: int) -> float:
        return degrees + n_features + 1.0

    def precisions(self, precisions_cholesky: np.ndarray) -> np.ndarray:
        return precisions_cholesky @ np.swapaxes(precisions_cholesky, -1, -2)

    def factor_precisions(self, precisions: np.ndarray) -> np.ndarray:
        # The Cholesky factor of the matrix read backwards is the upper factor read backwards.
        return np.linalg.cholesky(precisions[..., ::-1, ::-1])[..., ::-1, ::-1].copy()

    def invert_factors(self, precisions_cholesky: np.ndarray) -> np.ndarray:
        inverse = np.linalg.inv(precisions_cholesky)
        return np.swapaxes(inverse, -1, -2) @ inverse

    def precisions_cholesky(self, covariances: np.ndarray) -> np.ndarray:
        return matrices.inverse_cholesky(covariances)

    def make_positive_definite(
        self, covariances: np.ndarray, resolution: np.ndarray
    ) -> np.ndarray:
        return matrices.raise_eigenvalues(covariances)

    def largest_precision(self, params: GaussianParams, radius: np.ndarray) -> np.ndarray:
        return matrices.spectral_bound(params.precisions_cholesky * radius[..., None])

    def largest_share(self, params: GaussianParams, variances: np.ndarray) -> np.ndarray:
        factors = params.precisions_cholesky * np.sqrt(variances)[..., None]
        return matrices.largest_eigenvalues(factors)

    def trace_with_precisions(self, params: GaussianParams, others: np.ndarray) -> np.ndarray:
        precisions = self.precisions(params.precisions_cholesky)
        return np.einsum("...ij,...ij->...", precisions, others)

    def pivots(self, params: GaussianParams) -> np.ndarray:
        return 1.0 / np.diagonal(params.precisions_cholesky, axis1=-2, axis2=-1) ** 2

    def variances(self, params: GaussianParams) -> np.ndarray:
        diagonals = np.diagonal(self.covariances(params), axis1=-2, axis2=-1)
        return np.broadcast_to(diagonals, params.means.shape)

    def rescale(self, params: GaussianParams, scale: np.ndarray) -> GaussianParams:
        covariances = params.covariances
        return params._replace(
            means=params.means * scale,
            covariances=None if covariances is None else covariances * np.outer(scale, scale),
            precisions_cholesky=params.precisions_cholesky / scale[:, None],
        )

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features * (n_features + 1) // 2

    def marginal_covariances(self, covariances: np.ndarray, features: np.ndarray) -> np.ndarray:
        return covariances[..., features, :][..., features]

    def longest_axis(self, params: GaussianParams, k: int, spread: np.ndarray) -> np.ndarray:
        variances, axes = np.linalg.eigh(self.matrices(params)[k])
        return np.sqrt(variances[-1]) * axes[:, -1]

    def narrowed(self, covariances: np.ndarray, k: int, step: np.ndarray) -> np.ndarray:
        covariances[k] -= np.outer(step, step)
        return covariances

    def draw_noise(
        self, params: GaussianParams, component: int, n_samples: int, rng: np.random.RandomState
    ) -> np.ndarray:
        return correlated_noise(params.precisions_cholesky[component], n_samples, rng)


class OneMatrix(OwnMatrices):
    """All components share one covariance, (n_features, n_features)."""

    covariance_type = margin_type = free_type = "tied"
    shared_covariance = True

    def log_det_precision_cholesky(self, params: GaussianParams) -> np.ndarray:
        return np.log(np.diagonal(params.precisions_cholesky)).sum()

    def mahalanobis(
        self, params: GaussianParams, k: int, diff: np.ndarray, scratch: Scratch
    ) -> np.ndarray:
        return matrices.squared_norms(params.precisions_cholesky, diff, scratch)

    def by_precision(self, params: GaussianParams, k: int, diff: np.ndarray) -> np.ndarray:
        return params.precisions_cholesky @ (params.precisions_cholesky.T @ diff)

    @staticmethod
    def covariance_shape(n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_features, n_features)

    def largest_share(self, params: GaussianParams, variances: np.ndarray) -> np.ndarray:
        if variances.ndim > 1:
            variances = params.weights @ variances
        share = super().largest_share(params, variances)
        return np.full(len(params.means), share[0])

    def pivots(self, params: GaussianParams) -> np.ndarray:
        return np.broadcast_to(super().pivots(params), params.means.shape)

    def largest_precision(self, params: GaussianParams, radius: np.ndarray) -> np.ndarray:
        radius = radius.reshape(-1, radius.shape[-1]).max(axis=0)
        bound = matrices.spectral_bound(params.precisions_cholesky * radius[:, None])
        return np.full(len(params.means), bound)

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        return n_features * (n_features + 1) // 2

    def narrowed(self, covariances: np.ndarray, k: int, step: np.ndarray) -> np.ndarray:
        return covariances

    def draw_noise(
        self, params: GaussianParams, component: int, n_samples: int, rng: np.random.RandomState
    ) -> np.ndarray:
        return correlated_noise(params.precisions_cholesky, n_samples, rng)


def along_largest(variances: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return the axis where `spread` is largest, times the deviation there."""
    axis = np.zeros(len(variances))
    j = int(np.argmax(np.nan_to_num(spread)))
    axis[j] = np.sqrt(variances[j])
    return axis


def correlated_noise(factor: np.ndarray, n_samples: int, rng: np.random.RandomState) -> np.ndarray:
    """Draw rows with precision U U' for an upper triangular factor U."""
    noise = rng.standard_normal((len(factor), n_samples))
    return solve_triangular(factor, noise, trans="T", lower=False).T
