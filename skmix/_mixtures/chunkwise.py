"""Answers for rows in chunks: chunks of answers, computed when they are read."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from .._interface import validation
from .._interface.chunks import Chunks, as_chunks


def lazily_by_chunks(
    shape_of_row: Callable[[Any], tuple[int, ...]], dtype: Any = None, *, framed: bool = False
) -> Any:
    """Decorate a method of fitted estimators that says something of each row: it takes Chunks.

    And Dask collections, of which it returns lazy ones.

    Parameters
    ----------
    shape_of_row : callable
        Returns, for an estimator, the shape of what it says of one row.

    dtype : dtype, callable or 'given', default=None
        Type of what it says, or what returns it for an estimator: 'given' is that of the rows,
        None that of the rows as floats.

    framed : bool, default=False
        Whether it returns a frame for a frame.
    """

    def decorate(method: Callable) -> Callable:
        @functools.wraps(method)
        def of_rows(self: Any, X: Any, **options: Any) -> Any:
            chunks = as_chunks(X)
            if chunks is None:
                return method(self, X, **options)
            frozen = for_chunks(self, chunks)
            answer = functools.partial(_answer, frozen, method.__name__, options)
            kind = _type_of_answers(chunks, dtype(self) if inspect.isfunction(dtype) else dtype)
            tail = shape_of_row(self)
            if not options.get("return_std"):
                return chunks._map(answer, tail, kind, framed=framed)
            first, second = (functools.partial(_one_of, answer, i) for i in range(2))
            rows = chunks._map(first, tail, kind, framed=framed)
            return rows, chunks._map(second, tail, kind)

        return of_rows

    return decorate


def _answer(mixture: Any, name: str, options: dict[str, Any], rows: Any) -> np.ndarray:
    return getattr(mixture, name)(rows, **options)


def _one_of(answer: Callable[[Any], Any], which: int, rows: Any) -> np.ndarray:
    return answer(rows)[which]


def for_chunks(mixture: Any, chunks: Chunks) -> Any:
    """Return the mixture as it is now, for rows of chunks; refuse other columns.

    A later fit changes nothing of what the chunks are asked then.
    """
    validation.check_fitted(mixture)
    frozen = copy.copy(mixture)
    names = getattr(mixture, "feature_names_in_", None)
    given = chunks._names()
    if given is not None and not chunks._framed():
        # These are read as arrays, without names: compare them here.
        if names is not None and list(names) != given:
            raise ValueError(
                f"X has the columns {given}, but {type(mixture).__name__} was fitted to "
                f"{list(names)}. Pass the same columns in the same order."
            )
        vars(frozen).pop("feature_names_in_", None)
    return frozen


def _type_of_answers(chunks: Chunks, dtype: Any) -> np.dtype:
    if isinstance(dtype, str):  # text that is filled in may be longer
        return np.dtype(object) if chunks.dtype.kind in "US" else chunks.dtype
    if dtype is not None:
        return np.dtype(dtype)
    return chunks.dtype if chunks.dtype == np.float32 else np.dtype(np.float64)
