r"""How far covariances are shrunk: `shrinkage`, where it is "auto" resolved once per fit.

With few rows per feature the empirical covariance has directions without variance, on which
whatever regresses on it relies. "auto" asks the rows how far to believe their correlations. Let
:math:`D` be the diagonal of the empirical covariance :math:`C` of n rows, and let
:math:`\Sigma` have an inverse Wishart prior with mean :math:`D` and :math:`\nu + d + 1` degrees
of freedom. Its posterior mean is :math:`(n C + \nu D) / (n + \nu)`, and the likelihood of
:math:`\nu` has a closed form in the eigenvalues of the correlations. The :math:`\nu` of highest
likelihood is a number of rows, which does not grow with those seen: shrinkage vanishes as rows
come in. Few rows of few features cannot tell whether they are correlated, and the likeliest amount
is then infinite as often as not; correlations within clusters may cancel in all rows together.
So it is the number of features, less one, at most.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import gammaln
from sklearn.utils._param_validation import StrOptions

from .._engine.em import em_step
from .._families import Frame, FullGaussian, GaussianFamily, GaussianParams
from .._interface.validation import NON_NEGATIVE
from .._rows.sources import ArraySource, Source

CONSTRAINT = [NON_NEGATIVE, StrOptions({"auto"})]

# Rows, and rows per feature, that tell the amount; of more, so many at even distances.
ROWS, ROWS_PER_FEATURE = 4096, 8
# Passes that fill in missing cells: a few that shrink by this share, because filled cells do not
# show correlations until these were found, then until the amount changes by less than that share.
FIRST_PASSES, FIRST_SHARE, MAX_PASSES, CLOSE = 5, 0.01, 200, 0.005
# Between these multiples of the number of rows the likelihood is searched.
LEAST, MOST = 1e-6, 1e4


class Shrinkage(NamedTuple):
    """Pseudo-observations, in rows."""

    pooled: float  # of each component, with the pooled covariance
    diagonal: float  # of all components together, with uncorrelated features


def resolve(
    shrinkage: Any,
    source: Source,
    frame: Frame,
    family_type: type[GaussianFamily],
    *,
    n_components: int,
    reg_covar: np.ndarray,
    noise_variance: np.ndarray | None = None,
) -> Shrinkage:
    """Return how far covariances of a fit to these rows are shrunk.

    Parameters
    ----------
    shrinkage : float or 'auto'
        A valid value of the parameter.

    source : Source
        The rows of the fit, open.

    frame : Frame
        Measured on these rows.

    family_type : type
        The covariances of the fit.

    n_components : int
        The number of components.

    reg_covar : ndarray of shape (n_features,)
        What is added to the variances.

    noise_variance : ndarray of shape (n_features,), default=None
        Variances of known noise in the rows.
    """
    if shrinkage != "auto" or not has_correlations(family_type):
        amount = 0.0 if shrinkage == "auto" else float(shrinkage)
        return divided(shrinkage, amount, family_type, n_components)
    options: dict[str, Any] = {"reg_covar": reg_covar, "noise_variance": noise_variance}
    varies = frame.variances > 0
    with _some_rows(source) as rows:
        family = FullGaussian(frame, incomplete=rows.incomplete, **options).bound_to(rows)
        amount = _likeliest_of_rows(rows, family, varies)
    return divided(shrinkage, amount, family_type, n_components)


def has_correlations(family_type: type[GaussianFamily]) -> bool:
    """Whether "auto" shrinks covariances of this kind."""
    return family_type.dense and not family_type.sharing


def divided(
    shrinkage: Any, amount: float, family_type: type[GaussianFamily], n_components: int
) -> Shrinkage:
    """Return what one number of pseudo-observations, that was chosen, stands for."""
    if shrinkage != "auto":
        return Shrinkage(amount, 0.0)
    pools = n_components > 1 and not family_type.shared_covariance
    return Shrinkage(amount if pools else 0.0, amount)


def _some_rows(source: Source) -> AbstractContextManager[Source]:
    n_rows = max(ROWS, ROWS_PER_FEATURE * source.n_features)
    if source.n_samples <= n_rows:
        return nullcontext(source)  # open already
    chunk = source.take(np.linspace(0, source.n_samples - 1, n_rows).astype(int))
    return ArraySource(chunk.X, chunk.sample_weight, incomplete=source.incomplete)


def _likeliest_of_rows(rows: Source, family: FullGaussian, varies: np.ndarray) -> float:
    """Return the likeliest number of pseudo-observations, given rows with or without holes.

    Missing cells, and the noise of rows, are taken out by a single Gaussian that is shrunk as
    far as it was found to need so far.
    """
    n_features = len(varies)
    if varies.sum() < 2:
        return 0.0
    family = family.forgiving(float(np.finfo(np.float64).eps))
    variances = family.frame.variances / family.frame.scale**2 + family.reg_variances
    start = np.diag(np.where(varies, variances, 1.0))[None]
    params = GaussianParams(np.ones(1), np.zeros((1, n_features)), *family.factor(start))
    most, found = varies.sum() - 1.0, 0.0
    filled_in = rows.incomplete or family.noise is not None
    family.diagonal_shrinkage = FIRST_SHARE * rows.total_weight if filled_in else 0.0
    for i in range(MAX_PASSES if filled_in else 1):
        params, _ = em_step(rows, family, params)
        if filled_in and i < FIRST_PASSES:
            continue
        before = found
        found = likeliest(_correlations(family, params, varies), rows.total_weight)
        family.diagonal_shrinkage = min(found, most)
        if abs(found - before) <= CLOSE * found:
            break
    return family.diagonal_shrinkage


def _correlations(family: FullGaussian, params: GaussianParams, varies: np.ndarray) -> np.ndarray:
    """Return empirical correlations, given the parameters that were made of them."""
    covariance = family.covariances(params)[0]
    covariance = covariance - np.diag(family.reg_variances)
    covariance = covariance[np.ix_(varies, varies)]
    deviations = np.sqrt(np.maximum(np.diagonal(covariance), np.finfo(np.float64).tiny))
    correlations = covariance / np.outer(deviations, deviations)
    correlations *= 1.0 + family.diagonal_shrinkage / family.total_weight
    np.fill_diagonal(correlations, 1.0)
    return correlations


def likeliest(correlations: np.ndarray, n_rows: float) -> float:
    """Return the number of pseudo-observations of highest likelihood, given correlations."""
    eigenvalues = np.maximum(np.linalg.eigvalsh(correlations), 0.0)
    n_features = len(eigenvalues)
    n_rows = max(n_rows - 1.0, 0.5 * n_rows)  # a mean was estimated
    j = np.arange(n_features)

    def negative(log_amount: float) -> float:
        amount = np.exp(log_amount)
        freedom = amount + n_features + 1.0
        gamma = gammaln((freedom + n_rows - j) / 2) - gammaln((freedom - j) / 2)
        spread = freedom * log_amount - (freedom + n_rows) * np.log(n_rows * eigenvalues + amount)
        return -float(gamma.sum() + 0.5 * spread.sum())

    bounds = np.log(n_rows) + np.log([LEAST, MOST])
    found = minimize_scalar(negative, bounds=bounds, method="bounded")
    return float(np.exp(found.x))
