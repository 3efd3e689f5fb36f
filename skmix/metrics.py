"""Scores for model selection, in the form that `scoring` of scikit-learn's searches takes.

Every scorer is called as ``scorer(estimator, X, y=None)`` and is larger for better estimators.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import check_array, check_random_state

from ._interface import validation
from ._interface.masked import masked_as_missing
from ._mixtures.criteria import last_step, rows_of_last_step

__all__ = ["neg_aic_score", "neg_bic_score", "neg_icl_score", "psnr_scorer"]


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


def psnr_scorer(noise_std=0.1, *, data_range=1.0, random_state=0):
    r"""Make a scorer of how well a denoiser restores clean rows from noisy ones.

    The scorer adds noise to the rows that it is given, has them denoised, and returns the peak
    signal-to-noise ratio :math:`10 \log_{10}(r^2 / \mathrm{MSE})` in decibels, r being
    `data_range` and MSE the mean squared error over all cells.

    Parameters
    ----------
    noise_std : float, default=0.1
        Standard deviation of the noise, in units of the rows.

    data_range : float, default=1.0
        The span of the values, such as 255.0 for bytes, in units of the rows. It moves all scores
        alike.

    random_state : int, default=0
        Seed of the noise: the same for every call, so that all candidates of a search see the
        same noisy rows.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X)``, greater is better. It takes y and ignores it.

    Raises
    ------
    ValueError
        If `noise_std` is negative or not finite, or `data_range` not positive.

    See Also
    --------
    skmix.GMMDenoiser : A denoiser; its own `score` is the likelihood of clean rows.
    sklearn.metrics.make_scorer : scikit-learn's scorers of predictions.
    skimage.metrics.peak_signal_noise_ratio : The ratio of two images.

    Notes
    -----
    A denoiser is told `noise_std`, whatever its own parameter is. A pipeline is not, since the
    noise changes its size on the way: its denoiser's own `noise_std` counts, and what its
    `transform` returns is taken back to the units of the rows by its `inverse_transform`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skmix import GMMDenoiser
    >>> from skmix.metrics import psnr_scorer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.choice([0.0, 0.5, 1.0], size=(300, 1)) + 0.05 * rng.normal(size=(300, 4))
    >>> search = GridSearchCV(
    ...     GMMDenoiser(random_state=0), {"n_components": [1, 3]}, scoring=psnr_scorer(0.2)
    ... )
    >>> search.fit(X).best_params_
    {'n_components': 3}
    """
    noise_std = float(validation.check_noise_std(noise_std, 1, "noise_std")[0])
    if not 0.0 < data_range < np.inf:
        raise ValueError(
            f"data_range must be positive and finite, but is {data_range}: it is the span of the "
            "values, in units of the rows."
        )
    return _PSNRScorer(noise_std, float(data_range), random_state)


@dataclass(frozen=True)
class _PSNRScorer:
    """A class and no closure: searches with several processes pickle it."""

    noise_std: float
    data_range: float
    random_state: Any

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:
        clean = check_array(masked_as_missing(X), dtype=[np.float64, np.float32])
        noise = check_random_state(self.random_state).standard_normal(clean.shape)
        noisy = clean + (self.noise_std * noise).astype(clean.dtype)
        if hasattr(X, "columns"):  # fitted with names
            noisy = type(X)(noisy, columns=X.columns, index=X.index)
        options = {}
        if "noise_std" in inspect.signature(estimator.transform).parameters:
            options["noise_std"] = self.noise_std
        restored = estimator.transform(noisy, **options)
        if hasattr(estimator, "steps"):
            restored = estimator.inverse_transform(restored)
        error = np.mean((np.asarray(restored) - clean) ** 2, dtype=np.float64)
        return float(10.0 * np.log10(self.data_range**2 / error)) if error > 0.0 else np.inf
