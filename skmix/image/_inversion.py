"""Images that were blurred, or taken with too few pixels, restored by a prior for patches."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np

from .._rows.threads import one_blas_thread, worker_threads
from ._arrays import Axes, as_dtype, read_image
from ._colour import in_basis, out_of_basis
from ._conditional import filter_for_noise
from ._fast_filling import interpolated
from ._half_quadratic import half_quadratic, n_steps_of_passes
from ._noise_levels import check_noise_std, noise_of_parts
from ._operators import Binning, Blur
from ._pass_memory import PassMemory
from ._patch_format import check_prior, read_format
from ._patch_mixture import PatchMixture
from ._prior_files import mixture_of, named_prior
from ._progress import Progress
from ._units import scale_for
from ._visitor import PatchVisitor

# Errors that patches are taken to have, from the first to the last pass, in standard deviations of
# patches; the last is not below this share of the noise either.
ERRORS = (1.8, 0.1)
LEAST_SHARE = 32**-0.5
N_PASSES = 10
# Noise of data that are exact: the data then win, but for digits.
LEAST_NOISE = 1e-2


def deblur(
    image,
    psf,
    prior="photo",
    *,
    noise_std="auto",
    stride=2,
    channel_axis=None,
    data_range=None,
    verbose=False,
):
    r"""Sharpen an image whose blur is known, by a prior for its patches.

    Parameters
    ----------
    image : array-like of shape (n_rows, n_columns), or with a further axis of channels
        The blurred and noisy image, in integers or floats. Pixels that are NaN or masked are
        missing, and filled in.

    psf : array-like of shape (n_psf_rows, n_psf_columns)
        The point spread function: what a single bright point looks like, its centre in the middle
        (pixel ``(n - 1) // 2`` of an even number). It is divided by its sum.

    prior : 'photo' or estimator, default='photo'
        What clean patches look like, as in `denoise`: gray ones, by a Gaussian mixture.

    noise_std : float, array-like of shape (n_channels,) or 'auto', default='auto'
        Standard deviation of the noise, in units of the image; 'auto' estimates it. The more
        noise, the less can be sharpened.

    stride : int, default=2
        Pixels from one patch to the next, as in `denoise`.

    channel_axis : int, default=None
        The axis of the channels of a colour image, as in `denoise`; None for gray ones.

    data_range : float, default=None
        The distance from black to white, in units of the image, as in `denoise`.

    verbose : bool, default=False
        Whether to show how far the work is, as in `denoise`.

    Returns
    -------
    restored : ndarray of the shape and dtype of the image
        Integers are rounded, and clipped to what the dtype holds.

    Raises
    ------
    TypeError
        If the prior is no denoiser.
    ValueError
        If `psf` is no matrix of finite numbers with a positive sum, or larger than the image; if
        the prior is not for gray patches or no mixture; or for the reasons of `denoise`.

    See Also
    --------
    denoise : Noise without blur.
    upscale : More pixels.
    skimage.restoration.wiener : One filter for all of the image.
    skimage.restoration.richardson_lucy : No prior, for little noise.

    Notes
    -----
    Half-quadratic splitting as in `denoise`: patches are restored by their most probable
    component, and the image is pulled towards them and towards what was observed, by conjugate
    gradients. Patches are taken to have errors that fall from pass to pass. What is beyond the
    border, and blurred into the image, is restored too.

    References
    ----------
    D. Zoran, Y. Weiss, "From learning models of natural image patches to whole image
    restoration", ICCV 2011. :doi:`10.1109/ICCV.2011.6126278`

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.ndimage import convolve
    >>> from skmix.image import deblur
    >>> sharp = 0.5 + 0.4 * np.sign(np.sin(np.add.outer(np.arange(60) / 4, np.arange(60) / 9)))
    >>> psf = np.ones((5, 5)) / 25
    >>> blurred = convolve(sharp, psf, mode="reflect")
    >>> blurred += 0.01 * np.random.default_rng(0).normal(size=sharp.shape)
    >>> restored = deblur(blurred, psf)
    >>> bool(np.mean((restored - sharp) ** 2) < 0.3 * np.mean((blurred - sharp) ** 2))
    True
    """
    psf = _check_psf(psf)
    with Progress("deblur", verbose) as progress:
        return _invert(
            image,
            lambda shape: Blur(psf, shape),
            prior,
            noise_std,
            channel_axis,
            data_range,
            stride,
            progress,
        )


def upscale(
    image,
    factor=2,
    prior="photo",
    *,
    noise_std=0.0,
    stride=2,
    channel_axis=None,
    data_range=None,
    verbose=False,
):
    """Make an image of more and smaller pixels, by a prior for its patches.

    Parameters
    ----------
    image : array-like of shape (n_rows, n_columns), or with a further axis of channels
        The image, in integers or floats: each pixel is the mean of the small ones in it. Pixels
        that are NaN or masked are missing, and filled in.

    factor : int, default=2
        How many small pixels are in the side of a large one.

    prior : 'photo' or estimator, default='photo'
        What clean patches of small pixels look like, as in `deblur`.

    noise_std : float, array-like of shape (n_channels,) or 'auto', default=0.0
        Standard deviation of the noise, in units of the image; 'auto' estimates it. Without noise
        the means of the small pixels are those of the large ones.

    stride : int, default=2
        Small pixels from one patch to the next.

    channel_axis : int, default=None
        The axis of the channels of a colour image, as in `denoise`; None for gray ones.

    data_range : float, default=None
        The distance from black to white, in units of the image, as in `denoise`.

    verbose : bool, default=False
        Whether to show how far the work is, as in `denoise`.

    Returns
    -------
    restored : ndarray of the dtype of the image
        `factor` times as many rows and columns. Integers are rounded, and clipped to what the
        dtype holds.

    Raises
    ------
    TypeError
        If the prior is no denoiser.
    ValueError
        If `factor` is no positive integer, the prior is not for gray patches or no mixture, or for
        the reasons of `denoise`.

    See Also
    --------
    deblur : Restores what a lens has blurred.
    skimage.transform.resize : Interpolates.

    Notes
    -----
    As `deblur`, from an image interpolated by cubic splines.

    References
    ----------
    D. Zoran, Y. Weiss, "From learning models of natural image patches to whole image
    restoration", ICCV 2011. :doi:`10.1109/ICCV.2011.6126278`

    Examples
    --------
    >>> import numpy as np
    >>> from skmix.image import upscale
    >>> image = 0.5 + 0.4 * np.sin(np.add.outer(np.arange(20) / 2, np.arange(30) / 3))
    >>> large = upscale(image)
    >>> large.shape
    (40, 60)
    >>> bool(np.abs(large[::2, ::2] + large[1::2, 1::2] - 2 * image).max() < 0.05)
    True
    """
    if not isinstance(factor, Integral) or isinstance(factor, bool) or factor < 1:
        raise ValueError(f"factor={factor!r} must be a positive integer, such as 2.")
    with Progress("upscale", verbose) as progress:
        return _invert(
            image,
            lambda shape: Binning(int(factor)),
            prior,
            noise_std,
            channel_axis,
            data_range,
            stride,
            progress,
        )


def _check_psf(psf: Any) -> np.ndarray:
    values = np.asarray(psf)
    if values.ndim != 2 or values.dtype.kind not in "buif" or values.size == 0:
        raise ValueError(
            f"psf must be a matrix of numbers, (n_psf_rows, n_psf_columns), but has shape "
            f"{values.shape} and dtype {values.dtype}."
        )
    values = values.astype(np.float64)
    if not np.isfinite(values).all() or values.sum() <= 0:
        raise ValueError("psf must hold finite numbers with a positive sum: what a point becomes.")
    return values / values.sum()


@one_blas_thread()
def _invert(
    image: Any,
    operator_of: Callable[[tuple[int, int]], Blur | Binning],
    prior: Any,
    noise_std: Any,
    channel_axis: int | None,
    data_range: Any,
    stride: int,
    progress: Progress,
) -> np.ndarray:
    """Restore the scene of an image, in its dtype."""
    values, dtype, axes = read_image(image, Axes(None, channel_axis))
    levels = check_noise_std(noise_std, values.shape, axes)
    if not isinstance(levels, str) and levels.shape[:3] != (1, 1, 1):
        raise ValueError("noise_std must be one number, or one per channel, but is a map.")
    slices = axes.split(values)
    prior = named_prior(prior) if isinstance(prior, str) else check_prior(prior)
    patches = read_format(prior, slices.shape[3])
    if patches.n_channels != 1 or not hasattr(prior, "mixture_"):
        raise ValueError(
            f"prior is a {type(prior).__name__} for patches of {patches.n_channels} channel(s), "
            "but must be a mixture for gray ones. Use 'photo', a GMMDenoiser, GSMDenoiser or "
            "MVNDenoiser."
        )
    scale = scale_for(patches.data_range, dtype, values, data_range)
    if scale != 1.0:
        slices = slices / slices.dtype.type(scale)
    noise = noise_of_parts(levels if isinstance(levels, str) else levels / scale, slices, patches)
    planes, n_channels = slices[0], slices.shape[3]
    by_luminance = n_channels == 3
    parts = in_basis(planes) if by_luminance else [planes[..., c] for c in range(n_channels)]
    visitor = PatchVisitor(patches.size, stride, patches.remove_mean is not False, progress)
    operator, mixture = operator_of(planes.shape[:2]), mixture_of(prior)
    done = [
        _scene_of(part, operator, mixture, float(std), visitor)
        for part, std in zip(parts, noise, strict=True)
    ]
    restored = np.stack(done, axis=-1)
    if by_luminance:
        restored, _ = out_of_basis(restored, None)
    restored = axes.join((restored * scale).astype(values.dtype)[None])
    return as_dtype(restored, dtype)


def _scene_of(
    image: np.ndarray,
    operator: Blur | Binning,
    prior: PatchMixture,
    noise_std: float,
    visitor: PatchVisitor,
) -> np.ndarray:
    """Return the scene (n_rows, n_columns) of a gray image."""
    known = ~np.isnan(image)
    if not known.any():
        raise ValueError("image has no known pixel (in some channel): nothing can be restored.")
    filled = interpolated(image[:, :, None], known[:, :, None])[:, :, 0]
    start = operator.scene_of(filled)[:, :, None].astype(np.float32)
    typical = prior.typical_std
    noise_std = max(noise_std, LEAST_NOISE * typical)
    last = max(ERRORS[1] * typical, LEAST_SHARE * noise_std)
    errors = np.geomspace(max(ERRORS[0] * typical, last), last, N_PASSES)
    visitor.progress.expect(n_steps_of_passes(start.shape, visitor, N_PASSES))
    with worker_threads() as for_each:
        scene = half_quadratic(
            start,
            partial(
                filter_for_noise, prior, visitor=visitor, for_each=for_each, memory=PassMemory()
            ),
            noise_std,
            visitor,
            operator.towards_data(filled, known),
            ((noise_std / errors) ** 2).tolist(),
        )
    return operator.image_of(scene[:, :, 0])
