"""Modes of Gaussian mixtures against grids, optimisers and symmetry."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.datasets import load_iris

from skmix import GaussianMixture
from skmix._mixtures.covariance_types import FAMILIES

X = load_iris().data
quick = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@quick
@pytest.mark.parametrize("covariance_type", sorted(FAMILIES))
def test_modes_are_maxima_and_rows_climb_to_them(covariance_type):
    mixture = GaussianMixture(4, covariance_type=covariance_type, random_state=0, max_iter=20)
    found = mixture.fit(X).modes(X)
    np.testing.assert_allclose(mixture.score_gradient(found.points), 0.0, atol=1e-8)
    np.testing.assert_allclose(mixture.score_samples(found.points), found.log_density, rtol=1e-9)
    assert np.all(np.diff(found.log_density) <= 0)
    rng = np.random.default_rng(0)
    for point, height in zip(found.points, found.log_density, strict=True):
        around = point + 1e-3 * rng.normal(size=(50, 4))
        assert np.all(mixture.score_samples(around) < height)
    assert found.labels.shape == (150,) and set(found.labels) <= set(range(len(found.points)))
    np.testing.assert_array_equal(mixture.modes().components, found.components)
    np.testing.assert_array_equal(mixture.modes(mixture.means_).labels, found.components)


def test_all_modes_in_one_dimension_are_those_of_a_grid():
    rng = np.random.default_rng(1)
    mixture = GaussianMixture.from_parameters(
        rng.dirichlet(np.ones(12)), rng.uniform(0, 30, (12, 1)), rng.uniform(0.2, 3, (12, 1, 1))
    )
    grid = np.linspace(-10, 40, 200_001)
    heights = mixture.score_samples(grid[:, None])
    top = np.flatnonzero((heights[1:-1] > heights[:-2]) & (heights[1:-1] > heights[2:])) + 1
    found = mixture.modes(grid[::50, None])
    np.testing.assert_allclose(np.sort(found.points[:, 0]), grid[top], atol=3e-4)
    # A row belongs to the mode between the same valleys.
    valleys = np.flatnonzero((heights[1:-1] < heights[:-2]) & (heights[1:-1] < heights[2:])) + 1
    between = np.digitize(grid[::50], grid[valleys])
    order = np.argsort(np.argsort(found.points[:, 0]))
    far = np.abs(grid[::50, None] - grid[valleys]).min(axis=1) > 1e-3
    np.testing.assert_array_equal(order[found.labels][far], between[far])


def test_a_mode_that_no_mean_climbs_to_is_found_from_rows():
    crossed = [np.diag([1.0, 0.01]), np.diag([0.01, 1.0])]
    mixture = GaussianMixture.from_parameters([0.5, 0.5], [[1.0, 0.0], [0.0, 1.0]], crossed)
    assert len(mixture.modes().points) == 2
    found = mixture.modes([[0.1, 0.1], [2.0, 0.0]])
    assert len(found.points) == 3
    best = minimize(lambda z: -mixture.score_samples(z[None])[0], [0.0, 0.0], tol=1e-12)
    np.testing.assert_allclose(found.points[0], best.x, atol=1e-6)
    np.testing.assert_allclose(found.points[found.labels[1]], [1.0, 0.0], atol=1e-2)


def test_a_climb_does_not_end_on_a_saddle():
    mixture = GaussianMixture.from_parameters(
        [0.5, 0.5], [[-2.0, 0.0], [2.0, 0.0]], [np.eye(2)] * 2
    )
    found = mixture.modes([[0.0, 0.0], [0.0, 5.0]])
    assert len(found.points) == 2
    assert np.all(np.abs(found.points[:, 0]) > 1.9)


@pytest.mark.parametrize("offset", [0.0, 1e7])
def test_units_and_holes(offset):
    scale = np.array([1.0, 1e-3, 1e3, 1.0])
    mixture = GaussianMixture(3, random_state=0, tol=1e-8, max_iter=500).fit(X)
    moved = GaussianMixture.from_parameters(
        mixture.weights_,
        mixture.means_ * scale + offset,
        mixture.covariances_ * np.outer(scale, scale),
    )
    rows = X.copy()
    rows[::3, 1] = np.nan
    plain, other = mixture.modes(rows), moved.modes(rows * scale + offset)
    np.testing.assert_array_equal(plain.labels, other.labels)
    np.testing.assert_allclose((other.points - offset) / scale, plain.points, atol=1e-4)
    np.testing.assert_array_equal(plain.labels, mixture.modes(mixture.impute(rows)).labels)


def test_frames_and_float32():
    frame = load_iris(as_frame=True).data
    mixture = GaussianMixture(3, random_state=0).fit(frame.astype(np.float32))
    found = mixture.modes(frame)
    assert found.points.dtype == np.float32
    assert (found.labels == mixture.modes(frame.astype(np.float32)).labels).all()
