"""Counts: independent Poisson columns within a component."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from scipy.special import gammaln

from .._rows.sources import Source
from .categorical import GUARDED, MIN_SHRINKAGE, TINY
from .linear import LinearFamily
from .linear_form import LinearStatistics
from .running import weighted_sum


class PoissonParams(NamedTuple):
    """Parameters of a mixture of counts."""

    weights: np.ndarray  # (n_components,)
    rates: np.ndarray  # (n_components, n_features), may be 0


class Poisson(LinearFamily):
    """Each column follows its own Poisson distribution within a component.

    Features: the counts with zeros for missing cells, and a 1 for every observed cell, which
    carries the rate. Where a component has rate 0, any count but 0 costs 690 nats per unit instead
    of infinity, as an impossible category does.
    """

    allow_nan = True

    def features(self, X: np.ndarray) -> np.ndarray:
        observed = ~np.isnan(X)
        return np.hstack([np.where(observed, X, 0.0), observed])

    def coefficients(self, params: PoissonParams) -> np.ndarray:
        return np.hstack([np.log(np.maximum(params.rates, TINY)), -params.rates])

    def row_term(self, X: np.ndarray) -> np.ndarray:
        return -gammaln(np.where(np.isnan(X), 0.0, X) + 1.0).sum(axis=1)

    def estimate(self, weights: np.ndarray, means: np.ndarray, counts: np.ndarray) -> Any:
        totals, observed = np.split(means, 2, axis=1)
        rates = np.divide(totals, observed, out=np.zeros_like(totals), where=observed > 0)
        return PoissonParams(weights, rates)

    def maximize(self, params: Any, statistics: LinearStatistics) -> PoissonParams:
        """Return mean counts; a component that never saw a column keeps its rate."""
        update = super().maximize(params, statistics)
        unseen = statistics.sums[:, self.n_features :] <= 0
        if params is None or not unseen.any():
            return update
        return update._replace(rates=np.where(unseen, params.rates, update.rates))

    def guarded(self, params: PoissonParams, statistics: LinearStatistics) -> LinearStatistics:
        """Return sums that keep rates which are small in the units of others."""
        totals, observed = np.split(statistics.sums, 2, axis=1)
        largest = GUARDED * params.rates.max(axis=0)
        kept = np.minimum(params.rates, largest) * observed
        return statistics._replace(sums=np.hstack([np.maximum(totals, kept), observed]))

    def sample(
        self, params: PoissonParams, component: int, n_samples: int, rng: np.random.RandomState
    ) -> np.ndarray:
        shape = (n_samples, self.n_features)
        return rng.poisson(params.rates[component], shape).astype(np.float64)

    def take(self, params: PoissonParams, components: np.ndarray) -> PoissonParams:
        """Return some of the components as a mixture; one may come more than once."""
        weights = params.weights[components]
        return PoissonParams(weights / weights.sum(), params.rates[components])

    def n_parameters(self, params: PoissonParams) -> int:
        return params.rates.size + len(params.weights) - 1

    # What a stream asks; see :class:`~skmix._families.Streaming`. --------------------------------

    def for_batch(self, source: Source, weight: float) -> Self:
        """Return a copy that knows the rows of a batch."""
        return self.for_rows(source)

    def combined(
        self,
        statistics: LinearStatistics,
        share: float,
        others: LinearStatistics | None = None,
        other_share: float = 0.0,
    ) -> LinearStatistics:
        """Return sums of so many times both statistics."""
        summed: LinearStatistics = weighted_sum(statistics, share, others, other_share)
        return summed

    def implied(self, params: PoissonParams) -> LinearStatistics:
        """Return statistics of rows with all counts."""
        weights = params.weights[:, None]
        sums = np.hstack([weights * params.rates, np.repeat(weights, self.n_features, axis=1)])
        return LinearStatistics(params.weights.copy(), sums)

    def divided(
        self,
        statistics: LinearStatistics,
        params: PoissonParams,
        dead: int,
        donor: int,
        random_state: np.random.RandomState,
    ) -> LinearStatistics:
        """Give a dead component half of another, with other shares of its counts."""
        counts, sums = statistics.counts.copy(), statistics.sums.copy()
        counts[[dead, donor]] = counts[donor] / 2
        share = np.full(2 * self.n_features, 0.5)
        share[: self.n_features] = random_state.uniform(0.25, 0.75, size=self.n_features)
        sums[dead], sums[donor] = share * sums[donor], (1.0 - share) * sums[donor]
        return LinearStatistics(counts, sums)

    # What acceleration needs; see :class:`~skmix._families.Extrapolating`. ----------------------

    def coordinates(self, params: PoissonParams) -> np.ndarray:
        """Return weights and rates as one vector."""
        return np.concatenate([params.weights, params.rates.ravel()])

    def from_coordinates(self, coordinates: np.ndarray, fallback: PoissonParams) -> PoissonParams:
        """Return valid parameters at or near a point; `fallback` bounds them away from 0."""
        nearest = np.maximum(coordinates, MIN_SHRINKAGE * self.coordinates(fallback))
        weights, rates = np.split(nearest, [len(fallback.weights)])
        return PoissonParams(weights / weights.sum(), rates.reshape(fallback.rates.shape))

    def log_prior(self, params: PoissonParams) -> float:
        """Return 0: there is no prior."""
        return 0.0
