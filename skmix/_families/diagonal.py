"""Gaussian components with diagonal covariances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._rows.sources import Scratch
from .gaussian import GaussianFamily
from .gaussian_form import GaussianForm, GaussianParams, GaussianStatistics
from .incomplete import MaskedForm
from .structures import OwnVariances


class DiagonalGaussian(OwnVariances, GaussianFamily):
    """Each component has its own variances, (n_components, n_features). Features: 1, z, z²."""

    @staticmethod
    def incomplete_form() -> type[GaussianForm]:
        return MaskedForm

    def n_quadratic(self, n_features: int) -> int:
        return n_features

    def fill_quadratic(self, z: np.ndarray, out: np.ndarray) -> None:
        np.multiply(z, z, out=out)

    def natural_parameters(self, params: GaussianParams) -> tuple[np.ndarray, np.ndarray]:
        precisions = params.precisions_cholesky**2
        return precisions * params.means, -0.5 * precisions

    def zeros_centred(self, n_features: int, n_centred: int) -> list[np.ndarray]:
        return [np.zeros((n_centred, n_features))]

    def add_centred(
        self,
        totals: list[np.ndarray],
        i: int,
        diff: np.ndarray,
        resp: np.ndarray,
        scratch: Scratch,
    ) -> None:
        np.multiply(diff, diff, out=diff)
        totals[0][i] += diff @ resp

    def second_moments(
        self, quadratic: np.ndarray, centred: np.ndarray, totals: list[np.ndarray]
    ) -> np.ndarray:
        if len(centred) == 0:
            return quadratic
        second = np.empty((len(quadratic), totals[0].shape[1]))
        if quadratic.size:
            second[:] = quadratic
        second[centred] = totals[0]
        return second

    def empirical_covariances(
        self, statistics: GaussianStatistics, counts: np.ndarray, shift: np.ndarray
    ) -> np.ndarray:
        variances = statistics.second / counts[:, None] - shift**2
        return np.where(variances > self.resolution, variances, 0.0)

    def conditional(
        self, params: GaussianParams
    ) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
        covariances = self.invert_factors(params.precisions_cholesky)

        def given(row: Any) -> Any:
            missing = np.isnan(row)
            return params.means[:, missing], self.marginal_covariances(covariances, missing)

        return given

    def shift_second(
        self, second: np.ndarray, counts: np.ndarray, lag: np.ndarray, moved: np.ndarray
    ) -> np.ndarray:
        return second - 2.0 * lag * moved + counts * lag**2

    def filter_noise(
        self, params: GaussianParams, counts: np.ndarray, deviation: np.ndarray, second: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        variances = self.covariances(params)
        gain = variances / (variances + self.noise)
        spread = counts[:, None] * (variances - gain * variances)
        return gain * deviation, gain**2 * second + spread
