"""Rows in chunks: the fit is that to one array, whatever the chunks are and where they live."""

import gc
import itertools
import os
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from mixtures import overlapping
from oracles import peak_memory
from own_families import Poisson
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from skmix import (
    CategoricalMixture,
    Chunks,
    DiagonalGMM,
    GaussianMixture,
    GMMDenoiser,
    GMMRegressor,
    MixedMixture,
    Mixture,
    MixtureImputer,
    MixtureOutlierDetector,
    TransformedDensity,
    bootstrap_lrt,
    select_mixture,
)
from skmix._rows import sources

pytestmark = pytest.mark.usefixtures("few_starts")

N_CHUNKS = (1, 7)
EXACT = dict(rtol=1e-9, atol=1e-12)
MB = 2**20


def cut(X, n_chunks):
    edges = np.linspace(0, len(X), n_chunks + 1).astype(int)
    return [X[a:b] for a, b in itertools.pairwise(edges)]


def fit(mixture, X, sample_weight=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(X, sample_weight=sample_weight)


def gather(chunks):
    return np.concatenate(list(chunks))


@pytest.fixture(params=["file", "function", "all"])
def kind(request, tmp_path):
    """Return a function that makes chunks of one kind of the parts of an array."""

    def file(part):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.npy"
        np.save(path, part)
        return path if len(part) % 2 else str(path)

    makers = {"array": np.asarray, "file": file, "function": lambda part: lambda: part}
    if request.param == "all":
        several = list(makers.values())
        return lambda parts: [several[i % 3](part) for i, part in enumerate(parts)]
    return lambda parts: [makers[request.param](part) for part in parts]


def holes_in(X, seed=0):
    rng = np.random.default_rng(seed)
    X = X.copy()
    X[rng.random(X.shape) < 0.1] = np.nan
    X[3] = np.nan
    return X


# One array and its chunks ------------------------------------------------------------------


@pytest.mark.parametrize("n_chunks", N_CHUNKS)
@pytest.mark.parametrize("incomplete", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_fit_is_that_to_one_array(kind, n_chunks, incomplete, weighted):
    X = overlapping(300)
    if incomplete:
        X = holes_in(X)
    weight, weights = None, None
    if weighted:
        weight = np.random.default_rng(1).integers(0, 3, size=len(X))
        weights = kind(cut(weight, n_chunks))
    chunks = Chunks(kind(cut(X, n_chunks)), sample_weight=weights)
    mixture = GaussianMixture(3, random_state=0, max_iter=5, covariance_type="diag")
    whole = fit(clone(mixture), X, weight)
    parts = fit(clone(mixture), chunks)
    for name in ("weights_", "means_", "covariances_", "lower_bounds_", "reg_covar_"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), **EXACT)
    assert parts.n_features_in_ == 4
    for name in ("score", "aic", "bic", "icl", "sabic", "entropy"):
        expected = getattr(whole, name)(X, sample_weight=weight)
        np.testing.assert_allclose(getattr(parts, name)(chunks), expected, rtol=1e-9)
    for name in ("predict", "predict_proba", "score_samples", "impute"):
        lazy, expected = getattr(parts, name)(chunks), getattr(parts, name)(X)
        assert lazy.shape == expected.shape and lazy.dtype == expected.dtype
        assert len(lazy) == n_chunks and lazy[0].dtype == lazy.dtype
        np.testing.assert_allclose(gather(lazy), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("incomplete", [False, True])
def test_passes_cut_rows_the_same_way_wherever_chunks_end(monkeypatch, incomplete):
    monkeypatch.setattr(sources, "CHUNK_BYTES", 2**12)
    X = overlapping(9000)
    X = holes_in(X) if incomplete else X
    weight = np.random.default_rng(1).integers(1, 3, size=len(X))
    mixture = GaussianMixture(3, covariance_type="diag", random_state=0, max_iter=3)
    whole = fit(clone(mixture), X, weight)
    for n_chunks in (1, 2, 13, 700):
        chunks = Chunks(cut(X, n_chunks), sample_weight=cut(weight, n_chunks))
        parts = fit(clone(mixture), chunks)
        np.testing.assert_allclose(parts.means_, whole.means_, rtol=1e-12)
        np.testing.assert_allclose(parts.lower_bounds_, whole.lower_bounds_, rtol=1e-12)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "spherical", "VEV"])
def test_every_structure_takes_chunks(covariance_type):
    X = overlapping(500).astype(np.float32)
    mixture = GaussianMixture(2, covariance_type=covariance_type, random_state=0, max_iter=5)
    whole = fit(clone(mixture), X)
    parts = fit(clone(mixture), Chunks(cut(X, 7)))
    assert parts.means_.dtype == np.float32
    np.testing.assert_allclose(parts.covariances_, whole.covariances_, rtol=1e-6)


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
@pytest.mark.parametrize("incomplete", [False, True])
def test_every_start_takes_chunks(init_params, incomplete):
    X = overlapping(500)
    X = holes_in(X) if incomplete else X
    mixture = GaussianMixture(3, init_params=init_params, random_state=0, max_iter=3)
    whole, parts = fit(clone(mixture), X), fit(clone(mixture), Chunks(cut(X, 7)))
    np.testing.assert_allclose(parts.means_, whole.means_, **EXACT)


@pytest.mark.parametrize(
    "options",
    [
        {"assignment": "hard"},
        {"prior": "data"},
        {"shrinkage": "auto"},
        {"shrinkage": 5.0},
        {"n_init": 2},
        {"reg_covar": 1e-3},
        {"noise": True},
    ],
)
def test_every_option_takes_chunks(options):
    X = holes_in(overlapping(400))
    mixture = GaussianMixture(2, random_state=0, max_iter=5, **options)
    whole, parts = fit(clone(mixture), X), fit(clone(mixture), Chunks(cut(X, 5)))
    np.testing.assert_allclose(parts.covariances_, whole.covariances_, **EXACT)
    lazy, expected = parts.predict_proba(Chunks(cut(X, 5))), whole.predict_proba(X)
    assert lazy.shape == expected.shape
    np.testing.assert_allclose(gather(lazy), expected, rtol=1e-6, atol=1e-9)


def test_samples_of_many_rows_are_those_of_one_array(monkeypatch):
    monkeypatch.setattr("skmix._starts.sampling.ALL_ROWS", 200)
    monkeypatch.setattr("skmix._starts.sampling.SAMPLED_ROWS", 200)
    monkeypatch.setattr("skmix._starts.methods.START_ROWS_PER_COMPONENT", 1)
    monkeypatch.setattr("skmix._mixtures.regularisation.SCREENED", 64)
    X = overlapping(6000)
    weight = np.random.default_rng(0).integers(1, 4, size=len(X))
    mixture = GaussianMixture(3, random_state=0, max_iter=3)
    whole = fit(clone(mixture), X, weight)
    chunks = Chunks(cut(X, 11), sample_weight=cut(weight, 11))
    np.testing.assert_allclose(fit(clone(mixture), chunks).means_, whole.means_, **EXACT)


def test_a_run_goes_on_and_fit_predict_gives_chunks():
    X = overlapping(300)
    mixture = GaussianMixture(3, random_state=0, max_iter=2, warm_start=True)
    chunks = Chunks(cut(X, 4))
    fit(mixture, chunks)
    before = mixture.lower_bound_
    assert fit(mixture, chunks).lower_bound_ > before
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = clone(mixture).fit_predict(chunks)
    assert isinstance(labels, Chunks) and labels.shape == (300,)


def test_integers_become_floats_chunk_by_chunk(tmp_path):
    X = np.random.default_rng(0).integers(0, 100, size=(400, 3)).astype(np.int16)
    np.save(tmp_path / "a.npy", X)
    mixture = DiagonalGMM(2, random_state=0)
    whole = clone(mixture).fit(X)
    parts = clone(mixture).fit(Chunks([tmp_path / "a.npy"]))
    np.testing.assert_allclose(parts.means_, whole.means_, **EXACT)
    assert parts.predict_proba(Chunks([X])).dtype == np.float64


def test_what_was_computed_is_that_of_the_mixture_then():
    X = overlapping(200)
    mixture = GaussianMixture(2, random_state=0).fit(X)
    expected, lazy = mixture.predict_proba(X), mixture.predict_proba(Chunks(cut(X, 3)))
    mixture.set_params(n_components=1).fit(X)
    np.testing.assert_allclose(gather(lazy), expected, atol=1e-12)


def test_answers_are_chunks_that_can_be_fitted_again():
    X = holes_in(overlapping(300))
    mixture = GaussianMixture(2, random_state=0).fit(X)
    filled = mixture.impute(Chunks(cut(np.delete(X, 3, axis=0), 4)))
    again = GaussianMixture(2, random_state=0).fit(filled)
    whole = GaussianMixture(2, random_state=0).fit(mixture.impute(np.delete(X, 3, axis=0)))
    np.testing.assert_allclose(again.means_, whole.means_, **EXACT)
    filled, std = mixture.impute(Chunks(cut(X, 4)), return_std=True)
    np.testing.assert_allclose(gather(std), mixture.impute(X, return_std=True)[1])


class Complete(Poisson):
    allow_nan = False


def test_own_families_take_chunks():
    X = np.random.default_rng(0).poisson([[1.0, 5.0]], size=(200, 2)).astype(float)
    mixture = Mixture(2, family_factory=Poisson, random_state=0)
    whole, parts = fit(clone(mixture), X), fit(clone(mixture), Chunks(cut(X, 6)))
    np.testing.assert_allclose(parts.params_.rates, whole.params_.rates, **EXACT)
    with pytest.raises(ValueError, match="NaN"):
        Mixture(2, family_factory=Complete).fit(Chunks([X, X * np.nan]))


# Columns of several kinds ------------------------------------------------------------------


def table(n_samples=250):
    rng = np.random.default_rng(0)
    z = rng.integers(3, size=n_samples)
    frame = pd.DataFrame(
        {
            "height": rng.normal(size=n_samples) + 3 * z,
            "visits": rng.poisson(1 + 3 * z),
            "town": np.array(["x", "y", "w"])[(z + (rng.random(n_samples) < 0.2)) % 3],
            "grade": z.astype(float),
        }
    )
    for name, share in (("height", 0.1), ("town", 0.1), ("grade", 0.05)):
        frame.loc[rng.random(n_samples) < share, name] = None
    return frame


MIXED = dict(families={"visits": "poisson", "grade": "categorical"}, random_state=0, max_iter=3)


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("weighted", [False, True])
def test_tables_in_chunks(library, weighted):
    frame = table()
    weight = np.random.default_rng(1).integers(0, 3, size=len(frame)) if weighted else None
    rows = frame if library == "pandas" else pl.from_pandas(frame)
    chunks = Chunks(cut(rows, 5), sample_weight=None if weight is None else cut(weight, 5))
    whole = fit(MixedMixture(3, **MIXED), rows, weight)
    parts = fit(MixedMixture(3, **MIXED), chunks)
    assert parts.families_.tolist() == ["gaussian", "poisson", "categorical", "categorical"]
    for mine, other in zip(parts.categories_, whole.categories_, strict=True):
        assert mine.tolist() == other.tolist()
    np.testing.assert_allclose(parts.means_, whole.means_, **EXACT)
    np.testing.assert_allclose(parts.probabilities_[0], whole.probabilities_[0], **EXACT)
    np.testing.assert_allclose(parts.bic(chunks), whole.bic(rows, sample_weight=weight))
    np.testing.assert_array_equal(gather(parts.predict(chunks)), whole.predict(rows))
    filled = list(parts.impute(chunks))
    assert type(filled[0]) is type(rows)
    expected = whole.impute(rows)
    together = pd.concat(filled) if library == "pandas" else pl.concat(filled)
    assert together.equals(expected)
    assert type(parts.sample(2)[0]) is type(rows)


def test_a_column_may_be_empty_in_one_chunk_and_text_in_another():
    first = np.array([[1.0, None], [2.0, None], [5.0, None]], dtype=object)
    second = np.array([[1.5, "a"], [2.5, "b"], [4.5, "b"]], dtype=object)
    mixture = MixedMixture().fit(Chunks([first, second]))
    assert mixture.categories_[0].tolist() == ["a", "b"]
    whole = MixedMixture().fit(np.concatenate([first, second]))
    np.testing.assert_allclose(mixture.means_, whole.means_, **EXACT)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("text", [False, True])
def test_latent_classes_in_chunks(weighted, text, monkeypatch):
    monkeypatch.setattr("skmix._interface.chunked_columns.MERGED_ROWS", 50)
    rng = np.random.default_rng(0)
    z = rng.integers(2, size=500)
    X = ((z[:, None] + (rng.random((500, 5)) < 0.2)) % 2).astype(float)
    X[rng.random(X.shape) < 0.1] = np.nan
    X[2] = np.nan
    if text:
        X = np.where(
            np.isnan(X), None, np.array(["no", "yes"], dtype=object)[np.nan_to_num(X).astype(int)]
        )
    weight = rng.integers(0, 3, size=500) if weighted else None
    chunks = Chunks(cut(X, 9), sample_weight=None if weight is None else cut(weight, 9))
    mixture = CategoricalMixture(2, random_state=0)
    whole = clone(mixture).fit(X, sample_weight=weight)
    parts = clone(mixture).fit(chunks)
    for mine, other in zip(parts.probabilities_, whole.probabilities_, strict=True):
        np.testing.assert_allclose(mine, other, **EXACT)
    np.testing.assert_allclose(parts.bic(chunks), whole.bic(X, sample_weight=weight))
    np.testing.assert_array_equal(gather(parts.impute(chunks)), whole.impute(X))


def test_a_category_of_one_chunk_is_known_in_all():
    chunks = Chunks([np.array([["a"], ["b"]]), np.array([["c"], ["a"]])])
    assert CategoricalMixture().fit(chunks).categories_[0].tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match=r"Chunk 1 .*unknown categories \['c'\]"):
        CategoricalMixture(categories=[["a", "b"]]).fit(chunks)
    ignored = CategoricalMixture(categories=[["a", "b"]], handle_unknown="ignore").fit(chunks)
    np.testing.assert_allclose(ignored.probabilities_[0], [[2 / 3, 1 / 3]])


# Selection ---------------------------------------------------------------------------------


def test_a_selection_reads_chunks():
    X = overlapping(300)
    grid = {"n_components": [1, 2, 3]}
    whole = select_mixture(GaussianMixture(random_state=0), X, grid)
    parts = select_mixture(GaussianMixture(random_state=0), Chunks(cut(X, 4)), grid)
    np.testing.assert_allclose(parts.cv_results_["icl"], whole.cv_results_["icl"], rtol=1e-9)
    assert parts.best_params_ == whole.best_params_
    with pytest.raises(ValueError, match="holds rows out"):
        select_mixture(GaussianMixture(), Chunks([X]), grid, criterion="cv")


# Parquet -----------------------------------------------------------------------------------


def write_parquet(folder, frame):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    folder.mkdir()
    for i, part in enumerate(cut(frame, 2)):
        arrow = pa.Table.from_pandas(part, preserve_index=False)
        parquet.write_table(arrow, folder / f"{i}.parquet", row_group_size=50)
    return folder


@pytest.mark.parametrize("weighted", [False, True])
def test_a_folder_of_parquet_files(tmp_path, weighted):
    frame = table()
    weight = np.random.default_rng(1).integers(0, 3, size=len(frame)) if weighted else None
    stored = frame.assign(w=weight) if weighted else frame
    chunks = Chunks(write_parquet(tmp_path / "p", stored), sample_weight="w" if weighted else None)
    assert chunks.shape == frame.shape and len(chunks) == 6
    whole = fit(MixedMixture(3, **MIXED), frame, weight)
    parts = fit(MixedMixture(3, **MIXED), chunks)
    np.testing.assert_allclose(parts.means_, whole.means_, **EXACT)
    assert parts.feature_names_in_.tolist() == list(frame.columns)
    np.testing.assert_array_equal(gather(parts.predict(chunks)), whole.predict(frame))
    np.testing.assert_allclose(parts.score(chunks), whole.score(frame, sample_weight=weight))


def test_an_imputer_fills_parquet(tmp_path):
    frame = table()
    frame = frame.mask(np.random.default_rng(2).random(frame.shape) < 0.1).assign(nothing=np.nan)
    chunks = Chunks(write_parquet(tmp_path / "p", frame))
    imputer = MixtureImputer(MixedMixture(2, random_state=0, max_iter=3), keep_empty_features=True)
    whole, parts = fit(clone(imputer), frame), fit(clone(imputer), chunks)
    assert parts.feature_names_in_.tolist() == list(frame.columns)
    filled, expected = gather(parts.transform(chunks)), whole.transform(frame)
    assert filled.shape == expected.shape and not pd.isna(filled).any()
    assert np.mean(filled == expected) > 0.9  # others differ by rounding
    np.testing.assert_allclose(parts.mixture_.means_, whole.mixture_.means_, **EXACT)


def test_a_data_set_of_pyarrow_is_taken_as_it_is(tmp_path):
    frame = table()[["height", "visits"]].astype({"height": np.float32, "visits": np.float32})
    folder = write_parquet(tmp_path / "p", frame)
    import pyarrow.dataset

    dataset = pyarrow.dataset.dataset(folder)
    whole = fit(GaussianMixture(2, random_state=0), frame)
    parts = fit(GaussianMixture(2, random_state=0), dataset)
    assert parts.means_.dtype == np.float32
    np.testing.assert_allclose(parts.means_, whole.means_, rtol=1e-6)
    np.testing.assert_allclose(gather(parts.score_samples(dataset)), whole.score_samples(frame))
    fewer = dataset.replace_schema(pyarrow.schema([dataset.schema.field("height")]))
    assert fit(GaussianMixture(), fewer).n_features_in_ == 1
    with pytest.raises(ValueError, match="fitted to"):
        parts.predict(fewer)


def test_a_folder_of_other_files_is_no_parquet(tmp_path):
    pytest.importorskip("pyarrow.parquet")
    (tmp_path / "notes.txt").write_text("not a table")
    with pytest.raises(ValueError, match=r"chunks: .* cannot be read as Parquet.*Pass a Parquet"):
        Chunks(tmp_path)


def test_times_and_text_in_parquet_are_refused(tmp_path):
    frame = pd.DataFrame({"day": pd.to_datetime(["2020-01-01", "2020-01-02"] * 200)})
    chunks = Chunks(write_parquet(tmp_path / "p", frame.assign(x=1.0)))
    with pytest.raises(TypeError, match="times"):
        MixedMixture().fit(chunks)
    with pytest.raises((TypeError, ValueError), match="Chunk 0 of X"):
        GaussianMixture().fit(Chunks(write_parquet(tmp_path / "q", table()[["town"]])))


# Bad input ---------------------------------------------------------------------------------

X = overlapping(60)


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([X, X[:, :2]], r"Chunk 1 .* has 2 columns, but Chunk 0 .* has 4"),
        ([X, X.astype(np.float32)], r"Chunk 1 .*float32, but those of Chunk 0 .*float64"),
        ([X, X[:0]], "Chunk 1 .* has no rows"),
        ([X, X[0]], "Chunk 1 .* two axes"),
        ([X, np.where(X > 1, np.inf, X)], "Chunk 1 .* infinity"),
        ([X, lambda: iter([X])], "Chunk 1 .* read only once"),
        ([X, lambda: 1 / 0], "Chunk 1 .* cannot be read: ZeroDivisionError"),
        ([X * np.nan, X * np.nan], "entirely missing"),
        ([X[:1]], "minimum of 2"),
        ([pd.DataFrame(X), pd.DataFrame(X, columns=list("abcd"))], "Chunk 1 .* same columns"),
        ([pd.DataFrame({"a": ["x", "y"]})], "Chunk 0 .*'a'.* holds text"),
    ],
)
def test_faults_name_the_chunk_and_leave_the_earlier_fit(chunks, message):
    mixture = GaussianMixture(2, random_state=0).fit(X)
    before = mixture.means_
    with pytest.raises((TypeError, ValueError, RuntimeError), match=message):
        mixture.fit(Chunks(chunks))
    assert mixture.means_ is before and mixture.n_features_in_ == 4


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([np.ones(60), np.ones(59)], r"Chunk 1 .* shape \(59,\)"),
        ([np.ones(60), -np.ones(60)], "Chunk 1 .*Negative"),
        ([np.zeros(60), np.zeros(60)], "zero for every row"),
        ([np.ones(60), np.full(60, np.nan)], "Chunk 1 .*NaN"),
        ([np.ones(60)], "weights of 1 chunks, but there are 2"),
        ("w", "names a column"),
    ],
)
def test_faults_of_weights_name_the_chunk(weights, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture().fit(Chunks([X, X], sample_weight=weights))


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ((part for part in [X]), "a generator, which can be read only once"),
        ([X, iter([X])], "which can be read only once"),
        (X, "list of one"),
        (lambda: X, "list of one"),
        ([], "empty"),
        (["a.csv"], "not that of a .npy"),
        ([3], "holds a int"),
        (7, "must be a list"),
        (Chunks([X]), "already"),
    ],
)
def test_what_are_no_chunks(chunks, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Chunks(chunks)


def test_weights_are_those_of_the_chunks():
    mixture = GaussianMixture().fit(X)
    with pytest.raises(ValueError, match="have their own"):
        mixture.fit(Chunks([X]), sample_weight=np.ones(60))
    with pytest.raises(ValueError, match="have their own"):
        mixture.score(Chunks([X]), sample_weight=np.ones(60))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(119), "partial_labels has 119 labels, but X has 120 rows"),
        (np.full(120, 2), "partial_labels has 2 for row 0"),
        ([np.zeros(60)], "partial_labels lists the labels of 1 chunks, but X has 2"),
        ([np.zeros(60), np.zeros(59)], r"partial_labels of Chunk 1 .* shape \(59,\)"),
        ([np.zeros(60), np.full(60, -2)], "partial_labels of Chunk 1 .*has -2 for row 0"),
        ([np.zeros(60), np.full(60, "a")], "partial_labels of Chunk 1 .*dtype <U1"),
    ],
)
def test_faults_of_labels_name_the_chunk(labels, message):
    mixture = GaussianMixture(2, random_state=0).fit(X)
    before = mixture.means_
    with pytest.raises(ValueError, match=message):
        mixture.fit(Chunks([X, X]), partial_labels=labels)
    assert mixture.means_ is before


def test_what_takes_no_labels_takes_none_of_chunks():
    labels = np.zeros(60, dtype=int)
    with pytest.raises(ValueError, match="Mixture takes no partial_labels"):
        Mixture(2, family_factory=Poisson).fit(Chunks([X]), partial_labels=labels)
    with pytest.raises(ValueError, match="partial_labels is not available with noise=True"):
        GaussianMixture(2, noise=True).fit(Chunks([X]), partial_labels=labels)


@pytest.mark.parametrize("change", ["vanishes", "shrinks", "grows"])
def test_a_file_that_changes_between_passes(tmp_path, change):
    path = tmp_path / "part.npy"
    np.save(path, X)
    n_reads = []

    def other():
        n_reads.append(None)
        if len(n_reads) == 2:  # after the first pass
            if change == "vanishes":
                path.unlink()
            else:
                np.save(path, X[:30] if change == "shrinks" else np.concatenate([X, X]))
        return X

    mixture = GaussianMixture(2, random_state=0).fit(X)
    before = mixture.means_
    # The name in the message, whatever a shorter file would do to a process that maps it.
    with pytest.raises((FileNotFoundError, ValueError), match=r"Chunk 1 of X \('.*part.npy'\)"):
        mixture.fit(Chunks([other, path]))
    assert mixture.means_ is before


def test_a_function_that_returns_other_rows():
    sizes = iter([60, 50])
    with pytest.raises(ValueError, match=r"Chunk 0 of X \(by .*shape \(50, 4\)"):
        GaussianMixture(2, random_state=0).fit(Chunks([lambda: X[: next(sizes)], X]))


@pytest.mark.parametrize(
    "estimator",
    [
        GMMDenoiser(),
        GMMRegressor(),
        MixtureOutlierDetector(),
        TransformedDensity(),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_other_estimators_say_what_to_do(estimator):
    with pytest.raises(TypeError, match=r"Pass numpy\.concatenate"):
        estimator.fit(Chunks([X]), np.zeros(60))


def test_other_methods_say_what_to_do():
    mixture = GaussianMixture(2, random_state=0).fit(X)
    for method in (mixture.condition, mixture.sample_conditional):
        with pytest.raises(TypeError, match=r"Pass numpy\.concatenate"):
            method(Chunks([X]))
    with pytest.raises(TypeError, match="takes no Chunks"):
        bootstrap_lrt(mixture, Chunks([X]))


def test_faults_of_new_rows_name_the_chunk():
    mixture = GaussianMixture(2, random_state=0).fit(X)
    lazy = mixture.predict(Chunks([X, X[:, :3]]))
    assert len(lazy[0]) == 60
    with pytest.raises(ValueError, match=r"Chunk 1 .*4 features"):
        lazy[1]


# Cost --------------------------------------------------------------------------------------


def test_memory_does_not_grow_with_the_rows(tmp_path):
    rng = np.random.default_rng(0)
    n_rows, n_features = 200_000, 8
    path = tmp_path / "rows.npy"
    np.save(path, rng.normal(size=(n_rows, n_features)).astype(np.float32))
    mixture = DiagonalGMM(4, init_params="kmeans", max_iter=2, random_state=0)

    def task(chunks):
        gc.collect()
        with threadpool_limits(1):
            return peak_memory(lambda: fit(clone(mixture), chunks).score(chunks))

    size = os.path.getsize(path)
    few, many = (task(Chunks([path] * times)) for times in (2, 8))
    assert few < 2.5 * size  # the sample of the start, and 6 MB chunks of features
    assert many < few + 0.5 * size


def test_every_chunk_is_read_once_or_little_more_in_a_pass():
    reads = []

    def chunk(i):
        def read():
            reads.append(i)
            return part

        part = np.random.default_rng(i).normal(size=(20_000, 3))
        return read

    chunks = Chunks([chunk(i) for i in range(12)])
    mixture = GaussianMixture(2, means_init=[[0.0] * 3, [1.0] * 3], tol=0.0, random_state=0)
    with threadpool_limits(1):
        fit(mixture.set_params(max_iter=2), chunks)
        first = len(reads)
        fit(mixture.set_params(max_iter=12), chunks)
    per_pass = (len(reads) - 2 * first) / 10
    assert per_pass <= 12 + 16  # a chunk where two lanes meet is read by both
