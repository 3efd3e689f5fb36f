"""Products of families and Poisson components, against naive loops over rows and components."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, poisson

from skmix._engine.em import em_step, expect, predict_proba, score_samples
from skmix._families import (
    Categorical,
    CategoricalParams,
    DiagonalGaussian,
    Frame,
    FullGaussian,
    GaussianParams,
    Packing,
    Part,
    Poisson,
    PoissonParams,
    Product,
    ProductParams,
    SphericalGaussian,
    TiedGaussian,
)
from skmix._rows.sources import ArraySource

N_CATEGORIES = [3, 2, 4]
GAUSSIANS = (FullGaussian, TiedGaussian, DiagonalGaussian, SphericalGaussian)
every_gaussian = pytest.mark.parametrize("gaussian", GAUSSIANS, ids=lambda g: g.covariance_type)


class Table:
    """Random rows of two numbers, two counts and three categories, and a random mixture."""

    def __init__(self, gaussian=FullGaussian, n_samples=60, missing=0.2, seed=0, **options):
        rng = np.random.default_rng(seed)
        self.numbers = rng.normal(size=(n_samples, 2)) @ [[2.0, 1.0], [0.0, 1.0]] + 5.0
        self.counts = rng.poisson([3.0, 0.7], size=(n_samples, 2)).astype(float)
        codes = [rng.integers(n, size=n_samples) for n in N_CATEGORIES]
        self.codes = np.stack(codes, axis=1)
        holes = rng.random((n_samples, 7)) < missing
        self.numbers[holes[:, :2]] = np.nan
        self.counts[holes[:, 2:4]] = np.nan
        self.codes[holes[:, 4:]] = -1
        self.weight = rng.uniform(0.5, 2.0, n_samples)
        self.packing = Packing(N_CATEGORIES, max_states=20)
        states = self.packing.pack(self.codes)
        X = np.hstack([self.numbers, self.counts, states])
        self.source = ArraySource(X, self.weight, incomplete=missing > 0)
        blocks = slice(0, 2), slice(2, 4), slice(4, X.shape[1])
        frame = Frame.of_source(self.source.block(blocks[0]), common_scale=gaussian.common_scale)
        numbers = gaussian(frame, incomplete=missing > 0, **options)
        self.gaussian = numbers.bound_to(self.source.block(blocks[0]))
        counts = Poisson(2).for_rows(self.source.block(blocks[1]))
        self.family = Product(
            [
                Part("gaussian", self.gaussian, blocks[0]),
                Part("poisson", counts, blocks[1]),
                Part("categorical", Categorical(self.packing), blocks[2]),
            ]
        )
        self.params = self._random_params(rng, n_components=3)

    def _random_params(self, rng, n_components):
        weights = rng.dirichlet(np.full(n_components, 5.0))
        means = rng.normal(5.0, 2.0, size=(n_components, 2))
        shape = self.gaussian.covariance_shape(n_components, 2)
        covariances = rng.uniform(0.5, 3.0, size=shape)
        if self.gaussian.dense:
            covariances = 0.1 * (covariances + covariances.swapaxes(-1, -2)) + 2.0 * np.eye(2)
        factors = self.gaussian.precisions_cholesky(covariances)
        rates = rng.uniform(0.5, 4.0, size=(n_components, 2))
        tables = [rng.dirichlet(np.ones(n), n_components) for n in N_CATEGORIES]
        params = ProductParams(
            weights,
            (
                GaussianParams(weights, means, covariances, factors),
                PoissonParams(weights, rates),
                CategoricalParams(weights, np.hstack(tables)),
            ),
        )
        return self.family.to_frame(params)

    def log_joint(self, params):
        """Log weight + log density of observed cells, (n_samples, n_components), by a loop."""
        params = self.family.from_frame(params)
        numbers, counts, answers = params.parts
        matrices = self.gaussian.matrices(numbers)
        tables = np.split(answers.probabilities, np.cumsum(N_CATEGORIES)[:-1], axis=1)
        joint = np.log(params.weights) + np.zeros((len(self.numbers), 1))
        for i, k in np.ndindex(joint.shape):
            seen = ~np.isnan(self.numbers[i])
            if seen.any():
                own = matrices[k][np.ix_(seen, seen)]
                mean = numbers.means[k][seen]
                joint[i, k] += multivariate_normal(mean, own).logpdf(self.numbers[i, seen])
            for value, rate in zip(self.counts[i], counts.rates[k], strict=True):
                joint[i, k] += 0.0 if np.isnan(value) else poisson(rate).logpmf(value)
            for code, table in zip(self.codes[i], tables, strict=True):
                joint[i, k] += 0.0 if code < 0 else np.log(table[k, code])
        return joint

    def resp(self, params):
        joint = self.log_joint(params)
        terms = np.exp(joint - joint.max(axis=1, keepdims=True))
        return terms / terms.sum(axis=1, keepdims=True)


@every_gaussian
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_densities_and_responsibilities(gaussian, missing):
    table = Table(gaussian, missing=missing)
    joint = table.log_joint(table.params)
    expected = np.logaddexp.reduce(joint, axis=1)
    with table.source as source:
        actual = score_samples(source, table.family, table.params)
        resp = predict_proba(source, table.family, table.params)
        form = table.family.prepare(table.params, source.dtype)
        total, _ = expect(source, form)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(resp, table.resp(table.params), rtol=0, atol=1e-9)
    np.testing.assert_allclose(total, table.weight @ expected, rtol=1e-11)


@every_gaussian
def test_one_step_of_complete_rows_is_weighted_means(gaussian):
    table = Table(gaussian, missing=0.0)
    resp = table.resp(table.params) * table.weight[:, None]
    with table.source as source:
        params, _ = em_step(source, table.family, table.params)
    params = table.family.from_frame(params)
    numbers, counts, answers = params.parts
    totals = resp.sum(axis=0)
    np.testing.assert_allclose(params.weights, totals / totals.sum(), rtol=1e-10)
    np.testing.assert_allclose(numbers.means, resp.T @ table.numbers / totals[:, None], rtol=1e-9)
    np.testing.assert_allclose(counts.rates, resp.T @ table.counts / totals[:, None], rtol=1e-9)
    start = 0
    for j, n in enumerate(N_CATEGORIES):
        one_hot = table.codes[:, [j]] == np.arange(n)
        expected = resp.T @ one_hot / totals[:, None]
        own = answers.probabilities[:, start : start + n]
        np.testing.assert_allclose(own, expected, rtol=0, atol=1e-10)
        start += n
    alone, _ = gaussian_step(table, resp)
    np.testing.assert_allclose(table.gaussian.matrices(numbers), alone, rtol=1e-8, atol=1e-10)


def gaussian_step(table, resp):
    """Covariances of the structure by a loop, as matrices."""
    totals = resp.sum(axis=0)
    means = resp.T @ table.numbers / totals[:, None]
    own = []
    for k in range(len(totals)):
        diff = table.numbers - means[k]
        own.append((resp[:, k, None] * diff).T @ diff / totals[k])
    own = np.array(own)
    kind = table.gaussian.covariance_type
    if kind == "tied":
        own[:] = np.einsum("k,kij->ij", totals / totals.sum(), own)
    elif kind == "diag":
        own *= np.eye(2)
    elif kind == "spherical":
        own = np.trace(own, axis1=1, axis2=2)[:, None, None] / 2 * np.eye(2)
    return own, means


@every_gaussian
def test_likelihood_of_incomplete_rows_never_falls(gaussian):
    table = Table(gaussian, missing=0.3)
    params, bounds = table.params, []
    with table.source as source:
        for _ in range(30):
            params, bound = em_step(source, table.family, params)
            bounds.append(bound)
    assert np.all(np.diff(bounds) > -1e-10)
    assert bounds[-1] > bounds[0] + 0.1


def test_a_component_of_weight_0_gets_no_row():
    table = Table(reg_covar=1e-6)
    weights = table.params.weights.copy()
    weights[1] = 0.0
    weights /= weights.sum()
    params = table.params._replace(weights=weights)
    with table.source as source:
        resp = predict_proba(source, table.family, params)
        update, bound = em_step(source, table.family, params)
    assert np.all(resp[:, 1] == 0.0)
    np.testing.assert_allclose(resp.sum(axis=1), 1.0)
    assert update.weights[1] == 0.0 and np.isfinite(bound)


def test_float32_rows_are_close():
    table = Table(n_samples=400)
    with table.source as source:
        expected = score_samples(source, table.family, table.params)
    single = ArraySource(table.source.X.astype(np.float32), incomplete=True)
    with single:
        actual = score_samples(single, table.family, table.params)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-3)


@every_gaussian
def test_coordinates_round_trip_and_bounds(gaussian):
    table = Table(gaussian)
    family, params = table.family, table.params
    at = family.coordinates(params)
    again = family.from_coordinates(at, params)
    np.testing.assert_allclose(family.coordinates(again), at, rtol=1e-9, atol=1e-12)
    far = at + 50.0 * (family.coordinates(table._random_params(np.random.default_rng(5), 3)) - at)
    valid = family.from_coordinates(far, params)
    numbers, counts, answers = family.from_frame(valid).parts
    assert np.all(np.linalg.eigvalsh(table.gaussian.matrices(numbers)) > 0)
    assert np.all(counts.rates >= 0) and np.all(answers.probabilities >= 0)
    np.testing.assert_allclose(valid.weights.sum(), 1.0)


def test_parameters_are_counted_once():
    table = Table()
    gaussian, rates, probabilities = 3 * (2 + 3), 3 * 2, 3 * (2 + 1 + 3)
    assert table.family.n_parameters(table.params) == gaussian + rates + probabilities + 2


class TestPoisson:
    def test_rates_are_mean_counts_of_observed_cells(self):
        X = np.array([[0.0, np.nan], [4.0, 1.0], [np.nan, 5.0], [2.0, np.nan]])
        family = Poisson(2)
        params = PoissonParams(np.ones(1), np.ones((1, 2)))
        with ArraySource(X, np.array([1.0, 2.0, 1.0, 1.0]), incomplete=True) as source:
            update, _ = em_step(source, family.for_rows(source), params)
        np.testing.assert_allclose(update.rates, [[10 / 4, 7 / 3]])

    def test_a_rate_of_zero_is_kept_and_costs_what_an_impossible_category_costs(self):
        params = PoissonParams(np.ones(1), np.zeros((1, 1)))
        with ArraySource(np.array([[0.0], [1.0]])) as source:
            scores = score_samples(source, Poisson(1), params)
        np.testing.assert_allclose(scores, [0.0, np.log(1e-300)], rtol=1e-12)

    def test_a_component_that_never_saw_a_column_keeps_its_rate(self):
        X = np.array([[1.0, np.nan], [2.0, np.nan]])
        params = PoissonParams(np.ones(1), np.array([[1.0, 6.0]]))
        with ArraySource(X, incomplete=True) as source:
            update, _ = em_step(source, Poisson(2), params)
        np.testing.assert_allclose(update.rates, [[1.5, 6.0]])

    def test_draws(self):
        params = PoissonParams(np.ones(1), np.array([[0.0, 3.0]]))
        X = Poisson(2).sample(params, 0, 4000, np.random.RandomState(0))
        assert np.all(X[:, 0] == 0) and np.all(np.floor(X) == X)
        np.testing.assert_allclose(X[:, 1].mean(), 3.0, atol=5 * np.sqrt(3.0 / 4000))
