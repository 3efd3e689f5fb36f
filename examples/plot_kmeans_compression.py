"""
=========================================
Compress a picture to a palette or blocks
=========================================

How few bits will do for a picture? k-means finds the palette of K colours that changes its pixels
least, and each pixel then takes log2(K) bits. Applied to blocks of pixels instead of single ones,
the same algorithm reaches rates far below one bit per pixel. This example measures rate against
distortion for both, beside the palettes of Pillow.

Run it with ``python examples/plot_kmeans_compression.py``. It writes the figure
``plot_kmeans_compression.png`` to the current folder.
"""

# %%
# The picture
# -----------
# 427 x 640 pixels of 24 bits, from scikit-learn.
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

from skmix.image import CompressedImage, compress

plt.switch_backend("agg")  # the figure goes to a file, no display is needed
picture = load_sample_image("china.jpg")

# %%
# Palettes
# --------
# ``compress`` returns the palette and, for each pixel, the index of its colour. The rate in bits
# per pixel counts both. ``entropy_bits_per_pixel`` is what is left when frequent colours get
# shorter codes; the peak signal-to-noise ratio says how near the colours are to the original.
started = time.perf_counter()
palettes = {k: compress(picture, k, random_state=0) for k in (2, 4, 16, 64, 256)}
print(f"{len(palettes)} palettes in {time.perf_counter() - started:.1f} s")
print("colours   bits per pixel (entropy-coded)   PSNR")
for k, compressed in palettes.items():
    print(
        f"{k:7}   {compressed.bits_per_pixel:14.2f} ({compressed.entropy_bits_per_pixel:13.2f})"
        f"   {compressed.psnr(picture):.2f} dB"
    )

# %%
# Blocks
# ------
# Neighbouring pixels are alike. A codebook of 4 x 4 blocks makes use of that: 8 bits choose one of
# 256 blocks, half a bit per pixel. The codebook itself is no longer negligible, 0.36 bits per
# pixel here; with more blocks, it is what costs most.
started = time.perf_counter()
blocks = {k: compress(picture, k, block_size=4, random_state=0) for k in (16, 64, 256)}
print(f"{len(blocks)} codebooks of 4 x 4 blocks in {time.perf_counter() - started:.1f} s")
print(" blocks   bits per pixel (of it codebook)   PSNR")
for k, compressed in blocks.items():
    print(
        f"{k:7}   {compressed.bits_per_pixel:14.2f} ({compressed.codebook_bits_per_pixel:14.2f})"
        f"   {compressed.psnr(picture):.2f} dB"
    )

# %%
# Files
# -----
# A compressed image is saved without pickling and comes back as it was.
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "china.npz"
    palettes[16].save(path)
    same = np.array_equal(CompressedImage.load(path).decompress(), palettes[16].decompress())
    print(f"16 colours take {path.stat().st_size} bytes, read back unchanged: {same}")

# %%
# Pillow's palettes
# -----------------
# ``Image.quantize`` cuts the cube of colours at medians, and can refine the result by k-means.


def psnr(image):
    """Peak signal-to-noise ratio in dB."""
    return 20 * np.log10(255) - 10 * np.log10(np.mean((image.astype(float) - picture) ** 2))


def pillow_palette(n_colours, kmeans):
    """The picture in the colours that Pillow chooses."""
    image = Image.fromarray(picture).quantize(
        n_colours, method=Image.Quantize.MEDIANCUT, kmeans=kmeans, dither=Image.Dither.NONE
    )
    return np.asarray(image.convert("RGB"))


pillow = {
    label: [psnr(pillow_palette(k, kmeans)) for k in palettes]
    for label, kmeans in [("Pillow, median cut", 0), ("Pillow, median cut and k-means", 1)]
}

# %%
# Rate and distortion
# -------------------
# With few colours all palettes are alike; with many, those of k-means are nearer to the picture.
# Below two bits per pixel, blocks are far better than any palette.
figure = plt.figure(figsize=(12, 6.4), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[1.15, 1])

shown = {"original, 24 bits per pixel": picture}
for label, compressed in [
    ("4 colours", palettes[4]),
    ("16 colours", palettes[16]),
    ("256 colours", palettes[256]),
    ("16 blocks of 4 x 4", blocks[16]),
    ("256 blocks of 4 x 4", blocks[256]),
]:
    title = f"{label}, {compressed.bits_per_pixel:.2f} bits, {compressed.psnr(picture):.1f} dB"
    shown[title] = compressed.decompress()
for cell, (title, image) in zip(left.subplots(3, 2).flat, shown.items(), strict=True):
    cell.imshow(image)
    cell.set_title(title, fontsize=9)
    cell.set(xticks=[], yticks=[])

axes = right.subplots()
rates = [compressed.bits_per_pixel for compressed in palettes.values()]
quality = [compressed.psnr(picture) for compressed in palettes.values()]
entropies = [compressed.entropy_bits_per_pixel for compressed in palettes.values()]
axes.plot(entropies, quality, "C0o--", label="palette, entropy-coded", markerfacecolor="white")
axes.plot(rates, quality, "C0o-", label="palette")
for (label, values), style in zip(pillow.items(), ["C7s:", "C1^:"], strict=True):
    axes.plot(rates, values, style, label=label)
axes.plot(
    [compressed.bits_per_pixel for compressed in blocks.values()],
    [compressed.psnr(picture) for compressed in blocks.values()],
    "C2D-",
    label="blocks of 4 x 4, with codebook",
)
axes.set_xlabel("rate (bits per pixel)")
axes.set_ylabel("peak signal-to-noise ratio (dB)")
axes.set_title("Rate and distortion: 2 to 256 colours, 16 to 256 blocks")
axes.grid(alpha=0.3)
axes.legend(loc="lower right")
figure.savefig("plot_kmeans_compression.png", dpi=120)
gain = np.array(quality) - np.max(list(pillow.values()), axis=0)
print(f"above the better of Pillow's by {gain.min():.2f} to {gain.max():.2f} dB")
print("wrote plot_kmeans_compression.png")
