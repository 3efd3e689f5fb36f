"""Posteriors of patches averaged over an image, round by round until no pixel is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ._patch_posterior import PatchPosterior
from ._patches import cut_patches, window_sums
from ._visitor import Choose, Corners, PatchVisitor


def average_posteriors(
    image: np.ndarray, posterior: PatchPosterior, visitor: PatchVisitor
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the restored image (n_rows, n_columns, n_channels) and the mean variances.

    Pixels that no patch with a known pixel reaches are filled in further rounds, in which the
    pixels filled before count as known, and their mean variance adds to that of the patch. Without
    noise known pixels stay as they are.
    """
    if np.isnan(image).all(axis=(0, 1)).any():
        raise ValueError("image has no known pixel (in some channel): nothing can be restored.")
    given, doubt = image.copy(), np.zeros_like(image)
    restored, variance = image.copy(), np.zeros_like(image)
    everything, some_channel = bool(np.any(posterior.noise_std)), False

    def restore(rows: np.ndarray, at: Corners) -> tuple[np.ndarray, np.ndarray | None]:
        mean, spread = posterior(rows, at)
        return mean, None if spread is None else spread + _doubts(rows, doubt, visitor.size, at)

    while True:
        missing = np.isnan(given)
        choose = _with_known_pixels(~missing, visitor.size, everything, some_channel)
        average = visitor.average(given, restore, choose=choose)
        reached = np.broadcast_to(average.reached[:, :, None], image.shape)
        new = reached if everything else reached & missing
        restored[new] = average.mean[new]
        if average.variance is not None:
            variance[new] = average.variance[new]
        filled = missing & reached
        given[filled], doubt[filled] = restored[filled], variance[filled]
        if not np.isnan(given).any():
            return restored, variance if posterior.with_variance else None
        everything = False
        if not filled.any():
            # Channels known in different places only: then patches with one of them must do; or
            # patches side by side, none of which has both known and missing pixels.
            size, stride = visitor.size, visitor.stride
            if some_channel and (stride == 1 or size == 1):
                raise ValueError(f"Patches of {size} x {size} pixels cannot fill the others.")
            visitor = replace(visitor, stride=1) if some_channel else visitor
            some_channel = True
        visitor.progress.expect(visitor.n_steps(image.shape))


def _with_known_pixels(
    known: np.ndarray, size: int, everything: bool, some_channel: bool
) -> Choose:
    """Choose patches with known pixels in every channel, or in some.

    They have missing pixels too, unless it is `everything`.
    """
    counts = window_sums(known, size)

    def choose(rows: np.ndarray, columns: np.ndarray) -> Iterator[Corners]:
        n_known = counts[np.ix_(rows, columns)]
        usable = n_known.any(axis=2) if some_channel else n_known.all(axis=2)
        complete = np.all(n_known == size * size, axis=2)
        for chosen in (usable & ~complete, complete & everything):
            i, j = np.nonzero(chosen)
            yield rows[i], columns[j]

    return choose


def _doubts(rows: np.ndarray, doubt: np.ndarray, size: int, at: Corners) -> np.ndarray:
    """Mean variance of the known pixels of each patch and channel, in the shape of the rows."""
    variances = cut_patches(doubt, size, *at).reshape(len(rows), size * size, -1)
    n_known = (~np.isnan(rows)).reshape(variances.shape).sum(axis=1, keepdims=True)
    means = variances.sum(axis=1, keepdims=True) / np.maximum(n_known, 1)
    return np.broadcast_to(means, variances.shape).reshape(rows.shape)
