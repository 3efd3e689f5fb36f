"""Rows of integers that are cast where they are visited."""

from __future__ import annotations

from typing import Any

import numpy as np


class CastRows:
    """Rows of integers that become floats where they are read, as an array of floats otherwise.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Integers, as a rule mapped from a file.
    """

    dtype = np.dtype(np.float64)
    itemsize = dtype.itemsize
    ndim = 2

    def __init__(self, X: np.ndarray) -> None:
        self._X = X
        self.shape, self.size = X.shape, X.size

    def __len__(self) -> int:
        return len(self._X)

    def __getitem__(self, rows: Any) -> np.ndarray:
        return np.asarray(self._X[rows]).astype(self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:] if dtype is None else self[:].astype(dtype, copy=False)

    def min(self) -> float:
        """Return the smallest number."""
        return float(self._X.min())

    def copy(self) -> np.ndarray:
        """Return all rows as floats."""
        return self[:]
