"""
=========================================
Restore images from a tenth of the pixels
=========================================

How much of a picture can be told from a few of its pixels? A Gaussian mixture learned from
complete pictures knows which pixels go together. Given the pixels that are left, it fills the
others with the gray level to be expected there, and says how far off that may be.

Run it with ``python examples/plot_inpainting.py``. It writes the figure ``plot_inpainting.png`` to
the current folder. Where the environment variable ``SKMIX_DATA`` names a folder with the files of
Fashion-MNIST, 90 % of the pixels of clothes are removed; otherwise 70 % of those of scikit-learn's
handwritten digits, which have 64 pixels only.
"""

# %%
# The images
# ----------
# T-shirts, trousers and bags of 28 x 28 pixels, or digits of 8 x 8 pixels; gray levels from 0 to
# 1. Ten images that were not learned from are corrupted.
import gzip
import os
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skmix import ConditionalGMMInpainter

plt.switch_backend("agg")  # the figure goes to a file, no display is needed


def read_fashion(folder, part):
    """Images of the labels 0, 1 and 8 (T-shirt, trouser, bag)."""

    def read(name, offset):
        with gzip.open(folder / f"{part}-{name}-ubyte.gz") as file:
            return np.frombuffer(file.read(), np.uint8, offset=offset)

    images = read("images-idx3", 16).reshape(-1, 784) / 255.0
    return images[np.isin(read("labels-idx1", 8), [0, 1, 8])]


fashion = Path(os.environ.get("SKMIX_DATA", "")) / "fashion-mnist"
if os.environ.get("SKMIX_DATA") and fashion.is_dir():
    name, share = "Fashion-MNIST", 0.9
    X_train, X_test = read_fashion(fashion, "train")[:2000], read_fashion(fashion, "t10k")
else:
    name, share = "digits", 0.7
    X_train, X_test = train_test_split(load_digits().data / 16.0, test_size=0.2, random_state=0)

truth = X_test[:10]
rng = np.random.default_rng(0)
corrupted = np.where(rng.random(truth.shape) < share, np.nan, truth)
print(f"{name}: {len(X_train)} training images of {truth.shape[1]} pixels, {share:.0%} removed")

# %%
# Learn and restore
# -----------------
# Ten full covariance matrices of many pixels ask for more images than there are. ``shrinkage``
# adds pseudo-observations to each, with the covariance pooled over all, and ``reg_covar`` a small
# variance in every direction; pixels that are black in every image have no other, which the fit
# would warn of.
inpainter = ConditionalGMMInpainter(
    n_components=10, shrinkage=100.0, reg_covar=3e-3, max_iter=30, tol=0.1, random_state=0
)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)
    inpainter.fit(X_train)
restored = inpainter.transform(corrupted)
deviation = inpainter.predict_std(corrupted)

# %%
# What came back
# --------------
# The peak signal-to-noise ratio in decibels stands above each restored image. The last row maps
# the standard deviations: none where a pixel was observed, large along edges whose place is
# unknown.


def psnr(restored, truth):
    return -10 * np.log10(np.mean((np.clip(restored, 0, 1) - truth) ** 2))


side = int(np.sqrt(truth.shape[1]))
rows = {"corrupted": corrupted, "restored": restored, "truth": truth}
figure, axes = plt.subplots(4, 10, figsize=(12, 5.2), layout="constrained")
blank = plt.get_cmap("gray").with_extremes(bad="tab:blue")
for (title, images), row in zip(rows.items(), axes, strict=False):
    for cell, image in zip(row, images, strict=True):
        cell.imshow(image.reshape(side, side), cmap=blank, vmin=0, vmax=1)
    row[0].set_ylabel(title)
for cell, image, original in zip(axes[1], restored, truth, strict=True):
    cell.set_title(f"{psnr(image, original):.1f} dB", fontsize=9)
for cell, image in zip(axes[3], deviation, strict=True):
    drawn = cell.imshow(image.reshape(side, side), cmap="viridis", vmin=0, vmax=deviation.max())
axes[3, 0].set_ylabel("deviation")
for cell in axes.flat:
    cell.set(xticks=[], yticks=[])
figure.colorbar(drawn, ax=axes[3], label="gray levels", shrink=0.9)
figure.suptitle(f"{name}: {share:.0%} of the pixels (blue) removed and restored")
figure.savefig("plot_inpainting.png", dpi=120)
mean = np.mean([psnr(image, original) for image, original in zip(restored, truth, strict=True)])
print(f"mean over ten images {mean:.2f} dB; wrote plot_inpainting.png")
