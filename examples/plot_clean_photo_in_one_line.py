"""
===============================
Clean a phone photo in one line
===============================

A small sensor in poor light: noise in all colours, and pixels that are always white. One call,
without training, without a noise level, and the picture comes back as it went in, in uint8.

Run it with ``python examples/plot_clean_photo_in_one_line.py``. It writes the figure
``plot_clean_photo_in_one_line.png`` to the current folder.
"""

# %%
# The photograph
# --------------
# A part of scikit-learn's picture of a temple, as a phone would have taken it at dusk: noise of
# standard deviation 22 of 255 levels, cut off at black and white, and one pixel in 500 is hot.
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from skmix.image import denoise

plt.switch_backend("agg")  # the figure goes to a file, no display is needed

clean = load_sample_image("china.jpg")[100:270, 220:420]
rng = np.random.default_rng(0)
noisy = clean + 22 * rng.normal(size=clean.shape)
noisy[rng.random(clean.shape[:2]) < 1 / 500] = 255
photo = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)

# %%
# One line
# --------
# The noise is estimated, the prior of photographs that comes with skmix adapts to the picture, and
# pixels that it finds impossible are filled in from those around them.
start = time.perf_counter()
restored = denoise(photo, channel_axis=-1, reject_outliers=True)
print(f"cleaned in {time.perf_counter() - start:.1f} s, {restored.dtype} as before")

# %%
# Without the hot pixels in mind they pass for detail, and stay.
with_hot = denoise(photo, channel_axis=-1)


def psnr(picture):
    """Peak signal-to-noise ratio in decibels."""
    error = picture.astype(float) - clean
    return 10 * np.log10(255**2 / np.mean(error**2))


pictures = {"as taken": photo, "denoise": with_hot, "with reject_outliers": restored}
pictures["what was there"] = clean
for name, picture in list(pictures.items())[:-1]:
    print(f"{name}: {psnr(picture):.1f} dB")

# %%
figure, axes = plt.subplots(2, 4, figsize=(12, 5.2), layout="constrained")
for column, (name, picture) in zip(axes.T, pictures.items(), strict=True):
    decibels = "" if picture is clean else f", {psnr(picture):.1f} dB"
    column[0].imshow(picture)
    column[0].set_title(f"{name}{decibels}")
    column[1].imshow(picture[60:130, 70:155])
    for axis in column:
        axis.set_axis_off()
figure.savefig("plot_clean_photo_in_one_line.png", dpi=120)
print("wrote plot_clean_photo_in_one_line.png")
