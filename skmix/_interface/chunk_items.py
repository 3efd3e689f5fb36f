"""One chunk of rows: an array or frame, a file, a function, or a part of a data set."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from . import arrow, frames
from .broken_files import BROKEN, MAX_HEADER
from .columns import Table

KINDS = (
    "arrays, data frames, paths to .npy or Parquet files, or functions that return an array each"
)

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
        seen = tuple(rows.shape), *types_of(rows)
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
            self._latest.rows = _mapped(self._path)
            self._latest.file = self._path, state
        return self._latest.rows

    def __getstate__(self) -> dict[str, Any]:
        return vars(self)


def _mapped(path: Path) -> np.ndarray:
    try:
        with np.errstate(over="ignore"):  # of lengths that no file has
            rows = np.load(path, mmap_mode="r", allow_pickle=False, max_header_size=MAX_HEADER)
    except BROKEN as error:
        raise ValueError(f"the file holds no array: {error}") from error
    if not isinstance(rows, np.ndarray):
        rows.close()
        raise ValueError("the file holds an archive of arrays. Pass .npy files")
    return rows


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


def items_of(chunks: Any, name: str, weight_column: str | None) -> list[Item]:
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

    def __init__(self, fragment: Any, schema: Any, n_rows: int, name: str) -> None:
        super().__init__()
        self._fragment, self._schema, self._n_rows, self.name = fragment, schema, n_rows, name

    def read(self) -> Any:
        """Return the columns in a Table."""
        return arrow.read(self._fragment, self._schema)

    def shape(self) -> tuple[int, ...]:
        """Return the shape of the rows, which the file knows."""
        return self._n_rows, len(self._schema.names)

    def names(self) -> list[Any] | None:
        """Return the names of the columns."""
        return list(self._schema.names)

    def framed(self) -> bool:
        """Say that users see an array."""
        return False


def read(item: Item, name: str) -> Any:
    try:
        rows = item.read()
    except Exception as error:
        text = f"{name} cannot be read: {type(error).__name__}: {str(error).rstrip('.')}."
        known = isinstance(error, TypeError | ValueError | FileNotFoundError)
        raise (type(error) if known and _takes_text(error) else RuntimeError)(text) from error
    item.check(rows, name)
    return rows


def _takes_text(error: Exception) -> bool:
    return type(error) in (TypeError, ValueError, FileNotFoundError)


def types_of(rows: Any) -> tuple[np.dtype, list[Any] | None]:
    """Return the type of all columns, object where some hold no numbers, and their names."""
    if isinstance(rows, np.ndarray) or getattr(rows, "ndim", 2) == 1:
        return np.asarray(rows).dtype, None
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
