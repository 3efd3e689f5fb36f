"""Whole images denoised by a learned prior, beside BM3D, wavelets and non-local means.

    python benchmarks/denoise_images.py --train prior.npz      # learn 200 components, about 4 min
    python benchmarks/denoise_images.py --prior prior.npz      # PSNR and time on test images
    python benchmarks/denoise_images.py --blind                # no training images at all

The prior is learned from 8 x 8 patches of `bsds500-train` alone, gray by PIL's convert("L") / 255,
their mean removed. Noise is white, of standard deviation 25 on the scale of 0 to 255 (--sigma);
the same noisy image, without clipping, goes to every method. What is printed is the mean over
images of the PSNR against the clean image, restored ones clipped to [0, 1], and the median of the
seconds. BM3D (`pip install bm3d`) and scikit-image's methods are compared where they are
installed; they are told the true noise.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import numpy as np
from datasets import argument_parser, load_gray, parse, timed
from sklearn.exceptions import ConvergenceWarning

from skmix import GaussianMixture, GMMDenoiser
from skmix.image import denoise

N_PATCHES, N_FRESH, SIZE = 1_000_000, 200_000, 8


def patches_of(images, n_patches, seed):
    """Equal numbers of patches of all images, drawn with replacement, less their mean."""
    rng = np.random.default_rng(seed)
    drawn = []
    for image in images:
        windows = np.lib.stride_tricks.sliding_window_view(image, (SIZE, SIZE))
        share = n_patches // len(images)
        i, j = (rng.integers(n, size=share) for n in windows.shape[:2])
        drawn.append(windows[i, j].reshape(share, SIZE * SIZE))
    X = np.concatenate(drawn)
    return X - X.mean(axis=1, keepdims=True)


def train(folder, path, n_components, max_iter):
    """Learn a prior, print its likelihood on fresh patches, and save it."""
    images = load_gray(folder / "bsds500-train")
    X = patches_of(images, N_PATCHES, 0).astype(np.float32)
    estimator = GMMDenoiser(
        n_components, reg_covar=1e-6, tol=1e-2, max_iter=max_iter, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        prior, seconds = timed(estimator.fit, X)
    fresh = prior.mixture_.score(patches_of(images, N_FRESH, 1))
    print(
        f"{n_components} components, {N_PATCHES} patches, {prior.n_iter_} iterations over all: "
        f"{seconds:.0f} s, {fresh:.2f} nats per fresh patch"
    )
    mixture = prior.mixture_
    np.savez(
        path,
        weights=mixture.weights_,
        means=mixture.means_,
        covariances=mixture.covariances_,
    )


def load_prior(path):
    """The prior of a file that `train` wrote."""
    parts = np.load(path)
    weights = parts["weights"].astype(float)
    prior = GMMDenoiser(len(weights))
    prior.mixture_ = GaussianMixture.from_parameters(
        weights / weights.sum(), parts["means"], parts["covariances"]
    )
    prior.n_features_in_ = parts["means"].shape[1]
    return prior


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
    return found


def psnr(restored, clean):
    return -10 * np.log10(np.mean((np.clip(restored, 0, 1) - clean) ** 2))


def compare(folder, names, methods, sigma, limit):
    for name in names:
        images = load_gray(folder / name)[:limit]
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
            print(f"    {method:28} {mean:6.2f} dB   {median:5.2f} s", flush=True)


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--train", type=Path, metavar="FILE")
    parser.add_argument("--prior", type=Path, metavar="FILE")
    parser.add_argument("--blind", action="store_true")
    parser.add_argument("--components", type=int, default=200)
    parser.add_argument("--max-iter", type=int, default=12)
    parser.add_argument("--sigma", type=float, default=25.0)
    parser.add_argument("--limit", type=int, help="number of images of each set")
    args = parse(parser)
    sigma = args.sigma / 255
    if args.train:
        train(args.data, args.train, args.components, args.max_iter)
    if args.prior:
        prior = load_prior(args.prior)
        methods = {
            "EPLL": lambda y: denoise(y.astype(np.float32), prior, sigma, method="epll"),
            "MMSE": lambda y: denoise(y.astype(np.float32), prior, sigma),
            "MMSE, every patch": lambda y: denoise(y.astype(np.float32), prior, sigma, stride=1),
            **rivals(sigma),
        }
        compare(args.data, ["bsd68-dev", "set12"], methods, sigma, args.limit)
    if args.blind:
        methods = {
            "no prior, MMSE": lambda y: denoise(y.astype(np.float32), None, sigma),
            "no prior, EPLL": lambda y: denoise(y.astype(np.float32), None, sigma, method="epll"),
            **{name: method for name, method in rivals(sigma).items() if name != "BM3D"},
        }
        compare(args.data, ["set12"], methods, sigma, args.limit)


if __name__ == "__main__":
    main()
