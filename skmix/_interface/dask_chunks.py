"""Dask arrays and data frames as Chunks, whose parts workers hold where there is a cluster."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from . import cluster, frames
from .chunk_items import ArrayItem, Item, types_of
from .chunk_labels import CLASSES, LabelKind
from .chunks import Chunks, View
from .cluster import Parts
from .dask_types import is_dask

# A chunk as it is held: its number, its rows, their weights, and their labels.
Raw = tuple[int, Any, Any, Any]


class DaskChunks(Chunks):
    """The chunks of a Dask array, or the partitions of a Dask data frame.

    Parameters
    ----------
    X : dask.array.Array or dask.dataframe.DataFrame
        The rows. Chunks of columns are joined.

    sample_weight : dask.array.Array, dask.dataframe.Series or array-like, default=None
        Weights in the same chunks; an array is cut where the chunks of `X` are known.
    """

    def __init__(self, X: Any, sample_weight: Any = None) -> None:
        self._collection = _checked_rows(X)
        self._kind = f"of a Dask {type(X).__name__}"
        delayed = _blocks(self._collection)
        sizes = _row_chunks(self._collection)
        self._items: list[Any] = [
            DaskItem(block, self._collection, size, self._kind)
            for block, size in zip(delayed, sizes, strict=True)
        ]
        self._weights: list[Any] | None = None
        self._weight_column = None
        if sample_weight is not None:
            self._weights = self._beside(sample_weight, "sample_weight", "weight")

    def _beside(self, values: Any, name: str, what: str) -> list[Any]:
        """Return chunks of what rows have one of each."""
        values = _checked_values(values, self._collection, name, what)
        return [DaskItem(block, values, None, f"{what}s") for block in _blocks(values)]

    def _labelled(self, y: Any, kind: LabelKind = CLASSES) -> Chunks:
        if isinstance(y, Chunks):
            raise TypeError(
                f"{kind.name} must not be Chunks where X is a Dask collection. Pass a Dask array "
                "or series with the same chunks, or an array."
            )
        labelled = copy.copy(self)
        labelled._labels = self._beside(y, kind.name, "label")
        labelled._label_kind = kind
        return labelled

    def _coded(self, code: Callable[[np.ndarray], np.ndarray]) -> Chunks:
        coded = copy.copy(self)
        coded._label_kind = self._label_kind._replace(code=code)
        return coded

    def _reweighted(self, weights: dict[int, np.ndarray]) -> Chunks:
        reweighted: Any = super()._reweighted(weights)
        if self._parts is not None:
            own = [
                ({number: weights[number] for number in numbers if number in weights},)
                for numbers in self._parts.run(_numbers)
            ]
            reweighted._parts = self._parts.made(_with_weights, own)
        return reweighted

    _may_be_empty = True

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, computed where it is not known, and of columns."""
        sizes: Any = _row_chunks(self._collection)
        if any(map(math.isnan, sizes)):
            sizes = self._by_parts(_n_rows)
        return int(sum(sizes)), self._n_columns()

    def _name(self, number: int) -> str:
        return f"Chunk {number} of X ({self._kind})"

    def _n_columns(self) -> int:
        return int(self._collection.shape[1])

    def _template(self) -> Any:
        if not self._framed():
            return None
        meta = frames.template_of(self._collection._meta)
        unknown = [hasattr(dtype, "categories") for dtype in meta.dtypes]
        return frames.template_of(self[0]) if any(unknown) else meta

    # Where the rows are -------------------------------------------------------------------

    def _chunks(self) -> list[Any]:
        """Return what every chunk is computed from."""
        none = [None] * len(self)
        columns: Any = (self._items, self._weights or none, self._labels or none)
        delayed = ([item and item.delayed for item in column] for column in columns)
        return list(zip(range(len(self)), *delayed, strict=True))

    def _hold(self) -> None:
        """Have the workers of the cluster hold the rows, one part each, if there is one."""
        client = cluster.client_of(self._collection)
        if client is not None and self._parts is None:
            sizes: Any = _row_chunks(self._collection)
            sizes = [1.0] * len(sizes) if any(map(math.isnan, sizes)) else sizes
            self._parts = cluster.hold(client, self._chunks(), sizes)

    def _by_parts(self, look: Callable[[Chunks], Any]) -> list[Any]:
        of_part = partial(_of_part, look, self._made_of_raw())
        if self._parts is not None:
            return self._parts.run(of_part)
        client = cluster.client_of(self._collection)
        if client is not None:
            return cluster.stream(client, self._chunks(), of_part)
        return [look(self)]

    def _made_of_parts(self, make: Callable[..., Any], own: list[Any]) -> Parts:
        return self._parts.made(partial(_of_part, make, self._made_of_raw()), own)

    def _made_of_raw(self) -> Callable[[list[Raw]], Chunks]:
        """Return what makes Chunks like these of those that a worker holds."""
        return partial(
            PartChunks,
            kind=self._kind,
            weighted=self.weighted,
            view=self._view,
            labels_are=self._label_kind,
        )

    # What is said of every row --------------------------------------------------------------

    def _map(
        self,
        function: Callable[[Any], Any],
        tail: tuple[int, ...],
        dtype: Any,
        *,
        framed: bool = False,
    ) -> Any:
        X = self._collection
        empty = np.empty((0, *tail), dtype)
        if not self._framed():
            widths = [(width,) for width in tail]
            return X.map_blocks(
                _unless_empty,
                function,
                empty,
                dtype=dtype,
                chunks=(X.chunks[0], *widths),
                drop_axis=[] if tail else 1,
                meta=empty,
            )
        meta: Any = _type_of_filled(X._meta, dtype) if framed else empty
        return X.map_partitions(_unless_empty, function, meta, meta=meta)


class DaskItem(Item):
    """One chunk of a Dask collection."""

    def __init__(self, delayed: Any, collection: Any, n_rows: Any, name: str) -> None:
        super().__init__()
        self.delayed, self.name = delayed, name
        self._collection, self._n_rows = collection, n_rows

    def read(self) -> Any:
        """Compute the rows."""
        with cluster.errors_explained():
            return self.delayed.compute()

    def shape(self) -> tuple[int, ...]:
        """Return the shape of the rows, computed if it is not known."""
        if self._n_rows is None or math.isnan(self._n_rows):
            return super().shape()
        return int(self._n_rows), *self._collection.shape[1:]

    def dtype(self) -> np.dtype:
        """Return the type that the collection says the rows have."""
        return types_of(self._collection._meta)[0]

    def names(self) -> list[Any] | None:
        """Return the names of the columns, None where they have none."""
        return types_of(self._collection._meta)[1]


class PartChunks(Chunks):
    """Chunks that a worker holds.

    Parameters
    ----------
    raw : list of tuple
        The chunks, with their numbers among all.

    kind : str
        What they are of, for messages.

    weighted : bool
        Whether rows have weights.

    view : View, default=None
        How the rows are seen.

    labels_are : LabelKind, default=CLASSES
        What their labels are, where they have some.
    """

    _may_be_empty = True

    def __init__(
        self,
        raw: list[Raw],
        kind: str,
        weighted: bool,
        view: View | None = None,
        labels_are: LabelKind = CLASSES,
    ) -> None:
        self._label_kind = labels_are
        self._numbers, self._kind, self._view = [number for number, *_ in raw], kind, view
        self._items = [ArrayItem(rows) for _, rows, *_ in raw]
        self._weights = [ArrayItem(weight) for *_, weight, _ in raw] if weighted else None
        self._weight_column = None
        if raw and raw[0][-1] is not None:
            self._labels = [ArrayItem(labels) for *_, labels in raw]

    def _number(self, number: int) -> int:
        return self._numbers[number]

    def _name(self, number: int) -> str:
        return f"Chunk {self._number(number)} of X ({self._kind})"


def _checked_rows(X: Any) -> Any:
    """Return an array with one chunk of columns, or a data frame."""
    kind = type(X).__name__
    if not hasattr(X, "_meta") or kind not in ("Array", "DataFrame"):
        raise TypeError(
            f"X is a Dask {kind}, but must be a Dask array or data frame with a row per sample. "
            "Convert it, for example with to_dataframe()."
        )
    if X.ndim != 2:
        raise ValueError(
            f"X must have two axes, for rows and columns, but has {X.ndim}. Reshape it, for "
            "example by X.reshape(-1, 1)."
        )
    if kind == "Array" and not isinstance(X._meta, np.ndarray):
        raise TypeError(
            f"X is a Dask array of {type(X._meta).__name__}, but must be one of NumPy arrays. "
            "Convert its chunks by map_blocks."
        )
    if kind == "Array" and X.numblocks[1] > 1:
        return X.rechunk({1: -1})
    return X


def _checked_values(values: Any, X: Any, name: str, what: str) -> Any:
    """Return a Dask collection of weights or labels with a chunk for each of X."""
    sizes = _row_chunks(X)
    known = not any(map(math.isnan, sizes))
    if not is_dask(values):
        import dask.array

        if not known:
            raise ValueError(
                f"{name} is no Dask collection, but the sizes of the chunks of X are not known. "
                f"Pass {what}s that are computed as X is, with the same chunks, or a Dask array "
                "with known chunks for X."
            )
        values = np.asarray(values)
        if values.shape != (sum(sizes),):
            raise ValueError(
                f"{name} has shape {values.shape}, but X has {sum(sizes)} rows. Give one {what} "
                "per row."
            )
        return dask.array.from_array(values, chunks=(sizes,))
    alike = values.ndim == 1 and known and type(values).__name__ == "Array"
    if alike and sum(values.chunks[0]) == sum(sizes):
        return values.rechunk((sizes,))
    if values.ndim != 1 or len(_row_chunks(values)) != len(sizes):
        raise ValueError(
            f"{name} has {values.ndim} axes and {len(_row_chunks(values))} chunks of rows, but X "
            f"has {len(sizes)}. Pass one {what} per row, in the same chunks."
        )
    return values


def _blocks(collection: Any) -> list[Any]:
    """Return what the chunks are computed from, as `dask.delayed`."""
    return list(np.ravel(collection.to_delayed()))


def _row_chunks(collection: Any) -> tuple[Any, ...]:
    """Return the numbers of rows of the chunks, NaN where they are not known."""
    if type(collection).__name__ == "Array":
        return tuple(collection.chunks[0])
    return (math.nan,) * int(collection.npartitions)


def _numbers(raw: list[Raw], n_threads: int) -> list[int]:
    return [number for number, *_ in raw]


def _with_weights(raw: list[Raw], n_threads: int, weights: dict[int, np.ndarray]) -> list[Raw]:
    nothing = np.empty(0)
    return [(i, rows, weights.get(i, nothing), labels) for i, rows, _, labels in raw]


def _n_rows(chunks: Chunks) -> int:
    return sum(chunks._items[number].shape()[0] for number in range(len(chunks)))


def _unless_empty(rows: Any, function: Callable[[Any], Any], empty: Any) -> Any:
    """Return what a function says of rows; of none it is not asked."""
    if len(rows) == 0:
        return empty
    answer = function(rows)
    return answer.astype(empty.dtypes.to_dict()) if hasattr(empty, "dtypes") else answer


def _type_of_filled(meta: Any, dtype: Any) -> Any:
    """Return a frame without rows, with the dtypes of a frame whose cells are filled in.

    What is filled into integers need not be whole, which one chunk does not know of others.
    """
    meta = frames.template_of(meta)
    changed = {
        name: np.float64
        for name, kind in meta.dtypes.items()
        if getattr(kind, "kind", "") in "iu" and not isinstance(kind, np.dtype)
    }
    return meta.astype(changed)


def _of_part(
    look: Callable[..., Any],
    made: Callable[[list[Raw]], Chunks],
    raw: list[Raw],
    n_threads: int,
    *own: Any,
) -> Any:
    said = [chunk for chunk in raw if len(chunk[1]) or (chunk[3] is not None and len(chunk[3]))]
    return look(made(said), *own)
