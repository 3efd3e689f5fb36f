"""What the checks of estimators share: rows, fits, and comparisons that say what differs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import SkipTest

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from .._rows import sources
from ..exceptions import DegenerateComponentWarning

# Log densities that differ by rounding alone agree to this many nats.
ROUNDING = 1e-6
N_ROWS = 120
# Enough for several chunks and lanes.
N_MANY_ROWS = 3200


def needs_weights(name: str, estimator: Any) -> None:
    """Skip the check where `fit` takes no weights."""
    if not has_fit_parameter(estimator, "sample_weight"):
        raise SkipTest(f"{name} takes no sample_weight")


def make_rows(estimator: Any, X: Any, n_samples: int = N_ROWS) -> np.ndarray:
    """Return given rows as an array, or three groups of rows as the tags ask for them."""
    if X is not None:
        return np.asarray(X).astype(np.float64)
    rng = np.random.RandomState(0)
    centres = np.array([[0.0, 0.0, 0.0], [4.0, 1.0, -1.0], [-1.0, 5.0, 2.0]])
    X = centres[rng.randint(3, size=n_samples)] + rng.standard_normal((n_samples, 3))
    tags = get_tags(estimator).input_tags
    if tags.categorical:
        return np.clip(np.round(0.5 * X), -1.0, 3.0) + 1.0
    return np.exp(0.3 * X) if tags.positive_only else X


def many_rows(estimator: Any, X: Any) -> np.ndarray:
    """Return thousands of rows, given ones repeated."""
    if X is None:
        return make_rows(estimator, None, N_MANY_ROWS)
    X = make_rows(estimator, X)
    return X[np.arange(max(N_MANY_ROWS, len(X))) % len(X)]


def with_holes(X: np.ndarray) -> np.ndarray:
    """Return rows in which a fifth of the cells are missing, but no whole row or column."""
    rng = np.random.RandomState(4)
    holes = rng.uniform(size=X.shape) < 0.2
    holes[np.arange(len(X)), rng.randint(X.shape[1], size=len(X))] = False
    holes[: len(X) // 5] = False
    return np.where(holes, np.nan, X)


def fit(estimator: Any, X: Any, sample_weight: np.ndarray | None = None) -> Any:
    """Fit a clone whose random numbers are fixed and that starts afresh."""
    fitted = clone(estimator)
    parameters = fitted.get_params()
    if "random_state" in parameters and parameters["random_state"] is None:
        fitted.set_params(random_state=0)
    if "warm_start" in parameters:
        fitted.set_params(warm_start=False)
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    return quietly(fitted.fit, X, **weights)


def quietly(method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Fit, and leave unsaid that a fit did not converge or that a component had no rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", DegenerateComponentWarning)
        return method(*args, **kwargs)


def learned(fitted: Any) -> set[str]:
    """Return the names of the learned attributes."""
    return {name for name in vars(fitted) if name.endswith("_") and not name.startswith("_")}


@contextmanager
def small_chunks() -> Iterator[None]:
    """Have sources cut rows into the smallest chunks that their forms allow."""
    chunk_bytes = sources.CHUNK_BYTES
    sources.CHUNK_BYTES = 1
    try:
        yield
    finally:
        sources.CHUNK_BYTES = chunk_bytes


def assert_same(
    name: str,
    actual: Any,
    expected: Any,
    when: str,
    *,
    what: str = "log density",
    exact: bool = False,
) -> None:
    """Compare row by row, to rounding or to the bit."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    if actual.shape != expected.shape:
        raise AssertionError(
            f"{name}: the {what} has shape {actual.shape} {when}, not {expected.shape}."
        )
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        difference = np.where(same, 0.0, np.abs(actual - expected))
    limit = 0.0 if exact else ROUNDING * np.maximum(1.0, np.abs(expected))
    bad = ~(difference <= limit)  # NaN is bad, too
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise AssertionError(
            f"{name}: the {what} differs {when}, in {bad.sum()} of {bad.size} places, by up to "
            f"{np.max(difference[bad]):.3g}; the first, {place}, is {actual[place]:.10g}, not "
            f"{expected[place]:.10g}."
        )
