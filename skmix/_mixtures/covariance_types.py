"""What `covariance_type` means: the one place that goes from the word to a family."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .._families import (
    CONSTRAINED,
    DiagonalGaussian,
    Frame,
    FullGaussian,
    GaussianFamily,
    GaussianParams,
    SphericalGaussian,
    TiedGaussian,
)

# Three letters say what is equal (E), varies (V) or is the identity (I): volumes, shapes, axes.
FAMILIES: dict[str, type[GaussianFamily]] = {
    **{name: FullGaussian for name in ("full", "VVV")},
    **{name: TiedGaussian for name in ("tied", "EEE")},
    **{name: DiagonalGaussian for name in ("diag", "VVI")},
    **{name: SphericalGaussian for name in ("spherical", "VII")},
    **CONSTRAINED,
    "tied-diag": CONSTRAINED["EEI"],
    "tied-spherical": CONSTRAINED["EII"],
}


# Those of R's mclust, the simplest first.
STRUCTURES = (
    *("EII", "VII", "EEI", "VEI", "EVI", "VVI"),
    *("EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV"),
)


def choices(covariance_type: str) -> tuple[str, ...]:
    """Return what a choice by BIC is made from; what is given is no choice."""
    return STRUCTURES if covariance_type == "bic" else (covariance_type,)


def family_in_units(mixture: Any) -> tuple[GaussianFamily, GaussianParams]:
    """Return a fitted mixture, also scikit-learn's, as a family in the units of its rows."""
    params = GaussianParams(
        np.asarray(mixture.weights_, dtype=np.float64),
        np.asarray(mixture.means_, dtype=np.float64),
        None,
        np.asarray(mixture.precisions_cholesky_, dtype=np.float64),
    )
    return _plain_family(FAMILIES[mixture.covariance_type], params.means.shape[1]), params


@functools.lru_cache(maxsize=16)
def _plain_family(family_type: type[GaussianFamily], n_features: int) -> GaussianFamily:
    """Return a family in the coordinates of the rows; it knows of no fit."""
    return family_type(Frame.identity(n_features))
