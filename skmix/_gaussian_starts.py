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

from ._em import predict, statistics_of
from ._families import GaussianFamily, GaussianForm, GaussianParams
from ._merge import distinct_rows
from ._short_runs import TOGETHER, best_of_short_runs, draw_by_weight, join_runs, split_runs
from ._sources import ArraySource, SampledSource
from ._starts import fill, max_start_rows

MIN_ROWS = 10_000
# Directions with less than this share of the largest variance are rounding, in columns of one
# scale.
SINGULAR_SHARE = 1e-10
# Pairs of so many rows tell what near rows look like; more rows than features are needed.
PAIR_ROWS = 256
PAIR_ROUNDS = 3
PAIR_FLOOR = 1e-4  # smallest variance between near rows, as a share of the largest
MIN_ROWS_PER_FEATURE = 4  # below, whitened rows are all equally far from each other
LLOYD_ITERATIONS = 8
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
N_RESEEDINGS = 8
RESEEDING_LADDER = ((10, 3), (30, 1))
# From so many components on, clusters by size and direction compete too; directions have so many
# coordinates.
SHAPES, SHAPE_FEATURES = 8, 8
# Of large data, EM sees so many times the rows of the short runs before it sees all, which are
# at least so many times as many.
MORE, FAR_LESS = 8, 3
# Distances of rows to the centres of all starts are taken so many at a time.
DISTANCES = 2**18


def few_rows(
    source: ArraySource, n_components: int, random_state: np.random.RandomState
) -> ArraySource:
    """Return a source of distinct rows with weights, a sample where there are many."""
    n_rows = max_start_rows(n_components, source.X, at_least=MIN_ROWS)
    salt = random_state.randint(2**31)
    indices, sample_weight = distinct_rows(source.X, source.sample_weight, n_rows, salt)
    X = source.X[indices]
    if source.incomplete:
        X = fill(X, sample_weight)
    return ArraySource(X, sample_weight)


def more_rows(
    source: ArraySource, n_rows: int, random_state: np.random.RandomState
) -> ArraySource | None:
    """Return a source of several times `n_rows` distinct rows, if that is far less than all."""
    if source.n_samples < FAR_LESS * MORE * n_rows:
        return None
    salt = random_state.randint(2**31)
    return SampledSource(
        source, *distinct_rows(source.X, source.sample_weight, MORE * n_rows, salt)
    )


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
        starts = gaussian_starts(source, family, n_components, 1, random_state)
        return starts[:1]  # the likelihood of so few rows would favour the worst
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
    labels, _ = _lloyd(space[: len(weight)], weight, space[None, len(weight) :], 0)
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
    if family.shared_covariance:
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
    if family.covariance_type == "full" and n_seeds >= SHAPES and len(z) > 1:
        by_shape, level = shapes(spaces[-1], weight, n_seeds, random_state)
        labels.append(by_shape)
        levels = np.vstack([levels, np.resize(level, n_components)])
    del z, spaces, rounds, space  # several times the rows
    return params_of_labels(source, family, np.array(labels), n_components, levels)


def coordinates(
    z: np.ndarray,
    weight: np.ndarray,
    n_components: int,
    covariance_type: str,
    random_state: np.random.RandomState,
) -> list[np.ndarray]:
    """Return the rows in coordinates in which distances do not depend on those of `z`.

    What a family of components can follow sets what is free: full and tied covariances any
    linear map, diagonal ones the scale of every column, spherical ones that of all.
    """
    z = z - (weight @ z) / weight.sum()
    if covariance_type == "spherical" or z.shape[1] == 1:
        return [z]
    free = covariance_type != "diag"
    if free and len(z) < MIN_ROWS_PER_FEATURE * z.shape[1]:
        free = False
    scatter = (z * weight[:, None]).T @ z / weight.sum()
    whole = z @ whitening(scatter, SINGULAR_SHARE, free)
    # The order of the rows, from which random numbers choose, must not depend on coordinates.
    norms = np.einsum("nd,nd->n", whole, whole)
    order = np.argsort(np.round(norms, 6), kind="stable")
    drawn = order[draw_by_weight(weight[order], PAIR_ROWS, random_state)]
    near = whole
    for _ in range(PAIR_ROUNDS):
        scatter = near_scatter(near[drawn], whole[drawn], 0.5 / n_components)
        near = whole @ whitening(scatter, PAIR_FLOOR, free)
    return [whole, near]


def shapes(
    z: np.ndarray, weight: np.ndarray, n_clusters: int, random_state: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Return labels of rows alike in size and in direction up to sign, and levels of clusters.

    Clusters that share their mean, such as those of image patches, differ in that: "contrast and
    orientation". Rows of each level of length are clustered by the products of the coordinates
    of their direction, in the subspace in which rows vary most.
    """
    n_levels = max(1, round(np.sqrt(0.5 * n_clusters)))
    _, vectors = np.linalg.eigh((z * weight[:, None]).T @ z)
    directions = z @ vectors[:, : -1 - SHAPE_FEATURES : -1]
    norms = np.linalg.norm(directions, axis=1, keepdims=True)
    directions /= np.where(norms > 0, norms, 1.0)
    i, j = np.triu_indices(directions.shape[1])
    products = directions[:, i] * directions[:, j] * np.where(i == j, 1.0, np.sqrt(2.0))
    lengths = np.round(np.linalg.norm(z, axis=1), 6)
    order = np.argsort(lengths, kind="stable")
    share = np.cumsum(weight[order]) / weight.sum()
    level = np.empty(len(z), dtype=np.int64)
    level[order] = np.minimum((share * n_levels).astype(int), n_levels - 1)
    sizes = np.diff(np.linspace(0, n_clusters, n_levels + 1).astype(int))
    labels, first = np.empty(len(z), dtype=np.int64), 0
    for at, size in enumerate(sizes):
        rows = np.flatnonzero(level == at)
        if len(rows):
            n_clusters = min(size, len(rows))
            of_level = cluster(
                products[rows], weight[rows], n_clusters, 1, LLOYD_ITERATIONS, random_state
            )
            labels[rows] = first + of_level[0]
        first += size
    return labels, np.repeat(np.arange(n_levels), sizes)


def whitening(scatter: np.ndarray, floor: float, free: bool) -> np.ndarray:
    """Return the map that makes a scatter matrix the identity; or, unless free, its diagonal.

    Directions of smaller variance than `floor` times the largest are left out.
    """
    if not free:
        variances = np.diagonal(scatter)
        kept = variances > floor * variances.max()
        scale = np.where(kept, 1.0 / np.sqrt(np.where(kept, variances, 1.0)), 0.0)
        return np.diag(scale)
    values, vectors = np.linalg.eigh(scatter)
    kept = values > floor * values[-1]
    return vectors[:, kept] / np.sqrt(values[kept])


def near_scatter(z: np.ndarray, rows: np.ndarray, share: float) -> np.ndarray:
    r"""Return the scatter of differences between `rows` that are near in `z`.

    With the nearest share of the pairs as edges of a graph of adjacency A and degrees D, the sum
    of :math:`(x_i - x_j)(x_i - x_j)^T` is :math:`2 X^T (D - A) X`. Whitening by it, in rounds,
    makes clusters round whatever their common shape (P. A. Art, R. Gnanadesikan, J. R.
    Kettenring, "Data-based metrics for cluster analysis", Utilitas Mathematica 21A, 1982).
    """
    norms = np.einsum("nd,nd->n", z, z)
    distances = norms[:, None] + norms - 2.0 * z @ z.T
    n_near = max(int(share * distances.size), min(4 * z.shape[1] * len(z), distances.size))
    limit = np.partition(distances.ravel(), n_near - 1)[n_near - 1]
    near = (distances <= limit).astype(np.float64)
    laplacian = np.diag(near.sum(axis=1)) - near
    return rows.T @ laplacian @ rows / near.sum()


def cluster(
    z: np.ndarray,
    weight: np.ndarray,
    n_clusters: int,
    n_starts: int,
    n_iter: int,
    random_state: np.random.RandomState,
) -> np.ndarray:
    """Return labels (n_starts, n_rows) from k-means++ seeds and `n_iter` rounds of k-means.

    Starts that end alike count once. D. Arthur, S. Vassilvitskii, "k-means++: the advantages of
    careful seeding", SODA 2007.
    """
    # The order of the rows, from which random numbers choose, must not depend on coordinates.
    order = np.argsort(np.round(np.einsum("nd,nd->n", z, z), 6), kind="stable")
    rows = far_rows(z[order], weight[order], n_clusters, n_starts, random_state)
    centres = z[order[rows]]
    labels, nearness = _lloyd(z, weight, centres, n_iter)
    _, different = np.unique(nearness.round(9), return_index=True)
    return labels[different]


def far_rows(
    z: np.ndarray,
    weight: np.ndarray,
    n_seeds: int,
    n_starts: int,
    random_state: np.random.RandomState,
) -> np.ndarray:
    """Draw rows (n_starts, n_seeds) by weight times squared distance to those drawn before.

    Of a few drawn rows, the one that brings all rows nearest to the seeds is taken.
    """
    norms = np.einsum("nd,nd->n", z, z)
    n_trials = 2 + int(np.log(n_seeds))
    starts = np.arange(n_starts)
    seeds = np.empty((n_starts, n_seeds), dtype=np.int64)
    distance = np.ones((n_starts, len(z)))
    for seed in range(n_seeds):
        edges = np.cumsum(distance * weight, axis=1)
        edges[edges[:, -1] <= 0] = np.cumsum(weight)
        level = random_state.random_sample((n_starts, n_trials)) * edges[:, -1:]
        drawn = [np.searchsorted(e, at, side="right") for e, at in zip(edges, level, strict=True)]
        trials = np.minimum(drawn, len(z) - 1)
        flat = trials.ravel()
        new = norms[flat][:, None] + norms - 2.0 * z[flat] @ z.T
        new[np.arange(len(flat)), flat] = 0.0
        new = np.maximum(new.reshape(n_starts, n_trials, -1), 0.0)
        if seed:
            np.minimum(new, distance[:, None], out=new)
        best = np.argmin(new @ weight, axis=1)
        seeds[:, seed] = trials[starts, best]
        distance = new[starts, best]
    return seeds


def _lloyd(
    z: np.ndarray, weight: np.ndarray, centres: np.ndarray, n_iter: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and, for every start, the mean gain in nearness by having clusters."""
    n_starts, n_clusters, n_features = centres.shape
    labels = np.empty((n_starts, len(z)), dtype=np.int64)
    step = max(1, DISTANCES // (n_starts * n_clusters))
    for i in range(n_iter + 1):
        flat = centres.reshape(-1, n_features)
        half_norms = 0.5 * np.einsum("kd,kd->k", flat, flat)[:, None]
        counts, sums = np.zeros((len(flat), 1)), np.zeros(flat.shape)
        total = np.zeros(n_starts)
        for first in range(0, len(z), step):
            rows = slice(first, first + step)
            nearness = (flat @ z[rows].T - half_norms).reshape(n_starts, n_clusters, -1)
            labels[:, rows] = np.argmax(nearness, axis=1)
            total += nearness.max(axis=1) @ weight[rows]
            if i < n_iter:
                members = labels[:, None, rows] == np.arange(n_clusters)[:, None]
                shares = members.reshape(len(flat), -1) * weight[rows]
                counts += shares.sum(axis=1, keepdims=True)
                sums += shares @ z[rows]
        if i < n_iter:
            means = np.where(counts > 0, sums / np.where(counts > 0, counts, 1.0), flat)
            centres = means.reshape(centres.shape)
    return labels, total / weight.sum()


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
