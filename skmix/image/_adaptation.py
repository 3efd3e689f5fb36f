"""A prior for patches, adapted to the image at hand."""

from __future__ import annotations

import numpy as np

from ._patch_mixture import ForEach, Gates, PatchMixture, by_component

# Luo, Chan and Nguyen: EM steps, and the noise that is left in a restored image.
N_STEPS = 3
NOISE_LEFT = 0.25
# What the prior counts for, in patches of each component.
PSEUDO_OBSERVATIONS = 20.0
# Responsibilities below this are left out.
NEGLIGIBLE = 1e-2


def adapted(
    prior: PatchMixture, rows: np.ndarray, noise_std: float, for_each: ForEach
) -> PatchMixture:
    """Return the mixture after some EM steps on restored patches (n, n_features).

    `noise_std` is that of the noisy patches. Means and covariances are held to those of the prior
    by pseudo-observations.
    """
    mixture, candidates = prior, None
    for _ in range(N_STEPS):
        gates = Gates(mixture, NOISE_LEFT * noise_std, for_each)
        if candidates is None:
            candidates = gates.candidates(rows)
        mixture = _em_step(prior, gates, rows, candidates)
    return mixture


def _em_step(
    prior: PatchMixture, gates: Gates, rows: np.ndarray, candidates: np.ndarray
) -> PatchMixture:
    log_joint = gates.log_joint(rows, candidates)
    resp = np.exp(log_joint - log_joint.max(axis=1, keepdims=True))
    resp /= resp.sum(axis=1, keepdims=True)
    entries = np.flatnonzero(resp > NEGLIGIBLE)
    labels, resp = candidates.ravel()[entries], resp.ravel()[entries]
    owners = entries // candidates.shape[1]
    counts = np.zeros(len(prior.weights))
    means, covariances = prior.means.copy(), prior.covariances.copy()

    def update(of_component: tuple[int, np.ndarray]) -> None:
        k, chosen = of_component
        weight = resp[chosen, None]
        clean = gates.filtered(rows[owners[chosen]], k)
        n = float(weight.sum(dtype=np.float64))
        total = n + PSEUDO_OBSERVATIONS
        mean = (np.sum(weight * clean, axis=0) + PSEUDO_OBSERVATIONS * prior.means[k]) / total
        clean -= mean.astype(clean.dtype)
        scatter = (clean * weight).T @ clean
        # What clean patches may differ by from their expectation.
        vectors = gates.vectors[k]
        spread = gates.noise_variance * (vectors * (1.0 - gates.taken[k])) @ vectors.T
        drift = prior.means[k] - mean
        held = PSEUDO_OBSERVATIONS * (prior.covariances[k] + np.outer(drift, drift))
        covariances[k] = (scatter + n * spread + held) / total
        means[k], counts[k] = mean, n

    gates.for_each(update, by_component(labels, len(prior.weights)))
    weights = counts + prior.weights
    return PatchMixture(weights / weights.sum(), means, covariances)
