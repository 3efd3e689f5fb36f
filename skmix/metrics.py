"""Scores for model selection, and measures of how generated rows are distributed.

Every scorer is called as ``scorer(estimator, X, y=None)``, as `scoring` of scikit-learn's searches
takes it, and is larger for better estimators.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from ._interface import validation
from ._interface.wording import check_random_state, naming, number, truth
from ._missing.pooling import pool_estimates
from ._selection.scoring import criterion_score

__all__ = [
    "class_coverage",
    "ndb",
    "neg_aic_score",
    "neg_bic_score",
    "neg_icl_score",
    "pool_estimates",
    "psnr_scorer",
]


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
    return -criterion_score("aic", estimator, X)


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
    return -criterion_score("bic", estimator, X)


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
    return -criterion_score("icl", estimator, X)


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
    data_range = number(data_range, "data_range")
    if not 0.0 < data_range < np.inf:
        raise ValueError(
            f"data_range must be positive and finite, but is {data_range}: it is the span of the "
            "values, in units of the rows."
        )
    return _PSNRScorer(noise_std, data_range, random_state)


@dataclass(frozen=True)
class _PSNRScorer:
    """A class and no closure: searches with several processes pickle it."""

    noise_std: float
    data_range: float
    random_state: Any

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:
        clean = validation.as_rows(X, "X")
        noise = check_random_state(self.random_state).standard_normal(clean.shape)
        noisy = clean + (self.noise_std * noise).astype(clean.dtype)
        if hasattr(X, "columns"):  # fitted with names
            noisy = type(X)(noisy, columns=X.columns, index=X.index)
        options = {}
        if "row_noise_std" in inspect.signature(estimator.transform).parameters:
            options["row_noise_std"] = self.noise_std
        restored = estimator.transform(noisy, **options)
        if hasattr(estimator, "steps"):
            restored = estimator.inverse_transform(restored)
        error = np.mean((np.asarray(restored) - clean) ** 2, dtype=np.float64)
        return float(10.0 * np.log10(self.data_range**2 / error)) if error > 0.0 else np.inf


def ndb(X, samples, *, n_bins=100, bins=None, threshold=1.96, return_z=False, random_state=0):
    r"""Count the bins that samples fill significantly more or less often than rows of data do.

    k-means cuts the space into bins by the rows of the data. In a bin that holds the shares p of
    the data and q of the samples,

    .. math:: z = \frac{q - p}{\sqrt{s (1 - s) (1 / n + 1 / m)}}

    is standard normal if both come from one distribution, s being the share of all n rows and m
    samples together: the two-proportion test.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows of the data.

    samples : array-like of shape (n_generated, n_features)
        The rows to compare with them.

    n_bins : int, default=100
        The number of bins. Not used where `bins` is a fitted clusterer.

    bins : clusterer, default=None
        What cuts the space: an estimator with `predict`, such as
        :class:`sklearn.cluster.KMeans`. If it is fitted it is used as it is, which is quicker
        where many samples are compared; otherwise a clone of it is fitted to `X`. None takes
        k-means with `n_bins` clusters and one start.

    threshold : float, default=1.96
        Absolute values of z above this count as different. 1.96 is a significance of 5 %: of 100
        bins, five differ where nothing does.

    return_z : bool, default=False
        Whether to return z too.

    random_state : int, RandomState instance or None, default=0
        Controls the start of k-means.

    Returns
    -------
    n_different : int
        The number of bins that differ; divided by the number of bins it is 0 for perfect samples
        and near 1 for bad ones.

    z : ndarray of shape (n_bins,)
        How much more often than the data the samples fill each bin, in standard errors, ordered
        as the labels of `bins`; 0 for bins that neither fills. Only with `return_z`.

    Raises
    ------
    ValueError
        If `threshold` is negative or rows have different numbers of features.

    See Also
    --------
    class_coverage : Shares of classes among samples, by a classifier.

    Notes
    -----
    A bin that samples never reach is a mode they have dropped. Bins are fitted to `X`: new rows
    of the same distribution fill them a little differently, so compare with what held-out rows
    reach.

    References
    ----------
    E. Richardson, Y. Weiss, "On GANs and GMMs", Advances in Neural Information Processing
    Systems 31, 2018. :arxiv:`1805.12462`

    Examples
    --------
    >>> import numpy as np
    >>> from skmix.metrics import ndb
    >>> X = np.repeat([[0.0], [5.0], [9.0]], 100, axis=0)
    >>> samples = np.repeat([[0.0], [5.0]], 150, axis=0)  # the third mode is missing
    >>> ndb(X, samples, n_bins=3)
    3
    >>> ndb(X, X + 0.1, n_bins=3)
    0
    """
    threshold = number(threshold, "threshold")
    if not threshold >= 0:
        raise ValueError(
            f"threshold must not be negative, but is {threshold}: it is a number of standard "
            "errors, such as 1.96."
        )
    X, samples = (
        validation.as_rows(rows, name) for rows, name in ((X, "X"), (samples, "samples"))
    )
    if X.shape[1] != samples.shape[1]:
        raise ValueError(
            f"X has {X.shape[1]} features, but samples have {samples.shape[1]}: both must be rows "
            "of the same kind."
        )
    if bins is None:
        bins = KMeans(n_bins, n_init=1, random_state=random_state)
    with naming("bins", "an estimator of clusters, and n_bins a number of rows or less"):
        try:
            check_is_fitted(bins)
        except NotFittedError:
            bins = clone(bins).fit(X)
    labels = [np.asarray(bins.predict(rows.astype(X.dtype, copy=False))) for rows in (X, samples)]
    n_bins = getattr(bins, "n_clusters", 1 + max(int(found.max()) for found in labels))
    counts = np.stack([np.bincount(found, minlength=n_bins) for found in labels])
    sizes = counts.sum(axis=1)
    pooled = counts.sum(axis=0) / sizes.sum()
    error = np.sqrt(pooled * (1.0 - pooled) * np.sum(1.0 / sizes))
    difference = counts[1] / sizes[1] - counts[0] / sizes[0]
    # A bin that holds all rows or none has no error, and no difference.
    z = np.divide(difference, error, out=np.zeros(len(error)), where=error > 0)
    n_different = int(np.sum(np.abs(z) > threshold))
    return (n_different, z) if truth(return_z, "return_z") else n_different


def class_coverage(samples, classifier, *, threshold=0.9):
    """Return which share of samples a classifier is sure to be of each class.

    Parameters
    ----------
    samples : array-like of shape (n_generated, n_features)
        Generated rows.

    classifier : estimator
        A fitted classifier of the data with `predict_proba`.

    threshold : float, default=0.9
        Samples whose most probable class has a lower probability than this count for none.

    Returns
    -------
    shares : ndarray of shape (n_classes,)
        Shares of all samples, in the order of ``classifier.classes_``. They sum to the share of
        samples that are counted.

    Raises
    ------
    ValueError
        If `threshold` is not between 0 and 1.

    See Also
    --------
    ndb : A test of bins, without classes.

    Examples
    --------
    >>> import numpy as np
    >>> from skmix import GMMBayesClassifier
    >>> from skmix.metrics import class_coverage
    >>> X = np.array([[-1.0], [0.0], [1.0], [9.0], [10.0], [11.0]])
    >>> classifier = GMMBayesClassifier().fit(X, ["low"] * 3 + ["high"] * 3)
    >>> classifier.classes_
    array(['high', 'low'], dtype='<U4')
    >>> class_coverage([[0.2], [0.4], [10.5], [5.0]], classifier)  # the last may be either
    array([0.25, 0.5 ])
    """
    threshold = number(threshold, "threshold")
    if not 0.0 <= threshold <= 1.0:
        raise ValueError(
            f"threshold must be a probability, from 0 to 1, but is {threshold}. 0 counts all "
            "samples."
        )
    if not hasattr(classifier, "predict_proba"):
        raise TypeError(f"classifier must have predict_proba, but is {classifier!r}.")
    proba = np.asarray(classifier.predict_proba(samples))
    sure = proba.max(axis=1) >= threshold
    counts = np.bincount(proba.argmax(axis=1)[sure], minlength=proba.shape[1])
    return counts / len(proba)
