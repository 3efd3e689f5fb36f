"""Parameters of Gaussian components as one vector, which acceleration moves along EM's path."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from .gaussian_form import GaussianParams
from .moments import Moments

# Extrapolation may shrink a weight, or the variance in some direction, by no more than this.
MIN_SHRINKAGE = 1e-3


class GaussianCoordinates(Moments):
    """What :class:`~skmix._families.Extrapolating` asks.

    For structures of which every linear combination has the same structure.
    """

    @abstractmethod
    def factor(self, covariances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return covariances and Cholesky factors of the precisions."""

    def coordinates(self, params: GaussianParams) -> np.ndarray:
        """Return weights, means and covariances as one vector."""
        covariances = self.covariances(params)
        return np.concatenate([params.weights, params.means.ravel(), covariances.ravel()])

    def from_coordinates(
        self, coordinates: np.ndarray, fallback: GaussianParams
    ) -> GaussianParams:
        """Return parameters at or near a point; components that would shrink too far fall back."""
        before = self.covariances(fallback)
        sizes = [fallback.weights.size, fallback.means.size]
        weights, means, covariances = np.split(coordinates, np.cumsum(sizes))
        weights = np.maximum(weights, MIN_SHRINKAGE * fallback.weights)
        means = means.reshape(fallback.means.shape)
        covariances = covariances.reshape(before.shape)
        kept = self.smallest_ratio(covariances, fallback.precisions_cholesky) > MIN_SHRINKAGE
        if not np.all(kept):
            if self.shared_covariance:
                return fallback
            means = np.where(kept[:, None], means, fallback.means)
            of_all = kept.reshape(-1, *[1] * (before.ndim - 1))
            covariances = np.where(of_all, covariances, before)
        return GaussianParams(weights / weights.sum(), means, *self.factor(covariances))

    def smallest_ratio(self, covariances: np.ndarray, precisions_cholesky: np.ndarray) -> Any:
        """Return the smallest ratio (K,), over all directions, to covariances with given factors.

        A scalar where there is one covariance for all.
        """
        if self.dense:
            factors = precisions_cholesky
            return np.linalg.eigvalsh(factors.swapaxes(-1, -2) @ covariances @ factors)[..., 0]
        ratios = covariances * precisions_cholesky**2
        return ratios.reshape(len(ratios), -1).min(axis=1)

    def log_prior(self, params: GaussianParams) -> float:
        """Return 0: extrapolations are judged by the likelihood alone."""
        return 0.0
