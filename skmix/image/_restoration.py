"""Whole images restored by a prior for their patches."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np

from .._interface.wording import truth
from .._rows.threads import one_blas_thread, worker_threads
from ._adaptive import Noisy, n_steps_of_adaptation, restore_adaptively
from ._arrays import Axes, as_dtype, read_image
from ._colour import in_basis, out_of_basis
from ._conditional import filter_for_noise
from ._fast_filling import fill, n_steps_of_filling
from ._filling import average_posteriors
from ._half_quadratic import half_quadratic, n_steps_of_passes, towards_pixels
from ._noise_levels import NoiseStd, check_noise_std, noise_of_parts, rms
from ._outliers import outliers
from ._pass_memory import PassMemory
from ._patch_format import PatchFormat, check_prior, read_format
from ._patch_posterior import PatchPosterior, patch_filter
from ._patch_prior import LEARNED_SIZE, learn_patch_prior
from ._prior_files import mixture_of, named_prior
from ._progress import Progress
from ._units import scale_for
from ._visitor import PatchVisitor

# With fewer components, full passes are as fast as gates. With less noise, in standard deviations
# of patches, they keep digits that gates do not.
MIN_COMPONENTS = 64
LEAST_GATED_NOISE = 1e-2
METHODS = ("auto", "similar", "epll", "mmse")


class Settings(NamedTuple):
    """What is asked of a restoration: the same for all channels and all passes."""

    method: str
    stride: int
    remove_mean: bool | None
    with_variance: bool
    reject_outliers: bool

    @classmethod
    def checked(
        cls, method: Any, stride: Any, remove_mean: Any, return_std: Any, reject_outliers: Any
    ) -> Self:
        """Return what is asked for, options being on or off."""
        if remove_mean is not None:
            remove_mean = truth(remove_mean, "remove_mean")
        with_variance = truth(return_std, "return_std")
        return cls(
            method, stride, remove_mean, with_variance, truth(reject_outliers, "reject_outliers")
        )


# Restored images (n_rows, n_columns, n_channels) with their variances or None.
Restored = list[tuple[np.ndarray, np.ndarray | None]]


@one_blas_thread()
def restore(
    image: Any,
    missing: np.ndarray | None,
    prior: Any,
    noise_std: Any,
    axes: Axes,
    data_range: Any,
    settings: Settings,
    progress: Progress,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return a restored image in its dtype, and standard deviations in floating point, or None."""
    values, dtype, axes = read_image(image, axes)
    if not isinstance(settings.method, str) or settings.method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, but is {settings.method!r}.")
    levels = check_noise_std(noise_std, values.shape, axes)
    if missing is not None:
        values = np.where(missing, values.dtype.type(np.nan), values)
    given = axes.split(values)
    patches = PatchFormat(LEARNED_SIZE, 1, None, None)
    if prior is not None:
        prior = named_prior(prior) if isinstance(prior, str) else check_prior(prior)
        patches = read_format(prior, given.shape[3])
    if settings.remove_mean is None:
        settings = settings._replace(remove_mean=patches.remove_mean is not False)
    scale = scale_for(patches.data_range, dtype, values, data_range)
    slices = given if scale == 1.0 else given / given.dtype.type(scale)
    levels_of_prior = levels if isinstance(levels, str) else levels / scale
    if settings.reject_outliers:
        rejected = _outliers(slices, prior, levels_of_prior, patches, settings, progress)
        slices, given = (np.where(rejected, np.nan, some) for some in (slices, given))
    noise = noise_of_parts(levels_of_prior, slices, patches)
    done = _restore_slices(slices, prior, noise, patches, settings, progress)
    restored = np.stack([mean for mean, _ in done])
    if scale != 1.0:
        restored *= values.dtype.type(scale)
    # Exact, and channels that are known where others are not.
    without_noise = all(np.all(np.equal(std, 0.0)) for std in noise)
    exact = without_noise if isinstance(levels, str) else np.equal(levels, 0.0)
    exact = exact & ~np.isnan(given)
    np.copyto(restored, given, where=exact)
    if not settings.with_variance:
        return as_dtype(axes.join(restored), dtype), None
    std = scale * np.sqrt(np.stack([spread for _, spread in done if spread is not None]))
    return as_dtype(axes.join(restored), dtype), axes.join(np.where(exact, 0.0, std))


def _outliers(
    slices: np.ndarray,
    prior: Any,
    levels: Any,
    patches: PatchFormat,
    settings: Settings,
    progress: Progress,
) -> np.ndarray:
    """Find impossible pixels, channel by channel where the prior is for gray patches."""
    if not hasattr(prior, "mixture_"):
        given = "None" if prior is None else f"a {type(prior).__name__}"
        raise ValueError(
            f"reject_outliers=True needs a mixture that is known before, but prior is {given}. "
            "Use 'photo', a GMMDenoiser, GSMDenoiser or MVNDenoiser."
        )
    visitor = PatchVisitor(patches.size, settings.stride, bool(settings.remove_mean), progress)
    mixture, found = mixture_of(prior), np.zeros(slices.shape, dtype=bool)
    width = patches.n_channels
    for first in range(0, slices.shape[3], width):
        some = slices[..., first : first + width]
        if not isinstance(levels, str) and levels.shape[3] > 1:
            own = levels[..., first : first + width]
        else:
            own = levels
        # Colours are still colours here, not luminance: channels of their own.
        noise = noise_of_parts(own, some, patches, quiet=True)[0]
        for i, image in enumerate(some):
            noise_std = noise if isinstance(noise, float) else noise[i]
            found[i, ..., first : first + width] = outliers(image, mixture, noise_std, visitor)
    return found


def _restore_slices(
    slices: np.ndarray,
    prior: Any,
    noise: list[NoiseStd],
    patches: PatchFormat,
    settings: Settings,
    progress: Progress,
) -> Restored:
    """Restore images (n_slices, n_rows, n_columns, n_channels), in parts as the prior needs them.

    The slices of a stack share what is learned of their patches.
    """
    n_channels = slices.shape[3]
    by_luminance = n_channels == 3 and patches.n_channels == 1
    if patches.n_channels == n_channels:
        parts = [list(slices)]
    elif by_luminance:
        parts = [[] for _ in range(3)]
        for planes in slices:
            for images, part in zip(parts, in_basis(planes), strict=True):
                images.append(part[:, :, None])
    else:
        parts = [list(slices[..., c : c + 1]) for c in range(n_channels)]
    visitor = PatchVisitor(patches.size, settings.stride, bool(settings.remove_mean), progress)
    tasks = [
        _Task(prior, std, settings, visitor, coarse=c > 0 and by_luminance)
        for c, std in enumerate(noise)
    ]
    for task, images in zip(tasks, parts, strict=True):
        progress.expect(task.n_steps(images))
    # Images are let go when they are restored: memory holds one or the other.
    done = [task.restore(parts.pop(0)) for task in tasks]
    if len(done) == 1:
        return done[0]
    return [_joined(of_slice, by_luminance) for of_slice in zip(*done, strict=True)]


def _joined(
    parts: tuple[tuple[np.ndarray, np.ndarray | None], ...], by_luminance: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """An image and its variances of those of its parts."""
    restored = np.concatenate([mean for mean, _ in parts], axis=2)
    spreads = [spread for _, spread in parts if spread is not None]
    variance = np.concatenate(spreads, axis=2) if spreads else None
    return out_of_basis(restored, variance) if by_luminance else (restored, variance)


class _Task:
    """Images of one shape to restore, all channels (n_rows, n_columns, n_channels) together."""

    def __init__(
        self,
        prior: Any,
        noise_std: NoiseStd,
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
    def _without_noise(self) -> bool:
        return isinstance(self.noise_std, float) and self.noise_std == 0.0

    @property
    def _one_pass(self) -> bool:
        return self.method == "mmse" or self._without_noise

    @property
    def _fast(self) -> bool:
        """Whether complete patches meet few components, and incomplete ones a single one."""
        return self.method in ("auto", "similar")

    def _noise_of(self, index: int) -> NoiseStd:
        return self.noise_std if isinstance(self.noise_std, float) else self.noise_std[index]

    def n_steps(self, images: list[np.ndarray]) -> int:
        """Return how many steps of progress `restore` is sure to take."""
        return sum(self._n_steps_of(image) for image in images)

    def _n_steps_of(self, image: np.ndarray) -> int:
        incomplete = bool(np.isnan(image).any())
        if self._without_noise and not incomplete:
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

    def restore(self, images: list[np.ndarray]) -> Restored:
        """Return the restored images, each with variances or None."""
        complete = not any(np.isnan(image).any() for image in images)
        if self._without_noise and complete:
            return [
                (image.copy(), np.zeros_like(image) if self.with_variance else None)
                for image in images
            ]
        if self.prior is None:
            self.prior = learn_patch_prior(
                [image[:, :, 0] for image in images],
                rms(self.noise_std),
                remove_mean=self.visitor.remove_mean,
            )
        if not self._fast:
            return [self._restore_one(image, self._noise_of(i)) for i, image in enumerate(images)]
        variances = [
            self._posterior(image, self._noise_of(i))[1] if self.with_variance else None
            for i, image in enumerate(images)
        ]
        return list(zip(self._restore_fast(images, complete), variances, strict=True))

    def _restore_one(
        self, image: np.ndarray, noise_std: NoiseStd
    ) -> tuple[np.ndarray, np.ndarray | None]:
        known, means, variance = ~np.isnan(image), None, None
        varying = not isinstance(noise_std, float)
        if self.with_variance or not known.all() or (varying and self._one_pass):
            means, variance = self._posterior(image, noise_std)
        if self._one_pass:
            if means is None:
                restore = patch_filter(self.prior, rms(noise_std), best=False)
                means = self.visitor.average(image, restore).mean
            return means, variance
        start = image if means is None else np.where(known, image, means)
        towards_data = towards_pixels(start, known, noise_std)
        if not varying and not self._gates_pay:
            filter_for = partial(patch_filter, self.prior, best=True)
            return half_quadratic(
                start, filter_for, noise_std, self.visitor, towards_data
            ), variance
        with worker_threads() as for_each:
            filter_for = partial(
                filter_for_noise,
                mixture_of(self.prior),
                visitor=self.visitor,
                for_each=for_each,
                memory=PassMemory(),
            )
            restored = half_quadratic(start, filter_for, noise_std, self.visitor, towards_data)
        return restored, variance

    @property
    def _gates_pay(self) -> bool:
        """Whether gates are faster than all components, and single precision enough for them."""
        if not hasattr(self.prior, "mixture_"):
            return False
        mixture = mixture_of(self.prior)
        enough_noise = rms(self.noise_std) >= LEAST_GATED_NOISE * mixture.typical_std
        return len(mixture.weights) >= MIN_COMPONENTS and enough_noise

    def _posterior(
        self, image: np.ndarray, noise_std: NoiseStd
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Averages of the posteriors of all patches."""
        posterior = PatchPosterior(
            self.prior,
            noise_std,
            remove_mean=self.visitor.remove_mean,
            size=self.visitor.size,
            n_channels=image.shape[2],
            with_variance=self.with_variance,
        )
        return average_posteriors(image, posterior, self.visitor)

    def _restore_fast(self, images: list[np.ndarray], complete: bool) -> list[np.ndarray]:
        mixture = mixture_of(self.prior)
        noisy = []
        for i in range(len(images)):
            image, noise_std = images.pop(0), self._noise_of(i)
            known = ~np.isnan(image)
            if not known.all():
                image = fill(image, mixture, noise_std, self.visitor)
            noisy.append(Noisy(image, known, noise_std))
        if self._without_noise:
            return [image.pixels for image in noisy]
        return restore_adaptively(
            noisy,
            mixture,
            self.visitor,
            adapt=not self.coarse,
            similar=self.method == "similar" and complete,
        )
