"""ConditionalGMMInpainter: an imputer as scikit-learn's are."""

import warnings

import numpy as np
import pytest
import sklearn
from families import with_holes
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skmix import ConditionalGMMInpainter, GaussianMixture
from skmix.exceptions import DegenerateComponentWarning


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
    "more features than rows": (60, 120, 4, 0.3, 0.1),
    "as many": (100, 100, 4, 0.3, 0.3),
    "half missing": (100, 60, 3, 0.1, 0.5),
    "many rows": (400, 30, 5, 0.3, 0.1),
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
        warnings.simplefilter("ignore", DegenerateComponentWarning)  # without shrinkage
        fixed = [error(shrinkage=0.0, reg_covar=r) for r in ("auto", 0.01, 0.1, 0.3, 1.0, 3.0)]
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
    bad[:, 4] = np.nan
    with pytest.raises(ValueError, match=r"Column\(s\) 4 of X are entirely missing"):
        inpainter.fit(bad)
    with pytest.raises(ValueError, match="no effect with covariance_type='tied'"):
        inpainter.set_params(covariance_type="tied", shrinkage=1.0).fit(X)
    np.testing.assert_array_equal(inpainter.transform(X), expected)


def test_empty_columns_are_named():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(correlated(), columns=list("abcde"))
    frame["d"] = np.nan
    with pytest.raises(ValueError, match=r"Column\(s\) 'd' of X are entirely missing"):
        ConditionalGMMInpainter().fit(frame)


def test_a_row_of_nothing_becomes_the_mean():
    X = correlated()
    inpainter = ConditionalGMMInpainter(3, random_state=0).fit(X)
    filled = inpainter.transform(np.full((1, 5), np.nan))
    np.testing.assert_allclose(filled[0], X.mean(axis=0), atol=0.02)


@pytest.mark.parametrize("missing_values", ["none", None, [1]])
def test_bad_markers(missing_values):
    with pytest.raises(ValueError, match="'missing_values' parameter of ConditionalGMMInpainter"):
        ConditionalGMMInpainter(missing_values=missing_values).fit(correlated())
