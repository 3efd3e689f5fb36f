"""Which form is accurate enough: what rounding may do to densities and sums, and what it does.

Squares about the centre of the frame lose digits where a component is far narrower than it lies
from there. Everything here is asked per component, in units of *ratios*: the largest distance of
its rows from the origin, in its own standard deviations, squared.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

# What rounding may do to a density (relative to its exponent) and to a variance, per type of the
# sums. The tighter one for densities in float64 keeps the log-likelihood of a row, a sum over
# features, exact to 1e-10 where the form changes.
MAX_RELATIVE_ERROR = {np.dtype(np.float32): 1e-3, np.dtype(np.float64): 1e-10}
MAX_VARIANCE_ERROR = {np.dtype(np.float32): 1e-3, np.dtype(np.float64): 1e-9}
# In the centred form rounding enters through the rows alone, to first order.
MAX_ROW_ERROR = 1e-4

# A sum of rows in one product is wrong by up to this many units of rounding, as measured on three
# generations of processors: few rows have no time to, many average it out...
MAX_ROUNDING, AVERAGED_FROM = 25.0, 500
# ... unless few values come again and again, all of which are rounded to the same side.
COARSE_ROUNDING, COARSE_SAMPLE = 140.0, 256


def of_sums(counts: np.ndarray, coarse: bool) -> np.ndarray:
    """Return units of rounding (K,) by which a sum over so many rows may be wrong."""
    if coarse:
        return np.full(len(counts), COARSE_ROUNDING)
    averaged = np.sqrt(AVERAGED_FROM / np.maximum(counts, AVERAGED_FROM))
    return np.maximum(MAX_ROUNDING * averaged, 1.0)


def is_small(ratio2: np.ndarray, rounding: Any, dtype: np.dtype) -> np.ndarray:
    """Mask of components whose densities and sums about the origin keep the digits they need."""
    share = np.maximum(1.0 / MAX_RELATIVE_ERROR[dtype], rounding / MAX_VARIANCE_ERROR[dtype])
    return np.finfo(dtype).eps * ratio2 * share < 1.0


@functools.lru_cache(maxsize=8)
def surely_small(coarse: bool, dtype: np.dtype) -> float:
    """Return the squared ratio up to which rounding is small for any number of rows."""
    worst = COARSE_ROUNDING if coarse else MAX_ROUNDING
    share = max(1.0 / MAX_RELATIVE_ERROR[dtype], worst / MAX_VARIANCE_ERROR[dtype])
    return float(1.0 / (np.finfo(dtype).eps * share))


def rows_surely_exact(dtype: Any) -> float:
    """Return the squared ratio up to which rounding of the rows is small in the centred form."""
    return float(MAX_ROW_ERROR / np.finfo(dtype).eps) ** 2


def is_coarse(source: Any) -> bool:
    """Whether the values of some column, or the weights, repeat within few rows."""
    if source.n_samples <= COARSE_SAMPLE:
        few = source.take(slice(0, source.n_samples))
    else:
        rows = np.linspace(0, source.n_samples - 1, COARSE_SAMPLE)
        few = source.take(rows.astype(int))
    columns = few.X
    if few.sample_weight is not None:
        columns = np.column_stack([columns, few.sample_weight])
    columns = np.sort(columns, axis=0)
    repeats = (columns[1:] == columns[:-1]).sum(axis=0)
    return bool(np.any(2 * repeats > len(columns) - np.isnan(columns).sum(axis=0)))
