"""Images as indices into a codebook."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ._arrays import channels_last, check_image, join_blocks, undo_channels_last
from ._bits import code_length, unpack
from ._npz import read_npz
from ._units import check_data_range


@dataclass(frozen=True, eq=False)
class CompressedImage:
    r"""An image as indices into a codebook; :func:`compress` makes it.

    Parameters
    ----------
    codebook : ndarray of shape (n_codes, block_size**2 * n_channels)
        The codes, in the dtype of the image: colours, or blocks of pixels row by row.

    packed_codes : ndarray of shape (n_bytes,)
        The index of every block into `codebook`, row by row of the image, in
        :math:`\lceil \log_2 n\_codes \rceil` bits each without gaps, the highest bit first.

    shape : tuple of int
        The shape of the image.

    block_size : int
        The height and width of a block in pixels.

    channel_axis : int or None
        The axis of `shape` that holds the colours; None for a gray image.

    alpha : bool, default=False
        Whether the last channel is opacity: then colours of fully transparent pixels mean nothing.

    See Also
    --------
    compress : Makes compressed images.

    Notes
    -----
    The rates count what is stored: the indices and the codebook, each number of the codebook
    with the bits of its dtype. For a palette the codebook hardly matters; for a codebook of 256
    blocks of 4 x 4 coloured pixels it can take as many bits as the indices.

    References
    ----------
    A. Gersho, R. M. Gray, "Vector Quantization and Signal Compression", Springer, 1992.
    :doi:`10.1007/978-1-4615-3626-0`

    Examples
    --------
    >>> import numpy as np
    >>> from skmix.image import compress
    >>> image = np.array([[0, 0, 255], [0, 12, 255]], dtype=np.uint8)
    >>> compressed = compress(image, n_codes=2, random_state=0)
    >>> compressed.codebook.ravel()
    array([  3, 255], dtype=uint8)
    >>> compressed.codes
    array([[0, 0, 1],
           [0, 0, 1]])
    """

    codebook: np.ndarray
    packed_codes: np.ndarray
    shape: tuple[int, ...]
    block_size: int
    channel_axis: int | None
    alpha: bool = False

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the image.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix.image import compress
        >>> compress(np.zeros((2, 2), np.uint16), n_codes=2).dtype
        dtype('uint16')
        """
        return self.codebook.dtype

    @property
    def codes(self) -> np.ndarray:
        """The index of every block, an array with a row per row of blocks.

        Examples
        --------
        >>> from skmix.image import compress
        >>> compress([[0.0, 1.0], [1.0, 1.0]], n_codes=2).codes
        array([[0, 1],
               [1, 1]])
        """
        n_rows, n_columns = (-(-n // self.block_size) for n in self._pixels)
        return self._unpacked().reshape(n_rows, n_columns).astype(np.intp)

    @property
    def bits_per_pixel(self) -> float:
        """Bits per pixel of the packed codes and the codebook.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix.image import compress
        >>> compressed = compress(np.arange(64, dtype=np.uint8).reshape(8, 8), n_codes=4)
        >>> compressed.bits_per_pixel  # 2 bits, and 4 x 8 bits for 64 pixels
        2.5
        """
        length = code_length(len(self.codebook))
        return length * self.codes.size / self._n_pixels + self.codebook_bits_per_pixel

    @property
    def entropy_bits_per_pixel(self) -> float:
        """Bits per pixel of ideally entropy-coded codes and the codebook.

        The codes count with the entropy of their frequencies, which an arithmetic coder reaches
        up to a few bytes. It is less than `bits_per_pixel` where some codes are more frequent.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix.image import compress
        >>> image = np.repeat([0, 9, 7], [128, 64, 64]).astype(np.uint8).reshape(16, 16)
        >>> compressed = compress(image, n_codes=3)
        >>> compressed.entropy_bits_per_pixel - compressed.codebook_bits_per_pixel
        1.5
        """
        codes = self.codes
        counts = np.bincount(codes.ravel())
        share = counts[counts > 0] / codes.size
        entropy = -float(np.sum(share * np.log2(share)))
        return entropy * codes.size / self._n_pixels + self.codebook_bits_per_pixel

    @property
    def codebook_bits_per_pixel(self) -> float:
        """Bits per pixel of the codebook alone, which both rates include.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix.image import compress
        >>> compress(np.zeros((4, 4), np.uint8), n_codes=2).codebook_bits_per_pixel
        0.5
        """
        return 8 * self.codebook.nbytes / self._n_pixels

    @property
    def _pixels(self) -> tuple[int, ...]:
        """Height and width."""
        return tuple(n for axis, n in enumerate(self.shape) if axis != self.channel_axis)

    @property
    def _n_pixels(self) -> int:
        return prod(self._pixels)

    def _unpacked(self) -> np.ndarray:
        """The codes (n_blocks,) in the smallest dtype that holds them."""
        n_blocks = prod(-(-n // self.block_size) for n in self._pixels)
        return unpack(self.packed_codes, n_blocks, code_length(len(self.codebook)))

    def decompress(self) -> np.ndarray:
        """Return the reconstructed image.

        Returns
        -------
        image : ndarray of shape `shape`
            In the dtype of the image that was compressed.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix.image import compress
        >>> compress(np.array([[0, 0, 255], [0, 10, 255]], np.uint8), 3).decompress()
        array([[  0,   0, 255],
               [  0,  10, 255]], dtype=uint8)
        """
        n_channels = 1 if self.channel_axis is None else self.shape[self.channel_axis]
        height, width = self._pixels
        blocks = self.codebook[self._unpacked()]
        image = join_blocks(blocks, (height, width, n_channels), self.block_size)
        return np.ascontiguousarray(undo_channels_last(image, self.channel_axis))

    def psnr(self, image: Any, *, data_range: float | None = None) -> float:
        r"""Return the peak signal-to-noise ratio of the reconstruction in dB.

        Parameters
        ----------
        image : array-like of shape `shape`
            The image that was compressed.

        data_range : float, default=None
            The distance R between the smallest and the largest possible value. None takes 255
            for uint8, 65535 for uint16, and 1 for booleans and floats from 0 to 1.

        Returns
        -------
        psnr : float
            :math:`10 \log_{10}(R^2 / \mathrm{MSE})` in dB, the error averaged over all pixels
            and channels (an alpha channel counts as the others do, and pixels that are fully
            transparent in `image` have no errors of colour); infinite for an exact reconstruction.

        Raises
        ------
        ValueError
            If the shape is another than that of the compressed image, or `data_range` is None
            for an image of another dtype or with floats outside of [0, 1].

        Examples
        --------
        >>> import numpy as np
        >>> from skmix.image import compress
        >>> image = np.array([[0, 2]], np.uint8)
        >>> round(compress(image, 1).psnr(image), 2)  # 20 log10(255)
        48.13
        """
        image = check_image(image)
        if image.shape != tuple(self.shape):
            raise ValueError(
                f"image has shape {image.shape}, but the compressed one has {self.shape}."
            )
        data_range = check_data_range(data_range) or default_data_range(image)
        error = image.astype(np.float64) - self.decompress().astype(np.float64)
        if self.alpha:
            channels = channels_last(error, self.channel_axis)
            opacity = channels_last(image, self.channel_axis)[..., -1]
            channels[opacity == 0, :-1] = 0.0
        mean_square = float(np.mean(error**2))
        if mean_square == 0:
            return float("inf")
        return float(20 * np.log10(data_range) - 10 * np.log10(mean_square))

    def to_pil(self) -> Any:
        """Return the reconstructed image as one of Pillow.

        A palette of up to 256 colours stays a palette (mode 'P'): files in PNG or GIF are small.

        Returns
        -------
        image : PIL.Image.Image
            Of mode 'P' for such a palette of RGB or RGBA, otherwise 'L', 'LA', 'RGB', 'RGBA' or,
            for booleans, '1'.

        Raises
        ------
        ImportError
            If Pillow is not installed.
        ValueError
            If the image is neither boolean nor uint8, or has another number of channels.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix.image import compress
        >>> image = np.random.default_rng(0).integers(256, size=(9, 9, 3)).astype(np.uint8)
        >>> compress(image, 8, random_state=0).to_pil().mode  # doctest: +SKIP
        'P'
        """
        Image = import_pillow("to_pil")
        n_channels = 1 if self.channel_axis is None else self.shape[self.channel_axis]
        if self.dtype != np.uint8 and not (self.dtype == bool and n_channels == 1):
            raise ValueError(
                f"to_pil is for images of dtype uint8, or gray booleans, not {self.dtype}. Scale "
                "what decompress returns to 0..255."
            )
        if n_channels > 4:
            raise ValueError(f"to_pil is for up to four channels, but the image has {n_channels}.")
        if n_channels < 3 or self.block_size > 1 or len(self.codebook) > 256:
            pixels = channels_last(self.decompress(), self.channel_axis)
            return Image.fromarray(
                np.ascontiguousarray(pixels.squeeze(2) if n_channels == 1 else pixels)
            )
        image = Image.fromarray(self.codes.astype(np.uint8))
        image.putpalette(self.codebook.tobytes(), rawmode="RGB" if n_channels == 3 else "RGBA")
        return image

    def save(self, path: str | os.PathLike) -> None:
        """Write the compressed image to a file in numpy's npz format.

        Parameters
        ----------
        path : str or path-like
            The file, overwritten if it exists. No suffix is added.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> from skmix.image import CompressedImage, compress
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "image.npz"
        >>> compress([[0.0, 1.0]], n_codes=2).save(path)
        >>> CompressedImage.load(path).decompress()
        array([[0., 1.]])
        """
        with open(path, "wb") as file:
            np.savez(
                file,
                codebook=self.codebook,
                packed_codes=self.packed_codes,
                shape=np.array(self.shape, dtype=np.int64),
                block_size=np.array(self.block_size, dtype=np.int64),
                # npz without pickling has no None: a gray image has the axis -1.
                channel_axis=np.array(-1 if self.channel_axis is None else self.channel_axis),
                alpha=np.array(self.alpha),
            )

    @classmethod
    def load(cls, path: str | os.PathLike, *, max_pixels: int = 2**27) -> CompressedImage:
        """Read a compressed image that `save` wrote. Nothing in the file is executed.

        Parameters
        ----------
        path : str or path-like
            The file.

        max_pixels : int, default=134217728
            The largest number of pixels that an image may have. An image of few codes takes
            next to no bytes, however large it says that it is.

        Returns
        -------
        compressed : CompressedImage
            The same as was saved.

        Raises
        ------
        ValueError
            If the file is not one that `save` wrote, was cut or changed so that its parts
            do not fit together, or has more than `max_pixels` pixels.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> from skmix.image import CompressedImage, compress
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "image.npz"
        >>> compress([[0.0, 1.0]], n_codes=2).save(path)
        >>> CompressedImage.load(path).bits_per_pixel
        65.0
        """
        limits = dict.fromkeys(("channel_axis", "shape", "block_size", "alpha"), 64)
        # Arrays are stored as they are: none is larger than the file.
        limits |= dict.fromkeys(("codebook", "packed_codes"), sys.maxsize)
        parts = read_npz(path, limits, what="compressed image")
        try:
            channel_axis = int(parts["channel_axis"])
            compressed = cls(
                codebook=parts["codebook"],
                packed_codes=parts["packed_codes"],
                shape=tuple(int(n) for n in parts["shape"]),
                block_size=int(parts["block_size"]),
                channel_axis=None if channel_axis < 0 else channel_axis,
                alpha=bool(parts["alpha"]),
            )
            compressed._check(max_pixels)
        except (ValueError, TypeError, IndexError, OverflowError) as error:
            raise ValueError(f"{os.fspath(path)!r} holds no compressed image: {error}") from error
        return compressed

    def _check(self, max_pixels: int) -> None:
        """Raise an error where the parts of a file do not fit together."""
        check_image(self.codebook, name="codebook")
        gray = self.channel_axis is None
        if len(self.shape) != (2 if gray else 3) or min(self.shape) < 1 or self.block_size < 1:
            raise ValueError(f"shape {self.shape} with blocks of {self.block_size} pixels.")
        n_channels = 1 if gray else self.shape[self.channel_axis]  # type: ignore[index]
        if self.alpha and n_channels < 2:
            raise ValueError("opacity in an image of one channel.")
        if prod(self._pixels) > max_pixels:
            raise ValueError(f"shape {self.shape} has more than max_pixels={max_pixels} pixels.")
        if self.codebook.ndim != 2 or self.codebook.shape[1] != self.block_size**2 * n_channels:
            raise ValueError(f"a codebook of shape {self.codebook.shape}.")
        n_blocks = prod(-(-n // self.block_size) for n in self._pixels)
        n_bytes = -(-n_blocks * code_length(len(self.codebook)) // 8)
        if self.packed_codes.dtype != np.uint8 or self.packed_codes.shape != (n_bytes,):
            raise ValueError(f"{self.packed_codes.shape} packed bytes instead of {n_bytes}.")
        if self._unpacked().max() >= len(self.codebook):
            raise ValueError("a code that is not in the codebook.")


def import_pillow(what: str) -> Any:
    """Return Pillow's module of images, or raise an error that says what it is needed for."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            f"{what} needs Pillow, which is not installed: python -m pip install pillow."
        ) from error
    return Image


def default_data_range(image: np.ndarray) -> float:
    """Return the distance from black to white that the dtype of an image stands for."""
    if image.dtype in (np.uint8, np.uint16):
        return float(np.iinfo(image.dtype).max)
    low, high = float(image.min()), float(image.max())
    if image.dtype.kind in "bf" and low >= 0 and high <= 1:
        return 1.0
    raise ValueError(
        f"data_range=None leaves open what black and white are: the image is of dtype "
        f"{image.dtype} with values from {low:g} to {high:g}. Pass the distance between them."
    )
