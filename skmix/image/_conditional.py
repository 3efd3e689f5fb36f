"""Patches of which some pixels say more than others: missing ones, or ones with more noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ._noise_levels import NoiseStd, rms, variances_of
from ._pass_memory import PassMemory
from ._patch_mixture import N_REMEMBERED, Around, ForEach, Gates, PatchMixture, by_component
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
    mixture: PatchMixture,
    noise_std: NoiseStd,
    visitor: PatchVisitor,
    for_each: ForEach,
    memory: PassMemory | None = None,
) -> Restore:
    """Restore complete patches by their most probable component, whatever their noise.

    Patches of about the same noise go through the same gates. Where it differs within a patch,
    equations are solved instead of the gates' filter. A `memory` is that of the passes before over
    grids of patches of the same image.
    """
    if memory is not None:
        memory.begin_pass()
    if isinstance(noise_std, float):
        restore_rows = _by_gates(Gates(mixture, noise_std, for_each))
    else:
        restore_rows = _by_bands(mixture, noise_std, visitor, for_each)

    def restore(rows: np.ndarray, at: Corners) -> tuple[np.ndarray, None]:
        around = None if memory is None else memory.around(at)
        # Differences from a mean need fewer digits than an image may have.
        restored, components = restore_rows(rows.astype(np.float32, copy=False), at, around)
        if memory is not None:
            memory.keep(at, components)
        return restored, None

    return restore


# From rows, their corners and components around them, or None, to restored rows and their
# likeliest components.
_RestoreRows = Callable[[np.ndarray, Corners, Around | None], tuple[np.ndarray, np.ndarray]]


def _by_gates(gates: Gates) -> _RestoreRows:
    def restore(
        rows: np.ndarray, at: Corners, around: Around | None
    ) -> tuple[np.ndarray, np.ndarray]:
        components = gates.likeliest(rows, around)
        return gates.restore(rows, components[:, 0]), components

    return restore


def _by_bands(
    mixture: PatchMixture, noise_std: np.ndarray, visitor: PatchVisitor, for_each: ForEach
) -> _RestoreRows:
    conditional = Conditional(mixture, noise_std.shape[2], visitor, for_each)
    least = max(rms(noise_std) * 1e-2, LEAST_NOISE * mixture.typical_std)
    of_band: dict[int, Gates] = {}

    def restore(
        rows: np.ndarray, at: Corners, around: Around | None
    ) -> tuple[np.ndarray, np.ndarray]:
        variances = variances_of(noise_std, visitor.size, at)
        levels = np.sqrt(variances.mean(axis=1))
        bands = np.rint(np.log(np.maximum(levels, least)) / np.log(BAND)).astype(int)
        even = variances.max(axis=1) <= EVEN * variances.min(axis=1)
        restored = np.empty_like(rows)
        components = np.empty((len(rows), N_REMEMBERED), dtype=np.int16)
        for band in np.unique(bands).tolist():
            if band not in of_band:
                of_band[band] = Gates(mixture, BAND**band, for_each)
            gates, own = of_band[band], bands == band
            components[own] = gates.likeliest(
                rows[own], None if around is None else around.of(own)
            )
            calm, mixed = np.flatnonzero(own & even), np.flatnonzero(own & ~even)
            if len(calm):
                restored[calm] = gates.restore(rows[calm], components[calm, 0])
            if len(mixed):
                labels = components[mixed, 0]
                restored[mixed] = conditional.means(rows[mixed], labels, variances[mixed])
        return restored, components

    return restore
