"""Axes that several matrices share, or come nearest to sharing."""

import numpy as np
import pytest

from skmix._linalg.common_axes import along, common_axes, criterion, rotation


@pytest.mark.parametrize("equal_volumes", [False, True])
@pytest.mark.parametrize(("n_matrices", "d"), [(1, 3), (2, 2), (3, 5), (4, 13)])
def test_axes_that_are_shared_are_found(n_matrices, d, equal_volumes):
    rng = np.random.default_rng(d)
    axes, _ = np.linalg.qr(rng.normal(size=(d, d)))
    variances = np.exp(rng.normal(size=(n_matrices, d)))
    matrices = (axes * variances[:, None]) @ axes.T
    share = np.full(n_matrices, 1.0 / n_matrices)
    found = common_axes(matrices, share, np.eye(d), equal_volumes=equal_volumes)
    np.testing.assert_allclose(found.T @ found, np.eye(d), atol=1e-12)
    turned, _ = along(matrices, found)
    off = turned * (1.0 - np.eye(d))
    np.testing.assert_allclose(off, 0.0, atol=1e-5)


@pytest.mark.parametrize("equal_volumes", [False, True])
def test_axes_of_matrices_that_share_none_are_stationary(equal_volumes):
    rows = np.random.default_rng(8).normal(size=(3, 12, 4)) * [1.0, 2.0, 0.5, 3.0]
    matrices = rows.swapaxes(1, 2) @ rows / 12
    share = np.array([0.2, 0.3, 0.5])

    def value(axes):
        return criterion(along(matrices, axes)[1], share, equal_volumes)

    found = common_axes(matrices, share, np.eye(4), equal_volumes=equal_volumes)
    assert value(found) < value(np.eye(4))
    for i, j in zip(*np.triu_indices(4, 1), strict=True):
        turn = np.zeros((4, 4))
        turn[i, j], turn[j, i] = 1e-4, -1e-4
        for sign in (1.0, -1.0):  # a slope of 1e-6 would show
            assert value(found @ rotation(sign * turn)) > value(found) - 1e-10
