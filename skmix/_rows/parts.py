"""Rows in parts that live elsewhere, where what is asked of them is computed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from .chunked import Block, ChunkedSource
from .sources import ArraySource, Chunk, Scratch, Source

# A pass cuts rows in chunks of a few MB: the ends of shorter runs would cost it time.
RUN_BYTES = 16 * 2**20

# Consecutive rows of a part, and their weights.
Held = tuple[np.ndarray, np.ndarray | None]


class Parts(Protocol):
    """What can be asked of rows elsewhere; every part of them is a list of `Held`."""

    def run(self, function: Callable[..., Any], own: list[Any] | None = None) -> list[Any]:
        """Return ``function(held, n_threads, *own)`` of every part, in their order.

        `own` has other arguments for each part, None for those of which nothing is asked and
        None comes back. The function travels once.
        """


class Size(NamedTuple):
    """How much a part is."""

    n_rows: int
    weight: float


class PartsSource(Source):
    """Rows that are visited where they are: one sum comes back from every part.

    The sums are added in the order of the parts, so that a pass does not depend on which part is
    ready first.

    Parameters
    ----------
    parts : Parts
        The rows.

    sizes : list of Size
        Of the parts, in their order.

    n_features : int
        Number of columns.

    dtype : dtype
        Floating-point type of the rows.

    weighted : bool, default=False
        Whether rows have weights.

    in_order, incomplete
        As of a :class:`Source`. A source in order fetches its rows.
    """

    def __init__(
        self,
        parts: Parts,
        sizes: list[Size],
        n_features: int,
        dtype: Any,
        *,
        weighted: bool = False,
        **options: bool,
    ) -> None:
        super().__init__(None, **options)
        self._parts, self._n_features, self._dtype = parts, n_features, np.dtype(dtype)
        self._weighted = weighted
        self._weights = [size.weight for size in sizes]
        self._edges = np.cumsum([0, *(size.n_rows for size in sizes)])
        self._columns: slice | None = None

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

    def _ask(self, function: Callable[..., Any], own: list[Any] | None = None) -> list[Any]:
        """Return what a function says of the sources of parts."""
        return self._parts.run(partial(_of_source, function, self.incomplete, self._columns), own)

    def by_parts(self, function: Callable[[Source, int], Any]) -> list[Any]:
        """Return what a function says of each part of the rows, in their order."""
        return self._ask(function, [(int(first),) for first in self._edges[:-1]])

    def reduce(
        self,
        add: Callable[[Chunk, list[np.ndarray], Scratch], None],
        zeros: Callable[[], list[np.ndarray]],
        *shape: int,
    ) -> list[np.ndarray]:
        """Sum over all rows: ``add`` adds one chunk to the arrays that ``zeros`` made."""
        if self.in_order:
            return super().reduce(add, zeros, *shape)
        first, *others = self._ask(partial(_sums, add, zeros, shape))
        totals = [np.array(total) for total in first]  # one that came by wire is read-only
        for sums in others:
            for total, own in zip(totals, sums, strict=True):
                np.add(total, own, out=total)
        return totals

    def gather(self, say: Callable[[Chunk, Scratch], Any], bytes_per_row: int) -> list[Any]:
        """Return what a function says of every chunk, in their order."""
        found = self._ask(partial(_said, say, bytes_per_row))
        return [said for part in found for said in part]

    def take(self, rows: Any) -> Chunk:
        """Return the rows at these indices, or of this slice, with their weights."""
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(self.n_samples)
            cuts = np.clip([start, stop], self._edges[:-1, None], self._edges[1:, None])
            cuts = cuts - self._edges[:-1, None]
            own = [(slice(int(a), int(b)),) if a < b else None for a, b in cuts]
            found = [held for held in self._ask(_taken, own) if held is not None]
            X = np.concatenate([held[0] for held in found])
            weights = [held[1] for held in found]
            weight = None if weights[0] is None else np.concatenate(weights)
            return Chunk(slice(start, stop), X, weight)
        indices = np.asarray(rows)
        order = np.argsort(indices, kind="stable")
        pieces = np.split(order, np.searchsorted(indices[order], self._edges[1:-1]))
        own = [
            (indices[piece] - first,) if len(piece) else None
            for piece, first in zip(pieces, self._edges, strict=False)
        ]
        X = np.empty((len(indices), self.n_features), self.dtype)
        weight = np.empty(len(indices)) if self.weighted else None
        for piece, held in zip(pieces, self._ask(_taken, own), strict=True):
            if held is not None:
                X[piece] = held[0]
                if weight is not None:
                    weight[piece] = held[1]
        return Chunk(indices, X, weight)  # type: ignore[arg-type]

    def rows_at(self, levels: np.ndarray) -> np.ndarray:
        """Return indices of the rows at which the sum of weights, row by row, passes levels."""
        edges = np.cumsum([0.0, *self._weights])
        of_level = np.clip(np.searchsorted(edges, levels) - 1, 0, len(self._weights) - 1)
        places = [np.flatnonzero(of_level == i) for i in range(len(self._weights))]
        own = [
            (levels[here] - edge,) if len(here) else None
            for here, edge in zip(places, edges, strict=False)
        ]
        indices = np.empty(len(levels), dtype=np.int64)
        for here, first, within in zip(places, self._edges, self._ask(_at, own), strict=False):
            if within is not None:
                indices[here] = first + within
        return indices

    def sample(self, indices: np.ndarray, sample_weight: np.ndarray) -> Source:
        """Return a source of some of the rows, fetched once."""
        return ArraySource(self.take(indices).X, sample_weight, incomplete=self.incomplete)

    def block(self, columns: slice) -> Any:
        """Return some of the columns of the same rows."""
        other = copy.copy(self)
        other._columns = columns
        other._n_features = len(range(*columns.indices(self._n_features)))
        other.incomplete = self.incomplete and any(other.by_parts(_has_missing))
        return other


def hold(blocks: list[Block], read: Callable[[Block, Any], Held]) -> list[Held]:
    """Return the visited rows of the blocks of a part; short runs of rows are joined."""
    held: list[Held] = []
    waiting: list[Held] = []
    for block in blocks:
        if block.n_rows > 0:
            waiting.append(read(block, slice(0, block.n_rows)))
        if sum(X.nbytes for X, _ in waiting) >= RUN_BYTES:
            held.append(_joined(waiting))
            waiting = []
    return [*held, _joined(waiting)] if waiting else held


def _joined(runs: list[Held]) -> Held:
    if len(runs) == 1:
        return runs[0]
    X, weights = zip(*runs, strict=True)
    return np.concatenate(X), None if weights[0] is None else np.concatenate(weights)


def source_of(held: list[Held], *, incomplete: bool) -> Source:
    """Return a source of the rows of a part, where they are."""
    if len(held) == 1:
        return ArraySource(*held[0], incomplete=incomplete)

    def read(block: Block, rows: Any) -> Held:
        X, weight = held[block.place]
        return X[rows], None if weight is None else weight[rows]

    blocks = [
        Block(i, slice(0, len(X)), len(X), len(X) if weight is None else weight.sum(), False)
        for i, (X, weight) in enumerate(held)
    ]
    X, weight = held[0]
    return ChunkedSource(
        read, blocks, X.shape[1], X.dtype, weighted=weight is not None, incomplete=incomplete
    )


def _of_source(
    function: Callable[..., Any],
    incomplete: bool,
    columns: slice | None,
    held: list[Held],
    n_threads: int | None,
    *own: Any,
) -> Any:
    source = source_of(held, incomplete=incomplete)
    source.n_threads = n_threads
    with source:
        if columns is None:
            return function(source, *own)
        return function(source.block(columns), *own)


def _sums(add: Any, zeros: Any, shape: tuple[int, ...], source: Source) -> list[np.ndarray]:
    return source.reduce(add, zeros, *shape)


def _said(say: Any, bytes_per_row: int, source: Source) -> list[Any]:
    return source.gather(say, bytes_per_row)


def _taken(source: Source, rows: Any) -> Held:
    chunk = source.take(rows)
    return chunk.X, chunk.sample_weight


def _at(source: Source, levels: np.ndarray) -> np.ndarray:
    return source.rows_at(levels)


def _has_missing(source: Source, first: int) -> bool:
    return source.incomplete
