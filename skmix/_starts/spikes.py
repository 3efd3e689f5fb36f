"""What a likelihood may count: the resolution of the rows, and components on a few of them.

The likelihood of a mixture grows without bound where a component shrinks onto rows that coincide,
or that share one value of a rounded column. Runs are therefore ranked by their likelihood at the
resolution of the data: rows that were rounded to a grid of spacing h have a variance of h²/12
within its cells, which no component may undercut.
"""

from __future__ import annotations

import numpy as np

# Values nearer than this share of a column's range are the same but for rounding.
SAME = 1e-9
# The share of the rows that may lie closer to others than the resolution says.
FINER = 0.1


def rounding_variances(X: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return h²/12 of every column, with h the spacing of neighbouring values.

    Columns of continuous numbers have next to none. Of columns of mixed precision the finer
    tenth of the rows is not asked.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Distinct rows, NaN where a cell is missing.

    weight : ndarray of shape (n_samples,)
        Their weights.
    """
    if len(weight) and np.all(weight == weight[0]):
        return np.array([_even_spacing(column) for column in X.T]) ** 2 / 12.0
    return np.array([_spacing(column, weight) for column in X.T]) ** 2 / 12.0


def _even_spacing(column: np.ndarray) -> float:
    """Return the spacing of rows of equal weight; sorting is quicker than ordering."""
    values = np.sort(column).astype(np.float64, copy=False)  # NaN last
    if np.isnan(values[-1]):
        values = values[: len(values) - int(np.isnan(values).sum())]
    return _finest(values, None)


def _spacing(column: np.ndarray, weight: np.ndarray) -> float:
    order = np.argsort(column, kind="stable")  # NaN last
    values = column[order].astype(np.float64)
    n_seen = len(values) - int(np.isnan(values).sum())
    return _finest(values[:n_seen], weight[order[:n_seen]])


def _finest(values: np.ndarray, weight: np.ndarray | None) -> float:
    """Return the distance of sorted values from others that all but the finer rows keep."""
    gaps = values[1:] - values[:-1]
    new = gaps > SAME * (values[-1] - values[0])
    if not new.any():
        return 0.0
    gaps = gaps[new]
    nearest = np.minimum(np.append(gaps, np.inf), np.append(np.inf, gaps))
    if weight is None and len(nearest) == len(values):
        last = int(np.ceil(FINER * len(values))) - 1  # of the finer rows
        return float(np.partition(nearest, last)[last])
    starts = np.concatenate([[0], np.flatnonzero(new) + 1])
    mass = (
        np.diff(starts, append=len(values)) if weight is None else np.add.reduceat(weight, starts)
    )
    order = np.argsort(nearest, kind="stable")
    finer = np.cumsum(mass[order])
    return float(nearest[order[np.searchsorted(finer, FINER * finer[-1])]])


def on_few_rows(
    labels: np.ndarray, weight: np.ndarray, n_components: int, most: float
) -> np.ndarray:
    """Mask of components that hold at most `most` of the distinct rows, none of them heavy.

    A row is heavy that has 1 / (2 n_components) of the weight: a value that many rows share is a
    cluster of its own.
    """
    counts = np.bincount(labels, minlength=n_components)
    few = (counts > 0) & (counts <= most)
    if few.any():
        heavy = weight >= weight.sum() / (2.0 * n_components)
        few[labels[heavy]] = False
    return few
