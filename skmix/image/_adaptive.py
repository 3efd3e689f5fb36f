"""Restoration by a prior that adapts to the image, and by similar patches."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from .._rows.threads import worker_threads
from . import _similar
from ._adaptation import adapted
from ._conditional import filter_for_noise
from ._half_quadratic import half_quadratic, n_steps_of_passes, towards_pixels
from ._noise_levels import NoiseStd, rms
from ._pass_memory import PassMemory
from ._patch_mixture import PatchMixture
from ._visitor import PatchVisitor

# A prior adapts to so many patches at most.
N_PATCHES = 60_000


def n_steps_of_adaptation(shape: tuple[int, ...], visitor: PatchVisitor, *, similar: bool) -> int:
    """Return how many steps of progress `restore_adaptively` takes."""
    n_steps = 2 * n_steps_of_passes(shape, visitor)
    return n_steps + (_similar.n_steps(shape, visitor.size) if similar else 0)


class Noisy(NamedTuple):
    """An image to restore."""

    pixels: np.ndarray  # (n_rows, n_columns, n_channels)
    known: np.ndarray  # of the same shape; the others begin at their values and become anything
    noise_std: NoiseStd


def restore_adaptively(
    images: list[Noisy],
    prior: PatchMixture,
    visitor: PatchVisitor,
    *,
    adapt: bool = True,
    similar: bool,
) -> list[np.ndarray]:
    """Return an image, or the slices of a stack, without their noise.

    They are restored by the prior, then by the prior adapted to the results of all, and then, if
    asked for, by Gaussians of patches that are `similar` in those.
    """
    with worker_threads() as for_each:

        def restored_by(mixture: PatchMixture) -> list[np.ndarray]:
            filter_for = partial(filter_for_noise, mixture, visitor=visitor, for_each=for_each)
            return [
                half_quadratic(
                    pixels.astype(np.float32, copy=False),
                    partial(filter_for, memory=PassMemory()),
                    noise_std,
                    visitor,
                    towards_pixels(pixels.astype(np.float32, copy=False), known, noise_std),
                )
                for pixels, known, noise_std in images
            ]

        restored = restored_by(prior)
        if adapt:
            rows = _some_patches(restored, visitor)
            noise_std = rms(np.array([rms(image.noise_std) for image in images]))
            restored = restored_by(adapted(prior, rows, noise_std, for_each))
        for i, (pixels, _, noise) in enumerate(images if similar else []):
            shape = pixels.shape
            size = _similar.patch_size(visitor.size, rms(noise), prior.typical_std, shape)
            restored[i] = _similar.restore_by_similar(
                pixels.astype(np.float32, copy=False),
                restored[i],
                noise,
                size,
                for_each,
                visitor.progress,
            )
            # Larger patches are in fewer rows than was expected.
            expected = _similar.n_steps(shape, visitor.size)
            visitor.progress.advance(expected - _similar.n_steps(shape, size))
    return [
        image.astype(noisy.pixels.dtype, copy=False)
        for image, noisy in zip(restored, images, strict=True)
    ]


def _some_patches(images: list[np.ndarray], visitor: PatchVisitor) -> np.ndarray:
    """Patches (n, n_features) of all parts of images of one shape."""
    size, (n_rows, n_columns) = visitor.size, images[0].shape[:2]
    step = max(2, int(np.ceil(np.sqrt(len(images) * n_rows * n_columns / N_PATCHES))))
    at = np.ix_(*(np.arange(0, n - size + 1, step) for n in (n_rows, n_columns)))
    return np.concatenate([visitor.rows(image, at)[0] for image in images])
