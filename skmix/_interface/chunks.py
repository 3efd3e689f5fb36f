"""Rows in chunks that are read again in every pass: arrays, files, functions, Parquet."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from . import arrow, frames
from .chunk_items import ArrayItem, Item, items_of, read, split_column
from .chunk_labels import CLASSES, LabelKind, labels_by_chunk
from .columns import Table
from .dask_types import TAKERS, is_dask
from .wording import said_of


class View(NamedTuple):
    """Rows of chunks as a fit inside another sees them: those of one class, or all, as floats."""

    convert: Callable[[Any, Any, str], np.ndarray]  # from rows, weights and a name for messages
    label: Any = None  # of the rows, None for all

    def shows_any(self, labels: Any) -> bool:
        """Whether any of the rows with these labels is seen."""
        return self.label is None or bool(np.any(labels == self.label))

    def show(self, rows: Any, weight: Any, labels: Any, name: str) -> tuple[np.ndarray, Any]:
        """Return some rows and weights as they are seen."""
        if self.label is None:
            return self.convert(rows, weight, name), weight
        own = labels == self.label
        own_weight = None if weight is None else weight[own]
        if isinstance(rows, np.ndarray):  # of a mapped one the others are not read
            return self.convert(rows[own], own_weight, name), own_weight
        return self.convert(rows, weight, name)[own], own_weight


class Chunks:
    """Rows in chunks, for fits to more rows than memory holds.

    A chunk is read when it is needed, again in every pass, and no more than one chunk per thread
    is held at a time. `GaussianMixture`, `DiagonalGMM`, `CategoricalMixture` and `MixedMixture`
    take Chunks in `fit` and `score`, and return Chunks where they return rows; so do the Bayes
    classifiers, `ConditionalGMMInpainter` and `MixtureImputer`. The fit is that to all rows in one
    array.

    Parameters
    ----------
    chunks : list, path, or pyarrow.dataset.Dataset
        The chunks. A list holds, for each of them,

        - an array of shape (n_rows, n_features) or a data frame of pandas or polars,
        - the path of a .npy file, which is mapped into memory, and so has no size of its own,
        - the path of a Parquet file,
        - or a function without arguments that returns an array or a data frame, the same each
          time that it is called.

        Instead of a list, the path of a folder of Parquet files or a data set of pyarrow: every
        row group is a chunk. Parquet needs pyarrow (``pip install skmix[arrow]``). All chunks
        have the same columns.

    sample_weight : list or str, default=None
        Non-negative weights of the rows: a list with those of each chunk, of the same kinds as
        `chunks`, with shape (n_rows,); or the name of a column of data frames or Parquet files,
        which is then no feature. None stands for ones.

    Attributes
    ----------
    shape : tuple of int
        Number of rows and number of columns of all chunks together. Functions are called once to
        tell.

    dtype : dtype
        Type of the first chunk's numbers, object where it has others.

    ndim : int
        2, or 1 where the chunks are labels or scores.

    Raises
    ------
    TypeError
        If `chunks` can be read only once, as a generator can, or holds something else.

    ImportError
        If pyarrow is needed and not installed.

    See Also
    --------
    GaussianMixture : A mixture that takes Chunks.

    Notes
    -----
    ``len(chunks)`` is their number, ``chunks[i]`` reads one, and iteration reads one after the
    other: ``numpy.concatenate(list(chunks))`` gathers them. A fit reads all rows eight times
    before the first iteration of EM, to check them and to find a start, and once in each
    iteration. It holds, beside the chunks that are read, what a fit to one array holds: sums over
    rows, and samples of rows, of at most some 150 MB, for the start. Integers become floats, and
    categories codes, chunk by chunk, again in every pass. A fit by `CategoricalMixture` holds the
    distinct rows instead, and reads all rows twice. A Bayes classifier reads all rows for every
    class, one class after the other, unless all classes are one mixture.

    Where a chunk cannot be read any more, or has become another, the error names its number and
    its path, and an earlier fit is kept.

    References
    ----------
    C.-T. Chu, S. K. Kim, Y.-A. Lin, Y. Yu, G. Bradski, A. Y. Ng, K. Olukotun, "Map-Reduce for
    machine learning on multicore", Advances in Neural Information Processing Systems 19, 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from skmix import Chunks, GaussianMixture
    >>> first, second = np.array([[0.0], [1.0]]), np.array([[10.0], [11.0], [12.0]])
    >>> chunks = Chunks([first, lambda: second])
    >>> chunks.shape
    (5, 1)
    >>> mixture = GaussianMixture(2, random_state=0).fit(chunks)
    >>> mixture.means_.round(1)
    array([[11. ],
           [ 0.5]])
    >>> [labels.tolist() for labels in mixture.predict(chunks)]
    [[1, 1], [0, 0, 0]]
    """

    def __init__(self, chunks: Any, *, sample_weight: Any = None) -> None:
        if isinstance(chunks, Chunks):
            raise TypeError("chunks are Chunks already: pass them as they are.")
        weight_column = sample_weight if isinstance(sample_weight, str) else None
        self._items = items_of(chunks, "chunks", weight_column)
        self._weight_column = weight_column
        self._weights: list[Item] | None = None
        if sample_weight is not None and weight_column is None:
            self._weights = items_of(sample_weight, "sample_weight", None)
            if len(self._weights) != len(self._items):
                raise ValueError(
                    f"sample_weight lists the weights of {len(self._weights)} chunks, but there "
                    f"are {len(self._items)}. Give one array of weights per chunk."
                )

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, number: int) -> Any:
        rows = self._read(range(len(self))[number])[0]
        return rows.as_array() if isinstance(rows, Table) else rows

    def __iter__(self) -> Iterator[Any]:
        return (self[number] for number in range(len(self)))

    def __repr__(self) -> str:
        weighted = ", weighted" if self.weighted else ""
        return f"Chunks({len(self)} chunks{weighted})"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise TypeError(
            "Chunks are not gathered into one array, which was asked for here: mixtures take "
            f"Chunks {TAKERS}. Pass numpy.concatenate(list(chunks)) where the rows fit into "
            "memory."
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows and of columns of all chunks together."""
        first = self._items[0].shape()
        n_rows = first[0] + sum(item.shape()[0] for item in self._items[1:])
        return (n_rows, *first[1:]) if len(first) != 2 else (n_rows, self._n_columns())

    @property
    def dtype(self) -> np.dtype:
        """Type of the first chunk's numbers, object where it has others."""
        return self._items[0].dtype()

    @property
    def ndim(self) -> int:
        """Number of axes of a chunk."""
        return len(self.shape)

    @property
    def weighted(self) -> bool:
        """Whether rows have weights."""
        return self._weights is not None or self._weight_column is not None

    # What estimators ask ------------------------------------------------------------------

    def _number(self, number: int) -> int:
        """Return the number that a chunk has among all."""
        return number

    def _name(self, number: int) -> str:
        """Name a chunk in a message."""
        return f"Chunk {number} of X ({self._items[number].name})"

    def _sliceable(self, number: int) -> bool:
        """Whether it costs little to read a few rows of a chunk alone."""
        return self._items[number].sliceable and self._weight_column is None

    def _names(self) -> list[Any] | None:
        """Return the names of the columns of the first chunk, None where it is an array."""
        names = self._items[0].names()
        return names if names is None else [n for n in names if n != self._weight_column]

    def _framed(self) -> bool:
        """Whether users see the first chunk as a data frame."""
        return self._view is None and self._items[0].framed()

    def _read(self, number: int) -> tuple[Any, Any]:
        """Return a chunk, an array, frame or Table, and its weights as they were given."""
        rows = read(self._items[number], self._name(number))
        weight = None
        if self._weight_column is not None:
            rows, weight = split_column(rows, self._weight_column, self._name(number))
        if self._weights is not None:
            weight = read(self._weights[number], f"sample_weight of chunk {number}")
            weight = np.asarray(weight)
        return rows, weight

    _labels: list[Item] | None = None  # of the rows, where a fit has some
    _label_kind: LabelKind = CLASSES
    _view: View | None = None  # how rows are seen, if not as they are

    def _labelled(self, y: Any, kind: LabelKind = CLASSES) -> Chunks:
        """Return the same rows with labels."""
        sizes = [item.shape()[0] for item in self._items]
        if isinstance(y, Chunks):
            y = list(y)
        labelled = copy.copy(self)
        labelled._labels = [ArrayItem(labels) for labels in labels_by_chunk(y, sizes, kind)]
        labelled._label_kind = kind
        return labelled

    def _coded(self, code: Callable[[np.ndarray], np.ndarray]) -> Chunks:
        """Return the same rows, whose labels a fit sees as numbers in one more column.

        The labels have been checked.
        """
        assert self._labels is not None
        coded = copy.copy(self)
        # They are in memory: once, and not again in every pass.
        coded._labels = [ArrayItem(code(item.read())) for item in self._labels]
        coded._label_kind = self._label_kind._replace(check=np.asarray, code=np.asarray)
        return coded

    def _reweighted(self, weights: dict[int, np.ndarray]) -> Chunks:
        """Return the same rows with other weights, given by the numbers of the chunks."""
        reweighted = copy.copy(self)
        nothing = np.empty(0)
        reweighted._weights = [ArrayItem(weights.get(i, nothing)) for i in range(len(self))]
        return reweighted

    @property
    def _has_codes(self) -> bool:
        """Whether a fit sees labels in one more column."""
        return self._labels is not None and self._label_kind.code is not None

    def _seen_as(self, view: View) -> Chunks:
        """Return the same chunks as a fit inside another sees them."""
        seen = copy.copy(self)
        seen._view = view
        return seen

    def _labels_of(self, number: int, place: Any) -> np.ndarray | None:
        """Return the labels of some rows of a chunk, which were checked before."""
        return None if self._labels is None else np.asarray(self._labels[number].read())[place]

    def _checked_labels(self, number: int, n_rows: int) -> np.ndarray | None:
        """Return the labels of the rows of a chunk."""
        labels = self._labels_of(number, slice(None))
        if labels is None:
            return None
        name = f"{self._label_kind.name} of {self._name(number)}"
        if labels.shape != (n_rows,):
            raise ValueError(
                f"{name} has shape {labels.shape}, but the chunk has {n_rows} rows. Give one "
                "label per row."
            )
        with said_of(name):
            return self._label_kind.check(labels) if n_rows else labels

    _parts: Any = None  # of the rows, where other processes hold them
    _may_be_empty = False  # whether chunks without rows are as good as absent

    def _hold(self) -> None:
        """Prepare for several passes over the rows."""

    def _by_parts(self, look: Callable[[Chunks], Any]) -> list[Any]:
        """Return what a function says of the chunks of each part of the rows; here all are one."""
        return [look(self)]

    def _made_of_parts(self, make: Callable[..., Any], own: list[Any]) -> Any:
        """Return what a function makes of the chunks of each part, held where these are."""
        raise NotImplementedError

    def _template(self) -> Any:
        """Return a frame with the columns of the first chunk, None where users see an array."""
        return frames.template_of(self[0]) if self._framed() else None

    def _n_columns(self) -> int:
        """Return the number of columns, where that takes no reading of all chunks."""
        return self._items[0].shape()[1] - (self._weight_column is not None)

    def _map(
        self,
        function: Callable[[Any], Any],
        tail: tuple[int, ...],
        dtype: Any,
        *,
        framed: bool = False,
    ) -> Any:
        """Return Chunks of what a function returns for each chunk, without reading any.

        Each result has a row, of shape `tail`, for every row; a frame's is a frame if `framed`.
        """
        results = object.__new__(Chunks)
        results._items = [
            Result(self, number, function, tail, np.dtype(dtype)) for number in range(len(self))
        ]
        results._weights, results._weight_column = None, None
        return results


def as_chunks(X: Any, sample_weight: Any = None) -> Chunks | None:
    """Return Chunks, or a data set of pyarrow or a Dask collection as such; None for others.

    Weights are refused beside those that have their own.
    """
    if is_dask(X):
        from .dask_chunks import DaskChunks

        return DaskChunks(X, sample_weight)
    if not isinstance(X, Chunks):
        if not arrow.is_dataset(X):
            return None
        X = Chunks(X)
    if sample_weight is not None:
        raise ValueError(
            "sample_weight must be None where X are Chunks, which have their own: pass "
            "Chunks(..., sample_weight=...)."
        )
    return X


def template_of(X: Any) -> Any:
    """Return a frame without rows that has the columns of X, None where it is no frame."""
    chunks = as_chunks(X)
    return frames.template_of(X) if chunks is None else chunks._template()


class Result(Item):
    """What a function makes of a chunk of others."""

    def __init__(
        self,
        chunks: Chunks,
        number: int,
        function: Callable[[Any], np.ndarray],
        tail: tuple[int, ...],
        dtype: np.dtype,
    ) -> None:
        super().__init__()
        self._chunks, self._number, self._function = chunks, number, function
        self._tail, self._dtype = tail, dtype
        self.name = f"computed from {chunks._items[number].name}"

    def read(self) -> Any:
        """Compute the rows."""
        return self._function(self._chunks[self._number])

    def shape(self) -> tuple[int, ...]:
        """Return the shape of the rows, of the chunk that they are computed from."""
        return (self._chunks._items[self._number].shape()[0], *self._tail)

    def dtype(self) -> np.dtype:
        """Return the type of the rows."""
        return self._dtype

    def names(self) -> list[Any] | None:
        """Return the names of the columns of rows; labels and scores have none."""
        return None
