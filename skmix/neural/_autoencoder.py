"""Bounds and likelihoods of an autoencoder, in numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, logsumexp, ndtri
from scipy.stats.qmc import Sobol

from .._rows.sources import ArraySource
from ._networks import Network, Units

# Log variances of latents are cut to this range: far rows must not overflow.
LOG_VARIANCE = 30.0
LOG_2PI = float(np.log(2.0 * np.pi))


class Autoencoder(NamedTuple):
    """Parameters of an autoencoder; it computes in its own units and the type of its rows."""

    encoder: Network
    decoder: Network
    noise_variance: np.ndarray | None  # (n_features,), in its own units; None for Bernoulli
    units: Units

    @property
    def n_latent(self) -> int:
        """Number of latent variables."""
        return self.decoder.sizes[0]

    def astype(self, dtype: Any) -> Autoencoder:
        """Return networks that compute in another type."""
        variance = self.noise_variance
        return self._replace(
            encoder=self.encoder.astype(dtype),
            decoder=self.decoder.astype(dtype),
            noise_variance=None if variance is None else variance.astype(dtype, copy=False),
        )

    def posterior(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return means and log variances of the latents of rows, (n_samples, n_latent) each."""
        outputs = self.encoder(rows)
        means, log_variances = outputs[:, : self.n_latent], outputs[:, self.n_latent :]
        return means, np.clip(log_variances, -LOG_VARIANCE, LOG_VARIANCE)

    def means(self, outputs: np.ndarray) -> np.ndarray:
        """Return the means of cells, of what the decoder puts out."""
        return expit(outputs) if self.noise_variance is None else outputs

    def log_likelihood(self, rows: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """Return the log density of each row given its latents, (n_samples,)."""
        if self.noise_variance is not None:
            squares = (rows - outputs) ** 2 @ (1.0 / self.noise_variance)
            return -0.5 * (squares + self._log_determinant(rows.dtype))
        # x l - log(1 + e^l); the logarithm is that of a number between 1 and 2.
        terms = np.abs(outputs)
        np.negative(terms, out=terms)
        np.exp(terms, out=terms)
        terms += 1.0
        np.log(terms, out=terms)
        terms += np.maximum(outputs, 0.0)
        return np.einsum("ij,ij->i", rows, outputs) - terms.sum(axis=1)

    def _log_determinant(self, dtype: Any) -> Any:
        """Return the log determinant of 2 pi times the covariance of the noise, in data units."""
        scale = np.where(self.units.scale > 0, self.units.scale, 1.0)
        noise = np.asarray(self.noise_variance, dtype=np.float64)
        return np.asarray(np.sum(LOG_2PI + np.log(noise * scale**2)), dtype=dtype)[()]


def latent_draws(n_draws: int, n_latent: int, random_state: np.random.RandomState) -> np.ndarray:
    """Return standard normal draws, (n_draws, n_latent), spread evenly (scrambled Sobol points).

    Each is standard normal by itself, so that bounds stay bounds. Rows share them and with them
    their error, which does not average out over rows: even draws have a smaller one.
    """
    rng = np.random.default_rng(random_state.randint(2**31 - 1))
    points = Sobol(n_latent, rng=rng).random_base2(max(0, n_draws - 1).bit_length())[:n_draws]
    # Points are multiples of 2^-30 from 0 on; none may be 0, which would be infinite.
    return ndtri(points + 2.0**-31)


def log_weights(model: Autoencoder, rows: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return log p(x, z) - log q(z | x) of draws from q, (n_samples, n_draws).

    `noise` has the standard normal numbers of every draw, (n_draws, n_latent): the same for all
    rows.
    """
    means, log_variances = model.posterior(rows)
    std = np.exp(0.5 * log_variances)
    weights = np.empty((len(rows), len(noise)), dtype=rows.dtype)
    for draw, standard in enumerate(noise):
        latents = means + std * standard
        weights[:, draw] = model.log_likelihood(rows, model.decoder(latents))
        weights[:, draw] -= 0.5 * np.einsum("ij,ij->i", latents, latents)
        weights[:, draw] += 0.5 * (standard @ standard)
    weights += 0.5 * log_variances.sum(axis=1, keepdims=True)
    return weights


def importance_bound(model: Autoencoder, rows: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return the importance-weighted bound of every row, (n_samples,)."""
    return logsumexp(log_weights(model, rows, noise), axis=1) - np.log(len(noise)).astype(
        rows.dtype
    )


def evidence_bound(model: Autoencoder, rows: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return the evidence lower bound of every row, (n_samples,); the divergence is exact."""
    means, log_variances = model.posterior(rows)
    std = np.exp(0.5 * log_variances)
    total = np.zeros(len(rows), dtype=np.float64)
    for standard in noise:
        total += model.log_likelihood(rows, model.decoder(means + std * standard))
    divergence = 0.5 * np.sum(means**2 + std**2 - log_variances - 1.0, axis=1)
    return (total / len(noise) - divergence).astype(rows.dtype)


def by_chunks(
    function: Callable[[np.ndarray], np.ndarray], X: np.ndarray, n_units: int, n_outputs: int = 0
) -> np.ndarray:
    """Apply a function to chunks of rows, on several threads, in bounded memory.

    Parameters
    ----------
    function : callable
        From a chunk of rows to their results, (n_chunk,) or (n_chunk, n_outputs).
    X : ndarray of shape (n_samples, n_features)
        The rows.
    n_units : int
        Numbers that `function` needs for each row.
    n_outputs : int, default=0
        Columns of the results; 0 stands for one number per row.
    """
    shape = (len(X), n_outputs) if n_outputs else (len(X),)
    results = np.empty(shape, dtype=X.dtype)

    def visit(chunk, scratch):
        results[chunk.rows] = function(chunk.X)

    with ArraySource(X) as source:
        source.for_each(visit, n_units * X.itemsize)
    return results
