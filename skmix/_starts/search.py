"""Starts of Gaussian mixtures: clusters in several coordinates, of which the likelihood chooses.

scikit-learn's own start, k-means in raw units, competes with clusters in other coordinates and
with a dense spot (`clusters.py`). The others go through short runs of EM that drop the worse, the
best of them are carried on beside scikit-learn's, and the likelihood at the resolution of the rows
decides (`spikes.py`). Where components share the shape or the axes of matrices, what the same
competition finds for components that share nothing joins it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._engine.em import em, predict
from .._families import GaussianFamily, GaussianParams
from .._rows.sources import ArraySource
from .clusters import (
    NEAR,
    SINGULAR_SHARE,
    WHITENED,
    centred,
    cluster,
    different,
    lloyd,
    shapes,
    spaces,
    whitening,
)
from .runs import Runs, RunsOfRows, join, weights_of
from .sampling import FewRows

LEAST_VARIANCE = 1e-12  # added in short runs, in units of the frame
# Starts beside scikit-learn's: as many as make a pass over their rows so many products, within
# bounds.
PRODUCTS, MIN_STARTS, MAX_STARTS, STARTS_BESIDE = 2e6, 3, 16, 7


class Effort(NamedTuple):
    """How long starts compete, and how many, for components of some kind."""

    first_share: float  # of the rows, on which they compete, up to `MOST_FIRST_ROWS`
    rungs: tuple[tuple[int, float], ...]  # iterations, and the share of the runs that is left
    finalists: int
    more: int  # times as many starts as usual


USUAL = Effort(0.2, ((3, 0.5), (5, 0.25)), 2, 1)
# What components share, a change of one changes in all: likelihoods have more optima, and short
# runs tell less of where they lead.
SHARING = Effort(1.0, ((5, 0.5), (10, 0.25)), 4, 2)

# Rows that starts and first runs look at, at least, per component, and per parameter of each.
FIRST_ROWS, FIRST_ROWS_PER_COMPONENT, FIRST_ROWS_PER_PARAMETER = 300, 30, 2
MOST_FIRST_ROWS = 2000
ROUND = 5  # iterations of the finalists between two looks at who can still win
SEARCH_TOL = 1e-5
PATIENCE = 100.0
SAME_SIZE = 1e-3  # difference between weights of components that are the same
DIGITS = 8  # of a bound (nats per row) that no rounding reaches
NEGLIGIBLE = 1e-4  # share of rounding in a variance that changes no rank
INCOMPLETE_ITERATIONS = 30  # of finalists by the observed cells
N_RESEEDINGS = 8
RESEEDING_RUNGS = (10, 30)
CLUSTERED = 2**20  # numbers that clusterings side by side may hold
ITERATIONS_OF_RELATIVES = 60
SHAPES = 8  # from so many components on, clusters by size and direction compete too


def search(
    few: FewRows,
    make_family: Any,
    peer: np.ndarray,
    n_components: int,
    random_state: np.random.RandomState,
    *,
    tol: float,
    max_iter: int,
    hard: bool,
) -> GaussianParams:
    """Return the parameters of the best run, in units of the rows.

    `make_family` binds a family to a source, `peer` are the centres of scikit-learn's start.
    """
    best, *others = search_filled(
        few, make_family, peer, n_components, random_state, tol=tol, max_iter=max_iter, hard=hard
    )
    if few.complete:
        return best
    options: dict[str, Any] = {"tol": tol, "max_iter": max_iter, "hard": hard}
    best = best_of_incomplete(few, make_family, [best, *others], **options)
    # Cells filled in by a single Gaussian mix the clusters; those by the best mixture do not.
    few = few.refilled(make_family, best)
    again = search_filled(few, make_family, peer, n_components, random_state, **options)
    return best_of_incomplete(few, make_family, [best, *again], **options)


def best_of_incomplete(
    few: FewRows, make_family: Any, candidates: list[GaussianParams], *, tol, max_iter, hard
) -> GaussianParams:
    """Carry candidates on, by the observed cells alone; return the best."""
    family = forgiving(make_family(few.source))
    filled_family = forgiving(make_family(few.filled))
    results = []
    for params in candidates:
        result = em(
            few.source,
            family,
            family.to_frame(params),
            tol=max(SEARCH_TOL, tol),
            max_iter=min(max_iter, INCOMPLETE_ITERATIONS),
            hard=hard,
        )
        params = family.from_frame(result.params)
        in_frame = filled_family.to_frame(params)
        taken, spikes = verdict(few, filled_family, in_frame, hard)
        bound = round(result.lower_bound + taken, DIGITS)
        results.append((not spikes.any(), bound, params))
    return max(results, key=lambda result: result[:2])[2]


def search_filled(
    few: FewRows,
    make_family: Any,
    peer: np.ndarray,
    n_components: int,
    random_state: np.random.RandomState,
    *,
    tol: float,
    max_iter: int,
    hard: bool,
) -> list[GaussianParams]:
    """Search on complete rows; return the best run, and others where cells were filled in."""
    family = forgiving(make_family(few.filled))
    k, (n_rows, n_features) = n_components, few.filled.X.shape
    runs_of = RunsOfRows(few.filled, family, k, few.rounding, few.share, hard)
    own = nearest_centre(few.filled.X, peer)[None]
    if n_rows <= k or too_few(few, family, k):
        # The likelihood of so few rows would favour the worst of several.
        return [family.from_frame(runs_of.params(runs_of.start(own, np.zeros(1)), 0))]
    n_parameters = 1 + n_features + family.n_quadratic(n_features)
    per_component = FIRST_ROWS_PER_COMPONENT + FIRST_ROWS_PER_PARAMETER * n_parameters
    few_enough = min(effort_for(family).first_share * n_rows, MOST_FIRST_ROWS)
    first = few.first(int(max(FIRST_ROWS, per_component * k, few_enough)))
    tol_search = max(SEARCH_TOL, tol)
    if first is few and few.complete:
        finalists = climb(runs_of, starts_beside(few, runs_of, own, random_state), tol_search)
    else:
        finalists = runs_of.start(own, np.zeros(1))
        first_family = forgiving(make_family(first.filled))
        first_runs = RunsOfRows(first.filled, first_family, k, first.rounding, first.share, hard)
        own = nearest_centre(first.filled.X, peer)[None]
        runs = starts_beside(first, first_runs, own, random_state)
        if few.complete:
            runs = climb(first_runs, runs, tol_search)
        if runs.n_runs > 1:
            runs = runs.take(range(1, runs.n_runs))
            if not few.complete:  # what looks alike now may part by the observed cells
                runs = climb(first_runs, runs, tol_search, beside=0)
            params = family.to_frame(first_family.from_frame(runs.params))
            unknown = np.full(runs.n_runs, -np.inf)
            finalists = join([finalists, Runs(params, unknown, -unknown)])
    if few.complete:
        finalists = carry_on(runs_of, finalists, tol_search, max_iter)
    every = range(finalists.n_runs)
    return [family.from_frame(runs_of.params(finalists, i)) for i in every]


def starts_beside(
    few: FewRows, runs_of: RunsOfRows, own: np.ndarray, random_state: np.random.RandomState
) -> Runs:
    """Return the run from the labels `own` (1, n_rows), and those from other starts."""
    k = runs_of.n_components
    labels = start_labels(few, runs_of.family, k, number_of_starts(runs_of), random_state)
    labels = np.concatenate([own, labels])
    labels = labels[different(labels, k)]
    related = clusters_of_relatives(few, runs_of, labels)
    if related:
        labels = np.concatenate([labels, *related])
        labels = labels[different(labels, k)]
    pseudo_rows = np.full(len(labels), few.filled.X.shape[1] + 1.0)
    pseudo_rows[0] = 0.0
    return runs_of.start(labels, pseudo_rows)


def clusters_of_relatives(
    few: FewRows, runs_of: RunsOfRows, labels: np.ndarray
) -> list[np.ndarray]:
    """Return clusters (n_runs, n_rows) from runs of families that share nothing.

    Their likelihood has fewer optima, and good ones are near those of what is shared.
    """
    found = []
    k = runs_of.n_components
    for family_type in runs_of.family.relatives:
        family = forgiving(runs_of.family.for_rows(few.filled, family_type))
        runs_of_family = RunsOfRows(few.filled, family, k, few.rounding, few.share, runs_of.hard)
        runs = runs_of_family.start(labels)
        runs = climb(runs_of_family, runs, SEARCH_TOL, beside=0)
        runs = runs_of_family.advance(runs, ITERATIONS_OF_RELATIVES, SEARCH_TOL)
        each = [runs_of_family.params(runs, i) for i in range(runs.n_runs)]
        found.append(np.array([predict(few.filled, family, params) for params in each]))
    return found


def number_of_starts(runs_of: RunsOfRows) -> int:
    """Return how many starts compete with scikit-learn's."""
    more = effort_for(runs_of.family).more
    n_values, n_rows = runs_of.source.n_features, runs_of.source.n_samples
    # An exponential costs about as much as so many products.
    products = n_rows * runs_of.n_components * (n_values + 20)
    most = min(MAX_STARTS, STARTS_BESIDE + runs_of.n_components)
    return more * int(np.clip(PRODUCTS / products, MIN_STARTS, most))


def effort_for(family: GaussianFamily) -> Effort:
    """Return how much search components of a family are worth."""
    return SHARING if family.sharing else USUAL


def start_labels(
    few: FewRows,
    family: GaussianFamily,
    n_components: int,
    n_starts: int,
    random_state: np.random.RandomState,
) -> np.ndarray:
    """Return labels (n_starts, n_rows) of clusters in all coordinates in turn."""
    z, weight = _framed(few.filled, family)
    z = centred(z.T, weight)
    n_seeds = min(n_components, len(weight))
    maps, spot = spaces(z, weight, family.frame.scale, n_seeds, random_state)
    which = np.resize(np.arange(len(maps)), n_starts)
    # Several starts at once hide the overhead of small data; of large ones memory counts.
    together = max(1, CLUSTERED // (z.size + n_seeds * len(z)))
    n_clusters = np.full(n_starts, n_seeds)
    if spot is not None:  # which is a cluster beside the others
        which, n_clusters = np.append(which, WHITENED), np.append(n_clusters, n_seeds - 1)
    labels = [
        cluster(z @ maps[which[some]], weight, n_clusters[some], random_state)
        for some in (slice(i, i + together) for i in range(0, len(which), together))
    ]
    if spot is not None:
        labels[-1][-1, spot] = n_components - 1
        if family.own_matrices and n_seeds >= SHAPES:
            labels.append(shapes(z @ maps[NEAR], weight, n_seeds, random_state)[0][None])
    return np.concatenate(labels)


def climb(runs_of: RunsOfRows, runs: Runs, tol: float, *, beside: int = 1) -> Runs:
    """Make short runs and drop the worse, rung by rung; return the best.

    The first so many are not dropped; they come first. Where no more others are left than shall
    go on, there is nothing to climb for.
    """
    effort, n_starts = effort_for(runs_of.family), runs.n_runs - beside
    for n_iter, share in effort.rungs:
        if runs.n_runs - beside <= effort.finalists:
            break
        runs = runs_of.advance(runs, n_iter, tol)
        bounds, spikes = runs_of.judge(runs)
        order = _best_first(runs, bounds, spikes, tol)
        order = [*range(beside), *(i for i in order if i >= beside)]
        runs = runs.take(order[: beside + max(effort.finalists, round(share * n_starts))])
    return runs.take(range(min(beside + effort.finalists, runs.n_runs)))


def carry_on(runs_of: RunsOfRows, runs: Runs, tol: float, max_iter: int) -> Runs:
    """Carry runs to convergence, less those that cannot win any more; return the best."""
    done = 0
    while runs.n_runs > 1:
        runs = runs_of.advance(runs, min(ROUND, max_iter - done), tol)
        done += ROUND
        bounds, spikes = runs_of.judge(runs)
        order = _best_first(runs, bounds, spikes, tol)
        if done >= max_iter or np.all(np.abs(runs.gains) < tol):
            return runs.take(order[:1])
        runs = runs.take(order)
    return runs


def _best_first(runs: Runs, bounds: np.ndarray, spikes: np.ndarray, tol: float) -> list[int]:
    """Return the runs that may still win, the best first, one for every optimum."""
    # Of runs that led to the same optimum, rounding must not choose: the first does.
    ranked = np.lexsort((-bounds.round(DIGITS), spikes.any(axis=1)))
    kept = _distinct(runs, bounds, ranked, tol)
    return [i for i in kept if _may_catch_up(bounds[kept[0]], bounds[i], runs.gains[i])]


def _may_catch_up(best: float, bound: float, gain: float) -> bool:
    return bool(best - bound <= PATIENCE * max(gain, 0.0))


def _distinct(runs: Runs, bounds: np.ndarray, order: np.ndarray, tol: float) -> list[int]:
    """Keep one of runs, in their order, that approach the same optimum."""
    kept: list[int] = []
    sizes = np.sort(runs.weights(), axis=1)
    for i in order:
        if not any(
            abs(bounds[other] - bounds[i]) <= 10 * tol
            and np.abs(sizes[other] - sizes[i]).max() <= SAME_SIZE
            for other in kept
        ):
            kept.append(int(i))
    return kept


def nearest_centre(X: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the index of the nearest centre of every row."""
    shifted = X - centres.mean(axis=0)
    centres = centres - centres.mean(axis=0)
    return lloyd(shifted[None], np.ones(len(X)), centres[None], 0)[0]


def start_near(few: FewRows, family: GaussianFamily, means: np.ndarray) -> GaussianParams:
    """Return the parameters of the rows nearest to given means, in the frame of the family.

    Distances are those of whitened rows; of columns of a common scale with spherical covariances.
    """
    z, weight = _framed(few.filled, family)
    z = z.T
    if not family.one_variance:
        moved = z - (weight @ z) / weight.sum()
        scatter = (moved * weight[:, None]).T @ moved / weight.sum()
        free = family.dense and len(z) >= 4 * z.shape[1]
        change = whitening(scatter, SINGULAR_SHARE, free)
        z, means = z @ change, means @ change
    labels = lloyd(z[None], weight, means[None], 0)
    k = len(means)
    runs_of = RunsOfRows(few.filled, forgiving(family), k, few.rounding, few.share, False)
    params = runs_of.params(runs_of.start(labels, np.full(1, z.shape[1] + 1.0)), 0)
    if np.any(params.weights == 0):  # no row is nearest, or means are equal
        params = params._replace(weights=np.full(k, 1.0 / k))
    return params


def reseed(
    few: FewRows,
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
    z, weight = _framed(few.filled, family)
    z = centred(z.T, weight)
    maps, _ = spaces(z, weight, family.frame.scale, len(params.weights), random_state)
    heirs = params.weights.copy()
    heirs[bad] = 0.0
    labels = predict(few.filled, family, params._replace(weights=heirs))
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
                space = z[rows] @ maps[[i % len(maps)]]
                halves = cluster(space, weight[rows], 2, random_state)[0]
                new_labels[rows[halves == 1]] = component
        starts.append(new_labels)
    runs_of = RunsOfRows(few.filled, forgiving(family), len(heirs), few.rounding, few.share, hard)
    runs = runs_of.start(np.array(starts))
    best = carry_on(
        runs_of, climb(runs_of, runs, SEARCH_TOL, beside=0), SEARCH_TOL, RESEEDING_RUNGS[-1]
    )
    return runs_of.params(best, 0)


def forgiving(family: GaussianFamily) -> GaussianFamily:
    """Return a family in which a run that collapses is no error: it is dropped."""
    return family.forgiving(LEAST_VARIANCE)


def _framed(source: ArraySource, family: GaussianFamily) -> tuple[np.ndarray, np.ndarray]:
    """Return coordinates (n_features, n_rows) in the frame, and weights."""
    z = np.empty(source.X.shape[::-1])
    family.frame.enter(source.X, out=z)
    return z, weights_of(source)


def verdict(
    few: FewRows, family: GaussianFamily, params: GaussianParams, hard: bool = False
) -> tuple[float, np.ndarray]:
    """Return what the resolution of the rows takes off the bound, and a mask of spikes."""
    k = len(params.weights)
    if not searchable(family, few.filled.X.shape[1]):
        return 0.0, np.zeros(k, dtype=bool)
    weight, n_features = weights_of(few.filled), few.filled.X.shape[1]
    finest = family.largest_share(params, few.rounding / family.frame.scale**2).max()
    fewest = params.weights.min() * few.filled.total_weight
    if finest < NEGLIGIBLE and fewest > 3 * (n_features + 1) * weight.max():
        return 0.0, np.zeros(k, dtype=bool)
    runs_of = RunsOfRows(few.filled, family, k, few.rounding, few.share, hard)
    run = runs_of.one(params)
    bounds, (spikes,) = runs_of.judge(run)
    runs_of.rounding = np.zeros_like(runs_of.rounding)
    plain, _ = runs_of.judge(run)
    return float(bounds[0] - plain[0]), spikes


def too_few(few: FewRows, family: GaussianFamily, n_components: int) -> bool:
    """Whether the rows say little about each of the covariances."""
    n_rows, n_features = few.source.n_samples, few.source.n_features
    return family.own_matrices and n_rows < 2 * n_components * n_features


def searchable(family: GaussianFamily, n_features: int) -> bool:
    """Whether runs side by side can be afforded: as long as the moment form is the fast one."""
    return n_features <= family.max_moment_features
