"""The table of families: a new family joins the tests of all of them with one row.

Also what those tests share: random mixtures, rows drawn from them, and short ways to run EM.
Parameters are in the units of the rows here unless a name says `framed`.
"""

from collections.abc import Callable
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import oracles
import pytest
from own_families import Poisson, PoissonParams
from scipy.stats import multivariate_normal, norm, poisson

from skmix._engine.em import em, predict_proba, score_samples
from skmix._families import (
    Box,
    Categorical,
    CategoricalParams,
    DiagonalGaussian,
    Frame,
    FullGaussian,
    GaussianFamily,
    GaussianParams,
    LabelParams,
    Labels,
    Packing,
    Part,
    Product,
    ProductParams,
    ScaleFamily,
    ScaleParams,
    SphericalGaussian,
    TiedGaussian,
    WithUniform,
    WithUniformParams,
)
from skmix._families import Poisson as CountsFamily
from skmix._families import PoissonParams as Counts
from skmix._mixtures.categorical_fit import StateSource
from skmix._rows.sources import ArraySource


def _random_matrix(rng, n_features):
    """Standard deviations between 0.5 and 2 in random directions; symmetric to the bit."""
    axes, _ = np.linalg.qr(rng.normal(size=(n_features, n_features)))
    matrix = axes * rng.uniform(0.25, 4.0, size=n_features) @ axes.T
    return 0.5 * (matrix + matrix.T)


def _random_matrices(rng, n_components, n_features):
    return np.array([_random_matrix(rng, n_features) for _ in range(n_components)])


class Case(NamedTuple):
    """One row of the table."""

    family: type[GaussianFamily]
    random_covariances: Callable  # (rng, n_components, n_features) -> scikit-learn's shape

    @property
    def covariance_type(self):
        return self.family.covariance_type

    name = covariance_type

    def dense(self, params):
        return oracles.dense(self.covariance_type, params.covariances, *params.means.shape)

    def params(self, weights, means, covariances):
        """Complete parameters with the factors of the precisions."""
        family = self.family(Frame.identity(np.shape(means)[1]))
        covariances = np.array(covariances, dtype=np.float64)
        factors = family.precisions_cholesky(covariances.copy())
        return GaussianParams(np.array(weights), np.array(means), covariances, factors)

    def random_params(self, rng, n_components, n_features, spread=3.0, width=1.0):
        """Component standard deviations of order `width`, `spread` apart; no weight is small."""
        weights = 0.5 * rng.dirichlet(np.ones(n_components)) + 0.5 / n_components
        means = rng.normal(scale=spread, size=(n_components, n_features))
        covariances = width**2 * self.random_covariances(rng, n_components, n_features)
        return self.params(weights, means, covariances)

    def draw(self, rng, params, n_samples):
        """Rows of the mixture, drawn without skmix."""
        labels = rng.choice(len(params.weights), size=n_samples, p=params.weights)
        factors = np.linalg.cholesky(self.dense(params))
        noise = rng.standard_normal((n_samples, params.means.shape[1]))
        return params.means[labels] + np.einsum("nij,nj->ni", factors[labels], noise)

    def draw_component(self, rng, params, component, n_samples):
        """Rows of one component, drawn without skmix."""
        one = params._replace(weights=np.eye(len(params.weights))[component])
        return self.draw(rng, one, n_samples)

    def log_joint(self, params, X):
        """Log weight + log density (n_components, 1, n_samples), by scipy."""
        joint = oracles.weighted_log_prob(X, params.weights, params.means, self.dense(params))
        return joint.T[:, None]

    def problem(self, seed, n_samples=300, n_components=3, n_features=4, **options):
        """A random mixture and rows drawn from it."""
        rng = np.random.default_rng(seed)
        params = self.random_params(rng, n_components, n_features, **options)
        return params, self.draw(rng, params, n_samples)

    @contextmanager
    def bound(self, X, sample_weight=None, **options):
        """An open source of the rows and a family in their frame."""
        with ArraySource(X, sample_weight) as source:
            frame = Frame.of_source(source, common_scale=self.family.common_scale)
            yield source, self.family(frame, **options).bound_to(source)

    def fit(self, X, start, n_iter, sample_weight=None, **options):
        """Run EM for a fixed number of iterations."""
        with self.bound(X, sample_weight, **options) as (source, family):
            result = em(source, family, family.to_frame(start), tol=0.0, max_iter=n_iter)
            return Fit(
                params=family.from_frame(result.params),
                lower_bounds=np.array(result.lower_bounds),
                log_density=score_samples(source, family, result.params),
                resp=predict_proba(source, family, result.params),
            )


class Fit(NamedTuple):
    """What a run of EM led to."""

    params: GaussianParams
    lower_bounds: np.ndarray
    log_density: np.ndarray  # of the rows, at `params`
    resp: np.ndarray


FAMILIES = [
    Case(FullGaussian, _random_matrices),
    Case(TiedGaussian, lambda rng, n_components, n_features: _random_matrix(rng, n_features)),
    Case(DiagonalGaussian, lambda rng, *shape: rng.uniform(0.25, 4.0, size=shape)),
    Case(
        SphericalGaussian,
        lambda rng, n_components, n_features: rng.uniform(0.25, 4.0, size=n_components),
    ),
]

every_family = pytest.mark.parametrize("case", FAMILIES, ids=lambda case: case.covariance_type)


class OtherCase:
    """A family whose parameters know no frame, and what an oracle needs of it."""

    name: str

    def log_joint(self, params, X):
        """Log weight + log density (n_components, n_parts, n_samples) of rows."""
        raise NotImplementedError

    def draw_component(self, rng, params, component, n_samples):
        raise NotImplementedError

    def random_params(self, rng):
        raise NotImplementedError

    def family_and_source(self, X, sample_weight):
        raise NotImplementedError

    def problem(self, seed, n_samples=300):
        rng = np.random.default_rng(seed)
        params = self.random_params(rng)
        n_components = len(params.weights)
        weights = params.weights.reshape(n_components, -1)[:, 0]
        counts = rng.multinomial(n_samples, weights)
        rows = [self.draw_component(rng, params, k, n) for k, n in enumerate(counts)]
        return params, rng.permutation(np.concatenate(rows))

    @contextmanager
    def bound(self, X, sample_weight=None):
        """An open source of the rows, and the family."""
        family, source = self.family_and_source(X, sample_weight)
        with source:
            yield source, family


class CategoricalCase(OtherCase):
    """Three columns of answers, some of them missing; rows are codes."""

    name = "categorical"
    n_categories = (2, 3, 4)

    def random_params(self, rng):
        tables = [rng.dirichlet(np.full(n, 0.5), size=3) for n in self.n_categories]
        return CategoricalParams(np.array([0.5, 0.3, 0.2]), np.concatenate(tables, axis=1))

    def tables(self, params):
        return np.split(params.probabilities, np.cumsum(self.n_categories)[:-1], axis=1)

    def draw_component(self, rng, params, component, n_samples):
        columns = [
            rng.choice(table.shape[1], p=table[component], size=n_samples)
            for table in self.tables(params)
        ]
        return np.stack(columns, axis=1)

    def problem(self, seed, n_samples=300):
        params, codes = super().problem(seed, n_samples)
        missing = np.random.default_rng(seed).random(codes.shape) < 0.15
        return params, np.where(missing, -1, codes)

    def log_joint(self, params, X):
        joint = oracles.categorical_log_prob(X, params.weights, self.tables(params))
        return joint.T[:, None]

    def family_and_source(self, X, sample_weight):
        packing = Packing(list(self.n_categories))
        return Categorical(packing), StateSource(packing.pack(X), sample_weight, packing=packing)


class ScaleCase(OtherCase):
    """Coordinates of known shape behind known noise: one component per row, or per coordinate."""

    shape, noise_variance = np.array([1.0, 0.5, 0.1]), np.array([0.2, 0.0, 0.3])

    def __init__(self, n_sources):
        self.n_sources = n_sources
        self.name = "scales" if n_sources == 1 else "products of scales"

    def random_params(self, rng):
        weights = np.repeat([[0.5], [0.3], [0.2]], self.n_sources, axis=1)
        least = np.array([[0.1], [1.0], [5.0]])
        return ScaleParams(weights, rng.uniform(least, 2 * least, size=weights.shape))

    def draw_component(self, rng, params, component, n_samples, noisy=True):
        variances = params.variances[component] * self.shape + noisy * self.noise_variance
        return np.sqrt(variances) * rng.standard_normal((n_samples, 3))

    def log_joint(self, params, X):
        variances = params.variances * self.shape + self.noise_variance  # (K, d)
        log_density = norm.logpdf(X.T, scale=np.sqrt(variances)[:, :, None])  # (K, d, n)
        if self.n_sources == 1:
            log_density = log_density.sum(axis=1, keepdims=True)
        return log_density + np.log(params.weights)[:, :, None]

    def family_and_source(self, X, sample_weight):
        settings = {"rotation": np.eye(3), "origin": np.zeros(3)}
        family = ScaleFamily(
            self.shape, np.ones(3), self.noise_variance, self.n_sources, **settings
        )
        return family, ArraySource(X, sample_weight)


class PoissonCase(OtherCase):
    """A family of a user's own."""

    name = "Poisson"

    def random_params(self, rng):
        rates = rng.gamma(2.0, size=(3, 2)) * np.array([[1.0], [4.0], [12.0]])
        return PoissonParams(np.array([0.5, 0.3, 0.2]), rates)

    def draw_component(self, rng, params, component, n_samples):
        return rng.poisson(params.rates[component], (n_samples, 2)).astype(float)

    def log_joint(self, params, X):
        joint = [
            np.log(weight) + poisson(rates).logpmf(X).sum(axis=1)
            for weight, rates in zip(params.weights, params.rates, strict=True)
        ]
        return np.array(joint)[:, None]

    def family_and_source(self, X, sample_weight):
        source = ArraySource(X, sample_weight)
        return Poisson(2).for_rows(source), source


class CountsCase(PoissonCase):
    """Counts, some of them missing."""

    name = "counts"

    def problem(self, seed, n_samples=300):
        params, X = super().problem(seed, n_samples)
        return params, np.where(np.random.default_rng(seed).random(X.shape) < 0.15, np.nan, X)

    def random_params(self, rng):
        return Counts(*super().random_params(rng))

    def log_joint(self, params, X):
        log_prob = poisson(params.rates[:, None]).logpmf(np.nan_to_num(X))
        seen = np.where(np.isnan(X), 0.0, log_prob).sum(axis=-1)
        return (np.log(params.weights)[:, None] + seen)[:, None]

    def family_and_source(self, X, sample_weight):
        source = ArraySource(X, sample_weight, incomplete=True)
        return CountsFamily(2).for_rows(source), source


class ProductCase(OtherCase):
    """Two correlated numbers, two counts and three columns of answers side by side."""

    name = "product"
    numbers, counts, answers = FAMILIES[0], CountsCase(), CategoricalCase()

    def random_params(self, rng):
        own = self.numbers.random_params(rng, 3, 2), self.counts.random_params(rng)
        weights = own[0].weights
        return ProductParams(weights, (*own, self.answers.random_params(rng)))

    def draw_component(self, rng, params, component, n_samples):
        numbers, counts, answers = params.parts
        factor = np.linalg.cholesky(numbers.covariances[component])
        drawn = [
            numbers.means[component] + rng.standard_normal((n_samples, 2)) @ factor.T,
            self.counts.draw_component(rng, counts, component, n_samples),
            self.answers.draw_component(rng, answers, component, n_samples),
        ]
        return np.hstack(drawn)

    def problem(self, seed, n_samples=300):
        params, X = super().problem(seed, n_samples)
        missing = np.random.default_rng(seed).random(X.shape) < 0.15
        missing[:, :2] = False
        return params, np.where(missing, np.nan, X)

    def log_joint(self, params, X):
        numbers, counts, answers = params.parts
        joint = np.log(params.weights)[:, None, None] + np.zeros((1, len(X)))
        for k, (mean, covariance) in enumerate(
            zip(numbers.means, numbers.covariances, strict=True)
        ):
            joint[k] += multivariate_normal(mean, covariance).logpdf(X[:, :2])
        codes = np.nan_to_num(X[:, 4:], nan=-1).astype(int)
        ones = np.ones(len(params.weights))
        joint += self.counts.log_joint(counts._replace(weights=ones), X[:, 2:4])
        return joint + self.answers.log_joint(answers._replace(weights=ones), codes)

    def family_and_source(self, X, sample_weight):
        packing = Packing(list(self.answers.n_categories), max_states=20)
        states = packing.pack(np.nan_to_num(X[:, 4:], nan=-1).astype(int))
        rows = np.hstack([X[:, :4], states])
        source = ArraySource(rows, sample_weight, incomplete=True)
        blocks = slice(0, 2), slice(2, 4), slice(4, rows.shape[1])
        numbers = self.numbers.family(Frame.of_source(source.block(blocks[0])))
        parts = [
            Part("gaussian", numbers.bound_to(source.block(blocks[0])), blocks[0]),
            Part("poisson", CountsFamily(2).for_rows(source.block(blocks[1])), blocks[1]),
            Part("categorical", Categorical(packing), blocks[2]),
        ]
        return Product(parts), source


class WithUniformCase(OtherCase):
    """Gaussians of one covariance, and rows that are uniform over a slanted box."""

    name = "with uniform"
    numbers = FAMILIES[1]
    box = Box(np.array([-9.0, -8.0, -7.0]), np.diag([16.0, 20.0, 18.0]) + np.eye(3, k=1))

    def random_params(self, rng):
        own = self.numbers.random_params(rng, 3, 3)
        weights = np.append(0.75 * own.weights, 0.25)
        return WithUniformParams(weights, own._replace(weights=weights[:3]))

    def draw_component(self, rng, params, component, n_samples):
        if component == 3:
            return self.box.corner + rng.random((n_samples, 3)) @ self.box.edges
        return self.numbers.draw_component(rng, params.gaussians, component, n_samples)

    def log_joint(self, params, X):
        volume = abs(np.linalg.det(self.box.edges))
        constant = np.full((1, 1, len(X)), np.log(params.weights[3] / volume))
        return np.concatenate([self.numbers.log_joint(params.gaussians, X), constant])

    def family_and_source(self, X, sample_weight):
        source = ArraySource(X, sample_weight)
        numbers = self.numbers.family(Frame.identity(3)).bound_to(source)
        return WithUniform(numbers, self.box), source


class LabelledCase(OtherCase):
    """Numbers beside labels, of which the last two components have the same."""

    name = "labelled"
    numbers, label_of = FAMILIES[0], np.array([0, 1, 1])

    def random_params(self, rng):
        own = self.numbers.random_params(rng, 3, 2)
        return ProductParams(own.weights, (own, LabelParams(own.weights)))

    def draw_component(self, rng, params, component, n_samples):
        numbers = params.parts[0]
        factor = np.linalg.cholesky(numbers.covariances[component])
        drawn = numbers.means[component] + rng.standard_normal((n_samples, 2)) @ factor.T
        return np.column_stack([drawn, np.full(n_samples, self.label_of[component])])

    def log_joint(self, params, X):
        numbers = params.parts[0]
        joint = np.full((3, 1, len(X)), -np.inf)
        for k, (weight, mean, covariance) in enumerate(
            zip(params.weights, numbers.means, numbers.covariances, strict=True)
        ):
            own = X[:, 2] == self.label_of[k]
            density = multivariate_normal(mean, covariance).logpdf(X[own, :2])
            joint[k, 0, own] = np.log(weight) + density
        return joint

    def family_and_source(self, X, sample_weight):
        source = ArraySource(X, sample_weight)
        block = source.block(slice(0, 2))
        numbers = self.numbers.family(Frame.of_source(block)).bound_to(block)
        parts = [
            Part("numbers", numbers, slice(0, 2)),
            Part("labels", Labels(self.label_of), slice(2, 3)),
        ]
        return Product(parts), source


# All families, for the tests of what EM asks of each.
MEMBERS = [
    *FAMILIES,
    CategoricalCase(),
    ScaleCase(1),
    ScaleCase(3),
    PoissonCase(),
    CountsCase(),
    ProductCase(),
    WithUniformCase(),
    LabelledCase(),
]

every_member = pytest.mark.parametrize("case", MEMBERS, ids=lambda case: case.name)


def with_holes(X, share=0.2, seed=0):
    """A copy with cells removed at random, and something left in every row and column."""
    rng = np.random.default_rng(seed)
    holes = rng.random(X.shape) < share
    kept = rng.integers(X.shape[1], size=len(X))
    holes[np.arange(len(X)), kept] = False
    holes[: X.shape[1], :] &= ~np.eye(X.shape[1], dtype=bool)
    return np.where(holes, np.nan, X).astype(X.dtype)


def assert_same_mixture(case, actual, expected, atol):
    """Compare means in component standard deviations, covariances relative to variances."""
    assert actual.covariances.shape == expected.covariances.shape
    np.testing.assert_allclose(actual.weights, expected.weights, rtol=0, atol=atol)
    matrices = case.dense(expected)
    sd = np.sqrt(np.diagonal(matrices, axis1=1, axis2=2))
    np.testing.assert_allclose(
        (actual.means - expected.means) / sd, np.zeros_like(sd), rtol=0, atol=atol
    )
    units = sd[:, :, None] * sd[:, None, :]
    np.testing.assert_allclose(
        case.dense(actual) / units, matrices / units, rtol=0, atol=atol, err_msg="covariances"
    )
