"""Fits in which the components of some rows are known: `partial_labels`."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .._families import LabelParams, Labels, Part, Product, ProductParams, WithUniform
from .._interface.chunk_labels import LabelKind
from .._interface.chunks import Chunks
from .._rows.sources import ArraySource
from .._starts.labelled import LabelledStarts
from .._starts.mixed import MixedStarts
from .base import BaseMixture
from .covariance_types import FAMILIES


class Labelling(NamedTuple):
    """The labels of rows, and of components."""

    # (n_samples,), -1 where a row may come from any component; None where chunks bring them.
    labels: Any
    # (n_components,), -1 for a component of rows without labels only; None for a label each.
    label_of: np.ndarray | None = None


class LabelledSource(ArraySource):
    """Rows with one more column, their labels."""

    def __init__(self, rows: ArraySource, labels: np.ndarray) -> None:
        X = np.column_stack([np.asarray(rows.X, dtype=rows.dtype), labels.astype(rows.dtype)])
        super().__init__(X, rows.sample_weight, incomplete=rows.incomplete)
        self.rows = rows  # without labels


def _without_labels(source: Any) -> Any:
    """Return a source of the rows of a labelled one without their labels, the last column."""
    if isinstance(source, LabelledSource):
        return source.rows
    rows: Any = source.block(slice(0, source.n_features - 1))
    if hasattr(source, "packing"):
        rows.packing = source.packing
    return rows


class Labelled(Product):
    """A family of the rows beside their labels: a row comes from a component of its label."""

    def __init__(self, family: Any, name: str, label_of: np.ndarray, n_columns: int) -> None:
        self.family = family
        own = [Part(name, family, slice(0, n_columns))]
        if isinstance(family, Product):
            own = list(family.parts)
        labels = Part("labels", Labels(label_of), slice(n_columns, n_columns + 1))
        super().__init__([*own, labels])

    def without_labels(self, params: ProductParams) -> Any:
        """Return the parameters of the family of the rows."""
        if isinstance(self.family, Product):
            return ProductParams(params.weights, params.parts[:-1])
        return params.parts[0]._replace(weights=params.weights)

    def with_labels(self, own: Any) -> ProductParams:
        """Return the parameters that those of the family of the rows are part of."""
        parts = own.parts if isinstance(self.family, Product) else (own,)
        return ProductParams(own.weights, (*parts, LabelParams(own.weights)))


class PartialLabels(BaseMixture):
    """What a mixture tells the fit where rows have labels."""

    weights_: np.ndarray

    @contextmanager
    def _labelled(self, partial_labels: Any) -> Iterator[None]:
        if partial_labels is None:
            yield
            return
        given = isinstance(partial_labels, Labelling)
        self._labelling = partial_labels if given else Labelling(partial_labels)
        try:
            yield
        finally:
            del self._labelling

    def _only(self, own: np.ndarray) -> Any:
        """Return a fitted mixture of some of the components."""
        mixture: Any = copy.copy(self)
        mixture.n_components = len(own)
        mixture.weights_ = self.weights_[own] / self.weights_[own].sum()
        family_type = FAMILIES.get(getattr(self, "covariance_type", ""))
        names = ["means_", "rates_"]
        if family_type is not None and not family_type.shared_covariance:
            names += ["covariances_", "precisions_", "precisions_cholesky_"]
        for name in names:
            if hasattr(self, name):
                setattr(mixture, name, getattr(self, name)[own])
        if hasattr(self, "probabilities_"):
            mixture.probabilities_ = [table[own] for table in self.probabilities_]
        return mixture

    def _label_of(self) -> np.ndarray:
        """Return the labels of the components, (n_components,)."""
        label_of = self._labelling.label_of
        return np.arange(self.n_components) if label_of is None else label_of

    def _labelled_chunks(self, chunks: Chunks) -> Chunks:
        if self._labelling is None or self._labelling.labels is None:
            return chunks
        check = partial(check_partial_labels, n_components=self.n_components)
        kind = LabelKind("partial_labels", check, code=np.asarray)
        return chunks._labelled(self._labelling.labels, kind)

    def _fit_source(self, X, sample_weight):
        rows, sample_weight, source = super()._fit_source(X, sample_weight)
        if self._labelling is not None and not isinstance(rows, Chunks):
            labels = check_partial_labels(self._labelling.labels, self.n_components)
            if len(labels) != len(rows):
                raise ValueError(
                    f"partial_labels has {len(labels)} labels, but X has {len(rows)} rows. Pass "
                    "one label per row, -1 where it is not known."
                )
            source = LabelledSource(*self._labels_of(source, rows, sample_weight, labels))
        return rows, sample_weight, source

    def _make_family(self, source):
        if self._labelling is None:
            return super()._make_family(source)
        rows = _without_labels(source)
        family = super()._make_family(rows)
        if isinstance(family, WithUniform):
            raise ValueError(
                "partial_labels is not available with noise=True. Leave one of them out."
            )
        return Labelled(family, self._part_name, self._label_of(), rows.n_features)

    def _given_start(self, family, n_features):
        if not isinstance(family, Labelled):
            return super()._given_start(family, n_features)
        return super()._given_start(family.family, n_features - 1)

    def _start(self, source, family, given, random_state):
        if not isinstance(family, Labelled):
            return super()._start(source, family, given, random_state)
        if self._continues():
            rows = _without_labels(source)
            own, repairs = super()._start(rows, family.family, given, random_state)
            return family.with_labels(own), repairs
        source.release()
        params = self._labelled_starts().start(source, family, random_state)
        if given:
            own = family.without_labels(params)._replace(**given)
            if "precisions_cholesky" in given:
                own = family.family.admissible(own)
            params = family.with_labels(own)
        return params, []

    def _labelled_starts(self) -> LabelledStarts:
        hard = self.assignment == "hard"
        starts = MixedStarts(
            self.n_components, self.init_params, self.tol, hard, self._accelerate and not hard
        )
        return LabelledStarts(starts, self._label_of())

    def _rank(self, source, family, result):
        if not isinstance(family, Labelled):
            return super()._rank(source, family, result)
        starts = self._labelled_starts().starts
        return starts.rank(source, family, result.params, result.lower_bound)

    def _reseed(self, source, family, given, params, random_state):
        if isinstance(family, Labelled):
            return None
        return super()._reseed(source, family, given, params, random_state)

    def _repairs(self, source, family, params):
        if isinstance(family, Labelled):
            source, params = _without_labels(source), family.without_labels(params)
            family = family.family
        return super()._repairs(source, family, params)

    def _attributes(self, family, params, dtype):
        if isinstance(family, Labelled):
            family, params = family.family, family.without_labels(params)
        return super()._attributes(family, params, dtype)


def check_partial_labels(partial_labels: Any, n_components: int) -> np.ndarray:
    """Return component indices, -1 where a row has no label."""
    labels = np.asarray(partial_labels)
    if labels.ndim != 1:
        raise ValueError(
            f"partial_labels must have one label per row, but has shape {labels.shape}."
        )
    if labels.dtype.kind not in "iuf":
        raise ValueError(
            f"partial_labels must be component indices from 0 to {n_components - 1}, or -1 where "
            f"a row has no label, but has dtype {labels.dtype}. Number the labels first."
        )
    with np.errstate(invalid="ignore"):  # a label beyond int64 is none
        whole = labels == np.floor(labels)
        bad = np.flatnonzero(~(whole & (labels >= -1) & (labels < min(n_components, 2**62))))
    if len(bad):
        raise ValueError(
            f"partial_labels has {labels[bad[0]]} for row {bad[0]}, but must be a component index "
            f"from 0 to {n_components - 1}, or -1 where a row has no label. Change the label, or "
            "n_components."
        )
    return labels.astype(np.int64)
