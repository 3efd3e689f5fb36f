"""Estimated noise levels beside those of scikit-image, on crops of photographs.

    python benchmarks/estimate_noise.py --data DIR     # or the environment variable SKMIX_DATA

DIR holds the folders `set12` and `bsd68-dev`, of which the upper left 256 x 256 pixels of twelve
and four images are taken, and white noise is added: as it is, rounded and clipped to 8 bits, and
that with black bars over 30 % of the rows. Photographs have noise of their own. The estimate for
the clean crop is added to the known noise in quadrature; or the photographs are made half as
large first, by means of 2 x 2 pixels, which leaves half of it, and no more is added. Printed are
root mean squares of relative errors, and seconds for 24 million pixels.
"""

from __future__ import annotations

import numpy as np
from datasets import argument_parser, load_gray, parse, timed
from results import record
from skimage.restoration import estimate_sigma

from skmix.image import estimate_noise_std

SIGMAS = (5, 15, 25, 50)


def error(found, true):
    return 100 * np.sqrt(np.mean((np.array(found) / true - 1) ** 2))


def compare(yardstick, crops, grain, sigma):
    true, found = np.hypot(sigma, grain), {}
    for i, clean in enumerate(crops):
        noisy = clean + np.random.default_rng(i).normal(scale=sigma, size=clean.shape)
        clipped = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        bars, height = clipped.copy(), int(0.15 * len(clipped))
        bars[:height], bars[-height:] = 0, 0
        kinds = {"unclipped": noisy, "clipped": clipped, "bars": bars}
        for kind, image in kinds.items():
            found.setdefault(kind, []).append(estimate_noise_std(image))
        found.setdefault("wavelets, unclipped", []).append(estimate_sigma(noisy))
    errors = {kind: error(values, true) for kind, values in found.items()}
    listed = ", ".join(f"{kind} {value:.1f} %" for kind, value in errors.items())
    print(f"    sigma {sigma}: {listed}", flush=True)
    for kind, value in errors.items():
        record("crops", yardstick=yardstick, sigma=sigma, kind=kind, percent=value)


def main():
    args = parse(argument_parser(__doc__))
    photos = load_gray(args.data / "set12") + load_gray(args.data / "bsd68-dev")[:4]
    crops = [255 * photo[:256, :256] for photo in photos]
    grain = np.array([estimate_noise_std(crop) for crop in crops])
    print("crops, their own noise added: " + " ".join(f"{std:.1f}" for std in grain))
    for sigma in SIGMAS:
        compare("own noise added", crops, grain, sigma)
    print("crops of half the size")
    halves = [crop.reshape(128, 2, 128, 2).mean(axis=(1, 3)) for crop in crops]
    for sigma in SIGMAS:
        compare("half the size", halves, 0.0, sigma)
    large = np.tile(crops[0].astype(np.float32), (16, 23))
    large += np.random.default_rng(0).normal(scale=25, size=large.shape).astype(np.float32)
    found, seconds = timed(estimate_noise_std, large)
    print(f"{large.size / 1e6:.0f} million pixels, noise of 25: {found:.1f} in {seconds:.1f} s")


if __name__ == "__main__":
    main()
