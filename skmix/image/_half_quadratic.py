"""Half-quadratic splitting: turns between the patches of an image and what was observed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle, islice
from typing import Any

import numpy as np

from ._noise_levels import NoiseStd
from ._visitor import PatchVisitor, Restore

# Zoran and Weiss: how much patches are trusted, pass by pass, in units of 1 / noise variance.
WEIGHTS = (1.0, 4.0, 8.0, 16.0, 32.0)
# Rows that are pulled towards the data at once.
N_ROWS = 64


def pass_offsets(stride: int) -> list[tuple[int, int]]:
    """Return where the grid of patches begins in each pass.

    Shifted grids let all patches take part though each pass sees some of them (S. Parameswaran,
    C.-A. Deledalle, L. Denis, T. Nguyen, "Accelerating GMM-based patch priors for image
    restoration", IEEE Transactions on Image Processing 28(2), 2019).
    """
    half = stride // 2
    return [(0, 0), (half, half), (0, half), (half, 0), (0, 0)]


def n_steps_of_passes(
    shape: tuple[int, ...], visitor: PatchVisitor, n_passes: int = len(WEIGHTS)
) -> int:
    """Return how many steps of progress `half_quadratic` takes."""
    offsets = islice(cycle(pass_offsets(visitor.stride)), n_passes)
    return sum(visitor.n_steps(shape, offset) for offset in offsets)


def half_quadratic(
    image: np.ndarray,
    filter_for: Callable[[Any], Restore],
    noise_std: NoiseStd,
    visitor: PatchVisitor,
    towards_data: Callable[[np.ndarray, float], np.ndarray],
    weights: Sequence[float] = WEIGHTS,
) -> np.ndarray:
    """Take turns between patches and data, from an image (n_rows, n_columns, n_channels).

    `filter_for(noise_std)` restores patches; as Zoran and Weiss do, by their most probable
    component.
    `towards_data(restored, weight)` returns the image of the smallest sum of its squared misfit
    to the data and `weight` times its squared distance from the restored one.
    """
    for weight, offset in zip(weights, cycle(pass_offsets(visitor.stride)), strict=False):
        restore = filter_for(noise_std / weight**0.5)
        image = towards_data(visitor.average(image, restore, offset=offset).mean, weight)
    return image


def towards_pixels(
    noisy: np.ndarray, known: np.ndarray, noise_std: NoiseStd
) -> Callable[[np.ndarray, float], np.ndarray]:
    """The step towards noisy pixels; those that are not known may be anything.

    Patches and pixels both count in units of the noise, which thus cancels: but pixels without
    noise stay as they are.
    """
    exact = known & (np.asarray(noise_std) == 0.0)

    def towards_data(restored: np.ndarray, weight: float) -> np.ndarray:
        # In place and a few rows at a time: images may be large.
        for start in range(0, len(restored), N_ROWS):
            some = np.s_[start : start + N_ROWS]
            trust = np.where(exact[some], 1.0, known[some] / (1.0 + weight)).astype(noisy.dtype)
            restored[some] = trust * noisy[some] + (1 - trust) * restored[some]
        return restored

    return towards_data
