"""Bounds on what is filled in: expectations are clipped, draws are those of cut densities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

# A draw beyond the bounds is drawn again so often, so many at once, and clipped then.
REDRAWS, AT_ONCE = 10, 10


def check_bounds(estimator: Any, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest value that may be filled into every column."""
    bounds = []
    for name, nothing in (("min_value", -np.inf), ("max_value", np.inf)):
        given = getattr(estimator, name)
        given = nothing if given is None else np.asarray(given, dtype=np.float64)
        if np.ndim(given) > 1 or np.size(given) not in (1, n_features):
            raise ValueError(
                f"{name} must be a number or have one entry per column, shape ({n_features},), "
                f"but has shape {np.shape(given)}."
            )
        bounds.append(np.broadcast_to(given, (n_features,)))
    if not np.all(bounds[0] <= bounds[1]):
        column = int(np.argmin(bounds[0] <= bounds[1]))
        raise ValueError(
            f"min_value={bounds[0][column]} is not below max_value={bounds[1][column]} for column "
            f"{column}. Exchange them."
        )
    return bounds[0], bounds[1]


def clipped(
    X: np.ndarray, filled: np.ndarray, bounds: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Clip what is filled into the missing cells (NaN) of rows; observed cells stay."""
    if not np.any(np.isfinite(bounds)):
        return filled
    within = np.clip(filled, *bounds).astype(filled.dtype)
    return np.where(np.isnan(X), within, filled)


def drawn_within(
    X: np.ndarray,
    draw: Callable[[np.ndarray, int], np.ndarray],
    bounds: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Draw the missing cells of rows, those of a row together, until they lie within bounds.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The rows, NaN at missing cells.

    draw : callable
        Returns so many copies of rows with draws for their missing cells.

    bounds : tuple of ndarray of shape (n_features,)
        The smallest and the largest values.
    """
    filled, missing = draw(X, 1)[0], np.isnan(X)
    if not np.any(np.isfinite(bounds)):
        return filled
    low, high = bounds
    for _ in range(REDRAWS):
        outside = np.flatnonzero(np.any(missing & ((filled < low) | (filled > high)), axis=1))
        if len(outside) == 0:
            return filled
        draws = draw(X[outside], AT_ONCE)
        beyond = np.any(missing[outside] & ((draws < low) | (draws > high)), axis=2)
        filled[outside] = draws[np.argmin(beyond, axis=0), np.arange(len(outside))]
    return clipped(X, filled, bounds)
