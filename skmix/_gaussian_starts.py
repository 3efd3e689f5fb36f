"""Starts of Gaussian mixtures that depend on the weighted rows alone, not on their coordinates.

Rows are compared in coordinates that the rows themselves define, so that rotating, scaling or
shearing them changes nothing: whitened by all of them, and whitened by pairs of near ones, in
which clusters are about round. In either, starts are seeded by k-means++, and half of them are
carried on by k-means. The runs from these starts compete: see `best_of_short_runs`.
"""

from __future__ import annotations

import copy
from functools import partial

import numpy as np

from ._clusters import LLOYD_ITERATIONS, cluster, coordinates, lloyd, shapes
from ._em import predict, statistics_of
from ._families import GaussianFamily, GaussianForm, GaussianParams
from ._merge import sample_distinct
from ._short_runs import TOGETHER, best_of_short_runs, join_runs, split_runs
from ._sources import ArraySource, SampledSource
from ._starts import fill, max_start_rows

MIN_ROWS = 10_000
SEEDS_ALONE = 12  # with so many starts, half of them are seeds without k-means
# A component in which regularisation makes up this share of some variance is a spike: the
# likelihood flatters it.
SPIKE_SHARE = 0.1
LEAST_VARIANCE = 1e-9  # added in short runs, in units of the frame
# Numbers of starts and rungs of short runs: many where they cost next to nothing.
MAX_STARTS, MIN_STARTS, STARTS_PER_MEAN = 32, 2, 4
CHEAP_PASS = 1e5  # products of a pass over all rows of one run
RUNGS = ((6, 0.25), (14, 0.1), (30, 0.0))
COSTLY, COSTLY_RUNGS = 8, ((4, 0.5), (8, 0.0), (8, 0.0))
SEARCH_TOL = 1e-5
PATIENCE = 100.0
N_RESEEDINGS = 8
RESEEDING_LADDER = ((10, 3), (30, 1))
SHAPES = 8  # from so many components on, clusters by size and direction compete too
# Of large data, EM sees so many times the rows of the short runs before it sees all, which are
# at least so many times as many.
MORE, FAR_LESS = 8, 3


def few_rows(
    source: ArraySource, n_components: int, random_state: np.random.RandomState
) -> ArraySource:
    """Return a source of distinct rows with weights, a sample where there are many."""
    n_rows = max_start_rows(n_components, source.X, at_least=MIN_ROWS)
    salt = random_state.randint(2**31)
    rows = sample_distinct(source.X, source.sample_weight, n_rows, salt)
    X = source.X[rows.indices]
    if source.incomplete:
        X = fill(X, rows.weights)
    return ArraySource(X, rows.weights)


def more_rows(
    source: ArraySource, n_rows: int, random_state: np.random.RandomState
) -> ArraySource | None:
    """Return a source of several times `n_rows` distinct rows, if that is far less than all."""
    if source.n_samples < FAR_LESS * MORE * n_rows:
        return None
    salt = random_state.randint(2**31)
    rows = sample_distinct(source.X, source.sample_weight, MORE * n_rows, salt)
    if rows.share * FAR_LESS > 1.0:  # many of the rows are the same
        return None
    return SampledSource(source, rows.indices, rows.weights)


def search(
    source: ArraySource,
    family: GaussianFamily,
    n_components: int,
    random_state: np.random.RandomState,
    *,
    tol: float = 0.0,
    hard: bool = False,
) -> list[GaussianParams]:
    """Return the parameters that short runs led to, the best first, in the frame of the family.

    The rows of the source must be distinct.
    """
    family = forgiving(family)
    n_features = source.X.shape[1]
    n_values = 1 + n_features + family.n_quadratic(n_features)
    cost = len(source.X) * n_components * n_values
    most = min(MAX_STARTS, STARTS_PER_MEAN * n_components * n_features)
    n_starts = int(np.clip(most * (CHEAP_PASS / cost) ** 0.25, MIN_STARTS, most))
    enough = 2 * n_components * n_features
    if family.covariance_type == "full" and len(source.X) < enough:
        # The likelihood of so few rows would favour the worst of several.
        return gaussian_starts(source, family, n_components, 1, random_state)
    starts = gaussian_starts(source, family, n_components, n_starts, random_state)
    rungs = RUNGS if n_starts > COSTLY else COSTLY_RUNGS
    ladder = tuple((n_iter, max(2, round(share * n_starts))) for n_iter, share in rungs)
    return _best_params(source, family, starts, ladder, tol, hard)


def start_near(
    source: ArraySource, family: GaussianFamily, means: np.ndarray, random_state
) -> GaussianParams:
    """Return the parameters of the rows nearest to given means, in the frame of the family."""
    z, weight = _framed(source, family)
    space, *_ = coordinates(
        np.concatenate([z.T, means]),
        np.concatenate([weight, np.zeros(len(means))]),
        len(means),
        family.covariance_type,
        random_state,
    )
    labels, _ = lloyd(space[: len(weight)], weight, space[None, len(weight) :], 0)
    (params,) = params_of_labels(source, forgiving(family), labels, len(means))
    if np.any(params.weights == 0):  # no row is nearest, or means are equal
        params = params._replace(weights=np.full(len(means), 1.0 / len(means)))
    return params


def reseed(
    source: ArraySource,
    family: GaussianFamily,
    params: GaussianParams,
    bad: np.ndarray,
    random_state: np.random.RandomState,
    *,
    hard: bool = False,
) -> GaussianParams:
    """Give bad components (indices) half of the rows of good ones, as the likelihood likes best.

    Candidates split the rows of the heaviest good components, or of some drawn by weight, into
    two clusters. Short runs decide between them.
    """
    z, weight = _framed(source, family)
    space = coordinates(z.T, weight, len(params.weights), family.covariance_type, random_state)[0]
    heirs = params.weights.copy()
    heirs[bad] = 0.0
    labels = predict(source, family, params._replace(weights=heirs))
    starts = []
    for i in range(N_RESEEDINGS):
        new_labels = labels.copy()
        for component in bad:
            sizes = np.bincount(new_labels, weight, minlength=len(heirs))
            donor = int(np.argmax(sizes))
            if i:
                donor = int(random_state.choice(len(sizes), p=sizes / sizes.sum()))
            rows = np.flatnonzero(new_labels == donor)
            if len(rows) > 1:
                halves = cluster(space[rows], weight[rows], 2, 1, i % 2, random_state)[0]
                new_labels[rows[halves == 1]] = component
        starts += params_of_labels(source, family, new_labels[None], len(heirs))
    return _best_params(source, forgiving(family), starts, RESEEDING_LADDER, 0.0, hard)[0]


def _best_params(source, family, starts, ladder, tol, hard) -> list[GaussianParams]:
    runs = best_of_short_runs(
        source,
        family,
        starts,
        tol=max(SEARCH_TOL, 0.1 * tol),
        ladder=ladder,
        hard=hard,
        together=not family.shared_covariance,
        patience=PATIENCE,
        suspect=partial(have_spikes, family),
    )
    return [run.params for run in runs]


def forgiving(family: GaussianFamily) -> GaussianFamily:
    """Return a family in which a run that collapses is no error: it is dropped."""
    family = copy.copy(family)
    family.regularised = True
    family.reg_variances = np.maximum(family.reg_variances, LEAST_VARIANCE)
    return family


def _framed(source: ArraySource, family: GaussianFamily) -> tuple[np.ndarray, np.ndarray]:
    """Return coordinates (n_features, n_rows) in the frame, and weights."""
    z = np.empty(source.X.shape[::-1])
    family.frame.enter(source.X, out=z)
    weight = np.ones(len(source.X)) if source.sample_weight is None else source.sample_weight
    return z, weight


def spikes(family: GaussianFamily, params: GaussianParams) -> np.ndarray:
    """Mask of components in which regularisation is a good part of some variance."""
    share = family.largest_share(params, family.reg_variances)
    return (share > SPIKE_SHARE) & (params.weights > 0)


def have_spikes(family: GaussianFamily, runs: list[GaussianParams]) -> list[bool]:
    """Say of every run whether it has a spike."""
    if family.shared_covariance or len(runs) * runs[0].precisions_cholesky.size > TOGETHER:
        return [bool(spikes(family, run).any()) for run in runs]
    spiky = spikes(family, join_runs(runs)).reshape(len(runs), -1)
    return [bool(run.any()) for run in spiky]


def gaussian_starts(
    source: ArraySource,
    family: GaussianFamily,
    n_components: int,
    n_starts: int,
    random_state: np.random.RandomState,
) -> list[GaussianParams]:
    """Return starting parameters in the frame of the family, for rows that are distinct.

    Components beyond the number of rows start with weight 0.
    """
    z, weight = _framed(source, family)
    n_seeds = min(n_components, len(weight))
    spaces = coordinates(z.T, weight, n_seeds, family.covariance_type, random_state)
    # With a shared covariance, runs from k-means are soft k-means in coordinates of their own.
    seeds_alone = n_starts >= SEEDS_ALONE and not family.shared_covariance
    lengths = (LLOYD_ITERATIONS, 0) if seeds_alone else (LLOYD_ITERATIONS,)
    rounds = [(space, n_iter) for n_iter in lengths for space in spaces]
    labels: list[np.ndarray] = []
    for i, (space, n_iter) in enumerate(rounds):
        wanted = -(-(n_starts - len(labels)) // (len(rounds) - i))
        if wanted > 0:
            labels.extend(cluster(space, weight, n_seeds, wanted, n_iter, random_state))
    levels = np.zeros((len(labels), n_components), dtype=np.int64)
    if family.covariance_type == "full" and n_starts > 1 and n_seeds >= SHAPES and len(z) > 1:
        by_shape, level = shapes(spaces[-1], weight, n_seeds, random_state)
        labels.append(by_shape)
        levels = np.vstack([levels, np.resize(level, n_components)])
    del z, spaces, rounds, space  # several times the rows
    return params_of_labels(source, family, np.array(labels), n_components, levels)


def params_of_labels(
    source: ArraySource,
    family: GaussianFamily,
    labels: np.ndarray,
    n_components: int,
    levels: np.ndarray | None = None,
) -> list[GaussianParams]:
    """Maximise once from labels (n_starts, n_rows), each component with a share of the others.

    The covariance of a few rows is no start: that of all clusters, or of those of the same
    `levels` (n_starts, n_components), counts as n_features + 1 rows.
    """
    family, n_features = copy.copy(family), source.X.shape[1]
    rows_of_others = (n_features + 1.0) * source.total_weight / source.n_samples
    size = n_components * (n_features + family.n_quadratic(n_features))
    n_together = 1 if family.shared_covariance else max(1, TOGETHER // (2 * size))
    starts: list[GaussianParams] = []
    for first in range(0, len(labels), n_together):
        some = labels[first : first + n_together]
        shape = (len(some) * n_components, n_features)
        centred = np.full(shape[0], n_features > family.max_moment_features)
        about = np.zeros(shape)
        form = GaussianForm(family, None, dtype=np.float64, centred=centred, about=about)

        def resp_of(rows, out, some=some):
            members = some[:, None, rows] == np.arange(n_components)[:, None]
            out[:] = members.reshape(out.shape)

        statistics = statistics_of(source, form, resp_of)
        covariances = family.unit_covariances(shape[0])
        fallback = GaussianParams(np.full(shape[0], 1.0 / shape[0]), about, None, covariances)
        runs = split_runs(family.maximize(fallback, statistics), len(some))
        counts = statistics.counts.reshape(len(some), n_components)
        for i, run in enumerate(runs):
            if not family.shared_covariance:
                level = np.zeros(n_components, int) if levels is None else levels[first + i]
                run = _shrunk(family, run, counts[i], level, rows_of_others)
            starts.append(run)
    return starts


def _shrunk(family, params, counts, levels, rows_of_others) -> GaussianParams:
    """Shrink covariances towards the pooled one of each level."""
    covariances = params.covariances.copy()
    column = (-1, *[1] * (covariances.ndim - 1))
    for level in np.unique(levels[counts > 0]):
        own = np.flatnonzero((levels == level) & (counts > 0))
        n = counts[own].reshape(column)
        pooled = (n * covariances[own]).sum(axis=0) / n.sum()
        covariances[own] = (n * covariances[own] + rows_of_others * pooled) / (n + rows_of_others)
    return GaussianParams(params.weights, params.means, *family.factor(covariances))
