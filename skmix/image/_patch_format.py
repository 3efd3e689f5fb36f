"""What patches a prior is for, and whether it is a prior at all."""

from __future__ import annotations

from math import isqrt
from typing import Any, NamedTuple

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from .._denoisers.base import Denoiser


class PatchFormat(NamedTuple):
    """What the features of a prior are; recorded as `patch_format_` where it is known."""

    size: int  # the side of a patch, in pixels
    n_channels: int  # 1 for gray patches
    data_range: float | None  # from black to white; None: in units of the images
    remove_mean: bool | None  # whether patches are less their mean; None: not recorded


def check_prior(prior: Any) -> Any:
    """Return a fitted denoiser, or raise an error that says what to pass instead."""
    if isinstance(prior, Pipeline):
        raise TypeError(
            "prior is a Pipeline, but must be a denoiser of patches as they are. Pass its last "
            "step, fitted by fit_patch_prior."
        )
    if isinstance(prior, type):
        raise TypeError(f"prior is the class {prior.__name__}; pass a fitted instance of it.")
    if not isinstance(prior, Denoiser):
        remedy = "Pass 'photo', None, or a GMMDenoiser, GSMDenoiser, ICADenoiser or MVNDenoiser"
        if hasattr(prior, "covariances_"):
            remedy = (
                "For a mixture pass skmix.GMMDenoiser.from_parameters(prior.weights_, "
                "prior.means_, prior.covariances_)"
            )
        raise TypeError(f"prior is a {type(prior).__name__}, which is no denoiser. {remedy}.")
    check_is_fitted(prior)
    return prior


def read_format(prior: Any, n_channels: int) -> PatchFormat:
    """Return what patches a fitted denoiser is for, given an image of so many channels."""
    n_features = prior.n_features_in_
    recorded = getattr(prior, "patch_format_", None)
    if recorded is not None and recorded.size**2 * recorded.n_channels == n_features:
        if recorded.n_channels not in (1, n_channels):
            raise ValueError(
                f"prior is for patches of {recorded.n_channels} channels, but image has "
                f"{n_channels}. Use a prior for gray patches or for {n_channels} channels."
            )
        return recorded
    together = isqrt(n_features // n_channels)
    fits = together**2 * n_channels == n_features
    gray = isqrt(n_features)
    if n_channels > 1 and gray**2 == n_features:
        if fits:
            raise ValueError(
                f"prior has {n_features} features: gray patches of {gray} x {gray} pixels, or "
                f"patches of {together} x {together} with {n_channels} channels? Learn it by "
                "fit_patch_prior, which records that, or pass the channels one by one."
            )
        return PatchFormat(gray, 1, None, None)
    if not fits:
        raise ValueError(
            f"prior has {n_features} features, which are no square patches of {n_channels} "
            "channel(s)."
        )
    return PatchFormat(together, n_channels, None, None)
