"""Categories in chunks: which there are, and rows of them as codes.

What one array tells at once takes a pass each: the kinds of the columns, the categories that
occur, and the codes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._rows.merge import merge_rows
from . import columns, encoding
from .chunks import Chunks
from .encoding import Column
from .survey import Piece, checked_pieces

# So many rows of codes are put together before equal ones are merged.
MERGED_ROWS = 2**18


def kinds_of(estimator: Any, X: Chunks) -> np.ndarray:
    """Return the kind of every column, as `columns.resolve_kinds` has it for one table.

    A column of numbers has numbers in all chunks.
    """
    shown: list[columns.RawColumn] = []
    for piece in checked_pieces(estimator, X):
        table = columns.table_of(piece.rows)
        if not shown:
            shown, names = list(table.columns), table.names
        for j, column in enumerate(table.columns):
            if not columns.is_numeric(column) and columns.is_numeric(shown[j]):
                shown[j] = column
    table = columns.Table(shown, names, len(shown[0].values))
    return columns.resolve_kinds(table, estimator.families, estimator.categorical_features)


def mixed_categories(estimator: Any, X: Chunks, kinds: np.ndarray) -> list[np.ndarray]:
    """Return the categories of the categorical columns of a table."""
    places = np.flatnonzero(kinds == "categorical")
    if len(places) == 0:
        return []

    first: list[Column] = []

    def columns_of(piece: Piece) -> list[Column]:
        table = columns.table_of(piece.rows)
        here = [columns.categorical(table.columns[j]) for j in places]
        first[:] = first or here
        return here

    learned = _categories(estimator, X, columns_of)
    columns.check_whole(first, learned, estimator.categories)
    return learned


def answer_categories(estimator: Any, X: Chunks) -> list[np.ndarray]:
    """Return the categories of columns that are all categorical."""
    declared = not isinstance(estimator.categories, str)

    def columns_of(piece: Piece) -> list[Column]:
        return answers_of(piece, declared)

    return _categories(estimator, X, columns_of)


def answers_of(piece: Piece, declared: bool) -> list[Column]:
    """Return the columns of a piece, all of them categorical."""
    try:
        return encoding.columns_of(piece.rows, declared)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{piece.name}: {error}") from error


def _categories(
    estimator: Any, X: Chunks, columns_of: Callable[[Piece], list[Column]]
) -> list[np.ndarray]:
    seen: list[list[np.ndarray]] = []
    first: list[Column] = []
    for piece in checked_pieces(estimator, X):
        here = columns_of(piece)
        if not first:
            first, seen = here, [[] for _ in here]
        for values, column in zip(seen, here, strict=True):
            positions = column.positions
            if piece.weight is not None:
                positions = positions[piece.weight > 0]
            own = column.values[np.unique(positions[positions >= 0])]
            values[:] = [_union([*values, own], column.name)]
    whole = []
    for column, values in zip(first, seen, strict=True):
        (known,) = values
        whole.append(column._replace(values=known, positions=np.arange(len(known))))
    every: Any = slice(None)
    return encoding.learn_categories(whole, estimator.categories, every)


def _union(parts: list[np.ndarray], name: str) -> np.ndarray:
    parts = [part for part in parts if len(part)]
    if not parts:
        return np.empty(0)
    texts = [part.dtype.kind in "OUS" for part in parts]
    if any(texts) and not all(texts):
        shown = [part[0] for part in parts]
        raise TypeError(
            f"Column {name} has values of different types in different chunks, such as {shown}: "
            "its argument must be a string or a number throughout. Convert it, for example with "
            "astype(str)."
        )
    try:
        return np.unique(np.concatenate(parts))
    except TypeError as error:
        raise TypeError(
            f"Column {name} has values of different types: its argument must be a string or a "
            f"number throughout. Convert it, for example with astype(str). ({error})"
        ) from error


def distinct_codes(
    estimator: Any, X: Chunks, categories: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the distinct rows of codes with an answer, their weights, and how many there were."""
    declared = not isinstance(estimator.categories, str)
    offsets = np.cumsum([0, *(len(known) + 1 for known in categories)])
    merged = np.empty((0, len(categories)), dtype=np.int64)
    weights: np.ndarray = np.empty(0)
    waiting: list[tuple[np.ndarray, np.ndarray]] = []
    n_rows = n_waiting = 0

    def merge() -> tuple[np.ndarray, np.ndarray]:
        rows = np.concatenate([merged, *(codes for codes, _ in waiting)])
        weight = np.concatenate([weights, *(own for _, own in waiting)])
        waiting.clear()
        return merge_rows(rows, weight, int(offsets[-1]))

    for piece in checked_pieces(estimator, X):
        weight = np.ones(piece.rows.shape[0]) if piece.weight is None else piece.weight
        answers = answers_of(piece, declared)
        try:
            codes = encoding.encode(answers, categories, estimator.handle_unknown, weight > 0)
        except ValueError as error:
            raise ValueError(f"{piece.name}: {error}") from error
        kept = (weight > 0) & np.any(codes >= 0, axis=1)
        # Every value of a column has a number that no other column has.
        waiting.append((codes[kept].astype(np.int64) + 1 + offsets[:-1], weight[kept]))
        n_rows, n_waiting = n_rows + int(kept.sum()), n_waiting + int(kept.sum())
        if n_waiting > max(MERGED_ROWS, len(merged)):
            merged, weights = merge()
            n_waiting = 0
    merged, weights = merge()
    return merged - 1 - offsets[:-1], weights, n_rows
