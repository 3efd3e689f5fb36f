"""What black and white are: the units of an image, and those of a prior."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._interface.wording import naming, reals
from ._warn import warn_caller

# Pixels of which it is seen how far gray levels range.
N_SEEN = 100_000


def known_data_range(dtype: np.dtype, image: np.ndarray) -> float | None:
    """Return the distance from black to white that scikit-image reads from the dtype.

    `image` are the pixels in floating point. Floats within about [-0.5, 1.5] have a range of 1;
    what that of other floats and integers is they do not say.
    """
    if dtype in (np.uint8, np.uint16):
        return float(np.iinfo(dtype).max)
    low, high = _extent(image)
    return 1.0 if dtype.kind == "f" and low >= -0.5 and high <= 1.5 else None


# All integers of 64 bits are taken, and squares of gray levels fit into float32.
LARGEST_LEVEL = 1e19


def check_data_range(data_range: Any) -> float | None:
    """Return a distance from black to white, or None where it is left open."""
    if data_range is None:
        return None
    with naming("data_range", "a positive number"):
        value = reals(data_range)
    if value.ndim or not np.isfinite(value) or value <= 0:
        raise ValueError(
            f"data_range={data_range!r} must be a positive number: the distance from black to "
            "white, in units of the image."
        )
    return float(value)


def scale_for(
    prior_range: float | None, dtype: np.dtype, image: np.ndarray, data_range: Any
) -> float:
    """Return what a gray level of a prior is in units of the image.

    A prior that knows of no range is for images in units of their own.
    """
    scale = _scale_for(prior_range, dtype, image, check_data_range(data_range))
    largest = float(np.nanmax(np.abs(image), initial=0.0))
    if largest > LARGEST_LEVEL * scale:
        raise ValueError(
            f"image reaches {largest:.3g} in size, {largest / scale:.3g} gray levels of the "
            f"prior; for squares to fit into float32 it must not exceed {LARGEST_LEVEL:.0e}. "
            "Divide image by a power of ten, or pass data_range."
        )
    return scale


def _scale_for(
    prior_range: float | None, dtype: np.dtype, image: np.ndarray, data_range: float | None
) -> float:
    if prior_range is None:
        return 1.0
    if data_range is None:
        data_range = known_data_range(dtype, image)
    if data_range is None:
        data_range = _guess(image)
        warn_caller(
            f"data_range=None leaves open what black and white are: the image is of dtype {dtype} "
            f"with values from {np.nanmin(image):g} to {np.nanmax(image):g}. Their distance is "
            f"taken to be {data_range:g}; pass data_range."
        )
    return data_range / prior_range


def _extent(image: np.ndarray) -> tuple[float, float]:
    """Gray levels that next to no pixels are below and above, of which noise is a part."""
    values = image.ravel()[:: max(1, image.size // N_SEEN)]
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 0.0
    low, high = np.quantile(values, [0.005, 0.995])
    return float(low), float(high)


def _guess(image: np.ndarray) -> float:
    """A usual range that the gray levels may come from, otherwise their own."""
    low, high = _extent(image)
    for usual in (1.0, 255.0):
        if usual / 4 <= high - low <= 3 * usual:
            return usual
    return high - low if high > low else 1.0
