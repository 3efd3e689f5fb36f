"""One pass over the patches of an image: cut, centred, restored, put back and averaged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ._patches import (
    add_patches,
    check_stride,
    corners,
    count_patches,
    cut_patches,
    known_means,
    strips,
)
from ._progress import Progress

# Rows and columns at which patches begin; they broadcast.
Corners = tuple[np.ndarray, ...]
# From rows (n, size² n_channels), patches less their means, and their corners to means and
# variances (or None) of what they show.
Restore = Callable[[np.ndarray, Corners], tuple[np.ndarray, np.ndarray | None]]
# From rows and columns of a strip to groups of corners, which may be empty; the patches of a
# group are all complete or none.
Choose = Callable[[np.ndarray, np.ndarray], Iterable[Corners]]


class Average(NamedTuple):
    """Restored patches averaged over those that a pixel is in; zero where it is in none."""

    mean: np.ndarray  # (n_rows, n_columns, n_channels)
    variance: np.ndarray | None  # of the same shape; None where no patch had any
    reached: np.ndarray  # (n_rows, n_columns), whether a pixel is in some patch


@dataclass(frozen=True)
class PatchVisitor:
    """Visits the patches of an image in strips, so that memory does not grow with the image.

    Parameters
    ----------
    size : int
        The side of a patch, in pixels.
    stride : int
        Pixels from one patch to the next.
    remove_mean : bool
        Whether patches are restored less their means, per channel.
    progress : Progress
        Told of every row of patches.
    """

    size: int
    stride: int
    remove_mean: bool
    progress: Progress

    def __post_init__(self) -> None:
        check_stride(self.size, self.stride)

    def n_steps(self, shape: tuple[int, ...], offset: tuple[int, int] = (0, 0)) -> int:
        """Return how many steps of progress a pass takes."""
        return len(corners(shape, self.size, self.stride, offset)[0])

    def average(
        self,
        image: np.ndarray,
        restore: Restore,
        *,
        offset: tuple[int, int] = (0, 0),
        choose: Choose = lambda rows, columns: [np.ix_(rows, columns)],
    ) -> Average:
        """Restore the patches of an image (n_rows, n_columns, n_channels), or those chosen."""
        size = self.size
        rows, columns = corners(image.shape, size, self.stride, offset)
        total, spread = np.zeros_like(image), None
        begins = np.zeros((image.shape[0] - size + 1, image.shape[1] - size + 1), dtype=bool)
        for of_strip in strips(rows, len(columns) * size * size * image.shape[2]):
            for at in choose(of_strip, columns):
                if begins[at].size == 0:
                    continue
                begins[at] = True
                mean, variance = self._restored(image, restore, at)
                add_patches(total, mean, *at)
                if variance is not None:
                    spread = np.zeros_like(image) if spread is None else spread
                    add_patches(spread, variance, *at)
            self.progress.advance(len(of_strip))
        counts = count_patches(begins, size)
        reached = counts > 0
        divisor = np.maximum(counts, 1, out=counts)[:, :, None]
        total /= divisor
        if spread is not None:
            spread /= divisor
        return Average(total, spread, reached)

    def _restored(self, image: np.ndarray, restore: Restore, at: Corners):
        """Means and variances of the patches at these corners."""
        shape = (-1, self.size, self.size, image.shape[2])
        rows, means = self.rows(image, at)
        mean, variance = restore(rows, at)
        mean = mean.reshape(len(rows), self.size**2, -1) + means
        return mean.reshape(shape), None if variance is None else variance.reshape(shape)

    def rows(self, image: np.ndarray, at: Corners) -> tuple[np.ndarray, np.ndarray]:
        """Patches at these corners as rows (n, size² n_channels), less means, and the means."""
        patches = cut_patches(image, self.size, *at)
        patches = patches.reshape(len(patches), self.size**2, -1)
        means = known_means(patches) if self.remove_mean else np.zeros((1, 1, 1), image.dtype)
        return (patches - means).reshape(len(patches), -1), means
