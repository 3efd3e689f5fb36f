"""What is found out about rows in chunks before a fit, in one pass, and how they are read then."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_array

from .._rows.chunked import Block, ChunkedSource
from . import frames, validation
from .chunks import Chunks, as_chunks
from .columns import Table
from .magnitudes import check_magnitudes
from .masked import masked_as_missing

# Chunks that can be read in part are read in pieces of so many bytes.
PIECE_BYTES = 16 * 2**20


def pieces(X: Any, sample_weight: Any) -> Iterator[tuple[Any, Any]]:
    """Yield rows and weights piece by piece: parts of Chunks, or X as it is.

    Pieces of Chunks without any weight are left out.
    """
    chunks = as_chunks(X)
    if chunks is None:
        yield X, sample_weight
        return
    refuse_weights(sample_weight)
    for number in range(len(chunks)):
        for piece in _pieces_of(chunks, number):
            weight = piece.weight
            if weight is None or weight.any():
                rows = piece.rows.as_array() if isinstance(piece.rows, Table) else piece.rows
                yield rows, weight


def refuse_weights(sample_weight: Any) -> None:
    """Refuse weights beside Chunks, which have their own."""
    if sample_weight is not None:
        raise ValueError(
            "sample_weight must be None where X are Chunks, which have their own: pass "
            "Chunks(..., sample_weight=...)."
        )


# Returns rows of a chunk, whose name is given for messages, as floats.
Convert = Callable[[Any, np.ndarray | None, str], np.ndarray]


class Piece(NamedTuple):
    """Some consecutive rows of a chunk."""

    number: int  # of the chunk
    place: slice
    rows: Any
    weight: np.ndarray | None
    name: str


def _pieces_of(chunks: Chunks, number: int) -> Iterator[Piece]:
    rows, weight = chunks._read(number)
    name = chunks._name(number)
    n_rows = rows.shape[0] if rows.shape else 0
    if isinstance(rows, np.ndarray) and rows.ndim != 2:
        raise ValueError(
            f"{name} has shape {rows.shape}, but must have two axes, for rows and columns."
        )
    if n_rows == 0:
        raise ValueError(f"{name} has no rows. Leave it out.")
    if weight is not None:
        weight = _check_weights(weight, n_rows, name)
    if not chunks._sliceable(number):
        yield Piece(number, slice(0, n_rows), rows, weight, name)
        return
    itemsize = 4 if rows.dtype == np.float32 else 8  # as floats
    step = max(1, PIECE_BYTES // max(1, rows.shape[1] * itemsize))
    for start in range(0, n_rows, step):
        place = slice(start, min(start + step, n_rows))
        own = None if weight is None else weight[place]
        yield Piece(number, place, rows[place], own, name)


def _check_weights(weight: np.ndarray, n_rows: int, name: str) -> np.ndarray:
    """Return the weights of a chunk in float64; they may all be 0."""
    if weight.shape != (n_rows,):
        raise ValueError(
            f"sample_weight of {name} has shape {weight.shape}, but the chunk has {n_rows} rows."
        )
    if not weight.any():
        return np.zeros(n_rows)
    try:
        checked = validation.check_sample_weight(weight, np.empty((n_rows, 0)))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    assert checked is not None
    return checked


class Columns(NamedTuple):
    """What the first chunk says of the columns, and others are compared with."""

    name: str  # of that chunk
    n_features: int
    names: list[Any] | None

    @classmethod
    def of(cls, piece: Piece) -> Columns:
        """Return the columns of a piece."""
        return cls(piece.name, piece.rows.shape[1], _names_of(piece.rows))

    def check(self, piece: Piece) -> None:
        """Raise an error where the columns of a piece are others."""
        n_features, names = piece.rows.shape[1], _names_of(piece.rows)
        if n_features != self.n_features:
            raise ValueError(
                f"{piece.name} has {n_features} columns, but {self.name} has {self.n_features}. "
                "All chunks must have the same columns."
            )
        if names != self.names:
            raise ValueError(
                f"{piece.name} has the columns {names}, but {self.name} has {self.names}. All "
                "chunks must have the same columns in the same order."
            )

    def learn(self, estimator: Any) -> None:
        """Set what a fit learns of columns, as scikit-learn does."""
        estimator.n_features_in_ = self.n_features
        if self.names is not None and all(isinstance(name, str) for name in self.names):
            estimator.feature_names_in_ = np.array(self.names, dtype=object)
        elif hasattr(estimator, "feature_names_in_"):
            del estimator.feature_names_in_


def _names_of(rows: Any) -> list[Any] | None:
    if isinstance(rows, Table):
        return list(rows.names)
    return frames.names_of(rows) if frames.is_frame(rows) else None


def as_floats(rows: Any, weight: Any, name: str) -> np.ndarray:
    """Return rows of a chunk in float64 or float32, NaN where a cell is missing."""
    try:
        if frames.is_frame(rows):
            frames.refuse_times(rows)
            fault = frames.describe_fault(rows)
            if fault is not None:
                raise ValueError(fault)
            rows = frames.as_array(rows)
        elif isinstance(rows, Table):
            rows = rows.as_array()
        return check_array(
            masked_as_missing(rows),
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan",
            ensure_min_features=0,
        )
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from error


class RowReader:
    """Reads the rows of chunks as floats, without those that say nothing.

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
            return np.asarray(chunk[inside]), own
        name = self.chunks._name(block.place)
        if isinstance(chunk, np.ndarray):
            chunk = chunk[block.rows]
        weight = None if weight is None else weight[block.rows].astype(np.float64)
        X = self.convert(chunk, weight, name)
        kept = said(X, weight)
        if kept is not None:
            X, weight = X[kept], None if weight is None else weight[kept]
        if len(X) != block.n_rows:
            raise ValueError(
                f"{name} has changed since the fit began: {len(X)} of its rows say something now, "
                f"and {block.n_rows} did before. A chunk must be the same in every pass."
            )
        return X if self.arrange is None else self.arrange(X), weight


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


class Found(NamedTuple):
    """What a pass over the chunks found out about the rows that a fit visits."""

    blocks: list[Block]
    n_features: int
    dtype: np.dtype
    missing: np.ndarray  # (n_features,), whether cells of a column are missing
    holes: bool  # whether any cell is missing, in rows that a fit leaves out too

    @property
    def n_samples(self) -> int:
        """Number of rows that a fit visits."""
        return sum(block.n_rows for block in self.blocks)

    def numbers_of(self, X: Chunks) -> ChunkedSource:
        """Return a source of the rows as numbers."""
        return ChunkedSource(
            RowReader(X, as_floats),
            merged(self.blocks),
            self.n_features,
            self.dtype,
            weighted=X.weighted,
            incomplete=bool(self.missing.any()),
        )


def find(estimator: Any, X: Chunks, convert: Convert) -> Found:
    """Check chunks in one pass, as rows in one array are checked."""
    found: Columns | None = None
    blocks: list[Block] = []
    for piece in checked_pieces(estimator, X):
        rows = convert(piece.rows, piece.weight, piece.name)
        if found is None:
            found, dtype = Columns.of(piece), rows.dtype
            extremes = np.full((2, found.n_features), np.nan, dtype)
            observed = np.zeros(found.n_features, dtype=bool)
            missing, holes = observed.copy(), False
        if rows.dtype != dtype:
            raise ValueError(
                f"{piece.name} has numbers that are computed with in {rows.dtype}, but those of "
                f"{found.name} are computed with in {dtype}. Convert them to one type."
            )
        low, high = _extremes(rows)
        extremes = np.array([np.fmin(extremes[0], low), np.fmax(extremes[1], high)])
        holes = holes or validation.has_missing(rows)
        kept = said(rows, piece.weight)
        seen = rows if kept is None else rows[kept]
        if validation.has_missing(seen):
            unknown = np.isnan(seen)
            missing |= unknown.any(axis=0)
            observed |= ~unknown.all(axis=0)
        elif len(seen):
            observed[:] = True
        weight = float(len(seen))
        if piece.weight is not None:
            weight = float(piece.weight.sum() if kept is None else piece.weight[kept].sum())
        same = isinstance(piece.rows, np.ndarray) and rows.dtype == piece.rows.dtype
        direct = convert is as_floats and X._sliceable(piece.number) and same and kept is None
        blocks.append(Block(piece.number, piece.place, len(seen), weight, not direct))
    assert found is not None  # there is a chunk
    check_magnitudes(estimator, extremes, in_fit=True)
    if not observed.all():
        validation.drop_empty_rows(estimator, None, np.where(observed, 0.0, np.nan)[None])
    return Found(blocks, found.n_features, dtype, missing, holes)


def checked_pieces(estimator: Any, X: Chunks) -> Iterator[Piece]:
    """Yield the pieces of all chunks; the columns of the first are learned, others the same.

    Raises an error at the end where there are too few rows, or none has weight.
    """
    first: Columns | None = None
    n_rows, weighs = 0, not X.weighted
    for number in range(len(X)):
        for piece in _pieces_of(X, number):
            if first is None:
                first = Columns.of(piece)
                first.learn(estimator)
            first.check(piece)
            n_rows += piece.rows.shape[0]
            weighs = weighs or bool(np.any(piece.weight))
            yield piece
    assert first is not None
    if n_rows < 2:  # scikit-learn words the error
        check_array(np.empty((n_rows, first.n_features)), ensure_min_samples=2)
    if not weighs:
        validation.check_sample_weight(np.zeros(1), np.empty((1, 0)))  # which raises


def _extremes(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = rows.min(axis=0), rows.max(axis=0)
    if np.isnan(low).any():
        return np.fmin.reduce(rows), np.fmax.reduce(rows)
    return low, high


def merged(blocks: list[Block]) -> list[Block]:
    """Join blocks of one chunk that follow one another and can be read in part."""
    joined: list[Block] = []
    for (place, whole), group in itertools.groupby(
        blocks, lambda block: (block.place, block.whole)
    ):
        if whole:
            joined += group
            continue
        several = list(group)
        rows = slice(several[0].rows.start, several[-1].rows.stop)
        weight = sum(block.weight for block in several)
        joined.append(Block(place, rows, sum(block.n_rows for block in several), weight, False))
    return joined
