"""Starts of mixtures of numbers, counts and categories: clusters by all kinds of columns.

Clusters in the numbers, in the categories and in both at once compete: each is a partition of a
few rows, from which every part of a component is estimated. Short runs of EM drop the worse. As
with numbers alone, runs are ranked by the likelihood at the resolution of the numbers, and behind
all others if a component stands on a few of their rows (`spikes.py`). A component finer than the
numbers has to be worth more than the likelihood exaggerates.
"""

from __future__ import annotations

import copy
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from .._engine.em import em, expect, predict, statistics_of
from .._engine.short_runs import Ladder, best_of_short_runs
from .._families import (
    CategoricalParams,
    GaussianParams,
    Packing,
    Part,
    PoissonParams,
    Product,
    ProductParams,
)
from .._rows.merge import row_hashes, sample_distinct
from .._rows.sources import ArraySource, Source
from .clusters import centred, cluster, different, spaces
from .gaussian import FINER
from .methods import fill
from .runs import weights_of
from .sampling import own_order
from .search import DIGITS, LEAST_VARIANCE, NEGLIGIBLE, SEARCH_TOL
from .spikes import on_few_rows, rounding_variances

# Starts see so many distinct rows, or as many per component.
ROWS, ROWS_PER_COMPONENT = 4000, 128
# Starts: as many as make a pass over their rows so many products, within bounds.
PRODUCTS, MIN_STARTS, MAX_STARTS = 4e6, 3, 24
# Iterations of every rung, and how many of the runs it leaves.
LADDER: Ladder = ((4, 10), (10, 4), (40, 2), (200, 1))
PATIENCE = 100.0
# Coordinates of categories that clusters are sought in.
AXES = 10
# Levels that categories are told apart by, the most frequent ones where there are more.
LEVELS = 1000
# What the density in the centre of a cell, with the variance of rounding, exceeds the share of the
# cell by (nats): a run with a component so fine has to be better by more than that.
CENTRE = 0.5 * np.log(6.0 / np.pi)
# Iterations of every start in a second try, until so many led to what is not flattered.
CARRIED_ON, FAIR = 200, 3
INCOMPLETE_ITERATIONS = 5  # of the single component that completes the rows of a start


class FewRows(NamedTuple):
    """Distinct rows, with what their start and their judgement need."""

    source: ArraySource
    share: float  # of all distinct rows, about
    rounding: np.ndarray  # variances of rounding of the numbers, in squared units of the rows
    patterns: np.ndarray  # (n_rows,), the same where all numbers of two rows are


class MixedStarts(NamedTuple):
    """Where runs of EM start, and what compares where they ended.

    Parameters that go in and come out are in the frame of the family that goes with them.
    """

    n_components: int
    init_params: str  # 'auto' or 'random'
    tol: float
    hard: bool
    accelerate: bool  # whether EM extrapolates

    def start(
        self, source: Source, family: Product, random_state: np.random.RandomState
    ) -> ProductParams:
        """Return where runs on a few rows led."""
        few = self._few_rows(source, family, random_state)
        with few.source:
            own = family.for_rows(few.source).forgiving(LEAST_VARIANCE)
            everyone = _everyone(few.source, own)
            if self.n_components == 1:
                return family.to_frame(own.from_frame(everyone))
            if self.init_params == "random":
                labels = self._labels(few, own, random_state, 1, n_iter=0)
                best = _from_labels(few.source, own, everyone, labels[0], self.n_components)
            else:
                best = self._search(few, own, everyone, random_state)
            return family.to_frame(own.from_frame(best))

    def rank(
        self, source: Source, family: Product, params: ProductParams, lower_bound: float
    ) -> tuple[bool, float]:
        """Return what compares fits to the same rows, as `GaussianStarts.rank` does."""
        few = self._few_rows(source, family, np.random.RandomState(0))
        with few.source:
            own = family.for_rows(few.source)
            flattered, taken = self._verdict(few, own, own.to_frame(family.from_frame(params)))
        return not flattered, lower_bound + taken

    def is_flattered(self, source: Source, family: Product, params: ProductParams) -> bool:
        """Whether a likelihood is no guide, as `GaussianStarts.is_flattered` says of numbers."""
        if self.n_components == 1 or family.part("gaussian") is None:
            return False
        few = self._few_rows(source, family, np.random.RandomState(0))
        with few.source:
            own = family.for_rows(few.source)
            params = own.to_frame(family.from_frame(params))
            return self._is_finer(few, own, params) or self._verdict(few, own, params)[0]

    def second_try(
        self,
        source: Source,
        family: Product,
        params: ProductParams,
        random_state: np.random.RandomState,
    ) -> ProductParams | None:
        """Return where a run led that is not flattered, None if this one is not, or all are.

        Extrapolation leaps to spikes that EM keeps away from, so every start is carried on
        without it.
        """
        if self.init_params == "random" or not self.is_flattered(source, family, params):
            return None
        few = self._few_rows(source, family, random_state)
        with few.source:
            own = family.for_rows(few.source).forgiving(LEAST_VARIANCE)
            fair: list[tuple[float, ProductParams]] = []
            for start in self._start_params(few, own, _everyone(few.source, own), random_state):
                run = em(few.source, own, start, tol=self.tol, max_iter=CARRIED_ON, hard=self.hard)
                spiked, taken = self._verdict(few, own, run.params)
                if not (spiked or self._is_finer(few, own, run.params)):
                    fair.append((run.objective + taken, run.params))
                if len(fair) == FAIR:
                    break
            if not fair:
                return None
            _, best = max(fair, key=itemgetter(0))
            return family.to_frame(own.from_frame(best))

    def _few_rows(
        self, source: Source, family: Product, random_state: np.random.RandomState
    ) -> FewRows:
        n_rows = max(ROWS, ROWS_PER_COMPONENT * self.n_components)
        salt = random_state.randint(2**31)
        rows = sample_distinct(source, n_rows, salt)
        X, weight = source.take(rows.indices).X, rows.weights
        if rows.share == 1.0:
            order = own_order(X)
            X, weight = X[order], weight[order]
        few = ArraySource(X, weight, incomplete=source.incomplete)
        numbers = family.part("gaussian")
        if numbers is None:
            nothing = np.zeros(0)
            return FewRows(few, rows.share, nothing, np.arange(len(X)))
        own = X[:, numbers.columns]
        rounding = rounding_variances(own, weight)
        _, patterns = np.unique(row_hashes(own), return_inverse=True)
        return FewRows(few, rows.share, rounding, patterns)

    def _search(
        self,
        few: FewRows,
        family: Product,
        everyone: ProductParams,
        random_state: np.random.RandomState,
    ) -> ProductParams:
        best, *_ = best_of_short_runs(
            few.source,
            family,
            self._start_params(few, family, everyone, random_state),
            tol=max(SEARCH_TOL, self.tol),
            ladder=LADDER,
            hard=self.hard,
            accelerate=self.accelerate,
            patience=PATIENCE,
            verdict=lambda params: self._verdict(few, family, params),
        )
        return best.params

    def _start_params(
        self,
        few: FewRows,
        family: Product,
        everyone: ProductParams,
        random_state: np.random.RandomState,
    ) -> list[ProductParams]:
        """Return starts from clusters in all coordinates."""
        n_rows, n_columns = few.source.X.shape
        products = n_rows * self.n_components * (n_columns + 20)
        n_starts = int(np.clip(PRODUCTS / products, MIN_STARTS, MAX_STARTS))
        labels = self._labels(few, family, random_state, n_starts, n_iter=None)
        labels = labels[different(labels, self.n_components)]
        return [
            _from_labels(few.source, family, everyone, own, self.n_components) for own in labels
        ]

    def _labels(
        self,
        few: FewRows,
        family: Product,
        random_state: np.random.RandomState,
        n_starts: int,
        n_iter: int | None,
    ) -> np.ndarray:
        """Return labels (n_starts, n_rows) of clusters in all coordinates in turn."""
        weight = weights_of(few.source)
        n_seeds = min(self.n_components, few.source.n_samples)
        coordinates = _coordinates(few.source, family, n_seeds, random_state)
        options = {} if n_iter is None else {"n_iter": n_iter}
        labels = [
            cluster(
                coordinates[i % len(coordinates)][None], weight, n_seeds, random_state, **options
            )
            for i in range(n_starts)
        ]
        return np.concatenate(labels)

    def _verdict(self, few: FewRows, family: Product, params: ProductParams) -> tuple[bool, float]:
        """Return whether a component is a spike, and what rounding takes off the bound."""
        numbers = family.part("gaussian")
        if numbers is None:
            return False, 0.0
        gaussian, own = numbers.family, family.of_part(params, "gaussian")
        rounding = few.rounding / gaussian.frame.scale**2
        taken = 0.0
        if gaussian.largest_share(own, rounding).max() >= NEGLIGIBLE:
            covariances = gaussian.covariances(own).copy()
            covariances = gaussian.add_to_variances(covariances, rounding)
            factors = gaussian.factor(covariances)
            coarse = own._replace(covariances=factors[0], precisions_cholesky=factors[1])
            coarse = _with_part(family, params, numbers, coarse)
            bounds = [self._bound(few.source, family, some) for some in (coarse, params)]
            taken = round(bounds[0] - bounds[1], DIGITS)
            if self._is_finer(few, family, params):
                taken -= CENTRE
        if gaussian.shared_covariance:
            return False, taken
        return self._has_spike(few, family, params, own.means.shape[1]), taken

    def _bound(self, source: ArraySource, family: Product, params: ProductParams) -> float:
        form = family.prepare(params, source.dtype)
        return expect(source, form, hard=self.hard)[0] / source.total_weight

    def _has_spike(
        self, few: FewRows, family: Product, params: ProductParams, n_numbers: int
    ) -> bool:
        """Whether a component holds few different rows of numbers, none of them heavy."""
        labels, mass = _masses(few, family, params)
        most = (n_numbers + 1) * few.share
        return bool(on_few_rows(labels, mass, self.n_components, most).any())

    def _is_finer(self, few: FewRows, family: Product, params: ProductParams) -> bool:
        """Whether a component is finer than the numbers are, and not for a value of many rows."""
        numbers = family.part("gaussian")
        assert numbers is not None
        gaussian, own = numbers.family, family.of_part(params, "gaussian")
        share = gaussian.largest_share(own, few.rounding / gaussian.frame.scale**2)
        finer = np.broadcast_to(share > FINER, self.n_components).copy()
        if finer.any():
            labels, mass = _masses(few, family, params)
            finer[labels[mass >= mass.sum() / (2 * self.n_components)]] = False
        return bool(finer.any())


def _masses(few: FewRows, family: Product, params: ProductParams) -> tuple[np.ndarray, np.ndarray]:
    """Return components of different rows of numbers, and what these weigh in them."""
    labels, weight = predict(few.source, family, params), weights_of(few.source)
    pairs, first = np.unique(labels * len(weight) + few.patterns, return_inverse=True)
    return pairs // len(weight), np.bincount(first, weight)


def _with_part(family: Product, params: ProductParams, part: Part, own: Any) -> ProductParams:
    parts = list(params.parts)
    parts[family.parts.index(part)] = own
    return params._replace(parts=tuple(parts))


def _everyone(source: ArraySource, family: Product) -> ProductParams:
    """Return the one component that describes all rows."""
    params = family.params(np.ones(1), [_unknown(part) for part in family.parts])
    n_iter = INCOMPLETE_ITERATIONS if source.incomplete else 1
    return em(source, family, params, tol=0.0, max_iter=n_iter).params


def _unknown(part: Part) -> Any:
    """Return parameters of one component that nothing is known of."""
    family, one = part.family, np.ones(1)
    n_features = part.columns.stop - part.columns.start
    if part.name == "categorical":
        packing = family.packing
        return CategoricalParams(one, packing.shares(np.ones((1, packing.n_levels))))
    if part.name == "poisson":
        return PoissonParams(one, np.ones((1, n_features)))
    unit = family.unit_covariances(1, n_features)
    return GaussianParams(one, np.zeros((1, n_features)), unit, unit.copy())


def _from_labels(
    source: ArraySource,
    family: Product,
    everyone: ProductParams,
    labels: np.ndarray,
    n_components: int,
) -> ProductParams:
    """Maximise once from labels of the rows.

    The covariance of a few rows is no start, nor is a category that they lack impossible: the
    pooled covariance counts as a few rows, and all rows together count as one.
    """
    fallback = family.take(everyone, np.zeros(n_components, dtype=np.int64))
    form = family.prepare(fallback, source.dtype)
    components = np.arange(n_components)[:, None]

    def resp_of(rows: slice, out: np.ndarray) -> None:
        np.equal(labels[rows], components, out=out, casting="unsafe")

    statistics = statistics_of(source, form, resp_of)
    one_row = source.total_weight / source.n_samples
    parts = []
    for part, sums in zip(family.parts, statistics.parts, strict=True):
        if part.name != "gaussian":
            total = sums.counts.sum()
            sums = sums._make(
                field + one_row / total * field.sum(axis=0, keepdims=True) for field in sums
            )
        parts.append(sums)
    softer = family.changed(lambda part: _pooling(part, one_row))
    return softer.maximize(fallback, statistics._replace(parts=tuple(parts)))


def _pooling(part: Part, one_row: float) -> Any:
    """Return a family in which the pooled covariance counts as n_features + 1 rows."""
    if part.name != "gaussian" or part.family.shared_covariance:
        return part.family
    family = copy.copy(part.family)
    n_features = part.columns.stop - part.columns.start
    family.shrinkage = max(family.shrinkage, (n_features + 1) * one_row)
    return family


# Coordinates ----------------------------------------------------------------------------------


def _coordinates(
    source: ArraySource, family: Product, n_components: int, random_state: np.random.RandomState
) -> list[np.ndarray]:
    """Return rows in several coordinates: of all kinds of columns together, and of each kind."""
    weight = weights_of(source)
    blocks = []
    numbers = _numbers(source, family, weight)
    if numbers is not None:
        blocks.append(numbers)
    categories = family.part("categorical")
    if categories is not None:
        states = source.X[:, categories.columns].astype(np.int64)
        blocks.append(axes_of_categories(states, weight, categories.family.packing))
    found = []
    if len(blocks) > 1:
        found += _in_spaces(np.hstack(blocks), weight, n_components, random_state)
        found.append(np.hstack([_of_unit_inertia(block, weight) for block in blocks]))
    for block in blocks:
        found += _in_spaces(block, weight, n_components, random_state)
    return found


def _in_spaces(
    z: np.ndarray, weight: np.ndarray, n_components: int, random_state: np.random.RandomState
) -> list[np.ndarray]:
    maps, _ = spaces(z, weight, np.ones(z.shape[1]), n_components, random_state)
    return [z @ some for some in maps]


def _of_unit_inertia(z: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return a block whose widest direction has variance 1, as in multiple factor analysis."""
    scatter = (z * weight[:, None]).T @ z / weight.sum()
    return z / np.sqrt(max(np.linalg.eigvalsh(scatter)[-1], 1e-300))


def _numbers(source: ArraySource, family: Product, weight: np.ndarray) -> np.ndarray | None:
    """Return standardised numbers and roots of counts, holes filled in."""
    columns = []
    for part in family.parts:
        if part.name != "categorical":
            values = source.X[:, part.columns].astype(np.float64)
            columns.append(np.sqrt(values) if part.name == "poisson" else values)
    if not columns:
        return None
    X = np.hstack(columns)
    if np.isnan(X).any():
        X = fill(X, weight)
    z = centred(X, weight)
    spread = np.sqrt(weight @ z**2 / weight.sum())
    return z / np.where(spread > 0, spread, 1.0)


def axes_of_categories(states: np.ndarray, weight: np.ndarray, packing: Packing) -> np.ndarray:
    """Return coordinates (n_rows, n_axes) of rows by multiple correspondence analysis.

    Indicators of the categories, divided by the roots of their shares, along their principal
    axes; a missing answer lies at the centre. M. Greenacre, J. Blasius, "Multiple Correspondence
    Analysis and Related Methods", Chapman & Hall/CRC, 2006. :doi:`10.1201/9781420011319`
    """
    answers = packing.one_hot(states)
    counts = np.asarray(answers.T @ weight)
    shares = packing.shares(counts[None])[0]
    chosen = np.sort(np.argsort(-counts, kind="stable")[:LEVELS])
    indicators = answers[:, chosen]
    scale = 1.0 / np.sqrt(np.maximum(shares[chosen], 1e-12))
    scale[counts[chosen] <= 0] = 0.0
    weighted = indicators.multiply(weight[:, None] / weight.sum()).tocsr()
    scatter = np.asarray((indicators.T @ weighted).todense())
    mean = np.asarray(indicators.T @ (weight / weight.sum()))
    scatter = (scatter - mean[:, None] * mean) * scale[:, None] * scale
    _, vectors = np.linalg.eigh(scatter)
    axes = np.zeros((packing.n_levels, min(AXES, len(chosen))))
    axes[chosen] = scale[:, None] * vectors[:, : -1 - axes.shape[1] : -1]
    # Less the mean of the column, where it was answered.
    axes -= packing.per_column((shares[:, None] * axes).T).T
    return answers @ axes
