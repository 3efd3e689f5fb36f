"""Mixtures whose covariances share volume, shape or axes: everything that works for the four."""

import numpy as np
import oracles
import pytest
from families import with_holes
from mixtures import overlapping
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning

from skmix import (
    ConditionalGMMInpainter,
    GaussianMixture,
    GMMBayesClassifier,
    GMMDenoiser,
    GMMRegressor,
    select_mixture,
)
from skmix._families.decomposition import Decomposition
from skmix._mixtures.covariance_types import FAMILIES

SHARING = ["EII", "EEI", "VEI", "EVI", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV"]
SAME = {"VVV": "full", "EEE": "tied", "VVI": "diag", "VII": "spherical"}
SAME |= {"tied-diag": "EEI", "tied-spherical": "EII"}
each_structure = pytest.mark.parametrize("structure", SHARING)


def fitted(structure, X=None, n_components=3, sample_weight=None, **options):
    X = overlapping(300, 3) if X is None else X
    options = {"max_iter": 500, "tol": 1e-5, "random_state": 0, **options}
    mixture = GaussianMixture(n_components, covariance_type=structure, **options)
    return mixture.fit(X, sample_weight=sample_weight)


def test_shared_axes_are_found_from_clusters_of_structures_that_share_nothing():
    X = load_wine().data
    for seed in (3, 8, 9):  # led to 6855.9, 6855.9 and 6837.0 by clusters of the rows alone
        mixture = fitted("VVE", X, tol=1e-6, random_state=seed)
        assert mixture.bic(X) < 6835.35
    assert fitted("VVE", X, 4, tol=1e-6, random_state=6).bic(X) < 6815.85


def matrices_of(mixture):
    covariances = mixture.covariances_
    if covariances.ndim == 1:
        covariances = np.repeat(covariances[:, None], mixture.n_features_in_, axis=1)
    if covariances.ndim == 2:
        covariances = covariances[:, :, None] * np.eye(covariances.shape[1])
    return covariances


def assert_of_structure(mixture, structure, rtol=1e-6):
    volume, shape, axes = structure
    matrices = matrices_of(mixture).astype(np.float64)
    values, vectors = np.linalg.eigh(matrices)
    if axes == "I":
        off = matrices * (1.0 - np.eye(matrices.shape[1]))
        np.testing.assert_array_equal(off, 0.0)
        values = np.diagonal(matrices, axis1=1, axis2=2)
    volumes = np.exp(np.log(values).mean(axis=1, keepdims=True))
    shapes = values / volumes
    if volume == "E":
        np.testing.assert_allclose(volumes, np.full_like(volumes, volumes[0, 0]), rtol=rtol)
    if shape == "E":
        np.testing.assert_allclose(shapes, np.broadcast_to(shapes[0], shapes.shape), rtol=rtol)
    if axes == "E":
        turned = vectors[0].T @ matrices @ vectors[0]
        off = turned * (1.0 - np.eye(len(turned[0])))
        np.testing.assert_allclose(off, 0.0, atol=rtol * values.max())


@pytest.mark.parametrize("name", SAME)
def test_other_names_mean_the_same_to_the_bit(name):
    ours, same = fitted(name), fitted(SAME[name])
    for attribute in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
        np.testing.assert_array_equal(getattr(ours, attribute), getattr(same, attribute))
    assert ours.lower_bounds_ == same.lower_bounds_
    assert ours.bic(overlapping(300, 3)) == same.bic(overlapping(300, 3))


@each_structure
@pytest.mark.parametrize("kind", ["plain", "weighted", "holes", "float32", "hard"])
def test_fits_climb_and_keep_the_structure(structure, kind, recwarn):
    X = overlapping(300, 3)
    options = {"reg_covar": 0.0, "init_params": "kmeans", "tol": 0.0, "max_iter": 25}
    if kind == "weighted":
        options["sample_weight"] = np.random.default_rng(1).gamma(2.0, size=len(X))
    if kind == "holes":
        X = with_holes(X, 0.15)
    if kind == "float32":
        X = X.astype(np.float32)
    if kind == "hard":
        options["assignment"] = "hard"
    mixture = fitted(structure, X, **options)
    bounds = mixture.lower_bounds_
    assert np.diff(bounds).min() >= (-1e-6 if kind == "float32" else -1e-10)
    if kind != "hard":
        assert bounds[-1] > bounds[0] + 1e-3
    assert_of_structure(mixture, structure, 1e-4 if kind == "float32" else 1e-6)
    assert mixture.covariances_.dtype == X.dtype
    np.testing.assert_allclose(
        matrices_of(mixture)
        @ oracles.dense(FAMILIES[structure].free_type, mixture.precisions_, *mixture.means_.shape),
        np.broadcast_to(np.eye(3), (3, 3, 3)),
        atol=1e-3 if kind == "float32" else 1e-9,
    )
    falls = [w for w in recwarn if "fell" in str(w.message)]
    assert not falls


@each_structure
@pytest.mark.parametrize("weighted", [False, True])
def test_a_step_with_missing_cells_is_the_loop(structure, weighted):
    X = with_holes(overlapping(120, 3), 0.2)
    weight = np.random.default_rng(2).gamma(2.0, size=len(X)) if weighted else None
    start = fitted(structure, overlapping(120, 3), max_iter=3, tol=1e-2)
    names = {"weights_init": start.weights_, "means_init": start.means_}
    after = GaussianMixture(
        3,
        covariance_type=structure,
        precisions_init=start.precisions_,
        reg_covar=0.0,
        max_iter=1,
        **names,
    )
    with pytest.warns(ConvergenceWarning):
        after.fit(X, sample_weight=weight)
    _, resp, expected, covariances = oracles.conditional(
        X, start.weights_, start.means_, matrices_of(start)
    )
    weights, means, scatter = oracles.completed_m_step("full", resp, expected, covariances, weight)
    present = matrices_of(start)
    if structure[2] == "I":
        scatter, present = (np.diagonal(m, axis1=1, axis2=2).copy() for m in (scatter, present))
    likeliest = Decomposition(*structure).maximum(scatter, weights, present)
    if structure[2] == "I":
        likeliest = likeliest[:, :, None] * np.eye(3)
    np.testing.assert_allclose(after.weights_, weights, atol=1e-10)
    np.testing.assert_allclose(after.means_, means, atol=1e-10)
    np.testing.assert_allclose(matrices_of(after), likeliest, atol=1e-8)


@each_structure
def test_no_structure_is_above_the_one_it_is_part_of(structure):
    X = overlapping(300, 3)
    part = fitted(structure, X)
    whole = GaussianMixture(
        3,
        weights_init=part.weights_,
        means_init=part.means_,
        precisions_init=np.linalg.inv(matrices_of(part)),
        max_iter=500,
    ).fit(X)
    assert whole.score(X) >= part.score(X) - 1e-12
    assert whole._n_parameters() > part._n_parameters()


@each_structure
def test_units_change_nothing(structure):
    X = overlapping(200, 3)
    scale = np.array([1e-3, 1.0, 40.0]) if not FAMILIES[structure].common_scale else 40.0
    options = {"init_params": "random", "max_iter": 30, "tol": 1e-3}
    ours, scaled = fitted(structure, X, **options), fitted(structure, X * scale + 5.0, **options)
    factor = np.broadcast_to(scale, 3)
    np.testing.assert_allclose(
        matrices_of(scaled) / np.outer(factor, factor), matrices_of(ours), atol=1e-6
    )


@each_structure
def test_one_feature_and_one_component(structure):
    X = overlapping(200, 3)
    equal = "spherical" if structure[0] == "V" else "EII"
    options = {"init_params": "kmeans", "tol": 1e-9, "max_iter": 5000}
    one = fitted(structure, X[:, :1], 2, **options)
    np.testing.assert_allclose(
        one.score(X[:, :1]), fitted(equal, X[:, :1], 2, **options).score(X[:, :1]), atol=1e-6
    )
    alone = fitted(structure, X, 1)
    free = {"EII": "spherical"}.get(structure, "diag" if structure[2] == "I" else "full")
    assert alone.score(X) == pytest.approx(fitted(free, X, 1).score(X), abs=1e-10)


# What given covariances must be ----------------------------------------------------------------


@each_structure
def test_parameters_can_be_given(structure):
    mixture = fitted(structure)
    again = GaussianMixture.from_parameters(
        mixture.weights_, mixture.means_, mixture.covariances_, covariance_type=structure
    )
    X = overlapping(50, 3, seed=1)
    np.testing.assert_allclose(again.score_samples(X), mixture.score_samples(X), rtol=1e-10)
    assert again.bic(X) == pytest.approx(mixture.bic(X))
    other = mixture.covariances_.copy()
    free = np.array([1.0, 3.0, 9.0])
    other[0] = {1: 2.0 * other[0], 2: free, 3: np.diag(free)}[other.ndim]
    with pytest.raises(ValueError, match=f"structure covariance_type='{structure}' says"):
        GaussianMixture.from_parameters(
            mixture.weights_, mixture.means_, other, covariance_type=structure
        )


@each_structure
def test_starts_of_no_structure_are_brought_to_it(structure):
    X = overlapping(200, 3)
    shape = FAMILIES[structure].free_type
    start = fitted(shape, X)
    options = {"weights_init": start.weights_, "means_init": start.means_}
    mixture = fitted(structure, X, precisions_init=start.precisions_, **options)
    assert_of_structure(mixture, structure)
    assert np.diff(mixture.lower_bounds_).min(initial=0.0) > -1e-8
    mixture.set_params(warm_start=True, tol=1e-8, max_iter=2000).fit(X)
    assert mixture.score(X) >= mixture.lower_bounds_[0] - 1e-10


@each_structure
def test_marginals_and_conditionals_have_the_structure_or_none(structure):
    mixture = fitted(structure)
    marginal = mixture.marginal([2, 0])
    own = matrices_of(mixture)[:, [2, 0]][:, :, [2, 0]]
    np.testing.assert_allclose(matrices_of(marginal), own, rtol=1e-12)
    kept = {"EII", "EEI", "VEI", "VEE"}
    free = FAMILIES[structure].free_type
    assert marginal.covariance_type == (structure if structure in kept else free)
    (conditional,) = mixture.condition([[0.3, np.nan, np.nan]])
    assert conditional.covariance_type == marginal.covariance_type
    X = np.array([[0.3, np.nan, -0.2], [np.nan, 1.0, 0.0]])
    _, resp, expected, _ = oracles.conditional(
        X, mixture.weights_, mixture.means_, matrices_of(mixture)
    )
    mean = np.einsum("ik,ikd->id", resp, expected)
    np.testing.assert_allclose(mixture.impute(X), mean, atol=1e-10)


@each_structure
def test_shrinkage_is_refused(structure):
    with pytest.raises(ValueError, match=rf"shrinkage=2.0 .*covariance_type='{structure}'"):
        fitted(structure, shrinkage=2.0)


@each_structure
def test_rows_of_no_spread_are_refused_or_repaired(structure):
    X = np.repeat([[0.0, 1.0], [5.0, 5.0], [9.0, 1.0]], 10, axis=0)
    with pytest.raises(ValueError, match="ill-defined empirical covariance"):
        fitted(structure, X, reg_covar=0.0, init_params="kmeans")
    with pytest.warns(UserWarning, match="collapsed"):
        mixture = fitted(structure, X, init_params="kmeans")
    assert np.all(np.isfinite(mixture.covariances_))


# Tasks -----------------------------------------------------------------------------------------


@each_structure
def test_tasks_take_them(structure):
    X = overlapping(200, 3)
    y = (X[:, 0] + X[:, 1] > 0).astype(int)
    options = {"covariance_type": structure, "random_state": 0, "tol": 1e-2}
    classifier = GMMBayesClassifier(2, **options).fit(X, y)
    assert classifier.score(X, y) > 0.8
    filled = ConditionalGMMInpainter(2, **options).fit_transform(with_holes(X))
    assert np.all(np.isfinite(filled))
    regressor = GMMRegressor(2, **options).fit(X[:, :2], X[:, 2])
    assert np.all(np.isfinite(regressor.predict(X[:, :2])))


@each_structure
def test_noise_in_the_training_rows_is_taken_out(structure):
    rng = np.random.default_rng(3)
    X = overlapping(400, 3)
    noisy = X + 0.7 * rng.normal(size=X.shape)
    options = {"covariance_type": structure, "random_state": 0, "noise_std": 0.7, "tol": 1e-5}
    options |= {"max_iter": 300}
    denoiser = GMMDenoiser(3, training_noise_std=0.7, **options).fit(noisy)
    bounds = denoiser.mixture_.lower_bounds_
    assert np.diff(bounds).min(initial=0.0) >= -1e-10
    assert_of_structure(denoiser.mixture_, structure, 1e-5)
    error = np.mean((denoiser.transform(noisy) - X) ** 2)
    assert error < 0.9 * np.mean((noisy - X) ** 2)


def test_all_structures_can_be_compared():
    X = overlapping(150, 2)
    grid = {"n_components": [1, 2], "covariance_type": [*SHARING, *SAME]}
    results = select_mixture(GaussianMixture(random_state=0), X, grid).cv_results_
    assert len(results["bic"]) == 2 * 16
    assert np.all(np.isfinite(results["bic"]))


def test_variances_that_cannot_be_compared_name_the_remedy(monkeypatch):
    def fail(*_):
        raise np.linalg.LinAlgError

    monkeypatch.setattr(Decomposition, "maximum", fail)
    message = "covariance_type='VEV', which compares them. Standardise the columns, or .*'full'"
    with pytest.raises(ValueError, match=message):
        fitted("VEV", init_params="kmeans")
