r"""Conditioning on blocks of nearly singular covariances, by orthogonal factorisation of roots.

A covariance is known by a root, :math:`\Sigma = L L'`, its precision by another,
:math:`P = U U'` with :math:`U = L^{-T}`. A block of either is the product of some rows of the root
with themselves, and the QR decomposition of these rows factors the block without forming it:

    observed block:  L_o' = Q R,  Σ_oo = R'R,  E[x - μ] = L Q inv(R') δ_o,  Cov = L (I - Q Q') L'
    missing block:   U_m' = Q R,  P_mm = R'R,  E[x_m] = μ_m - inv(R) Q' U' δ, Cov = L Q Q' L'

Errors grow with the square root of the condition number instead of the number itself, and sums
of projections Q Q' lose nothing however small a conditional variance is beside the marginal one,
where sums of inverses of blocks lose all digits once the square of the condition number reaches
1 / eps.
The factorisation takes about ten times as long as that of the block. Decompositions of rows of a
root are those of Å. Björck, "Numerical methods for least squares problems", 1996, chapter 2,
:doi:`10.1137/1.9781611971484`.
"""

from __future__ import annotations

import numpy as np

from .blocks import LARGE_BATCH, Group, batches


class Root:
    """Roots of a covariance and of its precision.

    Parameters
    ----------
    factor : ndarray of shape (n_features, n_features)
        Upper triangular U with U U' the precision.
    """

    def __init__(self, factor: np.ndarray) -> None:
        self.upper = factor
        self.lower = np.tril(np.linalg.inv(factor).T)

    def decompose(
        self, blocks: np.ndarray, of_observed: bool, noise: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """QR decompositions of the rows of a root in blocks (size, n_blocks).

        Known noise of variances (size, n_blocks) adds `size` coordinates to the n_features of Q.
        """
        rows = (self.lower if of_observed else self.upper)[blocks.T]
        if noise is not None:
            deviations = np.sqrt(noise).T[:, :, None] * np.eye(len(blocks))
            rows = np.concatenate([rows, deviations], axis=2)
        q, r = np.linalg.qr(rows.swapaxes(1, 2))
        return q, r

    def expect(
        self, group: Group, chosen: np.ndarray, deviation: np.ndarray, noise: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Expect the deviations of all cells from those of the observed ones.

        Parameters
        ----------
        group : Group

        chosen : ndarray of int
            Blocks of the group.

        deviation : ndarray of shape (n_features, len(chosen) * group.repeats)
            Of the rows of these blocks, zero where cells are missing.

        noise : ndarray of shape (block_size, n_blocks) or None

        Returns
        -------
        expected : ndarray, shaped as `deviation`

        log_density : ndarray of shape (len(chosen) * group.repeats,)
            Of the observed cells, less what depends on the number of cells alone, and, for missing
            blocks, less the log-determinant of the root.
        """
        n_features = len(self.lower)
        log_density = np.empty((len(chosen), group.repeats))
        given = deviation.reshape(n_features, len(chosen), group.repeats)
        expected = np.empty_like(given)
        for part in batches(len(chosen), self._step(group)):
            blocks = group.blocks[:, chosen[part]]
            of_part = None if noise is None else noise[:, chosen[part]]
            basis, factor = self.decompose(blocks, group.of_observed, of_part)
            rows = given[:, part].transpose(1, 0, 2)  # (n_blocks, n_features, repeats)
            if group.of_observed:
                right = np.take_along_axis(rows, blocks.T[:, :, None], axis=1)
                whitened = _solve_lower(factor, right)
                rows = self.lower @ (basis[:, :n_features] @ whitened)
            else:
                whitened = self.upper.T @ rows
                along = basis.swapaxes(1, 2) @ whitened
                whitened -= basis @ along
                rows = rows.copy()
                np.put_along_axis(rows, blocks.T[:, :, None], -_solve(factor, along), axis=1)
            expected[:, part] = rows.transpose(1, 0, 2)
            diagonal = np.abs(np.diagonal(factor, axis1=1, axis2=2))
            log_density[part] = -np.log(diagonal).sum(axis=1)[:, None]
            log_density[part] -= 0.5 * np.square(whitened).sum(axis=1)
        return expected.reshape(deviation.shape), log_density.reshape(-1)

    def add_projections(
        self, total: np.ndarray, group: Group, weight: np.ndarray, noise: np.ndarray | None
    ) -> None:
        """Add the inner matrices M of conditional covariances L M L', weighted by block.

        For observed blocks, what is added is less the identity.
        """
        n_features = len(self.lower)
        kept = np.flatnonzero(weight)
        for part in batches(len(kept), self._step(group)):
            of_part = None if noise is None else noise[:, kept[part]]
            basis, _ = self.decompose(group.blocks[:, kept[part]], group.of_observed, of_part)
            flat = basis[:, :n_features].transpose(1, 0, 2).reshape(n_features, -1)
            signed = -weight[kept[part]] if group.of_observed else weight[kept[part]]
            total += (flat * np.repeat(signed, basis.shape[2])) @ flat.T

    def covariance(self, inner: np.ndarray) -> np.ndarray:
        """Return L M L' for an inner matrix M."""
        product = self.lower @ inner @ self.lower.T
        return 0.5 * (product + product.T)

    def variances(
        self,
        group: Group,
        blocks: np.ndarray,
        noise: np.ndarray | None,
        gain: np.ndarray | None,
    ) -> np.ndarray:
        """Conditional variances (n_features, n_blocks), those of rows times `gain` if given."""
        n_features = len(self.lower)
        root = self.lower if gain is None else gain @ self.lower
        result = np.empty((n_features, blocks.shape[1]))
        for part in batches(blocks.shape[1], LARGE_BATCH // (2 * n_features**2)):
            of_part = None if noise is None else noise[:, part]
            basis, _ = self.decompose(blocks[:, part], group.of_observed, of_part)
            along = root @ basis[:, :n_features]
            if group.of_observed:  # the norm of what is left keeps its digits, a difference not
                along = -along @ basis.swapaxes(1, 2)
                along[:, :, :n_features] += root
            result[:, part] = np.square(along).sum(axis=2).T
        return result

    def given(self, deviation: np.ndarray, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Expected deviations and covariance of missing cells; `deviation` is zero there."""
        basis, factor = np.linalg.qr(self.upper[missing].T)
        expected = -_solve(factor, (basis.T @ (self.upper.T @ deviation))[:, None])[:, 0]
        inverse = _solve(factor, np.eye(len(factor)))
        return expected, inverse @ inverse.T

    def _step(self, group: Group) -> int:
        """Blocks of a group that are worked on together."""
        size = len(group.blocks)
        return LARGE_BATCH // max((len(self.lower) + size) * size, 1)


def _solve(upper: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve R x = b for upper triangles R: no rows are exchanged, so it is a substitution."""
    return np.linalg.solve(upper, right)


def _solve_lower(upper: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve R' x = b: the transpose read backwards is an upper triangle."""
    backwards = upper.swapaxes(1, 2)[:, ::-1, ::-1]
    return np.linalg.solve(backwards, right[:, ::-1])[:, ::-1]
