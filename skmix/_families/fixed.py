"""Gaussian components of which some parameters are held."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .gaussian import GaussianFamily
from .gaussian_form import GaussianParams, GaussianStatistics


class Held(NamedTuple):
    """Masks (n_components,) of what is held, and all values, in the frame of the family."""

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray
    params: GaussianParams


class FixedGaussian:
    """A Gaussian family whose `maximize` holds some parameters, and is the best for the others.

    Starts, which ask it for families of other rows, get some that hold nothing.
    """

    def __init__(self, family: GaussianFamily, held: Held) -> None:
        self._family, self._held = family, held

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_family", "_held"):  # while it is copied
            raise AttributeError(name)
        return getattr(self._family, name)

    def maximize(self, params: GaussianParams, statistics: GaussianStatistics) -> GaussianParams:
        """Return the most likely parameters among those that are as held."""
        held, family = self._held, self._family
        if held.means.any():
            statistics = self._about_held(statistics)
        new = family.maximize(params, statistics)
        weights, means = new.weights, new.means.copy()
        means[held.means] = held.params.means[held.means]
        if held.weights.any():
            weights = np.where(held.weights, held.params.weights, weights)
            rest = weights[~held.weights].sum()
            left = 1.0 - weights[held.weights].sum()
            weights[~held.weights] *= left / rest if rest > 0 else 0.0
        covariances, factors = new.covariances, new.precisions_cholesky
        if held.covariances.any():
            covariances, factors = family.covariances(new).copy(), factors.copy()
            kept = held.covariances
            covariances[kept] = family.covariances(held.params)[kept]
            factors[kept] = held.params.precisions_cholesky[kept]
        return GaussianParams(weights, means, covariances, factors)

    def _about_held(self, statistics: GaussianStatistics) -> GaussianStatistics:
        """Return statistics whose means are those held, and whose scatter is about them."""
        held = self._held.means[:, None]
        counts, first, second, about = statistics
        means = np.where(held, self._held.params.means, about)
        number = counts[:, None]
        moved = first - number * about
        second = self._family.shift_second(second, number, means - about, moved)
        return GaussianStatistics(counts, np.where(held, number * means, first), second, means)
