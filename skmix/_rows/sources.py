"""Where the rows live, and how they are visited.

A source cuts its rows into chunks that fit the cache and visits them on a few threads. Each
chunk belongs to one *lane*; a lane adds its chunks up in order, and the lanes are added up in
order. Chunks and lanes depend on the shape of the problem only, never on the number of threads,
so a sum over rows is the same to the bit on one thread and on sixteen.
"""

from __future__ import annotations

import copy
import functools
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, NamedTuple, Self

import numpy as np

from .scratch import Scratch
from .threads import blas_threads, quiet

# Long enough that the interpreter lock does not dominate: with chunks below 1 MB four threads were
# slower than one. Beyond 6 MB nothing is gained.
CHUNK_BYTES = 6 * 2**20
# Products over fewer rows than this spend their time adding up partial results.
MIN_CHUNK_ROWS = 1024
MAX_LANES = 16
MIN_LANES = 4
# Lanes keep their sums until those before them are added up: a few where sums are large, two where
# they are as large as the parameters of the largest models.
LANE_BYTES = 32 * 2**20
LARGE_LANE_BYTES = 256 * 2**20


class Chunk(NamedTuple):
    """A run of consecutive rows."""

    rows: slice
    X: np.ndarray  # (n_chunk, n_features)
    sample_weight: np.ndarray | None  # (n_chunk,)

    def pieces(self, bytes_per_row: int, min_rows: int) -> list[Chunk]:
        """Cut the chunk where its rows need more memory than it was made for."""
        n_rows = len(self.X)
        step = _chunk_rows(bytes_per_row, min_rows)
        if n_rows <= step:
            return [self]
        return [self._piece(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]

    def _piece(self, start: int, stop: int) -> Chunk:
        rows = slice(self.rows.start + start, self.rows.start + stop)
        weight = None if self.sample_weight is None else self.sample_weight[start:stop]
        return Chunk(rows, self.X[start:stop], weight)


class Source(ABC):
    """Rows with optional weights, visited chunk by chunk; a subclass says where they live.

    Use it as a context manager: threads live, and BLAS is limited to one thread, inside.

    Parameters
    ----------
    sample_weight : ndarray of shape (n_samples,), default=None
        Non-negative weights; None stands for ones.

    in_order : bool, default=False
        Whether to visit the rows from first to last, on one thread.

    incomplete : bool, default=False
        Whether some cells are missing (NaN).
    """

    def __init__(
        self,
        sample_weight: np.ndarray | None = None,
        *,
        in_order: bool = False,
        incomplete: bool = False,
    ) -> None:
        self.sample_weight = sample_weight
        self.in_order = in_order
        self.incomplete = incomplete
        self.scratch = Scratch()
        self._stack = ExitStack()
        self._pool: ThreadPoolExecutor | None = None

    random_access = False  # whether rows can be taken in any order at little cost
    n_threads: int | None = None  # that visit them; as many as those of BLAS, if None

    # What a subclass says -----------------------------------------------------------------

    @property
    @abstractmethod
    def n_samples(self) -> int:
        """Number of rows."""

    @property
    @abstractmethod
    def n_features(self) -> int:
        """Number of columns."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype:
        """Floating-point type of the rows."""

    @abstractmethod
    def take(self, rows: Any) -> Chunk:
        """Return the rows at these indices, or of this slice, with their weights."""

    # What it does with them ---------------------------------------------------------------

    @property
    def weighted(self) -> bool:
        """Whether rows have weights."""
        return self.sample_weight is not None

    @functools.cached_property
    def total_weight(self) -> float:
        """Sum of the weights, the number of rows when there are none."""
        if self.sample_weight is None:
            return float(self.n_samples)
        return float(self.sample_weight.sum(dtype=np.float64))

    def even_rows(self, n_rows: int) -> np.ndarray:
        """Return indices of rows at even steps of weight, or of rows where they have none."""
        if not self.weighted:
            return np.linspace(0, self.n_samples - 1, n_rows).astype(int)
        return self.rows_at((np.arange(n_rows) + 0.5) / n_rows * self.total_weight)

    def rows_at(self, levels: np.ndarray) -> np.ndarray:
        """Return indices of the rows at which the sum of weights, row by row, passes levels."""
        weight = self.sample_weight
        assert weight is not None
        return np.minimum(np.searchsorted(np.cumsum(weight), levels), len(weight) - 1)

    def sample(self, indices: np.ndarray, sample_weight: np.ndarray) -> Source:
        """Return a source of some of the rows, with weights of their own."""
        return SampledSource(self, indices, sample_weight)

    def ordered(self) -> Self:
        """Return a source of the same rows that visits them from first to last."""
        other = copy.copy(self)
        other.in_order, other.scratch = True, Scratch()
        other._stack, other._pool = ExitStack(), None
        return other

    def __enter__(self) -> Self:
        try:
            n_threads = self._stack.enter_context(blas_threads)
            n_threads = n_threads if self.n_threads is None else self.n_threads
            if n_threads > 1 and not self.in_order:
                self._pool = ThreadPoolExecutor(n_threads, thread_name_prefix="skmix")
                # Waiting lanes are dropped when an exception or an interrupt ends the fit.
                self._stack.callback(self._pool.shutdown, cancel_futures=True)
            return self
        except BaseException:  # an interrupt, after which nobody closes what is not open
            self.__exit__()
            raise

    def __exit__(self, *exc: Any) -> None:
        try:
            self._pool = None
        finally:
            self._stack.close()

    def block(self, columns: slice) -> Source:
        """Return some of the columns of the same rows."""
        return ColumnsSource(self, columns)

    def release(self) -> None:
        """Give working memory back, before other sources need theirs."""
        self.scratch = Scratch()

    def reduce(
        self,
        add: Callable[[Chunk, list[np.ndarray], Scratch], None],
        zeros: Callable[[], list[np.ndarray]],
        bytes_per_row: int,
        min_rows: int = MIN_CHUNK_ROWS,
    ) -> list[np.ndarray]:
        """Sum over all rows: ``add`` adds one chunk to the arrays that ``zeros`` made."""
        totals = zeros()
        lane_bytes = sum(total.nbytes for total in totals)
        lanes = _lanes(self.n_samples, bytes_per_row, lane_bytes, min_rows)

        def add_rows(rows: slice, sums: list[np.ndarray], scratch: Scratch) -> None:
            add(self.take(rows), sums, scratch)

        return self._sum(add_rows, totals, zeros, lanes)

    def reduce_batches(
        self,
        add: Callable[[Any, list[np.ndarray], Scratch], None],
        zeros: Callable[[], list[np.ndarray]],
        batches: list[Any],
    ) -> list[np.ndarray]:
        """Sum over batches of rows that the caller has chosen and takes himself."""
        totals = zeros()
        n_lanes = min(_most_lanes(sum(total.nbytes for total in totals)), max(1, len(batches)))
        edges = np.linspace(0, len(batches), n_lanes + 1).astype(int).tolist()
        lanes = [batches[a:b] for a, b in itertools.pairwise(edges)]
        return self._sum(add, totals, zeros, lanes)

    def _sum(
        self,
        add: Callable[[Any, list[np.ndarray], Scratch], None],
        totals: list[np.ndarray],
        zeros: Callable[[], list[np.ndarray]],
        lanes: list[list[Any]],
    ) -> list[np.ndarray]:
        """Add every lane up in order, and then the lanes, to `totals`, which are zeros."""

        def add_lane(lane: list[Any]) -> Any:
            sums = totals if lane is lanes[0] else zeros()
            for piece in lane:
                add(piece, sums, self.scratch)
            return sums

        sums = self._run(add_lane, lanes)
        next(sums)  # those of the first lane are the totals
        for other in sums:
            _add_up(totals, other)
            del other  # before the next lane makes its own
        return totals

    def by_parts(self, function: Callable[[Source, int], Any]) -> list[Any]:
        """Return what a function says of each part of the rows, in their order.

        It is called with a source of the part and the number of its first row, perhaps in another
        process: what it does to anything else is lost. Here all rows are one part.
        """
        return [function(self, 0)]

    def gather(self, say: Callable[[Chunk, Scratch], Any], bytes_per_row: int) -> list[Any]:
        """Return what a function says of every chunk, in their order."""

        def of_lane(lane: list[slice]) -> list[Any]:
            return [say(self.take(rows), self.scratch) for rows in lane]

        lanes = self._run(of_lane, _lanes(self.n_samples, bytes_per_row, 0))
        return [said for lane in lanes for said in lane]

    def for_each(self, visit: Callable[[Chunk, Scratch], None], bytes_per_row: int) -> None:
        """Visit every chunk for its side effects on rows of an output."""

        def visit_lane(lane: list[slice]) -> None:
            for rows in lane:
                visit(self.take(rows), self.scratch)

        for _ in self._run(visit_lane, _lanes(self.n_samples, bytes_per_row, 0)):
            pass

    def _run(self, task: Any, lanes: list[list[slice]]) -> Any:
        """Yield the results of all lanes in order, as soon as they are there."""
        if self._pool is None or len(lanes) == 1:
            return (quiet(task, lane) for lane in lanes)
        return self._pool.map(functools.partial(quiet, task), lanes)


class ArraySource(Source):
    """Rows of an array in memory or mapped from a file.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Floating-point rows; never copied as a whole.

    sample_weight, in_order, incomplete
        As of a :class:`Source`.
    """

    random_access = True

    def __init__(
        self, X: np.ndarray, sample_weight: np.ndarray | None = None, **options: bool
    ) -> None:
        super().__init__(sample_weight, **options)
        self.X = X

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return self.X.shape[0]

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return self.X.shape[1]

    @property
    def dtype(self) -> np.dtype:
        """Floating-point type of the rows."""
        return self.X.dtype

    def take(self, rows: Any) -> Chunk:
        """Return the rows at these indices, or of this slice, with their weights."""
        everything = isinstance(rows, slice) and rows == slice(0, self.n_samples)
        if everything and isinstance(self.X, np.ndarray):
            return Chunk(rows, self.X, self.sample_weight)  # the same objects in every pass
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        return Chunk(rows, self.X[rows], weight)


class ColumnsSource(Source):
    """Some columns of another source, visited by its threads while it is open.

    Parameters
    ----------
    source : Source
        The rows.

    columns : slice
        The columns chosen.
    """

    def __init__(self, source: Source, columns: slice) -> None:
        super().__init__(source.sample_weight, in_order=source.in_order)
        self._source, self._columns = source, columns
        self._pool = source._pool
        self.total_weight = source.total_weight
        self.incomplete = source.incomplete and self._has_missing()

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return self._source.n_samples

    @property
    def n_features(self) -> int:
        """Number of columns chosen."""
        return len(range(*self._columns.indices(self._source.n_features)))

    @property
    def dtype(self) -> np.dtype:
        """Floating-point type of the rows."""
        return self._source.dtype

    @property
    def weighted(self) -> bool:
        """Whether rows have weights."""
        return self._source.weighted

    def even_rows(self, n_rows: int) -> np.ndarray:
        """Return indices of rows at even steps of weight, or of rows where they have none."""
        return self._source.even_rows(n_rows)

    def take(self, rows: Any) -> Chunk:
        """Return the rows at these indices, or of this slice, with their weights."""
        chunk = self._source.take(rows)
        return chunk._replace(X=chunk.X[:, self._columns])

    def _has_missing(self) -> bool:
        def say(chunk: Chunk, scratch: Scratch) -> bool:
            return bool(np.isnan(chunk.X).any())

        return any(self.gather(say, 9 * self.n_features))


class SampledSource(Source):
    """Some rows of another source, copied chunk by chunk as they are visited.

    Parameters
    ----------
    source : Source
        The rows to choose from.

    indices : ndarray of shape (n_samples,)
        The rows chosen.

    sample_weight : ndarray of shape (n_samples,)
        The weight of each chosen row.
    """

    def __init__(self, source: Source, indices: np.ndarray, sample_weight: np.ndarray) -> None:
        super().__init__(sample_weight, incomplete=source.incomplete)
        self.source, self.indices, self.weights = source, indices, sample_weight
        self.random_access = source.random_access

    @property
    def n_samples(self) -> int:
        """Number of rows chosen."""
        return len(self.indices)

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return self.source.n_features

    @property
    def dtype(self) -> np.dtype:
        """Floating-point type of the rows."""
        return self.source.dtype

    def take(self, rows: Any) -> Chunk:
        """Return the rows at these places of the choice, with the weights of the choice."""
        return Chunk(rows, self.source.take(self.indices[rows]).X, self.weights[rows])


def _add_up(totals: list[np.ndarray], others: list[np.ndarray]) -> None:
    for total, other in zip(totals, others, strict=True):
        np.add(total, other, out=total)


def _chunk_rows(bytes_per_row: int, min_rows: int) -> int:
    return max(min_rows, CHUNK_BYTES // max(bytes_per_row, 1))


def _most_lanes(lane_bytes: int) -> int:
    if lane_bytes > LARGE_LANE_BYTES:
        return 2
    return max(MIN_LANES, min(MAX_LANES, LANE_BYTES // max(lane_bytes, 1)))


def _lanes(
    n_rows: int, bytes_per_row: int, lane_bytes: int, min_rows: int = MIN_CHUNK_ROWS
) -> list[list[slice]]:
    """Cut rows into equal chunks and deal them to lanes in consecutive runs."""
    if 0 < n_rows <= _chunk_rows(bytes_per_row, min_rows):
        return [[slice(0, n_rows)]]
    n_chunks = max(1, -(-n_rows // _chunk_rows(bytes_per_row, min_rows)))
    n_lanes = _most_lanes(lane_bytes)
    if n_chunks < n_lanes:
        n_lanes = n_chunks
    else:  # every lane the same number of chunks
        n_chunks = -(-n_chunks // n_lanes) * n_lanes
    edges = np.linspace(0, n_rows, n_chunks + 1).astype(int)
    chunks = [slice(int(a), int(b)) for a, b in itertools.pairwise(edges) if b > a]
    per_lane = -(-len(chunks) // n_lanes)
    return [chunks[i : i + per_lane] for i in range(0, len(chunks), per_lane)]
