"""Categorical columns as users have them, and as codes: integers from 0, with -1 for missing."""

from __future__ import annotations

import sys
import warnings
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.preprocessing import OrdinalEncoder
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from ..exceptions import user_level
from . import frames
from .masked import masked_as_missing
from .wording import naming

# Distinct integers up to here are found by counting, which is faster than sorting.
MAX_COUNTED = 2**16
# So many rows that differ in a column throughout do so by more than chance.
MANY_ROWS = 50


class Column(NamedTuple):
    """One column: its distinct observed values, and where each row's is among them."""

    name: str  # for messages
    values: np.ndarray  # (n_values,), sorted
    positions: np.ndarray  # (n_samples,), -1 where the answer is missing
    order: list | None  # of the categories, where the column declares one


def categorical_tags(tags: Any) -> Any:
    """Mark what estimators of categorical columns accept."""
    tags.input_tags.categorical = True
    tags.input_tags.string = True
    tags.input_tags.positive_only = True
    tags.input_tags.allow_nan = True
    return tags


def read_columns(estimator: Any, X: Any, *, reset: bool, categories: Any = "auto") -> list[Column]:
    """Check rows as scikit-learn does, and read them column by column.

    Numbers must be 0, 1, 2, ... unless `categories`, or the dtype of a column, say which there
    are.
    """
    declared = not isinstance(categories, str)
    X = masked_as_missing(X)
    if frames.is_frame(X):
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        if 0 in X.shape:  # scikit-learn words the error
            check_array(np.empty(X.shape))
        return columns_of(X, declared)
    with naming("X", "a table, with as many cells in every row"):
        if not hasattr(X, "dtype") and np.asarray(X).dtype.kind in "US":
            X = np.array(X, dtype=object)
        X = validate_data(estimator, X, reset=reset, dtype=None, ensure_all_finite="allow-nan")
    return columns_of(X, declared)


def columns_of(X: Any, declared: bool) -> list[Column]:
    """Read a frame, columns of one, or an array column by column.

    `declared` says that its numbers are listed somewhere.
    """
    raw = getattr(X, "columns", None)
    if frames.is_frame(X):
        raw = frames.read_frame(X)
    if raw is not None:
        return [
            _read_column(
                column.name, column.values, declared or column.order is not None
            )._replace(order=column.order)
            for column in raw
        ]
    X = masked_as_missing(X)
    if X.dtype.kind in "if" and not declared:
        for j in range(X.shape[1]):  # a negative number anywhere is named before a fraction
            check_negative(str(j), X[:, j])
    return [_read_column(str(j), X[:, j], declared) for j in range(X.shape[1])]


def learn_categories(columns: list[Column], categories: Any, rows: np.ndarray) -> list[np.ndarray]:
    """Return the categories of every column, from the masked rows where they are 'auto'."""
    if isinstance(categories, str):
        return [_observed_categories(column, rows) for column in columns]
    if len(categories) != len(columns):
        raise ValueError(
            f"categories lists {len(categories)} columns, but X has {len(columns)}. Give one "
            "list of categories per column, or 'auto'."
        )
    learned = []
    for column, given in zip(columns, categories, strict=True):
        given = np.asarray(given)
        if given.ndim != 1 or len(given) == 0 or len(set(given.tolist())) < len(given):
            raise ValueError(
                f"categories of column {column.name} must be a non-empty list without repeats, "
                f"but are {given.tolist()}."
            )
        learned.append(given)
    return learned


def encode(
    columns: list[Column],
    categories: list[np.ndarray],
    handle_unknown: str,
    rows: np.ndarray | None = None,
) -> np.ndarray:
    """Return codes (n_samples, n_features); only masked `rows` may complain of unknown values."""
    largest = max(len(values) for values in categories)
    dtype = np.result_type(np.min_scalar_type(largest), np.int8)
    codes = np.empty((len(columns[0].positions), len(columns)), dtype=dtype)
    for j, (column, known) in enumerate(zip(columns, categories, strict=True)):
        of_value = _code_values(column, known)
        if handle_unknown == "error" and np.any(of_value[:-1] < 0):
            present = column.positions if rows is None else column.positions[rows]
            unknown = np.intersect1d(np.flatnonzero(of_value[:-1] < 0), present)
            if len(unknown):
                raise ValueError(
                    f"Found unknown categories {column.values[unknown][:10].tolist()} in column "
                    f"{column.name}. Use handle_unknown='ignore' to treat them as missing, or "
                    "list all categories in the parameter categories."
                )
        codes[:, j] = of_value[column.positions]
    return codes


def warn_of_identifiers(columns: list[Column], codes: np.ndarray) -> None:
    """Warn of columns in which no two of many rows have the same answer."""
    for j, column in enumerate(columns):
        answers = codes[codes[:, j] >= 0, j]
        if len(answers) >= MANY_ROWS and len(np.unique(answers)) == len(answers):
            warnings.warn(
                f"Column {column.name} has another value in each of its {len(answers)} rows, as "
                "identifiers have: it says nothing about classes and makes every criterion prefer "
                "fewer of them. Drop it.",
                stacklevel=user_level(),
            )


def decode(codes: np.ndarray, categories: list[np.ndarray]) -> np.ndarray:
    """Return the categories that codes without missing ones stand for."""
    return frames.side_by_side([known[codes[:, j]] for j, known in enumerate(categories)])


def fill(X: Any, codes: np.ndarray, filled: np.ndarray, categories: list[np.ndarray]) -> Any:
    """Return a copy of X, with the categories that `filled` stands for where codes are -1."""
    holes = codes < 0
    new = {j: categories[j][filled[:, j]] for j in np.flatnonzero(holes.any(axis=0)).tolist()}
    X = masked_as_missing(X)
    if frames.is_frame(X):
        return frames.fill(X, holes, new)
    X = np.array(X)
    X = X.astype(object) if X.dtype.kind in "US" else X
    for j, values in new.items():
        X[holes[:, j], j] = values[holes[:, j]]
    return X


def _read_column(name: str, values: np.ndarray, declared: bool) -> Column:
    missing = _missing(values)
    observed = values[~missing]
    if observed.dtype.kind == "O" and all(isinstance(value, Real) for value in observed):
        observed = np.array(observed.tolist())
    if observed.dtype.kind in "biuf":
        _check_numbers(name, observed, declared)
    try:
        distinct, inverse = _distinct(observed)
    except TypeError as error:
        raise TypeError(
            f"Column {name} has values of different types: its argument must be a string or a "
            f"number throughout. Convert it, for example with astype(str). ({error})"
        ) from error
    positions = np.full(len(values), -1, dtype=np.int32)
    positions[~missing] = inverse
    return Column(name, distinct, positions, None)


def _missing(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind in "mM":
        return np.isnat(values)
    if values.dtype.kind != "O":
        return np.zeros(len(values), dtype=bool)
    pandas = sys.modules.get("pandas")
    if pandas is not None:  # its NA exists only where it is loaded
        return np.asarray(pandas.isna(values))
    return np.array([v is None or (isinstance(v, Real) and v != v) for v in values], dtype=bool)


def _check_numbers(name: str, numbers: np.ndarray, declared: bool) -> None:
    if numbers.dtype.kind == "f" and np.any(np.isinf(numbers)):
        raise ValueError(f"Input X contains infinity in column {name}.")
    if declared:
        return
    check_negative(name, numbers)
    if numbers.dtype.kind == "f" and np.any(numbers != np.floor(numbers)):
        fraction = numbers[numbers != np.floor(numbers)][0]
        raise ValueError(
            f"Fractional values in data: column {name} holds {fraction}. Categories that are "
            "numbers must be 0, 1, 2, ... unless they are listed in the parameter categories; cut "
            "measurements into classes first, for example with "
            "sklearn.preprocessing.KBinsDiscretizer(encode='ordinal')."
        )


def check_negative(name: str, numbers: np.ndarray) -> None:
    """Refuse negative categories that are numbers."""
    if numbers.dtype.kind in "if" and np.any(numbers < 0):
        raise ValueError(
            f"Negative values in data: column {name} holds {np.nanmin(numbers)}. Categories that "
            "are numbers must be 0, 1, 2, ... unless they are listed in the parameter categories; "
            "write missing answers as NaN or None."
        )


def _distinct(observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return sorted distinct values, and the index of each value among them."""
    if not _can_be_counted(observed):
        values, inverse = np.unique(observed, return_inverse=True)
        return values, inverse
    numbers = observed.astype(np.int32)
    present = np.bincount(numbers) > 0
    positions = np.cumsum(present) - 1
    return np.flatnonzero(present).astype(observed.dtype), positions[numbers]


def _can_be_counted(observed: np.ndarray) -> bool:
    if observed.dtype.kind not in "biuf" or len(observed) == 0:
        return False
    # As Python numbers: the limit does not fit into all types.
    small = observed.min().item() >= 0 and observed.max().item() < MAX_COUNTED
    return bool(small and (observed.dtype.kind != "f" or np.all(observed == np.floor(observed))))


def _observed_categories(column: Column, rows: np.ndarray) -> np.ndarray:
    seen = np.zeros(len(column.values) + 1, dtype=bool)  # the last is for missing, position -1
    seen[column.positions[rows]] = True
    values = column.values[seen[:-1]]
    if len(values) == 0:
        raise ValueError(
            f"Column {column.name} of X has no observed value in rows of positive weight. Drop "
            "the column, or list its categories in the parameter categories."
        )
    if column.order is None:
        return values
    # All that the dtype declares, seen or not: a fold of the rows has them, too.
    return np.array(column.order, dtype=object if values.dtype.kind == "O" else None)


def _code_values(column: Column, known: np.ndarray) -> np.ndarray:
    """Return the code of each distinct value, -1 if it is unknown, and -1 for missing."""
    codes = np.full(len(column.values) + 1, -1)
    if len(column.values) == 0:
        return codes
    if isinstance(column.values[0], bytes):
        raise TypeError(
            f"Column {column.name} of X holds bytes, not text. Decode them, for example with "
            "numpy.char.decode(X)."
        )
    rank = np.argsort(known, kind="stable")  # the encoder wants numbers in order
    encoder = OrdinalEncoder(
        categories=[known[rank]], handle_unknown="use_encoded_value", unknown_value=-1, dtype=int
    )
    values = column.values[:, None]
    if known.dtype.kind in "OUS":
        values = values.astype(object)
    encoder.set_output(transform="default")  # whatever the global configuration says
    encoded = encoder.fit(values).transform(values)[:, 0]
    codes[:-1] = np.where(encoded < 0, -1, rank[encoded])
    return codes
