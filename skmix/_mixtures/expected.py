"""How likely the observed cells of a row are, beside what a mixture expects of these cells."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import entr, gammaln, xlogy

from .._engine import em
from .._rows.sources import ArraySource
from .._rows.threads import one_blas_thread

if TYPE_CHECKING:
    from .mixed import MixedMixture

# Entropies of rates above are a series in 1 / rate; of others, sums over so many counts.
LARGE_RATE, COUNTS = 50.0, 200


def excess_log_prob(mixture: MixedMixture, rows: np.ndarray) -> np.ndarray:
    r"""Return log densities of encoded rows less what is expected of their observed cells (nats).

    That is :math:`\log p(x_o) - \sum_k \pi_k E_k[\log p_k(x_o)]`, 0 for a row without any.
    """
    log_prob = mixture._score_rows(em.score_samples, rows).astype(np.float64)
    observed = ~np.isnan(rows)
    packed = np.packbits(observed, axis=1)
    keys = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, pattern = np.unique(keys, return_index=True, return_inverse=True)
    expected = expected_log_prob(mixture, observed[first])[pattern.ravel()]
    return np.where(observed.any(axis=1), log_prob - expected, 0.0)


@one_blas_thread()
def expected_log_prob(mixture: MixedMixture, observed: np.ndarray) -> np.ndarray:
    """Return the mean log density of some cells of rows of each component, averaged by weight.

    Parameters
    ----------
    mixture : MixedMixture
        A fitted mixture.

    observed : ndarray of bool of shape (n_patterns, n_features)
        Which cells.

    Returns
    -------
    expected : ndarray of shape (n_patterns,)
        Minus the entropies of the components' marginals, averaged (nats).
    """
    weights = np.asarray(mixture.weights_, dtype=np.float64)
    expected = _of_numbers(mixture, observed[:, mixture._places("gaussian")])
    counts = observed[:, mixture._places("poisson")].astype(np.float64)
    expected -= counts @ (weights @ poisson_entropy(np.asarray(mixture.rates_, np.float64)))
    for j, table in zip(mixture._places("categorical"), mixture.probabilities_, strict=True):
        entropy = weights @ entr(np.asarray(table, np.float64)).sum(axis=1)
        expected -= observed[:, j] * entropy
    return expected


def _of_numbers(mixture: MixedMixture, observed: np.ndarray) -> np.ndarray:
    """Return the part of the numbers.

    The quadratic form of d cells of a normal distribution is 0 at the mean, and d on average.
    """
    expected = np.zeros(len(observed))
    if observed.shape[1] == 0:
        return expected
    family, params = mixture._numbers(mixture._learned_of_numbers())._fitted_family()
    for k in np.flatnonzero(params.weights > 0).tolist():
        own = family.take(params, np.array([k]))
        at_mean = np.where(observed, np.asarray(mixture.means_[k], np.float64), np.nan)
        with ArraySource(at_mean, incomplete=not observed.all()) as source:
            peak = em.score_samples(source, family, own)
        expected += params.weights[k] * (peak - observed.sum(axis=1) / 2.0)
    return expected


def poisson_entropy(rates: np.ndarray) -> np.ndarray:
    """Return the entropies of Poisson distributions (nats)."""
    small = np.minimum(rates, LARGE_RATE)[..., None]
    counts = np.arange(COUNTS)
    with np.errstate(under="ignore"):
        chances = np.exp(xlogy(counts, small) - small - gammaln(counts + 1.0))
    summed = entr(chances).sum(axis=-1)
    # R. J. Evans et al., "The entropy of a Poisson distribution", SIAM Review 30(2), 1988.
    large = np.maximum(rates, LARGE_RATE)
    series = (
        0.5 * np.log(2.0 * math.pi * math.e * large)
        - ((19.0 / (360.0 * large) + 1.0 / 24.0) / large + 1.0 / 12.0) / large
    )
    return np.where(rates > LARGE_RATE, series, summed)
