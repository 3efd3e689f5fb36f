"""
===============================
Denoise a photograph, zoomed in
===============================

A photograph taken in the dark is full of noise. How much of it goes, with what was learned from
another photograph, or from the noisy one alone? And where should one not believe the result?

Run it with ``python examples/plot_denoise_photo.py``. It writes the figure
``plot_denoise_photo.png`` to the current folder.
"""

# %%
# The photograph
# --------------
# A part of the picture of a Chinese temple that comes with scikit-learn, gray levels from 0 to 1,
# with noise of standard deviation 0.1.
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image
from sklearn.exceptions import ConvergenceWarning

from skmix import GMMDenoiser
from skmix.image import denoise, estimate_noise_std, fit_patch_prior

plt.switch_backend("agg")  # the figure goes to a file, no display is needed
warnings.simplefilter("ignore", ConvergenceWarning)

clean = load_sample_image("china.jpg")[110:250, 230:400].mean(axis=2) / 255
noisy = clean + 0.1 * np.random.default_rng(0).normal(size=clean.shape)
noise_std = estimate_noise_std(noisy)
print(f"noise of standard deviation 0.1, estimated at {noise_std:.3f}")

# %%
# Nothing but the noisy picture
# -----------------------------
# Its own patches are what there is to learn from. The noise that they carry is known, and is taken
# out of what is learned. ``return_std`` asks for standard deviations too.


def psnr(picture):
    """Peak signal-to-noise ratio in decibels."""
    return -10 * np.log10(np.mean((np.clip(picture, 0, 1) - clean) ** 2))


start = time.perf_counter()
alone, std = denoise(noisy, None, noise_std, method="epll", return_std=True)
print(f"from itself: {psnr(alone):.2f} dB in {time.perf_counter() - start:.1f} s")

# %%
# Does the error keep what the standard deviation promises? Pixels are sorted by it, and the error
# of each tenth is compared.
order = np.argsort(std.ravel())
for part in np.array_split(order, 10)[::3]:
    error = np.sqrt(np.mean((alone - clean).ravel()[part] ** 2))
    print(f"standard deviation {np.sqrt(np.mean(std.ravel()[part] ** 2)):.3f}, error {error:.3f}")

# %%
# Another picture to learn from
# -----------------------------
# scikit-learn has one more photograph, of a flower, which has no roofs. A prior for all purposes
# learns from hundreds of photographs.
start = time.perf_counter()
flower = load_sample_image("flower.jpg").mean(axis=2) / 255
prior = fit_patch_prior(
    [flower],
    GMMDenoiser(10, tol=0.01, max_iter=30, random_state=0),
    n_patches=8_000,
    random_state=0,
)
print(f"prior learned from the flower in {time.perf_counter() - start:.1f} s")
start = time.perf_counter()
restored = denoise(noisy, prior, noise_std, method="epll")
print(f"from the flower: {psnr(restored):.2f} dB in {time.perf_counter() - start:.1f} s")

# %%
# The figure
# ----------
# The whole above, a part of it below. Noise is left where there is texture: the standard deviation
# says so.
figure, axes = plt.subplots(2, 5, figsize=(14, 4.8), layout="constrained")
zoom = slice(40, 104), slice(10, 90)
pictures = {
    "clean": clean,
    f"noisy, {psnr(noisy):.1f} dB": noisy,
    f"learned from itself, {psnr(alone):.1f} dB": alone,
    f"learned from a flower, {psnr(restored):.1f} dB": restored,
}
for (title, picture), (whole, part) in zip(pictures.items(), axes[:, :4].T, strict=True):
    whole.imshow(picture, cmap="gray", vmin=0, vmax=1)
    part.imshow(picture[zoom], cmap="gray", vmin=0, vmax=1)
    whole.set_title(title, fontsize=11)
for cell, picture in zip(axes[:, 4], (std, std[zoom]), strict=True):
    drawn = cell.imshow(picture, cmap="viridis", vmin=0, vmax=std.max())
axes[0, 4].set_title("standard deviation, from itself", fontsize=11)
figure.colorbar(drawn, ax=axes[:, 4], label="gray levels from 0 to 1", shrink=0.8)
for cell in axes.flat:
    cell.set(xticks=[], yticks=[])
for cell in axes[0]:
    rows, columns = zoom
    size = columns.stop - columns.start, rows.stop - rows.start
    frame = plt.Rectangle((columns.start, rows.start), *size, fill=False, color="tab:orange")
    cell.add_patch(frame)
figure.savefig("plot_denoise_photo.png", dpi=120)
print("wrote plot_denoise_photo.png")
