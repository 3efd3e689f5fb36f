r"""What a family asks of a covariance: shapes, factors, units, marginals, axes, parameters.

Nothing here knows how a pass sums its statistics: that is the family's part. Factors are those of
the precisions, :math:`\Sigma_k^{-1} = U_k U_k'`, upper triangular.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from .._rows.sources import Scratch
from .gaussian_form import GaussianParams


class Structure(ABC):
    """Covariances of one structure."""

    covariance_type: ClassVar[str]
    dense: ClassVar[bool]  # whether covariances are matrices
    common_scale: ClassVar[bool] = False  # whether the frame must scale all columns alike
    one_variance: ClassVar[bool] = False  # whether all features of a component have the same
    shared_covariance: ClassVar[bool] = False  # whether there is one for all components

    margin_type: ClassVar[str]  # covariance type of some of the features
    free_type: ClassVar[str]  # covariance type of arrays of the same shape without constraints
    sharing: ClassVar[bool] = False  # whether arrays with constraints say what is shared
    relatives: ClassVar[tuple[type, ...]] = ()  # families whose clusters are starts for this one

    @property
    def own_matrices(self) -> bool:
        """Whether every component has a matrix with axes of its own."""
        return self.dense and not self.shared_covariance

    @property
    def bounded(self) -> bool:
        """Whether no component can make the likelihood infinite by shrinking alone."""
        return self.shared_covariance

    @abstractmethod
    def log_det_precision_cholesky(self, params: GaussianParams) -> np.ndarray:
        """Half the log-determinant of the precisions, (K,) or scalar."""

    @abstractmethod
    def whiten(self, precisions_cholesky: np.ndarray, diff: np.ndarray) -> np.ndarray:
        """Map deviations (K, n, n_features) from the means to coordinates of unit variance."""

    @abstractmethod
    def mahalanobis(
        self, params: GaussianParams, k: int, diff: np.ndarray, scratch: Scratch
    ) -> np.ndarray:
        """Squared Mahalanobis distance of z - mean_k; `diff` (n_features, n) may be lost."""

    @abstractmethod
    def by_precision(self, params: GaussianParams, k: int, diff: np.ndarray) -> np.ndarray:
        """Return the k-th precision times deviations (n_features, n)."""

    @abstractmethod
    def add_to_variances(self, covariances: np.ndarray, variances: np.ndarray) -> np.ndarray:
        """Add `variances` (n_features,) to the diagonals, in place."""

    @staticmethod
    @abstractmethod
    def covariance_shape(n_components: int, n_features: int) -> tuple[int, ...]:
        """Return the shape of covariances, precisions and their Cholesky factors."""

    @abstractmethod
    def unit_covariances(self, n_components: int, n_features: int) -> np.ndarray:
        """Return identity matrices or ones."""

    @abstractmethod
    def kept(self, matrix: np.ndarray) -> np.ndarray:
        """Return what a covariance keeps of a matrix (n_features, n_features)."""

    @abstractmethod
    def squares(self, deviations: np.ndarray) -> np.ndarray:
        """Return what covariances keep of d d' for deviations d (n_components, n_features)."""

    @abstractmethod
    def prior_rows(self, degrees: float, n_features: int) -> float:
        """Return how many rows an inverse Wishart (or gamma) prior of a covariance counts for."""

    def share_of_prior(self, n_components: int) -> float:
        """Return how much of the prior of one covariance each of the arrays has."""
        return 1.0

    @abstractmethod
    def precisions(self, precisions_cholesky: np.ndarray) -> np.ndarray:
        """Multiply the factors out."""

    @abstractmethod
    def factor_precisions(self, precisions: np.ndarray) -> np.ndarray:
        """Factor given precisions; raise `numpy.linalg.LinAlgError` where not possible."""

    @abstractmethod
    def invert_factors(self, precisions_cholesky: np.ndarray) -> np.ndarray:
        """Return the covariances that belong to the factors."""

    @abstractmethod
    def precisions_cholesky(self, covariances: np.ndarray) -> np.ndarray:
        """Factor the precisions; raise `numpy.linalg.LinAlgError` where not possible."""

    @abstractmethod
    def make_positive_definite(
        self, covariances: np.ndarray, resolution: np.ndarray
    ) -> np.ndarray:
        """Raise what rounding made too small to factor: variances to `resolution` at least."""

    @abstractmethod
    def largest_precision(self, params: GaussianParams, radius: np.ndarray) -> np.ndarray:
        """Bound (K,) on precision times squared radius, (n_features,) or (K, n_features)."""

    @abstractmethod
    def largest_share(self, params: GaussianParams, variances: np.ndarray) -> np.ndarray:
        """Largest share (K,), over all directions, of `variances` in those of a component.

        `variances` have shape (n_features,) or (n_components, n_features).
        """

    @abstractmethod
    def trace_with_precisions(self, params: GaussianParams, others: np.ndarray) -> np.ndarray:
        """Traces (K,) of the precisions times others shaped as covariances."""

    @abstractmethod
    def pivots(self, params: GaussianParams) -> np.ndarray:
        """Variance of each feature given the earlier ones, (n_components, n_features)."""

    @abstractmethod
    def variances(self, params: GaussianParams) -> np.ndarray:
        """Variance of each feature, (n_components, n_features)."""

    @abstractmethod
    def rescale(self, params: GaussianParams, scale: np.ndarray) -> GaussianParams:
        """Multiply the coordinates by `scale` (n_features,)."""

    @abstractmethod
    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        """Return the number of free parameters in the covariances."""

    @abstractmethod
    def marginal_covariances(self, covariances: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Return the covariances of some of the features."""

    @abstractmethod
    def longest_axis(self, params: GaussianParams, k: int, spread: np.ndarray) -> np.ndarray:
        """Return the direction in which component k is longest, times its deviation there.

        `spread` (n_features,), the variances of its own rows, decides where all are alike.
        """

    @abstractmethod
    def narrowed(self, covariances: np.ndarray, k: int, step: np.ndarray) -> np.ndarray:
        """Take the square of a step off component k, where it has a covariance of its own."""

    @abstractmethod
    def draw_noise(
        self, params: GaussianParams, component: int, n_samples: int, rng: np.random.RandomState
    ) -> np.ndarray:
        """Draw rows of one component, less its mean."""

    def matrices(self, params: GaussianParams) -> np.ndarray:
        """Return the covariances as matrices (n_components, n_features, n_features)."""
        n_features = params.means.shape[1]
        if self.dense:
            shape = (len(params.means), n_features, n_features)
            return np.broadcast_to(self.covariances(params), shape)
        return self.variances(params)[:, :, None] * np.eye(n_features)

    def take(self, params: GaussianParams, components: np.ndarray) -> GaussianParams:
        """Return some of the components as a mixture; one may come more than once."""
        covariances, factors = self.covariances(params), params.precisions_cholesky
        if not self.shared_covariance:
            covariances, factors = covariances[components], factors[components]
        weights = params.weights[components]
        return GaussianParams(
            weights / weights.sum(), params.means[components], covariances, factors
        )

    def covariances(self, params: GaussianParams) -> np.ndarray:
        """Return the covariances, also where only precisions were given."""
        if params.covariances is None:
            return self.invert_factors(params.precisions_cholesky)
        return params.covariances
