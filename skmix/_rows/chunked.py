"""Rows that live in several places, read again in every pass."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .sources import ArraySource, Chunk, Source


class Block(NamedTuple):
    """Consecutive rows of one of the places."""

    place: int
    rows: slice
    n_rows: int  # of these, those that are visited
    weight: float  # their sum of weights
    whole: bool  # whether it can be read as a whole only


# Returns some of the visited rows of a block, and their weights.
Read = Callable[[Block, Any], tuple[np.ndarray, np.ndarray | None]]


class ChunkedSource(Source):
    """Rows that are read block by block.

    A pass cuts them as it would cut one array, wherever blocks end: its sums are the same to the
    bit. A block that can be read as a whole only is kept until its thread needs another.

    Parameters
    ----------
    read : callable
        ``read(block, rows)`` returns rows of a block and their weights, by a slice or indices;
        all of them, ``slice(None)``, where a block can be read as a whole only.

    blocks : list of Block
        Where the rows are, in their order.

    n_features : int
        Number of columns.

    dtype : dtype
        Floating-point type of the rows.

    weighted : bool, default=False
        Whether rows have weights.

    in_order, incomplete
        As of a :class:`Source`.
    """

    def __init__(
        self,
        read: Read,
        blocks: list[Block],
        n_features: int,
        dtype: Any,
        *,
        weighted: bool = False,
        **options: bool,
    ) -> None:
        super().__init__(None, **options)
        self._read, self._n_features, self._dtype = read, n_features, np.dtype(dtype)
        self._weighted = weighted
        self._blocks = [block for block in blocks if block.n_rows > 0]
        self._edges = np.cumsum([0, *(block.n_rows for block in self._blocks)])
        self._latest = threading.local()

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return int(self._edges[-1])

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return self._n_features

    @property
    def dtype(self) -> np.dtype:
        """Floating-point type of the rows."""
        return self._dtype

    @property
    def weighted(self) -> bool:
        """Whether rows have weights."""
        return self._weighted

    @property
    def total_weight(self) -> float:
        """Sum of the weights, the number of rows when there are none."""
        return float(sum(block.weight for block in self._blocks))

    def take(self, rows: Any) -> Chunk:
        """Return the rows at these indices, or of this slice, with their weights."""
        if not isinstance(rows, slice):
            return self._take_indices(np.asarray(rows))
        start, stop, _ = rows.indices(self.n_samples)
        first, last = np.searchsorted(self._edges, [start, max(stop - 1, start)], side="right") - 1
        parts = []
        for i in range(int(first), int(last) + 1):
            edge = int(self._edges[i])
            within = slice(max(start - edge, 0), min(stop - edge, self._blocks[i].n_rows))
            parts.append(self._part(i, within))
        X, weights = zip(*parts, strict=True)
        if len(parts) == 1:
            return Chunk(slice(start, stop), X[0], weights[0])
        weight = None if weights[0] is None else np.concatenate(weights)
        return Chunk(slice(start, stop), np.concatenate(X), weight)

    def _take_indices(self, indices: np.ndarray) -> Chunk:
        order = np.argsort(indices, kind="stable")
        ordered = indices[order]
        X = np.empty((len(indices), self.n_features), self.dtype)
        weight = None
        cuts = np.searchsorted(ordered, self._edges)
        for i in np.flatnonzero(np.diff(cuts)).tolist():
            own = slice(int(cuts[i]), int(cuts[i + 1]))
            part, own_weight = self._part(i, ordered[own] - self._edges[i])
            X[order[own]] = part
            if own_weight is not None:
                weight = np.empty(len(indices)) if weight is None else weight
                weight[order[own]] = own_weight
        return Chunk(indices, X, weight)  # type: ignore[arg-type]

    def _part(self, i: int, rows: Any) -> tuple[np.ndarray, np.ndarray | None]:
        block = self._blocks[i]
        if not block.whole:
            return self._read(block, rows)
        if getattr(self._latest, "number", None) != i:
            self._latest.number = None
            self._latest.content = None  # given back before another is read
            self._latest.content = self._read(block, slice(None))
            self._latest.number = i
        X, weight = self._latest.content
        return X[rows], None if weight is None else weight[rows]

    def rows_at(self, levels: np.ndarray) -> np.ndarray:
        """Return indices of the rows at which the sum of weights, row by row, passes levels."""
        edges = np.cumsum([0.0, *(block.weight for block in self._blocks)])
        of_level = np.clip(np.searchsorted(edges, levels) - 1, 0, len(self._blocks) - 1)
        indices = np.empty(len(levels), dtype=np.int64)
        for i in np.unique(of_level).tolist():
            here = of_level == i
            n_here = self._blocks[i].n_rows
            weight = self._part(i, slice(0, n_here))[1]
            assert weight is not None
            within = np.searchsorted(np.cumsum(weight), levels[here] - edges[i])
            indices[here] = self._edges[i] + np.minimum(within, n_here - 1)
        return indices

    def sample(self, indices: np.ndarray, sample_weight: np.ndarray) -> Source:
        """Return a source of some of the rows, read once."""
        rows = self.take(indices)
        return ArraySource(rows.X, sample_weight, incomplete=self.incomplete)
