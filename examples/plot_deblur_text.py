"""
============================
Read what a lens has blurred
============================

A page photographed out of focus. The blur is known, a disc of light for every point, so why not
divide by it? Because noise, divided by next to nothing, drowns the page. What clean patches look
like says which of all pages that would have been blurred to this one is likely.

Run it with ``python examples/plot_deblur_text.py``; it needs scikit-image. It writes the figure
``plot_deblur_text.png`` to the current folder.
"""

# %%
# The page
# --------
# scikit-image's scanned page, gray levels from 0 to 1, through a lens that makes a disc of 7
# pixels of every point, with noise of one gray level of 255.
import time

import matplotlib.pyplot as plt
import numpy as np
from scipy.signal import convolve2d
from skimage.data import page
from skimage.restoration import richardson_lucy, wiener

from skmix.image import deblur

plt.switch_backend("agg")  # the figure goes to a file, no display is needed

sharp = page()[:150, :250] / 255
rows, columns = np.indices((7, 7)) - 3
psf = (rows**2 + columns**2 <= 12.5).astype(float)
psf /= psf.sum()
blurred = convolve2d(sharp, psf, mode="valid")
blurred += np.random.default_rng(0).normal(scale=1 / 255, size=blurred.shape)
sharp = sharp[3:-3, 3:-3]  # what the camera sees

# %%
# Three ways back
# ---------------
# The Wiener filter and Richardson-Lucy iterations of scikit-image get the best of several
# settings, chosen by the true page. ``deblur`` estimates the noise.


def psnr(picture):
    """Peak signal-to-noise ratio in decibels."""
    return -10 * np.log10(np.mean((np.clip(picture, 0, 1) - sharp) ** 2))


start = time.perf_counter()
restored = deblur(blurred, psf)
print(f"deblurred in {time.perf_counter() - start:.1f} s")
pages = {
    "blurred": blurred,
    "Wiener filter": max(
        (wiener(blurred, psf, balance) for balance in 10.0 ** np.arange(-5, 0)), key=psnr
    ),
    "Richardson-Lucy": max(
        (richardson_lucy(blurred, psf, num_iter=n) for n in (5, 10, 20, 40)), key=psnr
    ),
    "deblur": restored,
    "sharp": sharp,
}
for name, picture in pages.items():
    if picture is not sharp:
        print(f"{name}: {psnr(picture):.1f} dB")

# %%
figure, axes = plt.subplots(2, 3, figsize=(12, 5.4), layout="constrained")
for axis, (name, picture) in zip(axes.flat, pages.items(), strict=False):
    axis.imshow(picture, cmap="gray", vmin=0, vmax=1)
    axis.set_title(name if picture is sharp else f"{name}, {psnr(picture):.1f} dB")
axes[1, 2].imshow(np.pad(psf, 4), cmap="gray")
axes[1, 2].set_title("what a point becomes")
for axis in axes.flat:
    axis.set_axis_off()
figure.savefig("plot_deblur_text.png", dpi=120)
print("wrote plot_deblur_text.png")
