"""Images compressed to a palette, or to a codebook of blocks."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from .._transforms.quantizer import KMeansQuantizer, distinct_rows, nearest
from ._arrays import channels_last, check_channel_axis, check_image, split_blocks
from ._bits import code_length, pack
from ._compressed_image import CompressedImage, import_pillow


@validate_params(
    {
        "n_codes": [Interval(Integral, 1, None, closed="left"), None],
        "block_size": [Interval(Integral, 1, None, closed="left")],
        "palette": ["array-like", None],
        "dither": ["boolean"],
        "alpha": ["boolean", StrOptions({"auto"})],
        "channel_axis": [Integral, None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def compress(
    image,
    n_codes=None,
    block_size=1,
    *,
    palette=None,
    dither=False,
    alpha="auto",
    channel_axis=-1,
    random_state=None,
):
    r"""Compress an image to a palette, or to a codebook of square blocks.

    Parameters
    ----------
    image : array-like of shape (height, width), or with an axis of channels
        A gray image, or a colour image with any number of channels. Integers, booleans, or finite
        floats.

    n_codes : int, default=None
        The largest number of colours or blocks in the codebook. An image with no more than that
        is stored exactly. Must be given unless `palette` is.

    block_size : int, default=1
        The height and width of a block in pixels; 1 makes a palette. Where it does not divide
        the image, the border is repeated, and cut off by `decompress`.

    palette : array-like of shape (n_colours, n_channels), default=None
        The colours to use, in the dtype of the image, instead of those that suit it best; of shape
        (n_colours,) for a gray image. Codes are indices into it as it is.

    dither : bool, default=False
        Whether to spread the error of each pixel over its neighbours, by the method of Floyd and
        Steinberg: gradients have no steps, though errors of single pixels grow. Needs Pillow, and
        gray or RGB images in uint8 with up to 256 colours.

    alpha : bool or 'auto', default='auto'
        Whether the last channel is opacity, 0 being fully transparent: the colours of such pixels
        are set to 0 then, so that they take no codes, unless the image is stored exactly. It
        counts as one more colour otherwise. 'auto' takes images of two or four channels to have
        it; False is for other channels, such as infrared.

    channel_axis : int or None, default=-1
        The axis of the colours of an image with three axes. An image with two axes is gray,
        whatever is passed.

    random_state : int, RandomState instance or None, default=None
        Controls the starts of k-means. Pass an int for reproducible output.

    Returns
    -------
    compressed : CompressedImage
        Codebook and codes, with `decompress`, `psnr`, `bits_per_pixel`, `save` and `load`.

    Raises
    ------
    ValueError
        If the image is empty, holds NaN or infinity, or has three axes and `channel_axis` names
        none of them; if neither or both of `n_codes` and `palette` are given, the palette does not
        fit the image, or the image cannot be dithered.
    ImportError
        If Pillow is not installed and `dither` is True.

    See Also
    --------
    skmix.KMeansQuantizer : The estimator inside, for rows of any kind.

    Notes
    -----
    :class:`~skmix.KMeansQuantizer` is fitted to the distinct blocks, each weighted by how often
    it occurs, so the cost is that of k-means on so many rows of ``block_size**2 * n_channels``
    values. Codes are rounded to the dtype of the image before each block is given the nearest.

    References
    ----------
    A. Gersho, R. M. Gray, "Vector Quantization and Signal Compression", Springer, 1992.
    :doi:`10.1007/978-1-4615-3626-0`

    R. W. Floyd, L. Steinberg, "An adaptive algorithm for spatial grey scale", Proceedings of the
    Society for Information Display 17(2), 1976.

    Examples
    --------
    >>> import numpy as np
    >>> from skmix.image import compress
    >>> red, green = np.mgrid[:100, :120].astype(np.uint8)
    >>> image = np.stack([2 * red, 2 * green, red + green], axis=-1)
    >>> compressed = compress(image, n_codes=16, random_state=0)
    >>> compressed.codebook.shape, compressed.decompress().shape
    ((16, 3), (100, 120, 3))
    >>> print(f"{compressed.psnr(image):.1f} dB at {compressed.bits_per_pixel:.2f} bits per pixel")
    25.0 dB at 4.03 bits per pixel
    """
    image = check_image(image)
    channel_axis = check_channel_axis(channel_axis, image.ndim)
    pixels = channels_last(image, channel_axis)
    if (n_codes is None) == (palette is None):
        raise ValueError("Give n_codes, a number of codes to find, or palette: one of the two.")
    if alpha is True and pixels.shape[2] < 2:
        raise ValueError("alpha=True needs a channel of colour besides that of opacity.")
    if dither:
        _check_dithering(pixels, block_size, n_codes if palette is None else len(palette))
    blocks = split_blocks(pixels, block_size)
    distinct, positions = distinct_rows(blocks)
    if palette is not None:
        codebook, exact = _check_palette(palette, pixels, block_size), False
    else:
        exact = len(distinct) <= n_codes
    with_alpha = alpha is True or (alpha == "auto" and pixels.shape[2] in (2, 4))
    if with_alpha and not exact:
        blocks = split_blocks(_without_invisible_colours(pixels), block_size)
        distinct, positions = distinct_rows(blocks)
    if palette is None:
        codebook = _codebook(distinct, np.bincount(positions), n_codes, random_state)
    if dither and not exact:
        codes = _dithered(pixels, codebook)
    else:
        codes = nearest(distinct.astype(np.float64), codebook.astype(np.float64))[positions]
    return CompressedImage(
        codebook=codebook,
        packed_codes=pack(codes, code_length(len(codebook))),
        shape=image.shape,
        block_size=int(block_size),
        channel_axis=channel_axis,
        alpha=bool(with_alpha),
    )


def _codebook(
    distinct: np.ndarray, counts: np.ndarray, n_codes: int, random_state: Any
) -> np.ndarray:
    """Return codes for distinct blocks in their dtype: these themselves, if they are few."""
    if len(distinct) <= n_codes:
        return np.unique(distinct, axis=0)
    quantizer = KMeansQuantizer(n_codes, random_state=random_state)
    quantizer.fit(distinct.astype(np.float64), sample_weight=counts)
    return np.unique(round_to(quantizer.codebook_, distinct.dtype), axis=0)


def _without_invisible_colours(pixels: np.ndarray) -> np.ndarray:
    """Pixels (height, width, n_channels) whose colours are 0 where they are fully transparent."""
    pixels = pixels.copy()
    pixels[pixels[..., -1] == 0] = 0
    return pixels


def _check_palette(palette: Any, pixels: np.ndarray, block_size: int) -> np.ndarray:
    """Return a palette (n_colours, n_channels) in the dtype of the image."""
    if block_size != 1:
        raise ValueError(f"palette is for pixels, but block_size={block_size}. Use block_size=1.")
    n_channels, given = pixels.shape[2], np.asarray(palette)
    if given.ndim == 1 and n_channels == 1:
        given = given[:, None]
    if given.ndim != 2 or given.shape[1] != n_channels or len(given) == 0:
        raise ValueError(
            f"palette must have a row per colour with {n_channels} channel(s), as image has, but "
            f"has shape {np.shape(palette)}."
        )
    given = check_image(given, name="palette")
    with np.errstate(invalid="ignore", over="ignore"):
        codebook = given.astype(pixels.dtype)
    same = codebook == given if pixels.dtype.kind in "bui" else np.isfinite(codebook)
    if not np.all(same):
        raise ValueError(
            f"palette holds {given[~same][0]}, which an image of dtype {pixels.dtype} cannot hold."
        )
    return codebook


def _check_dithering(pixels: np.ndarray, block_size: int, n_codes: int) -> None:
    n_channels = pixels.shape[2]
    if pixels.dtype != np.uint8 or n_channels not in (1, 3) or block_size != 1 or n_codes > 256:
        raise ValueError(
            "dither=True is for gray or RGB images in uint8, single pixels and up to 256 colours, "
            f"but dtype={pixels.dtype}, n_channels={n_channels}, block_size={block_size} and "
            f"there are {n_codes} colours."
        )
    import_pillow("dither=True")


def _dithered(pixels: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    """Return the codes of pixels, the error of each spread over its neighbours."""
    Image = import_pillow("dither=True")
    if pixels.shape[2] == 1:
        pixels, codebook = np.repeat(pixels, 3, axis=2), np.repeat(codebook, 3, axis=1)
    # Pillow fills palettes up with black: the last colour takes these places.
    filled = np.concatenate([codebook, np.repeat(codebook[-1:], 256 - len(codebook), axis=0)])
    of_palette = Image.new("P", (1, 1))
    of_palette.putpalette(filled.tobytes())
    image = Image.fromarray(np.ascontiguousarray(pixels))
    codes = image.quantize(palette=of_palette, dither=Image.Dither.FLOYDSTEINBERG)
    return np.minimum(np.asarray(codes).ravel(), len(codebook) - 1)


def round_to(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return means of numbers of a dtype in that dtype."""
    return (values if dtype.kind == "f" else np.rint(values)).astype(dtype)
