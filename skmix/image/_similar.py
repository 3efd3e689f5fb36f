"""The last step: Gaussians of similar patches, found in what was restored before."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_array

from . import _patches
from ._noise_levels import NoiseStd
from ._patch_mixture import ForEach
from ._patches import add_patches, corners
from ._progress import Progress

# Lebrun, Buades and Morel: how many patches a Gaussian is of, how far away they may be, and how
# far apart the patches are for which others are looked for.
N_SIMILAR = 60
REACH = 14
STEP = 3
# Patches are compared by so many of their principal components.
N_COMPARED = 16
# The axes are those of so many patches.
N_SEEN = 10_000
# Patches that are restored at once, with those like them.
CHUNK = 128
# Noise variances in a group that differ by less than this factor count as one.
EVEN = 1.3


def n_steps(shape: tuple[int, ...], size: int) -> int:
    """Return how many steps of progress `restore_by_similar` takes."""
    return len(corners(shape, size, STEP)[0])


def restore_by_similar(
    noisy: np.ndarray,
    pilot: np.ndarray,
    noise_std: NoiseStd,
    size: int,
    for_each: ForEach,
    progress: Progress,
) -> np.ndarray:
    """Return an image (n_rows, n_columns, n_channels) restored by similar patches of a pilot.

    Mean and covariance of patches that are alike in the pilot make a Wiener filter for the noisy
    ones.
    """
    axes = _principal_axes(pilot, size)
    total, counts = np.zeros_like(noisy), np.zeros(noisy.shape[:2], dtype=noisy.dtype)
    rows, columns = corners(noisy.shape, size, STEP)
    for some, top, bottom in _bands(rows, noisy.shape, size):
        band = slice(top, bottom + size - 1)
        noise = noise_std if isinstance(noise_std, float) else noise_std[band]
        restored = _Band(noisy[band], pilot[band], noise, axes, size)
        for row in (some - top).tolist():
            restored.around(row, columns, for_each)
            progress.advance(1)
        restored.add_to(total[band], counts[band])
    return total / counts[:, :, None]


def _bands(
    rows: np.ndarray, shape: tuple[int, ...], size: int
) -> Iterator[tuple[np.ndarray, int, int]]:
    """Yield rows of patches with the first and last row that those like them may be in."""
    n_places, values_per_row = shape[0] - size + 1, shape[1] * size * size * shape[2]
    height = max(1, _patches.STRIP_VALUES // values_per_row - 2 * REACH)
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
        self.compared = (self.pilot @ axes).reshape(self.n_rows, self.n_columns, -1)
        self.sums = np.zeros_like(self.noisy)
        self.counts = np.zeros(len(self.noisy), dtype=noisy.dtype)

    def around(self, row: int, columns: np.ndarray, for_each: ForEach) -> None:
        """Restore patches like those of a row at these columns."""
        done: dict[int, tuple[np.ndarray, np.ndarray]] = {}

        def restore(start: int) -> None:
            members = self._similar(row, columns[start : start + CHUNK])
            one_noise = len(self.noise_variances) == 1
            variances = self.noise_variances if one_noise else self.noise_variances[members]
            done[start] = (
                members.ravel(),
                _wiener(self.noisy[members], self.pilot[members], variances),
            )

        for_each(restore, range(0, len(columns), CHUNK))
        first = max(0, row - REACH) * self.n_columns
        last = min(self.n_rows, row + REACH + 1) * self.n_columns
        for start in sorted(done):
            members, restored = done[start]
            members = members - first
            ones = np.ones(len(members), dtype=restored.dtype)
            shape = (last - first, len(members))
            adding = csr_array((ones, (members, np.arange(len(members)))), shape=shape)
            self.sums[first:last] += adding @ restored.reshape(len(members), -1)
            self.counts[first:last] += np.bincount(members, minlength=last - first)

    def _similar(self, row: int, columns: np.ndarray) -> np.ndarray:
        """Return the places (n, n_similar) of the patches most alike to those of a row."""
        top, bottom = max(0, row - REACH), min(self.n_rows, row + REACH + 1)
        width = min(2 * REACH + 1, self.n_columns)
        lefts = np.clip(columns - REACH, 0, self.n_columns - width)
        windows = np.lib.stride_tricks.sliding_window_view(
            self.compared[top:bottom], width, axis=1
        )
        near = windows[:, lefts] - self.compared[row, columns][None, :, :, None]
        distances = np.einsum("rncj,rncj->nrj", near, near).reshape(len(columns), -1)
        n_similar = min(N_SIMILAR, distances.shape[1])
        nearest = np.argpartition(distances, n_similar - 1, axis=1)[:, :n_similar]
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


def _wiener(noisy: np.ndarray, pilot: np.ndarray, noise_variances: np.ndarray) -> np.ndarray:
    """Filter groups of noisy patches (n, n_similar, n_features) by their pilots' Gaussians.

    Noise variances are one for all (1, 1), or one for each pixel of each patch.
    """
    means = pilot.mean(axis=1, keepdims=True)
    pilot = pilot - means
    covariances = pilot.transpose(0, 2, 1) @ pilot
    covariances /= max(pilot.shape[1] - 1, 1)
    deviations = noisy - means
    if noise_variances.ndim == 2:
        return noisy - _taken(covariances, deviations, noise_variances)
    of_patches = noise_variances.mean(axis=2)
    even = of_patches.max(axis=1) <= EVEN * of_patches.min(axis=1)
    taken = np.empty_like(noisy)
    of_groups = noise_variances[even].mean(axis=1)
    taken[even] = _taken(covariances[even], deviations[even], of_groups)
    # Patches of different noise share the axes of their Gaussian.
    values, vectors = np.linalg.eigh(covariances[~even])
    own = of_patches[~even][:, :, None]
    tiny = np.finfo(noisy.dtype).tiny
    shares = own / np.maximum(np.maximum(values[:, None, :], 0.0) + own, tiny)
    taken[~even] = ((deviations[~even] @ vectors) * shares) @ vectors.transpose(0, 2, 1)
    return noisy - taken


def _taken(
    covariances: np.ndarray, deviations: np.ndarray, noise_variances: np.ndarray
) -> np.ndarray:
    """What Wiener filters take away, by noise variances (n or 1, n_features or 1) of groups."""
    noisy, diagonal = covariances.copy(), np.arange(covariances.shape[1])
    traces = np.einsum("nii->n", covariances)[:, None]
    least = np.finfo(noisy.dtype).eps * traces + np.finfo(noisy.dtype).tiny
    noisy[:, diagonal, diagonal] += np.maximum(noise_variances, least)
    weights = np.linalg.solve(noisy, deviations.transpose(0, 2, 1))
    return (noise_variances[:, :, None] * weights).transpose(0, 2, 1)
