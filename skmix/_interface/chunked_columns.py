"""Categories in chunks: which there are, and rows of them as codes.

What one array tells at once takes a pass each: the kinds of the columns, the categories that
occur, and the codes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .._rows.merge import merge_rows
from . import columns, encoding
from .chunk_labels import LabelKind
from .chunks import Chunks
from .encoding import Column
from .survey import Piece, survey
from .wording import said_of

# So many rows of codes are put together before equal ones are merged.
MERGED_ROWS = 2**18


class ColumnsSeen(NamedTuple):
    """What chunks show of their columns."""

    # No more than a cell of every column, of one that is no number if any: a column of numbers
    # has numbers in all chunks.
    table: columns.Table
    empty: np.ndarray  # (n_columns,), whether all cells in rows of positive weight are missing

    def beside(self, other: ColumnsSeen) -> ColumnsSeen:
        """Return what these and other chunks show."""
        several = zip(self.table.columns, other.table.columns, strict=True)
        chosen = [
            theirs if columns.is_numeric(own) and not columns.is_numeric(theirs) else own
            for own, theirs in several
        ]
        return ColumnsSeen(self.table._replace(columns=chosen), self.empty & other.empty)


def columns_of(estimator: Any, X: Chunks) -> ColumnsSeen:
    """Return what all chunks show of their columns."""
    parts = survey(estimator, X, _columns_of_part)
    return functools.reduce(ColumnsSeen.beside, (part for part in parts if part is not None))


def kinds_of(estimator: Any, X: Chunks) -> np.ndarray:
    """Return the kind of every column, as `columns.resolve_kinds` has it for one table."""
    table = columns_of(estimator, X).table
    return columns.resolve_kinds(table, estimator.families, estimator.categorical_features)


def _columns_of_part(pieces: Iterator[Piece]) -> ColumnsSeen:
    return functools.reduce(ColumnsSeen.beside, map(_columns_of_piece, pieces))


def _columns_of_piece(piece: Piece) -> ColumnsSeen:
    table = columns.table_of(piece.rows)
    empty = np.array([columns.is_empty(column, piece.weight) for column in table.columns])
    some = [column._replace(values=_one_value(column.values)) for column in table.columns]
    return ColumnsSeen(table._replace(columns=some), empty)


def _one_value(values: np.ndarray) -> np.ndarray:
    return values[np.flatnonzero(~encoding._missing(values))[:1]]


def mixed_categories(estimator: Any, X: Chunks, kinds: np.ndarray) -> list[np.ndarray]:
    """Return the categories of the categorical columns of a table."""
    places = np.flatnonzero(kinds == "categorical")
    if len(places) == 0:
        return []

    found = _distinct_values(estimator, X, partial(_columns_at, places))
    learned = _learn(found, estimator.categories)
    columns.check_whole(found, learned, estimator.categories)
    return learned


def _columns_at(places: np.ndarray, piece: Piece) -> list[Column]:
    table = columns.table_of(piece.rows)
    return [columns.categorical(table.columns[j]) for j in places]


def encode_chunk(estimator: Any, rows: Any, sample_weight: Any, name: str) -> np.ndarray:
    """Return rows of a chunk as floats, by the kinds and categories that a fit has found."""
    kept = None if sample_weight is None else sample_weight > 0
    with said_of(name):
        return columns.encode(
            estimator,
            columns.table_of(rows),
            estimator.families_,
            estimator.categories_,
            handle_unknown=estimator.handle_unknown,
            kept=kept,
            learn=False,
        )[0]


def answer_categories(estimator: Any, X: Chunks) -> list[np.ndarray]:
    """Return the categories of columns that are all categorical."""
    declared = not isinstance(estimator.categories, str)
    found = _distinct_values(estimator, X, partial(answers_of, declared=declared))
    return _learn(found, estimator.categories)


def answers_of(piece: Piece, declared: bool) -> list[Column]:
    """Return the columns of a piece, all of them categorical."""
    with said_of(piece.name):
        return encoding.columns_of(piece.rows, declared)


def _distinct_values(
    estimator: Any, X: Chunks, columns_of: Callable[[Piece], list[Column]]
) -> list[Column]:
    """Return columns whose rows are their distinct values, in rows of positive weight."""
    found, *others = (
        part
        for part in survey(estimator, X, partial(_values_of_part, columns_of))
        if part is not None
    )
    for other in others:
        found = _united(found, other)
    return found


def _values_of_part(
    columns_of: Callable[[Piece], list[Column]], pieces: Iterator[Piece]
) -> list[Column]:
    found: list[Column] = []
    for piece in pieces:
        here = []
        for column in columns_of(piece):
            positions = column.positions
            if piece.weight is not None:
                positions = positions[piece.weight > 0]
            values = column.values[np.unique(positions[positions >= 0])]
            here.append(column._replace(values=values, positions=np.arange(len(values))))
        found = _united(found, here)
    return found


def _united(found: list[Column], others: list[Column]) -> list[Column]:
    united = []
    for column, other in zip(found or others, others, strict=True):
        values = union([column.values, other.values], f"Column {column.name}")
        united.append(column._replace(values=values, positions=np.arange(len(values))))
    return united


def _learn(found: list[Column], categories: Any) -> list[np.ndarray]:
    every: Any = slice(None)
    return encoding.learn_categories(found, categories, every)


def union(parts: list[np.ndarray], name: str) -> np.ndarray:
    """Return the distinct values of all parts, sorted; refuse texts beside numbers."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return np.empty(0)
    texts = [part.dtype.kind in "OUS" for part in parts]
    if any(texts) and not all(texts):
        shown = [part[0] for part in parts]
        raise TypeError(
            f"{name} has values of different types in different chunks, such as {shown}: "
            "its argument must be a string or a number throughout. Convert it, for example with "
            "astype(str)."
        )
    try:
        return np.unique(np.concatenate(parts))
    except TypeError as error:
        raise TypeError(
            f"{name} has values of different types: its argument must be a string or a "
            f"number throughout. Convert it, for example with astype(str). ({error})"
        ) from error


class DistinctCodes(NamedTuple):
    """Distinct rows of codes with an answer; those of different labels are not the same."""

    codes: np.ndarray  # (n_distinct, n_columns)
    weight: np.ndarray  # (n_distinct,)
    labels: np.ndarray | None  # (n_distinct,), where a fit sees some
    n_rows: int  # of which they are made


def distinct_codes(
    estimator: Any, X: Chunks, categories: list[np.ndarray], n_labels: int | None = None
) -> DistinctCodes:
    """Return the distinct rows of codes, with labels from -1 on below a number, if that is given.

    Labels are merged as the codes of one more column.
    """
    declared = not isinstance(estimator.categories, str)
    n_values = [len(known) for known in categories] + ([] if n_labels is None else [n_labels])
    offsets = np.cumsum([0, *(n + 1 for n in n_values)])
    encode = partial(
        _codes_of_piece, categories, declared, estimator.handle_unknown, X._label_kind
    )
    look = partial(_codes_of_part, encode, offsets)
    found = [part for part in survey(estimator, X, look) if part is not None]
    codes, weights, n_rows = zip(*found, strict=True)
    merged, weight = codes[0], weights[0]
    if len(found) > 1:
        merged, weight = merge_rows(np.concatenate(codes), np.concatenate(weights), offsets[-1])
    codes = merged - 1 - offsets[:-1]
    labels = None if n_labels is None else codes[:, -1]
    return DistinctCodes(codes[:, : len(categories)], weight, labels, sum(n_rows))


def _codes_of_piece(
    categories: list[np.ndarray],
    declared: bool,
    handle_unknown: str,
    labels_are: LabelKind,
    piece: Piece,
) -> tuple[np.ndarray, np.ndarray]:
    """Return codes, with labels behind them, and weights of rows that say something."""
    weight = np.ones(piece.rows.shape[0]) if piece.weight is None else piece.weight
    answers = answers_of(piece, declared)
    with said_of(piece.name):
        codes = encoding.encode(answers, categories, handle_unknown, weight > 0)
    kept = (weight > 0) & np.any(codes >= 0, axis=1)
    labels = labels_are.codes(piece.labels)
    if labels is not None:
        codes = np.column_stack([codes, labels])
    return codes[kept].astype(np.int64), weight[kept]


def _codes_of_part(
    encode: Callable[[Piece], tuple[np.ndarray, np.ndarray]],
    offsets: np.ndarray,
    pieces: Iterator[Piece],
) -> tuple[np.ndarray, np.ndarray, int]:
    # Numbers of the values of columns begin at the offsets, and no two columns have one.
    merged = np.empty((0, len(offsets) - 1), dtype=np.int64)
    weights: np.ndarray = np.empty(0)
    waiting: list[tuple[np.ndarray, np.ndarray]] = []
    n_rows = n_waiting = 0

    def merge() -> tuple[np.ndarray, np.ndarray]:
        rows = np.concatenate([merged, *(codes for codes, _ in waiting)])
        weight = np.concatenate([weights, *(own for _, own in waiting)])
        waiting.clear()
        return merge_rows(rows, weight, int(offsets[-1]))

    for piece in pieces:
        codes, weight = encode(piece)
        waiting.append((codes + 1 + offsets[:-1], weight))
        n_rows, n_waiting = n_rows + len(codes), n_waiting + len(codes)
        if n_waiting > max(MERGED_ROWS, len(merged)):
            merged, weights = merge()
            n_waiting = 0
    return *merge(), n_rows
