"""Criteria for the number of components that need the responsibilities or other penalties."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.special import entr
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import _num_samples, check_is_fitted

from .._interface.wording import truth
from .fitted import FittedMixture


class Criteria(NamedTuple):
    """What a fit is judged by, of weighted rows."""

    n_parameters: int
    log_likelihood: float  # nats
    aic: float
    bic: float
    icl: float


def evaluate(mixture: Any, X: Any, sample_weight: np.ndarray | None = None) -> Criteria:
    """Return all criteria of a fitted mixture; a row of weight w counts as w rows."""
    if isinstance(mixture, FittedMixture):
        log_likelihood, n_rows, entropy = mixture._totals(X, sample_weight, entropy=True)
    else:
        weight = np.ones(_num_samples(X)) if sample_weight is None else np.asarray(sample_weight)
        log_likelihood = float(weight @ mixture.score_samples(X))
        entropy = float(weight @ entr(mixture.predict_proba(X)).sum(axis=1))
        n_rows = float(weight.sum())
    n_parameters = mixture._n_parameters()  # scikit-learn's mixtures have it too
    deviance = -2.0 * log_likelihood
    bic = deviance + n_parameters * float(np.log(n_rows))
    aic = deviance + 2.0 * n_parameters
    return Criteria(n_parameters, log_likelihood, aic, bic, bic + 2.0 * entropy)


def last_step(estimator: Any) -> Any:
    """Return the last step of a Pipeline, or the estimator itself."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


def rows_of_last_step(estimator: Any, X: Any) -> Any:
    """Return the rows as the last step of a fitted Pipeline sees them."""
    while isinstance(estimator, Pipeline):
        if len(estimator.steps) > 1:
            X = estimator[:-1].transform(X)
        estimator = estimator.steps[-1][1]
    return X


def names_of_last_step(estimator: Any, fitted: Any) -> list[str]:
    """Return what a mixture in an estimator calls its columns, or what comes before it does."""
    names = getattr(fitted, "feature_names_in_", None)
    if names is None and isinstance(estimator, Pipeline) and len(estimator.steps) > 1:
        try:
            names = estimator[:-1].get_feature_names_out()
        except (AttributeError, NotFittedError):  # of a step that cannot tell
            names = None
    if names is None or len(names) != fitted.n_features_in_:
        return [f"feature {j}" for j in range(fitted.n_features_in_)]
    return [str(name) for name in names]


class ClassificationCriteria(FittedMixture):
    """Adds `n_parameters`, `icl`, `sabic` and `entropy` to a mixture."""

    @property
    def n_parameters(self) -> int:
        """Number of free parameters of the fitted mixture.

        Examples
        --------
        >>> from skmix import CategoricalMixture
        >>> CategoricalMixture(2, random_state=0).fit([[0, 0], [1, 1], [1, 2]]).n_parameters
        7
        """
        check_is_fitted(self)
        return int(self._n_parameters())

    def icl(self, X: Any, sample_weight: Any = None) -> float:
        """Return the integrated completed likelihood criterion on the rows; lower is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or Chunks
            The rows. Those that are entirely missing count nowhere.

        sample_weight : array-like of shape (n_samples,), default=None
            How often each row was seen.

        Returns
        -------
        icl : float
            BIC + 2 (entropy of the responsibilities): components that overlap are penalised.

        Raises
        ------
        NotFittedError
            If the mixture is not fitted.

        References
        ----------
        C. Biernacki, G. Celeux, G. Govaert, "Assessing a mixture model for clustering with the
        integrated completed likelihood", IEEE Transactions on Pattern Analysis and Machine
        Intelligence 22(7), 2000. :doi:`10.1109/34.865189`

        G. McLachlan, D. Peel, "Finite Mixture Models", Wiley, 2000, section 6.10.
        :doi:`10.1002/0471721182`

        Examples
        --------
        >>> from skmix import CategoricalMixture
        >>> X = [[0, 0], [0, 0], [1, 1], [1, 1]]
        >>> mixture = CategoricalMixture().fit(X)
        >>> bool(mixture.icl(X) == mixture.bic(X))
        True
        """
        return evaluate(self, X, sample_weight).icl

    def sabic(self, X: Any, sample_weight: Any = None) -> float:
        """Return the BIC adjusted for sample size on the rows; lower is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or Chunks
            The rows. Those that are entirely missing count nowhere.

        sample_weight : array-like of shape (n_samples,), default=None
            How often each row was seen.

        Returns
        -------
        sabic : float
            -2 log-likelihood + log((n_samples + 2) / 24) (number of free parameters).

        References
        ----------
        S. L. Sclove, "Application of model-selection criteria to some problems in multivariate
        analysis", Psychometrika 52(3), 1987. :doi:`10.1007/BF02294360`

        Examples
        --------
        >>> from skmix import CategoricalMixture
        >>> X = [[0], [1]] * 11
        >>> round(CategoricalMixture().fit(X).sabic(X), 4)  # 22 rows: no penalty
        30.4985
        """
        log_likelihood, n_rows = self._log_likelihood(X, sample_weight)
        return -2.0 * log_likelihood + self._n_parameters() * float(np.log((n_rows + 2) / 24))

    def entropy(self, X: Any, sample_weight: Any = None, *, relative: bool = False) -> float:
        """Return the entropy of the responsibilities, summed over the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or Chunks
            The rows. Those that are entirely missing count nowhere.

        sample_weight : array-like of shape (n_samples,), default=None
            How often each row was seen.

        relative : bool, default=False
            Whether to return 1 - entropy / (n_samples log n_components) instead, which is 1
            where every row clearly belongs to one component, 0 where none can be told, and 1
            for a single component.

        Returns
        -------
        entropy : float
            The entropy (nats), or the share of it that the rows resolve.

        References
        ----------
        G. Celeux, G. Soromenho, "An entropy criterion for assessing the number of clusters in a
        mixture model", Journal of Classification 13(2), 1996. :doi:`10.1007/BF01246098`

        Examples
        --------
        >>> from skmix import CategoricalMixture
        >>> X = [[0, 0, 0], [0, 0, 0], [1, 1, 1], [1, 1, 1]]
        >>> mixture = CategoricalMixture(2, random_state=0).fit(X)
        >>> round(mixture.entropy(X, relative=True), 3)
        1.0
        """
        relative = truth(relative, "relative")
        _, n_rows, total = self._totals(X, sample_weight, entropy=True)
        if not relative:
            return total
        n_components = self._n_responsibilities()
        if n_components == 1:
            return 1.0
        return 1.0 - total / float(n_rows * np.log(n_components))
