"""Learns the prior for patches of photographs that skmix.image ships.

    python benchmarks/learn_photo_prior.py skmix/image/data/photo_prior.npz

The photographs are those of `skmix/image/data/README.md`, read from the folder of scikit-image,
which ships them: nothing is downloaded. Colours become gray levels by PIL's convert("L"). Patches
of 8 x 8 pixels less their mean are drawn in equal shares from every photograph and from its
twofold reduction (sharper edges, less grain), in all four reflections: both were worth likelihood
on patches of other photographs, 0.6 and 0.3 nats with 64 components.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skmix import GMMDenoiser
from skmix.image import save_prior
from skmix.image._patch_format import PatchFormat

NAMES = [
    "astronaut.png",
    "brick.png",
    "camera.png",
    "chelsea.png",
    "clock_motion.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "moon.png",
    "rocket.jpg",
]
SIZE = 8


def photographs():
    """Gray levels from 0 to 1, each photograph and its twofold reduction."""
    import skimage.data
    from PIL import Image

    folder = Path(os.path.dirname(skimage.data.__file__))
    whole = [np.asarray(Image.open(folder / name).convert("L")) / 255.0 for name in NAMES]
    return whole + [halved(image) for image in whole]


def halved(image):
    """The means of 2 x 2 pixels."""
    n_rows, n_columns = (n // 2 for n in image.shape)
    image = image[: 2 * n_rows, : 2 * n_columns]
    return image.reshape(n_rows, 2, n_columns, 2).mean(axis=(1, 3))


def draw_patches(images, n_patches, seed):
    """Equal numbers of patches of all images and their reflections, less their mean."""
    rng = np.random.default_rng(seed)
    drawn = []
    for image in images:
        for reflected in (image, image[::-1], image[:, ::-1], image[::-1, ::-1]):
            windows = np.lib.stride_tricks.sliding_window_view(reflected, (SIZE, SIZE))
            share = n_patches // (4 * len(images))
            i, j = (rng.integers(n, size=share) for n in windows.shape[:2])
            drawn.append(windows[i, j].reshape(share, SIZE * SIZE))
    X = np.concatenate(drawn)
    return X - X.mean(axis=1, keepdims=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--components", type=int, default=200)
    parser.add_argument("--patches", type=int, default=300_000)
    parser.add_argument("--max-iter", type=int, default=15)
    args = parser.parse_args()
    X = draw_patches(photographs(), args.patches, 0).astype(np.float32)
    estimator = GMMDenoiser(
        args.components, reg_covar=1e-6, tol=1e-2, max_iter=args.max_iter, random_state=0
    )
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        prior = estimator.fit(X)
    fresh = prior.score(draw_patches(photographs(), 50_000, 1))
    print(
        f"{args.components} components, {len(X)} patches: {time.perf_counter() - started:.0f} s, "
        f"{fresh:.2f} nats per fresh patch"
    )
    prior.patch_format_ = PatchFormat(SIZE, 1, 1.0, True)
    save_prior(args.path, prior, dtype="float16")
    print(f"{args.path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
