"""EM on the likelihood of observed cells: every family against a loop over rows."""

import tracemalloc

import numpy as np
import oracles
import pytest
import scipy.integrate
import scipy.stats
from families import every_family, with_holes
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from skmix import DiagonalGMM, GaussianMixture, GMMBayesClassifier
from skmix._engine.em import em_step, predict_proba, score_samples
from skmix._engine.posteriors import impute
from skmix._families import Frame
from skmix._families import incomplete as _incomplete
from skmix._rows.sources import ArraySource

# Small and large blocks of missing and of observed cells; see SMALL_BLOCK.
SHAPES = [(3, 0.3), (4, 0.6), (12, 0.5), (30, 0.15), (30, 0.45), (30, 0.85)]


def incomplete_problem(case, n_features, share, n_samples=150, n_components=3, **options):
    params, X = case.problem(
        n_features,
        n_samples=n_samples,
        n_components=n_components,
        n_features=n_features,
        **options,
    )
    return params, with_holes(X, share)


def run(case, X, params, sample_weight=None, **options):
    """Log densities, responsibilities, one EM step and imputation, in the units of the rows."""
    with case.bound(X, sample_weight, incomplete=True, **options) as (source, family):
        framed = family.to_frame(params)
        new_params, lower_bound = em_step(source, family, framed)
        filled, std = impute(source, family, framed, return_std=True)
        return (
            score_samples(source, family, framed),
            predict_proba(source, family, framed),
            family.from_frame(new_params),
            lower_bound,
            filled,
            std,
        )


def assert_matches_oracle(case, X, params, atol, sample_weight=None, scale=1.0):
    log_prob, resp, new_params, lower_bound, filled, std = run(case, X, params, sample_weight)
    expected = oracles.conditional(X, params.weights, params.means, case.dense(params))
    norm, expected_resp, rows, covariances = expected
    np.testing.assert_allclose(log_prob, norm, rtol=0, atol=atol)
    np.testing.assert_allclose(lower_bound, np.average(norm, weights=sample_weight), atol=atol)
    np.testing.assert_allclose(resp, expected_resp, rtol=0, atol=atol)
    weights, means, matrices = oracles.completed_m_step(
        case.covariance_type, expected_resp, rows, covariances, sample_weight
    )
    np.testing.assert_allclose(new_params.weights, weights, rtol=0, atol=atol)
    np.testing.assert_allclose(new_params.means, means, rtol=0, atol=atol * scale)
    np.testing.assert_allclose(new_params.covariances, matrices, rtol=0, atol=atol * scale**2)
    mean, deviation = oracles.posterior(expected_resp, rows, covariances)
    missing = np.isnan(X)
    np.testing.assert_array_equal(filled[~missing], X[~missing])
    np.testing.assert_allclose(filled[missing], mean[missing], rtol=0, atol=atol * scale)
    np.testing.assert_allclose(std[missing], deviation[missing], rtol=0, atol=atol * scale)
    assert not np.any(std[~missing])


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """These problems are small: on a busy machine threads would only wait for each other."""
    with threadpool_limits(1):
        yield


@every_family
@pytest.mark.parametrize(("n_features", "share"), SHAPES)
def test_step_equals_a_loop_over_rows(case, n_features, share):
    params, X = incomplete_problem(case, n_features, share)
    assert_matches_oracle(case, X, params, atol=1e-11)


@every_family
def test_rows_that_share_few_patterns(case):
    params, X = case.problem(5, n_samples=120, n_features=40)
    patterns = np.random.default_rng(1).random((5, 40)) < [[0.4], [0.4], [0.7], [0.7], [0.0]]
    X[patterns[np.arange(120) % 5]] = np.nan
    assert_matches_oracle(case, X, params, atol=1e-11)


@every_family
def test_weights_enter_the_step(case):
    params, X = incomplete_problem(case, 5, 0.4)
    weight = np.random.default_rng(0).uniform(0.1, 3.0, size=len(X))
    assert_matches_oracle(case, X, params, 1e-11, sample_weight=weight)


@every_family
def test_one_observed_cell_per_row(case):
    params, X = case.problem(3, n_features=6, n_samples=90)
    X[np.arange(6) != np.arange(90)[:, None] % 6] = np.nan
    assert_matches_oracle(case, X, params, atol=1e-11)


@every_family
def test_far_from_the_origin_and_in_other_units(case):
    # 1e7 away one digit in 1e9 of a standard deviation is left.
    params, X = incomplete_problem(case, 6, 0.35)
    far = params._replace(means=params.means + 1e7)
    assert_matches_oracle(case, X + 1e7, far, atol=1e-5)
    small = case.params(params.weights, 1e-6 * params.means, 1e-12 * params.covariances)
    assert_matches_oracle(case, 1e-6 * X, small, atol=1e-11, scale=1e-6)


@every_family
def test_narrow_components_keep_their_digits(case):
    # 1e6 standard deviations apart: the moment form of independent features would lose them.
    params, X = incomplete_problem(case, 5, 0.4, width=1e-6)
    assert_matches_oracle(case, X, params, atol=1e-8)


@every_family
def test_nothing_missing_is_a_complete_fit(case):
    params, X = case.problem(2, n_features=6)
    with case.bound(X) as (source, family):
        complete, bound = em_step(source, family, family.to_frame(params))
        complete = family.from_frame(complete)
    _, _, new_params, lower_bound, filled, std = run(case, X, params)
    np.testing.assert_allclose(lower_bound, bound, rtol=1e-13)
    np.testing.assert_allclose(new_params.means, complete.means, atol=1e-12)
    np.testing.assert_allclose(new_params.covariances, complete.covariances, atol=1e-12)
    np.testing.assert_array_equal(filled, X)
    assert not np.any(std)


@every_family
def test_float32_rows(case):
    params, X = incomplete_problem(case, 6, 0.4)
    log_prob, resp, new_params, _, filled, std = run(case, X.astype(np.float32), params)
    expected = run(case, X.astype(np.float32).astype(np.float64), params)
    assert log_prob.dtype == resp.dtype == filled.dtype == std.dtype == np.float32
    np.testing.assert_allclose(log_prob, expected[0], atol=2e-4)
    np.testing.assert_allclose(new_params.covariances, expected[2].covariances, rtol=1e-4)
    np.testing.assert_allclose(filled, expected[4], atol=1e-4)


@every_family
@given(seed=st.integers(0, 10_000), share=st.floats(0.05, 0.8))
def test_likelihood_never_decreases(case, seed, share):
    params, X = case.problem(seed, n_samples=60, n_components=2, n_features=4)
    start = case.params(params.weights, X[:2], params.covariances)
    bounds = case.fit(with_holes(X, share, seed), start, 12, incomplete=True).lower_bounds
    assert np.all(np.diff(bounds) >= -1e-11 * np.abs(bounds[1:]))


@every_family
@given(seed=st.integers(0, 10_000))
def test_features_may_be_permuted(case, seed):
    params, X = case.problem(seed, n_samples=40, n_components=2, n_features=5)
    X = with_holes(X, 0.4, seed)
    order = np.random.default_rng(seed).permutation(5)
    covariances = params.covariances
    if case.covariance_type in ("full", "tied"):
        covariances = covariances[..., order, :][..., order]
    elif case.covariance_type == "diag":
        covariances = covariances[:, order]
    permuted = case.params(params.weights, params.means[:, order], covariances)
    log_prob, _, _, _, filled, std = run(case, X, params)
    other = run(case, X[:, order], permuted)
    np.testing.assert_allclose(other[0], log_prob, atol=1e-11)
    np.testing.assert_allclose(other[4], filled[:, order], atol=1e-11)
    np.testing.assert_allclose(other[5], std[:, order], atol=1e-11)


@every_family
@pytest.mark.parametrize("share", [0.0, 0.4])
@pytest.mark.parametrize("width", [1.0, 1e-4])
def test_known_noise_is_taken_out_in_the_step(case, share, width):
    params, X = case.problem(1, n_samples=120, n_features=5, width=width)
    X = with_holes(X, share)
    noise = np.array([0.1, 0.3, 0.0, 0.5, 2.0])
    noise = width**2 * (np.full(5, 0.3) if case.family.common_scale else noise)
    clean = case.dense(params)
    norm, resp, rows, spread = oracles.conditional(
        X, params.weights, params.means, clean + np.diag(noise)
    )
    gain = clean @ np.linalg.inv(clean + np.diag(noise))
    rows = params.means + np.einsum("kde,nke->nkd", gain, rows - params.means)
    spread = clean - gain @ clean + gain @ spread @ gain.swapaxes(1, 2)
    weights, means, covariances = oracles.completed_m_step(
        case.covariance_type, resp, rows, spread
    )
    incomplete = share > 0
    with case.bound(X, incomplete=incomplete, noise_variance=noise) as (source, family):
        new_params, bound = em_step(source, family, family.to_frame(params))
        new_params = family.from_frame(new_params)
    np.testing.assert_allclose(bound, norm.mean(), rtol=1e-10)
    np.testing.assert_allclose(new_params.weights, weights, atol=1e-12)
    np.testing.assert_allclose(new_params.means, means, atol=1e-10 * width + 1e-14)
    np.testing.assert_allclose(new_params.covariances, covariances, atol=1e-10 * width**2)


@every_family
@given(seed=st.integers(0, 10_000))
def test_likelihood_of_noisy_rows_never_decreases(case, seed):
    params, X = case.problem(seed, n_samples=60, n_components=2, n_features=4)
    start = case.params(params.weights, X[:2], params.covariances)
    bounds = case.fit(X, start, 12, noise_variance=np.full(4, 0.5)).lower_bounds
    assert np.all(np.diff(bounds) >= -1e-11 * np.abs(bounds[1:]))


# Engine


@every_family
def test_same_bits_on_any_number_of_threads(case):
    X = with_holes(case.problem(1, n_samples=40_000, n_features=6)[1], 0.3)
    fits = []
    for n_threads in (1, 4):
        with threadpool_limits(n_threads):
            mixture = GaussianMixture(
                3, covariance_type=case.covariance_type, random_state=0, max_iter=3, tol=0.0
            )
            with pytest.warns(match="did not converge"):
                fits.append((mixture.fit(X), mixture.impute(X)))
    np.testing.assert_array_equal(fits[0][0].covariances_, fits[1][0].covariances_)
    np.testing.assert_array_equal(fits[0][1], fits[1][1])


@every_family
def test_chunks_add_up(case, monkeypatch):
    params, X = incomplete_problem(case, 5, 0.4, n_samples=700)
    whole = run(case, X, params)
    monkeypatch.setattr(_incomplete, "MAX_CHUNK_BYTES", 1)
    monkeypatch.setattr("skmix._rows.sources.CHUNK_BYTES", 1)
    monkeypatch.setattr("skmix._rows.sources.MIN_CHUNK_ROWS", 64)
    for parts, expected in zip(run(case, X, params), whole, strict=True):
        if hasattr(parts, "covariances"):
            parts, expected = parts.covariances, expected.covariances
        np.testing.assert_allclose(parts, expected, rtol=1e-11, atol=1e-12)


def test_scoring_many_features_and_components_needs_little_memory():
    rng = np.random.default_rng(0)
    X = with_holes(rng.normal(size=(3000, 100)), 0.5)
    mixture = GaussianMixture.from_parameters(
        np.full(40, 1 / 40),
        rng.normal(size=(40, 100)),
        np.broadcast_to(np.eye(100), (40, 100, 100)),
    )
    tracemalloc.start()
    mixture.score_samples(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Rows times features times components in float64 would be 96 MB.
    parameters = 8 * 40 * 100**2
    assert peak < 8 * parameters + 48 * 2**20


# The frame


def test_frame_of_incomplete_rows():
    rng = np.random.default_rng(0)
    X = with_holes(rng.normal(size=(500, 4)) * [1e-3, 1.0, 50.0, 1.0] + [0.0, 1e6, -3.0, 0.0], 0.4)
    X[:3] = np.nan
    X[:, 3] = np.where(np.arange(500) == 499, 7.0, np.nan)  # one value, in the last row
    with ArraySource(X) as source:
        frame = Frame.of_source(source)
    mean, sd = np.nanmean(X, axis=0), np.nanstd(X, axis=0)
    np.testing.assert_allclose(frame.reference, mean, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_less(np.abs(np.log2(sd[:3] / frame.scale[:3])), 0.5 + 1e-6)
    assert frame.scale[3] == 1.0
    np.testing.assert_allclose(
        frame.radius, np.nanmax(np.abs(X - frame.reference), axis=0) / frame.scale
    )


# Estimators

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
each_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


def blobs(n_samples=300, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n_samples) % 3
    centres = np.array([[0.0, 0.0, 4.0], [4.0, 1.0, 0.0], [0.0, 5.0, -4.0]])
    mixing = np.array([[1.0, 0.6, 0.0], [0.0, 0.8, 0.3], [0.0, 0.0, 0.7]])
    return centres[labels] + rng.normal(size=(n_samples, 3)) @ mixing, labels


def learned(mixture):
    return {
        name: getattr(mixture, name)
        for name in ("weights_", "means_", "covariances_", "lower_bound_", "n_iter_")
    }


def assert_equal_fits(actual, expected):
    for name, value in learned(expected).items():
        # Sums of the same numbers may depend on where in memory they begin.
        np.testing.assert_allclose(getattr(actual, name), value, rtol=1e-10, err_msg=name)


@each_type
def test_complete_rows_take_the_same_path_as_ever(covariance_type, monkeypatch):
    X, _ = blobs()
    mixture = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
    expected = mixture.score_samples(X)

    def refuse(*args, **options):
        raise AssertionError("a form for missing cells")

    for form in (_incomplete.MaskedForm, _incomplete.ConditionalForm):
        monkeypatch.setattr(form, "__init__", refuse)
    again = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
    np.testing.assert_array_equal(again.covariances_, mixture.covariances_)
    np.testing.assert_array_equal(again.score_samples(X), expected)
    with pytest.raises(AssertionError, match="a form for missing cells"):
        again.score_samples(with_holes(X, 0.3))


@each_type
def test_rows_that_are_entirely_missing_are_left_out(covariance_type):
    X, _ = blobs()
    for rows in (X, with_holes(X, 0.3)):
        empty = np.insert(rows, [0, 10, 10, 300], np.nan, axis=0)
        weight = np.random.default_rng(0).uniform(0.5, 2.0, size=len(rows))
        for weights in (None, weight):
            mixture = GaussianMixture(3, covariance_type=covariance_type, random_state=0)
            expected = mixture.fit(rows, sample_weight=weights)
            others = None if weights is None else np.insert(weights, [0, 10, 10, 300], 9.0)
            other = GaussianMixture(3, covariance_type=covariance_type, random_state=0)
            assert_equal_fits(other.fit(empty, sample_weight=others), expected)
        assert other.score_samples(empty)[[0, 11, 12, 303]].tolist() == [0.0] * 4
        np.testing.assert_allclose(other.predict_proba(empty)[0], other.weights_, rtol=1e-12)
        assert other.predict(empty)[0] == np.argmax(other.weights_)
        np.testing.assert_allclose(
            other.impute(empty)[0], other.weights_ @ other.means_, rtol=1e-12
        )


@each_type
def test_fits_of_incomplete_rows_find_the_clusters(covariance_type):
    X, labels = blobs()
    mixture = GaussianMixture(3, covariance_type=covariance_type, random_state=0)
    found = mixture.fit_predict(with_holes(X, 0.25))
    table = np.array([[np.sum((labels == i) & (found == j)) for j in range(3)] for i in range(3)])
    assert table.max(axis=1).sum() > 0.9 * len(X)
    assert mixture.lower_bound_ < mixture.score(with_holes(X, 0.25)) + 1e-3


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
@each_type
def test_every_start_takes_holes(covariance_type, init_params):
    X = with_holes(blobs()[0], 0.3)
    mixture = GaussianMixture(
        3, covariance_type=covariance_type, init_params=init_params, random_state=0, max_iter=500
    ).fit(X)
    assert np.all(np.diff(mixture.lower_bounds_) > -1e-6)  # reg_covar is added in every step
    assert np.all(np.isfinite(mixture.covariances_))


def test_large_rows_start_from_a_subsample():
    X = with_holes(blobs(25_000)[0], 0.2)
    mixture = GaussianMixture(3, random_state=0).fit(X)
    np.testing.assert_allclose(np.sort(mixture.weights_), [1 / 3] * 3, atol=0.01)


def test_identical_starts_are_moved_to_observed_values():
    X = with_holes(blobs()[0], 0.5)
    with pytest.warns(match="started identical"):
        mixture = GaussianMixture(
            2, means_init=np.zeros((2, 3)), precisions_init=[np.eye(3)] * 2, random_state=0
        ).fit(X)
    assert np.all(np.isfinite(mixture.means_))


@each_type
def test_weights_are_repetitions(covariance_type):
    X = with_holes(blobs(90)[0], 0.3)
    times = np.arange(90) % 4
    start = {"means_init": blobs(3)[0], "weights_init": np.full(3, 1 / 3)}
    precisions = {
        "full": np.tile(np.eye(3), (3, 1, 1)),
        "tied": np.eye(3),
        "diag": np.ones((3, 3)),
    }
    start["precisions_init"] = precisions.get(covariance_type, np.ones(3))
    mixture = GaussianMixture(3, covariance_type=covariance_type, tol=1e-9, max_iter=300, **start)
    weighted = learned(mixture.fit(X, sample_weight=times))
    repeated = learned(mixture.fit(np.repeat(X, times, axis=0)))
    for name in ("weights_", "means_", "covariances_", "lower_bound_"):
        np.testing.assert_allclose(weighted[name], repeated[name], atol=1e-8, err_msg=name)


@pytest.mark.parametrize("axis", [0, 1])
def test_density_of_observed_cells_is_an_integral(axis):
    mixture = GaussianMixture(2, random_state=0).fit(blobs()[0][:, :2])
    row = np.array([0.5, 1.5])
    row[axis] = np.nan

    def density(value):
        return np.exp(mixture.score_samples(np.where(np.isnan(row), value, row)[None])[0])

    points = np.sort(mixture.means_[:, axis])
    mass, _ = scipy.integrate.quad(density, -30, 30, points=points, limit=200)
    mean, _ = scipy.integrate.quad(
        lambda value: value * density(value), -30, 30, points=points, limit=200
    )
    np.testing.assert_allclose(np.exp(mixture.score_samples(row[None])), mass, rtol=1e-7)
    np.testing.assert_allclose(mixture.impute(row[None])[0, axis], mean / mass, rtol=1e-6)


@each_type
def test_criteria_and_score_use_observed_cells(covariance_type):
    X = with_holes(blobs()[0], 0.3)
    mixture = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(X)
    assert mixture.score(X) == pytest.approx(mixture.score_samples(X).mean())
    assert np.isfinite(mixture.bic(X)) and np.isfinite(mixture.aic(X))


def as_pandas(X):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(X, columns=["a", "b", "c"]).convert_dtypes()


def test_pandas_missing_values():
    X = np.round(with_holes(blobs()[0], 0.3))
    frame = as_pandas(X)
    assert frame.isna().to_numpy().any()
    mixture = GaussianMixture(2, random_state=0)
    expected = learned(mixture.fit(X))
    for name, value in learned(mixture.fit(frame)).items():
        np.testing.assert_array_equal(value, expected[name])
    np.testing.assert_array_equal(mixture.impute(frame), mixture.impute(frame.astype(float)))
    marginal = mixture.marginal(["c", "a"])
    np.testing.assert_array_equal(marginal.means_, mixture.means_[:, [2, 0]])
    np.testing.assert_array_equal(marginal.feature_names_in_, ["c", "a"])


def test_holes_only_when_used():
    X, _ = blobs()
    mixture = GaussianMixture(3, random_state=0).fit(X)
    holes = with_holes(X, 0.4)
    assert np.all(np.isfinite(mixture.score_samples(holes)))
    complete = ~np.isnan(holes).any(axis=1)
    np.testing.assert_allclose(
        mixture.score_samples(holes)[complete], mixture.score_samples(X)[complete], rtol=1e-10
    )


def test_rows_are_not_written_to():
    X = with_holes(blobs()[0], 0.3)
    X.setflags(write=False)
    before = X.copy()
    mixture = GaussianMixture(2, random_state=0).fit(X)
    filled = mixture.impute(X)
    np.testing.assert_array_equal(X, before)
    assert filled.flags.writeable and not np.isnan(filled).any()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_types_and_layouts(dtype, order):
    X = np.asarray(with_holes(blobs()[0], 0.3), dtype=dtype, order=order)
    mixture = GaussianMixture(2, random_state=0).fit(X)
    assert mixture.means_.dtype == dtype
    assert mixture.impute(X).dtype == dtype
    filled, std = mixture.impute(X, return_std=True)
    np.testing.assert_array_equal(filled[~np.isnan(X)], X[~np.isnan(X)])
    assert std.dtype == dtype


@pytest.mark.parametrize("make", [GaussianMixture, DiagonalGMM, GMMBayesClassifier])
def test_infinite_values_and_empty_columns_are_refused(make):
    X, y = blobs()
    estimator = make(2, random_state=0).fit(X, y)
    kept = estimator.predict(X)
    infinite = X.copy()
    infinite[0, 0] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        estimator.fit(infinite, y)
    with pytest.raises(ValueError, match="infinity"):
        estimator.predict(infinite)
    empty = X.copy()
    empty[:, 1] = np.nan
    with pytest.raises(ValueError, match=r"Column\(s\) 1 of X are entirely missing.*Drop"):
        estimator.fit(empty, y)
    np.testing.assert_array_equal(estimator.predict(X), kept)


def test_empty_columns_are_named():
    X, _ = blobs()
    X[:, 1] = np.nan
    with pytest.raises(ValueError, match=r"Column\(s\) 'b' of X"):
        GaussianMixture().fit(as_pandas(X).astype(float))
    X[:5, 1] = 1.0
    with pytest.raises(ValueError, match=r"Column\(s\) 1 of X.*positive weight"):
        GaussianMixture().fit(X, sample_weight=np.arange(300) >= 5)


def test_classifier_integrates_missing_cells_out():
    X, y = blobs()
    classifier = GMMBayesClassifier(2, covariance_type="full", random_state=0).fit(X, y)
    X[:, 2] = np.nan
    joint = np.column_stack(
        [
            mixture.marginal([0, 1]).score_samples(X[:, :2]) + np.log(prior)
            for mixture, prior in zip(classifier.mixtures_, classifier.class_prior_, strict=True)
        ]
    )
    proba = np.exp(joint - np.logaddexp.reduce(joint, axis=1)[:, None])
    np.testing.assert_allclose(classifier.predict_proba(X), proba, atol=1e-12)
    X[:] = np.nan
    np.testing.assert_allclose(
        classifier.predict_proba(X), np.tile(classifier.class_prior_, (300, 1)), atol=1e-12
    )


def test_classifier_learns_from_incomplete_rows():
    X, y = blobs()
    holes = with_holes(X, 0.3)
    holes[:3] = np.nan
    classifier = GMMBayesClassifier(covariance_type="full").fit(holes, y)
    assert classifier.score(X, y) > 0.95
