"""ConditionalGMMInpainter: an imputer as scikit-learn's are."""

import warnings

import numpy as np
import pytest
import sklearn
from families import with_holes
from scipy.stats import kstest, truncnorm
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skmix import ConditionalGMMInpainter, GaussianMixture


def correlated(n_samples=400, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_samples, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(
        size=(n_samples, 5)
    )


def test_fills_what_the_mixture_would():
    X = with_holes(correlated())
    inpainter = ConditionalGMMInpainter(2, random_state=0, tol=1e-4, shrinkage=2.0).fit(X)
    mixture = GaussianMixture(2, random_state=0, tol=1e-4, shrinkage=2.0).fit(X)
    filled, std = mixture.impute(X, return_std=True)
    np.testing.assert_array_equal(inpainter.transform(X), filled)
    np.testing.assert_array_equal(inpainter.predict_std(X), std)
    np.testing.assert_array_equal(inpainter.score_samples(X), mixture.score_samples(X))
    assert inpainter.score(X) == mixture.score(X)
    assert inpainter.n_iter_ == mixture.n_iter_


TABLES = {  # rows, features, factors, noise, share of missing cells
    "more features than rows": (30, 60, 3, 0.3, 0.1),
    "as many": (50, 50, 3, 0.3, 0.3),
    "half missing": (100, 60, 3, 0.1, 0.5),
    "many rows": (200, 15, 3, 0.3, 0.1),
}


@pytest.mark.parametrize("table", TABLES)
def test_shrinkage_is_nearly_the_best(table):
    n_samples, n_features, n_factors, noise, share = TABLES[table]
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n_samples, n_factors)) @ rng.normal(size=(n_factors, n_features))
    X += noise * rng.normal(size=X.shape)
    missing = rng.random(X.shape) < share

    def error(**options):
        inpainter = ConditionalGMMInpainter(**options)
        filled = inpainter.fit_transform(np.where(missing, np.nan, X))
        return np.sqrt(np.mean((filled - X)[missing] ** 2))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # collapse, or large reg_covar, without shrinkage
        fixed = [error(shrinkage=0.0, reg_covar=r) for r in (0.01, 0.1, 0.3, 1.0)]
    assert error() < 1.1 * min(fixed)
    assert max(fixed) > 1.1 * min(fixed)


def test_one_component_is_regression_on_the_observed_features():
    X = correlated()
    holes = X[:50].copy()
    holes[:, 2] = np.nan
    filled = ConditionalGMMInpainter(reg_covar=0.0, shrinkage=0.0).fit(X).transform(holes)
    others = [0, 1, 3, 4]
    regression = LinearRegression().fit(X[:, others], X[:, 2])
    np.testing.assert_allclose(filled[:, 2], regression.predict(X[:50][:, others]), atol=1e-9)


def test_beats_the_mean_and_says_by_how_much_it_errs():
    X = correlated()
    holes = with_holes(X)
    missing = np.isnan(holes)
    inpainter = ConditionalGMMInpainter().fit(holes)
    errors = (inpainter.transform(holes) - X)[missing]
    by_mean = (SimpleImputer().fit_transform(holes) - X)[missing]
    assert np.mean(errors**2) < 0.2 * np.mean(by_mean**2)
    std = inpainter.predict_std(holes)[missing]
    assert np.mean((errors / std) ** 2) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("marker", [-1, 0.5])
def test_other_markers_of_missing_cells(marker):
    X = with_holes(correlated())
    marked = np.where(np.isnan(X), marker, X)
    inpainter = ConditionalGMMInpainter(missing_values=marker).fit(marked)
    expected = ConditionalGMMInpainter().fit(X)
    np.testing.assert_array_equal(inpainter.transform(marked), expected.transform(X))
    np.testing.assert_array_equal(inpainter.predict_std(marked), expected.predict_std(X))
    with pytest.raises(ValueError, match="contains NaN"):
        inpainter.transform(X)


def test_integers_with_a_marker():
    X = np.round(10 * correlated()).astype(np.int64)
    X[::3, 1] = -1000
    filled = ConditionalGMMInpainter(missing_values=-1000).fit_transform(X)
    assert filled.dtype == np.float64
    assert filled[::3, 1].min() > -500
    np.testing.assert_array_equal(filled[1::3], X[1::3])


def test_sample_posterior_draws():
    X = with_holes(correlated())
    inpainter = ConditionalGMMInpainter(sample_posterior=True, random_state=0).fit(X)
    drawn = inpainter.transform(X)
    np.testing.assert_array_equal(inpainter.transform(X), drawn)
    inpainter.set_params(random_state=1)
    assert not np.array_equal(inpainter.transform(X), drawn)
    inpainter.set_params(sample_posterior=False)
    missing = np.isnan(X)
    error = (drawn - inpainter.transform(X))[missing] / inpainter.predict_std(X)[missing]
    assert np.mean(error**2) == pytest.approx(1.0, abs=0.2)


def test_indicator_columns_as_simple_imputer():
    pandas = pytest.importorskip("pandas")
    X = correlated()
    X[::4, 1] = X[1::5, 3] = np.nan
    frame = pandas.DataFrame(X, columns=list("abcde"))
    inpainter = ConditionalGMMInpainter(add_indicator=True).fit(frame)
    simple = SimpleImputer(add_indicator=True).fit(frame)
    assert list(inpainter.get_feature_names_out()) == list(simple.get_feature_names_out())
    filled = inpainter.transform(frame)
    np.testing.assert_array_equal(filled[:, 5:], simple.transform(frame)[:, 5:])
    np.testing.assert_array_equal(inpainter.inverse_transform(filled), filled[:, :5])
    with pytest.raises(ValueError, match="5 columns, but transform returns 7"):
        inpainter.inverse_transform(filled[:, :5])
    as_frame = inpainter.set_output(transform="pandas").transform(frame)
    assert list(as_frame.columns) == list(simple.get_feature_names_out())
    assert (as_frame.index == frame.index).all()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_indicator_columns_under_a_global_output(library):
    pytest.importorskip(library)
    X = with_holes(correlated())
    inpainter = ConditionalGMMInpainter(add_indicator=True).fit(X)
    expected = inpainter.transform(X)
    with sklearn.config_context(transform_output=library):
        for fitted in (inpainter, clone(inpainter).fit(X)):
            framed = fitted.transform(X)
            assert list(framed.columns) == list(inpainter.get_feature_names_out())
            np.testing.assert_array_equal(framed.to_numpy(), expected)


def test_missing_pandas_values():
    pandas = pytest.importorskip("pandas")
    X = np.round(with_holes(correlated()))
    frame = pandas.DataFrame(X, columns=list("abcde")).convert_dtypes()
    expected = ConditionalGMMInpainter().fit_transform(X)
    np.testing.assert_array_equal(ConditionalGMMInpainter().fit_transform(frame), expected)


def test_restores_rows_behind_pca():
    X = correlated()
    pipeline = make_pipeline(PCA(3), ConditionalGMMInpainter(2, random_state=0)).fit(X)
    Z = pipeline.transform(X)
    np.testing.assert_allclose(pipeline.inverse_transform(Z), pipeline[0].inverse_transform(Z))


def test_search_chooses_by_held_out_likelihood():
    X, _ = correlated(), None
    X = np.concatenate([X, X * [1, -1, 1, -1, 1] + 6.0])
    search = GridSearchCV(
        ConditionalGMMInpainter(random_state=0), {"n_components": [1, 2]}, cv=3
    ).fit(with_holes(np.random.default_rng(0).permutation(X)))
    assert search.best_params_ == {"n_components": 2}


def test_failed_refit_keeps_the_earlier_fit():
    X = with_holes(correlated())
    inpainter = ConditionalGMMInpainter(add_indicator=True).fit(X)
    expected = inpainter.transform(X)
    bad = X.copy()
    bad[:] = np.nan
    with pytest.raises(ValueError, match=r"Column\(s\) 0, 1, 2, 3, 4 of X are entirely missing"):
        inpainter.fit(bad)
    with pytest.raises(ValueError, match="no effect with covariance_type='tied'"):
        inpainter.set_params(covariance_type="tied", shrinkage=1.0).fit(X)
    np.testing.assert_array_equal(inpainter.transform(X), expected)


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("marker", [np.nan, -99.0])
def test_empty_columns_are_left_out_or_zero(kept, marker):
    X = with_holes(correlated())
    X[:, [0, 3]] = np.nan
    options = dict(keep_empty_features=kept, missing_values=marker, n_refits=2, random_state=0)
    marked = np.where(np.isnan(X), marker, X)
    inpainter = ConditionalGMMInpainter(add_indicator=True, **options).fit(marked)
    assert inpainter.empty_features_.tolist() == [0, 3]
    others = ConditionalGMMInpainter().fit(X[:, [1, 2, 4]])
    expected = others.transform(X[:, [1, 2, 4]])
    if kept:
        expected = np.insert(expected, [0, 2], 0.0, axis=1)
    filled = inpainter.transform(marked)
    n_features = expected.shape[1]
    np.testing.assert_array_equal(filled[:, :n_features], expected)
    names = [name for name in inpainter.get_feature_names_out() if "missing" not in name]
    assert names == (["x0", "x1", "x2", "x3", "x4"] if kept else ["x1", "x2", "x4"])
    assert filled.shape[1] == n_features + 5
    assert np.isnan(inpainter.predict_std(marked)).all(axis=0).sum() == (2 if kept else 0)
    assert [d.shape for d in inpainter.multiple_imputations(marked)] == [expected.shape] * 2
    np.testing.assert_array_equal(
        inpainter.score_samples(marked), others.score_samples(X[:, [1, 2, 4]])
    )
    back = inpainter.inverse_transform(filled)
    assert back.shape == X.shape
    np.testing.assert_array_equal(back[:, [1, 2, 4]], others.transform(X[:, [1, 2, 4]]))
    np.testing.assert_array_equal(back[:, 0], np.full(len(X), 0.0 if kept else marker))


def test_columns_are_empty_where_weights_are_zero():
    X = correlated()
    X[2:, 1] = np.nan
    inpainter = ConditionalGMMInpainter().fit(X, sample_weight=np.arange(len(X)) >= 2)
    assert inpainter.empty_features_.tolist() == [1]
    assert ConditionalGMMInpainter().fit(X).empty_features_.size == 0


def lognormal(n_samples=300):
    rng = np.random.default_rng(0)
    X = np.exp(rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], size=n_samples))
    X[: n_samples // 2, 1] = np.nan
    return X


def test_draws_within_bounds_are_of_the_truncated_density():
    X = lognormal()
    options = dict(random_state=0, sample_posterior=True)
    free = ConditionalGMMInpainter(**options).fit(X)
    assert (free.transform(X) < 0).any()
    bounded = ConditionalGMMInpainter(min_value=0.0, max_value=[np.inf, 6.0], **options).fit(X)
    draws = np.stack(bounded.multiple_imputations(X, 200))
    assert draws.min() >= 0 and draws[:, np.isnan(X)].max() <= 6
    np.testing.assert_array_equal(draws[0][~np.isnan(X)], X[~np.isnan(X)])
    bounded.set_params(sample_posterior=False)
    mean, std = free.mixture_.impute(X, return_std=True)
    np.testing.assert_array_equal(bounded.transform(X)[:150, 1], np.clip(mean[:150, 1], 0, 6))
    for i in range(3):
        low, high = (np.array([0, 6]) - mean[i, 1]) / std[i, 1]
        truth = truncnorm(low, high, loc=mean[i, 1], scale=std[i, 1])
        assert kstest(draws[:, i, 1], truth.cdf).pvalue > 1e-3


def test_impossible_bounds_end_at_the_bound():
    X = lognormal()
    inpainter = ConditionalGMMInpainter(max_value=-1e6, sample_posterior=True).fit(X)
    assert set(inpainter.transform(X)[:150, 1]) == {-1e6}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"min_value": [0.0, 1.0, 2.0]},
            r"min_value must be .* shape \(2,\), but has shape \(3,\)",
        ),
        (
            {"min_value": 2.0, "max_value": [3.0, 1.0]},
            r"min_value=2.0 .*max_value=1.0 for column 1",
        ),
        ({"max_value": np.nan}, "max_value=nan is no bound for column 0: write inf"),
        ({"min_value": [0.0, np.inf]}, "min_value=inf is no bound for column 1: write -inf"),
    ],
)
def test_bad_bounds(options, message):
    with pytest.raises(ValueError, match=message):
        ConditionalGMMInpainter(**options).fit(lognormal())


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_in_and_out(library):
    frames = pytest.importorskip(library)
    X = with_holes(correlated())
    frame = frames.DataFrame(dict(zip("abcde", X.T, strict=True)))
    inpainter = ConditionalGMMInpainter(2, n_refits=2, random_state=0).fit(frame)
    assert list(inpainter.mixture_.marginal(["a", "c"]).feature_names_in_) == ["a", "c"]
    assert all(list(m.feature_names_in_) == list("abcde") for m in inpainter.refits_)
    filled = inpainter.mixture_.impute(frame)
    assert list(filled.columns) == list("abcde")
    np.testing.assert_array_equal(inpainter.transform(frame), filled.to_numpy())
    inpainter.predict_std(frame), inpainter.score_samples(frame), inpainter.score(frame)
    draws = inpainter.multiple_imputations(frame)
    assert len(draws) == 2 and all(type(draw) is type(frame) for draw in draws)
    assert list(inpainter.set_output(transform=library).transform(frame).columns) == list("abcde")


def test_draws_without_refits_are_of_the_mixture():
    X = with_holes(correlated())
    inpainter = ConditionalGMMInpainter(random_state=0).fit(X)
    assert inpainter.refits_ == []
    draws = np.stack(inpainter.multiple_imputations(X, 30, random_state=1))
    missing = np.isnan(X)
    error = (draws.mean(axis=0) - inpainter.transform(X))[missing]
    error /= inpainter.predict_std(X)[missing] / np.sqrt(30)
    assert np.mean(error**2) == pytest.approx(1.0, abs=0.15)
    assert len(inpainter.multiple_imputations(X)) == 5
    with pytest.raises(ValueError, match="n_imputations"):
        inpainter.multiple_imputations(X, 0)


def test_refits_vary_as_parameters_are_uncertain():
    X = correlated(200)
    inpainter = ConditionalGMMInpainter(n_refits=200, random_state=0, shrinkage=0.0).fit(X)
    means = np.stack([refit.means_[0] for refit in inpainter.refits_])
    np.testing.assert_allclose(means.std(axis=0), X.std(axis=0) / np.sqrt(200), rtol=0.2)
    np.testing.assert_allclose(means.mean(axis=0), X.mean(axis=0), atol=0.02)
    # Rows of exponential weights are worth half as many.
    variances = np.stack([np.diagonal(refit.covariances_[0]) for refit in inpainter.refits_])
    np.testing.assert_allclose(variances.mean(axis=0), X.var(axis=0) * 100 / 95, rtol=0.05)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "VVE"])
def test_refits_of_every_structure(covariance_type):
    X = with_holes(np.concatenate([correlated(), correlated() + 8.0]))
    options = dict(covariance_type=covariance_type, n_refits=2, random_state=0)
    inpainter = ConditionalGMMInpainter(2, **options).fit(X, sample_weight=np.arange(800) % 3)
    for refit in inpainter.refits_:
        assert refit.covariances_.shape == inpainter.mixture_.covariances_.shape
        np.testing.assert_allclose(refit.means_, inpainter.mixture_.means_, atol=0.6)
    one, other = inpainter.multiple_imputations(X)
    assert not np.array_equal(one, other)


def test_a_row_of_nothing_becomes_the_mean():
    X = correlated()
    inpainter = ConditionalGMMInpainter(3, random_state=0).fit(X)
    filled = inpainter.transform(np.full((1, 5), np.nan))
    np.testing.assert_allclose(filled[0], X.mean(axis=0), atol=0.02)


@pytest.mark.parametrize("missing_values", ["none", None, [1]])
def test_bad_markers(missing_values):
    with pytest.raises(ValueError, match="'missing_values' parameter of ConditionalGMMInpainter"):
        ConditionalGMMInpainter(missing_values=missing_values).fit(correlated())
