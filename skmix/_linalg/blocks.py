"""Many blocks of a few symmetric matrices, factored together.

A block holds the rows and columns of some features. Small ones are factored entry by entry, so
that numpy works on all of them at once; larger ones by LAPACK, in stacks.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np

# Up to this size blocks are factored entry by entry, vectorised over rows and components.
SMALL_BLOCK = 12
# Values per operation of the small factorisation: long enough to hide the call, short for cache.
SMALL_BATCH = 2**14
# Values per stack of larger blocks.
LARGE_BATCH = 2**18

# The small factorisation is many short operations, each of which hands the interpreter lock on:
# four threads at once are slower than one after the other.
_one_at_a_time = threading.Lock()


class Group(NamedTuple):
    """Consecutive sorted rows whose smaller blocks have one size.

    The first ``repeats`` rows share the first block, the next ones the second, and so on.
    """

    start: int
    stop: int
    blocks: np.ndarray  # (block_size, n_blocks), indices of features
    repeats: int
    of_observed: bool  # whether the blocks are observed or missing cells

    def cells(self, n_rows: int) -> np.ndarray:
        """Indices (block_size, stop - start) of the blocks' cells in a raveled (d, n) array."""
        blocks = self.blocks if self.repeats == 1 else np.repeat(self.blocks, self.repeats, axis=1)
        return blocks * n_rows + np.arange(self.start, self.stop)

    def rows(self, chosen: np.ndarray) -> np.ndarray:
        """Places of the sorted rows of some blocks."""
        return (self.start + chosen[:, None] * self.repeats + np.arange(self.repeats)).ravel()


def group_rows(
    observed: np.ndarray, *, only_observed: bool = False, merge: bool = True
) -> tuple[np.ndarray, list[Group]]:
    """Sort rows by the size of their smaller block, and large blocks by how often they occur.

    Parameters
    ----------
    observed : ndarray of bool, shape (n_features, n)

    only_observed : bool, default=False
        Whether to take the observed block even where the missing one is smaller.

    merge : bool, default=True
        Whether rows may share a block.
    """
    n_features = len(observed)
    n_missing = n_features - observed.sum(axis=0)
    order = np.argsort(n_missing, kind="stable")
    groups: list[Group] = []
    starts = np.flatnonzero(np.diff(n_missing[order], prepend=-1)).tolist()
    for start, stop in zip(starts, [*starts[1:], len(order)], strict=True):
        size = int(n_missing[order[start]])
        of_observed = only_observed or 2 * size > n_features
        size = n_features - size if of_observed else size
        rows = order[start:stop]
        cells = observed[:, rows] if of_observed else ~observed[:, rows]
        blocks = np.nonzero(cells.T)[1].reshape(len(rows), size).T
        if size <= SMALL_BLOCK or not merge:
            groups.append(Group(start, stop, np.ascontiguousarray(blocks), 1, of_observed))
            continue
        sort, runs = _runs(np.packbits(cells, axis=0))
        order[start:stop] = rows[sort]
        for first, n_rows, repeats in runs:
            of_run = np.ascontiguousarray(blocks[:, sort[first : first + n_rows : repeats]])
            begin = start + first
            groups.append(Group(begin, begin + n_rows, of_run, repeats, of_observed))
    return order, groups


def _runs(patterns: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int, int]]]:
    """Sort columns so that equal ones are neighbours and those of equal frequency too.

    Returns the order and, per frequency, (first column, number of columns, frequency).
    """
    _, inverse, counts = np.unique(patterns, axis=1, return_inverse=True, return_counts=True)
    inverse = inverse.ravel()
    frequency = counts[inverse]
    sort = np.lexsort((inverse, frequency))
    repeats, first, n_rows = np.unique(frequency[sort], return_index=True, return_counts=True)
    return sort, list(zip(first.tolist(), n_rows.tolist(), repeats.tolist(), strict=True))


def solve_blocks(
    matrices: Any,
    group: Group,
    right: Any,
    noise: np.ndarray | None = None,
    *,
    with_share: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Solve with the blocks of all matrices.

    Parameters
    ----------
    matrices : ndarray of shape (n_components or 1, n_features, n_features)

    group : Group

    right : ndarray of shape (n_components, block_size, n)

    noise : ndarray of shape (block_size, n_blocks), default=None
        Added to the diagonals of the blocks.

    with_share : bool, default=False
        Whether the shares are asked for.

    Returns
    -------
    solution : ndarray of shape (n_components, block_size, n)

    half_log_det : ndarray of shape (n_components or 1, n)
        Half the log-determinants of the blocks.

    share : ndarray of shape (n_components or 1, n_blocks)
        Smallest share that a pivot is of its diagonal entry, about one over the condition number
        of a block of unit diagonal; 0 where rounding made a block indefinite, which is not solved.
    """
    size, n_blocks = group.blocks.shape
    solution = np.empty_like(right)
    half_log_det = np.zeros((len(matrices), right.shape[2]))
    share = np.ones((len(matrices), n_blocks))
    if size == 0:
        return solution, half_log_det, share
    if size <= SMALL_BLOCK:
        with _one_at_a_time:
            for part in batches(n_blocks, SMALL_BATCH // len(right)):
                of_part = share[:, part] if with_share else None
                blocks = group.blocks[:, part]
                factors = SmallCholesky(matrices, blocks, _columns(noise, part), of_part)
                half_log_det[:, part] = factors.half_log_det()
                factors.solve(right[:, :, part], out=solution[:, :, part])
        return solution, half_log_det, share
    shape = (len(right), size, n_blocks, group.repeats)
    right, solved = right.reshape(shape), solution.reshape(shape)
    log_dets = half_log_det.reshape(len(matrices), n_blocks, group.repeats)
    for part in batches(n_blocks, LARGE_BATCH // size**2):
        for c, matrix in enumerate(matrices):
            components = slice(None) if len(matrices) == 1 else slice(c, c + 1)
            stack = stack_blocks(matrix, group.blocks[:, part], _columns(noise, part))
            try:
                pivots = np.diagonal(np.linalg.cholesky(stack), axis1=1, axis2=2)
            except np.linalg.LinAlgError:  # does not say which of the stack
                share[c, part] = 0.0
                solved[components, :, part] = 0.0
                continue
            log_dets[c, part] = np.log(pivots).sum(axis=1)[:, None]
            if with_share:
                diagonals = np.diagonal(stack, axis1=1, axis2=2)
                share[c, part] = np.min(pivots**2 / diagonals, axis=1)
            # (K, b, p, c) -> (p, b, K c) and back
            sides = right[components, :, part].transpose(2, 1, 0, 3)
            answer = np.linalg.solve(stack, sides.reshape(*sides.shape[:2], -1))
            solved[components, :, part] = answer.reshape(sides.shape).transpose(2, 1, 0, 3)
    return solution, half_log_det, share


def add_inverses(
    totals: np.ndarray,
    matrices: Any,
    group: Group,
    weight: np.ndarray,
    noise: np.ndarray | None = None,
) -> None:
    """Add weighted inverses of blocks to the lower triangles of `totals`, in the blocks' places.

    Parameters
    ----------
    totals : ndarray of shape (n_matrices, n_features, n_features)

    matrices : ndarray of the same shape

    group : Group

    weight : ndarray of shape (n_matrices, n)

    noise : ndarray of shape (block_size, n_blocks), default=None
        Added to the diagonals of the blocks.
    """
    size, n_blocks = group.blocks.shape
    if size == 0:
        return
    n_features = matrices.shape[1]
    flat = totals.reshape(len(totals), -1)
    weight = weight.reshape(len(matrices), n_blocks, group.repeats).sum(axis=2)
    rows, columns = np.tril_indices(size)
    if size <= SMALL_BLOCK:
        with _one_at_a_time:
            for part in batches(n_blocks, SMALL_BATCH // len(matrices)):
                blocks = group.blocks[:, part]
                entries = SmallCholesky(matrices, blocks, _columns(noise, part)).inverse()
                entries *= weight[:, None, part]
                places = blocks[rows] * n_features + blocks[columns]
                for c in range(len(matrices)):
                    np.add.at(flat[c], places.reshape(-1), entries[c].reshape(-1))
        return
    for c, matrix in enumerate(matrices):
        kept = np.flatnonzero(weight[c])
        for part in batches(len(kept), LARGE_BATCH // size**2):
            blocks = group.blocks[:, kept[part]]
            of_part = _columns(noise, kept[part])
            entries = np.linalg.inv(stack_blocks(matrix, blocks, of_part))[:, rows, columns]
            entries *= weight[c, kept[part], None]
            places = blocks[rows] * n_features + blocks[columns]
            np.add.at(flat[c], places.T.reshape(-1), entries.reshape(-1))


class SmallCholesky:
    """Cholesky factors of many small blocks, entry by entry.

    Every entry is an array (n_matrices, n_blocks), so that numpy works on all blocks at once. What
    the smallest pivot is of its diagonal entry goes into `share`, if given.
    """

    def __init__(
        self,
        matrices: np.ndarray,
        blocks: np.ndarray,
        noise: np.ndarray | None = None,
        share: Any = None,
    ) -> None:
        n_features = matrices.shape[1]
        flat = matrices.reshape(len(matrices), -1)
        size = len(blocks)
        self.lower: list[list[np.ndarray]] = [[] for _ in range(size)]
        self.inverse_pivots: list[np.ndarray] = []
        floor = np.finfo(np.float64).eps
        for i in range(size):
            for j in range(i + 1):
                places = blocks[i] * n_features + blocks[j]
                entry = flat.take(places, axis=1, mode="clip")
                if i == j:
                    if noise is not None:
                        entry += noise[i]
                    smallest = floor * entry  # a pivot below it is rounding
                for left, right in zip(self.lower[i][:j], self.lower[j][:j], strict=True):
                    entry -= left * right
                if i == j:
                    if share is not None:
                        np.minimum(share, entry * (floor / smallest), out=share)
                    np.maximum(entry, smallest, out=entry)
                    np.sqrt(entry, out=entry)
                    self.inverse_pivots.append(1.0 / entry)
                else:
                    entry *= self.inverse_pivots[j]
                self.lower[i].append(entry)

    def half_log_det(self) -> np.ndarray:
        """Half the log-determinants, (n_matrices, n_blocks)."""
        product = self.lower[0][0].copy()
        total = np.zeros_like(product)
        for i in range(1, len(self.lower)):
            product *= self.lower[i][i]
            if i % 3 == 2:  # one logarithm for three pivots: their product cannot overflow
                total += np.log(product)
                product.fill(1.0)
        return total + np.log(product)

    def solve(self, right: np.ndarray, out: np.ndarray) -> None:
        """Solve for right-hand sides (n_components, size, n_blocks)."""
        size = len(self.lower)
        for i in range(size):
            y = right[:, i].copy()
            for j in range(i):
                y -= self.lower[i][j] * out[:, j]
            np.multiply(y, self.inverse_pivots[i], out=out[:, i])
        for i in reversed(range(size)):
            y = out[:, i]
            for j in range(i + 1, size):
                y -= self.lower[j][i] * out[:, j]
            y *= self.inverse_pivots[i]

    def inverse(self) -> np.ndarray:
        """Lower triangles of the inverses, row by row: (n_matrices, n_entries, n_blocks)."""
        size = len(self.lower)
        root: list[list[np.ndarray]] = []  # the inverse of the factor
        for i in range(size):
            root.append([])
            for j in range(i):
                entry = self.lower[i][j] * root[j][j]
                for m in range(j + 1, i):
                    entry += self.lower[i][m] * root[m][j]
                entry *= -self.inverse_pivots[i]
                root[i].append(entry)
            root[i].append(self.inverse_pivots[i])
        shape = self.inverse_pivots[0].shape
        result = np.empty((shape[0], size * (size + 1) // 2, shape[1]))
        rows, columns = np.tril_indices(size)
        for entry, (i, j) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
            np.multiply(root[i][i], root[i][j], out=result[:, entry])
            for m in range(i + 1, size):
                result[:, entry] += root[m][i] * root[m][j]
        return result


def stack_blocks(matrix: np.ndarray, blocks: np.ndarray, noise: np.ndarray | None) -> np.ndarray:
    """Blocks (n_blocks, size, size) of one matrix, with noise (size, n_blocks) added."""
    places = blocks.T[:, :, None] * len(matrix) + blocks.T[:, None, :]
    stack = matrix.reshape(-1).take(places, mode="clip")
    if noise is not None:
        diagonal = np.arange(len(blocks))
        stack[:, diagonal, diagonal] += noise.T
    return stack


def from_lower(matrices: np.ndarray) -> np.ndarray:
    diagonal = np.arange(matrices.shape[-1])
    full = matrices + matrices.swapaxes(1, 2)
    full[:, diagonal, diagonal] *= 0.5
    return full


def _columns(noise: np.ndarray | None, part: Any) -> np.ndarray | None:
    return None if noise is None else noise[:, part]


def batches(n: int, step: int) -> Any:
    """Cut range(n) into slices of at most `step`."""
    step = max(1, step)
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]
