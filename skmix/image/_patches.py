"""Images cut into overlapping patches, and put together again."""

from __future__ import annotations

from numbers import Integral

import numpy as np

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
    image = np.asarray(image)
    rows, columns = corners(image.shape, size, stride)
    windows = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(0, 1))
    patches = windows[np.ix_(rows, columns)]
    patches = patches.reshape(len(rows) * len(columns), *patches.shape[2:])
    return np.moveaxis(patches, 1, -1) if image.ndim == 3 else patches


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
    patches = np.asarray(patches)
    size = patches.shape[1] if patches.ndim > 1 else 0
    rows, columns = corners(tuple(shape), size, stride)
    expected = (len(rows) * len(columns), size, size, *shape[2:])
    if patches.shape != expected:
        raise ValueError(
            f"An image of shape {tuple(shape)} has patches of shape {expected} at "
            f"stride={stride}, but patches has shape {patches.shape}."
        )
    total = np.zeros(shape, dtype=np.result_type(patches, np.float32))
    add_patches(total, patches, rows, columns)
    counts = patch_counts(tuple(shape[:2]), size, stride)
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
    if not isinstance(size, Integral) or not isinstance(stride, Integral):
        raise TypeError(f"size and stride must be integers, but are {size!r} and {stride!r}.")
    if size < 1 or stride < 1:
        raise ValueError(f"size and stride must be at least 1, but are {size} and {stride}.")
    if stride > size:
        raise ValueError(
            f"stride={stride} leaves out pixels between patches of size={size}; use a stride of "
            "at most the size."
        )
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


def add_patches(total: np.ndarray, patches: np.ndarray, rows, columns) -> None:
    """Add patches to an image, in place."""
    size = patches.shape[1]
    grid = patches.reshape(len(rows), len(columns), *patches.shape[1:])
    for i in range(size):
        for j in range(size):
            total[np.ix_(rows + i, columns + j)] += grid[:, :, i, j]


def patch_counts(
    shape: tuple[int, int], size: int, stride: int, offset: tuple[int, int] = (0, 0)
) -> np.ndarray:
    """The number of patches that each pixel is in."""
    counts = []
    for corner, n in zip(corners(shape, size, stride, offset), shape, strict=True):
        of_axis = np.zeros(n)
        for i in range(size):
            of_axis[corner + i] += 1.0
        counts.append(of_axis)
    return np.outer(*counts)
