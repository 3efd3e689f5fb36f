"""A Bayes classifier over mixtures of several kinds of columns."""

from __future__ import annotations

from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from .._interface import chunked_columns, columns, frames, validation
from .._interface.chunks import template_of
from .._mixtures import regularisation
from .._mixtures.known import NOTHING, Known
from .._mixtures.mixed import MixedMixture
from .streaming import ClassesOfStream
from .unlabeled import refuse_sharing


class MixedBayesClassifier(ClassesOfStream):
    r"""Bayes classifier with one mixture of numbers, counts and categories per class.

    The density of class c is a :class:`MixedMixture` :math:`p(x | c)`; rows are classified by
    :math:`p(c | x) \propto \pi_c\, p(x | c)` with class priors :math:`\pi_c`. With one component
    per class and diagonal covariances it is naive Bayes for columns of several kinds.

    Parameters
    ----------
    n_components : int or dict, default=1
        The number of components of every class, or a dict from class label to number. A class
        with fewer distinct rows than that gets as many components as it has distinct rows.

    covariance_type : {'full', 'tied', 'diag', 'spherical'} or three letters, default='full'
        What the covariances of the numbers look like, as in :class:`GaussianMixture`. 'tied' ties
        the components of one class, not the classes.

    priors : array-like of shape (n_classes,), default=None
        Prior probabilities of the classes, in the order of `classes_`. None takes the
        (weighted) frequencies in the training data.

    families : dict, default=None
        What some columns are, as in :class:`MixedMixture`.

    categorical_features : 'from_dtype', array-like or None, default='from_dtype'
        The categorical columns, as in :class:`MixedMixture`.

    categories : 'auto' or list of array-like, default='auto'
        The categories of every categorical column, as in :class:`MixedMixture`; shared by all
        classes.

    handle_unknown : {'error', 'ignore'}, default='error'
        What to do with a value that is not among the categories: raise an error, or treat it as
        missing.

    alpha : float, default=1.0
        Pseudo-observations of every category in every component, as in
        :class:`sklearn.naive_bayes.CategoricalNB`. With 0, a category that a class never showed
        rules the class out.

    tol : float, default=1e-6
        EM stops when the mean log-likelihood per row of a class changes by less than this (nats).

    reg_covar : float or 'auto', default='auto'
        What is added to every variance, as in :class:`GaussianMixture`; classes share it.

    max_iter : int, default=1000
        The largest number of EM iterations per class.

    n_init : int, default=1
        The number of runs per class; the one of highest likelihood is kept.

    init_params : {'auto', 'random'}, default='auto'
        Where EM starts, as in :class:`MixedMixture`.

    random_state : int, RandomState instance or None, default=None
        Controls the starts and the draws of `sample`. Pass an int for reproducible output.

    verbose : int, default=0
        Printed lines of every mixture, as in :class:`MixedMixture`.

    verbose_interval : int, default=10
        Number of iterations from one printed line to the next.

    shrinkage : float or 'auto', default=0.0
        Pseudo-observations per component with the pooled within-component covariance of the
        numbers of the class, as in :class:`GaussianMixture`; 'auto' chooses them by the rows of
        the class.

    n_jobs : int, default=None
        Number of processes that fit classes side by side, through joblib. None means 1 unless
        in a `joblib.parallel_config`.

    unlabeled : object, default=None
        The label in `y` of rows whose class is not known, such as -1. These rows are shared among
        the classes by EM, in one mixture of all classes in which labelled rows come from
        components of their own class (see Notes). None stands for none: -1 is then a class like
        others.

    prior : {'data', None}, default=None
        'data' is the conjugate prior that the numbers of the class suggest, as in
        :class:`GaussianMixture`: no component can collapse, and `shrinkage` must be 0. None is
        maximum likelihood.

    forgetting : float or None, default=None
        How `partial_fit` weighs the batches before: None, all alike; a number between 0 and 1,
        less and less (see :class:`GaussianMixture`).

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.

    class_prior_ : ndarray of shape (n_classes,)
        Prior probabilities of the classes.

    families_ : ndarray of shape (n_features,)
        What each column is: 'gaussian', 'categorical' or 'poisson'.

    categories_ : list of ndarray of shape (n_categories,)
        The categories of every categorical column.

    reg_covar_ : ndarray of shape (n_numbers,)
        What was added to the variances of each number, in squared units.

    shrinkage_ : ndarray of shape (n_classes,)
        The pseudo-observations of every class: `shrinkage`, or what 'auto' chose.

    mixtures_ : list of MixedMixture
        The fitted mixture of each class, in the order of `classes_`. Of categories they see
        codes: positions in `categories_`.

    n_iter_ : ndarray of shape (n_classes,)
        The number of EM iterations of each class.

    n_features_in_ : int
        Number of columns seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of columns seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    MixedMixture : The mixture of one class.
    GMMBayesClassifier : The same for numbers alone.
    CategoricalBayesClassifier : The same for categories alone.

    Notes
    -----
    A fit costs as much as one mixture per class on the rows of that class; a prediction costs
    as much as scoring all rows under every mixture. Missing cells drop out, in `fit` and in
    predictions.

    With `unlabeled` rows, all classes are fitted as one mixture whose likelihood is that of the
    labelled rows with their classes and of the others without (Miller and Uyar, 1996).
    `class_prior_` are then the weights of the classes in it, unless `priors` are given, and what
    components share (`shrinkage` included) they share between classes.

    References
    ----------
    D. Lowd, P. Domingos, "Naive Bayes models for probability estimation", Proceedings of the
    22nd International Conference on Machine Learning, 2005. :doi:`10.1145/1102351.1102418`

    D. J. Miller, H. S. Uyar, "A mixture of experts classifier with learning based on both
    labelled and unlabelled data", Advances in Neural Information Processing Systems 9, 1996.

    Examples
    --------
    >>> from skmix import MixedBayesClassifier
    >>> X = [["web", 19.0], ["web", 24.0], [None, 21.0], ["shop", 61.0], ["shop", None]]
    >>> y = ["new", "new", "new", "regular", "regular"]
    >>> MixedBayesClassifier().fit(X, y).predict([["web", 25.0], ["shop", None]])
    array(['new', 'regular'], dtype='<U7')
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left"), dict],
        "priors": ["array-like", None],
        **{
            name: constraint
            for name, constraint in MixedMixture._parameter_constraints.items()
            if name not in ("n_components", "assignment", "warm_start")
        },
        "n_jobs": [Integral, None],
        "unlabeled": "no_validation",
    }

    _own_parameters = (
        "priors",
        "n_jobs",
        "unlabeled",
        "families",
        "categorical_features",
        "categories",
        "handle_unknown",
    )
    _template: Any = None

    def __init__(
        self,
        n_components=1,
        *,
        covariance_type="full",
        priors=None,
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
        verbose=0,
        verbose_interval=10,
        shrinkage=0.0,
        n_jobs=None,
        unlabeled=None,
        prior=None,
        forgetting=None,
    ):
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.priors = priors
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
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.shrinkage = shrinkage
        self.n_jobs = n_jobs
        self.unlabeled = unlabeled
        self.prior = prior
        self.forgetting = forgetting

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    def fit(self, X, y, sample_weight=None):
        """Fit one mixture to the rows of every class.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features), Chunks or Dask collection
            The rows, NaN or None where a cell is missing.

        y : array-like of shape (n_samples,), list, Chunks or Dask collection
            Their class labels; beside :class:`Chunks` and Dask collections as for
            :meth:`GMMBayesClassifier.fit`.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights: a row of weight w counts as w rows. Rows of weight 0 are left
            out; a class of which no row is left is not learned. None with Chunks, which have
            their own; a Dask collection has as many chunks as `X`.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If `priors` or the keys of `n_components` do not fit the classes, a column is not what
            it should be, or a mixture cannot be fitted; the text names the class or the column.
            An earlier fit is kept.

        Examples
        --------
        >>> from skmix import MixedBayesClassifier
        >>> X, y = [["a", 0.0], ["a", 1.0], ["b", 8.0], ["b", 9.0]], [0, 0, 1, 1]
        >>> MixedBayesClassifier().fit(X, y).predict([["a", 9.0], [None, 0.0]])
        array([1, 0])
        """
        super().fit(X, y, sample_weight)
        self._template = template_of(X)
        return self

    def _make_mixture(self, parameters):
        codes = [np.arange(len(known)) for known in self.categories_]
        return MixedMixture(
            families=dict(enumerate(self.families_.tolist())),
            categorical_features=None,
            categories=codes or "auto",
            **parameters,
        )

    def _fit_rows(self, X, y, sample_weight):
        learned = columns.learn_rows(self, X, sample_weight)
        rows, self.families_, self.categories_, sample_weight = learned
        return rows, validation.check_labels(self, y, rows), sample_weight

    def _read_batch(self, X, y, sample_weight, *, reset):
        if reset:
            self._template = frames.template_of(X)
            return self._fit_rows(X, y, sample_weight)
        rows = columns.encode_seen(self, X, self.families_, self.categories_)
        labels = validation.check_labels(self, y, rows)
        return rows, labels, validation.check_sample_weight(sample_weight, rows)

    def _learn_chunks(self, chunks):
        self.families_ = chunked_columns.kinds_of(self, chunks)
        self.categories_ = chunked_columns.mixed_categories(self, chunks, self.families_)
        return partial(chunked_columns.encode_chunk, self)

    def _known_of_rows(self, rows, sizes):
        numbers = np.flatnonzero(self.families_ == "gaussian")
        if len(numbers) == 0:
            return NOTHING
        reg_covar, _ = regularisation.resolve_for_classes(
            self.reg_covar, self.covariance_type, rows.source(self, numbers), sum(sizes)
        )
        return Known(reg_covar=reg_covar)

    def _check_sharing(self):
        refuse_sharing(self.covariance_type, "")

    def _keep(self, mixtures):
        self.reg_covar_ = mixtures[0].reg_covar_
        self.shrinkage_ = np.array([mixture.shrinkage_ for mixture in mixtures])

    def _validate_rows(self, X):
        check_is_fitted(self)
        return columns.encode_seen(self, X, self.families_, self.categories_)

    def _sampled_rows(self, rows):
        return columns.as_users_have_them(
            np.asarray(rows, dtype=np.float64), self.families_, self.categories_, self._template
        )
