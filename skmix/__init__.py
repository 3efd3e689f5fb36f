"""Mixture models that behave like scikit-learn's own."""

from importlib import import_module as _import_module

from . import metrics as metrics
from ._bootstrap import bootstrap_lrt
from ._categorical_bayes import CategoricalBayesClassifier
from ._categorical_mixture import CategoricalMixture
from ._diagonal_gmm import DiagonalGMM
from ._displays import ComponentsDisplay, ConvergenceDisplay, SelectionDisplay
from ._gaussian_mixture import GaussianMixture
from ._gmm_bayes import GMMBayesClassifier
from ._gmm_denoisers import GMMDenoiser, MVNDenoiser
from ._gsm_denoiser import GSMDenoiser
from ._ica_denoiser import ICADenoiser
from ._inpainter import ConditionalGMMInpainter
from ._mixture import Mixture
from ._quantizer import KMeansQuantizer
from ._regressor import GMMRegressor
from ._selection import select_mixture
from ._transformed_density import TransformedDensity

__version__ = "0.1.0.dev0"

__all__ = [
    "CategoricalBayesClassifier",
    "CategoricalMixture",
    "ComponentsDisplay",
    "ConditionalGMMInpainter",
    "ConvergenceDisplay",
    "DiagonalGMM",
    "GMMBayesClassifier",
    "GMMDenoiser",
    "GMMRegressor",
    "GSMDenoiser",
    "GaussianMixture",
    "ICADenoiser",
    "KMeansQuantizer",
    "MVNDenoiser",
    "Mixture",
    "SelectionDisplay",
    "TransformedDensity",
    "bootstrap_lrt",
    "select_mixture",
]

# Imported when first used.
_LAZY = ("families", "image", "utils")


def __getattr__(name: str):
    if name in _LAZY:
        return _import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
