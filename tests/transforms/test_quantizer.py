"""KMeansQuantizer: k-means of scikit-learn behind codes and reconstructions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_info, threadpool_limits

from skmix import KMeansQuantizer
from skmix._transforms import quantizer as _quantizer


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    return rng.standard_normal((300, 2)) + 4.0 * rng.integers(3, size=(300, 1))


def test_codes_are_centres_of_sklearn_kmeans_on_sorted_rows(rows):
    quantizer = KMeansQuantizer(5, n_init=2, random_state=3).fit(rows)
    distinct, _ = _quantizer.distinct_rows(rows)
    kmeans = KMeans(5, n_init=2, random_state=3).fit(distinct)
    np.testing.assert_allclose(quantizer.codebook_, kmeans.cluster_centers_, rtol=1e-12)
    assert quantizer.n_iter_ == kmeans.n_iter_
    np.testing.assert_array_equal(quantizer.transform(rows)[:, 0], kmeans.predict(rows))
    mean_square = kmeans.inertia_ / rows.size
    assert quantizer.score(rows) == pytest.approx(-mean_square, rel=1e-12)


def test_score_is_negative_mean_squared_error_of_reconstruction(rows):
    quantizer = KMeansQuantizer(4, random_state=0).fit(rows)
    restored = quantizer.inverse_transform(quantizer.transform(rows))
    assert quantizer.score(rows) == pytest.approx(-np.mean((restored - rows) ** 2), rel=1e-12)
    weight = np.arange(len(rows)) % 3
    repeated = quantizer.score(np.repeat(rows, weight, axis=0))
    assert quantizer.score(rows, sample_weight=weight) == pytest.approx(repeated, rel=1e-12)


def test_more_codes_lose_less(rows):
    scores = [KMeansQuantizer(k, random_state=0).fit(rows).score(rows) for k in (1, 4, 16, 64)]
    assert scores == sorted(scores)
    assert scores[0] == pytest.approx(-np.mean(rows.var(axis=0)), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_few_distinct_rows_are_exact(dtype, offset):
    values = np.array([[3, 1], [0, 0], [0, 7]], dtype=dtype) + dtype(offset)
    X = values[[0, 1, 1, 2, 0, 2]]
    quantizer = KMeansQuantizer(16).fit(X)
    assert quantizer.n_codes_ == 3
    assert quantizer.n_iter_ == 0
    assert quantizer.codebook_.dtype == dtype
    restored = quantizer.inverse_transform(quantizer.transform(X))
    assert restored.dtype == dtype
    np.testing.assert_array_equal(restored, X)


def test_signs_of_zero_do_not_make_rows_distinct():
    assert KMeansQuantizer(2).fit([[0.0], [-0.0], [1.0]]).n_codes_ == 2
    assert len(_quantizer.distinct_rows(np.array([[0.0], [-0.0]]))[0]) == 1


@given(st.lists(st.integers(0, 3), min_size=40, max_size=40).filter(lambda w: sum(w) > 0))
def test_weight_is_repetition_to_the_bit(weight):
    X = np.random.default_rng(1).standard_normal((40, 2)).round(1)
    quantizer = KMeansQuantizer(3, random_state=0)
    weighted = clone(quantizer).fit(X, sample_weight=weight)
    repeated = clone(quantizer).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_array_equal(weighted.codebook_, repeated.codebook_)


def test_order_of_rows_does_not_matter(rows):
    quantizer = KMeansQuantizer(6, random_state=0)
    forwards, backwards = clone(quantizer).fit(rows), clone(quantizer).fit(rows[::-1])
    np.testing.assert_array_equal(forwards.codebook_, backwards.codebook_)


def test_far_from_zero_the_nearest_code_is_found():
    X = 1e9 + np.arange(5.0)[:, None]
    quantizer = KMeansQuantizer(5).fit(X)
    np.testing.assert_array_equal(quantizer.transform(X)[:, 0], np.arange(5))


@pytest.mark.parametrize(
    ("batch_size", "n_rows", "expected"),
    [
        (None, 10**9, KMeans),
        ("auto", 1000, KMeans),
        ("auto", 10**8, MiniBatchKMeans),
        (100, 1000, MiniBatchKMeans),
    ],
)
def test_batches_where_rows_are_many(batch_size, n_rows, expected):
    assert type(KMeansQuantizer(16, batch_size=batch_size)._make_kmeans(n_rows)) is expected


@pytest.mark.parametrize(("n_codes", "n_init"), [(2, 8), (16, 6), (32, 3), (64, 1), (1000, 1)])
def test_few_codes_get_more_starts(n_codes, n_init):
    assert KMeansQuantizer(n_codes)._make_kmeans(10**4).n_init == n_init


def test_batches_come_near_all_rows():
    X = np.random.default_rng(0).standard_normal((20_000, 3))
    batches = KMeansQuantizer(16, batch_size=1024, random_state=0).fit(X)
    everything = KMeansQuantizer(16, batch_size=None, random_state=0).fit(X)
    assert batches.score(X) == pytest.approx(everything.score(X), rel=0.05)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ([[0], [2]], "from 0 to n_codes_ - 1 = 1, but holds 2"),
        ([[-1]], "but holds -1"),
        ([[0.5]], "but holds 0.5"),
        ([[0, 1]], "one column of indices"),
        ([[np.nan]], "NaN"),
    ],
)
def test_codes_that_are_none_are_refused(codes, message):
    quantizer = KMeansQuantizer().fit([[0.0], [4.0]])
    with pytest.raises(ValueError, match=message):
        quantizer.inverse_transform(codes)


def test_codes_may_be_floats_or_flat():
    quantizer = KMeansQuantizer().fit([[0.0], [4.0]])
    for codes in ([[1.0], [0.0]], [1, 0], np.array([1, 0], np.uint8)):
        np.testing.assert_array_equal(quantizer.inverse_transform(codes), [[4.0], [0.0]])


@pytest.mark.parametrize("batch_size", [None, 64])
def test_a_fit_runs_on_one_thread(rows, batch_size, monkeypatch):
    n_threads = []

    def counting(fit):
        def count_and_fit(self, *args, **kwargs):
            n_threads.extend(library["num_threads"] for library in threadpool_info())
            return fit(self, *args, **kwargs)

        return count_and_fit

    for estimator in (KMeans, MiniBatchKMeans):
        monkeypatch.setattr(estimator, "fit", counting(estimator.fit))
    with threadpool_limits(limits=2):
        KMeansQuantizer(3, batch_size=batch_size, random_state=0).fit(rows)
        assert {library["num_threads"] for library in threadpool_info()} == {2}
    assert set(n_threads) == {1}


def test_failed_refit_keeps_the_earlier_fit(rows):
    quantizer = KMeansQuantizer(3, random_state=0).fit(rows)
    codebook = quantizer.codebook_
    with pytest.raises(ValueError, match="zero for every row"):
        quantizer.fit(rows[:, :1], sample_weight=np.zeros(len(rows)))
    assert quantizer.codebook_ is codebook
    assert quantizer.n_features_in_ == 2


def test_pandas_output_and_names(rows):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(rows, columns=["a", "b"], index=np.arange(len(rows)) + 5)
    quantizer = KMeansQuantizer(3, random_state=0).set_output(transform="pandas")
    codes = quantizer.fit_transform(X)
    assert list(codes.columns) == ["kmeansquantizer0"]
    assert codes.dtypes.iloc[0].kind == "i"
    assert codes.index.equals(X.index)
    restored = quantizer.inverse_transform(codes)
    np.testing.assert_array_equal(restored, quantizer.codebook_[codes.to_numpy()[:, 0]])


def test_pipeline_goes_back_to_the_units_of_the_rows(rows):
    pipeline = make_pipeline(PCA(2), KMeansQuantizer(200, random_state=0)).fit(rows)
    restored = pipeline.inverse_transform(pipeline.transform(rows))
    assert np.mean((restored - rows) ** 2) < 0.01 * rows.var()
