"""Numbers whose squares, which densities are made of, fit into their type."""

from __future__ import annotations

from typing import Any

import numpy as np

# Beyond this the variance of a column overflows in its type...
DOUBLE = np.dtype(np.float64)
LARGEST = {np.dtype(np.float32): 1e18, DOUBLE: 1e75}
# ... and a column that varies by less underflows, also beside the largest rows.
SMALLEST_RANGE = {np.dtype(np.float32): 1e-16, DOUBLE: 1e-75}


def check_magnitudes(estimator: Any, X: np.ndarray, *, in_fit: bool) -> None:
    """Raise an error that names the first column whose squares would overflow or underflow.

    Rows that are only scored may be alike: what they are compared with is known.
    """
    if X.dtype not in LARGEST or X.size == 0:
        return
    largest = LARGEST[X.dtype]
    if not in_fit and -largest <= X.min() and X.max() <= largest:  # False where cells are missing
        return
    low, high = np.fmin.reduce(X), np.fmax.reduce(X)
    size = np.maximum(np.abs(low), np.abs(high))
    too_large = np.flatnonzero(size > largest)
    if len(too_large):
        column = too_large[0]
        as_float64 = ", or pass float64" if float(size[column]) <= LARGEST[DOUBLE] else ""
        raise ValueError(
            f"Column {_name(estimator, column)} of X reaches {size[column]:.3g} in size; for "
            f"squares and their sums to fit into {X.dtype}, numbers must not exceed "
            f"{largest:.0e}. Divide the column by a power of ten{as_float64}."
        )
    if not in_fit:
        return
    extent = high - low
    smallest = SMALLEST_RANGE[X.dtype]
    too_small = np.flatnonzero((extent > 0.0) & (extent < smallest))
    if len(too_small):
        column = too_small[0]
        as_float64 = "" if X.dtype == DOUBLE else ", pass float64"
        raise ValueError(
            f"Column {_name(estimator, column)} of X varies by {extent[column]:.3g} only; for "
            f"variances and their inverses to fit into {X.dtype}, it must vary by "
            f"{smallest:.0e}. Multiply the column by a power of ten{as_float64}, or drop it."
        )


def _name(estimator: Any, column: int) -> str:
    names = getattr(estimator, "feature_names_in_", None)
    return str(column) if names is None else repr(names[column])
