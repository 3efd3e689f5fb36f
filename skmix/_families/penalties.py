"""How covariances are shrunk, what that may cost an update, and how large log densities are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .gaussian_form import LOG_2PI, GaussianParams
from .prior import log_prior

if TYPE_CHECKING:
    from .gaussian import GaussianFamily

# Terms about the common origin are no larger: components that need more are centred.
MOMENTS = 1e-10 / float(np.finfo(np.float64).eps)


def shrunk(family: GaussianFamily, covariances: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Shrink covariances of so many rows to the pooled one, then correlations to zero."""
    if family.shrinkage > 0.0:
        own = (counts / counts.sum()).reshape(-1, *[1] * (covariances.ndim - 1))
        pooled = (own * covariances).sum(axis=0)
        counts = counts.reshape(own.shape)
        covariances = counts * covariances + family.shrinkage * pooled
        covariances /= counts + family.shrinkage
    if family.diagonal_shrinkage > 0.0:
        variances = _diagonals(covariances).copy()
        share = family.total_weight / (family.total_weight + family.diagonal_shrinkage)
        covariances = covariances * share
        _diagonals(covariances)[...] = variances
    return covariances


def concession(
    family: GaussianFamily, params: GaussianParams, update: GaussianParams, total_weight: float
) -> float:
    r"""Return by how much regularisation lets the likelihood fall (nats per unit of weight).

    The M-step that adds :math:`R` to the covariances, :math:`\nu` pseudo-rows of the pooled
    covariance :math:`W`, and :math:`\delta` beside all :math:`n` rows without correlations,
    maximises the expected log-likelihood plus

    .. math:: P(\theta) = -\frac{1}{2} \sum_k [(m_k - n_k) \log |\Sigma_k|
        + \operatorname{tr} \Sigma_k^{-1} (\nu W + m_k R
        + (n_k + \nu) \tfrac{\delta}{n} \operatorname{diag} A_k)]

    with :math:`m_k = (n_k + \nu) (1 + \delta / n)`, the counts :math:`n_k`, :math:`W` and
    :math:`A_k = (n_k C_k + \nu W) / (n_k + \nu)` of the pass.
    """
    covariances = family.covariances(update)
    added = family.add_to_variances(np.zeros_like(covariances), family.reg_variances)
    if family.shared_covariance:
        counts, pseudo = np.array(total_weight), np.array(0.0)
    else:
        counts = (total_weight * update.weights).reshape(-1, *[1] * (covariances.ndim - 1))
        pseudo = np.where(counts > 0, family.shrinkage, 0.0)
    more = family.diagonal_shrinkage / total_weight
    both = counts + pseudo
    scatter = both * (1.0 + more) * added
    shrinks = family.shrinkage > 0.0 or more > 0.0
    if shrinks:
        # Those before the last two steps of the update, which are taken back.
        before = covariances - added
        if more > 0.0:
            variances = _diagonals(before).copy()
            before *= 1.0 + more
            _diagonals(before)[...] = variances
            scale = both * more
            _diagonals(scatter)[...] += variances * (scale[..., 0] if scale.ndim else scale)
        if not family.shared_covariance:
            pooled = (both * before).sum(axis=0)
            scatter = scatter + pseudo * (pooled / (total_weight + pseudo.sum()))
    penalties = []
    for own in (params, update):
        penalty = family.trace_with_precisions(own, scatter)
        if shrinks:
            surplus = both * (1.0 + more) - counts
            penalty = penalty - 2.0 * surplus.ravel() * family.log_det_precision_cholesky(own)
        penalties.append(-0.5 * float(np.sum(penalty)))
        if family.own_prior is not None:
            penalties[-1] += log_prior(family, own)
    return (penalties[1] - penalties[0]) / total_weight


def _diagonals(matrices: np.ndarray) -> np.ndarray:
    """View the diagonals of matrices, one or several."""
    return np.einsum("...ii->...i", matrices)


def magnitude(family: GaussianFamily, params: GaussianParams, radius: np.ndarray) -> float:
    """Return the mean size, over the components, of the terms that make up a log density.

    `radius` (n_components, n_features) is how far from the origin the rows of a component are.
    """
    n_features = params.means.shape[1]
    own = np.sqrt(family.variances(params))
    about_origin = family.largest_precision(params, radius)
    # About its own mean a component sees rows rounded in coordinates, and its own condition.
    terms = family.largest_precision(params, own) + np.sqrt(about_origin)
    terms = n_features * (terms + np.minimum(about_origin, MOMENTS))
    log_det = np.abs(family.log_det_precision_cholesky(params)) + abs(family.frame.log_det)
    terms = terms + log_det + 0.5 * LOG_2PI * n_features
    return float(params.weights @ terms)
