"""Information criteria as scores of a search, and when they say nothing."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .._mixtures.criteria import last_step, rows_of_last_step
from .._transforms.transformed_density import TransformedDensity
from ..exceptions import user_level

# Rows of the fit have its mean log-likelihood (nats), but for what the last step of EM gained.
OTHER_ROWS = 0.01


def criterion_score(name: str, estimator: Any, X: Any) -> float:
    """Return a criterion ('aic', 'bic' or 'icl') of the last step on the rows that it sees."""
    mixture = last_step(estimator)
    if isinstance(mixture, TransformedDensity):
        raise TypeError(
            f"neg_{name}_score counts the parameters of a mixture, and not those that the "
            "transformer of a TransformedDensity learned. Leave out `scoring`: its own score, the "
            "log-likelihood of held-out rows, compares all transformers and densities."
        )
    if not hasattr(mixture, name):
        raise TypeError(
            f"neg_{name}_score needs an estimator with the method {name!r}, but {mixture!r} has "
            "none. Give it a mixture, such as skmix.GaussianMixture, or a Pipeline that ends in "
            "one; a search without `scoring` takes the estimator's own score."
        )
    rows = rows_of_last_step(estimator, X)
    _warn_of_other_rows(name, mixture, rows)
    return float(getattr(mixture, name)(rows))


def _warn_of_other_rows(name: str, mixture: Any, X: Any) -> None:
    """Warn where these cannot be the rows of the fit, which the criterion was derived for."""
    of_fit = getattr(mixture, "lower_bound_", np.nan)
    soft = getattr(mixture, "assignment", "soft") == "soft"
    if soft and abs(mixture.score(X) - of_fit) > OTHER_ROWS:
        warnings.warn(
            f"neg_{name}_score was given other rows than those of the fit. It charges for "
            "parameters twice then, by its penalty and by rows that were not seen, and a search "
            "chooses too few components. Give the search cv=[(rows, rows)] with "
            "rows = np.arange(len(X)), use select_mixture, or leave out `scoring`.",
            stacklevel=user_level(),
        )
