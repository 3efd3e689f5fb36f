"""Rows in chunks that are read again in every pass: arrays, files, functions, Parquet."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from . import arrow, frames
from .columns import Table

KINDS = (
    "arrays, data frames, paths to .npy or Parquet files, or functions that return an array each"
)


class Chunks:
    """Rows in chunks, for fits to more rows than memory holds.

    A chunk is read when it is needed, again in every pass, and no more than one chunk per thread
    is held at a time. `GaussianMixture`, `DiagonalGMM`, `CategoricalMixture` and `MixedMixture`
    take Chunks in `fit` and `score`, and return Chunks where they return rows; the fit is that to
    all rows in one array.

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
    other: ``numpy.concatenate(list(chunks))`` gathers them. A fit reads all rows about 10 times
    before the first iteration of EM and once in each. It holds, beside the chunks that are read,
    what a fit to one array holds: sums over rows, and a sample of at most some 10 MB of rows for
    the start. Integers become floats chunk by chunk. A fit by `CategoricalMixture` also holds the
    distinct rows.

    Where a chunk cannot be read any more, or has become another, the error names its number and
    its path, and an earlier fit is kept.

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
        weight_column = sample_weight if isinstance(sample_weight, str) else None
        self._items = _items(chunks, "chunks", weight_column)
        self._weight_column = weight_column
        self._weights: list[Item] | None = None
        if sample_weight is not None and weight_column is None:
            self._weights = _items(sample_weight, "sample_weight", None)
            if len(self._weights) != len(self._items):
                raise ValueError(
                    f"sample_weight lists the weights of {len(self._weights)} chunks, but there "
                    f"are {len(self._items)}. Give one array of weights per chunk."
                )

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, number: int) -> Any:
        rows = self.read(range(len(self))[number])[0]
        return rows.as_array() if isinstance(rows, Table) else rows

    def __iter__(self) -> Iterator[Any]:
        return (self[number] for number in range(len(self)))

    def __repr__(self) -> str:
        weighted = ", weighted" if self.weighted else ""
        return f"Chunks({len(self)} chunks{weighted})"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise TypeError(
            "Chunks are not gathered into one array, which was asked for here: GaussianMixture, "
            "DiagonalGMM, CategoricalMixture and MixedMixture take Chunks, other estimators do "
            "not. Pass numpy.concatenate(list(chunks)) where the rows fit into memory."
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows and of columns of all chunks together."""
        first = self._items[0].shape()
        n_rows = first[0] + sum(item.shape()[0] for item in self._items[1:])
        if self._weight_column is not None:
            first = (first[0], first[1] - 1)
        return (n_rows, *first[1:])

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

    def name(self, number: int) -> str:
        """Name a chunk in a message."""
        return f"Chunk {number} of X ({self._items[number].name})"

    def sliceable(self, number: int) -> bool:
        """Whether it costs little to read a few rows of a chunk alone."""
        return self._items[number].sliceable and self._weight_column is None

    def names(self) -> list[Any] | None:
        """Return the names of the columns of the first chunk, None where it is an array."""
        names = self._items[0].names()
        return names if names is None else [n for n in names if n != self._weight_column]

    def framed(self) -> bool:
        """Whether users see the first chunk as a data frame."""
        return self._items[0].framed()

    def read(self, number: int) -> tuple[Any, Any]:
        """Return a chunk, an array, frame or Table, and its weights as they were given."""
        rows = _read(self._items[number], self.name(number))
        weight = None
        if self._weight_column is not None:
            rows, weight = split_column(rows, self._weight_column, self.name(number))
        elif self._weights is not None:
            weight = _read(self._weights[number], f"sample_weight of chunk {number}")
            weight = np.asarray(weight)
        return rows, weight

    def map(self, function: Callable[[Any], np.ndarray], tail: tuple[int, ...], dtype: Any) -> Any:
        """Return Chunks of what a function returns for each chunk, without reading any.

        Each result has a row, of shape `tail`, for every row.
        """
        results = object.__new__(Chunks)
        results._items = [
            Result(self, number, function, tail, np.dtype(dtype)) for number in range(len(self))
        ]
        results._weights, results._weight_column = None, None
        return results


def as_chunks(X: Any) -> Chunks | None:
    """Return Chunks, or a data set of pyarrow as such; None where X is something else."""
    if isinstance(X, Chunks):
        return X
    return Chunks(X) if arrow.is_dataset(X) else None


# Kinds of chunks ------------------------------------------------------------------------------


# Shape, type and names of columns of a chunk.
Seen = tuple[tuple[int, ...], np.dtype, list[Any] | None]


class Item:
    """One chunk: how it is read."""

    name: str
    sliceable = False

    def __init__(self) -> None:
        self._seen: Seen | None = None

    def read(self) -> Any:
        """Return the rows."""
        raise NotImplementedError

    def shape(self) -> tuple[int, ...]:
        """Return the shape of the rows, read if they were not read before."""
        return self._known()[0]

    def dtype(self) -> np.dtype:
        """Return the type of the rows, likewise."""
        return self._known()[1]

    def names(self) -> list[Any] | None:
        """Return the names of the columns, None where they have none."""
        return self._known()[2]

    def framed(self) -> bool:
        """Whether the rows are a data frame."""
        return self.names() is not None

    def _known(self) -> Seen:
        if self._seen is None:
            self.check(self.read(), self.name)
        assert self._seen is not None
        return self._seen

    def check(self, rows: Any, name: str) -> None:
        """Compare what was read with what was read before."""
        seen = tuple(rows.shape), *_types_of(rows)
        if self._seen is None:
            self._seen = seen
        elif self._seen != seen:
            raise ValueError(
                f"{name} has shape {seen[0]} and dtype {seen[1]} now, but had {self._seen[0]} and "
                f"{self._seen[1]}, or other columns, when it was read before. A chunk must be the "
                "same in every pass."
            )


class ArrayItem(Item):
    """An array or a frame in memory, or a mapped one."""

    def __init__(self, rows: Any) -> None:
        super().__init__()
        self._rows = rows
        self.sliceable = isinstance(rows, np.ndarray)
        self.name = "an array" if self.sliceable else "a data frame"

    def read(self) -> Any:
        """Return the rows."""
        return self._rows


class FileItem(Item):
    """A .npy file, mapped anew by every thread, so that few files are open."""

    sliceable = True
    _latest = threading.local()  # of this thread: a file, and its array

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._state: tuple[int, int, int] | None = None
        self.name = repr(str(path))

    def read(self) -> Any:
        """Return the mapped rows."""
        status = os.stat(self._path)
        state = status.st_size, status.st_mtime_ns, status.st_ino
        if self._state is not None and state != self._state:
            self._latest.file = None
            if state[0] < self._state[0]:  # reading beyond its end would end the process
                raise ValueError("the file has become shorter since it was first read")
        self._state = state
        if getattr(self._latest, "file", None) != (self._path, state):
            self._latest.file = None
            self._latest.rows = np.load(self._path, mmap_mode="r", allow_pickle=False)
            self._latest.file = self._path, state
        return self._latest.rows

    def __getstate__(self) -> dict[str, Any]:
        return vars(self)


class FunctionItem(Item):
    """A function that returns the rows."""

    def __init__(self, function: Callable[[], Any]) -> None:
        super().__init__()
        self._function = function
        self.name = f"by {getattr(function, '__qualname__', type(function).__name__)}"

    def read(self) -> Any:
        """Call the function."""
        rows = self._function()
        if not (isinstance(rows, np.ndarray | Table) or frames.is_frame(rows)):
            hint = ", which can be read only once" if isinstance(rows, Iterator) else ""
            raise TypeError(
                f"the function returned a {type(rows).__name__}{hint}. It must return an array or "
                "a data frame"
            )
        return rows


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


def _items(chunks: Any, name: str, weight_column: str | None) -> list[Item]:
    if isinstance(chunks, Chunks):
        raise TypeError(f"{name} are Chunks already: pass them as they are.")
    if arrow.is_dataset(chunks):
        listed = _fragments(chunks)
    elif isinstance(chunks, str | os.PathLike):
        path = Path(chunks)
        listed = _fragments(arrow.dataset_of(path)) if _is_parquet(path) else [_item(path, name)]
    elif isinstance(chunks, np.ndarray) or frames.is_frame(chunks) or callable(chunks):
        raise TypeError(
            f"{name} must be a list of {KINDS}, but is a {type(chunks).__name__}. A single chunk "
            "is a list of one."
        )
    elif isinstance(chunks, Iterator):
        raise TypeError(
            f"{name} is a {type(chunks).__name__}, which can be read only once, and a fit reads "
            f"its rows again in every pass. Pass a list of {KINDS}."
        )
    elif isinstance(chunks, Iterable):
        listed = [item for chunk in chunks for item in _several(chunk, name)]
    else:
        raise TypeError(f"{name} must be a list of {KINDS}, but is a {type(chunks).__name__}.")
    if not listed:
        raise ValueError(f"{name} is empty. Pass at least one chunk.")
    return listed


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in (".parquet", ".pq") or path.is_dir()


def _fragments(dataset: Any) -> list[Item]:
    return [FragmentItem(*parts) for parts in arrow.fragments(dataset)]


def _several(chunk: Any, name: str) -> list[Item]:
    if isinstance(chunk, str | os.PathLike) and _is_parquet(Path(chunk)):
        return _fragments(arrow.dataset_of(Path(chunk)))
    return [_item(chunk, name)]


def _item(chunk: Any, name: str) -> Item:
    if isinstance(chunk, str | os.PathLike):
        path = Path(chunk)
        if path.suffix.lower() != ".npy":
            raise ValueError(
                f"{name} holds the path {str(path)!r}, which is not that of a .npy or .parquet "
                "file. Pass a function that reads it and returns an array."
            )
        return FileItem(path)
    if isinstance(chunk, np.ndarray | Table) or frames.is_frame(chunk):
        return ArrayItem(chunk)
    if callable(chunk):
        return FunctionItem(chunk)
    if isinstance(chunk, Iterator):
        raise TypeError(
            f"{name} holds a {type(chunk).__name__}, which can be read only once, and a fit reads "
            f"its rows again in every pass. Pass {KINDS}."
        )
    raise TypeError(f"{name} holds a {type(chunk).__name__}, but must hold {KINDS}.")


class FragmentItem(Item):
    """A row group of a Parquet file, or a part of another data set of pyarrow."""

    def __init__(self, fragment: Any, schema: Any, name: str) -> None:
        super().__init__()
        self._fragment, self._schema, self.name = fragment, schema, name

    def read(self) -> Any:
        """Return the columns in a Table."""
        return arrow.read(self._fragment, self._schema)

    def shape(self) -> tuple[int, ...]:
        """Return the shape of the rows, which the file knows."""
        return self._fragment.count_rows(), len(self._schema.names)

    def names(self) -> list[Any] | None:
        """Return the names of the columns."""
        return list(self._schema.names)

    def framed(self) -> bool:
        """Say that users see an array."""
        return False


def _read(item: Item, name: str) -> Any:
    try:
        rows = item.read()
    except Exception as error:
        text = f"{name} cannot be read: {type(error).__name__}: {error}."
        known = isinstance(error, TypeError | ValueError | FileNotFoundError)
        raise (type(error) if known and _takes_text(error) else RuntimeError)(text) from error
    item.check(rows, name)
    return rows


def _takes_text(error: Exception) -> bool:
    return type(error) in (TypeError, ValueError, FileNotFoundError)


def _types_of(rows: Any) -> tuple[np.dtype, list[Any] | None]:
    """Return the type of all columns, object where some hold no numbers, and their names."""
    if isinstance(rows, np.ndarray):
        return rows.dtype, None
    table = as_table(rows)
    dtypes = [column.values.dtype for column in table.columns]
    numeric = all(dtype.kind in "biuf" for dtype in dtypes)
    return np.result_type(*dtypes) if numeric else np.dtype(object), list(table.names)


def as_table(rows: Any) -> Table:
    """Return the columns of a frame."""
    if isinstance(rows, Table):
        return rows
    return Table(frames.read_frame(rows), frames.names_of(rows), len(rows))


def split_column(rows: Any, column: str, name: str) -> tuple[Any, np.ndarray]:
    """Return rows without a column, and that column."""
    if isinstance(rows, np.ndarray):
        raise ValueError(
            f"sample_weight={column!r} names a column, but {name} is an array, whose columns have "
            "no names. Give weights as a list of arrays."
        )
    names = list(rows.names if isinstance(rows, Table) else frames.names_of(rows))
    if column not in names:
        raise ValueError(
            f"sample_weight={column!r} is no column of {name}, which has {names[:20]}."
        )
    place = names.index(column)
    table = as_table(rows)
    kept = [j for j in range(len(names)) if j != place]
    weight = table.columns[place].values
    if isinstance(rows, Table):
        return table.select(kept), weight
    return frames.some_columns(rows, np.array(kept, dtype=int)), weight
