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
from .._interface.wording import learned, learned_weights

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
    family_type = FAMILIES[mixture.covariance_type]
    weights = learned_weights(mixture, "weights_", (None,))
    means = learned(mixture, "means_", (len(weights), None))
    shape = family_type.covariance_shape(*means.shape)
    factors = learned(mixture, "precisions_cholesky_", shape)
    scales = np.diagonal(factors, axis1=-2, axis2=-1) if family_type.dense else factors
    if not (scales > 0.0).all():
        raise ValueError(
            "precisions_cholesky_ must be positive, in the diagonal of matrices. Set it as fit "
            "did, or fit again."
        )
    params = GaussianParams(weights, means, None, factors)
    return _plain_family(family_type, means.shape[1]), params


@functools.lru_cache(maxsize=16)
def _plain_family(family_type: type[GaussianFamily], n_features: int) -> GaussianFamily:
    """Return a family in the coordinates of the rows; it knows of no fit."""
    return family_type(Frame.identity(n_features))
