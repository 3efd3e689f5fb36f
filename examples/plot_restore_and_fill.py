"""
===================================
Restore a scratched and noisy photo
===================================

An old print has scratches and grain. Filling the scratches first copies the grain into them, and
removing the grain first smears the scratches. A prior for patches does both at once: every patch
is what the prior expects, given the pixels that are left and the noise that they carry.

Run it with ``python examples/plot_restore_and_fill.py``. It writes the figure
``plot_restore_and_fill.png`` to the current folder.
"""

# %%
# The damage
# ----------
# A part of scikit-learn's photograph of a temple, colours from 0 to 1: scratches of three pixels,
# a stain, and noise of standard deviation 0.08. ``mask`` is True where nothing is known.
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image
from sklearn.exceptions import ConvergenceWarning

from skmix import GMMDenoiser
from skmix.image import fit_patch_prior, inpaint

plt.switch_backend("agg")  # the figure goes to a file, no display is needed
warnings.simplefilter("ignore", ConvergenceWarning)

photo = load_sample_image("china.jpg") / 255
clean = photo[110:230, 230:390]
rng = np.random.default_rng(0)
rows, columns = np.indices(clean.shape[:2])
mask = (rows - 95) ** 2 + (columns - 130) ** 2 < 8**2
for _ in range(6):
    angle, offset = rng.uniform(0, np.pi), rng.uniform(-50, 50)
    distance = (rows - 60) * np.cos(angle) + (columns - 80) * np.sin(angle) - offset
    mask |= np.abs(distance + 2 * np.sin(columns / 15)) < 1.5
noise_std = 0.08
damaged = clean + noise_std * rng.normal(size=clean.shape)
damaged[mask] = 1.0
print(f"{mask.mean():.0%} of the pixels are missing")

# %%
# The prior
# ---------
# Learned from what lies left of that part in the same photograph, in gray: it is used for the
# luminance and for two differences of colours.
start = time.perf_counter()
prior = fit_patch_prior(
    [photo[:, :230].mean(axis=2)],
    GMMDenoiser(8, tol=0.01, max_iter=30, random_state=0),
    n_patches=20_000,
    random_state=0,
)
print(f"prior learned in {time.perf_counter() - start:.1f} s")

# %%
# Fill, or fill and denoise
# -------------------------
# Without ``noise_std`` known pixels are returned as they are, and what is filled in follows their
# noise. With it, both are restored together.
filled = inpaint(damaged, mask, prior, channel_axis=-1)
start = time.perf_counter()
restored, std = inpaint(
    damaged, mask, prior, noise_std=noise_std, channel_axis=-1, return_std=True
)
print(f"restored in {time.perf_counter() - start:.1f} s")


def psnr(picture, where):
    """Peak signal-to-noise ratio in decibels."""
    return -10 * np.log10(np.mean((np.clip(picture, 0, 1) - clean)[where] ** 2))


for name, picture in {"damaged": damaged, "filled": filled, "restored": restored}.items():
    print(
        f"{name}: {psnr(picture, mask):.1f} dB in the scratches, "
        f"{psnr(picture, ~mask):.1f} dB elsewhere"
    )

# %%
# The figure
# ----------
# The standard deviation is large where a scratch crosses an edge, and in the middle of the stain.
figure, axes = plt.subplots(2, 3, figsize=(12, 6.2), layout="constrained")
everywhere = np.ones_like(mask)
pictures = {
    "the original": clean,
    f"damaged, {psnr(damaged, everywhere):.1f} dB": damaged,
    f"scratches filled, {psnr(filled, everywhere):.1f} dB": filled,
    f"filled and denoised, {psnr(restored, everywhere):.1f} dB": restored,
}
for cell, (title, picture) in zip(axes.flat, pictures.items(), strict=False):
    cell.imshow(np.clip(picture, 0, 1))
    cell.set_title(title)
axes[1, 1].imshow(mask, cmap="gray_r")
axes[1, 1].set_title("missing pixels (black)")
drawn = axes[1, 2].imshow(np.sqrt(np.mean(std**2, axis=2)), cmap="viridis", vmin=0)
axes[1, 2].set_title("posterior standard deviation")
figure.colorbar(drawn, ax=axes[1, 2], label="colours from 0 to 1", shrink=0.8)
for cell in axes.flat:
    cell.set(xticks=[], yticks=[])
figure.savefig("plot_restore_and_fill.png", dpi=120)
print("wrote plot_restore_and_fill.png")
