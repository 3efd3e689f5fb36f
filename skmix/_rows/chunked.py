"""Rows that live in several places, read again in every pass."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
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


# Some rows, and their weights.
Held = tuple[np.ndarray, np.ndarray | None]

# Returns some of the visited rows of a block.
Read = Callable[[Block, Any], Held]


class PiecesSource(Source):
    """Rows in pieces that follow one another, whose sizes are known; a subclass reaches them.

    Parameters
    ----------
    n_rows : list of int
        Sizes of the pieces.

    weights : list of float
        Sums of weights of the pieces.

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
        n_rows: list[int],
        weights: list[float],
        n_features: int,
        dtype: Any,
        *,
        weighted: bool = False,
        **options: bool,
    ) -> None:
        super().__init__(None, **options)
        self._n_features, self._dtype = n_features, np.dtype(dtype)
        self._weights, self._weighted = weights, weighted
        self._edges = np.cumsum([0, *n_rows])

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
        return float(sum(self._weights))

    @abstractmethod
    def _taken(self, own: dict[int, Any]) -> Iterable[Held]:
        """Return rows of the pieces of these numbers, by a slice or by indices within each."""

    @abstractmethod
    def _at(self, own: dict[int, np.ndarray]) -> Iterable[np.ndarray]:
        """Return indices within pieces of the rows at which their own sums pass levels."""

    def take(self, rows: Any) -> Chunk:
        """Return the rows at these indices, or of this slice, with their weights."""
        if not isinstance(rows, slice):
            return self._take_indices(np.asarray(rows))
        start, stop, _ = rows.indices(self.n_samples)
        first, last = np.searchsorted(self._edges, [start, max(stop - 1, start)], side="right") - 1
        own = {}
        for i in range(int(first), int(last) + 1):
            edge, end = self._edges[i : i + 2].tolist()
            own[i] = slice(max(start - edge, 0), min(stop, end) - edge)
        return Chunk(slice(start, stop), *joined(list(self._taken(own))))

    def _take_indices(self, indices: np.ndarray) -> Chunk:
        order = np.argsort(indices, kind="stable")
        ordered = indices[order]
        cuts = np.searchsorted(ordered, self._edges)
        touched = np.flatnonzero(np.diff(cuts)).tolist()
        own = {i: ordered[cuts[i] : cuts[i + 1]] - self._edges[i] for i in touched}
        X = np.empty((len(indices), self.n_features), self.dtype)
        weight = np.empty(len(indices)) if self.weighted else None
        for i, (part, own_weight) in zip(own, self._taken(own), strict=True):
            places = order[cuts[i] : cuts[i + 1]]
            X[places] = part
            if weight is not None:
                weight[places] = own_weight
        return Chunk(indices, X, weight)  # type: ignore[arg-type]

    def rows_at(self, levels: np.ndarray) -> np.ndarray:
        """Return indices of the rows at which the sum of weights, row by row, passes levels."""
        edges = np.cumsum([0.0, *self._weights])
        of_level = np.clip(np.searchsorted(edges, levels) - 1, 0, len(self._weights) - 1)
        own = {i: levels[of_level == i] - edges[i] for i in np.unique(of_level).tolist()}
        indices = np.empty(len(levels), dtype=np.int64)
        for i, within in zip(own, self._at(own), strict=True):
            indices[of_level == i] = self._edges[i] + within
        return indices

    def sample(self, indices: np.ndarray, sample_weight: np.ndarray) -> Source:
        """Return a source of some of the rows, read once."""
        return ArraySource(self.take(indices).X, sample_weight, incomplete=self.incomplete)


def joined(runs: list[Held]) -> Held:
    """Return consecutive rows, and their weights, as one run."""
    if len(runs) == 1:
        return runs[0]
    X, weights = zip(*runs, strict=True)
    return np.concatenate(X), None if weights[0] is None else np.concatenate(weights)


class ChunkedSource(PiecesSource):
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

    n_features, dtype, weighted, in_order, incomplete
        As of :class:`PiecesSource`.
    """

    def __init__(
        self, read: Read, blocks: list[Block], n_features: int, dtype: Any, **options: bool
    ) -> None:
        blocks = [block for block in blocks if block.n_rows > 0]
        sizes, weights = [block.n_rows for block in blocks], [block.weight for block in blocks]
        super().__init__(sizes, weights, n_features, dtype, **options)
        self._read, self._blocks = read, blocks
        self._latest = threading.local()

    def _taken(self, own: dict[int, Any]) -> Iterator[Held]:
        return (self._part(i, rows) for i, rows in own.items())

    def _at(self, own: dict[int, np.ndarray]) -> Iterator[np.ndarray]:
        for i, levels in own.items():
            n_rows = self._blocks[i].n_rows
            weight = self._part(i, slice(0, n_rows))[1]
            assert weight is not None
            yield np.minimum(np.searchsorted(np.cumsum(weight), levels), n_rows - 1)

    def _part(self, i: int, rows: Any) -> Held:
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
