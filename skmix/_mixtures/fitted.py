"""What every fitted mixture answers: components, densities, new rows, criteria."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
from scipy.special import entr
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.validation import check_is_fitted

from .._engine import em, few_rows
from .._families import Box
from .._interface import frames, survey, validation
from .._interface.chunks import as_chunks
from .._interface.html import FittedFactsMixin
from .._interface.versions import VersionedMixin
from .._interface.wording import check_random_state, truth
from .._rows.sources import ArraySource
from .._rows.threads import one_blas_thread
from . import estimates
from .chunkwise import for_chunks, lazily_by_chunks
from .estimates import Estimate

# What takes the place of the engine's row-wise functions where rows are few.
SCORES_OF_FEW = {
    em.predict: few_rows.predict,
    em.predict_proba: few_rows.predict_proba,
    em.score_samples: few_rows.score_samples,
}


class FittedMixture(
    FittedFactsMixin, DensityMixin, VersionedMixin, BaseEstimator, metaclass=ABCMeta
):
    """A mixture as its users see it once it is fitted."""

    # What a subclass defines ------------------------------------------------------------------

    @abstractmethod
    def _fitted_family(self) -> tuple[Any, Any]:
        """Return the family and the parameters that the learned attributes describe."""

    def _check_rows(self, X: np.ndarray, *, reset: bool) -> None:
        """Refuse rows that components cannot take, those of a fit if `reset`; NaN passed."""

    def _estimates(self) -> list[Estimate]:
        """Return the learned parameters, in units of the rows."""
        return estimates.of_params(self._fitted_family()[1])

    # Where there is a component of noise, these differ from those above and from `weights_`.

    def _fitted_gaussians(self) -> tuple[Any, Any]:
        """Return the family of the components that have means, and their parameters."""
        return self._fitted_family()

    def _all_weights(self) -> np.ndarray:
        """Return the weights of the components, and then that of the noise if there is any."""
        weights: np.ndarray = self.weights_
        return weights

    def _box(self) -> Box | None:
        """Return where the noise is uniform; None where there is none."""
        return None

    # A frame without rows that has the columns of the fit, where that was to a frame.
    _template: Any = None

    def _take_columns_of(self, whole: FittedMixture, features: np.ndarray) -> None:
        """Be a mixture of some features of another one, and know their columns as it does."""
        names = getattr(whole, "feature_names_in_", None)
        if names is not None:
            self.feature_names_in_ = names[features]
        self._template = frames.some_columns(whole._template, features)

    # What it answers --------------------------------------------------------------------------

    @lazily_by_chunks(lambda self: (), np.int64)
    def predict(self, X):
        """Return the most probable component of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or Chunks
            The rows, NaN where a cell is missing.

        Returns
        -------
        labels : ndarray of shape (n_samples,), Chunks or Dask array
            Component indices. Those of :class:`Chunks` are computed when they are read, here as
            in `predict_proba`, `score_samples` and `impute`, by the mixture as it is now; those
            of Dask collections are lazy in the same way.

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [4.0]], [[[1.0]], [[1.0]]])
        >>> gm.predict([[1.0], [3.0]])
        array([0, 1])
        """
        return self._score_rows(em.predict, self._validate_rows(X))

    @lazily_by_chunks(lambda self: (self._n_responsibilities(),))
    def predict_proba(self, X):
        """Return the responsibilities of the components for every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or Chunks
            The rows, NaN where a cell is missing.

        Returns
        -------
        resp : ndarray of shape (n_samples, n_components), or Chunks
            Posterior probabilities of the components; rows sum to 1.

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [4.0]], [[[1.0]], [[1.0]]])
        >>> gm.predict_proba([[2.0]])
        array([[0.5, 0.5]])
        """
        return self._score_rows(em.predict_proba, self._validate_rows(X))

    @lazily_by_chunks(lambda self: ())
    def score_samples(self, X):
        """Return the log density of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or Chunks
            The rows, NaN where a cell is missing.

        Returns
        -------
        log_prob : ndarray of shape (n_samples,), or Chunks
            Natural logarithms of the density (nats); of the observed cells, where cells are
            missing, and 0 for a row that is entirely missing.

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
        >>> gm.score_samples([[0.0]]).round(4)
        array([-0.9189])
        """
        X = self._validate_rows(X)
        log_prob = self._score_rows(em.score_samples, X)
        # Rows that are entirely missing score 0, not the rounding of a sum of weights.
        near = np.flatnonzero(np.abs(log_prob) < 1e-4)
        empty = self._are_empty(X[near]) if len(near) else None
        if empty is not None:
            log_prob[near[empty]] = 0.0
        return log_prob

    def score(self, X, y=None, sample_weight=None):
        """Return the mean log-likelihood of the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or Chunks
            The rows, NaN where a cell is missing. Rows that are entirely missing count nowhere.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights: a row of weight w counts as w rows.

        Returns
        -------
        log_likelihood : float
            Mean log-likelihood per row (nats).

        Raises
        ------
        ValueError
            If every row is entirely missing, or weights are negative or all zero.

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
        >>> round(gm.score([[-1.0], [1.0]]), 4)
        -1.4189
        """
        log_likelihood, n_rows = self._log_likelihood(X, sample_weight)
        return log_likelihood / n_rows

    def sample(self, n_samples=1, random_state=None, *, shuffle=False):
        """Draw rows from the fitted mixture.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.

        random_state : int, RandomState instance or None, default=None
            Controls the draws; None takes the mixture's own `random_state`.

        shuffle : bool, default=False
            Whether the rows come in random order; they are grouped by component otherwise.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            The rows. A mixture that was fitted to a DataFrame of pandas or polars draws one, with
            its names and dtypes; integers are rounded.

        y : ndarray of shape (n_samples,)
            The component of every row.

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [[[1.0, 0], [0, 1.0]]])
        >>> X, y = gm.sample(3)
        >>> X.shape, y
        ((3, 2), array([0, 0, 0]))
        """
        check_is_fitted(self)
        n_samples = validation.check_n_samples(n_samples)
        rng = check_random_state(self.random_state if random_state is None else random_state)
        X, y = self._sample(n_samples, rng, shuffle)
        return self._as_fitted(X), y

    def _as_fitted(self, X):
        """Return drawn rows as the frame that was fitted, or as they are."""
        if self._template is None:
            return X
        return frames.make_frame(self._template, frames.round_integers(self._template, X.T))

    @one_blas_thread()
    def _sample(self, n_samples, random_state, shuffle=False):
        family, params = self._fitted_family()
        counts = random_state.multinomial(n_samples, params.weights / params.weights.sum())
        drawn = [family.sample(params, k, int(n), random_state) for k, n in enumerate(counts)]
        X, y = np.concatenate(drawn), np.repeat(np.arange(len(counts)), counts)
        if truth(shuffle, "shuffle"):
            order = random_state.permutation(len(y))
            X, y = X[order], y[order]
        return X, y

    def aic(self, X, sample_weight=None):
        """Return Akaike's information criterion on the rows; lower is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or Chunks
            The rows, NaN where a cell is missing. Rows that are entirely missing count nowhere.

        sample_weight : array-like of shape (n_samples,), default=None
            How often each row was seen.

        Returns
        -------
        aic : float
            -2 log-likelihood + 2 (number of free parameters).

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
        >>> round(gm.aic([[-1.0], [1.0]]), 4)
        9.6758
        """
        log_likelihood, _ = self._log_likelihood(X, sample_weight)
        return -2.0 * log_likelihood + 2.0 * self._n_parameters()

    def bic(self, X, sample_weight=None):
        """Return the Bayesian information criterion on the rows; lower is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or Chunks
            The rows, NaN where a cell is missing. Rows that are entirely missing count nowhere.

        sample_weight : array-like of shape (n_samples,), default=None
            How often each row was seen.

        Returns
        -------
        bic : float
            -2 log-likelihood + log(number of rows) (number of free parameters).

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
        >>> round(gm.bic([[-1.0], [1.0]]), 3)
        7.062
        >>> round(gm.bic([[1.0]], sample_weight=[2.0]), 3)
        7.062
        """
        log_likelihood, n_rows = self._log_likelihood(X, sample_weight)
        return -2.0 * log_likelihood + self._n_parameters() * float(np.log(n_rows))

    def _log_likelihood(self, X, sample_weight) -> tuple[float, float]:
        """Return the log-likelihood of weighted rows (nats), and how many they are."""
        log_likelihood, n_rows, _ = self._totals(X, sample_weight)
        return log_likelihood, n_rows

    def _totals(self, X, sample_weight, *, entropy=False) -> tuple[float, float, float]:
        """Return the log-likelihood of weighted rows (nats), how many they are, and their entropy.

        The entropy (nats) is that of responsibilities, 0 unless it is asked for.
        """
        chunks = as_chunks(X, sample_weight)
        if chunks is None:
            parts = [_totals_of(self, entropy, [(X, sample_weight)])]
        else:
            frozen = for_chunks(self, chunks)
            parts = survey.by_parts(chunks, partial(_totals_of, frozen, entropy))
        totals = np.add.reduce(parts)
        _refuse_empty(totals[1])
        log_likelihood, n_rows, total_entropy = totals.tolist()
        return log_likelihood, n_rows, total_entropy

    def _effective_weight(self, X, sample_weight) -> np.ndarray:
        """Return weights of validated rows, 0 where a row is entirely missing, not all 0."""
        weight = self._weights_less_empty(X, sample_weight)
        _refuse_empty(weight.sum())
        return weight

    def _weights_less_empty(self, X, sample_weight) -> np.ndarray:
        weight = validation.check_sample_weight(sample_weight, X)
        weight = np.ones(len(X)) if weight is None else weight
        empty = self._are_empty(X)
        return weight if empty is None else np.where(empty, 0.0, weight)

    def _are_empty(self, X) -> np.ndarray | None:
        """Return a mask of validated rows that are entirely missing; None where none is."""
        return np.isnan(X).all(axis=1) if validation.has_missing(X) else None

    def _n_responsibilities(self):
        family, params = self._fitted_family()
        return family.n_components(params)

    def _n_parameters(self):
        family, params = self._fitted_family()
        return family.n_parameters(params)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _log_prob_of_few(self, X) -> np.ndarray | None:
        """Log weight + log density (n_components, n_rows) of rows so few that this is quicker."""
        return None

    def _validate_rows(self, X):
        validation.check_fitted(self)
        rows = validation.validate_mapped_rows(self, X, reset=False)
        self._check_rows(rows, reset=False)
        return rows

    def _score_rows(self, score, X):
        """Apply one of the engine's row-wise functions to validated rows."""
        log_prob = self._log_prob_of_few(X)
        if log_prob is not None:
            return SCORES_OF_FEW[score](log_prob, X.dtype)
        with ArraySource(X) as source:
            return score(source, *self._fitted_family())


def _totals_of(mixture: Any, entropy: bool, pieces: Iterable[tuple[Any, Any]]) -> np.ndarray:
    """Return log-likelihood, weight and entropy of pieces of rows, given with their weights."""
    totals = np.zeros(3)
    for rows, given in pieces:
        rows = mixture._validate_rows(rows)
        weight = mixture._weights_less_empty(rows, given)
        log_density = mixture._score_rows(em.score_samples, rows)
        totals[0] += weight @ log_density.astype(np.float64)
        totals[1] += weight.sum()
        if entropy:
            resp = mixture._score_rows(em.predict_proba, rows).astype(np.float64)
            totals[2] += weight @ entr(resp).sum(axis=1)
    return totals


def _refuse_empty(total_weight: float) -> None:
    if total_weight == 0:
        raise ValueError(
            "Every row of X of positive weight is entirely missing, which says nothing about "
            "a mixture. Pass rows with observed cells."
        )
