"""Expectation-maximisation: one map over the rows and one sum.

    pass over the rows:  chunk -> (log-likelihood, statistics)     additive over rows
    between passes:      sum of all of them -> new parameters

Nothing here knows what a component is: a :class:`~skmix._families.Family` does. Nothing here
knows where the rows live or on how many threads they are visited: a source does. Parameters go
in and come out; no estimator is touched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, cast

import numpy as np

from .._families import Extrapolating, Family, Form
from .._rows.sources import Chunk, Scratch, Source
from .acceleration import Accepted, PlainSteps, Scheme, SquaredSteps
from .candidates import Watch
from .falls import fall_of
from .terms import exp_terms, one_hot, total_log_likelihood
from .truncated import Truncation


class Monitor(Protocol):
    """What is told of every iteration, and may stop the run."""

    def iteration_begins(self, n_iter: int, params: Any) -> None:
        """Hear of iteration `n_iter`, counted from 1, that starts from `params`."""

    def iteration_ends(self, n_iter: int, params: Any, lower_bound: float, change: float) -> bool:
        """Hear where it led; return whether to stop."""


class EMResult(NamedTuple):
    """Where a run of EM ended."""

    params: Any
    lower_bound: float  # mean log-likelihood per row (nats) before the last update
    lower_bounds: list[float]
    n_iter: int
    converged: bool
    stopped: bool  # by the monitor
    objective: float  # the lower bound, with the prior where the family has one
    fall: float = 0.0  # the largest fall beyond rounding of an iteration, in nats per row


def em(
    source: Source,
    family: Family,
    params: Any,
    *,
    tol: float,
    max_iter: int,
    lower_bound: float = -np.inf,
    monitor: Monitor | None = None,
    accelerate: bool = False,
    hard: bool = False,
) -> EMResult:
    """Iterate from ``params`` until the mean log-likelihood changes by less than ``tol``.

    As in scikit-learn, the likelihood of iteration ``i`` is that of the parameters that entered
    it, and the parameters returned are one update further. ``accelerate`` needs a family that is
    :class:`~skmix._families.Extrapolating`; ``tol`` is then the change over a cycle of passes.

    ``hard`` gives every row to its most probable component alone (classification EM). The
    likelihood is then that of the rows together with their components, and the run also ends
    where it stays the same to the bit, as it does when no row changes its component.

    No exact update lowers the likelihood by more than regularisation may cost. A run in which one
    did, beyond rounding, has not converged, wherever it ends.

    With many components most passes visit only those that can matter to a row
    (:class:`~skmix._engine.truncated.Truncation`), and `lower_bounds` has a lower bound of the
    likelihood for these. The first pass and the last one are exact.
    """
    scheme: Scheme = PlainSteps(lower_bound)
    if accelerate:
        extrapolating = cast(Extrapolating, family)
        scheme = SquaredSteps(extrapolating, source.total_weight, lower_bound)
    lower_bounds: list[float] = []
    converged = stopped = False
    objective, fall = lower_bound, 0.0
    accepted: Accepted | None = None
    truncation: Truncation | None = None
    if Truncation.pays(source, family.n_components(params), max_iter):
        truncation = Truncation(source, family, expect, hard=hard)
    while len(lower_bounds) < max_iter and not (converged or stopped):
        if truncation is not None and len(lower_bounds) + 1 == max_iter:
            truncation.make_exact()
            scheme.restart()
        previous, start = lower_bound, scheme.propose(params)
        if truncation is not None:
            truncation.may_change = scheme.at_start
        if monitor is not None:
            monitor.iteration_begins(len(lower_bounds) + 1, start)
        update, own_bound = em_step(source, family, start, hard=hard, truncation=truncation)
        comparable = start is params and (truncation is None or truncation.comparable)
        if accepted is not None and comparable and own_bound < accepted.lower_bound:
            fall = max(fall, fall_of(source, family, accepted, own_bound))
        exact = truncation is None or truncation.exact
        accepted = scheme.accept(start, update, own_bound, exact)
        params, lower_bound, objective, gain, _ = accepted
        lower_bounds.append(lower_bound)
        converged = gain is not None and (abs(gain) < tol or (hard and gain == 0.0))
        if truncation is not None:
            converged = truncation.confirm(converged)
        if monitor is not None:
            change = lower_bound - previous
            stopped = monitor.iteration_ends(len(lower_bounds), params, lower_bound, change)
    if stopped and accepted is not None and truncation is not None and not truncation.exact:
        form = family.prepare(accepted.start, source.dtype)
        exact_bound = expect(source, form, hard=hard)[0] / source.total_weight
        objective += exact_bound - lower_bound
        lower_bounds[-1] = lower_bound = exact_bound
    n_iter, converged = len(lower_bounds), converged and fall == 0.0
    return EMResult(params, lower_bound, lower_bounds, n_iter, converged, stopped, objective, fall)


def em_step(
    source: Source,
    family: Family,
    params: Any,
    *,
    hard: bool = False,
    truncation: Truncation | None = None,
) -> tuple[Any, float]:
    """Update the parameters once; return them and the mean log-likelihood of the old ones.

    Of a pass that a `truncation` shortens, that is a lower bound.
    """
    if truncation is None:
        form = family.prepare(params, source.dtype)
        log_likelihood, statistics = expect(source, form, hard=hard)
    else:
        form = truncation.prepare(params)
        log_likelihood, statistics = truncation.expect(form)
    failure = None
    try:
        new_params = family.maximize(params, statistics)
    except ValueError as error:
        new_params, failure = None, error
    finer_form = family.refine(params, form, statistics, new_params)
    if finer_form is not None:  # rounding would show: take the same sums closer to the answer
        if truncation is not None:
            truncation.hear_of_rounding()
        _, statistics = expect(source, finer_form, hard=hard)
        new_params = family.maximize(params, statistics)
    elif failure is not None:
        raise failure
    return new_params, log_likelihood / source.total_weight


def em_step_of_runs(
    source: Source, family: Family, params: Any, n_runs: int, *, hard: bool = False
) -> tuple[Any, np.ndarray]:
    """Update several runs once, whose components follow one another in the parameters.

    The weights of all components add up to 1. Returns the new parameters and the mean
    log-likelihood of each run. Sums are not repeated where rounding shows.
    """
    form = family.prepare(params, source.dtype)
    log_likelihoods, statistics = expect_runs(source, form, n_runs, hard=hard)
    return family.maximize(params, statistics), log_likelihoods / source.total_weight


def expect(
    source: Source, form: Form, *, hard: bool = False, watch: Watch | None = None
) -> tuple[float, Any]:
    """Make one pass over the rows: total log-likelihood and statistics, in float64.

    A ``hard`` pass replaces the responsibilities by zeros and ones, and the log density of a row
    by that of the row and its component. A ``watch`` sums what it wants to see as well.
    """
    log_likelihoods, statistics = expect_runs(source, form, 1, hard=hard, watch=watch)
    return float(log_likelihoods[0]), statistics


def expect_runs(
    source: Source, form: Form, n_runs: int, *, hard: bool = False, watch: Watch | None = None
) -> tuple[np.ndarray, Any]:
    """Make one pass for several runs at once, whose components follow one another.

    The weights of the components of each run add up to ``1 / n_runs``.
    """
    assign = one_hot if hard else exp_terms
    n_watched = 0 if watch is None else len(watch.zeros())

    def zeros() -> list[np.ndarray]:
        watched = [] if watch is None else watch.zeros()
        return [*watched, np.zeros(n_runs), *form.zeros()]

    def add(chunk: Chunk, totals: list[np.ndarray], scratch: Scratch) -> None:
        own, features, resp, peak = _log_terms(form, chunk.X, scratch, n_runs)
        if watch is not None:
            watch.add(chunk, resp[0], peak[0], totals, scratch)
        norm = assign(resp, peak, scratch)
        weight = chunk.sample_weight
        if weight is not None and form.parts_per_row > 1:
            weight = np.tile(weight, form.parts_per_row)
        totals[n_watched] += total_log_likelihood(norm, peak, weight)
        np.divide(1.0 if weight is None else weight, norm, out=norm)
        np.multiply(resp, norm[:, None], out=resp)
        own.add(totals[n_watched + 1 :], features, resp.reshape(form.n_components, -1), scratch)

    totals = source.reduce(add, zeros, form.bytes_per_row, form.min_chunk_rows)
    if watch is not None:
        watch.see(totals[:n_watched])
    log_likelihood, *totals = totals[n_watched:]
    log_likelihood += form.row_term_total + source.total_weight * np.log(n_runs)
    return log_likelihood, form.statistics(totals)


def statistics_of(source: Source, form: Form, resp_of: Callable[[slice, np.ndarray], None]) -> Any:
    """Sum statistics under given responsibilities; ``resp_of(rows, out)`` writes (K, n)."""

    def add(chunk: Chunk, totals: list[np.ndarray], scratch: Scratch) -> None:
        features = form.features(chunk.X, scratch)
        resp = scratch.array("resp", (form.n_components, len(chunk.X)), form.dtype)
        resp_of(chunk.rows, resp)
        if chunk.sample_weight is not None:
            np.multiply(resp, chunk.sample_weight, out=resp)
        form.add(totals, features, resp, scratch)

    totals = source.reduce(add, form.zeros, form.bytes_per_row, form.min_chunk_rows)
    return form.statistics(totals)


def score_samples(source: Source, family: Family, params: Any) -> np.ndarray:
    """Log density of every row, in nats."""
    log_density = np.empty(source.n_samples, dtype=source.dtype)

    def visit(form: Form, chunk: Chunk, scratch: Scratch) -> None:
        form, features, _, norm, peak = exp_log_prob(form, chunk.X, scratch)
        np.log(norm, out=norm)
        np.add(norm, peak, out=norm)
        if form.parts_per_row > 1:
            norm = norm.reshape(form.parts_per_row, -1).sum(axis=0)
        with np.errstate(over="ignore"):  # a row too far for its type has density 0
            np.add(norm, form.row_term(features, scratch), out=log_density[chunk.rows])

    visit_rows(source, family, params, visit)
    return log_density


def predict_proba(source: Source, family: Family, params: Any) -> np.ndarray:
    """Responsibilities of the components for every row, shape (n_samples, n_components)."""
    proba = np.empty((source.n_samples, family.n_components(params)), dtype=source.dtype)

    def visit(form: Form, chunk: Chunk, scratch: Scratch) -> None:
        _, _, resp, norm, _ = exp_log_prob(form, chunk.X, scratch)
        np.divide(resp.T, norm[:, None], out=proba[chunk.rows])

    visit_rows(source, family, params, visit)
    return proba


def predict(source: Source, family: Family, params: Any) -> np.ndarray:
    """Index of the most probable component of every row."""
    labels = np.empty(source.n_samples, dtype=np.int64)

    def visit(form: Form, chunk: Chunk, scratch: Scratch) -> None:
        _, _, joint, _ = log_terms(form, chunk.X, scratch)
        np.argmax(joint, axis=0, out=labels[chunk.rows])

    visit_rows(source, family, params, visit)
    return labels


def observed_shares(source: Source, family: Family, params: Any) -> np.ndarray:
    """Share of the cells that are not missing, (n_components, n_features)."""
    form = family.prepare(params, source.dtype)
    shape = form.n_components, source.n_features

    def zeros() -> list[np.ndarray]:
        return [np.zeros(shape[0]), np.zeros(shape)]

    def add(chunk: Chunk, totals: list[np.ndarray], scratch: Scratch) -> None:
        _, _, resp, norm, _ = exp_log_prob(form, chunk.X, scratch)
        resp = resp / norm
        if chunk.sample_weight is not None:
            resp *= chunk.sample_weight
        totals[0] += resp.sum(axis=1, dtype=np.float64)
        totals[1] += resp @ ~np.isnan(chunk.X)

    counts, observed = source.reduce(add, zeros, form.bytes_per_row, form.min_chunk_rows)
    tiny = np.finfo(np.float64).tiny
    return np.maximum(observed, tiny) / np.maximum(counts, tiny)[:, None]


def visit_rows(
    source: Source,
    family: Family,
    params: Any,
    visit: Callable[[Form, Chunk, Scratch], None],
) -> None:
    """Visit chunks with forms that are accurate for them."""
    forms = family.forms_for_scoring(params, source.dtype)

    def visit_chunk(chunk: Chunk, scratch: Scratch) -> None:
        form = forms(chunk.X)
        # A form for rows with missing cells may need far more memory per row than planned.
        for piece in chunk.pieces(form.bytes_per_row, form.min_chunk_rows):
            visit(form, piece, scratch)

    source.for_each(visit_chunk, forms(source.take(slice(1)).X).bytes_per_row)


def log_prob(form: Form, features: Any, n_rows: int, scratch: Scratch) -> np.ndarray:
    """Write log weight + log density, shape (n_components, n_chunk), less the row term."""
    shape = (form.n_components, form.parts_per_row * n_rows)
    log_prob = scratch.array("resp", shape, form.dtype)
    form.log_density(features, log_prob, scratch)
    return log_prob


def log_terms(form: Form, X: np.ndarray, scratch: Scratch) -> Any:
    """Return the form that suits the rows, its features and log terms, the largest of each row."""
    form, features, joint, peak = _log_terms(form, X, scratch, 1)
    return form, features, joint[0], peak[0]


def exp_log_prob(form: Form, X: np.ndarray, scratch: Scratch, features: Any = None) -> Any:
    """Do so, and exponentiate less the peak: (form, features, terms, their sum, peak)."""
    form, features, terms, peak = _log_terms(form, X, scratch, 1, features)
    norm = exp_terms(terms, peak, scratch)
    return form, features, terms[0], norm[0], peak[0]


def _log_terms(
    form: Form, X: np.ndarray, scratch: Scratch, n_runs: int, features: Any = None
) -> Any:
    """Return log terms of shape (n_runs, components of a run, n_chunk) and their peaks."""
    if form.dtype == np.float32:  # where it overflows, a finer form takes over
        with np.errstate(over="ignore", invalid="ignore"):
            return _log_terms_of(form, X, scratch, n_runs, features)
    return _log_terms_of(form, X, scratch, n_runs, features)


def _log_terms_of(form: Form, X: np.ndarray, scratch: Scratch, n_runs: int, features: Any) -> Any:
    if features is None:
        features = form.features(X, scratch)
    joint = log_prob(form, features, len(X), scratch)
    joint = joint.reshape(n_runs, -1, joint.shape[1])
    peak = scratch.array("peak", (n_runs, joint.shape[2]), form.dtype)
    joint.max(axis=1, out=peak)
    finer = form.finer(peak)
    if finer is not None:
        return _log_terms(finer, X, scratch, n_runs)
    return form, features, joint, peak
