"""How noisy an image is."""

from __future__ import annotations

import numpy as np

from ._arrays import as_float
from ._patches import extract_patches


def estimate_noise_std(image, *, size=8):
    """Estimate the standard deviation of white noise in an image.

    Image content lives in a few directions of the space of patches; in all others the
    eigenvalues of the patches' covariance are the variance of the noise.

    Parameters
    ----------
    image : array-like of shape (n_rows, n_columns)
        A gray image. Patches with missing pixels (NaN) are left out.

    size : int, default=8
        The side of a patch, in pixels.

    Returns
    -------
    noise_std : float
        In units of the image.

    Raises
    ------
    ValueError
        If the image is smaller than a patch, has infinite pixels, or less complete patches than
        a patch has pixels.

    Notes
    -----
    The largest eigenvalues are left out, one by one, until the mean of the rest is their median.

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
    if image.ndim != 2:
        raise ValueError(f"image must be gray, of shape (n_rows, n_columns), not {image.shape}.")
    stride = max(1, int(np.sqrt(image.size / 100_000)))
    patches = extract_patches(image, size, stride).reshape(-1, size * size)
    patches = patches[~np.isnan(patches).any(axis=1)]
    if not np.all(np.isfinite(patches)):
        raise ValueError("image has infinite pixels; write NaN for pixels that are missing.")
    if len(patches) < size * size and np.isnan(image).any():
        raise ValueError(
            f"image has only {len(patches)} patches of {size} x {size} pixels without missing "
            "ones, too few to estimate the noise. Give noise_std as a number."
        )
    values = np.linalg.eigvalsh(np.cov(patches.T, bias=True))[::-1]
    for first in range(len(values) - 1):
        if values[first:].mean() <= np.median(values[first:]):
            break
    return float(np.sqrt(max(values[first:].mean(), 0.0)))
