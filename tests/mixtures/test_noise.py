"""Gaussian mixtures with a component for noise, against naive loops and mclust's counts."""

import pickle
import warnings

import numpy as np
import pytest
from scipy.special import entr
from scipy.stats import multivariate_normal, norm, uniform
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skmix import (
    ComponentsDisplay,
    DiagonalGMM,
    GaussianMixture,
    bootstrap,
    merge_components,
    select_mixture,
)
from skmix._families import Box, Frame, FullGaussian
from skmix._mixtures.covariance_types import FAMILIES
from skmix._mixtures.criteria import evaluate
from skmix._rows.sources import ArraySource

TYPES = ["full", "tied", "diag", "spherical", "EEI", "EEV"]
every_type = pytest.mark.parametrize("covariance_type", TYPES)


def clusters_in_noise(seed=0, d=3, n_own=60, n_noise=45):
    """Two clusters and uniform rows, and which rows these are."""
    rng = np.random.default_rng(seed)
    own = [rng.normal(centre, 1.0, size=(n_own, d)) for centre in (0.0, 8.0)]
    X = np.concatenate([*own, rng.uniform(-15.0, 25.0, size=(n_noise, d))])
    return X, np.repeat([False, True], [2 * n_own, n_noise])


def oracle_joint(gm, X):
    """Weight times density (n_components + 1, n_samples), of the observed cells."""
    edges, d = gm.noise_box_[1:], X.shape[1]
    family = FAMILIES[gm.covariance_type](Frame.identity(d))
    covariances = family.matrices(
        type("P", (), {"means": gm.means_, "covariances": gm.covariances_})
    )
    joint = np.empty((len(gm.weights_) + 1, len(X)))
    for i, row in enumerate(X):
        seen = ~np.isnan(row)
        for k, (mean, covariance) in enumerate(zip(gm.means_, covariances, strict=True)):
            own = multivariate_normal(mean[seen], covariance[np.ix_(seen, seen)])
            joint[k, i] = gm.weights_[k] * own.pdf(row[seen])
        volume = abs(np.linalg.det(edges)) if seen.all() else np.abs(edges).sum(0)[seen].prod()
        joint[-1, i] = gm.noise_weight_ / volume
    return joint


@every_type
@pytest.mark.parametrize("missing", [False, True])
def test_densities_and_responsibilities_equal_a_loop(covariance_type, missing):
    X, _ = clusters_in_noise()
    if missing:
        X[::4, 1] = np.nan
    gm = GaussianMixture(2, covariance_type=covariance_type, noise=True, random_state=0).fit(X)
    joint = oracle_joint(gm, X)
    np.testing.assert_allclose(gm.score_samples(X), np.log(joint.sum(axis=0)), rtol=1e-9)
    np.testing.assert_allclose(gm.predict_proba(X).T, joint / joint.sum(axis=0), atol=1e-9)
    labels = joint.argmax(axis=0)
    np.testing.assert_array_equal(gm.predict(X), np.where(labels == 2, -1, labels))
    assert gm.weights_.sum() + gm.noise_weight_ == pytest.approx(1.0, abs=1e-12)


@every_type
@pytest.mark.parametrize("assignment", ["soft", "hard"])
def test_the_likelihood_never_falls(covariance_type, assignment):
    X, _ = clusters_in_noise(1)
    gm = GaussianMixture(
        2,
        covariance_type=covariance_type,
        noise=True,
        assignment=assignment,
        reg_covar=0.0,
        init_params="kmeans",
        tol=0.0,
        max_iter=25,
        random_state=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        gm.fit(X)
    assert np.diff(gm.lower_bounds_).min(initial=0.0) > -1e-10


@every_type
def test_an_iteration_equals_a_naive_one(covariance_type):
    X, _ = clusters_in_noise(2)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    options = {"covariance_type": covariance_type, "noise": True, "reg_covar": 0.0}
    gm = GaussianMixture(2, tol=1e-9, max_iter=1000, random_state=0, **options)
    gm.fit(X, sample_weight=weight)
    resp = oracle_joint(gm, X)
    resp *= weight / resp.sum(axis=0)
    counts = resp.sum(axis=1)
    np.testing.assert_allclose(gm.weights_, counts[:2] / weight.sum(), atol=1e-4)
    np.testing.assert_allclose(gm.noise_weight_, counts[2] / weight.sum(), atol=1e-4)
    np.testing.assert_allclose(gm.means_, resp[:2] @ X / counts[:2, None], atol=1e-3)
    if covariance_type == "tied":
        scatter = sum(
            (resp[k, :, None] * (X - gm.means_[k])).T @ (X - gm.means_[k]) for k in range(2)
        )
        np.testing.assert_allclose(gm.covariances_, scatter / counts[:2].sum(), atol=1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_init", [1, 2])
def test_noise_is_found_without_a_guess(dtype, n_init):
    X, noise = clusters_in_noise(3)
    for seed in range(3):
        gm = GaussianMixture(2, noise=True, n_init=n_init, random_state=seed).fit(X.astype(dtype))
        assert ((gm.predict(X.astype(dtype)) == -1) != noise).sum() <= 3
        assert gm.means_.dtype == dtype


def test_rows_without_noise_have_next_to_none():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(200, 2)), rng.normal(size=(200, 2)) + 9.0])
    gm = GaussianMixture(2, noise=True, random_state=0, tol=1e-6, max_iter=500).fit(X)
    plain = GaussianMixture(2, random_state=0).fit(X)
    assert gm.noise_weight_ < 0.02
    assert gm.bic(X) > plain.bic(X)


def test_a_weight_is_a_repetition():
    X, _ = clusters_in_noise(4, n_own=60, n_noise=40)
    times = np.random.default_rng(1).integers(1, 4, len(X))
    gm = GaussianMixture(2, noise=True, random_state=0)
    weighted = clone(gm).fit(X, sample_weight=times)
    repeated = clone(gm).fit(np.repeat(X, times, axis=0))
    np.testing.assert_allclose(weighted.means_, repeated.means_, rtol=1e-6)
    assert weighted.noise_weight_ == pytest.approx(repeated.noise_weight_, rel=1e-6)


def test_units_and_offsets_change_nothing():
    X, _ = clusters_in_noise(5)
    scale, shift = np.array([1e-3, 1.0, 1e4]), np.array([5.0, -1e3, 1e6])
    gm = GaussianMixture(2, noise=True, random_state=0).fit(X)
    other = GaussianMixture(2, noise=True, random_state=0).fit(X * scale + shift)
    np.testing.assert_array_equal(gm.predict(X), other.predict(X * scale + shift))
    assert other.noise_weight_ == pytest.approx(gm.noise_weight_, rel=1e-4)


@pytest.mark.parametrize("covariance_type", sorted(FAMILIES))
def test_bic_counts_the_weight_and_the_volume(covariance_type):
    # As mclust's nMclustParams: two more than the same mixture without noise.
    X, _ = clusters_in_noise()
    options = {"covariance_type": covariance_type, "init_params": "kmeans", "random_state": 0}
    noisy = GaussianMixture(2, noise=True, **options).fit(X)
    plain = GaussianMixture(2, **options).fit(X)
    assert noisy.n_parameters == plain.n_parameters + 2
    deviance = -2.0 * noisy.score_samples(X).sum()
    assert noisy.bic(X) == pytest.approx(deviance + noisy.n_parameters * np.log(len(X)))
    assert noisy.aic(X) == pytest.approx(deviance + 2 * noisy.n_parameters)
    resp = noisy.predict_proba(X)
    entropy = -np.sum(resp * np.log(np.where(resp > 0, resp, 1.0)))
    assert noisy.icl(X) == pytest.approx(noisy.bic(X) + 2.0 * entropy)
    assert evaluate(noisy, X).icl == noisy.icl(X)


def boxed(X, weight=None):
    with ArraySource(X, weight, incomplete=bool(np.isnan(X).any())) as source:
        return Box.of_source(source, Frame.of_source(source), np.zeros(X.shape[1]))


def test_the_box_is_the_smaller_of_two():
    rng = np.random.default_rng(0)
    upright = rng.uniform([0.0, -5.0], [1.0, 5.0], size=(4000, 2))
    box = boxed(upright)
    assert np.exp(box.log_volume) == pytest.approx(np.ptp(upright, axis=0).prod())
    np.testing.assert_allclose(box.low, upright.min(axis=0))
    turned = upright * [1.0, 0.02] @ np.array([[1.0, 1.0], [-1.0, 1.0]])
    z = turned / turned.std(axis=0)  # along its principal axes the longer side is 1, not 1.1
    axes = np.linalg.eigh(np.cov(z.T))[1]
    expected = np.ptp(z @ axes, axis=0).prod() * turned.std(axis=0).prod()
    assert np.exp(boxed(turned).log_volume) == pytest.approx(expected)
    assert expected < np.ptp(turned, axis=0).prod()
    turned[0, 0] = np.nan  # where cells are missing, the box is along the columns
    assert np.exp(boxed(turned).log_volume) == pytest.approx(
        np.prod(np.nanmax(turned, axis=0) - np.nanmin(turned, axis=0))
    )


def test_rows_are_in_their_box_and_so_are_draws():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(500, 3)) @ [[1.0, 0.9, 0.0], [0.0, 0.1, 0.0], [0.0, 0.0, 3.0]]
    box = boxed(X)
    for rows in (X, box.draw(500, np.random.RandomState(0))):
        place = (rows - box.corner) @ np.linalg.inv(box.edges)
        assert place.min() > -1e-9
        assert place.max() < 1 + 1e-9


def test_constant_columns_have_a_volume():
    X, noise = clusters_in_noise(d=2)
    X = np.column_stack([X, np.full(len(X), 3.0)])
    with pytest.warns(match="collapsed"):
        gm = GaussianMixture(2, noise=True, random_state=0).fit(X)
    assert np.isfinite(gm.score(X))
    assert ((gm.predict(X) == -1) != noise).mean() < 0.1


def test_noise_rows_are_drawn_from_the_box():
    X, _ = clusters_in_noise()
    gm = GaussianMixture(2, noise=True, random_state=0).fit(X)
    rows, labels = gm.sample(4000, random_state=0)
    share = np.mean(labels == -1)
    assert share == pytest.approx(gm.noise_weight_, abs=0.03)
    place = (rows[labels == -1] - gm.noise_box_[0]) @ np.linalg.inv(gm.noise_box_[1:])
    np.testing.assert_allclose(place.mean(axis=0), 0.5, atol=0.05)
    np.testing.assert_allclose(place.var(axis=0), 1 / 12, atol=0.01)
    assert set(np.unique(labels)) == {-1, 0, 1}


def test_rows_far_from_everything_are_noise():
    X, _ = clusters_in_noise()
    gm = GaussianMixture(2, noise=True, random_state=0).fit(X)
    far = np.full((1, 3), 1e6)
    many = np.repeat(far, 20_000, axis=0)  # the passes over chunks, not those of few rows
    assert gm.predict(far)[0] == -1
    assert np.all(gm.predict(many) == -1)
    volume = abs(np.linalg.det(gm.noise_box_[1:]))
    assert gm.score_samples(far)[0] == pytest.approx(np.log(gm.noise_weight_ / volume))


def test_missing_cells_are_filled_with_the_noise_in_mind():
    X, _ = clusters_in_noise()
    X[::5, 0] = np.nan
    gm = GaussianMixture(2, noise=True, random_state=0).fit(X)
    rows = np.array([[np.nan, 0.1, -0.2], [np.nan, 24.0, -14.0]])
    filled, std = gm.impute(rows, return_std=True)
    resp = gm.predict_proba(rows)
    centre = gm.noise_box_[0, 0] + 0.5 * gm.noise_box_[1:, 0].sum()
    width = np.abs(gm.noise_box_[1:, 0]).sum()
    assert resp[1, 2] > 0.999
    assert filled[1, 0] == pytest.approx(centre, abs=0.05)
    assert std[1, 0] == pytest.approx(width / np.sqrt(12), rel=1e-2)
    draws = gm.sample_conditional(rows, 6000, random_state=0)[:, :, 0]
    np.testing.assert_allclose(draws.mean(axis=0), filled[:, 0], atol=0.5)
    np.testing.assert_allclose(draws.std(axis=0), std[:, 0], rtol=0.1, atol=0.2)


def test_what_is_not_built_is_refused():
    X, _ = clusters_in_noise()
    gm = GaussianMixture(2, noise=True, random_state=0).fit(X)
    with pytest.raises(ValueError, match=r"standard_errors is not available .* skmix.bootstrap"):
        gm.standard_errors(X)


@every_type
@pytest.mark.parametrize("features", [[0], [2, 1], [2, 0, 1]])
def test_marginals_have_the_density_of_rows_with_holes(covariance_type, features):
    X, _ = clusters_in_noise()
    gm = GaussianMixture(2, covariance_type=covariance_type, noise=True, random_state=0).fit(X)
    marginal = gm.marginal(features)
    holes = np.full_like(X, np.nan)
    holes[:, features] = X[:, features]
    np.testing.assert_allclose(marginal.score_samples(X[:, features]), gm.score_samples(holes))
    np.testing.assert_array_equal(marginal.predict(X[:, features]), gm.predict(holes))
    assert marginal.noise_weight_ == gm.noise_weight_
    assert marginal.n_parameters == marginal.set_params(noise=False).n_parameters
    assert set(np.unique(marginal.sample(200, random_state=0)[1])) == {-1, 0, 1}


@every_type
def test_conditionals_are_ratios_of_densities(covariance_type):
    X, _ = clusters_in_noise()
    gm = GaussianMixture(2, covariance_type=covariance_type, noise=True, random_state=0).fit(X)
    places = np.linspace(-14.0, 20.0, 9)[:, None]
    for seen in ([np.nan, 0.3, np.nan], [np.nan, -14.0, np.nan]):
        row = np.array([seen])
        (conditional,) = gm.condition(row)
        both = np.repeat(row, len(places), axis=0)
        both[:, [0]] = places
        expected = gm.score_samples(both) - gm.score_samples(row)
        marginal = conditional.marginal([0])
        np.testing.assert_allclose(marginal.score_samples(places), expected, rtol=1e-9)
        assert conditional.noise_weight_ == pytest.approx(gm.predict_proba(row)[0, -1])


def test_a_row_of_noise_leaves_noise():
    X, _ = clusters_in_noise()
    gm = GaussianMixture(2, noise=True, random_state=0).fit(X)
    (conditional,) = gm.condition([[np.nan, 1e9, 0.0]])
    assert conditional.noise_weight_ == pytest.approx(1.0)
    assert conditional.predict([[0.0]])[0] == -1
    low, length = conditional.noise_box_[0, 0], conditional.noise_box_[1, 0]
    quarters = np.array([0.25, 0.75])
    np.testing.assert_allclose(conditional.quantile(quarters), low + length * quarters)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_distribution_function_and_quantiles_equal_a_sum(scale):
    X, _ = clusters_in_noise(d=1)
    gm = GaussianMixture(2, noise=True, random_state=0).fit(X * scale)
    low, length = gm.noise_box_[:, 0]
    parts = [norm(m, np.sqrt(c[0])) for m, c in zip(gm.means_[:, 0], gm.covariances_, strict=True)]
    parts.append(uniform(low, length))
    weights = [*gm.weights_, gm.noise_weight_]
    x = np.linspace(-40.0, 50.0, 31) * scale
    expected = sum(w * part.cdf(x) for w, part in zip(weights, parts, strict=True))
    np.testing.assert_allclose(gm.cdf(x), expected, rtol=1e-10, atol=1e-300)
    levels = np.array([1e-12, 1e-3, 0.02, 0.3, 0.5, 0.77, 0.999])
    np.testing.assert_allclose(gm.cdf(gm.quantile(levels)), levels, rtol=1e-9, atol=1e-15)


def test_modes_are_those_of_the_density_and_noise_has_none():
    X, _ = clusters_in_noise()
    X[3, 1] = np.nan
    gm = GaussianMixture(2, noise=True, random_state=0).fit(X)
    modes = gm.modes(X)
    assert modes.points.shape == (2, 3)
    np.testing.assert_allclose(gm.score_gradient(modes.points), 0.0, atol=1e-6)
    np.testing.assert_allclose(modes.log_density, gm.score_samples(modes.points))
    np.testing.assert_array_equal(modes.labels < 0, gm.predict(X) < 0)
    far = gm.modes(np.full((2, 3), 1e9))
    np.testing.assert_array_equal(far.labels, [-1, -1])
    assert gm.modes().labels is None


def test_components_are_merged_beside_the_noise():
    rng = np.random.default_rng(0)
    cross = rng.normal(size=(400, 2)) * np.repeat([[3, 0.5], [0.5, 3]], 200, axis=0)
    noise = rng.uniform(-20.0, 30.0, size=(150, 2))
    X = np.vstack([cross, rng.normal(14.0, 1.0, size=(200, 2)), noise])
    gm = GaussianMixture(3, noise=True, random_state=0).fit(X)
    merging = merge_components(gm, X)
    resp = gm.predict_proba(X)
    assert merging.n_clusters == 2
    assert merging.proba().shape == (len(X), 3)
    np.testing.assert_allclose(merging.proba().sum(axis=1), 1.0)
    np.testing.assert_array_equal(merging.proba()[:, -1], resp[:, -1])
    # Of all probabilities, for every number of clusters.
    for n_clusters in (1, 2, 3):
        expected = entr(merging.proba(n_clusters)).sum()
        assert merging.entropies[n_clusters - 1] == pytest.approx(expected)
    np.testing.assert_array_equal(merging.labels(3), gm.predict(X))
    labels = merging.labels()
    assert len(set(labels[:400][labels[:400] >= 0])) == 1
    assert (labels[600:] == -1).mean() > 0.8
    np.testing.assert_array_equal(merging.predict(X), labels)


def test_the_weight_of_noise_has_an_interval():
    X, _ = clusters_in_noise(n_own=200, n_noise=100)
    gm = GaussianMixture(2, noise=True, random_state=0).fit(X)
    intervals = bootstrap(gm, X, n_bootstrap=100, random_state=0)
    error = intervals.standard_errors["noise_weight"]
    share = gm.noise_weight_
    assert error == pytest.approx(np.sqrt(share * (1.0 - share) / len(X)), rel=0.25)
    low, high = (end["noise_weight"] for end in intervals.interval())
    assert low < share < high
    assert intervals.draws["noise_weight"].shape == (100,)
    assert intervals.estimates["noise_weight"] == pytest.approx(share, abs=1e-3)
    line = intervals.to_frame().iloc[-1]
    assert (line["parameter"], line["component"]) == ("weight", -1)


def test_gradients_are_those_of_the_log_density():
    X, _ = clusters_in_noise()
    gm = GaussianMixture(2, noise=True, random_state=0, tol=1e-6, max_iter=500).fit(X)
    rows, step = X[::9], 1e-6
    slopes = [
        (gm.score_samples(rows + e) - gm.score_samples(rows - e)) / (2 * step)
        for e in step * np.eye(3)
    ]
    np.testing.assert_allclose(gm.score_gradient(rows), np.transpose(slopes), atol=1e-6)


def test_selection_display_clone_pickle_and_warm_start():
    X, _ = clusters_in_noise()
    grid = {"n_components": [1, 2, 3], "covariance_type": ["diag", "spherical"]}
    chosen = select_mixture(GaussianMixture(noise=True, random_state=0), X, grid)
    assert chosen.best_params_ == {"n_components": 2, "covariance_type": "spherical"}
    gm = DiagonalGMM(2, noise=True, random_state=0).fit(X)
    again = pickle.loads(pickle.dumps(gm))
    np.testing.assert_array_equal(again.predict_proba(X), gm.predict_proba(X))
    assert clone(gm).noise is True
    display = ComponentsDisplay.from_estimator(gm, X)
    np.testing.assert_array_equal(display.weights, gm.weights_)
    warm = GaussianMixture(2, noise=True, warm_start=True, random_state=0).fit(X)
    before = warm.lower_bound_
    assert warm.fit(X).lower_bound_ >= before - 1e-12
    plain = warm.set_params(noise=False, warm_start=False).fit(X)
    assert plain.noise_box_ is None
    assert plain.predict_proba(X).shape == (len(X), 2)


def test_starts_that_are_given_are_kept():
    X, _ = clusters_in_noise()
    means = [[8.0] * 3, [0.0] * 3]
    gm = GaussianMixture(2, noise=True, means_init=means, random_state=0).fit(X)
    np.testing.assert_allclose(gm.means_, means, atol=0.6)


def test_all_rows_in_noise_is_an_error_with_a_remedy():
    X = np.random.default_rng(0).uniform(size=(60, 2))
    gm = GaussianMixture(
        1,
        noise=True,
        weights_init=[1.0],
        means_init=[[1e9, 1e9]],
        precisions_init=[np.eye(2)],
        reg_covar=0.0,
    )
    with pytest.raises(ValueError, match=r"noise component took all rows.*noise=False"):
        gm.fit(X)


def test_chevron_needs_no_guess(data_dir):
    # mclust, given a guess of the noise, has 61 of 1104 rows wrong.
    folder = data_dir / "mclust"
    X = np.genfromtxt(folder / "chevron.csv", delimiter=",", skip_header=1)
    noise = np.genfromtxt(folder / "chevron_y.csv", dtype=str, skip_header=1) == '"noise"'
    for seed in range(3):
        gm = GaussianMixture(2, covariance_type="EEV", noise=True, random_state=seed).fit(X)
        assert ((gm.predict(X) == -1) != noise).sum() <= 61
    # The log-likelihood and the parameters of mclust's fit, EEV,2 with tol=1e-8.
    gm = GaussianMixture(2, covariance_type="EEV", noise=True, random_state=0, tol=1e-9)
    gm.set_params(max_iter=1000).fit(X)
    assert gm.score(X) * len(X) == pytest.approx(-10525.26, abs=0.02)
    assert gm.n_parameters == 11
    assert isinstance(gm._fitted_family()[0].gaussians, FullGaussian)
