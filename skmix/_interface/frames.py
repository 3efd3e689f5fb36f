"""Data frames of pandas and polars: read column by column, and made again with the same dtypes.

Neither library is imported here: a frame brings its own classes.
"""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import Any, NamedTuple

import numpy as np


class RawColumn(NamedTuple):
    """One column as NumPy has it."""

    name: str  # for messages
    values: np.ndarray  # as in an array; a missing cell is NaN, or None among objects
    order: list | None  # of the categories, where the column declares them


def is_frame(X: Any) -> bool:
    """Whether X is a data frame of pandas or polars; a lazy one is refused."""
    if hasattr(X, "collect_schema") and not _is_polars(X):
        raise TypeError(f"X is a {type(X).__name__} without rows as yet: pass X.collect().")
    return getattr(X, "ndim", 2) == 2 and (_is_pandas(X) or _is_polars(X))


def _is_pandas(X: Any) -> bool:
    return hasattr(X, "iloc") and hasattr(X, "columns")


def _is_polars(X: Any) -> bool:
    return hasattr(X, "get_column") and hasattr(X, "with_columns")


def library_of(X: Any) -> str:
    """Return the name of a frame's library, as `set_output` takes it."""
    return "polars" if _is_polars(X) else "pandas"


def as_array(X: Any) -> np.ndarray:
    """Return a frame as an array: of numbers where there are no others."""
    return side_by_side([column.values for column in read_frame(X)])


def side_by_side(columns: list[np.ndarray]) -> np.ndarray:
    """Return columns side by side: of numbers where there are no others, of objects else."""
    numeric = all(values.dtype.kind in "biuf" for values in columns)
    dtype = np.result_type(*columns) if numeric else object
    return np.stack([values.astype(dtype, copy=False) for values in columns], axis=1)


def names_of(X: Any) -> list[Any]:
    """Return the names of the columns; refuse those that come twice."""
    names = list(X.columns)
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise ValueError(
            f"Column {twice[0]!r} of X comes {names.count(twice[0])} times. Rename columns so "
            "that every name is there once."
        )
    return names


def read_frame(X: Any) -> list[RawColumn]:
    """Return the columns of a frame."""
    names = names_of(X)
    if _is_polars(X):
        return [_read_polars(repr(name), X.get_column(name)) for name in names]
    return [_read_pandas(repr(name), X.iloc[:, j]) for j, name in enumerate(names)]


def _read_pandas(name: str, series: Any) -> RawColumn:
    declared = getattr(series.dtype, "categories", None)
    if declared is not None:
        return RawColumn(name, np.asarray(series, dtype=object), list(declared))
    kind = getattr(series.dtype, "kind", "O")
    if kind in "Mm":
        return RawColumn(
            name, series.to_numpy(dtype="datetime64[ns]" if kind == "M" else None), None
        )
    if kind in "iu" and not series.hasnans:
        return RawColumn(name, series.to_numpy(), None)
    if kind in "iuf":
        dtype = np.float32 if str(series.dtype).lower() == "float32" else np.float64
        return RawColumn(name, series.to_numpy(dtype=dtype, na_value=np.nan), None)
    return RawColumn(name, np.asarray(series, dtype=None if kind == "b" else object), None)


def _read_polars(name: str, series: Any) -> RawColumn:
    dtype = series.dtype
    if dtype.is_temporal():
        return RawColumn(name, series.to_numpy(), None)
    if dtype.is_nested():
        raise TypeError(
            f"Column {name} of X holds {dtype}: every cell must be a number or a category. Take "
            "it apart into columns, or drop it."
        )
    if dtype.is_numeric():
        return RawColumn(name, np.asarray(series.to_numpy()), None)
    declared = getattr(dtype, "categories", None)  # of an Enum
    order = list(declared) if type(dtype).__name__ == "Enum" and declared is not None else None
    values = np.empty(len(series), dtype=object)
    values[:] = series.to_list()
    return RawColumn(name, values, order)


def template_of(X: Any) -> Any:
    """Return a frame without rows that has the columns of X; None where X is no frame."""
    if not is_frame(X):
        return None
    return X.clear() if _is_polars(X) else X.iloc[:0].copy()


def some_columns(template: Any, columns: np.ndarray) -> Any:
    """Return a template of some of the columns, given by their positions."""
    if template is None:
        return None
    if _is_polars(template):
        return template.select([template.columns[j] for j in columns])
    return template.iloc[:, columns]


def holds_integers(template: Any) -> list[bool]:
    """Say for every column whether its dtype is one of integers."""
    return [_is_integer(dtype) for dtype in template.dtypes]


def _is_integer(dtype: Any) -> bool:
    return (
        dtype.is_integer() if hasattr(dtype, "is_integer") else getattr(dtype, "kind", "") in "iu"
    )


def as_integers(values: np.ndarray, dtype: Any) -> np.ndarray:
    """Round numbers to integers that a dtype of pandas or polars can hold."""
    bounds = np.iinfo(str(dtype).lower().split("[")[0])
    # The largest integers of 64 bits are no floats: what rounds up to them would overflow.
    highest = np.nextafter(float(bounds.max), 0.0) if bounds.bits == 64 else float(bounds.max)
    return np.clip(np.rint(values), float(bounds.min), highest).astype(bounds.dtype)


def round_integers(template: Any, columns: Iterable[np.ndarray]) -> list[np.ndarray]:
    """Return columns, those of floats as integers where those of a template are."""
    return [
        as_integers(values, dtype) if values.dtype.kind == "f" and _is_integer(dtype) else values
        for values, dtype in zip(columns, template.dtypes, strict=True)
    ]


def make_frame(template: Any, columns: list[np.ndarray]) -> Any:
    """Return a frame of these complete columns, with the names and dtypes of a template."""
    if _is_polars(template):
        data = {
            name: values.tolist() for name, values in zip(template.columns, columns, strict=True)
        }
        return type(template)(data, schema=template.schema)
    frame = type(template)(dict(zip(template.columns, columns, strict=True)))
    return frame.astype(dict(zip(template.columns, template.dtypes, strict=True)))


def _filled(values: np.ndarray, holes: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Return the values of a column, with new ones where there are holes."""
    whole = np.empty(len(values), dtype=new.dtype if new.dtype.kind == "f" else object)
    # What stands in a hole, a word that is no category for instance, may be no number.
    whole[~holes], whole[holes] = values[~holes], new[holes]
    return whole


def fill(X: Any, holes: np.ndarray, columns: Any) -> Any:
    """Return a copy of a frame with what `columns`, by position, have in the holes (a mask)."""
    raw = read_frame(X)
    return replace_columns(
        X,
        {
            j: _filled(raw[j].values, holes[:, j], columns[j])
            for j in np.flatnonzero(holes.any(axis=0)).tolist()
        },
    )


def refuse_times(X: Any) -> None:
    """Refuse a frame with a column of times, which would be read as numbers of nanoseconds."""
    for name, dtype in zip(X.columns, X.dtypes, strict=True):
        temporal = getattr(dtype, "is_temporal", None)
        if temporal() if temporal is not None else getattr(dtype, "kind", "O") in "mM":
            raise time_error(repr(name), dtype)


def time_error(name: str, dtype: Any) -> TypeError:
    """Return the error of a column of times."""
    return TypeError(
        f"Column {name} of X holds times ({dtype}). Turn it into numbers, such as days since a "
        "date, or drop it."
    )


def describe_fault(X: Any) -> str | None:
    """Return what makes a frame unfit to be numbers, and what to do; None where nothing does."""
    for column in read_frame(X):
        if column.values.dtype.kind == "O":
            other = [cell for cell in column.values.tolist() if not isinstance(cell, Real)]
            text = [cell for cell in other if isinstance(cell, str)]
            if text:
                return (
                    f"Column {column.name} of X holds text, such as {text[0]!r}. Use "
                    "MixedMixture, which takes numbers and categories, CategoricalMixture where "
                    "all columns are categories, or drop it."
                )
            if other:
                return (
                    f"Column {column.name} of X holds objects, such as {other[0]!r}. Make it a "
                    "column of numbers, with NaN where cells are missing."
                )
    return None


def replace_columns(X: Any, columns: dict[int, np.ndarray]) -> Any:
    """Return a copy of a frame in which some columns, by position, have other values.

    They keep their dtype where it can hold the values.
    """
    if _is_polars(X):
        return X.with_columns(
            [_polars_series(X.get_column(X.columns[j]), values) for j, values in columns.items()]
        )
    X = X.copy()
    for j, values in columns.items():
        X.isetitem(j, _pandas_series(X.iloc[:, j], values))
    return X


def _polars_series(series: Any, values: np.ndarray) -> Any:
    cells, make = values.tolist(), type(series)
    if series.dtype.is_integer() and all(float(cell).is_integer() for cell in cells):
        cells = [int(cell) for cell in cells]
    try:
        return make(series.name, cells, dtype=series.dtype, strict=True)
    except Exception:  # polars has several, one for every kind of misfit
        return make(series.name, cells, strict=False)


def _pandas_series(series: Any, values: np.ndarray) -> Any:
    declared = getattr(series.dtype, "categories", None)
    plain = type(series)(values, index=series.index, name=series.name)
    if declared is not None and not set(values.tolist()) <= set(declared):
        return plain
    if getattr(series.dtype, "kind", "O") in "iu" and np.any(values != np.floor(values)):
        return plain
    try:
        return plain.astype(series.dtype)
    except (TypeError, ValueError):
        return plain
