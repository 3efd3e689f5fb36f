"""Scores for model selection, in the form that `scoring` of scikit-learn's searches takes.

Every scorer is called as ``scorer(estimator, X, y=None)`` and is larger for better estimators.
"""

from __future__ import annotations

from typing import Any

from ._criteria import last_step, rows_of_last_step

__all__ = ["neg_aic_score", "neg_bic_score", "neg_icl_score"]


def neg_aic_score(estimator, X, y=None):
    """Return the negative of Akaike's information criterion on the given rows.

    Parameters
    ----------
    estimator : estimator
        A fitted mixture with the method `aic`, or a Pipeline that ends in one.

    X : array-like of shape (n_samples, n_features)
        The rows, as `estimator` takes them.

    y : Ignored
        Not used, present for API consistency by convention.

    Returns
    -------
    score : float
        ``-estimator.aic(X)``; higher is better.

    Raises
    ------
    TypeError
        If the estimator has no method `aic`.

    See Also
    --------
    neg_bic_score : Penalises parameters more; see its notes on what rows to give.
    skmix.select_mixture : Chooses a mixture by criteria on the rows of its fit.

    References
    ----------
    H. Akaike, "A new look at the statistical model identification", IEEE Transactions on
    Automatic Control 19(6), 1974. :doi:`10.1109/TAC.1974.1100705`

    Examples
    --------
    >>> from skmix import GaussianMixture
    >>> from skmix.metrics import neg_aic_score
    >>> mixture = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
    >>> round(neg_aic_score(mixture, [[-1.0], [1.0]]), 4)
    -9.6758
    """
    return -_criterion("aic", estimator, X)


def neg_bic_score(estimator, X, y=None):
    """Return the negative of the Bayesian information criterion on the given rows.

    Parameters
    ----------
    estimator : estimator
        A fitted mixture with the method `bic`, or a Pipeline that ends in one.

    X : array-like of shape (n_samples, n_features)
        The rows, as `estimator` takes them.

    y : Ignored
        Not used, present for API consistency by convention.

    Returns
    -------
    score : float
        ``-estimator.bic(X)``; higher is better.

    Raises
    ------
    TypeError
        If the estimator has no method `bic`.

    See Also
    --------
    skmix.select_mixture : Chooses a mixture by criteria on the rows of its fit.

    Notes
    -----
    The criterion is that of the rows it is given: their likelihood and their number. It was
    derived for the rows of the fit. A search that scores held-out rows charges for parameters
    twice, by the penalty and by the likelihood of rows that were not seen; give it
    ``cv=[(rows, rows)]`` with ``rows = np.arange(len(X))`` to fit and score all rows, as in the
    example, or score by `score`, the held-out likelihood.

    Behind a Pipeline, the likelihood is that of the transformed rows. Candidates compare if they
    transform alike.

    References
    ----------
    G. Schwarz, "Estimating the dimension of a model", Annals of Statistics 6(2), 1978.
    :doi:`10.1214/aos/1176344136`

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skmix import GaussianMixture
    >>> from skmix.metrics import neg_bic_score
    >>> X = load_iris().data
    >>> rows = np.arange(len(X))
    >>> search = GridSearchCV(
    ...     GaussianMixture(random_state=0),
    ...     {"n_components": [1, 2, 3]},
    ...     scoring=neg_bic_score,
    ...     cv=[(rows, rows)],
    ... )
    >>> search.fit(X).best_params_
    {'n_components': 2}
    """
    return -_criterion("bic", estimator, X)


def neg_icl_score(estimator, X, y=None):
    """Return the negative of the integrated completed likelihood criterion on the given rows.

    Parameters
    ----------
    estimator : estimator
        A fitted mixture with the method `icl`, or a Pipeline that ends in one.

    X : array-like of shape (n_samples, n_features)
        The rows, as `estimator` takes them.

    y : Ignored
        Not used, present for API consistency by convention.

    Returns
    -------
    score : float
        ``-estimator.icl(X)``; higher is better.

    Raises
    ------
    TypeError
        If the estimator has no method `icl`.

    See Also
    --------
    neg_bic_score : Without the penalty for overlap; see its notes on what rows to give.
    skmix.select_mixture : Chooses a mixture by criteria on the rows of its fit.

    References
    ----------
    C. Biernacki, G. Celeux, G. Govaert, "Assessing a mixture model for clustering with the
    integrated completed likelihood", IEEE Transactions on Pattern Analysis and Machine
    Intelligence 22(7), 2000. :doi:`10.1109/34.865189`

    Examples
    --------
    >>> from skmix import GaussianMixture
    >>> from skmix.metrics import neg_bic_score, neg_icl_score
    >>> mixture = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [1.0]], [[[1.0]], [[1.0]]])
    >>> X = [[0.5]] * 3  # every row belongs to both components: an entropy of log 2 each
    >>> round(neg_bic_score(mixture, X) - neg_icl_score(mixture, X), 4)  # 2 * 3 * log 2
    4.1589
    """
    return -_criterion("icl", estimator, X)


def _criterion(name: str, estimator: Any, X: Any) -> float:
    mixture = last_step(estimator)
    if not hasattr(mixture, name):
        raise TypeError(
            f"neg_{name}_score needs an estimator with the method {name!r}, but {mixture!r} has "
            "none. Give it a mixture, such as skmix.GaussianMixture, or a Pipeline that ends in "
            "one; a search without `scoring` takes the estimator's own score."
        )
    return float(getattr(mixture, name)(rows_of_last_step(estimator, X)))
