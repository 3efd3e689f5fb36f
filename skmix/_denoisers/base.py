"""What all denoisers share: rows are clean rows of a learned density plus independent noise."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._interface import validation
from .._interface.callbacks import CallbackSupportMixin
from .._interface.versions import VersionedMixin
from .._mixtures.known import KnowsRows

# Rows with noise vary at least as much as the noise, but for chance.
MOST_NOISE = 3.0


class Posterior(NamedTuple):
    """What noisy rows say of the clean ones."""

    mean: np.ndarray  # (n_samples, n_features), in units of the rows
    variance: np.ndarray  # (n_samples, n_features), in squared units of the rows


class Denoiser(
    KnowsRows,
    CallbackSupportMixin,
    OneToOneFeatureMixin,
    TransformerMixin,
    VersionedMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """Interface of a denoiser; subclasses learn the density of clean rows."""

    noise_std: Any
    training_noise_std: Any

    _parameter_constraints: dict = {
        "noise_std": [validation.NON_NEGATIVE, "array-like"],
        "training_noise_std": [validation.NON_NEGATIVE, "array-like"],
    }

    # What a subclass defines ------------------------------------------------------------------

    @abstractmethod
    def _posterior(
        self, X: np.ndarray, noise_variance: np.ndarray, *, with_variance: bool
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return posterior means and variances for noise (1 or n_samples, n_features)."""

    @abstractmethod
    def _log_density(self, X: np.ndarray) -> np.ndarray:
        """Return the log density of clean rows."""

    @abstractmethod
    def sample(self, n_samples=1):
        """Draw clean rows."""

    def _validate(self, X: Any, **options: Any) -> np.ndarray:
        """Check rows; subclasses that take no missing cells refuse NaN."""
        return validation.validate_rows(self, X, **options)

    # Using a fit ------------------------------------------------------------------------------

    def transform(self, X, *, row_noise_std=None):
        """Return the posterior mean of the clean rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Noisy rows, NaN where a cell is missing.

        row_noise_std : float or array-like of shape (n_samples,), default=None
            Standard deviation of the noise in units of `X`, one for all or one per row; None
            takes `noise_std`, which is one for all or one per feature.

        Returns
        -------
        X_clean : ndarray of shape (n_samples, n_features)
            Expectations of the clean rows given the noisy ones; missing cells are filled in.

        Raises
        ------
        ValueError
            If `row_noise_std` is negative or not finite, or has the wrong shape.

        Examples
        --------
        >>> from skmix import MVNDenoiser
        >>> denoiser = MVNDenoiser(noise_std=1.0).fit([[-1.0], [1.0]])
        >>> denoiser.transform([[2.0]]).round(3)
        array([[1.]])
        >>> denoiser.transform([[2.0], [2.0]], row_noise_std=[0.0, 7.0]).round(2)
        array([[2.  ],
               [0.04]])
        """
        X, noise_variance = self._check_noisy(X, row_noise_std)
        return self._posterior(X, noise_variance, with_variance=False)[0]

    def posterior(self, X, *, row_noise_std=None):
        """Return the posterior mean and variance of the clean rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Noisy rows, NaN where a cell is missing.

        row_noise_std : float or array-like of shape (n_samples,), default=None
            Standard deviation of the noise in units of `X`, as in `transform`.

        Returns
        -------
        posterior : Posterior
            A named tuple of `mean` and `variance`, arrays of shape (n_samples, n_features), in
            units and squared units of `X`.

        Examples
        --------
        >>> from skmix import MVNDenoiser
        >>> denoiser = MVNDenoiser(noise_std=1.0).fit([[-1.0], [1.0]])
        >>> mean, variance = denoiser.posterior([[2.0]])
        >>> mean.round(3), variance.round(3)
        (array([[1.]]), array([[0.5]]))
        """
        X, noise_variance = self._check_noisy(X, row_noise_std)
        return Posterior(*self._posterior(X, noise_variance, with_variance=True))

    def inverse_transform(self, X):
        """Return the rows as they are: a pipeline behind PCA, inverted, gives clean rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            What `transform` returned.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            The same.

        Examples
        --------
        >>> from skmix import MVNDenoiser
        >>> MVNDenoiser().fit([[-1.0], [1.0]]).inverse_transform([[2.0]])
        array([[2.]])
        """
        check_is_fitted(self)
        X = validation.as_rows(X, "X")
        if X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} was fitted with "
                f"{self.n_features_in_}; pass what transform returned."
            )
        return X

    def score_samples(self, X):
        """Return the log density of clean rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Clean rows.

        Returns
        -------
        log_prob : ndarray of shape (n_samples,)
            Natural logarithms of the density (nats).

        Examples
        --------
        >>> from skmix import MVNDenoiser
        >>> MVNDenoiser().fit([[-1.0], [1.0]]).score_samples([[0.0]]).round(4)
        array([-0.9189])
        """
        check_is_fitted(self)
        return self._log_density(self._validate(X, reset=False))

    def score(self, X, y=None):
        """Return the mean log density of clean rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Clean rows.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        log_likelihood : float
            Mean log-likelihood per row (nats).

        Examples
        --------
        >>> from skmix import MVNDenoiser
        >>> round(MVNDenoiser().fit([[-1.0], [1.0]]).score([[-1.0], [1.0]]), 4)
        -1.4189
        """
        return float(np.mean(self.score_samples(X), dtype=np.float64))

    def _restore(self, X: np.ndarray, noise_std: float, *, best: bool) -> np.ndarray:
        """Denoise rows for an image, by the most probable component alone where it is `best`."""
        return self.transform(X, row_noise_std=noise_std)

    def _check_noisy(self, X, row_noise_std):
        check_is_fitted(self)
        X = self._validate(X, reset=False)
        if row_noise_std is None:
            noise_std = validation.check_noise_std(self.noise_std, X.shape[1], "noise_std")
            return X, noise_std[None] ** 2
        noise_std = validation.check_noise_std(row_noise_std, len(X), "row_noise_std", of="row")
        shape = (1 if np.all(noise_std == noise_std[0]) else len(X), X.shape[1])
        return X, np.broadcast_to(noise_std[: shape[0], None] ** 2, shape)

    def _training_noise_variance(self, X: np.ndarray) -> np.ndarray | None:
        """Return the variance of the noise in the columns of training rows; None without."""
        noise_std = validation.check_noise_std(
            self.training_noise_std, X.shape[1], "training_noise_std"
        )
        if not np.any(noise_std):
            return None
        _, rows = validation.drop_empty_rows(self, None, X)
        spread = np.sqrt(np.nanvar(rows, axis=0, dtype=np.float64))
        if np.all(noise_std > MOST_NOISE * spread):
            raise ValueError(
                f"training_noise_std={self.training_noise_std} is more than {MOST_NOISE:g} times "
                f"the standard deviation of every column of X, of which the largest is "
                f"{spread.max():.3g}: rows with so much noise vary more. Give it in units of X."
            )
        return noise_std**2

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
