"""What is added to variances: `reg_covar`, resolved once per fit to one variance per column.

A number is a unit in disguise: 1e-6 is nothing for heights in centimetres and all that there is
for currents in ampere. "auto" takes it from the columns, and never so much of it that structure on
a far smaller scale than that of the column would be lost.
"""

from __future__ import annotations

import heapq
import warnings
from typing import Any

import numpy as np
from sklearn.utils._param_validation import StrOptions

from .._families import Frame
from .._interface.validation import NON_NEGATIVE
from .._rows.sources import Source
from .._starts.spikes import rounding_variances
from ..exceptions import user_level
from .covariance_types import FAMILIES

CONSTRAINT = [NON_NEGATIVE, StrOptions({"auto"})]

SHARE = 1e-6  # of the variance of a column
MOST = 0.01  # of its variance within components
WARN_ABOVE = 0.1  # of its variance
# Rows, and rows per component, that tell whether a column may vary on a far smaller scale within
# components. Columns that may are sorted, in so many rows, and cut between as many quantiles.
SCREENED, SCREENED_PER_COMPONENT, SORTED = 1024, 8, 2**20


def resolve(
    reg_covar: Any, source: Source, frame: Frame, n_components: int, *, alike: bool = False
) -> np.ndarray:
    """Return what is added to the variance of every column (n_features,).

    Parameters
    ----------
    reg_covar : float or 'auto'
        A valid value of the parameter.

    source : Source
        The rows of the fit.

    frame : Frame
        Measured on these rows.

    n_components : int
        The number of components that these rows are shared between.

    alike : bool, default=False
        Whether all columns get the same: those of spherical components, or pixels of patches.
    """
    if reg_covar != "auto":
        return np.full(len(frame.scale), float(reg_covar))
    variances = frame.variances
    varies = variances > 0
    if not varies.any():
        return np.full(len(variances), SHARE)
    wanted, most = SHARE * variances, MOST * variances
    if n_components > 1:
        within = _within(source, variances, n_components)
        most = np.where(within > 0, MOST * within, wanted)  # few values say nothing
    if alike:
        mean = min(wanted[varies].mean(), most[varies].mean())
        return np.full(len(variances), mean)
    wanted = np.minimum(wanted, most)
    return np.where(varies, wanted, wanted[varies].mean())


def resolve_for_classes(
    reg_covar: Any, covariance_type: str, source: Source, n_components: int
) -> tuple[np.ndarray, Frame]:
    """Return what mixtures of all classes of rows are to add, and the frame of the rows.

    `n_components` is that of all mixtures together.
    """
    alike = FAMILIES[covariance_type].one_variance
    with source:
        frame = Frame.of_source(source)
        return resolve(reg_covar, source, frame, n_components, alike=alike), frame


def warn_if_large(estimator: Any, frame: Frame) -> None:
    """Warn of a number that hides what varies little."""
    reg_covar = estimator.reg_covar
    if reg_covar == "auto":
        return
    hidden = np.flatnonzero((frame.variances > 0) & (reg_covar > WARN_ABOVE * frame.variances))
    if len(hidden) == 0:
        return
    names = getattr(estimator, "feature_names_in_", None)
    listed = ", ".join(str(j) if names is None else repr(names[j]) for j in hidden[:10])
    more = f" and {len(hidden) - 10} more" if len(hidden) > 10 else ""
    smallest = frame.variances[hidden].min()
    warnings.warn(
        f"reg_covar={reg_covar} is more than {WARN_ABOVE:.0%} of the variance of column(s) "
        f"{listed}{more} of X (the smallest is {smallest:.3g}): what varies there is hidden. Use "
        'reg_covar="auto", a smaller number, or other units.',
        UserWarning,
        stacklevel=user_level(),
    )


def described(reg_covar: Any, resolved: np.ndarray) -> str:
    """Return the parameter and what it stands for, for a message."""
    if reg_covar != "auto":
        return f"reg_covar={reg_covar}"
    low, high = resolved.min(), resolved.max()
    value = f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
    return f"reg_covar='auto' (reg_covar_ is {value})"


def _within(source: Source, variances: np.ndarray, n_components: int) -> np.ndarray:
    """Bound the variances within components (n_features,) from below.

    Whatever the components, a column varies no less within them than within that many intervals
    of its values, nor than its values are rounded.
    """
    within = _screen(source, n_components)
    may = within < SHARE / MOST * variances
    for j in np.flatnonzero(may & (variances > 0)).tolist():
        values, weight = _observed(source, j, _n_screened(n_components))
        rounding = rounding_variances(values[:, None], weight)[0]
        within[j] = max(_of_intervals(values, weight, n_components), rounding)
    return within


def _n_screened(n_components: int) -> int:
    return max(SCREENED, SCREENED_PER_COMPONENT * n_components)


def _screen(source: Source, n_components: int) -> np.ndarray:
    """Return cheap lower bounds on the variances within intervals, from some rows.

    Of 2 K blocks of equal mass at most K - 1 are cut by the ends of K intervals: the variance
    within the others, the K + 1 that vary least, is within intervals.
    """
    n_rows = _n_screened(n_components)
    rows: Any = slice(None)
    if source.weighted or source.n_samples > n_rows:
        rows = source.even_rows(n_rows)
    X = np.sort(source.take(rows).X.astype(np.float64, copy=False), axis=0)
    bounds = np.zeros(X.shape[1])
    n_seen = len(X) - np.isnan(X).sum(axis=0)
    for n in np.unique(n_seen):
        size = n // (2 * n_components)
        if size < 2:
            continue
        columns = np.flatnonzero(n_seen == n)
        blocks = X[: 2 * n_components * size, columns].reshape(2 * n_components, size, -1)
        least = np.sort(blocks.var(axis=1), axis=0)[: n_components + 1]
        bounds[columns] = least.sum(axis=0) / (2 * n_components)
    return bounds


def _observed(source: Source, j: int, n_values: int) -> tuple[np.ndarray, np.ndarray]:
    """Return sorted values of a column and their weights; `n_values` quantiles of more."""
    rows: Any = slice(None)
    if source.n_samples > SORTED:
        rows = np.linspace(0, source.n_samples - 1, SORTED).astype(int)
    chunk = source.take(rows)
    values = chunk.X[:, j].astype(np.float64)
    weight = np.ones(len(values)) if chunk.sample_weight is None else chunk.sample_weight
    order = np.argsort(values, kind="stable")[: len(values) - int(np.isnan(values).sum())]
    values, weight = values[order], weight[order]
    if weight.sum() > n_values * weight.min():
        edges = np.cumsum(weight)
        levels = (np.arange(n_values) + 0.5) / n_values * edges[-1]
        values = values[np.minimum(np.searchsorted(edges, levels), len(edges) - 1)]
        weight = np.ones(n_values)
    return values, weight


def _of_intervals(values: np.ndarray, weight: np.ndarray, n_intervals: int) -> float:
    """Return the variance of sorted values within intervals that leave little of it.

    The interval whose best cut gains most is cut, until there are enough.
    """
    values = values - values[len(values) // 2]
    mass = np.append(0.0, np.cumsum(weight))
    first = np.append(0.0, np.cumsum(weight * values))

    def best_cut(start: int, stop: int) -> tuple[float, int, int, int]:
        if stop - start < 2:
            return 0.0, start, start, stop
        left = mass[start + 1 : stop] - mass[start]
        right = mass[stop] - mass[start + 1 : stop]
        step = (first[start + 1 : stop] - first[start]) / left
        step -= (first[stop] - first[start + 1 : stop]) / right
        gains = step**2 * (left * right / (left + right))
        best = int(np.argmax(gains))
        return -float(gains[best]), start + 1 + best, start, stop

    intervals = [best_cut(0, len(values))]
    while len(intervals) < n_intervals and intervals[0][0] < 0.0:
        _, cut, start, stop = heapq.heappop(intervals)
        heapq.heappush(intervals, best_cut(start, cut))
        heapq.heappush(intervals, best_cut(cut, stop))
    total = 0.0
    for *_, start, stop in intervals:
        own, share = values[start:stop], weight[start:stop]
        total += share @ (own - (share @ own) / share.sum()) ** 2
    return float(total / mass[-1])
