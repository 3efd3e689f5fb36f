r"""EM on a stream: statistics that run along, a batch of rows at a time.

The E-step of a batch moves the running statistics, and parameters are those that these make most
likely: :math:`s \leftarrow (1 - \gamma) s + \gamma \hat{s}`, with :math:`\hat{s}` the statistics
of the batch per unit of weight. Steps that decay find a maximum of the likelihood of all rows, and
the average of the statistics along the way is next to as precise as that; steps of one size follow
rows that change.

O. Cappé, E. Moulines, "On-line expectation-maximization algorithm for latent data models",
Journal of the Royal Statistical Society B 71(3), 2009. :doi:`10.1111/j.1467-9868.2009.00698.x`
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._families import Streaming
from .._rows.sources import Source
from .em import expect

EXPONENT = 0.6  # of the decay of steps
# Batches of fewer rows, per component, count for a part of one: a step must not depend on how a
# stream is cut.
ROWS_PER_COMPONENT = 50
# The average along the way gives the n-th row a weight in proportion to n to this power.
AVERAGING = 3.0
# A component with fewer of the rows that count has died.
LEAST_ROWS = 1.0
KEPT_BOUNDS = 1000


class Stream(NamedTuple):
    """What is known after some batches. Statistics are per unit of weight."""

    params: Any  # of the next E-step
    statistics: Any
    average: Any  # of the statistics along the way; None where steps do not decay
    answer: Any  # the parameters that the average makes most likely
    weight: float  # of all rows so far
    n_rows: float
    n_batches: float
    lower_bound: float  # mean log-likelihood per row (nats) before each step, in the same average
    lower_bounds: list[float]  # of the latest batches


def begin(
    family: Streaming,
    params: Any,
    *,
    weight: float,
    n_rows: float,
    n_batches: float,
    forgetting: float | None,
    lower_bound: float,
) -> Stream:
    """Start from parameters that were found for some rows, of so many batches."""
    statistics = family.implied(params)
    average = None if forgetting is not None else statistics
    bounds = [lower_bound]
    return Stream(
        params, statistics, average, params, weight, n_rows, n_batches, lower_bound, bounds
    )


def advance(
    stream: Stream,
    source: Source,
    family: Streaming,
    *,
    forgetting: float | None,
    hard: bool,
    random_state: np.random.RandomState,
) -> Stream:
    """Return what is known after another batch; the source is open."""
    own_weight = source.total_weight
    weight = stream.weight + own_weight
    n_rows, n_batches = stream.n_rows + source.n_samples, stream.n_batches + 1
    if forgetting is None:
        least = ROWS_PER_COMPONENT * family.n_components(stream.params) / n_rows
        unit = weight * max(least, 1.0 / n_batches)
        decayed = own_weight / unit * (unit / weight) ** EXPONENT
        step = min(1.0, max(decayed, own_weight / weight))
        of_average, counted = min(1.0, (1.0 + AVERAGING) * own_weight / weight), weight
    else:
        step = of_average = forgetting
        counted = min(weight, own_weight / step)
    family = family.for_batch(source, counted)
    bound, statistics, params = _step(stream, source, family, step, counted, hard)
    average, answer = None, params
    if stream.average is not None:
        average = family.combined(stream.average, 1.0 - of_average, statistics, of_average)
        answer = family.maximize(stream.answer, family.combined(average, counted))
    stream = Stream(
        params,
        statistics,
        average,
        answer,
        weight,
        n_rows,
        n_batches,
        (1.0 - of_average) * stream.lower_bound + of_average * bound,
        [*stream.lower_bounds[1 - KEPT_BOUNDS :], bound],
    )
    # Rows that the last steps have not made forgotten.
    recent = min(n_rows, source.n_samples / step)
    return _reseeded(stream, family, recent, counted, random_state)


def _step(
    stream: Stream, source: Source, family: Streaming, step: float, counted: float, hard: bool
) -> tuple[float, Any, Any]:
    """Return the mean log-likelihood of a batch, statistics with it, and parameters of these."""
    params, total = stream.params, source.total_weight
    form = family.prepare(params, source.dtype)
    log_likelihood, own = expect(source, form, hard=hard)

    def update(own: Any) -> tuple[Any, Any]:
        statistics = family.combined(stream.statistics, 1.0 - step, own, step / total)
        return statistics, family.maximize(params, family.combined(statistics, counted))

    statistics, new_params = update(own)
    finer_form = family.refine(params, form, own, new_params)
    if finer_form is not None:  # rounding would show, as in `em_step`
        _, own = expect(source, finer_form, hard=hard)
        statistics, new_params = update(own)
    return log_likelihood / total, statistics, new_params


def _reseeded(
    stream: Stream,
    family: Streaming,
    recent: float,
    counted: float,
    random_state: np.random.RandomState,
) -> Stream:
    """Give components that died half of the rows of the heaviest, one after the other."""
    weights = stream.params.weights
    for dead in np.flatnonzero(weights * recent < LEAST_ROWS).tolist():
        heaviest = int(np.argmax(weights))
        if weights[heaviest] * recent < 4 * LEAST_ROWS:
            break  # there are too few rows for all
        statistics = family.divided(stream.statistics, stream.params, dead, heaviest, random_state)
        params = family.maximize(stream.params, family.combined(statistics, counted))
        average = None if stream.average is None else statistics
        stream = stream._replace(
            params=params, statistics=statistics, average=average, answer=params
        )
        weights = params.weights
    return stream
