"""Whole images restored by a prior for their patches."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .._interface import validation
from .._rows.threads import one_blas_thread
from ._adaptive import n_steps_of_adaptation, restore_adaptively
from ._arrays import as_dtype, as_float, channels_last, check_axes, undo_channels_last
from ._colour import CONTRASTS, halved, in_basis, out_of_basis
from ._fast_filling import fill, n_steps_of_filling
from ._filling import average_posteriors
from ._half_quadratic import half_quadratic, n_steps_of_passes, towards_pixels
from ._noise import noise_std_of_plane
from ._patch_format import PatchFormat, check_prior, read_format
from ._patch_posterior import PatchPosterior, patch_filter
from ._patch_prior import LEARNED_SIZE, learn_patch_prior
from ._prior_files import mixture_of, named_prior
from ._progress import Progress
from ._units import scale_for
from ._visitor import PatchVisitor

METHODS = ("auto", "similar", "epll", "mmse")


class Settings(NamedTuple):
    """What is asked of a restoration: the same for all channels and all passes."""

    method: str
    stride: int
    remove_mean: bool | None
    with_variance: bool


@one_blas_thread()
def restore(
    image: Any,
    missing: np.ndarray | None,
    prior: Any,
    noise_std: Any,
    channel_axis: int | None,
    data_range: Any,
    settings: Settings,
    progress: Progress,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return a restored image in its dtype, and standard deviations in floating point, or None."""
    values = as_float(image)
    dtype = getattr(image, "dtype", np.asarray(image).dtype)
    check_axes(values, channel_axis)
    if settings.method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, but is {settings.method!r}.")
    if np.any(np.isinf(values)):
        raise ValueError("image has infinite pixels; write NaN for pixels that are missing.")
    if missing is not None:
        values = np.where(missing, values.dtype.type(np.nan), values)
    planes = channels_last(values, channel_axis)
    patches = PatchFormat(LEARNED_SIZE, 1, None, None)
    if prior is not None:
        prior = named_prior(prior) if isinstance(prior, str) else check_prior(prior)
        patches = read_format(prior, planes.shape[2])
    if settings.remove_mean is None:
        settings = settings._replace(remove_mean=patches.remove_mean is not False)
    scale = scale_for(patches.data_range, dtype, values, data_range)
    if scale != 1.0:
        planes = planes / planes.dtype.type(scale)
    noise = _noise_stds(planes, patches, noise_std, scale)
    restored, variance = _restore_planes(planes, prior, noise, patches, settings, progress)
    restored = undo_channels_last(restored, channel_axis)
    if scale != 1.0:
        restored = restored * values.dtype.type(scale)
    if not np.any(noise):  # exact, and channels that are known where others are not
        restored = np.where(np.isnan(values), restored, values)
    if variance is not None:
        variance = scale * np.sqrt(undo_channels_last(variance, channel_axis))
    return as_dtype(restored, dtype), variance


def _noise_stds(
    planes: np.ndarray, patches: PatchFormat, noise_std: Any, scale: float
) -> list[float]:
    """Standard deviations of the noise, in units of the prior: one for each part of the image.

    Parts are all channels together, luminance and differences of colours, or single channels.
    """
    n_channels = planes.shape[2]
    together = patches.n_channels == n_channels
    n_parts = 1 if together else n_channels
    if not isinstance(noise_std, str):
        if np.ndim(noise_std):
            raise ValueError(f"noise_std must be one number, but has shape {np.shape(noise_std)}.")
        std = float(validation.check_noise_std(noise_std, 1, "noise_std")[0]) / scale
        if not together and n_channels == 3:
            return (std / np.sqrt(3.0) * CONTRASTS).tolist()
        return [std] * n_parts
    if noise_std != "auto":
        raise ValueError(f"noise_std must be a number or 'auto', but is {noise_std!r}.")
    if not together and n_channels == 3:
        found = [_noise_of_colours(part, c) for c, part in enumerate(in_basis(planes))]
    else:
        found = [noise_std_of_plane(planes[..., c]) for c in range(n_channels)]
    if np.isnan(found).all():
        warnings.warn(
            "The noise level cannot be told, and no noise is removed: less than ten patches have "
            "neither missing pixels nor constant areas. Give noise_std as a number.",
            UserWarning,
            stacklevel=4,
        )
    found = [0.0 if np.isnan(std) else std for std in found]
    return [float(np.sqrt(np.mean(np.square(found))))] if together else found


def _noise_of_colours(part: np.ndarray, index: int) -> float:
    """The noise of luminance, or of a difference of colours, which files often hold in half size.

    Its noise is then that of pixels twice as wide, and absent from the finest scale.
    """
    std = noise_std_of_plane(part)
    if index == 0 or min(part.shape) < 2 * LEARNED_SIZE:
        return std
    return float(np.fmax(std, 2.0 * noise_std_of_plane(halved(part))))


def _restore_planes(
    planes: np.ndarray,
    prior: Any,
    noise: list[float],
    patches: PatchFormat,
    settings: Settings,
    progress: Progress,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Restore an image (n_rows, n_columns, n_channels), in parts as the prior needs them."""
    n_channels = planes.shape[2]
    if patches.n_channels == n_channels:
        [result] = _restore_each([planes], prior, noise, patches.size, settings, progress)
        return result
    by_luminance = n_channels == 3
    parts = in_basis(planes) if by_luminance else [planes[..., c] for c in range(n_channels)]
    done = _restore_each(
        [part[:, :, None] for part in parts],
        prior,
        noise,
        patches.size,
        settings,
        progress,
        by_luminance=by_luminance,
    )
    restored = np.concatenate([mean for mean, _ in done], axis=2)
    variance = None
    if settings.with_variance:
        variance = np.concatenate([spread for _, spread in done], axis=2)
    if not by_luminance:
        return restored, variance
    restored, variance = out_of_basis(restored, variance)
    if not np.any(noise) and variance is not None:
        variance[~np.isnan(planes)] = 0.0
    return restored, variance


def _restore_each(
    images: list[np.ndarray],
    prior: Any,
    noise: list[float],
    size: int,
    settings: Settings,
    progress: Progress,
    *,
    by_luminance: bool = False,
) -> list[tuple[np.ndarray, Any]]:
    """Restore images of one shape (n_rows, n_columns, n_channels), each all channels together.

    They are taken out of the list one by one.
    """
    visitor = PatchVisitor(size, settings.stride, bool(settings.remove_mean), progress)
    tasks = [
        _Task(prior, std, settings, visitor, coarse=i > 0 and by_luminance)
        for i, std in enumerate(noise)
    ]
    for task, image in zip(tasks, images, strict=True):
        progress.expect(task.n_steps(image))
    # An image is let go when it is restored: memory holds one or the other.
    return [task.restore(images.pop(0)) for task in tasks]


class _Task:
    """One image to restore, all channels (n_rows, n_columns, n_channels) together."""

    def __init__(
        self,
        prior: Any,
        noise_std: float,
        settings: Settings,
        visitor: PatchVisitor,
        *,
        coarse: bool,
    ) -> None:
        self.prior = prior
        self.noise_std = noise_std
        self.with_variance = settings.with_variance
        self.method = settings.method
        if self.method in ("auto", "similar"):
            if prior is not None and not hasattr(prior, "mixture_"):
                self.method = "mmse"  # no mixture, no gates
            elif coarse:
                # Eyes and errors notice little of what is fine in differences of colours.
                self.method = "auto"
                visitor = replace(visitor, stride=max(visitor.stride, visitor.size // 2))
        self.coarse = coarse
        self.visitor = visitor

    @property
    def _one_pass(self) -> bool:
        return self.method == "mmse" or self.noise_std == 0.0

    @property
    def _fast(self) -> bool:
        """Whether complete patches meet few components, and incomplete ones a single one."""
        return self.method in ("auto", "similar")

    def n_steps(self, image: np.ndarray) -> int:
        """Return how many steps of progress `restore` is sure to take."""
        incomplete = bool(np.isnan(image).any())
        if self.noise_std == 0.0 and not incomplete:
            return 0
        n_steps, shape = 0, image.shape
        if incomplete and self._fast:
            n_steps += n_steps_of_filling(shape, self.visitor)
        if self.with_variance or ((incomplete or self._one_pass) and not self._fast):
            n_steps += self.visitor.n_steps(shape)
        if self._one_pass:
            return n_steps
        if self.method == "epll" or self.coarse:
            return n_steps + n_steps_of_passes(shape, self.visitor)
        similar = self.method == "similar" and not incomplete
        return n_steps + n_steps_of_adaptation(shape, self.visitor, similar=similar)

    def restore(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the restored image, and variances or None."""
        known = ~np.isnan(image)
        if self.noise_std == 0.0 and known.all():
            return image.copy(), np.zeros_like(image) if self.with_variance else None
        if self.prior is None:
            self.prior = learn_patch_prior(
                image[:, :, 0], self.noise_std, remove_mean=self.visitor.remove_mean
            )
        means, variance = None, None
        if self.with_variance or not (known.all() or self._fast):
            means, variance = self._posterior(image)
        if self._fast:
            del means
            return self._restore_fast(image, known), variance
        if self._one_pass:
            if means is None:
                restore = patch_filter(self.prior, self.noise_std, best=False)
                means = self.visitor.average(image, restore).mean
            return means, variance
        start = image if means is None else np.where(known, image, means)
        return half_quadratic(
            start,
            partial(patch_filter, self.prior, best=True),
            self.noise_std,
            self.visitor,
            towards_pixels(start, known),
        ), variance

    def _posterior(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Averages of the posteriors of all patches."""
        posterior = PatchPosterior(
            self.prior,
            self.noise_std,
            remove_mean=self.visitor.remove_mean,
            n_channels=image.shape[2],
            with_variance=self.with_variance,
        )
        return average_posteriors(image, posterior, self.visitor)

    def _restore_fast(self, image: np.ndarray, known: np.ndarray) -> np.ndarray:
        mixture, complete = mixture_of(self.prior), bool(known.all())
        if not complete:
            image = fill(image, mixture, self.noise_std, self.visitor)
        if self.noise_std == 0.0:
            return image
        return restore_adaptively(
            image,
            known,
            mixture,
            self.noise_std,
            self.visitor,
            adapt=not self.coarse,
            similar=self.method == "similar" and complete,
        )
