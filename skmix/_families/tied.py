"""Gaussian components that share one covariance matrix."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from .._linalg import matrices
from .._rows.sources import Chunk, Scratch
from .frame import Frame
from .full import FullGaussian, clear_below
from .gaussian import GaussianFamily
from .gaussian_form import GaussianParams, GaussianStatistics
from .structures import OneMatrix


class TiedGaussian(OneMatrix, FullGaussian):
    """All components share one covariance, (n_features, n_features). Features: 1, z.

    The quadratic term of the log density is the same for all components, so that
    responsibilities need none, and the scatter about the origin is a constant of the data,
    computed once per fit: a pass costs no more than one with spherical components.
    """

    max_moment_features: ClassVar[float] = np.inf

    def __init__(self, frame: Frame, **options: Any) -> None:
        super().__init__(frame, **options)
        self.total_scatter: Any = None

    def bound_to(self, source: Any) -> Self:
        family = super().bound_to(source)
        family.total_scatter = self._scatter_of_all(source)
        return family

    def _scatter_of_all(self, source: Any) -> Any:
        """Scatter of the rows about the origin."""
        n_features = len(self.frame.scale)

        def zeros() -> Any:
            return [np.zeros(n_features), *matrices.zeros_lower(n_features, 1)]

        def add(chunk: Chunk, totals: list[np.ndarray], scratch: Scratch) -> None:
            z = scratch.array("features", (n_features, len(chunk.X)), np.float64)
            self.frame.enter(chunk.X, out=z)
            ones = np.ones(len(chunk.X))
            weight = ones if chunk.sample_weight is None else chunk.sample_weight
            if self.incomplete:
                missing = np.isnan(z)
                totals[0] += missing @ weight
                z[missing] = 0.0
            matrices.add_lower(totals[1:], 0, z, weight, scratch)

        missing, *sums = source.reduce(add, zeros, 16 * n_features)
        scatter = matrices.from_lower(sums)[0]
        # Missing cells count with the variance of the observed ones; only a start reads this.
        diagonal = np.arange(n_features)
        scatter[diagonal, diagonal] *= source.total_weight / (source.total_weight - missing)
        return scatter

    def side_by_side(self, n_components: int) -> GaussianFamily:
        return TiedRuns(self, n_components)

    def from_seeds(self, params: GaussianParams) -> GaussianParams:
        # Single rows say nothing about a shared covariance; that of all rows is a fair guess.
        covariance = self.total_scatter / self.total_weight
        covariance = self.add_to_variances(covariance, self.reg_variances)
        return GaussianParams(params.weights, params.means, *self.factor(covariance))

    def n_quadratic(self, n_features: int) -> int:
        return 0

    def fill_quadratic(self, z: np.ndarray, out: np.ndarray) -> None:
        pass

    def natural_parameters(self, params: GaussianParams) -> tuple[np.ndarray, np.ndarray]:
        factor = params.precisions_cholesky
        return (params.means @ factor) @ factor.T, np.empty((len(params.means), 0))

    def row_term(self, params: GaussianParams, z: np.ndarray, scratch: Scratch) -> Any:
        return -0.5 * matrices.squared_norms(params.precisions_cholesky, z, scratch)

    def row_term_total(self, params: GaussianParams) -> float:
        if self.total_scatter is None:
            return 0.0
        factor = params.precisions_cholesky
        return -0.5 * float(np.vdot(factor, self.total_scatter @ factor))

    def zeros_centred(self, n_features: int, n_centred: int) -> list[np.ndarray]:
        return matrices.zeros_lower(n_features, min(n_centred, 1))

    def add_centred(
        self,
        totals: list[np.ndarray],
        i: int,
        diff: np.ndarray,
        resp: np.ndarray,
        scratch: Scratch,
    ) -> None:
        matrices.add_lower(totals, 0, diff, resp, scratch)

    def second_moments(
        self, quadratic: np.ndarray, centred: np.ndarray, totals: list[np.ndarray]
    ) -> np.ndarray:
        return matrices.from_lower(totals)[0] if len(centred) else self.total_scatter.copy()

    def empirical_covariances(
        self, statistics: GaussianStatistics, counts: np.ndarray, shift: np.ndarray
    ) -> np.ndarray:
        covariance = statistics.second - (statistics.counts * shift.T) @ shift
        covariance /= statistics.counts.sum()
        clear_below(covariance, self.resolution)
        return covariance

    def shift_second(
        self, second: np.ndarray, counts: np.ndarray, lag: np.ndarray, moved: np.ndarray
    ) -> np.ndarray:
        cross = lag.T @ (moved - 0.5 * counts * lag)
        return second - cross - cross.T

    def filter_noise(
        self, params: GaussianParams, counts: np.ndarray, deviation: np.ndarray, second: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        gain, spread = self.gain(params)
        return deviation @ gain.T, gain @ second @ gain.T + counts.sum() * spread


class TiedRuns(TiedGaussian):
    """Mixtures of so many components each side by side, with one covariance per mixture.

    Covariances and their factors are (n_runs, n_features, n_features).
    """

    def __init__(self, family: TiedGaussian, n_components: int) -> None:
        vars(self).update(vars(family))
        self.components_per_run = n_components

    def natural_parameters(self, params: GaussianParams) -> tuple[np.ndarray, np.ndarray]:
        factors = params.precisions_cholesky
        means = params.means.reshape(len(factors), -1, params.means.shape[1])
        linear = (means @ factors) @ factors.swapaxes(1, 2)
        return linear.reshape(params.means.shape), np.empty((len(params.means), 0))

    def row_term_total(self, params: GaussianParams) -> Any:
        factors = params.precisions_cholesky
        return -0.5 * np.sum(factors * (self.total_scatter @ factors), axis=(1, 2))

    def log_det_precision_cholesky(self, params: GaussianParams) -> np.ndarray:
        factors = params.precisions_cholesky
        log_det = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
        return np.repeat(log_det, len(params.means) // len(factors))

    def unit_covariances(self, n_components: int, n_features: int) -> np.ndarray:
        return np.eye(n_features)[None]

    def empirical_covariances(
        self, statistics: GaussianStatistics, counts: np.ndarray, shift: np.ndarray
    ) -> np.ndarray:
        shift, counts = self._by_run(shift), self._by_run(statistics.counts)[:, :, None]
        between = (counts * shift).swapaxes(1, 2) @ shift
        covariances = (statistics.second - between) / counts.sum(axis=1, keepdims=True)
        clear_below(covariances, self.resolution)
        return covariances

    def shift_second(
        self, second: np.ndarray, counts: np.ndarray, lag: np.ndarray, moved: np.ndarray
    ) -> np.ndarray:
        counts, lag, moved = self._by_run(counts), self._by_run(lag), self._by_run(moved)
        cross = lag.swapaxes(1, 2) @ (moved - 0.5 * counts * lag)
        return second - cross - cross.swapaxes(1, 2)

    def filter_noise(
        self, params: GaussianParams, counts: np.ndarray, deviation: np.ndarray, second: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        gain, spread = self.gain(params)
        filtered = self._by_run(deviation) @ gain.swapaxes(1, 2)
        total = self._by_run(counts).sum(axis=1)[:, None, None]
        second = gain @ second @ gain.swapaxes(1, 2) + total * spread
        return filtered.reshape(deviation.shape), second

    def _by_run(self, values: np.ndarray) -> np.ndarray:
        """Of every component, (n_runs, components_per_run, ...)."""
        return values.reshape(-1, self.components_per_run, *values.shape[1:])
