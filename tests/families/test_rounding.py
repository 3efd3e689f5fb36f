"""Families where rounding would show: narrow components, large offsets, float32."""

import numpy as np
import oracles
import pytest
import scipy.linalg
from families import FAMILIES, assert_same_mixture, every_family, with_holes
from test_families import (
    make_form,
    maximize_under,
    one_em_step,
    one_thread,  # noqa: F401 - a fixture for all tests here
    oracle_em_step,
    oracle_m_step,
)

from skmix._engine.em import em_step, expect, predict_proba, score_samples, statistics_of
from skmix._families import Frame
from skmix._rows.sources import ArraySource


@every_family
@pytest.mark.parametrize("per_component", [False, True])
def test_largest_precision_is_a_bound(case, per_component):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        n_components, n_features = 3, 6
        params = case.random_params(rng, n_components, n_features)
        radius = rng.gamma(1.0, size=(n_components, n_features) if per_component else n_features)
        bound = case.family(Frame.identity(n_features)).largest_precision(params, radius)
        assert bound.shape == (n_components,)
        each_radius = np.broadcast_to(radius, (n_components, n_features))
        precisions = np.linalg.inv(case.dense(params))
        exact = [
            np.linalg.eigvalsh(np.outer(r, r) * precision)[-1]
            for r, precision in zip(each_radius, precisions, strict=True)
        ]
        assert np.all(bound >= np.array(exact) * (1 - 1e-12))
        # And not an idle one: never above the norms that it stands for.
        loose = np.linalg.eigvalsh(precisions)[:, -1] * each_radius.max() ** 2 * n_features
        assert np.all(bound <= loose * (1 + 1e-12))


@every_family
def test_largest_share_is_that_of_the_worst_direction(case):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        params = case.random_params(rng, 3, 6)
        variances = np.full(6, 0.1) if case.family.common_scale else rng.gamma(1.0, size=6)
        share = case.family(Frame.identity(6)).largest_share(params, variances)
        exact = [
            scipy.linalg.eigh(np.diag(variances), matrix, eigvals_only=True)[-1]
            for matrix in case.dense(params)
        ]
        assert share.shape == (3,)
        assert np.all(share <= np.array(exact) * (1 + 1e-12))
        # 30 steps of a power iteration: far from exact only where eigenvalues are close.
        assert np.all(share >= 0.9 * np.array(exact))


@every_family
def test_collapse_is_seen_where_regularisation_is_all_there_is(case):
    rng = np.random.default_rng(28)
    line = rng.normal(size=(60, 1)) * [1.0, 2.0] + [20.0, 0.0]
    flat = rng.normal(size=(60, 2)) * [1.0, 0.0] + [20.0, 0.0]
    round_ = rng.normal(size=(60, 2))
    resp = np.eye(2)[np.repeat([0, 1], 60)]
    point = np.full((60, 2), [20.0, 0.0])
    matrix = case.covariance_type in ("full", "tied")
    for second, singular in [
        (line, matrix),
        (flat, case.covariance_type != "spherical"),
        (point, True),
        (round_ + 20.0, False),
    ]:
        X = np.concatenate([second if case.family.shared_covariance else round_, second])
        params = maximize_under(case, X, resp, "moment", reg_covar=1e-6)
        with case.bound(X, reg_covar=1e-6) as (_, family):
            collapsed = family.collapsed(family.to_frame(params))
        first = singular and case.family.shared_covariance
        np.testing.assert_array_equal(collapsed, [first, singular])
    with case.bound(round_) as (_, family):  # nothing is repaired where nothing is added
        assert not family.collapsed(family.to_frame(params)).any()


def narrow_problem(case, seed, ratio, n_samples=120):
    """Two components, the second `ratio` times narrower than the data; both where they share."""
    rng = np.random.default_rng(seed)
    means = np.array([[-5.0, 3.0], [4.0, -6.0]])
    covariances = case.random_covariances(rng, 2, 2)
    width = np.array([1.0, 10.0 / ratio])
    if case.family.shared_covariance:
        covariances *= width[1] ** 2
    else:
        covariances *= (width**2).reshape(2, *[1] * (covariances.ndim - 1))
    params = case.params([0.5, 0.5], means, covariances)
    return params, case.draw(rng, params, n_samples)


def covariances_without_refinement(case, family, statistics):
    """Empirical covariances in the units of the rows, as matrices, before they are factored."""
    counts = statistics.counts
    means = statistics.first / counts[:, None]
    framed = family.empirical_covariances(statistics, counts, means - statistics.about)
    framed = oracles.dense(case.covariance_type, framed, *means.shape)
    return framed * np.outer(family.frame.scale, family.frame.scale)


@every_family
@pytest.mark.parametrize(
    ("dtype", "allowed", "widest"), [(np.float64, 1e-9, 100.0), (np.float32, 1e-3, 10.0)]
)
def test_moment_form_is_used_exactly_where_it_is_accurate(case, dtype, allowed, widest):
    used = {True: [], False: []}
    for ratio in 10.0 ** np.arange(1, 6.1, 0.25):
        params, X = narrow_problem(case, seed=14, ratio=ratio)
        X = X.astype(dtype)
        with case.bound(X) as (source, family):
            framed = family.to_frame(params)
            chosen = family.prepare(framed, dtype)
            safe = chosen.dtype == dtype and len(chosen.centred) == 0
            used[safe].append(ratio)
            form = make_form(family, framed, "moment", dtype)
            resp = oracles.e_step(X, params.weights, params.means, case.dense(params))[1]

            def resp_of(rows, out, resp=resp):
                out[:] = resp[rows].T

            statistics = statistics_of(source, form, resp_of)
            actual = covariances_without_refinement(case, family, statistics)
        expected = case.dense(oracle_m_step(case, X.astype(np.float64), resp))
        variances = np.diagonal(actual, axis1=1, axis2=2)
        error = variances / np.diagonal(expected, axis1=1, axis2=2) - 1.0
        if safe:
            assert np.abs(error).max() < allowed, ratio
    assert used[True] and used[False]
    assert max(used[True]) < min(used[False])
    assert max(used[True]) >= widest  # and not given up early, being the fast one


@every_family
def test_narrow_component_falls_back_to_the_centred_form(case):
    params, X = narrow_problem(case, seed=15, ratio=1e6)
    with case.bound(X) as (source, family):
        framed = family.to_frame(params)
        form = family.prepare(framed, X.dtype)
        assert 1 in form.centred
        assert (0 in form.centred) == case.family.shared_covariance
        density = score_samples(source, family, framed)
    expected = oracles.log_density(X, params.weights, params.means, case.dense(params))
    # A row near 6 is known to 1e-15, 1e-10 of a standard deviation of 1e-5; slopes are below 10.
    np.testing.assert_allclose(density, expected, rtol=0, atol=1e-8)
    fitted, lower_bound = one_em_step(case, X, params)
    expected, expected_bound = oracle_em_step(case, X, params)
    assert_same_mixture(case, fitted, expected, atol=1e-8)
    assert lower_bound == pytest.approx(expected_bound, abs=1e-8)


@every_family
@pytest.mark.parametrize(
    ("dtype", "ratio"), [(np.float64, 1e6), (np.float64, 1e8), (np.float32, 1e4)]
)
def test_first_step_towards_narrow_components_is_refined(case, dtype, ratio):
    # The start is about as wide as the data, so its pass is safe; the answer is far narrower.
    narrow, X = narrow_problem(case, seed=16, ratio=ratio)
    X = X.astype(dtype)
    wide = 0.25 * case.random_covariances(np.random.default_rng(17), 2, 2)
    start = case.params([0.5, 0.5], narrow.means + 0.5, wide)
    with case.bound(X) as (source, family):
        framed = family.to_frame(start)
        form = family.prepare(framed, dtype)
        assert form.dtype == dtype
        assert not len(form.centred)
        _, statistics = expect(source, form)
        expected, _ = oracle_em_step(case, X.astype(np.float64), start)
        finer = family.refine(framed, form, statistics, family.to_frame(expected))
        assert finer.dtype == np.float64
        np.testing.assert_array_equal(finer.centred, [0, 1])
        cancelled = covariances_without_refinement(case, family, statistics)
    error = np.diagonal(cancelled[1]) / np.diagonal(case.dense(expected)[1]) - 1.0
    assert np.abs(error).max() > 1e-6
    fitted, _ = one_em_step(case, X, start)
    # Rows near 6 are known to 1e-15, which is ratio * 1e-16 standard deviations.
    assert_same_mixture(case, fitted, expected, atol=1e-14 * ratio + 1e-10)


@every_family
def test_refinement_is_left_out_where_nothing_cancels(case):
    params, X = case.problem(seed=18)
    with case.bound(X) as (source, family):
        framed = family.to_frame(params)
        form = family.prepare(framed, X.dtype)
        _, statistics = expect(source, form)
        assert family.refine(framed, form, statistics, family.maximize(framed, statistics)) is None


@every_family
def test_float32_is_kept_where_safe_and_raised_where_not(case):
    params, X = case.problem(seed=19)
    narrow, X_narrow = narrow_problem(case, seed=19, ratio=1e4)
    for dtype, problem, rows in [
        (np.float32, params, X),
        (np.float64, narrow, X_narrow),
    ]:
        rows = rows.astype(np.float32)
        with case.bound(rows) as (source, family):
            framed = family.to_frame(problem)
            assert family.prepare(framed, np.float32).dtype == dtype
            density = score_samples(source, family, framed)
        assert density.dtype == np.float32
        exact = oracles.log_density(
            rows.astype(np.float64), problem.weights, problem.means, case.dense(problem)
        )
        # Moments in float32: eps32 times squared distances from the centre (about 1e2) and a few
        # more for their sum. In float64 only the answer is rounded to float32.
        atol = 1e-3 if dtype == np.float32 else 2e-6
        np.testing.assert_allclose(density, exact, rtol=0, atol=atol)


@pytest.mark.parametrize(("width", "dtype"), [(1.0, np.float32), (1e-4, np.float64)])
def test_float32_with_many_features(width, dtype):
    case = FAMILIES[0]
    params, X = case.problem(27, 300, 2, 100, spread=0.3)
    X = np.concatenate([X, [params.means[0] + 5.0]])
    params = case.params(params.weights, params.means, width**2 * params.covariances)
    X = X.astype(np.float32)
    with case.bound(X) as (source, family):
        framed = family.to_frame(params)
        assert family.prepare(framed, np.float32).dtype == dtype
        density = score_samples(source, family, framed)
    exact = oracles.log_density(
        X.astype(np.float64), params.weights, params.means, case.dense(params)
    )
    # Sums of 100 squares in float32, or their rounding.
    np.testing.assert_allclose(density, exact, rtol=1e-5 if dtype == np.float32 else 1e-7)


def coarse(X, levels):
    """Rows rounded so that each column takes few values within a component."""
    width = 7.0 / levels
    return np.round(X / width) * width


@every_family
@pytest.mark.parametrize("n_samples", [120, 3000, 200_000])
@pytest.mark.parametrize("kind", ["continuous", "coarse", "weighted"])
def test_float32_keeps_variances_for_any_number_of_rows(case, n_samples, kind):
    # Two components far apart in standard deviations; rounding of long sums used to be ignored.
    rng = np.random.default_rng(n_samples)
    labels = np.arange(n_samples) % 2
    noise = rng.standard_normal((n_samples, 3))
    if kind == "coarse":
        noise = coarse(noise, 3)
    weight = np.full(n_samples, 0.3) if kind == "weighted" else None
    for ratio in (8.0, 18.0, 80.0) if n_samples < 1e5 else (40.0, 85.0):
        X = ((2.0 * labels[:, None] - 1.0) * rng.uniform(0.7, 1.4, 3) + noise / ratio).astype("f4")
        rows = [X[labels == k].astype(np.float64) for k in range(2)]
        variances = np.array([part.var(axis=0) for part in rows])
        means = np.array([part.mean(axis=0) for part in rows])
        shape = case.family(Frame.identity(3)).covariance_shape(2, 3)
        covariances = case.random_covariances(rng, 2, 3) * 0.0
        covariances += np.eye(3) if len(shape) > 1 and shape[-2:] == (3, 3) else 1.0
        start = case.params([0.5, 0.5], means, covariances / ratio**2)
        fitted = case.fit(X, start, 1, weight).params
        actual = np.diagonal(case.dense(fitted), axis1=1, axis2=2)
        if case.family.shared_covariance:
            variances[:] = variances.mean(axis=0)
        elif case.family.common_scale:
            variances[:] = variances.mean(axis=1, keepdims=True)
        np.testing.assert_allclose(actual, variances, rtol=1e-3, err_msg=f"{ratio}")


@every_family
@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("far", [1.0, 100.0, 3e3, 1e6])
def test_float32_rows_far_from_all_components(case, holes, far):
    rng = np.random.default_rng(7)
    params = case.random_params(rng, 3, 4, spread=1e-2 + 1.0 / far)
    if not case.family.shared_covariance:  # alike, so that no component is clearly nearest
        params = case.params(
            params.weights,
            params.means,
            0.0 * params.covariances + np.array([params.covariances[0]] * 3),
        )
    X = far * rng.standard_normal((300, 4))
    X[0] = 0.0
    X = X.astype(np.float32)
    if holes:
        X = with_holes(X)
    with case.bound(case.draw(rng, params, 200)) as (_, family):
        framed = family.to_frame(params)
        with ArraySource(X) as single, ArraySource(X.astype(np.float64)) as double:
            actual = predict_proba(single, family, framed)
            expected = predict_proba(double, family, framed)
            density = score_samples(single, family, framed)
            exact = score_samples(double, family, framed)
            resp = expect(single, family.prepare(framed, np.float32))[1].counts
    assert actual.dtype == density.dtype == np.float32
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-3)
    np.testing.assert_allclose(density, exact, rtol=1e-5, atol=1e-3)
    if not holes:  # as in a pass of a fit
        np.testing.assert_allclose(resp / 300, expected.mean(axis=0), rtol=0, atol=1e-4)


@pytest.mark.parametrize("n_features", [4, 120])
@every_family
def test_only_narrow_components_leave_float32(case, n_features):
    if case.covariance_type == "tied":
        pytest.skip("a shared covariance is as narrow for all components")
    rng = np.random.default_rng(0)
    n_components, n_narrow, width = 12, 2, 1e-4 if n_features == 4 else 1e-5
    start = case.random_params(rng, n_components, n_features)
    factors, means = start.precisions_cholesky.copy(), start.means
    factors[:n_narrow] /= width
    start = start._replace(precisions_cholesky=factors, covariances=None)
    labels = rng.integers(n_components, size=3000)
    spread = np.where(labels < n_narrow, width, 1.0)[:, None]
    X = (means[labels] + spread * rng.normal(size=(3000, n_features))).astype(np.float32)
    results = []
    for rows in (X, X.astype(np.float64)):
        with case.bound(rows, reg_covar=1e-12) as (source, family):
            framed = family.to_frame(start)
            form = family.prepare(framed, rows.dtype)
            assert form.dtype == rows.dtype
            if rows.dtype == np.float32:
                np.testing.assert_array_equal(form.fine, np.arange(n_narrow))
            params, bound = em_step(source, family, framed)
            results.append((family.from_frame(params), bound))
            scores = score_samples(source, family, framed)
            np.testing.assert_allclose(scores.mean(), bound, rtol=1e-5)
    (single, bound), (double, expected) = results
    assert bound == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(single.weights, double.weights, rtol=1e-4)
    narrow = slice(0, n_narrow)
    np.testing.assert_allclose(single.means[narrow], double.means[narrow], atol=1e-3 * width)
    np.testing.assert_allclose(
        single.covariances[narrow], double.covariances[narrow], atol=1e-2 * width**2
    )
    np.testing.assert_allclose(single.means, double.means, atol=1e-3)
