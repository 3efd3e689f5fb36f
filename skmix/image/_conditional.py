"""Patches of which some pixels say more than others: missing ones, or ones with more noise."""

from __future__ import annotations

import numpy as np

from ._noise_levels import NoiseStd, rms, variances_of
from ._patch_mixture import ForEach, Gates, PatchMixture, by_component
from ._patch_posterior import MEAN_VARIANCE
from ._visitor import Corners, PatchVisitor, Restore

# Patches for which equations are solved at once.
CHUNK = 256
# Patches share gates whose noise is within this factor.
BAND = 1.1
# Variances within a patch that differ by less than this factor count as one.
EVEN = 1.3
# Noise of pixels that are exact, in standard deviations of patches: it keeps digits.
LEAST_NOISE = 1e-4


class Conditional:
    """Expectations of patches given their known pixels, by one component each.

    Parameters
    ----------
    prior : PatchMixture
    n_channels : int
    visitor : PatchVisitor
    for_each : ForEach
    """

    def __init__(
        self, prior: PatchMixture, n_channels: int, visitor: PatchVisitor, for_each: ForEach
    ) -> None:
        self.prior, self.for_each = prior, for_each
        typical = prior.typical_std
        self.least_variance = (LEAST_NOISE * typical) ** 2
        self.flat = np.zeros(prior.covariances.shape[1:])
        if visitor.remove_mean:
            # The mean of a patch is inferred too, with a flat prior: that of its pixels would be
            # wrong where some of them are missing or noisier.
            n_features = prior.means.shape[1]
            constant = np.tile(np.eye(n_channels), (n_features // n_channels, 1))
            self.flat = MEAN_VARIANCE * typical**2 * (constant @ constant.T)

    def means(
        self,
        rows: np.ndarray,
        labels: np.ndarray,
        noise_variances: np.ndarray,
        known: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the expectations of rows (n, n_features) that are of these components (n,).

        `noise_variances` broadcasts to the rows; without `known`, all pixels are.
        """
        restored = np.empty_like(rows)
        variances = np.broadcast_to(np.maximum(noise_variances, self.least_variance), rows.shape)

        def condition(some: tuple[int, np.ndarray]) -> None:
            k, chosen = some
            covariance, mean = self.prior.covariances[k] + self.flat, self.prior.means[k]
            deviation = rows[chosen].astype(np.float64) - mean
            diagonal = np.arange(len(covariance))
            equations = np.repeat(covariance[None], len(chosen), axis=0)
            if known is None:
                equations[:, diagonal, diagonal] += variances[chosen]
            else:
                mask = known[chosen]
                equations *= mask[:, :, None] & mask[:, None, :]
                equations[:, diagonal, diagonal] += np.where(mask, variances[chosen], 1.0)
                deviation = np.where(mask, deviation, 0.0)
            weights = np.linalg.solve(equations, deviation[:, :, None])[:, :, 0]
            restored[chosen] = mean + weights @ covariance

        pieces = [
            (k, places[start : start + CHUNK])
            for k, places in by_component(labels, len(self.prior.weights))
            for start in range(0, len(places), CHUNK)
        ]
        self.for_each(condition, pieces)
        return restored


def filter_for_noise(
    mixture: PatchMixture, noise_std: NoiseStd, visitor: PatchVisitor, for_each: ForEach
) -> Restore:
    """Restore complete patches by their most probable component, whatever their noise.

    Patches of about the same noise go through the same gates. Where it differs within a patch,
    equations are solved instead of the gates' filter.
    """
    if isinstance(noise_std, float):
        gates = Gates(mixture, noise_std, for_each)
        return lambda rows, at: (gates.restore(rows), None)
    conditional = Conditional(mixture, noise_std.shape[2], visitor, for_each)
    least = max(rms(noise_std) * 1e-2, LEAST_NOISE * mixture.typical_std)
    of_band: dict[int, Gates] = {}

    def restore(rows: np.ndarray, at: Corners) -> tuple[np.ndarray, None]:
        variances = variances_of(noise_std, visitor.size, at)
        levels = np.sqrt(variances.mean(axis=1))
        bands = np.rint(np.log(np.maximum(levels, least)) / np.log(BAND)).astype(int)
        even = variances.max(axis=1) <= EVEN * variances.min(axis=1)
        restored = np.empty_like(rows)
        for band in np.unique(bands).tolist():
            if band not in of_band:
                of_band[band] = Gates(mixture, BAND**band, for_each)
            gates, calm = of_band[band], np.flatnonzero((bands == band) & even)
            if len(calm):
                restored[calm] = gates.restore(rows[calm])
            mixed = np.flatnonzero((bands == band) & ~even)
            if len(mixed):
                own = rows[mixed]
                restored[mixed] = conditional.means(own, gates.best(own), variances[mixed])
        return restored, None

    return restore
