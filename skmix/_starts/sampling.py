"""The rows that starts look at: distinct ones with weights, a sample where there are many."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._engine.posteriors import impute
from .._families import GaussianParams
from .._rows.merge import sample_distinct
from .._rows.sources import ArraySource, Source
from .methods import fill, make_start, max_start_rows
from .runs import weights_of
from .spikes import rounding_variances

# Starts see all rows, as scikit-learn's do, or a sample where that would be dear.
ALL_ROWS, SAMPLED_ROWS = 20_000, 10_000
ROUNDED_ROWS = 2000  # that tell the resolution of the columns
# Of large data, EM sees so many times the rows of the short runs before it sees all, which are
# at least so many times as many.
MORE, FAR_LESS = 8, 3


class FewRows(NamedTuple):
    """Distinct rows with weights, a sample where there are many."""

    source: ArraySource
    filled: ArraySource  # the same without missing cells
    indices: np.ndarray  # of the rows among all
    share: float  # of all distinct rows, about
    rounding: np.ndarray  # variances of rounding, in squared units of the rows

    @property
    def complete(self) -> bool:
        """Whether no cell is missing."""
        return self.filled is self.source

    def refilled(self, make_family: Any, params: GaussianParams) -> FewRows:
        """Return the same rows with their missing cells filled in by a mixture."""
        family = make_family(self.source)
        X, _ = impute(self.source, family, family.to_frame(params), return_std=False)
        filled = ArraySource(np.asarray(X, dtype=self.filled.X.dtype), self.filled.sample_weight)
        return self._replace(filled=filled)

    def first(self, n_rows: int) -> FewRows:
        """Return some of the rows: heavy ones, and others at random."""
        filled = self.filled
        if n_rows >= filled.n_samples:
            return self
        weight = weights_of(filled)
        # Priority sampling: rows heavier than the last one keep their weight.
        draws = np.random.RandomState(0).random_sample(len(weight))
        priority = weight / (1.0 - draws)
        order = np.argsort(-priority, kind="stable")
        chosen = np.sort(order[:n_rows])
        weight = np.maximum(weight[chosen], priority[order[n_rows]])
        part = ArraySource(filled.X[chosen], weight)
        share = self.share * n_rows / filled.n_samples
        return FewRows(part, part, self.indices[chosen], share, self.rounding)


def few_rows(source: Source, n_components: int, random_state: np.random.RandomState) -> FewRows:
    """Return distinct rows with weights, a sample where there are many."""
    at_least = ALL_ROWS if source.n_samples <= ALL_ROWS else SAMPLED_ROWS
    n_rows = max_start_rows(n_components, source, at_least)
    salt = random_state.randint(2**31)
    rows = sample_distinct(source, n_rows, salt)
    X = source.take(rows.indices).X
    if rows.share == 1.0:
        order = own_order(X)
        rows = rows._replace(indices=rows.indices[order], weights=rows.weights[order])
        X = X[order]
    few = filled = ArraySource(X, rows.weights, incomplete=source.incomplete)
    if source.incomplete:
        filled = ArraySource(fill(X, rows.weights), rows.weights)
    some = slice(0, ROUNDED_ROWS)
    rounding = rounding_variances(X[some], rows.weights[some])
    return FewRows(few, filled, rows.indices, rows.share, rounding)


def own_order(X: np.ndarray) -> np.ndarray:
    """Return an order of distinct rows that looks random and is the same in any unit."""
    rng = np.random.RandomState(0)
    low, high = np.fmin.reduce(X), np.fmax.reduce(X)
    spread = (high - low).astype(np.float64)
    z = (X - low) / np.where(spread > 0, spread, 1.0)
    key = np.where(np.isnan(z), -1.0, z) @ (0.5 + rng.random_sample(X.shape[1]))
    return np.argsort(key, kind="stable")[rng.permutation(len(X))]


def peer_centres(
    few: FewRows, n_components: int, random_state: np.random.RandomState
) -> np.ndarray:
    """Return the centres of scikit-learn's k-means, in units of the rows.

    Rows of equal weight are visited in the order of the data, as scikit-learn does; others in
    one that depends on the weighted rows as a set, so that a weight is a repetition.
    """
    X, weight = few.filled.X, weights_of(few.filled)
    if len(X) <= n_components:  # the others start with weight 0
        return np.resize(X, (n_components, X.shape[1])).astype(np.float64)
    if few.share < 1.0 or np.any(weight != weight[0]):
        return make_start(ArraySource(X, weight), n_components, "kmeans", random_state).centres
    X = X[np.argsort(few.indices)]
    return make_start(ArraySource(X), n_components, "kmeans", random_state).centres


def more_rows(source: Source, n_rows: int, random_state: np.random.RandomState) -> Source | None:
    """Return a source of several times `n_rows` distinct rows, if that is far less than all."""
    if source.n_samples < FAR_LESS * MORE * n_rows:
        return None
    salt = random_state.randint(2**31)
    rows = sample_distinct(source, MORE * n_rows, salt)
    if rows.share * FAR_LESS > 1.0:  # many of the rows are the same
        return None
    return source.sample(rows.indices, rows.weights)
