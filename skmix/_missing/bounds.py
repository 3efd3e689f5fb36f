"""Bounds on what is filled in: expectations are clipped, draws are those of cut densities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

# A draw beyond the bounds is drawn again so often, so many at once, and clipped then.
REDRAWS, AT_ONCE = 10, 10


def check_bounds(
    estimator: Any, n_features: int, free: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest value that may be filled into every column.

    Columns that are `free` (a mask) have no bounds, whatever is written for them.
    """
    bounded = np.full(n_features, True) if free is None else ~free
    bounds = []
    for name, nothing in (("min_value", -np.inf), ("max_value", np.inf)):
        given = getattr(estimator, name)
        asked = f"{name} must be a number or have one entry per column, shape ({n_features},)"
        try:
            bound = np.asarray(nothing if given is None else given, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{asked}, but is {given!r}.") from None
        if bound.ndim > 1 or bound.size not in (1, n_features):
            raise ValueError(f"{asked}, but has shape {bound.shape}.")
        bound = np.where(bounded, bound, nothing)
        wrong = np.flatnonzero(np.isnan(bound) | (bound == -nothing))
        if len(wrong):  # would itself be filled in
            raise ValueError(
                f"{name}={bound[wrong[0]]} is no bound for column {wrong[0]}: write {nothing} "
                "where there is none."
            )
        bounds.append(bound)
    low, high = bounds
    if np.any(low > high):
        column = int(np.argmax(low > high))
        raise ValueError(
            f"min_value={low[column]} is larger than max_value={high[column]} for column "
            f"{column}: give the smaller one as min_value."
        )
    return low, high


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
    n_draws: int = 1,
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

    n_draws : int, default=1
        The number of draws.

    Returns
    -------
    draws : ndarray of shape (n_draws, n_samples, n_features)
    """
    draws = draw(X, n_draws)
    if not np.any(np.isfinite(bounds)):
        return draws
    return np.stack([_redrawn(X, own, draw, bounds) for own in draws])


def _redrawn(
    X: np.ndarray,
    filled: np.ndarray,
    draw: Callable[[np.ndarray, int], np.ndarray],
    bounds: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Return one draw of all rows in which those beyond the bounds were drawn again."""
    (low, high), missing = bounds, np.isnan(X)
    for _ in range(REDRAWS):
        outside = np.flatnonzero(np.any(missing & ((filled < low) | (filled > high)), axis=1))
        if len(outside) == 0:
            return filled
        draws = draw(X[outside], AT_ONCE)
        beyond = np.any(missing[outside] & ((draws < low) | (draws > high)), axis=2)
        filled[outside] = draws[np.argmin(beyond, axis=0), np.arange(len(outside))]
    return clipped(X, filled, bounds)
