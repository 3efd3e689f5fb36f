"""Restoration by a prior that adapts to the image, and by similar patches."""

from __future__ import annotations

from functools import partial

import numpy as np

from .._rows.threads import worker_threads
from . import _similar
from ._adaptation import adapted
from ._half_quadratic import half_quadratic, n_steps_of_passes, towards_pixels
from ._patch_mixture import PatchMixture, gated_filter
from ._visitor import PatchVisitor

# A prior adapts to so many patches at most.
N_PATCHES = 60_000


def n_steps_of_adaptation(shape: tuple[int, ...], visitor: PatchVisitor, *, similar: bool) -> int:
    """Return how many steps of progress `restore_adaptively` takes."""
    n_steps = 2 * n_steps_of_passes(shape, visitor)
    return n_steps + (_similar.n_steps(shape, visitor.size) if similar else 0)


def restore_adaptively(
    image: np.ndarray,
    known: np.ndarray,
    prior: PatchMixture,
    noise_std: float,
    visitor: PatchVisitor,
    *,
    adapt: bool = True,
    similar: bool,
) -> np.ndarray:
    """Return an image (n_rows, n_columns, n_channels) without its noise.

    It is restored by the prior, then by the prior adapted to the result, and then, if asked for,
    by Gaussians of patches that are `similar` in that. Pixels that are not `known` begin at their
    values in the image and may become anything.
    """
    noisy = image.astype(np.float32, copy=False)
    towards_data = towards_pixels(noisy, known)
    with worker_threads() as for_each:

        def restored_by(mixture: PatchMixture) -> np.ndarray:
            filter_for = partial(gated_filter, mixture, for_each=for_each)
            return half_quadratic(noisy, filter_for, noise_std, visitor, towards_data)

        restored = restored_by(prior)
        if adapt:
            rows = _some_patches(restored, visitor)
            restored = restored_by(adapted(prior, rows, noise_std, for_each))
        if similar:
            last = _similar.restore_by_similar(
                noisy, restored, noise_std, visitor.size, for_each, visitor.progress
            )
            # The two err in different places.
            restored = (restored + last) / 2
    return restored.astype(image.dtype, copy=False)


def _some_patches(image: np.ndarray, visitor: PatchVisitor) -> np.ndarray:
    """Patches (n, n_features) of all parts of an image."""
    size = visitor.size
    step = max(2, int(np.ceil(np.sqrt(image.shape[0] * image.shape[1] / N_PATCHES))))
    at = np.ix_(*(np.arange(0, n - size + 1, step) for n in image.shape[:2]))
    return visitor.rows(image, at)[0]
