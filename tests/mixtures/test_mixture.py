"""Components of one's own: skmix.Mixture and skmix.families."""

import functools
import pickle
import warnings
from typing import NamedTuple

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from own_families import Normal, NormalParams, Poisson, PoissonParams
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.utils import get_tags
from threadpoolctl import threadpool_limits

import skmix
from skmix import CategoricalMixture, DiagonalGMM, Mixture, bootstrap_lrt, select_mixture
from skmix._engine.em import em, em_step
from skmix._families import DiagonalGaussian, Frame, GaussianParams
from skmix._rows.sources import ArraySource
from skmix.families import LinearFamily, LinearStatistics

RATES = np.array([[1.0, 8.0, 3.0], [6.0, 2.0, 3.0], [12.0, 9.0, 0.5]])
WEIGHTS = np.array([0.5, 0.3, 0.2])
TRUTH = PoissonParams(WEIGHTS, RATES)


def counts(n_samples=600, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, size=n_samples, p=WEIGHTS)
    return rng.poisson(RATES[labels]).astype(dtype)


def with_holes(X, share=0.2):
    rng = np.random.default_rng(1)
    holes = rng.random(X.shape) < share
    holes[np.arange(len(X)), rng.integers(X.shape[1], size=len(X))] = False
    return np.where(holes, np.nan, X).astype(X.dtype)


def log_joint(X, params):
    """Log weight + log probability of the observed counts, by scipy, (n_samples, K)."""
    cells = scipy.stats.poisson.logpmf(np.nan_to_num(X)[:, None], params.rates)
    cells = np.where(np.isnan(X)[:, None], 0.0, cells)
    return np.log(params.weights) + cells.sum(axis=2)


def log_density(X, params):
    return np.logaddexp.reduce(log_joint(X, params), axis=1)


def step(X, params, sample_weight, hard):
    """One EM iteration by a loop over rows."""
    sums, observed = np.zeros((2, *params.rates.shape))
    n, total = np.zeros(len(params.weights)), 0.0
    for row, joint, weight in zip(X, log_joint(X, params), sample_weight, strict=True):
        norm = joint.max() if hard else np.logaddexp.reduce(joint)
        resp = np.eye(len(joint))[joint.argmax()] if hard else np.exp(joint - norm)
        total += weight * norm
        for k in range(len(n)):
            n[k] += weight * resp[k]
            for j, x in enumerate(row):
                if not np.isnan(x):
                    sums[k, j] += weight * resp[k] * x
                    observed[k, j] += weight * resp[k]
    return PoissonParams(n / n.sum(), sums / observed), total / np.sum(sample_weight)


def by_size(params):
    order = np.argsort(-params.weights)
    return type(params)(*(field[order] for field in params))


def fit(X, n_components=3, sample_weight=None, **options):
    options = {"family_factory": Poisson, "random_state": 0, **options}
    return Mixture(n_components, **options).fit(X, sample_weight=sample_weight)


# Against oracles -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("holes", [False, True])
def test_scores_are_those_of_scipy(holes, dtype):
    X = counts(dtype=dtype)
    X = with_holes(X) if holes else X
    mixture = fit(X)
    expected = log_joint(X.astype(np.float64), mixture.params_)
    norm = np.logaddexp.reduce(expected, axis=1)
    tolerance = 1e-10 if dtype == np.float64 else 1e-5  # of the returned float32
    scores, resp = mixture.score_samples(X), mixture.predict_proba(X)
    assert scores.dtype == resp.dtype == dtype
    np.testing.assert_allclose(scores, norm, rtol=0, atol=tolerance)
    np.testing.assert_allclose(resp, np.exp(expected - norm[:, None]), rtol=0, atol=tolerance)
    np.testing.assert_array_equal(mixture.predict(X), expected.argmax(axis=1))
    assert mixture.weights_ is mixture.params_.weights


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("holes", [False, True])
def test_an_iteration_equals_a_loop_over_rows(holes, hard):
    X = with_holes(counts(80)) if holes else counts(80)
    weight = np.random.default_rng(2).uniform(0.2, 3.0, len(X))
    with ArraySource(X, weight) as source:
        family = Poisson(3).for_rows(source)
        params, lower_bound = em_step(source, family, TRUTH, hard=hard)
    expected, expected_bound = step(X, TRUTH, weight, hard)
    np.testing.assert_allclose(params.weights, expected.weights, rtol=1e-12)
    np.testing.assert_allclose(params.rates, expected.rates, rtol=1e-11)
    assert lower_bound == pytest.approx(expected_bound, rel=1e-12)


def test_the_base_can_express_gaussians():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 4)) * [1.0, 0.5, 2.0, 1.0]
    weights, means = np.array([0.3, 0.7]), rng.standard_normal((2, 4))
    variances = rng.uniform(0.5, 2.0, (2, 4))
    with ArraySource(X) as source:
        family = DiagonalGaussian(Frame.identity(4), reg_covar=1e-6)
        params = GaussianParams(weights, means, variances, 1.0 / np.sqrt(variances))
        expected = em(source, family, params, tol=0.0, max_iter=5)
        own = Normal(4).for_rows(source)
        actual = em(source, own, NormalParams(weights, means, variances), tol=0.0, max_iter=5)
    np.testing.assert_allclose(actual.lower_bounds, expected.lower_bounds, rtol=1e-12)
    np.testing.assert_allclose(actual.params.means, expected.params.means, rtol=1e-9)
    np.testing.assert_allclose(actual.params.variances, expected.params.covariances, rtol=1e-9)


class Answers(LinearFamily):
    """Yes or no in every column: latent class analysis, accelerated."""

    def features(self, X):
        return X

    def coefficients(self, params):
        return np.log(params.rates / (1 - params.rates))

    def constants(self, params):
        return np.log1p(-params.rates).sum(axis=1)

    def estimate(self, weights, means, counts):
        return PoissonParams(weights, np.clip(means, 1e-9, 1 - 1e-9))

    def sample(self, params, component, n_samples, rng):
        return rng.binomial(1, params.rates[component], (n_samples, self.n_features))

    def n_parameters(self, params):
        return params.rates.size + len(params.weights) - 1


class FastAnswers(Answers):
    def coordinates(self, params):
        return np.concatenate([params.weights, params.rates.ravel()])

    def from_coordinates(self, coordinates, fallback):
        nearest = np.clip(coordinates, 1e-3 * self.coordinates(fallback), 1 - 1e-9)
        weights, rates = np.split(nearest, [len(fallback.weights)])
        return PoissonParams(weights / weights.sum(), rates.reshape(fallback.rates.shape))

    def log_prior(self, params):
        return 0.0


def answers(n_samples=400):
    rng = np.random.default_rng(3)
    classes = rng.uniform(0.1, 0.9, (2, 6))
    return rng.binomial(1, classes[rng.integers(2, size=n_samples)]).astype(np.float64)


def test_the_base_can_express_categories_and_extrapolation():
    X = answers()
    exact = {"tol": 1e-9, "max_iter": 20_000, "random_state": 0}
    expected = CategoricalMixture(2, **exact).fit(X)
    for family in (Answers, FastAnswers):
        actual = Mixture(2, family_factory=family, **exact).fit(X)
        assert actual.score(X) == pytest.approx(expected.score(X), abs=1e-5)
        assert actual.n_parameters == expected.n_parameters
    assert actual._accelerate
    start = Answers(6).estimate(np.full(2, 0.5), np.array([[0.4] * 6, [0.6] * 6]), None)
    passes = {}
    for family in (Answers, FastAnswers):
        mixture = Mixture(2, family_factory=family, warm_start=True, **exact)
        mixture.weights_, mixture.params_, mixture.family_ = start.weights, start, family(6)
        mixture.lower_bound_ = -np.inf
        passes[family] = mixture.fit(X).n_iter_
        assert np.all(np.diff(mixture.lower_bounds_) >= -1e-12)
    assert passes[FastAnswers] < passes[Answers] / 2


# Laws ----------------------------------------------------------------------------------------


@given(seed=st.integers(0, 10_000), n_components=st.integers(1, 4), hard=st.booleans())
def test_no_iteration_lowers_the_likelihood(seed, n_components, hard):
    X = with_holes(counts(120, seed))
    family = Poisson(3)
    start = next(family.starts(X, np.ones(len(X)), n_components, np.random.RandomState(seed)))
    with ArraySource(X) as source:
        result = em(source, family.for_rows(source), start, tol=0.0, max_iter=30, hard=hard)
    assert np.all(np.diff(result.lower_bounds) >= -1e-10)


def test_lower_bound_is_the_mean_score_of_the_fit():
    X, weight = counts(), np.random.default_rng(0).uniform(0.5, 2, 600)
    mixture = fit(X, sample_weight=weight, tol=1e-12)
    scores = mixture.score_samples(X)
    assert mixture.lower_bound_ == pytest.approx(np.average(scores, weights=weight), abs=1e-9)
    assert mixture.bic(X) == pytest.approx(-2 * scores.sum() + 11 * np.log(600))
    assert mixture.n_parameters == 11


def test_a_weight_is_a_repetition_and_rows_come_in_any_order():
    X = counts(300)
    weight = np.random.default_rng(0).integers(0, 4, 300)
    expected = fit(np.repeat(X, weight, axis=0), tol=1e-9).score_samples(X)
    order = np.random.default_rng(1).permutation(300)
    actual = fit(X[order], sample_weight=weight[order], tol=1e-9).score_samples(X)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_same_bits_on_one_thread_and_on_two(dtype):
    X = np.tile(counts(dtype=dtype), (100, 1))
    fits = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            fits.append(fit(X, max_iter=3, tol=0.5))
    assert fits[0].lower_bounds_ == fits[1].lower_bounds_
    for one, two in zip(fits[0].params_, fits[1].params_, strict=True):
        np.testing.assert_array_equal(one, two)


def test_float32_rows_are_computed_in_float32_where_that_is_safe():
    X = counts(dtype=np.float32)
    with ArraySource(X) as source:
        family = Poisson(3).for_rows(source)
        assert family.prepare(TRUTH, np.dtype(np.float32)).dtype == np.float32
        far = PoissonParams(WEIGHTS, np.exp(1e3 * np.array([[0.1, -0.1, 0.1]] * 3)))
        assert family.prepare(far, np.dtype(np.float32)).dtype == np.float64
    assert Poisson(3).prepare(TRUTH, np.dtype(np.float32)).dtype == np.float64  # rows unknown
    single, double = fit(X), fit(X.astype(np.float64))
    np.testing.assert_allclose(
        by_size(single.params_).rates, by_size(double.params_).rates, rtol=1e-3
    )
    assert single.lower_bound_ == pytest.approx(double.lower_bound_, abs=1e-5)
    large = X + np.float32(3e5)  # log densities of 1e7 nats cancel
    np.testing.assert_allclose(
        fit(large, 2).params_.rates, fit(large.astype(np.float64), 2).params_.rates, rtol=1e-9
    )


def test_draws_have_the_rates_of_their_components():
    mixture = fit(counts())
    X, labels = mixture.sample(30_000)
    rates = mixture.params_.rates
    for k in range(3):
        own = X[labels == k]
        error = np.sqrt(rates[k] / len(own))
        assert np.all(np.abs(own.mean(axis=0) - rates[k]) < 5 * error)
        assert np.all(np.abs(own.var(axis=0) - rates[k]) < 0.1 * rates[k] + 0.02)
    again = by_size(fit(X.astype(float)).params_)
    np.testing.assert_allclose(again.rates, by_size(mixture.params_).rates, rtol=0.05, atol=0.03)


# Starts and selection ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_many_seeds_reach_one_optimum_near_the_truth(seed):
    X = counts(2000, seed)
    fits = [fit(X, random_state=r, tol=1e-8) for r in range(4)]
    scores = [mixture.score(X) * len(X) for mixture in fits]
    assert np.ptp(scores) < 0.01  # nats in all
    assert scores[0] > log_density(X, TRUTH).sum()
    np.testing.assert_allclose(by_size(fits[0].params_).rates, RATES, atol=0.8)


def test_the_number_of_components_is_found():
    X = counts(500, 5)
    grid = {"n_components": [1, 2, 3, 4]}
    mixture = Mixture(family_factory=Poisson, tol=1e-3, random_state=0)
    selection = select_mixture(mixture, X, grid)
    assert selection.best_params_ == {"n_components": 3}
    assert np.argmin(selection.cv_results_["icl"]) == 2
    assert np.all(np.diff(selection.cv_results_["log_likelihood"]) > 0)
    search = GridSearchCV(mixture, {"n_components": [1, 3]}, cv=2).fit(X)
    assert search.best_params_ == {"n_components": 3}
    better = bootstrap_lrt(mixture, X[:60], (1, 2), n_bootstrap=9, random_state=0)
    assert better.p_value == pytest.approx(0.1)


class OneStart(Poisson):
    """Starts at given rates, and counts how often it is asked."""

    n_asked = 0

    def starts(self, X, sample_weight, n_components, random_state):
        type(self).n_asked += 1
        self.seen = X.shape, sample_weight.sum()
        return [PoissonParams(np.full(n_components, 1 / n_components), RATES[:n_components])]


def test_a_family_may_bring_its_own_start():
    X = counts(300)
    with pytest.warns(ConvergenceWarning):
        mixture = fit(X, family_factory=OneStart, max_iter=1)
    assert OneStart.n_asked == 1
    start = PoissonParams(np.full(3, 1 / 3), RATES)
    expected, bound = step(X, start, np.ones(300), hard=False)
    np.testing.assert_allclose(mixture.params_.rates, expected.rates, rtol=1e-10)
    assert mixture.lower_bound_ == pytest.approx(bound)
    assert mixture.family_.seen[1] == 300
    unfitted = fit(X, family_factory=OneStart, max_iter=0)
    np.testing.assert_array_equal(unfitted.params_.rates, RATES)


def test_a_component_without_rows_gets_those_of_all_rows():
    family = Poisson(1)
    sums = np.array([[6.0, 3.0], [0.0, 0.0]])
    params = family.maximize(TRUTH, LinearStatistics(np.array([3.0, 0.0]), sums))
    np.testing.assert_array_equal(params.weights, [1.0, 0.0])
    np.testing.assert_allclose(params.rates, [[2.0], [2.0]])
    form = family.prepare(params, np.dtype(np.float64))
    with ArraySource(np.array([[1.0], [3.0]])) as source:
        params, _ = em_step(source, family, params)
    assert form.n_components == 2 and params.weights.tolist() == [1.0, 0.0]


def test_more_components_than_distinct_rows():
    X = np.repeat([[1.0, 2.0], [5.0, 0.0]], 20, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", skmix.exceptions.DegenerateComponentWarning)
        mixture = fit(X, 4)
    assert np.isfinite(mixture.score(X)) and mixture.weights_.sum() == pytest.approx(1)
    assert mixture.score(X) == pytest.approx(fit(X, 2).score(X), abs=1e-4)


# Habits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "factory", [Poisson, functools.partial(Normal, reg_variance=0.1)], ids=["class", "partial"]
)
def test_clones_and_pickles(factory):
    X = counts(200)
    mixture = fit(X, 2, family_factory=factory)
    loaded = pickle.loads(pickle.dumps(mixture))
    np.testing.assert_array_equal(loaded.score_samples(X), mixture.score_samples(X))
    again = clone(mixture).fit(X)
    np.testing.assert_array_equal(again.score_samples(X), mixture.score_samples(X))
    assert get_tags(Mixture(family_factory=factory)).input_tags.allow_nan == (factory is Poisson)


def test_a_factory_without_a_name_fits_but_cannot_be_pickled():
    mixture = fit(counts(100), 2, family_factory=lambda n_features: Poisson(n_features))
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        pickle.dumps(mixture)


def test_warm_start_goes_on_where_the_last_fit_stopped():
    X = counts(300)
    options = {"max_iter": 2, "tol": 0.0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture = fit(X, warm_start=True, **options).fit(X)
        whole = fit(X, **{**options, "max_iter": 4})
    np.testing.assert_allclose(mixture.params_.rates, whole.params_.rates, rtol=1e-12)
    for changes, rows in (({"n_components": 2}, X), ({"n_components": 3}, X[:, :2])):
        with pytest.raises(ValueError, match="warm_start=True continues from 3 components of 3"):
            mixture.set_params(**changes).fit(rows)


def test_missing_cells_are_refused_where_the_family_does_not_take_them():
    X = with_holes(counts(100))
    mixture = Mixture(2, family_factory=Normal, random_state=0)
    with pytest.raises(ValueError, match="contains NaN, but components of Normal take no"):
        mixture.fit(X)
    mixture.fit(counts(100))
    for method in ("score_samples", "predict", "predict_proba", "score", "bic"):
        with pytest.raises(ValueError, match="allow_nan = True"):
            getattr(mixture, method)(X)
    empty = np.full((1, 3), np.nan)
    assert fit(counts(100)).score_samples(empty).tolist() == [0.0]


class NoSample(Poisson):
    sample = None


class HalfExtrapolating(Poisson):
    def coordinates(self, params):
        return params.weights


class NoWeights(NamedTuple):
    rates: np.ndarray


class Weightless(Poisson):
    def estimate(self, weights, means, counts):
        return NoWeights(means[:, :3])


class NoStart(Poisson):
    def starts(self, X, sample_weight, n_components, random_state):
        return []


class Unfinished(LinearFamily):
    def features(self, X):
        return X


class FewCoefficients(Poisson):
    def coefficients(self, params):
        return super().coefficients(params)[:, 1:]


class AtTheBoundary(Poisson):
    def coefficients(self, params):
        return np.full((len(params.weights), 6), -np.inf)


class ManyConstants(Poisson):
    def constants(self, params):
        return np.zeros((len(params.weights), 2))


@pytest.mark.parametrize(
    ("factory", "error", "message"),
    [
        ("poisson", ValueError, "The 'family_factory' parameter of Mixture must be a callable"),
        (object, TypeError, "object"),
        (lambda n_features: object(), TypeError, "lacks the method.s. prepare, maximize"),
        (NoSample, TypeError, "made a NoSample, which lacks the method.s. sample. Subclass"),
        (HalfExtrapolating, TypeError, "lacks the method.s. from_coordinates, log_prior"),
        (Unfinished, TypeError, "abstract class Unfinished .*coefficients.*sample"),
        (Weightless, TypeError, r"Weightless made parameters NoWeights .* shape \(\)"),
        (NoStart, ValueError, "NoStart.starts yielded no parameters"),
        (FewCoefficients, ValueError, r"features returned shape \(\d+, 6\) .* for 5 features"),
        (AtTheBoundary, ValueError, "AtTheBoundary.coefficients is not finite for component 0"),
        (ManyConstants, ValueError, r"ManyConstants.constants returned shape \(3, 2\)"),
    ],
)
def test_misuse_is_named_and_loses_no_earlier_fit(factory, error, message):
    X = counts(60)
    mixture = fit(X)
    before = mixture.score_samples(X)
    mixture.set_params(family_factory=factory)
    with pytest.raises(error, match=message):
        mixture.fit(X)
    np.testing.assert_array_equal(mixture.score_samples(X), before)
    with pytest.raises(NotFittedError):
        clone(mixture).score(X)


def test_rows_outside_of_the_domain_are_refused_by_the_family():
    X = counts(60)
    with pytest.raises(ValueError, match=r"must not be negative, but the smallest is -1\.0"):
        fit(X - 1.0)
    with pytest.raises(ValueError, match="must not be negative"):
        fit(X).score(X - 1.0)


def test_a_gaussian_family_is_as_good_as_its_own_estimator():
    rng = np.random.default_rng(4)
    X = np.concatenate([rng.normal(m, s, (200, 2)) for m, s in ((-2, 0.5), (0, 1), (2, 0.3))])
    own = Mixture(3, family_factory=Normal, tol=1e-7, random_state=0).fit(X)
    expected = DiagonalGMM(3, tol=1e-7, max_iter=1000, random_state=0).fit(X)
    assert own.score(X) == pytest.approx(expected.score(X), abs=1e-4)
