"""A conjugate prior on means and covariances, so that no component can shrink to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from .frame import Frame
from .gaussian_form import GaussianParams

if TYPE_CHECKING:
    from .gaussian import GaussianFamily


class ConjugatePrior(NamedTuple):
    r"""Normal and inverse Wishart: C. Fraley, A. E. Raftery, 2007.

    Given its covariance, the mean of a component is normal about :math:`\mu_P` with covariance
    :math:`\Sigma_k / \kappa_P`; its covariance is inverse Wishart with :math:`\nu_P` degrees of
    freedom and scale :math:`\Lambda_P`, its variances inverse gamma with half of both.
    "Bayesian regularization for normal mixture estimation and model-based clustering", Journal of
    Classification 24(2). :doi:`10.1007/s00357-007-0004-5`
    """

    mean: np.ndarray  # (n_features,)
    scale: np.ndarray  # (n_features, n_features)
    shrinkage: float
    degrees: float

    @classmethod
    def of_rows(cls, mean: np.ndarray, covariance: np.ndarray, n_components: int) -> Self:
        """The prior that the rows suggest, given their mean and covariance."""
        d = len(mean)
        return cls(mean, covariance / n_components ** (2.0 / d), 0.01, d + 2.0)

    def in_frame(self, frame: Frame) -> Self:
        """The same in the coordinates of a frame."""
        mean = (self.mean - frame.reference) / frame.scale
        return self._replace(mean=mean, scale=self.scale / np.outer(frame.scale, frame.scale))

    def pull(self, counts: np.ndarray) -> np.ndarray:
        """Return the share of the way to its mean by which the prior draws those of components."""
        return self.shrinkage / (counts + self.shrinkage)

    def drawn(self, means: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Return the means of so many rows, drawn to that of the prior; others stay."""
        pull = np.where(counts > 0, self.pull(counts), 0.0)
        return means + pull[:, None] * (self.mean - means)


def with_prior(
    family: GaussianFamily, covariances: np.ndarray, counts: np.ndarray, means: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return covariances with what the prior adds, and how many rows they then count for.

    `means` and `covariances` are those of the rows.
    """
    prior = family.own_prior
    assert prior is not None
    moved = family.squares(means - prior.mean)
    axes = tuple(range(1, moved.ndim))
    between = np.expand_dims(counts * prior.pull(counts), axes) * moved
    own_rows, scale = _of_covariances(family, prior, len(counts))
    if not family.shared_covariance:
        rows = counts + own_rows
        scatter = np.expand_dims(counts, axes) * covariances + between + scale
        return scatter / np.expand_dims(rows, axes), rows
    n_runs = covariances.size // covariances.shape[-1] ** 2
    total = counts.reshape(n_runs, -1).sum(axis=1)
    between = between.reshape(n_runs, -1, *moved.shape[1:]).sum(axis=1)
    scatter = total[:, None, None] * covariances + between + scale
    rows = total + own_rows
    return (scatter / rows[:, None, None]).reshape(covariances.shape), rows


def log_prior(family: GaussianFamily, params: GaussianParams) -> float:
    """Return the log density of the prior, with what is added to variances, less a constant."""
    prior = family.own_prior
    assert prior is not None
    rows, scale = _of_covariances(family, prior, len(params.means))
    scatter = prior.shrinkage * family.squares(params.means - prior.mean)
    if family.shared_covariance:
        scatter = scatter.sum(axis=0)
    scatter = rows * family.add_to_variances((scatter + scale) / rows, family.reg_variances)
    log_det = -2.0 * family.log_det_precision_cholesky(params)
    terms = rows * log_det + family.trace_with_precisions(params, scatter)
    return -0.5 * float(np.sum(terms))


def _of_covariances(
    family: GaussianFamily, prior: ConjugatePrior, n_components: int
) -> tuple[float, np.ndarray]:
    """Return how many rows the prior of a covariance and its means count for, and its scatter.

    Where several arrays are one covariance, each has its share.
    """
    d = len(prior.mean)
    share = family.share_of_prior(n_components)
    n_means = n_components if family.shared_covariance else 1
    return n_means + share * family.prior_rows(prior.degrees, d), share * family.kept(prior.scale)
