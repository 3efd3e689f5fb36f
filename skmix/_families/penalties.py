"""What regularisation may cost an update, and how large the terms of a log density are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .gaussian_form import LOG_2PI, GaussianParams
from .prior import log_prior

if TYPE_CHECKING:
    from .gaussian import GaussianFamily

# Terms about the common origin are no larger: components that need more are centred.
MOMENTS = 1e-10 / float(np.finfo(np.float64).eps)


def concession(
    family: GaussianFamily, params: GaussianParams, update: GaussianParams, total_weight: float
) -> float:
    r"""Return by how much regularisation lets the likelihood fall (nats per unit of weight).

    The M-step that adds :math:`R` to the covariances, and :math:`\nu` pseudo-rows of the pooled
    covariance :math:`W`, maximises the expected log-likelihood plus

    .. math:: P(\theta) = -\frac{1}{2} \sum_k
        [\nu \log |\Sigma_k| + \operatorname{tr} \Sigma_k^{-1} (\nu W + (n_k + \nu) R)]

    with the counts :math:`n_k` and :math:`W` of the pass.
    """
    covariances = family.covariances(update)
    added = family.add_to_variances(np.zeros_like(covariances), family.reg_variances)
    if family.shared_covariance:
        counts, scatter = np.array(total_weight), total_weight * added
    else:
        counts = (total_weight * update.weights).reshape(-1, *[1] * (covariances.ndim - 1))
        pseudo = np.where(counts > 0, family.shrinkage, 0.0)
        scatter = (counts + pseudo) * added
        pooled = ((counts + pseudo) * (covariances - added)).sum(axis=0)
        scatter = scatter + pseudo * (pooled / (total_weight + pseudo.sum()))
    penalties = []
    for own in (params, update):
        penalty = family.trace_with_precisions(own, scatter)
        if family.shrinkage > 0.0:
            penalty = penalty - 2.0 * pseudo.ravel() * family.log_det_precision_cholesky(own)
        penalties.append(-0.5 * float(np.sum(penalty)))
        if family.own_prior is not None:
            penalties[-1] += log_prior(family, own)
    return (penalties[1] - penalties[0]) / total_weight


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
