"""Dask collections: recognised without importing Dask, which is an extra."""

from __future__ import annotations

from typing import Any

# Where rows in parts are taken, Chunks as well as collections; for messages.
TAKERS = (
    "in fit, score, criteria, predict and impute, Bayes classifiers in fit and predict, the "
    "inpainter and the imputer in fit and transform; other estimators and methods do not"
)


def is_dask(X: Any) -> bool:
    """Whether X is a collection of Dask."""
    module = type(X).__module__
    return module.startswith(("dask.", "dask_expr.")) and hasattr(X, "__dask_graph__")


def refuse_dask(values: Any, name: str) -> None:
    """Refuse a Dask collection, which would be gathered without a word."""
    if is_dask(values):
        raise TypeError(
            f"{name} is a Dask {type(values).__name__}, which is not gathered here: mixtures take "
            f"Dask arrays and data frames {TAKERS}. Pass {name}.compute() where the rows fit into "
            "memory."
        )
