"""TransformedDensity: fewer dimensions, draws, and the habits of a meta-estimator."""

import pickle

import numpy as np
import pytest
import sklearn
import sklearn.mixture
from scipy import stats
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils import estimator_checks, get_tags
from test_jacobians import SCALERS, fit_one_feature, mass, mass_of_density, positive_rows

from skmix import DiagonalGMM, GaussianMixture, GMMBayesClassifier, TransformedDensity
from skmix._transforms import jacobians

# Fewer dimensions ----------------------------------------------------------------------------


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("svd_solver", ["full", "covariance_eigh", "randomized"])
def test_fewer_components_are_probabilistic_pca(whiten, svd_solver):
    X = positive_rows(150, 5, seed=2) / 10.0 ** np.arange(5)
    pca = PCA(2, whiten=whiten, svd_solver=svd_solver, random_state=0)
    model = TransformedDensity(pca, GaussianMixture(reg_covar=0)).fit(X)
    fitted = model.transformer_
    # The mixture divides by n, PCA by n - 1.
    kept = fitted.explained_variance_ * (len(X) - 1) / len(X)
    axes = PCA(2).fit(X).components_
    covariance = axes.T * kept @ axes + fitted.noise_variance_ * (np.eye(5) - axes.T @ axes)
    expected = stats.multivariate_normal(X.mean(axis=0), covariance).logpdf(X)
    np.testing.assert_allclose(model.score_samples(X), expected, rtol=1e-6)
    if not whiten:  # scikit-learn's own probabilistic PCA, less the factor above
        assert fitted.score(X) == pytest.approx(model.score(X), abs=0.01)


def test_pca_sizes_are_comparable():
    """Held-out likelihood prefers the number of directions in which the data vary."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 3)) @ rng.standard_normal((3, 8)) * 2
    X += 0.1 * rng.standard_normal(X.shape)
    search = GridSearchCV(
        TransformedDensity(PCA(), GaussianMixture()),
        {"transformer__n_components": [1, 2, 3, 4, 6, 8]},
        cv=5,
    ).fit(X)
    assert search.best_params_ == {"transformer__n_components": 3}
    full = search.cv_results_["mean_test_score"][-1]
    direct = GridSearchCV(GaussianMixture(), {"reg_covar": [1e-6]}, cv=5).fit(X).best_score_
    assert full == pytest.approx(direct, abs=1e-3)  # a rotation changes nothing


def test_draws_have_the_noise_of_left_out_directions():
    X = positive_rows(300, 4, seed=3) / 10.0 ** np.arange(4)
    # Equal seeds everywhere, which must not correlate the noise with the draws.
    density = GaussianMixture(reg_covar=0, random_state=0)
    model = TransformedDensity(PCA(2, random_state=0), density, random_state=0).fit(X)
    drawn, _ = model.sample(100_000)
    pca = model.transformer_
    axes, kept = pca.components_, model.density_.covariances_[0]
    expected = axes.T @ kept @ axes + pca.noise_variance_ * (np.eye(4) - axes.T @ axes)
    scale = np.sqrt(np.diag(expected))
    error = (np.cov(drawn.T) - expected) / np.outer(scale, scale)
    assert np.abs(error).max() < 0.02  # five standard errors
    np.testing.assert_allclose(drawn.mean(axis=0), X.mean(axis=0), atol=0.02 * scale.max())


# Draws ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transformer", "low", "high"),
    [
        (FunctionTransformer(np.log), 0, np.inf),
        (FunctionTransformer(np.expm1), -np.inf, np.inf),
        (FunctionTransformer(np.sqrt), 0, np.inf),
        (FunctionTransformer(np.arctan), -np.inf, np.inf),
        (PowerTransformer(), -np.inf, np.inf),
        (make_pipeline(StandardScaler(), FunctionTransformer(np.tanh)), -np.inf, np.inf),
    ],
    ids=repr,
)
def test_draws_follow_the_density(transformer, low, high):
    X = np.random.default_rng(0).beta(0.7, 1.5, size=(80, 1)) + 0.05
    model = fit_one_feature(transformer, X)
    drawn, labels = model.sample(20_000)
    assert drawn.shape == (20_000, 1)
    assert labels.shape == (20_000,)
    assert np.isfinite(model.score_samples(drawn)).all()
    points = np.quantile(X, [0, 0.3, 0.6, 1])
    total = mass(model, low, high, points)
    for x in np.quantile(X, [0.05, 0.25, 0.5, 0.75, 0.95]):
        below = [point for point in points if point < x]
        expected = mass(model, low, x, below) / total
        assert np.mean(drawn < x) == pytest.approx(expected, abs=0.02)


def test_draws_with_and_without_labels():
    X = np.exp(np.random.default_rng(0).standard_normal((60, 2)))
    log = FunctionTransformer(np.log)
    drawn, labels = TransformedDensity(log, GaussianMixture(2, random_state=0)).fit(X).sample(10)
    assert drawn.shape == (10, 2) and labels.shape == (10,)
    drawn, labels = TransformedDensity(log, sklearn.mixture.GaussianMixture()).fit(X).sample(10)
    assert drawn.shape == (10, 2) and labels.shape == (10,)
    model = TransformedDensity(log, KernelDensity(), random_state=0).fit(X)
    drawn = model.sample(10)
    assert drawn.shape == (10, 2) and drawn.min() > 0
    np.testing.assert_array_equal(model.sample(10), drawn)
    assert not np.array_equal(model.set_params(random_state=1).sample(10), drawn)


def test_draws_that_all_have_a_row_come_in_the_order_of_the_density():
    X = positive_rows(50, 2)
    model = TransformedDensity(StandardScaler(), GaussianMixture(2, random_state=0)).fit(X)
    Z, labels = model.density_.sample(30)
    drawn, drawn_labels = model.sample(30)
    np.testing.assert_allclose(drawn, model.transformer_.inverse_transform(Z), rtol=1e-12)
    np.testing.assert_array_equal(drawn_labels, labels)


def test_draws_beyond_the_image_are_an_error():
    class Elsewhere(BaseEstimator):
        def fit(self, X, y=None):
            self.fitted_ = True
            return self

        def score_samples(self, X):
            return np.zeros(len(X))

        def sample(self, n_samples=1):
            return np.full((n_samples, 1), -1.0)

    model = TransformedDensity(FunctionTransformer(np.exp), Elsewhere()).fit([[0.0], [1.0]])
    with pytest.raises(ValueError, match=r"Only 0 of .* draws"):
        model.sample(3)


def test_fewer_samples_than_one_are_refused():
    model = TransformedDensity().fit([[0.0], [1.0]])
    with pytest.raises(ValueError, match="at least one"):
        model.sample(0)


# Rows outside of the domain ------------------------------------------------------------------


def test_rows_outside_of_the_domain():
    X = np.exp(np.random.default_rng(0).standard_normal((50, 2)))
    log = make_pipeline(FunctionTransformer(np.log), StandardScaler())
    model = TransformedDensity(log, GaussianMixture(2, random_state=0)).fit(X)
    rows = np.array([[1.0, 1.0], [-1.0, 1.0], [2.0, 0.5], [0.0, 1.0]])
    scores = model.score_samples(rows)
    np.testing.assert_array_equal(np.isfinite(scores), [True, False, True, False])
    np.testing.assert_array_equal(scores[[0, 2]], model.score_samples(rows[[0, 2]]))
    np.testing.assert_array_equal(model.score_samples(rows[[1, 3]]), -np.inf)
    assert model.score(rows) == -np.inf
    message = r"2 row\(s\) of X .* of FunctionTransformer\(.*\), the first of them row 1"
    for method in (model.predict, model.predict_proba):
        assert len(method(rows[[0, 2]])) == 2
        with pytest.raises(ValueError, match=message):
            method(rows)


@pytest.mark.parametrize(
    "transformer",
    [
        FunctionTransformer(np.log),
        make_pipeline(FunctionTransformer(np.log), StandardScaler()),
        make_pipeline(StandardScaler(), FunctionTransformer(np.sqrt)),
    ],
    ids=repr,
)
def test_fit_refuses_rows_outside_of_the_domain(transformer):
    X = np.array([[1.0], [0.5], [-2.0], [3.0]])
    message = r"outside of the domain of FunctionTransformer\(.*\), the first of them row [12]: "
    with pytest.raises(ValueError, match=message):
        TransformedDensity(transformer).fit(X)


@pytest.mark.parametrize("standardize", [False, True])
def test_images_too_large_are_not_called_outside_of_the_domain(standardize):
    # Left-skewed rows: Yeo-Johnson raises them to a power of 3 or more.
    X = np.random.default_rng(0).beta(8.0, 1.2, size=(200, 1)) * 10.0
    power = PowerTransformer(standardize=standardize)
    model = TransformedDensity(make_pipeline(FunctionTransformer(), power)).fit(X)
    assert power.fit(X).lambdas_[0] > 2.0
    rows = np.array([[5.0], [1e60], [3.0]])
    assert model.score_samples(rows)[1] == -np.inf
    message = r"1 row\(s\) of X have images beyond 1e\+75 by PowerTransformer.*row 1.*Standardise"
    with pytest.raises(ValueError, match=message):
        model.predict(rows)
    with pytest.raises(ValueError, match="images beyond"):
        TransformedDensity(StandardScaler(with_std=False)).fit(rows * 1e60)


# What is refused -----------------------------------------------------------------------------


class OwnTransform(StandardScaler):
    """Does not have the Jacobian of its parent."""

    def transform(self, X):
        return super().transform(X) ** 3


@pytest.mark.parametrize(
    ("transformer", "message"),
    [
        (Normalizer(), r"Normalizer\(\).*log_abs_det_jacobian"),
        (PolynomialFeatures(), "PolynomialFeatures"),
        (TruncatedSVD(1), "TruncatedSVD"),
        (make_pipeline(StandardScaler(), Normalizer()), r"holds Normalizer\(\)"),
        (ColumnTransformer([("a", StandardScaler(), [0])]), "ColumnTransformer"),
        (OwnTransform(), "OwnTransform"),
        (FrozenEstimator(OwnTransform()), "OwnTransform"),
        (MinMaxScaler(clip=True), "clip=False"),
        (FunctionTransformer(np.abs), "absolute.*not known to be one-to-one"),
        (FunctionTransformer(np.square), "not known to be one-to-one"),
        (FunctionTransformer(lambda x: x), "not known to be one-to-one"),
        (FunctionTransformer(np.log, kw_args={"where": True}), "not known to be one-to-one"),
        ("drop", "'transformer' parameter"),
        (object(), "'transformer' parameter"),
    ],
)
def test_transformers_without_a_known_jacobian_are_refused(transformer, message):
    with pytest.raises(ValueError, match=message):
        TransformedDensity(transformer).fit(positive_rows(20))


def test_clipping_max_abs_scaler_is_refused():
    if "clip" not in MaxAbsScaler().get_params():
        pytest.skip("this scikit-learn has no MaxAbsScaler(clip=True)")
    with pytest.raises(ValueError, match="clip=False"):
        TransformedDensity(MaxAbsScaler(clip=True)).fit(positive_rows(20))


@pytest.mark.parametrize(
    ("density", "message"),
    [
        (KMeans(), "'density' parameter"),
        (StandardScaler(), "'density' parameter"),
        ("gaussian", "'density' parameter"),
        (make_pipeline(StandardScaler(), GaussianMixture()), "is a Pipeline"),
    ],
)
def test_densities_that_are_none_are_refused(density, message):
    with pytest.raises(ValueError, match=message):
        TransformedDensity(StandardScaler(), density).fit(positive_rows(20))


def test_maps_that_leave_no_density_are_refused():
    X = positive_rows(50, 2)
    flat = np.column_stack([X, X.sum(axis=1)])
    with pytest.raises(ValueError, match=r"noise_variance_.*have no density"):
        TransformedDensity(PCA(2)).fit(flat)
    with pytest.raises(ValueError, match="noise_variance_"):
        TransformedDensity(PCA()).fit(positive_rows(3, 5))
    constant = np.column_stack([X, np.ones(50)])
    with pytest.raises(ValueError, match=r"column\(s\) \[2\], which are constant"):
        TransformedDensity(QuantileTransformer(n_quantiles=10)).fit(constant)
    # A constant column is left as it is by scalers: they can be inverted.
    scaled = TransformedDensity(StandardScaler(), KernelDensity()).fit(constant)
    assert np.isfinite(scaled.score(constant))


def test_frozen_transformers_are_used_as_they_are():
    X = positive_rows(50, 2)
    scaler = StandardScaler().fit(10 * X)
    model = TransformedDensity(FrozenEstimator(scaler)).fit(X)
    np.testing.assert_array_equal(scaler.scale_, StandardScaler().fit(10 * X).scale_)
    expected = model.density_.score_samples(scaler.transform(X)) - np.log(scaler.scale_).sum()
    np.testing.assert_allclose(model.score_samples(X), expected, rtol=1e-12)
    with pytest.raises(NotFittedError):
        TransformedDensity(FrozenEstimator(StandardScaler())).fit(X)


# The hook ------------------------------------------------------------------------------------


class Cube(TransformerMixin, BaseEstimator):
    """x³, which FunctionTransformer has no ufunc for; positive numbers only."""

    def __init__(self, shape="right"):
        self.shape = shape

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return X**3

    def inverse_transform(self, X):
        return np.where(X > 0, np.cbrt(X), np.nan)

    def log_abs_det_jacobian(self, X):
        inside = (X > 0).all(axis=1)
        log_det = np.log(3 * np.where(X > 0, X, 1.0) ** 2).sum(axis=1)
        log_det = np.where(inside, log_det, -np.inf)
        return log_det if self.shape == "right" else log_det[:, None]


def test_hook_of_own_transformers():
    X = positive_rows(60, 1) * 0.5
    model = fit_one_feature(make_pipeline(MaxAbsScaler(), Cube()), X)
    expected = mass_of_density(model, 0, np.inf)
    points = np.quantile(X, [0.1, 0.5, 0.9, 1])
    assert mass(model, 0, np.inf, points) == pytest.approx(expected, abs=1e-6)
    assert model.score_samples([[-1.0]])[0] == -np.inf
    assert model.sample(50)[0].min() > 0
    with pytest.raises(ValueError, match="must return one number per row"):
        TransformedDensity(Cube("wrong")).fit(X)


def test_hook_comes_before_what_is_known_of_a_parent():
    class Scaled(StandardScaler):
        def transform(self, X):
            return 2 * super().transform(X)

        def inverse_transform(self, X):
            return super().inverse_transform(X / 2)

        def log_abs_det_jacobian(self, X):
            return np.full(len(X), np.log(2 / self.scale_).sum())

    X = positive_rows(60, 1)
    model = fit_one_feature(Scaled(), X)
    points = np.quantile(X, [0, 0.1, 0.5, 0.9, 1])
    assert mass(model, -np.inf, np.inf, points) == pytest.approx(1.0, abs=1e-6)


def test_draws_need_an_inverse():
    class OneWay(Cube):
        inverse_transform = property()

    model = TransformedDensity(OneWay()).fit(positive_rows(20, 1))
    with pytest.raises(ValueError, match="has no inverse_transform"):
        model.sample()


# Missing values ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "transformer", [*SCALERS, PowerTransformer(), FunctionTransformer(np.log)], ids=repr
)
def test_missing_cells_are_integrated_out(transformer):
    X = positive_rows(100, 2)
    density = DiagonalGMM(random_state=0)
    model = TransformedDensity(transformer, density)
    assert get_tags(model).input_tags.allow_nan
    model.fit(X)
    alone = TransformedDensity(transformer, density).fit(X[:, :1])
    hidden = np.column_stack([X[:, 0], np.full(100, np.nan)])
    expected = alone.score_samples(X[:, :1])
    np.testing.assert_allclose(model.score_samples(hidden), expected, rtol=1e-9)
    X[::5, 1] = np.nan
    assert np.isfinite(clone(model).fit(X).score(X))


@pytest.mark.parametrize(
    ("transformer", "density"),
    [
        (PCA(1), GaussianMixture()),
        (StandardScaler(), sklearn.mixture.GaussianMixture()),
        (FunctionTransformer(np.log, validate=True), GaussianMixture()),
        (make_pipeline(StandardScaler(), PCA(1)), GaussianMixture()),
    ],
    ids=repr,
)
def test_missing_cells_are_refused_where_a_part_cannot_take_them(transformer, density):
    model = TransformedDensity(transformer, density)
    assert not get_tags(model).input_tags.allow_nan
    X = positive_rows(30, 2)
    X[3, 1] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.fit(X)


# Weights and routing -------------------------------------------------------------------------


def test_weights_reach_both_parts():
    X, weight = positive_rows(60, 2), np.arange(60) % 4
    model = TransformedDensity(StandardScaler(), GaussianMixture())
    weighted = clone(model).fit(X, sample_weight=weight)
    repeated = clone(model).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.transformer_.mean_, repeated.transformer_.mean_)
    np.testing.assert_allclose(weighted.score_samples(X), repeated.score_samples(X), rtol=1e-6)
    only_density = TransformedDensity(MinMaxScaler(), GaussianMixture()).fit(X, None, weight)
    unweighted = TransformedDensity(MinMaxScaler(), GaussianMixture()).fit(X)
    assert only_density.score(X) < unweighted.score(X)


def test_weights_that_the_density_does_not_take_are_an_error():
    X = positive_rows(20, 2)
    model = TransformedDensity(StandardScaler(), sklearn.mixture.GaussianMixture())
    with pytest.raises(TypeError, match="takes none in fit"):
        model.fit(X, sample_weight=np.ones(20))
    kernel = TransformedDensity(StandardScaler(), KernelDensity())
    ones = kernel.fit(X, sample_weight=np.ones(20)).score(X)
    assert kernel.fit(X, sample_weight=1 + np.arange(20)).score(X) != ones


def test_metadata_routing():
    X, weight = positive_rows(60, 2), np.arange(60) % 4
    with sklearn.config_context(enable_metadata_routing=True):
        both = TransformedDensity(
            StandardScaler().set_fit_request(sample_weight=True),
            GaussianMixture().set_fit_request(sample_weight=True),
        ).fit(X, sample_weight=weight)
        one = TransformedDensity(
            StandardScaler().set_fit_request(sample_weight=False),
            GaussianMixture().set_fit_request(sample_weight=True),
        ).fit(X, sample_weight=weight)
        none = TransformedDensity(None, GaussianMixture().set_fit_request(sample_weight="mass"))
        none.fit(X, mass=weight)
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError):
            TransformedDensity(StandardScaler(), GaussianMixture()).fit(X, sample_weight=weight)
        search = GridSearchCV(both, {"density__n_components": [1]}, cv=3)
        search.fit(X, sample_weight=weight)
    repeated = np.repeat(X, weight, axis=0)
    np.testing.assert_allclose(both.transformer_.mean_, repeated.mean(axis=0))
    np.testing.assert_allclose(one.transformer_.mean_, X.mean(axis=0))
    np.testing.assert_allclose(none.density_.means_[0], repeated.mean(axis=0))
    np.testing.assert_allclose(search.best_estimator_.transformer_.mean_, repeated.mean(axis=0))


# What scikit-learn asks ----------------------------------------------------------------------


@estimator_checks.parametrize_with_checks(
    [
        TransformedDensity(make_pipeline(StandardScaler(), PCA(1)), GaussianMixture()),
        TransformedDensity(
            PowerTransformer(), sklearn.mixture.GaussianMixture(init_params="random")
        ),
        TransformedDensity(RobustScaler(), KernelDensity()),
    ]
)
def test_scikit_learn_checks(estimator, check):
    name = check.func.__name__
    if "sample_weight" in name and not isinstance(estimator.density, KernelDensity):
        pytest.skip("these transformers, or densities, take no weights")
    if name == "check_sample_weight_equivalence_on_dense_data":
        pytest.skip("RobustScaler takes no weights")
    check(estimator)


@pytest.mark.parametrize(
    "density",
    [
        GaussianMixture(2, random_state=0),
        DiagonalGMM(2, random_state=0),
        sklearn.mixture.GaussianMixture(n_components=2, random_state=0),
        sklearn.mixture.BayesianGaussianMixture(n_components=2, random_state=0),
        KernelDensity(bandwidth=0.3),
    ],
    ids=repr,
)
def test_densities_of_all_kinds(density):
    X = positive_rows(80, 2)
    model = TransformedDensity(PowerTransformer("box-cox"), density).fit(X)
    Z = PowerTransformer("box-cox").fit(X).transform(X)
    log_det = jacobians.log_abs_det_jacobian(model.transformer_, X)
    expected = clone(density).fit(Z).score_samples(Z) + log_det
    np.testing.assert_allclose(model.score_samples(X), expected, rtol=1e-9)
    assert model.score(X) == pytest.approx(expected.mean(), rel=1e-9)
    assert hasattr(model, "predict") == hasattr(density, "predict")
    assert hasattr(model, "predict_proba") == hasattr(density, "predict_proba")
    if hasattr(model, "predict"):
        np.testing.assert_array_equal(model.predict(X), model.density_.predict(Z))
        np.testing.assert_allclose(model.predict_proba(X), model.density_.predict_proba(Z))


def test_classifier_as_density():
    X = positive_rows(80, 2)
    y = np.where(X[:, 0] > np.median(X[:, 0]), "high", "low")
    model = TransformedDensity(FunctionTransformer(np.log), GMMBayesClassifier())
    assert set(model.fit(X, y).predict(X)) == {"high", "low"}
    assert set(model.sample(20)[1]) == {"high", "low"}


def test_search_over_parts():
    X = positive_rows(120, 3)
    model = TransformedDensity(
        make_pipeline(StandardScaler(), PCA()), GaussianMixture(random_state=0)
    )
    search = GridSearchCV(
        model,
        {
            "transformer__standardscaler": [StandardScaler(), PowerTransformer(), "passthrough"],
            "transformer__pca__n_components": [1, 3],
            "density__n_components": [1, 2],
        },
        cv=3,
        error_score="raise",
    ).fit(X)
    # A single Gaussian of all components does not see that columns were scaled.
    assert len(set(search.cv_results_["mean_test_score"].round(6))) == 11
    assert search.best_params_["transformer__standardscaler"].__class__ is PowerTransformer
    assert search.score(X) == search.best_estimator_.score(X)


def test_pandas_names_and_configured_output():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(positive_rows(50, 2), columns=["a", "b"])
    transformer = make_pipeline(StandardScaler(), PCA(1), FunctionTransformer(np.arcsinh))
    expected = TransformedDensity(transformer).fit(X.to_numpy()).score_samples(X.to_numpy())
    with sklearn.config_context(transform_output="pandas"):
        model = TransformedDensity(transformer).fit(X)
        np.testing.assert_array_equal(model.score_samples(X), expected)
    np.testing.assert_array_equal(model.feature_names_in_, ["a", "b"])
    as_set = TransformedDensity(transformer.set_output(transform="pandas")).fit(X)
    np.testing.assert_array_equal(as_set.score_samples(X), expected)
    with pytest.raises(ValueError, match="feature names"):
        model.score_samples(X[["b", "a"]])


def test_parts_are_cloned_and_survive():
    scaler, density = StandardScaler(), GaussianMixture()
    model = TransformedDensity(scaler, density).fit(positive_rows(20))
    assert not hasattr(scaler, "scale_") and not hasattr(density, "means_")
    assert model.transformer_ is not scaler and model.density_ is not density
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(
        loaded.score_samples(positive_rows(5)), model.score_samples(positive_rows(5))
    )


def test_failed_refit_keeps_the_earlier_fit():
    X = positive_rows(30, 2)
    model = TransformedDensity(FunctionTransformer(np.log), GaussianMixture()).fit(X)
    expected = model.score_samples(X)
    for bad in (-X, X[:1], np.full((5, 2), np.nan), positive_rows(4, 3)[:, :0]):
        with pytest.raises(ValueError):
            model.fit(bad)
        np.testing.assert_array_equal(model.score_samples(X), expected)


def test_float32_rows_score_as_float64_ones():
    X = positive_rows(60, 2).astype(np.float32)
    model = TransformedDensity(StandardScaler(), GaussianMixture(random_state=0))
    single = clone(model).fit(X).score_samples(X)
    double = clone(model).fit(X.astype(np.float64)).score_samples(X.astype(np.float64))
    assert single.dtype == np.float64
    np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-4)


def test_pipeline_by_name_of_its_steps():
    model = TransformedDensity(Pipeline([("scale", StandardScaler()), ("rotate", PCA())]))
    model.set_params(transformer__rotate__n_components=1, transformer__scale="passthrough")
    X = positive_rows(30, 2)
    expected = TransformedDensity(PCA(1)).fit(X).score_samples(X)
    np.testing.assert_array_equal(model.fit(X).score_samples(X), expected)
