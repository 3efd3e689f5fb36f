"""Mixtures of independent categorical columns: latent class analysis."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._engine import em
from .._families import Categorical, Packing
from .._interface import encoding, frames
from .._interface.validation import NON_NEGATIVE
from . import streaming
from .categorical_fit import CategoricalFit, StateSource, packing_of
from .chunkwise import lazily_by_chunks
from .criteria import ClassificationCriteria
from .latent_classes import LatentClassReports
from .partial import PartialLabels
from .streams import StreamOfAnswers


class CategoricalMixture(
    StreamOfAnswers, PartialLabels, CategoricalFit, LatentClassReports, ClassificationCriteria
):
    r"""Mixture of categorical distributions: latent class analysis.

    Within a component, a *latent class*, the columns are independent and each follows its own
    distribution over its categories: :math:`p(x) = \sum_k \pi_k \prod_j \theta_{kj}(x_j)`. It is
    fitted by expectation-maximisation to the answers that were observed; a missing answer is
    left out of the product.

    Parameters
    ----------
    n_components : int, default=1
        The number of latent classes.

    categories : 'auto' or list of array-like, default='auto'
        The categories of every column. 'auto' takes those in the rows of positive weight, sorted,
        which must be text or the numbers 0, 1, 2, ...; where the column is a pandas categorical,
        all that it declares, in its order.

    handle_unknown : {'error', 'ignore'}, default='error'
        What to do with a value that is not among the categories: raise an error, or treat it as
        missing.

    alpha : float, default=0.0
        Pseudo-observations of every category, in every class: the M-step sets
        :math:`\theta_{kj}(c) = (n_{kjc} + \alpha) / (n_{kj} + \alpha C_j)` for a column with
        :math:`C_j` categories. 0 is maximum likelihood.

    assignment : {'soft', 'hard'}, default='soft'
        What the rows of `fit` count for:

        - 'soft': for all components, by their responsibilities (EM).
        - 'hard': each for its most probable component alone (classification EM, see Notes).

    tol : float, default=1e-8
        EM stops when the mean log-likelihood per row (with the logarithm of the prior that
        `alpha` stands for) rises by less than this (nats) in each of two cycles of accelerated
        EM, of two or three passes each.

    max_iter : int, default=5000
        The largest number of passes over the rows of the run that is kept; the short runs that
        find its start are not counted.

    n_init : int, default=1
        The number of runs, each from its own start; the one of highest likelihood is kept.

    init_params : {'auto', 'random'}, default='auto'
        Where EM starts:

        - 'auto': 64 short runs, half of them from rows that lie far apart and half from random
          probabilities; the worse are dropped in four rounds and the best is continued. Of more
          than 20 000 distinct rows, a random subsample of that size is used.
        - 'random': random probabilities, no short runs.

    random_state : int, RandomState instance or None, default=None
        Controls the start and the draws of `sample`. Pass an int for reproducible output.

    warm_start : bool, default=False
        Whether `fit` continues from the last fit, with a single run. It forgets the rows before:
        `partial_fit` is for batches that are to count together.

    verbose : int, default=0
        1 prints each initialization and every `verbose_interval`-th iteration, 2 adds times and
        changes of the likelihood.

    verbose_interval : int, default=10
        Number of iterations from one printed line to the next.

    forgetting : float or None, default=None
        How `partial_fit` weighs the batches before: None, all alike; a number between 0 and 1,
        less and less (see :class:`GaussianMixture`).

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        The sizes of the classes, largest first; they sum to 1.

    probabilities_ : list of ndarray of shape (n_components, n_categories)
        For every column the probabilities of its categories in every class.

    categories_ : list of ndarray of shape (n_categories,)
        The categories of every column, in the order of `probabilities_`.

    converged_ : bool
        Whether the best run reached `tol` within `max_iter` iterations, and its likelihood never
        fell beyond rounding.

    n_iter_ : int
        The number of passes of the best run.

    lower_bound_ : float
        The mean log-likelihood per row (nats) of the best run at its last E-step, weighted by
        `sample_weight`; the mean classification log-likelihood if `assignment` is 'hard'.

    lower_bounds_ : list of float
        `lower_bound_` at each iteration of the best run. With ``alpha=0`` it never falls; an
        extrapolation that failed repeats the value before it.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    GaussianMixture : Mixtures for measurements.
    CategoricalBayesClassifier : A classifier with one categorical mixture per class.
    bootstrap_lrt : A test of the number of classes.
    sklearn.naive_bayes.CategoricalNB : The same distributions, with known classes.

    Notes
    -----
    Equal rows are merged first. Columns are packed, so that the answers to a few of them together
    are one of up to 256 states, and a pass costs about 4 K operations per distinct row and pack
    (K classes). The fit is the same to the bit for any number of threads, and rows of weight w
    and rows that are there w times give the same fit to rounding. EM is accelerated by squared
    extrapolation [2]_, and an extrapolation is kept only if the likelihood does not fall.

    With ``assignment="hard"`` every row counts for its most probable class alone, the first of
    equally probable ones. The fit then climbs the classification log-likelihood [3]_
    :math:`\sum_i w_i \max_k \log(\pi_k \prod_j \theta_{kj}(x_{ij}))`, which only `alpha` can
    lower. Its mean is `lower_bound_`; `tol` and the choice among `n_init` runs refer to it, and a
    run also ends when nothing changes any more. The short runs that find the start are those of
    EM; the run itself is not accelerated, and one iteration that gains less than `tol` ends it.
    Classes that overlap come out purer than they are. A class that loses its last row has weight
    0 from then on, as in EM. All methods but `fit` (`predict_proba`, `score`, ...) are those of
    the mixture with the fitted parameters.

    An answer of probability 0 in a class counts as :math:`10^{-300}` when rows are scored, so that
    held-out rows keep finite log-likelihoods; use ``alpha > 0`` to judge held-out rows.

    References
    ----------
    .. [1] L. A. Goodman, "Exploratory latent structure analysis using both identifiable and
       unidentifiable models", Biometrika 61(2), 1974. :doi:`10.1093/biomet/61.2.215`

    .. [2] R. Varadhan, C. Roland, "Simple and globally convergent methods for accelerating the
       convergence of any EM algorithm", Scandinavian Journal of Statistics 35(2), 2008.
       :doi:`10.1111/j.1467-9469.2007.00585.x`

    .. [3] G. Celeux, G. Govaert, "A classification EM algorithm for clustering and two stochastic
       versions", Computational Statistics & Data Analysis 14(3), 1992.
       :doi:`10.1016/0167-9473(92)90042-E`

    Examples
    --------
    >>> from skmix import CategoricalMixture
    >>> X = [["yes", "no"], ["yes", "no"], ["yes", None], ["no", "yes"], [None, "yes"]]
    >>> mixture = CategoricalMixture(2, random_state=0).fit(X)
    >>> mixture.weights_.round(2)
    array([0.6, 0.4])
    >>> mixture.predict([["yes", None], [None, "yes"]])
    array([0, 1])
    >>> mixture.impute([["yes", None]])
    array([['yes', 'no']], dtype=object)
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "categories": [StrOptions({"auto"}), list, tuple],
        "handle_unknown": [StrOptions({"error", "ignore"})],
        "alpha": [NON_NEGATIVE],
        "assignment": [StrOptions({"soft", "hard"})],
        "tol": [NON_NEGATIVE],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "init_params": [StrOptions({"auto", "random"})],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "verbose_interval": [Interval(Integral, 1, None, closed="left")],
        "forgetting": streaming.CONSTRAINT,
    }

    def __init__(
        self,
        n_components=1,
        *,
        categories="auto",
        handle_unknown="error",
        alpha=0.0,
        assignment="soft",
        tol=1e-8,
        max_iter=5000,
        n_init=1,
        init_params="auto",
        random_state=None,
        warm_start=False,
        verbose=0,
        verbose_interval=10,
        forgetting=None,
    ):
        self.n_components = n_components
        self.categories = categories
        self.handle_unknown = handle_unknown
        self.alpha = alpha
        self.assignment = assignment
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.forgetting = forgetting

    def __sklearn_tags__(self):
        return encoding.categorical_tags(super().__sklearn_tags__())

    # Using a fit ------------------------------------------------------------------------------

    def _fitted_family(self):
        packing = Packing([len(known) for known in self.categories_])
        return Categorical(packing, self.alpha), self._params()

    def _validate_rows(self, X):
        check_is_fitted(self)
        columns = encoding.read_columns(self, X, reset=False, categories=self.categories_)
        return encoding.encode(columns, self.categories_, self.handle_unknown)

    def _are_empty(self, X):
        return (X < 0).all(axis=1)

    def _score_rows(self, score, X):
        """Apply one of the engine's row-wise functions to codes."""
        packing = packing_of(X, self.categories_)
        with StateSource(packing.pack(X), packing=packing) as source:
            return score(source, Categorical(packing), self._params())

    def _sample(self, n_samples, random_state, shuffle=False):
        codes, labels = super()._sample(n_samples, random_state, shuffle)
        return encoding.decode(codes, self.categories_), labels

    def _as_fitted(self, X):
        if self._template is None:
            return X
        columns = [np.array(cells.tolist()) for cells in X.T]
        return frames.make_frame(self._template, columns)

    @lazily_by_chunks(lambda self: (self.n_features_in_,), "given", framed=True)
    def impute(self, X):
        """Fill in missing answers by the most probable ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        X_filled : ndarray or DataFrame of shape (n_samples, n_features)
            A copy of the rows in which every missing answer is the most probable category of its
            column given the observed answers of the row.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix import CategoricalMixture
        >>> X = [[0, 0], [0, 0], [1, 1], [1, 1], [1, np.nan]]
        >>> CategoricalMixture(2, random_state=0).fit(X).impute([[np.nan, 1], [0, np.nan]])
        array([[1., 1.],
               [0., 0.]])
        """
        codes = self._validate_rows(X)
        (incomplete,) = np.nonzero((codes < 0).any(axis=1))
        filled = codes.copy()
        if len(incomplete):
            resp = self._score_rows(em.predict_proba, codes[incomplete])
            for j, probabilities in enumerate(self.probabilities_):
                likely = np.argmax(resp @ probabilities, axis=1)
                answers = codes[incomplete, j]
                filled[incomplete, j] = np.where(answers < 0, likely, answers)
        return encoding.fill(X, codes, filled, self.categories_)
