"""Noise of magnitudes of complex numbers, such as those of magnetic resonance images."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from scipy.special import i0e, i1e

from ._arrays import Axes, read_image
from ._noise import noise_std_of_plane
from ._progress import Progress
from ._restoration import Settings
from ._stabilised import middle_plane, restore_stabilised

# Tables reach to so many standard deviations of the noise; beyond it is as good as Gaussian.
LAST = 20.0
N_KNOTS = 500
# Expectations are integrals over so many standard deviations, at so many points.
WIDTH = 8.0
N_POINTS = 401
# How often what is left of differences in noise is taken out.
N_ROUNDS = 6
# An unknown noise level is found in so many turns.
N_TURNS = 12


def rician_moments(clean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations of magnitudes with noise of 1 in both parts."""
    t = 0.5 * clean**2
    mean = np.sqrt(0.5 * np.pi) * ((1.0 + t) * i0e(0.5 * t) + t * i1e(0.5 * t))
    return mean, np.sqrt(clean**2 + 2.0 - mean**2)


_KNOTS = np.linspace(0.0, LAST, N_KNOTS)
_MEANS, _STDS = rician_moments(_KNOTS)


class _Table(NamedTuple):
    """The transform of magnitudes with noise of 1: linear between the means of those of knots."""

    values: np.ndarray  # (n_knots,) at these means
    first_slope: float  # below the first of them
    expected: np.ndarray  # (n_knots,) expectations over the noise

    def __call__(self, magnitude: np.ndarray) -> np.ndarray:
        below = np.minimum(magnitude - _MEANS[0], 0.0) * self.first_slope
        above = np.maximum(magnitude - _MEANS[-1], 0.0)
        return np.interp(magnitude, _MEANS, self.values) + below + above


@cache
def _table() -> _Table:
    """Make the noise alike: from slopes of one over the standard deviation, improved in turns."""
    magnitude = np.maximum(_KNOTS[:, None] + np.linspace(-WIDTH, WIDTH, N_POINTS), 0.0)
    density = magnitude * i0e(magnitude * _KNOTS[:, None])
    density *= np.exp(-0.5 * (magnitude - _KNOTS[:, None]) ** 2)
    density /= density.sum(axis=1, keepdims=True)
    slopes = 1.0 / _STDS
    for _ in range(N_ROUNDS):
        steps = 0.5 * (slopes[1:] + slopes[:-1]) * np.diff(_MEANS)
        table = _Table(np.concatenate([[0.0], np.cumsum(steps)]), float(slopes[0]), _KNOTS)
        values = table(magnitude)
        expected = np.sum(density * values, axis=1)
        slopes = slopes / np.sqrt(np.sum(density * values**2, axis=1) - expected**2)
    return table._replace(expected=expected)


class RicianTransform:
    """Magnitudes to values of which noise has a standard deviation of about 1.

    Parameters
    ----------
    noise_std : float
        Of the real and of the imaginary part, in units of the image.
    """

    def __init__(self, noise_std: float) -> None:
        self.noise_std = noise_std

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Return an image with noise that is alike everywhere."""
        return _table()(image / self.noise_std)

    def inverse(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return clean pixels whose noisy ones are transformed to this on average, and the slope.

        It is unbiased: noise alone has a magnitude of 1.25 standard deviations on average.
        """
        image, table = image.astype(np.float64), _table()
        expected = table.expected
        clean = np.interp(image, expected, _KNOTS)
        slope = np.interp(image, expected, np.gradient(_KNOTS, expected))
        # Means of large magnitudes are what their clean ones are plus half of one over that.
        mean = np.maximum(image - table.values[-1] + _MEANS[-1], 1.0)
        above = image > expected[-1]
        clean = np.where(above, mean - 0.5 / mean, clean)
        slope = np.where(above, 1.0, slope)
        return self.noise_std * clean, self.noise_std * slope


def restore_magnitudes(
    image: Any,
    prior: Any,
    noise_std: Any,
    axes: Axes,
    data_range: Any,
    settings: Settings,
    progress: Progress,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return an image without Rician noise, as `restore` does."""
    values, dtype, axes = read_image(image, axes)
    if np.any(values < 0.0):
        raise ValueError(
            f"image holds {np.nanmin(values):g}, but noise='rician' is for magnitudes, which are "
            "not negative. Pass them as they are, nothing subtracted, or use noise='gaussian'."
        )
    if isinstance(noise_std, str) and noise_std == "auto":
        noise_std = rician_noise_std(middle_plane(axes.split(values)))
    return restore_stabilised(
        values,
        dtype,
        RicianTransform(_positive(noise_std)),
        "noise='rician' with this noise_std",
        "noise_std is that of the real and of the imaginary part, which is that of a background "
        "without signal divided by 0.655.",
        prior,
        axes,
        data_range,
        settings,
        progress,
    )


def rician_noise_std(plane: np.ndarray) -> float:
    """Return the level that leaves noise of a standard deviation of 1; NaN if none is found."""
    found = noise_std_of_plane(plane)
    for _ in range(N_TURNS):
        if not found > 0.0:
            return float("nan")
        found *= noise_std_of_plane(RicianTransform(found)(plane))
    return found


def _positive(noise_std: Any) -> float:
    value = np.asarray(noise_std)
    if value.dtype.kind not in "uif" or value.ndim or not (np.isfinite(value) and value > 0):
        raise ValueError(
            f"noise_std={noise_std!r} must be one positive number with noise='rician', the same "
            "for all pixels; 'auto' finds none where too few patches have noise."
        )
    return float(value)
