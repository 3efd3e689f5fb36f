"""MixtureImputer: fillings and draws of tables, bounds, empty columns, frames, pipelines."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from scipy.stats import truncnorm
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skmix import CategoricalMixture, MixedMixture, MixtureImputer


def table(n_samples=200, missing=0.2, seed=0):
    rng = np.random.default_rng(seed)
    group = rng.integers(2, size=n_samples)
    X = pd.DataFrame(
        {
            "age": rng.normal(np.array([30.0, 60.0])[group], 6.0),
            "channel": np.where(rng.random(n_samples) < 0.9 - 0.8 * group, "web", "shop"),
            "visits": rng.poisson(np.array([1.0, 6.0])[group]).astype(float),
        }
    )
    holes = rng.random(X.shape) < missing
    return X.astype(object).mask(holes).infer_objects(), group


MIXTURE = MixedMixture(2, families={"visits": "poisson"}, random_state=0)


def test_fills_as_its_mixture_does():
    X, _ = table()
    imputer = MixtureImputer(MIXTURE).set_output(transform="pandas")
    pd.testing.assert_frame_equal(imputer.fit_transform(X), imputer.mixture_.impute(X))
    expected = MixedMixture(**MIXTURE.get_params()).fit(X)
    np.testing.assert_allclose(imputer.score(X), expected.score(X))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output_gives_frames_and_the_default_arrays(library):
    X, _ = table()
    if library == "polars":
        X = pl.DataFrame(X.to_dict("list"), strict=False)
    imputer = MixtureImputer(MIXTURE)
    plain = imputer.fit(X).transform(X)
    assert type(plain) is np.ndarray and plain.dtype == object
    framed = imputer.set_output(transform=library).transform(X)
    assert type(framed) is type(X) and list(framed.columns) == list(X.columns)
    np.testing.assert_array_equal(np.asarray(framed["channel"]), plain[:, 1])


def test_draws_of_numbers_keep_between_bounds_and_follow_the_truncated_normal():
    X = np.random.default_rng(0).normal(size=(300, 1))
    imputer = MixtureImputer(min_value=0.5, max_value=2.0).fit(X)
    (draws,) = imputer.multiple_imputations(np.full((4000, 1), np.nan), 1, random_state=0)
    mean, std = X.mean(), X.std()
    expected = truncnorm((0.5 - mean) / std, (2.0 - mean) / std, loc=mean, scale=std)
    assert draws.min() >= 0.5 and draws.max() <= 2.0
    np.testing.assert_allclose(draws.mean(), expected.mean(), atol=5 * expected.std() / 4000**0.5)
    np.testing.assert_allclose(imputer.transform([[np.nan]]), [[0.5]])


def test_observed_cells_are_never_clipped():
    X, _ = table()
    imputer = MixtureImputer(MIXTURE, min_value=35.0, max_value=50.0).fit(X)
    filled = imputer.set_output(transform="pandas").transform(X)
    seen = X["age"].notna()
    pd.testing.assert_series_equal(filled["age"][seen], X["age"][seen])
    assert filled["age"][~seen].between(35.0, 50.0).all()


def test_bounds_per_column_leave_categories_alone():
    X, _ = table()
    low = [40.0, 99.0, 0.0]
    filled = MixtureImputer(MIXTURE, min_value=low).set_output(transform="pandas").fit_transform(X)
    assert filled["age"][X["age"].isna()].min() >= 40.0
    assert set(filled["channel"]) == {"web", "shop"}


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"min_value": np.nan}, "min_value=nan is no bound for column 0: write -inf"),
        ({"max_value": [np.inf, 1.0, -np.inf]}, "max_value=-inf is no bound for column 2"),
    ],
)
def test_what_bounds_nothing_is_refused_instead_of_filled_in(bounds, message):
    X, _ = table()
    with pytest.raises(ValueError, match=message):
        MixtureImputer(MIXTURE, **bounds).fit(X)


def test_bounds_of_categories_may_be_anything():
    X, _ = table()
    imputer = MixtureImputer(MIXTURE, min_value=[40.0, np.nan, -np.inf], max_value=np.inf)
    filled = imputer.set_output(transform="pandas").fit_transform(X)
    assert filled["age"][X["age"].isna()].min() >= 40.0
    assert not filled.isna().any().any()


def test_imputations_differ_where_cells_are_missing_only():
    X, _ = table()
    one, other = MixtureImputer(MIXTURE).fit(X).multiple_imputations(X, 2, random_state=0)
    same = (one == other).to_numpy()
    assert same[X.notna().to_numpy()].all() and not same.all()
    again = MixtureImputer(MIXTURE).fit(X).multiple_imputations(X, 2, random_state=0)
    pd.testing.assert_frame_equal(one, again[0])


@pytest.mark.parametrize("keep", [False, True])
def test_empty_columns(keep):
    X, _ = table()
    X.insert(1, "nothing", np.nan)
    X["blank"] = pd.Series([None] * len(X), dtype=object)
    X["level"] = pd.Categorical([None] * len(X), categories=["low", "high"])
    imputer = MixtureImputer(MIXTURE, keep_empty_features=keep).set_output(transform="pandas")
    filled = imputer.fit_transform(X)
    kept = ["age", "nothing", "channel", "visits", "blank", "level"]
    names = kept if keep else ["age", "channel", "visits"]
    assert filled.columns.tolist() == names == imputer.get_feature_names_out().tolist()
    assert imputer.empty_features_.tolist() == [1, 4, 5]
    assert filled.notna().all(axis=None)
    if keep:
        assert (filled["nothing"] == 0.0).all() and (filled["level"] == "missing_value").all()


def test_empty_columns_of_arrays_move_positions():
    rng = np.random.default_rng(0)
    X = np.column_stack([np.full(50, np.nan), rng.poisson(3.0, 50), rng.normal(size=50)])
    X[3, 1] = np.nan
    imputer = MixtureImputer(MixedMixture(families={1: "poisson"}))
    assert imputer.fit_transform(X).shape == (50, 2)
    assert imputer.mixture_.families_.tolist() == ["poisson", "gaussian"]
    kept = imputer.set_params(keep_empty_features=True).transform(X)
    np.testing.assert_array_equal(kept[:, 0], 0.0)


def test_rounding():
    X, _ = table()
    imputer = MixtureImputer(MIXTURE, round_integers=True).set_output(transform="pandas")
    filled = imputer.fit_transform(X)
    np.testing.assert_array_equal(filled["visits"], np.rint(filled["visits"]))
    holes = X["age"].isna()
    assert np.any(filled["age"][holes] != np.rint(filled["age"][holes]))


def test_in_a_column_transformer_before_a_classifier():
    X, y = table()
    encode = ColumnTransformer([("", OneHotEncoder(), ["channel"])], remainder="passthrough")
    imputer = MixtureImputer(MIXTURE).set_output(transform="pandas")
    model = make_pipeline(imputer, encode, LogisticRegression(max_iter=1000))
    assert model.fit(X, y).score(X, y) > 0.9
    some = ColumnTransformer([("", MixtureImputer(MIXTURE), ["age", "visits"])])
    assert some.fit_transform(X).shape == (200, 2)


def test_weights_are_repetitions_and_weightless_rows_are_not_seen():
    X, _ = table(n_samples=100)
    weight = np.random.default_rng(0).integers(0, 3, size=100)
    weighted = MixtureImputer(MixedMixture(families={"visits": "poisson"}))
    weighted.fit(X, sample_weight=weight)
    repeated = MixtureImputer(MixedMixture(families={"visits": "poisson"}))
    repeated.fit(X.loc[np.repeat(X.index, weight)].reset_index(drop=True))
    np.testing.assert_allclose(weighted.score(X), repeated.score(X), atol=1e-6)
    X["late"] = np.where(weight > 0, np.nan, 1.0)
    weighted.fit(X, sample_weight=weight)
    assert weighted.empty_features_.tolist() == [3]


def test_global_output_does_not_reach_what_is_inside():
    X, _ = table()
    with sklearn.config_context(transform_output="pandas"):
        filled = MixtureImputer(MIXTURE).fit_transform(X)
        codes = CategoricalMixture().fit(X[["channel"]]).predict(X[["channel"]])
    assert type(filled) is pd.DataFrame and len(codes) == len(X)


def test_errors():
    X, _ = table()
    with pytest.raises(ValueError, match=r"min_value must be a number .* shape \(3,\)"):
        MixtureImputer(min_value=[1.0, 2.0]).fit(X)
    with pytest.raises(ValueError, match=r"min_value=2\.0 is larger than max_value=1\.0"):
        MixtureImputer(min_value=2.0, max_value=1.0).fit(X)
    with pytest.raises(ValueError, match=r"max_value must be .* but is \{'age': 50\}"):
        MixtureImputer(max_value={"age": 50}).fit(X)
    with pytest.raises(ValueError, match="Every column of X is entirely missing"):
        MixtureImputer().fit(X.mask(X.notna()))
    with pytest.raises(TypeError, match="must be a MixedMixture"):
        MixtureImputer(CategoricalMixture(1)).fit(X)
    imputer = MixtureImputer().fit(X)
    with pytest.raises(ValueError, match="n_imputations"):
        imputer.multiple_imputations(X, 0)
