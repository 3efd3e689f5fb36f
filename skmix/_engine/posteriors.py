"""What a mixture knows of the missing cells (NaN) of rows: expectations, errors, draws, slopes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._families import GaussianFamily, GaussianParams
from .._rows.sources import ArraySource, Chunk, Scratch
from .em import exp_log_prob, visit_rows

# Numbers that are drawn at once, where rows are drawn many times.
DRAWN_VALUES = 2**18


def impute(
    source: ArraySource,
    family: GaussianFamily,
    params: GaussianParams,
    *,
    return_std: bool,
    resp: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return rows with missing cells filled by their expectation, and its standard deviations.

    `resp` (n_samples, n_components) are responsibilities that more than these columns tell of.
    """
    filled = source.X.copy()
    std = np.zeros_like(filled) if return_std else None

    def visit(form: Any, chunk: Chunk, scratch: Scratch) -> None:
        missing = np.isnan(chunk.X)
        if not missing.any():
            return
        if resp is None:
            form, features, own = responsibilities(form, chunk, scratch)
        else:
            features, own = form.features(chunk.X, scratch), resp[chunk.rows].T.copy()
        mean, variance = form.posterior(features, own, with_variance=return_std)
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
    labels: np.ndarray | None = None,
) -> np.ndarray:
    """Return draws (n_draws, n_samples, n_features) of the rows given their observed cells.

    The source must visit its rows in order, for the same random numbers every time. `labels`
    (n_draws, n_samples) are components that were drawn already.
    """
    draws = np.repeat(source.X[None], n_draws, axis=0)

    def visit(form: Any, chunk: Chunk, scratch: Scratch) -> None:
        missing = np.isnan(chunk.X)
        if not missing.any():
            return
        resp = None
        if labels is None:
            form, _, resp = responsibilities(form, chunk, scratch)
        z = np.empty(chunk.X.T.shape)
        family.frame.enter(chunk.X, out=z)
        together = max(1, DRAWN_VALUES // z.size)
        for first in range(0, n_draws, together):
            some = draws[first : first + together, chunk.rows]
            if labels is None:
                own = draw_labels(resp, len(some), rng)
            else:
                own = labels[first : first + together, chunk.rows]
            for k in np.unique(own).tolist():
                places = np.nonzero(own == k)
                rows = places[1]
                drawn = family.frame.leave(form.draw(k, z[:, rows], rng))
                some[places] = np.where(missing[rows], drawn, some[places])

    visit_rows(source, family, params, visit)
    return draws


def score_gradient(
    source: ArraySource, family: GaussianFamily, params: GaussianParams
) -> np.ndarray:
    """Return the gradient of the log density at every row, 0 where cells are missing."""
    gradients = np.empty((source.n_samples, source.n_features), dtype=source.dtype)

    def visit(form: Any, chunk: Chunk, scratch: Scratch) -> None:
        form, features, resp = responsibilities(form, chunk, scratch)
        gradient = form.score_gradient(chunk.X, features, resp).T / family.frame.scale
        with np.errstate(over="ignore"):  # float32 may not hold it
            np.copyto(gradients[chunk.rows], gradient, casting="same_kind")

    visit_rows(source, family, params, visit)
    return gradients


def draw_labels(resp: Any, n_draws: int, rng: np.random.RandomState) -> np.ndarray:
    """Draw components (n_draws, n_rows) by their responsibilities (n_components, n_rows)."""
    edges = np.cumsum(resp, axis=0, dtype=np.float64)
    levels = rng.random_sample((n_draws, edges.shape[1])) * edges[-1]
    return np.sum(levels >= edges[:-1, None], axis=0)


def responsibilities(form: Any, chunk: Chunk, scratch: Scratch, features: Any = None) -> Any:
    """Return the form that suits the rows, their features and their responsibilities."""
    form, features, resp, norm, _ = exp_log_prob(form, chunk.X, scratch, features)
    return form, features, np.divide(resp, norm, out=resp)
