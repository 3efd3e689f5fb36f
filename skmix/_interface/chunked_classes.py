"""Classes of rows in chunks: which there are, and whether a mixture can be fitted to each."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .chunked_columns import union
from .chunks import Chunks
from .survey import Convert, Piece, survey


class Tally(NamedTuple):
    """The classes of some rows."""

    classes: np.ndarray  # (n_classes,), those of which a row has weight
    n_rows: np.ndarray  # (n_classes,), rows with weight
    weights: np.ndarray  # (n_classes,), their sums of weights

    def only(self, chosen: np.ndarray) -> Tally:
        """Return some of the classes."""
        return Tally(*(values[chosen] for values in self))


def tally(estimator: Any, X: Chunks) -> Tally:
    """Return the classes of all rows, which have labels."""
    parts = survey(estimator, X, _tally_of_part)
    return _together([part for part in parts if part is not None])


def codes_in(classes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the places of labels among sorted classes, -1 of those that are no class."""
    places = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    return np.where(classes[places] == labels, places, -1)


def _tally_of_part(pieces: Iterator[Piece]) -> Tally:
    return _together([_tally_of_piece(piece) for piece in pieces])


def _tally_of_piece(piece: Piece) -> Tally:
    labels, weight = piece.labels, piece.weight
    assert labels is not None
    if weight is not None:
        labels, weight = labels[weight > 0], weight[weight > 0]
    classes, codes = np.unique(labels, return_inverse=True)
    n_rows = np.bincount(codes, minlength=len(classes))
    weights = np.bincount(codes, weight, minlength=len(classes))
    return Tally(classes, n_rows, weights)


def _together(tallies: list[Tally]) -> Tally:
    classes = union([own.classes for own in tallies], "y")
    n_rows, weights = np.zeros(len(classes), dtype=np.int64), np.zeros(len(classes))
    for own in tallies:
        places = np.searchsorted(classes, own.classes)
        n_rows[places] += own.n_rows
        weights[places] += own.weights
    return Tally(classes, n_rows, weights)


class Shown(NamedTuple):
    """What the rows of one class show."""

    observed: np.ndarray  # (n_features,), whether any cell of a column is not missing
    distinct: np.ndarray  # distinct rows, no more of them than were asked for


def shown_of_classes(
    estimator: Any, X: Chunks, convert: Convert, classes: np.ndarray, most: list[int]
) -> list[Shown]:
    """Return what the rows of each class show, with so many distinct ones at most."""
    parts = survey(estimator, X, partial(_shown_of_part, convert, classes, most))
    first, *others = (part for part in parts if part is not None)
    for other in others:
        first = [_joined(*several) for several in zip(first, other, most, strict=True)]
    return first


def _shown_of_part(
    convert: Convert, classes: np.ndarray, most: list[int], pieces: Iterator[Piece]
) -> list[Shown]:
    found: list[Shown] = []
    for piece in pieces:
        rows, labels = convert(piece.rows, piece.weight, piece.name), piece.labels
        assert labels is not None
        if piece.weight is not None:
            rows, labels = rows[piece.weight > 0], labels[piece.weight > 0]
        if not found:
            nothing = np.zeros(rows.shape[1], dtype=bool)
            found = [Shown(nothing, rows[:0]) for _ in classes]
        found = [
            _joined(known, shown(rows[labels == label], n), n)
            for known, label, n in zip(found, classes, most, strict=True)
        ]
    return found


def shown(rows: np.ndarray, most: int) -> Shown:
    """Return what some rows show, with so many distinct ones at most."""
    return Shown(~np.isnan(rows).all(axis=0), some_distinct(rows, most))


def _joined(first: Shown, second: Shown, most: int) -> Shown:
    rows = first.distinct
    if len(second.distinct):
        rows = some_distinct(np.concatenate([rows, second.distinct]), most)
    return Shown(first.observed | second.observed, rows)


def some_distinct(rows: np.ndarray, most: int) -> np.ndarray:
    """Return distinct rows, all of them or `most`."""
    distinct = np.unique(rows[: 4 * most], axis=0)
    distinct = distinct if len(distinct) >= most else np.unique(rows, axis=0)
    return distinct[:most]
