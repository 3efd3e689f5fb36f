"""Random calls of everything public, most of them wrong somewhere, and what may come of them.

`Calls(seed)[i]` is always the same call. Its outcome is "result", "error" (a ValueError or
TypeError that names what is wrong) or "bug".
"""

import inspect
import itertools
import re
import time
import traceback
import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
import polars as pl
from estimators import TABLE, numbers
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags

import skmix
import skmix.image
import skmix.metrics
from skmix.neural import GenerativeAdversarialNetwork, VariationalAutoencoder

N_ROWS, N_FEATURES = 24, 2
# Finished by the limit of a run, not by an error: whoever asks for them gets them.
UNBOUNDED = re.compile("n_init|max_iter|n_refits|n_bootstrap|n_samples|n_draws|n_imputations")
# What scikit-learn says of rows without naming X; its own checks ask for some of it.
SCIKIT_LEARN = re.compile(
    "Found array with|Expected 2D array|Found input variables|Found unknown dim|minimum of|"
    "bad input shape|y should be a 1d array|Unable to convert|not fitted|should be.*array|"
    "cannot be used to seed"
)


class Outcome(NamedTuple):
    """What came of a call."""

    kind: str
    call: str
    text: str
    seconds: float


def pick(rng, options):
    return options[rng.integers(len(options))]


CATEGORICAL = {
    cls: get_tags(row.instances[0]).input_tags.categorical for cls, row in TABLE.items()
}


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


def denoiser():
    options = {"covariance_type": "full"}
    return skmix.GMMDenoiser.from_parameters([1.0], [np.zeros(16)], [0.1 * np.eye(16)], **options)


class Call:
    """The call of number `index`: a fit and what follows, or a function."""

    def __init__(self, seed, index):
        self.rng = np.random.default_rng([seed, index])
        self.said = []
        self.categorical = False

    # Where arguments come from --------------------------------------------------------------

    def argument(self, name, default, categorical):
        rng = self.rng
        if name in ("X", "samples", "x"):
            value, what = rows(rng, categorical, 0.6)
            self.said.append(f"{name}: {what}")
            if name == "x" and rng.random() < 0.5:
                value = np.asarray([0.0, 1.0])
            return value
        makers = {
            "y": labels, "partial_labels": labels, "sample_weight": weights,
            "row_noise_std": weights, "image": image, "images": lambda rng: [image(rng)],
            "q": lambda rng: pick(rng, [0.5, [0.1, 0.9], 0.0, 1.0, -0.1, np.nan, [], "abc"]),
            "features": lambda rng: pick(rng, [[0], [1, 0], [0, 0], [5], ["a"], [], 0]),
            "mask": lambda rng: rng.random((12, 14)) < pick(rng, [0.3, 0.3, 0.0, 1.0]),
            "psf": lambda rng: pick(rng, [np.full((3, 3), 1 / 9), np.zeros((3, 3))]),
            "kind": lambda rng: pick(rng, ["weighted", "nonparametric", "jackknife"]),
            "size": lambda rng: 4,
        }  # fmt: skip
        if name in makers and rng.random() < 0.85:
            value = makers[name](rng)
        elif default is not inspect.Parameter.empty and rng.random() < 0.4:
            return default
        else:
            value = anything(rng, name)
        self.said.append(f"{name}={short(value)}")
        return value

    def arguments(self, function, categorical, given=()):
        """All required arguments, and few of the others."""
        found = dict(given)
        for name, parameter in inspect.signature(function).parameters.items():
            if name in found or parameter.kind in (
                parameter.VAR_KEYWORD,
                parameter.VAR_POSITIONAL,
            ):
                continue
            required = parameter.default is parameter.empty
            if required or self.rng.random() < 0.3:
                found[name] = self.argument(name, parameter.default, categorical)
        return found

    # What is called -------------------------------------------------------------------------

    def estimator(self, good=False):
        rng = self.rng
        cls = pick(rng, list(TABLE))
        made = clone(pick(rng, TABLE[cls].instances))
        changes = {}
        parameters = made.get_params(deep=False)
        for _ in range(0 if good else pick(rng, [0, 0, 1, 1, 2])):
            name = pick(rng, list(parameters))
            known = TABLE[cls].changes
            value = known[name] if name in known and rng.random() < 0.3 else anything(rng, name)
            changes[name] = value
        changes.pop("verbose", None)
        made.set_params(**changes)
        self.categorical = CATEGORICAL[cls]
        settings = ", ".join(f"{name}={short(value)}" for name, value in changes.items())
        self.said.append(f"{cls.__name__}({settings})")
        return made

    def fitted(self):
        made = self.estimator(good=True)
        X = good_rows(self.rng, self.categorical)
        if TABLE[type(made)].holes:
            X[::7, 0] = np.nan
        if self.rng.random() < 0.2:
            X = pd.DataFrame(X, columns=["a", "b"])
        return made.fit(X, np.arange(len(X)) % 3)

    def mutated(self, fitted):
        """Change one learned attribute as nobody should."""
        # Parameters of densities: numbers that somebody may well edit.
        names = [n for n in PARAMETERS if isinstance(vars(fitted).get(n), np.ndarray | float)]
        if not names:
            return
        name = pick(self.rng, names)
        old = getattr(fitted, name)
        options = [None, "abc", -1.0, np.nan, []]
        if isinstance(old, np.ndarray) and old.dtype.kind == "f":
            options += [
                np.full_like(old, np.nan), -old, 0.0 * old, old[..., None], old[:-1], old.T,
                old.astype(np.float32), old.tolist(), 1e300 * old, old.astype(str),
                np.concatenate([old, old]) if old.ndim else old, old + 1e-9,
            ]  # fmt: skip
        value = pick(self.rng, options)
        setattr(fitted, name, value)
        self.said.append(f"{type(fitted).__name__}.{name}={short(value)}")

    def make(self):
        """Return a function without arguments, and whether its result must be finite."""
        rng = self.rng
        kind = pick(
            rng, ["fit"] * 4 + ["method"] * 4 + ["mutated"] + ["function"] * 2 + ["neural"]
        )
        if kind == "fit":
            made = self.estimator()
            given = self.arguments(made.fit, self.categorical)
            return made, made.fit, given
        if kind == "function":
            return self.function()
        fitted = pick(rng, NETWORKS)() if kind == "neural" else self.fitted()
        self.said.append(type(fitted).__name__)
        if kind == "mutated":
            self.mutated(fitted)
        method = getattr(fitted, pick(rng, methods(fitted)))
        self.said.append(f".{method.__name__}")
        return fitted, method, self.arguments(method, self.categorical)

    def function(self):
        rng = self.rng
        function = pick(rng, FUNCTIONS)
        self.said.append(function.__name__)
        given = {}
        taken = inspect.signature(function).parameters
        for name in ("mixture", "p", "q", "estimator", "classifier"):
            if name in taken and rng.random() < 0.9:
                if function in (skmix.bootstrap_lrt, skmix.select_mixture):
                    given[name] = self.estimator(good=True)
                elif function is skmix.image.fit_patch_prior:
                    given[name] = skmix.MVNDenoiser()
                else:
                    given[name] = self.fitted()
                self.said.append(f"{name}={type(given[name]).__name__}")
        if "prior" in taken:
            given["prior"] = denoiser() if rng.random() < 0.9 else anything(rng, "prior")
        if "param_grid" in taken and rng.random() < 0.8:
            given["param_grid"] = {"n_components": [1, 2]}
        if "n_bootstrap" in taken:
            given["n_bootstrap"] = pick(rng, [2, 3, 0, -1, 1.5, "abc", None])
        if "chunks" in taken and rng.random() < 0.8:
            given["chunks"] = [rows(rng, False, 0.5)[0] for _ in range(rng.integers(3))]
        if "n_jobs" in taken:
            given["n_jobs"] = pick(rng, [None, 1, None, "abc", 0, 1.5])
        if "images" in taken:
            given["n_patches"] = pick(rng, [50, 50, 0, -1, "abc"])
        return None, function, self.arguments(function, False, given)

    def run(self):
        """Return what came of it."""
        begin = time.process_time()
        kind, text, before = "result", "", {}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                owner, function, given = self.make()
        except Exception:
            return Outcome("unmade", "; ".join(self.said), traceback.format_exc(), 0.0)
        call = "; ".join(self.said)
        if owner is not None and function.__name__ == "fit":
            before = dict(vars(owner))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for category in (RuntimeWarning, FutureWarning, DeprecationWarning):
                    warnings.simplefilter("error", category)
                found = function(**given)
                found = read(found)
            fault = unsound(function, found)
            if fault:
                kind, text = "bug", fault
        except (ValueError, TypeError) as error:
            kind, text = "error", f"{type(error).__name__}: {error}"
            fault = unclear(error, function, owner, given)
            if fault:
                kind, text = "bug", fault + "\n" + where(error)
            elif (
                owner is not None and function.__name__ == "fit" and not same(before, vars(owner))
            ):
                kind, text = "bug", "a failed fit changed the estimator: " + text
        except Exception as error:
            kind, text = "bug", where(error)
        return Outcome(kind, call, text, time.process_time() - begin)


def same(before, after):
    return before.keys() == after.keys() and all(before[k] is after[k] for k in before)


def short(value):
    text = " ".join(repr(value).split())
    return text if len(text) < 60 else f"{text[:45]}... ({type(value).__name__})"


def where(error):
    """The end of a traceback, without the lines of arrays."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    lines = [f"{f.filename.split('site-packages/')[-1][-45:]}:{f.lineno} {f.line}" for f in frames]
    return "\n".join([*lines, f"{type(error).__name__}: {str(error)[:500]}"])


def read(found):
    """Have what is computed by chunks be computed."""
    if not isinstance(found, skmix.Chunks):
        return found
    return list(found)


def methods(fitted):
    skipped = {"fit", "fit_transform", "fit_predict", "get_params", "set_params"}
    skipped |= {"get_metadata_routing", "set_output"}
    return [
        name
        for name in dir(fitted)
        if not name.startswith("_")
        and name not in skipped
        and not name.endswith("_request")
        and callable(getattr(type(fitted), name, None))
        and hasattr(fitted, name)
    ]


PARAMETERS = (
    "weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_", "rates_",
    "noise_weight_", "class_prior_", "location_", "rotation_", "variances_", "covariance_",
    "scales_", "offset_", "codebook_", "noise_variance_", "scale_", "lower_bound_",
)  # fmt: skip
# Log probabilities of what cannot be, errors of what cannot be told, pixels as they are given.
PASSED_ON = {"extract_patches", "reconstruct"}
MAY_BE_INFINITE = PASSED_ON | {
    "predict_log_proba", "standard_errors", "bootstrap", "kl_divergence", "quantile",
}  # fmt: skip
MAY_BE_NAN = PASSED_ON | {
    "standard_errors", "report", "estimate_noise_std", "sample", "impute", "inverse_transform",
    "transform",
}  # fmt: skip


def unsound(function, found):
    """Say what is not finite, though it must be."""
    if function is skmix.Chunks:  # holds what it was given
        return ""
    if isinstance(found, list | tuple) and any(isinstance(part, BaseEstimator) for part in found):
        return "".join(unsound(function, part) for part in found)
    if isinstance(found, BaseEstimator):
        found = [
            value
            for name, value in vars(found).items()
            if name
            in ("weights_", "means_", "covariances_", "precisions_", "variances_", "codes_")
        ]
    try:
        parts = numbers(found)
    except (TypeError, ValueError):
        return ""
    for part in parts:
        if part.dtype.kind != "f":
            continue
        if np.isnan(part).any() and function.__name__ not in MAY_BE_NAN:
            return f"NaN in the result of {function.__name__}: {short(part)}"
        if np.isinf(part).any() and function.__name__ not in MAY_BE_INFINITE:
            return f"infinity in the result of {function.__name__}: {short(part)}"
    return ""


def unclear(error, function, owner, given):
    """Say why the text of an error does not help."""
    if not any("/skmix/" in f.filename for f in traceback.extract_tb(error.__traceback__)):
        return ""  # a method that scikit-learn alone has written
    if isinstance(error, np.linalg.LinAlgError | UnicodeError):
        return "an error of linear algebra or text"
    text = str(error)
    names = set(given) | set(inspect.signature(function).parameters)
    if owner is not None:
        names |= set(owner.get_params()) | {n for n in vars(owner) if n.endswith("_")}
    names |= {"column", "columns", "features", "row", "rows", "chunk", "chunks", "labels"}
    names |= {"X", "y", "image", "means", "weights", "precision", "feature"}
    if any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for name in names):
        return ""
    if isinstance(error, NotFittedError) or SCIKIT_LEARN.search(text):
        return ""
    return "the error names no parameter or column"


def layers(rng, *sizes):
    matrices = [rng.normal(size=pair) for pair in itertools.pairwise(sizes)]
    return matrices, [np.zeros(n) for n in sizes[1:]]


def autoencoder():
    rng = np.random.default_rng(0)
    return VariationalAutoencoder.from_parameters(
        layers(rng, 2, 3, 2),
        layers(rng, 1, 3, 2),
        likelihood="gaussian",
        noise_variance=[0.5, 0.5],
    )


def adversaries():
    rng = np.random.default_rng(0)
    networks = layers(rng, 1, 3, 2), layers(rng, 2, 3, 1)
    return GenerativeAdversarialNetwork.from_parameters(*networks, feature_range=(0, 1))


NETWORKS = [autoencoder, adversaries]
FUNCTIONS = [
    skmix.bootstrap,
    skmix.bootstrap_lrt,
    skmix.kl_divergence,
    skmix.merge_components,
    skmix.select_mixture,
    skmix.Chunks,
    skmix.GaussianMixture.from_parameters,
    skmix.DiagonalGMM.from_parameters,
    skmix.GMMDenoiser.from_parameters,
    *(
        getattr(skmix.image, name)
        for name in skmix.image.__all__
        if name not in ("load_prior", "save_prior", "CompressedImage")
    ),
    *(getattr(skmix.metrics, name) for name in skmix.metrics.__all__),
]
