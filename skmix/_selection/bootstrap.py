"""A test of the number of components by the parametric bootstrap."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import _num_samples

from .._interface import columns
from ..exceptions import DegenerateComponentWarning


class BootstrapTest(NamedTuple):
    """Outcome of :func:`bootstrap_lrt`."""

    statistic: float  # 2 (log-likelihood of the larger model - that of the smaller), nats
    p_value: float
    bootstrap_statistics: np.ndarray  # (n_bootstrap,)
    null: Any  # the smaller model, fitted
    alternative: Any  # the larger one


@validate_params(
    {
        "estimator": "no_validation",
        "X": "no_validation",
        "n_components": [tuple, list],
        "n_bootstrap": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=False,
)
def bootstrap_lrt(estimator, X, n_components=(1, 2), n_bootstrap=100, random_state=None):
    """Test a number of components against a larger one by the bootstrapped likelihood ratio.

    The likelihood ratio of mixtures is not chi-squared distributed. Its distribution is found by
    fitting both models to data drawn from the smaller one.

    Parameters
    ----------
    estimator : estimator
        A mixture with the parameter `n_components` and the methods `score` and `sample`, such as
        :class:`CategoricalMixture`. It is cloned, not fitted.

    X : array-like of shape (n_samples, n_features)
        The rows. Where answers are missing, they are missing in the drawn data as well.

    n_components : tuple of two int, default=(1, 2)
        The numbers of components of the smaller and of the larger model.

    n_bootstrap : int, default=100
        The number of data sets that are drawn.

    random_state : int, RandomState instance or None, default=None
        Controls the starts of all fits and the draws. Pass an int for reproducible output.

    Returns
    -------
    test : BootstrapTest
        A named tuple of `statistic` (nats), `p_value`, `bootstrap_statistics` of shape
        (n_bootstrap,), and the fitted models `null` and `alternative`. The p-value is
        (b + 1) / (n_bootstrap + 1), where b data sets give a statistic at least as large.

    Raises
    ------
    ValueError
        If `n_components` are not two increasing numbers.

    See Also
    --------
    CategoricalMixture.goodness_of_fit : Compares one model with the observed table.

    Notes
    -----
    The cost is that of 2 (n_bootstrap + 1) fits. Warnings of the fits to drawn data are silent.

    References
    ----------
    G. J. McLachlan, "On bootstrapping the likelihood ratio test statistic for the number of
    components in a normal mixture", Applied Statistics 36(3), 1987. :doi:`10.2307/2347790`

    B. Phipson, G. K. Smyth, "Permutation p-values should never be zero", Statistical
    Applications in Genetics and Molecular Biology 9(1), 2010. :doi:`10.2202/1544-6115.1585`

    Examples
    --------
    >>> from skmix import CategoricalMixture, bootstrap_lrt
    >>> X = [[0, 0, 0]] * 20 + [[1, 1, 1]] * 20 + [[0, 1, 0], [1, 0, 1]] * 2
    >>> bootstrap_lrt(CategoricalMixture(), X, (1, 2), n_bootstrap=9, random_state=0).p_value
    0.1
    """
    if len(n_components) != 2 or not 1 <= n_components[0] < n_components[1]:
        raise ValueError(
            "n_components must be two increasing numbers of at least 1, such as (2, 3), but is "
            f"{n_components!r}."
        )
    random_state = check_random_state(random_state)
    models = [clone(estimator).set_params(n_components=k) for k in n_components]
    statistic = _statistic(models, X, random_state)
    drawing = models
    if hasattr(models[0], "categories_"):  # a drawn table may lack a category
        known = [list(values) for values in models[0].categories_]
        known = known or "auto"
        drawing = [clone(model).set_params(categories=known) for model in models]
    null = models[0]
    redrawn = np.empty(n_bootstrap)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", DegenerateComponentWarning)
        for b in range(n_bootstrap):
            drawn = _draw_like(null, X, random_state)
            redrawn[b] = _statistic([clone(model) for model in drawing], drawn, random_state)
    # Equal statistics differ by rounding and by tol.
    n_larger = int(np.sum(redrawn >= statistic - 1e-6 * max(1.0, abs(statistic))))
    p_value = (n_larger + 1) / (n_bootstrap + 1)
    return BootstrapTest(statistic, p_value, redrawn, null, models[1])


def _statistic(models: list, X: Any, random_state: np.random.RandomState) -> float:
    """Fit the two models and return twice the difference of their log-likelihoods."""
    for model in models:
        model.set_params(random_state=random_state.randint(np.iinfo(np.int32).max)).fit(X)
    small, large = (np.sum(model.score_samples(X), dtype=np.float64) for model in models)
    return 2.0 * float(large - small)


def _draw_like(model: Any, X: Any, random_state: np.random.RandomState) -> Any:
    """Draw as many rows as X has, with its missing answers, in random order."""
    rows, _ = model._sample(_num_samples(X), random_state)
    rows = _safe_indexing(rows, random_state.permutation(_num_samples(rows)))
    if hasattr(model, "categories_"):
        cells = model._validate_rows(X)
        rows = columns.with_holes(rows, np.isnan(cells) if cells.dtype.kind == "f" else cells < 0)
    return rows
