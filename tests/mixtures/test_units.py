"""What is measured in another unit is the same: laws of `reg_covar="auto"`."""

import warnings

import numpy as np
import pytest
from mixtures import each_type, given_start, overlapping
from oracles import within_intervals
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture as SklearnMixture

from skmix import (
    ConditionalGMMInpainter,
    DiagonalGMM,
    GaussianMixture,
    GMMBayesClassifier,
    GMMDenoiser,
    GMMRegressor,
    GSMDenoiser,
    ICADenoiser,
    MVNDenoiser,
    TransformedDensity,
    select_mixture,
)
from skmix.exceptions import DegenerateComponentWarning
from skmix.image import denoise, fit_patch_prior
from skmix.image._patch_prior import learn_patch_prior

FACTORS = [1e-6, 3.0, 1e6]
KINDS = ("plain", "missing", "weights", "float32")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
degenerate = pytest.mark.filterwarnings("ignore::skmix.exceptions.DegenerateComponentWarning")


def clusters(n_samples=300, n_features=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n_samples) % 3
    centres = 5.0 * rng.standard_normal((3, n_features))
    return rng.standard_normal((n_samples, n_features)) + centres[labels], labels


def rows_of(kind, seed=0):
    """Rows, weights, and the error that rounding of the rows makes in a log density."""
    X, _ = clusters(seed=seed)
    rng = np.random.default_rng(seed)
    if kind == "missing":
        holes = rng.random(X.shape) < 0.2
        holes[:, 0] &= ~holes.all(axis=1)  # a row that is entirely missing is left out
        X[holes] = np.nan
    weight = rng.integers(1, 4, len(X)).astype(float) if kind == "weights" else None
    if kind == "float32":
        return X.astype(np.float32), weight, 1e-4
    return X, weight, 1e-6


# What is added -----------------------------------------------------------------------------------


def test_a_share_of_the_weighted_variance_of_observed_cells_is_added():
    X, _ = clusters()
    X *= [1.0, 1e-3, 1e5]
    rng = np.random.default_rng(0)
    X[rng.random(X.shape) < 0.2] = np.nan
    weight = rng.random(len(X))
    shares = weight[:, None] * ~np.isnan(X)
    shares /= shares.sum(axis=0)
    mean = np.nansum(shares * X, axis=0)
    variances = np.nansum(shares * (X - mean) ** 2, axis=0)
    for covariance_type in ("full", "tied", "diag"):
        mixture = GaussianMixture(2, covariance_type=covariance_type, random_state=0)
        mixture.fit(X, sample_weight=weight)
        np.testing.assert_allclose(mixture.reg_covar_, 1e-6 * variances, rtol=1e-12)
    mixture = GaussianMixture(2, covariance_type="spherical", random_state=0)
    mixture.fit(X, sample_weight=weight)
    np.testing.assert_allclose(mixture.reg_covar_, np.full(3, 1e-6 * variances.mean()), rtol=1e-12)


@degenerate
@each_type
def test_constant_columns_get_what_others_get(covariance_type):
    X, _ = clusters()
    variances = X.var(axis=0)
    X = np.column_stack([np.full(len(X), 0.1), X])  # the mean of tenths is rounded
    mixture = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(X)
    expected = 1e-6 * np.r_[variances.mean(), variances]
    if covariance_type == "spherical":
        expected[:] = expected[0]
    np.testing.assert_allclose(mixture.reg_covar_, expected, rtol=1e-12)
    all_constant = GaussianMixture(covariance_type=covariance_type).fit(np.full((5, 2), 0.1))
    np.testing.assert_array_equal(all_constant.reg_covar_, [1e-6, 1e-6])


def test_it_is_what_stands_on_the_diagonal():
    X, _ = clusters()
    mixture = GaussianMixture().fit(X)
    added = mixture.covariances_[0] - np.cov(X.T, bias=True)
    np.testing.assert_allclose(added, np.diag(mixture.reg_covar_), atol=1e-12)


@each_type
def test_it_is_resolved_anew_from_the_rows_of_every_fit(covariance_type):
    X, _ = clusters()
    mixture = GaussianMixture(
        3, covariance_type=covariance_type, warm_start=True, random_state=0
    ).fit(X)
    before = mixture.reg_covar_
    mixture.fit(10.0 * X)
    np.testing.assert_allclose(mixture.reg_covar_, 100.0 * before, rtol=1e-12)
    assert mixture.reg_covar == "auto"
    with pytest.raises(ValueError, match="infinity"):
        mixture.fit(np.where(X.max() - 1e-9 < X, np.inf, X))
    np.testing.assert_allclose(mixture.reg_covar_, 100.0 * before, rtol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_components", [2, 4, 9])
def test_it_is_at_most_a_hundredth_of_what_a_column_varies_within_intervals(
    n_components, weighted
):
    # Groups of values on ever smaller scales, the smallest of which is that of the rows.
    rng = np.random.default_rng(n_components)
    digits = rng.integers(2, size=(400, 4))
    X = (digits @ [1.0, 1e2, 1e5, 1e9] + 0.01 * rng.standard_normal(400))[:, None]
    weight = rng.integers(1, 5, 400).astype(float) if weighted else np.ones(400)
    mixture = DiagonalGMM(n_components, max_iter=1, init_params="kmeans", random_state=0)
    mixture.fit(X, sample_weight=weight if weighted else None)
    least = within_intervals(X[:, 0], weight, n_components)
    variance = np.cov(X[:, 0], aweights=weight, bias=True)
    assert mixture.reg_covar_[0] <= 0.0101 * max(least, 1e-4 * variance)
    assert mixture.reg_covar_[0] >= min(0.0099 * least, 0.99e-6 * variance)


def test_the_bound_holds_for_many_rows_and_repetitions():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 2)) + np.array([0.0, 8.0, 1e5, 1e5 + 8])[
        rng.integers(4, size=20_000), None
    ] * [1.0, 0.0]
    weight = rng.integers(1, 3, len(X))
    options = dict(init_params="kmeans", max_iter=0, random_state=0)
    few = GaussianMixture(4, **options).fit(X, sample_weight=weight).reg_covar_
    many = GaussianMixture(4, **options).fit(np.repeat(X, weight, axis=0)).reg_covar_
    np.testing.assert_allclose(few, [0.01, 1e-6], rtol=0.1)
    np.testing.assert_allclose(many, few, rtol=1e-9)


# What is found -----------------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
@pytest.mark.parametrize("missing", [False, True])
def test_clusters_in_a_narrow_column_are_found(covariance_type, missing):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        labels = np.repeat([0, 1], 150)
        X = rng.standard_normal((300, 2))
        X[:, 1] = 1e-4 * (X[:, 1] + 5.0 * labels)  # a column of sd 3e-4
        if missing:
            X[rng.random(300) < 0.2, 0] = np.nan
        found = GaussianMixture(2, covariance_type=covariance_type, random_state=seed)
        assert adjusted_rand_score(labels, found.fit_predict(X)) > 0.9, seed
        with pytest.warns(UserWarning, match=r"column\(s\) 1 of X.*reg_covar=\"auto\""):
            lost = found.set_params(reg_covar=1e-6).fit_predict(X)
        assert adjusted_rand_score(labels, lost) < 0.5, seed


@each_type
def test_pairs_of_clusters_far_apart_are_found(covariance_type):
    for seed, n_features in ((0, 1), (1, 2), (2, 4)):
        rng = np.random.default_rng(seed)
        labels = np.repeat(np.arange(4), 100)
        X = rng.standard_normal((400, n_features))
        X[:, 0] += np.array([0.0, 12.0, 1e5, 1e5 + 12.0])[labels]
        mixture = GaussianMixture(4, covariance_type=covariance_type, random_state=seed).fit(X)
        assert adjusted_rand_score(labels, mixture.predict(X)) == 1.0, seed
        assert mixture.covariances_.max() < 2.0, seed


# The same in any unit ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@each_type
def test_a_common_factor_changes_nothing(covariance_type, kind):
    X, weight, tolerance = rows_of(kind)
    mixture = GaussianMixture(3, covariance_type=covariance_type, random_state=0)
    mixture.fit(X, sample_weight=weight)
    labels, bound = mixture.predict(X), mixture.lower_bound_
    n_seen = np.average((~np.isnan(X)).sum(axis=1), weights=weight)
    for factor in FACTORS:
        mixture.fit(X * X.dtype.type(factor), sample_weight=weight)
        np.testing.assert_array_equal(mixture.predict(X * X.dtype.type(factor)), labels)
        shifted = mixture.lower_bound_ + n_seen * np.log(factor)
        assert shifted == pytest.approx(bound, abs=tolerance), factor


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_factors_of_columns_change_nothing_from_a_given_start(covariance_type, kind):
    X, weight, tolerance = rows_of(kind)
    start = given_start(covariance_type, n_features=3)
    precisions = start.pop("precisions_init")
    factors = np.array([1e-5, 3.0, 1e4])
    by = np.outer(factors, factors) if covariance_type != "diag" else factors**2
    options = dict(covariance_type=covariance_type, tol=0.0, max_iter=10)
    before = GaussianMixture(3, precisions_init=precisions, **start, **options)
    before.fit(X, sample_weight=weight)
    start["means_init"] = start["means_init"] * factors
    after = GaussianMixture(3, precisions_init=precisions / by, **start, **options)
    after.fit((X * factors).astype(X.dtype), sample_weight=weight)
    jacobian = np.average(~np.isnan(X) @ np.log(factors), weights=weight)
    assert after.lower_bound_ + jacobian == pytest.approx(before.lower_bound_, abs=tolerance)
    np.testing.assert_allclose(after.reg_covar_, factors**2 * before.reg_covar_, rtol=1e-5)


@pytest.mark.parametrize("reg_covar", [1e-6, "auto"])
def test_the_error_of_an_inpainter_has_the_unit_of_the_rows(reg_covar):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 2)) @ rng.standard_normal((2, 6))
    X += 0.05 * rng.standard_normal(X.shape)
    holes = rng.random(X.shape) < 0.2

    def error(unit):
        rows = np.where(holes, np.nan, unit * X)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of the number
            inpainter = ConditionalGMMInpainter(reg_covar=reg_covar, tol=1e-6, max_iter=500)
            filled = inpainter.fit_transform(rows)
        return np.sqrt(np.mean((filled - unit * X)[holes] ** 2)) / unit

    if reg_covar == "auto":
        for unit in (1e-6, 1e-3, 1e6):
            assert error(unit) == pytest.approx(error(1.0), rel=1e-6)
    else:  # what a number does
        assert error(1e-4) > 1.5 * error(1.0)


def image(seed=0):
    rows, columns = np.indices((32, 32)) / 8.0
    noise = np.random.default_rng(seed).standard_normal((32, 32))
    return 100.0 + 50.0 * np.sign(np.sin(rows) * np.cos(columns)) + noise


@pytest.mark.parametrize(
    "estimator",
    [GMMDenoiser(3, random_state=0), MVNDenoiser(), GSMDenoiser(3), ICADenoiser(3)],
    ids=lambda estimator: type(estimator).__name__,
)
def test_a_patch_prior_denoises_as_well_at_any_gray_level(estimator):
    clean = image()
    noisy = clean + 20.0 * np.random.default_rng(1).standard_normal(clean.shape)

    def restored(unit):
        prior = fit_patch_prior([image(2) * unit], estimator, size=6, random_state=0)
        assert np.ptp(prior.reg_covar_) == 0.0  # one for all pixels
        return denoise(noisy * unit, noise_std=20.0 * unit, prior=prior, method="mmse") / unit

    usual = restored(1.0)
    assert np.mean((usual - clean) ** 2) < 0.5 * np.mean((noisy - clean) ** 2)
    np.testing.assert_allclose(restored(1e-4), usual, rtol=1e-6)


def test_a_prior_learned_from_the_image_knows_no_unit():
    noisy = image() + 20.0 * np.random.default_rng(1).standard_normal((32, 32))
    usual = learn_patch_prior([noisy], 20.0, remove_mean=True).mixture_
    dark = learn_patch_prior([noisy * 1e-6], 20.0e-6, remove_mean=True).mixture_
    np.testing.assert_allclose(dark.weights_, usual.weights_, rtol=1e-6)
    atol = 1e-6 * usual.covariances_.max()
    np.testing.assert_allclose(dark.covariances_ * 1e12, usual.covariances_, atol=atol)


@degenerate
@pytest.mark.parametrize("denoiser", [GMMDenoiser, MVNDenoiser, GSMDenoiser, ICADenoiser])
def test_denoisers_know_no_unit(denoiser):
    X, _ = clusters()
    noise = 0.5 * np.random.default_rng(1).standard_normal(X.shape)

    def restored(unit):
        fitted = denoiser(noise_std=0.5 * unit, training_noise_std=0.1 * unit, random_state=0)
        fitted.fit(X * unit)
        assert fitted.reg_covar_.shape == (3,)
        return fitted.transform((X + noise) * unit) / unit

    usual = restored(1.0)
    for unit in FACTORS:
        np.testing.assert_allclose(restored(unit), usual, rtol=1e-6, atol=1e-6)


# What is shared and passed on --------------------------------------------------------------------


@each_type
def test_classes_share_what_all_rows_say(covariance_type):
    X, labels = clusters()
    X[labels == 2, 1] = 0.5  # constant within a class
    options = dict(covariance_type=covariance_type, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateComponentWarning)
        classifier = GMMBayesClassifier(**options).fit(X, labels)
        small = GMMBayesClassifier(**options).fit(1e-5 * X, labels)
    expected = 1e-6 * X.var(axis=0)
    if covariance_type == "spherical":
        expected[:] = expected.mean()
    np.testing.assert_allclose(classifier.reg_covar_, expected, rtol=1e-12)
    for mixture in classifier.mixtures_:
        np.testing.assert_array_equal(mixture.reg_covar_, classifier.reg_covar_)
        assert mixture.reg_covar == "auto"
    np.testing.assert_allclose(
        small.predict_log_proba(1e-5 * X), classifier.predict_log_proba(X), rtol=1e-6, atol=1e-6
    )
    # Nothing of it is left behind: a class fitted on its own takes it from its own rows.
    own = classifier.mixtures_[0].fit(X[labels == 0])
    assert np.all(own.reg_covar_ < classifier.reg_covar_)


def test_inner_mixtures_say_what_was_added():
    X, _ = clusters()
    expected = 1e-6 * X.var(axis=0)
    for estimator in (ConditionalGMMInpainter(), GMMDenoiser(), MVNDenoiser()):
        estimator.fit(X)
        np.testing.assert_allclose(estimator.reg_covar_, expected, rtol=1e-12)
        np.testing.assert_array_equal(estimator.mixture_.reg_covar_, estimator.reg_covar_)
    regressor = GMMRegressor().fit(X[:, :2], X[:, 2])
    np.testing.assert_allclose(regressor.reg_covar_, expected, rtol=1e-12)
    density = TransformedDensity("passthrough", GaussianMixture()).fit(X)
    np.testing.assert_allclose(density.density_.reg_covar_, expected, rtol=1e-12)
    chosen = select_mixture(GaussianMixture(random_state=0), X * 1e-5, {"n_components": [1, 3]})
    np.testing.assert_allclose(chosen.best_estimator_.reg_covar_, 1e-10 * expected, rtol=1e-9)


# Numbers, and messages ---------------------------------------------------------------------------


@each_type
@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3])
@pytest.mark.filterwarnings("ignore:reg_covar=:UserWarning")
def test_a_number_means_what_it_does_in_scikit_learn(covariance_type, unit):
    X = overlapping() * unit
    options = dict(covariance_type=covariance_type, reg_covar=1e-6, init_params="kmeans")
    options |= dict(n_components=3, random_state=0, max_iter=20, tol=0.0)
    ours, theirs = (library(**options).fit(X) for library in (GaussianMixture, SklearnMixture))
    assert ours.lower_bound_ == pytest.approx(theirs.lower_bound_, abs=1e-7)
    np.testing.assert_allclose(ours.covariances_, theirs.covariances_, atol=1e-9 * unit**2)
    np.testing.assert_array_equal(ours.reg_covar_, [1e-6] * 4)


def test_a_number_that_hides_a_column_warns_once():
    X, labels = clusters()
    X *= [1.0, 1e-3, 1.0]
    estimators = [
        GaussianMixture(2, random_state=0),
        DiagonalGMM(2, n_init=2, random_state=0),
        GMMBayesClassifier(2, random_state=0),
        ConditionalGMMInpainter(),
        GMMRegressor(),
        *(cls() for cls in (GMMDenoiser, MVNDenoiser, GSMDenoiser, ICADenoiser)),
    ]
    for estimator in estimators:
        estimator.set_params(reg_covar=1e-5)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator.fit(X, labels)
        texts = [str(w.message) for w in caught if "hidden" in str(w.message)]
        assert len(texts) == 1, estimator
        assert texts[0].startswith("reg_covar=1e-05 is more than 10% of the variance of column(s)")
        assert "column(s) 1 of X (the smallest is " in texts[0]
        assert 'reg_covar="auto"' in texts[0]
        assert all(w.filename == __file__ for w in caught if "hidden" in str(w.message))
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # constant columns hide nothing
            warnings.simplefilter("ignore", DegenerateComponentWarning)
            estimator.fit(X * [1.0, 0.0, 1.0], labels)


def test_columns_are_named_as_in_the_frame():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(clusters()[0] * [1.0, 1e-3, 1.0], columns=["a", "b", "c"])
    with pytest.warns(UserWarning, match=r"column\(s\) 'b' of X"):
        GaussianMixture(reg_covar=1e-5).fit(X)


def test_zero_raises_where_a_component_has_no_covariance():
    X, _ = clusters()
    for covariance_type in ("full", "tied", "diag"):
        mixture = GaussianMixture(covariance_type=covariance_type, reg_covar=0.0)
        with pytest.raises(ValueError, match="increase reg_covar"):
            mixture.fit(X * [1.0, 0.0, 1.0])


@pytest.mark.parametrize(
    ("reg_covar", "said"), [("auto", r"reg_covar='auto' \(reg_covar_ is "), (1e-4, "=0.0001 ")]
)
def test_messages_print_what_was_added(reg_covar, said):
    X, _ = clusters()
    X = np.column_stack([X, X[:, 0]])
    mixture = GaussianMixture(reg_covar=reg_covar)
    with pytest.warns(DegenerateComponentWarning, match=said):
        mixture.fit(X)
    with pytest.warns(DegenerateComponentWarning, match=said):
        select_mixture(mixture, X, {"n_components": [1]})


@pytest.mark.parametrize("reg_covar", [-1.0, "none", None, [1e-6, 1e-6, 1e-6], np.nan])
def test_anything_else_is_refused(reg_covar):
    X, labels = clusters()
    for estimator in (GaussianMixture(), GMMBayesClassifier(), GSMDenoiser(), GMMRegressor()):
        with pytest.raises(ValueError, match="reg_covar"):
            estimator.set_params(reg_covar=reg_covar).fit(X, labels)
