"""Noise levels as they are given, and what they are in the parts of an image that are restored.

A level is a number where the noise is the same everywhere, otherwise an array of the shape of what
is restored.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._interface.masked import refuse_masked
from ._arrays import Axes
from ._colour import BASIS, CONTRASTS, halved, in_basis
from ._noise import noise_std_of_plane
from ._patch_format import PatchFormat
from ._patches import cut_patches
from ._visitor import Corners
from ._warn import warn_caller

NoiseStd = float | np.ndarray

# Squares of smaller levels, which images in any units have, may not be numbers any more.
LEAST_NOISE_STD = 1e-100

# The side of areas in which noise of half the resolution is looked for, in pixels.
LEAST_SIDE = 16


def check_noise_std(noise_std: Any, shape: tuple[int, ...], axes: Axes) -> Any:
    """Return 'auto', or levels that broadcast to (n_slices, n_rows, n_columns, n_channels).

    `shape` is that of the image.
    """
    if isinstance(noise_std, str):
        if noise_std != "auto":
            raise ValueError(
                f"noise_std must be a number, an array or 'auto', but is {noise_std!r}."
            )
        return noise_std
    refuse_masked(noise_std, "noise_std")
    levels = np.asarray(noise_std)
    if levels.dtype.kind not in "uif":
        raise ValueError(f"noise_std must be a number, an array or 'auto', but is {noise_std!r}.")
    levels = levels.astype(np.float64)
    if not np.all(np.isfinite(levels) & (levels >= 0.0)):
        wrong = levels[~(np.isfinite(levels) & (levels >= 0.0))]
        raise ValueError(
            f"noise_std must be finite and not negative, but holds {wrong[0]:g}. For pixels of "
            "which nothing is known write NaN into the image."
        )
    levels = np.where(levels < LEAST_NOISE_STD, 0.0, levels)
    if levels.ndim == 0:
        return levels.reshape(1, 1, 1, 1)
    if axes.channel is not None and levels.shape == (shape[axes.channel],):
        return levels.reshape(1, 1, 1, -1)
    expanded = axes.expanded(levels, shape)
    if expanded is not None:
        return axes.split(expanded)
    per_channel = "" if axes.channel is None else ", one per channel"
    raise ValueError(
        f"noise_std has shape {levels.shape}, but image has shape {shape}: give one number"
        f"{per_channel}, or one per pixel."
    )


def noise_of_parts(
    levels: Any, slices: np.ndarray, patches: PatchFormat, *, quiet: bool = False
) -> list[NoiseStd]:
    """Levels for the parts of an image (n_slices, n_rows, n_columns, n_channels), in its units.

    Parts are all channels together, luminance and differences of colours, or single channels.
    `levels` is what `check_noise_std` returns. Unless it is `quiet`, there is a warning if the
    noise cannot be told.
    """
    n_channels = slices.shape[3]
    together = patches.n_channels == n_channels
    if isinstance(levels, str):
        return _estimated(slices, together, quiet)
    if together:
        return [_reduced(levels, slices.shape)]
    levels = np.broadcast_to(levels, (*levels.shape[:3], n_channels))
    if n_channels == 3:
        levels = np.sqrt(levels**2 @ ((CONTRASTS[:, None] * BASIS) ** 2).T)
    return [_reduced(levels[..., c : c + 1], (*slices.shape[:3], 1)) for c in range(n_channels)]


def _reduced(levels: np.ndarray, shape: tuple[int, ...]) -> NoiseStd:
    """A number where all levels are the same, otherwise an array of this shape."""
    first = float(levels.flat[0])
    if np.all(levels == first):
        return first
    return np.broadcast_to(levels, shape).astype(np.float32)


def _estimated(slices: np.ndarray, together: bool, quiet: bool) -> list[NoiseStd]:
    """Estimates for each part, the median over the slices of a stack."""
    by_luminance = not together and slices.shape[3] == 3
    of_slices = np.array(
        [
            [_noise_of_colours(part, c) for c, part in enumerate(in_basis(planes))]
            if by_luminance
            else [noise_std_of_plane(planes[..., c]) for c in range(planes.shape[2])]
            for planes in slices
        ]
    )
    found = [_median(of_part[~np.isnan(of_part)]) for of_part in of_slices.T]
    if np.isnan(found).all() and not quiet:
        warn_caller(
            "The noise level cannot be told, and no noise is removed: less than ten patches have "
            "neither missing pixels nor constant areas. Give noise_std as a number."
        )
    found = [0.0 if np.isnan(std) else std for std in found]
    return [rms(np.array(found))] if together else list(found)


def _median(found: np.ndarray) -> float:
    return float(np.median(found)) if len(found) else float("nan")


def _noise_of_colours(part: np.ndarray, index: int) -> float:
    """The noise of luminance, or of a difference of colours, which files often hold in half size.

    Its noise is then that of pixels twice as wide, and absent from the finest scale.
    """
    std = noise_std_of_plane(part)
    if index == 0 or min(part.shape) < LEAST_SIDE:
        return std
    return float(np.fmax(std, 2.0 * noise_std_of_plane(halved(part))))


def rms(noise_std: NoiseStd) -> float:
    """The root of the mean variance of the noise."""
    return float(np.sqrt(np.mean(np.square(noise_std, dtype=np.float64))))


def variances_of(noise_std: np.ndarray, size: int, at: Corners) -> np.ndarray:
    """Variances of the noise of patches, as rows (n, size² n_channels)."""
    patches = cut_patches(noise_std, size, *at)
    return np.square(patches.reshape(len(patches), -1), dtype=np.float64)
