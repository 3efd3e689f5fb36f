"""Equal rows become one row with their summed weight, in an order that is their own."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from .sources import Source

# Rows are compared in pieces of this many, so that memory stays small.
PIECE_ROWS = 100_000


def merge_rows(
    rows: np.ndarray, sample_weight: np.ndarray | None, n_values: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct rows of an integer matrix and the weight of each.

    The result depends on the weighted rows as a set only, not on their order or on whether a
    row is repeated or heavy. Rows are ordered by a hash, the sum of one random 64-bit number per
    (column, value); should two rows ever share a hash, they may be merged incompletely, never
    wrongly.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_columns)
        Integers below `n_values`, each of which occurs in one column only.

    sample_weight : ndarray of shape (n_samples,) or None
        Weights; None stands for ones.

    n_values : int
        Number of values.

    References
    ----------
    A. L. Zobrist, "A new hashing method with application for game playing", ICGA Journal 13(2),
    1990 (first a technical report of the University of Wisconsin, 1970).
    :doi:`10.3233/ICG-1990-13203`
    """
    numbers = np.random.RandomState(0).randint(0, 2**64, size=n_values, dtype=np.uint64)
    hashes = np.zeros(len(rows), dtype=np.uint64)
    for column in rows.T:
        hashes += numbers[column]
    order = np.argsort(hashes, kind="stable")
    new = np.ones(len(rows), dtype=bool)
    np.not_equal(hashes[order[1:]], hashes[order[:-1]], out=new[1:])
    for start in range(1, len(rows), PIECE_ROWS):
        here = order[start - 1 : start + PIECE_ROWS]
        different = np.any(rows[here[1:]] != rows[here[:-1]], axis=1)
        new[start : start + PIECE_ROWS] |= different
    first = np.flatnonzero(new)
    if sample_weight is None:
        weight = np.diff(first, append=len(rows)).astype(np.float64)
    else:
        weight = np.add.reduceat(sample_weight[order], first)
    return rows[order[first]], weight


class DistinctRows(NamedTuple):
    """Some or all distinct rows."""

    indices: np.ndarray
    weights: np.ndarray
    share: float  # of all distinct rows, about; 1 if these are all


def sample_distinct(source: Source, n_rows: int, salt: int) -> DistinctRows:
    """Return at most `n_rows` distinct rows of a source.

    Those of the smallest hashes, in their order: a sample that depends on the weighted rows as a
    set only, taken in one pass and in memory for `n_rows` (a bottom-k sketch). Another `salt`
    makes another sample. Rows are not compared: two different ones count as equal with a
    probability below 1e-14 per pair.

    References
    ----------
    E. Cohen, H. Kaplan, "Summarizing data using bottom-k sketches", PODC 2007.
    :doi:`10.1145/1281100.1281133`
    """
    parts = source.by_parts(partial(_least_hashes, n_rows, salt))
    hashes, indices, weights = (np.concatenate(found) for found in zip(*parts, strict=True))
    if len(parts) > 1:
        hashes, indices, weights = _distinct(hashes, indices, weights, n_rows)
    limit = hashes[-1] if len(hashes) == n_rows else np.uint64(2**64 - 1)
    return DistinctRows(indices, weights, (float(limit) + 1.0) / 2.0**64)


def _least_hashes(
    n_rows: int, salt: int, source: Source, first: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the smallest hashes of rows, in order, where the rows are and what they weigh."""
    rng = np.random.RandomState(salt)
    factors = rng.randint(0, 2**63, size=source.n_features + 1, dtype=np.uint64)
    hashes = np.empty(0, dtype=np.uint64)
    indices = np.empty(0, dtype=np.int64)
    weights: np.ndarray = np.empty(0)
    limit = np.uint64(2**64 - 1)
    for start in range(0, source.n_samples, PIECE_ROWS):
        piece = source.take(slice(start, min(start + PIECE_ROWS, source.n_samples)))
        new = _hash_floats(piece.X, 2 * factors + 1)
        here = np.flatnonzero(new <= limit)
        weight = piece.sample_weight
        new_weights = np.ones(len(here)) if weight is None else weight[here]
        hashes, indices, weights = _distinct(
            np.concatenate([hashes, new[here]]),
            np.concatenate([indices, first + start + here]),
            np.concatenate([weights, new_weights]),
            n_rows,
        )
        if len(hashes) == n_rows:
            limit = hashes[-1]
    return hashes, indices, weights


def _distinct(
    hashes: np.ndarray, indices: np.ndarray, weights: np.ndarray, n_rows: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the smallest distinct hashes in order, first indices and summed weights."""
    hashes, first, place = np.unique(hashes, return_index=True, return_inverse=True)
    weights = np.bincount(place, weights)[:n_rows]
    return hashes[:n_rows], indices[first][:n_rows], weights


def row_hashes(X: np.ndarray) -> np.ndarray:
    """Return numbers that are the same for equal rows of floats, as good as never for others."""
    factors = np.random.RandomState(0).randint(0, 2**63, size=X.shape[1] + 1, dtype=np.uint64)
    return _hash_floats(X, 2 * factors + 1)


def _hash_floats(X: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Hash rows by their bits: a sum over columns of products with odd numbers, mixed."""
    hashes = np.zeros(len(X), dtype=np.uint64)
    for column, factor in zip(X.T, factors, strict=False):
        values = column + np.zeros(1)  # float64, with one zero
        values[np.isnan(values)] = np.nan  # and one NaN
        bits = values.view(np.uint64)
        bits ^= bits >> np.uint64(32)  # the low bits of many numbers are zeros
        bits *= factor
        hashes += bits
    hashes ^= hashes >> np.uint64(29)
    hashes *= factors[-1]
    return hashes
