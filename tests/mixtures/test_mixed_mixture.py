"""MixedMixture: what it learns, what it says of missing cells, frames in and out, errors."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import norm, poisson
from sklearn.metrics import adjusted_rand_score

from skmix import (
    CategoricalMixture,
    Chunks,
    GaussianMixture,
    MixedMixture,
    bootstrap_lrt,
    select_mixture,
)
from skmix.exceptions import DegenerateComponentWarning

FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame}
every_library = pytest.mark.parametrize("library", FRAMES)
COVARIANCE_TYPES = ("full", "tied", "diag", "spherical", "EEI", "VEV")


def customers(n_samples=300, missing=0.0, seed=0):
    """Columns of two groups of customers, and the group of each row."""
    rng = np.random.default_rng(seed)
    group = (rng.random(n_samples) < 0.4).astype(int)
    income = rng.normal(np.array([30.0, 70.0])[group], 8.0)
    columns = {
        "age": rng.normal(np.array([25.0, 50.0])[group], 5.0).round(),
        "income": income,
        "channel": np.where(rng.random(n_samples) < np.array([0.9, 0.2])[group], "web", "shop"),
        "visits": rng.poisson(np.array([1.0, 6.0])[group]).astype(float),
        "member": rng.random(n_samples) < np.array([0.2, 0.7])[group],
    }
    columns = {name: values.astype(object) for name, values in columns.items()}
    for values in columns.values():
        values[rng.random(n_samples) < missing] = None
    return columns, group


def frame(library="pandas", **options):
    columns, group = customers(**options)
    if library == "polars":
        return pl.DataFrame({name: values.tolist() for name, values in columns.items()}), group
    return pd.DataFrame(columns).infer_objects(), group


def as_pandas(X):
    return pd.DataFrame(X.to_dict(as_series=False))


def array(columns):
    return np.stack(list(columns.values()), axis=1)


VISITS = {"visits": "poisson"}


def fit(X, n_components=2, **options):
    options = {"families": VISITS, "random_state": 0, **options}
    return MixedMixture(n_components, **options).fit(X)


# What it learns.


def test_one_component_is_moments_and_shares():
    X, _ = frame()
    mixture = fit(X, 1)
    numbers = X[["age", "income"]].to_numpy(dtype=float)
    np.testing.assert_allclose(mixture.means_[0], numbers.mean(axis=0), rtol=1e-12)
    expected = np.cov(numbers.T, bias=True)
    np.testing.assert_allclose(mixture.covariances_[0], expected, rtol=1e-5)
    np.testing.assert_allclose(mixture.rates_, [[X["visits"].mean()]], rtol=1e-12)
    assert [known.tolist() for known in mixture.categories_] == [["shop", "web"], [False, True]]
    shares = (X["channel"] == "web").mean(), X["member"].mean()
    for table, share in zip(mixture.probabilities_, shares, strict=True):
        np.testing.assert_allclose(table, [[1 - share, share]], rtol=1e-12)
    assert mixture.families_.tolist() == [
        "gaussian", "gaussian", "categorical", "poisson", "categorical"
    ]  # fmt: skip
    assert mixture.n_parameters == 2 + 3 + 1 + 1 + 1


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_groups_are_found(covariance_type, missing):
    X, group = frame(missing=missing)
    mixture = fit(X, covariance_type=covariance_type)
    assert mixture.converged_
    assert adjusted_rand_score(group, mixture.predict(X)) > 0.9
    assert np.all(np.diff(mixture.weights_) <= 0)
    np.testing.assert_allclose(mixture.predict_proba(X).sum(axis=1), 1.0)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_numbers_alone_are_a_gaussian_mixture(covariance_type):
    X = np.random.default_rng(0).normal(size=(200, 3)) + 6.0 * (np.arange(200) % 2)[:, None]
    mixed = MixedMixture(2, covariance_type=covariance_type, tol=1e-10, random_state=0).fit(X)
    plain = GaussianMixture(
        2, covariance_type=covariance_type, tol=1e-10, max_iter=1000, random_state=0
    ).fit(X)
    np.testing.assert_allclose(mixed.score(X), plain.score(X), rtol=0, atol=1e-8)
    assert mixed.n_parameters == plain.n_parameters
    assert mixed.rates_.shape == (2, 0) and mixed.probabilities_ == []


def test_categories_alone_are_a_latent_class_analysis():
    rng = np.random.default_rng(0)
    classes = rng.integers(2, size=400)
    X = (rng.random((400, 6)) < np.array([0.2, 0.8])[classes][:, None]).astype(int)
    mixed = MixedMixture(2, categorical_features=range(6), tol=1e-10, random_state=0).fit(X)
    plain = CategoricalMixture(2, random_state=0).fit(X)
    np.testing.assert_allclose(mixed.score(X), plain.score(X), rtol=0, atol=1e-8)
    assert mixed.n_parameters == plain.n_parameters
    np.testing.assert_allclose(mixed.bic(X), plain.bic(X), rtol=1e-9)


def test_counts_and_icl():
    X, _ = frame(missing=0.1)
    mixture = fit(X)
    deviance = -2.0 * mixture.score_samples(X).sum()
    bic = deviance + np.log(len(X)) * mixture.n_parameters
    np.testing.assert_allclose(mixture.bic(X), bic)
    resp = mixture.predict_proba(X)
    entropy = -np.sum(resp * np.log(np.where(resp > 0, resp, 1.0)))
    np.testing.assert_allclose(mixture.icl(X), bic + 2.0 * entropy)
    np.testing.assert_allclose(mixture.aic(X), deviance + 2 * mixture.n_parameters)


def test_a_weight_is_a_repetition():
    X, _ = frame(n_samples=120, missing=0.1)
    weight = np.random.default_rng(1).integers(0, 4, size=len(X))
    repeated = fit(X.loc[np.repeat(X.index, weight)].reset_index(drop=True), tol=1e-9)
    weighted = MixedMixture(2, families=VISITS, tol=1e-9, random_state=0)
    weighted.fit(X, sample_weight=weight)
    np.testing.assert_allclose(weighted.score_samples(X), repeated.score_samples(X), atol=1e-6)


def test_hard_assignment_ends_at_a_fixed_point():
    X, _ = frame(missing=0.1)
    mixture = fit(X, assignment="hard")
    labels = mixture.predict(X)
    joint = np.log(mixture.predict_proba(X).max(axis=1)) + mixture.score_samples(X)
    np.testing.assert_allclose(mixture.lower_bound_, joint.mean(), rtol=0, atol=1e-6)
    np.testing.assert_allclose(mixture.weights_, np.bincount(labels) / len(labels))
    assert np.all(np.diff(mixture.lower_bounds_) > -1e-9)


def test_float32():
    X, _ = frame()
    single = X.astype({"age": "float32", "income": "float32", "visits": "float32"})
    mixture = fit(single)
    assert mixture.means_.dtype == np.float32
    assert mixture.score_samples(single).dtype == np.float32
    np.testing.assert_allclose(mixture.score(single), fit(X).score(X), atol=1e-3)


def test_alpha_is_pseudo_observations():
    X, _ = frame()
    mixture = fit(X, 1, alpha=3.0)
    share = ((X["channel"] == "web").sum() + 3.0) / (len(X) + 6.0)
    np.testing.assert_allclose(mixture.probabilities_[0][0, 1], share, rtol=1e-12)


def test_warm_start_goes_on_and_refuses_other_shapes():
    X, _ = frame()
    mixture = fit(X, max_iter=2, warm_start=True, init_params="random", covariance_type="diag")
    before = mixture.lower_bound_
    assert mixture.set_params(max_iter=100).fit(X).lower_bound_ > before
    with pytest.raises(ValueError, match="warm_start=True continues from 2 components"):
        mixture.set_params(n_components=3).fit(X)
    assert mixture.means_.shape == (2, 2)


def test_n_init_takes_the_best():
    X, _ = frame()
    one = fit(X, 4, init_params="random", random_state=1, covariance_type="diag")
    several = fit(X, 4, init_params="random", n_init=4, random_state=1, covariance_type="diag")
    assert several.lower_bound_ >= one.lower_bound_ - 1e-9


def test_more_components_than_distinct_rows_is_exact():
    X = [["a", 1.0], ["b", 2.0]] * 5
    with pytest.warns(DegenerateComponentWarning):
        mixture = MixedMixture(3, random_state=0).fit(X)
    assert np.all(np.isfinite(mixture.score_samples(X)))


def test_an_atom_does_not_make_the_likelihood_unbounded():
    rng = np.random.default_rng(0)
    n_samples = 1000
    gain = np.where(rng.random(n_samples) < 0.92, 0.0, rng.lognormal(8.0, 1.0, n_samples).round())
    X = pd.DataFrame({"gain": gain, "sex": rng.choice(["f", "m"], n_samples)})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mixture = MixedMixture(3, random_state=0).fit(X)
    assert any(issubclass(w.category, DegenerateComponentWarning) for w in caught)
    floor = mixture.reg_covar_[0]
    assert floor <= 1e-6 * gain.var() * (1 + 1e-9)
    assert mixture.covariances_.min() >= floor * (1 - 1e-9)
    highest = norm(0.0, np.sqrt(floor)).logpdf(0.0)
    assert mixture.score_samples(X).max() <= highest


def test_a_component_on_a_few_equal_numbers_ranks_behind():
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.normal(size=200), rng.integers(3, size=200)])
    X[:3, 0] = 0.5  # equal numbers in rows that differ
    X[:3, 1] = [0, 1, 2]
    mixture = MixedMixture(2, categorical_features=[1], random_state=0).fit(X)
    _, _, source = mixture._fit_source(X, None)
    with source:
        family = mixture._make_family(source)
        own = mixture._in_units()
        numbers = own.parts[0]
        spike = numbers._replace(
            means=np.array([[0.0], [0.5]]),
            covariances=np.array([[[1.0]], [[1e-6]]]),
            precisions_cholesky=np.array([[[1.0]], [[1e3]]]),
        )
        spiked = own._replace(weights=np.array([0.985, 0.015]), parts=(spike, *own.parts[1:]))
        starts = mixture._starts()
        ranks = [
            starts.rank(source, family, family.to_frame(params), 0.0) for params in (own, spiked)
        ]
    assert ranks[0] > ranks[1] and not ranks[1][0]


# What it says of missing cells.


def test_marginal_and_conditional_make_up_the_whole():
    X, _ = frame(missing=0.0)
    mixture = fit(X)
    known, unknown = ["age", "channel", "visits"], ["income", "member"]
    row = X.iloc[[7]]
    holed = row.astype(object).copy()
    holed[unknown] = None
    (conditional,) = mixture.condition(holed)
    assert conditional.feature_names_in_.tolist() == unknown
    whole = mixture.score_samples(row)
    of_known = mixture.marginal(known).score_samples(row[known])
    of_rest = conditional.score_samples(row[unknown])
    np.testing.assert_allclose(of_known + of_rest, whole, rtol=0, atol=1e-8)
    np.testing.assert_allclose(mixture.score_samples(holed), of_known, rtol=0, atol=1e-8)


def test_condition_on_each_kind():
    X, _ = frame()
    mixture = fit(X)
    for name in X.columns:
        row = X.iloc[[3]].astype(object).copy()
        row[name] = None
        (conditional,) = mixture.condition(row)
        assert conditional.n_features_in_ == 1
        total = mixture.score_samples(X.iloc[[3]]) - mixture.score_samples(row)
        np.testing.assert_allclose(
            conditional.score_samples(X.iloc[[3]][[name]]), total, rtol=0, atol=1e-8
        )
    with pytest.raises(ValueError, match="Row 0 of X has no missing column"):
        mixture.condition(X)


def test_impute_is_the_mean_of_draws():
    X, _ = frame(n_samples=200)
    mixture = fit(X)
    row = pd.DataFrame({"age": [38.0], "income": [np.nan], "channel": [None]})
    row = row.assign(visits=[np.nan], member=[None])
    filled, spread = mixture.impute(row, return_std=True)
    (drawn,) = mixture.sample_conditional(pd.concat([row] * 4000), random_state=0)
    for name, j in (("income", 1), ("visits", 3)):
        values = drawn[name].to_numpy(dtype=float)
        error = values.std() / np.sqrt(len(values))
        assert abs(filled[name].iloc[0] - values.mean()) < 5 * error
        np.testing.assert_allclose(spread[0, j], values.std(), rtol=0.1)
    share = (drawn["channel"] == filled["channel"].iloc[0]).mean()
    np.testing.assert_allclose(1.0 - spread[0, 2], share, atol=0.04)
    assert share >= 0.5 and spread[0, 0] == 0.0
    assert set(drawn["member"]) == {True, False}


def test_cells_of_one_draw_belong_to_one_component():
    X = pd.DataFrame({"x": [0.0, 0.1, 9.0, 9.1] * 20, "kind": ["a", "a", "b", "b"] * 20})
    mixture = MixedMixture(2, random_state=0).fit(X)
    empty = pd.DataFrame({"x": [np.nan], "kind": [None]})
    drawn = pd.concat(mixture.sample_conditional(empty, 100, random_state=0))
    assert np.all((drawn["x"] > 5) == (drawn["kind"] == "b"))
    assert 20 < (drawn["kind"] == "b").sum() < 80


def test_draws_of_a_frame_are_frames():
    X, _ = frame(n_samples=60)
    holed = X.iloc[:3].astype(object).copy()
    holed.iloc[0, 2] = None
    draws = fit(X).sample_conditional(holed, 3, random_state=0)
    assert [type(draw) for draw in draws] == [pd.DataFrame] * 3
    assert all(draw.notna().all(axis=None) for draw in draws)


def test_an_empty_row_scores_0_and_changes_no_fit():
    X, _ = frame(n_samples=100)
    mixture = fit(X)
    empty = pd.DataFrame([[None] * 5], columns=X.columns)
    np.testing.assert_array_equal(mixture.score_samples(empty), [0.0])
    longer = pd.concat([X.astype(object), empty])
    np.testing.assert_allclose(fit(longer).score_samples(X), mixture.score_samples(X), atol=1e-9)


# Frames in, frames out.


@every_library
def test_dtypes_say_what_columns_are(library):
    X, _ = frame(library)
    kinds = MixedMixture().fit(X).families_
    assert kinds.tolist() == ["gaussian", "gaussian", "categorical", "gaussian", "categorical"]


def test_libraries_and_arrays_give_the_same_fit():
    columns, _ = customers(missing=0.1)
    expected = fit(frame("pandas", missing=0.1)[0])
    other = frame("polars", missing=0.1)[0]
    np.testing.assert_allclose(
        fit(other).score_samples(other), expected.score_samples(as_pandas(other)), atol=1e-9
    )
    X = array(columns)
    plain = fit(X, families={3: "poisson"})
    np.testing.assert_allclose(plain.score_samples(X), fit(other).score_samples(other), atol=1e-9)
    assert not hasattr(plain, "feature_names_in_")


@every_library
def test_samples_are_frames_like_those_of_the_fit(library):
    X, _ = frame(library)
    if library == "pandas":
        X = X.astype({"age": "int64", "visits": "Int32", "channel": "category"})
    else:
        channel = pl.Enum(["web", "shop", "fax"])
        X = X.with_columns(
            X["age"].cast(pl.Int64), X["visits"].cast(pl.UInt8), X["channel"].cast(channel)
        )
    sample, labels = fit(X).sample(50)
    assert type(sample) is type(X) and list(sample.columns) == list(X.columns)
    assert list(sample.dtypes) == list(X.dtypes)
    assert len(sample) == len(labels) == 50
    assert set(np.asarray(sample["channel"]).tolist()) == {"web", "shop"}


def test_samples_follow_the_fit():
    X, _ = frame(n_samples=500)
    mixture = fit(X)
    sample, labels = mixture.sample(4000)
    np.testing.assert_allclose(np.bincount(labels) / 4000, mixture.weights_, atol=0.04)
    for name in ("age", "income", "visits"):
        error = 5 * X[name].std() / np.sqrt(4000)
        np.testing.assert_allclose(sample[name].mean(), X[name].mean(), atol=error)
    share = (X["channel"] == "web").mean()
    np.testing.assert_allclose((sample["channel"] == "web").mean(), share, atol=0.04)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_shuffled_samples_are_the_same_rows_in_another_order(library):
    mixture = fit(frame(library, n_samples=80)[0])
    grouped, labels = mixture.sample(60, random_state=3)
    mixed, order = mixture.sample(60, random_state=3, shuffle=True)
    assert np.all(np.diff(labels) >= 0) and np.any(np.diff(order) < 0)
    assert type(mixed) is type(grouped) and list(mixed.dtypes) == list(grouped.dtypes)
    if library == "pandas":
        pd.testing.assert_index_equal(mixed.index, pd.RangeIndex(60))
    for k in range(2):
        own, other = (
            sorted(map(tuple, np.asarray(rows)[of == k].tolist()))
            for rows, of in ((mixed, order), (grouped, labels))
        )
        assert own == other
    again, _ = mixture.sample(60, random_state=3, shuffle=True)
    np.testing.assert_array_equal(np.asarray(again), np.asarray(mixed))
    # None takes the mixture's own.
    own, _ = mixture.sample(60)
    given, _ = mixture.sample(60, random_state=mixture.random_state)
    np.testing.assert_array_equal(np.asarray(own), np.asarray(given))
    with pytest.raises(ValueError, match="n_samples"):
        mixture.sample(0)


def test_arrays_give_arrays():
    columns, _ = customers()
    sample, _ = fit(array(columns), families={3: "poisson"}).sample(5)
    assert sample.dtype == object and isinstance(sample[0, 2], str)
    numbers = np.column_stack([columns["income"], columns["visits"]]).astype(float)
    sample, _ = fit(numbers, families={1: "poisson"}).sample(5)
    assert sample.dtype == np.float64 and np.all(sample[:, 1] == np.floor(sample[:, 1]))


@every_library
def test_impute_follows_its_argument(library):
    X, _ = frame(library)
    mixture = fit(X)
    holed, _ = frame(library, missing=0.3, seed=1)
    filled = mixture.impute(holed)
    assert type(filled) is type(X) and list(filled.columns) == list(X.columns)
    before = holed if library == "pandas" else as_pandas(holed)
    after = filled if library == "pandas" else as_pandas(filled)
    seen = before.notna().to_numpy()
    assert after.notna().all(axis=None)
    np.testing.assert_array_equal(
        after.to_numpy(dtype=object)[seen], before.to_numpy(dtype=object)[seen]
    )
    assert set(after["channel"]) == {"web", "shop"}


@every_library
def test_integers_are_rounded_on_demand(library):
    X, _ = frame(library)
    if library == "pandas":
        X = X.astype({"age": "Int64", "visits": "Int64"})
        holed = X.iloc[:3].copy()
        holed.loc[[0, 2], ["age", "visits"]] = pd.NA
    else:
        X = X.with_columns(X["age"].cast(pl.Int64), X["visits"].cast(pl.Int64))
        holes = {"age": pl.Series([None, 30, None]), "visits": pl.Series([None, 2, None])}
        holed = X[:3].with_columns(**holes)
    mixture = fit(X)
    exact = np.asarray(mixture.impute(holed)["age"], dtype=float)
    rounded = mixture.impute(holed, round_integers=True)
    assert list(rounded.dtypes) == list(X.dtypes)
    assert np.any(exact != np.rint(exact))
    np.testing.assert_array_equal(np.asarray(rounded["age"], dtype=float), np.rint(exact))
    (draw,) = mixture.sample_conditional(holed, random_state=0)
    assert list(draw.dtypes) == list(X.dtypes)


def test_impute_of_other_dtypes_than_those_of_the_fit():
    X, _ = frame()
    mixture = fit(X)
    holed = X.iloc[:4].copy()
    holed["channel"] = pd.Categorical(["shop", None, "shop", None], categories=["shop"])
    holed["member"] = np.nan
    holed["age"] = [None, 20, 30, None]
    filled = mixture.impute(holed)
    assert filled.notna().all(axis=None)
    assert set(filled["member"]) <= {True, False}


def test_index_is_kept():
    X, _ = frame(n_samples=50)
    holed = X.astype(object).set_index(np.arange(50)[::-1] + 7)
    holed.iloc[3, 2] = None
    filled = fit(X).impute(holed)
    assert filled.index.tolist() == holed.index.tolist()
    assert filled.iloc[3, 2] in {"web", "shop"}


def test_marginal_draws_frames_of_its_columns():
    X, _ = frame()
    sample, _ = fit(X).marginal(["visits", "channel"]).sample(3)
    assert list(sample.columns) == ["visits", "channel"]
    assert list(sample.dtypes) == list(X[["visits", "channel"]].dtypes)


# Reports, selection, tests of the number of components.


def test_report():
    X, _ = frame()
    mixture = fit(X)
    table = mixture.report(as_frame=True)
    np.testing.assert_array_equal(table.loc[("weight", "")], mixture.weights_)
    np.testing.assert_array_equal(table.loc[("age", "mean")], mixture.means_[:, 0])
    spread = np.sqrt(mixture.covariances_[:, 1, 1])
    np.testing.assert_allclose(table.loc[("income", "std")].to_numpy(dtype=float), spread)
    np.testing.assert_array_equal(table.loc[("visits", "rate")], mixture.rates_[:, 0])
    web = mixture.probabilities_[0][:, 1]
    np.testing.assert_array_equal(table.loc[("channel", "web")], web)
    lines = mixture.report().splitlines()
    means = [f"{mean:.3f}" for mean in mixture.means_[:, 0]]
    assert lines[2] == "age" and lines[3].split() == ["mean", *means]


def test_select_mixture_finds_two_groups():
    X, _ = frame(missing=0.05)
    mixture = MixedMixture(families=VISITS, covariance_type="diag", random_state=0)
    selection = select_mixture(mixture, X, {"n_components": [1, 2, 3]})
    assert selection.best_params_ == {"n_components": 2}
    best = selection.best_estimator_
    assert best.categories == "auto"
    assert type(best.sample(2)[0]) is pd.DataFrame


@pytest.mark.parametrize(("missing", "spikes"), [(0.0, True), (0.1, False)])
def test_components_on_values_of_a_column_of_integers_never_win(missing, spikes):
    rng = np.random.default_rng(0)
    columns = {
        "age": rng.normal(45.0, 15.0, size=400),
        "children": rng.poisson(1.2, size=400).astype(float),
        "sex": rng.choice(np.array(["f", "m"], dtype=object), size=400),
    }
    X = pd.DataFrame(columns)
    X = X.mask(rng.random(X.shape) < missing)
    mixture = MixedMixture(random_state=0)
    grid = {"n_components": [1, 2, 3], "covariance_type": ["full", "diag"]}
    expected = pytest.warns(DegenerateComponentWarning, match="rank behind all others")
    with expected if spikes else warnings.catch_warnings():
        if not spikes:
            warnings.simplefilter("error", DegenerateComponentWarning)
        selection = select_mixture(mixture, X, grid)
    table = selection.to_frame()
    chosen = table.iloc[selection.best_index_]
    assert not chosen["degenerate"] and chosen["rank"] == 1
    assert (chosen["bic"] > table["bic"].min() + 100) == spikes
    assert table["degenerate"].any() == spikes
    assert not table["degenerate"][table["param_n_components"] == 1].any()
    # As counts, which such a column is, no candidate is degenerate.
    counts = MixedMixture(families={"children": "poisson"}, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DegenerateComponentWarning)
        selection = select_mixture(counts, X, {"n_components": [1, 2]})
    assert not selection.cv_results_["degenerate"].any()


def test_what_may_be_fine():
    X, _ = frame(missing=0.05)
    weight = np.random.default_rng(0).integers(0, 3, len(X))
    groups = MixedMixture(2, families=VISITS, random_state=0).fit(X, sample_weight=weight)
    before = groups.score_samples(X)
    assert not groups._is_flattered(X, weight)
    np.testing.assert_array_equal(groups.score_samples(X), before)
    # A value that many rows share is a cluster of its own; values that few share are not.
    rng = np.random.default_rng(0)
    sex = rng.choice(["f", "m"], 400)
    atom = np.where(rng.random(400) < 0.6, 0.0, rng.normal(5.0, 1.0, 400).round(2))
    X = pd.DataFrame({"gain": atom, "sex": sex})
    with pytest.warns(DegenerateComponentWarning, match="collapsed"):
        mixture = MixedMixture(2, random_state=0).fit(X)
    assert mixture.covariances_.min() < 1e-4
    assert not mixture._is_flattered(X, None)
    X["age"] = rng.normal(45.0, 15.0, 400)
    with pytest.warns(DegenerateComponentWarning, match="collapsed"):
        mixture = MixedMixture(2, random_state=0).fit(X)
    assert mixture._is_flattered(X, None)
    # Nor is what has no numbers.
    assert not MixedMixture(2, random_state=0).fit(X[["sex"]])._is_flattered(X[["sex"]], None)


def test_selection_by_held_out_rows_knows_categories_that_a_fold_lacks():
    X, _ = frame(n_samples=60)
    X.loc[0, "channel"] = "fax"
    mixture = MixedMixture(families=VISITS, alpha=0.1, covariance_type="diag", random_state=0)
    selection = select_mixture(mixture, X, {"n_components": [1, 2]}, criterion="cv", cv=3)
    assert selection.best_params_ == {"n_components": 2}


def test_bootstrap_of_tables_with_holes():
    X, _ = frame(n_samples=80, missing=0.1)
    mixture = MixedMixture(families=VISITS, covariance_type="diag", tol=1e-4)
    test = bootstrap_lrt(mixture, X, (1, 2), n_bootstrap=3, random_state=0)
    assert test.p_value == 0.25 and np.all(np.isfinite(test.bootstrap_statistics))


# Errors.


def error_of(X, match, error=ValueError, **options):
    with pytest.raises(error, match=match):
        MixedMixture(**options).fit(X)


def test_errors_name_the_column_and_the_remedy():
    X, _ = frame(n_samples=30)
    when = X.assign(when=pd.date_range("2020", periods=30))
    error_of(when, "Column 'when' of X holds times .*days since a date", TypeError)
    with pytest.raises(TypeError, match="Column 'when' of X holds times"):
        MixedMixture().fit(pl.DataFrame({"when": when["when"].to_list()}))
    listed = pl.DataFrame({"a": [1.0, 2.0], "b": [[1], [2]]})
    error_of(listed, "Column 'b' of X holds List", TypeError)
    mixed = X.assign(channel=["web", 3] * 15)
    error_of(mixed, "Column 'channel' of X has cells of different types", TypeError)
    infinite = X.assign(age=np.inf)
    error_of(infinite, "infinity in column 'age'.*NaN")
    error_of(X.assign(age=np.nan), r"Column\(s\) 'age' of X are entirely missing")
    empty = X.assign(channel=pd.Series([None] * 30, dtype=object))
    error_of(empty, r"Column.*'channel'.*(entirely missing|no observed value)")
    twice = pd.concat([X, X[["age"]]], axis=1)
    error_of(twice, "Column 'age' of X comes 2 times")
    error_of(
        X, "Column 'channel' of X holds 'w?.*', which is no number", categorical_features=None
    )
    counts = X.assign(visits=-1.0)
    error_of(counts, "Negative values in data: column 'visits'", families=VISITS)
    error_of(X, "Fractional values in data: column 'income'", families={"income": "poisson"})
    error_of(X.iloc[:0], "minimum of")
    error_of(X.iloc[:1], "minimum of 2")


def test_errors_of_parameters():
    X, _ = frame(n_samples=30)
    error_of(
        X, "families names column 'vists', but X has the columns", families={"vists": "poisson"}
    )
    error_of(X, r"families\['visits'\] must be 'gaussian'", families={"visits": "binomial"})
    error_of(X, "categorical_features names column 'x'", categorical_features=["x"])
    error_of(X, "mask of shape", categorical_features=[True, False])
    error_of(X, "categories lists 1 columns", categories=[["web", "shop"]])
    error_of(X, "shrinkage=1.0 has no effect", shrinkage=1.0, covariance_type="tied")


def test_a_failed_fit_keeps_the_earlier_one():
    X, _ = frame(n_samples=60)
    mixture = fit(X)
    before = mixture.score_samples(X)
    with pytest.raises(ValueError, match="infinity"):
        mixture.fit(X.assign(age=np.inf))
    np.testing.assert_array_equal(mixture.score_samples(X), before)
    assert list(mixture.sample(2)[0].columns) == list(X.columns)


def test_unknown_categories():
    X, _ = frame(n_samples=60)
    new = X.iloc[:2].assign(channel=["fax", "web"])
    with pytest.raises(ValueError, match=r"unknown categories \['fax'\] in column 'channel'"):
        fit(X).predict(new)
    ignoring = fit(X, handle_unknown="ignore")
    missing = new.astype(object)
    missing.iloc[0, 2] = None
    np.testing.assert_array_equal(ignoring.score_samples(new), ignoring.score_samples(missing))


def test_given_categories_and_numbers_as_categories():
    X = pd.DataFrame({"size": [-1.5, 0.0, 2.5] * 10, "x": np.arange(30.0)})
    mixture = MixedMixture(
        categorical_features=["size"], categories=[[-1.5, 0.0, 2.5, 9.0]], alpha=1.0
    ).fit(X)
    np.testing.assert_allclose(mixture.probabilities_[0], [[11 / 34, 11 / 34, 11 / 34, 1 / 34]])
    mask = MixedMixture(categorical_features=[True, False], alpha=1.0).fit(X)
    assert mask.categories_[0].tolist() == [-1.5, 0.0, 2.5]


@pytest.mark.parametrize("dtype", [np.int64, np.float32, object])
def test_negative_codes_are_no_categories_unless_they_are_listed(dtype):
    codes = np.array([-1, 0, 1, 0, 1, 2] * 5)
    X = np.column_stack([codes, np.arange(30)]).astype(dtype)
    match = "Negative values in data: column 0 holds -1.*NaN or None"
    for rows in (X, Chunks([X[:6], X[6:]])):
        error_of(rows, match, categorical_features=[0])
    with pytest.raises(ValueError, match=match):
        CategoricalMixture().fit(X[:, :1])
    CategoricalMixture(categories=[[-1, 0, 1, 2]]).fit(X[:, :1])
    # Listed, or in rows that do not count.
    listed = MixedMixture(categorical_features=[0], categories=[[-1, 0, 1, 2]]).fit(X)
    assert listed.categories_[0].tolist() == [-1, 0, 1, 2]
    left_out = MixedMixture(categorical_features=[0]).fit(X, sample_weight=codes >= 0)
    assert left_out.categories_[0].tolist() == [0, 1, 2]


def test_order_that_a_dtype_declares():
    levels = ["low", "middle", "high"]
    column = pd.Categorical(levels * 5, categories=levels)
    X = pd.DataFrame({"level": column, "x": np.arange(15.0)})
    assert MixedMixture().fit(X).categories_[0].tolist() == levels
    other = pl.DataFrame({"level": pl.Series(levels * 5, dtype=pl.Enum(levels))})
    assert MixedMixture().fit(other).categories_[0].tolist() == levels


# Published figures.


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_heart(data_dir, seed):
    X = pd.read_csv(data_dir / "mixed" / "heart.csv")
    y = X.pop("Class")
    numbers = ["Age", "RestBloodPressure", "SerumCholestoral", "MaxHeartRate"]
    categorical = [name for name in X.columns if name not in numbers]
    mixture = MixedMixture(
        2,
        covariance_type="diag",
        categorical_features=categorical,
        tol=1e-8,
        random_state=seed,
    ).fit(X)
    # VarSelLCM's fit, recomputed.
    assert mixture.bic(X) <= 13042.04
    np.testing.assert_allclose(adjusted_rand_score(y, mixture.predict(X)), 0.2585, atol=5e-5)
    X["Age"] = X["Age"].astype(float)
    X.loc[0, "Age"] = np.nan
    counted = mixture.set_params(families={"Age": "poisson"}).fit(X)
    assert counted.bic(X) <= 13032.44


def test_scores_of_rows_by_hand():
    X = [["a", 0.0, 1], ["a", 1.0, 3], ["b", 2.0, 2]]
    mixture = MixedMixture(families={2: "poisson"}, reg_covar=0.0).fit(X)
    expected = np.log(2 / 3) + norm(1.0, np.sqrt(2 / 3)).logpdf(0.5) + poisson(2.0).logpmf(4)
    np.testing.assert_allclose(mixture.score_samples([["a", 0.5, 4]]), [expected])
