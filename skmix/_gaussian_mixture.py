"""Gaussian mixtures with scikit-learn's interface."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _num_samples, check_is_fitted

from . import _em, _starts, _validation
from ._callbacks import CallbackSupportMixin, FitProgress, Task
from ._families import (
    DiagonalGaussian,
    Frame,
    FullGaussian,
    GaussianFamily,
    GaussianParams,
    SphericalGaussian,
    TiedGaussian,
)
from ._sources import ArraySource
from .exceptions import DegenerateComponentWarning

FAMILIES: dict[str, type[GaussianFamily]] = {
    family.covariance_type: family
    for family in (FullGaussian, TiedGaussian, DiagonalGaussian, SphericalGaussian)
}


class _Fit(NamedTuple):
    """The best run of EM and what was repaired on the way."""

    result: _em.EMResult
    family: GaussianFamily
    moved: np.ndarray


class GaussianMixture(CallbackSupportMixin, DensityMixin, BaseEstimator):
    r"""Gaussian mixture, a faster drop-in for scikit-learn's.

    The density is :math:`p(x) = \sum_k \pi_k\, N(x; \mu_k, \Sigma_k)`. It is fitted by
    expectation-maximisation, in memory that does not grow with the number of rows.

    Parameters
    ----------
    n_components : int, default=1
        The number of mixture components.

    covariance_type : {'full', 'tied', 'diag', 'spherical'}, default='full'
        What the components' covariances look like:

        - 'full': each component has its own covariance matrix.
        - 'tied': all components share one covariance matrix.
        - 'diag': each component has its own diagonal covariance matrix.
        - 'spherical': each component has its own single variance.

    tol : float, default=1e-3
        EM stops when the mean log-likelihood per row changes by less than this (nats).

    reg_covar : float, default=1e-6
        Added to every variance, in squared units of `X`. With 0 nothing is added, and a
        component that collapses raises an error.

    max_iter : int, default=100
        The largest number of EM iterations.

    n_init : int, default=1
        The number of runs, each from its own start; the one of highest likelihood is kept.

    init_params : {'kmeans', 'k-means++', 'random', 'random_from_data'}, default='kmeans'
        Where EM starts:

        - 'kmeans': clusters of k-means (of a random subsample of 20 000 rows or more, where
          there are more).
        - 'k-means++': rows chosen by the seeding of k-means, likewise.
        - 'random': random responsibilities.
        - 'random_from_data': rows chosen at random.

    weights_init : array-like of shape (n_components,), default=None
        The starting weights; None derives them by `init_params`.

    means_init : array-like of shape (n_components, n_features), default=None
        The starting means; None derives them by `init_params`.

    precisions_init : array-like, default=None
        The starting inverse covariances; None derives them by `init_params`. The shape depends
        on `covariance_type`::

            (n_components,)                        if 'spherical',
            (n_features, n_features)               if 'tied',
            (n_components, n_features)             if 'diag',
            (n_components, n_features, n_features) if 'full'

    random_state : int, RandomState instance or None, default=None
        Controls the start and the draws of `sample`. Pass an int for reproducible output.

    warm_start : bool, default=False
        Whether `fit` continues from the last fit, with a single run.

    verbose : int, default=0
        1 prints each initialization and every `verbose_interval`-th iteration, 2 adds times and
        changes of the likelihood.

    verbose_interval : int, default=10
        Number of iterations from one printed line to the next.

    shrinkage : float, default=0.0
        Pseudo-observations :math:`\nu` per component with the pooled within-component
        covariance :math:`W = \sum_k \pi_k C_k`: the M-step sets
        :math:`\Sigma_k = (n_k C_k + \nu W) / (n_k + \nu)`. 0 is maximum likelihood. Must be 0
        with 'tied', which pools already.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        The weights of the components; they sum to 1.

    means_ : ndarray of shape (n_components, n_features)
        The means of the components, in units of `X`.

    covariances_ : ndarray
        The covariances of the components, in squared units of `X`; shaped as `precisions_init`.

    precisions_ : ndarray
        The inverses of the covariances.

    precisions_cholesky_ : ndarray
        Upper triangular factors of the precisions, `precisions = factor @ factor.T`; square
        roots for 'diag' and 'spherical'.

    converged_ : bool
        Whether the best run reached `tol` within `max_iter` iterations.

    n_iter_ : int
        The number of iterations of the best run.

    lower_bound_ : float
        The mean log-likelihood per row (nats) of the best run at its last E-step, weighted by
        `sample_weight`.

    lower_bounds_ : list of float
        The mean log-likelihood per row at each iteration of the best run.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    sklearn.mixture.GaussianMixture : The estimator that this one replaces.
    DiagonalGMM : The same with diagonal covariances only.
    GMMBayesClassifier : A classifier with one mixture per class.

    Notes
    -----
    One EM iteration costs about 8 n K d floating-point operations for 'diag', 4 n K d for
    'tied' and 'spherical' and 2 n K d² for 'full' (n rows, K components, d features) and reads
    `X` once. Rows are visited in chunks on as many threads as BLAS may use in this process:
    `threadpoolctl.threadpool_limits`, `OMP_NUM_THREADS` and joblib's workers limit them. The
    fit is the same to the bit for any number of threads.

    A component whose rows coincide, or lie in a plane, has no maximum-likelihood covariance;
    `reg_covar` then stands in for its variance, and a
    :class:`~skmix.exceptions.DegenerateComponentWarning` names the component. `float32` rows
    give `float32` attributes; sums are accumulated in `float64`, and narrow components are
    computed in `float64` throughout.

    References
    ----------
    A. P. Dempster, N. M. Laird, D. B. Rubin, "Maximum likelihood from incomplete data via the EM
    algorithm", Journal of the Royal Statistical Society B 39(1), 1977.
    :doi:`10.1111/j.2517-6161.1977.tb01600.x`

    G. McLachlan, D. Peel, "Finite Mixture Models", Wiley, 2000. :doi:`10.1002/0471721182`

    Examples
    --------
    >>> import numpy as np
    >>> from skmix import GaussianMixture
    >>> X = np.array([[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 1]])
    >>> gm = GaussianMixture(2, covariance_type="spherical", random_state=0).fit(X)
    >>> gm.means_.round(2)
    array([[10.  ,  2.33],
           [ 1.  ,  2.  ]])
    >>> gm.predict([[0, 0], [12, 3]])
    array([1, 0])
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "covariance_type": [StrOptions(set(FAMILIES))],
        "tol": [Interval(Real, 0.0, None, closed="left")],
        "reg_covar": [Interval(Real, 0.0, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "init_params": [StrOptions(set(_starts.INIT_PARAMS))],
        "weights_init": ["array-like", None],
        "means_init": ["array-like", None],
        "precisions_init": ["array-like", None],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "verbose_interval": [Interval(Integral, 1, None, closed="left")],
        "shrinkage": [Interval(Real, 0.0, None, closed="left")],
    }

    def __init__(
        self,
        n_components=1,
        *,
        covariance_type="full",
        tol=1e-3,
        reg_covar=1e-6,
        max_iter=100,
        n_init=1,
        init_params="kmeans",
        weights_init=None,
        means_init=None,
        precisions_init=None,
        random_state=None,
        warm_start=False,
        verbose=0,
        verbose_interval=10,
        shrinkage=0.0,
    ):
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.shrinkage = shrinkage

    @classmethod
    def from_parameters(cls, weights, means, covariances, *, covariance_type="full"):
        """Make a fitted mixture of given parameters, which samples and scores.

        Parameters
        ----------
        weights : array-like of shape (n_components,)
            The weights of the components; they must sum to 1.

        means : array-like of shape (n_components, n_features)
            The means of the components.

        covariances : array-like
            The covariances, shaped as `covariances_` of this `covariance_type`.

        covariance_type : {'full', 'tied', 'diag', 'spherical'}, default='full'
            What the covariances look like.

        Returns
        -------
        mixture : estimator
            A fitted instance. It has seen no data: `lower_bound_` is NaN.

        Raises
        ------
        ValueError
            If shapes disagree, weights do not sum to 1, or a covariance is not positive
            definite.

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters(
        ...     [0.5, 0.5], [[0.0], [4.0]], [1.0, 1.0], covariance_type="spherical"
        ... )
        >>> gm.predict([[0.5], [3.0]])
        array([0, 1])
        """
        mixture = cls(len(weights), covariance_type=covariance_type)
        mixture._set_parameters(weights, means, covariances)
        return mixture

    def _set_parameters(self, weights, means, covariances):
        self._validate_params()
        n_components = self.n_components
        means = np.asarray(means)
        n_features = means.shape[-1] if means.ndim == 2 else 1
        means = _validation.check_means_init(means, n_components, n_features)
        family = FAMILIES[self.covariance_type](Frame.identity(n_features))
        covariances = _validation.check_matrices(
            covariances, family, n_components, n_features, "covariance"
        )
        weights = _validation.check_weights_init(weights, n_components)
        params = GaussianParams(weights, means, *family.factor(covariances))
        vars(self).update(_attributes(family, params, np.float64))
        self.n_features_in_ = n_features
        self.converged_, self.n_iter_ = True, 0
        self.lower_bound_, self.lower_bounds_ = float("nan"), []

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Fit the mixture by EM.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows. They are not copied.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights: a row of weight w counts as w rows. Rows of weight 0 are left
            out.

        Returns
        -------
        self : object
            The fitted mixture.

        Raises
        ------
        ValueError
            If there are fewer rows of positive weight than components, `X` is not finite,
            weights are negative or all zero, a start has the wrong shape, or (with
            ``reg_covar=0`` and ``shrinkage=0``) a component collapses. An earlier fit is kept.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` iterations did not reach `tol`.
        DegenerateComponentWarning
            If components were repaired.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix import GaussianMixture
        >>> X = np.array([[0.0], [1.0], [5.0]])
        >>> GaussianMixture().fit(X, sample_weight=[1, 1, 2]).means_
        array([[2.75]])
        """
        self._fit(X, y, sample_weight)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_predict(self, X, y=None, sample_weight=None):
        """Fit the mixture and return the most probable component of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, as in `fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            The same as ``fit(X).predict(X)``.

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> GaussianMixture(2, random_state=0).fit_predict([[0.0], [0.1], [5.0], [5.1]])
        array([1, 1, 0, 0])
        """
        return self._score_rows(_em.predict, self._fit(X, y, sample_weight))

    def _fit(self, X, y, sample_weight):
        """Fit and return the validated rows."""
        with _validation.earlier_fit_kept(self):
            rows = _validation.validate_rows(self, X, ensure_min_samples=2)
            sample_weight = _validation.check_sample_weight(sample_weight, rows)
            weight, X = _validation.drop_unweighted(sample_weight, rows)
            self._check_fit_parameters(X, weight)
            n_init = 1 if self._continues() else self.n_init
            max_subtasks = n_init if n_init > 1 else self.max_iter
            task = Task.root(self, max_subtasks, rows, y, sample_weight)
            with ArraySource(X, weight) as source:
                fit = self._run_em(source, n_init, task)
            result, family, _ = fit
            vars(self).update(_attributes(family, result.params, X.dtype))
            self.converged_ = result.converged
            self.n_iter_ = result.n_iter
            self.lower_bound_ = result.lower_bound
            self.lower_bounds_ = result.lower_bounds
            self._warn(fit)
            task.end(dict)
        return rows

    def _check_fit_parameters(self, X, sample_weight):
        n_samples, n_features = X.shape
        if n_samples < self.n_components:
            hint = "" if sample_weight is None else " with positive sample_weight"
            raise ValueError(
                "Expected n_samples >= n_components but got n_components = "
                f"{self.n_components}, n_samples = {n_samples}{hint}. Use at most as many "
                "components as there are rows."
            )
        if self.shrinkage > 0 and self.covariance_type == "tied":
            raise ValueError(
                f"shrinkage={self.shrinkage} has no effect with covariance_type='tied', which "
                "pools the covariances already; use shrinkage=0 or another covariance_type."
            )
        if self._continues() and self.means_.shape != (self.n_components, n_features):
            raise ValueError(
                f"warm_start=True continues from means_ of shape {self.means_.shape}, but "
                f"n_components={self.n_components} and X has {n_features} features. Set "
                "warm_start=False to start afresh."
            )

    def _continues(self):
        return self.warm_start and hasattr(self, "means_")

    def _run_em(self, source, n_init, task) -> _Fit:
        """Run EM from every start; return the run of highest likelihood."""
        family_type = FAMILIES[self.covariance_type]
        frame = Frame.of_source(source, common_scale=family_type.common_scale)
        family = family_type(frame, reg_covar=self.reg_covar, shrinkage=self.shrinkage)
        family.bind(source)
        given = self._given_start(family, source.X.shape[1])
        random_state = check_random_state(self.random_state)
        best = None
        for init in range(n_init):
            run_task = task
            if n_init > 1:
                run_task = task.subtask("initialization", self.max_iter)
            progress = FitProgress(
                run_task,
                verbose=int(self.verbose),
                verbose_interval=self.verbose_interval,
                attributes_of=lambda params, n_iter, lower_bound: {
                    **_attributes(family, params, source.dtype),
                    "n_iter_": n_iter,
                    "lower_bound_": lower_bound,
                },
            )
            progress.run_begins(init)
            params, moved = self._start(source, family, given, random_state)
            result = _em.em(
                source,
                family,
                params,
                tol=self.tol,
                max_iter=self.max_iter,
                lower_bound=self.lower_bound_ if self._continues() else -np.inf,
                monitor=progress,
            )
            if self.max_iter > 0:
                progress.run_ends(result.lower_bound, result.converged)
            if best is None or result.lower_bound > best.result.lower_bound:
                best = _Fit(result, family, moved)
            if n_init > 1 and run_task.end(lambda fit=best: _attributes(
                family, fit.result.params, source.dtype
            )):
                break
        return best

    def _given_start(self, family, n_features) -> dict[str, Any]:
        """Starting values from the constructor or the last fit, in the frame; None: derive."""
        if self._continues():
            params = GaussianParams(
                self.weights_.astype(np.float64),
                self.means_.astype(np.float64),
                self.covariances_.astype(np.float64),
                self.precisions_cholesky_.astype(np.float64),
            )
            return family.to_frame(params)._asdict()
        n_components = self.n_components
        given: dict[str, Any] = {}
        if self.weights_init is not None:
            given["weights"] = _validation.check_weights_init(self.weights_init, n_components)
        if self.means_init is not None:
            means = _validation.check_means_init(self.means_init, n_components, n_features)
            given["means"] = (means - family.frame.reference) / family.frame.scale
        if self.precisions_init is not None:
            precisions = _validation.check_matrices(
                self.precisions_init, family, n_components, n_features, "precision"
            )
            zeros = np.zeros((n_components, n_features))
            factors = family.factor_precisions(precisions)
            params = GaussianParams(zeros, zeros, None, factors)
            factors = family.rescale(params, 1.0 / family.frame.scale).precisions_cholesky
            given["precisions_cholesky"] = factors
            given["covariances"] = family.invert_factors(factors)
        return given

    def _start(self, source, family, given, random_state):
        if len(given) == len(GaussianParams._fields):
            params = GaussianParams(**given)
        else:
            start = _starts.make_start(
                source.X, source.sample_weight, self.n_components, self.init_params, random_state
            )
            params = _starts.start_params(start, family)._replace(**given)
        return _starts.break_ties(params, family, random_state)

    def _warn(self, fit: _Fit):
        result, family, moved = fit
        if not (result.converged or result.stopped) and self.max_iter > 0:
            warnings.warn(
                "Best performing initialization did not converge. Try different init parameters, "
                "or increase max_iter, tol, or check for degenerate data.",
                ConvergenceWarning,
                stacklevel=4,
            )
        repairs = []
        if len(moved):
            repairs.append(
                f"{_names(moved)} started identical to another, which EM never separates: the "
                f"means were moved by about {_starts.TIE_STEP} standard deviations."
            )
        dead = result.params.weights == 0
        if dead.any():
            repairs.append(
                f"{_names(np.flatnonzero(dead))} lost all rows: left out with weight 0. Use "
                "fewer components or another start."
            )
        collapsed = family.collapsed(result.params) & ~dead
        if collapsed.any():
            repairs.append(
                f"{_names(np.flatnonzero(collapsed))} collapsed: in some direction the rows have "
                f"next to no spread of their own, and reg_covar={self.reg_covar} stands in for "
                "it. Use fewer components, a larger reg_covar, shrinkage, or drop constant and "
                "duplicate columns."
            )
        if repairs:
            warnings.warn(" ".join(repairs), DegenerateComponentWarning, stacklevel=4)

    def predict(self, X):
        """Return the most probable component of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Component indices.

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [4.0]], [[[1.0]], [[1.0]]])
        >>> gm.predict([[1.0], [3.0]])
        array([0, 1])
        """
        return self._score_rows(_em.predict, self._validate_rows(X))

    def predict_proba(self, X):
        """Return the responsibilities of the components for every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        resp : ndarray of shape (n_samples, n_components)
            Posterior probabilities of the components; rows sum to 1.

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [4.0]], [[[1.0]], [[1.0]]])
        >>> gm.predict_proba([[2.0]])
        array([[0.5, 0.5]])
        """
        return self._score_rows(_em.predict_proba, self._validate_rows(X))

    def score_samples(self, X):
        """Return the log density of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        log_prob : ndarray of shape (n_samples,)
            Natural logarithms of the density (nats).

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
        >>> gm.score_samples([[0.0]]).round(4)
        array([-0.9189])
        """
        return self._score_rows(_em.score_samples, self._validate_rows(X))

    def score(self, X, y=None):
        """Return the mean log density of the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        log_likelihood : float
            Mean log-likelihood per row (nats).

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
        >>> round(gm.score([[-1.0], [1.0]]), 4)
        -1.4189
        """
        return float(np.mean(self.score_samples(X), dtype=np.float64))

    def sample(self, n_samples=1):
        """Draw rows from the fitted mixture.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            The rows, grouped by component.

        y : ndarray of shape (n_samples,)
            The component of every row.

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [[[1.0, 0], [0, 1.0]]])
        >>> X, y = gm.sample(3)
        >>> X.shape, y
        ((3, 2), array([0, 0, 0]))
        """
        check_is_fitted(self)
        return self._sample(n_samples, check_random_state(self.random_state))

    def _sample(self, n_samples, random_state):
        if n_samples < 1:
            raise ValueError(
                f"Invalid value for 'n_samples': {n_samples} . The sampling requires at least "
                "one sample."
            )
        family, params = self._fitted_family()
        weights = params.weights / params.weights.sum()
        counts = random_state.multinomial(n_samples, weights)
        params = family.from_frame(params)
        family = type(family)(Frame.identity(self.means_.shape[1]))
        X = [family.sample(params, k, int(n), random_state) for k, n in enumerate(counts)]
        return np.concatenate(X), np.repeat(np.arange(len(counts)), counts)

    def aic(self, X):
        """Return Akaike's information criterion on the rows; lower is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        aic : float
            -2 log-likelihood + 2 (number of free parameters).

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
        >>> round(gm.aic([[-1.0], [1.0]]), 4)
        9.6758
        """
        return -2.0 * self.score(X) * _num_samples(X) + 2.0 * self._n_parameters()

    def bic(self, X):
        """Return the Bayesian information criterion on the rows; lower is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        bic : float
            -2 log-likelihood + log(n_samples) (number of free parameters).

        Examples
        --------
        >>> from skmix import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
        >>> round(gm.bic([[-1.0], [1.0]]), 4)
        7.0621
        """
        n_samples = _num_samples(X)
        return -2.0 * self.score(X) * n_samples + self._n_parameters() * float(np.log(n_samples))

    def _n_parameters(self):
        family, params = self._fitted_family()
        return family.n_parameters(params)

    def _validate_rows(self, X):
        check_is_fitted(self)
        return _validation.validate_rows(self, X, reset=False)

    def _score_rows(self, score, X):
        """Apply one of the engine's row-wise functions to validated rows."""
        family, params = self._fitted_family()
        with ArraySource(X) as source:
            return score(source, family, params)

    def _fitted_family(self):
        """The family and the parameters, in a frame of their own, that the attributes describe."""
        family_type = FAMILIES[self.covariance_type]
        params = GaussianParams(
            np.asarray(self.weights_, dtype=np.float64),
            np.asarray(self.means_, dtype=np.float64),
            None,
            np.asarray(self.precisions_cholesky_, dtype=np.float64),
        )
        variances = family_type(Frame.identity(params.means.shape[1])).pivots(params)
        frame = Frame.of_components(
            params.weights, params.means, variances, common_scale=family_type.common_scale
        )
        family = family_type(frame)
        return family, family.to_frame(params)


class DiagonalGMM(GaussianMixture):
    r"""Gaussian mixture with diagonal covariances.

    The same as :class:`GaussianMixture` with ``covariance_type="diag"``: within a component the
    features are independent, :math:`p(x) = \sum_k \pi_k \prod_j N(x_j; \mu_{kj}, \sigma_{kj}^2)`.

    Parameters
    ----------
    n_components : int, default=1
        The number of mixture components.

    tol : float, default=1e-3
        EM stops when the mean log-likelihood per row changes by less than this (nats).

    reg_covar : float, default=1e-6
        Added to every variance, in squared units of `X`. With 0 nothing is added, and a
        component that collapses raises an error.

    max_iter : int, default=100
        The largest number of EM iterations.

    n_init : int, default=1
        The number of runs, each from its own start; the one of highest likelihood is kept.

    init_params : {'kmeans', 'k-means++', 'random', 'random_from_data'}, default='kmeans'
        Where EM starts, as in :class:`GaussianMixture`.

    weights_init : array-like of shape (n_components,), default=None
        The starting weights; None derives them by `init_params`.

    means_init : array-like of shape (n_components, n_features), default=None
        The starting means; None derives them by `init_params`.

    precisions_init : array-like of shape (n_components, n_features), default=None
        The starting inverse variances; None derives them by `init_params`.

    random_state : int, RandomState instance or None, default=None
        Controls the start and the draws of `sample`. Pass an int for reproducible output.

    warm_start : bool, default=False
        Whether `fit` continues from the last fit, with a single run.

    verbose : int, default=0
        1 prints each initialization and every `verbose_interval`-th iteration, 2 adds times and
        changes of the likelihood.

    verbose_interval : int, default=10
        Number of iterations from one printed line to the next.

    shrinkage : float, default=0.0
        Pseudo-observations per component with the pooled within-component variances, as in
        :class:`GaussianMixture`. 0 is maximum likelihood.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        The weights of the components; they sum to 1.

    means_ : ndarray of shape (n_components, n_features)
        The means of the components, in units of `X`.

    covariances_ : ndarray of shape (n_components, n_features)
        The variances of the components, in squared units of `X`.

    precisions_ : ndarray of shape (n_components, n_features)
        The inverses of the variances.

    precisions_cholesky_ : ndarray of shape (n_components, n_features)
        Square roots of the precisions.

    converged_ : bool
        Whether the best run reached `tol` within `max_iter` iterations.

    n_iter_ : int
        The number of iterations of the best run.

    lower_bound_ : float
        The mean log-likelihood per row (nats) of the best run at its last E-step.

    lower_bounds_ : list of float
        The mean log-likelihood per row at each iteration of the best run.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    GaussianMixture : Other covariance types.
    sklearn.mixture.GaussianMixture : scikit-learn's counterpart.

    Notes
    -----
    One EM iteration costs about 8 n K d floating-point operations and reads `X` once.

    References
    ----------
    A. P. Dempster, N. M. Laird, D. B. Rubin, "Maximum likelihood from incomplete data via the EM
    algorithm", Journal of the Royal Statistical Society B 39(1), 1977.
    :doi:`10.1111/j.2517-6161.1977.tb01600.x`

    Examples
    --------
    >>> import numpy as np
    >>> from skmix import DiagonalGMM
    >>> X = np.array([[1, 2], [2, 4], [0, 0], [10, 2], [11, 4], [9, 0]])
    >>> gm = DiagonalGMM(2, random_state=0).fit(X)
    >>> gm.means_.round(3)
    array([[10.,  2.],
           [ 1.,  2.]])
    """

    covariance_type = "diag"

    _parameter_constraints: dict = {
        name: constraint
        for name, constraint in GaussianMixture._parameter_constraints.items()
        if name != "covariance_type"
    }

    def __init__(
        self,
        n_components=1,
        *,
        tol=1e-3,
        reg_covar=1e-6,
        max_iter=100,
        n_init=1,
        init_params="kmeans",
        weights_init=None,
        means_init=None,
        precisions_init=None,
        random_state=None,
        warm_start=False,
        verbose=0,
        verbose_interval=10,
        shrinkage=0.0,
    ):
        self.n_components = n_components
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.shrinkage = shrinkage

    @classmethod
    def from_parameters(cls, weights, means, covariances):
        """Make a fitted mixture of given parameters, which samples and scores.

        Parameters
        ----------
        weights : array-like of shape (n_components,)
            The weights of the components; they must sum to 1.

        means : array-like of shape (n_components, n_features)
            The means of the components.

        covariances : array-like of shape (n_components, n_features)
            The variances of the components.

        Returns
        -------
        mixture : DiagonalGMM
            A fitted instance. It has seen no data: `lower_bound_` is NaN.

        Raises
        ------
        ValueError
            If shapes disagree, weights do not sum to 1, or a variance is not positive.

        Examples
        --------
        >>> from skmix import DiagonalGMM
        >>> gm = DiagonalGMM.from_parameters([0.5, 0.5], [[0.0], [4.0]], [[1.0], [1.0]])
        >>> gm.predict([[0.5], [3.0]])
        array([0, 1])
        """
        mixture = cls(len(weights))
        mixture._set_parameters(weights, means, covariances)
        return mixture


def _attributes(family: GaussianFamily, params: GaussianParams, dtype: Any) -> dict[str, Any]:
    """Learned attributes, in the units of the rows, of parameters in the family's frame."""
    params = family.from_frame(params)
    return {
        "weights_": params.weights.astype(dtype),
        "means_": params.means.astype(dtype),
        "covariances_": params.covariances.astype(dtype),
        "precisions_cholesky_": params.precisions_cholesky.astype(dtype),
        "precisions_": family.precisions(params.precisions_cholesky).astype(dtype),
    }


def _names(components: np.ndarray) -> str:
    shown = ", ".join(str(k) for k in components[:10])
    more = f" and {len(components) - 10} more" if len(components) > 10 else ""
    return f"Component(s) {shown}{more}"
