"""Data sets of pyarrow and Parquet files, read one row group at a time; pyarrow is an extra."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from .columns import Table
from .frames import RawColumn


def is_dataset(X: Any) -> bool:
    """Whether X is a data set of pyarrow, which is not imported for that."""
    dataset = sys.modules.get("pyarrow.dataset")
    return dataset is not None and isinstance(X, dataset.Dataset)


def dataset_of(path: Path) -> Any:
    """Return the data set of a Parquet file or of a folder of them."""
    try:
        from pyarrow import dataset
    except ImportError as error:
        raise ImportError(
            f"Reading {str(path)!r} needs pyarrow, which is not installed: pip install "
            "'skmix[arrow]'."
        ) from error
    if not path.exists():
        raise FileNotFoundError(f"There is no Parquet file or folder {str(path)!r}.")
    try:
        return dataset.dataset(path, format="parquet", partitioning="hive")
    except (ValueError, OSError) as error:
        raise ValueError(
            f"chunks: {str(path)!r} cannot be read as Parquet: {error} Pass a Parquet file, or a "
            "folder that has nothing else; .npy files in a list."
        ) from error


def fragments(dataset: Any) -> list[tuple[Any, Any, int, str]]:
    """Return the row groups of a data set, or other parts of it.

    For each there are its schema, its number of rows and its name, too.
    """
    if not hasattr(dataset, "get_fragments"):
        raise TypeError(f"A {type(dataset).__name__} cannot be read again and again.")
    parts = []
    for fragment in dataset.get_fragments():
        path = getattr(fragment, "path", "in memory")
        if not hasattr(fragment, "split_by_row_group"):
            parts.append((fragment, dataset.schema, fragment.count_rows(), repr(path)))
            continue
        groups = fragment.split_by_row_group()
        for i, group in enumerate(groups):
            place = f", row group {i}" if len(groups) > 1 else ""
            n_rows = sum(part.num_rows for part in group.row_groups)
            parts.append((group, dataset.schema, n_rows, f"{path!r}{place}"))
    return parts


def read(fragment: Any, schema: Any) -> Table:
    """Return the columns of a part of a data set."""
    table = fragment.to_table(schema=schema, use_threads=False)
    columns = [
        _column(name, column)
        for name, column in zip(table.column_names, table.columns, strict=True)
    ]
    return Table(columns, list(table.column_names), table.num_rows)


def _column(name: str, column: Any) -> RawColumn:
    from pyarrow import types

    kind = column.type
    if types.is_floating(kind) or types.is_integer(kind):
        values = column.to_numpy()  # NaN where a cell is null
        if column.null_count and values.dtype.kind in "iu":
            values = values.astype(np.float64)
        return RawColumn(repr(name), values, None)
    if types.is_decimal(kind):
        return RawColumn(repr(name), column.cast("double").to_numpy(), None)
    if types.is_temporal(kind):
        return RawColumn(repr(name), np.asarray(column.to_numpy()), None)
    if not types.is_dictionary(kind):
        column = column.dictionary_encode()
    pieces = [np.empty(0, dtype=object)]
    for piece in column.chunks:
        known = np.empty(len(piece.dictionary) + 1, dtype=object)
        known[:-1] = piece.dictionary.to_pylist()
        known[-1] = None
        pieces.append(known[piece.indices.fill_null(len(piece.dictionary)).to_numpy()])
    return RawColumn(repr(name), np.concatenate(pieces), None)
