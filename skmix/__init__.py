"""Mixture models that behave like scikit-learn's own."""

from importlib import import_module as _import_module

from . import metrics as metrics
from ._denoisers.gmm import GMMDenoiser
from ._denoisers.gsm import GSMDenoiser
from ._denoisers.ica import ICADenoiser
from ._denoisers.mvn import MVNDenoiser
from ._displays import (
    ComponentsDisplay,
    ConvergenceDisplay,
    MergingDisplay,
    ProfileDisplay,
    SelectionDisplay,
)
from ._interface.chunks import Chunks
from ._missing.imputer import MixtureImputer
from ._missing.inpainter import ConditionalGMMInpainter
from ._mixtures.categorical import CategoricalMixture
from ._mixtures.diagonal import DiagonalGMM
from ._mixtures.divergence import kl_divergence
from ._mixtures.gaussian import GaussianMixture
from ._mixtures.mixed import MixedMixture
from ._mixtures.mixture import Mixture
from ._outliers.detector import MixtureOutlierDetector
from ._selection.bootstrap import bootstrap_lrt
from ._selection.intervals import bootstrap
from ._selection.merging import merge_components
from ._selection.selection import select_mixture
from ._supervised.categorical import CategoricalBayesClassifier
from ._supervised.gaussian import GMMBayesClassifier
from ._supervised.mixed import MixedBayesClassifier
from ._supervised.regressor import GMMRegressor
from ._transforms.quantizer import KMeansQuantizer
from ._transforms.transformed_density import TransformedDensity

__version__ = "0.1.0"

__all__ = [
    "CategoricalBayesClassifier",
    "CategoricalMixture",
    "Chunks",
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
    "MergingDisplay",
    "MixedBayesClassifier",
    "MixedMixture",
    "Mixture",
    "MixtureImputer",
    "MixtureOutlierDetector",
    "ProfileDisplay",
    "SelectionDisplay",
    "TransformedDensity",
    "bootstrap",
    "bootstrap_lrt",
    "kl_divergence",
    "merge_components",
    "select_mixture",
]

# Imported when first used.
_LAZY = ("families", "image", "neural", "utils")


def __getattr__(name: str):
    if name in _LAZY:
        return _import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
