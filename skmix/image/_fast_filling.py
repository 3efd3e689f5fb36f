"""Missing pixels filled by one component for each patch, found in an image filled before."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np

from .._rows.threads import worker_threads
from ._conditional import Conditional, filter_for_noise
from ._noise_levels import NoiseStd, variances_of
from ._patch_mixture import ForEach, Gates, PatchMixture
from ._patches import cut_patches, window_sums
from ._visitor import Choose, Corners, PatchVisitor

# What is taken for the error of what was filled before, pass by pass, in standard deviations of
# patches; then the rounds in which known pixels alone count.
ERRORS = (1.0, 0.5, 0.25, 0.12)
N_ROUNDS = 2
# The error in which components are told apart in these rounds.
LAST_ERROR = 0.06


def n_steps_of_filling(shape: tuple[int, ...], visitor: PatchVisitor) -> int:
    """Return how many steps of progress `fill` takes."""
    return (len(ERRORS) + N_ROUNDS) * visitor.n_steps(shape)


def fill(
    image: np.ndarray, prior: PatchMixture, noise_std: NoiseStd, visitor: PatchVisitor
) -> np.ndarray:
    """Return an image (n_rows, n_columns, n_channels) with its missing pixels (NaN) filled.

    Known pixels stay. G. Yu, G. Sapiro and S. Mallat, "Solving inverse problems with piecewise
    linear estimators", IEEE Transactions on Image Processing 21(5), 2012, fill patches so, by the
    one Gaussian that suits them best.
    """
    known = ~np.isnan(image)
    filled = interpolated(image, known).astype(np.float32)
    typical = prior.typical_std
    with worker_threads() as for_each:
        incomplete = chosen_places(_fewest_known(known, visitor.size) < visitor.size**2)
        for error in ERRORS:
            restore = filter_for_noise(prior, error * typical, visitor, for_each)
            average = visitor.average(filled, restore, choose=incomplete)
            filled = np.where(known, filled, average.mean)
        given = known
        for done in count(1):
            conditional = _GivenKnown(prior, given, noise_std, visitor, for_each)
            fewest = _fewest_known(given, visitor.size)
            informed = chosen_places((fewest < visitor.size**2) & (fewest > 0))
            average = visitor.average(filled, conditional, choose=informed)
            new = ~given & average.reached[:, :, None]
            filled = np.where(new, average.mean, filled)
            if done < N_ROUNDS:
                continue
            # What one channel lacks, and no patch tells, others tell from there.
            given = given | new
            if image.shape[2] == 1 or given.all() or not new.any():
                break
            visitor.progress.expect(visitor.n_steps(image.shape))
    return np.where(known, image, filled).astype(image.dtype)


def interpolated(image: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fill missing pixels by means over squares as small as hold known ones, made smooth."""
    if not known.any(axis=(0, 1)).all():
        raise ValueError("image has no known pixel (in some channel): nothing can be restored.")
    values, weights = np.where(known, image, 0.0), known.astype(image.dtype)
    if known.all():
        return values
    counts = _halved_sums(weights)
    means = _halved_sums(values) / np.maximum(counts, 1)
    coarse = interpolated(np.where(counts > 0, means, np.nan), counts > 0)
    return np.where(known, image, _doubled(coarse, image.shape))


def _halved_sums(image: np.ndarray) -> np.ndarray:
    """Sums over 2 x 2 pixels; zeros beyond the border."""
    padded = np.pad(image, [(0, n % 2) for n in image.shape[:2]] + [(0, 0)])
    return padded.reshape(padded.shape[0] // 2, 2, -1, 2, image.shape[2]).sum(axis=(1, 3))


def _doubled(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Twice as many rows and columns, interpolated linearly."""
    for axis in (0, 1):
        moved = np.moveaxis(image, axis, 0)
        padded = np.concatenate([moved[:1], moved, moved[-1:]])
        doubled = np.empty((2 * len(moved), *moved.shape[1:]), dtype=image.dtype)
        doubled[0::2] = 0.75 * moved + 0.25 * padded[:-2]
        doubled[1::2] = 0.75 * moved + 0.25 * padded[2:]
        image = np.moveaxis(doubled[: shape[axis]], 0, axis)
    return image


def _fewest_known(known: np.ndarray, size: int) -> np.ndarray:
    """How many pixels are known in the channel of each patch in which fewest are."""
    return window_sums(known, size).min(axis=2)


def chosen_places(chosen: np.ndarray) -> Choose:
    """Choose patches that begin at these places (n_rows - size + 1, n_columns - size + 1)."""

    def choose(rows: np.ndarray, columns: np.ndarray) -> Iterator[Corners]:
        i, j = np.nonzero(chosen[np.ix_(rows, columns)])
        yield rows[i], columns[j]

    return choose


class _GivenKnown:
    """Expectations of patches given their known pixels, by the component of what was filled."""

    def __init__(
        self,
        prior: PatchMixture,
        known: np.ndarray,
        noise_std: NoiseStd,
        visitor: PatchVisitor,
        for_each: ForEach,
    ) -> None:
        self.known, self.noise_std, self.size = known, noise_std, visitor.size
        self.gates = Gates(prior, LAST_ERROR * prior.typical_std, for_each)
        self.conditional = Conditional(prior, known.shape[2], visitor, for_each)

    def __call__(self, rows: np.ndarray, at: Corners) -> tuple[np.ndarray, None]:
        known = cut_patches(self.known, self.size, *at).reshape(rows.shape)
        noise = self.noise_std
        variances = (
            np.full((1, 1), noise**2)
            if isinstance(noise, float)
            else variances_of(noise, self.size, at)
        )
        return self.conditional.means(rows, self.gates.best(rows), variances, known), None
