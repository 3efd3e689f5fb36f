"""Filters for groups of similar patches.

A filter gets noisy patches and their pilots, (n, n_similar, n_features), and the variances of
the noise: one for all (1, 1), or one for each pixel of each patch. It returns the restored
patches, and what those of each group (n,) count for where they overlap with others.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

GroupFilter = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

# Noise variances in a group that differ by less than this factor count as one.
EVEN = 1.3
# Pixels of less noise than this, in units of that of all, count as if they had it.
LEAST_NOISE = 1e-2


def by_own_axes(
    noisy: np.ndarray, pilot: np.ndarray, noise_variances: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Keep what groups of noisy patches have in common, whatever their pilots say.

    Principal axes are kept, less the noise, that vary by more than the first axis of noise alone
    does: by 1 + sqrt(n_features / n_similar) standard deviations (the edge of Marchenko and
    Pastur). Patches count in units of their own noise.
    """
    least = LEAST_NOISE**2 * float(np.mean(noise_variances)) + np.finfo(noisy.dtype).tiny
    noise_std = np.sqrt(np.maximum(noise_variances, least))
    if noise_std.ndim == 2:
        means = noisy.mean(axis=1, keepdims=True)
    else:
        means = np.average(noisy, axis=1, weights=1.0 / noise_std**2, keepdims=True)
    deviations = (noisy - means) / noise_std
    # Groups have fewer patches than patches have pixels: products of patches have the same axes.
    products = deviations @ deviations.transpose(0, 2, 1)
    products /= noisy.shape[1]
    values, vectors = np.linalg.eigh(products)
    edge = (1.0 + np.sqrt(noisy.shape[2] / noisy.shape[1])) ** 2
    kept = np.where(values > edge, 1.0 - 1.0 / np.maximum(values, 1.0), 0.0)
    kept = kept.astype(noisy.dtype)
    deviations = (vectors * kept[:, None, :]) @ vectors.transpose(0, 2, 1) @ deviations
    # The noise that is left is that of the mean and of the axes that are kept.
    return means + noise_std * deviations, 1.0 / (1.0 + kept.sum(axis=1))


def by_pilot(
    noisy: np.ndarray, pilot: np.ndarray, noise_variances: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Filter groups of noisy patches by the Gaussians of their pilots (Wiener filters)."""
    means = pilot.mean(axis=1, keepdims=True)
    pilot, ones = pilot - means, np.ones(len(noisy), dtype=noisy.dtype)
    pilot /= np.sqrt(max(pilot.shape[1] - 1, 1)).astype(noisy.dtype)
    deviations = noisy - means
    if noise_variances.ndim == 2:
        return noisy - _taken(pilot, deviations, noise_variances), ones
    of_patches = noise_variances.mean(axis=2)
    even = of_patches.max(axis=1) <= EVEN * of_patches.min(axis=1)
    taken = np.empty_like(noisy)
    of_groups = noise_variances[even].mean(axis=1)
    taken[even] = _taken(pilot[even], deviations[even], of_groups)
    # Patches of different noise share the axes of their Gaussian.
    some = pilot[~even]
    values, vectors = np.linalg.eigh(some.transpose(0, 2, 1) @ some)
    own = of_patches[~even][:, :, None]
    tiny = np.finfo(noisy.dtype).tiny
    shares = own / np.maximum(np.maximum(values[:, None, :], 0.0) + own, tiny)
    taken[~even] = ((deviations[~even] @ vectors) * shares) @ vectors.transpose(0, 2, 1)
    return noisy - taken, ones


def _taken(factors: np.ndarray, deviations: np.ndarray, noise_variances: np.ndarray) -> np.ndarray:
    """What Wiener filters take away, by noise variances (n or 1, n_features or 1) of groups.

    Factors (n, n_similar, n_features) make the covariances, factors.T @ factors: equations are
    solved in as many unknowns as there are patches (the identity of Woodbury).
    """
    traces = np.einsum("nij,nij->n", factors, factors)[:, None]
    least = np.finfo(factors.dtype).eps * traces + np.finfo(factors.dtype).tiny
    variances = np.maximum(noise_variances, least)[:, None, :]
    weighted = factors / variances
    products, diagonal = weighted @ factors.transpose(0, 2, 1), np.arange(factors.shape[1])
    products[:, diagonal, diagonal] += 1.0
    shares = np.linalg.solve(products, weighted @ deviations.transpose(0, 2, 1))
    left = deviations - shares.transpose(0, 2, 1) @ factors
    return (noise_variances[:, None, :] / variances) * left
