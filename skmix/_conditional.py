r"""Gaussian components conditioned on the observed cells of every row.

For a row with observed cells o and missing cells m, a component of mean :math:`\mu`, covariance
:math:`\Sigma` and precision :math:`P` gives the density of the observed cells, the expectation
of the missing ones and their covariance. All of it follows from one system of equations in the
smaller of the two blocks, with :math:`\delta` the deviation of the observed cells from the mean:

    missing block:   v = inv(P_mm) P_mo δ_o,   E[x_m] = μ_m - v,        Cov = inv(P_mm)
    observed block:  w = inv(Σ_oo) δ_o,        E[x_m] = μ_m + Σ_mo w,
                                               Cov = Σ_mm - Σ_mo inv(Σ_oo) Σ_om

Rows are sorted by the size of their block and solved together, all components at once. The sum of
conditional covariances over rows, which EM needs, is linear in the inverses of the blocks: these
are summed in place, and the products with Σ are made once per pass.

An observation may also carry known independent noise of variance :math:`\nu_j` in cell j:
:math:`\Sigma_{oo}` becomes :math:`\Sigma_{oo} + diag(\nu_o)`, and every cell is then inferred.
Formulas: M. L. Eaton, "Multivariate Statistics", 2007, section 3.4, :doi:`10.1214/lnms/1196285102`;
EM with missing values: Z. Ghahramani, M. I. Jordan, "Supervised learning from incomplete data via
an EM approach", NIPS 6, 1994.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np

from ._sources import Scratch

LOG_2PI = float(np.log(2.0 * np.pi))
# Up to this size blocks are factored entry by entry, vectorised over rows and components.
SMALL_BLOCK = 12
# Values per operation of the small factorisation: long enough to hide the call, short for cache.
SMALL_BATCH = 2**14
# Values per stack of larger blocks.
LARGE_BATCH = 2**18
# Responsibilities below this are zero to rounding of any sum that they could enter.
NEGLIGIBLE = 1e-20

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


class IncompleteRows(NamedTuple):
    """A chunk of rows sorted by their patterns of observed cells."""

    order: np.ndarray  # (n,), the sorted rows' places in the chunk
    z: np.ndarray  # (n_features, n), zero where missing
    observed: np.ndarray  # (n_features, n), bool
    groups: list[Group]
    split: int  # rows before this are solved by missing, the others by observed blocks


class Conditioner:
    """Gaussian components, prepared for conditioning.

    Parameters
    ----------
    means : ndarray of shape (n_components, n_features)

    covariances : ndarray of shape (n_components, n_features, n_features)
        The first axis has length 1 where components share their covariance.

    factors : ndarray of the same shape
        Upper triangular U with U U' the inverse of the covariance.

    noise_variance : ndarray of shape (n_features,), default=None
        Variances of known independent noise in the observations.
    """

    def __init__(self, means, covariances, factors, noise_variance=None):
        self.means = means
        self.covariances = covariances
        self.factors = factors
        self.precisions = factors @ factors.swapaxes(1, 2)
        self.noise_variance = noise_variance
        diagonals = np.diagonal(factors, axis1=1, axis2=2)
        self.half_log_det = np.log(diagonals).sum(axis=1)  # of the precisions

    @property
    def n_components(self) -> int:
        """Number of components."""
        return len(self.means)

    def component(self, k: int) -> Conditioner:
        """The k-th component alone."""
        one = slice(self.shared(k), self.shared(k) + 1)
        return Conditioner(
            self.means[k : k + 1], self.covariances[one], self.factors[one], self.noise_variance
        )

    def shared(self, k: int) -> int:
        """Index of the k-th component's covariance."""
        return min(k, len(self.covariances) - 1)

    def sort(self, z: np.ndarray) -> IncompleteRows:
        """Sort rows z (n_features, n), NaN where missing, by their smaller blocks."""
        observed = z == z
        order, groups = group_rows(observed, only_observed=self.noise_variance is not None)
        z, observed = z[:, order], observed[:, order]
        z[~observed] = 0.0
        split = min((g.start for g in groups if g.of_observed), default=z.shape[1])
        return IncompleteRows(order, z, observed, groups, split)

    def condition(self, rows: IncompleteRows, scratch: Scratch) -> Conditioned:
        """Solve the blocks of all rows: log densities of what is observed, and expectations."""
        n_features, n = rows.z.shape
        solved = scratch.array("solved", (self.n_components, n_features, n), np.float64)
        moved = scratch.array("moved", (n_features, n), np.float64)
        right = [np.empty((self.n_components, *g.cells(n).shape)) for g in rows.groups]
        cells = [g.cells(n) for g in rows.groups]
        split = rows.split
        for k, deviation in enumerate(solved):
            self._deviate(rows, k, deviation)
            if split:
                precision = self.precisions[self.shared(k)]
                np.matmul(precision, deviation[:, :split], out=moved[:, :split])
            for g, group in enumerate(rows.groups):
                values = deviation if group.of_observed else moved
                np.take(values.reshape(-1), cells[g], out=right[g][k], mode="clip")
        log_density = np.empty((self.n_components, n))
        for g, group in enumerate(rows.groups):
            matrices, noise = self._matrices(group)
            solution, half_log_det = solve_blocks(matrices, group, right[g], noise)
            part = log_density[:, group.start : group.stop]
            if group.of_observed:
                part[:] = -half_log_det
                part -= 0.5 * np.einsum("kbn,kbn->kn", right[g], solution)
            else:
                part[:] = self.half_log_det[:, None] - half_log_det
            right[g] = solution
        for k, deviation in enumerate(solved):
            self._place(rows, k, deviation, right, cells, moved, log_density[k])
        log_density -= 0.5 * LOG_2PI * rows.observed.sum(axis=0)
        return Conditioned(self, rows, solved, log_density)

    def _deviate(self, rows: IncompleteRows, k: int, out: np.ndarray) -> None:
        """Write the deviations of the observed cells from the k-th mean, zero elsewhere."""
        np.subtract(rows.z, self.means[k][:, None], out=out)
        np.multiply(out, rows.observed, out=out)

    def _place(self, rows, k, deviation, solutions, cells, moved, log_density) -> None:
        """Put the solutions of the blocks where the deviations were."""
        split = rows.split
        deviation[:, split:] = 0.0
        flat = deviation.reshape(-1)
        for group, solution, places in zip(rows.groups, solutions, cells, strict=True):
            flat[places] = solution[k] if group.of_observed else -solution[k]
        if split:  # the distance of the filled-in row is that of its observed cells
            factor = self.factors[self.shared(k)]
            whitened = np.matmul(factor.T, deviation[:, :split], out=moved[:, :split])
            log_density[:split] -= 0.5 * np.einsum("dn,dn->n", whitened, whitened)

    def _matrices(self, group: Group):
        if not group.of_observed:
            return self.precisions, None
        return self.covariances, self.noise_variance

    def add_covariances(
        self, totals: list[np.ndarray], rows: IncompleteRows, resp: np.ndarray
    ) -> None:
        """Add what the sum of conditional covariances, weighted by `resp` (K, n), is made of."""
        inner, outer, outer_counts = totals
        outer_counts += resp[:, rows.split :].sum(axis=1)
        if len(self.covariances) == 1:
            resp = resp.sum(axis=0, keepdims=True)
        for group in rows.groups:
            matrices, noise = self._matrices(group)
            weight = resp[:, group.start : group.stop]
            add_inverses(outer if group.of_observed else inner, matrices, group, weight, noise)

    def zeros(self) -> list[np.ndarray]:
        """Return zeros for :meth:`add_covariances`."""
        return [*np.zeros((2, *self.covariances.shape)), np.zeros(self.n_components)]

    def sum_covariances(self, totals: list[np.ndarray]) -> np.ndarray:
        """Return the sums of conditional covariances, shaped as the covariances."""
        inner, outer, counts = totals
        total = _from_lower(inner)
        if np.any(counts):
            if len(self.covariances) == 1:
                counts = counts.sum(keepdims=True)
            sigma = self.covariances
            total += counts[:, None, None] * sigma - sigma @ _from_lower(outer) @ sigma
        return total

    def variances(self, rows: IncompleteRows, k: int, columns: np.ndarray) -> np.ndarray:
        """Conditional variances (n_features, n_columns) under the k-th component."""
        result = np.zeros((len(rows.z), len(columns)))
        sigma = self.covariances[self.shared(k)]
        for group in rows.groups:
            inside = np.flatnonzero((columns >= group.start) & (columns < group.stop))
            blocks = group.blocks[:, (columns[inside] - group.start) // group.repeats]
            matrices, noise = self._matrices(group)
            matrix = matrices[self.shared(k)]
            step = max(1, LARGE_BATCH // max(1, blocks.shape[0] * len(sigma)))
            for start in range(0, len(inside), step):
                block, where = blocks[:, start : start + step], inside[start : start + step]
                stack = _stack(matrix, block, noise)
                if group.of_observed:
                    rows_of = sigma[block.T]  # (n, block_size, n_features)
                    gain = _inverse(stack) @ rows_of
                    explained = np.einsum("nbd,nbd->dn", rows_of, gain)
                    result[:, where] = np.diagonal(sigma)[:, None] - explained
                else:
                    inverse = _inverse(stack)
                    result[block, where] = np.diagonal(inverse, axis1=1, axis2=2).T
        if self.noise_variance is None:
            result[rows.observed[:, columns]] = 0.0
        return np.maximum(result, 0.0)

    def given(self, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and covariances of the missing features of one row (NaN), per component."""
        missing = np.isnan(row)
        observed = ~missing
        deviation = row[observed] - self.means[:, observed]
        if missing.sum() <= observed.sum():
            covariances = _inverse(self.precisions[:, missing][:, :, missing])
            gain = -covariances @ self.precisions[:, missing][:, :, observed]
        else:
            cross = self.covariances[:, missing][:, :, observed]
            gain = cross @ _inverse(self.covariances[:, observed][:, :, observed])
            covariances = self.covariances[:, missing][:, :, missing]
            covariances = covariances - gain @ cross.swapaxes(1, 2)
        means = self.means[:, missing] + (gain @ deviation[:, :, None])[:, :, 0]
        return means, 0.5 * (covariances + covariances.swapaxes(1, 2))


class Conditioned(NamedTuple):
    """What :meth:`Conditioner.condition` found, rows in sorted order."""

    conditioner: Conditioner
    rows: IncompleteRows
    solved: np.ndarray  # (n_components, n_features, n), see `deviation`
    log_density: np.ndarray  # (n_components, n), of the observed cells

    def deviation(self, k: int, columns: np.ndarray | slice) -> np.ndarray:
        """Expected cells less the k-th mean, (n_features, n_columns), in a new array."""
        deviation = self.solved[k][:, columns].copy()
        by_observed = np.arange(self.rows.z.shape[1])[columns] >= self.rows.split
        first = int(np.argmax(by_observed)) if by_observed.any() else len(by_observed)
        if first < len(by_observed):
            mover = self.conditioner
            deviation[:, first:] = mover.covariances[mover.shared(k)] @ deviation[:, first:]
            if mover.noise_variance is None:  # what was observed stays as it was
                known = self.rows.observed[:, columns][:, first:]
                exact = self.rows.z[:, columns][:, first:] - mover.means[k][:, None]
                np.copyto(deviation[:, first:], exact, where=known)
        return deviation


def group_rows(
    observed: np.ndarray, *, only_observed: bool = False
) -> tuple[np.ndarray, list[Group]]:
    """Sort rows by the size of their smaller block, and large blocks by how often they occur.

    Parameters
    ----------
    observed : ndarray of bool, shape (n_features, n)

    only_observed : bool, default=False
        Whether to take the observed block even where the missing one is smaller.
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
        if size <= SMALL_BLOCK:
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


def solve_blocks(matrices, group: Group, right, noise=None) -> tuple[np.ndarray, np.ndarray]:
    """Solve with the blocks of all matrices.

    Parameters
    ----------
    matrices : ndarray of shape (n_components or 1, n_features, n_features)

    group : Group

    right : ndarray of shape (n_components, block_size, n)

    noise : ndarray of shape (n_features,), default=None
        Added to the diagonals.

    Returns
    -------
    solution : ndarray of shape (n_components, block_size, n)

    half_log_det : ndarray of shape (n_components or 1, n)
        Half the log-determinants of the blocks.
    """
    size, n_blocks = group.blocks.shape
    solution = np.empty_like(right)
    half_log_det = np.zeros((len(matrices), right.shape[2]))
    if size == 0:
        return solution, half_log_det
    if size <= SMALL_BLOCK:
        with _one_at_a_time:
            for part in _parts(n_blocks, SMALL_BATCH // len(right)):
                factors = SmallCholesky(matrices, group.blocks[:, part], noise)
                half_log_det[:, part] = factors.half_log_det()
                factors.solve(right[:, :, part], out=solution[:, :, part])
        return solution, half_log_det
    shape = (len(right), size, n_blocks, group.repeats)
    right, solved = right.reshape(shape), solution.reshape(shape)
    log_dets = half_log_det.reshape(len(matrices), n_blocks, group.repeats)
    for part in _parts(n_blocks, LARGE_BATCH // size**2):
        for c, matrix in enumerate(matrices):
            components = slice(None) if len(matrices) == 1 else slice(c, c + 1)
            stack = _stack(matrix, group.blocks[:, part], noise)
            log_dets[c, part] = _half_log_det(stack)[:, None]
            # (K, b, p, c) -> (p, b, K c) and back
            sides = right[components, :, part].transpose(2, 1, 0, 3)
            answer = np.linalg.solve(stack, sides.reshape(*sides.shape[:2], -1))
            solved[components, :, part] = answer.reshape(sides.shape).transpose(2, 1, 0, 3)
    return solution, half_log_det


def add_inverses(totals, matrices, group: Group, weight, noise=None) -> None:
    """Add weighted inverses of blocks to the lower triangles of `totals`, in the blocks' places.

    Parameters
    ----------
    totals : ndarray of shape (n_matrices, n_features, n_features)

    matrices : ndarray of the same shape

    group : Group

    weight : ndarray of shape (n_matrices, n)

    noise : ndarray of shape (n_features,), default=None
        Added to the diagonals.
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
            for part in _parts(n_blocks, SMALL_BATCH // len(matrices)):
                blocks = group.blocks[:, part]
                inverse = SmallCholesky(matrices, blocks, noise).inverse()
                inverse *= weight[:, None, part]
                places = blocks[rows] * n_features + blocks[columns]
                for c in range(len(matrices)):
                    np.add.at(flat[c], places.reshape(-1), inverse[c].reshape(-1))
        return
    for c, matrix in enumerate(matrices):
        kept = np.flatnonzero(weight[c])
        for part in _parts(len(kept), LARGE_BATCH // size**2):
            blocks = group.blocks[:, kept[part]]
            inverse = _inverse(_stack(matrix, blocks, noise))[:, rows, columns]
            inverse *= weight[c, kept[part], None]
            places = blocks[rows] * n_features + blocks[columns]
            np.add.at(flat[c], places.T.reshape(-1), inverse.reshape(-1))


class SmallCholesky:
    """Cholesky factors of many small blocks, entry by entry.

    Every entry is an array (n_matrices, n_blocks), so that numpy works on all blocks at once.
    """

    def __init__(self, matrices: np.ndarray, blocks: np.ndarray, noise=None):
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
                        entry += noise[blocks[i]]
                    smallest = floor * entry  # a pivot below it is rounding
                for left, right in zip(self.lower[i][:j], self.lower[j][:j], strict=True):
                    entry -= left * right
                if i == j:
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


def _stack(matrix: np.ndarray, blocks: np.ndarray, noise) -> np.ndarray:
    """Blocks (n_blocks, size, size) of one matrix."""
    places = blocks.T[:, :, None] * len(matrix) + blocks.T[:, None, :]
    stack = matrix.reshape(-1).take(places, mode="clip")
    if noise is not None:
        diagonal = np.arange(len(blocks))
        stack[:, diagonal, diagonal] += noise[blocks.T]
    return stack


def _half_log_det(stack: np.ndarray) -> np.ndarray:
    """Half the log-determinants of positive definite matrices; lifts those that rounding spoiled."""
    try:
        factors = np.linalg.cholesky(stack)
    except np.linalg.LinAlgError:
        _lift(stack)
        factors = np.linalg.cholesky(stack)
    return np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)


def _inverse(stack: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.inv(stack)
    except np.linalg.LinAlgError:
        _lift(stack)
        return np.linalg.inv(stack)


def _lift(stack: np.ndarray) -> None:
    """Raise the eigenvalues of matrices that rounding made singular."""
    n = stack.shape[1]
    values = np.linalg.eigvalsh(stack)
    floor = 16 * n * np.finfo(np.float64).eps * values[:, -1]
    diagonal = np.arange(n)
    stack[:, diagonal, diagonal] += 2 * np.maximum(floor - values[:, :1].T, 0.0).T


def _from_lower(matrices: np.ndarray) -> np.ndarray:
    diagonal = np.arange(matrices.shape[-1])
    full = matrices + matrices.swapaxes(1, 2)
    full[:, diagonal, diagonal] *= 0.5
    return full


def _parts(n: int, step: int):
    """Cut range(n) into slices of at most `step`."""
    step = max(1, step)
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]
