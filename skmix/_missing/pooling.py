"""Rubin's rules: what several imputations together say of an estimate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from .._interface.wording import naming, number


class PooledEstimate(NamedTuple):
    """An estimate from several imputations; every field has the shape of the estimate."""

    estimate: np.ndarray
    standard_error: np.ndarray
    degrees_of_freedom: np.ndarray
    missing_information: np.ndarray

    def interval(self, level=0.95):
        """Return the ends of the interval of Student's t that contains the truth by `level`.

        Parameters
        ----------
        level : float, default=0.95
            The probability, between 0 and 1.

        Returns
        -------
        low, high : ndarray
            In units of the estimate.

        Examples
        --------
        >>> from skmix.metrics import pool_estimates
        >>> low, high = pool_estimates([1.0, 2.0, 3.0], [0.5, 0.5, 0.5]).interval()
        >>> round(float(low), 2), round(float(high), 2)
        (-1.85, 5.85)
        """
        if not 0 < level < 1:
            raise ValueError(f"level={level} must lie between 0 and 1; 0.95 is usual.")
        width = stats.t.ppf(0.5 + level / 2, self.degrees_of_freedom) * self.standard_error
        return self.estimate - width, self.estimate + width


def pool_estimates(estimates, variances, *, complete_df=None):
    r"""Pool the estimates of several imputations by Rubin's rules.

    Parameters
    ----------
    estimates : array-like of shape (n_imputations, ...)
        What an analysis of each imputed table estimates: numbers, or arrays of one shape.

    variances : array-like of shape (n_imputations, ...)
        The squared standard errors of these, in squared units of the estimates.

    complete_df : float, default=None
        The degrees of freedom that the analysis would have if nothing were missing, as
        ``n_samples - 1`` for a mean. None says that they are many, and do not matter.

    Returns
    -------
    pooled : PooledEstimate
        A named tuple of `estimate`, the mean of the estimates; `standard_error`;
        `degrees_of_freedom` of Student's t; `missing_information`, the share of the variance
        that is there because cells are missing. ``pooled.interval(0.95)`` gives an interval.

    Raises
    ------
    ValueError
        If shapes differ, there are fewer than two imputations, something is not finite or a
        variance is negative, or `complete_df` is not positive.

    Notes
    -----
    With the mean W of the variances and the variance B of the m estimates, the squared standard
    error is :math:`T = W + (1 + 1/m) B`. With :math:`\lambda = (1 + 1/m) B / T` and :math:`\nu`
    complete degrees of freedom, those of t are :math:`1 / (\lambda^2 / (m - 1) + 1 / \nu_o)`,
    :math:`\nu_o = \nu (\nu + 1) (1 - \lambda) / (\nu + 3)`. Intervals have their probability
    where imputations are proper: draws with parameters that vary as they are uncertain, as those
    of :class:`~skmix.ConditionalGMMInpainter` with `n_refits`.

    References
    ----------
    J. Barnard, D. B. Rubin, "Small-sample degrees of freedom with multiple imputation",
    Biometrika 86(4), 1999. :doi:`10.1093/biomet/86.4.948`

    D. B. Rubin, "Multiple Imputation for Nonresponse in Surveys", Wiley, 1987.
    :doi:`10.1002/9780470316696`

    Examples
    --------
    >>> import numpy as np
    >>> from skmix import ConditionalGMMInpainter
    >>> from skmix.metrics import pool_estimates
    >>> rng = np.random.default_rng(0)
    >>> X = rng.multivariate_normal([0.0, 5.0], [[1.0, 0.8], [0.8, 1.0]], size=40)
    >>> X[:20, 1] = np.nan
    >>> inpainter = ConditionalGMMInpainter(n_refits=20, random_state=0).fit(X)
    >>> tables = inpainter.multiple_imputations(X)
    >>> means = [table[:, 1].mean() for table in tables]
    >>> variances = [table[:, 1].var(ddof=1) / 40 for table in tables]
    >>> low, high = pool_estimates(means, variances, complete_df=39).interval()
    >>> bool(low < 5.0 < high)
    True
    """
    with naming("estimates", "an array of numbers"):
        estimates = np.asarray(estimates, float)
    with naming("variances", "an array of numbers"):
        variances = np.asarray(variances, float)
    if estimates.shape != variances.shape:
        raise ValueError(
            f"estimates have shape {estimates.shape}, but variances {variances.shape}; pass one "
            "variance for every estimate."
        )
    if estimates.ndim == 0 or len(estimates) < 2:
        raise ValueError("At least two imputations are needed, along the first axis of estimates.")
    if not (np.all(np.isfinite(estimates)) and np.all(np.isfinite(variances))):
        raise ValueError("estimates and variances must be finite; leave failed analyses out.")
    if np.any(variances < 0):
        raise ValueError("variances must not be negative: they are squared standard errors.")
    if complete_df is not None and not number(complete_df, "complete_df") > 0:
        raise ValueError(f"complete_df={complete_df} must be positive.")
    m = len(estimates)
    between = (1.0 + 1.0 / m) * estimates.var(axis=0, ddof=1)
    total = variances.mean(axis=0) + between
    share = np.divide(between, total, out=np.zeros_like(total), where=total > 0)
    observed = 0.0  # the inverse of what is left of the complete degrees of freedom
    if complete_df is not None:
        left = np.maximum(1.0 - share, np.finfo(float).tiny)
        observed = (complete_df + 3.0) / (complete_df * (complete_df + 1.0) * left)
    inverse = np.asarray(share**2 / (m - 1.0) + observed)
    freedom = np.divide(1.0, inverse, out=np.full_like(inverse, np.inf), where=inverse > 0)
    return PooledEstimate(estimates.mean(axis=0), np.sqrt(total), freedom, share)
