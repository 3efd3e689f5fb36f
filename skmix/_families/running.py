"""Statistics that run along a stream of batches, of Gaussian components above all."""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import Any, Self

import numpy as np

from .frame import Frame
from .gaussian_coordinates import GaussianCoordinates
from .gaussian_form import GaussianParams, GaussianStatistics

# Halves of a component that is divided move so many of its standard deviations apart.
STEP = 0.7


def weighted_sum(statistics: Any, share: float, others: Any, other_share: float) -> Any:
    """Return so many times both statistics, tuples of arrays that add."""
    if others is None:
        return type(statistics)(*(share * field for field in statistics))
    pairs = zip(statistics, others, strict=True)
    return type(statistics)(*(share * one + other_share * other for one, other in pairs))


class RunningMoments(GaussianCoordinates):
    """What a stream asks of Gaussian components: see :class:`~skmix._families.Streaming`.

    Running statistics are kept about the mean of each component, where they lose no digits.
    """

    frame: Frame
    radius2: float
    resolution: np.ndarray
    incomplete: bool
    total_weight: float

    @abstractmethod
    def bound_to(self, source: Any) -> Self:
        """Return the family that knows what is constant over a fit to the rows of a source."""

    def for_batch(self, source: Any, weight: float) -> Self:
        """Return the family bound to the rows of a batch; updates are by rows of this weight.

        The coordinates stay.
        """
        X = source.take(slice(0, source.n_samples)).X
        low, high = np.fmin.reduce(X).astype(np.float64), np.fmax.reduce(X).astype(np.float64)
        reach = np.fmax(high - self.frame.reference, self.frame.reference - low)
        radius = np.fmax(self.frame.radius, reach / self.frame.scale)
        family = copy.copy(self)
        family.frame = self.frame._replace(radius=radius)
        family.radius2 = float(radius.max()) ** 2
        family.resolution = (np.finfo(np.float64).eps * radius) ** 2
        family.incomplete = source.incomplete
        family = family.bound_to(source)
        family.total_weight = weight
        return family

    def combined(
        self,
        statistics: GaussianStatistics,
        share: float,
        others: GaussianStatistics | None = None,
        other_share: float = 0.0,
    ) -> GaussianStatistics:
        """Return sums of so many times both statistics, about the means."""
        counts, first = share * statistics.counts, share * statistics.first
        second, about = share * statistics.second, statistics.about
        if others is None:
            return GaussianStatistics(counts, first, second, about)
        moved = self._about(others, about)
        counts = counts + other_share * moved.counts
        first = first + other_share * moved.first
        second = second + other_share * moved.second
        means = np.where(
            counts[:, None] > 0, first / np.where(counts > 0, counts, 1.0)[:, None], about
        )
        return self._about(GaussianStatistics(counts, first, second, about), means)

    def _about(self, statistics: GaussianStatistics, about: np.ndarray) -> GaussianStatistics:
        counts = statistics.counts[:, None]
        lag = about - statistics.about
        moved = statistics.first - counts * statistics.about
        second = self.shift_second(statistics.second.copy(), counts, lag, moved)
        return GaussianStatistics(statistics.counts, statistics.first, second, about)

    def implied(self, params: GaussianParams) -> GaussianStatistics:
        """Return statistics per unit of weight that parameters are the most likely for."""
        covariances, weights = self.covariances(params), params.weights
        second = covariances.copy()
        if not self.shared_covariance:
            second *= weights.reshape(-1, *[1] * (second.ndim - 1))
        return GaussianStatistics(
            weights.copy(), weights[:, None] * params.means, second, params.means.copy()
        )

    def divided(
        self,
        statistics: GaussianStatistics,
        params: GaussianParams,
        dead: int,
        donor: int,
        random_state: np.random.RandomState,
    ) -> GaussianStatistics:
        """Give a dead component half of another, in statistics about the means.

        The halves move apart along its longest axis.
        """
        shift = STEP * self.longest_axis(params, donor, self.variances(params)[donor])
        counts, means = statistics.counts.copy(), statistics.about.copy()
        counts[[dead, donor]] = counts[donor] / 2
        means[dead], means[donor] = means[donor] - shift, means[donor] + shift
        second = statistics.second.copy()
        if not self.shared_covariance:
            second[[dead, donor]] = second[donor] / 2
        return GaussianStatistics(counts, counts[:, None] * means, second, means)
