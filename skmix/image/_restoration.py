"""Whole images restored by a prior for their patches."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._interface import validation
from .._rows.sources import one_blas_thread
from ._arrays import as_float, channels_last, undo_channels_last
from ._filling import average_posteriors
from ._half_quadratic import half_quadratic, pass_offsets, towards_pixels
from ._noise import estimate_noise_std
from ._patch_posterior import PatchPosterior, patch_filter
from ._patch_prior import LEARNED_SIZE, learn_patch_prior, patch_side
from ._progress import Progress
from ._visitor import PatchVisitor

# An orthonormal basis of luminance and two differences of colours.
COLOUR_BASIS = np.array([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
COLOUR_BASIS /= np.linalg.norm(COLOUR_BASIS, axis=1, keepdims=True)


class Settings(NamedTuple):
    """What is asked of a restoration: the same for all channels and all passes."""

    method: str
    stride: int
    remove_mean: bool
    with_variance: bool


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
    settings = Settings(method, stride, remove_mean, with_variance=return_std)
    with Progress("denoise", verbose) as progress:
        restored, variance = restore(image, prior, noise_std, channel_axis, settings, progress)
    return (restored, np.sqrt(variance)) if return_std else restored


@one_blas_thread()
def restore(
    image: Any,
    prior: Any,
    noise_std: Any,
    channel_axis: int | None,
    settings: Settings,
    progress: Progress,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return a restored image and the variances of its pixels, or None."""
    image = as_float(image)
    _check_axes(image, channel_axis)
    if settings.method not in ("mmse", "epll"):
        raise ValueError(f"method must be 'mmse' or 'epll', but is {settings.method!r}.")
    if np.any(np.isinf(image)):
        raise ValueError("image has infinite pixels; write NaN for pixels that are missing.")
    planes = channels_last(image, channel_axis)
    n_channels = planes.shape[2]
    if channel_axis is None or (prior is not None and patch_side(prior, n_channels) is not None):
        if _is_auto(noise_std):
            noise_std = np.median([estimate_noise_std(planes[..., c]) for c in range(n_channels)])
        noise_std = _check_noise_std(noise_std)
        [(restored, variance)] = _restore_each([planes], prior, noise_std, settings, progress)
    else:
        restored, variance = _restore_by_luminance(planes, prior, noise_std, settings, progress)
    if variance is not None:
        variance = undo_channels_last(variance, channel_axis)
    return undo_channels_last(restored, channel_axis), variance


def _check_axes(image: np.ndarray, channel_axis: int | None) -> None:
    if channel_axis is None and image.ndim != 2:
        raise ValueError(
            f"image has shape {image.shape}; a gray image has two axes, and for a colour "
            "image channel_axis must say which axis holds the channels."
        )
    if channel_axis is not None and (image.ndim != 3 or not -3 <= channel_axis < 3):
        raise ValueError(
            f"channel_axis={channel_axis} needs an image with three axes, but image has shape "
            f"{image.shape}."
        )


def _is_auto(noise_std: Any) -> bool:
    if isinstance(noise_std, str) and noise_std != "auto":
        raise ValueError(f"noise_std must be a number or 'auto', but is {noise_std!r}.")
    return isinstance(noise_std, str)


def _check_noise_std(noise_std: Any) -> float:
    if np.ndim(noise_std):
        raise ValueError(f"noise_std must be one number, but has shape {np.shape(noise_std)}.")
    return float(validation.check_noise_std(noise_std, 1, "noise_std")[0])


def _restore_by_luminance(planes, prior, noise_std, settings: Settings, progress: Progress):
    """Restore luminance and two differences of colours one by one."""
    if planes.shape[2] != 3:
        raise ValueError(
            f"A prior for gray patches denoises colour images of 3 channels, but image has "
            f"{planes.shape[2]}; use a prior for patches of all channels."
        )
    # In this scale the first is the mean of the channels, as a gray image would be.
    basis = (COLOUR_BASIS / np.sqrt(3.0)).astype(planes.dtype)
    if _is_auto(noise_std):
        noise_std = estimate_noise_std(planes @ basis[1]) * np.sqrt(3.0)
    noise_std = _check_noise_std(noise_std)
    parts = _restore_each(
        [(planes @ direction)[:, :, None] for direction in basis],
        prior,
        noise_std / 3**0.5,
        settings,
        progress,
    )
    result = np.concatenate([restored for restored, _ in parts], axis=2) @ (3.0 * basis)
    if noise_std == 0.0:  # exact, and channels that are known where others are not
        result = np.where(np.isnan(planes), result, planes)
    if not settings.with_variance:
        return result, None
    variance = np.concatenate([variance for _, variance in parts], axis=2) @ (3.0 * basis) ** 2
    if noise_std == 0.0:
        variance[~np.isnan(planes)] = 0.0
    return result, variance


def _restore_each(
    images: list[np.ndarray],
    prior: Any,
    noise_std: float,
    settings: Settings,
    progress: Progress,
) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """Restore images of one shape (n_rows, n_columns, n_channels), each all channels together.

    They are taken out of the list one by one.
    """
    if noise_std == 0.0 and not any(np.isnan(image).any() for image in images):
        return [
            (image.copy(), np.zeros_like(image) if settings.with_variance else None)
            for image in images
        ]
    n_channels = images[0].shape[2]
    size = LEARNED_SIZE if prior is None else patch_side(prior, n_channels)
    if size is None:
        raise ValueError(
            f"prior has {prior.n_features_in_} features, which are no square patches of "
            f"{n_channels} channel(s)."
        )
    visitor = PatchVisitor(size, settings.stride, settings.remove_mean, progress)
    progress.expect(
        sum(
            visitor.n_steps(image.shape, offset)
            for image in images
            for offset in _offsets(image, noise_std, settings)
        )
    )
    # An image is let go when it is restored: memory holds one or the other.
    return [
        _restore_one(images.pop(0), prior, noise_std, settings, visitor)
        for _ in range(len(images))
    ]


def _offsets(image: np.ndarray, noise_std: float, settings: Settings) -> list[tuple[int, int]]:
    """Where the grid of patches begins in each pass that `_restore_one` is sure to make."""
    if settings.method == "mmse" or noise_std == 0.0:
        return [(0, 0)]
    first = [(0, 0)] if settings.with_variance or np.isnan(image).any() else []
    return first + pass_offsets(settings.stride)


def _restore_one(
    image: np.ndarray, prior: Any, noise_std: float, settings: Settings, visitor: PatchVisitor
) -> tuple[np.ndarray, np.ndarray | None]:
    """Restore all channels (n_rows, n_columns, n_channels) together."""
    if prior is None:
        prior = learn_patch_prior(image[:, :, 0], noise_std, remove_mean=settings.remove_mean)
    one_pass = settings.method == "mmse" or noise_std == 0.0
    known = ~np.isnan(image)
    start, variance = image, None
    if settings.with_variance or not known.all():
        posterior = PatchPosterior(
            prior,
            noise_std,
            remove_mean=settings.remove_mean,
            n_channels=image.shape[2],
            with_variance=settings.with_variance,
        )
        means, variance = average_posteriors(image, posterior, visitor)
        if one_pass:
            return means, variance
        start = np.where(known, image, means)
    elif one_pass:
        return visitor.average(image, patch_filter(prior, noise_std, best=False)).mean, None
    towards_data = towards_pixels(start, known)
    return half_quadratic(start, prior, noise_std, visitor, towards_data), variance
