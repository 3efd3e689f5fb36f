"""Equal rows become one row with their summed weight, in an order that is their own."""

from __future__ import annotations

import numpy as np

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
