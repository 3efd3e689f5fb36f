"""assignment="hard": classification EM, against loops and by its laws."""

import numpy as np
import oracles
import pytest
from families import every_family, with_holes
from hypothesis import given
from hypothesis import strategies as st
from mixtures import LEARNED, each_type, overlapping
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from threadpoolctl import threadpool_limits

from skmix import CategoricalMixture, DiagonalGMM, GaussianMixture
from skmix._engine import em as _em
from skmix._engine.acceleration import SquaredSteps
from skmix._engine.em import em, em_step
from skmix._engine.terms import one_hot
from skmix._families import Categorical, CategoricalParams, Packing
from skmix._mixtures.categorical_fit import StateSource
from skmix.exceptions import DegenerateComponentWarning

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SEEDS = st.integers(0, 2**32 - 1)


def hard_mixture(covariance_type, **options):
    options = {"tol": 0.0, "reg_covar": 0.0, "random_state": 0, **options}
    return GaussianMixture(3, covariance_type=covariance_type, assignment="hard", **options)


def unit_precisions(covariance_type, n_components, n_features):
    return {
        "full": np.broadcast_to(np.eye(n_features), (n_components, n_features, n_features)),
        "tied": np.eye(n_features),
        "diag": np.ones((n_components, n_features)),
        "spherical": np.ones(n_components),
    }[covariance_type]


def start_of(covariance_type, n_features=4):
    """Some way off the three clusters of `overlapping`, which none of them loses on the way."""
    centres = (
        KMeans(3, n_init=1, random_state=0).fit(overlapping(600, n_features)).cluster_centers_
    )
    return {
        "weights_init": np.array([0.5, 0.3, 0.2]),
        "means_init": centres + 0.3 * np.random.default_rng(1).standard_normal(centres.shape),
        "precisions_init": 2.0 * unit_precisions(covariance_type, 3, n_features),
    }


def classification_log_likelihood(mixture, X):
    """Log of the weight times the density of the most probable component, row by row."""
    return mixture.score_samples(X) + np.log(mixture.predict_proba(X).max(axis=1))


def answers(seed=0, n_samples=150, n_categories=(2, 3, 2, 4, 2)):
    """Codes of two classes with missing answers, and weights."""
    rng = np.random.default_rng(seed)
    labels = rng.random(n_samples) < 0.4
    columns = [np.where(labels, rng.integers(c, size=n_samples), 0) for c in n_categories]
    codes = np.stack(columns, axis=1)
    codes[rng.random(codes.shape) < 0.15] = -1
    return codes, rng.gamma(2.0, size=n_samples)


# Against loops ----------------------------------------------------------------------------------


@each_type
@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
def test_gaussian_equals_a_loop(covariance_type, weighted):
    X, start = overlapping(150), start_of(covariance_type)
    weight = np.random.default_rng(0).gamma(2.0, size=len(X)) if weighted else np.ones(len(X))
    weights, means = start["weights_init"], start["means_init"]
    covariances = start["precisions_init"]
    if covariance_type in ("full", "tied"):
        covariances = np.linalg.inv(covariances)
    else:
        covariances = 1.0 / covariances
    expected_bounds = []
    for _ in range(4):
        matrices = oracles.dense(covariance_type, covariances, *means.shape)
        log_prob = oracles.weighted_log_prob(X, weights, means, matrices)
        largest, one_hot = oracles.classify(log_prob)
        expected_bounds.append(weight @ largest / weight.sum())
        weights, means, covariances = oracles.m_step(
            covariance_type, X, one_hot, weight, reg_covar=1e-3
        )
    mixture = hard_mixture(covariance_type, reg_covar=1e-3, max_iter=4, **start)
    mixture.fit(X, sample_weight=weight if weighted else None)
    np.testing.assert_allclose(mixture.lower_bounds_, expected_bounds, rtol=1e-10)
    np.testing.assert_allclose(mixture.weights_, weights, rtol=1e-10)
    np.testing.assert_allclose(mixture.means_, means, rtol=0, atol=1e-10)
    np.testing.assert_allclose(mixture.covariances_, covariances, rtol=0, atol=1e-10)


@every_family
def test_gaussian_with_missing_cells_equals_a_loop(case):
    params, X = case.problem(3, n_samples=80, n_components=3, n_features=4)
    X = with_holes(X, 0.3)
    weight = np.random.default_rng(1).gamma(2.0, size=len(X))
    matrices = case.dense(params)
    _, _, expected, spread = oracles.conditional(X, params.weights, params.means, matrices)
    log_prob = np.empty((len(X), 3))
    for i, row in enumerate(X):
        seen = ~np.isnan(row)
        log_prob[i] = oracles.weighted_log_prob(
            row[None, seen],
            params.weights,
            params.means[:, seen],
            [matrix[np.ix_(seen, seen)] for matrix in matrices],
        )
    largest, one_hot = oracles.classify(log_prob)
    weights, means, covariances = oracles.completed_m_step(
        case.covariance_type, one_hot, expected, spread, weight
    )
    with case.bound(X, weight, incomplete=True) as (source, family):
        new, lower_bound = em_step(source, family, family.to_frame(params), hard=True)
        new = family.from_frame(new)
    assert lower_bound == pytest.approx(weight @ largest / weight.sum(), rel=1e-12)
    np.testing.assert_allclose(new.weights, weights, rtol=1e-10)
    np.testing.assert_allclose(new.means, means, rtol=0, atol=1e-9)
    np.testing.assert_allclose(new.covariances, covariances, rtol=0, atol=1e-9)


@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_categorical_equals_a_loop(alpha):
    codes, weight = answers()
    n_categories = [2, 3, 2, 4, 2]
    rng = np.random.default_rng(1)
    weights = rng.dirichlet(np.full(3, 3.0))
    tables = [rng.dirichlet(np.ones(c), size=3) for c in n_categories]
    packing = Packing(n_categories, (codes < 0).any(axis=0))
    start = CategoricalParams(weights, np.concatenate(tables, axis=1))
    expected = []
    for _ in range(3):
        total, weights, tables = oracles.categorical_em_step(
            codes, weight, weights, [np.maximum(t, 1e-300) for t in tables], alpha, hard=True
        )
        expected.append(total / weight.sum())
    with StateSource(packing.pack(codes), weight, packing=packing) as source:
        result = em(source, Categorical(packing, alpha), start, tol=0.0, max_iter=3, hard=True)
    np.testing.assert_allclose(result.lower_bounds, expected, rtol=1e-12)
    np.testing.assert_allclose(result.params.weights, weights, rtol=1e-12)
    np.testing.assert_allclose(
        result.params.probabilities, np.concatenate(tables, axis=1), rtol=0, atol=1e-12
    )


# Laws -------------------------------------------------------------------------------------------


@every_family
@given(seed=SEEDS, holes=st.booleans())
def test_no_iteration_lowers_the_classification_likelihood(case, seed, holes):
    start, X = case.problem(seed, n_samples=120, n_features=2, spread=1.5)
    if holes:
        X = with_holes(X, 0.2, seed)
    with case.bound(X, reg_covar=1e-9, incomplete=holes) as (source, family):
        start = family.to_frame(start)
        result = em(source, family, start, tol=0.0, max_iter=15, hard=True)
    # A spike of one row stands on `reg_covar`, whose 1e-9 costs the others that many nats.
    assert np.min(np.diff(result.lower_bounds), initial=0.0) > -1e-6


@given(seed=SEEDS)
def test_no_iteration_lowers_that_of_categories(seed):
    codes, weight = answers(seed)
    X = np.where(codes < 0, np.nan, codes.astype(float))
    mixture = CategoricalMixture(
        3, assignment="hard", init_params="random", tol=0.0, random_state=seed
    )
    mixture.fit(X, sample_weight=weight)
    assert mixture.converged_
    assert mixture.lower_bounds_[-1] == mixture.lower_bounds_[-2]
    assert np.diff(mixture.lower_bounds_).min() > -1e-12


@each_type
def test_ends_where_no_row_changes_its_component(covariance_type):
    X = overlapping()
    start = start_of(covariance_type)  # short runs would end where no row changes already
    mixture = hard_mixture(covariance_type, max_iter=200, **start).fit(X)
    assert mixture.converged_
    assert mixture.lower_bounds_[-1] == mixture.lower_bounds_[-2] > mixture.lower_bounds_[0]
    own = classification_log_likelihood(mixture, X)
    assert mixture.lower_bound_ == pytest.approx(own.mean(), rel=1e-12)
    assert mixture.lower_bound_ < mixture.score(X)
    labels = mixture.predict(X)
    for k in range(3):
        np.testing.assert_allclose(mixture.means_[k], X[labels == k].mean(axis=0), atol=1e-12)
        assert mixture.weights_[k] == pytest.approx(np.mean(labels == k), abs=1e-15)


def test_weights_repeat_rows():
    X, start = overlapping(200), start_of("full")
    weight = np.random.default_rng(0).integers(0, 4, size=len(X))
    weighted = hard_mixture("full", **start).fit(X, sample_weight=weight)
    repeated = hard_mixture("full", **start).fit(np.repeat(X, weight, axis=0))
    assert weighted.n_iter_ == repeated.n_iter_
    for name in LEARNED:
        np.testing.assert_allclose(
            getattr(weighted, name), getattr(repeated, name), rtol=1e-9, atol=1e-9
        )


def test_same_bits_on_any_number_of_threads():
    X = np.tile(overlapping(1000, 8), (60, 1)) + 1e-3 * np.arange(60_000)[:, None] / 60_000
    mixture = hard_mixture("full", max_iter=5, **start_of("full", n_features=8))
    fits = []
    for n_threads in (1, 4):
        with threadpool_limits(n_threads):
            fits.append(clone(mixture).fit(X))
    assert fits[0].lower_bounds_ == fits[1].lower_bounds_
    for name in LEARNED:
        np.testing.assert_array_equal(getattr(fits[0], name), getattr(fits[1], name))


@each_type
def test_float32_rows(covariance_type):
    X, start = overlapping(300).astype(np.float32), start_of(covariance_type)
    single = hard_mixture(covariance_type, **start).fit(X)
    double = hard_mixture(covariance_type, **start).fit(X.astype(np.float64))
    assert single.means_.dtype == np.float32
    np.testing.assert_array_equal(single.predict(X), double.predict(X.astype(np.float64)))
    for name in LEARNED:
        np.testing.assert_allclose(
            getattr(single, name), getattr(double, name), rtol=1e-4, atol=1e-4
        )


@each_type
def test_far_clusters_are_those_of_k_means(covariance_type):
    X, _ = make_blobs(150, centers=[[0, 0], [40, 0], [0, 40]], random_state=0)
    mixture = hard_mixture(covariance_type).fit(X)
    centres = KMeans(3, n_init=1, random_state=0).fit(X).cluster_centers_
    order, expected = np.lexsort(mixture.means_.T), np.lexsort(centres.T)
    np.testing.assert_allclose(mixture.means_[order], centres[expected], rtol=0, atol=1e-12)
    assert mixture.lower_bound_ == pytest.approx(mixture.score(X), abs=1e-12)


@each_type
def test_components_that_shrink_keep_their_digits(covariance_type):
    # From unit variances to 1e-12 in one step: the sums must be taken again about the new means.
    # Two components halve a group, which soft responsibilities would share out about equally.
    groups = 1e-6 * np.random.default_rng(0).normal(size=(2, 90, 2))
    X = (np.array([[0.0, 0.0], [0.0, 8.0]])[:, None] + groups).reshape(-1, 2)
    start = {
        "weights_init": np.full(3, 1 / 3),
        "means_init": np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, 8.0]]),
        "precisions_init": unit_precisions(covariance_type, 3, 2),
    }
    mixture = hard_mixture(covariance_type, max_iter=1, **start).fit(X)
    labels = np.where(X[:, 1] > 4.0, 2, X[:, 0] > 0.0)
    weights, means, expected = oracles.m_step(covariance_type, X, np.eye(3)[labels])
    np.testing.assert_allclose(mixture.weights_, weights, rtol=1e-12)
    np.testing.assert_allclose(mixture.means_, means, rtol=0, atol=1e-14)
    # Coordinates are rounded to 2e-15, two parts in 1e9 of a deviation.
    np.testing.assert_allclose(mixture.covariances_ * 1e12, expected * 1e12, rtol=0, atol=1e-7)


# Ties, empty components, options ----------------------------------------------------------------


def test_first_of_equally_probable_components_takes_the_row():
    codes, weight = answers()
    packing = Packing([2, 3, 2, 4, 2], (codes < 0).any(axis=0))
    alike = packing.shares(np.ones((3, packing.n_levels)))
    start = CategoricalParams(np.array([0.2, 0.4, 0.4]), alike)
    with StateSource(packing.pack(codes), weight, packing=packing) as source:
        params, _ = em_step(source, Categorical(packing), start, hard=True)
    np.testing.assert_array_equal(params.weights, [0.0, 1.0, 0.0])
    np.testing.assert_array_equal(params.probabilities[[0, 2]], alike[[0, 2]])


@each_type
def test_component_without_rows_keeps_weight_zero(covariance_type):
    X, start = overlapping(), start_of(covariance_type)
    start["means_init"][1] = 1e3
    mixture = hard_mixture(covariance_type, reg_covar=1e-6, **start)
    with pytest.warns(DegenerateComponentWarning, match=r"Component\(s\) 1 lost all rows"):
        mixture.fit(X)
    assert mixture.weights_[1] == 0.0
    np.testing.assert_allclose(mixture.means_[1], 1e3, rtol=1e-12)
    assert mixture.converged_
    assert all(np.isfinite(getattr(mixture, name)).all() for name in LEARNED)
    assert np.isfinite(mixture.score(X)) and not np.any(mixture.predict(X) == 1)


def test_single_rows_collapse_as_in_em():
    X = np.concatenate([overlapping(200), [[30.0] * 4]])
    start = start_of("full")
    start["means_init"][2] = 30.0
    with pytest.raises(ValueError, match="increase reg_covar"):
        hard_mixture("full", **start).fit(X)
    with pytest.warns(DegenerateComponentWarning, match=r"Component\(s\) 2 collapsed"):
        mixture = hard_mixture("full", reg_covar=1e-3, **start).fit(X)
    np.testing.assert_allclose(mixture.covariances_[2], 1e-3 * np.eye(4), atol=1e-12)


def test_more_runs_never_end_lower():
    X = overlapping()
    options = {"init_params": "random_from_data", "random_state": 3, "reg_covar": 1e-3}
    one, ten = (hard_mixture("full", n_init=n, **options).fit(X) for n in (1, 10))
    assert ten.lower_bound_ >= one.lower_bound_


def test_diagonal_gmm_and_warm_start_continue_the_same_run():
    X, start = overlapping(), start_of("diag")
    options = dict(assignment="hard", tol=0.0, reg_covar=0.0)
    whole = DiagonalGMM(3, **options, **start).fit(X)
    parts = DiagonalGMM(3, **options, **start, max_iter=2, warm_start=True).fit(X).fit(X)
    expected = hard_mixture("diag", **start).fit(X)
    np.testing.assert_array_equal(whole.means_, expected.means_)
    assert whole.n_iter_ > 4
    np.testing.assert_allclose(parts.lower_bounds_, whole.lower_bounds_[2:4], rtol=1e-12)


def test_hard_runs_are_not_extrapolated(monkeypatch):
    codes, _ = answers()
    X = np.where(codes < 0, np.nan, codes.astype(float))

    def no_extrapolation(*args):
        raise AssertionError("extrapolated")

    monkeypatch.setattr(SquaredSteps, "propose", no_extrapolation)
    CategoricalMixture(2, assignment="hard", init_params="random", random_state=0).fit(X)
    with pytest.raises(AssertionError, match="extrapolated"):
        CategoricalMixture(2, init_params="random", random_state=0).fit(X)


@pytest.mark.parametrize("mixture", [GaussianMixture, DiagonalGMM, CategoricalMixture])
def test_unknown_assignment(mixture):
    with pytest.raises(ValueError, match=r"'assignment' parameter .* 'firm'"):
        mixture(2, assignment="firm").fit([[0.0], [1.0], [1.0]])


@every_family
def test_one_hot_terms_are_the_arg_max(case):
    params, X = case.problem(2)
    with case.bound(X) as (source, family):
        framed = family.to_frame(params)
        form = family.prepare(framed, X.dtype)
        _, _, terms, peak = _em._log_terms(form, X, source.scratch, 1)
        norm = one_hot(terms, peak, source.scratch)[0].copy()
        resp, peak = terms[0].copy(), peak[0].copy()
        np.testing.assert_array_equal(np.argmax(resp, axis=0), _em.predict(source, family, framed))
        _, _, terms, total, same = _em.exp_log_prob(form, X, source.scratch)
        np.testing.assert_array_equal(peak, same)
        np.testing.assert_array_equal(resp, terms == 1.0)
        assert np.all(norm == 1.0) and np.all(total >= 1.0)
