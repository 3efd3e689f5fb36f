"""Posterior means and variances of patches, averaged over an image; missing pixels are filled."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _imputation
from .._gaussian_mixture import GaussianMixture
from .._sources import ArraySource
from . import _patches
from ._progress import Progress

# Variance of the unknown mean of a patch, in units of the largest mean variance of a component.
# A smaller one would hold the mean at that of the known pixels, a larger one cost digits.
MEAN_VARIANCE = 1e2


class PatchPosterior:
    """What a prior says of noisy patches, of which pixels may be missing.

    Parameters
    ----------
    prior : estimator
        A fitted denoiser.
    noise_std : float
    remove_mean : bool
        Whether the prior is for patches less their mean, of which nothing is known beforehand.
    n_channels : int
    """

    def __init__(self, prior: Any, noise_std: float, remove_mean: bool, n_channels: int):
        self.prior = prior
        self.noise_std = noise_std
        self.remove_mean = remove_mean
        self.n_channels = n_channels
        self._mixture: GaussianMixture | None = None

    def __call__(self, patches: np.ndarray, with_variance: bool):
        """Means and variances of patches (n, size², n_channels), all complete or none.

        Incomplete ones have at least one known pixel each.
        """
        method = self._incomplete if np.isnan(patches[0]).any() else self._complete
        return method(patches, with_variance)

    def _complete(self, patches, with_variance):
        means = patches.mean(axis=1, keepdims=True) if self.remove_mean else 0.0
        rows = (patches - means).reshape(len(patches), -1)
        if not with_variance:
            mean = self.prior.transform(rows, noise_std=self.noise_std)
            return mean.reshape(patches.shape) + means, None
        mean, variance = self.prior.posterior(rows, noise_std=self.noise_std)
        if self.remove_mean:  # the noise of the mean stays
            variance = variance + self.noise_std**2 / patches.shape[1]
        return mean.reshape(patches.shape) + means, variance.reshape(patches.shape)

    def _incomplete(self, patches, with_variance):
        mixture = self._of_incomplete()
        offsets = _offsets(patches) if self.remove_mean else 0.0
        rows = (patches - offsets).reshape(len(patches), -1)
        noise_variance = np.full((1, rows.shape[1]), self.noise_std**2)
        family, params = mixture._dense_family()
        with ArraySource(rows) as source:
            mean, variance = _imputation.denoise(
                source, family, params, noise_variance, with_variance=with_variance
            )
        if variance is not None:
            variance = variance.reshape(patches.shape)
        return mean.reshape(patches.shape) + offsets, variance

    def _of_incomplete(self) -> GaussianMixture:
        """The prior as a mixture, the mean of a patch being one more unknown with flat prior.

        The mean of the observed pixels is not that of the patch. A large variance in the
        constant direction of every channel makes the mean a part of what is inferred.
        """
        if self._mixture is None:
            mixture = getattr(self.prior, "mixture_", None)
            if mixture is None:
                raise ValueError(
                    f"image has missing pixels, which {type(self.prior).__name__} cannot fill. "
                    "Use a GMMDenoiser, GSMDenoiser or MVNDenoiser as the prior."
                )
            self._mixture = mixture
            if self.remove_mean:
                self._mixture = with_unknown_mean(mixture, self.n_channels)
        return self._mixture


def with_unknown_mean(mixture: GaussianMixture, n_channels: int) -> GaussianMixture:
    """The mixture of patches less their mean, plus a mean per channel that may be anything."""
    family, params = mixture._dense_family()
    n_features = mixture.means_.shape[1]
    covariances = family.covariances(family.from_frame(params))
    covariances = covariances.reshape(-1, n_features, n_features)  # one where it is shared
    typical = np.trace(covariances, axis1=1, axis2=2).max() / n_features
    constant = np.tile(np.eye(n_channels), (n_features // n_channels, 1))
    flat = MEAN_VARIANCE * typical * (constant @ constant.T)
    # The sum is positive definite after rounding too.
    flat += 1e-11 * MEAN_VARIANCE * typical * np.eye(n_features)
    covariances = np.broadcast_to(covariances + flat, (len(params.weights), *flat.shape))
    return GaussianMixture.from_parameters(mixture.weights_, mixture.means_, covariances)


def average_posteriors(
    image: np.ndarray,
    posterior: PatchPosterior,
    size: int,
    stride: int,
    *,
    with_variance: bool,
    progress: Progress,
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
    everything, some_channel = posterior.noise_std > 0.0, False
    while True:
        missing = np.isnan(given)
        sums = _Sums(image, with_variance)
        for (rows, columns), patches, doubts in _visit(
            given, doubt, size, stride, everything, some_channel, progress
        ):
            mean, spread = posterior(patches, with_variance)
            spread = None if spread is None else spread + doubts
            sums.add(mean, spread, rows, columns, size)
        reached = sums.counts > 0
        new = reached if everything else reached & missing
        restored[new] = sums.mean[new] / sums.counts[new]
        if sums.variance is not None:
            variance[new] = sums.variance[new] / sums.counts[new]
        filled = missing & reached
        given[filled], doubt[filled] = restored[filled], variance[filled]
        if not np.isnan(given).any():
            return restored, variance if with_variance else None
        everything = False
        if not filled.any():
            # Channels known in different places only: then patches with one of them must do; or
            # patches side by side, none of which has both known and missing pixels.
            if some_channel and (stride == 1 or size == 1):
                raise ValueError(f"Patches of {size} x {size} pixels cannot fill the others.")
            some_channel, stride = True, 1 if some_channel else stride
        progress.expect(len(_patches.corners(image.shape, size, stride)[0]))


class _Sums:
    """Sums over patches for every pixel."""

    def __init__(self, image: np.ndarray, with_variance: bool):
        self.mean = np.zeros_like(image)
        self.variance = np.zeros_like(image) if with_variance else None
        self.counts = np.zeros(image.shape, dtype=np.int32)

    def add(self, mean, spread, rows, columns, size) -> None:
        """Add patches (n, size², n_channels) at different corners.

        They meet no pixel at the same place in the patch.
        """
        for pixel in range(size * size):
            place = rows + pixel // size, columns + pixel % size
            self.mean[place] += mean[:, pixel]
            self.counts[place] += 1
            if self.variance is not None:
                self.variance[place] += spread[:, pixel]


def _visit(given, doubt, size, stride, everything, some_channel, progress):
    """Yield corners and patches, complete or not, and mean variances of what they show.

    Patches have known pixels in every channel, or in some, and a missing one or `everything`.
    """
    rows, columns = _patches.corners(given.shape, size, stride)
    step = max(1, _patches.STRIP_VALUES // (len(columns) * size * size * given.shape[2]))
    known, values, doubts = (_windows(array, size) for array in (~np.isnan(given), given, doubt))
    for start in range(0, len(rows), step):
        of_strip = rows[start : start + step]
        n_known = known[np.ix_(of_strip, columns)].sum(axis=(3, 4))
        usable = n_known.any(axis=2) if some_channel else n_known.all(axis=2)
        complete = np.all(n_known == size * size, axis=2)
        for chosen in (usable & ~complete, complete & everything):
            i, j = np.nonzero(chosen)
            if len(i):
                corner = of_strip[i], columns[j]
                seen = doubts[corner].sum(axis=(2, 3)) / np.maximum(n_known[i, j], 1)
                yield corner, _as_rows(values[corner]), seen[:, None]
        progress.advance(len(of_strip))


def _windows(image: np.ndarray, size: int) -> np.ndarray:
    """A view (n_rows, n_columns, n_channels, size, size)."""
    return np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(0, 1))


def _as_rows(windows: np.ndarray) -> np.ndarray:
    """Patches (n, n_channels, size, size) as (n, size², n_channels)."""
    return np.moveaxis(windows.reshape(*windows.shape[:2], -1), 1, -1)


def _offsets(patches: np.ndarray) -> np.ndarray:
    """Means of the known pixels of each patch and channel; of all channels where it has none."""
    known = ~np.isnan(patches)
    sums = np.where(known, patches, 0.0).sum(axis=1, keepdims=True)
    counts = known.sum(axis=1, keepdims=True)
    overall = sums.sum(axis=2, keepdims=True) / counts.sum(axis=2, keepdims=True)
    offsets = np.where(counts > 0, sums / np.maximum(counts, 1), overall)
    return offsets.astype(patches.dtype)
