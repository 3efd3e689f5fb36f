"""Rows of chunks as a fit sees them: floats, less those that say nothing, with labels beside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._rows.chunked import Block
from . import validation
from .chunks import Chunks

# Returns rows of a chunk, whose name is given for messages, as floats.
Convert = Callable[[Any, np.ndarray | None, str], np.ndarray]


class RowReader:
    """Reads the rows of chunks as floats, without those that say nothing.

    Where a fit sees labels they are the last column.

    Parameters
    ----------
    chunks : Chunks
        The rows.

    convert : callable
        ``convert(rows, weight, name)`` returns rows of a chunk as floats, NaN where a cell is
        missing.

    arrange : callable, default=None
        Returns what a fit sees of such rows; None for themselves.
    """

    def __init__(self, chunks: Chunks, convert: Convert, arrange: Any = None) -> None:
        self.chunks, self.convert, self.arrange = chunks, convert, arrange

    def __call__(self, block: Block, rows: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Return visited rows of a block, and their weights."""
        chunk, weight = self.chunks._read(block.place)
        if not block.whole:
            inside = _shifted(rows, block.rows.start)
            own = None if weight is None else weight[inside].astype(np.float64)
            return _beside(np.asarray(chunk[inside]), self._codes(block, inside)), own
        name = self.chunks._name(block.place)
        if isinstance(chunk, np.ndarray):
            chunk = chunk[block.rows]
        weight = None if weight is None else weight[block.rows].astype(np.float64)
        if self.chunks._view is not None:
            labels = self.chunks._labels_of(block.place, block.rows)
            chunk, weight = self.chunks._view.show(chunk, weight, labels, name)
        X = self.convert(chunk, weight, name)
        codes = self._codes(block, block.rows)
        kept = said(X, weight)
        if kept is not None:
            X, weight = X[kept], None if weight is None else weight[kept]
            codes = None if codes is None else codes[kept]
        if len(X) != block.n_rows:
            raise ValueError(
                f"{name} has changed since the fit began: {len(X)} of its rows say something now, "
                f"and {block.n_rows} did before. A chunk must be the same in every pass."
            )
        return _beside(X if self.arrange is None else self.arrange(X), codes), weight

    def _codes(self, block: Block, rows: Any) -> np.ndarray | None:
        """Return what a fit sees of the labels of some rows of the chunk of a block."""
        if not self.chunks._has_codes:
            return None
        return self.chunks._label_kind.codes(self.chunks._labels_of(block.place, rows))


def _beside(X: np.ndarray, codes: np.ndarray | None) -> np.ndarray:
    return X if codes is None else np.column_stack([X, codes.astype(X.dtype)])


def _shifted(rows: Any, start: int) -> Any:
    if isinstance(rows, slice):
        return slice(rows.start + start, rows.stop + start)
    return rows + start


def said(X: np.ndarray, weight: np.ndarray | None) -> np.ndarray | None:
    """Return a mask of rows with weight and an observed cell, None where all have them."""
    kept = np.ones(len(X), dtype=bool) if weight is None else weight > 0
    if validation.has_missing(X):
        kept = kept & ~np.isnan(X).all(axis=1)
    return None if kept.all() else kept
