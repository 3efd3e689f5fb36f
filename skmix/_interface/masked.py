"""Masked arrays of NumPy: masked cells are missing cells."""

from __future__ import annotations

from typing import Any

import numpy as np

from .dask_types import refuse_dask


def masked_as_missing(X: Any, missing: Any = np.nan) -> Any:
    """Return rows whose masked cells hold `missing`; what has no mask comes back as it is.

    Integers and booleans become floats first, which have a NaN.
    """
    refuse_dask(X, "X")
    if isinstance(X, list | tuple) and any(isinstance(row, np.ma.MaskedArray) for row in X):
        X = np.ma.array(X)
    if not isinstance(X, np.ma.MaskedArray):
        return X
    mask, values = np.ma.getmaskarray(X), np.ma.getdata(X)
    if not mask.any():
        return values
    if values.dtype.kind in "biu":
        values = values.astype(np.float64)
    elif values.dtype.kind not in "fc":  # strings and objects: None is missing too
        values, missing = values.astype(object), None
    values = values.copy()
    values[mask] = missing
    return values


def refuse_masked(values: Any, name: str) -> None:
    """Raise an error where an entry is masked that has to be known."""
    refuse_dask(values, name)
    masked = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else False
    if np.any(masked):
        places = np.argwhere(np.atleast_1d(masked))
        raise ValueError(
            f"{name} is masked in {len(places)} entries, the first of them {places[0].tolist()}: "
            f"every entry of {name} has to be known. Leave those rows out, or fill them."
        )
