"""Photographs that were blurred, or have too few pixels, beside classical methods.

    python benchmarks/invert_photos.py --data DIR     # or the environment variable SKMIX_DATA

DIR holds the folders `set12` and `bsd68-dev`. Blur is a Gaussian of 1.6 pixels, cut off at
15 x 15, with noise of standard deviation 2 on the scale of 0 to 255; what is beyond the border is
blurred in and not seen. scikit-image's Wiener filter and Richardson-Lucy iterations get the best
of four settings each, by the true image; `deblur` is told the noise. Large pixels are means of
2 x 2. What is printed is the peak signal-to-noise ratio, and seconds of `deblur` and `upscale`.
"""

from __future__ import annotations

import numpy as np
from datasets import argument_parser, load_gray, parse, timed
from PIL import Image
from results import record
from scipy.signal import convolve2d
from skimage.restoration import richardson_lucy, wiener

from skmix.image import deblur, upscale

NOISE_STD = 2 / 255
PHOTOS = {"set12": (0, 1), "bsd68-dev": (2, 4)}


def gaussian(width=1.6, reach=7):
    profile = np.exp(-(np.arange(-reach, reach + 1) ** 2) / 2 / width**2)
    psf = np.outer(profile, profile)
    return psf / psf.sum()


def psnr(restored, clean):
    return -10 * np.log10(np.mean((np.clip(restored, 0, 1) - clean) ** 2))


def blur(photo):
    psf, reach = gaussian(), 7
    sharp, blurred = photo[reach:-reach, reach:-reach], convolve2d(photo, gaussian(), mode="valid")
    blurred = blurred + np.random.default_rng(0).normal(scale=NOISE_STD, size=blurred.shape)
    restored, seconds = timed(lambda: deblur(blurred, psf, noise_std=NOISE_STD))
    within = np.clip(blurred, 0, 1)
    filtered = (wiener(blurred, psf, balance) for balance in (0.003, 0.01, 0.03, 0.1))
    iterated = (richardson_lucy(within, psf, num_iter=n) for n in (3, 5, 10, 20))
    best = (max(psnr(one, sharp) for one in rivals) for rivals in (filtered, iterated))
    return psnr(blurred, sharp), psnr(restored, sharp), *best, seconds


def enlarge(photo):
    n_rows, n_columns = (n // 2 for n in photo.shape)
    sharp = photo[: 2 * n_rows, : 2 * n_columns]
    small = sharp.reshape(n_rows, 2, n_columns, 2).mean(axis=(1, 3))
    large, seconds = timed(lambda: upscale(small))
    interpolated = Image.fromarray(small.astype(np.float32)).resize(
        (2 * n_columns, 2 * n_rows), Image.Resampling.BICUBIC
    )
    return psnr(large, sharp), psnr(np.asarray(interpolated), sharp), seconds


def main():
    args = parse(argument_parser(__doc__))
    for folder, chosen in PHOTOS.items():
        photos = load_gray(args.data / folder)
        for i in chosen:
            seen, restored, filtered, iterated, seconds = blur(photos[i])
            print(
                f"{folder}[{i}]: blurred {seen:.2f} dB, deblur {restored:.2f} dB "
                f"({seconds:.1f} s), Wiener {filtered:.2f} dB, Richardson-Lucy {iterated:.2f} dB"
            )
            spent = {"deblur_seconds": seconds}
            large, interpolated, seconds = enlarge(photos[i])
            record(
                "photos",
                photo=f"{folder}[{i}]",
                blurred_db=seen,
                deblur_db=restored,
                wiener_db=filtered,
                richardson_lucy_db=iterated,
                upscale_db=large,
                bicubic_db=interpolated,
                upscale_seconds=seconds,
                **spent,
            )
            print(
                f"    twice as large: upscale {large:.2f} dB ({seconds:.1f} s), bicubic "
                f"{interpolated:.2f} dB",
                flush=True,
            )


if __name__ == "__main__":
    main()
