"""How transformers change a density: logarithms of their Jacobian determinants.

To support another transformer of scikit-learn, register a function of it here with
`log_jacobian`, and with `inverse` where its `inverse_transform` does not do. A transformer of
one's own needs nothing here: a method ``log_abs_det_jacobian(X)`` does.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from functools import singledispatch
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils import get_tags
from sklearn.utils._param_validation import InvalidParameterError

from .._interface.magnitudes import LARGEST
from .elementwise import ELEMENTWISE, LOG_2PI, Elementwise, log_normal

HOOK = "log_abs_det_jacobian"
EPS = float(np.finfo(np.float64).eps)
FAR = LARGEST[np.dtype(np.float64)]


# The Jacobian of each transformer -------------------------------------------------------------


def elementwise(transformer: FunctionTransformer) -> Elementwise | None:
    """Return the map that a FunctionTransformer applies, None where it is not known."""
    func = transformer.func
    if transformer.kw_args or not isinstance(func, Hashable):
        return None
    return ELEMENTWISE.get(func)


def sum_observed(X: np.ndarray, log_derivatives: Any) -> np.ndarray:
    """Sum over the features of every row; what is missing in X changes no density."""
    return np.where(np.isnan(X), 0.0, log_derivatives).sum(axis=1)


def log_abs_det_jacobian(transformer: Any, X: np.ndarray) -> np.ndarray:
    """Return log |det J| at every row (nats); -inf where the map is undefined or not one-to-one.

    The map is that of a fitted transformer. One that leaves dimensions out adds the log density
    of what it left out.
    """
    if not hasattr(transformer, HOOK):
        return log_jacobian(transformer, X)
    log_det = np.asarray(getattr(transformer, HOOK)(X), dtype=np.float64)
    if log_det.shape != (len(X),):
        raise ValueError(
            f"{HOOK} of {transformer!r} must return one number per row, shape ({len(X)},), but "
            f"returned shape {log_det.shape}."
        )
    return log_det


@singledispatch
def log_jacobian(transformer: Any, X: np.ndarray) -> np.ndarray:
    """Return log |det J| of a transformer of scikit-learn."""
    raise NotImplementedError(type(transformer).__name__)  # check_supported has refused it


@log_jacobian.register(StandardScaler)
@log_jacobian.register(RobustScaler)
@log_jacobian.register(MaxAbsScaler)
def _divide(transformer: Any, X: np.ndarray) -> np.ndarray:
    scale = getattr(transformer, "scale_", None)
    log_scale = 0.0 if scale is None else np.log(np.asarray(scale, dtype=np.float64))
    return sum_observed(X, -log_scale)


@log_jacobian.register
def _min_max(transformer: MinMaxScaler, X: np.ndarray) -> np.ndarray:
    return sum_observed(X, np.log(np.asarray(transformer.scale_, dtype=np.float64)))


@log_jacobian.register
def _pca(transformer: PCA, X: np.ndarray) -> np.ndarray:
    log_det = 0.0
    if transformer.whiten:
        # As in transform, which does not divide by less.
        scale = np.sqrt(transformer.explained_variance_)
        log_det = -np.log(np.maximum(scale, np.finfo(scale.dtype).eps)).sum(dtype=np.float64)
    variance, n_left_out = _left_out(transformer)
    if n_left_out == 0:
        return np.full(len(X), log_det)
    components = transformer.components_.astype(np.float64)
    residual = X - transformer.mean_.astype(np.float64)
    residual -= residual @ components.T @ components
    squares = np.einsum("ij,ij->i", residual, residual)
    return log_det - 0.5 * (squares / variance + n_left_out * (np.log(variance) + LOG_2PI))


def _left_out(transformer: PCA) -> tuple[float, int]:
    """Return the variance and the number of the directions that a PCA leaves out."""
    n_components, n_features = transformer.components_.shape
    return float(transformer.noise_variance_), n_features - n_components


@log_jacobian.register
def _power(transformer: PowerTransformer, X: np.ndarray) -> np.ndarray:
    powers = np.asarray(transformer.lambdas_, dtype=np.float64) - 1.0
    if transformer.method == "box-cox":
        inside = X > 0
        log_derivatives = np.where(inside, powers * np.log(np.where(inside, X, 1.0)), -np.inf)
    else:
        log_derivatives = np.sign(X) * powers * np.log1p(np.abs(X))
    log_det = sum_observed(X, log_derivatives)
    return log_det + _divide(transformer._scaler, X) if transformer.standardize else log_det


@log_jacobian.register
def _quantile(transformer: QuantileTransformer, X: np.ndarray) -> np.ndarray:
    log_derivatives = np.empty(X.shape)
    for column, x, quantiles in zip(log_derivatives.T, X.T, transformer.quantiles_.T, strict=True):
        values, first, counts = np.unique(quantiles, return_index=True, return_counts=True)
        last = first + counts - 1
        slopes = (
            transformer.references_[first[1:]] - transformer.references_[last[:-1]]
        ) / np.diff(values)
        # At a quantile itself, where the slope changes, the one to the right.
        segment = np.clip(np.searchsorted(values, x, side="right") - 1, 0, len(slopes) - 1)
        inside = (values[0] <= x) & (x <= values[-1])
        column[:] = np.where(inside, np.log(slopes[segment]), -np.inf)
    if transformer.output_distribution == "normal":
        log_derivatives -= log_normal(transformer.transform(X))
    return sum_observed(X, log_derivatives)


@log_jacobian.register
def _function(transformer: FunctionTransformer, X: np.ndarray) -> np.ndarray:
    function = elementwise(transformer)
    assert function is not None  # check_supported has seen to it
    low, high = function.domain
    inside = (low < X) & (high > X)
    log_derivatives = np.full(X.shape, -np.inf)
    with np.errstate(divide="ignore"):
        log_derivatives[inside] = function.log_derivative(X[inside])
    # Where the derivative is infinite there is no density, as outside of the domain.
    log_derivatives[log_derivatives == np.inf] = -np.inf
    return sum_observed(X, log_derivatives)


# Inverses -------------------------------------------------------------------------------------


@singledispatch
def inverse(transformer: Any, Z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the rows that are mapped to Z; NaN or infinite cells where there is none."""
    if not hasattr(transformer, "inverse_transform"):
        raise InvalidParameterError(
            f"sample needs the inverse of {transformer!r}, which has no inverse_transform."
        )
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of NaN, which is an answer here: there is no such row
        return np.asarray(transformer.inverse_transform(Z), dtype=np.float64)


@inverse.register
def _inverse_function(
    transformer: FunctionTransformer, Z: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    function = elementwise(transformer)
    assert function is not None
    low, high = function.image
    X = np.full(Z.shape, np.nan)
    inside = (low < Z) & (high > Z)
    with np.errstate(all="ignore"):
        X[inside] = function.inverse(Z[inside])
    return X


@inverse.register
def _inverse_pca(transformer: PCA, Z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    X = np.asarray(transformer.inverse_transform(Z), dtype=np.float64)
    variance, n_left_out = _left_out(transformer)
    if n_left_out == 0:
        return X
    components = transformer.components_.astype(np.float64)
    noise = np.sqrt(variance) * rng.standard_normal(X.shape)
    return X + noise - noise @ components.T @ components


@inverse.register
def _inverse_quantile(
    transformer: QuantileTransformer, Z: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    X = np.asarray(transformer.inverse_transform(Z), dtype=np.float64)
    for x, quantiles in zip(X.T, transformer.quantiles_.T, strict=True):
        values, counts = np.unique(quantiles, return_counts=True)
        # What lies beyond the ends, or where repeated values make the map jump, is no image.
        outside = (x <= values[0]) | (x >= values[-1]) | np.isin(x, values[counts > 1])
        x[outside] = np.nan
    return X


# Chains of transformers -----------------------------------------------------------------------


def steps_of(transformer: Any) -> list:
    """Return the transformers that a transformer consists of, in order."""
    if transformer is None or (isinstance(transformer, str) and transformer == "passthrough"):
        return []
    if isinstance(transformer, FrozenEstimator):
        return steps_of(transformer.estimator)
    if isinstance(transformer, Pipeline):
        return [step for _, part in transformer.steps for step in steps_of(part)]
    return [transformer]


def output_arrays(transformer: Any) -> None:
    """Have a transformer that is yet to be fitted return arrays, whatever is configured."""
    if isinstance(transformer, Pipeline):
        for _, part in transformer.steps:
            output_arrays(part)
    elif hasattr(transformer, "set_output") and not isinstance(transformer, FrozenEstimator):
        transformer.set_output(transform="default")


def push(steps: list, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Map rows through fitted transformers.

    Returns the images (n_inside, n_outputs) of the rows in the domain, and for every row
    log |det J| (n_samples,), which is -inf for the others.
    """
    log_det = np.zeros(len(X))
    inside = np.arange(len(X))
    Z = X.astype(np.float64)
    for step in steps:
        change = log_abs_det_jacobian(step, Z)
        log_det[inside] += change
        kept = change > -np.inf
        if kept.any():
            with np.errstate(over="ignore", under="ignore"):
                images = np.asarray(step.transform(Z[kept]), dtype=np.float64)
            # Farther out than any density reaches, squares overflow. (NaN is a missing cell.)
            near = ~(np.abs(images) > FAR).any(axis=1)
            kept[kept], Z = near, images[near]
        log_det[inside[~kept]] = -np.inf
        inside = inside[kept]
        if len(inside) == 0:
            break
    return Z[: len(inside)], log_det


def describe_outside(steps: list, X: np.ndarray, log_det: np.ndarray) -> str:
    """Say which rows have no density, by which transformer, and why."""
    outside = np.flatnonzero(log_det == -np.inf)
    row = Z = X[outside[:1]]
    for step in steps:
        images, change = push([step], Z)
        if change[0] == -np.inf:
            break
        Z = images
    first = f"the first of them row {outside[0]}: {row[0].tolist()}."
    if log_abs_det_jacobian(step, Z.astype(np.float64))[0] == -np.inf:
        return f"{len(outside)} row(s) of X lie outside of the domain of {step!r}, {first}"
    return (
        f"{len(outside)} row(s) of X have images beyond {FAR:.0e} by {step!r}, which are too far "
        f"out for floating point, {first} Standardise the columns, by a StandardScaler for "
        "example, before this step."
    )


def pull(steps: list, Z: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Map images back through fitted transformers.

    Returns the rows (n_inside, n_features) and the indices of the images that have one.
    """
    inside = np.arange(len(Z))
    X = Z.astype(np.float64)
    for step in reversed(steps):
        # A transformer with the hook may be a subclass whose map is its own.
        undo = inverse.dispatch(object) if hasattr(step, HOOK) else inverse
        X = undo(step, X, rng)
        kept = np.isfinite(X).all(axis=1)
        inside, X = inside[kept], X[kept]
        if len(inside) == 0:
            break
    return X, inside


# What is refused ------------------------------------------------------------------------------


def check_supported(steps: list, owner: str) -> None:
    """Raise an error that names the first transformer whose Jacobian is not known."""
    for step in steps:
        reason = _refusal(step)
        if reason is not None:
            raise InvalidParameterError(
                f"The 'transformer' parameter of {owner} holds {step!r}, {reason}"
            )


def _refusal(step: Any) -> str | None:
    if hasattr(step, HOOK):
        return None
    supported: list[Any] = [cls for cls in log_jacobian.registry if cls is not object]
    known: list[Any] = [parent for parent in type(step).__mro__ if parent in supported]
    # A subclass with a transform of its own does not have the Jacobian of its parent.
    cls: Any = type(step)
    if not known or cls.transform is not known[0].transform:
        names = ", ".join(sorted(cls.__name__ for cls in supported))
        return (
            f"whose Jacobian is not known. Supported are {names}, Pipelines of these, and "
            f"transformers with a method {HOOK}(X) that returns log |det J| for every row (nats)."
        )
    if getattr(step, "clip", False):
        return "which is not one-to-one with clip=True. Set clip=False."
    if isinstance(step, FunctionTransformer) and elementwise(step) is None:
        names = ", ".join(sorted({func.__name__ for func in ELEMENTWISE if func is not None}))
        return (
            f"whose func is not known to be one-to-one. Known are, without kw_args, the ufuncs "
            f"{names}; for others write a transformer with a method {HOOK}(X)."
        )
    return None


def check_invertible(steps: list) -> None:
    """Raise an error that names the first fitted transformer that leaves no density."""
    for step in steps:
        if hasattr(step, HOOK):
            continue
        if isinstance(step, PCA):
            variance, n_left_out = _left_out(step)
            if n_left_out and not variance > EPS * np.max(step.explained_variance_, initial=0.0):
                raise ValueError(
                    f"{step!r} leaves out {n_left_out} direction(s) in which the rows do not "
                    f"vary (noise_variance_={variance:g}): the rows have no density. Keep fewer "
                    "components, or leave out features that depend on others."
                )
        if isinstance(step, QuantileTransformer):
            same = np.flatnonzero(np.ptp(step.quantiles_, axis=0) == 0)
            if len(same):
                raise ValueError(
                    f"{step!r} maps column(s) {same.tolist()}, which are constant, to one value "
                    "and cannot be inverted there. Leave these columns out."
                )


def takes_missing(step: Any) -> bool:
    """Whether a transformer maps each feature by itself and leaves NaN where it is."""
    if isinstance(step, PCA):
        return False
    if isinstance(step, FunctionTransformer):
        return not step.validate
    return bool(hasattr(step, "__sklearn_tags__") and get_tags(step).input_tags.allow_nan)
