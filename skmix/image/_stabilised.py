"""Noise that depends on the pixel: made alike everywhere, removed, and the pixels brought back."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ._arrays import Axes, as_dtype
from ._noise import noise_std_of_plane
from ._progress import Progress
from ._restoration import Settings, restore
from ._units import check_data_range
from ._warn import warn_caller

# White is what so many areas of this side are darker than.
AREA = 8
SHARE = 0.995
# Noise that is left as it should be has a standard deviation of one. It is less where counts are
# close to zero.
PLAUSIBLE = (0.2, 1.6)


class Stabiliser(Protocol):
    """A transform after which noise has a standard deviation of about 1."""

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Return an image with noise that is alike everywhere."""

    def inverse(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return clean pixels whose noisy ones are this on average, and the slope."""


def restore_stabilised(
    values: np.ndarray,
    dtype: np.dtype,
    transform: Stabiliser,
    given: str,
    remedy: str,
    prior: Any,
    axes: Axes,
    data_range: Any,
    settings: Settings,
    progress: Progress,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return an image of this dtype without noise, and standard deviations or None.

    `given` and `remedy` begin and end the warning that the noise is not as it should be after the
    transform.
    """
    stabilised = transform(values).astype(values.dtype)
    white = check_data_range(data_range) or _white(axes.split(values))
    contrast = float(transform(np.array(white)) - transform(np.zeros(())))
    _check_noise(axes.split(stabilised), given, remedy)
    restored, std = restore(
        stabilised, None, prior, 1.0, axes, contrast or 1.0, settings, progress
    )
    clean, slope = transform.inverse(restored)
    return as_dtype(clean.astype(values.dtype), dtype), None if std is None else std * slope


def _white(slices: np.ndarray) -> float:
    """What the brightest areas of images (n_slices, n_rows, n_columns, n_channels) have."""
    n_slices, n_rows, n_columns = slices.shape[:3]
    height, width = min(AREA, n_rows), min(AREA, n_columns)
    slices = slices[:, : n_rows // height * height, : n_columns // width * width]
    areas = slices.reshape(n_slices, n_rows // height, height, n_columns // width, width, -1)
    known = ~np.isnan(areas)
    counts = known.sum(axis=(2, 4))
    sums = np.where(known, areas, 0.0).sum(axis=(2, 4), dtype=np.float64)
    return float(np.quantile(sums / np.maximum(counts, 1), SHARE))


def middle_plane(slices: np.ndarray) -> np.ndarray:
    """The first channel of the slice in the middle of a stack."""
    return slices[len(slices) // 2, :, :, 0]


def _check_noise(slices: np.ndarray, given: str, remedy: str) -> None:
    """Warn where transformed noise is not as it should be."""
    plane = middle_plane(slices)
    if min(plane.shape) < 4 * AREA:
        return
    found = noise_std_of_plane(plane)
    if not np.isnan(found) and not PLAUSIBLE[0] <= found <= PLAUSIBLE[1]:
        warn_caller(
            f"{given} leaves noise of {found:.2g} standard deviations where 1 is expected. "
            f"{remedy}"
        )
