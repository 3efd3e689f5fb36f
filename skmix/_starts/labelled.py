"""Starts where some rows are labelled: clusters that begin with the labelled rows.

k-means in several coordinates, in which a labelled row stays with components of its label and
these begin with its rows; the others begin with rows far from all (S. Basu, A. Banerjee, R.
Mooney, "Semi-supervised clustering by seeding", ICML 2002). Short runs of EM decide, as without
labels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._engine.short_runs import best_of_short_runs
from .._families import LabelParams, Part, Product, ProductParams
from .._rows.sources import ArraySource, Source
from . import mixed
from .clusters import LLOYD_ITERATIONS, different
from .mixed import LADDER, PATIENCE, MixedStarts
from .runs import weights_of
from .search import LEAST_VARIANCE, SEARCH_TOL

# In each of the coordinates, so many starts.
STARTS_PER_SPACE = 2
# Labelled rows whiten by their scatter within labels where there are so many per feature.
ROWS_PER_FEATURE = 2


class LabelledStarts(NamedTuple):
    """Where runs of EM start, and what compares where they ended; see `MixedStarts`."""

    starts: MixedStarts
    label_of: np.ndarray  # (n_components,), the label of every component, -1 for none

    def start(
        self, source: Source, family: Product, random_state: np.random.RandomState
    ) -> ProductParams:
        """Return where runs on a few rows led; the last column of the rows are their labels."""
        few = self.starts._few_rows(source, family, random_state)
        with few.source:
            both = family.for_rows(few.source).forgiving(LEAST_VARIANCE)
            own, labels_part = Product(both.parts[:-1]), both.parts[-1]
            everyone = mixed._everyone(few.source, own)
            n_components = self.starts.n_components
            guesses = self._guesses(few.source, own, labels_part, random_state)
            starts = []
            for guess in guesses[different(guesses, n_components)]:
                params = mixed._from_labels(few.source, own, everyone, guess, n_components)
                starts.append(with_labels(params))
            best = starts[0]
            if len(starts) > 1:
                best = best_of_short_runs(
                    few.source,
                    both,
                    starts,
                    tol=max(SEARCH_TOL, self.starts.tol),
                    ladder=LADDER,
                    hard=self.starts.hard,
                    accelerate=self.starts.accelerate,
                    patience=PATIENCE,
                    verdict=lambda params: self.starts._verdict(few, both, params),
                )[0].params
            return family.to_frame(both.from_frame(best))

    def _guesses(
        self, source: ArraySource, family: Product, labels: Part, random_state
    ) -> np.ndarray:
        """Return components (n_starts, n_rows) that the rows may come from."""
        weight = weights_of(source)
        given = source.X[:, labels.columns.start].astype(np.int64)
        n_seeds = min(len(self.label_of), source.n_samples)
        coordinates = mixed._coordinates(source, family, n_seeds, random_state)
        numbers = mixed._numbers(source, family, weight)
        if numbers is not None:
            coordinates += _within_labels(numbers, weight, given)
        n_starts, n_iter = STARTS_PER_SPACE, LLOYD_ITERATIONS
        if self.starts.init_params not in ("auto", "kmeans"):
            coordinates, n_starts, n_iter = coordinates[:1], 1, 0
        elif self.starts.init_params == "kmeans":
            coordinates, n_starts = coordinates[:1], 1
        return np.array(
            [
                seeded(z, weight, given, self.label_of, random_state, n_iter)
                for z in coordinates
                for _ in range(n_starts)
            ]
        )


def with_labels(params: ProductParams) -> ProductParams:
    """Return the parameters of a product to which labels are added, as its last part."""
    weights = params.weights
    return ProductParams(weights, (*params.parts, LabelParams(weights)))


def _within_labels(z: np.ndarray, weight: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    """Return rows whitened by the scatter of labelled ones about the mean of their label."""
    known = np.flatnonzero(labels >= 0)
    n_labels, n_features = len(np.unique(labels[known])), z.shape[1]
    if n_labels == 0 or len(known) - n_labels < ROWS_PER_FEATURE * n_features:
        return []
    own, mass = z[known].copy(), weight[known]
    for label in np.unique(labels[known]):
        rows = labels[known] == label
        own[rows] -= mass[rows] @ own[rows] / mass[rows].sum()
    scatter = (own * mass[:, None]).T @ own / mass.sum()
    values, vectors = np.linalg.eigh(scatter)
    values = np.maximum(values, 1e-6 * max(values[-1], 1e-300))
    return [z @ (vectors / np.sqrt(values))]


def seeded(
    z: np.ndarray,
    weight: np.ndarray,
    labels: np.ndarray,
    label_of: np.ndarray,
    random_state: np.random.RandomState,
    n_iter: int,
) -> np.ndarray:
    """Return components (n_rows,) by k-means in which rows stay with components of their label.

    Labels are -1 where a row may come from any component, and where a component has no label.
    """
    admissible = np.where(labels[:, None] < 0, True, labels[:, None] == label_of)
    centres = np.zeros((len(label_of), z.shape[1]))
    distance = np.full(len(z), np.inf)

    def place(component: int, centre: np.ndarray) -> None:
        centres[component] = centre
        np.minimum(distance, ((z - centre) ** 2).sum(axis=1), out=distance)

    for label in np.unique(labels[labels >= 0]):
        rows = np.flatnonzero(labels == label)
        components = np.flatnonzero(label_of == label)
        if len(components) == 1 or len(rows) == 1:
            place(components[0], weight[rows] @ z[rows] / weight[rows].sum())
            seeds = components[:1]
        else:
            near = np.full(len(rows), np.inf)
            seeds = components[: len(rows)]
            for component in seeds:
                row = rows[_drawn(np.minimum(near, 1e300), weight[rows], random_state)]
                place(component, z[row])
                near = np.minimum(near, ((z[rows] - z[row]) ** 2).sum(axis=1))
        label_of = np.where(np.isin(np.arange(len(label_of)), seeds), -2, label_of)
    for component in np.flatnonzero(label_of != -2):
        row = _drawn(np.minimum(distance, 1e300), weight, random_state)
        place(int(component), z[row])
    for i in range(n_iter + 1):
        far = (centres**2).sum(axis=1) - 2.0 * z @ centres.T
        own = np.where(admissible, far, np.inf).argmin(axis=1)
        if i == n_iter:
            break
        mass = np.bincount(own, weight, minlength=len(centres))
        sums = np.zeros(centres.shape)
        np.add.at(sums, own, z * weight[:, None])
        centres = np.where(mass[:, None] > 0, sums / np.maximum(mass, 1e-300)[:, None], centres)
    return own


def _drawn(distance: np.ndarray, weight: np.ndarray, random_state: np.random.RandomState) -> int:
    """Draw a row by weight times squared distance; by weight alone if all are 0."""
    chances = weight * distance
    if not chances.any():
        chances = weight
    edges = np.cumsum(chances / chances.max())
    return int(np.searchsorted(edges, random_state.random_sample() * edges[-1], side="right"))
