"""What a mixture knows of the missing cells (NaN) of rows: expectations, errors, draws."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._families import GaussianFamily, GaussianParams
from .._rows.sources import ArraySource, Chunk, Scratch
from .em import exp_log_prob, visit_rows

# Numbers that are drawn at once, where rows are drawn many times.
DRAWN_VALUES = 2**18


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
        form, features, resp = responsibilities(form, chunk, scratch)
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
        form, _, resp = responsibilities(form, chunk, scratch)
        z = np.empty(chunk.X.T.shape)
        family.frame.enter(chunk.X, out=z)
        edges = np.cumsum(resp, axis=0, dtype=np.float64)
        together = max(1, DRAWN_VALUES // z.size)
        for first in range(0, n_draws, together):
            some = draws[first : first + together, chunk.rows]
            levels = rng.random_sample(some.shape[:2]) * edges[-1]
            labels = np.sum(levels >= edges[:-1, None], axis=0)
            for k in np.unique(labels).tolist():
                places = np.nonzero(labels == k)
                rows = places[1]
                drawn = family.frame.leave(form.draw(k, z[:, rows], rng))
                some[places] = np.where(missing[rows], drawn, some[places])

    visit_rows(source, family, params, visit)
    return draws


def responsibilities(form: Any, chunk: Chunk, scratch: Scratch, features: Any = None) -> Any:
    """Return the form that suits the rows, their features and their responsibilities."""
    form, features, resp, norm, _ = exp_log_prob(form, chunk.X, scratch, features)
    return form, features, np.divide(resp, norm, out=resp)
