"""How noisy an image is."""

from __future__ import annotations

import numpy as np
from scipy.fft import dctn
from scipy.linalg import helmert
from scipy.special import ndtr

from .._rows.threads import one_blas_thread
from ._arrays import as_float, channels_last, check_axes, refuse_infinite
from ._patches import check_stride
from ._warn import warn_caller

# Patches that the estimate is made of, at most; more do not make it better.
N_PATCHES = 40_000
# Directions of patches are learned from this many or more; fewer patches make variances of rest
# directions too small (by 7 to 40 % for images of 28 and 20 pixels a side).
ENOUGH_PATCHES = 1_000
# With less than this smaller patches are taken, where pixels are missing.
FEW_PATCHES = 300
# A value is an end of the range where so many pixels have exactly that value.
SHARE_AT_END = 5e-4
# One in so many neighbourhoods of 3 x 3 pixels may be constant where noise is rounded.
CONSTANT = 32


@one_blas_thread()
def estimate_noise_std(image, *, size=8, channel_axis=None):
    """Estimate the standard deviation of white noise in an image.

    Image content lives in a few directions of the space of patches; in all others the
    eigenvalues of the patches' covariance are the variance of the noise.

    Parameters
    ----------
    image : array-like of shape (n_rows, n_columns), or with a further axis of channels
        The image. Patches with missing pixels (NaN, or masked) are left out.

    size : int, default=8
        The side of a patch, in pixels.

    channel_axis : int, default=None
        The axis of the channels of a colour image; None for gray ones.

    Returns
    -------
    noise_std : float, or ndarray of shape (n_channels,)
        In units of the image, one for each channel of a colour image; NaN where nothing can be
        said.

    Raises
    ------
    ValueError
        If the image is smaller than a patch, has infinite pixels, or a patch has one pixel.

    Warns
    -----
    UserWarning
        If less than ten patches are left that have neither missing pixels nor constant areas.

    See Also
    --------
    skimage.restoration.estimate_sigma : From the finest wavelets.

    Notes
    -----
    The largest eigenvalues are left out, one by one, until the mean of the rest is their median.
    Texture reaches into the directions of the rest too. The variance there is therefore taken over
    the tenth of the patches that have least content in the other directions, which says nothing
    of white noise in these. Images with less than 1000 patches are too small to learn directions
    from; there they are those of high frequency in a cosine transform of half the size.

    Patches with constant areas, such as bars or a background that was cut out, have no noise and
    are left out; so are those that touch black or white, if many pixels are exactly that: noise
    was cut off there. What was cut off beyond the range of the others is put back by the variance
    of a truncated normal distribution. From large images 40 000 patches are taken. Where missing
    pixels leave less than 300 patches, smaller ones are taken, down to 2 x 2.

    References
    ----------
    G. Chen, F. Zhu, P. A. Heng, "An efficient statistical method for image noise level
    estimation", ICCV 2015. :doi:`10.1109/ICCV.2015.62`

    Examples
    --------
    >>> import numpy as np
    >>> from skmix.image import estimate_noise_std
    >>> clean = np.add.outer(np.arange(100.0), np.arange(100.0))
    >>> noisy = clean + np.random.default_rng(0).normal(scale=3.0, size=clean.shape)
    >>> print(f"{estimate_noise_std(noisy):.1f}")
    2.9
    """
    image = as_float(image)
    check_axes(image, channel_axis)
    check_stride(size, 1)
    if size == 1:
        raise ValueError("size=1: patches of one pixel do not tell noise from content. Use 8.")
    planes = channels_last(image, channel_axis)
    found = np.array([noise_std_of_plane(plane, size) for plane in np.moveaxis(planes, -1, 0)])
    if np.isnan(found).any():
        warn_caller(
            "The noise level cannot be told: less than ten patches have neither missing pixels "
            "nor constant areas. Give noise_std as a number."
        )
    return found if channel_axis is not None else float(found[0])


def noise_std_of_plane(image: np.ndarray, size: int = 8) -> float:
    """Return the noise level of one channel (n_rows, n_columns); NaN where it cannot be told."""
    refuse_infinite(image)
    if min(image.shape) < size:
        raise ValueError(
            f"An image of {image.shape[0]} x {image.shape[1]} pixels has no patch of {size} x "
            f"{size}; give the noise as a number, or use smaller patches."
        )
    n_patches = (image.shape[0] - size + 1) * (image.shape[1] - size + 1)
    ends = _ends(image)
    if n_patches >= ENOUGH_PATCHES:
        patches, worst = _usable_patches(image, size, ends)
        if len(patches) >= ENOUGH_PATCHES:
            return _with_what_was_cut_off(*_of_learned_directions(patches), ends, worst)
    patches, worst = _usable_patches(image, max(2, size // 2), ends)
    if len(patches) < FEW_PATCHES and np.isnan(image).any():
        # Of pixels here and there only the smallest patches are complete.
        for smaller in range(max(2, size // 2), 1, -1):
            patches, worst = _usable_patches(image, smaller, ends, margin=0)
            if len(patches) >= FEW_PATCHES:
                break
    if len(patches) < 10:
        return float("nan")
    return _with_what_was_cut_off(*_of_high_frequencies(patches), ends, worst)


def _ends(image: np.ndarray) -> tuple[float, float]:
    """Black and white where pixels were cut off there, otherwise infinities."""
    if np.isnan(image).all():
        return -np.inf, np.inf
    low, high = np.nanmin(image), np.nanmax(image)
    many = max(8.0, SHARE_AT_END * image.size)
    return (
        float(low) if np.count_nonzero(image == low) > many else -np.inf,
        float(high) if np.count_nonzero(image == high) > many else np.inf,
    )


def _usable_patches(
    image: np.ndarray, size: int, ends: tuple[float, float], margin: int = 1
) -> tuple[np.ndarray, int]:
    """Return patches (n, size, size) without missing pixels and constant areas.

    They touch black and white in no pixel, or, where hardly any would be left, in as few as
    possible; that number is returned too.
    """
    # Constant areas show better with one more pixel around.
    width = size + 2 * margin if min(image.shape) >= 4 * size else size
    n_rows, n_columns = (n - width + 1 for n in image.shape)
    step = max(1.0, np.sqrt(n_rows * n_columns / N_PATCHES))
    places = [np.unique(np.arange(0, n, step).astype(int)) for n in (n_rows, n_columns)]
    windows = np.lib.stride_tricks.sliding_window_view(image, (width, width))
    wide = windows[np.ix_(*places)].reshape(-1, width, width)
    wide = wide[~np.isnan(wide).any(axis=(1, 2))]
    if width > 2:
        wide = wide[_n_constant(wide) <= (width - 2) ** 2 // CONSTANT]
    else:
        wide = wide[wide.min(axis=(1, 2)) < wide.max(axis=(1, 2))]
    first = (width - size) // 2
    patches = wide[:, first : first + size, first : first + size]
    touching = ((patches <= ends[0]) | (patches >= ends[1])).sum(axis=(1, 2))
    worst = 0
    if touching.any():
        enough = min(len(patches) - 1, max(ENOUGH_PATCHES, len(patches) // 50))
        worst = int(np.partition(touching, enough)[enough])
    return patches[touching <= worst].astype(np.float64), worst


def _n_constant(patches: np.ndarray) -> np.ndarray:
    """How many pixels inside of each patch equal all of their eight neighbours."""
    centre = patches[:, 1:-1, 1:-1]
    n_rows, n_columns = centre.shape[1:]
    constant = np.ones(centre.shape, dtype=bool)
    for i in range(3):
        for j in range(3):
            constant &= patches[:, i : i + n_rows, j : j + n_columns] == centre
    return constant.sum(axis=(1, 2))


def _of_learned_directions(patches: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the standard deviation in directions without content, and the patches' means."""
    n_pixels = patches[0].size
    rows = patches.reshape(len(patches), n_pixels)
    X = rows @ helmert(n_pixels).T  # without their means
    values, vectors = np.linalg.eigh(X.T @ X / len(X))
    n_rest = len(values)
    while n_rest > 1 and values[:n_rest].mean() > np.median(values[:n_rest]):
        n_rest -= 1
    X = X @ vectors
    calm = _calmest(np.sum(X[:, n_rest:] ** 2, axis=1), max(len(X) // 10, 10 * n_pixels))
    return float(np.sqrt(np.mean(X[calm, :n_rest] ** 2))), rows[calm].mean(axis=1)


def _of_high_frequencies(patches: np.ndarray) -> tuple[float, np.ndarray]:
    """The same where patches are too few to learn directions from."""
    X = dctn(patches, axes=(1, 2), norm="ortho")
    frequency = np.add.outer(*[np.arange(patches.shape[1])] * 2)
    high = frequency >= patches.shape[1]
    if not high.any():
        high = frequency == frequency.max()
    content = np.sum(X[:, ~high & (frequency > 0)] ** 2, axis=1)
    calm = _calmest(content, max(3 * len(X) // 10, 150))
    return float(np.sqrt(np.mean(X[calm][:, high] ** 2))), patches[calm].mean(axis=(1, 2))


def _calmest(content: np.ndarray, n: int) -> np.ndarray:
    n = min(n, len(content))
    return np.argpartition(content, n - 1)[:n]


def _with_what_was_cut_off(
    std: float, means: np.ndarray, ends: tuple[float, float], worst: int
) -> float:
    """Return the standard deviation of noise whose part within the range has this one.

    Patches of these means that touch no end show a truncated normal distribution, others one
    with its tails at the ends.
    """
    if not np.isfinite(ends).any() or std == 0.0:
        return std
    share, found = (_truncated if worst == 0 else _censored), std
    for _ in range(10):
        low, high = ((np.clip((end - means) / found, -9.0, 9.0)) for end in ends)
        found = std / np.sqrt(max(float(np.mean(share(low, high))), 0.2))
    return found


def _density(x: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * x * x) / np.sqrt(2.0 * np.pi)


def _truncated(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Variances of standard normal distributions between these limits."""
    inside = np.maximum(ndtr(high) - ndtr(low), 1e-9)
    at_low, at_high = _density(low), _density(high)
    slope = (at_low - at_high) / inside
    return np.maximum(1.0 + (low * at_low - high * at_high) / inside - slope**2, 0.0)


def _censored(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Variances of standard normal variables that are cut off at these limits."""
    below, above = ndtr(low), ndtr(-high)
    at_low, at_high = _density(low), _density(high)
    mean = low * below + at_low - at_high + high * above
    square = low**2 * below + (1.0 - below - above) + low * at_low - high * at_high
    return square + high**2 * above - mean**2
