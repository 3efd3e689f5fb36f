"""What a fitted mixture of numbers says of missing cells: draws, errors, densities."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._interface import frames, validation
from .._interface.wording import check_random_state
from .._mixtures.gaussian import GaussianMixture
from .bounds import check_bounds, drawn_within

# What fills columns of which nothing was seen.
NOTHING = 0.0


class SeenCells:
    """Methods of an inpainter with `mixture_`, fitted to the columns that are not empty."""

    mixture_: GaussianMixture
    refits_: list[GaussianMixture]
    empty_features_: np.ndarray
    n_features_in_: int
    keep_empty_features: bool
    random_state: Any

    def multiple_imputations(self, X, n_imputations=None, random_state=None):
        """Draw the missing cells several times: multiple imputations.

        With `n_refits` every imputation has parameters of its own, those of the refits in turn,
        so that the spread between imputations contains what is unknown of parameters;
        :func:`~skmix.metrics.pool_estimates` then gives intervals.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        n_imputations : int, default=None
            The number of draws; None makes one for every refit, and 5 without refits.

        random_state : int, RandomState instance or None, default=None
            Controls the draws; None takes the inpainter's own.

        Returns
        -------
        imputations : list of ndarray or DataFrame of shape (n_samples, n_features_out)
            Copies of the rows without missing cells, as many as there are draws; with the columns
            of `transform` but those of `add_indicator`, and frames where `X` is one.

        Raises
        ------
        ValueError
            If `n_imputations` is less than 1.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix import ConditionalGMMInpainter
        >>> inpainter = ConditionalGMMInpainter(shrinkage=0.0)
        >>> inpainter = inpainter.fit([[0.0, 0.0], [1.0, 3.0], [2.0, 0.0]])
        >>> draws = inpainter.multiple_imputations([[1.0, np.nan]], 300, random_state=0)
        >>> len(draws), round(float(np.std([draw[0, 1] for draw in draws])), 1)
        (300, 1.4)
        """
        check_is_fitted(self)
        if n_imputations is None:
            n_imputations = len(self.refits_) or 5
        n_imputations = validation.check_n_samples(n_imputations, "n_imputations")
        rng = check_random_state(self.random_state if random_state is None else random_state)
        given, X = X, self._validate(X, reset=False)
        draws = [self._draw(X, i, rng) for i in range(n_imputations)]
        if not frames.is_frame(given):
            return draws
        kept = np.arange(self.n_features_in_)
        if not self.keep_empty_features:
            kept = np.delete(kept, self.empty_features_)
        given, holes = frames.some_columns(given, kept), np.isnan(X[:, kept])
        return [frames.fill(given, holes, draw.T) for draw in draws]

    def predict_std(self, X):
        """Return the posterior standard deviations of the missing cells.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        std : ndarray of shape (n_samples, n_features_out)
            In units of `X`; 0 for observed cells, NaN in columns that were entirely missing in
            `fit`. With bounds, those of the densities that are not truncated.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix import ConditionalGMMInpainter
        >>> inpainter = ConditionalGMMInpainter(shrinkage=0.0)
        >>> inpainter = inpainter.fit([[0.0, 0.0], [1.0, 3.0], [2.0, 0.0]])
        >>> inpainter.predict_std([[1.0, np.nan]]).round(3)
        array([[0.   , 1.414]])
        """
        check_is_fitted(self)
        seen = self._seen(self._validate(X, reset=False))
        return self._completed(nameless(self.mixture_).impute(seen, return_std=True)[1], np.nan)

    def score_samples(self, X):
        """Return the log density of the observed cells of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        log_prob : ndarray of shape (n_samples,)
            Natural logarithms of the density (nats), 0 for a row that is entirely missing.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix import ConditionalGMMInpainter
        >>> inpainter = ConditionalGMMInpainter().fit([[-1, -1], [1, -1], [-1, 1], [1, 1]])
        >>> inpainter.score_samples([[0.0, np.nan], [np.nan, np.nan]]).round(4)
        array([-0.9189,  0.    ])
        """
        check_is_fitted(self)
        seen = self._seen(self._validate(X, reset=False))
        return nameless(self.mixture_).score_samples(seen)

    def score(self, X, y=None):
        """Return the mean log density of the rows, by which a search can choose `n_components`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        log_likelihood : float
            Mean log-likelihood of the observed cells per row (nats).

        Examples
        --------
        >>> from skmix import ConditionalGMMInpainter
        >>> inpainter = ConditionalGMMInpainter().fit([[-1.0], [1.0]])
        >>> round(inpainter.score([[-1.0], [1.0]]), 4)
        -1.4189
        """
        check_is_fitted(self)
        return nameless(self.mixture_).score(self._seen(self._validate(X, reset=False)))

    # How --------------------------------------------------------------------------------------

    def _seen(self, X: np.ndarray) -> np.ndarray:
        """Return the columns that the mixture knows."""
        return np.delete(X, self.empty_features_, axis=1) if len(self.empty_features_) else X

    def _completed(self, seen: np.ndarray, nothing: float = NOTHING) -> np.ndarray:
        """Return columns that the mixture knows, with those it does not where they are kept."""
        if len(self.empty_features_) == 0 or not self.keep_empty_features:
            return seen
        rows = np.full((len(seen), self.n_features_in_), nothing, dtype=seen.dtype)
        rows[:, np.delete(np.arange(self.n_features_in_), self.empty_features_)] = seen
        return rows

    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        low, high = check_bounds(self, self.n_features_in_)
        return np.delete(low, self.empty_features_), np.delete(high, self.empty_features_)

    def _draw(self, X: np.ndarray, i: int, rng: np.random.RandomState) -> np.ndarray:
        """Return rows with one draw of their missing cells, by the i-th of the refits."""
        mixture = self.refits_[i % len(self.refits_)] if self.refits_ else self.mixture_
        view = nameless(mixture)

        def draw(rows: np.ndarray, n_draws: int) -> np.ndarray:
            return view.sample_conditional(rows, n_draws, random_state=rng)

        (drawn,) = drawn_within(self._seen(X), draw, self._bounds())
        return self._completed(drawn)


def nameless(mixture: Any) -> Any:
    """Return a view of a mixture that takes arrays without a warning that they have no names."""
    view = copy.copy(mixture)
    if hasattr(view, "feature_names_in_"):
        del view.feature_names_in_
    return view
