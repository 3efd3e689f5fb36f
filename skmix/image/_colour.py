"""Colours as luminance and two differences, which a prior for gray patches restores."""

from __future__ import annotations

import numpy as np

# An orthogonal basis. In this scale the first is the mean of the channels, as a gray image would
# be, and white noise of the channels is white in every part, less by the square root of 3.
BASIS = np.array([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
BASIS /= np.linalg.norm(BASIS, axis=1, keepdims=True) * np.sqrt(3.0)


# Differences of colours have so much less contrast within patches than luminance, for which the
# prior is: multiplied by this they are restored as it would be. The ratios are medians of four
# photographs of the prior that are in colour.
CONTRASTS = np.array([1.0, 3.7, 8.3])


def in_basis(planes: np.ndarray) -> list[np.ndarray]:
    """Luminance and two differences (n_rows, n_columns) of colours (n_rows, n_columns, 3)."""
    basis = (CONTRASTS[:, None] * BASIS).astype(planes.dtype)
    return [planes @ direction for direction in basis]


def out_of_basis(
    parts: np.ndarray, variance: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Colours and their variances, of those of luminance and differences."""
    back = (3.0 / CONTRASTS[:, None] * BASIS).astype(parts.dtype)
    return parts @ back, None if variance is None else variance @ back**2


def halved(image: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels (n_rows, n_columns), what is left over at the border cut off."""
    n_rows, n_columns = (n // 2 for n in image.shape)
    pixels = image[: 2 * n_rows, : 2 * n_columns].reshape(n_rows, 2, n_columns, 2)
    return pixels.mean(axis=(1, 3))
