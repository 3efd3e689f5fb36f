"""Palettes of 2 to 256 colours: rate, distortion and time of skmix and of Pillow.

    python benchmarks/compress_images.py                   # china.jpg and flower.jpg
    python benchmarks/compress_images.py --data DIR        # or the variable SKMIX_DATA: 20 more
    python benchmarks/compress_images.py --n-images 200 --blocks

The two images come with scikit-learn (427 x 640 pixels). DIR holds the folder `bsds500-train` with
the training images of BSDS500 (321 x 481), of which every tenth is taken, or as many as
--n-images says. For every number of colours this prints

- the peak signal-to-noise ratio of `skmix.image.compress`;
- that of Pillow's `Image.quantize` without dithering: by median cut and by maximum coverage, each
  as it is and refined by k-means until no pixel changes its colour (`kmeans=1`), by octree, and
  by libimagequant where Pillow was built with it;
- what skmix is above the best of these, and for several images the range of that;
- the rate in bits per pixel, palette included, with codes of equal length and at their entropy;
- the seconds that skmix and Pillow's best took, one after the other, reconstruction included.

For several images all of these are means. `--blocks` adds codebooks of 4 x 4 blocks, for which
Pillow has no counterpart. Pillow is needed.
"""

from __future__ import annotations

import numpy as np
from datasets import argument_parser, timed
from PIL import Image, features
from results import record
from sklearn.datasets import load_sample_image

from skmix.image import compress

N_COLOURS = (2, 4, 8, 16, 32, 64, 128, 256)
N_BLOCKS = (16, 64, 256, 1024)
PALETTES = {
    "median cut": (Image.Quantize.MEDIANCUT, 0),
    "median cut, k-means": (Image.Quantize.MEDIANCUT, 1),
    "maximum coverage": (Image.Quantize.MAXCOVERAGE, 0),
    "maximum coverage, k-means": (Image.Quantize.MAXCOVERAGE, 1),
    "octree": (Image.Quantize.FASTOCTREE, 0),
}
if features.check("libimagequant"):
    PALETTES["libimagequant"] = (Image.Quantize.LIBIMAGEQUANT, 0)


def pillow(picture, n_colours, method, kmeans):
    """The picture in the colours that Pillow chooses."""
    image = Image.fromarray(picture)
    palette = image.quantize(n_colours, method=method, kmeans=kmeans, dither=Image.Dither.NONE)
    return np.asarray(palette.convert("RGB"))


def psnr(restored, picture):
    """Peak signal-to-noise ratio in dB."""
    error = np.mean((restored.astype(float) - picture) ** 2)
    return float(20 * np.log10(255) - 10 * np.log10(error))


def reconstruct(picture, n_codes, block_size=1):
    compressed = compress(picture, n_codes, block_size, random_state=0)
    return compressed, compressed.decompress()


def measure(picture, n_colours):
    """Rates, PSNR and seconds of skmix, then PSNR of Pillow's palettes and seconds of the best."""
    (compressed, restored), seconds = timed(reconstruct, picture, n_colours)
    peers = [timed(pillow, picture, n_colours, *palette) for palette in PALETTES.values()]
    quality = [psnr(image, picture) for image, _ in peers]
    best = int(np.argmax(quality))
    rates = [compressed.bits_per_pixel, compressed.entropy_bits_per_pixel]
    return [*rates, psnr(restored, picture), seconds, *quality, peers[best][1]]


def compare(name, pictures):
    """A row per number of colours, each the mean over pictures."""
    names = " | ".join(PALETTES)
    print(
        f"| colours | bits | entropy | skmix (dB) | {names} | over best | skmix (s) | best (s) |"
    )
    print("|" + "---|" * (7 + len(PALETTES)))
    for n_colours in N_COLOURS:
        table = np.array([measure(picture, n_colours) for picture in pictures])
        gain = table[:, 2] - table[:, 4:-1].max(axis=1)
        bits, entropy, quality, seconds, *peers, best_seconds = table.mean(axis=0)
        record(
            "palettes",
            pictures=name,
            colours=n_colours,
            bits=bits,
            entropy_bits=entropy,
            skmix_db=quality,
            pillow_db=table[:, 4:-1].max(axis=1).mean(),
            least_gain_db=gain.min(),
            largest_gain_db=gain.max(),
            skmix_seconds=seconds,
            pillow_seconds=best_seconds,
        )
        cells = [f"{bits:.2f}", f"{entropy:.2f}", *(f"{value:.2f}" for value in [quality, *peers])]
        spread = f"{gain.mean():+.2f}"
        if len(gain) > 1:
            spread += f" ({gain.min():+.2f} to {gain.max():+.2f})"
        cells += [spread, f"{seconds:.2f}", f"{best_seconds:.2f}"]
        print(f"| {n_colours} | {' | '.join(cells)} |", flush=True)


def compare_blocks(name, pictures):
    print("\n| blocks of 4 x 4 | bits | of it codebook | entropy | PSNR (dB) | seconds |")
    print("|---|---|---|---|---|---|")
    for n_blocks in N_BLOCKS:
        rows = []
        for picture in pictures:
            (compressed, restored), seconds = timed(reconstruct, picture, n_blocks, 4)
            rates = compressed.bits_per_pixel, compressed.codebook_bits_per_pixel
            entropy = compressed.entropy_bits_per_pixel
            rows.append([*rates, entropy, psnr(restored, picture), seconds])
        means = np.mean(rows, axis=0)
        names = ("bits", "codebook_bits", "entropy_bits", "skmix_db", "skmix_seconds")
        record("blocks", pictures=name, blocks=n_blocks, **dict(zip(names, means, strict=True)))
        cells = " | ".join(f"{value:.2f}" for value in means)
        print(f"| {n_blocks} | {cells} |", flush=True)


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--n-images", type=int, default=20, help="of bsds500-train")
    parser.add_argument("--blocks", action="store_true")
    args = parser.parse_args()
    sets = {name: [load_sample_image(name)] for name in ("china.jpg", "flower.jpg")}
    if args.data is not None:
        paths = sorted((args.data / "bsds500-train").glob("*.jpg"))
        if not paths:
            parser.error(f"{args.data} has no folder bsds500-train with jpg files")
        chosen = paths[:: max(1, len(paths) // args.n_images)][: args.n_images]
        sets[f"{len(chosen)} images of BSDS500"] = [np.asarray(Image.open(p)) for p in chosen]
    for name, pictures in sets.items():
        print(f"\n{name}")
        compare(name, pictures)
        if args.blocks:
            compare_blocks(name, pictures)


if __name__ == "__main__":
    main()
