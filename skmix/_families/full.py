"""Gaussian components with one covariance matrix each."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from .._linalg import matrices
from .._linalg.conditioner import Conditioner
from .._rows.sources import Scratch
from .gaussian import GaussianFamily
from .gaussian_form import GaussianForm, GaussianParams, GaussianStatistics
from .incomplete import ConditionalForm
from .structures import OwnMatrices


class FullGaussian(OwnMatrices, GaussianFamily):
    """Each component has its own covariance, (n_components, n_features, n_features).

    Features: 1, z and the upper triangle of zz', taken in strips of a few rows that each cost one
    call (the few pairs that come twice share their coefficient). With many features the triangle
    outgrows the cache, and components are evaluated one by one with triangular factors instead.
    """

    max_moment_features: ClassVar[float] = 96

    @staticmethod
    def incomplete_form() -> type[GaussianForm]:
        return ConditionalForm

    def n_quadratic(self, n_features: int) -> int:
        return sum((stop - start) * (n_features - start) for start, stop in strips(n_features))

    def fill_quadratic(self, z: np.ndarray, out: np.ndarray) -> None:
        n_features, n_rows = z.shape
        filled = 0
        for start, stop in strips(n_features):
            shape = (stop - start, n_features - start, n_rows)
            products = out[filled : filled + shape[0] * shape[1]].reshape(shape)
            np.multiply(z[start:stop, None], z[None, start:], out=products)
            filled += shape[0] * shape[1]

    def natural_parameters(self, params: GaussianParams) -> tuple[np.ndarray, np.ndarray]:
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

    def _has_moments(self, n_features: int) -> Any:
        return n_features <= self.max_moment_features

    def zeros_centred(self, n_features: int, n_centred: int) -> list[np.ndarray]:
        return matrices.zeros_lower(n_features, n_centred)

    def add_centred(
        self,
        totals: list[np.ndarray],
        i: int,
        diff: np.ndarray,
        resp: np.ndarray,
        scratch: Scratch,
    ) -> None:
        matrices.add_lower(totals, i, diff, resp, scratch)

    def second_moments(
        self, quadratic: np.ndarray, centred: np.ndarray, totals: list[np.ndarray]
    ) -> np.ndarray:
        if len(centred) == len(quadratic):
            return matrices.from_lower(totals)
        n_features = totals[-1].shape[2]
        second = np.take(quadratic, places(n_features), axis=1)
        if len(centred):
            second[centred] = matrices.from_lower(totals)
        return second

    def empirical_covariances(
        self, statistics: GaussianStatistics, counts: np.ndarray, shift: np.ndarray
    ) -> np.ndarray:
        covariances = statistics.second
        covariances /= counts[:, None, None]
        for some in matrices.batches(*shift.shape):
            covariances[some] -= shift[some, :, None] * shift[some, None, :]
        clear_below(covariances, self.resolution)
        return covariances

    def conditional(
        self, params: GaussianParams
    ) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
        conditioner = self.conditioner(params)

        def given(row: Any) -> Any:
            means, covariances = conditioner.given(row)
            return means, covariances.reshape(self.covariance_shape(*means.shape))

        return given

    def conditioner(self, params: Any) -> Any:
        """Return the components as the kernel of all conditioning takes them."""
        covariances, factors = self.covariances(params), params.precisions_cholesky
        shape = (-1, *factors.shape[-2:])
        return Conditioner(params.means, covariances.reshape(shape), factors.reshape(shape))

    def shift_second(
        self, second: np.ndarray, counts: np.ndarray, lag: np.ndarray, moved: np.ndarray
    ) -> np.ndarray:
        cross = lag[:, :, None] * (moved - 0.5 * counts * lag)[:, None, :]
        return second - cross - cross.swapaxes(1, 2)

    def filter_noise(
        self, params: GaussianParams, counts: np.ndarray, deviation: np.ndarray, second: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        gain, spread = self.gain(params)
        filtered = gain @ second @ gain.swapaxes(1, 2) + counts[:, None, None] * spread
        return (gain @ deviation[:, :, None])[:, :, 0], filtered

    def gain(self, params: Any) -> Any:
        """Gain of the Wiener filter, and what it leaves of the covariance."""
        covariances = self.covariances(params)
        factors = self.with_noise(params).precisions_cholesky
        gain = covariances @ self.precisions(factors)
        spread = covariances - gain @ covariances
        return gain, 0.5 * (spread + spread.swapaxes(-1, -2))


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


@functools.lru_cache(maxsize=8)
def places(n_features: int) -> np.ndarray:
    """Return which quadratic feature is the product of two columns, (n_features, n_features)."""
    rows, columns, _ = pairs(n_features)
    at = np.empty((n_features, n_features), dtype=np.int64)
    at[rows, columns] = at[columns, rows] = np.arange(len(rows))
    return at


def clear_below(covariances: np.ndarray, resolution: np.ndarray) -> None:
    """Zero the rows and columns whose variance is rounding of the coordinates."""
    below = np.diagonal(covariances, axis1=-2, axis2=-1) <= resolution
    if below.any():
        covariances[below] = 0.0
        covariances.swapaxes(-1, -2)[below] = 0.0
