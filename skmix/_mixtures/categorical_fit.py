"""How a categorical mixture is fitted: its rows, where EM starts, attributes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._engine import short_runs
from .._families import Categorical, CategoricalParams, Packing
from .._interface import chunked_columns, encoding, validation
from .._interface.wording import learned_weights
from .._rows.merge import merge_rows
from .._rows.sources import ArraySource
from .._starts.categorical import categorical_starts, random_probabilities
from .base import BaseMixture
from .partial import LabelledSource

# Short runs see at most this many rows; more hardly change which start is the best.
MAX_START_ROWS = 20_000
# The optima of some models differ by 0.02 nats in all and attract a quarter of the starts each,
# so many runs have to go far.
N_SHORT_RUNS = 64
LADDER = ((5, 48), (40, 16), (100, 6), (300, 1))


class StateSource(ArraySource):
    """Distinct rows of states, with their packing and weights."""

    def __init__(
        self, states: np.ndarray, sample_weight: np.ndarray | None = None, *, packing: Packing
    ):
        super().__init__(states, sample_weight)
        self.packing = packing

    @property
    def dtype(self) -> np.dtype:
        """Floating-point type of what is computed from the states."""
        return np.dtype(np.float64)

    @property
    def weights(self) -> np.ndarray:
        """Weights of the rows, ones where there are none."""
        return np.ones(self.n_samples) if self.sample_weight is None else self.sample_weight


class CategoricalFit(BaseMixture):
    """What :class:`CategoricalMixture` tells the fit that all mixtures share."""

    categories_: list[np.ndarray]
    probabilities_: list[np.ndarray]
    weights_: np.ndarray
    categories: Any
    handle_unknown: str
    alpha: float

    _fall_remedy = "Drop categories that next to no row has, or set alpha above 0."

    _accelerate = True
    _part_name = "categorical"

    # Fitting ----------------------------------------------------------------------------------

    def _fit_source(self, X, sample_weight):
        chunks = self._chunks_of(X, sample_weight)
        if chunks is not None:
            return chunks, None, self._fit_chunks(chunks)
        columns = encoding.read_columns(self, X, reset=True, categories=self.categories)
        n_samples = len(columns[0].positions)
        sample_weight = validation.check_sample_weight(sample_weight, columns[0].positions)
        kept = np.ones(n_samples, bool) if sample_weight is None else sample_weight > 0
        if self._continues():
            categories = self._check_continues(len(columns))
        else:
            categories = encoding.learn_categories(columns, self.categories, kept)
        codes = encoding.encode(columns, categories, self.handle_unknown, kept)
        weight, kept_codes, _ = _answered(codes, sample_weight)
        self._check_fit_parameters(kept_codes.shape, weight is not None)
        encoding.warn_of_identifiers(columns, kept_codes)
        self.categories_ = categories
        return codes, sample_weight, self._distinct(kept_codes, weight)

    def _fit_chunks(self, chunks):
        """Return a source of the distinct rows of all chunks."""
        if self._continues():
            categories = self._check_continues(chunks._n_columns())
        else:
            categories = chunked_columns.answer_categories(self, chunks)
        n_labels = self.n_components if chunks._has_codes else None
        found = chunked_columns.distinct_codes(self, chunks, categories, n_labels)
        codes = found.codes
        self._check_fit_parameters((found.n_rows, codes.shape[1]), chunks.weighted)
        self.categories_ = categories
        source = self._distinct(codes, found.weight)
        if found.labels is None:
            return source
        return LabelledSource(*self._labels_of(source, codes, found.weight, found.labels))

    def _distinct(self, codes, weight):
        """Return a source of the distinct rows of codes, packed."""
        packing = packing_of(codes, self.categories_)
        states, weight = merge_rows(packing.pack(codes), weight, packing.n_states)
        distinct = None if np.all(weight == 1.0) else weight  # a pass is faster without
        return StateSource(states, distinct, packing=packing)

    def _check_continues(self, n_features):
        n_classes = len(learned_weights(self, "weights_", (None,)))
        if n_classes != self.n_components or len(self.categories_) != n_features:
            raise ValueError(
                f"warm_start=True continues from {len(self.weights_)} classes of "
                f"{len(self.categories_)} columns, but n_components={self.n_components} and X has "
                f"{n_features} columns. Set warm_start=False to start afresh."
            )
        return self.categories_

    def _labels_of(self, source, rows, sample_weight, labels):
        weight, codes, labels = _answered(rows, sample_weight, labels)
        packing, n_states = source.packing, source.packing.n_states
        # Equal rows become one where their labels are equal, too, which are states like others.
        states = np.column_stack([packing.pack(codes), n_states + 1 + labels])
        states, weight = merge_rows(states, weight, n_states + 1 + self.n_components)
        labels = states[:, -1].astype(np.int64) - n_states - 1
        return StateSource(states[:, :-1], weight, packing=packing), labels

    def _make_family(self, source):
        return Categorical(source.packing, self.alpha)

    def _given_start(self, family, n_features):
        return self._params()._asdict() if self._continues() else {}

    def _start(self, source, family, given, random_state):
        packing, n_components = source.packing, self.n_components
        if given:
            return CategoricalParams(**given), []
        if self.init_params == "random":
            n_alive = min(n_components, source.n_samples)
            start = random_probabilities(packing, n_components, n_alive, random_state)
            return start, []
        if n_components == 1:
            shares = packing.shares(np.ones((1, packing.n_levels)))
            return CategoricalParams(np.ones(1), shares), []
        if source.n_samples > MAX_START_ROWS:
            rows = short_runs.draw_by_weight(source.weights, MAX_START_ROWS, random_state)
            states, weight = merge_rows(source.X[rows], None, packing.n_states)
            with StateSource(states, weight, packing=packing) as few:
                return self._search(few, family, random_state), []
        return self._search(source, family, random_state), []

    def _search(self, source, family, random_state):
        starts = categorical_starts(
            source.X,
            source.weights,
            source.packing,
            self.n_components,
            N_SHORT_RUNS,
            random_state,
        )
        best, *_ = short_runs.best_of_short_runs(
            source, family, starts, tol=self.tol, ladder=LADDER, accelerate=True
        )
        return best.params

    def _repairs(self, source, family, params):
        return super()._repairs(source, family, self._in_order(params))

    def _in_order(self, params):
        """Return the classes by size, or as they were labelled."""
        return params if self._labelling is not None else _by_size(params)

    def _attributes(self, family, params, dtype):
        params = self._in_order(params)
        cuts = family.packing.level_offsets[1:-1]
        return {
            "weights_": params.weights,
            "probabilities_": np.split(params.probabilities, cuts, axis=1),
        }

    def _params(self):
        probabilities = np.concatenate([np.asarray(p) for p in self.probabilities_], axis=1)
        return CategoricalParams(
            learned_weights(self, "weights_", (len(probabilities),)), probabilities
        )


def packing_of(codes: np.ndarray, categories: list[np.ndarray]) -> Packing:
    return Packing([len(known) for known in categories], np.any(codes < 0, axis=0))


def _by_size(params: CategoricalParams) -> CategoricalParams:
    order = np.argsort(-params.weights, kind="stable")
    return CategoricalParams(params.weights[order], params.probabilities[order])


def _answered(codes: np.ndarray, sample_weight: Any, labels: Any = None) -> tuple[Any, Any, Any]:
    """Return weights, codes and labels of rows that say something, of all if none does."""
    labels = np.zeros(len(codes)) if labels is None else labels
    weight, codes, labels = validation.drop_unweighted(sample_weight, codes, labels)
    answered = np.any(codes >= 0, axis=1)
    if answered.all() or not answered.any():
        return weight, codes, labels
    return None if weight is None else weight[answered], codes[answered], labels[answered]
