"""Noise of counted photons: made alike everywhere, removed, and the counts brought back."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from scipy.stats import poisson

from ._arrays import Axes, read_image
from ._progress import Progress
from ._restoration import Settings
from ._stabilised import restore_stabilised

# Counts up to here are inverted by a table, above by a series.
LAST_COUNT = 100.0
N_KNOTS = 500
# The Gaussian part is integrated over so many standard deviations, at so many points.
WIDTH = 8.0
N_POINTS = 801


class Anscombe:
    """The generalised Anscombe transform, after which noise has a standard deviation of about 1.

    Parameters
    ----------
    gain : float
        Units of the image per count.
    noise_std : float
        Of Gaussian noise added to that, in units of the image.
    """

    def __init__(self, gain: float, noise_std: float) -> None:
        self.gain, self.spread = gain, noise_std / gain

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Return an image with noise that is alike everywhere."""
        return self._of_counts(image / self.gain)

    def _of_counts(self, counts: np.ndarray) -> np.ndarray:
        return 2.0 * np.sqrt(np.maximum(counts + 0.375 + self.spread**2, 0.0))

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        """Expectations of transformed noisy counts, and the roots of the clean ones."""
        roots = np.linspace(0.0, np.sqrt(LAST_COUNT), N_KNOTS)
        counts = np.arange(LAST_COUNT + 12.0 * np.sqrt(LAST_COUNT))
        if self.spread > 0.0:
            z = np.linspace(-WIDTH, WIDTH, N_POINTS)
            density = np.exp(-0.5 * z * z)
            density /= density.sum()
            transformed = self._of_counts(counts[:, None] + self.spread * z) @ density
        else:
            transformed = self._of_counts(counts)
        return poisson.pmf(counts, roots[:, None] ** 2) @ transformed, roots

    def inverse(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return clean pixels whose noisy ones are transformed to this on average, and the slope.

        It is exact and unbiased: squares of averages would be too small by up to a quarter.
        """
        expected, roots = self._table
        image = image.astype(np.float64)
        root = np.interp(image, expected, roots)
        slope = np.interp(image, expected, np.gradient(roots, expected))
        high = np.maximum(image, expected[-1])
        series = 0.25 * high**2 - 0.125 - self.spread**2
        series += 0.25 * np.sqrt(1.5) / high - 1.375 / high**2 + 0.625 * np.sqrt(1.5) / high**3
        above = image > expected[-1]
        counts = np.where(above, series, root**2)
        slope = np.where(above, 0.5 * high, 2.0 * root * slope)
        return self.gain * counts, self.gain * slope


def restore_counts(
    image: Any,
    prior: Any,
    gain: Any,
    noise_std: Any,
    axes: Axes,
    data_range: Any,
    settings: Settings,
    progress: Progress,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return an image without Poisson and Gaussian noise, as `restore` does."""
    values, dtype, axes = read_image(image, axes)
    transform = Anscombe(_positive(gain), _gaussian_part(noise_std))
    if transform.spread == 0.0 and np.any(values < 0.0):
        raise ValueError(
            f"image holds {np.nanmin(values):g}, but noise='poisson' is for counts, which are not "
            "negative. Give the Gaussian part as noise_std, or add what was subtracted."
        )
    return restore_stabilised(
        values,
        dtype,
        transform,
        "noise='poisson' with this gain and noise_std",
        "gain is the variance of a pixel divided by its mean, without the Gaussian part; black is "
        "0.",
        prior,
        axes,
        data_range,
        settings,
        progress,
    )


def _positive(gain: Any) -> float:
    value = np.asarray(gain)
    if value.dtype.kind not in "uif" or value.ndim or not (np.isfinite(value) and value > 0):
        raise ValueError(
            f"gain={gain!r} must be a positive number: units of the image per counted photon."
        )
    return float(value)


def _gaussian_part(noise_std: Any) -> float:
    if isinstance(noise_std, str) and noise_std == "auto":
        return 0.0
    value = np.asarray(noise_std)
    if value.dtype.kind not in "uif" or value.ndim or not (np.isfinite(value) and value >= 0):
        raise ValueError(
            f"noise_std={noise_std!r} must be one finite number that is not negative, or 'auto' "
            "for none: with noise='poisson' it is the Gaussian part, the same for all pixels."
        )
    return float(value)
