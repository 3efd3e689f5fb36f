"""Laws that EM obeys whatever the data, for every family."""

import warnings

import numpy as np
import pytest
from families import assert_same_mixture, every_family
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from skmix import GaussianMixture
from skmix._engine.em import em, em_step, expect
from skmix._families.rounding import MAX_RELATIVE_ERROR
from skmix._rows.sources import ArraySource
from skmix.exceptions import DegenerateComponentWarning

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 5))  # components, features


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """These problems are small: on a busy machine threads would only wait for each other."""
    with threadpool_limits(1):
        yield


def problem(case, seed, shape, n_samples=200):
    return case.problem(seed, n_samples, *shape)


def mixture_from(case, start, **options):
    """The estimator that starts from given parameters."""
    return GaussianMixture(
        len(start.weights),
        covariance_type=case.covariance_type,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=case.family.precisions(None, start.precisions_cholesky),
        **options,
    )


# Sums --------------------------------------------------------------------------------------


@every_family
@given(seed=SEEDS, shape=SHAPES, share=st.floats(0.01, 0.99), weighted=st.booleans())
def test_statistics_of_the_parts_add_up(case, seed, shape, share, weighted):
    params, X = problem(case, seed, shape)
    cut = int(np.ceil(share * (len(X) - 1)))
    weight = np.random.default_rng(seed).gamma(2.0, size=len(X)) if weighted else None
    with case.bound(X, weight) as (source, family):
        frame, framed = family.frame, family.to_frame(params)
        whole_log_likelihood, whole = expect(source, family.prepare(framed, X.dtype))
    parts = []
    for rows in [slice(0, cut), slice(cut, None)]:
        with ArraySource(X[rows], None if weight is None else weight[rows]) as source:
            family = case.family(frame).bound_to(source)
            parts.append(expect(source, family.prepare(framed, X.dtype)))
    # 200 terms that are at most 1e2 times their mean.
    log_likelihood = parts[0][0] + parts[1][0]
    assert log_likelihood == pytest.approx(whole_log_likelihood, rel=1e-12)
    for name in ["counts", "first", "second"]:
        total = getattr(parts[0][1], name) + getattr(parts[1][1], name)
        np.testing.assert_allclose(total, getattr(whole, name), rtol=0, atol=1e-11, err_msg=name)


@every_family
@given(seed=SEEDS, shape=SHAPES)
def test_a_weight_is_a_repetition(case, seed, shape):
    start, X = problem(case, seed, shape)
    weight = np.random.default_rng(seed).integers(1, 6, size=len(X))
    options = {"reg_covar": 1e-3}
    if not case.family.shared_covariance:
        options["shrinkage"] = 5.0
    weighted = case.fit(X, start, 10, weight.astype(np.float64), **options)
    repeated = case.fit(np.repeat(X, weight, axis=0), start, 10, **options)
    assert_same_mixture(case, weighted.params, repeated.params, atol=1e-9)
    np.testing.assert_allclose(weighted.lower_bounds, repeated.lower_bounds, rtol=1e-9)


@every_family
@given(seed=SEEDS, shape=SHAPES, factor=st.sampled_from([1e-20, 1e-6, 0.3, 1e20]))
def test_a_common_weight_changes_nothing(case, seed, shape, factor):
    start, X = problem(case, seed, shape)
    one = case.fit(X, start, 10, reg_covar=1e-3)
    many = case.fit(X, start, 10, np.full(len(X), factor), reg_covar=1e-3)
    assert_same_mixture(case, many.params, one.params, atol=1e-9)
    np.testing.assert_allclose(many.lower_bounds, one.lower_bounds, rtol=1e-9)


# Symmetries --------------------------------------------------------------------------------


@every_family
@given(seed=SEEDS, shape=SHAPES)
def test_the_order_of_rows_changes_nothing(case, seed, shape):
    start, X = problem(case, seed, shape)
    order = np.random.default_rng(seed).permutation(len(X))
    fitted = case.fit(X, start, 10, reg_covar=1e-3)
    permuted = case.fit(X[order], start, 10, reg_covar=1e-3)
    assert_same_mixture(case, permuted.params, fitted.params, atol=1e-9)
    np.testing.assert_allclose(permuted.log_density, fitted.log_density[order], atol=1e-9)


@every_family
@given(seed=SEEDS, shape=SHAPES)
def test_the_order_of_components_changes_nothing(case, seed, shape):
    start, X = problem(case, seed, shape)
    order = np.random.default_rng(seed).permutation(shape[0])
    covariances = start.covariances
    if not case.family.shared_covariance:
        covariances = covariances[order]
    permuted_start = case.params(start.weights[order], start.means[order], covariances)
    fitted = case.fit(X, start, 10, reg_covar=1e-3)
    permuted = case.fit(X, permuted_start, 10, reg_covar=1e-3)
    np.testing.assert_allclose(permuted.resp, fitted.resp[:, order], atol=1e-9)
    np.testing.assert_allclose(permuted.params.means, fitted.params.means[order], atol=1e-8)
    np.testing.assert_allclose(permuted.lower_bounds, fitted.lower_bounds, rtol=1e-10)


@every_family
@given(seed=SEEDS, shape=SHAPES)
def test_an_offset_changes_nothing_but_rounding(case, seed, shape):
    # Fractions of 2**-20 up to 1e7 have 44 bits: the offset itself does not round.
    start, X = problem(case, seed, shape)
    X = np.round(X * 2.0**20) / 2.0**20
    offset = np.where(np.arange(shape[1]) % 2, -1e7, 1e7)
    start = start._replace(means=np.round(start.means * 2.0**20) / 2.0**20)
    shifted_start = start._replace(means=start.means + offset)
    fitted = case.fit(X, start, 10)
    shifted = case.fit(X + offset, shifted_start, 10)
    np.testing.assert_allclose(shifted.log_density, fitted.log_density, rtol=0, atol=1e-9)
    np.testing.assert_allclose(shifted.resp, fitted.resp, rtol=0, atol=1e-9)
    # A mean is reported in the units of the rows, where 1e7 has a spacing of 2e-9.
    back = shifted.params._replace(means=shifted.params.means - offset)
    assert_same_mixture(case, back, fitted.params, atol=1e-8)


@every_family
@given(seed=SEEDS, shape=SHAPES, exponents=st.lists(st.floats(-8, 8), min_size=5, max_size=5))
def test_units_change_the_density_by_the_jacobian_only(case, seed, shape, exponents):
    start, X = problem(case, seed, shape)
    scale = 10.0 ** np.array(exponents[: shape[1]])
    if case.family.common_scale:
        scale[:] = scale[0]
    fitted = case.fit(X, start, 10)
    scaled = case.fit(X * scale, case.family.rescale(None, start, scale), 10)
    jacobian = np.log(scale).sum()
    # Rounding of X * scale, 1e-16, times slopes below 1e2 and what 10 steps make of it.
    np.testing.assert_allclose(
        scaled.log_density, fitted.log_density - jacobian, rtol=0, atol=1e-9
    )
    np.testing.assert_allclose(scaled.resp, fitted.resp, rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        scaled.lower_bounds, fitted.lower_bounds - jacobian, rtol=0, atol=1e-10
    )


def fit_from(case, X, start, n_iter):
    """The estimator, with nothing added to the variances, from a given start."""
    mixture = mixture_from(case, start, reg_covar=0.0, tol=0.0, max_iter=n_iter)
    with pytest.warns(ConvergenceWarning):  # the iterations run out, as they should
        return mixture.fit(X)


@every_family
@pytest.mark.parametrize("n_features", [1, 2, 5])
def test_the_estimator_takes_any_units(case, n_features):
    for seed in range(20):
        start, X = problem(case, seed, (3, n_features))
        scale = 10.0 ** np.random.default_rng(seed).uniform(-8, 8, size=n_features)
        if case.family.common_scale:
            scale[:] = scale[0]
        expected = fit_from(case, X, start, 5).score_samples(X) - np.log(scale).sum()
        scaled = fit_from(case, X * scale, case.family.rescale(None, start, scale), 5)
        density = scaled.score_samples(X * scale)
        np.testing.assert_allclose(density, expected, rtol=0, atol=1e-9)
        again = GaussianMixture.from_parameters(
            scaled.weights_,
            scaled.means_,
            scaled.covariances_,
            covariance_type=case.covariance_type,
        )
        np.testing.assert_allclose(again.score_samples(X * scale), expected, rtol=0, atol=1e-9)


@every_family
def test_the_estimator_takes_any_offset(case):
    for seed in range(10):
        start, X = problem(case, seed, (3, 3))
        expected = fit_from(case, X, start, 5).score_samples(X)
        X, start = X + 1e7, start._replace(means=start.means + 1e7)
        # Rows and means at 1e7 are known to 2e-9; slopes of the density are below 1e2.
        density = fit_from(case, X, start, 5).score_samples(X)
        np.testing.assert_allclose(density, expected, rtol=0, atol=1e-6)


@every_family
def test_float32_far_from_the_origin(case):
    # Sums are float64 and coordinates are about the mean: rounding enters with eps32 (1e-7) times
    # squared distances from the mean (1e2 at most, about 1e1 where it counts), as it would with
    # an exact mean of 0. The rows are the same numbers in both types.
    start, X = case.problem(30, 5_000, 3, 4, spread=1.5)
    X = ((X - X.mean(axis=0)) / X.std(axis=0) + 1e4).astype(np.float32)
    exact = X.astype(np.float64)
    start = case.params(
        start.weights, start.means - start.means.mean(axis=0) + 1e4, start.covariances
    )
    single, double = case.fit(X, start, 20), case.fit(exact, start, 20)
    assert single.log_density.dtype == np.float32
    assert_same_mixture(case, single.params, double.params, atol=1e-4)
    np.testing.assert_allclose(single.log_density, double.log_density, rtol=0, atol=1e-3)
    np.testing.assert_allclose(single.lower_bounds, double.lower_bounds, rtol=0, atol=1e-5)
    # The estimator rounds its attributes to float32: means at 1e4 to 5e-4.
    mixture = fit_from(case, X, start, 20)
    assert mixture.means_.dtype == mixture.covariances_.dtype == np.float32
    np.testing.assert_allclose(mixture.means_, double.params.means, rtol=0, atol=1e-3)
    np.testing.assert_allclose(mixture.covariances_, double.params.covariances, rtol=0, atol=1e-4)


# Ascent ------------------------------------------------------------------------------------


class Record:
    """A monitor that keeps every likelihood, also of a run that ends in an error."""

    def __init__(self):
        self.lower_bounds = []

    def iteration_begins(self, n_iter, params):
        pass

    def iteration_ends(self, n_iter, params, lower_bound, change):
        self.lower_bounds.append(lower_bound)
        return False


def lower_bounds_of(case, X, start, n_iter, **options):
    record = Record()
    with case.bound(X, **options) as (source, family):
        try:
            em(source, family, family.to_frame(start), tol=0.0, max_iter=n_iter, monitor=record)
        except ValueError as error:
            assert "ill-defined empirical covariance" in str(error)
    return np.array(record.lower_bounds)


def likelihood_error(n_features):
    """Bound on the error of a mean log-likelihood: that of one squared coordinate per feature.

    Moments are used while eps times the largest such square is below MAX_RELATIVE_ERROR; how the
    errors of the features add up depends on the order in which the processor's kernels add.
    """
    return n_features * MAX_RELATIVE_ERROR[np.dtype(np.float64)]


def start_at_rows(case, rng, X, n_components):
    """Means at random rows, spread as wide as the data."""
    means = X[rng.choice(len(X), n_components, replace=False)]
    covariance = np.cov(X.T).reshape(X.shape[1], X.shape[1])
    covariances = {
        "full": np.repeat(covariance[None], n_components, axis=0),
        "tied": covariance,
        "diag": np.repeat(np.diag(covariance)[None], n_components, axis=0),
        "spherical": np.full(n_components, np.trace(covariance) / X.shape[1]),
    }[case.covariance_type]
    return case.params(np.full(n_components, 1.0 / n_components), means, covariances)


@every_family
@given(
    seed=SEEDS,
    shape=SHAPES,
    tails=st.sampled_from(["normal", "heavy", "uniform", "clustered"]),
    offset=st.sampled_from([0.0, 1e6]),
)
def test_likelihood_never_falls(case, seed, shape, tails, offset):
    rng = np.random.default_rng(seed)
    n_components, n_features = shape
    size = (60 * n_components, n_features)
    X = {
        "normal": rng.standard_normal(size),
        "heavy": rng.standard_t(3, size),
        "uniform": rng.uniform(size=size),
        "clustered": rng.standard_normal(size) * 0.01 + rng.integers(0, 3, size=size),
    }[tails]
    X = X * 10.0 ** rng.uniform(-3, 3, size=1 if case.family.common_scale else n_features) + offset
    lower_bounds = lower_bounds_of(case, X, start_at_rows(case, rng, X, n_components), 60)
    assume(len(lower_bounds) >= 2)  # a start on an outlier may collapse at once
    assert np.diff(lower_bounds).min() >= -likelihood_error(n_features)


@every_family
@pytest.mark.parametrize("n_features", [1, 2, 20])
def test_likelihood_never_falls_where_the_form_changes(case, n_features):
    # Two clusters 1e2 to 1e5 times narrower than the data, from a start that is not: somewhere
    # moments give way to the centred form, and the error of one must not show in the other.
    for ratio in 10.0 ** np.arange(2, 5.1, 0.25):
        for seed in range(5):
            rng = np.random.default_rng(seed)
            means = np.array([[-5.0] * n_features, [5.0] * n_features])
            covariances = case.random_covariances(rng, 2, n_features)
            params = case.params([0.5, 0.5], means, covariances * (10 / ratio) ** 2)
            X = case.draw(rng, params, 400)
            covariances = 0.5 * case.random_covariances(rng, 2, n_features)
            start = case.params([0.5, 0.5], means + 0.3, covariances)
            lower_bounds = lower_bounds_of(case, X, start, 10)
            assert len(lower_bounds) == 10
            assert np.diff(lower_bounds).min() >= -likelihood_error(n_features), (ratio, seed)


# Components without rows ---------------------------------------------------------------------


@every_family
@pytest.mark.parametrize("shrink", [False, True], ids=["plain", "shrunk"])
def test_dead_components_keep_weight_zero_and_finite_parameters(case, shrink):
    shrinkage = 10.0 if shrink and not case.family.shared_covariance else 0.0
    start, X = case.problem(32, n_components=3, n_features=2)
    means = start.means.copy()
    means[1] = 1e5  # no row has a responsibility that a float can hold
    start = start._replace(means=means)
    fitted = case.fit(X, start, 10, reg_covar=1e-6, shrinkage=shrinkage)
    assert fitted.params.weights[1] == 0.0
    assert fitted.params.weights.sum() == pytest.approx(1.0, abs=1e-15)
    assert all(np.isfinite(values).all() for values in fitted.params)
    np.testing.assert_array_equal(fitted.params.means[1], 1e5)
    np.testing.assert_array_equal(fitted.resp[:, 1], 0.0)
    # The others do as if it had never been there.
    rest = [0, 2]
    covariances = start.covariances if case.family.shared_covariance else start.covariances[rest]
    alone_start = case.params(start.weights[rest], means[rest], covariances)
    alone = case.fit(X, alone_start, 10, reg_covar=1e-6, shrinkage=shrinkage)
    np.testing.assert_allclose(fitted.params.weights[rest], alone.params.weights, atol=1e-10)
    np.testing.assert_allclose(fitted.log_density, alone.log_density, rtol=0, atol=1e-9)
    # And it stays dead.
    with case.bound(X, reg_covar=1e-6, shrinkage=shrinkage) as (source, family):
        again, _ = em_step(source, family, family.to_frame(fitted.params))
    assert again.weights[1] == 0.0


@every_family
def test_responsibilities_that_underflow_are_no_error(case):
    start, X = case.problem(38, n_components=2, n_features=2, width=0.02)
    with np.errstate(all="raise"):
        fitted = case.fit(X, start, 3)
    assert np.any(fitted.resp == 0.0)  # or there was nothing to forgive


# Degenerate data -----------------------------------------------------------------------------

DEGENERATE = {
    "one point": np.ones((20, 3)),
    "two points": np.repeat(np.eye(3)[:2], 10, axis=0),
    "constant column": np.c_[np.arange(20.0) ** 2, np.full(20, 0.1), np.arange(20.0) % 7],
    "line": np.outer(np.arange(20.0), [1.0, -2.0, 1e-3]),
    "plane far away": np.c_[np.eye(20)[:, :2], np.eye(20)[:, :2].sum(axis=1)] + 1e8,
    "more features than rows": np.random.default_rng(33).normal(size=(5, 12)),
    "duplicates": np.repeat(np.random.default_rng(34).normal(size=(4, 3)), 5, axis=0),
    "tiny units": np.random.default_rng(35).normal(size=(20, 3)) * 1e-70,
    "huge units": np.random.default_rng(36).normal(size=(20, 3)) * 1e70,
    "outlier": np.r_[np.random.default_rng(37).normal(size=(19, 3)), [[1e12, 0.0, 0.0]]],
    "rounding apart": 1.0 + np.finfo(float).eps * np.arange(60.0).reshape(20, 3),
}


def fit_whatever_happens(case, X, n_components, reg_covar, shrinkage, **options):
    """A fit that must end in finite parameters, or in scikit-learn's error if that is due."""
    mixture = GaussianMixture(
        n_components,
        covariance_type=case.covariance_type,
        reg_covar=reg_covar,
        shrinkage=shrinkage,
        random_state=0,
        max_iter=20,
        **options,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # ours and that of the k-means start
        warnings.simplefilter("ignore", DegenerateComponentWarning)
        try:
            mixture.fit(X)
        except np.linalg.LinAlgError:
            pytest.fail("LinAlgError escaped")
        except ValueError as error:
            assert reg_covar == shrinkage == 0.0, error
            assert "ill-defined empirical covariance" in str(error)
            return None
    for name in ["weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"]:
        assert np.isfinite(getattr(mixture, name)).all(), name
    assert np.isfinite(mixture.lower_bound_)
    assert np.isfinite(mixture.score_samples(X)).all()
    np.testing.assert_allclose(mixture.predict_proba(X).sum(axis=1), 1.0, rtol=1e-12)
    return mixture


@every_family
@pytest.mark.parametrize("name", DEGENERATE)
@pytest.mark.parametrize("start", ["kmeans", "random_from_data"])
def test_degenerate_data(case, name, start):
    X = DEGENERATE[name]
    regularised = [(0.0, 0.0), (1e-6, 0.0), (1e-6, 5.0)]
    for n_components in [1, 3]:
        for reg_covar, shrinkage in regularised[: 2 if case.family.shared_covariance else 3]:
            fit_whatever_happens(case, X, n_components, reg_covar, shrinkage, init_params=start)


@every_family
def test_singular_data_without_regularisation_raise_scikit_learns_error(case):
    names = ["one point"]
    if case.covariance_type != "spherical":  # no variance of its own is zero
        names.append("constant column")
    if case.covariance_type in ("full", "tied"):
        names += ["line", "more features than rows"]
    for name in names:
        assert fit_whatever_happens(case, DEGENERATE[name], 1, 0.0, 0.0) is None, name


@every_family
@given(
    X=hnp.arrays(
        np.float64,
        st.tuples(st.integers(4, 12), st.integers(1, 4)),
        elements=st.one_of(
            st.integers(-2, 2).map(float),
            st.floats(-1e6, 1e6, allow_subnormal=False),
            st.sampled_from([1e-30, 1.0 + 1e-15, 1e8, 1e8 + 1e-7]),
        ),
    ),
    n_components=st.integers(1, 4),
    options=st.sampled_from([(0.0, 0.0), (1e-6, 0.0), (1e-6, 1.0), (1e-12, 0.0)]),
    dtype=st.sampled_from([np.float64, np.float32]),
)
def test_small_grids_of_values_never_escape(case, X, n_components, options, dtype):
    reg_covar, shrinkage = options
    assume(not (shrinkage and case.family.shared_covariance))
    X = X.astype(dtype)
    mixture = GaussianMixture(
        n_components,
        covariance_type=case.covariance_type,
        reg_covar=reg_covar,
        shrinkage=shrinkage,
        random_state=0,
        max_iter=10,
        init_params="random_from_data",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", DegenerateComponentWarning)
        try:
            mixture.fit(X)
        except ValueError as error:
            assert not isinstance(error, np.linalg.LinAlgError)
            assert reg_covar == 0.0
            assert "ill-defined empirical covariance" in str(error)
            return
    assert np.isfinite(mixture.means_).all()
    assert np.isfinite(mixture.covariances_).all()
    assert np.isfinite(mixture.precisions_cholesky_).all()
    assert np.isfinite(mixture.lower_bound_)
