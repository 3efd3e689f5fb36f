"""The choice of a Gaussian mixture inside another estimator, by BIC and without a table."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from .._mixtures.gaussian import GaussianMixture
from .._mixtures.known import Known
from ..exceptions import DegenerateComponentWarning
from . import neighbours
from .candidates import Fit, fit_rows
from .ranking import is_flattered
from .selection import warn_of_choice


def choose_by_bic(
    mixture: GaussianMixture,
    points: list[dict[str, Any]],
    X: Any,
    sample_weight: np.ndarray | None,
    known: Known,
) -> GaussianMixture:
    """Return the mixture of lowest BIC, fitted, as `select_mixture` would choose it.

    Candidates whose likelihood comes from a spike, or from what is added to variances, and those
    with more parameters than rows come after all others.

    Parameters
    ----------
    mixture : GaussianMixture
        What the candidates have in common.

    points : list of dict
        Parameters of the candidates, the simplest first: it is chosen among equals.

    X, sample_weight
        Validated rows and weights, or Chunks.

    known : Known
        What is known of the rows.

    Raises
    ------
    ValueError
        If no candidate could be fitted, with the reason of the first.
    """
    with warnings.catch_warnings(), ExitStack() as stack:
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", DegenerateComponentWarning)
        fits = []
        for point in points:
            model = clone(mixture).set_params(**point)
            stack.enter_context(model._knowing(known))
            fits.append(fit_rows(model, X, sample_weight))
        for chain in neighbours.chains(points):
            better = neighbours.improve([fits[i] for i in chain], X, sample_weight)
            for i, fit in zip(chain, better, strict=True):
                fits[i] = fit
        fitted = [fit.estimator for fit in fits if fit.estimator is not None]
        if not fitted:
            raise ValueError(_reason(fits[0]))
        best = min(fitted, key=lambda model: _loss(model, X, sample_weight))
    warn_of_choice(best)
    return best


def _loss(model: GaussianMixture, X: Any, sample_weight: Any) -> tuple[bool, bool, float]:
    flattered, free = doubts(model, model._weight_of_fit[0])
    flattered = flattered or is_flattered(model, X, sample_weight)
    return flattered, free, model.bic(X, sample_weight)


def doubts(model: GaussianMixture, n_rows: float) -> tuple[bool, bool]:
    """Whether a variance is what is added to it, and whether parameters outnumber the rows.

    BIC says nothing of such a fit.
    """
    return neighbours.collapsed(model), model._n_parameters() > n_rows


def _reason(fit: Fit) -> str:
    return fit.error.partition(": ")[2]
