"""What a pass over the rows sums for Gaussian components.

Log densities are linear in the features [1, z, quadratic terms of z], so the E-step is one
matrix product and the M-step another (the *moment form*). Its sums of squares are taken about
the centre of the frame, and lose digits when a component is far narrower than the data are wide;
such components are evaluated about their own mean, one at a time (the *centred form*). A pass may
mix the two.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from .._rows.sources import Scratch
from .gaussian_form import GaussianForm, GaussianParams, GaussianStatistics
from .structure import Structure


class Moments(Structure):
    """First and second moments of the rows of every component, as its structure needs them."""

    @staticmethod
    @abstractmethod
    def incomplete_form() -> type[GaussianForm]:
        """Return the type of form for rows with missing cells."""

    @abstractmethod
    def n_quadratic(self, n_features: int) -> int:
        """Number of quadratic features of the moment form."""

    @abstractmethod
    def fill_quadratic(self, z: np.ndarray, out: np.ndarray) -> None:
        """Write the quadratic features (n_quadratic, n_chunk) of z (n_features, n_chunk)."""

    @abstractmethod
    def natural_parameters(self, params: GaussianParams) -> tuple[np.ndarray, np.ndarray]:
        """Return precision times mean (K, n_features) and coefficients (K, n_quadratic)."""

    @abstractmethod
    def zeros_centred(self, n_features: int, n_centred: int) -> list[np.ndarray]:
        """Return zeros for the second moments of the components in centred form."""

    @abstractmethod
    def add_centred(
        self,
        totals: list[np.ndarray],
        i: int,
        diff: np.ndarray,
        resp: np.ndarray,
        scratch: Scratch,
    ) -> None:
        """Add responsibility-weighted squares of `diff` to place `i`; `diff` may be lost."""

    @abstractmethod
    def second_moments(
        self, quadratic: np.ndarray, centred: np.ndarray, totals: list[np.ndarray]
    ) -> np.ndarray:
        """Combine moments (K, n_quadratic) and centred ones to the shape of covariances."""

    @abstractmethod
    def empirical_covariances(
        self, statistics: GaussianStatistics, counts: np.ndarray, shift: np.ndarray
    ) -> np.ndarray:
        """Second moments / counts - shift shift'; `statistics.second` may be overwritten."""

    @abstractmethod
    def conditional(
        self, params: GaussianParams
    ) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """Return a function from a row to means and covariances of its missing cells (NaN)."""

    @abstractmethod
    def shift_second(
        self, second: np.ndarray, counts: np.ndarray, lag: np.ndarray, moved: np.ndarray
    ) -> np.ndarray:
        """Second moments about origins that lie `lag` from the old ones.

        `counts` (K, 1) and `moved` (K, n_features) are the sums of ones and of deviations from
        the old origins.
        """

    @abstractmethod
    def filter_noise(
        self,
        params: GaussianParams,
        counts: np.ndarray,
        deviation: np.ndarray,
        second: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Expected first and second moments about the means of rows without noise."""

    def from_seeds(self, params: GaussianParams) -> GaussianParams:
        """Mend parameters whose components stand on a single row each."""
        return params

    def row_term(self, params: GaussianParams, z: np.ndarray, scratch: Scratch) -> Any:
        """Part of the log density that all components share, left out of the moment form."""
        return 0.0

    def row_term_total(self, params: GaussianParams) -> float:
        """Sum of `row_term` over the rows bound to this family."""
        return 0.0
