"""What a camera does to an image, linear and noisy: blur, and pixels that are larger."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import zoom
from scipy.sparse.linalg import LinearOperator, cg

# What the solution of the equations may be off by, relative to their right side.
TOLERANCE = 1e-3
MAX_ITERATIONS = 50


class Blur:
    """Convolution of a scene with a point spread function, seen without its margins.

    A scene is larger than its image: what is beyond the border is blurred into it. Scenes and
    images are planes (n_rows, n_columns).
    """

    def __init__(self, psf: np.ndarray, shape: tuple[int, int]) -> None:
        if any(m > n for m, n in zip(psf.shape, shape, strict=True)):
            raise ValueError(
                f"psf has shape {psf.shape}, which is larger than image with {shape}. Cut off its "
                "border where it is close to 0."
            )
        self.margins = [((n - 1) // 2, n // 2) for n in psf.shape]
        self.scene_shape = tuple(n + m - 1 for n, m in zip(shape, psf.shape, strict=True))
        self.fast_shape = [next_fast_len(n, real=True) for n in self.scene_shape]
        self.transfer = rfft2(psf, self.fast_shape)
        # Sums over the scene end at the last row and column of the function.
        self.seen = tuple(slice(m - 1, n + m - 1) for n, m in zip(shape, psf.shape, strict=True))
        self.shape = shape

    def __call__(self, scene: np.ndarray) -> np.ndarray:
        """Return the image of a scene."""
        return irfft2(rfft2(scene, self.fast_shape) * self.transfer, self.fast_shape)[self.seen]

    def adjoint(self, image: np.ndarray) -> np.ndarray:
        """Return the scene that an image is spread over by the transposed matrix."""
        padded = np.zeros(self.fast_shape)
        padded[self.seen] = image
        spread = irfft2(rfft2(padded) * np.conj(self.transfer), self.fast_shape)
        return spread[: self.scene_shape[0], : self.scene_shape[1]]

    def scene_of(self, image: np.ndarray) -> np.ndarray:
        """Return an image with margins, the border being continued."""
        # A point function is flipped: what it reaches at its end comes from before the border.
        return np.pad(image, [(after, before) for before, after in self.margins], mode="symmetric")

    def image_of(self, scene: np.ndarray) -> np.ndarray:
        """Return a scene without its margins."""
        (_, top), (_, left) = self.margins
        return scene[top : top + self.shape[0], left : left + self.shape[1]]

    def towards_data(
        self, image: np.ndarray, known: np.ndarray
    ) -> Callable[[np.ndarray, float], np.ndarray]:
        """The step towards a blurred image, of which some pixels may not be known."""
        data = self.adjoint(np.where(known, image, 0.0))

        def step(restored: np.ndarray, weight: float) -> np.ndarray:
            scene = restored[:, :, 0].astype(np.float64)
            n = scene.size
            diagonal = 1.0 / (np.abs(self.transfer) ** 2 + weight)

            def product(x: np.ndarray) -> np.ndarray:
                x = x.reshape(self.scene_shape)
                return (self.adjoint(np.where(known, self(x), 0.0)) + weight * x).ravel()

            def precondition(x: np.ndarray) -> np.ndarray:
                spectrum = rfft2(x.reshape(self.scene_shape), self.fast_shape) * diagonal
                solved = irfft2(spectrum, self.fast_shape)
                return solved[: self.scene_shape[0], : self.scene_shape[1]].ravel()

            solved, _ = cg(
                LinearOperator((n, n), product, dtype=np.float64),
                (data + weight * scene).ravel(),
                x0=scene.ravel(),
                rtol=TOLERANCE,
                maxiter=MAX_ITERATIONS,
                M=LinearOperator((n, n), precondition, dtype=np.float64),
            )
            return solved.reshape(*self.scene_shape, 1).astype(restored.dtype)

        return step


class Binning:
    """Means over blocks of factor x factor pixels."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def __call__(self, scene: np.ndarray) -> np.ndarray:
        """Return the image of a scene."""
        n_rows, n_columns = (n // self.factor for n in scene.shape)
        blocks = scene.reshape(n_rows, self.factor, n_columns, self.factor)
        return blocks.mean(axis=(1, 3))

    def scene_of(self, image: np.ndarray) -> np.ndarray:
        """Return an image interpolated by cubic splines."""
        return zoom(image, self.factor, order=3, mode="reflect", grid_mode=True)

    def image_of(self, scene: np.ndarray) -> np.ndarray:
        """Return the scene: all of it is seen."""
        return scene

    def towards_data(
        self, image: np.ndarray, known: np.ndarray
    ) -> Callable[[np.ndarray, float], np.ndarray]:
        """The step towards an image of larger pixels, in closed form."""
        n_pixels = self.factor**2

        def step(restored: np.ndarray, weight: float) -> np.ndarray:
            scene = restored[:, :, 0]
            misfit = np.where(known, image - self(scene), 0.0) / (1.0 + n_pixels * weight)
            spread = np.repeat(np.repeat(misfit, self.factor, axis=0), self.factor, axis=1)
            return (scene + spread)[:, :, None].astype(restored.dtype)

        return step
