"""A Bayes classifier over categorical mixtures."""

from __future__ import annotations

from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval

from .._interface import chunked_columns, encoding, validation
from .._interface.wording import said_of
from .._mixtures.categorical import CategoricalMixture
from .streaming import ClassesOfStream


class CategoricalBayesClassifier(ClassesOfStream):
    r"""Bayes classifier with one mixture of categorical distributions per class.

    The probability of a row in class c is a mixture :math:`p(x | c)`; rows are classified by
    :math:`p(c | x) \propto \pi_c\, p(x | c)` with class priors :math:`\pi_c`. With one component
    per class this is categorical naive Bayes; more components follow columns that depend on each
    other within a class. Missing answers are left out of the product.

    Parameters
    ----------
    n_components : int or dict, default=1
        The number of components of every class, or a dict from class label to number. A class
        with fewer distinct rows than that gets as many components as it has distinct rows.

    priors : array-like of shape (n_classes,), default=None
        Prior probabilities of the classes, in the order of `classes_`. None takes the
        (weighted) frequencies in the training data.

    categories : 'auto' or list of array-like, default='auto'
        The categories of every column, as in :class:`CategoricalMixture`; shared by all classes.

    handle_unknown : {'error', 'ignore'}, default='error'
        What to do with a value that is not among the categories: raise an error, or treat it as
        missing.

    alpha : float, default=1.0
        Pseudo-observations of every category in every component, as in
        :class:`sklearn.naive_bayes.CategoricalNB`. With 0, a category that a class never showed
        rules the class out.

    tol : float, default=1e-8
        EM stops when the mean log-likelihood per row of a class rises by less than this (nats),
        as in :class:`CategoricalMixture`.

    max_iter : int, default=5000
        The largest number of EM iterations per class.

    n_init : int, default=1
        The number of runs per class; the one of highest likelihood is kept.

    init_params : {'auto', 'random'}, default='auto'
        Where EM starts, as in :class:`CategoricalMixture`.

    random_state : int, RandomState instance or None, default=None
        Controls the starts and the draws of `sample`. Pass an int for reproducible output.

    verbose : int, default=0
        Printed lines of every mixture, as in :class:`CategoricalMixture`.

    verbose_interval : int, default=10
        Number of iterations from one printed line to the next.

    n_jobs : int, default=None
        Number of processes that fit classes side by side, through joblib. None means 1 unless
        in a `joblib.parallel_config`.

    unlabeled : object, default=None
        The label in `y` of rows whose class is not known, such as -1. These rows are shared among
        the classes by EM, in one mixture of all classes in which labelled rows come from
        components of their own class (see Notes). None stands for none: -1 is then a class like
        others.

    forgetting : float or None, default=None
        How `partial_fit` weighs the batches before: None, all alike; a number between 0 and 1,
        less and less (see :class:`GaussianMixture`).

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.

    class_prior_ : ndarray of shape (n_classes,)
        Prior probabilities of the classes.

    categories_ : list of ndarray of shape (n_categories,)
        The categories of every column.

    mixtures_ : list of CategoricalMixture
        The fitted mixture of each class, in the order of `classes_`. They see codes: positions
        in `categories_`.

    n_iter_ : ndarray of shape (n_classes,)
        The number of EM iterations of each class.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    CategoricalMixture : The mixture of one class.
    GMMBayesClassifier : The same for measurements.
    sklearn.naive_bayes.CategoricalNB : One component per class, without missing answers.

    Notes
    -----
    A fit costs as much as one mixture per class on the rows of that class; a prediction costs
    as much as scoring all rows under every mixture.

    With `unlabeled` rows, all classes are fitted as one mixture whose likelihood is that of the
    labelled rows with their classes and of the others without (Miller and Uyar, 1996).
    `class_prior_` are then the weights of the classes in it, unless `priors` are given.

    References
    ----------
    D. Lowd, P. Domingos, "Naive Bayes models for probability estimation", Proceedings of the
    22nd International Conference on Machine Learning, 2005. :doi:`10.1145/1102351.1102418`

    D. J. Miller, H. S. Uyar, "A mixture of experts classifier with learning based on both
    labelled and unlabelled data", Advances in Neural Information Processing Systems 9, 1996.

    Examples
    --------
    >>> from skmix import CategoricalBayesClassifier
    >>> X = [["a", "a"], ["b", "b"], ["a", "b"], ["b", "a"]] * 5
    >>> y = ["same", "same", "different", "different"] * 5
    >>> CategoricalBayesClassifier(2, random_state=0).fit(X, y).predict([["b", "b"], ["b", "a"]])
    array(['same', 'different'], dtype='<U9')
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left"), dict],
        "priors": ["array-like", None],
        **{
            name: constraint
            for name, constraint in CategoricalMixture._parameter_constraints.items()
            if name not in ("n_components", "assignment", "warm_start")
        },
        "n_jobs": [Integral, None],
        "unlabeled": "no_validation",
    }

    _own_parameters = ("priors", "n_jobs", "unlabeled", "categories", "handle_unknown")

    def __init__(
        self,
        n_components=1,
        *,
        priors=None,
        categories="auto",
        handle_unknown="error",
        alpha=1.0,
        tol=1e-8,
        max_iter=5000,
        n_init=1,
        init_params="auto",
        random_state=None,
        verbose=0,
        verbose_interval=10,
        n_jobs=None,
        unlabeled=None,
        forgetting=None,
    ):
        self.n_components = n_components
        self.priors = priors
        self.categories = categories
        self.handle_unknown = handle_unknown
        self.alpha = alpha
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.random_state = random_state
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.n_jobs = n_jobs
        self.unlabeled = unlabeled
        self.forgetting = forgetting

    def __sklearn_tags__(self):
        return encoding.categorical_tags(super().__sklearn_tags__())

    def _make_mixture(self, parameters):
        codes = [np.arange(len(known)) for known in self.categories_]
        return CategoricalMixture(categories=codes, **parameters)

    def _fit_rows(self, X: Any, y: Any, sample_weight: Any):
        columns = encoding.read_columns(self, X, reset=True, categories=self.categories)
        labels = validation.check_labels(self, y, columns[0].positions)
        sample_weight = validation.check_sample_weight(sample_weight, labels)
        kept = np.ones(len(labels), bool) if sample_weight is None else sample_weight > 0
        self.categories_ = encoding.learn_categories(columns, self.categories, kept)
        codes = encoding.encode(columns, self.categories_, self.handle_unknown, kept)
        return _with_nan(codes), labels, sample_weight

    def _learn_chunks(self, chunks):
        self.categories_ = chunked_columns.answer_categories(self, chunks)
        return partial(_codes_of_chunk, self.categories_, self.categories, self.handle_unknown)

    def _read_batch(self, X, y, sample_weight, *, reset):
        if reset:
            return self._fit_rows(X, y, sample_weight)
        columns = encoding.read_columns(self, X, reset=False, categories=self.categories_)
        labels = validation.check_labels(self, y, columns[0].positions)
        sample_weight = validation.check_sample_weight(sample_weight, labels)
        kept = None if sample_weight is None else sample_weight > 0
        codes = encoding.encode(columns, self.categories_, self.handle_unknown, kept)
        return _with_nan(codes), labels, sample_weight

    def _validate_rows(self, X):
        columns = encoding.read_columns(self, X, reset=False, categories=self.categories_)
        return encoding.encode(columns, self.categories_, self.handle_unknown)

    def _sampled_rows(self, rows):
        return encoding.decode(rows, self.categories_)


def _codes_of_chunk(
    categories: list[np.ndarray],
    given: Any,
    handle_unknown: str,
    rows: Any,
    sample_weight: Any,
    name: str,
) -> np.ndarray:
    with said_of(name):
        columns = encoding.columns_of(rows, not isinstance(given, str))
        kept = None if sample_weight is None else sample_weight > 0
        return _with_nan(encoding.encode(columns, categories, handle_unknown, kept))


def _with_nan(codes: np.ndarray) -> np.ndarray:
    """Codes as the mixtures read them; in float only where answers are missing."""
    missing = codes < 0
    return np.where(missing, np.nan, codes) if missing.any() else codes
