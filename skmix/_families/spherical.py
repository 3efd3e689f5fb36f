"""Gaussian components with one variance each."""

from __future__ import annotations

import numpy as np

from .._rows.sources import Scratch
from .diagonal import DiagonalGaussian
from .gaussian_form import GaussianParams, GaussianStatistics
from .structures import OneVariance


class SphericalGaussian(OneVariance, DiagonalGaussian):
    """Each component has one variance, (n_components,). Features: 1, z, ‖z‖²."""

    def n_quadratic(self, n_features: int) -> int:
        return 1

    def fill_quadratic(self, z: np.ndarray, out: np.ndarray) -> None:
        np.einsum("dn,dn->n", z, z, out=out[0])

    def natural_parameters(self, params: GaussianParams) -> tuple[np.ndarray, np.ndarray]:
        precisions = params.precisions_cholesky[:, None] ** 2
        return precisions * params.means, -0.5 * precisions

    def zeros_centred(self, n_features: int, n_centred: int) -> list[np.ndarray]:
        return [np.zeros(n_centred)]

    def add_centred(
        self,
        totals: list[np.ndarray],
        i: int,
        diff: np.ndarray,
        resp: np.ndarray,
        scratch: Scratch,
    ) -> None:
        np.multiply(diff, diff, out=diff)
        totals[0][i] += (diff @ resp).sum(dtype=np.float64)

    def second_moments(
        self, quadratic: np.ndarray, centred: np.ndarray, totals: list[np.ndarray]
    ) -> np.ndarray:
        second = quadratic[:, 0].copy() if quadratic.size else np.empty(len(quadratic))
        second[centred] = totals[0]
        return second

    def empirical_covariances(
        self, statistics: GaussianStatistics, counts: np.ndarray, shift: np.ndarray
    ) -> np.ndarray:
        n_features = shift.shape[1]
        variances = (statistics.second / counts - (shift**2).sum(axis=1)) / n_features
        return np.where(variances > self.resolution.max(), variances, 0.0)

    def shift_second(
        self, second: np.ndarray, counts: np.ndarray, lag: np.ndarray, moved: np.ndarray
    ) -> np.ndarray:
        return second + (counts * lag**2 - 2.0 * lag * moved).sum(axis=1)

    def filter_noise(
        self, params: GaussianParams, counts: np.ndarray, deviation: np.ndarray, second: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        variances = self.covariances(params)
        gain = variances / (variances + self.noise[0])
        spread = counts * deviation.shape[1] * (variances - gain * variances)
        return gain[:, None] * deviation, gain**2 * second + spread
