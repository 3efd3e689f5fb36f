"""Errors of Python, NumPy and scikit-learn that do not say which parameter is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn import utils
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

LARGEST_LEARNED = 1e153


@contextmanager
def naming(name: str, wanted: str) -> Iterator[None]:
    """Let errors in here say that this parameter must be what is wanted, unless they name it."""
    try:
        yield
    except NotFittedError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", str(error)):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name} must be {wanted}: {error}") from error


@contextmanager
def said_of(place: str) -> Iterator[None]:
    """Let errors in here begin with the place that they speak of, such as the name of a chunk."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"{place}: {error}") from error


def truth(value: Any, name: str) -> bool:
    """Return whether an option is on."""
    with naming(name, "True or False"):
        return bool(value)


def reals(values: Any) -> np.ndarray:
    """Return floats of any shape; complex numbers are none."""
    values = np.asarray(values)
    if values.dtype.kind == "c":
        raise TypeError("complex numbers are not supported")
    return values.astype(np.float64, copy=False)


def number(value: Any, name: str) -> float:
    """Return a number."""
    with naming(name, "a number"):
        return float(value)


def check_random_state(seed: Any) -> np.random.RandomState:
    """Return the generator that `random_state` stands for."""
    with naming("random_state", "None, a whole number from 0 to 2**32 - 1, or a RandomState"):
        return utils.check_random_state(seed)


def check_fitted_argument(estimator: Any, name: str) -> None:
    """Check that a parameter is a fitted mixture."""
    with naming(name, "a fitted mixture"):
        check_is_fitted(estimator)


def learned(estimator: Any, name: str, shape: tuple[int | None, ...] | None = None) -> np.ndarray:
    """Return a learned attribute as finite numbers, which somebody may have set by hand.

    None in the shape stands for any length.
    """
    with naming(name, "an array of numbers, as fit learned it"):
        values = reals(getattr(estimator, name))
    if shape is not None and not (
        values.ndim == len(shape)
        and all(n is None or n == found for n, found in zip(shape, values.shape, strict=True))
    ):
        raise ValueError(
            f"{name} of {type(estimator).__name__} must have shape {shape}, but has shape "
            f"{values.shape}. Set it as fit did, or fit again."
        )
    if not np.all(np.abs(values) <= LARGEST_LEARNED):
        raise ValueError(
            f"{name} of {type(estimator).__name__} must be finite, and at most "
            f"{LARGEST_LEARNED:.0e} in size for squares to be. Set it as fit did, or fit again."
        )
    return values


def learned_shares(estimator: Any, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """Return learned probabilities or variances, none of them negative."""
    values = learned(estimator, name, shape)
    if values.size and values.min() < 0.0:
        raise ValueError(
            f"{name} of {type(estimator).__name__} must hold numbers that are not negative. Set "
            "it as fit did, or fit again."
        )
    return values


def learned_positive(estimator: Any, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """Return learned variances, all above 0."""
    values = learned(estimator, name, shape)
    if values.size and values.min() <= 0.0:
        raise ValueError(
            f"{name} of {type(estimator).__name__} must hold numbers above 0. Set it as fit did, "
            "or fit again."
        )
    return values


def learned_weights(estimator: Any, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """Return learned probabilities that are not all 0."""
    values = learned_shares(estimator, name, shape)
    if not values.any():
        raise ValueError(
            f"{name} of {type(estimator).__name__} must not be 0 throughout. Set it as fit did, "
            "or fit again."
        )
    return values
