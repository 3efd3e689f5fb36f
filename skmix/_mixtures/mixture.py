"""Mixtures of components of one's own."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .._engine.short_runs import Ladder, best_of_short_runs
from .._interface import validation
from .._interface.validation import NON_NEGATIVE
from .._interface.wording import naming
from .._rows.merge import sample_distinct
from .._rows.sources import ArraySource
from .base import BaseMixture
from .criteria import ClassificationCriteria

# Starts see at most so many distinct rows.
START_ROWS = 10_000
SEARCH_TOL = 1e-6
LADDER: Ladder = ((6, 12), (20, 4), (60, 1))

NEEDED = (
    "prepare",
    "maximize",
    "refine",
    "forms_for_scoring",
    "n_components",
    "n_parameters",
    "sample",
    "starts",
)
EXTRAPOLATING = ("coordinates", "from_coordinates", "log_prior")


class Mixture(ClassificationCriteria, BaseMixture):
    r"""Mixture of components of any family, your own included.

    The density is :math:`p(x) = \sum_k \pi_k\, p(x \mid \theta_k)`, with components from the
    family that `family_factory` makes. It is fitted by expectation-maximisation, in memory that
    does not grow with the number of rows.

    Parameters
    ----------
    n_components : int, default=1
        The number of mixture components.

    family_factory : callable
        Makes the family of a fit, as ``family_factory(n_features)``: as a rule a subclass of
        :class:`~skmix.families.LinearFamily`, or ``functools.partial`` of one that has options.
        It has to be importable by name (defined in a module, not in a function) for the mixture
        to be pickled.

    tol : float, default=1e-5
        EM stops when the mean log-likelihood per row changes by less than this (nats).

    max_iter : int, default=1000
        The largest number of EM iterations of the run that is kept; the short runs that find its
        start are not counted.

    n_init : int, default=1
        The number of runs, each from its own start; the one of highest likelihood is kept.

    random_state : int, RandomState instance or None, default=None
        Controls the start and the draws of `sample`. Pass an int for reproducible output.

    warm_start : bool, default=False
        Whether `fit` continues from the last fit, with a single run. It forgets the rows before.

    verbose : int, default=0
        1 prints each initialization and every `verbose_interval`-th iteration, 2 adds times and
        changes of the likelihood.

    verbose_interval : int, default=10
        Number of iterations from one printed line to the next.

    assignment : {'soft', 'hard'}, default='soft'
        What the rows of `fit` count for:

        - 'soft': for all components, by their responsibilities (EM).
        - 'hard': each for its most probable component alone (classification EM).

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        The weights of the components; they sum to 1. The same as ``params_.weights``.

    params_ : NamedTuple of ndarray
        The parameters of the components, named as the family names them, in float64.

    family_ : object
        The family, as `family_factory` made it.

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
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    skmix.families.LinearFamily : The base of components of your own.
    GaussianMixture : Gaussian components, with covariances of four kinds.
    CategoricalMixture : Independent categorical columns.
    sklearn.mixture.GaussianMixture : Gaussian components in scikit-learn.

    Notes
    -----
    Rows are visited in chunks on as many threads as BLAS may use in this process, and the fit is
    the same to the bit for any number of threads. A weight of 2 equals a row that is there twice.

    A fit starts from the best of short runs of EM on up to 10 000 distinct rows. Their starts are
    random, unless the family has its own: each component is estimated from a few random rows
    together with a share of all rows. If the family can extrapolate its parameters
    (:class:`~skmix.families.Extrapolating`), EM is accelerated, unless `assignment` is 'hard'.

    Missing cells (NaN) are taken if the family says that it does, by ``allow_nan = True``.

    References
    ----------
    A. P. Dempster, N. M. Laird, D. B. Rubin, "Maximum likelihood from incomplete data via the EM
    algorithm", Journal of the Royal Statistical Society B 39(1), 1977.
    :doi:`10.1111/j.2517-6161.1977.tb01600.x`

    C. Biernacki, G. Celeux, G. Govaert, "Choosing starting values for the EM algorithm for
    getting the highest likelihood in multivariate Gaussian mixture models", Computational
    Statistics & Data Analysis 41(3-4), 2003. :doi:`10.1016/S0167-9473(02)00163-6`

    Examples
    --------
    Exponential components, waiting times for example; the features are the rows themselves:

    >>> from typing import NamedTuple
    >>> import numpy as np
    >>> from skmix import Mixture
    >>> from skmix.families import LinearFamily
    >>> class ExponentialParams(NamedTuple):
    ...     weights: np.ndarray
    ...     rates: np.ndarray  # (n_components, n_features)
    >>> class Exponential(LinearFamily):
    ...     def features(self, X):
    ...         return X
    ...     def coefficients(self, params):
    ...         return -params.rates
    ...     def constants(self, params):
    ...         return np.log(params.rates).sum(axis=1)
    ...     def estimate(self, weights, means, counts):
    ...         return ExponentialParams(weights, 1 / np.maximum(means, 1e-9))
    ...     def sample(self, params, component, n_samples, rng):
    ...         return rng.exponential(1 / params.rates[component], (n_samples, self.n_features))
    ...     def n_parameters(self, params):
    ...         return params.rates.size + len(params.weights) - 1
    >>> rng = np.random.default_rng(0)
    >>> X = rng.exponential(np.repeat([1.0, 30.0], 500))[:, None]
    >>> mixture = Mixture(2, family_factory=Exponential, random_state=0).fit(X)
    >>> print(np.sort(1 / mixture.params_.rates, axis=0).round())
    [[ 1.]
     [28.]]
    >>> print(mixture.predict([[0.5], [50.0]]) == mixture.predict([[0.1], [90.0]]))
    [ True  True]
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "family_factory": [callable],
        "tol": [NON_NEGATIVE],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "verbose_interval": [Interval(Integral, 1, None, closed="left")],
        "assignment": [StrOptions({"soft", "hard"})],
    }

    def __init__(
        self,
        n_components=1,
        *,
        family_factory,
        tol=1e-5,
        max_iter=1000,
        n_init=1,
        random_state=None,
        warm_start=False,
        verbose=0,
        verbose_interval=10,
        assignment="soft",
    ):
        self.n_components = n_components
        self.family_factory = family_factory
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.assignment = assignment

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        factory = getattr(self, "family_", self.family_factory)
        factory = getattr(factory, "func", factory)  # of a partial
        tags.input_tags.allow_nan = bool(getattr(factory, "allow_nan", False))
        return tags

    # Fitting ----------------------------------------------------------------------------------

    def _new_family(self) -> Any:
        """Make a family for the rows that were validated last, and check what it has."""
        with naming("family_factory", "a function from the number of features to a family"):
            family = self.family_factory(self.n_features_in_)
        lacking = [name for name in NEEDED if not callable(getattr(family, name, None))]
        some = [name for name in EXTRAPOLATING if callable(getattr(family, name, None))]
        if some:
            lacking += [name for name in EXTRAPOLATING if name not in some]
        if lacking:
            raise TypeError(
                f"family_factory={self.family_factory!r} made a {type(family).__name__}, which "
                f"lacks the method(s) {', '.join(lacking)}. Subclass "
                "skmix.families.LinearFamily, or see skmix.families for what a family needs."
            )
        return family

    @property
    def _fall_remedy(self) -> str:  # type: ignore[override]
        name = type(self._new_family()).__name__
        return (
            f"Check that {name}.estimate returns the most likely parameters; where it adds a "
            f"prior, say what that costs by {name}.concession (see skmix.families). Centre "
            "features whose squares are far larger than their variance."
        )

    def _check_rows(self, X, *, reset):
        family = self._new_family() if reset else self.family_
        if not getattr(family, "allow_nan", False) and validation.has_missing(X):
            raise ValueError(
                f"Input X contains NaN, but components of {type(family).__name__} take no missing "
                "cells. Fill or drop them, or use a family with allow_nan = True."
            )

    def _check_fit_parameters(self, shape, weighted):
        super()._check_fit_parameters(shape, weighted)
        if not self._continues():
            return
        n_features = shape[1]
        before = len(self.weights_), getattr(self.family_, "n_features", n_features)
        if before != (self.n_components, n_features):
            raise ValueError(
                f"warm_start=True continues from {before[0]} components of {before[1]} features, "
                f"but n_components={self.n_components} and X has {n_features}. Set "
                "warm_start=False to start afresh."
            )

    def _make_family(self, source):
        family = self._new_family()
        return family.for_rows(source) if hasattr(family, "for_rows") else family

    @property
    def _accelerate(self) -> bool:  # type: ignore[override]
        return all(hasattr(self._new_family(), name) for name in EXTRAPOLATING)

    def _given_start(self, family, n_features):
        return {"params": self.params_} if self._continues() else {}

    def _start(self, source, family, given, random_state):
        if given:
            return given["params"], []
        salt = random_state.randint(2**31)
        rows = sample_distinct(source, START_ROWS, salt)
        X = source.take(rows.indices).X
        starts = list(family.starts(X, rows.weights, self.n_components, random_state))
        self._check_starts(family, starts)
        with ArraySource(X, rows.weights, incomplete=source.incomplete) as few:
            best, *_ = best_of_short_runs(
                few,
                family,
                starts,
                tol=min(self.tol, SEARCH_TOL),
                ladder=LADDER,
                accelerate=self._accelerate and self.assignment == "soft",
                hard=self.assignment == "hard",
            )
        return best.params, []

    def _check_starts(self, family, starts):
        name = type(family).__name__
        if not starts:
            raise ValueError(f"{name}.starts yielded no parameters, but EM needs a start.")
        for params in starts:
            shape = np.shape(getattr(params, "weights", None))
            if shape != (self.n_components,):
                raise TypeError(
                    f"{name} made parameters {type(params).__name__} whose weights have shape "
                    f"{shape}. Parameters need a field `weights` of shape (n_components,), here "
                    f"({self.n_components},)."
                )

    def _attributes(self, family, params, dtype):
        return {"weights_": params.weights, "params_": params, "family_": family}

    # Using a fit ------------------------------------------------------------------------------

    def _fitted_family(self):
        return self.family_, self.params_
