"""Tables with columns of several kinds as users have them, and as rows of floats.

In these rows numbers and counts are as they are, categories are codes (0, 1, ...), and NaN is a
missing cell of any kind.
"""

from __future__ import annotations

from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from . import encoding, frames, validation
from .frames import RawColumn
from .magnitudes import check_magnitudes
from .masked import masked_as_missing
from .wording import naming

KINDS = ("gaussian", "categorical", "poisson")

SINGLE = (np.dtype(np.float16), np.dtype(np.float32))
TO_NUMBERS = "Convert it to numbers, list it in categorical_features, or drop it."


class Table(NamedTuple):
    """Columns, and what their dtypes say of them."""

    columns: list[RawColumn]
    names: list[Any]  # as users call the columns; positions where they have no names
    n_samples: int

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return self.n_samples, len(self.columns)

    def select(self, places: list[int]) -> Table:
        """Return some of the columns."""
        columns = [self.columns[j] for j in places]
        return self._replace(columns=columns, names=[self.names[j] for j in places])

    def rows(self, chosen: np.ndarray) -> Table:
        """Return some of the rows."""
        columns = [column._replace(values=column.values[chosen]) for column in self.columns]
        return self._replace(columns=columns, n_samples=len(columns[0].values))

    def as_array(self) -> np.ndarray:
        """Return an array, of numbers where there are no others."""
        return frames.side_by_side([column.values for column in self.columns])


def read_table(estimator: Any, X: Any, *, reset: bool) -> Table:
    """Check rows as scikit-learn does, and read them column by column."""
    least = 2 if reset else 1
    X = masked_as_missing(X)
    if frames.is_frame(X):
        names = frames.names_of(X)
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        if 0 in X.shape or len(X) < least:  # scikit-learn words the error
            check_array(np.empty(X.shape), ensure_min_samples=least)
        return table_of(X, names)
    with naming("X", "a table, with as many cells in every row"):
        if not hasattr(X, "dtype") and np.asarray(X).dtype.kind in "US":
            X = np.array(X, dtype=object)  # cells keep their types
        X = validate_data(
            estimator,
            X,
            reset=reset,
            dtype=None,
            ensure_all_finite="allow-nan",
            ensure_min_samples=least,
        )
    return table_of(X)


def table_of(X: Any, names: list[Any] | None = None) -> Table:
    """Read rows column by column; an array has positions for names."""
    if isinstance(X, Table):
        raw, names = X.columns, X.names
    elif frames.is_frame(X):
        raw, names = frames.read_frame(X), names or frames.names_of(X)
    else:
        X = masked_as_missing(X)
        raw = [RawColumn(str(j), X[:, j], None) for j in range(X.shape[1])]
        names = list(range(X.shape[1]))
    return Table([_plain(column) for column in raw], names, X.shape[0])


def _plain(column: RawColumn) -> RawColumn:
    """Return objects that are all numbers, or missing, as floats."""
    values, kind = column.values, column.values.dtype.kind
    if kind in "Mm":
        raise frames.time_error(column.name, values.dtype)
    if kind != "O" or column.order is not None:
        return column
    missing = encoding._missing(values)
    observed = values[~missing]
    if all(
        isinstance(value, Real) and not isinstance(value, bool | np.bool_) for value in observed
    ):
        numbers = np.full(len(values), np.nan)
        numbers[~missing] = observed.astype(np.float64)
        return column._replace(values=numbers)
    return column


def resolve_kinds(table: Table, families: Any, categorical_features: Any) -> np.ndarray:
    """Return the kind of every column, one of `KINDS`: as given, or else by its dtype."""
    n_features = len(table.columns)
    numeric = [is_numeric(column) for column in table.columns]
    kinds = np.where(numeric, "gaussian", "categorical").astype(object)
    if not (isinstance(categorical_features, str) and categorical_features == "from_dtype"):
        kinds[:] = "gaussian"
        kinds[_positions(table, categorical_features)] = "categorical"
    for key, kind in ({} if families is None else families).items():
        if kind not in KINDS:
            raise ValueError(
                f"families[{key!r}] must be 'gaussian', 'categorical' or 'poisson', but is "
                f"{kind!r}."
            )
        kinds[_position(table, key, "families")] = kind
    for j in range(n_features):
        if kinds[j] != "categorical" and not numeric[j]:
            raise ValueError(_no_number(table.columns[j]))
    return kinds


def learn_rows(estimator: Any, X: Any, sample_weight: Any) -> tuple[Any, ...]:
    """Return what a fit learns of the columns of X by the parameters of an estimator.

    Rows of floats, the kinds of the columns, the categories, and checked weights.
    """
    table = read_table(estimator, X, reset=True)
    sample_weight = validation.check_sample_weight(sample_weight, np.empty((table.n_samples, 0)))
    kinds = resolve_kinds(table, estimator.families, estimator.categorical_features)
    rows, categories = encode(
        estimator,
        table,
        kinds,
        estimator.categories,
        handle_unknown=estimator.handle_unknown,
        kept=None if sample_weight is None else sample_weight > 0,
        learn=True,
    )
    return rows, kinds, categories, sample_weight


def is_numeric(column: RawColumn) -> bool:
    """Whether a column holds numbers."""
    return column.values.dtype.kind in "iuf" and column.order is None


def _no_number(column: RawColumn) -> str:
    observed = column.values[~encoding._missing(column.values)]
    held = "no numbers" if len(observed) == 0 else f"{observed[0]!r}, which is no number"
    return f"Column {column.name} of X holds {held}. {TO_NUMBERS}"


def _positions(table: Table, features: Any) -> list[int]:
    if features is None:
        return []
    listed = np.asarray(features)
    if listed.dtype == bool:
        if listed.shape != (len(table.columns),):
            raise ValueError(
                f"categorical_features is a mask of shape {listed.shape}, but X has "
                f"{len(table.columns)} columns. Give one entry per column."
            )
        return np.flatnonzero(listed).tolist()
    return [
        _position(table, key, "categorical_features") for key in np.atleast_1d(listed).tolist()
    ]


def _position(table: Table, key: Any, parameter: str) -> int:
    if key in table.names:
        return table.names.index(key)
    whole = isinstance(key, int | np.integer) and not isinstance(key, bool)
    if whole and -len(table.names) <= key < len(table.names):
        return int(key)
    raise ValueError(
        f"{parameter} names column {key!r}, but X has the columns {table.names[:20]}. Use these "
        "names, or positions from 0."
    )


def encode(
    estimator: Any,
    table: Table,
    kinds: np.ndarray,
    categories: Any,
    *,
    handle_unknown: str,
    kept: np.ndarray | None = None,
    learn: bool,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return rows of floats (n_samples, n_features) and the categories of categorical columns.

    `learn` takes categories from the masked rows `kept` where they are 'auto'; `categories` are
    those of a fit otherwise.
    """
    places = np.flatnonzero(kinds == "categorical")
    rows = np.empty((table.n_samples, len(kinds)), _dtype(table, kinds))
    for j in np.flatnonzero(kinds != "categorical"):
        column = table.columns[j]
        if not is_numeric(column):
            raise ValueError(_no_number(column))
        rows[:, j] = column.values
        _check_numbers(column.name, rows[:, j], kinds[j])
    if len(places):
        columns = [categorical(table.columns[j]) for j in places]
        if learn:
            every = np.ones(table.n_samples, bool) if kept is None else kept
            given = categories
            categories = encoding.learn_categories(columns, given, every)
            check_whole(columns, categories, given)
        codes = encoding.encode(columns, categories, handle_unknown, kept)
        rows[:, places] = np.where(codes < 0, np.nan, codes)
    check_magnitudes(estimator, rows, in_fit=learn)
    return rows, list(categories) if len(places) else []


def encode_seen(
    estimator: Any, X: Any, kinds: np.ndarray, categories: list[np.ndarray]
) -> np.ndarray:
    """Return rows of floats, by the kinds and categories of a fit."""
    table = read_table(estimator, X, reset=False)
    unknown = estimator.handle_unknown
    rows, _ = encode(estimator, table, kinds, categories, handle_unknown=unknown, learn=False)
    return rows


def _dtype(table: Table, kinds: np.ndarray) -> np.dtype:
    """Return float32 where all numbers are, which codes fit into as well."""
    numbers = [table.columns[j].values.dtype for j in np.flatnonzero(kinds != "categorical")]
    single = len(numbers) > 0 and all(dtype in SINGLE for dtype in numbers)
    return np.dtype(np.float32 if single else np.float64)


def _check_numbers(name: str, values: np.ndarray, kind: str) -> None:
    if np.any(np.isinf(values)):
        raise ValueError(
            f"Input X contains infinity in column {name}. Write missing cells as NaN, or "
            "replace what is infinite."
        )
    if kind != "poisson":
        return
    remedy = "counts are 0, 1, 2, ... Leave the column out of the parameter families, or round it."
    if np.any(values < 0):
        raise ValueError(
            f"Negative values in data: column {name}, which is 'poisson', holds "
            f"{np.nanmin(values)}; {remedy}"
        )
    fractions = values[values != np.floor(values)]
    fractions = fractions[~np.isnan(fractions)]
    if len(fractions):
        raise ValueError(
            f"Fractional values in data: column {name}, which is 'poisson', holds "
            f"{fractions[0]}; {remedy}"
        )


def categorical(column: RawColumn) -> encoding.Column:
    """Find the distinct values of a column."""
    values = column.values
    missing = encoding._missing(values)
    cells = values[~missing].tolist()
    try:
        distinct = sorted(set(cells))
    except TypeError as error:
        raise TypeError(
            f"Column {column.name} of X has cells of different types: its argument must be a "
            f"string or a number throughout. Convert it, for example with astype(str). ({error})"
        ) from error
    place = {value: i for i, value in enumerate(distinct)}
    positions = np.full(len(values), -1, dtype=np.int32)
    positions[~missing] = [place[cell] for cell in cells]
    return encoding.Column(column.name, np.array(distinct), positions, column.order)


def check_whole(
    columns: list[encoding.Column], learned: list[np.ndarray], categories: Any
) -> None:
    """Refuse negative whole numbers, such as -1 for missing, among categories nobody listed."""
    if not isinstance(categories, str):
        return
    for column, known in zip(columns, learned, strict=True):
        whole = known.dtype.kind in "if" and np.all(known == np.floor(known))
        if whole and column.order is None:
            encoding.check_negative(column.name, known)


def decode(rows: np.ndarray, kinds: np.ndarray, categories: list[np.ndarray]) -> list[np.ndarray]:
    """Return the columns that complete rows of floats stand for."""
    known = iter(categories)
    return [
        next(known)[rows[:, j].astype(np.int64)] if kind == "categorical" else rows[:, j]
        for j, kind in enumerate(kinds)
    ]


def as_users_have_them(
    rows: np.ndarray, kinds: np.ndarray, categories: list[np.ndarray], template: Any
) -> Any:
    """Return complete rows as the frame that was fitted, or as an array."""
    columns = decode(rows, kinds, categories)
    if template is not None:
        return frames.make_frame(template, frames.round_integers(template, columns))
    return frames.side_by_side(columns)


def fill(
    X: Any, rows: np.ndarray, filled: np.ndarray, kinds: np.ndarray, categories: list[np.ndarray]
) -> Any:
    """Return X with what `filled` stands for where `rows` have NaN, as X has its cells."""
    columns = decode(filled, kinds, categories)
    holes = np.isnan(rows)
    X = masked_as_missing(X)
    if frames.is_frame(X):
        return frames.fill(X, holes, columns)
    X = np.asarray(X) if hasattr(X, "dtype") else np.array(X, dtype=object)
    if X.dtype == object and all(values.dtype.kind in "biuf" for values in columns):
        X = rows  # nothing but numbers
    X = X.astype(object) if X.dtype.kind in "US" else X.copy()
    for j in np.flatnonzero(holes.any(axis=0)):
        X[holes[:, j], j] = columns[j][holes[:, j]]
    return X


def with_holes(X: Any, holes: np.ndarray) -> Any:
    """Return complete rows with some cells missing, given by a mask of their shape."""
    places = np.flatnonzero(holes.any(axis=0)).tolist()
    if frames.is_frame(X):
        raw = frames.read_frame(X)
        return frames.replace_columns(X, {j: _holed(raw[j].values, holes[:, j]) for j in places})
    if places and X.dtype.kind in "OUS":
        X = X.astype(object)
        X[holes] = None
    elif places:
        X = X.astype(np.result_type(X.dtype, np.float32))
        X[holes] = np.nan
    return X


def _holed(values: np.ndarray, holes: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        return np.where(holes, np.nan, values)
    values = values.astype(object)
    values[holes] = None
    return values


def is_empty(column: RawColumn, sample_weight: Any) -> bool:
    """Whether every cell of a column, in rows of positive weight, is missing."""
    missing = encoding._missing(column.values)
    if sample_weight is not None and np.shape(sample_weight) == missing.shape:
        missing = missing | (np.asarray(sample_weight) == 0)
    return bool(missing.all())


def take_columns(X: Any, kept: np.ndarray) -> Any:
    """Return some of the columns, as X has them."""
    if isinstance(X, Table):
        return X.select(kept.tolist())
    if frames.is_frame(X):
        return frames.some_columns(X, kept)
    X = masked_as_missing(X)
    X = X if hasattr(X, "dtype") else np.array(X, dtype=object)
    return X[:, kept]


def with_empty_columns(X: Any, seen: Any, empty: np.ndarray, number: float, other: str) -> Any:
    """Return the columns of X: those in `seen`, and empty ones filled with one value each."""
    if frames.is_frame(X):
        raw = frames.read_frame(X)
        names, of_seen = frames.names_of(X), frames.read_frame(seen)
        kept = iter(of_seen)
        changed = {}
        for j in range(len(names)):
            if j not in empty:
                changed[j] = next(kept).values
                continue
            numeric = is_numeric(_plain(raw[j]))
            changed[j] = np.full(len(raw[j].values), number if numeric else other)
            changed[j] = changed[j] if numeric else changed[j].astype(object)
        return frames.replace_columns(X, changed)
    whole = np.empty((len(seen), seen.shape[1] + len(empty)), dtype=seen.dtype)
    whole[:, np.delete(np.arange(whole.shape[1]), empty)] = seen
    whole[:, empty] = number
    return whole
