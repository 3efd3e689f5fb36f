"""Photographs with missing pixels, filled by priors for patches and by smooth continuation.

    python benchmarks/inpaint_photos.py --data DIR       # or the environment variable SKMIX_DATA
    python benchmarks/inpaint_photos.py --images 3       # of the 12
    python benchmarks/inpaint_photos.py --train          # other priors, learned from bsds500-train

DIR holds the folder `set12`, of which the upper left 256 x 256 pixels are restored, and with
`--train` the folder `bsds500-train`, 100 000 patches of which are learned from. Printed are means
over the images of the peak signal-to-noise ratio of the missing pixels in decibels and of the
seconds per image; with noise, that of all pixels. There, biharmonic inpainting is followed by
denoising with the first prior. scikit-image is needed for inpaint_biharmonic.
"""

from __future__ import annotations

import warnings

import numpy as np
from datasets import argument_parser, load_gray, parse, timed
from results import record
from sklearn.exceptions import ConvergenceWarning

from skmix import GMMDenoiser, MVNDenoiser
from skmix.image import denoise, fit_patch_prior, inpaint

SIDE = 256
PRIORS = {
    "mixture, K=30": GMMDenoiser(30, max_iter=40, tol=1e-2, random_state=0),
    "MVN": MVNDenoiser(),
}


def masks(rng):
    """Missing pixels of several kinds."""
    rows, columns = np.indices((SIDE, SIDE))
    scratches = np.zeros((SIDE, SIDE), dtype=bool)
    for _ in range(12):
        angle, offset = rng.uniform(0, np.pi), rng.uniform(-100, 100)
        distance = (rows - 128) * np.cos(angle) + (columns - 128) * np.sin(angle) - offset
        scratches |= np.abs(distance) < 1.5
    holes = np.zeros((SIDE, SIDE), dtype=bool)
    for row, column in rng.integers(8, SIDE - 32, size=(8, 2)):
        holes[row : row + 24, column : column + 24] = True
    return {
        "50 % at random": rng.random((SIDE, SIDE)) < 0.5,
        "80 % at random": rng.random((SIDE, SIDE)) < 0.8,
        "12 scratches of 3 pixels": scratches,
        "8 holes of 24 x 24": holes,
    }


def psnr(restored, clean, where):
    return -10 * np.log10(np.mean((np.clip(restored, 0, 1) - clean)[where] ** 2))


def biharmonic(image, mask):
    from skimage.restoration import inpaint_biharmonic

    return inpaint_biharmonic(np.where(mask, 0.0, image), mask)


def compare(images, methods, noise_std):
    cells = {}
    for i, image in enumerate(images):
        rng = np.random.default_rng(i)
        noisy = image + noise_std * rng.normal(size=image.shape)
        for kind, mask in masks(rng).items():
            where = mask if noise_std == 0.0 else np.ones_like(mask)
            for name, method in methods.items():
                restored, seconds = timed(method, noisy, mask)
                cells.setdefault((kind, name), []).append((psnr(restored, image, where), seconds))
    print(f"\nnoise of standard deviation {255 * noise_std:.0f}/255, {len(images)} images")
    print("| missing | " + " | ".join(methods) + " |")
    print("|---|" + "---|" * len(methods))
    for kind in dict.fromkeys(kind for kind, _ in cells):
        means = [np.mean(cells[kind, name], axis=0) for name in methods]
        for name, (db, seconds) in zip(methods, means, strict=True):
            row = {"missing": kind, "method": name, "db": db, "seconds": seconds}
            record("photos", sigma=255 * noise_std, images=len(images), **row)
        print(f"| {kind} | " + " | ".join(f"{db:.2f} dB, {s:.1f} s" for db, s in means) + " |")


def methods_for(priors, noise_std):
    methods = {
        name: lambda image, mask, prior=prior: inpaint(image, mask, prior, noise_std=noise_std)
        for name, prior in priors.items()
    }
    methods["biharmonic"] = biharmonic
    if noise_std > 0:
        first = next(iter(priors.values()))
        methods["biharmonic, then denoise"] = lambda image, mask: denoise(
            biharmonic(image, mask), first, noise_std
        )
    return methods


def learned(folder):
    warnings.simplefilter("ignore", ConvergenceWarning)
    images, priors = load_gray(folder), {}
    for name, estimator in PRIORS.items():
        priors[name], seconds = timed(
            lambda estimator=estimator: fit_patch_prior(
                images, estimator, n_patches=100_000, random_state=0
            )
        )
        print(f"{name}: learned in {seconds:.0f} s", flush=True)
    return priors


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--images", type=int, default=12, help="of the 12 images")
    parser.add_argument("--train", action="store_true")
    args = parse(parser)
    priors = learned(args.data / "bsds500-train") if args.train else {"photo": "photo"}
    photos = [photo[:SIDE, :SIDE] for photo in load_gray(args.data / "set12")[: args.images]]
    for noise_std in (0.0, 25 / 255):
        compare(photos, methods_for(priors, noise_std), noise_std)


if __name__ == "__main__":
    main()
