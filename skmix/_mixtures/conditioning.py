"""Marginals and conditionals of a fitted Gaussian mixture."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._engine import em, posteriors
from .._interface import frames, validation
from .._interface.wording import check_random_state, truth
from .._rows.sources import ArraySource
from .._rows.threads import one_blas_thread
from .chunkwise import lazily_by_chunks
from .fitted import FittedMixture


class ConditioningMixin(FittedMixture):
    """What a fitted mixture says of some features given others."""

    random_state: Any
    weights_: np.ndarray
    means_: np.ndarray
    covariances_: np.ndarray

    @abstractmethod
    def _new_mixture(
        self, weights: np.ndarray, means: np.ndarray, covariances: np.ndarray, features: np.ndarray
    ) -> Any:
        """Return a fitted mixture of some features, with this one's other settings.

        The last weight is that of the noise, where there is a component for it.
        """

    @one_blas_thread()
    def marginal(self, features):
        """Return the mixture of some of the features.

        Parameters
        ----------
        features : array-like of int or str, or a boolean mask
            Indices or names of the features, in the order that is wanted.

        Returns
        -------
        mixture : estimator
            A fitted mixture of the same type.

        Raises
        ------
        ValueError
            If a feature does not exist, comes twice, or none is asked for.

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([1.0], [[0.0, 5.0]], [[[1.0, 0.5], [0.5, 2.0]]])
        >>> gm.marginal([1]).covariances_
        array([[[2.]]])
        """
        check_is_fitted(self)
        features = validation.check_features(self, features)
        family, _ = self._fitted_gaussians()
        covariances = family.marginal_covariances(self.covariances_, features)
        means = self.means_[:, features]
        return self._new_mixture(self._all_weights(), means, covariances, features)

    @one_blas_thread()
    def condition(self, X):
        r"""Return, for every row, the mixture of its missing features given the observed ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows, NaN at the features that the mixtures are to describe.

        Returns
        -------
        mixtures : list of estimators
            One fitted mixture per row, of the row's missing features in their order, with
            weights :math:`\pi_{k|o} \propto \pi_k N(x_o; \mu_o, \Sigma_{oo})`, means
            :math:`\mu_m + \Sigma_{mo} \Sigma_{oo}^{-1} (x_o - \mu_o)` and covariances
            :math:`\Sigma_{mm} - \Sigma_{mo} \Sigma_{oo}^{-1} \Sigma_{om}`.

        Raises
        ------
        ValueError
            If a row has no missing feature.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([1.0], [[0.0, 5.0]], [[[1.0, 0.5], [0.5, 2.0]]])
        >>> (conditional,) = gm.condition([[2.0, np.nan]])
        >>> conditional.means_, conditional.covariances_
        (array([[6.]]), array([[[1.75]]]))
        """
        X = self._validate_rows(X)
        missing = np.isnan(X)
        complete = np.flatnonzero(~missing.any(axis=1))
        if len(complete):
            raise ValueError(
                f"Row {complete[0]} of X has no missing feature (NaN), so nothing is left to "
                "describe. Pass rows with NaN at the features that are asked for."
            )
        resp = self._score_rows(em.predict_proba, X).astype(np.float64)
        family, params = self._fitted_gaussians()
        given = family.conditional(family.from_frame(params))
        return [
            self._new_mixture(weights / weights.sum(), *given(row), np.flatnonzero(np.isnan(row)))
            for row, weights in zip(X.astype(np.float64), resp, strict=True)
        ]

    @lazily_by_chunks(lambda self: (self.n_features_in_,), framed=True)
    def impute(self, X, *, return_std=False, round_integers=False):
        """Fill missing cells with their posterior mean given the observed cells of their row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or Chunks
            The rows, NaN where a cell is missing.

        return_std : bool, default=False
            Whether to return posterior standard deviations too.

        round_integers : bool, default=False
            Whether fillings are rounded in columns of integers of a DataFrame, that of `X` or of
            the fit.

        Returns
        -------
        X_filled : ndarray or DataFrame of shape (n_samples, n_features)
            A copy of the rows without missing cells. Columns of a DataFrame keep their dtype
            where it can hold what is filled in.

        std : ndarray of shape (n_samples, n_features)
            Posterior standard deviations in units of `X`, 0 for observed cells. Only with
            ``return_std=True``.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([1.0], [[0.0, 5.0]], [[[1.0, 0.5], [0.5, 2.0]]])
        >>> gm.impute([[2.0, np.nan]])
        array([[2., 6.]])
        """
        given, X = X, self._validate_rows(X)
        return_std = truth(return_std, "return_std")
        with ArraySource(X) as source:
            family, params = self._fitted_family()
            filled, std = posteriors.impute(source, family, params, return_std=return_std)
        filled = self._as_given(given, X, filled, round_integers=round_integers)
        return (filled, std) if return_std else filled

    def _as_given(self, given, X, filled, *, round_integers):
        """Return filled rows as the frame whose holes they fill, or as they are."""
        holes = np.isnan(X)
        if truth(round_integers, "round_integers"):
            for frame in (self._template, given):
                if frames.is_frame(frame):
                    rounded = np.stack(frames.round_integers(frame, filled.T), axis=1)
                    filled = np.where(holes, rounded, filled)
        return frames.fill(given, holes, filled.T) if frames.is_frame(given) else filled

    def sample_conditional(self, X, n_draws=1, random_state=None):
        """Draw the missing cells of rows given their observed cells.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows, NaN where a cell is missing.

        n_draws : int, default=1
            Number of draws per row.

        random_state : int, RandomState instance or None, default=None
            Controls the draws; None takes the mixture's own `random_state`.

        Returns
        -------
        draws : ndarray of shape (n_draws, n_samples, n_features) or list of DataFrame
            Copies of the rows without missing cells; one frame per draw where `X` is a DataFrame,
            with integers in columns of integers.

        Raises
        ------
        ValueError
            If `n_draws` is less than 1.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([1.0], [[0.0, 5.0]], [[[1.0, 0.5], [0.5, 2.0]]])
        >>> draws = gm.sample_conditional([[2.0, np.nan]], 1000, random_state=0)
        >>> draws.shape, round(draws[:, 0, 1].mean())
        ((1000, 1, 2), 6)
        """
        given, X = X, self._validate_rows(X)
        n_draws = validation.check_n_samples(n_draws, "n_draws")
        random_state = self.random_state if random_state is None else random_state
        with ArraySource(X, in_order=True) as source:
            family, params = self._fitted_family()
            draws = posteriors.sample_missing(
                source, family, params, n_draws, check_random_state(random_state)
            )
        if not frames.is_frame(given):
            return draws
        return [self._as_given(given, X, rows, round_integers=True) for rows in draws]
