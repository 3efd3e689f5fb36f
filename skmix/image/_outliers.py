"""Pixels that a prior finds impossible, given those around them: hot or dead ones."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import median_filter, rank_filter

from .._rows.threads import worker_threads
from ._fast_filling import chosen_places, fill, interpolated, n_steps_of_filling
from ._noise_levels import NoiseStd, rms
from ._patch_mixture import Gates, PatchMixture, by_component
from ._patches import window_sums
from ._visitor import Average, Corners, PatchVisitor

# A pixel is suspect that is among the three highest or lowest of its neighbourhood, so many
# standard deviations away from the median there; it is rejected so many away from what the prior
# predicts.
SUSPECT = 4.0
REJECTED = 6.0
RANK = 3
# The side of the neighbourhood, in pixels.
NEIGHBOURHOOD = 5
# What the prior itself errs by, in standard deviations of patches.
LEAST_ERROR = 0.05
# In the second round most suspects are known again.
N_ROUNDS = 2


def outliers(
    image: np.ndarray, prior: PatchMixture, noise_std: NoiseStd, visitor: PatchVisitor
) -> np.ndarray:
    """Return where an image (n_rows, n_columns, n_channels) is impossible, an array of booleans.

    Suspects stand out from their neighbourhood; they are filled in. The components that suit what
    is there then predict each suspect from the other pixels of its patches. It is an outlier if it
    is too far away from that.
    """
    known = ~np.isnan(image)
    noise = np.hypot(noise_std, LEAST_ERROR * prior.typical_std)
    rejected = known & _stands_out(image, known, noise)
    for _ in range(N_ROUNDS):
        if not rejected.any():
            break
        if not (known & ~rejected).any(axis=(0, 1)).all():
            return np.zeros_like(known)  # nothing is left that could say anything
        visitor.progress.expect(n_steps_of_filling(image.shape, visitor))
        visitor.progress.expect(visitor.n_steps(image.shape))
        without = fill(np.where(rejected, np.nan, image), prior, noise_std, visitor)
        found = _predicted(without, rejected, prior, rms(noise), visitor)
        assert found.variance is not None
        error = np.sqrt(np.maximum(found.variance, 0.0) + noise**2)
        rejected &= np.abs(image - found.mean) > REJECTED * error
    return rejected


def _stands_out(image: np.ndarray, known: np.ndarray, noise: NoiseStd) -> np.ndarray:
    complete, side = interpolated(image, known), (NEIGHBOURHOOD, NEIGHBOURHOOD, 1)
    highest = complete >= rank_filter(complete, -RANK, side, mode="reflect")
    lowest = complete <= rank_filter(complete, RANK - 1, side, mode="reflect")
    distance = np.abs(complete - median_filter(complete, side, mode="reflect"))
    return (highest | lowest) & (distance > SUSPECT * noise)


def _predicted(
    image: np.ndarray,
    suspects: np.ndarray,
    prior: PatchMixture,
    noise_std: float,
    visitor: PatchVisitor,
) -> Average:
    """Predict pixels from all others of their patches, in patches with suspects.

    A Gaussian predicts each by its precision matrix; variances are without the pixel's own noise.
    """
    n_channels = image.shape[2]
    n_features = prior.means.shape[1]
    constant = np.tile(np.eye(n_channels), (n_features // n_channels, 1))

    def precision_of(k: int) -> np.ndarray:
        noisy = prior.covariances[k] + noise_std**2 * np.eye(n_features)
        precision = np.linalg.inv(noisy)
        if visitor.remove_mean:  # nothing is known of the mean of a patch
            with_mean = precision @ constant
            precision -= with_mean @ np.linalg.solve(constant.T @ with_mean, with_mean.T)
        return precision

    with worker_threads() as for_each:
        gates = Gates(prior, noise_std, for_each)

        def predict(rows: np.ndarray, at: Corners) -> tuple[np.ndarray, np.ndarray]:
            means, variances = np.empty_like(rows), np.empty_like(rows)
            for k, places in by_component(gates.best(rows), len(prior.weights)):
                precision = precision_of(k)
                own = 1.0 / np.diagonal(precision)
                means[places] = rows[places] - (rows[places] - prior.means[k]) @ precision * own
                variances[places] = own - noise_std**2
            return means, variances

        chosen = chosen_places(np.any(window_sums(suspects, visitor.size), axis=2))
        return visitor.average(image, predict, choose=chosen)
