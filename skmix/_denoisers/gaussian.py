"""What denoisers have in common whose density of clean rows is a Gaussian mixture."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._mixtures.gaussian import GaussianMixture
from .._rows.sources import ArraySource
from .._rows.threads import one_blas_thread
from . import wiener
from .base import Denoiser


class GaussianPrior(Denoiser):
    """A denoiser that holds its density as `mixture_`."""

    mixture_: GaussianMixture
    # Components that an image patch has less of than this are not computed.
    NEGLIGIBLE = 1e-6

    @one_blas_thread()
    def _posterior(self, X, noise_variance, *, with_variance):
        family, params = self.mixture_._dense_family()
        with ArraySource(X) as source:
            return wiener.denoise(
                source, family, params, noise_variance, with_variance=with_variance
            )

    @one_blas_thread()
    def _restore(self, X, noise_std, *, best):
        family, params = self.mixture_._dense_family()
        noise_variance = np.full(X.shape[1], noise_std**2)
        with ArraySource(X) as source:
            if best:
                return wiener.denoise_by_best(source, family, params, noise_variance)
            restored, _ = wiener.denoise(
                source,
                family,
                params,
                noise_variance[None],
                with_variance=False,
                negligible=self.NEGLIGIBLE,
            )
        return restored

    def _log_density(self, X):
        return self.mixture_.score_samples(X)

    def sample(self, n_samples=1):
        """Draw clean rows.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            The rows, grouped by component.

        y : ndarray of shape (n_samples,)
            The component of every row.

        Examples
        --------
        >>> from skmix import MVNDenoiser
        >>> X, y = MVNDenoiser().fit([[-1.0], [1.0]]).sample(3)
        >>> X.shape, y
        ((3, 1), array([0, 0, 0]))
        """
        check_is_fitted(self)
        return self.mixture_.sample(n_samples)


def less_noise(covariance: np.ndarray, noise_variance: np.ndarray) -> np.ndarray:
    """Maximum-likelihood covariance of rows whose noisy versions have this covariance."""
    # In units of the noise it is isotropic; features without noise are as good as hardly noisy.
    floor = np.finfo(np.float64).eps * np.diagonal(covariance).max()
    scale = np.sqrt(np.maximum(noise_variance, floor))
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    clean = (vectors * np.maximum(values - 1.0, 0.0)) @ vectors.T
    return np.outer(scale, scale) * clean
