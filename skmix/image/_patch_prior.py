"""Priors for patches: learned from clean images, or from the noisy image itself."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from numbers import Integral
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from .._denoisers.base import Denoiser
from .._denoisers.gaussian import less_noise
from .._denoisers.gmm import GMMDenoiser
from .._interface.wording import check_random_state, naming, truth
from .._mixtures.known import Known, KnowsRows
from .._rows.threads import one_blas_thread
from ..exceptions import DegenerateComponentWarning
from ._arrays import as_float, refuse_infinite
from ._patch_format import PatchFormat
from ._patches import corners, cut_patches, known_means
from ._units import check_data_range, known_data_range

# The side of patches of a prior that is learned from the image itself.
LEARNED_SIZE = 8
PATCHES_PER_COMPONENT = 50


@one_blas_thread()
def fit_patch_prior(
    images,
    estimator,
    *,
    size=8,
    n_patches=200_000,
    remove_mean=True,
    data_range=None,
    random_state=None,
):
    """Learn a prior for patches from images.

    Parameters
    ----------
    images : list of array-like
        Gray images (n_rows, n_columns), or images with channels, then for patches of all
        channels together. Patches with missing pixels (NaN) are left out.

    estimator : estimator
        An unfitted denoiser, such as `GMMDenoiser` or `GSMDenoiser`.

    size : int, default=8
        The side of a patch, in pixels.

    n_patches : int, default=200_000
        The number of patches drawn at random, in equal shares from all images.

    remove_mean : bool, default=True
        Whether to take the mean out of each patch (and channel).

    data_range : float, default=None
        The distance from black to white, in units of the images. None takes 255 for uint8, 65535
        for uint16, and 1 for floats within about [-0.5, 1.5]; of others, or where images differ,
        none is known.

    random_state : int, RandomState instance or None, default=None
        Controls which patches are drawn.

    Returns
    -------
    prior : estimator
        A fitted clone. It knows the size and channels of its patches and their `data_range`:
        `denoise` and `inpaint` convert images of another one. A prior of no known range is for
        images in the same units.

    Raises
    ------
    ValueError
        If there are no images, one is smaller than a patch or boolean, `data_range` is not
        positive, or no image has a complete patch.

    Examples
    --------
    >>> import numpy as np
    >>> from skmix import MVNDenoiser
    >>> from skmix.image import fit_patch_prior
    >>> images = np.random.default_rng(0).normal(size=(3, 20, 20)).cumsum(axis=1)
    >>> fit_patch_prior(images, MVNDenoiser(), size=4, random_state=0).n_features_in_
    16
    """
    if isinstance(estimator, type) or not hasattr(estimator, "fit"):
        raise TypeError(
            f"estimator must have fit, as GMMDenoiser(50) or GaussianMixture(50) has, but is "
            f"{estimator!r}."
        )
    data_range = check_data_range(data_range)
    remove_mean = truth(remove_mean, "remove_mean")
    with naming("images", "a list of images"):
        given = list(images)
    images = [as_float(image) for image in given]
    for number, image in enumerate(images):
        refuse_infinite(image, f"images[{number}]")
    if not isinstance(n_patches, Integral) or n_patches < 1:
        raise ValueError(f"n_patches={n_patches!r} must be a whole number of at least 1.")
    if data_range is None:
        data_range = _common_data_range(given, images)
    if not images:
        raise ValueError("images is empty: a prior needs at least one image.")
    random_state = check_random_state(random_state)
    share = -(-n_patches // len(images))
    drawn = []
    for image in images:
        _, columns = corners(image.shape, size, 1)
        places = _complete_patches(image, size)
        if len(places) == 0:
            continue
        n_draws = min(share, len(places))
        places = places[random_state.choice(len(places), size=n_draws, replace=False)]
        patches = cut_patches(image, size, *divmod(places, len(columns)))
        drawn.append(patches.reshape(n_draws, size * size, -1))
    if not drawn:
        raise ValueError(
            f"images have no patch of {size} x {size} without missing pixels to learn from. Pass "
            "other images, or a smaller size."
        )
    X = np.concatenate(drawn)
    if remove_mean:
        X = X - known_means(X)
    prior = clone(estimator)
    pixels = Known(columns_alike=True)
    with prior._knowing(pixels) if isinstance(prior, KnowsRows) else nullcontext():
        prior.fit(X.reshape(len(X), -1))
    if isinstance(prior, Denoiser):
        prior.patch_format_ = PatchFormat(int(size), X.shape[2], data_range, remove_mean)
    return prior


def _complete_patches(image: np.ndarray, size: int) -> np.ndarray:
    """Return which patches, counted row by row, have no missing pixel."""
    missing = np.isnan(image).reshape(*image.shape[:2], -1).any(axis=2)
    if not missing.any():
        return np.arange((len(missing) - size + 1) * (missing.shape[1] - size + 1))
    return np.flatnonzero(~sliding_window_view(missing, (size, size)).any(axis=(2, 3)))


def _common_data_range(given: list[Any], images: list[np.ndarray]) -> float | None:
    """The distance from black to white that all images have; None where it is not known."""
    found = {
        known_data_range(getattr(image, "dtype", values.dtype), values)
        for image, values in zip(given, images, strict=True)
    }
    return found.pop() if len(found) == 1 else None


def learn_patch_prior(
    images: list[np.ndarray], noise_std: float, *, remove_mean: bool
) -> GMMDenoiser:
    """Learn a prior from a noisy gray image (n_rows, n_columns) itself, or a stack of them.

    The noise is taken out of the components of a mixture of the noisy patches. Where no eigenvalue
    of theirs is below the noise that maximises the same likelihood as `training_noise_std`, to
    which EM gets slowly: after 50 iterations there was noise left, and photographs lost 0.2 to 0.5
    dB by 'mmse' and 0.8 to 2.3 dB by 'epll'.
    """
    corners(images[0].shape, LEARNED_SIZE, 1)  # raises where an image is smaller than a patch
    n_patches = sum(len(_complete_patches(image, LEARNED_SIZE)) for image in images)
    if n_patches < PATCHES_PER_COMPONENT:
        n_rows, n_columns = images[0].shape
        raise ValueError(
            f"image of {n_rows} x {n_columns} pixels has too few patches without missing pixels "
            f"to learn a prior from: {n_patches}. Use prior='photo', or one that fit_patch_prior "
            "learned from other images."
        )
    content = float(np.mean([np.nanvar(image) for image in images]))
    reg_covar = 1e-4 * (noise_std**2 or content or 1e-12)
    n_known = sum(np.count_nonzero(np.isfinite(image)) for image in images)
    estimator = GMMDenoiser(
        int(np.clip(min(n_known // 500, n_patches // PATCHES_PER_COMPONENT), 1, 20)),
        reg_covar=reg_covar,
        max_iter=50,
        tol=1e-2,
        random_state=0,
    )
    with warnings.catch_warnings():
        # Few iterations are enough, and neither they nor the number of components nor `reg_covar`
        # are the user's choice.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", DegenerateComponentWarning)
        warnings.filterwarnings("ignore", "reg_covar=", UserWarning)
        fitted = fit_patch_prior(
            images,
            estimator,
            size=LEARNED_SIZE,
            n_patches=50_000,
            remove_mean=remove_mean,
            random_state=0,
        )
    noisy = fitted.mixture_
    noise_variance = np.full(fitted.n_features_in_, noise_std**2)
    covariances = [less_noise(matrix, noise_variance) for matrix in noisy.covariances_]
    covariances += reg_covar * np.eye(fitted.n_features_in_)
    return GMMDenoiser.from_parameters(noisy.weights_, noisy.means_, covariances)
