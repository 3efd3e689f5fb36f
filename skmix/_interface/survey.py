"""What is found out about rows in chunks before a fit, in one pass, and how they are read then."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
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


class Piece(NamedTuple):
    """Some consecutive rows of a chunk."""

    place: slice
    rows: Any
    weight: np.ndarray | None
    name: str


def _pieces_of(chunks: Chunks, number: int) -> Iterator[Piece]:
    rows, weight = chunks.read(number)
    name = chunks.name(number)
    n_rows = rows.shape[0] if rows.shape else 0
    if isinstance(rows, np.ndarray) and rows.ndim != 2:
        raise ValueError(
            f"{name} has shape {rows.shape}, but must have two axes, for rows and columns."
        )
    if n_rows == 0:
        raise ValueError(f"{name} has no rows. Leave it out.")
    if weight is not None:
        weight = _check_weights(weight, n_rows, name)
    if not chunks.sliceable(number):
        yield Piece(slice(0, n_rows), rows, weight, name)
        return
    itemsize = 4 if rows.dtype == np.float32 else 8  # as floats
    step = max(1, PIECE_BYTES // max(1, rows.shape[1] * itemsize))
    for start in range(0, n_rows, step):
        place = slice(start, min(start + step, n_rows))
        yield Piece(place, rows[place], None if weight is None else weight[place], name)


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


def as_floats(rows: Any, name: str) -> np.ndarray:
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


class NumberReader:
    """Reads the rows of chunks as floats, without those that say nothing.

    Parameters
    ----------
    chunks : Chunks
        The rows.
    """

    def __init__(self, chunks: Chunks) -> None:
        self.chunks = chunks

    def __call__(self, block: Block, rows: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Return visited rows of a block, and their weights."""
        chunk, weight = self.chunks.read(block.place)
        if not block.whole:
            inside = _shifted(rows, block.rows.start)
            own = None if weight is None else weight[inside].astype(np.float64)
            return np.asarray(chunk[inside]), own
        name = self.chunks.name(block.place)
        if isinstance(chunk, np.ndarray):
            chunk = chunk[block.rows]
        X = as_floats(chunk, name)
        weight = None if weight is None else weight[block.rows].astype(np.float64)
        kept = said(X, weight)
        if kept is not None:
            X, weight = X[kept], None if weight is None else weight[kept]
        if len(X) != block.n_rows:
            raise ValueError(
                f"{name} has changed since the fit began: {len(X)} of its rows say something now, "
                f"and {block.n_rows} did before. A chunk must be the same in every pass."
            )
        return X, weight


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


def numbers_source(estimator: Any, X: Chunks) -> ChunkedSource:
    """Check chunks of numbers in one pass; return a source of the rows that a fit visits.

    Sets what the estimator learns of their columns.
    """
    found = None
    blocks: list[Block] = []
    incomplete = False
    for number in range(len(X)):
        for piece in _pieces_of(X, number):
            rows = as_floats(piece.rows, piece.name)
            columns = Columns.of(piece)
            if found is None:
                columns.learn(estimator)
                found, dtype = columns, rows.dtype
                extremes = np.full((2, columns.n_features), np.nan, dtype)
                observed = np.zeros(columns.n_features, dtype=bool)
            found.check(piece)
            if rows.dtype != dtype:
                raise ValueError(
                    f"{piece.name} has numbers of type {piece.rows.dtype}, but {found.name} has "
                    f"others, which are computed with in {dtype}. Convert them to one type."
                )
            low, high = _extremes(rows)
            extremes = np.array([np.fmin(extremes[0], low), np.fmax(extremes[1], high)])
            kept = said(rows, piece.weight)
            seen = rows if kept is None else rows[kept]
            holes = np.isnan(seen) if validation.has_missing(seen) else None
            incomplete |= holes is not None
            observed |= len(seen) > 0 if holes is None else ~holes.all(axis=0)
            direct = X.sliceable(number) and rows.dtype == piece.rows.dtype and kept is None
            weight = float(len(seen))
            if piece.weight is not None:
                weight = float(piece.weight.sum() if kept is None else piece.weight[kept].sum())
            blocks.append(Block(number, piece.place, len(seen), weight, not direct))
    assert found is not None  # there is a chunk
    n_rows = sum(block.rows.stop - block.rows.start for block in blocks)
    if n_rows < 2:  # scikit-learn words the error
        check_array(np.empty((n_rows, found.n_features)), ensure_min_samples=2)
    check_magnitudes(estimator, extremes, in_fit=True)
    if X.weighted and not any(block.weight for block in blocks):
        validation.check_sample_weight(np.zeros(1), extremes)  # which raises
    if not observed.all():
        validation.drop_empty_rows(estimator, None, np.where(observed, 0.0, np.nan)[None])
    return ChunkedSource(
        NumberReader(X),
        merged(blocks),
        found.n_features,
        dtype,
        weighted=X.weighted,
        incomplete=incomplete,
    )


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
