"""Standard errors and intervals of the parameters of a mixture, by the bootstrap."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.parallel import Parallel, delayed

from .._engine import em
from .._interface import validation
from .._interface.wording import check_fitted_argument, check_random_state, number
from .._mixtures.base import BaseMixture
from .._mixtures.criteria import last_step, rows_of_last_step
from .._mixtures.estimates import Estimate, matched
from ..exceptions import DegenerateComponentWarning, user_level
from .bootstrap import check_counts, draw_like, holes_of

# Refits stop where an iteration gains less than this of the log-likelihood of all rows (nats): the
# log-likelihood of parameters one standard error away is lower by a half.
GAIN = 1e-4
LEAST_ITERATIONS = 2000
REMEDY = (
    "Use fewer components, a prior or shrinkage where the mixture takes one, or drop constant and "
    "duplicate columns."
)


@dataclass(frozen=True, eq=False, repr=False)
class BootstrapIntervals:
    """Outcome of :func:`bootstrap`.

    Everything is a dict by parameter, named and shaped as the attributes of the mixture: "weights"
    (n_components,); "means" and "variances" (n_components, n_numbers); "rates" (n_components,
    n_counts); "probabilities", a list of arrays (n_components, n_categories); "noise_weight", one
    number, where there is a component for noise; or the fields of the parameters of a family of
    one's own.

    Attributes
    ----------
    mixture : estimator
        The fit, carried on to convergence.

    kind : str
        How data were drawn.

    estimates : dict
        The parameters of this fit.

    draws : dict
        Those of the refits, with one more axis in front, (n_refits, ...).

    standard_errors : dict
        Their standard deviations over the refits.

    n_degenerate : int
        How many refits were left out: a component lost all rows or collapsed, or there were no
        most likely parameters.

    n_not_converged : int
        How many refits ran out of iterations; they count.
    """

    mixture: Any
    kind: str
    n_degenerate: int
    n_not_converged: int
    _fit: list[Estimate]
    _draws: list[np.ndarray]  # per parameter (n_refits, n_components, n_values)

    @property
    def estimates(self) -> dict[str, Any]:
        return {one.name: one.shaped(one.values) for one in self._fit}

    @property
    def draws(self) -> dict[str, Any]:
        return self._by_name(self._draws)

    @property
    def standard_errors(self) -> dict[str, Any]:
        return self._by_name([draws.std(axis=0, ddof=1) for draws in self._draws])

    def interval(self, level: float = 0.95) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the lower and the upper ends of percentile intervals.

        `level` is the probability with which intervals are to cover the parameters, between 0 and
        1. The ends of very wide intervals need many refits: at least 100 / (1 - level) or so.
        """
        low, high = self._ends(level)
        return self._by_name(low), self._by_name(high)

    def _ends(self, level: float) -> tuple[list[np.ndarray], list[np.ndarray]]:
        if not 0 < number(level, "level") < 1:
            raise ValueError(f"level must lie between 0 and 1, as 0.95 does, but is {level!r}.")
        tail = 0.5 * (1.0 - level)
        ends = [np.quantile(draws, [tail, 1.0 - tail], axis=0) for draws in self._draws]
        return [low for low, _ in ends], [high for _, high in ends]

    def _by_name(self, values: list[np.ndarray]) -> dict[str, Any]:
        return {one.name: one.shaped(array) for one, array in zip(self._fit, values, strict=True)}

    def to_frame(self, level: float = 0.95) -> Any:
        """Return a pandas DataFrame with a row for every parameter of every component.

        Its columns are `parameter`, `column`, `category`, `component`, `estimate`,
        `standard_error`, and the ends of the percentile interval, `lower` and `upper`. The
        component of noise is -1.
        """
        import pandas as pd

        lines = []
        errors = [draws.std(axis=0, ddof=1) for draws in self._draws]
        for one, error, low, high in zip(self._fit, errors, *self._ends(level), strict=True):
            for j, (column, category) in enumerate(one.labels):
                for k, component in enumerate(one.components()):
                    numbers = (array[k, j] for array in (one.values, error, low, high))
                    names = ("" if name is None else name for name in (column, category))
                    lines.append((one.each, *names, component, *numbers))
        heads = ["parameter", "column", "category", "component", "estimate", "standard_error"]
        return pd.DataFrame(lines, columns=[*heads, "lower", "upper"])

    def __repr__(self) -> str:
        left_out = f", {self.n_degenerate} left out" if self.n_degenerate else ""
        return f"BootstrapIntervals({self.kind!r}, {len(self._draws[0])} refits{left_out})"


@validate_params(
    {
        "mixture": "no_validation",
        "X": "no_validation",
        "kind": [StrOptions({"weighted", "nonparametric", "parametric"})],
        "n_bootstrap": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
        "sample_weight": ["array-like", None],
        "partial_labels": ["array-like", None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=False,
)
def bootstrap(
    mixture,
    X,
    kind="weighted",
    n_bootstrap=200,
    random_state=None,
    *,
    sample_weight=None,
    partial_labels=None,
    n_jobs=None,
    verbose=0,
):
    r"""Estimate how uncertain the parameters of a mixture are, by fits to data drawn anew.

    Parameters
    ----------
    mixture : mixture
        A fitted mixture of any kind, or a Pipeline that ends in one: then parameters are in the
        units of its last step, and the steps before are taken as they are.

    X : array-like of shape (n_samples, n_features)
        The rows of the fit, with their missing cells.

    kind : {'weighted', 'nonparametric', 'parametric'}, default='weighted'
        What is drawn:

        - 'weighted': weights of the rows, from the exponential distribution (the weighted
          likelihood bootstrap). No row is ever left out, so that few refits degenerate.
        - 'nonparametric': as many of the rows, with replacement.
        - 'parametric': as many new rows from the mixture, with the same missing cells. Errors are
          right only if the mixture is.

    n_bootstrap : int, default=200
        The number of refits. About 100 do for standard errors, 1000 for intervals.

    random_state : int, RandomState instance or None, default=None
        Controls the draws. Pass an int for reproducible output.

    sample_weight : array-like of shape (n_samples,), default=None
        The weights of the fit: how often each row was seen. They must be whole numbers but for
        'weighted', where a row of weight w gets the sum of w weights.

    partial_labels : array-like of int of shape (n_samples,), default=None
        The labels of the fit: the component that each row comes from, -1 where it is not known.
        Not for 'parametric', whose rows are new.

    n_jobs : int, default=None
        The number of refits that run at once. The outcome does not depend on it.

    verbose : int, default=0
        Above 0, how far it is is printed from time to time, the oftener the larger the number.

    Returns
    -------
    intervals : BootstrapIntervals
        What it has, by parameter ("weights", "means", "variances", "rates", "probabilities",
        "noise_weight", or the fields of a family of one's own), shaped as the attributes are:

        - `standard_errors`, and `interval(level)`: lower and upper ends of percentile intervals.
        - `to_frame(level)`: all of it as a pandas DataFrame.
        - `estimates` and `draws`, `mixture`, `n_degenerate` and `n_not_converged`.

    Raises
    ------
    TypeError
        If `mixture` is none of skmix.

    ValueError
        If weights must be whole numbers and are not, labels are given to rows that are new, or
        fewer than two refits are left.

    Warns
    -----
    DegenerateComponentWarning
        If refits degenerate: these are counted and left out.
    ConvergenceWarning
        If refits run out of iterations.

    See Also
    --------
    GaussianMixture.standard_errors : Standard errors without refits, for many rows.
    CategoricalMixture.standard_errors : The same for latent classes.
    bootstrap_lrt : Tests the number of components.

    Notes
    -----
    The fit is carried on first until an iteration gains less than 1e-4 nats in all; where it had
    stopped earlier, `estimates` differ from its attributes. Refits start from there, so that they
    describe the same optimum, and stop as late. Their components are matched with those of the
    fit by the responsibilities that both give to the rows of `X`. What was resolved of the rows
    for the fit (`reg_covar_`, `shrinkage_`, categories) stays. Degenerate are refits of which
    a component lost its rows, collapsed, or shrank onto a few rows.

    Percentile intervals of variances tend to be too low, and all are too short, where rows are
    few. With 'parametric' all rows are drawn independently. The cost is that of `n_bootstrap`
    fits without starts.

    References
    ----------
    A. O'Hagan, T. B. Murphy, L. Scrucca, I. C. Gormley, "Investigation of parameter uncertainty in
    clustering using a Gaussian mixture model via jackknife, bootstrap and weighted likelihood
    bootstrap", Computational Statistics 34(4), 2019. :doi:`10.1007/s00180-019-00897-9`

    M. A. Newton, A. E. Raftery, "Approximate Bayesian inference with the weighted likelihood
    bootstrap", Journal of the Royal Statistical Society B 56(1), 1994.
    :doi:`10.1111/j.2517-6161.1994.tb01956.x`

    K. E. Basford, D. R. Greenway, G. J. McLachlan, D. Peel, "Standard errors of fitted component
    means of normal mixtures", Computational Statistics 12(1), 1997.

    Examples
    --------
    >>> import numpy as np
    >>> from skmix import GaussianMixture, bootstrap
    >>> X = np.random.default_rng(0).normal([[0.0]] * 100 + [[9.0]] * 300)
    >>> mixture = GaussianMixture(2, random_state=0).fit(X)
    >>> intervals = bootstrap(mixture, X, n_bootstrap=50, random_state=0)
    >>> intervals.standard_errors["means"].round(2)  # 1 / sqrt(300) and 1 / sqrt(100)
    array([[0.05],
           [0.08]])
    >>> low, high = intervals.interval(0.9)
    >>> bool(low["weights"][0] < 0.75 < high["weights"][0])
    True
    """
    check_fitted_argument(mixture, "mixture")
    X, mixture = rows_of_last_step(mixture, X), last_step(mixture)
    if not isinstance(mixture, BaseMixture):
        raise TypeError(
            "bootstrap needs a fitted mixture of skmix, such as GaussianMixture, or a Pipeline "
            f"that ends in one, but mixture is {mixture!r}."
        )
    random_state = check_random_state(random_state)
    rows = mixture._validate_rows(X)
    weight = validation.check_sample_weight(sample_weight, rows)
    if kind != "weighted":
        weight = check_counts(weight, rows)
    n_rows = float(len(rows) if weight is None else weight.sum())
    if kind == "parametric" and partial_labels is not None:
        raise ValueError(
            "partial_labels are those of the rows of X, but kind='parametric' draws new rows. Use "
            "kind='weighted'."
        )
    settings = {
        "partial_labels": partial_labels,
        "tol": min(mixture.tol, GAIN / n_rows),
        "max_iter": max(mixture.max_iter, LEAST_ITERATIONS),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", DegenerateComponentWarning)
        fit = mixture._fit_again(X, weight, **settings)
    refits = Refits(fit, X, rows, weight, kind, settings)
    order = _order_like(_responsibilities(mixture, rows), refits.resp, refits.shares)
    seeds = random_state.randint(np.iinfo(np.int32).max, size=n_bootstrap)
    tasks = (delayed(refits.run)(seed) for seed in seeds)
    found = Parallel(n_jobs=n_jobs, verbose=verbose)(tasks)
    values = [drawn for drawn, _ in found if drawn is not None]
    n_not_converged = sum(drawn is not None and not converged for drawn, converged in found)
    _warn_of(n_bootstrap - len(values), n_not_converged, n_bootstrap)
    estimates = [one.ordered(order) for one in fit._estimates()]
    draws = [
        one.in_order(np.stack(arrays), order)
        for one, *arrays in zip(estimates, *values, strict=True)
    ]
    n_degenerate = n_bootstrap - len(values)
    return BootstrapIntervals(fit, kind, n_degenerate, n_not_converged, estimates, draws)


class Refits:
    """Refits of a mixture to data drawn anew."""

    def __init__(self, fit: Any, X: Any, rows: Any, weight: Any, kind: str, settings: dict):
        self.fit, self.X, self.rows, self.weight = fit, X, rows, weight
        self.kind, self.settings = kind, settings
        self.counts = np.ones(len(rows)) if weight is None else weight
        self.shares = self.counts / self.counts.sum()
        self.resp = _responsibilities(fit, rows)
        self.flattered = fit._is_flattered(X, weight)
        self.holes = holes_of(fit, X, weight) if kind == "parametric" else None

    def run(self, seed: int) -> tuple[list[np.ndarray] | None, bool]:
        """Return the parameters of one refit, None if it degenerates, and whether it converged."""
        X, weight = self._draw(np.random.RandomState(seed))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", DegenerateComponentWarning)
            try:
                again = self.fit._fit_again(X, weight, **self.settings)
            except ValueError:  # no most likely parameters, or a column without cells
                return None, False
        if caught or (not self.flattered and again._is_flattered(X, weight)):
            return None, again.converged_
        order = _order_like(self.resp, _responsibilities(again, self.rows), self.shares)
        return [one.ordered(order).values for one in again._estimates()], again.converged_

    def _draw(self, random_state: np.random.RandomState) -> tuple[Any, np.ndarray | None]:
        """Return rows and their weights."""
        if self.holes is not None:
            return draw_like(self.fit, self.holes, random_state), None
        total = self.counts.sum()
        if self.kind == "nonparametric":
            return self.X, random_state.multinomial(int(total), self.shares).astype(np.float64)
        weight = random_state.standard_gamma(self.counts)
        return self.X, weight * (total / weight.sum())


def _responsibilities(mixture: Any, rows: np.ndarray) -> np.ndarray:
    """Return the responsibilities of the components, not of noise, for validated rows."""
    resp = mixture._score_rows(em.predict_proba, rows).astype(np.float64)
    return resp[:, : len(mixture.weights_)]


def _order_like(resp: np.ndarray, other: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the component of the `other` responsibilities that shares most rows with each."""
    return matched(-(resp.T * shares) @ other)


def _warn_of(n_degenerate: int, n_not_converged: int, n_bootstrap: int) -> None:
    if n_bootstrap - n_degenerate < 2:
        raise ValueError(
            f"{n_degenerate} of n_bootstrap={n_bootstrap} refits are degenerate: a component lost "
            f"its rows, collapsed, or shrank onto a few rows. {REMEDY}"
        )
    if n_degenerate:
        warnings.warn(
            f"{n_degenerate} of {n_bootstrap} refits are degenerate and left out: a component "
            "lost its rows, collapsed, or shrank onto a few rows. Intervals are those of the "
            f"others, and too short. {REMEDY}",
            DegenerateComponentWarning,
            stacklevel=user_level(),
        )
    if n_not_converged:
        warnings.warn(
            f"{n_not_converged} of {n_bootstrap} refits ran out of iterations, so that intervals "
            "may be too short. Raise max_iter of the mixture.",
            ConvergenceWarning,
            stacklevel=user_level(),
        )
