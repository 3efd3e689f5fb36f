"""What is found out about rows in chunks before a fit, in one pass, and how they are read then."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_array

from .._rows.chunked import Block, ChunkedSource
from .._rows.parts import PartsSource, Size, hold
from .._rows.sources import Source
from . import frames, validation
from .chunks import Chunks, as_chunks
from .columns import Table
from .magnitudes import check_magnitudes
from .masked import masked_as_missing
from .row_reader import Convert, RowReader, said
from .wording import said_of

# Chunks that can be read in part are read in pieces of so many bytes.
PIECE_BYTES = 16 * 2**20


def pieces(X: Any, sample_weight: Any) -> Iterator[tuple[Any, Any]]:
    """Yield rows and weights piece by piece: parts of Chunks, or X as it is.

    Pieces of Chunks without any weight are left out.
    """
    chunks = as_chunks(X, sample_weight)
    if chunks is None:
        yield X, sample_weight
        return
    yield from _weighing(chunks)


def _weighing(chunks: Chunks) -> Iterator[tuple[Any, Any]]:
    for number in range(len(chunks)):
        for piece in _pieces_of(chunks, number):
            weight = piece.weight
            if weight is None or weight.any():
                rows = piece.rows.as_array() if isinstance(piece.rows, Table) else piece.rows
                yield rows, weight


class Weighing(NamedTuple):
    """Weights of the rows of a part, and what is missing of those that have some."""

    shapes: dict[int, np.ndarray]  # by the numbers of the chunks, (n_rows,), ones without weights
    n_missing: np.ndarray  # (n_features,), cells


def weighing_by_chunk(chunks: Chunks) -> list[Weighing]:
    """Return the weights of the rows of all parts, of chunks that are seen as floats."""
    return [part for part in chunks._by_parts(_weighing_of_part) if part is not None]


def _weighing_of_part(chunks: Chunks) -> Weighing | None:
    shapes: dict[int, np.ndarray] = {}
    n_missing: Any = 0
    for number in range(len(chunks)):
        weights = []
        for piece in _pieces_of(chunks, number):
            weight = np.ones(len(piece.rows)) if piece.weight is None else piece.weight
            n_missing = n_missing + np.isnan(piece.rows[weight > 0]).sum(axis=0)
            weights.append(weight)
        if weights:
            shapes[chunks._number(number)] = np.concatenate(weights)
    return Weighing(shapes, n_missing) if shapes else None


def by_parts(chunks: Chunks, look: Callable[[Iterator[tuple[Any, Any]]], Any]) -> list[Any]:
    """Return what a function says of the rows and weights of every part, as `pieces` has them."""
    return chunks._by_parts(partial(_looked_at, look))


def _looked_at(look: Callable[[Iterator[tuple[Any, Any]]], Any], chunks: Chunks) -> Any:
    return look(_weighing(chunks))


class Piece(NamedTuple):
    """Some consecutive rows of a chunk."""

    number: int  # of the chunk
    place: slice
    rows: Any
    weight: np.ndarray | None
    name: str
    sliceable: bool = False  # whether it costs little to read a few rows of the chunk alone
    labels: np.ndarray | None = None  # where chunks have some


def _pieces_of(chunks: Chunks, number: int) -> Iterator[Piece]:
    for piece in _given_pieces(chunks, number):
        if chunks._view is None:
            yield piece
            continue
        rows, weight, labels, name = piece.rows, piece.weight, piece.labels, piece.name
        if chunks._view.shows_any(labels):
            rows, weight = chunks._view.show(rows, weight, labels, name)
            labels = labels if chunks._view.label is None else None
            yield Piece(number, piece.place, rows, weight, name, labels=labels)


def _given_pieces(chunks: Chunks, number: int) -> Iterator[Piece]:
    rows, weight = chunks._read(number)
    name = chunks._name(number)
    n_rows = rows.shape[0] if rows.shape else 0
    if isinstance(rows, np.ndarray) and rows.ndim != 2:
        raise ValueError(
            f"{name} has shape {rows.shape}, but must have two axes, for rows and columns."
        )
    if n_rows == 0:
        if chunks._may_be_empty:
            chunks._checked_labels(number, 0)
            return
        raise ValueError(f"{name} has no rows. Leave it out.")
    if weight is not None:
        weight = _check_weights(weight, n_rows, name)
    labels = chunks._checked_labels(number, n_rows)
    if not chunks._sliceable(number):
        yield Piece(number, slice(0, n_rows), rows, weight, name, labels=labels)
        return
    itemsize = 4 if rows.dtype == np.float32 else 8  # as floats
    step = max(1, PIECE_BYTES // max(1, rows.shape[1] * itemsize))
    for start in range(0, n_rows, step):
        place = slice(start, min(start + step, n_rows))
        own, classes = (None if of is None else of[place] for of in (weight, labels))
        yield Piece(number, place, rows[place], own, name, sliceable=True, labels=classes)


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

    def check(self, other: Columns) -> None:
        """Raise an error where others differ."""
        if other.n_features != self.n_features:
            raise ValueError(
                f"{other.name} has {other.n_features} columns, but {self.name} has "
                f"{self.n_features}. All chunks must have the same columns."
            )
        if other.names != self.names:
            raise ValueError(
                f"{other.name} has the columns {other.names}, but {self.name} has {self.names}. "
                "All chunks must have the same columns in the same order."
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
    with said_of(name):
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


class Found(NamedTuple):
    """What a pass over the chunks found out about the rows that a fit visits."""

    parts: list[list[Block]]
    n_features: int
    dtype: np.dtype
    missing: np.ndarray  # (n_features,), whether cells of a column are missing
    holes: np.ndarray  # (n_features,), likewise, in rows that a fit leaves out too
    observed: np.ndarray  # (n_features,), whether any cell of a column is not missing

    @property
    def n_samples(self) -> int:
        """Number of rows that a fit visits."""
        return sum(block.n_rows for blocks in self.parts for block in blocks)

    def numbers_of(self, X: Chunks) -> Source:
        """Return a source of the rows as numbers."""
        return self.source_of(X, as_floats, incomplete=bool(self.missing.any()))

    def source_of(
        self,
        X: Chunks,
        convert: Convert,
        arrange: Any = None,
        *,
        incomplete: bool,
        n_features: int | None = None,
        dtype: Any = None,
    ) -> Source:
        """Return a source of the rows as `convert` makes floats of them, and `arrange` columns.

        `n_features` and `dtype` are those of the columns as arranged, where they are others, and
        without the labels that a fit sees.
        """
        n_features = (self.n_features if n_features is None else n_features) + X._has_codes
        dtype = self.dtype if dtype is None else dtype
        options = {"weighted": X.weighted, "incomplete": incomplete}
        if X._parts is None:
            (blocks,) = self.parts
            reader = RowReader(X, convert, arrange)
            return ChunkedSource(reader, merged(blocks), n_features, dtype, **options)
        sizes = [
            Size(sum(block.n_rows for block in blocks), sum(block.weight for block in blocks))
            for blocks in self.parts
        ]
        own = [
            (blocks,) if size.n_rows else None
            for blocks, size in zip(self.parts, sizes, strict=True)
        ]
        held = X._made_of_parts(partial(_hold, convert, arrange), own)
        sizes = [size for size in sizes if size.n_rows]
        return PartsSource(held, sizes, n_features, dtype, **options)


def _hold(convert: Convert, arrange: Any, chunks: Chunks, blocks: list[Block]) -> list[Any]:
    return hold(merged(blocks), RowReader(chunks, convert, arrange))


class Seen(NamedTuple):
    """What the pieces of a part say of the columns and rows."""

    columns: Columns  # of its first piece
    n_rows: int
    weighs: bool  # whether any row has weight


def survey(estimator: Any, X: Chunks, look: Callable[[Iterator[Piece]], Any]) -> list[Any]:
    """Return what a function says of the pieces of every part of the rows, None where it has none.

    The columns of the first chunk are learned, others must be the same. Raises an error where
    there are too few rows, or none has weight.
    """
    parts = X._by_parts(partial(_survey_part, look))
    found = [part[0] for part in parts if part is not None]
    n_features = found[0].columns.n_features if found else 1
    n_rows = sum(seen.n_rows for seen in found)
    if n_rows < 2:  # scikit-learn words the error
        check_array(np.empty((n_rows, n_features)), ensure_min_samples=2)
    first = found[0].columns
    for seen in found[1:]:
        first.check(seen.columns)
    first.learn(estimator)
    if X.weighted and not any(seen.weighs for seen in found):
        validation.check_sample_weight(np.zeros(1), np.empty((1, 0)))  # which raises
    return [None if part is None else part[1] for part in parts]


def _survey_part(look: Callable[[Iterator[Piece]], Any], chunks: Chunks) -> Any:
    """Return what the pieces of a part say, and what a function says; None where it has none."""
    pieces = (piece for i in range(len(chunks)) for piece in _pieces_of(chunks, i))
    start = next(pieces, None)
    if start is None:
        return None
    columns = Columns.of(start)
    n_rows, weighs = 0, False

    def checked() -> Iterator[Piece]:
        nonlocal n_rows, weighs
        for piece in itertools.chain([start], pieces):
            columns.check(Columns.of(piece))
            n_rows += piece.rows.shape[0]
            weighs = weighs or bool(np.any(piece.weight))
            yield piece

    said = look(checked())
    return Seen(columns, n_rows, weighs), said


class Span(NamedTuple):
    """What one part of the rows holds."""

    name: str  # of its first piece
    n_features: int
    dtype: np.dtype
    extremes: np.ndarray  # (2, n_features), NaN where nothing is known
    missing: np.ndarray  # (n_features,), whether cells of a column are missing
    observed: np.ndarray  # (n_features,), whether any are not
    holes: np.ndarray  # (n_features,), likewise, in all rows
    blocks: list[Block]

    def check_type(self, dtype: np.dtype, name: str) -> None:
        """Refuse rows of another type."""
        if dtype != self.dtype:
            raise ValueError(
                f"{name} has numbers that are computed with in {dtype}, but those of "
                f"{self.name} are computed with in {self.dtype}. Convert them to one type."
            )


def find(estimator: Any, X: Chunks, convert: Convert, *, empty_columns: bool = False) -> Found:
    """Check chunks in one pass, as rows in one array are checked.

    Columns that are entirely missing are refused, unless there may be `empty_columns`.
    """
    parts = survey(estimator, X, partial(_span, convert))
    spans = [span for span in parts if span is not None]
    first = spans[0]
    for span in spans[1:]:
        first.check_type(span.dtype, span.name)
    extremes = np.stack([span.extremes for span in spans])
    low, high = np.fmin.reduce(extremes[:, 0]), np.fmax.reduce(extremes[:, 1])
    check_magnitudes(estimator, np.array([low, high]), in_fit=True)
    observed = np.logical_or.reduce([span.observed for span in spans])
    if not (observed.any() if empty_columns else observed.all()):
        validation.check_observed(estimator, observed)
    missing = np.logical_or.reduce([span.missing for span in spans])
    holes = np.logical_or.reduce([span.holes for span in spans])
    blocks = [[] if span is None else span.blocks for span in parts]
    return Found(blocks, first.n_features, first.dtype, missing, holes, observed)


def _span(convert: Convert, pieces: Iterator[Piece]) -> Span:
    found: Span | None = None
    for piece in pieces:
        rows = convert(piece.rows, piece.weight, piece.name)
        if found is None:
            n_features, dtype = piece.rows.shape[1], rows.dtype
            missing, observed, holes = np.zeros((3, n_features), dtype=bool)
            extremes = np.full((2, n_features), np.nan, dtype)
            found = Span(piece.name, n_features, dtype, extremes, missing, observed, holes, [])
        found.check_type(rows.dtype, piece.name)
        low, high = _extremes(rows)
        np.fmin(found.extremes[0], low, out=found.extremes[0])
        np.fmax(found.extremes[1], high, out=found.extremes[1])
        if validation.has_missing(rows):
            found.holes[:] |= np.isnan(rows).any(axis=0)
        kept = said(rows, piece.weight)
        seen = rows if kept is None else rows[kept]
        if validation.has_missing(seen):
            unknown = np.isnan(seen)
            found.missing[:] |= unknown.any(axis=0)
            found.observed[:] |= ~unknown.all(axis=0)
        elif len(seen):
            found.observed[:] = True
        weight = float(len(seen))
        if piece.weight is not None:
            weight = float(piece.weight.sum() if kept is None else piece.weight[kept].sum())
        same = isinstance(piece.rows, np.ndarray) and rows.dtype == piece.rows.dtype
        same = same and not isinstance(piece.rows, np.ma.MaskedArray)
        direct = convert is as_floats and piece.sliceable and same and kept is None
        found.blocks.append(Block(piece.number, piece.place, len(seen), weight, not direct))
    assert found is not None  # a part has a piece
    return found


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
