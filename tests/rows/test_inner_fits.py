"""Estimators that fit mixtures inside: of rows in chunks the fit is that to one array."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from skmix import (
    CategoricalBayesClassifier,
    Chunks,
    ConditionalGMMInpainter,
    GMMBayesClassifier,
    MixedBayesClassifier,
    MixedMixture,
    MixtureImputer,
)

pytestmark = pytest.mark.usefixtures("few_starts")

N_ROWS = 240
SHORT = dict(random_state=0, max_iter=3, tol=0.0)
RNG = np.random.default_rng(0)
Y = np.arange(N_ROWS) % 2
WORDS = np.array(["no", "yes"])[Y]
X = RNG.normal(size=(N_ROWS, 3)) + 3.0 * Y[:, None] * (RNG.random((N_ROWS, 1)) < 0.5)
HOLES = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
HOLES[7] = np.nan
EMPTY = HOLES.copy()
EMPTY[:, 1] = np.nan
WEIGHT = RNG.uniform(0.5, 2.0, N_ROWS)
WEIGHT[::9] = 0.0
WEIGHT[:60] = 0.0  # a chunk of which nothing remains
TABLE = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "n": RNG.poisson(2, N_ROWS)})
TABLE["c"] = np.where(X[:, 2] > 1.0, "x", "y")
ANSWERS = (X > 1.0).astype(int)
RARE = np.where(np.arange(N_ROWS) == 70, 7, Y)  # a class of one row
GAPS = TABLE.mask(RNG.random(TABLE.shape) < 0.1)
GAPS["e"] = pd.Series([None] * N_ROWS, dtype=object)
GAPS.loc[:59, "e"] = "of no weight"
GAPS.loc[5] = None
GAPS = GAPS[["a", "e", "b", "n", "c"]]
SOME = np.where(np.arange(N_ROWS) % 3 == 0, WORDS, "?")  # most of them of no class

CASES = {
    "names": (GMMBayesClassifier(2, **SHORT), TABLE[["a", "b", "n"]], WORDS, None),
    "holes": (
        GMMBayesClassifier(
            {"no": 1, "yes": 2},
            covariance_type="full",
            shrinkage="auto",
            priors=[0.2, 0.8],
            **SHORT,
        ),
        HOLES,
        WORDS,
        WEIGHT,
    ),
    "float32": (
        GMMBayesClassifier(2, covariance_type="tied", **SHORT), X.astype("f4"), Y, None
    ),
    "bic": (GMMBayesClassifier("bic", **SHORT), X, Y, None),
    "one row": (GMMBayesClassifier(1, **SHORT), X, RARE, WEIGHT),
    "answers": (CategoricalBayesClassifier({7: 1, 0: 2, 1: 2}, **SHORT), ANSWERS, RARE, WEIGHT),
    "mixed": (MixedBayesClassifier(2, families={"n": "poisson"}, **SHORT), TABLE, WORDS, WEIGHT),
    "linear": (GMMBayesClassifier(covariance_type="tied", share="classes", **SHORT), X, Y, None),
    "shared": (
        GMMBayesClassifier({"no": 1, "yes": 2}, covariance_type="VEV", share="classes", **SHORT),
        HOLES,
        WORDS,
        WEIGHT,
    ),
    "shared by choice": (
        GMMBayesClassifier(2, covariance_type="bic", share="classes", **SHORT),
        X.astype("f4"),
        Y,
        None,
    ),
    "some of no class": (GMMBayesClassifier(2, unlabeled="?", **SHORT), HOLES, SOME, WEIGHT),
    "some share": (
        GMMBayesClassifier(covariance_type="tied", share="classes", unlabeled=-1, **SHORT),
        X,
        np.where(SOME == "?", -1, Y),
        None,
    ),
    "some answers": (
        CategoricalBayesClassifier(2, unlabeled=7, **SHORT), ANSWERS, RARE, WEIGHT
    ),
    "some mixed": (
        MixedBayesClassifier(2, families={"n": "poisson"}, unlabeled="?", **SHORT),
        TABLE,
        SOME,
        WEIGHT,
    ),
    "filled": (ConditionalGMMInpainter(2, min_value=-1.0, **SHORT), HOLES, None, WEIGHT),
    "empty": (
        ConditionalGMMInpainter(2, add_indicator=True, **SHORT),
        pd.DataFrame(EMPTY, columns=["a", "b", "c"]),
        None,
        None,
    ),
    "refitted": (ConditionalGMMInpainter(2, n_refits=3, **SHORT), HOLES, None, WEIGHT),
    "refitted, plain": (
        ConditionalGMMInpainter(n_refits=2, missing_values=-9, shrinkage=0.0, **SHORT),
        np.nan_to_num(EMPTY, nan=-9.0),
        None,
        None,
    ),
    "tables": (
        MixtureImputer(
            MixedMixture(2, families={"n": "poisson"}, **SHORT), min_value=0, round_integers=True
        ),
        GAPS,
        None,
        WEIGHT,
    ),
    "tables, kept": (
        MixtureImputer(MixedMixture(2, **SHORT), keep_empty_features=True), EMPTY, None, None
    ),
    "marked": (
        ConditionalGMMInpainter(missing_values=-9, keep_empty_features=True, **SHORT),
        np.nan_to_num(EMPTY, nan=-9.0),
        None,
        WEIGHT,
    ),
}  # fmt: skip


def fit(estimator, X, y, sample_weight=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return clone(estimator).fit(X, y, sample_weight=sample_weight)


def pieces(rows, step=60):
    return [rows[i : i + step] for i in range(0, N_ROWS, step)]


def chunked(rows, weight=None):
    return Chunks(pieces(rows), sample_weight=None if weight is None else pieces(weight))


def learned(estimator):
    """Everything learned, of mixtures inside as well, by name."""
    for name, value in vars(estimator).items():
        values = value if isinstance(value, list) else [value]
        for i, one in enumerate(values):
            if hasattr(one, "get_params"):
                for inside, its in learned(one):
                    yield f"{name} {i} {inside}", its
            elif name.endswith("_"):
                yield f"{name} {i}", one


def assert_same(actual, expected, rtol=1e-7):
    mine, other = dict(learned(actual)), dict(learned(expected))
    assert sorted(mine) == sorted(other)
    for name, value in other.items():
        if getattr(value, "dtype", np.dtype(object)).kind == "f" or isinstance(value, float):
            assert np.asarray(mine[name]).dtype == np.asarray(value).dtype
            np.testing.assert_allclose(mine[name], value, rtol=rtol, atol=rtol, err_msg=name)
        else:
            np.testing.assert_array_equal(mine[name], value, err_msg=name)


def rows_are_float32(rows):
    return getattr(rows, "dtype", None) == np.float32


@pytest.mark.parametrize("case", CASES)
def test_the_fit_is_that_to_one_array(case):
    estimator, rows, y, weight = CASES[case]
    expected = fit(estimator, rows, y, weight)
    actual = fit(estimator, chunked(rows, weight), y)
    searched = getattr(estimator, "shrinkage", 0.0) == "auto"  # as far as rounding lets it
    rtol = 1e-3 if searched else 1e-5 if rows_are_float32(rows) else 1e-7
    assert_same(actual, expected, rtol)
    assert_same_answers(actual, chunked(rows), expected, rows)


def assert_same_answers(actual, chunks, expected, rows):
    for name in ("predict", "decision_function", "transform"):
        if hasattr(expected, name):
            answer, wanted = getattr(actual, name)(chunks), getattr(expected, name)(rows)
            whole = answer.compute() if hasattr(answer, "compute") else np.concatenate([*answer])
            assert answer.shape[1:] == wanted.shape[1:] and answer.dtype == wanted.dtype
            if wanted.dtype.kind == "f":
                np.testing.assert_allclose(whole, wanted, rtol=1e-6, atol=1e-9)
            else:
                same = pd.DataFrame(whole).infer_objects(), pd.DataFrame(wanted).infer_objects()
                pd.testing.assert_frame_equal(*same, check_exact=False, rtol=1e-6)


@pytest.mark.parametrize(
    "case",
    ["names", "holes", "answers", "mixed", "shared", "some of no class", "some answers",
     "some mixed", "filled", "empty", "refitted", "tables"],
)  # fmt: skip
def test_so_it_is_of_dask_collections(case):
    dask = pytest.importorskip("dask")
    da, dd = pytest.importorskip("dask.array"), pytest.importorskip("dask.dataframe")

    def cut(rows):
        if isinstance(rows, pd.DataFrame):
            return dd.from_pandas(rows, chunksize=120, sort=False)
        return da.from_array(rows, chunks=(120, *rows.shape[1:]))

    estimator, rows, y, weight = CASES[case]
    framed = isinstance(rows, pd.DataFrame)
    y = pd.Series(y).astype(object) if framed and y is not None else y
    expected = fit(estimator, rows, y, weight)
    with dask.config.set(scheduler="synchronous"):
        beside = [
            None if of is None else dd.from_pandas(pd.Series(of), chunksize=120) if framed else of
            for of in (y, weight)
        ]
        actual = fit(estimator, cut(rows), *beside)
        assert_same(actual, expected)
        assert_same_answers(actual, cut(rows), expected, rows)


def test_labels_come_as_weights_do(tmp_path):
    estimator = GMMBayesClassifier(**SHORT)
    expected = fit(estimator, X, WORDS)
    rows, labels = chunked(X), pieces(WORDS)
    np.save(tmp_path / "y.npy", labels[1])
    several = [labels[0], tmp_path / "y.npy", lambda: labels[2], labels[3].tolist()]
    for y in (WORDS.tolist(), pd.Series(WORDS, dtype="category"), several, Chunks(labels)):
        actual = fit(estimator, rows, y)
        np.testing.assert_array_equal(actual.predict(X), expected.predict(X))


def test_a_mapped_file_is_read_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("skmix._interface.survey.PIECE_BYTES", 24 * 50)
    np.save(tmp_path / "X.npy", HOLES)
    expected = fit(*CASES["holes"])
    chunks = Chunks([tmp_path / "X.npy"], sample_weight=[WEIGHT])
    assert_same(fit(CASES["holes"][0], chunks, WORDS), expected)


GAUSSIAN = GMMBayesClassifier(random_state=0)
HALF_EMPTY = np.where((Y == 1)[:, None] & (np.arange(3) == 2), np.nan, X)
REFUSED = {
    "no labels": (GAUSSIAN, X, None, "requires y"),
    "too few labels": (GAUSSIAN, X, Y[:-1], "y has 239 labels, but X has 240 rows"),
    "too few chunks": (GAUSSIAN, X, pieces(Y)[:-1], "labels of 3 chunks, but X has 4"),
    "other chunks": (
        GAUSSIAN, X, [Y[:60], Y[:70], Y[:50], Y[:60]],
        r"y of Chunk 1 of X .*shape \(70,\), but the chunk has 60 rows",
    ),
    "a label that is missing": (
        GAUSSIAN, X, [*pieces(Y)[:3], np.full(60, np.nan)], "y of Chunk 3 of X .*NaN",
    ),
    "words beside numbers": (
        GAUSSIAN, X, [*pieces(Y)[:3], WORDS[:60]], "y has values of different types",
    ),
    "measurements": (GAUSSIAN, X, Y + 0.5, "one class label per row"),
    "infinite": (GAUSSIAN, np.where(X[200] == X, np.inf, X), Y, "Chunk 3 of X .*infinity"),
    "nothing of a class": (GAUSSIAN, HALF_EMPTY, Y, r"class 1 could .*Column\(s\) 2"),
    "priors": (GMMBayesClassifier(priors=[1.0]), X, Y, "priors must have one entry per class"),
    "no class": (GMMBayesClassifier(unlabeled=1), X, 0 * Y + 1, "Every label of positive weight"),
    "unknown": (
        CategoricalBayesClassifier(categories=[[0, 1]] * 3), 3 * ANSWERS, Y, "Chunk 0 of X",
    ),
    "two marks": (ConditionalGMMInpainter(missing_values=-9), HOLES, None, "Chunk 0 .*NaN"),
    "no cells": (ConditionalGMMInpainter(), np.nan * X, None, "entirely missing"),
    "bounds": (ConditionalGMMInpainter(min_value=[0.0]*2), X, None, "min_value must be a number"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_refused_and_the_earlier_fit_kept(case):
    estimator, rows, y, text = REFUSED[case]
    error = TypeError if case == "words beside numbers" else ValueError
    fitted = clone(estimator).set_params(**{
        name: value
        for name, value in [("share", "components"), ("priors", None), ("n_refits", 0),
                            ("min_value", None), ("categories", "auto"), ("unlabeled", None)]
        if name in estimator.get_params()
    })  # fmt: skip
    fitted.fit(np.abs(ANSWERS), Y)
    before = dict(vars(fitted))
    fitted.set_params(**estimator.get_params())
    with pytest.raises(error, match=text):
        fitted.fit(chunked(rows), y)
    for name, value in before.items():
        assert name in estimator.get_params() or vars(fitted)[name] is value


def test_dask_labels_are_refused_where_they_do_not_fit():
    dask = pytest.importorskip("dask")
    da = pytest.importorskip("dask.array")
    D = da.from_array(X, chunks=(60, 3))
    chosen = D[D[:, 0] > 0.0]
    with dask.config.set(scheduler="synchronous"):
        for rows, y, error, text in [
            (D, da.from_array(Y[:120], chunks=60), ValueError, "y has 1 axes and 2 chunks"),
            (D, Y[:-1], ValueError, r"y has shape \(239,\), but X has 240 rows"),
            (D, Chunks(pieces(Y)), TypeError, "y must not be Chunks"),
            (chosen, Y, ValueError, "y is no Dask collection"),
            (chosen, da.from_array(Y, chunks=60), ValueError, "y of Chunk 0 of X"),
            (chosen, da.from_array(Y, chunks=60)[D[:, 1] > 9.0], ValueError, r"shape \(0,\)"),
            (D[D[:, 1] > 9.0], da.from_array(Y, chunks=60), ValueError, "chunk has 0 rows"),
            (chunked(X), da.from_array(Y, chunks=60), TypeError, "y is a Dask Array"),
            (X, da.from_array(Y, chunks=60), TypeError, "y is a Dask Array"),
        ]:
            with pytest.raises(error, match=text):
                GMMBayesClassifier().fit(rows, y)
        # Sizes that are not known are no harm to labels that are chosen alike.
        labels = da.from_array(Y, chunks=60)[D[:, 0] > 0.0]
        expected = fit(GAUSSIAN, X[X[:, 0] > 0.0], Y[X[:, 0] > 0.0])
        assert_same(fit(GAUSSIAN, chosen, labels), expected)
