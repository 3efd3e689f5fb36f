"""Priors in files, and the one that comes with the package."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from .._denoisers.gmm import GMMDenoiser
from ._npz import read_npz
from ._patch_format import PatchFormat, check_prior
from ._patch_mixture import PatchMixture

# A prior larger than this is not read: 20 000 components of 8 x 8 pixels in double precision.
MAX_BYTES = 2**30


def save_prior(path, prior, *, dtype="float64"):
    """Write a prior for patches to a file in numpy's npz format.

    Parameters
    ----------
    path : str or path-like
        The file, overwritten if it exists. No suffix is added.

    prior : estimator
        A fitted `GMMDenoiser`, `GSMDenoiser` or `MVNDenoiser`. What `fit_patch_prior` recorded
        of its patches is written too.

    dtype : {'float64', 'float32', 'float16'}, default='float64'
        How numbers are stored. Covariances are stored as Cholesky factors, which lose little by
        few digits.

    Raises
    ------
    TypeError
        If the prior is no denoiser with a mixture.

    See Also
    --------
    load_prior : The way back.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from skmix import MVNDenoiser
    >>> from skmix.image import fit_patch_prior, load_prior, save_prior
    >>> image = np.random.default_rng(0).random((40, 40))
    >>> prior = fit_patch_prior([image], MVNDenoiser(), size=4, random_state=0)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "prior.npz"
    >>> save_prior(path, prior)
    >>> load_prior(path).n_features_in_
    16
    """
    mixture = getattr(check_prior(prior), "mixture_", None)
    if mixture is None:
        raise TypeError(
            f"prior is a {type(prior).__name__}, which has no mixture that a file can hold. Use a "
            "GMMDenoiser, GSMDenoiser or MVNDenoiser."
        )
    if np.dtype(dtype) not in (np.float64, np.float32, np.float16):
        raise ValueError(f"dtype must be 'float64', 'float32' or 'float16', but is {dtype!r}.")
    n_features = mixture.n_features_in_
    family, params = mixture._dense_family()
    covariances = np.asarray(family.covariances(family.from_frame(params)))
    covariances = covariances.reshape(-1, n_features, n_features)
    covariances = np.broadcast_to(covariances, (len(mixture.weights_), *covariances.shape[1:]))
    factors = np.linalg.cholesky(covariances)[:, *np.tril_indices(n_features)]
    # Half precision has few numbers close to zero.
    unit = 2.0 ** np.round(np.log2(np.abs(factors).max())) / 2.0**10
    recorded = getattr(prior, "patch_format_", None) or PatchFormat(0, 0, None, None)
    with open(path, "wb") as file:
        np.savez(
            file,
            weights=np.asarray(mixture.weights_, dtype=np.float64),
            means=(mixture.means_ / unit).astype(dtype),
            factors=(factors / unit).astype(dtype),
            unit=np.array(unit),
            # npz without pickling has no None: what is not recorded is NaN or -1.
            size=np.array(recorded.size, dtype=np.int64),
            n_channels=np.array(recorded.n_channels, dtype=np.int64),
            data_range=np.array(np.nan if recorded.data_range is None else recorded.data_range),
            remove_mean=np.array(
                -1 if recorded.remove_mean is None else int(recorded.remove_mean), dtype=np.int64
            ),
        )


def load_prior(path):
    """Read a prior that `save_prior` wrote. Nothing in the file is executed.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    prior : GMMDenoiser
        A fitted denoiser of the same density.

    Raises
    ------
    ValueError
        If the file is not one that `save_prior` wrote, or was cut or changed so that its parts
        do not fit together.

    See Also
    --------
    save_prior : Writes the file.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skmix import GMMDenoiser
    >>> from skmix.image import load_prior, save_prior
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "prior.npz"
    >>> save_prior(path, GMMDenoiser.from_parameters([1.0], [[0.0]], [[[4.0]]]))
    >>> load_prior(path).mixture_.covariances_
    array([[[4.]]])
    """
    small = dict.fromkeys(("unit", "size", "n_channels", "data_range", "remove_mean"), 64)
    large = dict.fromkeys(("weights", "means", "factors"), MAX_BYTES)
    parts = read_npz(path, small | large, what="prior")
    try:
        return _prior_of(parts)
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise ValueError(f"{os.fspath(path)!r} holds no prior: {error}") from error


def _prior_of(parts: dict[str, np.ndarray]) -> GMMDenoiser:
    weights, unit = parts["weights"].astype(np.float64), float(parts["unit"])
    means = parts["means"].astype(np.float64) * unit
    n_components, n_features = means.shape
    n_entries = n_features * (n_features + 1) // 2
    if weights.shape != (n_components,) or parts["factors"].shape != (n_components, n_entries):
        raise ValueError("its weights, means and factors do not fit together.")
    factors = np.zeros((n_components, n_features, n_features))
    factors[:, *np.tril_indices(n_features)] = parts["factors"].astype(np.float64) * unit
    if not (np.isfinite(factors).all() and np.isfinite(means).all() and np.all(weights >= 0)):
        raise ValueError("it holds NaN, infinity or negative weights.")
    prior = GMMDenoiser.from_parameters(
        weights / weights.sum(), means, factors @ factors.transpose(0, 2, 1)
    )
    size, n_channels = int(parts["size"]), int(parts["n_channels"])
    if size:
        data_range, remove_mean = float(parts["data_range"]), int(parts["remove_mean"])
        if size**2 * n_channels != n_features or data_range <= 0:
            raise ValueError(f"{n_features} features are no patches of {size} x {size} pixels.")
        prior.patch_format_ = PatchFormat(
            size,
            n_channels,
            None if np.isnan(data_range) else data_range,
            None if remove_mean < 0 else bool(remove_mean),
        )
    return prior


def named_prior(name: str) -> GMMDenoiser:
    """Return a prior that comes with the package."""
    if name != "photo":
        raise ValueError(
            f"prior={name!r} is no prior that comes with skmix. Pass 'photo', a fitted denoiser, "
            "or None to learn one from the image."
        )
    return photo_prior()


@cache
def photo_prior() -> GMMDenoiser:
    """The prior of photographs that comes with the package; read once, never changed."""
    return load_prior(Path(__file__).parent / "data" / "photo_prior.npz")


@cache
def _photo_mixture() -> PatchMixture:
    return PatchMixture.of(photo_prior())


def mixture_of(prior: Any) -> PatchMixture:
    """Return the mixture of a denoiser; that of photographs is made once."""
    if photo_prior.cache_info().currsize and prior is photo_prior():
        return _photo_mixture()
    return PatchMixture.of(prior)
