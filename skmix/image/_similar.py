"""The last step: Gaussians of similar patches, found in what was restored before."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from scipy.sparse import csr_array

from . import _patches
from ._group_filters import GroupFilter, by_own_axes, by_pilot
from ._noise_levels import NoiseStd
from ._patch_mixture import ForEach
from ._patches import add_patches, corners
from ._progress import Progress

# How many patches a Gaussian is of, how far away they may be, and how far apart the patches are
# for which others are looked for.
N_SIMILAR = 40
REACH = 30
STEP = 4
# How far apart they are in the first turn.
FIRST_STEP = 6
# What the pilot counts for in the result: the two err in different places.
PILOT_SHARE = 0.25
# Where noise is stronger than this, in standard deviations of clean patches, patches are larger
# than those of the prior, in proportion, up to so many times.
STRONG_NOISE = 1.4
LARGEST = 1.5
# Patches are compared by so many of their principal components.
N_COMPARED = 16
# The axes are those of so many patches.
N_SEEN = 10_000
# Patches that are restored at once, with those like them, and rows of patches that threads share.
CHUNK = 64
ROWS_AT_ONCE = 4
# Neighbouring patches for which distances are computed at once.
BLOCK = 32


def patch_size(size: int, noise_std: float, typical_std: float, shape: tuple[int, ...]) -> int:
    """Return the side of the patches for an image of this shape, that of the prior's being `size`.

    `typical_std` is the standard deviation of clean patches.
    """
    strength = noise_std / max(STRONG_NOISE * typical_std, np.finfo(float).tiny)
    return min(round(size * float(np.clip(strength, 1.0, LARGEST))), *shape[:2])


def n_steps(shape: tuple[int, ...], size: int) -> int:
    """Return how many steps of progress `restore_by_similar` takes."""
    return sum(len(corners(shape, size, min(step, size))[0]) for step in (FIRST_STEP, STEP))


def restore_by_similar(
    noisy: np.ndarray,
    pilot: np.ndarray,
    noise_std: NoiseStd,
    size: int,
    for_each: ForEach,
    progress: Progress,
) -> np.ndarray:
    """Return an image (n_rows, n_columns, n_channels) restored by similar patches of a pilot.

    Priors smooth what they have not seen, and a pilot does not know of it any more. A first turn
    therefore asks the noisy patches what they have in common. Mean and covariance of patches that
    are alike in the mean of pilot and first turn make a Wiener filter for the noisy ones.
    """

    def turn(pilot: np.ndarray, step: int, group_filter: GroupFilter) -> np.ndarray:
        return filter_groups(noisy, pilot, noise_std, size, step, group_filter, for_each, progress)

    own = turn(pilot, FIRST_STEP, by_own_axes)
    last = turn((pilot + own) / 2, STEP, by_pilot)
    return PILOT_SHARE * pilot + (1 - PILOT_SHARE) * last


def filter_groups(
    noisy: np.ndarray,
    pilot: np.ndarray,
    noise_std: NoiseStd,
    size: int,
    step: int,
    group_filter: GroupFilter,
    for_each: ForEach,
    progress: Progress,
) -> np.ndarray:
    """Return an image of patches that were filtered together with those like them in a pilot."""
    axes = _principal_axes(pilot, size)
    total, counts = np.zeros_like(noisy), np.zeros(noisy.shape[:2], dtype=noisy.dtype)
    rows, columns = corners(noisy.shape, size, min(step, size))
    for some, top, bottom in _bands(rows, noisy.shape, size):
        band = slice(top, bottom + size - 1)
        noise = noise_std if isinstance(noise_std, float) else noise_std[band]
        restored = _Band(noisy[band], pilot[band], noise, axes, size)
        for start in range(0, len(some), ROWS_AT_ONCE):
            at_once = some[start : start + ROWS_AT_ONCE] - top
            restored.around(at_once, columns, group_filter, for_each)
            progress.advance(len(at_once))
        restored.add_to(total[band], counts[band])
    return total / counts[:, :, None]


def _bands(
    rows: np.ndarray, shape: tuple[int, ...], size: int
) -> Iterator[tuple[np.ndarray, int, int]]:
    """Yield rows of patches with the first and last row that those like them may be in."""
    n_places, values_per_row = shape[0] - size + 1, shape[1] * size * size * shape[2]
    # What is around a band is cut too.
    height = max(REACH, _patches.STRIP_VALUES // values_per_row - 2 * REACH)
    start = 0
    while start < len(rows):
        stop = int(np.searchsorted(rows, rows[start] + height))
        some = rows[start:stop]
        yield some, max(0, int(some[0]) - REACH), min(n_places, int(some[-1]) + REACH + 1)
        start = stop


class _Band:
    """A band of an image as patches, those restored being summed at their places."""

    def __init__(
        self,
        noisy: np.ndarray,
        pilot: np.ndarray,
        noise_std: NoiseStd,
        axes: np.ndarray,
        size: int,
    ) -> None:
        self.size = size
        self.n_rows, self.n_columns = (n - size + 1 for n in noisy.shape[:2])
        self.noisy, self.pilot = _all_patches(noisy, size), _all_patches(pilot, size)
        # One for all pixels of all patches, or as patches themselves.
        self.noise_variances = (
            np.full((1, 1), noise_std**2, dtype=noisy.dtype)
            if isinstance(noise_std, float)
            else _all_patches(np.square(noise_std), size)
        )
        compared = self.pilot @ axes
        compared -= compared.mean(axis=0)  # keeps digits
        self.compared = compared.reshape(self.n_rows, self.n_columns, -1)
        self.squares = np.einsum("rcj,rcj->rc", self.compared, self.compared)
        self.sums = np.zeros_like(self.noisy)
        self.counts = np.zeros(len(self.noisy), dtype=noisy.dtype)

    def around(
        self, rows: np.ndarray, columns: np.ndarray, group_filter: GroupFilter, for_each: ForEach
    ) -> None:
        """Restore patches like those at these rows and columns."""
        pieces = np.array_split(columns, -(-len(columns) // CHUNK))
        done: dict[tuple[int, int], tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

        def restore(part: tuple[int, int]) -> None:
            members = self._similar(part[0], pieces[part[1]])
            one_noise = len(self.noise_variances) == 1
            variances = self.noise_variances if one_noise else self.noise_variances[members]
            restored, weights = group_filter(self.noisy[members], self.pilot[members], variances)
            done[part] = (
                members.ravel(),
                restored.reshape(members.size, -1),
                np.repeat(weights, members.shape[1]),
            )

        for_each(restore, product(rows.tolist(), range(len(pieces))))
        first = max(0, int(rows[0]) - REACH) * self.n_columns
        last = min(self.n_rows, int(rows[-1]) + REACH + 1) * self.n_columns
        # In one order, whatever the threads do.
        parts = zip(*(done.pop(part) for part in sorted(done)), strict=True)
        members, restored, weights = (np.concatenate(part) for part in parts)
        members -= first
        adding = csr_array(
            (weights, (members, np.arange(len(members)))), shape=(last - first, len(members))
        )
        self.sums[first:last] += adding @ restored
        self.counts[first:last] += np.bincount(members, weights, minlength=last - first)

    def _similar(self, row: int, columns: np.ndarray) -> np.ndarray:
        """Return the places (n, n_similar) of the patches most alike to those of a row."""
        found = [
            self._nearest(row, columns[start : start + BLOCK])
            for start in range(0, len(columns), BLOCK)
        ]
        return np.concatenate(found)

    def _nearest(self, row: int, columns: np.ndarray) -> np.ndarray:
        top, bottom = max(0, row - REACH), min(self.n_rows, row + REACH + 1)
        width = min(2 * REACH + 1, self.n_columns)
        lefts = np.clip(columns - REACH, 0, self.n_columns - width)
        # Squared distances to all that some of them may be like, less what does not rank them.
        area = np.s_[top:bottom, lefts[0] : lefts[-1] + width]
        products = self.compared[area] @ self.compared[row, columns].T
        distances = self.squares[area][:, :, None] - 2.0 * products
        windows = np.lib.stride_tricks.sliding_window_view(distances, width, axis=1)
        own = windows[:, lefts - lefts[0], np.arange(len(columns))]
        own = own.transpose(1, 0, 2).reshape(len(columns), -1)
        n_similar = min(N_SIMILAR, own.shape[1])
        nearest = np.argpartition(own, n_similar - 1, axis=1)[:, :n_similar]
        i, j = np.divmod(nearest, width)
        return (top + i) * self.n_columns + lefts[:, None] + j

    def add_to(self, total: np.ndarray, counts: np.ndarray) -> None:
        """Add what was restored to the sums of the pixels of the band, and how often it was."""
        at = np.ix_(np.arange(self.n_rows), np.arange(self.n_columns))
        add_patches(total, self.sums.reshape(len(self.sums), self.size, self.size, -1), *at)
        weights = self.counts.reshape(self.n_rows, self.n_columns)
        for i in range(self.size):
            for j in range(self.size):
                counts[i : i + self.n_rows, j : j + self.n_columns] += weights


def _all_patches(image: np.ndarray, size: int) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(0, 1))
    patches = np.ascontiguousarray(np.moveaxis(windows, 2, -1))
    return patches.reshape(-1, size * size * image.shape[2])


def _principal_axes(image: np.ndarray, size: int) -> np.ndarray:
    """The first principal axes (n_features, N_COMPARED) of the patches of an image."""
    step = int(np.ceil(np.sqrt(image.shape[0] * image.shape[1] / N_SEEN)))
    windows = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(0, 1))
    rows = np.moveaxis(windows[::step, ::step], 2, -1).reshape(-1, size * size * image.shape[2])
    rows = rows.astype(np.float64)
    rows -= rows.mean(axis=0)
    return np.linalg.eigh(rows.T @ rows)[1][:, -N_COMPARED:].astype(image.dtype)
