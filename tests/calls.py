"""Random calls of everything public, most of them wrong somewhere.

`Call(seed, index)` is always the same call. Its outcome is "result", "error" (a ValueError or
TypeError that names what is wrong) or "bug".
"""

import copy
import inspect
import itertools
import time
import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
from call_outcomes import same, short, unclear, unsound, where
from call_values import anything, good_rows, image, labels, pick, rows, weights
from estimators import TABLE
from sklearn.base import clone
from sklearn.utils import get_tags

import skmix
import skmix.image
import skmix.metrics
from skmix.neural import GenerativeAdversarialNetwork, VariationalAutoencoder


class Outcome(NamedTuple):
    """What came of a call."""

    kind: str
    call: str
    text: str
    seconds: float


CATEGORICAL = {
    cls: get_tags(row.instances[0]).input_tags.categorical for cls, row in TABLE.items()
}


PARAMETERS = (
    "weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_", "rates_",
    "noise_weight_", "class_prior_", "location_", "rotation_", "variances_", "covariance_",
    "scales_", "offset_", "codebook_", "noise_variance_", "scale_", "lower_bound_",
)  # fmt: skip


FITS = {}  # of estimators, by what they are and whether the columns had names
KINDS = ["fit"] * 4 + ["method"] * 4 + ["mutated"] + ["function"] * 2 + ["made"]


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
        """A copy of a fit that many calls begin with."""
        made, named = self.estimator(good=True), self.rng.random() < 0.2
        known = FITS.get((repr(made), named))
        if known is None:
            X = good_rows(np.random.default_rng(0), self.categorical)
            if TABLE[type(made)].holes:
                X[::7, 0] = np.nan
            if named:
                X = pd.DataFrame(X, columns=["a", "b"])
            known = FITS[repr(made), named] = made.fit(X, np.arange(len(X)) % 3)
        return copy.deepcopy(known)

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
        kind = pick(rng, KINDS)
        if kind == "fit":
            made = self.estimator()
            given = self.arguments(made.fit, self.categorical)
            return made, made.fit, given
        if kind == "function":
            return self.function()
        fitted = pick(rng, MADE)() if kind == "made" else self.fitted()
        self.said.append(type(fitted).__name__)
        method = getattr(fitted, pick(rng, methods(fitted)))
        given = self.arguments(method, self.categorical)
        if kind == "mutated":
            self.mutated(fitted)
        self.said.append(f".{method.__name__}")
        return fitted, method, given

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
        kind, text = "result", ""
        np.random.seed(0)  # noqa: NPY002 - what random_state=None takes
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            owner, function, given = self.make()
        call = "; ".join(self.said)
        before = {} if owner is None else dict(vars(owner))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for category in (RuntimeWarning, FutureWarning, DeprecationWarning):
                    warnings.simplefilter("error", category)
                # The type of labels, which scikit-learn casts to see.
                warnings.filterwarnings("ignore", module=r"sklearn\.(utils\.multiclass|externals)")
                found = function(**given)
                found = read(found)
            fault = unsound(function, found, owner)
            if fault:
                kind, text = "bug", fault
        except (ValueError, TypeError) as error:
            kind, text = "error", f"{type(error).__name__}: {error}"
            fault = unclear(error, function, owner, given)
            if fault:
                kind, text = "bug", fault + "\n" + where(error)
            elif owner is not None and not same(before, vars(owner)):
                kind, text = "bug", "a failed call changed the object: " + text
        except Exception as error:
            kind, text = "bug", where(error)
        return Outcome(kind, call, text, time.process_time() - begin)


def read(found):
    """Have what is computed by chunks be computed."""
    if not isinstance(found, skmix.Chunks):
        return found
    return list(found)


def methods(fitted):
    skipped = {"fit", "get_params", "set_params", "get_metadata_routing", "save", "load"}
    return [
        name
        for name in dir(fitted)
        if not name.startswith("_")
        and name not in skipped
        and not name.endswith("_request")
        and not (type(fitted) in NETWORKS and name.startswith("fit"))  # needs PyTorch
        and callable(getattr(type(fitted), name, None))
        and hasattr(fitted, name)
    ]


def denoiser():
    options = {"covariance_type": "full"}
    return skmix.GMMDenoiser.from_parameters([1.0], [np.zeros(16)], [0.1 * np.eye(16)], **options)


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


def compressed():
    return skmix.image.compress(np.random.default_rng(0).random((12, 14)), 4, random_state=0)


def intervals():
    X = good_rows(np.random.default_rng(0), categorical=False)
    mixture = skmix.GaussianMixture(2, random_state=0).fit(X)
    return skmix.bootstrap(mixture, X, n_bootstrap=3, random_state=0)


NETWORKS = (VariationalAutoencoder, GenerativeAdversarialNetwork)
MADE = [autoencoder, adversaries, compressed, intervals]
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
    VariationalAutoencoder.from_parameters,
    GenerativeAdversarialNetwork.from_parameters,
    *(
        getattr(skmix.image, name)
        for name in skmix.image.__all__
        if name not in ("load_prior", "save_prior", "CompressedImage")
    ),
    *(getattr(skmix.metrics, name) for name in skmix.metrics.__all__),
]
