"""Images cut into overlapping patches, and put together again."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np

from .._interface.masked import masked_as_missing
from .._interface.wording import naming

# Patches are visited in strips of about this many values, so that memory does not grow with the
# image.
STRIP_VALUES = 2**23


def extract_patches(image, size, stride=1):
    """Cut an image into overlapping square patches.

    Parameters
    ----------
    image : array-like of shape (n_rows, n_columns) or (n_rows, n_columns, n_channels)
        The image, of any type.

    size : int
        The side of a patch, in pixels.

    stride : int, default=1
        Pixels from one patch to the next, in both directions. The last patches of a row and of a
        column end at the border, so that every pixel is in some patch.

    Returns
    -------
    patches : ndarray of shape (n_patches, size, size) or (n_patches, size, size, n_channels)
        Copies of the patches, row by row.

    Raises
    ------
    ValueError
        If the image has another number of dimensions or is smaller than a patch, `size` or
        `stride` is less than 1, or `stride` is greater than `size`.

    See Also
    --------
    reconstruct : The way back.
    sklearn.feature_extraction.image.extract_patches_2d : Patches at random, with stride 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skmix.image import extract_patches
    >>> extract_patches(np.arange(6).reshape(2, 3), 2)
    array([[[0, 1],
            [3, 4]],
    <BLANKLINE>
           [[1, 2],
            [4, 5]]])
    """
    image = np.asarray(masked_as_missing(image))
    rows, columns = corners(image.shape, size, stride)
    return cut_patches(image, size, *np.ix_(rows, columns))


def reconstruct(patches, shape, stride=1):
    """Put patches together, averaged where they overlap.

    Parameters
    ----------
    patches : array-like of shape (n_patches, size, size) or (n_patches, size, size, n_channels)
        The patches as `extract_patches` orders them.

    shape : tuple of int
        The shape of the image.

    stride : int, default=1
        Pixels from one patch to the next.

    Returns
    -------
    image : ndarray of this shape
        In floating point.

    Raises
    ------
    ValueError
        If the number or the shape of the patches does not fit `shape` and `stride`.

    See Also
    --------
    extract_patches : The way there.
    sklearn.feature_extraction.image.reconstruct_from_patches_2d : The same with stride 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skmix.image import extract_patches, reconstruct
    >>> image = np.arange(30.0).reshape(5, 6)
    >>> bool(np.allclose(reconstruct(extract_patches(image, 3, stride=2), (5, 6), 2), image))
    True
    """
    with naming("patches", "an array (n_patches, size, size)"):
        patches = np.asarray(masked_as_missing(patches))
    with naming("shape", "that of an image, two or three integers"):
        shape = tuple(operator.index(n) for n in shape)
    size = patches.shape[1] if patches.ndim > 1 else 0
    rows, columns = corners(shape, size, stride)
    expected = (len(rows) * len(columns), size, size, *shape[2:])
    if patches.shape != expected:
        raise ValueError(
            f"An image of shape {shape} has patches of shape {expected} at "
            f"stride={stride}, but patches has shape {patches.shape}."
        )
    total = np.zeros(shape, dtype=np.result_type(patches, np.float32))
    corner = np.ix_(rows, columns)
    add_patches(total, patches, *corner)
    begins = np.zeros((shape[0] - size + 1, shape[1] - size + 1), dtype=bool)
    begins[corner] = True
    counts = count_patches(begins, size)
    return total / counts.reshape(*counts.shape, *[1] * (total.ndim - 2))


def corners(
    shape: tuple[int, ...], size: int, stride: int, offset: tuple[int, int] = (0, 0)
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns at which patches begin, those of the border always among them."""
    if len(shape) not in (2, 3):
        raise ValueError(
            f"An image must have shape (n_rows, n_columns) or (n_rows, n_columns, n_channels), "
            f"but has shape {shape}."
        )
    check_stride(size, stride)
    if min(shape[:2]) < size:
        raise ValueError(
            f"An image of {shape[0]} x {shape[1]} pixels has no patch of {size} x {size}; use a "
            "larger image or smaller patches."
        )
    rows, columns = (
        np.unique(np.concatenate([[0], np.arange(first, n - size, stride), [n - size]]))
        for n, first in zip(shape[:2], offset, strict=True)
    )
    return rows, columns


def check_stride(size: Any, stride: Any) -> None:
    """Check that patches of this size leave out no pixel at this stride."""
    if any(isinstance(n, bool) or not isinstance(n, Integral) for n in (size, stride)):
        raise TypeError(f"size and stride must be integers, but are {size!r} and {stride!r}.")
    if size < 1 or stride < 1:
        raise ValueError(f"size and stride must be at least 1, but are {size} and {stride}.")
    if stride > size:
        raise ValueError(
            f"stride={stride} leaves out pixels between patches of size={size}; use a stride of "
            "at most the size."
        )


def strips(rows: np.ndarray, values_per_row: int) -> Iterator[np.ndarray]:
    """Yield the rows at which patches begin, as many at a time as a strip holds."""
    step = max(1, STRIP_VALUES // values_per_row)
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


def cut_patches(image: np.ndarray, size: int, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return copies of the patches that begin at these rows and columns, which broadcast.

    Their shape is (n, size, size), and a last axis of channels where the image has one.
    """
    windows = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(0, 1))
    patches = windows[rows, columns]
    patches = patches.reshape(-1, *patches.shape[-image.ndim :])
    return np.moveaxis(patches, 1, -1) if image.ndim == 3 else patches


def add_patches(
    total: np.ndarray, patches: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> None:
    """Add patches to an image in place, where `cut_patches` cut them: all in different places."""
    size = patches.shape[1]
    shape = *np.broadcast_shapes(rows.shape, columns.shape), *total.shape[2:]
    for i in range(size):
        for j in range(size):
            total[rows + i, columns + j] += patches[:, i, j].reshape(shape)


def count_patches(begins: np.ndarray, size: int) -> np.ndarray:
    """The number of patches that each pixel is in, from where patches begin.

    `begins` holds booleans for all places (n_rows - size + 1, n_columns - size + 1).
    """
    return window_sums(np.pad(begins, size - 1), size)


def window_sums(image: np.ndarray, size: int) -> np.ndarray:
    """Sums over all windows of size x size pixels of an image of booleans."""
    image = image.astype(np.int16 if size * size < 2**15 else np.int32)
    for axis in (0, 1):
        moved = np.moveaxis(image, axis, 0)
        n_windows = len(moved) - size + 1
        sums = moved[:n_windows].copy(order="K")
        for first in range(1, size):
            sums += moved[first : first + n_windows]
        image = np.moveaxis(sums, 0, axis)
    return image


def known_means(patches: np.ndarray) -> np.ndarray:
    """Means (n, 1, n_channels) of the known pixels of patches (n, size², n_channels).

    A channel without known pixels has the mean of all others. Patches are all complete or none.
    """
    if not np.isnan(patches[0]).any():
        return patches.mean(axis=1, keepdims=True)
    known = ~np.isnan(patches)
    sums = np.where(known, patches, 0.0).sum(axis=1, keepdims=True)
    counts = known.sum(axis=1, keepdims=True)
    overall = sums.sum(axis=2, keepdims=True) / counts.sum(axis=2, keepdims=True)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), overall)
    return means.astype(patches.dtype)
