"""Rows in parts that live elsewhere, where what is asked of them is computed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from .chunked import Block, ChunkedSource, Held, PiecesSource, joined
from .sources import ArraySource, Chunk, Scratch, Source

# A pass cuts rows in chunks of a few MB: the ends of shorter runs would cost it time.
RUN_BYTES = 16 * 2**20


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


class PartsSource(PiecesSource):
    """Rows that are visited where they are: one sum comes back from every part.

    The sums are added in the order of the parts, so that a pass does not depend on which part is
    ready first.

    Parameters
    ----------
    parts : Parts
        The rows.

    sizes : list of Size
        Of the parts, in their order.

    n_features, dtype, weighted, in_order, incomplete
        As of :class:`PiecesSource`. A source in order fetches its rows.
    """

    def __init__(
        self, parts: Parts, sizes: list[Size], n_features: int, dtype: Any, **options: bool
    ) -> None:
        n_rows, weights = [size.n_rows for size in sizes], [size.weight for size in sizes]
        super().__init__(n_rows, weights, n_features, dtype, **options)
        self._parts = parts
        self._columns: slice | None = None

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

    def _ask_some(self, function: Callable[..., Any], own: dict[int, Any]) -> Iterator[Any]:
        """Return what a function says of some of the parts, given something for each."""
        given = [(own[i],) if i in own else None for i in range(len(self._weights))]
        found = self._ask(function, given)
        return (found[i] for i in own)

    def _taken(self, own: dict[int, Any]) -> Iterator[Held]:
        return self._ask_some(_taken, own)

    def _at(self, own: dict[int, np.ndarray]) -> Iterator[np.ndarray]:
        return self._ask_some(_at, own)

    def block(self, columns: slice) -> Any:
        """Return some of the columns of the same rows."""
        other = copy.copy(self)
        start, stop, step = columns.indices(self._n_features)
        first = 0 if self._columns is None else self._columns.start
        other._columns = slice(first + start, first + stop, step)
        other._n_features = len(range(start, stop, step))
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
            held.append(joined(waiting))
            waiting = []
    return [*held, joined(waiting)] if waiting else held


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
