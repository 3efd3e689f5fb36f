"""Orthogonal axes that several symmetric matrices come nearest to sharing."""

from __future__ import annotations

import numpy as np

# Rounds end when all that one still gains is this, in units of the criterion.
GAIN = 1e-13
# Of the curvature for matrices that share the axes exactly, at least this share is believed.
LEAST_CURVATURE = 0.1
LARGEST_ANGLE = 0.5
SHORTEST_STEP = 1e-6


def common_axes(
    matrices: np.ndarray,
    share: np.ndarray,
    axes: np.ndarray,
    *,
    equal_volumes: bool,
    most_rounds: int = 500,
) -> np.ndarray:
    r"""Return axes D (..., d, d), in columns, on which matrices C_k are closest to diagonal.

    With the variances :math:`m_{kj}` of C_k along the axes and shares :math:`\pi_k` of the rows,
    the criterion is the profile of the Gaussian likelihood, :math:`\sum_k \pi_k \sum_j \log
    m_{kj}` (B. N. Flury, 1984, :doi:`10.2307/2288721`); where volumes are equal,
    :math:`d \log \sum_k \pi_k \prod_j m_{kj}^{1/d}`. All planes are rotated at once by a
    diagonal Newton step, shortened where it gains nothing: the criterion never rises above
    that of the given axes. One plane after the other (B. N. Flury, W. Gautschi, 1986,
    :doi:`10.1137/0907013`) and majorisation (R. P. Browne, P. D. McNicholas, 2014,
    :doi:`10.1007/s11634-013-0139-1`) lead to the same axes in more or longer rounds.

    Parameters
    ----------
    matrices : ndarray of shape (..., K, d, d)
        Positive definite.

    share : ndarray of shape (..., K)
        Shares that add up to 1.

    axes : ndarray of shape (..., d, d)
        Orthogonal axes to start from.

    equal_volumes : bool
        Whether the matrices shall have equal determinants once their axes are shared.

    most_rounds : int, default=500
    """
    step = np.ones(axes.shape[:-2])
    turned, variances = along(matrices, axes)
    value = criterion(variances, share, equal_volumes)
    for _ in range(most_rounds):
        turn = newton_step(turned, variances, share, equal_volumes)
        trial = axes @ rotation(step[..., None, None] * turn)
        trial_turned, trial_variances = along(matrices, trial)
        gain = value - criterion(trial_variances, share, equal_volumes)
        better = gain > 0.0
        if np.all((gain < GAIN) & (better | (gain > -GAIN) | (step < SHORTEST_STEP))):
            break
        each = better[..., None, None]
        axes = np.where(each, trial, axes)
        turned = np.where(each[..., None], trial_turned, turned)
        variances = np.where(each, trial_variances, variances)
        value = np.where(better, value - gain, value)
        step = np.where(better, np.minimum(2.0 * step, 1.0), 0.25 * step)
    return axes


def along(matrices: np.ndarray, axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrices in the coordinates of the axes, and their diagonals."""
    axes = axes[..., None, :, :]
    turned = axes.swapaxes(-1, -2) @ matrices @ axes
    return turned, np.diagonal(turned, axis1=-2, axis2=-1)


def criterion(variances: np.ndarray, share: np.ndarray, equal_volumes: bool) -> np.ndarray:
    """Return the log-determinant that the likelihood is left with; less is better."""
    log_det = np.log(variances).sum(axis=-1)
    if not equal_volumes:
        return (share * log_det).sum(axis=-1)
    d = variances.shape[-1]
    largest = log_det.max(axis=-1, keepdims=True)
    mean = (share * np.exp((log_det - largest) / d)).sum(axis=-1)
    return d * np.log(mean) + largest[..., 0]


def newton_step(
    turned: np.ndarray, variances: np.ndarray, share: np.ndarray, equal_volumes: bool
) -> np.ndarray:
    """Return angles (..., d, d), antisymmetric, each the Newton step of its plane alone."""
    if equal_volumes:  # the slope is that of unequal volumes with the shares of the volumes
        log_det = np.log(variances).sum(axis=-1) / variances.shape[-1]
        share = share * np.exp(log_det - log_det.max(axis=-1, keepdims=True))
        share = share / share.sum(axis=-1, keepdims=True)
    inverse = 1.0 / variances
    scaled = turned * inverse[..., None, :]
    weighted = scaled * share[..., None, None]
    pull = weighted.sum(axis=-3)
    slope = 2.0 * (pull - pull.swapaxes(-1, -2))
    ratios = inverse.swapaxes(-1, -2) @ (share[..., None] * variances)
    shared = 2.0 * (ratios + ratios.swapaxes(-1, -2) - 2.0)
    squares = (weighted * scaled).sum(axis=-3)
    curvature = shared - 4.0 * (squares + squares.swapaxes(-1, -2))
    curvature = np.maximum(curvature, LEAST_CURVATURE * shared)
    angles = -slope / np.maximum(curvature, np.finfo(np.float64).eps)
    return np.clip(angles, -LARGEST_ANGLE, LARGEST_ANGLE)


def rotation(turn: np.ndarray) -> np.ndarray:
    """Return Cayley's rotation by antisymmetric angles; orthogonal to rounding."""
    half, identity = 0.5 * turn, np.eye(turn.shape[-1])
    return np.linalg.solve(identity - half, identity + half)
