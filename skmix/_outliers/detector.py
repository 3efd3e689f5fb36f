"""Unlikely rows of tables with numbers, counts and categories."""

from __future__ import annotations

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from .._interface import columns, validation
from .._interface.chunks import as_chunks
from .._interface.versions import VersionedMixin
from .._interface.wording import learned
from .._mixtures.expected import excess_log_prob
from .._mixtures.known import Known
from .._mixtures.mixed import MixedMixture

# Scores nearer than this, relative to their size, differ by rounding.
SAME = 1e-9
OF_THE_MIXTURE = (
    "n_components",
    "covariance_type",
    "families",
    "categorical_features",
    "categories",
    "handle_unknown",
    "alpha",
    "tol",
    "reg_covar",
    "max_iter",
    "n_init",
    "init_params",
    "random_state",
    "shrinkage",
)


class MixtureOutlierDetector(OutlierMixin, VersionedMixin, BaseEstimator):
    r"""Find the rows that are least likely under a mixture.

    A :class:`MixedMixture` is fitted to numbers, counts and categories, as they are told apart by
    dtype, `categorical_features` and `families`. The rows of lowest density are outliers. Rows
    with missing cells are judged by their observed cells, beside what the mixture expects of
    these.

    Parameters
    ----------
    n_components : int, default=1
        The number of mixture components.

    covariance_type : {'full', 'tied', 'diag', 'spherical'} or three letters, default='full'
        What the covariances of the numbers look like, as in :class:`GaussianMixture`.

    contamination : float, default=0.1
        The share of the training rows, by weight, that are outliers; above 0, at most 0.5.

    families : dict, default=None
        What some columns are, as in :class:`MixedMixture`.

    categorical_features : 'from_dtype', array-like or None, default='from_dtype'
        The categorical columns, as in :class:`MixedMixture`.

    categories : 'auto' or list of array-like, default='auto'
        The categories of every categorical column, as in :class:`MixedMixture`. With `alpha`
        above 0, one that is listed, or declared by a dtype, but was not seen in `fit` is unlikely.

    handle_unknown : {'error', 'ignore'}, default='error'
        What to do with a value that is not among the categories: raise an error, or treat it as
        missing, which makes no row an outlier.

    alpha : float, default=1.0
        Pseudo-observations of every category in every component. With 0, a category that no
        component has shown makes a row an outlier, whatever its other cells are.

    tol : float, default=1e-6
        EM stops when the mean log-likelihood per row changes by less than this (nats).

    reg_covar : float or 'auto', default='auto'
        What is added to every variance, as in :class:`GaussianMixture`.

    max_iter : int, default=1000
        The largest number of EM iterations.

    n_init : int, default=1
        The number of runs; the one of highest likelihood is kept.

    init_params : {'auto', 'random'}, default='auto'
        Where EM starts, as in :class:`MixedMixture`.

    random_state : int, RandomState instance or None, default=None
        Controls the starts. Pass an int for reproducible output.

    shrinkage : float, default=0.0
        Pseudo-observations per component with the pooled within-component covariance of the
        numbers, as in :class:`GaussianMixture`.

    Attributes
    ----------
    mixture_ : MixedMixture
        The fitted mixture. Its `score_samples` are log densities.

    offset_ : float
        The score below which a row is an outlier (nats).

    n_iter_ : int
        The number of EM iterations.

    n_features_in_ : int
        Number of columns seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of columns seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    MixedMixture : The mixture inside.
    sklearn.ensemble.IsolationForest : Random trees, for numbers.
    sklearn.neighbors.LocalOutlierFactor : Densities near a row beside those of its neighbours.

    Notes
    -----
    Densities of rows with different observed cells do not compare: every missing cell takes a
    factor away, in the units of its column. The score of a row with observed cells o is therefore

    .. math:: \log p(x_o) - \sum_k \pi_k E_k[\log p_k(x_o)],

    the log density of the observed cells, exact for cells missing at random, less the mean log
    density that rows of component k have in these cells, averaged over the components. Units
    change no score. A row without observed cells scores 0. With one component of numbers, a row
    of d observed cells at squared Mahalanobis distance m scores (d - m) / 2, which is 0 on average
    whichever cells are observed. With K components these averages lie between -log K and 0, the
    lower the more the cells tell of the component. Complete rows come in the order of their
    densities. The fewer cells a row has, the less it can be an outlier.

    The share of training rows below the offset is the one nearest to `contamination`: rows of
    equal scores stay together. A component may adapt to outliers that come in groups: take few
    components then, and more of `reg_covar` or `shrinkage`.

    The mean log density of a component is minus the entropy of the observed cells, in closed form;
    for counts it is a sum or a series [2]_. A prediction costs what the mixture's costs, and as
    much again for as many rows as there are patterns of missing cells.

    References
    ----------
    .. [1] V. Chandola, A. Banerjee, V. Kumar, "Anomaly detection: a survey", ACM Computing Surveys
       41(3), 2009. :doi:`10.1145/1541880.1541882`

    .. [2] R. J. Evans, J. Boersma, N. M. Blachman, A. A. Jagers, "The entropy of a Poisson
       distribution: problem 87-6", SIAM Review 30(2), 1988. :doi:`10.1137/1030059`

    Examples
    --------
    >>> from skmix import MixtureOutlierDetector
    >>> X = [["web", 19.0], ["web", 22.0], ["web", 20.0], ["web", 23.0], ["web", None],
    ...      ["shop", 61.0], ["shop", 58.0], ["shop", 60.0], ["shop", 63.0], [None, 62.0]]
    >>> detector = MixtureOutlierDetector(2, random_state=0).fit(X)
    >>> detector.predict([["web", 21.0], ["web", 61.0], ["shop", None], [None, 40.0]])
    array([ 1, -1,  1, -1])
    """

    _parameter_constraints: dict = {
        **{name: MixedMixture._parameter_constraints[name] for name in OF_THE_MIXTURE},
        "contamination": [Interval(Real, 0.0, 0.5, closed="right")],
    }

    def __init__(
        self,
        n_components=1,
        *,
        covariance_type="full",
        contamination=0.1,
        families=None,
        categorical_features="from_dtype",
        categories="auto",
        handle_unknown="error",
        alpha=1.0,
        tol=1e-6,
        reg_covar="auto",
        max_iter=1000,
        n_init=1,
        init_params="auto",
        random_state=None,
        shrinkage=0.0,
    ):
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.contamination = contamination
        self.families = families
        self.categorical_features = categorical_features
        self.categories = categories
        self.handle_unknown = handle_unknown
        self.alpha = alpha
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.random_state = random_state
        self.shrinkage = shrinkage

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Fit the mixture, and find the score of the least likely rows.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            The rows, NaN or None where a cell is missing. Those that are entirely missing count
            nowhere.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights: a row of weight w counts as w rows.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If a column is not what it should be, or the mixture cannot be fitted. An earlier fit
            is kept.

        Examples
        --------
        >>> from skmix import MixtureOutlierDetector
        >>> X = [[0.0], [0.1], [-0.1], [0.2], [-0.2], [9.0]]
        >>> MixtureOutlierDetector(contamination=0.15).fit(X).predict(X)
        array([ 1,  1,  1,  1,  1, -1])
        """
        with validation.earlier_fit_kept(self):
            if as_chunks(X) is not None:
                raise TypeError(
                    "MixtureOutlierDetector takes no Chunks. Pass numpy.concatenate(list(chunks)) "
                    "where the rows fit into memory."
                )
            mixture = MixedMixture(**{name: getattr(self, name) for name in OF_THE_MIXTURE})
            with mixture._knowing(Known(prior_offered=False)):
                rows = mixture._fit(X, None, sample_weight)
            validate_data(self, X, skip_check_array=True)
            self.mixture_, self.n_iter_ = mixture, mixture.n_iter_
            weight = mixture._effective_weight(rows, sample_weight)
            seen = weight > 0
            scores = excess_log_prob(self.mixture_, rows[seen])
            self.offset_ = _offset(scores, weight[seen], self.contamination)
        return self

    def score_samples(self, X):
        """Return the log densities of the rows, beside what is expected of their observed cells.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            The rows, NaN or None where a cell is missing.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            The lower, the less likely (nats); 0 for a row that is entirely missing. See Notes.

        Examples
        --------
        >>> from skmix import MixtureOutlierDetector
        >>> X = [[-1.0, 0.0], [1.0, 2.0], [0.0, 4.0]]
        >>> detector = MixtureOutlierDetector(reg_covar=0.0).fit(X)
        >>> detector.score_samples([[None, 2.0], [None, None]]).round(3)
        array([0.5, 0. ])
        """
        check_is_fitted(self)
        mixture = self.mixture_
        rows = columns.encode_seen(self, X, mixture.families_, mixture.categories_)
        return excess_log_prob(mixture, rows)

    def decision_function(self, X):
        """Return the scores less the offset: negative for outliers.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            The rows, NaN or None where a cell is missing.

        Returns
        -------
        decision : ndarray of shape (n_samples,)
            `score_samples` less `offset_` (nats).

        Examples
        --------
        >>> from skmix import MixtureOutlierDetector
        >>> detector = MixtureOutlierDetector().fit([[0.0], [0.1], [-0.1], [0.2], [-0.2], [9.0]])
        >>> inside, outside = detector.decision_function([[0.0], [20.0]])
        >>> bool(inside > 0 > outside)
        True
        """
        return self.score_samples(X) - learned(self, "offset_", ())

    def predict(self, X):
        """Return which rows are outliers.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            The rows, NaN or None where a cell is missing.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            -1 for outliers, 1 for others.

        Examples
        --------
        >>> from skmix import MixtureOutlierDetector
        >>> detector = MixtureOutlierDetector().fit([[0.0], [0.1], [-0.1], [0.2], [-0.2], [9.0]])
        >>> detector.predict([[0.0], [20.0]])
        array([ 1, -1])
        """
        return np.where(self.decision_function(X) >= 0.0, 1, -1)


def _offset(scores: np.ndarray, weight: np.ndarray, contamination: float) -> float:
    """Return the score below which about this share of the weight lies, between two scores."""
    order = np.argsort(scores, kind="stable")
    scores, below = scores[order], np.cumsum(weight[order])
    last = np.append(np.diff(scores) > SAME * (1.0 + np.abs(scores[1:])), True)
    levels, below = scores[last], np.append(0.0, below[last])
    # The last score is never an outlier; of two shares as near, the larger one.
    distance = np.abs(below[:-1] - contamination * below[-1])
    n_below = len(levels) - 1 - int(np.argmin(np.round(distance[::-1] / below[-1], 9)))
    if n_below:
        return float((levels[n_below - 1] + levels[n_below]) / 2.0)
    step = levels[1] - levels[0] if len(levels) > 1 else SAME * (1.0 + abs(levels[0]))
    return float(levels[0] - step / 2.0)
