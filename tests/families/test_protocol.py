"""What EM asks of a family, of every family, against densities that scipy or a loop computes."""

import numpy as np
import pytest
from families import every_member
from scipy.special import logsumexp

from skmix._engine.em import em_step, predict_proba, score_samples, statistics_of
from skmix._rows import sources

hard_or_soft = pytest.mark.parametrize("hard", [False, True], ids=["soft", "hard"])


def entered(family, params):
    """Parameters in the frame of a family that has one."""
    return family.to_frame(params) if hasattr(family, "to_frame") else params


def left(family, params):
    return family.from_frame(params) if hasattr(family, "from_frame") else params


def log_likelihoods(case, params, X, hard=False):
    """Of every row, by the oracle; of its parts each under its best component if `hard`."""
    joint = case.log_joint(params, X)
    of_parts = joint.max(axis=0) if hard else logsumexp(joint, axis=0)
    return of_parts.sum(axis=0)


def responsibilities(case, params, X):
    """(n_components, n_parts, n_samples)."""
    joint = case.log_joint(params, X)
    return np.exp(joint - logsumexp(joint, axis=0))


def assert_same_density(case, actual, expected, X, rtol=1e-9):
    """Two parameters are the same where rows have the same log terms."""
    np.testing.assert_allclose(
        case.log_joint(actual, X), case.log_joint(expected, X), rtol=rtol, atol=rtol
    )


@every_member
def test_log_densities_are_the_oracles(case):
    params, X = case.problem(0)
    with case.bound(X) as (source, family):
        scores = score_samples(source, family, entered(family, params))
    np.testing.assert_allclose(scores, log_likelihoods(case, params, X), rtol=1e-10, atol=1e-10)


@every_member
def test_responsibilities_are_the_oracles(case):
    params, X = case.problem(1)
    expected = responsibilities(case, params, X)
    if expected.shape[1] > 1:
        pytest.skip("parts of a row have components of their own")
    with case.bound(X) as (source, family):
        resp = predict_proba(source, family, entered(family, params))
    np.testing.assert_allclose(resp, expected[:, 0].T, rtol=1e-9, atol=1e-12)


@hard_or_soft
@every_member
def test_no_iteration_lowers_the_likelihood(case, hard):
    truth, X = case.problem(2)
    start = truth._replace(weights=np.full_like(truth.weights, 1 / len(truth.weights)))
    bounds = []
    with case.bound(X) as (source, family), np.errstate(divide="ignore"):
        params = entered(family, start)
        for _ in range(25):
            expected = log_likelihoods(case, left(family, params), X, hard).mean()
            params, bound = em_step(source, family, params, hard=hard)
            assert bound == pytest.approx(expected, rel=1e-9)
            bounds.append(bound)
    assert bounds[-1] > bounds[0]
    assert np.all(np.diff(bounds) >= -1e-12)


@every_member
def test_the_update_is_the_best_under_its_responsibilities(case):
    """Updates under other responsibilities have a lower expected log density under these."""
    start, X = case.problem(4)
    if len(case.log_joint(start, X)[0]) > 1:
        pytest.skip("responsibilities are given per row")
    resp = responsibilities(case, start, X)
    rng = np.random.default_rng(0)
    with case.bound(X) as (source, family):
        params = entered(family, start)

        def update(given):
            def resp_of(rows, out):
                out[:] = given[:, rows]

            statistics = statistics_of(source, family.prepare(params, np.float64), resp_of)
            return left(family, family.maximize(params, statistics))

        def expected_log_density(candidate):
            joint = case.log_joint(candidate, X)
            return np.sum(resp[resp > 0] * joint[resp > 0])

        best = expected_log_density(update(resp[:, 0]))
        # What noise hides is filled in from the parameters before: no more than no fall is said.
        if case.name == "scales":
            assert best > expected_log_density(start)
            return
        for size in (1e-3, 1e-2, 0.1, 0.5):
            other = (1 - size) * resp[:, 0] + size * rng.dirichlet(np.ones(len(resp)), len(X)).T
            assert expected_log_density(update(other)) < best


@every_member
def test_a_weight_is_a_repetition(case):
    start, X = case.problem(5, n_samples=80)
    weight = np.random.default_rng(5).integers(1, 4, size=len(X))
    with case.bound(X, weight.astype(float)) as (source, family):
        weighted, bound = em_step(source, family, entered(family, start))
        weighted = left(family, weighted)
    with case.bound(np.repeat(X, weight, axis=0)) as (source, family):
        repeated, same_bound = em_step(source, family, entered(family, start))
        repeated = left(family, repeated)
    assert bound == pytest.approx(same_bound, rel=1e-12)
    assert_same_density(case, weighted, repeated, X)


@every_member
def test_chunks_add_up(case, monkeypatch):
    start, X = case.problem(6, n_samples=5000)
    steps = []
    for n_bytes in (sources.CHUNK_BYTES, 1):
        monkeypatch.setattr(sources, "CHUNK_BYTES", n_bytes)  # and so chunks are the shortest
        with case.bound(X) as (source, family):
            params, bound = em_step(source, family, entered(family, start))
            steps.append((left(family, params), bound))
    assert steps[0][1] == pytest.approx(steps[1][1], rel=1e-12)
    assert_same_density(case, steps[0][0], steps[1][0], X[:100])


@every_member
def test_a_component_without_weight_takes_no_row_and_gets_none(case):
    params, X = case.problem(7)
    weights = params.weights.copy()
    weights[-1] = 0.0
    weights /= weights.sum(axis=0)
    params = params._replace(weights=weights)
    with case.bound(X) as (source, family), np.errstate(divide="ignore"):
        if hasattr(family, "forgiving"):  # that a component collapses is no error
            family = family.forgiving(1e-12)
        scores = score_samples(source, family, entered(family, params))
        expected = log_likelihoods(case, params, X)
        update, _ = em_step(source, family, entered(family, params))
    np.testing.assert_allclose(scores, expected, rtol=1e-10, atol=1e-10)
    assert np.all(update.weights[-1] == 0.0)


@every_member
def test_draws_have_the_moments_of_the_component(case):
    params, X = case.problem(8)
    n_samples = 20_000
    options = {"noisy": False} if case.name.endswith("scales") else {}  # clean rows are drawn
    with case.bound(X) as (_, family):
        framed = entered(family, params)
        for k in range(len(params.weights)):
            drawn = family.sample(framed, k, n_samples, np.random.RandomState(k)).astype(float)
            expected = case.draw_component(
                np.random.default_rng(k), params, k, n_samples, **options
            ).astype(float)
            for power in (1, 2):
                one, other = drawn**power, expected**power
                error = np.sqrt((one.var(axis=0) + other.var(axis=0)) / n_samples)
                assert np.all(np.abs(one.mean(axis=0) - other.mean(axis=0)) <= 5 * error)
