"""Missing cells filled by an autoencoder, in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import softmax

from ._autoencoder import Autoencoder, by_chunks

# Draws of the model among which a row looks for a start.
N_STARTS = 1000


def fill(model: Autoencoder, X: np.ndarray, n_iter: int, rng: np.random.RandomState) -> np.ndarray:
    """Return a copy of the rows in which missing cells have their mean given the others.

    The random numbers are the same for all rows, so that neither other rows nor chunks matter.
    """
    model = model.astype(X.dtype)
    starts = rng.standard_normal((N_STARTS, model.n_latent)).astype(X.dtype)
    outputs = model.decoder(starts)
    noise = rng.standard_normal((n_iter, model.n_latent)).astype(X.dtype)
    n_units = 6 * max(model.encoder.sizes) + 2 * N_STARTS

    def filled(chunk):
        missing = np.isnan(chunk)
        rows = np.where(missing, 0.0, model.units.forth(chunk)).astype(X.dtype)
        weights = softmax(observed_log_likelihood(model, rows, ~missing, outputs), axis=1)
        rows = np.where(missing, weights @ model.means(outputs), rows)
        means = pseudo_gibbs(model, rows, missing, noise)
        return np.where(missing, model.units.back(means), chunk)

    return by_chunks(filled, X, n_units, X.shape[1])


def observed_log_likelihood(
    model: Autoencoder, rows: np.ndarray, observed: np.ndarray, outputs: np.ndarray
) -> np.ndarray:
    """Return the log density of observed cells for each output of the decoder, up to a constant.

    Missing cells of `rows` are 0. The result has shape (n_samples, n_outputs).
    """
    observed = observed.astype(rows.dtype)
    if model.noise_variance is None:
        return rows @ outputs.T - observed @ np.logaddexp(0.0, outputs).T
    scaled = outputs / model.noise_variance
    return rows @ scaled.T - 0.5 * (observed @ (outputs * scaled).T)


def pseudo_gibbs(
    model: Autoencoder, rows: np.ndarray, missing: np.ndarray, noise: Any
) -> np.ndarray:
    """Draw latents and set missing cells in turns; return the cells' means over the last half."""
    total = np.zeros_like(rows)
    n_burn_in = len(noise) // 2
    for turn, standard in enumerate(noise):
        means, log_variances = model.posterior(rows)
        cells = model.means(model.decoder(means + np.exp(0.5 * log_variances) * standard))
        rows = np.where(missing, cells, rows)
        if turn >= n_burn_in:
            total += cells
    return total / (len(noise) - n_burn_in)
