"""Clusters of weighted rows, in several coordinates at once.

No coordinates show all clusters: k-means in raw units follows columns that are wide because
clusters are far apart, and is lost where they are wide for another reason; whitened rows are the
same for any rotation, shear or unit, and hide clusters in a line.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._engine.short_runs import draw_by_weight

# Places of rows whitened by all of them and by near ones among the `spaces`.
WHITENED, NEAR = 2, 3
# Directions with less than this share of the largest variance are rounding, in columns of one
# scale.
SINGULAR_SHARE = 1e-10
# Pairs of so many rows tell what near rows look like; more rows than features are needed.
PAIR_ROWS = 128
PAIR_ROUNDS = 3
PAIR_FLOOR = 1e-4  # smallest variance between near rows, as a share of the largest
MIN_ROWS_PER_FEATURE = 4  # below, whitened rows are all equally far from each other
LLOYD_ITERATIONS = 8
NOWHERE = 1e100  # a coordinate of centres that no row is near
SHAPE_FEATURES = 8  # coordinates of directions
# A dense cluster is where this share of the drawn rows are nearest to one of them, and it reaches
# so many times as far.
SPOT_ROWS, DENSE_SHARE, DENSE_REACH = 256, 0.02, 1.5


def spaces(
    z: np.ndarray,
    weight: np.ndarray,
    scale: np.ndarray,
    n_components: int,
    random_state: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return linear maps of centred rows (n_spaces, n_features, n_features), and a dense spot.

    Raw units (z times `scale`); standardised columns; whitened rows; rows whitened by pairs of
    near ones, in which clusters are about round; one, two and three invariant coordinates (see
    `invariant_directions`). Missing directions are zeros. The spot is a mask of rows, those near
    the row that has most rows near it.
    """
    n_features = z.shape[1]
    scatter = (z * weight[:, None]).T @ z / weight.sum()
    raw = scale / np.sqrt(max(float(scale**2 @ np.diagonal(scatter)), 1e-300))
    found = [np.diag(raw)]
    if n_features == 1:
        return np.array(found), None
    found.append(whitening(scatter, SINGULAR_SHARE, False))
    if len(z) < MIN_ROWS_PER_FEATURE * n_features:
        return np.array(found), None
    change = _padded(whitening(scatter, SINGULAR_SHARE, True), n_features)
    whole = z @ change
    # The order of the rows, from which random numbers choose, must not depend on coordinates.
    norms = np.einsum("nd,nd->n", whole, whole)
    order = np.argsort(np.round(norms, 6), kind="stable")
    drawn = whole[order[draw_by_weight(weight[order], PAIR_ROWS, random_state)]]
    near = np.eye(n_features)
    for _ in range(PAIR_ROUNDS):
        pairs = near_scatter(drawn @ near, drawn, 0.5 / n_components)
        near = _padded(whitening(pairs, PAIR_FLOOR, True), n_features)
    found += [change, change @ near]
    directions = invariant_directions(whole, norms, weight)
    for n_directions in range(1, min(3, n_features - 1) + 1):
        found.append(_padded(change @ directions[:, :n_directions], n_features))
    some = order[draw_by_weight(weight[order], SPOT_ROWS, random_state)]
    return np.array(found), dense_spot(whole, some)


def centred(z: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the rows less their mean."""
    return z - (weight @ z) / weight.sum()


def _padded(change: np.ndarray, n_features: int) -> np.ndarray:
    return np.hstack([change, np.zeros((len(change), n_features - change.shape[1]))])


def invariant_directions(whole: np.ndarray, norms: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return directions (n_features, 3) in which whitened rows have the least normal moments.

    The scatter of fourth moments of whitened normal rows is n_features + 2 times the identity;
    directions between equal clusters have less, directions to rare ones more. D. E. Tyler,
    F. Critchley, L. Dümbgen, H. Oja, "Invariant co-ordinate selection", Journal of the Royal
    Statistical Society B 71(3), 2009. :doi:`10.1111/j.1467-9868.2009.00706.x`
    """
    scatter = (whole * (norms * weight)[:, None]).T @ whole / weight.sum()
    values, vectors = np.linalg.eigh(scatter)
    usual = np.sum(norms * weight) / weight.sum() + 2.0
    order = np.argsort(-np.abs(np.log(np.maximum(values, 1e-12) / usual)), kind="stable")
    return vectors[:, order[:3]]


def dense_spot(z: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Return a mask of the rows around that of the drawn ones which has most of them near."""
    some = z[drawn]
    norms = np.einsum("nd,nd->n", some, some)
    distances = np.maximum(norms[:, None] + norms - 2.0 * some @ some.T, 0.0)
    n_near = max(4, int(DENSE_SHARE * len(drawn)))
    reach = np.partition(distances, n_near, axis=1)[:, n_near]
    densest = int(np.argmin(reach))
    reach_of_all = np.einsum("nd,nd->n", z - some[densest], z - some[densest])
    return reach_of_all <= DENSE_REACH**2 * reach[densest]


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
            of_level = cluster(products[rows][None], weight[rows], n_clusters, random_state)
            labels[rows] = first + of_level[0]
        first += size
    return labels, np.repeat(np.arange(n_levels), sizes)


def cluster(
    z: np.ndarray,
    weight: np.ndarray,
    n_clusters: Any,
    random_state: np.random.RandomState,
    n_iter: int = LLOYD_ITERATIONS,
) -> np.ndarray:
    """Return labels (n_starts, n_rows) by k-means from k-means++ seeds in z (n_starts, n_rows, .).

    `n_clusters` is one number, or one for every start.

    D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
    """
    # The order of the rows, from which random numbers choose, must not depend on coordinates.
    norms = np.einsum("snd,snd->sn", z, z)
    order = np.argsort(np.round(norms, 6), axis=1, kind="stable")
    starts = np.arange(len(z))[:, None]
    rows = far_rows(z[starts, order], weight[order], int(np.max(n_clusters)), random_state)
    centres = z[starts, np.take_along_axis(order, rows, axis=1)]
    unused = np.arange(rows.shape[1]) >= np.reshape(n_clusters, (-1, 1))
    centres[np.broadcast_to(unused, rows.shape)] = NOWHERE
    return lloyd(z, weight, centres, n_iter)


def far_rows(
    z: np.ndarray, weight: np.ndarray, n_seeds: int, random_state: np.random.RandomState
) -> np.ndarray:
    """Draw rows (n_starts, n_seeds) by weight times squared distance to those drawn before.

    Of a few drawn rows, the one that brings all rows nearest to the seeds is taken.
    """
    n_starts, n_rows, _ = z.shape
    norms = np.einsum("snd,snd->sn", z, z)
    n_trials = 2 + int(np.log(n_seeds))
    starts = np.arange(n_starts)
    seeds = np.empty((n_starts, n_seeds), dtype=np.int64)
    distance = np.ones((n_starts, n_rows))
    for seed in range(n_seeds):
        edges = np.cumsum(distance * weight, axis=1)
        spent = edges[:, -1] <= 0
        if spent.any():
            edges[spent] = np.cumsum(weight[spent], axis=1)
        level = random_state.random_sample((n_starts, n_trials)) * edges[:, -1:]
        drawn = [np.searchsorted(e, at, side="right") for e, at in zip(edges, level, strict=True)]
        trials = np.minimum(drawn, n_rows - 1)
        new = z[starts[:, None], trials] @ z.swapaxes(1, 2)
        new *= -2.0
        new += np.take_along_axis(norms, trials, axis=1)[:, :, None]
        new += norms[:, None]
        new[starts[:, None], np.arange(n_trials), trials] = 0.0
        np.maximum(new, 0.0, out=new)
        if seed:
            np.minimum(new, distance[:, None], out=new)
        best = np.argmin((new @ weight[:, :, None])[:, :, 0], axis=1)
        seeds[:, seed] = trials[starts, best]
        distance = new[starts, best]
    return seeds


def lloyd(z: np.ndarray, weight: np.ndarray, centres: np.ndarray, n_iter: int) -> np.ndarray:
    """Return labels (n_starts, n_rows) after some rounds of k-means, fewer where nothing moves."""
    rows = z.swapaxes(1, 2)
    own: np.ndarray | None = None
    for i in range(n_iter + 1):
        nearness = centres @ rows
        nearness -= 0.5 * np.einsum("skd,skd->sk", centres, centres)[:, :, None]
        if i == n_iter:
            break
        before, own = own, nearness == nearness.max(axis=1, keepdims=True)
        if before is not None and np.array_equal(before, own):
            break
        shares = own * weight
        counts = shares.sum(axis=2)[:, :, None]
        means = (shares @ z) / np.where(counts > 0, counts, 1.0)
        centres = np.where(counts > 0, means, centres)
    return nearness.argmax(axis=1)


def different(labels: np.ndarray, n_clusters: int) -> np.ndarray:
    """Return the first of labels (n_starts, n_rows) that are the same partition, as indices."""
    of_rows = np.random.RandomState(0).random_sample((1, labels.shape[1]))
    flat = labels + n_clusters * np.arange(len(labels))[:, None]
    marks = np.broadcast_to(of_rows, labels.shape).ravel()
    sums = np.bincount(flat.ravel(), marks, minlength=n_clusters * len(labels))
    keys = np.sort(sums.reshape(len(labels), n_clusters), axis=1)
    _, first = np.unique(keys.round(6), axis=0, return_index=True)
    return np.sort(first)
