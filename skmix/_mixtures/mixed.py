"""Mixtures of tables as people have them: numbers, counts and categories."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._interface.validation import NON_NEGATIVE
from .._interface.wording import learned
from . import estimates, regularisation, shrinking, streaming
from .covariance_types import FAMILIES
from .criteria import ClassificationCriteria
from .estimates import Estimate
from .gaussian import GaussianMixture
from .mixed_conditioning import MixedConditioning
from .mixed_fit import ORDER
from .partial import PartialLabels
from .report import Line, column_names, show
from .streams import StreamOfTables


class MixedMixture(StreamOfTables, PartialLabels, MixedConditioning, ClassificationCriteria):
    r"""Mixture for tables with columns of several kinds: numbers, counts and categories.

    Within a component the numbers follow a normal distribution, with any structure of the
    covariance, every count a Poisson distribution and every categorical column its own
    probabilities, independent of each other:
    :math:`p(x) = \sum_k \pi_k\, N(x_g; \mu_k, \Sigma_k) \prod_j \mathrm{Po}(x_j; \lambda_{kj})
    \prod_j \theta_{kj}(x_j)`. It is fitted by expectation-maximisation to the cells that were
    observed, and takes DataFrames of pandas and polars as they are.

    Parameters
    ----------
    n_components : int, default=1
        The number of mixture components.

    covariance_type : {'full', 'tied', 'diag', 'spherical'} or three letters, default='full'
        What the covariances of the numbers look like, as in :class:`GaussianMixture`.

    families : dict, default=None
        What some columns are: from their names, or positions, to 'gaussian', 'categorical' or
        'poisson'. It comes before the dtypes and `categorical_features`.

    categorical_features : 'from_dtype', array-like or None, default='from_dtype'
        The categorical columns:

        - 'from_dtype': those of text, of booleans, and of the categorical types of pandas and
          polars. All others are numbers.
        - array-like: their names, positions, or a boolean mask.
        - None: there are none.

    categories : 'auto' or list of array-like, default='auto'
        The categories of every categorical column, in the order of these columns. 'auto' takes
        those in the rows of positive weight: sorted or, where the dtype declares an order, in
        that order. Whole numbers must not be negative unless they are listed: -1 is often a
        missing answer.

    handle_unknown : {'error', 'ignore'}, default='error'
        What to do with a value that is not among the categories: raise an error, or treat it as
        missing.

    alpha : float, default=0.0
        Pseudo-observations of every category, in every component, as in
        :class:`CategoricalMixture`. 0 is maximum likelihood.

    tol : float, default=1e-6
        EM stops when the mean log-likelihood per row changes by less than this (nats).

    reg_covar : float or 'auto', default='auto'
        What is added to every variance, as in :class:`GaussianMixture`.

    max_iter : int, default=1000
        The largest number of EM iterations of the run that is kept; the short runs that find its
        start are not counted.

    n_init : int, default=1
        The number of runs, each from its own start; the one of highest likelihood is kept.

    init_params : {'auto', 'random'}, default='auto'
        Where EM starts:

        - 'auto': the best of short runs from clusters in the numbers, in the categories, and in
          both at once (see Notes).
        - 'random': the rows nearest to rows that are drawn far from each other, no short runs.

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

    shrinkage : float or 'auto', default=0.0
        Pseudo-observations per component with the pooled within-component covariance of the
        numbers, as in :class:`GaussianMixture`; 'auto' chooses them by the data.

    assignment : {'soft', 'hard'}, default='soft'
        What the rows of `fit` count for:

        - 'soft': for all components, by their responsibilities (EM).
        - 'hard': each for its most probable component alone (classification EM).

    prior : {'data', None}, default=None
        'data' is the conjugate prior that the numbers suggest, as in :class:`GaussianMixture`: no
        component can collapse, and `shrinkage` must be 0. None is maximum likelihood.

    forgetting : float or None, default=None
        How `partial_fit` weighs the batches before: None, all alike; a number between 0 and 1,
        less and less (see :class:`GaussianMixture`).

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        The weights of the components, largest first; they sum to 1.

    families_ : ndarray of shape (n_features,)
        What each column is: 'gaussian', 'categorical' or 'poisson'.

    means_ : ndarray of shape (n_components, n_numbers)
        The means of the numbers, in their units and in the order of the columns.

    covariances_ : ndarray
        The covariances of the numbers, shaped as in :class:`GaussianMixture`.

    precisions_ : ndarray
        The inverses of the covariances.

    precisions_cholesky_ : ndarray
        Upper triangular factors of the precisions, as in :class:`GaussianMixture`.

    reg_covar_ : ndarray of shape (n_numbers,)
        What was added to the variances of each number, in squared units.

    shrinkage_ : float
        The pseudo-observations: `shrinkage`, or what 'auto' chose.

    rates_ : ndarray of shape (n_components, n_counts)
        The rates of the counts, in the order of the columns.

    probabilities_ : list of ndarray of shape (n_components, n_categories)
        For every categorical column the probabilities of its categories.

    categories_ : list of ndarray of shape (n_categories,)
        The categories of every categorical column, in the order of `probabilities_`.

    converged_ : bool
        Whether the best run reached `tol` within `max_iter` iterations, and its likelihood never
        fell beyond rounding.

    n_iter_ : int
        The number of iterations of the best run.

    lower_bound_ : float
        The mean log-likelihood per row (nats) of the best run at its last E-step, weighted by
        `sample_weight`; the mean classification log-likelihood if `assignment` is 'hard'.

    lower_bounds_ : list of float
        `lower_bound_` at each iteration of the best run.

    n_features_in_ : int
        Number of columns seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of columns seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    GaussianMixture : Numbers alone.
    CategoricalMixture : Categories alone, with the reports of latent class analysis.
    Mixture : Components of one's own.
    sklearn.preprocessing.OneHotEncoder : What models without categories need first.

    Notes
    -----
    An iteration costs what the parts cost: 2 n K d² operations for d numbers with full
    covariances, 4 n K for every count, and about 4 n K for every pack of categorical columns
    (K components; the answers to a few columns together are packed into one of up to 256 states).
    The fit is the same to the bit for any number of threads.

    Log densities of numbers are densities in the units of the columns, those of counts and
    categories are probabilities. Likelihoods compare only between fits in which every column has
    the same kind.

    Missing cells of any kind drop out of the likelihood, exactly, for cells missing at random. A
    number column in which many rows share a value (zeros, say) is a normal distribution of next to
    no variance in some components: `reg_covar` bounds it, runs are ranked by the likelihood at the
    resolution of the column, and a
    :class:`~skmix.exceptions.DegenerateComponentWarning` says so. Such columns are often better
    declared categorical.

    The starts of 'auto' are clusters of a few thousand distinct rows, by k-means on the numbers
    (standardised, whitened, whitened by near pairs, invariant coordinates), on the axes of a
    multiple correspondence analysis of the categories, and on both side by side. Short runs drop
    the worse.

    Rounding, missing cells, `sample_weight`, float32 and hard assignment are as in
    :class:`GaussianMixture` and :class:`CategoricalMixture`.

    References
    ----------
    C. J. Lawrence, W. J. Krzanowski, "Mixture separation for mixed-mode data", Statistics and
    Computing 6(1), 1996. :doi:`10.1007/BF00161577`

    L. Hunt, M. Jorgensen, "Clustering mixed data", WIREs Data Mining and Knowledge Discovery
    1(4), 2011. :doi:`10.1002/widm.33`

    M. Marbac, M. Sedki, "Variable selection for model-based clustering using the integrated
    complete-data likelihood", Statistics and Computing 27(4), 2017.
    :doi:`10.1007/s11222-016-9670-1`

    Examples
    --------
    >>> from skmix import MixedMixture
    >>> X = [
    ...     ["web", 19.0, 0], ["web", 22.0, 1], ["web", None, 0], ["web", 25.0, 2],
    ...     ["shop", 61.0, 7], ["shop", 58.0, None], [None, 64.0, 9],
    ... ]
    >>> mixture = MixedMixture(2, covariance_type="diag", families={2: "poisson"}, random_state=0)
    >>> print(mixture.fit(X).report())
                      component 0  component 1
    weight                  0.571        0.429
    column 0
      shop                  0.000        1.000
      web                   1.000        0.000
    column 1
      mean                 22.000       61.000
      std                   2.450        2.450
    column 2
      rate                  0.750        8.000
    >>> mixture.predict([["web", 60.0, None], [None, None, 8]])
    array([0, 1])
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "covariance_type": [StrOptions(set(FAMILIES))],
        "families": [dict, None],
        "categorical_features": [StrOptions({"from_dtype"}), "array-like", None],
        "categories": [StrOptions({"auto"}), list, tuple],
        "handle_unknown": [StrOptions({"error", "ignore"})],
        "alpha": [NON_NEGATIVE],
        "tol": [NON_NEGATIVE],
        "reg_covar": regularisation.CONSTRAINT,
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "init_params": [StrOptions({"auto", "random"})],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "verbose_interval": [Interval(Integral, 1, None, closed="left")],
        "shrinkage": shrinking.CONSTRAINT,
        "assignment": [StrOptions({"soft", "hard"})],
        "prior": GaussianMixture._parameter_constraints["prior"],
        "forgetting": streaming.CONSTRAINT,
    }

    def __init__(
        self,
        n_components=1,
        *,
        covariance_type="full",
        families=None,
        categorical_features="from_dtype",
        categories="auto",
        handle_unknown="error",
        alpha=0.0,
        tol=1e-6,
        reg_covar="auto",
        max_iter=1000,
        n_init=1,
        init_params="auto",
        random_state=None,
        warm_start=False,
        verbose=0,
        verbose_interval=10,
        shrinkage=0.0,
        assignment="soft",
        prior=None,
        forgetting=None,
    ):
        self.n_components = n_components
        self.covariance_type = covariance_type
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
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.shrinkage = shrinkage
        self.assignment = assignment
        self.prior = prior
        self.forgetting = forgetting

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    def report(self, as_frame: bool = False) -> Any:
        """Return the parameters of every column in every component, in units of the table.

        Parameters
        ----------
        as_frame : bool, default=False
            Whether to return a pandas DataFrame instead of text.

        Returns
        -------
        report : str or DataFrame
            A line, or row, with the weights of the components; then for every column its mean and
            standard deviation, its rate, or the probabilities of its categories. Components come
            in order of decreasing weight.

        Raises
        ------
        ImportError
            If `as_frame` is true and pandas is not installed.

        Examples
        --------
        >>> from skmix import MixedMixture
        >>> print(MixedMixture().fit([["a", 0.0], ["a", 1.0], ["b", 2.0]]).report())
                          component 0
        weight                  1.000
        column 0
          a                     0.667
          b                     0.333
        column 1
          mean                  1.000
          std                   0.816
        """
        check_is_fitted(self)
        return show(self._reported(), as_frame=as_frame)

    def _estimates(self) -> list[Estimate]:
        names = np.array(column_names(self, len(self.families_)), dtype=object)
        of_kind = {kind: names[self._places(kind)].tolist() for kind in ORDER}
        found = [estimates.of_weights(self.weights_)]
        if of_kind["gaussian"]:
            numbers, variances = of_kind["gaussian"], self._spreads() ** 2
            found.append(estimates.of_columns("means", "mean", self.means_, numbers))
            found.append(estimates.of_columns("variances", "variance", variances, numbers))
        if of_kind["poisson"]:
            found.append(estimates.of_columns("rates", "rate", self.rates_, of_kind["poisson"]))
        if of_kind["categorical"]:
            answers = of_kind["categorical"]
            found.append(estimates.of_categories(self.probabilities_, self.categories_, answers))
        return found

    def _reported(self) -> list[Line]:
        """Return (column, parameter, its values in all components) of everything."""
        names = column_names(self, len(self.families_))
        means, rates = (iter(learned(self, n, (None, None)).T) for n in ("means_", "rates_"))
        spreads = iter(self._spreads().T)
        answers = iter(zip(self.categories_, self.probabilities_, strict=True))
        table = [Line("weight", None, self.weights_)]
        for name, kind in zip(names, self.families_, strict=True):
            if kind == "gaussian":
                table += [Line(name, "mean", next(means)), Line(name, "std", next(spreads))]
            elif kind == "poisson":
                table.append(Line(name, "rate", next(rates)))
            else:
                known, probabilities = next(answers)
                table += [
                    Line(name, category, row)
                    for category, row in zip(known.tolist(), probabilities.T, strict=True)
                ]
        return table

    def _spreads(self) -> np.ndarray:
        """Return the standard deviations of the numbers (n_components, n_numbers)."""
        means = learned(self, "means_", (None, None))
        if means.shape[1] == 0:
            return means
        family, params = self._numbers(self._learned_of_numbers())._fitted_family()
        return np.sqrt(family.variances(family.from_frame(params)))
