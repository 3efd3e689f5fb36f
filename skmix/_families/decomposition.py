r"""What components may share of a covariance: its volume, its shape, its axes.

A covariance is :math:`\Sigma_k = \lambda_k D_k A_k D_k'` with a volume :math:`\lambda_k`, a shape
:math:`A_k` (diagonal, of determinant 1) and axes :math:`D_k` (orthogonal).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._linalg.common_axes import along, common_axes, criterion

# Volumes of a common shape are found when no logarithm of one moves by more than this, or after
# so many rounds.
MOVED, MOST_ROUNDS = 1e-11, 200
# Rounds of rotating common axes in one update; EM goes on from where they led.
MOST_TURNS = 50


class Decomposition(NamedTuple):
    """Whether volume, shape and axes are equal (E), vary (V) or are those of the identity (I).

    `maximum` finds the covariances of that kind which are likeliest given those of no kind: the
    M-step of G. Celeux, G. Govaert, "Gaussian parsimonious clustering models", Pattern
    Recognition 28(5), 1995. :doi:`10.1016/0031-3203(94)00125-6`
    """

    volume: str  # 'E' or 'V'
    shape: str  # 'E', 'V' or 'I'
    axes: str  # 'E', 'V' or 'I'

    @property
    def name(self) -> str:
        """The three letters."""
        return "".join(self)

    @property
    def own_axes(self) -> bool:
        """Whether every component has axes of its own."""
        return self.axes == "V"

    @property
    def one_covariance(self) -> bool:
        """Whether all components have the same covariance."""
        return "V" not in self

    @property
    def bounded(self) -> bool:
        """Whether no component can shrink alone, so that the likelihood has a maximum."""
        return self.volume == "E"

    @property
    def same_in_any_unit(self) -> bool:
        """Whether columns can be scaled without leaving the structure."""
        if self.axes == "I":
            return self.shape != "I"
        return (self.shape, self.axes) in {("E", "E"), ("V", "V")}

    @property
    def same_in_margins(self) -> bool:
        """Whether some of the features have the structure of all of them."""
        if self.axes == "I":
            return self.volume == "V" or self.shape != "V"
        return self.shape == self.axes == "E" or "E" not in self

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Return the number of free parameters of the covariances."""
        n_volumes = {"E": 1, "V": n_components}
        n_shapes = {"I": 0, **n_volumes}
        n_planes = n_features * (n_features - 1) // 2
        return (
            n_volumes[self.volume]
            + n_shapes[self.shape] * (n_features - 1)
            + n_shapes[self.axes] * n_planes
        )

    def maximum(
        self, empirical: np.ndarray, counts: np.ndarray, present: np.ndarray
    ) -> np.ndarray:
        r"""Return the likeliest covariances of this kind, or better ones than `present`.

        They minimise :math:`\sum_k n_k [\log |\Sigma_k| + \operatorname{tr} \Sigma_k^{-1} C_k]`.
        What only components of no rows would tell is taken from their `empirical` covariances.

        Parameters
        ----------
        empirical : ndarray of shape (..., K, d, d) or (..., K, d)
            Matrices, or variances if the axes are those of the features.

        counts : ndarray of shape (..., K)
            The numbers of rows :math:`n_k`.

        present : ndarray, shaped as `empirical`
            Covariances of this kind, from which iterations start.

        Raises
        ------
        numpy.linalg.LinAlgError
            If a volume or a shape has no likeliest value, since some variance is 0.
        """
        share = counts / counts.sum(axis=-1, keepdims=True)
        if self.axes == "I":
            return self._of_variances(empirical, share, present)
        if self.axes == "E":
            if self.shape == "E":
                return self._of_one_correlation(empirical, share, present)
            return self._of_common_axes(empirical, share, present)
        if self.shape == "V":
            return self._of_free_matrices(empirical, share)
        variances, axes = np.linalg.eigh(empirical)
        now = np.linalg.eigvalsh(present)
        return matrices_of(self._of_variances(_positive(variances), share, now), axes)

    def _of_variances(
        self, variances: np.ndarray, share: np.ndarray, present: np.ndarray
    ) -> np.ndarray:
        """Choose volumes and shapes along axes that are known."""
        if self.shape == "I":
            variances = np.broadcast_to(variances.mean(axis=-1, keepdims=True), variances.shape)
        if self.shape != "E" and self.volume == "V":
            return variances
        if self.shape == "V":
            return variances * _to_one_volume(np.log(_positive(variances)).mean(axis=-1), share)
        if self.volume == "E":
            pooled = (share[..., None] * variances).sum(axis=-2, keepdims=True)
            return np.broadcast_to(pooled, variances.shape).copy()
        volumes = np.log(_positive(present)).mean(axis=-1)
        for _ in range(MOST_ROUNDS):
            before = volumes
            weight = share * np.exp(-volumes)
            shape = _positive((weight[..., None] * variances).sum(axis=-2, keepdims=True))
            volumes = np.log(_positive((variances / shape).mean(axis=-1)))
            volumes -= (share * (volumes - before)).sum(axis=-1, keepdims=True)
            if np.abs(volumes - before).max() < MOVED:
                break
        weight = share * np.exp(-volumes)
        shape = (weight[..., None] * variances).sum(axis=-2, keepdims=True)
        return np.exp(volumes)[..., None] * shape

    def _of_one_correlation(
        self, matrices: np.ndarray, share: np.ndarray, present: np.ndarray
    ) -> np.ndarray:
        """Choose volumes and the one matrix that they multiply."""
        if self.volume == "E":
            pooled = (share[..., None, None] * matrices).sum(axis=-3, keepdims=True)
            return np.broadcast_to(pooled, matrices.shape).copy()
        d = matrices.shape[-1]
        volumes = log_det(present) / d
        for _ in range(MOST_ROUNDS):
            before = volumes
            weight = share * np.exp(-volumes)
            common = (weight[..., None, None] * matrices).sum(axis=-3, keepdims=True)
            inverse = np.linalg.inv(common)
            traces = (inverse * matrices).sum(axis=(-1, -2)) / d
            volumes = np.log(_positive(traces))
            volumes -= (share * (volumes - before)).sum(axis=-1, keepdims=True)
            if np.abs(volumes - before).max() < MOVED:
                break
        weight = share * np.exp(-volumes)
        common = (weight[..., None, None] * matrices).sum(axis=-3, keepdims=True)
        return np.exp(volumes)[..., None, None] * common

    def _of_free_matrices(self, matrices: np.ndarray, share: np.ndarray) -> np.ndarray:
        if self.volume == "V":
            return matrices
        log_volumes = log_det(matrices) / matrices.shape[-1]
        return matrices * _to_one_volume(log_volumes, share)[..., None]

    def _of_common_axes(
        self, matrices: np.ndarray, share: np.ndarray, present: np.ndarray
    ) -> np.ndarray:
        equal_volumes = self.volume == "E"
        axes = best_axes(matrices, share, present, equal_volumes)
        axes = common_axes(
            matrices, share, axes, equal_volumes=equal_volumes, most_rounds=MOST_TURNS
        )
        _, variances = along(matrices, axes)
        variances = self._of_variances(_positive(variances), share, variances)
        return matrices_of(variances, axes[..., None, :, :])


def best_axes(
    matrices: np.ndarray, share: np.ndarray, present: np.ndarray, equal_volumes: bool
) -> np.ndarray:
    """Return axes to turn from: those of the present covariances, or others that suit better.

    Others are those of all covariances together, and those of every component.
    """
    n_components = matrices.shape[-3]
    # Axes that all share are those of any mean of theirs; odd weights tell equal variances apart.
    odd = np.sqrt(np.arange(2.0, n_components + 2.0)) / mean_variance(present)
    shared = (odd[..., None, None] * present).sum(axis=-3)
    pooled = (share[..., None, None] * matrices).sum(axis=-3)
    several = np.concatenate([np.stack([shared, pooled], axis=-3), matrices], axis=-3)
    _, candidates = np.linalg.eigh(several)
    _, variances = along(matrices[..., None, :, :, :], candidates)
    values = criterion(_positive(variances), share[..., None, :], equal_volumes)
    best = np.argmin(values, axis=-1)
    return np.take_along_axis(candidates, best[..., None, None, None], axis=-3)[..., 0, :, :]


def mean_variance(matrices: np.ndarray) -> np.ndarray:
    """Return the mean variance of every matrix."""
    return np.trace(matrices, axis1=-2, axis2=-1) / matrices.shape[-1]


def matrices_of(variances: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Return D diag(variances) D', symmetric to the bit."""
    matrices = (axes * variances[..., None, :]) @ axes.swapaxes(-1, -2)
    return 0.5 * (matrices + matrices.swapaxes(-1, -2))


def log_det(matrices: np.ndarray) -> np.ndarray:
    """Return log-determinants of positive definite matrices."""
    factors = np.linalg.cholesky(matrices)
    return 2.0 * np.log(np.diagonal(factors, axis1=-2, axis2=-1)).sum(axis=-1)


def _to_one_volume(log_volumes: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return factors (..., K, 1) that make all volumes their mean."""
    largest = log_volumes.max(axis=-1, keepdims=True)
    mean = (share * np.exp(log_volumes - largest)).sum(axis=-1, keepdims=True)
    return np.exp(np.log(mean) + largest - log_volumes)[..., None]


def _positive(values: np.ndarray) -> np.ndarray:
    if not np.all(values > 0.0):
        raise np.linalg.LinAlgError("a variance is not positive")
    return values
