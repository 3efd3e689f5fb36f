"""Missing cells filled by an autoencoder, in numpy."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._autoencoder import Autoencoder, by_chunks

# Draws of the model among which a row looks for a start.
N_STARTS = 1000
# A proposal follows the gradient for so many steps, the first ones of this size.
N_LEAPS = 5
FIRST_STEP = 0.1


class Noise(NamedTuple):
    """Random numbers of all turns, the same for all rows: neither others nor chunks matter."""

    starts: np.ndarray  # (N_STARTS, n_latent)
    momenta: np.ndarray  # (n_iter, n_latent)
    log_uniform: np.ndarray  # (n_iter,)
    lengths: np.ndarray  # (n_iter,), of steps: equal ones may lead round in circles


def fill(model: Autoencoder, X: np.ndarray, n_iter: int, rng: np.random.RandomState) -> np.ndarray:
    """Return a copy of the rows in which missing cells have their mean given the others."""
    model = model.astype(X.dtype)
    noise = Noise(
        rng.standard_normal((N_STARTS, model.n_latent)).astype(X.dtype),
        rng.standard_normal((n_iter, model.n_latent)).astype(X.dtype),
        np.log(1.0 - rng.random_sample(n_iter)).astype(X.dtype),
        rng.uniform(0.5, 1.5, n_iter).astype(X.dtype),
    )

    def filled(chunk):
        missing = np.isnan(chunk)
        rows = np.where(missing, 0.0, model.units.forth(chunk)).astype(X.dtype)
        means = posterior_means(model, rows, (~missing).astype(X.dtype), noise)
        return np.where(missing, model.units.back(means), chunk)

    n_units = 8 * max(model.decoder.sizes) + 2 * N_STARTS
    return by_chunks(filled, X, n_units, X.shape[1])


def observed_log_likelihood(
    model: Autoencoder, rows: np.ndarray, observed: np.ndarray, outputs: np.ndarray
) -> np.ndarray:
    """Return the log density of observed cells for each output of the decoder, up to a constant.

    `observed` is 1 for observed cells and 0 for missing ones, which are 0 in `rows`. The result
    has shape (n_samples, n_outputs).
    """
    if model.noise_variance is None:
        return rows @ outputs.T - observed @ np.logaddexp(0.0, outputs).T
    scaled = outputs / model.noise_variance
    return rows @ scaled.T - 0.5 * (observed @ (outputs * scaled).T)


def log_posterior(
    model: Autoencoder, rows: np.ndarray, observed: np.ndarray, latents: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log p(observed cells, latents) up to a constant, its gradient, and means of cells."""
    layers = model.decoder.layers(latents)
    outputs = layers[-1]
    means = model.means(outputs)
    slopes = (rows - means) * observed
    if model.noise_variance is None:
        cells = rows * outputs - np.logaddexp(0.0, outputs) * observed
    else:
        cells = -0.5 * slopes**2 / model.noise_variance
        slopes /= model.noise_variance
    log_prob = cells.sum(axis=1) - 0.5 * np.einsum("ij,ij->i", latents, latents)
    return log_prob, model.decoder.gradient(layers, slopes) - latents, means


def posterior_means(
    model: Autoencoder, rows: np.ndarray, observed: np.ndarray, noise: Noise
) -> np.ndarray:
    """Draw latents given the observed cells by Hamiltonian Monte Carlo; return means of cells.

    Each row has a step of its own, which adapts in the first half of the turns; means are taken
    over the second half.
    """
    outputs = model.decoder(noise.starts)
    # Given no cell, all starts are as likely.
    best = observed_log_likelihood(model, rows, observed, outputs).argmax(axis=1)
    latents = noise.starts[best]
    scale = np.full((len(rows), 1), FIRST_STEP, dtype=rows.dtype)
    log_prob, gradient, means = log_posterior(model, rows, observed, latents)
    total: Any = np.zeros_like(rows)
    n_burn_in = len(noise.momenta) // 2
    for turn, (momentum, log_uniform, length) in enumerate(
        zip(noise.momenta, noise.log_uniform, noise.lengths, strict=True)
    ):
        step = scale * length
        moved, velocity, slope = latents, momentum + 0.5 * step * gradient, gradient
        for leap in range(N_LEAPS):
            moved = moved + step * velocity
            new_log_prob, slope, new_means = log_posterior(model, rows, observed, moved)
            velocity = velocity + (1.0 if leap < N_LEAPS - 1 else 0.5) * step * slope
        energy = 0.5 * (momentum @ momentum - np.einsum("ij,ij->i", velocity, velocity))
        accepted = (log_uniform < new_log_prob - log_prob + energy)[:, None]
        latents, gradient, means = (
            np.where(accepted, new, old)
            for new, old in ((moved, latents), (slope, gradient), (new_means, means))
        )
        log_prob = np.where(accepted[:, 0], new_log_prob, log_prob)
        if turn < n_burn_in:
            scale = scale * np.where(accepted, 1.05, 0.9).astype(rows.dtype)
        else:
            total += means
    return total / (len(noise.momenta) - n_burn_in)
