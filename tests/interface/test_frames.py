"""Frames in, frames out: names, dtypes and messages."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from own_families import Normal

from skmix import CategoricalMixture, GaussianMixture, MixedMixture, Mixture, select_mixture
from skmix._interface import frames


def table(n_samples=60, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n_samples)
    return pd.DataFrame(
        {
            "height": rng.normal(170.0 + 20.0 * y, 5.0),
            "children": rng.poisson(1 + 2 * y).astype(np.uint8),
            "income": rng.normal(3.0 + 2.0 * y, 1.0).astype(np.float32),
        }
    )


def with_holes(X):
    X = X.astype({"children": "UInt8"})
    X.loc[[0, 5], "height"], X.loc[[2, 7], "children"] = np.nan, pd.NA
    return X


POLARS = {"float64": pl.Float64, "float32": pl.Float32, "uint8": pl.UInt8, "int64": pl.Int64}


def to_polars(X):
    cells = {name: [None if pd.isna(v) else v for v in X[name].tolist()] for name in X}
    known = {name: POLARS.get(str(X[name].dtype).lower()) for name in X}
    return pl.DataFrame(cells, schema_overrides={n: t for n, t in known.items() if t is not None})


LIBRARIES = {"pandas": lambda X: X, "polars": to_polars}
each_library = pytest.mark.parametrize("convert", LIBRARIES.values(), ids=LIBRARIES)
each_type = pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])


def schema(X):
    return dict(zip(X.columns, map(str, X.dtypes), strict=True))


def column(X, name):
    return np.asarray(X[name].to_numpy() if hasattr(X[name], "to_numpy") else X[name])


@each_library
@each_type
def test_drawn_rows_are_frames_like_those_of_the_fit(convert, covariance_type):
    X = convert(table())
    mixture = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(X)
    drawn, labels = mixture.sample(500)
    assert type(drawn) is type(X) and schema(drawn) == schema(X)
    assert len(drawn) == len(labels) == 500
    assert column(drawn, "children").min() == 0  # and no small number became a large one
    assert column(drawn, "children").max() < 20
    same, _ = mixture.sample(500)
    assert drawn.equals(same)
    other, _ = mixture.sample(500, random_state=1)
    assert not drawn.equals(other)
    assert schema(mixture.marginal(["income", "children"]).sample(3)[0]) == {
        name: schema(X)[name] for name in ("income", "children")
    }


def test_arrays_and_given_parameters_draw_arrays():
    given = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
    assert isinstance(given.sample(3)[0], np.ndarray)
    refitted = GaussianMixture(random_state=0).fit(table())
    assert isinstance(refitted.fit(table().to_numpy()).sample(3)[0], np.ndarray)


@pytest.mark.parametrize("estimator", [GaussianMixture(2, random_state=0)], ids=repr)
def test_shuffled_rows_are_the_same_rows(estimator):
    X = table().to_numpy()
    estimator.fit(X)
    rows, labels = estimator.sample(200, random_state=0)
    shuffled, shuffled_labels = estimator.sample(200, random_state=0, shuffle=True)
    assert np.all(np.diff(labels) >= 0) and not np.all(np.diff(shuffled_labels) >= 0)
    order = np.lexsort(rows.T)
    shuffled_order = np.lexsort(shuffled.T)
    np.testing.assert_array_equal(rows[order], shuffled[shuffled_order])
    np.testing.assert_array_equal(labels[order], shuffled_labels[shuffled_order])


@each_library
def test_categories_are_drawn_as_frames(convert):
    X = pd.DataFrame({"a": pd.Categorical(["x", "y"] * 10), "b": [0, 1] * 10})
    X = convert(X)
    drawn, _ = CategoricalMixture(2, random_state=0).fit(X).sample(50)
    assert type(drawn) is type(X) and schema(drawn) == schema(X)
    assert set(drawn["a"]) == {"x", "y"}


@each_library
@each_type
def test_filled_rows_are_frames_like_those_given(convert, covariance_type):
    X = convert(with_holes(table()))
    mixture = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(X)
    filled, std = mixture.impute(X, return_std=True)
    assert type(filled) is type(X) and std.shape == (60, 3)
    assert schema(filled)["height"] == schema(X)["height"]
    plain = with_holes(table()).to_numpy(dtype=float, na_value=np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # rows without names
        expected = mixture.impute(plain)
    np.testing.assert_allclose(column(filled, "children").astype(float), expected[:, 1], rtol=1e-5)
    rounded = mixture.impute(X, round_integers=True)
    assert schema(rounded) == schema(X)
    draws = mixture.sample_conditional(X, 2, random_state=0)
    assert [schema(draw) for draw in draws] == [schema(X)] * 2


def test_chosen_mixtures_know_the_frame():
    X = table()
    chosen = select_mixture(GaussianMixture(random_state=0), X, {"n_components": [1, 2]})
    assert schema(chosen.best_estimator_.sample(2)[0]) == schema(X)


def test_integers_are_clipped_to_what_their_dtype_holds():
    values = np.array([-3.2, 0.4, 254.6, 300.0])
    for dtype in ("uint8", "UInt8", pl.UInt8):
        np.testing.assert_array_equal(frames.as_integers(values, dtype), [0, 0, 255, 255])
    assert frames.as_integers(np.array([1e30]), "int64")[0] > 9e18


@each_library
def test_faults_name_the_column(convert):
    X = table().assign(channel=["web", "shop"] * 30)
    for mixture in (GaussianMixture(), Mixture(family_factory=Normal)):
        with pytest.raises(ValueError, match=r"Column 'channel' of X holds text, such as 'web'"):
            mixture.fit(convert(X))
    times = table().assign(day=pd.Timestamp("2020-01-01"))
    with pytest.raises((TypeError, ValueError), match="Column 'day' of X holds times"):
        GaussianMixture().fit(convert(times))


def test_the_report_shows_units_of_the_table():
    X = table(600)
    report = GaussianMixture(2, random_state=0).fit(X).report()
    assert [line.strip() for line in report.splitlines()[2::3]] == list(X.columns)
    shown = GaussianMixture(2, random_state=0).fit(X).report(as_frame=True)
    assert shown.loc[("height", "mean")].between(165, 195).all()
    assert shown.loc[("height", "std")].between(4, 6).all()
    assert np.all(np.diff(shown.loc[("weight", "")]) <= 0)
    small = GaussianMixture().fit(X[["height"]] * 1e-6).report()
    assert "e-0" in small.splitlines()[-1]
    mixed = MixedMixture(2, random_state=0).fit(X).report(as_frame=True)
    assert list(mixed.index.get_level_values(0).unique())[1:] == list(X.columns)


@pytest.mark.parametrize("estimator", [GaussianMixture(), MixedMixture(), CategoricalMixture()])
def test_lazy_frames_are_refused(estimator):
    with pytest.raises(TypeError, match=r"LazyFrame without rows as yet: pass X\.collect\(\)"):
        estimator.fit(pl.DataFrame({"a": [0, 1, 2]}).lazy())
