"""Settings of the adversarial network that need a check of their own."""

from __future__ import annotations

import numpy as np

from ._networks import Units


def range_units(low, high, n_features: int) -> Units:
    """Return units in which a range, of all columns or of each, is that from -1 to 1."""
    low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    offset, scale = low + 0.5 * (high - low), 0.5 * (high - low)
    return Units(*(np.broadcast_to(part, n_features).copy() for part in (offset, scale)))


def check_range(feature_range) -> tuple[float, float]:
    """Return the least and the greatest value that cells may have."""
    bounds = np.asarray(feature_range, dtype=np.float64)
    if bounds.shape != (2,) or not np.all(np.isfinite(bounds)) or not bounds[0] < bounds[1]:
        raise ValueError(
            f"feature_range must be two finite numbers, the lower one first, but is "
            f"{feature_range!r}."
        )
    return float(bounds[0]), float(bounds[1])


def check_betas(betas) -> tuple[float, float]:
    """Return Adam's two shares."""
    shares = np.asarray(betas, dtype=np.float64)
    if shares.shape != (2,) or not np.all((shares >= 0) & (shares < 1)):
        raise ValueError(f"betas must be two numbers from 0 to below 1, but is {betas!r}.")
    return float(shares[0]), float(shares[1])
