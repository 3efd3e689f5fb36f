"""Passes in which rows visit some of the components, against loops and exact passes."""

import numpy as np
import pytest
from families import FAMILIES, Case
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp
from threadpoolctl import threadpool_limits

from skmix import GaussianMixture
from skmix._engine import candidates, truncated
from skmix._engine.candidates import Groups, Watch, all_but, blocks_of
from skmix._engine.em import em, expect
from skmix._engine.truncated import Truncation
from skmix._families import DiagonalGaussian

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
GAUSSIANS = [case for case in FAMILIES if isinstance(case, Case)]
every_gaussian = pytest.mark.parametrize("case", GAUSSIANS, ids=lambda case: case.name)
DIAGONAL = next(case for case in GAUSSIANS if case.family is DiagonalGaussian)
K = 12


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


@pytest.fixture
def small(monkeypatch):
    """Truncate passes over a few rows and components."""
    monkeypatch.setattr(truncated, "MIN_COMPONENTS", 2)
    monkeypatch.setattr(truncated, "MIN_PAIRS", 1)
    monkeypatch.setattr(truncated, "MOST_WORK", 2.0)
    monkeypatch.setattr(candidates, "BLOCK_ROWS", (16, 4))


class Diary:
    """A monitor that knows how every pass was made."""

    def __init__(self, monkeypatch, stop_at=None):
        self.exact, self.comparable, self.bounds, self.starts = [], [], [], []
        self.stop_at = stop_at
        make = Truncation.expect

        def noted(truncation, form):
            self.exact.append(truncation.exact)
            self.comparable.append(truncation.comparable)
            return make(truncation, form)

        monkeypatch.setattr(Truncation, "expect", noted)

    def iteration_begins(self, n_iter, params):
        self.starts.append(params)

    def iteration_ends(self, n_iter, params, lower_bound, change):
        self.bounds.append(lower_bound)
        return n_iter == self.stop_at


def problem(case, seed=0, n_samples=400, n_components=K, **options):
    return case.problem(seed, n_samples, n_components, 3, **options)


def some_groups(n_samples, seed=0):
    """Random groups, each with its own component and a few others."""
    rng = np.random.default_rng(seed)
    own = [np.union1d(k, rng.choice(K, rng.integers(1, 6))) for k in range(K)]
    starts = np.cumsum([0, *map(len, own)])
    labels = rng.integers(K - 1, size=n_samples).astype(np.int32)  # one group is empty
    return Groups(labels, starts, np.concatenate(own))


def truncated_pass(source, family, params, groups, *, hard=False, dtype=None):
    truncation = Truncation(source, family, expect, hard=hard)
    truncation._groups, truncation._n_truncated = groups, 1
    form = truncation.prepare(params)
    assert not truncation.exact
    return truncation.expect(form)


def naive_sums(log_joint, X, weight, groups, *, hard):
    """The bound, counts, first and second moments by a loop over the rows."""
    counts, first, second, bound = np.zeros(K), np.zeros((K, 3)), np.zeros((K, 3, 3)), 0.0
    for n, x in enumerate(X):
        g = groups.labels[n]
        own = groups.candidates[groups.starts[g] : groups.starts[g + 1]]
        terms = log_joint[own, n]
        total = terms.max() if hard else logsumexp(terms)
        resp = (np.arange(len(own)) == terms.argmax()) if hard else np.exp(terms - total)
        bound += weight[n] * total
        counts[own] += weight[n] * resp
        first[own] += weight[n] * np.outer(resp, x)
        second[own] += weight[n] * resp[:, None, None] * np.outer(x, x)
    return bound, counts, first, second


# One pass ----------------------------------------------------------------------------------


@every_gaussian
@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("segment", [100, 10**9])
def test_sums_over_candidates_are_those_of_a_loop(
    case, hard, weighted, segment, small, monkeypatch
):
    monkeypatch.setattr(candidates, "SEGMENT_BYTES", segment)
    monkeypatch.setattr(candidates, "ROWS_PER_GROUP", 10)
    params, X = problem(case)
    weight = np.random.default_rng(1).gamma(2.0, size=len(X)) if weighted else np.ones(len(X))
    groups = some_groups(len(X))
    with case.bound(X, weight if weighted else None) as (source, family):
        framed = family.to_frame(params)
        bound, sums = truncated_pass(source, family, framed, groups, hard=hard)
        z = ((X - family.frame.reference) / family.frame.scale).copy()
    log_joint = case.log_joint(params, X)[:, 0]
    expected, counts, first, second = naive_sums(log_joint, z, weight, groups, hard=hard)
    assert bound == pytest.approx(expected, rel=1e-10)
    np.testing.assert_allclose(sums.counts, counts, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(sums.first, first, rtol=1e-9, atol=1e-9)
    if case.family.dense and not case.family.shared_covariance:
        np.testing.assert_allclose(sums.second, second, rtol=1e-9, atol=1e-9)
    elif case.family is DiagonalGaussian:
        squares = np.diagonal(second, axis1=1, axis2=2)
        np.testing.assert_allclose(sums.second, squares, rtol=1e-9, atol=1e-9)


@every_gaussian
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_all_components_as_candidates_make_the_exact_pass(case, dtype, small):
    params, X = problem(case)
    everything = Groups(
        np.arange(len(X), dtype=np.int32) % K, np.arange(K + 1) * K, np.tile(np.arange(K), K)
    )
    with case.bound(X.astype(dtype)) as (source, family):
        framed = family.to_frame(params)
        bound, sums = truncated_pass(source, family, framed, everything)
        exact, expected = expect(source, family.prepare(framed, source.dtype))
    rtol = 1e-11 if dtype == np.float64 else 1e-4
    assert bound == pytest.approx(exact, rel=rtol)
    np.testing.assert_allclose(sums.counts, expected.counts, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(sums.first, expected.first, rtol=rtol, atol=100 * rtol)


def test_rows_far_from_all_components_are_taken_again_in_float64(small):
    params, X = problem(DIAGONAL)
    X = X.astype(np.float32)
    X[::50] *= 3e3
    with DIAGONAL.bound(X) as (source, family):
        framed = family.to_frame(params)
        groups = some_groups(len(X))
        bound, _ = truncated_pass(source, family, framed, groups)
    log_joint = DIAGONAL.log_joint(params, X.astype(np.float64))[:, 0]
    expected = naive_sums(log_joint, X, np.ones(len(X)), groups, hard=False)[0]
    assert bound == pytest.approx(expected, rel=1e-6)


def test_missing_cells_of_independent_features(small):
    params, X = problem(DIAGONAL)
    X[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    X = X[~np.isnan(X).all(axis=1)]
    groups = some_groups(len(X))
    with DIAGONAL.bound(X, incomplete=True) as (source, family):
        bound, _ = truncated_pass(source, family, family.to_frame(params), groups)
    deviation = (X - params.means[:, None]) ** 2 / params.covariances[:, None]
    terms = -0.5 * (deviation + np.log(2 * np.pi * params.covariances)[:, None])
    log_joint = np.nansum(terms, axis=2) + np.log(params.weights)[:, None]
    expected = naive_sums(log_joint, X, np.ones(len(X)), groups, hard=False)[0]
    assert bound == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("segment", [1, 10**9])
@pytest.mark.parametrize("n_samples", [1, 37, 400])
def test_every_row_is_in_one_block_of_its_group(segment, n_samples, small, monkeypatch):
    monkeypatch.setattr(candidates, "SEGMENT_BYTES", segment)
    monkeypatch.setattr(candidates, "ROWS_PER_GROUP", 5)
    groups = some_groups(n_samples)
    seen = []
    for blocks in blocks_of(groups, 24, 56):
        for rows, n_own, listed in zip(blocks.rows, blocks.n_own, blocks.candidates, strict=True):
            seen += rows[:n_own].tolist()
            (g,) = set(groups.labels[rows].tolist())
            own = groups.candidates[groups.starts[g] : groups.starts[g + 1]]
            assert listed[listed < K].tolist() == own.tolist()
        picked = blocks.sums @ np.ones(blocks.candidates.size)
        counts = np.bincount(blocks.candidates.ravel(), minlength=K + 1)[:K]
        np.testing.assert_array_equal(picked, counts[blocks.components])
    assert sorted(seen) == list(range(n_samples))


# Candidates ----------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(1e-6, 1.0)), min_size=1, max_size=30),
    st.sampled_from([0.0, 1e-3, 0.1, 0.5]),
)
def test_all_but_a_share(pairs, share):
    of, values = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    kept = all_but(share, values, of)
    for owner in np.unique(of):
        own, rest = values[(of == owner) & kept], values[(of == owner) & ~kept]
        assert len(own) and rest.sum() <= (share + 1e-9) * values[of == owner].sum()
        if len(rest):
            assert rest.max() <= own.min()
        if len(own) > 1:  # one fewer would leave out too much
            assert rest.sum() + own.min() > (share - 1e-9) * values[of == owner].sum()


@pytest.mark.parametrize("weighted", [False, True])
def test_a_watch_sums_responsibilities_by_group(weighted):
    params, X = problem(DIAGONAL)
    weight = np.random.default_rng(1).gamma(2.0, size=len(X)) if weighted else None
    known = some_groups(len(X))
    watch = Watch(len(X), K, 1e-6, known)
    with DIAGONAL.bound(X, weight) as (source, family):
        form = family.prepare(family.to_frame(params), X.dtype)
        seen, _ = expect(source, form, watch=watch)
        assert seen == expect(source, form)[0]
    log_joint = DIAGONAL.log_joint(params, X)[:, 0]
    resp = np.exp(log_joint - logsumexp(log_joint, axis=0))
    labels = resp.argmax(axis=0)
    np.testing.assert_array_equal(watch.labels, labels)
    resp = resp if weight is None else resp * weight
    overlap = np.array([resp[:, labels == g].sum(axis=1) for g in range(K)])
    np.testing.assert_allclose(watch.totals[0], overlap, atol=1e-5 * len(X))
    outside = ~known.members[known.labels].T
    assert watch.left_out == pytest.approx(resp[outside].sum(), rel=1e-4)


def test_no_component_loses_its_rows():
    """One that is nowhere among the largest is a candidate where its rows are."""
    overlap = np.zeros((3, 3), np.float32)
    overlap[:2, :2] = np.diag([1e5, 1e5])
    overlap[:2, 2] = 0.4
    watch = Watch(10, 3, 1e-4)
    watch.see([overlap, np.zeros(1)])
    members = watch.groups(1e-4).members
    np.testing.assert_array_equal(members, [[1, 0, 1], [0, 1, 1], [0, 0, 0]])


# Runs ----------------------------------------------------------------------------------------


@every_gaussian
@pytest.mark.parametrize("hard", [False, True])
def test_bounds_never_fall_and_ends_are_exact(case, hard, small, monkeypatch):
    truth, X = problem(case, n_samples=1000, spread=2.0)
    start = truth._replace(means=truth.means + 0.3, weights=np.full(K, 1 / K))
    diary = Diary(monkeypatch)
    with case.bound(X, reg_covar=1e-6) as (source, family):
        result = em(
            source, family, family.to_frame(start), tol=0.0, max_iter=25, monitor=diary, hard=hard
        )
        form = family.prepare(diary.starts[-1], source.dtype)
        exact, _ = expect(source, form, hard=hard)
    assert diary.exact[0] and diary.exact[-1] and not all(diary.exact)
    assert result.lower_bound == exact / len(X)
    bounds = np.array(result.lower_bounds)
    falls = bounds[:-1] - bounds[1:]
    assert np.all(falls[np.array(diary.comparable)[1:]] <= 1e-6)
    assert falls.max() < 1e-2  # what candidates leave out
    assert result.fall == 0.0


@every_gaussian
def test_a_run_ends_where_exact_passes_lead(case, small, monkeypatch):
    truth, X = problem(case, n_samples=800, spread=8.0)
    start = truth._replace(means=truth.means + 0.2)
    diary = Diary(monkeypatch)
    with case.bound(X) as (source, family):
        framed = family.to_frame(start)
        run = em(source, family, framed, tol=1e-7, max_iter=400, monitor=diary)
        with monkeypatch.context() as patch:
            patch.setattr(truncated, "MIN_COMPONENTS", 1000)
            exact = em(source, family, framed, tol=1e-7, max_iter=400)
    assert diary.exact.count(False) > 5
    assert run.converged and exact.converged
    assert run.lower_bound == pytest.approx(exact.lower_bound, abs=1e-6)
    np.testing.assert_allclose(run.params.means, exact.params.means, atol=2e-3)
    np.testing.assert_allclose(run.params.weights, exact.params.weights, atol=1e-4)


def test_convergence_is_decided_by_exact_passes(small, monkeypatch):
    truth, X = problem(DIAGONAL, n_samples=1500, spread=6.0)
    diary = Diary(monkeypatch)
    with DIAGONAL.bound(X) as (source, family):
        run = em(source, family, family.to_frame(truth), tol=1e-3, max_iter=50, monitor=diary)
    assert run.converged and diary.exact[-1]
    assert run.n_iter < 20


def test_a_hard_run_ends_when_no_row_changes(small, monkeypatch):
    truth, X = problem(DIAGONAL, n_samples=800, spread=6.0)
    diary = Diary(monkeypatch)
    with DIAGONAL.bound(X) as (source, family):
        start = family.to_frame(truth)
        run = em(source, family, start, tol=0.0, max_iter=200, monitor=diary, hard=True)
    assert run.converged and diary.exact[-1] and not all(diary.exact)


def test_a_monitor_that_stops_a_truncated_pass_gets_the_exact_likelihood(small, monkeypatch):
    truth, X = problem(DIAGONAL)
    diary = Diary(monkeypatch, stop_at=4)
    with DIAGONAL.bound(X) as (source, family):
        run = em(source, family, family.to_frame(truth), tol=0.0, max_iter=50, monitor=diary)
        exact, _ = expect(source, family.prepare(diary.starts[-1], source.dtype))
    assert run.stopped and run.n_iter == 4 and not diary.exact[-1]
    assert run.lower_bound == run.lower_bounds[-1] == exact / len(X)


def test_what_is_left_out_widens_the_candidates(small):
    _, X = problem(DIAGONAL)
    with DIAGONAL.bound(X) as (source, family):
        truncation = Truncation(source, family, expect, hard=False)
        shares = []
        for left_out in (0.0, 2e-3, 2e-3, 5e-4, 0.0):
            watch = Watch(len(X), K, 1e-5)
            watch.see([np.eye(K, dtype=np.float32), np.array([left_out * len(X)])])
            truncation._plan(watch)
            shares.append(truncation._share)
    np.testing.assert_allclose(shares, [1e-5, 1e-6, 1e-7, 1e-7, 1e-7])


def test_what_has_no_products_with_features_makes_exact_passes(small, monkeypatch):
    full = GAUSSIANS[0]
    truth, X = problem(full, n_samples=200)
    X[::3, 0] = np.nan
    diary = Diary(monkeypatch)
    with full.bound(X, incomplete=True) as (source, family):
        em(source, family, family.to_frame(truth), tol=0.0, max_iter=8, monitor=diary)
    assert diary.exact == [True] * 8


def test_few_components_or_rows_make_exact_passes():
    with DIAGONAL.bound(np.zeros((10**6, 1))) as (source, _):
        assert Truncation.pays(source, 64, 100)
        assert not Truncation.pays(source, 32, 100)
        assert not Truncation.pays(source, 64, 3)
    with DIAGONAL.bound(np.zeros((1000, 1))) as (source, _):
        assert not Truncation.pays(source, 100, 100)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("assignment", ["soft", "hard"])
def test_a_mixture_with_weights_is_that_of_exact_passes(dtype, assignment, small, monkeypatch):
    truth, X = problem(DIAGONAL, n_samples=2000, spread=6.0)
    weight = np.random.default_rng(0).integers(0, 3, size=len(X))
    options = {
        "covariance_type": "diag",
        "means_init": truth.means,
        "precisions_init": 1 / truth.covariances,
        "max_iter": 20,
        "tol": 0.0,
        "assignment": assignment,
    }
    diary = Diary(monkeypatch)
    mixture = GaussianMixture(K, **options).fit(X.astype(dtype), sample_weight=weight)
    assert diary.exact.count(False) > 5
    monkeypatch.setattr(truncated, "MIN_COMPONENTS", 1000)
    exact = GaussianMixture(K, **options).fit(X.astype(dtype), sample_weight=weight)
    assert mixture.lower_bound_ == pytest.approx(exact.lower_bound_, abs=1e-4)
    np.testing.assert_allclose(mixture.means_, exact.means_, atol=5e-3)


def test_the_same_bits_on_any_number_of_threads(small):
    truth, X = problem(DIAGONAL, n_samples=2000, spread=2.0)
    runs = []
    for n_threads in (1, 4):
        with threadpool_limits(n_threads), DIAGONAL.bound(X) as (source, family):
            start = family.to_frame(truth)
            runs.append(em(source, family, start, tol=0.0, max_iter=12))
    assert runs[0].lower_bounds == runs[1].lower_bounds
    np.testing.assert_array_equal(runs[0].params.means, runs[1].params.means)
