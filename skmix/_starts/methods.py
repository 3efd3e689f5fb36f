"""Where EM starts: responsibilities of some rows, and the parameters that follow from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.cluster import KMeans, kmeans_plusplus

from .._engine.em import em, statistics_of
from .._engine.posteriors import impute
from .._families import (
    Frame,
    FullGaussian,
    GaussianFamily,
    GaussianForm,
    GaussianParams,
)
from .._rows.sources import ArraySource, Chunk, Source
from .._rows.threads import one_openmp_thread

# A clustering of this many rows, or rows per component, starts EM as well as one of all rows.
MIN_START_ROWS = 20_000
START_ROWS_PER_COMPONENT = 256
START_BYTES = 16 * 2**20
# A subsample is cheap to cluster, so the best of a few clusterings of it is taken.
SUBSAMPLE_INITS = 3
# Up to here a permutation of all rows, which is how scikit-learn draws some, costs little memory.
MAX_PERMUTED_ROWS = 1_000_000

# A start needs a rough idea of the missing cells only; a share of the variance of each column.
FILL_ITERATIONS = 5
FILL_RIDGE = 0.01
# A single Gaussian of rows with missing cells, as exactly as a prior needs it.
MOMENT_ITERATIONS, MOMENT_TOL = 100, 1e-6

INIT_PARAMS = ("auto", "kmeans", "k-means++", "random", "random_from_data")


class Start(NamedTuple):
    """Responsibilities for some rows."""

    rows: Source
    resp_of: Callable[[slice, np.ndarray], None]  # writes (n_components, n_chunk), in row order
    centres: np.ndarray  # (n_components, n_features), near the means
    total_weight: float  # what the sums of responsibilities are shares of
    seeds: bool = False  # whether each component stands on a single row


def complete(
    source: Source, n_components: int, random_state: np.random.RandomState
) -> ArraySource:
    """Fill the missing cells of a subsample of the rows, for a start that needs them.

    Expectations under a single Gaussian keep the correlations that clusters show in.
    """
    rows = _some_rows(source, max_start_rows(n_components, source), random_state)
    return ArraySource(fill(rows.X, rows.sample_weight), rows.sample_weight)


def _some_rows(source: Source, n_rows: int, random_state: np.random.RandomState) -> Chunk:
    """Return so many of the rows in memory, or all if they are not more."""
    if source.n_samples <= n_rows:
        return source.take(slice(0, source.n_samples))
    return source.take(_draw_rows(source.n_samples, n_rows, random_state))


def fill(X: np.ndarray, sample_weight: np.ndarray | None) -> np.ndarray:
    """Fill the missing cells of a few rows by their expectation under a single Gaussian."""
    frame = Frame.of_source(ArraySource(X, sample_weight))
    Z = np.empty(X.shape)
    frame.enter(X, out=Z.T)
    with ArraySource(Z, sample_weight, incomplete=True) as source:
        own = Frame.of_source(source)
        variances = np.where(own.variances > 0, own.variances, 1.0)
        family = FullGaussian(own, reg_covar=FILL_RIDGE * variances, incomplete=True)
        covariances, factors = (np.diag(d)[None] for d in (variances, variances**-0.5))
        params = GaussianParams(np.ones(1), np.zeros((1, X.shape[1])), covariances, factors)
        result = em(source, family, family.to_frame(params), tol=0.0, max_iter=FILL_ITERATIONS)
        filled, _ = impute(source, family, result.params, return_std=False)
    return np.where(np.isnan(X), frame.leave(filled.T).astype(X.dtype), X)


def moments(source: Source, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the covariance of the rows: those of a single Gaussian.

    They are in the units of the rows; `frame` was measured on these.
    """
    d = len(frame.scale)
    family = FullGaussian(frame, incomplete=source.incomplete).bound_to(source)
    family = family.forgiving(np.finfo(np.float64).eps)
    unit = np.eye(d)[None]
    params = GaussianParams(np.ones(1), np.zeros((1, d)), unit, unit)
    n_iter = MOMENT_ITERATIONS if source.incomplete else 1
    params = em(source, family, params, tol=MOMENT_TOL, max_iter=n_iter).params
    params = family.from_frame(params)
    return params.means[0], family.covariances(params)[0]


def make_start(
    source: Source, n_components: int, init_params: str, random_state: np.random.RandomState
) -> Start:
    """Assign rows to components, drawing the same random numbers as scikit-learn.

    Clusterings of more than a few thousand rows per component are those of a random subsample,
    so that a start costs a small part of the fit and its memory does not grow with the rows.
    """
    n_samples = source.n_samples
    if init_params == "random":
        return _start_at_random(source, n_components, random_state)
    if init_params == "random_from_data":
        if n_samples <= MAX_PERMUTED_ROWS:
            indices = random_state.choice(n_samples, size=n_components, replace=False)
        else:
            indices = _draw_rows(n_samples, n_components, random_state)
        return _start_from_rows(source.take(indices).X, n_samples)
    n_rows = max_start_rows(n_components, source)
    n_init = SUBSAMPLE_INITS if n_samples > n_rows else 1
    rows = _some_rows(source, n_rows, random_state)
    X, sample_weight = np.asarray(rows.X), rows.sample_weight
    if init_params == "k-means++":
        _, indices = kmeans_plusplus(
            X, n_components, sample_weight=sample_weight, random_state=random_state
        )
        return _start_from_rows(X[indices], len(X))
    clustering = KMeans(int(n_components), n_init=n_init, random_state=random_state)
    with one_openmp_thread():  # the same bits whatever the number of threads
        clustering.fit(X, sample_weight=sample_weight)
    rows_of_start = ArraySource(X, sample_weight)
    return _start_from_labels(rows_of_start, clustering.labels_, clustering.cluster_centers_)


def start_params(start: Start, family: GaussianFamily) -> GaussianParams:
    """Maximise once, in the frame of the family, from the responsibilities of a start."""

    def sums(form: GaussianForm) -> Any:
        with start.rows.ordered() as source:
            return statistics_of(source, form, start.resp_of)

    params = params_of_sums(start.centres, sums, start.total_weight, family)
    return family.from_seeds(params) if start.seeds else params


def params_of_sums(
    centres: np.ndarray,
    sums: Callable[[GaussianForm], Any],
    total_weight: float,
    family: GaussianFamily,
) -> GaussianParams:
    """Maximise once, in the frame of the family, the statistics of a form about some centres."""
    frame = family.frame
    n_components = len(centres)
    centres = (centres - frame.reference) / frame.scale
    form = GaussianForm(
        family, None, dtype=np.float64, centred=np.ones(n_components, bool), about=centres
    )
    statistics = sums(form)
    fallback = GaussianParams(
        weights=np.full(n_components, 1.0 / n_components),
        means=centres,
        covariances=None,
        precisions_cholesky=family.unit_covariances(*centres.shape),
    )
    params = family.maximize(fallback, statistics)
    return params._replace(weights=statistics.counts / total_weight)


def break_ties(
    params: GaussianParams,
    family: GaussianFamily,
    source: Source,
    random_state: np.random.RandomState,
) -> tuple[GaussianParams, np.ndarray]:
    """Move components that start identical, which EM never separates, to random rows.

    A step of a fraction of a standard deviation is not enough: EM leaves the saddle so slowly
    that it stops there. Returns the parameters and the indices of the components moved.
    """
    tied = _repeats(params.means, None if family.shared_covariance else params.precisions_cholesky)
    moved = np.flatnonzero(tied & (params.weights > 0))
    if len(moved):
        means = params.means.copy()
        rows = source.take(random_state.randint(source.n_samples, size=len(moved)))
        moved_to = (rows.X - family.frame.reference) / family.frame.scale
        means[moved] = np.where(np.isnan(moved_to), 0.0, moved_to)  # 0 is the mean of all rows
        params = params._replace(means=means)
    return params, moved


def _repeats(means: np.ndarray, factors: np.ndarray | None) -> np.ndarray:
    """Mask of components with the mean, and the factor if given, of an earlier one."""
    repeats = np.zeros(len(means), dtype=bool)
    first: dict[bytes, list[int]] = {}
    for k, mean in enumerate(means + 0.0):  # one zero
        same = first.setdefault(mean.tobytes(), [])
        repeats[k] = any(factors is None or np.array_equal(factors[j], factors[k]) for j in same)
        if not repeats[k]:
            same.append(k)
    return repeats


def _draw_rows(n_samples: int, n_rows: int, random_state) -> np.ndarray:
    """Draw one row from each of `n_rows` equal runs: distinct, without listing all indices."""
    edges = np.linspace(0, n_samples, n_rows + 1).astype(int)
    return edges[:-1] + (random_state.random_sample(n_rows) * np.diff(edges)).astype(int)


def max_start_rows(n_components: int, source: Source, at_least: int = MIN_START_ROWS) -> int:
    """Return how many rows a start looks at."""
    wanted = max(at_least, START_ROWS_PER_COMPONENT * n_components)
    affordable = START_BYTES // (source.n_features * source.dtype.itemsize)
    return max(min(wanted, affordable), 20 * n_components)


def _start_at_random(source, n_components, random_state) -> Start:
    def resp_of(rows, out):
        resp = random_state.uniform(size=(rows.stop - rows.start, n_components))
        out[:] = (resp / resp.sum(axis=1, keepdims=True)).T

    first = source.take(slice(0, 1000)).X
    centres = np.repeat(first.mean(axis=0, dtype=np.float64)[None], n_components, axis=0)
    return Start(source, resp_of, centres, source.total_weight)


def _start_from_rows(X, n_samples) -> Start:
    labels = np.arange(len(X))
    return _start_from_labels(ArraySource(X), labels, X)._replace(
        total_weight=float(n_samples), seeds=True
    )


def _start_from_labels(rows, labels, centres) -> Start:
    components = np.arange(len(centres))[:, None]

    def resp_of(chosen, out):
        np.equal(labels[chosen], components, out=out, casting="unsafe")

    return Start(rows, resp_of, centres.astype(np.float64), rows.total_weight)
