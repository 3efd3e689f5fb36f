"""Images as arrays: where their colours are, and how they split into blocks."""

from __future__ import annotations

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from .._interface.magnitudes import LARGEST
from .._interface.masked import masked_as_missing
from .._interface.wording import naming

MAX_EXACT = 2**53  # float64 holds every integer up to here


def check_image(image: Any, *, name: str = "image") -> np.ndarray:
    """Return a gray or colour image as an array of finite numbers (or booleans)."""
    image = np.asarray(masked_as_missing(image))
    if image.dtype.kind not in "buif" or image.dtype.itemsize > 8:
        raise ValueError(
            f"{name} must hold booleans, integers or floats of up to 64 bits, but has dtype "
            f"{image.dtype}."
        )
    if image.ndim not in (2, 3):
        raise ValueError(
            f"{name} must have two axes (gray) or three (colour), but has shape {image.shape}. "
            "Pass images of a stack one by one."
        )
    if image.size == 0:
        raise ValueError(f"{name} has no pixels: its shape is {image.shape}.")
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise ValueError(f"{name} holds NaN or infinity. Fill such pixels first.")
    if image.dtype.itemsize == 8 and image.dtype.kind in "ui":
        low, high = int(image.min()), int(image.max())
        if max(-low, high) > MAX_EXACT:
            raise ValueError(
                f"{name} holds integers from {low} to {high}, which float64 cannot tell apart. "
                "Subtract an offset or divide by a unit."
            )
    return image


def as_float(image: Any, *, name: str = "image") -> np.ndarray:
    """An image in floating point of at least single precision, NaN where it is masked."""
    image = np.asarray(masked_as_missing(image))
    if image.size == 0:
        raise ValueError(f"{name} has no pixels: its shape is {image.shape}.")
    if image.dtype in (np.float32, np.float64):
        largest = float(np.fmax.reduce(np.abs(image), axis=None))
        if LARGEST[image.dtype] < largest < np.inf:
            raise ValueError(
                f"{name} reaches {largest:.3g} in size; for squares to fit into {image.dtype} it "
                f"must not exceed {LARGEST[image.dtype]:.0e}. Divide it by a power of ten."
            )
        return image
    if image.dtype.kind == "b":
        raise ValueError(
            f"{name} holds booleans, which have no noise to speak of. Pass gray levels, such as "
            f"{name}.astype(float)."
        )
    if image.dtype.kind not in "uifO":
        raise ValueError(f"{name} must hold integers or floats, but has dtype {image.dtype}.")
    with naming(name, "an array of integers or floats"):
        return image.astype(np.float32 if image.dtype == np.float16 else np.float64)


def as_dtype(image: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """A restored image in the dtype of the one that was passed: integers rounded and clipped."""
    if dtype.kind not in "uif":
        return image
    if dtype.kind == "f":
        return image.astype(dtype, copy=False)
    # The largest 64-bit integers are no floats: clip to the floats within.
    limits = np.iinfo(dtype)
    high = float(limits.max)
    if int(high) > limits.max:
        high = float(np.nextafter(high, 0.0))
    return np.clip(np.rint(image), float(limits.min), high).astype(dtype)


class Axes(NamedTuple):
    """Which axis of an image holds its slices and which its channels; None where there is none."""

    stack: int | None
    channel: int | None

    def check(self, image: np.ndarray) -> Axes:
        """Return these axes, none of them negative, or raise an error if they do not fit."""
        for name, axis in zip(("stack_axis", "channel_axis"), self, strict=True):
            _check_integer(axis, name)
        if self.stack is None:
            check_axes(image, self.channel)
            return Axes(None, None if self.channel is None else self.channel % image.ndim)
        n_axes = 3 if self.channel is None else 4
        given = [axis for axis in self if axis is not None]
        fit = image.ndim == n_axes and all(-n_axes <= axis < n_axes for axis in given)
        if not fit or len({axis % n_axes for axis in given}) < len(given):
            raise ValueError(
                f"stack_axis={self.stack} and channel_axis={self.channel} need an image with "
                f"{n_axes} axes, but image has shape {image.shape}. A stack of gray images has "
                "three axes, one of colour images four."
            )
        return Axes(*(None if axis is None else axis % n_axes for axis in self))

    def split(self, image: np.ndarray) -> np.ndarray:
        """Return a view (n_slices, n_rows, n_columns, n_channels) of an image."""
        image = channels_last(image, self.channel)
        if self.stack is None:
            return image[None]
        before = self.channel is not None and self.channel < self.stack
        return np.moveaxis(image, self.stack - before, 0)

    def expanded(self, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
        """Return values that broadcast to the shape of an image, or None where they do not fit.

        They may hold one for all channels, for all slices, or for both.
        """
        for dropped in ((), (self.channel,), (self.stack,), self):
            without = tuple(axis for axis in dropped if axis is not None)
            if values.shape == tuple(n for axis, n in enumerate(shape) if axis not in without):
                return np.expand_dims(values, without)
        return None

    def join(self, slices: np.ndarray) -> np.ndarray:
        """Return the image of which `split` made this view."""
        if self.stack is None:
            image = slices[0]
        else:
            before = self.channel is not None and self.channel < self.stack
            image = np.moveaxis(slices, 0, self.stack - before)
        return undo_channels_last(image, self.channel)


def _check_integer(axis: Any, name: str) -> None:
    if axis is not None and not isinstance(axis, Integral):
        raise TypeError(f"{name} must be an integer or None, but is {axis!r}.")


def refuse_infinite(image: np.ndarray, name: str = "image") -> None:
    """Raise an error where a pixel is infinite."""
    if np.any(np.isinf(image)):
        raise ValueError(f"{name} has infinite pixels; write NaN for pixels that are missing.")


def check_axes(image: np.ndarray, channel_axis: int | None) -> None:
    """Check that a gray image has two axes, and one of colours three."""
    _check_integer(channel_axis, "channel_axis")
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


def check_channel_axis(channel_axis: int | None, ndim: int, *, name: str = "image") -> int | None:
    """Return the axis of the colours, not negative; None for a gray image."""
    if ndim == 2:
        return None
    if channel_axis is None:
        raise ValueError(
            f"{name} has three axes, but channel_axis is None, which means gray. Say which axis "
            "holds the colours, such as channel_axis=-1 for the last one."
        )
    if channel_axis not in range(-ndim, ndim):
        raise ValueError(f"channel_axis={channel_axis} is no axis of an {name} with three axes.")
    return channel_axis % ndim


def channels_last(image: np.ndarray, channel_axis: int | None) -> np.ndarray:
    """Return a view (height, width, n_channels) of an image."""
    return image[..., None] if channel_axis is None else np.moveaxis(image, channel_axis, -1)


def undo_channels_last(image: np.ndarray, channel_axis: int | None) -> np.ndarray:
    """Return the image of which `channels_last` made this view."""
    return image[..., 0] if channel_axis is None else np.moveaxis(image, -1, channel_axis)


def split_blocks(image: np.ndarray, block_size: int) -> np.ndarray:
    """Return the blocks of an image (height, width, n_channels), one per row, row by row.

    Where the block size does not divide the height or width, the last row or column of pixels is
    repeated to the right and below.
    """
    height, width, n_channels = image.shape
    padding = [(0, -height % block_size), (0, -width % block_size), (0, 0)]
    if any(after for _, after in padding):
        image = np.pad(image, padding, mode="edge")
    n_rows, n_columns = image.shape[0] // block_size, image.shape[1] // block_size
    blocks = image.reshape(n_rows, block_size, n_columns, block_size, n_channels)
    return blocks.swapaxes(1, 2).reshape(n_rows * n_columns, block_size**2 * n_channels)


def join_blocks(blocks: np.ndarray, shape: tuple[int, int, int], block_size: int) -> np.ndarray:
    """Return the image (height, width, n_channels) that `split_blocks` took apart."""
    height, width, n_channels = shape
    n_rows, n_columns = -(-height // block_size), -(-width // block_size)
    tiles = blocks.reshape(n_rows, n_columns, block_size, block_size, n_channels)
    image = tiles.swapaxes(1, 2).reshape(n_rows * block_size, n_columns * block_size, n_channels)
    return image[:height, :width]


def read_image(image: Any, axes: Axes) -> tuple[np.ndarray, np.dtype, Axes]:
    """Return an image in floating point, the dtype that it has, and its axes, checked."""
    values = as_float(image)
    axes = axes.check(values)
    refuse_infinite(values)
    dtype: Any = getattr(image, "dtype", np.asarray(image).dtype)
    return values, dtype, axes
