"""What a prior says of noisy patches, of which pixels may be missing."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from .._denoisers import wiener
from .._mixtures.gaussian import GaussianMixture
from .._rows.sources import ArraySource
from ._noise_levels import NoiseStd, variances_of
from ._visitor import Corners, Restore


def patch_filter(prior: Any, noise_std: float, *, best: bool) -> Restore:
    """Restore complete patches by a prior, by its most probable component alone if `best`."""
    return lambda rows, at: (prior._restore(rows, noise_std, best=best), None)


# Variance of the unknown mean of a patch, in units of the largest mean variance of a component.
# A smaller one would hold the mean at that of the known pixels, a larger one cost digits.
MEAN_VARIANCE = 1e2


class PatchPosterior:
    """Posterior means and variances of patches.

    Parameters
    ----------
    prior : estimator
        A fitted denoiser.
    noise_std : NoiseStd
    remove_mean : bool
        Whether the prior is for patches less their mean, of which nothing is known beforehand.
    size : int
    n_channels : int
    with_variance : bool
    """

    def __init__(
        self,
        prior: Any,
        noise_std: NoiseStd,
        *,
        remove_mean: bool,
        size: int,
        n_channels: int,
        with_variance: bool,
    ) -> None:
        self.prior = prior
        self.noise_std = noise_std
        self.remove_mean = remove_mean
        self.size = size
        self.n_channels = n_channels
        self.with_variance = with_variance

    def __call__(self, rows: np.ndarray, at: Corners) -> tuple[np.ndarray, np.ndarray | None]:
        """Means and variances of rows (n, size² n_channels), all complete or none.

        Rows are less their means where these are removed. Incomplete ones have at least one
        known pixel each.
        """
        if not isinstance(self.noise_std, float):
            # The mean of a patch is inferred here too: pixels do not all say as much of it.
            return self._by_mixture(rows, variances_of(self.noise_std, self.size, at))
        if np.isnan(rows[0]).any():
            return self._by_mixture(rows, np.full((1, rows.shape[1]), self.noise_std**2))
        return self._complete(rows)

    def _complete(self, rows):
        if not self.with_variance:
            return self.prior.transform(rows, row_noise_std=self.noise_std), None
        mean, variance = self.prior.posterior(rows, row_noise_std=self.noise_std)
        if self.remove_mean:  # the noise of the mean stays
            variance = variance + self.noise_std**2 / (rows.shape[1] // self.n_channels)
        return mean, variance

    def _by_mixture(self, rows, noise_variance):
        family, params = self._mixture._dense_family()
        with ArraySource(rows) as source:
            return wiener.denoise(
                source, family, params, noise_variance, with_variance=self.with_variance
            )

    @cached_property
    def _mixture(self) -> GaussianMixture:
        """The prior as a mixture, the mean of a patch being one more unknown with flat prior.

        The mean of the observed pixels is not that of the patch. A large variance in the
        constant direction of every channel makes the mean a part of what is inferred.
        """
        if not hasattr(self.prior, "mixture_"):
            reason = "image has missing pixels, which"
            if not isinstance(self.noise_std, float):
                reason = "noise_std differs between pixels, which"
            raise ValueError(
                f"{reason} {type(self.prior).__name__} cannot work with. Use a GMMDenoiser, "
                "GSMDenoiser or MVNDenoiser as the prior."
            )
        mixture = self.prior.mixture_
        return with_flat_means(mixture, self.n_channels) if self.remove_mean else mixture


def with_flat_means(mixture: GaussianMixture, n_channels: int) -> GaussianMixture:
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
