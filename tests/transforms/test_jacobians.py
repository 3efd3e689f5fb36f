"""Jacobians of transformers: by differences, and by the mass of the densities they change."""

import numpy as np
import pytest
from scipy import integrate, special, stats
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from skmix import GaussianMixture, TransformedDensity
from skmix._transforms import jacobians
from skmix._transforms.elementwise import ELEMENTWISE

SCALERS = [StandardScaler(), MinMaxScaler((-1, 3)), MaxAbsScaler(), RobustScaler()]
WITHOUT_SCALE = [StandardScaler(with_std=False), RobustScaler(with_scaling=False)]
POWERS = [
    PowerTransformer(standardize=False),
    PowerTransformer(),
    PowerTransformer("box-cox"),
    PowerTransformer("box-cox", standardize=False),
]
QUANTILES = [
    QuantileTransformer(n_quantiles=20, output_distribution="normal"),
    QuantileTransformer(n_quantiles=10, output_distribution="uniform"),
]
ROTATIONS = [PCA(), PCA(whiten=True)]
CHAINS = [
    make_pipeline(FunctionTransformer(np.log), StandardScaler()),
    make_pipeline(StandardScaler(), PCA(whiten=True), FunctionTransformer(np.arcsinh)),
    make_pipeline(
        PowerTransformer(), "passthrough", make_pipeline(PCA(), None), FunctionTransformer()
    ),
]
ONE_TO_ONE = [*SCALERS, *WITHOUT_SCALE, *POWERS, *QUANTILES, *ROTATIONS, *CHAINS]


def positive_rows(n_samples=200, n_features=3, seed=0):
    """Skewed rows, all positive, with correlated columns of different units."""
    rng = np.random.default_rng(seed)
    mixing = np.eye(n_features) + 0.4
    return np.exp(rng.standard_normal((n_samples, n_features)) @ mixing * 0.4) * [
        10.0**j for j in range(n_features)
    ]


def numerical_log_det(transformer, x, step=1e-6):
    """log |det J| at one row by central differences."""
    d = len(x)
    shifts = step * np.maximum(np.abs(x), 1e-3) * np.eye(d)
    upper = transformer.transform(x + shifts)
    lower = transformer.transform(x - shifts)
    jacobian = (upper - lower) / (2 * np.diag(shifts))[:, None]
    return np.linalg.slogdet(jacobian)[1]


# Jacobians -----------------------------------------------------------------------------------


@pytest.mark.parametrize("transformer", ONE_TO_ONE, ids=repr)
def test_jacobian_by_differences(transformer):
    X = positive_rows()
    fitted = clone(transformer).fit(X)
    rows = positive_rows(300, seed=1)
    rows = rows[((X.min(axis=0) < rows) & (rows < X.max(axis=0))).all(axis=1)][:20]
    _, log_det = jacobians.push(jacobians.steps_of(fitted), rows)
    expected = [numerical_log_det(fitted, row) for row in rows]
    np.testing.assert_allclose(log_det, expected, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-7, 1.0, 1e9])
@pytest.mark.parametrize("transformer", [*SCALERS, PowerTransformer("box-cox")], ids=repr)
def test_units_shift_log_densities(transformer, scale):
    X = positive_rows(n_features=2)
    density = GaussianMixture(random_state=0, reg_covar=0)
    before = TransformedDensity(transformer, density).fit(X).score_samples(X)
    after = TransformedDensity(transformer, density).fit(X * scale).score_samples(X * scale)
    np.testing.assert_allclose(after, before - 2 * np.log(scale), atol=2e-5)


def inside_points(low, high):
    """Numbers in an open interval, not so large that differences of tanh vanish."""
    points = np.concatenate([-np.geomspace(1e-3, 4, 8)[::-1], np.geomspace(1e-3, 4, 8)])
    if np.isfinite(low) and np.isfinite(high):
        return low + (high - low) * np.linspace(0.01, 0.99, 15)
    return low + points[points > 0] if np.isfinite(low) else points


each_function = pytest.mark.parametrize(
    "func", ELEMENTWISE, ids=lambda func: getattr(func, "__name__", "None")
)


@each_function
def test_functions_by_differences_and_back(func):
    x = inside_points(*ELEMENTWISE[func].domain)[:, None]
    fitted = FunctionTransformer(func).fit(x)
    log_det = jacobians.log_abs_det_jacobian(fitted, x)
    expected = [numerical_log_det(fitted, row) for row in x]
    np.testing.assert_allclose(log_det, expected, atol=1e-5)
    z, _ = jacobians.push([fitted], x)
    back, inside = jacobians.pull([fitted], z, None)
    np.testing.assert_array_equal(inside, np.arange(len(x)))
    np.testing.assert_allclose(back, x, rtol=1e-5)


@each_function
def test_functions_know_their_domain_and_image(func):
    fitted = FunctionTransformer(func).fit(np.ones((2, 1)))
    function = ELEMENTWISE[func]
    points = np.linspace(-30.0, 30.0, 61)[:, None]
    low, high = function.domain
    with np.errstate(all="ignore"):
        log_det = jacobians.log_abs_det_jacobian(fitted, points)
        z = fitted.transform(points)[:, 0]
    np.testing.assert_array_equal(log_det[(points[:, 0] <= low) | (points[:, 0] >= high)], -np.inf)
    inside = log_det > -np.inf
    assert inside.any() or func in (special.logit, np.arctanh, np.arcsin, special.ndtri)
    assert np.isfinite(z[inside]).all()
    _, has_row = jacobians.pull([fitted], points, None)
    low, high = function.image
    expected = (points[:, 0] > low) & (points[:, 0] < high)
    if func is np.reciprocal:
        expected &= points[:, 0] != 0
    # Beyond the range of floats a row is none: exp(800) overflows.
    assert set(has_row) <= set(np.flatnonzero(expected))
    assert set(np.flatnonzero(expected & (np.abs(points[:, 0]) < 5))) <= set(has_row)


def test_extreme_rows_have_density_zero_without_warnings():
    X = np.random.default_rng(0).standard_normal((50, 1))
    for func in (np.exp, np.sinh, np.expm1):
        model = TransformedDensity(FunctionTransformer(func)).fit(X)
        assert model.score_samples([[1e4]])[0] == -np.inf
    model = TransformedDensity(FunctionTransformer(np.cbrt)).fit(X)
    assert model.score_samples([[0.0]])[0] == -np.inf  # the derivative is infinite there


# Mass ----------------------------------------------------------------------------------------


def mass(model, low, high, points=None):
    """Integral of the density of one feature."""

    def density(x):
        near = np.abs(x) < 1e30  # powers of what is farther out overflow
        scores = model.score_samples(np.where(near, x, 0.0).reshape(-1, 1)).reshape(x.shape)
        return np.where(near, np.exp(scores), 0.0)

    limits = np.array([low, *sorted(points if points is not None else []), high], dtype=float)
    parts = integrate.tanhsinh(density, limits[:-1], limits[1:], atol=1e-9, rtol=1e-9)
    return parts.integral.sum()


def mass_of_density(model, low, high):
    """What the fitted mixture of one feature puts between two numbers."""
    weights, means = model.density_.weights_, model.density_.means_[:, 0]
    sd = np.sqrt(model.density_.covariances_[:, 0])
    return float(weights @ (stats.norm.cdf(high, means, sd) - stats.norm.cdf(low, means, sd)))


def fit_one_feature(transformer, X):
    density = GaussianMixture(2, covariance_type="diag", random_state=0, reg_covar=1e-3)
    return TransformedDensity(transformer, density).fit(X)


@pytest.mark.parametrize(
    "transformer",
    [
        None,
        *SCALERS,
        PCA(),
        PCA(whiten=True),
        FunctionTransformer(np.arcsinh),
        FunctionTransformer(np.sinh),
        make_pipeline(FunctionTransformer(np.arcsinh), RobustScaler()),
    ],
    ids=repr,
)
def test_mass_is_one_for_maps_onto_the_line(transformer):
    X = positive_rows(100, 1) - 0.7
    model = fit_one_feature(transformer, X)
    centre, spread = X.mean(), X.std()
    points = centre + spread * np.array([-100, -10, -4, -2, -1, 0, 1, 2, 4, 10, 100])
    assert mass(model, -np.inf, np.inf, points) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("func", "domain"),
    [
        (np.log, (0, np.inf)),
        (np.log10, (0, np.inf)),
        (np.log1p, (-1, np.inf)),
        (special.logit, (0, 1)),
        (np.arctanh, (-1, 1)),
    ],
)
def test_mass_is_one_for_domains_that_are_mapped_onto_the_line(func, domain):
    low, high = domain
    rng = np.random.default_rng(0)
    X = low + rng.gamma(3.0, size=(100, 1)) / 3 if high == np.inf else rng.beta(2, 3, (100, 1))
    X = X if high == np.inf else low + (high - low) * X
    model = fit_one_feature(FunctionTransformer(func), X)
    points = np.quantile(X, [0, 0.1, 0.3, 0.5, 0.7, 0.9, 1])
    assert mass(model, low, high, points) == pytest.approx(1.0, abs=1e-6)
    if np.isfinite(high):
        assert model.score_samples([[high + 1]])[0] == -np.inf
    assert model.score_samples([[low - 1]])[0] == -np.inf


@pytest.mark.parametrize("func", [np.exp, np.expm1, np.sqrt, np.tanh, np.arctan, special.expit])
def test_mass_is_that_on_the_image_for_other_functions(func):
    X = 2 * np.random.default_rng(0).beta(0.4, 0.8, size=(60, 1)) + 0.01
    model = fit_one_feature(FunctionTransformer(func), X)
    function = ELEMENTWISE[func]
    expected = mass_of_density(model, *function.image)
    assert expected < 1 - 1e-5
    low, high = function.domain
    points = np.quantile(X, [0, 0.1, 0.3, 0.5, 0.7, 0.9, 1])
    points = [*(x for x in (-5, -1, 0) if x > low), *points, 5 + X.max()]
    assert mass(model, low, high, points) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
@pytest.mark.parametrize("skew", [-1, 1])
@pytest.mark.parametrize("standardize", [False, True])
def test_mass_of_power_transforms(method, skew, standardize):
    rng = np.random.default_rng(0)
    X = rng.gamma(0.7, size=(80, 1)) + 0.05
    X = X if skew > 0 else X.max() + 0.3 - X
    transformer = PowerTransformer(method, standardize=standardize)
    model = fit_one_feature(transformer, X)
    power = model.transformer_.lambdas_[0]
    image = [-np.inf, np.inf]
    if method == "box-cox" or power < 0:
        image[int(power < 0)] = -1 / power
    elif power > 2:
        image[0] = -1 / (power - 2)
    assert np.isfinite(image).any() or 0 <= power <= 2
    if standardize:
        scaler = model.transformer_._scaler
        image = (np.array(image) - scaler.mean_[0]) / scaler.scale_[0]
    expected = mass_of_density(model, *image)
    low = 0 if method == "box-cox" else -np.inf
    points = np.quantile(X, [0, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 1])
    points = [*([-50, -5, -1, 0] if low < 0 else [1e-4, 1e-2]), *points, 2 * X.max()]
    assert mass(model, low, np.inf, points) == pytest.approx(expected, abs=1e-6)


def test_yeo_johnson_off_the_image_was_tested():
    """The cases above hold powers for which the image is bounded."""
    rng = np.random.default_rng(0)
    X = rng.gamma(0.7, size=(80, 1)) + 0.05
    powers = [PowerTransformer().fit(x).lambdas_[0] for x in (X, X.max() + 0.3 - X)]
    assert powers[0] < 0 and powers[1] > 2


@pytest.mark.parametrize("output_distribution", ["normal", "uniform"])
@pytest.mark.parametrize("ties", [False, True])
def test_mass_of_quantiles(output_distribution, ties):
    X = np.random.default_rng(0).gamma(2.0, size=(150, 1))
    if ties:
        X[40:80] = 1.0  # the map jumps there, over what is no image
    transformer = QuantileTransformer(n_quantiles=30, output_distribution=output_distribution)
    model = fit_one_feature(transformer, X)
    quantiles = model.transformer_.quantiles_[:, 0]
    values, counts = np.unique(quantiles, return_counts=True)
    assert (counts > 1).any() == ties
    references = model.transformer_.references_
    ends = references
    if output_distribution == "normal":  # scikit-learn cuts the image off at 5.2
        ends = stats.norm.ppf(np.clip(references, 1e-7, 1 - 1e-7))
    expected = sum(
        mass_of_density(model, ends[i], ends[i + 1])
        for i in range(len(quantiles) - 1)
        if quantiles[i] < quantiles[i + 1]
    )
    assert mass(model, values[0], values[-1], values[1:-1]) == pytest.approx(expected, abs=1e-3)
    outside = [[values[0] - 1e-3], [values[-1] + 1e-3]]
    np.testing.assert_array_equal(model.score_samples(outside), -np.inf)
    assert np.isfinite(model.score_samples(X)).all()


def grid_mass(model, limits, n=400):
    """Integral over a rectangle by Simpson's rule."""
    axes = [np.linspace(low, high, 2 * n + 1) for low, high in limits]
    rows = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(model.score_samples(rows)).reshape(2 * n + 1, 2 * n + 1)
    return integrate.simpson(integrate.simpson(density, axes[1]), axes[0])


@pytest.mark.parametrize(
    "transformer",
    [
        StandardScaler(),
        PCA(),
        PCA(whiten=True),
        PCA(1),
        PCA(1, whiten=True),
        make_pipeline(RobustScaler(), PCA(1), StandardScaler()),
        make_pipeline(PCA(1, whiten=True), FunctionTransformer(np.sinh)),
    ],
    ids=repr,
)
def test_mass_in_two_dimensions(transformer):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 2)) @ [[2.0, 1.0], [0.0, 0.5]] + [3.0, -1.0]
    density = GaussianMixture(2, random_state=0)
    model = TransformedDensity(transformer, density).fit(X)
    assert grid_mass(model, [(-17, 23), (-13, 11)]) == pytest.approx(1.0, abs=1e-6)
