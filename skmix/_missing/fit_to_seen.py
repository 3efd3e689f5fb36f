"""How an inpainter is fitted: marks of missing cells, empty columns, the mixture of the others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.utils._mask import _get_mask

from .._interface import frames, survey, validation
from .._interface.chunks import Chunks, View, template_of
from .._interface.magnitudes import check_magnitudes
from .._interface.masked import masked_as_missing
from .._interface.wording import check_random_state, number
from .._mixtures.gaussian import GaussianMixture
from .._mixtures.wrapping import MixtureBased
from .bounds import check_bounds
from .refits import ChunksToWeigh, RowsToWeigh, refit


class FitToSeen(MixtureBased):
    """What an inpainter learns: a mixture of the columns in which something was seen."""

    missing_values: Any
    n_refits: int
    random_state: Any

    def _fit_array(self, X: Any, sample_weight: Any) -> np.ndarray:
        """Fit to rows of an array or a frame; return which columns have missing cells."""
        template = template_of(X)
        X = self._validate(X, ensure_min_samples=2)
        weight = validation.check_sample_weight(sample_weight, X)
        check_bounds(self, X.shape[1])
        holes = np.isnan(X)
        kept = self._learn_columns(~(holes if weight is None else holes[weight > 0]).all(axis=0))
        seen = X if kept.all() else X[:, kept]
        self._fit_mixture(seen, weight, **self._facts(template, kept))
        self.refits_ = self._refits(partial(RowsToWeigh, seen, weight))
        return holes.any(axis=0)

    def _fit_chunks(self, chunks: Chunks) -> np.ndarray:
        """Fit to rows in chunks, likewise."""
        chunks._hold()
        marked = self._marked()
        as_floats = partial(_unmarked, self.missing_values) if marked else survey.as_floats
        found = survey.find(self, chunks, as_floats, empty_columns=True)
        check_bounds(self, found.n_features)
        kept = self._learn_columns(found.observed)
        as_seen = chunks._seen_as(View(partial(_some_columns, as_floats, kept)))
        seen = as_seen if marked or not kept.all() else chunks
        self._fit_mixture(seen, None, **self._facts(chunks._template(), kept))
        self.refits_ = self._refits(partial(ChunksToWeigh, as_seen))
        return found.holes

    def _refits(self, rows: Callable[[], RowsToWeigh | ChunksToWeigh]) -> list[GaussianMixture]:
        """Return the mixtures of `n_refits`."""
        if self.n_refits == 0:
            return []
        return refit(self.mixture_, rows(), self.n_refits, check_random_state(self.random_state))

    def _marked(self) -> bool:
        """Whether missing cells have another mark than NaN."""
        return not np.isnan(number(self.missing_values, "missing_values"))

    def _learn_columns(self, observed: np.ndarray) -> np.ndarray:
        """Learn which columns are empty, and return a mask of the others; of all if none is."""
        kept = observed if observed.any() else ~observed
        self.empty_features_ = np.flatnonzero(~kept)
        return kept

    def _facts(self, template: Any, kept: np.ndarray) -> dict[str, Any]:
        """Return what the mixture is told of its columns."""
        names = getattr(self, "feature_names_in_", None)
        return {
            "feature_names": None if names is None else names[kept],
            "template": frames.some_columns(template, np.flatnonzero(kept)),
        }

    def _validate(self, X: Any, **options: Any) -> np.ndarray:
        """Check rows and code missing cells as NaN."""
        marked = self._marked()
        X = masked_as_missing(X, self.missing_values)
        X = validation.validate_rows(
            self,
            X,
            ensure_all_finite=True if marked else "allow-nan",
            any_size=marked,
            **options,
        )
        if marked:  # a marker may have any size
            X = _nan_for_marks(X, self.missing_values)
            check_magnitudes(self, X, in_fit=options.get("reset", True))
        return X


def _unmarked(missing_values: Any, rows: Any, sample_weight: Any, name: str) -> np.ndarray:
    """Return rows of a chunk as floats, NaN where a cell holds the mark of missing ones."""
    if isinstance(rows, np.ndarray):
        rows = masked_as_missing(rows, missing_values)
    X = survey.as_floats(rows, sample_weight, name)
    if validation.has_missing(X):
        raise ValueError(
            f"{name}: X contains NaN, but missing_values={missing_values!r} stands for missing "
            "cells. Use one mark, or missing_values=numpy.nan."
        )
    return _nan_for_marks(X, missing_values)


def _nan_for_marks(X: np.ndarray, missing_values: Any) -> np.ndarray:
    return np.where(_get_mask(X, missing_values), np.nan, X).astype(X.dtype)


def _some_columns(
    as_floats: survey.Convert, kept: np.ndarray, rows: Any, sample_weight: Any, name: str
) -> np.ndarray:
    X = as_floats(rows, sample_weight, name)
    return X if kept.all() else X[:, kept]
