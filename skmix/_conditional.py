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
The conditional moments are those of M. L. Eaton, "Multivariate Statistics", 2007, section 3.4,
:doi:`10.1214/lnms/1196285102`; EM with missing values is that of Z. Ghahramani, M. I. Jordan,
"Supervised learning from incomplete data via an EM approach", NIPS 6, 1994.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ._blocks import (
    LARGE_BATCH,
    Group,
    add_inverses,
    batches,
    from_lower,
    group_rows,
    inverse,
    solve_blocks,
    stack_blocks,
)
from ._sources import Scratch

LOG_2PI = float(np.log(2.0 * np.pi))
# Responsibilities below this are zero to rounding of any sum that they could enter.
NEGLIGIBLE = 1e-20


class IncompleteRows(NamedTuple):
    """A chunk of rows sorted by their patterns of observed cells."""

    order: np.ndarray  # (n,), the sorted rows' places in the chunk
    z: np.ndarray  # (n_features, n), zero where missing
    observed: np.ndarray  # (n_features, n), bool
    groups: list[Group]
    split: int  # rows before this are solved by missing, the others by observed blocks
    noise: np.ndarray | None  # (n_features, n or 1), variances of noise in the observations

    def noise_of(self, group: Group) -> np.ndarray | None:
        """Variances of noise (block_size, n_blocks) in the cells of a group's blocks."""
        if self.noise is None or not group.of_observed:
            return None
        columns = np.arange(group.start, group.stop) if self.noise.shape[1] > 1 else 0
        return self.noise[group.blocks, columns]


class Conditioner:
    """Gaussian components, prepared for conditioning.

    Parameters
    ----------
    means : ndarray of shape (n_components, n_features)

    covariances : ndarray of shape (n_components, n_features, n_features)
        The first axis has length 1 where components share their covariance.

    factors : ndarray of the same shape
        Upper triangular U with U U' the inverse of the covariance.
    """

    def __init__(self, means, covariances, factors):
        self.means = means
        self.covariances = covariances
        self.factors = factors
        self.precisions = factors @ factors.swapaxes(1, 2)
        diagonals = np.diagonal(factors, axis1=1, axis2=2)
        self.half_log_det = np.log(diagonals).sum(axis=1)  # of the precisions

    @property
    def n_components(self) -> int:
        """Number of components."""
        return len(self.means)

    def component(self, k: int) -> Conditioner:
        """The k-th component alone."""
        one = slice(self.shared(k), self.shared(k) + 1)
        return Conditioner(self.means[k : k + 1], self.covariances[one], self.factors[one])

    def shared(self, k: int) -> int:
        """Index of the k-th component's covariance."""
        return min(k, len(self.covariances) - 1)

    def sort(self, z: np.ndarray, noise: np.ndarray | None = None) -> IncompleteRows:
        """Sort rows z (n_features, n), NaN where missing, by their smaller blocks.

        `noise` (n_features, n or 1) holds variances of known noise in the cells.
        """
        observed = z == z
        order, groups = group_rows(
            observed, only_observed=noise is not None, merge=noise is None or noise.shape[1] == 1
        )
        z, observed = z[:, order], observed[:, order]
        z[~observed] = 0.0
        split = min((g.start for g in groups if g.of_observed), default=z.shape[1])
        if noise is not None and noise.shape[1] > 1:
            noise = noise[:, order]
        return IncompleteRows(order, z, observed, groups, split, noise)

    def condition(self, rows: IncompleteRows, scratch: Scratch) -> Conditioned:
        """Solve the blocks of all rows: log densities of what is observed, and expectations."""
        n_features, n = rows.z.shape
        solved = scratch.array("solved", (self.n_components, n_features, n), np.float64)
        moved = scratch.array("moved", (n_features, n), np.float64)
        cells = [group.cells(n) for group in rows.groups]
        right = [np.empty((self.n_components, *places.shape)) for places in cells]
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
            matrices = self._matrices(group)
            solution, half_log_det = solve_blocks(matrices, group, right[g], rows.noise_of(group))
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

    def _matrices(self, group: Group) -> np.ndarray:
        return self.covariances if group.of_observed else self.precisions

    def add_covariances(
        self, totals: list[np.ndarray], rows: IncompleteRows, resp: np.ndarray
    ) -> None:
        """Add what the sum of conditional covariances, weighted by `resp` (K, n), is made of."""
        inner, outer, outer_counts = totals
        outer_counts += resp[:, rows.split :].sum(axis=1)
        if len(self.covariances) == 1:
            resp = resp.sum(axis=0, keepdims=True)
        for group in rows.groups:
            totals_of = outer if group.of_observed else inner
            weight = resp[:, group.start : group.stop]
            add_inverses(totals_of, self._matrices(group), group, weight, rows.noise_of(group))

    def zeros(self) -> list[np.ndarray]:
        """Return zeros for :meth:`add_covariances`."""
        return [*np.zeros((2, *self.covariances.shape)), np.zeros(self.n_components)]

    def sum_covariances(self, totals: list[np.ndarray]) -> np.ndarray:
        """Return the sums of conditional covariances, shaped as the covariances."""
        inner, outer, counts = totals
        total = from_lower(inner)
        if np.any(counts):
            if len(self.covariances) == 1:
                counts = counts.sum(keepdims=True)
            sigma = self.covariances
            total += counts[:, None, None] * sigma - sigma @ from_lower(outer) @ sigma
        return total

    def variances(
        self,
        rows: IncompleteRows,
        k: int,
        columns: np.ndarray,
        gain: np.ndarray | None = None,
    ) -> np.ndarray:
        """Conditional variances (n_features, n_columns) under the k-th component.

        With `gain` (n_features, n_features), those of the rows times the gain.
        """
        result = np.zeros((len(rows.z), len(columns)))
        for group in rows.groups:
            inside = np.flatnonzero((columns >= group.start) & (columns < group.stop))
            blocks, back = np.unique(
                (columns[inside] - group.start) // group.repeats, return_inverse=True
            )
            values = len(group.blocks) * len(rows.z)
            for part in batches(len(blocks), LARGE_BATCH // max(values, 1)):
                chosen = (back >= part.start) & (back < part.stop)
                noise = rows.noise_of(group)
                noise = None if noise is None else noise[:, blocks[part]]
                variances = self._variances_of(
                    group, group.blocks[:, blocks[part]], noise, k, gain
                )
                result[:, inside[chosen]] = variances[:, back[chosen] - part.start]
        if rows.noise is None and gain is None:
            result[rows.observed[:, columns]] = 0.0
        return np.maximum(result, 0.0)

    def _variances_of(self, group: Group, blocks: np.ndarray, noise, k: int, gain) -> np.ndarray:
        """Conditional variances (n_features, n_blocks) for blocks of one group."""
        inverses = inverse(stack_blocks(self._matrices(group)[self.shared(k)], blocks, noise))
        n_features = self.means.shape[1]
        if group.of_observed:
            sigma = self.covariances[self.shared(k)]
            total, seen = sigma, sigma
            if gain is not None:
                seen = sigma @ gain.T
                total = gain @ seen
            cross = seen[blocks.T]  # (n_blocks, block_size, n_features)
            explained = np.einsum("nbd,nbd->dn", cross, inverses @ cross)
            return np.diagonal(total)[:, None] - explained
        if gain is not None:
            of_cells = gain.T[blocks.T]  # (n_blocks, block_size, n_features)
            return np.einsum("nbd,nbd->dn", of_cells, inverses @ of_cells)
        result = np.zeros((n_features, blocks.shape[1]))
        diagonals = np.diagonal(inverses, axis1=1, axis2=2)
        result[blocks, np.arange(blocks.shape[1])] = diagonals.T
        return result

    def given(self, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and covariances of the missing features of one row (NaN), per component."""
        missing = np.isnan(row)
        observed = ~missing
        deviation = row[observed] - self.means[:, observed]
        if missing.sum() <= observed.sum():
            covariances = inverse(self.precisions[:, missing][:, :, missing])
            gain = -covariances @ self.precisions[:, missing][:, :, observed]
        else:
            cross = self.covariances[:, missing][:, :, observed]
            gain = cross @ inverse(self.covariances[:, observed][:, :, observed])
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
            if self.rows.noise is None:  # what was observed stays as it was
                known = self.rows.observed[:, columns][:, first:]
                exact = self.rows.z[:, columns][:, first:] - mover.means[k][:, None]
                np.copyto(deviation[:, first:], exact, where=known)
        return deviation
