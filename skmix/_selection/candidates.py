"""Fits of the candidates of a selection, to all rows and to folds."""

from __future__ import annotations

from numbers import Integral
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from sklearn import get_config
from sklearn.base import clone
from sklearn.model_selection import KFold, check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

from .._interface import encoding, frames, validation
from .._interface.chunks import as_chunks
from .._mixtures.categorical import CategoricalMixture
from .._mixtures.gaussian import GaussianMixture
from .._mixtures.mixed import MixedMixture


class Fit(NamedTuple):
    """One fit, or why it failed."""

    estimator: Any
    seconds: float
    held_out: float = np.nan  # mean log-likelihood per row (nats)
    error: str = ""


def _weights_for(estimator: Any, sample_weight: Any) -> dict[str, Any]:
    """Return the weights under the name that the estimator's fit takes."""
    if sample_weight is None:
        return {}
    prefix = ""
    while isinstance(estimator, Pipeline) and not get_config()["enable_metadata_routing"]:
        step, estimator = estimator.steps[-1]
        prefix += f"{step}__"
    return {f"{prefix}sample_weight": sample_weight}


def fit_rows(estimator: Any, X: Any, sample_weight: Any) -> Fit:
    """Fit, and catch what goes wrong."""
    start = perf_counter()
    try:
        estimator.fit(X, **_weights_for(estimator, sample_weight))
    except Exception as error:  # as with GridSearchCV(error_score=nan)
        return Fit(None, perf_counter() - start, error=f"{type(error).__name__}: {error}")
    return Fit(estimator, perf_counter() - start)


def fit_and_score(
    estimator: Any, X: Any, sample_weight: Any, train: np.ndarray, test: np.ndarray
) -> Fit:
    """Fit to some rows and score others."""
    weighted = sample_weight is not None
    weight = sample_weight[train] if weighted else None
    fit = fit_rows(clone(estimator), _safe_indexing(X, train), weight)
    if fit.estimator is None:
        return fit
    rows = _safe_indexing(X, test)
    try:
        if weighted:
            log_prob = fit.estimator.score_samples(rows)
            score = np.average(log_prob, weights=sample_weight[test])
        else:
            score = fit.estimator.score(rows)
    except Exception as error:
        return fit._replace(error=f"{type(error).__name__}: {error}")
    return Fit(None, fit.seconds, float(score))


def split(cv: Any, X: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return indices of training and of held-out rows, the same for all candidates."""
    if cv is None or isinstance(cv, Integral):
        cv = KFold(5 if cv is None else cv, shuffle=True, random_state=0)
    return list(check_cv(cv).split(X))


class Shared(NamedTuple):
    """Rows that are validated and encoded once, for all candidates."""

    rows: Any
    settings: dict[str, Any]  # parameters that candidates need for these rows
    parameters: dict[str, Any]  # those that the chosen fit gets back
    attributes: dict[str, Any]  # what the chosen fit would have learned of the rows as given


def share_rows(estimator: Any, points: list[dict[str, Any]], X: Any, sample_weight: Any) -> Shared:
    """Return the rows as all candidates can share them."""
    if as_chunks(X) is not None:  # every fit reads them for itself
        return Shared(X, {}, {}, {})
    reader = clone(estimator)
    names = {name for point in points for name in point}
    if isinstance(estimator, CategoricalMixture):
        if names & {"categories", "handle_unknown"}:
            return Shared(X, {}, {}, {})
        columns = encoding.read_columns(reader, X, reset=True, categories=estimator.categories)
        n_rows = len(columns[0].positions)
        kept = np.ones(n_rows, bool) if sample_weight is None else sample_weight > 0
        categories = encoding.learn_categories(columns, estimator.categories, kept)
        codes = encoding.encode(columns, categories, estimator.handle_unknown, kept)
        rows = np.where(codes < 0, np.float32(np.nan), codes) if np.any(codes < 0) else codes
        settings = {"categories": [np.arange(len(known)) for known in categories]}
        learned = {**_seen(reader, X), "categories_": categories}
        return Shared(rows, settings, {"categories": estimator.categories}, learned)
    if isinstance(estimator, MixedMixture):
        kinds = {"families", "categorical_features", "categories", "handle_unknown"}
        known = [] if names & kinds else reader._learned_categories(X, sample_weight)
        if not known:
            return Shared(X, {}, {}, {})
        # A fold may lack a category.
        return Shared(X, {"categories": known}, {"categories": estimator.categories}, {})
    if isinstance(estimator, GaussianMixture):
        rows = validation.validate_rows(reader, X)
        return Shared(rows, {}, {}, _seen(reader, X))
    return Shared(X, {}, {}, {})


def _seen(reader: Any, X: Any) -> dict[str, Any]:
    """Return what a fit knows of the columns of X."""
    names = {name: value for name, value in vars(reader).items() if name.endswith("_in_")}
    return {**names, "_template": frames.template_of(X)}


def give_back(fitted: Any, shared: Shared) -> None:
    """Make a fit to shared rows one to the rows as they were given."""
    if shared.parameters:
        fitted.set_params(**shared.parameters)
    vars(fitted).update(shared.attributes)
