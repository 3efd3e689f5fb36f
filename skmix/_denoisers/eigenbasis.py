"""Rows with noise of their own, where all components share one shape: no factorisation per row.

In the eigenbasis of the shape, clean coordinates are independent in every component, and so are
noisy ones where the noise is the same for all features of a row, whatever it is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._families import GaussianParams
from .._families.gaussian_form import LOG_2PI, log_of_weights
from .._rows.sources import ArraySource, Chunk, Scratch

# How exactly, relative to the largest, covariances must be multiples of one another.
SAME_SHAPE = 1e-12
# Rounding of the eigenvalues, as a share of the smallest variance of any noisy coordinate.
MAX_ROUNDING = 1e-8


class SharedShape(NamedTuple):
    """Components with covariances that are multiples of one matrix."""

    log_weights: np.ndarray  # (n_components,)
    origin: np.ndarray  # (n_features,), of the eigenbasis, in units of the rows
    means: np.ndarray  # (n_components, n_features), in the eigenbasis
    variances: np.ndarray  # (n_components, n_features), in the eigenbasis
    vectors: np.ndarray  # (n_features, n_features), the basis in columns


def shared_shape(params: GaussianParams, noise_variance: np.ndarray) -> SharedShape | None:
    """Return the components in the eigenbasis of their shape.

    None where they have none, or where some noisy coordinate varies so little, beside the widest
    one, that rounding of the eigenvalues would show.
    """
    covariances = np.asarray(params.covariances)
    scales = np.trace(covariances, axis1=1, axis2=2)
    largest = int(np.argmax(scales))
    shape, ratios = covariances[largest], scales / scales[largest]
    gap = np.abs(covariances - ratios[:, None, None] * shape).max(axis=(1, 2))
    if np.any(gap > SAME_SHAPE * ratios * np.abs(shape).max()):
        return None
    values, vectors = np.linalg.eigh(shape)
    rounding = len(values) * np.finfo(np.float64).eps * values[-1]
    noise = noise_variance[noise_variance > 0.0]  # rows without any stay as they are
    if len(noise) == 0 or rounding > MAX_ROUNDING * (ratios.min() * values[0] + noise.min()):
        return None
    log_weights = log_of_weights(params.weights, np.float64)
    variances = ratios[:, None] * np.maximum(values, 0.0)
    origin = params.means[largest]
    return SharedShape(log_weights, origin, (params.means - origin) @ vectors, variances, vectors)


def denoise(
    source: ArraySource, shared: SharedShape, noise_variance: np.ndarray, *, with_variance: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return posterior means and variances of complete rows; `noise_variance` is (n_samples,)."""
    means = np.empty_like(source.X)
    variances = np.empty_like(means) if with_variance else None

    some_noise = noise_variance.max()

    def visit(chunk: Chunk, scratch: Scratch) -> None:
        exact = noise_variance[chunk.rows] == 0.0
        noise = np.where(exact, some_noise, noise_variance[chunk.rows])
        u = shared.vectors.T @ (chunk.X - shared.origin).T
        resp = _responsibilities(shared, u, noise)
        mean, within, between = np.zeros(u.shape), np.zeros(u.shape), np.zeros(u.shape)
        for k, variance in enumerate(shared.variances):
            gain = variance[:, None] / (variance[:, None] + noise)
            of_component = shared.means[k][:, None]
            of_component = of_component + gain * (u - of_component)
            mean += resp[k] * of_component
            if variances is not None:
                within += resp[k] * gain * noise
                between += resp[k] * (shared.vectors @ of_component) ** 2
        mean = shared.vectors @ mean
        means[chunk.rows] = np.where(exact[:, None], chunk.X, mean.T + shared.origin)
        if variances is not None:
            spread = shared.vectors**2 @ within + np.maximum(between - mean**2, 0.0)
            variances[chunk.rows] = np.where(exact, 0.0, spread).T

    source.for_each(visit, 8 * 8 * source.n_features)
    return means, variances


def _responsibilities(shared: SharedShape, u: np.ndarray, noise: np.ndarray) -> np.ndarray:
    log_prob = np.empty((len(shared.means), u.shape[1]))
    for k, variance in enumerate(shared.variances):
        noisy = variance[:, None] + noise
        squares = (u - shared.means[k][:, None]) ** 2
        log_prob[k] = (squares / noisy + np.log(noisy) + LOG_2PI).sum(axis=0)
    log_prob *= -0.5
    log_prob += shared.log_weights[:, None]
    log_prob -= log_prob.max(axis=0)
    resp = np.exp(np.maximum(log_prob, -700.0))
    return resp / resp.sum(axis=0)
