"""Chunks, lanes and threads: every row once, the same bits on any number of threads."""

import itertools
import os
import threading
import warnings

import joblib
import numpy as np
import pytest
import threadpoolctl
from families import FAMILIES, every_family
from hypothesis import given
from hypothesis import strategies as st
from oracles import peak_memory
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from skmix import GaussianMixture
from skmix._engine.em import predict_proba, score_samples
from skmix._rows import sources
from skmix._rows.sources import ArraySource, Scratch

SIZES = st.one_of(st.integers(1, 300), st.integers(300, 3_000_000))
BYTES_PER_ROW = st.integers(1, 100_000)
LANE_BYTES = st.integers(0, 2**28)
LEARNED = ["weights_", "means_", "covariances_", "precisions_cholesky_", "lower_bounds_"]


def blas_threads():
    """Threads of every BLAS library in this process."""
    return [
        library["num_threads"]
        for library in threadpoolctl.threadpool_info()
        if library["user_api"] == "blas"
    ]


needs_blas_threads = pytest.mark.skipif(
    min(blas_threads(), default=1) < 2, reason="BLAS of this process has one thread"
)


def fit(mixture, X, sample_weight=None):
    """Fit, and leave unsaid that so few iterations do not converge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(X, sample_weight=sample_weight)


def learned(mixture):
    return {name: np.array(getattr(mixture, name)) for name in LEARNED}


def assert_same_bits(actual, expected):
    for name, values in expected.items():
        np.testing.assert_array_equal(actual[name], values, err_msg=name)


# Chunks and lanes --------------------------------------------------------------------------


@given(n_rows=SIZES, bytes_per_row=BYTES_PER_ROW, lane_bytes=LANE_BYTES)
def test_lanes_cover_all_rows_once_and_in_order(n_rows, bytes_per_row, lane_bytes):
    lanes = sources._lanes(n_rows, bytes_per_row, lane_bytes)
    chunks = list(itertools.chain.from_iterable(lanes))
    assert chunks[0].start == 0
    assert chunks[-1].stop == n_rows
    for before, after in itertools.pairwise(chunks):
        assert before.stop == after.start
    sizes = np.array([chunk.stop - chunk.start for chunk in chunks])
    assert sizes.min() >= 1
    # Equal chunks, no larger than planned, and no smaller than pays.
    planned = max(sources.MIN_CHUNK_ROWS, sources.CHUNK_BYTES // bytes_per_row)
    assert sizes.max() <= planned
    assert sizes.max() - sizes.min() <= 1
    # Lanes of equal length, as few as their memory asks for.
    assert len(lanes) <= sources.MAX_LANES
    assert len(lanes) <= max(sources.MIN_LANES, sources.LANE_BYTES // max(lane_bytes, 1))
    assert len({len(lane) for lane in lanes}) == 1


@pytest.mark.parametrize("n_rows", [1, 1023, 1024, 1025, 16 * 1024, 123_457])
def test_reduce_and_for_each_see_every_row_once(n_rows):
    X = np.arange(n_rows, dtype=np.float64)[:, None]
    weight = np.arange(n_rows, dtype=np.float64) % 7 + 1.0
    seen = np.zeros(n_rows, dtype=int)

    def visit(chunk, scratch):
        seen[chunk.rows] += 1
        np.testing.assert_array_equal(chunk.X, X[chunk.rows])
        np.testing.assert_array_equal(chunk.sample_weight, weight[chunk.rows])

    def add(chunk, totals, scratch):
        totals[0] += len(chunk.X)
        totals[1] += [chunk.X.sum(), chunk.sample_weight.sum()]

    with ArraySource(X, weight) as source:
        source.for_each(visit, bytes_per_row=5_000)
        count, sums = source.reduce(add, lambda: [np.zeros(()), np.zeros(2)], bytes_per_row=5_000)
    np.testing.assert_array_equal(seen, 1)
    assert count == n_rows
    np.testing.assert_array_equal(sums, [X.sum(), weight.sum()])  # integers: exact
    assert source.total_weight == weight.sum()
    assert ArraySource(X).total_weight == n_rows


def test_in_order_visits_from_first_to_last_on_the_calling_thread():
    X = np.zeros((100_000, 1))
    starts, threads = [], set()

    def visit(chunk, scratch):
        starts.append(chunk.rows.start)
        threads.add(threading.get_ident())

    with ArraySource(X, in_order=True) as source:
        source.for_each(visit, bytes_per_row=5_000)
    assert len(starts) > 16
    assert starts == sorted(starts)
    assert threads == {threading.get_ident()}


def test_scratch_reuses_its_buffers_and_gives_each_thread_its_own():
    scratch = Scratch()
    first = scratch.array("a", (10, 20), np.float64)
    first[:] = 1.0
    smaller = scratch.array("a", (5, 3), np.float32)
    assert smaller.dtype == np.float32
    assert smaller.flags.c_contiguous
    assert np.shares_memory(first, smaller)
    assert not np.shares_memory(first, scratch.array("b", (10, 20), np.float64))
    assert scratch.array("a", (100, 20), np.float64).shape == (100, 20)
    other = []
    thread = threading.Thread(
        target=lambda: other.append(scratch.array("a", (100, 20), np.float64))
    )
    thread.start()
    thread.join()
    assert not np.shares_memory(other[0], scratch.array("a", (100, 20), np.float64))


# The same bits -----------------------------------------------------------------------------


def plan_of(n_threads, n_rows):
    chunks = set()

    def visit(chunk, scratch):
        chunks.add((chunk.rows.start, chunk.rows.stop))

    with threadpool_limits(n_threads), ArraySource(np.zeros((n_rows, 1))) as source:
        source.for_each(visit, bytes_per_row=2_000)
    return chunks


def test_chunks_do_not_depend_on_the_number_of_threads():
    plans = [plan_of(n_threads, n_rows=60_000) for n_threads in [1, 2, 3, 4]]
    assert len(plans[0]) >= 16
    assert all(plan == plans[0] for plan in plans[1:])


def test_reduce_is_bitwise_the_same_for_any_number_of_threads():
    X = np.random.default_rng(0).normal(size=(200_000, 3)) * [1.0, 1e5, 1e-5]

    def add(chunk, totals, scratch):
        totals[0] += chunk.X.T @ chunk.X

    def total(n_threads):
        with threadpool_limits(n_threads), ArraySource(X) as source:
            return source.reduce(add, lambda: [np.zeros((3, 3))], bytes_per_row=2_000)[0]

    one = total(1)
    # The law has something to forbid: another order of summation gives other bits.
    assert np.any(one != X.T @ X)
    for n_threads in [2, 3, 4]:
        np.testing.assert_array_equal(total(n_threads), one)


# Shapes at which a pass has 16 lanes or more than one chunk per lane.
LARGE = {"full": (40_000, 16, 12), "tied": (60_000, 40, 60), "diag": (90_000, 40, 60)}
LARGE["spherical"] = LARGE["tied"]


@every_family
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_fits_are_bitwise_the_same_for_any_number_of_threads(case, dtype):
    n_samples, n_features, n_components = LARGE[case.covariance_type]
    rng = np.random.default_rng(1)
    X = rng.standard_normal((n_samples, n_features), dtype=np.float32).astype(dtype)
    X[: n_samples // 2] += 3.0
    weight = rng.gamma(2.0, size=n_samples)
    mixture = GaussianMixture(
        n_components,
        covariance_type=case.covariance_type,
        init_params="random_from_data",
        max_iter=2,
        tol=0.0,
        reg_covar=1e-2,
        random_state=0,
    )
    start = case.random_params(rng, n_components, n_features)
    with case.bound(X) as (_, family):
        form = family.prepare(family.to_frame(start), dtype)
    lane_bytes = sum(total.nbytes for total in form.zeros())
    assert len(sources._lanes(n_samples, form.bytes_per_row, lane_bytes)) >= 4
    results = []
    for n_threads in [1, 2, 3, 4]:
        with threadpool_limits(n_threads):
            fit(mixture, X, weight)
            results.append(learned(mixture) | {"log_density": mixture.score_samples(X[:5000])})
    for result in results[1:]:
        assert_same_bits(result, results[0])


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random"])
def test_starts_are_bitwise_the_same_for_any_number_of_threads(init_params):
    X = np.random.default_rng(2).normal(size=(30_000, 6))
    results = []
    for n_threads in [1, 2, 3, 4]:
        mixture = GaussianMixture(
            8, covariance_type="diag", init_params=init_params, max_iter=1, random_state=0
        )
        with threadpool_limits(n_threads):
            results.append(learned(fit(mixture, X)))
    for result in results[1:]:
        assert_same_bits(result, results[0])


# Threads -----------------------------------------------------------------------------------


def threads_used(X):
    """Identities of the threads that work at the same time: each waits for all others once."""
    with ArraySource(X) as source:
        expected = source._pool._max_workers if source._pool else 1
        meeting = threading.Barrier(expected, timeout=30)
        met = threading.local()
        idents = set()

        def visit(chunk, scratch):
            idents.add(threading.get_ident())
            assert blas_threads_are_one()
            if not hasattr(met, "done"):
                met.done = True
                meeting.wait()

        source.for_each(visit, bytes_per_row=5_000)
    return idents


def blas_threads_are_one():
    return set(blas_threads()) <= {1}


@needs_blas_threads
@pytest.mark.parametrize("n_threads", [1, 2, 3, 4])
def test_the_number_of_threads_is_that_of_blas(n_threads):
    X = np.zeros((60_000, 1))
    with threadpool_limits(n_threads, user_api="blas"):
        available = min(blas_threads())
        idents = threads_used(X)
        assert len(idents) == available
        assert (threading.get_ident() in idents) == (available == 1)
        assert min(blas_threads()) == available  # as it was before
    assert available <= n_threads


def test_workers_of_joblib_share_the_machine():
    def n_threads(_):
        import threading

        import numpy as np

        from skmix._rows.sources import ArraySource

        idents = set()
        with ArraySource(np.zeros((60_000, 1))) as source:
            n_workers = source._pool._max_workers if source._pool else 1
            source.for_each(lambda chunk, scratch: idents.add(threading.get_ident()), 5_000)
        return n_workers, len(idents)

    n_jobs = 2
    seen = joblib.Parallel(n_jobs=n_jobs)(joblib.delayed(n_threads)(i) for i in range(2))
    allowed = max(joblib.cpu_count() // n_jobs, 1)
    for n_workers, n_idents in seen:
        assert n_idents <= n_workers <= allowed


@needs_blas_threads
def test_blas_gets_its_threads_back_after_a_fit_and_after_an_exception():
    X = np.random.default_rng(3).normal(size=(3_000, 2))
    before = threadpoolctl.threadpool_info()
    fit(GaussianMixture(2, random_state=0), X)
    assert threadpoolctl.threadpool_info() == before
    with pytest.raises(ZeroDivisionError), ArraySource(X):
        assert blas_threads_are_one()
        raise ZeroDivisionError
    assert threadpoolctl.threadpool_info() == before
    with pytest.raises(ValueError, match="ill-defined"):
        GaussianMixture(covariance_type="diag", reg_covar=0.0).fit(X * [1.0, 0.0])
    assert threadpoolctl.threadpool_info() == before


@needs_blas_threads
def test_blas_gets_its_threads_back_when_the_last_of_two_sources_closes():
    before = blas_threads()
    X = np.zeros((10, 1))
    first_open, second_open, first_closed = (threading.Event() for _ in range(3))
    seen = {}

    def first():
        with ArraySource(X) as source:
            seen["first"] = source._pool._max_workers
            first_open.set()
            second_open.wait(30)
        seen["one closed"] = blas_threads()
        first_closed.set()

    def second():
        first_open.wait(30)
        with ArraySource(X) as source:
            seen["second"] = source._pool._max_workers
            second_open.set()
            first_closed.wait(30)
            seen["still open"] = blas_threads()

    threads = [threading.Thread(target=target) for target in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The second is not misled by the limit that the first has set.
    assert seen["first"] == seen["second"] == min(before)
    assert set(seen["one closed"]) == set(seen["still open"]) == {1}
    assert blas_threads() == before


def test_concurrent_fits_are_those_of_one_after_the_other():
    X = np.random.default_rng(4).normal(size=(40_000, 8))
    mixtures = [
        GaussianMixture(5, covariance_type=covariance_type, max_iter=5, random_state=0)
        for covariance_type in ["diag", "full", "tied", "spherical"]
    ]
    expected = [learned(fit(mixture, X)) for mixture in mixtures]
    before = threadpoolctl.threadpool_info()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = joblib.Parallel(n_jobs=2, backend="threading")(
            joblib.delayed(mixture.fit)(X) for mixture in mixtures
        )
    assert threadpoolctl.threadpool_info() == before
    for mixture, result in zip(fitted, expected, strict=True):
        assert_same_bits(learned(mixture), result)


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("n_threads", [1, 4])
def test_exceptions_of_workers_reach_the_caller(error, n_threads):
    before = blas_threads()
    visited = []

    def visit(chunk, scratch):
        visited.append(chunk.rows.start)
        if chunk.rows.start == 0:
            raise error("in a worker")

    n_alive = threading.active_count()
    X = np.zeros((60_000, 1))
    with (
        threadpool_limits(n_threads),
        pytest.raises(error, match="in a worker"),
        ArraySource(X) as source,
    ):
        source.for_each(visit, bytes_per_row=5_000)
    assert 0 in visited
    assert threading.active_count() <= n_alive  # no worker is left behind
    assert blas_threads() == before


# Memory ------------------------------------------------------------------------------------


def small_fit(case, X, n_components, sample_weight=None, **options):
    mixture = GaussianMixture(
        n_components,
        covariance_type=case.covariance_type,
        max_iter=2,
        tol=0.0,
        reg_covar=1e-2,
        random_state=0,
        **options,
    )
    fit(mixture, X, sample_weight)
    return mixture


def parameter_bytes(mixture):
    return sum(getattr(mixture, name).nbytes for name in ["weights_", "means_", "covariances_"])


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of 128 KB, so that some ten thousand rows are already many of them."""
    monkeypatch.setattr(sources, "CHUNK_BYTES", 2**17)


@every_family
@pytest.mark.parametrize(
    ("init_params", "dtype", "weighted"),
    [
        ("kmeans", np.float64, True),
        ("kmeans", np.float32, False),
        ("k-means++", np.float64, False),
        ("random", np.float32, True),
    ],
)
@pytest.mark.usefixtures("small_chunks")
def test_memory_of_a_fit_does_not_grow_with_the_rows(case, init_params, dtype, weighted):
    n_samples = 50_000
    rng = np.random.default_rng(5)
    X = rng.standard_normal((4 * n_samples, 4), dtype=np.float32).astype(dtype)
    X[::2] += 2.0
    weight = rng.gamma(2.0, size=len(X))

    def fit_rows(n):
        sample_weight = weight[:n] if weighted else None
        small_fit(case, X[:n], 5, sample_weight, init_params=init_params)

    with threadpool_limits(2):
        fit_rows(1000)  # what is made once
        few = peak_memory(lambda: fit_rows(n_samples))
        many = peak_memory(lambda: fit_rows(4 * n_samples))
    # One number per row more, of the smallest type, would be 600 kB.
    assert many - few < 500_000


@every_family
@pytest.mark.parametrize("shape", [(200_000, 6, 10), (100_000, 30, 50)])
def test_memory_of_a_fit_is_bounded(case, shape):
    n_samples, n_features, n_components = shape
    X = np.random.default_rng(6).standard_normal((n_samples, n_features))
    X[::2] += 2.0
    with threadpool_limits(4):
        peak = peak_memory(lambda: small_fit(case, X, n_components))
    assert peak < 64 * 2**20


@pytest.mark.parametrize("shape", [(4_000, 300, 10), (20_000, 60, 100)])
def test_memory_of_a_fit_with_large_parameters(shape):
    n_samples, n_features, n_components = shape
    X = np.random.default_rng(7).normal(size=(n_samples, n_features))
    X[::2] += 1.0
    fitted = []
    with threadpool_limits(2):
        peak = peak_memory(
            lambda: fitted.append(small_fit(FAMILIES[0], X, n_components, init_params="random"))
        )
    assert parameter_bytes(fitted[0]) > 2 * 2**20
    assert peak < 64 * 2**20 + 6 * parameter_bytes(fitted[0])


# Kinds of arrays ---------------------------------------------------------------------------


@pytest.fixture(params=["memmap", "read-only", "fortran", "strided", "float32 memmap"])
def rows_and_copy(request, tmp_path):
    """Rows held in some other way, and a plain copy of them."""
    X = np.random.default_rng(8).normal(size=(30_000, 5))
    if "float32" in request.param:
        X = X.astype(np.float32)
    plain = X.copy()
    if "memmap" in request.param:
        path = os.path.join(tmp_path, "X.npy")
        np.save(path, X)
        return np.load(path, mmap_mode="r"), plain
    if request.param == "read-only":
        X.flags.writeable = False
        return X, plain
    if request.param == "fortran":
        return np.asfortranarray(X), plain
    wide = np.zeros((60_000, 10))
    wide[::2, ::2] = X
    return wide[::2, ::2], plain


@every_family
def test_any_layout_of_rows_gives_the_same_fit(case, rows_and_copy):
    X, plain = rows_and_copy
    start = case.random_params(np.random.default_rng(9), 3, 5, spread=1.0)
    results = []
    for rows in [X, plain]:
        with case.bound(rows) as (source, family):
            framed = family.to_frame(start)
            results.append(
                [score_samples(source, family, framed), predict_proba(source, family, framed)]
            )
        fitted = case.fit(rows, start, 3)
        results[-1] += [*fitted.params, fitted.lower_bounds]
    # Rows are copied into coordinates of the frame first, from where on nothing differs.
    for actual, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(actual, expected)
    # And the estimator takes them, with a start of its own.
    mixture = GaussianMixture(3, covariance_type=case.covariance_type, random_state=0)
    np.testing.assert_array_equal(
        learned(fit(mixture, X))["means_"], learned(fit(mixture, plain))["means_"]
    )


def test_rows_in_a_file_are_not_read_into_memory_as_a_whole(tmp_path):
    path = os.path.join(tmp_path, "X.npy")
    np.save(path, np.random.default_rng(10).normal(size=(2_000_000, 4)))
    X = np.load(path, mmap_mode="r")
    with threadpool_limits(2):
        small_fit(FAMILIES[2], X[:1000], 2)
        peak = peak_memory(lambda: small_fit(FAMILIES[2], X, 2, init_params="random"))
    assert peak < 0.5 * X.nbytes


@pytest.mark.parametrize("init_params", ["random", "auto"])
def test_integers_in_a_file_become_floats_chunk_by_chunk(tmp_path, init_params):
    path = os.path.join(tmp_path, "X.npy")
    rng = np.random.default_rng(10)
    rows = rng.integers(0, 200, size=(600_000, 8)) + 100 * rng.integers(2, size=(600_000, 1))
    np.save(path, rows.astype(np.int16))
    X = np.load(path, mmap_mode="r")
    options = {"init_params": init_params, "max_iter": 2, "tol": 10.0, "random_state": 0}
    mixture = GaussianMixture(2, covariance_type="diag", **options)
    with threadpool_limits(1):
        fit(mixture, X[:1000])
        peak = peak_memory(lambda: fit(mixture, X))
        peak = max(peak, peak_memory(lambda: mixture.score_samples(X)) - 8 * len(X))
        peak = max(peak, peak_memory(lambda: mixture.predict_proba(X)) - 16 * len(X))
    assert peak < 0.8 * (X.size * 8)
    means = mixture.means_
    fit(mixture, X.astype(np.float64))
    np.testing.assert_array_equal(mixture.means_, means)
