"""Marginals, conditionals, draws and fillings of a mixture of several kinds of columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._engine import em, posteriors
from .._families import Frame, GaussianParams
from .._interface import columns, frames, validation
from .._interface.wording import check_random_state, learned, truth
from .._rows.sources import ArraySource
from .._rows.threads import one_blas_thread
from .chunkwise import lazily_by_chunks
from .mixed_fit import MixedFit


class MixedConditioning(MixedFit):
    """What a fitted mixture says of some columns given others."""

    @one_blas_thread()
    def marginal(self, features):
        """Return the mixture of some of the columns.

        Parameters
        ----------
        features : array-like of int or str, or a boolean mask
            Indices or names of the columns, in the order that is wanted.

        Returns
        -------
        mixture : MixedMixture
            A fitted mixture of these columns.

        Raises
        ------
        ValueError
            If a column does not exist, comes twice, or none is asked for.

        Examples
        --------
        >>> from skmix import MixedMixture
        >>> X = [["a", 0.0], ["a", 1.0], ["b", 5.0], ["b", 6.0]]
        >>> MixedMixture(random_state=0).fit(X).marginal([1]).means_
        array([[3.]])
        """
        check_is_fitted(self)
        features = validation.check_features(self, features)
        numbers = _ranks(self._places("gaussian"), features)
        covariances = learned(self, "covariances_")
        means = self.means_[:, numbers]
        if len(numbers):
            family, _ = self._numbers(self._learned_of_numbers())._fitted_family()
            covariances = family.marginal_covariances(covariances, numbers)
        return self._new_mixture(self.weights_, means, covariances, features)

    @one_blas_thread()
    def condition(self, X):
        r"""Return, for every row, the mixture of its missing columns given the observed ones.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            The rows, missing at the columns that the mixtures are to describe.

        Returns
        -------
        mixtures : list of MixedMixture
            One fitted mixture per row, of the row's missing columns in their order, with weights
            :math:`\pi_{k|o} \propto \pi_k\, p_k(x_o)`, the conditional means and covariances of
            the missing numbers given the observed ones, and the rates and probabilities of the
            missing counts and categories.

        Raises
        ------
        ValueError
            If a row has no missing column.

        Examples
        --------
        >>> from skmix import MixedMixture
        >>> X = [["a", 0.0], ["a", 1.0], ["b", 5.0], ["b", 6.0]]
        >>> mixture = MixedMixture(2, random_state=0).fit(X)
        >>> (conditional,) = mixture.condition([["a", None]])
        >>> conditional.means_[0].round(1), conditional.weights_.round(2)
        (array([0.5]), array([1., 0.]))
        """
        rows = self._validate_rows(X)
        missing = np.isnan(rows)
        complete = np.flatnonzero(~missing.any(axis=1))
        if len(complete):
            raise ValueError(
                f"Row {complete[0]} of X has no missing column (NaN or None), so nothing is left "
                "to describe. Pass rows without a value in the columns that are asked for."
            )
        resp = self._score_rows(em.predict_proba, rows).astype(np.float64)
        places = self._places("gaussian")
        given = None
        if len(places):
            family, params = self._numbers(self._learned_of_numbers())._fitted_family()
            given = family.conditional(family.from_frame(params))
        mixtures = []
        for row, weights, holes in zip(rows.astype(np.float64), resp, missing, strict=True):
            means, covariances = self.means_[:, :0], self.covariances_
            if given is not None and holes[places].any():
                means, covariances = given(row[places])
            weights = weights / weights.sum()
            mixtures.append(self._new_mixture(weights, means, covariances, np.flatnonzero(holes)))
        return mixtures

    @lazily_by_chunks(lambda self: (self.n_features_in_,), "given", framed=True)
    def impute(self, X, *, return_std=False, round_integers=False):
        """Fill missing cells given the observed cells of their row.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            The rows, with missing cells.

        return_std : bool, default=False
            Whether to return how uncertain the filled cells are, too.

        round_integers : bool, default=False
            Whether fillings of counts, and of columns of integers of a DataFrame, are rounded.

        Returns
        -------
        X_filled : ndarray or DataFrame of shape (n_samples, n_features)
            A copy of the rows. Numbers and counts are filled with their expectation, categories
            with the most probable one. Columns of a DataFrame keep their dtype where it can hold
            what is filled in.

        std : ndarray of shape (n_samples, n_features)
            Posterior standard deviations of numbers and counts, in their units, and the
            probabilities that a filled category is another one; 0 for observed cells. Only with
            ``return_std=True``.

        Examples
        --------
        >>> from skmix import MixedMixture
        >>> X = [["a", 0.0], ["a", 1.0], ["b", 5.0], ["b", 6.0]]
        >>> MixedMixture(2, random_state=0).fit(X).impute([["a", None], [None, 5.1]])
        array([['a', 0.5],
               ['b', 5.1]], dtype=object)
        """
        rows = self._validate_rows(X)
        filled, std = self._expected(rows)
        if truth(round_integers, "round_integers"):
            whole = self._whole(X)
            filled[:, whole] = np.where(np.isnan(rows), np.rint(filled), rows)[:, whole]
        X_filled = columns.fill(X, rows, filled, self.families_, self.categories_)
        return (X_filled, std) if truth(return_std, "return_std") else X_filled

    def sample_conditional(self, X, n_draws=1, random_state=None):
        """Draw the missing cells of rows given their observed cells.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            The rows, with missing cells.

        n_draws : int, default=1
            Number of draws per row.

        random_state : int, RandomState instance or None, default=None
            Controls the draws; None takes the mixture's own `random_state`.

        Returns
        -------
        draws : ndarray of shape (n_draws, n_samples, n_features) or list of DataFrame
            Copies of the rows without missing cells; one frame per draw where `X` is a
            DataFrame, with integers in columns of integers.

        Raises
        ------
        ValueError
            If `n_draws` is less than 1.

        Examples
        --------
        >>> from skmix import MixedMixture
        >>> X = [["a", 0.0], ["a", 1.0], ["b", 5.0], ["b", 6.0]]
        >>> mixture = MixedMixture(2, random_state=0).fit(X)
        >>> mixture.sample_conditional([[None, 5.1]], 3)[:, 0, 0]
        array(['b', 'b', 'b'], dtype=object)
        """
        rows = self._validate_rows(X)
        n_draws = validation.check_n_samples(n_draws, "n_draws")
        rng = check_random_state(self.random_state if random_state is None else random_state)
        draws = self._drawn(rows, n_draws, rng)
        if frames.is_frame(X):
            whole = self._whole(X)
            draws[:, :, whole] = np.where(np.isnan(rows), np.rint(draws), rows)[:, :, whole]
        filled = [columns.fill(X, rows, own, self.families_, self.categories_) for own in draws]
        return filled if frames.is_frame(X) else np.stack(filled)

    # How --------------------------------------------------------------------------------------

    def _whole(self, X: Any) -> np.ndarray:
        """Return the positions of columns of counts and of integers."""
        whole = self.families_ == "poisson"
        template = self._template
        if template is not None:
            integers = np.array(frames.holds_integers(template))
            whole = whole | (integers & (self.families_ == "gaussian"))
        return np.flatnonzero(whole)

    def _learned_of_numbers(self) -> dict[str, Any]:
        names = ("weights_", "means_", "covariances_", "precisions_cholesky_")
        return {name: getattr(self, name) for name in names}

    def _filled(self, rows: np.ndarray) -> np.ndarray:
        """Return encoded rows with their missing cells filled in."""
        return self._expected(rows)[0]

    def _expected(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return rows with the expectations of missing cells, and how uncertain these are."""
        (incomplete,) = np.nonzero(np.isnan(rows).any(axis=1))
        filled, std = rows.copy(), np.zeros_like(rows)
        if len(incomplete):
            filled[incomplete], std[incomplete] = self._expected_of(rows[incomplete])
        return filled, std

    def _drawn(self, rows: np.ndarray, n_draws: int, rng: Any) -> np.ndarray:
        """Return draws (n_draws, n_samples, n_features) of encoded rows."""
        (incomplete,) = np.nonzero(np.isnan(rows).any(axis=1))
        draws = np.repeat(rows[None], n_draws, axis=0)
        if len(incomplete):
            draws[:, incomplete] = self._draws_of(rows[incomplete], n_draws, rng)
        return draws

    def _expected_of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return incomplete rows with their expectations, and how uncertain these are."""
        resp = self._score_rows(em.predict_proba, rows).astype(np.float64)
        mean, std = rows.astype(np.float64), np.zeros(rows.shape)
        numbers = self._places("gaussian")
        if len(numbers):
            family, params = self._numbers(self._learned_of_numbers())._fitted_family()
            with ArraySource(mean[:, numbers]) as source:
                filled, spread = posteriors.impute(
                    source, family, params, return_std=True, resp=resp
                )
            mean[:, numbers], std[:, numbers] = filled, spread
        counts = self._places("poisson")
        rates = np.asarray(self.rates_, dtype=np.float64)
        mean[:, counts] = resp @ rates
        variance = resp @ (rates + rates**2) - mean[:, counts] ** 2
        std[:, counts] = np.sqrt(np.maximum(variance, 0.0))
        for j, table in zip(self._places("categorical"), self.probabilities_, strict=True):
            chances = resp @ table
            mean[:, j] = np.argmax(chances, axis=1)
            std[:, j] = 1.0 - chances.max(axis=1)
        missing = np.isnan(rows)
        return np.where(missing, mean, rows), np.where(missing, std, 0.0)

    def _draws_of(self, rows: np.ndarray, n_draws: int, rng: Any) -> np.ndarray:
        """Return draws (n_draws, n_samples, n_features) of incomplete rows."""
        resp = self._score_rows(em.predict_proba, rows).astype(np.float64)
        labels = posteriors.draw_labels(resp.T, n_draws, rng)
        drawn = np.repeat(rows[None].astype(np.float64), n_draws, axis=0)
        numbers, counts = self._places("gaussian"), self._places("poisson")
        if len(numbers):
            family, params = self._numbers(self._learned_of_numbers())._fitted_family()
            with ArraySource(drawn[0][:, numbers], in_order=True) as source, one_blas_thread():
                drawn[:, :, numbers] = posteriors.sample_missing(
                    source, family, params, n_draws, rng, labels
                )
        if len(counts):
            drawn[:, :, counts] = rng.poisson(np.asarray(self.rates_, np.float64)[labels])
        for j, table in zip(self._places("categorical"), self.probabilities_, strict=True):
            edges = np.cumsum(np.asarray(table, np.float64), axis=1)[labels]
            levels = rng.random_sample(labels.shape) * edges[..., -1]
            drawn[:, :, j] = np.sum(levels[..., None] >= edges[..., :-1], axis=-1)
        return np.where(np.isnan(rows), drawn, rows)

    def _new_mixture(self, weights, means, covariances, features):
        """Make a fitted mixture of some columns, with this one's other settings."""
        kinds = self.families_[features]
        names = getattr(self, "feature_names_in_", None)
        keys = range(len(features)) if names is None else names[features].tolist()
        mixture = type(self)(
            len(weights),
            covariance_type=self.covariance_type,
            families=dict(zip(keys, kinds.tolist(), strict=True)),
            handle_unknown=self.handle_unknown,
            alpha=self.alpha,
            random_state=self.random_state,
        )
        mixture.families_ = kinds
        answers = _ranks(self._places("categorical"), features)
        learned: dict[str, Any] = {
            "weights_": np.asarray(weights),
            "rates_": self.rates_[:, _ranks(self._places("poisson"), features)],
            "probabilities_": [self.probabilities_[i] for i in answers],
            "categories_": [self.categories_[i] for i in answers],
        }
        learned.update(self._new_numbers(weights, means, covariances))
        vars(mixture).update(learned)
        mixture.n_features_in_ = len(features)
        mixture.converged_, mixture.n_iter_ = True, 0
        mixture.lower_bound_, mixture.lower_bounds_ = float("nan"), []
        mixture._take_columns_of(self, features)
        return mixture

    def _new_numbers(self, weights, means, covariances) -> dict[str, Any]:
        if means.shape[1] == 0:
            learned = self._without_numbers(len(weights), self.weights_.dtype)
            del learned["reg_covar_"], learned["shrinkage_"]  # of rows that were seen
            return learned
        family, _ = self._numbers(self._learned_of_numbers())._fitted_family()
        plain = type(family)(Frame.identity(means.shape[1]))
        params = GaussianParams(np.asarray(weights), means, *plain.factor(covariances))
        learned = self._learned_numbers(plain, params, means.dtype)
        del learned["reg_covar_"], learned["shrinkage_"]
        return learned


def _ranks(places: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Return which of some places the features have, in the order of the features."""
    rank = {place: i for i, place in enumerate(places.tolist())}
    return np.array([rank[j] for j in features.tolist() if j in rank], dtype=np.int64)
