"""Which candidate is chosen, and which may not win."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.stats import rankdata

from .._mixtures.base import BaseMixture
from ..exceptions import DegenerateComponentWarning, user_level


def is_flattered(model: Any, X: Any, sample_weight: Any) -> bool:
    """Whether the criteria of a fit say more of a spike than of the rows."""
    return isinstance(model, BaseMixture) and model._is_flattered(X, sample_weight)


def _losses(results: dict[str, Any], criterion: str) -> np.ndarray:
    """What the choice minimises."""
    return -results["mean_test_score"] if criterion == "cv" else results[criterion]


def rank(results: dict[str, Any], criterion: str, one_standard_error: bool) -> int:
    """Add the ranks to the table; return the index of the choice."""
    losses = _losses(results, criterion)
    failed = np.isnan(losses)
    if failed.all():
        raise ValueError(
            f"criterion={criterion!r} is NaN for every candidate of param_grid. Score a single "
            "fit of the estimator to see why."
        )
    ranks = np.full(len(losses), np.sum(~failed) + 1)
    plain = ~failed & ~results["degenerate"]
    ranks[plain] = rankdata(losses[plain], method="min")
    behind = ~failed & results["degenerate"]
    ranks[behind] = plain.sum() + rankdata(losses[behind], method="min")
    results["rank"] = ranks
    best = int(np.argmin(ranks))
    if not one_standard_error:
        return best
    if np.isnan(results["n_parameters"][~failed]).any():
        raise ValueError(
            "one_standard_error=True compares numbers of parameters, which these estimators do "
            "not tell. Use one_standard_error=False, or a mixture."
        )
    within = losses <= losses[best] + results["standard_error"][best]
    within &= plain if plain.any() else True
    sizes = np.where(within, results["n_parameters"], np.inf)
    smallest = np.flatnonzero(sizes == sizes.min())
    return int(smallest[np.argmin(losses[smallest])])


def warn_of_flattered(results: dict[str, Any], criterion: str, best: int) -> None:
    """Say so where a degenerate candidate would have won, or did."""
    losses = _losses(results, criterion)
    better = results["degenerate"] & (losses <= losses[best])
    if not better.any():
        return
    named = ", ".join(str(results["params"][i]) for i in np.flatnonzero(better)[:5])
    place = "won" if results["degenerate"][best] else "rank behind all others"
    warnings.warn(
        f"{better.sum()} candidate(s) of the best {criterion} {place} although degenerate: "
        f"{named}. Their likelihood comes from components on few rows, or on single values of a "
        "rounded column, and grows without bound as these shrink. Make such a column a count or a "
        "category of MixedMixture, leave it out, raise reg_covar, or use fewer components.",
        DegenerateComponentWarning,
        stacklevel=user_level(),
    )
