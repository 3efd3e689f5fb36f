"""How different two densities are."""

from __future__ import annotations

import copy
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils._param_validation import HasMethods, Interval, validate_params

from .._interface.wording import check_fitted_argument, check_random_state
from .fitted import FittedMixture


class Divergence(NamedTuple):
    """Outcome of :func:`kl_divergence`."""

    value: float  # nats
    standard_error: float  # nats, of the draws


@validate_params(
    {
        "p": [FittedMixture],
        "q": [HasMethods("score_samples")],
        "n_samples": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def kl_divergence(p, q, n_samples=10_000, random_state=None):
    r"""Estimate the Kullback-Leibler divergence of two densities from draws of the first.

    Parameters
    ----------
    p : mixture
        A fitted mixture of any kind, which draws the rows.

    q : estimator
        A fitted mixture, or anything else with `score_samples` in nats, such as
        :class:`TransformedDensity` or :class:`sklearn.neighbors.KernelDensity`, of the same
        columns.

    n_samples : int, default=10_000
        Number of draws.

    random_state : int, RandomState instance or None, default=None
        Controls the draws; None takes the `random_state` of `p`.

    Returns
    -------
    divergence : Divergence
        A named tuple of `value`, the mean of :math:`\log p(x) - \log q(x)` over the draws, and
        its `standard_error`, both in nats. The value is 0 where the densities are equal, and may
        fall below 0 by chance where they are alike. Both are infinite where `q` has no density
        at a draw; a mixture of categories scores impossible answers by the smallest float.

    Raises
    ------
    ValueError
        If the columns of the two have different names or numbers.

    See Also
    --------
    scipy.stats.entropy : The divergence of two tables of probabilities.

    Notes
    -----
    The divergence of mixtures has no closed form. The standard error falls by the square root of
    `n_samples`. Columns of integers are drawn without rounding.

    References
    ----------
    J. R. Hershey, P. A. Olsen, "Approximating the Kullback Leibler divergence between Gaussian
    mixture models", ICASSP, 2007. :doi:`10.1109/ICASSP.2007.366913`

    Examples
    --------
    >>> from skmix import GaussianMixture, kl_divergence
    >>> p = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
    >>> q = GaussianMixture.from_parameters([1.0], [[1.0]], [[[1.0]]])  # 0.5 apart
    >>> divergence = kl_divergence(p, q, random_state=0)
    >>> abs(divergence.value - 0.5) < 3 * divergence.standard_error < 0.05
    True
    """
    for density, name in ((p, "p"), (q, "q")):
        check_fitted_argument(density, name)
    names = [getattr(density, "feature_names_in_", None) for density in (p, q)]
    if all(known is not None for known in names) and not np.array_equal(*names):
        raise ValueError(
            f"p and q must have the same columns in the same order, but p has {list(names[0])} "
            f"and q has {list(names[1])}. Fit both to the same columns."
        )
    random_state = check_random_state(p.random_state if random_state is None else random_state)
    p, q = _without_names(p), _without_names(q)
    rows, _ = p._sample(n_samples, random_state)
    log_ratio = np.asarray(p.score_samples(rows), dtype=np.float64)
    log_ratio = log_ratio - np.asarray(q.score_samples(rows), dtype=np.float64)
    if np.isposinf(log_ratio).any():
        return Divergence(float("inf"), float("inf"))
    standard_error = log_ratio.std(ddof=1) / np.sqrt(n_samples)
    return Divergence(float(log_ratio.mean()), float(standard_error))


def _without_names(density: Any) -> Any:
    """Return a view of an estimator that takes, and draws, arrays."""
    view = copy.copy(density)
    vars(view).pop("feature_names_in_", None)
    if isinstance(view, FittedMixture):
        view._template = None
    return view
