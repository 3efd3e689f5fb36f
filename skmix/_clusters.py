"""Clusters of weighted rows in coordinates that the rows themselves define.

Rotating, scaling or shearing the rows changes nothing: they are compared whitened by all of them,
and whitened by pairs of near ones, in which clusters are about round.
"""

from __future__ import annotations

import numpy as np

from ._short_runs import draw_by_weight

# Directions with less than this share of the largest variance are rounding, in columns of one
# scale.
SINGULAR_SHARE = 1e-10
# Pairs of so many rows tell what near rows look like; more rows than features are needed.
PAIR_ROWS = 256
PAIR_ROUNDS = 3
PAIR_FLOOR = 1e-4  # smallest variance between near rows, as a share of the largest
MIN_ROWS_PER_FEATURE = 4  # below, whitened rows are all equally far from each other
LLOYD_ITERATIONS = 8
SHAPE_FEATURES = 8  # coordinates of directions
# Distances of rows to the centres of all starts are taken so many at a time.
DISTANCES = 2**18


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
            of_level = cluster(
                products[rows], weight[rows], n_clusters, 1, LLOYD_ITERATIONS, random_state
            )
            labels[rows] = first + of_level[0]
        first += size
    return labels, np.repeat(np.arange(n_levels), sizes)


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
    labels, nearness = lloyd(z, weight, centres, n_iter)
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


def lloyd(
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
