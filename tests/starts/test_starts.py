"""Starts: "auto" depends on the weighted rows alone, and finds the optimum."""

import csv
import warnings

import numpy as np
import pytest
from families import FAMILIES, every_family
from mixtures import COVARIANCE_TYPES, LEARNED, each_type, overlapping
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture as SklearnMixture

from skmix import DiagonalGMM, GaussianMixture
from skmix._engine.em import EMResult, em_step, em_step_of_runs
from skmix._engine.short_runs import _may_catch_up, join_runs, split_runs
from skmix._rows.merge import sample_distinct
from skmix._rows.sources import ArraySource, SampledSource
from skmix._starts import clusters, sampling, search, spikes
from skmix.exceptions import DegenerateComponentWarning

SEEDS = range(10)


def elongated(seed=0, n_samples=300):
    """Two parallel clusters, thirty times as long as wide."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(2 * n_samples, 2)) * [10.0, 0.3]
    labels = np.repeat([0, 1], n_samples)
    return noise + labels[:, None] * [0.0, 3.0], labels


def partition(labels):
    """Labels in the order of their first occurrence."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def clusters_in_a_line(n_samples, n_features, n_clusters, seed=0):
    """Round clusters, five standard deviations of every column from one to the next."""
    labels = np.arange(n_samples) % n_clusters
    noise = np.random.default_rng(seed).normal(size=(n_samples, n_features))
    return noise + 5.0 * labels[:, None], labels


# The optimum ------------------------------------------------------------------------------------


def test_elongated_clusters_are_found_by_every_seed():
    X, labels = elongated()
    for seed in SEEDS:
        found = GaussianMixture(2, random_state=seed).fit_predict(X)
        assert adjusted_rand_score(labels, found) > 0.99, seed
    peer = SklearnMixture(2, random_state=0).fit_predict(X)
    assert adjusted_rand_score(labels, peer) < 0.1  # what the start is for


@pytest.mark.parametrize(("n_components", "published"), [(2, -214.355), (3, -180.185)])
def test_iris_is_fitted_as_published_without_a_spike(n_components, published):
    X = load_iris().data
    for seed in SEEDS:
        mixture = GaussianMixture(n_components, tol=1e-8, max_iter=10_000, random_state=seed)
        mixture.fit(X)
        assert mixture.score(X) * len(X) > published - 1e-3, seed
        assert np.linalg.eigvalsh(mixture.covariances_).min() > 1e-5, seed


@pytest.mark.parametrize(
    ("name", "n_components", "covariance_type", "published"),
    [
        ("diabetes", 3, "full", -2295.118),
        ("acidity", 2, "tied", -185.9493),
        ("galaxies", 3, "full", -203.1792),
    ],
)
def test_published_optima_are_found(data_dir, name, n_components, covariance_type, published):
    with open(data_dir / "continuous" / f"{name}.csv") as file:
        _, *table = csv.reader(file)
    X = np.array(table)[:, -3:][:, (name == "diabetes" and slice(0, 3)) or [-1]].astype(float)
    if name == "diabetes":
        X[103, 1] = 455.0  # as mclust corrects row 104
    X = X / 1000.0 if name == "galaxies" else X
    for seed in SEEDS:
        mixture = GaussianMixture(
            n_components,
            covariance_type=covariance_type,
            tol=1e-8,
            max_iter=10_000,
            random_state=seed,
        ).fit(X)
        assert mixture.score(X) * len(X) > published - 1e-3, seed


def test_a_spike_loses_to_any_fit_without_one():
    # Two rows that nearly coincide, far out: EM started there ends in a spike.
    X = np.concatenate([overlapping(200, 2), [[4.0, 4.0], [4.0, 4.0 + 1e-4]]])
    means = [[0.0, 0.0], [4.0, 4.0]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateComponentWarning)
        spiky = GaussianMixture(2, means_init=means, random_state=0).fit(X)
    mixture = GaussianMixture(2, random_state=0, n_init=3).fit(X)
    assert spiky.lower_bound_ > mixture.lower_bound_
    assert np.linalg.eigvalsh(spiky.covariances_).min() < 1e-5
    assert np.linalg.eigvalsh(mixture.covariances_).min() > 1e-5


@pytest.mark.parametrize(
    ("covariance_type", "shape"),
    [("full", (300, 8, 3)), ("full", (1200, 12, 3)), ("tied", (400, 4, 4)), ("diag", (300, 5, 5))],
)
def test_clusters_in_a_line_are_found(covariance_type, shape):
    for seed in range(4):
        X, labels = clusters_in_a_line(*shape, seed=seed)
        mixture = GaussianMixture(shape[2], covariance_type=covariance_type, random_state=seed)
        assert adjusted_rand_score(labels, mixture.fit_predict(X)) > 0.98, seed


@each_type
def test_the_default_is_never_clearly_below_k_means_of_the_same_seed(covariance_type):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        n_features, n_components = rng.integers(1, 7), rng.integers(2, 7)
        centres = 2.0 * rng.normal(size=(n_components, n_features))
        X = rng.normal(size=(400, n_features)) + centres[rng.integers(n_components, size=400)]
        options = dict(covariance_type=covariance_type, random_state=seed)
        ours, peer = (
            GaussianMixture(n_components, init_params=init, **options).fit(X)
            for init in ("auto", "kmeans")
        )
        weight, few = np.ones(400), n_features + 1
        if not spikes.on_few_rows(peer.predict(X), weight, n_components, few).any():
            assert ours.score(X) > peer.score(X) - 0.02, seed


def test_bootstrap_resamples_are_clustered():
    rng = np.random.default_rng(0)
    centres = 6.0 * np.eye(3, 5)
    labels = rng.integers(3, size=300)
    X = rng.normal(size=(300, 5)) + centres[labels]
    for seed in range(5):
        drawn = np.random.default_rng(seed).integers(300, size=300)
        found = GaussianMixture(3, random_state=seed).fit_predict(X[drawn])
        assert adjusted_rand_score(labels[drawn], found) > 0.95, seed


# Atoms, rounded and clipped columns -------------------------------------------------------------


@pytest.mark.parametrize(
    ("covariance_type", "n_features"),
    [("full", 1), ("full", 2), ("full", 3), ("full", 5), ("tied", 4), ("tied", 8), ("diag", 3)],
)
@pytest.mark.filterwarnings("ignore::skmix.exceptions.DegenerateComponentWarning")
def test_a_heavy_atom_is_a_cluster(covariance_type, n_features):
    for seed in range(3):
        noise = np.random.default_rng(seed).normal(size=(300, n_features))
        labels = np.repeat([0, 1, 2], 100)
        X = np.where(labels[:, None] == 0, 0.0, noise + 5.0 * labels[:, None])
        mixture = GaussianMixture(3, covariance_type=covariance_type, random_state=seed).fit(X)
        assert adjusted_rand_score(labels, mixture.predict(X)) > 0.95, seed
        if n_features == 1:  # what the atom adds to the likelihood is a matter of `reg_covar`
            assert clone(mixture).set_params(reg_covar=1e-6).fit(X).score(X) > -0.1, seed
        weight = np.r_[100.0, np.ones(200)]  # the atom as one row
        mixture.fit(X[99:], sample_weight=weight[: len(X[99:])])
        assert adjusted_rand_score(labels[99:], mixture.predict(X[99:])) > 0.95, seed


@pytest.mark.filterwarnings("ignore::skmix.exceptions.DegenerateComponentWarning")
def test_black_pixels_are_one_component():
    for seed in range(4):
        rng = np.random.default_rng(seed)
        lit = rng.choice([60, 150, 200], size=(1500, 1)) + 20.0 * rng.normal(size=(1500, 3))
        X = np.concatenate([np.zeros((1500, 3)), np.clip(np.round(lit), 1, 255)])
        mixture = GaussianMixture(3, covariance_type="diag", random_state=seed).fit(X)
        assert mixture.weights_.min() > 0.1
        assert np.sum(mixture.predict(X) == mixture.predict(X[:1])) == 1500


@pytest.mark.filterwarnings("ignore::skmix.exceptions.DegenerateComponentWarning")
@pytest.mark.parametrize("n_samples", [200, 600])
def test_a_binary_column_may_tell_the_clusters(n_samples):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        b = np.repeat([0, 1], n_samples // 2)
        X = np.column_stack([rng.normal(size=n_samples) + 3 * b, rng.normal(size=n_samples), b])
        found = GaussianMixture(2, random_state=seed).fit_predict(X)
        assert adjusted_rand_score(b, found) == 1.0, seed


@pytest.mark.filterwarnings("ignore::skmix.exceptions.DegenerateComponentWarning")
@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_rows_clipped_at_zero_are_fitted_at_least_as_well_as_by_k_means(covariance_type):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        labels = np.repeat([0, 1], 200)
        X = np.maximum(rng.normal(size=(400, 3)) + 3.0 * labels[:, None] - 0.5, 0.0)
        options = dict(covariance_type=covariance_type, random_state=seed, reg_covar=1e-6)
        ours = GaussianMixture(2, **options).fit(X)
        assert ours.score(X) > SklearnMixture(2, **options).fit(X).score(X) - 0.02, seed


def test_the_resolution_is_that_of_the_columns():
    rng = np.random.default_rng(0)
    n_samples = 1000
    columns = {
        "integers": (rng.integers(0, 20, n_samples), 1.0),
        "tenths": (rng.integers(0, 40, n_samples) / 10.0, 0.1),
        "binary": (rng.integers(0, 2, n_samples), 1.0),
        "constant": (np.full(n_samples, 3.0), 0.0),
    }
    X = np.column_stack([column for column, _ in columns.values()]).astype(float)
    X[rng.random(X.shape) < 0.1] = np.nan
    spacing = np.sqrt(12.0 * spikes.rounding_variances(X, np.ones(n_samples)))
    np.testing.assert_allclose(spacing, [h for _, h in columns.values()], rtol=1e-6)
    # Continuous columns, with atoms or a few digits more in some rows, have next to none.
    normal = rng.normal(size=n_samples)
    clipped = np.maximum(normal, 0.0)
    finer = np.where(rng.random(n_samples) < 0.02, 20 * rng.random(n_samples), X[:, 0])
    mixed = np.column_stack([normal, clipped, np.nan_to_num(finer)])
    spacing = np.sqrt(12.0 * spikes.rounding_variances(mixed, np.ones(n_samples)))
    assert np.all(spacing[:2] < 1e-3) and 0.05 < spacing[2] <= 1.0


def test_components_on_few_rows_are_spikes_unless_a_row_is_heavy():
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 2])
    mask = spikes.on_few_rows(labels, np.ones(8), 3, 3)
    np.testing.assert_array_equal(mask, [True, False, True])
    heavy = np.array([1.0, 1, 1, 1, 1, 1, 1, 5])
    np.testing.assert_array_equal(spikes.on_few_rows(labels, heavy, 3, 3), [True, False, False])


def test_a_hidden_dense_cluster_is_found():
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X = np.concatenate([rng.normal(size=(5000, 2)), 0.1 * rng.normal(size=(200, 2))])
        truth = {
            "weights_init": [25 / 26, 1 / 26],
            "means_init": np.zeros((2, 2)),
            "precisions_init": np.array([np.eye(2), 100.0 * np.eye(2)]),
        }
        from_truth = GaussianMixture(2, **truth).fit(X).score(X)
        assert GaussianMixture(2, random_state=seed).fit(X).score(X) > from_truth - 1e-3, seed


# Missing cells ----------------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_missing_cells_hide_no_line_of_clusters(covariance_type):
    for seed in range(3):
        X, labels = clusters_in_a_line(300, 5, 4, seed)
        X[np.random.default_rng(seed).random(X.shape) < 0.2] = np.nan
        mixture = GaussianMixture(4, covariance_type=covariance_type, random_state=seed)
        kept = ~np.isnan(X).all(axis=1)
        assert adjusted_rand_score(labels[kept], mixture.fit_predict(X[kept])) > 0.95, seed


def test_iris_with_missing_cells():
    X, y = load_iris(return_X_y=True)
    members = [X[y == k] for k in range(3)]
    truth = {
        "weights_init": np.full(3, 1 / 3),
        "means_init": [rows.mean(axis=0) for rows in members],
        "precisions_init": np.linalg.inv(np.mean([np.cov(rows.T) for rows in members], axis=0)),
    }
    indices = []
    for seed in range(6):
        holes = np.where(np.random.default_rng(seed).random(X.shape) < 0.1, np.nan, X)
        mixture = GaussianMixture(3, covariance_type="tied", random_state=seed)
        indices.append(adjusted_rand_score(y, mixture.fit_predict(holes)))
        from_truth = GaussianMixture(3, covariance_type="tied", **truth).fit(holes)
        assert mixture.lower_bound_ > from_truth.lower_bound_ - 5e-3
    # One of these masks has an optimum that is more likely than that of the species.
    assert np.median(indices) > 0.85 and np.mean(indices) > 0.8


# Coordinates ------------------------------------------------------------------------------------


@each_type
@pytest.mark.parametrize("kind", ["blobs", "line"])
def test_a_common_factor_changes_nothing_but_rounding(covariance_type, kind):
    X = overlapping(300) if kind == "blobs" else clusters_in_a_line(300, 4, 3)[0]
    options = dict(n_components=3, covariance_type=covariance_type, reg_covar=0.0, random_state=0)
    labels = GaussianMixture(**options).fit_predict(X)
    for factor in (8.0, 1e-3, 7e5):
        np.testing.assert_array_equal(GaussianMixture(**options).fit_predict(X * factor), labels)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_from_a_given_start_factors_per_column_change_nothing(covariance_type):
    X = overlapping(300)
    scales = np.resize([0.01, 1.0, 30.0, 7.0], X.shape[1])
    options = dict(n_components=3, covariance_type=covariance_type, reg_covar=0.0)
    one = GaussianMixture(**options, means_init=X[:3]).fit(X)
    other = GaussianMixture(**options, means_init=X[:3] * scales).fit(X * scales)
    np.testing.assert_allclose(other.means_ / scales, one.means_, rtol=1e-6, atol=1e-8)
    assert other.lower_bound_ + np.log(scales).sum() == pytest.approx(one.lower_bound_, abs=1e-8)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
@pytest.mark.parametrize("kind", ["line", "blobs", "iris"])
def test_units_of_columns_change_the_likelihood_by_the_jacobian_alone(covariance_type, kind):
    X = {
        "line": lambda: clusters_in_a_line(300, 4, 3)[0],
        "blobs": lambda: overlapping(300),
        "iris": lambda: load_iris().data,
    }[kind]()
    options = dict(covariance_type=covariance_type, reg_covar=0.0, random_state=0)
    expected = GaussianMixture(3, **options).fit(X).score(X)
    for scales in ([1e-3, 1.0, 7.0, 1e4], [5.0, 0.2, 1.0, 60.0]):
        scales = np.resize(scales, X.shape[1])
        found = GaussianMixture(3, **options).fit(X * scales).score(X * scales)
        assert found + np.log(scales).sum() == pytest.approx(expected, abs=0.02)


# Weights ----------------------------------------------------------------------------------------


@each_type
@pytest.mark.parametrize("n_components", [2, 3])
def test_a_weight_is_a_repetition_in_any_order(covariance_type, n_components):
    X = overlapping(150)
    weight = np.random.default_rng(0).integers(0, 4, size=len(X))
    options = dict(covariance_type=covariance_type, tol=1e-8, max_iter=500, random_state=3)
    weighted = GaussianMixture(n_components, **options).fit(X, sample_weight=weight)
    rows = np.random.default_rng(1).permutation(np.repeat(X, weight, axis=0))
    repeated = GaussianMixture(n_components, **options).fit(rows)
    for name in LEARNED:
        np.testing.assert_allclose(
            getattr(weighted, name), getattr(repeated, name), rtol=1e-6, atol=1e-8, err_msg=name
        )


@pytest.mark.parametrize("n_samples", [1000, 6000])
def test_a_weight_is_a_repetition_where_rows_are_drawn(monkeypatch, n_samples):
    monkeypatch.setattr(sampling, "ALL_ROWS", 200)
    monkeypatch.setattr(sampling, "SAMPLED_ROWS", 200)
    monkeypatch.setattr("skmix._starts.methods.START_ROWS_PER_COMPONENT", 1)
    medium = []
    monkeypatch.setattr(
        ArraySource,
        "sample",
        lambda *args: medium.append(args) or SampledSource(*args),
    )
    X = overlapping(n_samples)
    weight = np.random.default_rng(0).integers(1, 4, size=len(X))
    weighted = GaussianMixture(3, random_state=0).fit(X, sample_weight=weight)
    rows = np.random.default_rng(1).permutation(np.repeat(X, weight, axis=0))
    repeated = GaussianMixture(3, random_state=0).fit(rows)
    np.testing.assert_allclose(weighted.means_, repeated.means_, atol=1e-8)
    # EM of 1600 rows before that of all, where there are three times as many different ones.
    assert len(medium) == (2 if n_samples == 6000 else 0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_distinct_rows_are_those_of_numpy(dtype):
    rng = np.random.default_rng(0)
    X = rng.integers(-2, 3, size=(5000, 4)).astype(dtype)
    X[X == 2] = np.nan
    X[::3] *= -1.0  # zeros of either sign
    weight = rng.integers(1, 5, size=len(X)).astype(float)
    keys = np.where(np.isnan(X), 99.0, X + 0.0)
    expected, inverse = np.unique(keys, axis=0, return_inverse=True)
    totals = np.bincount(inverse.ravel(), weight)
    indices, weights, share = sample_distinct(ArraySource(X, weight), 10**6, salt=0)
    assert share == 1.0
    order = np.lexsort(keys[indices].T[::-1])
    np.testing.assert_array_equal(keys[indices][order], expected)
    np.testing.assert_array_equal(weights[order], totals)


def test_samples_of_rows_are_even_and_change_with_the_salt(monkeypatch):
    monkeypatch.setattr("skmix._rows.merge.PIECE_ROWS", 300)
    X = np.arange(4000.0)[:, None]
    one, weights, share = sample_distinct(ArraySource(X), 500, salt=1)
    other = sample_distinct(ArraySource(X), 500, salt=2).indices
    whole = sample_distinct(ArraySource(X), 4000, salt=1).indices
    assert share == pytest.approx(500 / 4000, rel=5 / np.sqrt(500))
    assert len(one) == len(np.unique(one)) == 500 and np.all(weights == 1.0)
    np.testing.assert_array_equal(one, whole[:500])
    assert 20 < len(np.intersect1d(one, other)) < 110  # 62.5 expected
    counts, _ = np.histogram(one, bins=8, range=(0, 4000))
    assert np.all(np.abs(counts - 62.5) < 5 * np.sqrt(62.5))


# Short runs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("hard", [False, True])
@every_family
def test_runs_side_by_side_are_runs_one_by_one(case, hard):
    if case.covariance_type == "tied":
        pytest.skip("runs cannot share the covariance that their components share")
    weight = np.random.default_rng(0).gamma(2.0, size=200)
    problems = [case.problem(seed, n_samples=200) for seed in range(3)]
    X = problems[0][1]
    with case.bound(X, weight, reg_covar=1e-3) as (source, family):
        runs = [family.to_frame(params) for params, _ in problems]
        alone = [em_step(source, family, run, hard=hard) for run in runs]
        joined, bounds = em_step_of_runs(source, family, join_runs(runs), 3, hard=hard)
    np.testing.assert_allclose(bounds, [bound for _, bound in alone], rtol=1e-10)
    for run, (expected, _) in zip(split_runs(joined, 3), alone, strict=True):
        for ours, theirs in zip(run, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)


def test_runs_far_behind_that_gain_little_are_dropped():
    best, near, slow, fast = (
        EMResult(None, bound, [bound - gain, bound], 2, False, False, bound)
        for bound, gain in [(-1.0, 0.0), (-1.05, 1e-3), (-2.0, 1e-3), (-2.0, 0.1)]
    )
    kept = [_may_catch_up(run, best, 100.0) for run in (best, near, slow, fast)]
    assert kept == [True, True, False, True]


def test_clusters_are_those_of_k_means():
    X = overlapping(400)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, size=400)
    labels = clusters.cluster(np.repeat(X[None], 10, axis=0), weight, 3, np.random.RandomState(0))
    peer = KMeans(3, n_init=10, random_state=0).fit(X, sample_weight=weight)
    assert min(inertia(X, weight, some) for some in labels) == pytest.approx(
        peer.inertia_, rel=1e-3
    )


def inertia(X, weight, labels):
    total = 0.0
    for k in np.unique(labels):
        rows, share = X[labels == k], weight[labels == k]
        total += share @ np.sum((rows - np.average(rows, axis=0, weights=share)) ** 2, axis=1)
    return total


def test_near_pairs_give_the_shape_of_clusters():
    X, labels = elongated()
    Z = X @ clusters.whitening(np.cov(X.T), 1e-10, True)
    drawn = np.random.default_rng(0).choice(len(Z), 256)
    scatter = clusters.near_scatter(Z[drawn], Z[drawn], 0.25)
    near = Z @ clusters.whitening(scatter, 1e-4, True)
    means = np.array([near[labels == k].mean(axis=0) for k in (0, 1)])
    within = np.cov(np.concatenate([near[labels == k] - means[k] for k in (0, 1)]).T)
    # In units of their own spread, the clusters are ten apart, and nearly round.
    assert np.linalg.norm(means[1] - means[0]) > 3 * np.sqrt(np.linalg.eigvalsh(within).max())
    assert np.linalg.cond(within) < 12


# Given parts of a start -------------------------------------------------------------------------


@each_type
def test_given_means_attract_the_rows_near_them(covariance_type):
    X = np.concatenate([overlapping(100, 2) - 8.0, overlapping(300, 2) + 8.0])
    mixture = GaussianMixture(
        2, covariance_type=covariance_type, means_init=[[8.0, 8.0], [-8.0, -8.0]]
    ).fit(X)
    np.testing.assert_allclose(mixture.weights_, [0.75, 0.25], atol=0.01)


def test_no_iteration_returns_the_end_of_the_short_runs():
    X, labels = elongated()
    mixture = GaussianMixture(2, max_iter=0, random_state=0).fit(X)
    assert mixture.n_iter_ == 0
    assert adjusted_rand_score(labels, mixture.predict(X)) > 0.99


# Components that die or collapse ----------------------------------------------------------------


def test_a_dead_component_starts_again_where_the_likelihood_gains(monkeypatch):
    X = np.concatenate([overlapping(100, 2) + 9.0 * k for k in range(3)])
    good = GaussianMixture(3, random_state=0).fit(X)
    search_well = search.search

    def search_badly(*args, **options):
        best = search_well(*args, **options)
        means = best.means.copy()
        means[0] = 1e6  # no row is near
        return best._replace(means=means)

    monkeypatch.setattr(search, "search", search_badly)
    mixture = GaussianMixture(3, random_state=0).fit(X)
    assert mixture.lower_bound_ == pytest.approx(good.lower_bound_, abs=2e-3)
    np.testing.assert_allclose(np.sort(mixture.weights_), [1 / 3] * 3, atol=0.01)
    monkeypatch.setattr(GaussianMixture, "_reseed", lambda *args: None)
    with pytest.warns(DegenerateComponentWarning, match="lost all rows"):
        left_out = GaussianMixture(3, random_state=0).fit(X)
    assert np.sum(left_out.weights_ == 0) == 1


@each_type
def test_spare_components_have_no_weight(covariance_type):
    X = np.repeat([[0.0, 0.0], [4.0, 1.0], [1.0, 5.0]], 10, axis=0)
    with pytest.warns(DegenerateComponentWarning, match="lost all rows"):
        mixture = GaussianMixture(5, covariance_type=covariance_type, random_state=0).fit(X)
    assert np.sum(mixture.weights_ > 0) == 3
    assert mixture.means_.shape == (5, 2)
    assert len(np.unique(mixture.predict(X))) == 3


@each_type
def test_weights_all_on_one_row(covariance_type):
    X = overlapping(50, 2)
    weight = np.zeros(50)
    weight[7] = 3.0
    with pytest.raises(ValueError, match=r"n_samples = 1 with positive sample_weight"):
        GaussianMixture(2, covariance_type=covariance_type).fit(X, sample_weight=weight)
    weight[8] = 1e-9
    with pytest.warns(DegenerateComponentWarning):
        mixture = GaussianMixture(2, covariance_type=covariance_type, random_state=0)
        mixture.fit(X, sample_weight=weight)
    assert np.all(np.isfinite(mixture.means_))


@each_type
@pytest.mark.parametrize("kind", ["constant", "duplicate"])
def test_flat_columns_do_not_hide_the_clusters(covariance_type, kind):
    X = np.concatenate([overlapping(100, 2) - 4.0, overlapping(100, 2) + 4.0])
    labels = np.repeat([0, 1], 100)
    X = np.column_stack([X, X[:, 0] if kind == "duplicate" else np.full(200, 7.0)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateComponentWarning)
        found = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit_predict(X)
    assert adjusted_rand_score(labels, found) == 1.0


def test_many_features_for_few_rows_start_from_clusters():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(60, 40)), rng.normal(size=(60, 40)) + 3.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateComponentWarning)
        found = GaussianMixture(2, random_state=0, reg_covar=1e-3).fit_predict(X)
    assert adjusted_rand_score(np.repeat([0, 1], 60), found) == 1.0


def test_the_table_of_types_is_complete():
    assert {case.covariance_type for case in FAMILIES} == set(COVARIANCE_TYPES)
    assert DiagonalGMM().init_params == GaussianMixture().init_params == "auto"
