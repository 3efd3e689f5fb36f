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

from typing import Any, NamedTuple

import numpy as np

from .._rows.sources import Scratch
from .blocks import (
    LARGE_BATCH,
    Group,
    add_inverses,
    batches,
    from_lower,
    group_rows,
    solve_blocks,
    stack_blocks,
)
from .roots import Root

LOG_2PI = float(np.log(2.0 * np.pi))
# Responsibilities below this are zero to rounding of any sum that they could enter.
NEGLIGIBLE = 1e-20
# Sums of inverses of blocks lose eps c² of the smallest variances, c the largest variance
# inflation factor (variance of a cell over that given all others): above this, roots take over.
MAX_INFLATION = 3e4
# Blocks of such a covariance are solved by Cholesky where every pivot is a larger share than this.
MIN_SHARE = 1e-6


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

    def __init__(self, means: np.ndarray, covariances: np.ndarray, factors: np.ndarray) -> None:
        self.means = means
        self.covariances = covariances
        self.factors = factors
        self.precisions = factors @ factors.swapaxes(1, 2)
        diagonals = np.diagonal(factors, axis1=1, axis2=2)
        self.half_log_det = np.log(diagonals).sum(axis=1)  # of the precisions
        deviations = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
        inflation = np.square(factors * deviations[:, :, None]).sum(axis=2).max(axis=1)
        self.delicate = np.flatnonzero(~(inflation <= MAX_INFLATION)).tolist()
        self._roots = {c: Root(factors[c]) for c in self.delicate}

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

    def root(self, c: int) -> Root:
        """Roots of the c-th covariance."""
        if c not in self._roots:
            self._roots[c] = Root(self.factors[c])
        return self._roots[c]

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
        poor = []
        for g, group in enumerate(rows.groups):
            solution, half_log_det, share = solve_blocks(
                self._matrices(group),
                group,
                right[g],
                rows.noise_of(group),
                with_share=bool(self.delicate),
            )
            poor.append(share < MIN_SHARE)
            part = log_density[:, group.start : group.stop]
            if group.of_observed:
                part[:] = -half_log_det
                part -= 0.5 * np.einsum("kbn,kbn->kn", right[g], solution)
            else:
                part[:] = self.half_log_det[:, None] - half_log_det
            right[g] = solution
        expected = None
        if any(blocks.any() for blocks in poor):
            expected = np.zeros((self.n_components, n), dtype=bool)
        for k, deviation in enumerate(solved):
            self._place(rows, k, deviation, right, cells, moved, log_density[k])
            if expected is not None:
                self._expect(rows, k, deviation, poor, expected[k], log_density[k])
        log_density -= 0.5 * LOG_2PI * rows.observed.sum(axis=0)
        return Conditioned(self, rows, solved, log_density, expected)

    def _deviate(self, rows: IncompleteRows, k: int, out: np.ndarray) -> None:
        """Write the deviations of the observed cells from the k-th mean, zero elsewhere."""
        np.subtract(rows.z, self.means[k][:, None], out=out)
        np.multiply(out, rows.observed, out=out)

    def _place(
        self,
        rows: Any,
        k: int,
        deviation: np.ndarray,
        solutions: Any,
        cells: Any,
        moved: Any,
        log_density: np.ndarray,
    ) -> None:
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

    def _expect(
        self,
        rows: Any,
        k: int,
        deviation: np.ndarray,
        poor: Any,
        expected: Any,
        log_density: np.ndarray,
    ) -> None:
        """Do again, by roots, what badly conditioned blocks lost; mark the rows."""
        c = self.shared(k)
        for group, blocks in zip(rows.groups, poor, strict=True):
            chosen = np.flatnonzero(blocks[c])
            if len(chosen) == 0:
                continue
            columns = group.rows(chosen)
            known = rows.z[:, columns] - self.means[k][:, None]
            known *= rows.observed[:, columns]
            noise = rows.noise_of(group)
            deviation[:, columns], of_rows = self.root(c).expect(group, chosen, known, noise)
            log_density[columns] = of_rows if group.of_observed else of_rows + self.half_log_det[c]
            expected[columns] = True

    def _matrices(self, group: Group) -> np.ndarray:
        return self.covariances if group.of_observed else self.precisions

    def add_covariances(
        self, totals: list[np.ndarray], rows: IncompleteRows, resp: np.ndarray
    ) -> None:
        """Add what the sum of conditional covariances, weighted by `resp` (K, n), is made of."""
        inner, outer, projections, outer_counts = totals
        outer_counts += resp[:, rows.split :].sum(axis=1)
        if len(self.covariances) == 1:
            resp = resp.sum(axis=0, keepdims=True)
        safe = np.setdiff1d(np.arange(len(self.covariances)), self.delicate)
        some = slice(None) if not self.delicate else safe
        for group in rows.groups:
            noise = rows.noise_of(group)
            weight = resp[:, group.start : group.stop]
            if len(safe):
                totals_of = (outer if group.of_observed else inner)[some]
                add_inverses(totals_of, self._matrices(group)[some], group, weight[some], noise)
                if self.delicate:
                    (outer if group.of_observed else inner)[safe] = totals_of
            for i, c in enumerate(self.delicate):
                of_blocks = weight[c].reshape(-1, group.repeats).sum(axis=1)
                self.root(c).add_projections(projections[i], group, of_blocks, noise)

    def zeros(self) -> list[np.ndarray]:
        """Return zeros for :meth:`add_covariances`."""
        n_features = self.means.shape[1]
        projections = np.zeros((len(self.delicate), n_features, n_features))
        return [*np.zeros((2, *self.covariances.shape)), projections, np.zeros(self.n_components)]

    def sum_covariances(self, totals: list[np.ndarray]) -> np.ndarray:
        """Return the sums of conditional covariances, shaped as the covariances."""
        inner, outer, projections, counts = totals
        total = from_lower(inner)
        if len(self.covariances) == 1:
            counts = counts.sum(keepdims=True)
        if np.any(counts):
            sigma = self.covariances
            total += counts[:, None, None] * sigma - sigma @ from_lower(outer) @ sigma
        for i, c in enumerate(self.delicate):
            identity = counts[c] * np.eye(len(projections[i]))
            total[c] = self.root(c).covariance(identity + projections[i])
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

    def _variances_of(
        self, group: Group, blocks: np.ndarray, noise: np.ndarray | None, k: int, gain: Any
    ) -> np.ndarray:
        """Conditional variances (n_features, n_blocks) for blocks of one group."""
        if self.shared(k) in self.delicate:
            return self.root(self.shared(k)).variances(group, blocks, noise, gain)
        stack = stack_blocks(self._matrices(group)[self.shared(k)], blocks, noise)
        inverses = np.linalg.inv(stack)
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
        deviation = np.where(observed, row - self.means, 0.0)
        if self.delicate:
            of_each = [self.root(self.shared(k)) for k in range(self.n_components)]
            given = [root.given(z, missing) for root, z in zip(of_each, deviation, strict=True)]
            moved, covariances = (np.array(values) for values in zip(*given, strict=True))
            return self.means[:, missing] + moved, covariances
        if missing.sum() <= observed.sum():
            covariances = np.linalg.inv(self.precisions[:, missing][:, :, missing])
            gain = -covariances @ self.precisions[:, missing][:, :, observed]
        else:
            cross = self.covariances[:, missing][:, :, observed]
            gain = cross @ np.linalg.inv(self.covariances[:, observed][:, :, observed])
            covariances = self.covariances[:, missing][:, :, missing]
            covariances = covariances - gain @ cross.swapaxes(1, 2)
        means = self.means[:, missing] + (gain @ deviation[:, observed, None])[:, :, 0]
        return means, 0.5 * (covariances + covariances.swapaxes(1, 2))


class Conditioned(NamedTuple):
    """What :meth:`Conditioner.condition` found, rows in sorted order."""

    conditioner: Conditioner
    rows: IncompleteRows
    solved: np.ndarray  # (n_components, n_features, n), see `deviation`
    log_density: np.ndarray  # (n_components, n), of the observed cells
    expected: np.ndarray | None  # (n_components, n), where `solved` needs no product any more

    def deviation(self, k: int, columns: np.ndarray | slice) -> np.ndarray:
        """Expected cells less the k-th mean, (n_features, n_columns), in a new array."""
        deviation = self.solved[k][:, columns].copy()
        by_observed = np.arange(self.rows.z.shape[1])[columns] >= self.rows.split
        first = int(np.argmax(by_observed)) if by_observed.any() else len(by_observed)
        if first < len(by_observed):
            mover = self.conditioner
            sigma = mover.covariances[mover.shared(k)]
            if self.expected is None:
                deviation[:, first:] = sigma @ deviation[:, first:]
            else:
                pending = first + np.flatnonzero(~self.expected[k, columns][first:])
                deviation[:, pending] = sigma @ deviation[:, pending]
            if self.rows.noise is None:  # what was observed stays as it was
                known = self.rows.observed[:, columns][:, first:]
                exact = self.rows.z[:, columns][:, first:] - mover.means[k][:, None]
                np.copyto(deviation[:, first:], exact, where=known)
        return deviation

    def by_precision(self, k: int) -> np.ndarray:
        """Deviations of the observed cells times the inverse of their covariance, 0 elsewhere.

        Shape (n_features, n): where the missing block was solved, the precision of all cells
        times the filled-in row is that.
        """
        solved = self.solved[k]
        filled = np.arange(solved.shape[1]) < self.rows.split
        if self.expected is not None:
            filled |= self.expected[k]
        factor = self.conditioner.factors[self.conditioner.shared(k)]
        moved = solved.copy()
        moved[:, filled] = factor @ (factor.T @ solved[:, filled])
        return np.where(self.rows.observed, moved, 0.0)
