"""What a mixture knows of the missing cells (NaN) of rows: expectations, errors, draws."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._em import exp_log_prob, visit_rows
from ._families import FullGaussian, GaussianFamily, GaussianParams
from ._families._incomplete import ConditionalForm
from ._sources import ArraySource, Chunk, Scratch


def impute(
    source: ArraySource, family: GaussianFamily, params: GaussianParams, *, return_std: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return rows with missing cells filled by their expectation, and its standard deviations."""
    filled = source.X.copy()
    std = np.zeros_like(filled) if return_std else None

    def visit(form: Any, chunk: Chunk, scratch: Scratch) -> None:
        missing = np.isnan(chunk.X)
        if not missing.any():
            return
        features, resp = _responsibilities(form, chunk, scratch)
        mean, variance = form.posterior(features, resp, with_variance=return_std)
        np.copyto(filled[chunk.rows], family.frame.leave(mean), where=missing, casting="same_kind")
        if std is not None:
            deviation = np.sqrt(variance).T * family.frame.scale
            np.copyto(std[chunk.rows], deviation, where=missing, casting="same_kind")

    visit_rows(source, family, params, visit)
    return filled, std


def sample_missing(
    source: ArraySource,
    family: GaussianFamily,
    params: GaussianParams,
    n_draws: int,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Return draws (n_draws, n_samples, n_features) of the rows given their observed cells.

    The source must visit its rows in order, for the same random numbers every time.
    """
    draws = np.repeat(source.X[None], n_draws, axis=0)

    def visit(form: Any, chunk: Chunk, scratch: Scratch) -> None:
        missing = np.isnan(chunk.X)
        if not missing.any():
            return
        _, resp = _responsibilities(form, chunk, scratch)
        z = np.empty(chunk.X.T.shape)
        family.frame.enter(chunk.X, out=z)
        edges = np.cumsum(resp, axis=0, dtype=np.float64)
        for draw in draws[:, chunk.rows]:
            levels = rng.random_sample(len(draw)) * edges[-1]
            labels = (levels >= edges[:-1]).sum(axis=0)
            for k in np.unique(labels).tolist():
                rows = np.flatnonzero(labels == k)
                drawn = family.frame.leave(form.draw(k, z[:, rows], rng))
                draw[rows] = np.where(missing[rows], drawn, draw[rows])

    visit_rows(source, family, params, visit)
    return draws


def _responsibilities(form: Any, chunk: Chunk, scratch: Scratch) -> tuple[Any, np.ndarray]:
    features = form.features(chunk.X, scratch)
    resp, norm, _ = exp_log_prob(form, features, len(chunk.X), scratch)
    np.divide(resp, norm, out=resp)
    return features, resp


def denoise(
    source: ArraySource,
    family: FullGaussian,
    params: GaussianParams,
    noise_variance: np.ndarray,
    *,
    with_variance: bool,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return posterior means and variances of rows whose noise has the given variances.

    `noise_variance` (1 or n_samples, n_features) is in squared units of the rows.
    """
    means = np.empty_like(source.X)
    variances = np.empty_like(means) if with_variance else None
    form = ConditionalForm.prepared(family, params)

    def visit(chunk: Chunk, scratch: Scratch) -> None:
        for piece in chunk.pieces(form.bytes_per_row, form.min_chunk_rows):
            noise = noise_variance if len(noise_variance) == 1 else noise_variance[piece.rows]
            features = form.features(piece.X, scratch, noise)
            resp, norm, _ = exp_log_prob(form, features, len(piece.X), scratch)
            np.divide(resp, norm, out=resp)
            mean, variance = form.posterior(features, resp, with_variance=with_variance)
            means[piece.rows] = family.frame.leave(mean)
            if variances is not None:
                variances[piece.rows] = variance.T * family.frame.scale**2

    source.for_each(visit, form.bytes_per_row)
    exact = np.broadcast_to(noise_variance == 0.0, means.shape) & ~np.isnan(source.X)
    np.copyto(means, source.X, where=exact)
    return means, variances
