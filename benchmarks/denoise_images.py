"""Whole images denoised by skmix.image, beside BM3D, wavelets and non-local means.

    python benchmarks/denoise_images.py                        # the prior that comes with skmix
    python benchmarks/denoise_images.py --sigma 15 25 50 --step 4
    python benchmarks/denoise_images.py --train prior.npz      # learn another, about 4 min
    python benchmarks/denoise_images.py --prior prior.npz      # and use it
    python benchmarks/denoise_images.py --blind                # no training images at all

`--train` learns 200 components from 8 x 8 patches of `bsds500-train` alone, gray by PIL's
convert("L") / 255, less their mean. Noise is white, of standard deviation 25 on the scale of 0 to
255 (--sigma); the same noisy image, without clipping, goes to every method. What is printed is the
mean over images of the PSNR against the clean image, restored ones clipped to [0, 1], and median
seconds. BM3D (`pip install bm3d`), OpenCV's and scikit-image's methods are compared where
they are installed; they are told the true noise.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import numpy as np
from datasets import argument_parser, load_gray, parse, timed
from results import record
from sklearn.exceptions import ConvergenceWarning

from skmix import GMMDenoiser
from skmix.image import denoise, fit_patch_prior, load_prior, save_prior

N_PATCHES = 1_000_000


def train(folder, path, n_components, max_iter):
    """Learn a prior and save it."""
    images = load_gray(folder / "bsds500-train")
    estimator = GMMDenoiser(
        n_components, reg_covar=1e-6, tol=1e-2, max_iter=max_iter, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        prior, seconds = timed(
            lambda: fit_patch_prior(
                [image.astype(np.float32) for image in images],
                estimator,
                n_patches=N_PATCHES,
                random_state=0,
            )
        )
    print(f"{n_components} components, {N_PATCHES} patches: {seconds:.0f} s")
    save_prior(path, prior)


def rivals(sigma):
    """Other methods that are installed."""
    found = {}
    try:
        import bm3d

        found["BM3D"] = lambda image: bm3d.bm3d(image, sigma)
    except ImportError:
        print("bm3d is not installed")
    try:
        from skimage.restoration import denoise_nl_means, denoise_wavelet

        found["wavelets"] = lambda image: denoise_wavelet(image, sigma)
        found["non-local means"] = lambda image: denoise_nl_means(
            image, h=0.8 * sigma, sigma=sigma, fast_mode=True
        )
    except ImportError:
        print("scikit-image or PyWavelets is not installed")
    try:
        import cv2

        found["non-local means, OpenCV"] = lambda image: (
            cv2.fastNlMeansDenoising(
                np.clip(255 * image, 0, 255).astype(np.uint8), h=0.85 * 255 * sigma
            )
            / 255
        )
    except ImportError:
        print("opencv-python is not installed")
    return found


def psnr(restored, clean):
    return -10 * np.log10(np.mean((np.clip(restored, 0, 1) - clean) ** 2))


def compare(folder, names, methods, sigma, step):
    for name in names:
        images = load_gray(folder / name)[::step]
        values = {method: [] for method in methods}
        seconds = {method: [] for method in methods}
        for i, clean in enumerate(images):
            noisy = clean + np.random.default_rng(i).normal(scale=sigma, size=clean.shape)
            for method, restore in methods.items():
                started = time.perf_counter()
                restored = restore(noisy)
                seconds[method].append(time.perf_counter() - started)
                values[method].append(psnr(restored, clean))
        print(f"{name}, {len(images)} images, sigma {255 * sigma:g}")
        for method in methods:
            mean, median = np.mean(values[method]), np.median(seconds[method])
            record(
                "images",
                set=name,
                images=len(images),
                sigma=255 * sigma,
                method=method,
                db=mean,
                seconds=median,
            )
            print(f"    {method:28} {mean:6.2f} dB   {median:5.2f} s", flush=True)


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--train", type=Path, metavar="FILE")
    parser.add_argument("--prior", type=Path, metavar="FILE")
    parser.add_argument("--blind", action="store_true")
    parser.add_argument("--components", type=int, default=200)
    parser.add_argument("--max-iter", type=int, default=12)
    parser.add_argument("--sigma", type=float, nargs="+", default=[25.0])
    parser.add_argument("--step", type=int, default=1, help="every so many images of each set")
    parser.add_argument("--methods", nargs="+", default=["auto", "similar", "epll", "mmse"])
    args = parse(parser)
    if args.train:
        train(args.data, args.train, args.components, args.max_iter)
    prior = load_prior(args.prior) if args.prior else "photo"
    for sigma in np.divide(args.sigma, 255):
        if args.blind:
            methods = {
                f"no prior, {method}": lambda y, method=method, sigma=sigma: denoise(
                    y.astype(np.float32), None, sigma, method=method
                )
                for method in args.methods
            }
            compare(args.data, ["set12"], methods | rivals(sigma), sigma, args.step)
        else:
            methods = {
                method: lambda y, method=method, sigma=sigma: denoise(
                    y.astype(np.float32), prior, sigma, method=method
                )
                for method in args.methods
            }
            compare(args.data, ["bsd68-dev", "set12"], methods | rivals(sigma), sigma, args.step)


if __name__ == "__main__":
    main()
