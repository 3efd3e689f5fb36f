"""Rows restored by one linear filter per component: Wiener filters, blended."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from .._engine.em import exp_log_prob, log_terms
from .._engine.posteriors import responsibilities
from .._families import FullGaussian, GaussianParams
from .._families.incomplete import ConditionalForm
from .._linalg.conditioner import Conditioned
from .._rows.sources import ArraySource, Chunk, Scratch

# Components that a row has less of than this, beside its most probable one, are left out.
NEGLIGIBLE = 1e-10


def denoise(
    source: ArraySource,
    family: FullGaussian,
    params: GaussianParams,
    noise_variance: np.ndarray,
    *,
    with_variance: bool,
    negligible: float = NEGLIGIBLE,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return posterior means and variances of rows whose noise has the given variances.

    `noise_variance` (1 or n_samples, n_features) is in squared units of the rows. Where all rows
    have the same noise, components of which a row has less than `negligible` are left out.
    """
    X = source.X
    params = params._replace(covariances=family.covariances(params))
    means = np.empty_like(X)
    variances = np.empty_like(means) if with_variance else None
    one_noise = len(noise_variance) == 1
    conditional = ConditionalForm.prepared(family, params)
    filters = WienerFilters(family, params, noise_variance[0])
    forms = filters.family.forms_for_scoring(filters.noisy, source.dtype)
    if one_noise and not np.isnan(X.min()):
        forms(X)  # the threads would all make it at once

    def visit(chunk: Chunk, scratch: Scratch) -> None:
        form: Any = forms(chunk.X) if one_noise else conditional
        if one_noise and not form.incomplete:
            z, resp = _all_responsibilities(form, chunk, scratch, negligible)
            _write(chunk.rows, *filters.posterior(z, resp, with_variance))
            return
        for piece in chunk.pieces(form.bytes_per_row, form.min_chunk_rows):
            if one_noise:
                _, features, resp = responsibilities(form, piece, scratch)
                mean, variance = filters.posterior_given(features, resp, with_variance)
            else:
                features = form.features(piece.X, scratch, noise_variance[piece.rows])
                resp = responsibilities(form, piece, scratch, features)[2]
                mean, variance = form.posterior(features, resp, with_variance=with_variance)
            _write(piece.rows, mean, variance)

    def _write(rows: slice, mean: np.ndarray, variance: np.ndarray | None) -> None:
        means[rows] = family.frame.leave(mean)
        if variances is not None:
            assert variance is not None
            variances[rows] = variance.T * family.frame.scale**2

    # A filter is worth its overhead for many rows of a component at a time.
    source.for_each(visit, filters.bytes_per_row(source))
    exact = np.broadcast_to(noise_variance == 0.0, means.shape) & ~np.isnan(X)
    np.copyto(means, X, where=exact)
    return means, variances


def denoise_by_best(
    source: ArraySource, family: FullGaussian, params: GaussianParams, noise_variance: np.ndarray
) -> np.ndarray:
    """Restore every row by the filter of its most probable component alone.

    Rows are complete; `noise_variance` (n_features,) is that of all.
    """
    params = params._replace(covariances=family.covariances(params))
    filters = WienerFilters(family, params, noise_variance)
    form: Any = filters.family.forms_for_scoring(filters.noisy, source.dtype)(source.X)
    means = np.empty_like(source.X)

    def visit(chunk: Chunk, scratch: Scratch) -> None:
        z = np.empty(chunk.X.T.shape, dtype=form.dtype)
        labels = np.empty(len(chunk.X), dtype=np.int64)
        for piece, rows in _pieces(form, chunk):
            _, features, joint, _ = log_terms(form, piece.X, scratch)
            np.argmax(joint, axis=0, out=labels[rows])
            z[:, rows] = features[1 : 1 + len(z)]
        means[chunk.rows] = family.frame.leave(filters.of_component(z, labels))

    source.for_each(visit, filters.bytes_per_row(source))
    return means


def _all_responsibilities(form: Any, chunk: Chunk, scratch: Scratch, negligible: float):
    """Return coordinates and responsibilities of a chunk, worked out piece by piece."""
    z = np.empty(chunk.X.T.shape, dtype=form.dtype)
    all_resp = np.empty((form.n_components, len(chunk.X)), dtype=form.dtype)
    for piece, rows in _pieces(form, chunk):
        _, features, resp, _, _ = exp_log_prob(form, piece.X, scratch)
        resp[resp < negligible] = 0.0  # the largest is 1
        resp /= resp.sum(axis=0)
        z[:, rows] = features[1 : 1 + len(z)]
        all_resp[:, rows] = resp
    return z, all_resp


def _pieces(form: Any, chunk: Chunk) -> Iterator[tuple[Chunk, slice]]:
    """Cut a chunk for a form; yield pieces and their rows in the chunk."""
    for piece in chunk.pieces(form.bytes_per_row, form.min_chunk_rows):
        yield piece, slice(piece.rows.start - chunk.rows.start, piece.rows.stop - chunk.rows.start)


class WienerFilters:
    """One linear filter per component, for rows that all have the same noise."""

    def __init__(self, family: FullGaussian, params: GaussianParams, noise_variance: np.ndarray):
        self.family = type(family)(family.frame, noise_variance=noise_variance)
        self.noisy = self.family.with_noise(params)
        self.means = params.means
        shape = (-1, *params.precisions_cholesky.shape[-2:])
        gain, spread = self.family.gain(params)
        self.gain = gain.reshape(shape)
        # What a filter adds to a row is small where noise is: summed up, it keeps its digits.
        self.corrections = self.gain - np.eye(gain.shape[-1])
        self.spread = np.diagonal(spread, axis1=-2, axis2=-1).reshape(-1, shape[-1])

    def bytes_per_row(self, source: ArraySource) -> int:
        """Memory per row of a chunk, without features: filters are worth long chunks."""
        return (len(self.means) + 4 * self.means.shape[1]) * source.dtype.itemsize

    def of_component(self, z: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return the mean of clean rows, given noisy ones z (n_features, n) and components."""
        order = np.argsort(labels, kind="stable")
        rows = z.T[order]
        edges = np.searchsorted(labels[order], np.arange(len(self.means) + 1)).tolist()
        dtype = z.dtype
        corrections, means = self.corrections.astype(dtype), self.means.astype(dtype)
        for k, (start, stop) in enumerate(pairwise(edges)):
            if start < stop:
                own = rows[start:stop]
                own += (own - means[k]) @ corrections[min(k, len(corrections) - 1)].T
        restored = np.empty_like(rows)
        restored[order] = rows
        return restored.T

    def posterior(self, z: np.ndarray, resp: np.ndarray, with_variance: bool):
        """Return means and variances of clean rows, given noisy ones z (n_features, n)."""
        rows_of_z = np.ascontiguousarray(z.T)  # rows are gathered faster than columns
        change = np.zeros_like(rows_of_z)
        square = np.zeros_like(rows_of_z) if with_variance else None
        for k, weights in enumerate(resp):
            rows = np.flatnonzero(weights)
            if len(rows) == 0:
                continue
            c = min(k, len(self.corrections) - 1)
            correction = self.corrections[c].T.astype(z.dtype)
            of_component = rows_of_z[rows] @ correction
            of_component -= self.means[k].astype(z.dtype) @ correction
            weight = weights[rows, None]
            if square is not None:
                square[rows] += weight * (self.spread[c].astype(z.dtype) + of_component**2)
            of_component *= weight
            change[rows] += of_component
        if square is not None:
            square = np.maximum(square - change**2, 0.0).T
        change += rows_of_z
        return change.T, square

    def posterior_given(self, features: Conditioned, resp: np.ndarray, with_variance: bool):
        """The same for incomplete rows: expected noisy rows are filtered as if they were seen.

        `features` are those of the rows with their noise. What the missing cells of a noisy row
        may be adds its filtered covariance to that of the clean row.
        """
        rows = features.rows
        resp = resp[:, rows.order]
        mean = np.zeros(rows.z.shape)
        square = np.zeros(rows.z.shape) if with_variance else None
        for k, weights in enumerate(resp):
            columns = np.flatnonzero(weights > NEGLIGIBLE)
            if len(columns) == 0:
                continue
            c = min(k, len(self.gain) - 1)
            clean = features.deviation(k, columns)
            clean += self.corrections[c] @ clean
            clean += self.means[k][:, None]
            mean[:, columns] += weights[columns] * clean
            if square is not None:
                spread = features.conditioner.variances(rows, k, columns, self.gain[c])
                spread += self.spread[c][:, None]
                square[:, columns] += weights[columns] * (spread + clean**2)
        back = np.argsort(rows.order)
        if square is None:
            return mean[:, back], None
        return mean[:, back], np.maximum(square - mean**2, 0.0)[:, back]
