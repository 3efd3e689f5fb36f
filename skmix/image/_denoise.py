"""Whole images denoised by a prior for their patches."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .. import _validation
from .._gaussian_mixture import GaussianMixture
from .._gmm_denoisers import GMMDenoiser, less_noise
from .._sources import one_blas_thread
from . import _patches
from ._arrays import as_float
from ._noise import estimate_noise_std
from ._patches import add_patches, corners, patch_counts
from ._posteriors import PatchPosterior, average_posteriors
from ._progress import Progress

# Zoran and Weiss: half-quadratic splitting with these weights in units of 1 / noise variance.
EPLL_WEIGHTS = (1.0, 4.0, 8.0, 16.0, 32.0)
# An orthonormal basis of luminance and two differences of colours.
COLOUR_BASIS = np.array([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
COLOUR_BASIS /= np.linalg.norm(COLOUR_BASIS, axis=1, keepdims=True)


@one_blas_thread()
def fit_patch_prior(
    images, estimator, *, size=8, n_patches=200_000, remove_mean=True, random_state=None
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

    random_state : int, RandomState instance or None, default=None
        Controls which patches are drawn.

    Returns
    -------
    prior : estimator
        A fitted clone.

    Raises
    ------
    ValueError
        If there are no images, one is smaller than a patch, or none has a complete patch.

    Examples
    --------
    >>> import numpy as np
    >>> from skmix import MVNDenoiser
    >>> from skmix.image import fit_patch_prior
    >>> images = np.random.default_rng(0).normal(size=(3, 20, 20)).cumsum(axis=1)
    >>> fit_patch_prior(images, MVNDenoiser(), size=4, random_state=0).n_features_in_
    16
    """
    images = [as_float(image) for image in images]
    if not images:
        raise ValueError("images is empty: a prior needs at least one image.")
    random_state = check_random_state(random_state)
    share = -(-n_patches // len(images))
    drawn = []
    for image in images:
        rows, columns = corners(image.shape, size, 1)
        windows = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(0, 1))
        n_draws = min(share, len(rows) * len(columns))
        places = random_state.choice(len(rows) * len(columns), size=n_draws, replace=False)
        patches = windows[places // len(columns), places % len(columns)]
        patches = np.moveaxis(patches, 1, -1) if image.ndim == 3 else patches
        drawn.append(patches.reshape(n_draws, size * size, -1))
    X = np.concatenate(drawn)
    X = X[~np.isnan(X).any(axis=(1, 2))]
    if len(X) == 0:
        raise ValueError("images have no patch without missing pixels to learn from.")
    if remove_mean:
        X = X - X.mean(axis=1, keepdims=True)
    return clone(estimator).fit(X.reshape(len(X), -1))


def denoise(
    image,
    prior=None,
    noise_std="auto",
    *,
    method="mmse",
    stride=2,
    remove_mean=True,
    channel_axis=None,
    return_std=False,
    verbose=False,
):
    r"""Denoise an image by a prior for its patches.

    Parameters
    ----------
    image : array-like of shape (n_rows, n_columns), or with a further axis of channels
        The noisy image, NaN where a pixel is missing, to be filled as `inpaint` does; integers
        are taken as they are. Its units are those of the prior.

    prior : estimator, default=None
        A fitted denoiser with size² features, or size² times the number of channels. None learns
        a mixture of 20 components (fewer for less than 10 000 pixels) from the noisy image
        itself, the noise taken out.

    noise_std : float or 'auto', default='auto'
        Standard deviation of the noise, in units of the image; 'auto' estimates it.

    method : {'mmse', 'epll'}, default='mmse'
        'mmse' denoises every patch once and averages the overlaps. 'epll' takes turns: patches
        are denoised, and the image is pulled towards them and towards the noisy one, with
        growing trust in the patches. It takes three to five times as long and is better if the
        prior is good.

    stride : int, default=2
        Pixels from one patch to the next. Larger ones are faster and worse: a stride of 1 takes
        four times as long as the default and gains up to 0.1 dB by 'mmse', next to nothing by
        'epll', which shifts the patches from pass to pass.

    remove_mean : bool, default=True
        Whether the prior is for patches less their mean, which is put back afterwards.

    channel_axis : int, default=None
        The axis of the channels of a colour image; None for gray ones. A prior for gray patches
        denoises three channels in a basis of luminance and colour differences, one by one.

    return_std : bool, default=False
        Whether to return posterior standard deviations too.

    verbose : bool, default=False
        Whether to show how far the work is: a bar where rich is installed, otherwise a line every
        two seconds.

    Returns
    -------
    restored : ndarray of the shape of the image
        In floating point.

    std : ndarray of the shape of the image
        Posterior standard deviations of the pixels, in units of the image. Only with
        ``return_std=True``.

    Raises
    ------
    ValueError
        If the image is smaller than a patch, the prior does not fit, the noise is negative, or
        pixels are infinite.

    See Also
    --------
    fit_patch_prior : Learns a prior from clean images.
    inpaint : Fills missing pixels.
    skimage.restoration.denoise_nl_means : Averages over similar patches.

    Notes
    -----
    Patches are visited in strips, so that memory does not grow with the image. EPLL minimises
    :math:`\frac{d}{2 \sigma^2} \|x - y\|^2 - \sum_i \log p(P_i x)` over images x by half-quadratic
    splitting with weights :math:`\beta \sigma^2 = 1, 4, 8, 16, 32`, d being the pixels of a
    patch. A patch is then restored by its most probable component alone; priors that are no
    Gaussian mixtures restore it by their `transform`, as 'mmse' does.

    The standard deviation of a pixel is the root of the mean of its posterior variances in all
    patches that it is in, that of the noise in a patch's mean included. If the prior is right,
    this is an upper bound for the error of the average of 'mmse', reached where the patches
    agree; 'epll' has the same.

    References
    ----------
    D. Zoran, Y. Weiss, "From learning models of natural image patches to whole image
    restoration", ICCV 2011. :doi:`10.1109/ICCV.2011.6126278`

    Examples
    --------
    >>> import numpy as np
    >>> from skmix import GSMDenoiser
    >>> from skmix.image import denoise, fit_patch_prior
    >>> rng = np.random.default_rng(0)
    >>> clean = np.sin(np.add.outer(np.arange(60) / 5, np.arange(60) / 9))
    >>> prior = fit_patch_prior([clean.T], GSMDenoiser(3), random_state=0)
    >>> noisy = clean + 0.3 * rng.normal(size=clean.shape)
    >>> restored = denoise(noisy, prior, 0.3)
    >>> bool(np.mean((restored - clean) ** 2) < 0.2 * np.mean((noisy - clean) ** 2))
    True
    """
    restored, variance = restore(
        image,
        prior,
        noise_std,
        channel_axis,
        "denoise",
        verbose,
        method=method,
        stride=stride,
        remove_mean=remove_mean,
        with_variance=return_std,
    )
    return (restored, np.sqrt(variance)) if return_std else restored


@one_blas_thread()
def restore(image, prior, noise_std, channel_axis, what, verbose, **options):
    """Return a restored image and the variances of its pixels."""
    image = as_float(image)
    with Progress(what, verbose) as progress:
        options["progress"] = progress
        if channel_axis is not None:
            return _restore_colour(image, prior, noise_std, int(channel_axis), **options)
        if image.ndim != 2:
            raise ValueError(
                f"image has shape {image.shape}; a gray image has two axes, and for a colour "
                "image channel_axis must say which axis holds the channels."
            )
        restored, variance = _restore_planes(image[:, :, None], prior, noise_std, **options)
    return restored[:, :, 0], None if variance is None else variance[:, :, 0]


def _restore_colour(image, prior, noise_std, channel_axis, **options):
    if image.ndim != 3 or not -3 <= channel_axis < 3:
        raise ValueError(
            f"channel_axis={channel_axis} needs an image with three axes, but image has shape "
            f"{image.shape}."
        )
    planes = np.moveaxis(image, channel_axis, -1)
    n_channels = planes.shape[-1]
    if prior is not None and _side(prior, n_channels) is not None:
        if isinstance(noise_std, str):
            noise_std = np.median([estimate_noise_std(planes[..., c]) for c in range(n_channels)])
        result, variance = _restore_planes(planes, prior, noise_std, **options)
    else:
        result, variance = _restore_by_luminance(planes, prior, noise_std, **options)
    variance = None if variance is None else np.moveaxis(variance, -1, channel_axis)
    return np.moveaxis(result, -1, channel_axis), variance


def _restore_by_luminance(planes, prior, noise_std, **options):
    """Restore luminance and two differences of colours one by one."""
    if planes.shape[2] != 3:
        raise ValueError(
            f"A prior for gray patches denoises colour images of 3 channels, but image has "
            f"{planes.shape[2]}; use a prior for patches of all channels."
        )
    # In this scale the first is the mean of the channels, as a gray image would be.
    basis = (COLOUR_BASIS / np.sqrt(3.0)).astype(planes.dtype)
    if isinstance(noise_std, str):
        noise_std = estimate_noise_std(planes @ basis[1]) * np.sqrt(3.0)
    parts = [
        _restore_planes(
            (planes @ direction)[:, :, None],
            prior,
            noise_std / 3**0.5,
            n_announced=0 if i else 3,
            **options,
        )
        for i, direction in enumerate(basis)
    ]
    result = np.concatenate([restored for restored, _ in parts], axis=2) @ (3.0 * basis)
    if noise_std == 0.0:  # exact, and channels that are known where others are not
        result = np.where(np.isnan(planes), result, planes)
    if not options["with_variance"]:
        return result, None
    variance = np.concatenate([variance for _, variance in parts], axis=2) @ (3.0 * basis) ** 2
    if noise_std == 0.0:
        variance[~np.isnan(planes)] = 0.0
    return result, variance


def _restore_planes(
    image,
    prior,
    noise_std,
    *,
    method,
    stride,
    remove_mean,
    with_variance,
    progress,
    n_announced=1,
):
    """Restore all channels (n_rows, n_columns, n_channels) together.

    The work on `n_announced` such images is announced to `progress`.
    """
    if method not in ("mmse", "epll"):
        raise ValueError(f"method must be 'mmse' or 'epll', but is {method!r}.")
    if np.any(np.isinf(image)):
        raise ValueError("image has infinite pixels; write NaN for pixels that are missing.")
    noise_std = _check_noise_std(noise_std, image)
    incomplete = bool(np.any(np.isnan(image)))
    if noise_std == 0.0 and not incomplete:
        return image.copy(), np.zeros_like(image) if with_variance else None
    if prior is None:
        prior = _prior_of_image(image, noise_std, remove_mean)
    size = _side(prior, image.shape[2])
    if size is None:
        raise ValueError(
            f"prior has {prior.n_features_in_} features, which are no square patches of "
            f"{image.shape[2]} channel(s)."
        )

    passes = Passes(prior, size, stride, remove_mean, progress)
    one_pass = method == "mmse" or noise_std == 0.0
    apart = incomplete or with_variance
    shifts = ([(0, 0)] if one_pass or apart else []) + ([] if one_pass else epll_shifts(stride))
    n_rows = [len(corners(image.shape, size, stride, shift)[0]) for shift in shifts]
    progress.expect(n_announced * sum(n_rows))
    variance = None
    if apart:
        posterior = PatchPosterior(prior, noise_std, remove_mean, image.shape[2])
        image_of_means, variance = average_posteriors(
            image, posterior, size, stride, with_variance=with_variance, progress=progress
        )
        if one_pass:
            return image_of_means, variance
        known = np.isfinite(image)
        return _epll(np.where(known, image, image_of_means), known, passes, noise_std), variance
    if one_pass:
        return passes.average(image, noise_std, best=False), None
    return _epll(image, np.ones(image.shape, bool), passes, noise_std), None


def _check_noise_std(noise_std, image) -> float:
    if isinstance(noise_std, str):
        if noise_std != "auto":
            raise ValueError(f"noise_std must be a number or 'auto', but is {noise_std!r}.")
        noise_std = estimate_noise_std(image[:, :, 0])
    if np.ndim(noise_std):
        raise ValueError(f"noise_std must be one number, but has shape {np.shape(noise_std)}.")
    return float(_validation.check_noise_std(noise_std, 1, "noise_std")[0])


def _epll(image, known, passes, noise_std):
    """Take turns between patches and image; what is not known may be anything.

    As Zoran and Weiss do, a patch is restored by its most probable component. Every pass shifts
    the grid of patches, so that all take part though each pass sees some of them (S. Parameswaran,
    C.-A. Deledalle, L. Denis, T. Nguyen, "Accelerating GMM-based patch priors for image
    restoration", IEEE Transactions on Image Processing 28(2), 2019).
    """
    current = image
    for weight, shift in zip(EPLL_WEIGHTS, epll_shifts(passes.stride), strict=True):
        restored = passes.average(current, noise_std / np.sqrt(weight), best=True, shift=shift)
        trust = np.where(known, 1.0 / (1.0 + weight), 0.0).astype(image.dtype)
        current = trust * image + (1 - trust) * restored
    return current


def epll_shifts(stride: int) -> list[tuple[int, int]]:
    """Return where the grid of patches begins in each pass."""
    half = stride // 2
    return [(0, 0), (half, half), (0, half), (half, 0), (0, 0)]


class Passes:
    """Passes over the patches of an image, in strips."""

    def __init__(
        self, prior: Any, size: int, stride: int, remove_mean: bool, progress: Progress
    ) -> None:
        self.prior = prior
        self.size = size
        self.stride = stride
        self.remove_mean = remove_mean
        self.progress = progress

    def average(
        self,
        image: np.ndarray,
        noise_std: float,
        *,
        best: bool,
        shift: tuple[int, int] = (0, 0),
    ) -> np.ndarray:
        """Restore every patch and average the overlaps."""
        size = self.size
        rows, columns = corners(image.shape, size, self.stride, shift)
        total = np.zeros_like(image)
        per_row = len(columns) * size * size * image.shape[2]
        step = max(1, _patches.STRIP_VALUES // per_row)
        for start in range(0, len(rows), step):
            of_strip = rows[start : start + step]
            strip = image[of_strip[0] : of_strip[-1] + size]
            windows = np.lib.stride_tricks.sliding_window_view(strip, (size, size), axis=(0, 1))
            patches = np.moveaxis(windows[np.ix_(of_strip - of_strip[0], columns)], 2, -1)
            patches = patches.reshape(len(of_strip) * len(columns), size * size, -1)
            means = patches.mean(axis=1, keepdims=True) if self.remove_mean else 0
            centred = (patches - means).reshape(len(patches), -1)
            restored = self.prior._restore(centred, noise_std, best=best)
            restored = restored.reshape(patches.shape) + means
            restored = restored.reshape(len(patches), size, size, -1)
            add_patches(total, restored, of_strip, columns)
            self.progress.advance(len(of_strip))
        counts = patch_counts(image.shape[:2], size, self.stride, shift)
        return total / counts[:, :, None].astype(image.dtype)


def _prior_of_image(image: np.ndarray, noise_std: float, remove_mean: bool) -> GMMDenoiser:
    """Learn a prior from the noisy image itself.

    The noise is taken out of the components of a mixture of the noisy patches. Where no eigenvalue
    of theirs is below the noise that maximises the same likelihood as `training_noise_std`, to
    which EM gets slowly: after 50 iterations there was noise left, and photographs lost 0.2 to 0.5
    dB by 'mmse' and 0.8 to 2.3 dB by 'epll'.
    """
    rows, columns = corners(image.shape, 8, 1)
    if len(rows) * len(columns) < 50:
        raise ValueError(
            f"image of {image.shape[0]} x {image.shape[1]} pixels has too few patches to learn a "
            "prior from. Pass one that fit_patch_prior learned from other images."
        )
    reg_covar = 1e-4 * (noise_std**2 or max(float(np.nanvar(image)), 1e-12))
    estimator = GMMDenoiser(
        int(np.clip(np.count_nonzero(np.isfinite(image[:, :, 0])) // 500, 1, 20)),
        reg_covar=reg_covar,
        max_iter=50,
        tol=1e-2,
        random_state=0,
    )
    patches = np.squeeze(image, axis=2) if image.shape[2] == 1 else image
    with warnings.catch_warnings():
        # Few iterations are enough, and not the user's choice.
        warnings.simplefilter("ignore", ConvergenceWarning)
        prior = fit_patch_prior(
            [patches], estimator, n_patches=50_000, remove_mean=remove_mean, random_state=0
        )
    noisy = prior.mixture_
    noise_variance = np.full(prior.n_features_in_, noise_std**2)
    covariances = [less_noise(matrix, noise_variance) for matrix in noisy.covariances_]
    covariances += reg_covar * np.eye(prior.n_features_in_)
    prior.mixture_ = GaussianMixture.from_parameters(noisy.weights_, noisy.means_, covariances)
    return prior


def _side(prior: Any, n_channels: int) -> int | None:
    """Side of the patches that a prior is for; None if they are no squares."""
    check_is_fitted(prior)
    size = int(np.sqrt(prior.n_features_in_ / n_channels) + 0.5)
    return size if size * size * n_channels == prior.n_features_in_ else None
