"""EM of categorical columns: loops and closed forms, acceleration."""

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_categorical_mixture import (
    LEVELS,
    SEEDS,
    flat,
    one_thread,  # noqa: F401 - a fixture for all tests here
    problem,
    source_of,
    two_classes,
)

from skmix import CategoricalMixture
from skmix._engine.acceleration import SquaredSteps
from skmix._engine.em import em, em_step, expect
from skmix._engine.short_runs import best_of_short_runs
from skmix._engine.terms import _exp
from skmix._families import Categorical, Packing
from skmix._rows.merge import merge_rows

# Against loops and closed forms -----------------------------------------------------------------


@given(
    seed=SEEDS,
    n_categories=LEVELS,
    n_components=st.integers(1, 3),
    alpha=st.sampled_from([0.0, 0.7]),
)
def test_one_iteration_equals_loops(seed, n_categories, n_components, alpha):
    codes, weight, *params = problem(seed, n_categories, n_components)
    codes[0] = 0  # every column has an answer
    packing = Packing(n_categories)
    with source_of(codes, weight, packing) as source:
        new, log_likelihood = em_step(source, Categorical(packing, alpha), flat(params))
    expected, weights, probabilities = oracles.categorical_em_step(codes, weight, *params, alpha)
    assert log_likelihood * weight.sum() == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(new.weights, weights, atol=1e-12)
    np.testing.assert_allclose(new.probabilities, np.concatenate(probabilities, 1), atol=1e-12)


@given(seed=SEEDS, n_categories=LEVELS, max_states=st.integers(1, 300), complete=st.booleans())
def test_packing_keeps_every_answer(seed, n_categories, max_states, complete):
    codes = problem(seed, n_categories, missing=0.0 if complete else 0.3)[0]
    packing = Packing(n_categories, np.any(codes < 0, axis=0), max_states)
    one_hot = packing.one_hot(packing.pack(codes)).toarray()
    expected = np.concatenate(
        [codes[:, [j]] == np.arange(c) for j, c in enumerate(n_categories)], axis=1
    )
    np.testing.assert_array_equal(one_hot, expected)


@given(seed=SEEDS, cut=st.integers(1, 59))
def test_statistics_of_the_parts_add_up(seed, cut):
    codes, weight, *params = problem(seed, [2, 3, 4])
    packing = Packing([2, 3, 4])
    form = Categorical(packing).prepare(flat(params), np.float64)
    sums = []
    for rows in (slice(None), slice(cut), slice(cut, None)):
        with source_of(codes[rows], weight[rows], packing) as source:
            log_likelihood, statistics = expect(source, form)
        sums.append((log_likelihood, statistics.counts, statistics.answers))
    for whole, first, second in zip(*sums, strict=True):
        np.testing.assert_allclose(whole, first + second, rtol=1e-12, atol=1e-12)


@given(seed=SEEDS, n_values=st.integers(1, 4), weighted=st.booleans())
def test_merged_rows_are_the_distinct_rows_in_an_order_of_their_own(seed, n_values, weighted):
    rng = np.random.default_rng(seed)
    rows = rng.integers(n_values, size=(50, 3)) + n_values * np.arange(3)
    weight = rng.integers(1, 5, size=50).astype(float) if weighted else None
    merged, totals = merge_rows(rows, weight, 3 * n_values)
    distinct, inverse = np.unique(rows, axis=0, return_inverse=True)
    order = np.lexsort(merged.T[::-1])
    np.testing.assert_array_equal(merged[order], distinct)
    np.testing.assert_array_equal(totals[order], np.bincount(inverse.ravel(), weight))
    repeated = rows if weight is None else np.repeat(rows, weight.astype(int), axis=0)
    again, counts = merge_rows(rng.permutation(repeated), None, 3 * n_values)
    np.testing.assert_array_equal(again, merged)
    np.testing.assert_array_equal(counts, totals)


def test_one_class_is_the_observed_frequencies():
    X = [[0, 1], [0, np.nan], [1, 1], [0, 0]]
    mixture = CategoricalMixture().fit(X, sample_weight=[1, 2, 3, 4])
    np.testing.assert_allclose(mixture.probabilities_[0], [[0.7, 0.3]], atol=1e-15)
    np.testing.assert_allclose(mixture.probabilities_[1], [[0.5, 0.5]], atol=1e-15)
    smoothed = CategoricalMixture(alpha=1.0).fit(X, sample_weight=[1, 2, 3, 4])
    np.testing.assert_allclose(smoothed.probabilities_[0], [[8 / 12, 4 / 12]], atol=1e-15)
    assert mixture.n_parameters == 2


def test_scores_equal_loops_also_for_missing_and_unseen_rows():
    X = two_classes()
    mixture = CategoricalMixture(2, random_state=0).fit(X)
    codes = np.where(np.isnan(X), -1, X).astype(int)
    log_prob = oracles.categorical_log_prob(codes, mixture.weights_, mixture.probabilities_)
    norm = np.logaddexp.reduce(log_prob, axis=1)
    np.testing.assert_allclose(mixture.score_samples(X), norm, atol=1e-12)
    np.testing.assert_allclose(
        mixture.predict_proba(X), np.exp(log_prob - norm[:, None]), atol=1e-12
    )
    np.testing.assert_array_equal(mixture.predict(X), log_prob.argmax(axis=1))
    empty = np.full((1, X.shape[1]), np.nan)
    np.testing.assert_allclose(mixture.predict_proba(empty)[0], mixture.weights_, atol=1e-12)
    assert mixture.score_samples(empty) == 0.0


# Acceleration -----------------------------------------------------------------------------------


@given(seed=SEEDS, alpha=st.sampled_from([0.0, 0.5]))
def test_acceleration_never_loses_and_beats_plain_em(seed, alpha):
    codes, weight, *start = problem(seed, [2, 3, 2, 4, 2], 3, 150)
    packing = Packing([2, 3, 2, 4, 2])
    family = Categorical(packing, alpha)
    results = {}
    with source_of(codes, weight, packing) as source:
        for accelerate in (False, True):
            results[accelerate] = em(
                source, family, flat(start), tol=1e-7, max_iter=400, accelerate=accelerate
            )
        prefixes = [
            em(source, family, flat(start), tol=0.0, max_iter=n, accelerate=True).params
            for n in range(1, 14)
        ]
        objectives = [
            expect(source, family.prepare(params, np.float64))[0] + family.log_prior(params)
            for params in prefixes
        ]
    # However early a run ends, what it returns is at least as good as before.
    assert np.all(np.diff(objectives) >= -1e-9)
    if alpha == 0:
        assert np.all(np.diff(results[True].lower_bounds) >= -1e-12)


class OnALine:
    """A family of one number whose prior is steep."""

    def coordinates(self, params):
        return np.array([params])

    def from_coordinates(self, coordinates, fallback):
        return float(coordinates[0])

    def log_prior(self, params):
        return -100.0 * params


@pytest.mark.parametrize(("likelihood_far", "kept"), [(5.0, False), (300.0, True)])
def test_an_extrapolation_is_judged_with_the_prior(likelihood_far, kept):
    steps = SquaredSteps(OnALine(), total_weight=10.0, lower_bound=-np.inf)
    for cycle in range(2):  # the first cycle only widens the step
        steps.accept(0.0, 1.0, 1.0)
        accepted = steps.accept(1.0, 1.5, 2.0)
        far = steps.propose(accepted.params)
        assert (far > 1.5) == (cycle == 1)
    accepted = steps.accept(far, far + 0.25, likelihood_far)
    assert accepted.params == (far + 0.25 if kept else 1.5)
    assert accepted.lower_bound == (likelihood_far if kept else 2.0)
    assert accepted.objective == (likelihood_far - 10 * far if kept else 2.0 - 10 * 1.0)


def test_acceleration_saves_passes():
    codes = np.where(np.isnan(X := two_classes(3, 500, 4)), -1, X).astype(int)
    packing = Packing([3] * 4)
    start = CategoricalMixture(3, init_params="random", max_iter=0, random_state=1).fit(X)
    start = flat((start.weights_, start.probabilities_))
    with source_of(codes, None, packing) as source:
        plain, fast = (
            em(source, Categorical(packing), start, tol=1e-8, max_iter=5000, accelerate=accelerate)
            for accelerate in (False, True)
        )
    assert plain.converged
    assert fast.converged
    assert fast.n_iter < plain.n_iter / 2
    assert fast.lower_bound >= plain.lower_bound - 1e-7


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_exponentials_that_underflow_are_zero_and_others_exact(dtype):
    x = np.array([0.0, -1e-3, -30.0, -80.0, -5000.0, -np.inf], dtype=dtype)
    expected = np.exp(np.maximum(x, -90), where=x > -90, out=np.zeros_like(x))
    _exp(x)
    np.testing.assert_allclose(x, expected, rtol=2e-3 if dtype == np.float32 else 1e-15)
    np.testing.assert_array_equal(x[-2:], 0.0)


def test_short_runs_return_the_best_of_their_starts():
    X = two_classes(5, 200, 5)
    codes = np.where(np.isnan(X), -1, X).astype(int)
    packing = Packing([3] * 5)
    family = Categorical(packing)
    starts = [flat(problem(seed, [3] * 5, 3)[2:]) for seed in range(8)]
    options = {"tol": 1e-9, "accelerate": True}
    with source_of(codes, None, packing) as source:
        ends = [em(source, family, start, max_iter=2000, **options) for start in starts]
        ladder = ((20, 6), (2000, 1))
        (best,) = best_of_short_runs(source, family, starts * 2, ladder=ladder, **options)
        reached, _ = expect(source, family.prepare(best.params, np.float64))
    bounds = np.array([end.lower_bound for end in ends])
    assert np.ptp(bounds) > 1e-3  # there is something to choose
    assert reached / len(X) == pytest.approx(bounds.max(), abs=1e-7)
