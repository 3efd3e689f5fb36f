"""Arguments of random calls: rows, labels, weights, images and others, most of them wrong."""

import re

import numpy as np
import pandas as pd
import polars as pl
from scipy import sparse

import skmix

N_ROWS, N_FEATURES = 24, 2
# Finished by the limit of a run, not by an error: whoever asks for them gets them.
UNBOUNDED = re.compile("n_init|max_iter|n_refits|n_bootstrap|n_samples|n_draws|n_imputations")


def pick(rng, options):
    return options[rng.integers(len(options))]


# Rows ---------------------------------------------------------------------------------------


def good_rows(rng, categorical, n_samples=N_ROWS):
    X = rng.normal(size=(n_samples, N_FEATURES)) + 4.0 * np.eye(3)[np.arange(n_samples) % 3][:, :2]
    return np.clip(np.round(X - X.min()), 0.0, 4.0) if categorical else X


def _set(X, row, column, value):
    X = X.copy()
    X[row, column] = value
    return X


def _mixed(X):
    X = X.astype(object)
    X[0, 0] = "abc"
    return X


SPOILT_ROWS = {
    "float32": lambda X, rng: X.astype(np.float32),
    "float16": lambda X, rng: X.astype(np.float16),
    "longdouble": lambda X, rng: X.astype(np.longdouble),
    "int": lambda X, rng: np.round(X).astype(int),
    "uint8": lambda X, rng: np.abs(X).astype(np.uint8),
    "large int": lambda X, rng: np.round(X).astype(np.int64) * 2**59,
    "bool": lambda X, rng: X > 1,
    "object": lambda X, rng: X.astype(object),
    "object with text": lambda X, rng: _mixed(X),
    "object with None": lambda X, rng: _set(X.astype(object), 3, 1, None),
    "text": lambda X, rng: np.round(X).astype(str),
    "words": lambda X, rng: np.where(X > 1, "yes", "no"),
    "bytes": lambda X, rng: X.astype("S4"),
    "complex": lambda X, rng: X + 1j,
    "times": lambda X, rng: np.round(X).astype("datetime64[s]"),
    "lists": lambda X, rng: X.tolist(),
    "ragged": lambda X, rng: [[1.0], *X.tolist()[1:]],
    "sparse": lambda X, rng: sparse.csr_matrix(X),
    "masked": lambda X, rng: np.ma.masked_greater(X, 4.0),
    "Fortran": lambda X, rng: np.asfortranarray(X),
    "strided": lambda X, rng: np.repeat(X, 2, axis=0)[::2],
    "read-only": lambda X, rng: np.broadcast_to(X[0], X.shape),
    "big-endian": lambda X, rng: X.astype(">f8"),
    "NaN cell": lambda X, rng: _set(X, 2, 1, np.nan),
    "NaN row": lambda X, rng: _set(X, 2, slice(None), np.nan),
    "NaN column": lambda X, rng: _set(X, slice(None), 1, np.nan),
    "NaN": lambda X, rng: np.full(X.shape, np.nan),
    "half NaN": lambda X, rng: np.where(rng.random(X.shape) < 0.5, np.nan, X),
    "infinity": lambda X, rng: _set(X, 1, 0, np.inf),
    "-infinity": lambda X, rng: _set(X, 1, 1, -np.inf),
    "infinity and NaN": lambda X, rng: _set(_set(X, 1, 1, -np.inf), 2, 1, np.nan),
    "one far": lambda X, rng: _set(X, 1, 1, 10.0 ** rng.integers(3, 300)),
    "scaled": lambda X, rng: X * 10.0 ** rng.integers(-320, 300),
    "one column scaled": lambda X, rng: X * np.r_[10.0 ** rng.integers(-300, 300), 1.0],
    "float32 scaled": lambda X, rng: (X * 10.0 ** rng.integers(-44, 37)).astype(np.float32),
    "shifted": lambda X, rng: X + 10.0 ** rng.integers(3, 18),
    "same rows": lambda X, rng: np.repeat(X[:1], len(X), axis=0),
    "duplicates": lambda X, rng: X[rng.integers(3, size=len(X))],
    "constant column": lambda X, rng: _set(X, slice(None), 1, 3.0),
    "zeros": lambda X, rng: np.zeros_like(X),
    "collinear": lambda X, rng: X[:, [0, 0]],
    "nearly collinear": lambda X, rng: X[:, [0, 0]] * [1.0, 1.0 + 1e-13],
    "one row": lambda X, rng: X[:1],
    "two rows": lambda X, rng: X[:2],
    "no rows": lambda X, rng: X[:0],
    "no columns": lambda X, rng: X[:, :0],
    "one column": lambda X, rng: X[:, :1],
    "more columns": lambda X, rng: np.hstack([X, X]),
    "more rows": lambda X, rng: np.vstack([X, X + 0.1]),
    "1-D": lambda X, rng: X[:, 0],
    "3-D": lambda X, rng: X[None],
    "number": lambda X, rng: 3.5,
    "None": lambda X, rng: None,
    "word": lambda X, rng: "abc",
    "dictionary": lambda X, rng: {"a": X[:, 0]},
    "negative": lambda X, rng: -np.abs(X),
    "pandas": lambda X, rng: pd.DataFrame(X, columns=["a", "b"]),
    "pandas, other names": lambda X, rng: pd.DataFrame(X, columns=["b", "a"]),
    "pandas, same names": lambda X, rng: pd.DataFrame(X, columns=["a", "a"]),
    "pandas, mixed names": lambda X, rng: pd.DataFrame(X, columns=["a", 1]),
    "pandas, words": lambda X, rng: pd.DataFrame({"a": X[:, 0], "b": ["x", "y"] * (len(X) // 2)}),
    "pandas, categories": lambda X, rng: pd.DataFrame(
        {"a": X[:, 0], "b": pd.Categorical(["x", "y"] * (len(X) // 2))}
    ),
    "pandas, Int64": lambda X, rng: pd.DataFrame(np.round(X), columns=["a", "b"]).astype("Int64"),
    "pandas, times": lambda X, rng: pd.DataFrame(
        {"a": X[:, 0], "b": pd.date_range("2020", periods=len(X))}
    ),
    "polars": lambda X, rng: pl.DataFrame(X, schema=["a", "b"]),
    "polars, nulls": lambda X, rng: pl.DataFrame({"a": X[:, 0], "b": [None, *X[1:, 1].tolist()]}),
    "chunks": lambda X, rng: skmix.Chunks([X[:10], X[10:]]),
    "chunks that differ": lambda X, rng: skmix.Chunks([X[:10], X[10:, :1]]),
    "chunks, a frame": lambda X, rng: skmix.Chunks([X[:10], pd.DataFrame(X[10:])]),
    "no chunks": lambda X, rng: skmix.Chunks([X[:0]]),
}


def rows(rng, categorical, spoil):
    """Rows, spoilt with that probability, and what was done to them."""
    X = good_rows(rng, categorical)
    if rng.random() >= spoil:
        return X, "rows"
    name = pick(rng, list(SPOILT_ROWS))
    return SPOILT_ROWS[name](X, rng), name


# Other values -------------------------------------------------------------------------------


ANYTHING = [
    None, -1, 0, 1, 2, 3, 1.5, -0.5, np.nan, np.inf, -np.inf, 10**12, 10**400, 1e-300, 1e300,
    "abc", "", "auto", True, [], (), {}, [1.0, 2.0], [[0.5]], ["a"], [None], np.array(2.0),
    np.float32(0.5), np.int64(2), np.zeros((0, 2)), np.array([0.5, np.nan]), np.ones((2, 2, 2)),
    {"a": 1}, {0: "poisson"}, {5: "nothing"}, object, len, 1j, b"full", range(3),
    np.random.default_rng(0), slice(2),
]  # fmt: skip


def anything(rng, name):
    """Any value that the name can have without running for ever."""
    value = pick(rng, ANYTHING)
    if UNBOUNDED.search(name) and isinstance(value, int) and value > 1000:
        return 2
    if name == "n_jobs" and isinstance(value, int) and value > 1:  # processes
        return 1
    return value


def labels(rng, n_samples=N_ROWS):
    y = np.arange(n_samples) % 3
    return pick(
        rng,
        [
            y, y, y.astype(float), y.astype(str), y.tolist(), np.zeros(n_samples, int), y - 1,
            np.full(n_samples, -1), np.full(n_samples, np.nan), y[:-1], y[:, None],
            np.stack([y, y], axis=1), y + 0.5, np.array([None] * n_samples), y + 10**9,
            np.where(y == 0, np.nan, y), np.where(y == 0, np.inf, y), pd.Series(y),
            pd.Series(y, dtype="category"), None, "abc", 3, np.where(y == 0, -1, y),
            [{0, 1}, *[-1] * (n_samples - 1)], np.where(y == 0, "", y.astype(str)), [],
            np.arange(n_samples), y.astype(complex),
        ],
    )  # fmt: skip


def weights(rng, n_samples=N_ROWS):
    w = rng.uniform(0.5, 2.0, size=n_samples)
    return pick(
        rng,
        [
            None, None, w, w, w.astype(np.float32), np.zeros(n_samples), -w, w[:-1], w[:, None],
            np.where(w > 1, np.nan, w), np.where(w > 1.9, np.inf, w), 1.0, "abc", w.tolist(),
            np.eye(n_samples)[0], 1e-300 * w, 1e300 * w, w.astype(str), np.where(w > 1, 0.0, w),
            w > 1, [], 0, w.astype(complex), np.where(w > 1.5, 1e-200, 1.0), pd.Series(w),
        ],
    )  # fmt: skip


def image(rng):
    u = np.clip(rng.normal(0.5, 0.2, size=(12, 14)), 0.0, 1.0)
    return pick(
        rng,
        [
            u, u, u.astype(np.float32), (255 * u).astype(np.uint8), (60000 * u).astype(np.uint16),
            u > 0.5, np.stack([u] * 3, axis=-1), np.stack([u] * 3), u[:3, :3], u[:1], u[:0], u[0],
            u[:, :0], None, "abc", 3.0, np.where(u > 0.9, np.nan, u), np.where(u > 0.9, np.inf, u),
            np.zeros_like(u), np.ones_like(u), 1e300 * u, 1e-300 * u, u - 5.0, u.astype(complex),
            u.astype(str), u.tolist(), u.astype(object), (100 * u).astype(int),
            u[None, None, None],
            np.ma.masked_greater(u, 0.8), np.stack([u] * 2, axis=-1), 1e30 * u + 1e36,
            np.array([[2**62, -(2**62)]] * 8), u.astype(np.float16), np.full((12, 12), -1e-320),
        ],
    )  # fmt: skip
