"""Short runs of EM from many starts, of which the best go on: "small EM", in rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .._families import Family
from .._rows.sources import Source
from .em import EMResult, em, em_step_of_runs

# One rung after the other: (iterations of every run, number of runs kept).
Ladder = tuple[tuple[int, int], ...]

# Parameters of runs that are updated together hold at most so many numbers.
TOGETHER = 2**16


def best_of_short_runs(
    source: Source,
    family: Family,
    starts: Iterable[Any],
    *,
    tol: float,
    ladder: Ladder,
    accelerate: bool = False,
    hard: bool = False,
    together: bool = False,
    patience: float | None = None,
    verdict: Callable[[Any], tuple[bool, float]] | None = None,
) -> list[EMResult]:
    """Run EM a little from every start, drop the worse, go on with the rest; return the last.

    Works for any family whose parameters have `weights`. The best run comes first.

    Parameters
    ----------
    source, family, tol, accelerate, hard
        As for `em`.

    starts : iterable of parameters

    ladder : tuple of (int, int)
        The iterations of every rung, and how many runs it leaves.

    together : bool, default=False
        Whether to update all runs in one pass; the fields of the parameters then have one entry
        per component.

    patience : float, default=None
        Runs that at their last gain would need more iterations to catch up with the best one are
        dropped; None drops none for that.

    verdict : callable, default=None
        Says of parameters whether the likelihood flatters them, which ranks them behind all
        others, and by how much the objective would change without what is rounding in it.

    References
    ----------
    C. Biernacki, G. Celeux, G. Govaert, "Choosing starting values for the EM algorithm for
    getting the highest likelihood in multivariate Gaussian mixture models", Computational
    Statistics & Data Analysis 41(3-4), 2003. :doi:`10.1016/S0167-9473(02)00163-6`
    """
    options: dict[str, Any] = {"tol": tol, "accelerate": accelerate, "hard": hard}

    def advance(runs: list[EMResult], n_iter: int) -> list[EMResult]:
        if together:
            return _advance_together(source, family, runs, n_iter, tol, hard)
        return [
            run if run.converged else em(source, family, run.params, max_iter=n_iter, **options)
            for run in runs
        ]

    runs = [EMResult(start, -np.inf, [], 0, False, False, -np.inf) for start in starts]
    for n_iter, n_kept in ladder:
        if len(runs) == 1:
            break
        runs = advance(runs, n_iter)
        judged = [(False, 0.0) if verdict is None else verdict(run.params) for run in runs]
        ranks = [
            (flattered, -(run.objective + taken))
            for (flattered, taken), run in zip(judged, runs, strict=True)
        ]
        runs = [runs[i] for i in sorted(range(len(runs)), key=ranks.__getitem__)]
        if patience is not None:
            runs = [run for run in runs if _may_catch_up(run, runs[0], patience)]
        runs = _distinct_runs(runs, tol)[:n_kept]
    return runs


def join_runs(runs: list[Any]) -> Any:
    """Return the parameters of runs one after the other, weights of all adding up to 1."""
    first = runs[0]
    joined = type(first)(*(np.concatenate(field) for field in zip(*runs, strict=True)))
    return joined._replace(weights=joined.weights / len(runs))


def split_runs(params: Any, n_runs: int) -> list[Any]:
    """Undo `join_runs`."""
    if n_runs == 1:
        return [params]
    fields = zip(*(np.split(field, n_runs) for field in params), strict=True)
    runs = [type(params)(*run) for run in fields]
    return [run._replace(weights=run.weights / run.weights.sum()) for run in runs]


def draw_by_weight(sample_weight: np.ndarray, n_rows: int, random_state: Any) -> np.ndarray:
    """Draw sorted row indices, the weights cut into `n_rows` equal strata with one draw each.

    A row of weight 2 is drawn as two equal rows next to each other are.
    """
    edges = np.cumsum(sample_weight)
    positions = (np.arange(n_rows) + random_state.random_sample(n_rows)) * (edges[-1] / n_rows)
    return np.minimum(np.searchsorted(edges, positions, side="right"), len(edges) - 1)


def _advance_together(
    source: Source,
    family: Family,
    runs: list[EMResult],
    n_iter: int,
    tol: float,
    hard: bool,
) -> list[EMResult]:
    size = sum(field.size for field in runs[0].params)
    n_together = max(1, TOGETHER // size)
    advanced: list[EMResult] = []
    for first in range(0, len(runs), n_together):
        some = runs[first : first + n_together]
        params = join_runs([run.params for run in some])
        bounds = np.array([run.lower_bound for run in some])
        for _ in range(n_iter):
            before = bounds
            params, bounds = em_step_of_runs(source, family, params, len(some), hard=hard)
            converged = np.abs(bounds - before) < tol
            if np.all(converged):
                break
        for i, run in enumerate(split_runs(params, len(some))):
            last = [before[i], bounds[i]]
            advanced.append(
                EMResult(run, bounds[i], last, n_iter, bool(converged[i]), False, bounds[i])
            )
    return advanced


def _may_catch_up(run: EMResult, best: EMResult, patience: float) -> bool:
    behind = best.objective - run.objective
    gain = np.inf if len(run.lower_bounds) < 2 else run.lower_bounds[-1] - run.lower_bounds[-2]
    return bool(behind <= patience * max(gain, 0.0))


def _distinct_runs(runs: list[EMResult], tol: float) -> list[EMResult]:
    """Keep one of runs, sorted by objective, that approach the same optimum."""
    kept: list[EMResult] = []
    shapes: list[np.ndarray] = []
    for run in runs:
        shape = np.sort(run.params.weights)
        if not any(
            other.objective - run.objective <= 10 * tol and np.allclose(seen, shape, atol=1e-3)
            for other, seen in zip(kept, shapes, strict=True)
        ):
            kept.append(run)
            shapes.append(shape)
    return kept
