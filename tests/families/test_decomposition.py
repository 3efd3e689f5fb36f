"""The likeliest covariances that share volume, shape or axes, against a general optimiser."""

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.optimize import minimize

from skmix._families.decomposition import Decomposition

NAMES = ["EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE"]
NAMES += ["VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV"]
every_structure = pytest.mark.parametrize("name", NAMES)

# Free parameters of mclust 6.0.0's fits: iris (d=4) with 4 components, diabetes (d=3) with 5; less
# those of means and weights.
PARAMETERS = {
    "EII": (20, 20), "VII": (23, 24), "EEI": (23, 22), "VEI": (26, 26), "EVI": (32, 30),
    "VVI": (35, 34), "EEE": (29, 25), "VEE": (32, 29), "EVE": (38, 33), "VVE": (41, 37),
    "EEV": (47, 37), "VEV": (50, 41), "EVV": (56, 45), "VVV": (59, 49),
}  # fmt: skip


def random_scatter(rng, n_components, d, n_rows=12):
    """Covariances of a few rows each, of different size, and how many rows they count for."""
    rows = rng.normal(size=(n_components, n_rows, d)) @ rng.normal(size=(n_components, d, d))
    rows *= rng.uniform(0.5, 3.0, size=(n_components, 1, 1))
    matrices = rows.swapaxes(1, 2) @ rows / n_rows
    return matrices, rng.uniform(5.0, 50.0, size=n_components)


def objective(covariances, matrices, counts):
    """Twice the negative expected log-likelihood of one row, less a constant."""
    return sum(
        n / counts.sum() * (np.linalg.slogdet(own)[1] + np.trace(np.linalg.solve(own, matrix)))
        for own, matrix, n in zip(covariances, matrices, counts, strict=True)
    )


def built(name, x, n_components, d):
    """Covariances of a structure from unconstrained numbers: written down from its definition."""
    x = list(x)

    def take(n):
        return np.array([x.pop(0) for _ in range(n)])

    def several(kind, n):
        if kind == "V":
            return [take(n) for _ in range(n_components)]
        return [take(n) if kind == "E" else np.zeros(n)] * n_components

    volumes = several(name[0], 1)
    shapes = [np.append(shape, -shape.sum()) for shape in several(name[1], d - 1)]
    axes = []
    for angles in several(name[2], d * (d - 1) // 2):
        turn = np.zeros((d, d))
        turn[np.triu_indices(d, 1)] = angles
        axes.append(expm(turn - turn.T))
    parts = zip(volumes, shapes, axes, strict=True)
    return [np.exp(v[0]) * (D * np.exp(shape)) @ D.T for v, shape, D in parts]


def n_numbers(name, n_components, d):
    def several(kind, n):
        return {"E": n, "I": 0, "V": n * n_components}[kind]

    return several(name[0], 1) + several(name[1], d - 1) + several(name[2], d * (d - 1) // 2)


def maximum(name, matrices, counts, present=None):
    """As matrices, whatever the structure keeps."""
    d = matrices.shape[-1]
    decomposition = Decomposition(*name)
    if name[2] != "I":
        present = np.broadcast_to(np.eye(d), matrices.shape) if present is None else present
        return decomposition.maximum(matrices, counts, present)
    variances = np.diagonal(matrices, axis1=-2, axis2=-1)
    present = (
        np.ones(variances.shape) if present is None else np.diagonal(present, axis1=-2, axis2=-1)
    )
    found = decomposition.maximum(variances.copy(), counts, present)
    return found[..., None] * np.eye(d)


def until_it_stays(name, matrices, counts):
    """Repeat the update from where it led, as iterations of EM do."""
    found = maximum(name, matrices, counts)
    for _ in range(50):
        before, found = found, maximum(name, matrices, counts, found)
        if np.abs(found - before).max() < 1e-12:
            break
    return found


@every_structure
@pytest.mark.parametrize(("n_components", "d", "seed"), [(1, 3, 0), (3, 2, 1), (3, 3, 2)])
def test_maximum_is_that_of_a_general_optimiser(name, n_components, d, seed):
    rng = np.random.default_rng(seed)
    matrices, counts = random_scatter(rng, n_components, d)
    found = until_it_stays(name, matrices, counts)
    n = n_numbers(name, n_components, d)

    def value(x):
        return objective(built(name, x, n_components, d), matrices, counts)

    best = min(minimize(value, 0.5 * rng.normal(size=n)).fun for _ in range(2))
    # The optimiser stops at slopes of 1e-5.
    assert objective(found, matrices, counts) <= best + 1e-8
    # And it is of the structure: the optimiser, started next to it, cannot get below.
    assert objective(found, matrices, counts) >= best - 1e-6


@every_structure
def test_parameters_are_counted_as_by_mclust(name):
    for (k, d), total in zip([(4, 4), (5, 3)], PARAMETERS[name], strict=True):
        own = Decomposition(*name).n_parameters(k, d)
        assert own + k * d + k - 1 == total
        assert own == n_numbers(name, k, d)


@every_structure
def test_what_is_shared_is_shared(name):
    matrices, counts = random_scatter(np.random.default_rng(3), 4, 3)
    found = maximum(name, matrices, counts)
    np.testing.assert_allclose(found, found.swapaxes(1, 2), atol=0)
    values, vectors = np.linalg.eigh(found)
    log_volumes = np.log(values).mean(axis=1)
    shapes = np.log(values) - log_volumes[:, None]
    if name[0] == "E":
        np.testing.assert_allclose(log_volumes, log_volumes[0], atol=1e-10)
    if name[1] == "E":
        np.testing.assert_allclose(shapes, np.broadcast_to(shapes[0], shapes.shape), atol=1e-9)
    if name[1] == "I":
        np.testing.assert_allclose(shapes, 0.0, atol=1e-12)
    if name[2] == "E":
        turned = vectors[0].T @ found @ vectors[0]
        off = turned * (1.0 - np.eye(3))
        np.testing.assert_allclose(off, 0.0, atol=1e-9 * values.max())


@every_structure
def test_an_update_is_no_worse_than_what_was_there(name):
    rng = np.random.default_rng(4)
    matrices, counts = random_scatter(rng, 3, 4)
    for _ in range(5):
        x = rng.normal(size=n_numbers(name, 3, 4))
        present = np.array(built(name, x, 3, 4))
        found = maximum(name, matrices, counts, present)
        assert objective(found, matrices, counts) <= objective(present, matrices, counts) + 1e-12
        again = maximum(name, matrices, counts, found)
        assert objective(again, matrices, counts) <= objective(found, matrices, counts) + 1e-12


@every_structure
def test_several_mixtures_side_by_side_are_one_after_the_other(name):
    rng = np.random.default_rng(5)
    several = [random_scatter(rng, 3, 3) for _ in range(4)]
    matrices, counts = (np.array(part) for part in zip(*several, strict=True))
    together = maximum(name, matrices, counts)
    for own, scatter, n in zip(together, matrices, counts, strict=True):
        np.testing.assert_allclose(
            objective(own, scatter, n),
            objective(maximum(name, scatter, n), scatter, n),
            rtol=0,
            atol=1e-10,
        )


@every_structure
def test_a_component_without_rows_tells_the_others_nothing(name):
    rng = np.random.default_rng(6)
    matrices, counts = random_scatter(rng, 3, 3)
    alone = until_it_stays(name, matrices[:2], counts[:2])
    counts[2] = 0.0
    with_it = until_it_stays(name, matrices, counts)
    np.testing.assert_allclose(with_it[:2], alone, rtol=1e-5, atol=1e-7)
    assert np.all(np.linalg.eigvalsh(with_it[2]) > 0)


@pytest.mark.parametrize("name", ["VEI", "EVI", "VEE", "EVE", "VVE", "VEV", "EVV"])
def test_variances_of_zero_have_no_likeliest_volume(name):
    matrices, counts = random_scatter(np.random.default_rng(7), 2, 2)
    matrices[1] = 0.0
    with pytest.raises(np.linalg.LinAlgError):
        maximum(name, matrices, counts)


def test_present_variances_below_zero_are_named():
    matrices = np.stack([np.eye(2), 2.0 * np.eye(2)])
    present = np.stack([np.diag([1.0, -1e-20]), np.eye(2)])
    with pytest.raises(np.linalg.LinAlgError, match="not positive"):
        Decomposition(*"VEV").maximum(matrices, np.ones(2), present)
