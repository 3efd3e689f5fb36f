"""Every family against slow oracles, in every form that a pass over the rows can take."""

import numpy as np
import oracles
import pytest
from families import FAMILIES, assert_same_mixture, every_family
from threadpoolctl import threadpool_limits

from skmix._engine.em import em_step, expect, predict, predict_proba, score_samples, statistics_of
from skmix._families import Frame, GaussianForm
from skmix._linalg import matrices as matrices
from skmix._rows.sources import ArraySource, Scratch

# One shared covariance is as wide as itself: its components never differ in form.
every_form = pytest.mark.parametrize(
    ("case", "form"),
    [
        pytest.param(case, form, id=f"{case.covariance_type}-{form}")
        for case in FAMILIES
        for form in ["moment", "centred", "mixed"]
        if not (form == "mixed" and case.family.shared_covariance)
    ],
)

# Shrinkage towards a pooled covariance has nothing to do where all is pooled.
UNSHARED = [case for case in FAMILIES if not case.family.shared_covariance]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """These problems are small: on a busy machine threads would only wait for each other."""
    with threadpool_limits(1):
        yield


def make_form(family, params, form, dtype=np.float64):
    """A form of a chosen kind for framed parameters."""
    centred = np.full(len(params.weights), form == "centred")
    if form == "mixed":
        centred[::2] = True
    return GaussianForm(family, params, dtype=dtype, centred=centred, about=params.means)


def log_prob(form, X):
    """Log weight + log density of every row and component, (n_samples, n_components)."""
    scratch = Scratch()
    features = form.features(X, scratch)
    out = np.empty((form.n_components, len(X)), dtype=form.dtype)
    form.log_density(features, out, scratch)
    return (out + form.row_term(features, scratch)).T


def random_resp(seed, n_samples, n_components):
    return np.random.default_rng(seed).dirichlet(np.ones(n_components), size=n_samples)


def maximize_under(case, X, resp, form, sample_weight=None, **options):
    """The M-step under given responsibilities, in a form of a chosen kind."""
    start = case.random_params(np.random.default_rng(99), *X[: resp.shape[1]].shape)
    start = start._replace(means=X[: resp.shape[1]].astype(np.float64))

    def resp_of(rows, out):
        out[:] = resp[rows].T

    with case.bound(X, sample_weight, **options) as (source, family):
        framed = family.to_frame(start)
        statistics = statistics_of(source, make_form(family, framed, form), resp_of)
        return family.from_frame(family.maximize(framed, statistics))


def oracle_m_step(case, X, resp, sample_weight=None, **options):
    """The same by loops."""
    return case.params(
        *oracles.m_step(case.covariance_type, X, resp, sample_weight=sample_weight, **options)
    )


def one_em_step(case, X, start, sample_weight=None, **options):
    """A step of EM: new parameters and the log-likelihood per row of the old ones."""
    with case.bound(X, sample_weight, **options) as (source, family):
        params, lower_bound = em_step(source, family, family.to_frame(start))
        return family.from_frame(params), lower_bound


def oracle_em_step(case, X, start):
    norm, resp = oracles.e_step(X, start.weights, start.means, case.dense(start))
    return oracle_m_step(case, X, resp), norm.mean()


# Frame -------------------------------------------------------------------------------------


def test_frame_centres_and_scales_the_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 4)) * [1e-8, 1.0, 300.0, 1e8] + [1e-3, 1e6, -5.0, 0.0]
    weight = rng.uniform(0.5, 2.0, size=500)
    with ArraySource(X, weight) as source:
        frame = Frame.of_source(source)
    mean = np.average(X, axis=0, weights=weight)
    sd = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))
    np.testing.assert_allclose((frame.reference - mean) / sd, 0.0, atol=1e-9)
    assert np.all(np.frexp(frame.scale)[0] == 0.5)  # powers of two: scaling does not round
    np.testing.assert_array_less(np.abs(np.log2(sd / frame.scale)), 0.5 + 1e-6)
    z = np.empty((4, 500))
    frame.enter(X, out=z)
    np.testing.assert_array_equal(z.T, (X - frame.reference) / frame.scale)
    np.testing.assert_array_equal(np.abs(z).max(axis=1), frame.radius)


def test_frame_with_a_common_scale_keeps_circles_round():
    X = np.random.default_rng(0).normal(size=(500, 3)) * [0.1, 1.0, 30.0]
    with ArraySource(X) as source:
        frame = Frame.of_source(source, common_scale=True)
    assert len(np.unique(frame.scale)) == 1
    rms = np.sqrt(X.var(axis=0).mean())
    assert abs(np.log2(rms / frame.scale[0])) <= 0.5 + 1e-6


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e9 / 3.0])
@pytest.mark.parametrize("jitter", [0.0, np.finfo(np.float64).eps])
def test_frame_leaves_a_column_that_is_constant_to_rounding_in_its_units(constant, jitter):
    X = np.random.default_rng(0).normal(size=(300, 2))
    X[:, 1] = constant * (1.0 + jitter * (np.arange(300) % 3 - 1))
    with ArraySource(X) as source:
        frame = Frame.of_source(source)
    assert frame.scale[1] == 1.0
    assert frame.radius[1] <= 4 * np.finfo(np.float64).eps * abs(constant)


@every_family
def test_going_to_the_frame_and_back_is_exact(case):
    # Binary fractions of few digits: differences of means and reference do not round.
    rng = np.random.default_rng(1)
    n_components, n_features = 3, 5
    scale = np.exp2(rng.integers(-20, 20, size=n_features))
    if case.family.common_scale:
        scale[:] = scale[0]
    reference = np.round(rng.normal(size=n_features) * 2.0**20) / 2.0**10
    frame = Frame(reference, scale, np.full(n_features, np.inf), scale**2)
    params = case.random_params(rng, n_components, n_features)
    params = params._replace(means=np.round(params.means * 2.0**20) / 2.0**20)
    family = case.family(frame)
    framed = family.to_frame(params)
    assert not np.any(framed.means == params.means)
    assert not np.all(framed.precisions_cholesky == params.precisions_cholesky)
    for name, back in family.from_frame(framed)._asdict().items():
        np.testing.assert_array_equal(back, getattr(params, name), err_msg=name)


# Densities ---------------------------------------------------------------------------------


@every_form
@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (2, 3), (4, 10)])
def test_log_density_is_scipys(case, form, shape):
    params, X = case.problem(seed=sum(shape), n_components=shape[0], n_features=shape[1])
    with case.bound(X) as (_, family):
        actual = log_prob(make_form(family, family.to_frame(params), form), X)
    expected = oracles.weighted_log_prob(X, params.weights, params.means, case.dense(params))
    # Distances reach 1e3 in squared standard deviations, eps of which is 2e-13.
    np.testing.assert_allclose(actual, expected, rtol=1e-11, atol=1e-11)


@every_family
def test_mixture_density_responsibilities_and_labels_are_scipys(case):
    params, X = case.problem(seed=3)
    norm, resp = oracles.e_step(X, params.weights, params.means, case.dense(params))
    with case.bound(X) as (source, family):
        framed = family.to_frame(params)
        np.testing.assert_allclose(score_samples(source, family, framed), norm, atol=1e-11)
        np.testing.assert_allclose(predict_proba(source, family, framed), resp, atol=1e-11)
        np.testing.assert_array_equal(predict(source, family, framed), resp.argmax(axis=1))
        log_likelihood, statistics = expect(source, family.prepare(framed, X.dtype))
    assert log_likelihood == pytest.approx(norm.sum(), rel=1e-13)
    np.testing.assert_allclose(statistics.counts, resp.sum(axis=0), rtol=1e-11)


@every_family
def test_scoring_is_accurate_for_rows_far_outside_the_frame(case):
    # Rows 1e9 standard deviations out: squares about the frame's centre would cancel.
    params, X = case.problem(seed=4)
    far = X[:20] + 1e9
    moved = params._replace(means=params.means + 1e9)
    with case.bound(X) as (_, family):
        framed = family.to_frame(moved)
        form = family.forms_for_scoring(framed, np.dtype(np.float64))(far)
        actual = log_prob(form, far)
    expected = oracles.weighted_log_prob(far, moved.weights, moved.means, case.dense(moved))
    # A row at 1e9 is known to 1e-7, and the distance has a slope of up to about 30.
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


@every_family
def test_a_component_of_weight_zero_gets_nothing(case):
    params, X = case.problem(seed=5)
    params = params._replace(weights=np.array([0.0, 0.5, 0.5]))
    for form in ["moment", "centred"]:
        with case.bound(X) as (source, family):
            framed = family.to_frame(params)
            log_likelihood, statistics = expect(source, make_form(family, framed, form))
        expected = oracles.log_density(X, [0.5, 0.5], params.means[1:], case.dense(params)[1:])
        assert statistics.counts[0] == 0.0
        assert log_likelihood == pytest.approx(expected.sum(), rel=1e-12)


# Maximisation ------------------------------------------------------------------------------


@every_form
@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("reg_covar", [0.0, 0.25])
def test_maximize_is_the_loop(case, form, weighted, reg_covar):
    _, X = case.problem(seed=6, n_samples=150)
    X = X * 100.0 if case.family.common_scale else X * [1e-3, 1.0, 30.0, 1e3]
    resp = random_resp(6, len(X), 3)
    sample_weight = np.random.default_rng(7).gamma(2.0, size=len(X)) if weighted else None
    options = {"sample_weight": sample_weight, "reg_covar": reg_covar}
    actual = maximize_under(case, X, resp, form, **options)
    expected = oracle_m_step(case, X, resp, **options)
    # Sums of 150 squares, at most some 1e2 larger than the variance.
    assert_same_mixture(case, actual, expected, atol=1e-12)


@pytest.mark.parametrize("case", UNSHARED, ids=lambda case: case.covariance_type)
@pytest.mark.parametrize("form", ["moment", "centred", "mixed"])
@pytest.mark.parametrize("shrinkage", [0.5, 30.0, 1e6])
def test_shrinkage_is_the_loop(case, form, shrinkage):
    _, X = case.problem(seed=8, n_samples=120)
    resp = random_resp(8, len(X), 3) ** 3  # unequal rows
    sample_weight = np.random.default_rng(9).gamma(2.0, size=len(X))
    options = {"sample_weight": sample_weight, "shrinkage": shrinkage, "reg_covar": 1e-3}
    actual = maximize_under(case, X, resp, form, **options)
    expected = oracle_m_step(case, X, resp, **options)
    assert_same_mixture(case, actual, expected, atol=1e-12)
    unshrunk = oracle_m_step(case, X, resp, sample_weight=sample_weight, reg_covar=1e-3)
    assert np.abs(actual.covariances / unshrunk.covariances - 1.0).max() > 1e-3


@every_family
@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
def test_ten_steps_are_ten_loops(case, weighted):
    start, X = case.problem(seed=10, n_samples=100, n_features=3)
    sample_weight = np.random.default_rng(10).gamma(2.0, size=len(X)) if weighted else None
    total = len(X) if sample_weight is None else sample_weight.sum()
    expected, lower_bounds = start, []
    for _ in range(10):
        norm, resp = oracles.e_step(X, expected.weights, expected.means, case.dense(expected))
        lower_bounds.append(norm @ (np.ones(len(X)) if sample_weight is None else sample_weight))
        expected = oracle_m_step(case, X, resp, sample_weight, reg_covar=1e-6)
    actual = case.fit(X, start, 10, sample_weight, reg_covar=1e-6)
    # Each step may enlarge the rounding of the one before by a small factor.
    assert_same_mixture(case, actual.params, expected, atol=1e-10)
    np.testing.assert_allclose(actual.lower_bounds, np.array(lower_bounds) / total, rtol=1e-11)


@every_family
def test_precisions_and_factors_belong_to_the_covariances(case):
    params, X = case.problem(seed=11, n_features=5)
    fitted = case.fit(X, params, 2).params
    family = case.family(Frame.identity(5))
    precisions = family.precisions(fitted.precisions_cholesky)
    products = oracles.dense(case.covariance_type, precisions, 3, 5) @ case.dense(fitted)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(5), (3, 5, 5)), atol=1e-12)
    np.testing.assert_allclose(
        family.invert_factors(family.factor_precisions(precisions)), fitted.covariances, atol=1e-12
    )


@every_family
def test_n_parameters_counts_the_distinct_numbers(case):
    for n_components, n_features in [(1, 1), (3, 1), (1, 4), (5, 7)]:
        rng = np.random.default_rng(12)
        params = case.random_params(rng, n_components, n_features)
        expected = len(np.unique(params.covariances)) + params.means.size + n_components - 1
        family = case.family(Frame.identity(n_features))
        assert family.n_parameters(params) == expected
        assert family.n_components(params) == n_components


@every_family
def test_sampling_has_the_moments_of_the_component(case):
    n_samples, n_features = 200_000, 3
    params, X = case.problem(seed=13, n_features=n_features)
    with case.bound(X) as (_, family):
        framed = family.to_frame(params)
        rows = family.sample(framed, 1, n_samples, np.random.RandomState(0))
    assert rows.shape == (n_samples, n_features)
    covariance = case.dense(params)[1]
    variances = np.diag(covariance)
    # Five standard errors: of a mean, and of a second moment of a Gaussian.
    mean_error = np.sqrt(variances / n_samples)
    assert np.all(np.abs(rows.mean(axis=0) - params.means[1]) < 5 * mean_error)
    covariance_error = np.sqrt((np.outer(variances, variances) + covariance**2) / n_samples)
    assert np.all(np.abs(np.cov(rows.T) - covariance) < 5 * covariance_error)


# Many features -----------------------------------------------------------------------------

WIDE_FAMILIES = pytest.mark.parametrize(
    "case",
    [case for case in FAMILIES if case.covariance_type in ("full", "tied")],
    ids=lambda case: case.covariance_type,
)


@WIDE_FAMILIES
@pytest.mark.parametrize("n_features", [96, 97, 128, 129, 257])
@pytest.mark.parametrize("form", ["chosen", "centred"])
def test_blocks_of_triangles_are_the_whole(case, n_features, form):
    assert len(matrices.blocks(n_features)) == -(-n_features // matrices.BLOCK)
    params, X = case.problem(20, 2 * n_features, 2, n_features, spread=0.3)
    resp = random_resp(20, len(X), 2)
    resp[: len(X) // 3] = [1.0, 0.0]
    with case.bound(X) as (source, family):
        framed = family.to_frame(params)
        if form == "chosen":
            passing = family.prepare(framed, X.dtype)
        else:
            passing = make_form(family, framed, form)
        actual = log_prob(passing, X)

        def resp_of(rows, out):
            out[:] = resp[rows].T

        fitted = family.maximize(framed, statistics_of(source, passing, resp_of))
        fitted = family.from_frame(fitted)
    expected = oracles.weighted_log_prob(X, params.weights, params.means, case.dense(params))
    np.testing.assert_allclose(actual, expected, rtol=1e-11)
    means = (resp.T @ X) / resp.sum(axis=0)[:, None]
    scatter = [(resp[:, k, None] * (X - means[k])).T @ (X - means[k]) for k in range(2)]
    if case.family.shared_covariance:
        covariances = sum(scatter) / len(X)
    else:
        covariances = np.array(scatter) / resp.sum(axis=0)[:, None, None]
    np.testing.assert_allclose(fitted.means, means, atol=1e-12)
    np.testing.assert_allclose(fitted.covariances, covariances, rtol=0, atol=1e-11)
    transposed = np.swapaxes(fitted.covariances, -1, -2)
    np.testing.assert_allclose(fitted.covariances, transposed, rtol=0, atol=1e-14)
    product = case.family(Frame.identity(n_features)).precisions(fitted.precisions_cholesky)
    identity = np.broadcast_to(np.eye(n_features), covariances.shape)
    # Condition numbers are below 1e4.
    np.testing.assert_allclose(product @ covariances, identity, atol=1e-9)


@pytest.mark.parametrize("n", [1, 7, 128, 129, 300])
def test_triangular_blocks_cover_a_symmetric_matrix(n):
    z = np.random.default_rng(21).normal(size=(n, 50))
    weight = np.random.default_rng(22).uniform(size=50)
    totals = matrices.zeros_lower(n, 2)
    matrices.add_lower(totals, 1, z, weight, Scratch())
    empty, full = matrices.from_lower(totals)
    np.testing.assert_array_equal(empty, 0.0)
    np.testing.assert_allclose(full, (z * weight) @ z.T, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(full, full.T)
    factor = np.triu(np.random.default_rng(23).normal(size=(n, n)))
    np.testing.assert_allclose(
        matrices.squared_norms(factor, z, Scratch()), ((factor.T @ z) ** 2).sum(axis=0), rtol=1e-12
    )


@pytest.mark.parametrize("share_of_zeros", [0.0, 0.2, 0.3, 0.9, 1.0])
def test_skipping_rows_of_zero_responsibility_changes_nothing(share_of_zeros):
    rng = np.random.default_rng(24)
    z = rng.normal(size=(6, 400))
    weight = rng.uniform(size=400)
    weight[rng.permutation(400)[: int(share_of_zeros * 400)]] = 0.0
    totals = matrices.zeros_lower(6, 1)
    matrices.add_lower(totals, 0, z, weight, Scratch())
    np.testing.assert_allclose(matrices.from_lower(totals)[0], (z * weight) @ z.T, atol=1e-12)


@every_form
def test_hard_responsibilities_give_the_covariances_of_the_parts(case, form):
    _, X = case.problem(seed=25, n_samples=90)
    labels = np.arange(90) % 3
    actual = maximize_under(case, X, np.eye(3)[labels], form)
    expected = oracle_m_step(case, X, np.eye(3)[labels])
    assert_same_mixture(case, actual, expected, atol=1e-12)


# What cannot be factored --------------------------------------------------------------------


@every_family
def test_singular_covariances_are_refused_or_repaired(case):
    X = np.repeat([[0.0, 1.0], [5.0, 5.0], [9.0, 1.0]], 10, axis=0)
    if case.family.shared_covariance or case.covariance_type == "spherical":
        X[:] = X[0]
    resp = np.eye(3)[np.repeat([0, 1, 2], 10)]
    with pytest.raises(ValueError, match="ill-defined empirical covariance"):
        maximize_under(case, X, resp, "centred")
    for options in [{"reg_covar": 1e-6}, {"reg_covar": 1e-300}, {"shrinkage": 1.0}]:
        if case.family.shared_covariance and "shrinkage" in options:
            continue
        params = maximize_under(case, X, resp, "centred", **options)
        assert all(np.isfinite(values).all() for values in params)
        np.linalg.cholesky(case.dense(params))


def test_inverse_cholesky_is_upper_and_refuses_singular_matrices():
    rng = np.random.default_rng(26)
    A = rng.normal(size=(3, 5, 5))
    covariances = A @ np.swapaxes(A, 1, 2) + 0.1 * np.eye(5)
    factors = matrices.inverse_cholesky(covariances)
    np.testing.assert_array_equal(factors, np.triu(factors))
    # inv(C) to a condition number of at most 1e3.
    np.testing.assert_allclose(
        factors @ np.swapaxes(factors, 1, 2), np.linalg.inv(covariances), rtol=1e-9, atol=1e-10
    )
    column = rng.normal(size=(5, 1))
    for singular in [np.zeros((5, 5)), column @ column.T, -np.eye(5)]:
        with pytest.raises(np.linalg.LinAlgError):
            matrices.inverse_cholesky(singular)
        raised = matrices.raise_eigenvalues(singular)
        assert np.isfinite(matrices.inverse_cholesky(raised)).all()
    np.testing.assert_array_equal(matrices.raise_eigenvalues(covariances), covariances)
