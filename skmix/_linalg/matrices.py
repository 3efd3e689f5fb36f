"""Symmetric matrices and their triangular factors, computed block by block."""

from __future__ import annotations

import functools
import itertools

import numpy as np
from scipy.linalg import lapack

from .._rows.sources import Scratch

# Half of a product with a triangle is zeros: skip it in blocks that keep the product fast.
BLOCK = 128


# Up to here numpy's inverse of a stack is faster than one call per matrix.
LARGEST_STACKED = 8
# Up to here all eigenvalues cost less than iterations for the largest.
LARGEST_SOLVED = 32
# Stacks of small matrices are worked on together, in at most so many numbers.
BATCH_VALUES = 16_384


def batches(n_matrices: int, n: int) -> list[slice]:
    """Cut a stack of n x n matrices into runs: short ones, or single matrices where n is large."""
    step = max(1, BATCH_VALUES // max(n * n, 1))
    return [slice(start, start + step) for start in range(0, n_matrices, step)]


@functools.lru_cache(maxsize=64)
def blocks(n: int) -> list[tuple[int, int]]:
    """Cut range(n) into nearly equal blocks of at most BLOCK."""
    n_blocks = -(-n // BLOCK)
    edges = np.linspace(0, n, n_blocks + 1).astype(int).tolist()
    return list(itertools.pairwise(edges))


@functools.lru_cache(maxsize=LARGEST_STACKED)
def upper_triangle(n: int) -> np.ndarray:
    """Return ones on and above the diagonal."""
    return np.triu(np.ones((n, n)))


def squared_norms(factor: np.ndarray, z: np.ndarray, scratch: Scratch) -> np.ndarray:
    """Squared norms of the columns of factor.T @ z for an upper triangular factor."""
    factor = factor.astype(z.dtype, copy=False)
    total = np.zeros(z.shape[1], dtype=z.dtype)
    for start, stop in blocks(len(z)):
        y = scratch.array("squared_norms", (stop - start, z.shape[1]), z.dtype)
        np.matmul(factor[:stop, start:stop].T, z[:stop], out=y)
        np.multiply(y, y, out=y)
        total += y.sum(axis=0)
    return total


def zeros_lower(n: int, n_matrices: int) -> list[np.ndarray]:
    """Zeros for the lower block triangles of symmetric matrices, one array per row of blocks."""
    return [np.zeros((n_matrices, stop - start, stop)) for start, stop in blocks(n)]


def add_lower(
    totals: list[np.ndarray], i: int, z: np.ndarray, weight: np.ndarray, scratch: Scratch
) -> None:
    """Add the weighted sum of outer products of columns of z to the i-th matrix.

    Columns of weight exactly zero, most of them once components are far apart, are skipped.
    """
    columns = np.flatnonzero(weight)
    if len(columns) < 0.75 * z.shape[1]:
        weight = weight[columns]
        packed = scratch.array("packed", (len(z), len(columns)), z.dtype)
        z = np.take(z, columns, axis=1, out=packed, mode="clip")
    weighted = scratch.array("weighted", z.shape, z.dtype)
    np.multiply(z, weight, out=weighted)
    for total, (start, stop) in zip(totals, blocks(len(z)), strict=True):
        product = scratch.array("products", (stop - start, stop), z.dtype)
        np.matmul(weighted[start:stop], z[:stop].T, out=product)
        total[i] += product


def from_lower(totals: list[np.ndarray]) -> np.ndarray:
    """Symmetric matrices (n_matrices, n, n) from their lower block triangles."""
    n_matrices, _, n = totals[-1].shape
    matrices = np.empty((n_matrices, n, n))
    for total, (start, stop) in zip(totals, blocks(n), strict=True):
        matrices[:, start:stop, :stop] = total
        matrices[:, :start, start:stop] = total[:, :, :start].transpose(0, 2, 1)
        square = matrices[:, start:stop, start:stop]
        square += square.transpose(0, 2, 1).copy()
        square *= 0.5
    return matrices


def inverse_cholesky(covariances: np.ndarray) -> np.ndarray:
    """Upper triangular U with U U' = inv(C), for C of shape (..., n, n).

    Raises `numpy.linalg.LinAlgError` for a matrix that is singular to working precision.
    """
    n = covariances.shape[-1]
    factors = np.linalg.cholesky(covariances)
    pivots = np.diagonal(factors, axis1=-2, axis2=-1) ** 2
    diagonals = np.diagonal(covariances, axis1=-2, axis2=-1)
    if np.any(pivots <= n * np.finfo(np.float64).eps * diagonals):
        raise np.linalg.LinAlgError("singular to working precision")
    if n <= LARGEST_STACKED:
        # The transposed inverse of a lower triangle is upper triangular, but for rounding.
        inverse = np.linalg.inv(factors).swapaxes(-1, -2)
        return np.multiply(inverse, upper_triangle(n), order="C")
    for factor in factors.reshape(-1, n, n):
        # The transpose of a C-ordered lower triangle is a Fortran-ordered upper one.
        inverse, info = lapack.dtrtri(factor.T, lower=0)
        if info != 0:
            raise np.linalg.LinAlgError("singular to working precision")
        factor[...] = inverse
    return factors


def raise_eigenvalues(covariances: np.ndarray) -> np.ndarray:
    """Replace eigenvalues too small to factor by the smallest that are large enough."""
    n = covariances.shape[-1]
    matrices = covariances.reshape(-1, n, n).copy()
    for matrix in matrices:
        values, vectors = np.linalg.eigh(matrix)
        floor = max(16 * n * np.finfo(np.float64).eps * values[-1], np.finfo(np.float64).tiny)
        if values[0] < floor:
            matrix[...] = (vectors * np.maximum(values, floor)) @ vectors.T
            matrix[...] = 0.5 * (matrix + matrix.T)
    return matrices.reshape(covariances.shape)


def largest_eigenvalues(factors: np.ndarray, n_iter: int = 30) -> np.ndarray:
    """Largest eigenvalues of U U' for U (..., n, n); of large ones by power iteration."""
    n = factors.shape[-1]
    factors = factors.reshape(-1, n, n)
    if n <= LARGEST_SOLVED:
        return np.linalg.eigvalsh(factors @ factors.swapaxes(1, 2))[:, -1]
    vectors = np.random.default_rng(0).standard_normal((len(factors), n, 1))
    for _ in range(n_iter):
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.where(norms > 0, norms, 1.0)
        vectors = factors @ (factors.swapaxes(1, 2) @ vectors)
    return np.linalg.norm(vectors, axis=(1, 2))


def spectral_bound(factors: np.ndarray) -> np.ndarray:
    """Bound on the largest eigenvalue of U U', for U of shape (..., n, n)."""
    size = np.abs(factors)
    return size.sum(axis=-1).max(axis=-1) * size.sum(axis=-2).max(axis=-1)
