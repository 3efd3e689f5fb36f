"""Fits of more components that start from a fit of fewer, in case their own starts are worse."""

from __future__ import annotations

import warnings
from time import perf_counter
from typing import Any

import joblib
import numpy as np
from sklearn.base import clone

from .._families.gaussian import COLLAPSED_SHARE
from .._interface.chunks import as_chunks
from .._mixtures.covariance_types import family_in_units
from .._mixtures.gaussian import GaussianMixture
from .candidates import Fit

# How far the halves of a split move apart, in standard deviations: their variance along the
# split is that of the whole less its square, so that the first two moments stay as they were.
STEP = 0.7

STARTS = ("weights_init", "means_init", "precisions_init")


def chains(points: list[dict[str, Any]]) -> list[list[int]]:
    """Return groups of points that differ in n_components only, in the order of that."""
    groups: dict[str, list[tuple[int, int]]] = {}
    for i, point in enumerate(points):
        if "n_components" in point:
            others = {name: value for name, value in point.items() if name != "n_components"}
            groups.setdefault(joblib.hash(others), []).append((point["n_components"], i))
    return [[i for _, i in sorted(group)] for group in groups.values()]


# Of rows in chunks so many, at even steps of weight, say which component gains by a split.
SPLIT_ROWS = 2**16


def improve(chain: list[Fit], X: Any, sample_weight: Any) -> list[Fit]:
    """Fit every mixture of a chain again, from the best one before it; keep the better fits."""
    improved = []
    smaller = None
    for fit in chain:
        if smaller is not None and comparable(fit.estimator, smaller, X, sample_weight):
            start = perf_counter()
            better = refit(fit.estimator, smaller, X, sample_weight)
            fit = Fit(better, fit.seconds + perf_counter() - start)
        improved.append(fit)
        smaller = smaller if fit.estimator is None else fit.estimator
    return improved


def comparable(larger: Any, smaller: Any, X: Any, sample_weight: Any = None) -> bool:
    """Whether a fit of fewer components is a start for one of more that is worth a try."""
    return (
        isinstance(larger, GaussianMixture)
        and larger.n_components > smaller.n_components
        # Elsewhere the likelihood is not what the fit maximises, or the start is the user's.
        and larger.assignment == "soft"
        and larger.shrinkage == 0
        and larger.prior is None
        and all(getattr(larger, name) is None for name in STARTS)
        and not (has_spike(smaller, X, sample_weight) and not has_spike(larger, X, sample_weight))
    )


def has_spike(mixture: Any, X: Any, sample_weight: Any) -> bool:
    """Whether the likelihood of a fit flatters it: see `_starts/spikes.py`."""
    return not mixture._rank_of_fit(X, sample_weight)[0]


def added(mixture: Any) -> np.ndarray:
    """Return what was added to the variances (n_features,), also by scikit-learn's mixtures."""
    reg_covar = getattr(mixture, "reg_covar_", mixture.reg_covar)
    return np.broadcast_to(reg_covar, mixture.means_.shape[1:])


def collapsed(mixture: Any) -> bool:
    """Whether some variance is what regularisation puts there."""
    family, params = family_in_units(mixture)
    return bool(family.largest_share(params, added(mixture)).max() > COLLAPSED_SHARE)


def refit(larger: Any, smaller: Any, X: Any, sample_weight: Any) -> Any:
    """Fit `larger` from `smaller` with components split; return the better of both fits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            start = smaller
            while len(start.weights_) < larger.n_components:
                n_splits = larger.n_components - len(start.weights_)
                start = _split_best(start, n_splits, X, sample_weight)
            trial = clone(larger).set_params(
                weights_init=start.weights_,
                means_init=start.means_,
                precisions_init=start.precisions_,
                n_init=1,
            )
            with trial._knowing(larger._known):
                trial.fit(X, sample_weight=sample_weight)
        except ValueError:  # with reg_covar=0 a component may collapse
            return larger
    plain, bound = trial._rank_of_fit(X, sample_weight)
    plain_before, bound_before = larger._rank_of_fit(X, sample_weight)
    # What is better by less than `tol` is the same optimum.
    if (plain, bound) <= (plain_before, bound_before + larger.tol):
        return larger
    return trial.set_params(**dict.fromkeys(STARTS), n_init=larger.n_init)


def _split_best(mixture: Any, n_splits: int, X: Any, sample_weight: Any) -> Any:
    """Return the mixture with those components split whose own rows gain most."""
    if as_chunks(X) is not None:
        source = mixture._fit_source(X, None)[2]
        X = source.take(source.even_rows(min(source.n_samples, SPLIT_ROWS))).X
    labels = mixture.predict(X)
    rows: np.ndarray = np.asarray(X, dtype=np.float64)
    family, params = family_in_units(mixture)
    gains = np.full(len(mixture.weights_), -np.inf)
    for k in np.flatnonzero(mixture.weights_ > 0):
        own = labels == k
        if np.any(own):
            weight = np.ones(own.sum()) if sample_weight is None else sample_weight[own]
            whole = family.take(params, np.array([k]))
            halves = family.split(whole, 0, _spread(rows[own]), STEP)
            before, after = (_mixture_of(family, params) for params in (whole, halves))
            gains[k] = weight @ (after.score_samples(rows[own]) - before.score_samples(rows[own]))
    for k in np.argsort(-gains)[:n_splits]:
        params = family.split(params, k, _spread(rows[labels == k]), STEP)
    return _mixture_of(family, params)


def _mixture_of(family: Any, params: Any) -> GaussianMixture:
    """Return parameters in the units of the rows as a mixture."""
    covariances = family.covariances(params)
    return GaussianMixture.from_parameters(
        params.weights, params.means, covariances, covariance_type=family.covariance_type
    )


def _spread(rows: np.ndarray) -> np.ndarray:
    """Return the variances of the observed cells of some rows."""
    return np.nanvar(rows, axis=0) if len(rows) > 1 else np.zeros(rows.shape[1])
