"""Bootstrapped standard errors against closed forms, and what every mixture gives."""

import warnings

import numpy as np
import pandas as pd
import pytest
from own_families import Poisson
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as SklearnMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmix import (
    CategoricalMixture,
    DiagonalGMM,
    GaussianMixture,
    MixedMixture,
    Mixture,
    bootstrap,
)
from skmix.exceptions import DegenerateComponentWarning

pytestmark = pytest.mark.usefixtures("few_starts")

X = load_iris().data
KINDS = ("weighted", "nonparametric", "parametric")
each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
def test_a_single_component_has_closed_forms(kind):
    rows = np.random.default_rng(0).normal(size=(200, 2)) * [1.0, 5.0]
    found = bootstrap(GaussianMixture().fit(rows), rows, kind, 200, random_state=0)
    errors = found.standard_errors
    sd = rows.std(axis=0)
    np.testing.assert_allclose(errors["means"][0], sd / np.sqrt(200), rtol=0.2)
    kurtosis = 3.0 if kind == "parametric" else np.mean((rows - rows.mean(axis=0)) ** 4, 0) / sd**4
    expected = sd**2 * np.sqrt((kurtosis - 1) / 200)
    np.testing.assert_allclose(errors["variances"][0], expected, rtol=0.2)
    assert errors["weights"] == pytest.approx([0.0], abs=1e-12)
    low, high = found.interval(0.8)
    half = 1.2816 * sd / np.sqrt(200)
    np.testing.assert_allclose((high["means"] - low["means"])[0] / 2, half, rtol=0.2)
    np.testing.assert_allclose(found.estimates["means"][0], rows.mean(axis=0), atol=1e-9)


@each_kind
def test_a_weight_is_a_repetition(kind):
    rows = np.random.default_rng(0).normal(size=(60, 1)) + 6.0 * (np.arange(60) % 3 == 0)[:, None]
    weight = np.arange(60) % 4
    mixture = GaussianMixture(2, random_state=0).fit(rows, sample_weight=weight)
    found = bootstrap(mixture, rows, kind, 80, random_state=0, sample_weight=weight)
    repeated = np.repeat(rows, weight, axis=0)
    other = bootstrap(mixture, repeated, kind, 80, random_state=1)
    for name in ("weights", "means", "variances"):
        np.testing.assert_allclose(
            found.standard_errors[name], other.standard_errors[name], rtol=0.45
        )


def table():
    rng = np.random.default_rng(0)
    kind = np.arange(150) % 2
    frame = pd.DataFrame(
        {
            "size": rng.normal(5.0 * kind, 1.0),
            "colour": np.where(rng.random(150) < 0.2 + 0.6 * kind, "red", "blue"),
            "count": rng.poisson(2 + 6 * kind).astype(float),
            "age": rng.normal(30.0, 5.0, 150),
        }
    )
    frame.loc[::7, "size"] = np.nan
    frame.loc[3::9, "colour"] = None
    return frame


MIXTURES = {
    "gaussian": (GaussianMixture(2, random_state=0), table()[["size", "age"]]),
    "tied": (GaussianMixture(2, covariance_type="tied", random_state=0), table()[["size", "age"]]),
    "hard": (GaussianMixture(2, assignment="hard", random_state=0), table()[["size", "age"]]),
    "prior": (GaussianMixture(2, prior="data", random_state=0), table()[["size", "age"]]),
    "noise": (GaussianMixture(2, noise=True, random_state=0), table()[["size", "age"]]),
    "diagonal": (DiagonalGMM(2, random_state=0), table()[["size", "age"]].to_numpy(np.float32)),
    "categorical": (
        CategoricalMixture(2, init_params="random", random_state=0),
        pd.DataFrame(
            {
                c: np.array(list("abc"))[(np.arange(90) * s // 30) % 3]
                for c, s in (("one", 1), ("two", 1), ("three", 1), ("four", 7))
            }
        ),
    ),
    "mixed": (MixedMixture(2, families={"count": "poisson"}, random_state=0), table()),
    "own": (Mixture(2, family_factory=Poisson, random_state=0), table()[["count"]].to_numpy()),
}


@each_kind
@pytest.mark.parametrize("name", MIXTURES)
def test_every_mixture(name, kind):
    mixture, rows = MIXTURES[name]
    mixture.fit(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateComponentWarning)
        found = bootstrap(mixture, rows, kind, 12, random_state=0)
    n_left = 12 - found.n_degenerate
    assert n_left >= 8
    for parameter, estimate in found.estimates.items():
        attribute = getattr(mixture, f"{parameter}_", None)
        lists = [estimate, found.draws[parameter], found.standard_errors[parameter]]
        lists += [ends[parameter] for ends in found.interval()]
        if not isinstance(estimate, list):
            lists = [[array] for array in lists]
            attribute = None if attribute is None else [attribute]
        for i, (one, draws, error, low, high) in enumerate(zip(*lists, strict=True)):
            assert draws.shape == (n_left, *one.shape) and error.shape == one.shape
            assert np.all(low <= high) and np.all(np.isfinite(error))
            # Components keep their places: none is nearer to another than to itself.
            if attribute is not None:
                np.testing.assert_allclose(one, attribute[i], rtol=0.2, atol=0.1)
            if parameter in ("means", "rates"):
                assert np.all(np.abs(draws - one).max(axis=(0, 1)) < np.ptp(one, axis=0).max())
    frame = found.to_frame()
    assert set(frame.columns) >= {"parameter", "column", "category", "component", "estimate"}
    assert (frame.lower <= frame.upper).all()
    assert frame.estimate[frame.parameter == "weight"].sum() == pytest.approx(1.0, abs=1e-6)


def test_the_frame_names_columns_and_categories():
    mixture, rows = MIXTURES["mixed"]
    frame = bootstrap(mixture.fit(rows), rows, n_bootstrap=3, random_state=0).to_frame()
    keys = set(frame[["parameter", "column", "category"]].itertuples(index=False, name=None))
    assert keys == {
        ("weight", "", ""),
        *(("mean", name, "") for name in ("size", "age")),
        *(("variance", name, "") for name in ("size", "age")),
        ("rate", "count", ""),
        ("probability", "colour", "red"),
        ("probability", "colour", "blue"),
    }
    own, counts = MIXTURES["own"]
    frame = bootstrap(own.fit(counts), counts, n_bootstrap=3, random_state=0).to_frame()
    assert set(frame.parameter) == {"weight", "rates"}


def test_neither_jobs_nor_units_nor_the_fit_change_anything():
    mixture = GaussianMixture(3, random_state=0, tol=0.1, max_iter=2).fit(X)
    before = mixture.means_.copy(), mixture.get_params()
    one, two = (bootstrap(mixture, X, n_bootstrap=4, random_state=0, n_jobs=n) for n in (1, 2))
    np.testing.assert_array_equal(one.draws["means"], two.draws["means"])
    np.testing.assert_array_equal(mixture.means_, before[0])
    assert mixture.get_params() == before[1]
    tight = GaussianMixture(3, random_state=0, tol=1e-9, max_iter=2000).fit(X)
    assert one.mixture.score(X) == pytest.approx(tight.score(X), abs=1e-4)
    assert not np.allclose(one.estimates["means"], mixture.means_, rtol=1e-4)
    scaled = GaussianMixture(3, random_state=0, tol=0.1, max_iter=2).fit(1000 * X)
    other = bootstrap(scaled, 1000 * X, n_bootstrap=4, random_state=0)
    np.testing.assert_allclose(
        other.standard_errors["means"], 1000 * one.standard_errors["means"], rtol=1e-3
    )


@pytest.mark.filterwarnings("ignore::skmix.exceptions.DegenerateComponentWarning")
def test_labels_of_some_rows_stay_with_them():
    labels = np.where(np.arange(150) % 2 == 0, np.arange(150) // 50, -1)
    mixture = GaussianMixture(3, random_state=0).fit(X, partial_labels=labels)
    found = bootstrap(mixture, X, n_bootstrap=30, random_state=0, partial_labels=labels)
    plain = bootstrap(mixture, X, n_bootstrap=30, random_state=0)
    # Versicolor and virginica overlap: labels say more than rows do.
    assert np.all(found.standard_errors["weights"][1:] < plain.standard_errors["weights"][1:])
    with pytest.raises(ValueError, match="kind='parametric' draws new rows"):
        bootstrap(mixture, X, "parametric", 2, partial_labels=labels)


def test_the_last_step_of_a_pipeline_is_meant():
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0)).fit(X)
    found = bootstrap(pipeline, X, n_bootstrap=3, random_state=0)
    inner = bootstrap(pipeline[-1], pipeline[:-1].transform(X), n_bootstrap=3, random_state=0)
    np.testing.assert_array_equal(found.draws["means"], inner.draws["means"])


def test_degenerate_refits_are_counted_and_left_out():
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(size=(60, 2)), rng.normal(scale=0.05, size=(5, 2)) + 4])
    mixture = GaussianMixture(2, random_state=0).fit(rows)
    with pytest.warns(DegenerateComponentWarning, match=r"of 60 refits are degenerate and left"):
        found = bootstrap(mixture, rows, "nonparametric", 60, random_state=0)
    assert 0 < found.n_degenerate < 60
    assert len(found.draws["means"]) == 60 - found.n_degenerate
    assert f"{found.n_degenerate} left out" in repr(found)
    assert found.draws["variances"].min() > 1e-6
    flat = np.column_stack([rows[:, 0], np.zeros(65)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateComponentWarning)
        constant = GaussianMixture(2, random_state=0).fit(flat)
    with pytest.raises(
        ValueError, match=r"5 of n_bootstrap=5 refits are degenerate.*drop constant"
    ):
        bootstrap(constant, flat, n_bootstrap=5, random_state=0)


def test_refits_that_do_not_converge_are_told(monkeypatch):
    monkeypatch.setattr("skmix._selection.intervals.LEAST_ITERATIONS", 1)
    mixture = GaussianMixture(3, random_state=0, max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(X)
    with pytest.warns(ConvergenceWarning, match="3 of 3 refits ran out of iterations"):
        assert bootstrap(mixture, X, n_bootstrap=3, random_state=0).n_not_converged == 3


def test_what_is_refused():
    mixture = GaussianMixture(2, random_state=0).fit(X)
    halves = np.full(150, 0.5)
    assert bootstrap(mixture, X, n_bootstrap=2, sample_weight=halves).kind == "weighted"
    for kind in ("nonparametric", "parametric"):
        with pytest.raises(ValueError, match="sample_weight must be whole numbers here"):
            bootstrap(mixture, X, kind, 2, sample_weight=halves)
    with pytest.raises(TypeError, match="bootstrap needs a fitted mixture of skmix"):
        bootstrap(SklearnMixture().fit(X), X)
    with pytest.raises(ValueError, match=r"level must lie between 0 and 1, as 0.95 does"):
        bootstrap(mixture, X, n_bootstrap=2).interval(95)


def test_progress_is_printed(capfd):
    bootstrap(GaussianMixture().fit(X), X, n_bootstrap=3, random_state=0, verbose=10)
    assert "Done" in "".join(capfd.readouterr())
