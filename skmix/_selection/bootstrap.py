"""A test of the number of components by the parametric bootstrap."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, validate_params
from sklearn.utils.parallel import Parallel, delayed

from .._interface import columns, validation
from .._interface.chunks import as_chunks
from .._interface.wording import check_random_state
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
        "estimator": [HasMethods(["get_params", "fit", "score", "sample"])],
        "X": "no_validation",
        "n_components": [tuple, list],
        "n_bootstrap": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "sample_weight": ["array-like", None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=False,
)
def bootstrap_lrt(
    estimator,
    X,
    n_components=(1, 2),
    n_bootstrap=100,
    random_state=None,
    *,
    sample_weight=None,
    n_jobs=None,
    verbose=0,
):
    """Test a number of components against a larger one by the bootstrapped likelihood ratio.

    The likelihood ratio of mixtures is not chi-squared distributed. Its distribution is found by
    fitting both models to data drawn from the smaller one.

    Parameters
    ----------
    estimator : estimator
        A mixture with the parameter `n_components` and the methods `score` and `sample`, such as
        :class:`CategoricalMixture`. It is cloned, not fitted.

    X : array-like of shape (n_samples, n_features)
        The rows. Where cells are missing, they are missing in the drawn data as well.

    n_components : tuple of two int, default=(1, 2)
        The numbers of components of the smaller and of the larger model.

    n_bootstrap : int, default=100
        The number of data sets that are drawn.

    random_state : int, RandomState instance or None, default=None
        Controls the starts of all fits and the draws. Pass an int for reproducible output.

    sample_weight : array-like of shape (n_samples,), default=None
        How often each row was seen, in whole numbers; as many rows are drawn.

    n_jobs : int, default=None
        The number of drawn data sets that are fitted at once. The outcome does not depend on it.

    verbose : int, default=0
        Above 0, how far it is is printed from time to time, the oftener the larger the number.

    Returns
    -------
    test : BootstrapTest
        A named tuple of `statistic` (nats), `p_value`, `bootstrap_statistics` of shape
        (n_bootstrap,), and the fitted models `null` and `alternative`. The p-value is
        (b + 1) / (n_bootstrap + 1), where b data sets give a statistic at least as large.

    Raises
    ------
    ValueError
        If `n_components` are not two increasing numbers, or weights are no whole numbers.

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
    >>> import numpy as np
    >>> from skmix import GaussianMixture, bootstrap_lrt
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(centre, size=(40, 1)) for centre in (0.0, 6.0)])
    >>> mixture = GaussianMixture(covariance_type="tied")
    >>> bootstrap_lrt(mixture, X, (1, 2), n_bootstrap=19, random_state=0).p_value
    0.05
    """
    if len(n_components) != 2 or not 1 <= n_components[0] < n_components[1]:
        raise ValueError(
            "n_components must be two increasing numbers of at least 1, such as (2, 3), but is "
            f"{n_components!r}."
        )
    if not hasattr(estimator, "_validate_rows"):
        raise TypeError(
            "estimator must be a mixture of skmix, such as GaussianMixture or CategoricalMixture, "
            f"but is a {type(estimator).__name__}."
        )
    random_state = check_random_state(random_state)
    if as_chunks(X) is not None:
        raise TypeError(
            "bootstrap_lrt draws as many rows as there are, many times, and takes no Chunks. Pass "
            "some of the rows as one array, or use select_mixture."
        )
    weight = check_counts(sample_weight, X)
    models = [clone(estimator).set_params(n_components=k) for k in n_components]
    statistic = _statistic(models, X, weight, random_state)
    drawing = models
    if hasattr(models[0], "categories_"):  # a drawn table may lack a category
        known = [list(values) for values in models[0].categories_]
        known = known or "auto"
        drawing = [clone(model).set_params(categories=known) for model in models]
    null = models[0]
    seeds = random_state.randint(np.iinfo(np.int32).max, size=n_bootstrap)
    holes = holes_of(null, X, weight)
    tasks = (delayed(_redraw)(null, drawing, holes, seed) for seed in seeds)
    redrawn = np.array(Parallel(n_jobs=n_jobs, verbose=verbose)(tasks))
    # Equal statistics differ by rounding and by tol.
    n_larger = int(np.sum(redrawn >= statistic - 1e-6 * max(1.0, abs(statistic))))
    p_value = (n_larger + 1) / (n_bootstrap + 1)
    return BootstrapTest(statistic, p_value, redrawn, null, models[1])


def check_counts(sample_weight: Any, X: Any) -> np.ndarray | None:
    """Return weights that are whole numbers; None stays None."""
    weight = validation.check_sample_weight(sample_weight, X)
    if weight is not None and np.any(weight != np.rint(weight)):
        raise ValueError(
            "sample_weight must be whole numbers here, of how often each row was seen, but holds "
            f"{weight[weight != np.rint(weight)][0]}: as many rows are drawn."
        )
    return weight


def _statistic(
    models: list, X: Any, weight: np.ndarray | None, random_state: np.random.RandomState
) -> float:
    """Fit the two models and return twice the difference of their log-likelihoods."""
    given = {} if weight is None else {"sample_weight": weight}
    log_likelihoods = []
    for model in models:
        model.set_params(random_state=random_state.randint(np.iinfo(np.int32).max)).fit(X, **given)
        scores = model.score_samples(X).astype(np.float64)
        log_likelihoods.append(scores.sum() if weight is None else weight @ scores)
    return 2.0 * float(log_likelihoods[1] - log_likelihoods[0])


def holes_of(model: Any, X: Any, weight: np.ndarray | None) -> np.ndarray:
    """Return where cells are missing (n_rows, n_features) among all rows that were seen."""
    cells = model._validate_rows(X)
    holes = np.isnan(cells) if cells.dtype.kind == "f" else cells < 0
    return holes if weight is None else np.repeat(holes, weight.astype(int), axis=0)


def draw_like(mixture: Any, holes: np.ndarray, random_state: np.random.RandomState) -> Any:
    """Draw rows in random order, with these missing cells (n_rows, n_features)."""
    rows, _ = mixture._sample(len(holes), random_state)
    rows = _safe_indexing(rows, random_state.permutation(len(holes)))
    return columns.with_holes(rows, holes)


def _redraw(null: Any, models: list, holes: np.ndarray, seed: int) -> float:
    """Draw as many rows as were seen, with their missing cells; return the statistic of them."""
    random_state = np.random.RandomState(seed)
    drawn = draw_like(null, holes, random_state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", DegenerateComponentWarning)
        return _statistic([clone(model) for model in models], drawn, None, random_state)
