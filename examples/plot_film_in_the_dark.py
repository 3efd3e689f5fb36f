"""
====================================
A film in the dark, photon by photon
====================================

In little light a camera counts photons, a few in the shadows and many in a lamp. Such noise is not
the same everywhere: it grows with the light. And the frames of a film show the same things, so
that what is learned of one helps with the others. Do both help?

Run it with ``python examples/plot_film_in_the_dark.py``. It writes the figure
``plot_film_in_the_dark.png`` to the current folder.
"""

# %%
# The film
# --------
# A camera moves over scikit-learn's picture of a temple, from left to right, in eight frames. Its
# brightest pixels catch 40 photons, its darkest none.
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from skmix.image import denoise

plt.switch_backend("agg")  # the figure goes to a file, no display is needed

PEAK = 40
gray = load_sample_image("china.jpg").mean(axis=2)[120:250]
scene = PEAK * (gray / gray.max()) ** 1.5  # more shadows
clean = np.stack([scene[:, 200 + 8 * i : 360 + 8 * i] for i in range(8)])
film = np.random.default_rng(0).poisson(clean)

# %%
# Three ways
# ----------
# One noise level for all pixels; frame by frame as counts; and all frames together, which adapt
# the prior of photographs together.


def error(restored):
    """Root mean squared error in photons, of everything and of the darkest fifth."""
    dark = clean < np.quantile(clean, 0.2)
    return tuple(
        float(np.sqrt(np.mean((restored - clean)[part] ** 2))) for part in (np.s_[:], dark)
    )


def timed(name, restore):
    start = time.perf_counter()
    restored = restore()
    total, dark = error(restored)
    seconds = time.perf_counter() - start
    print(f"{name}: {total:.2f} photons, {dark:.2f} in the dark, {seconds:.1f} s")
    return restored


counts = film.astype(float)
results = {
    "as counted": counts,
    "one noise level": timed(
        "one noise level", lambda: denoise(counts, stack_axis=0, data_range=PEAK)
    ),
    "counts, frame by frame": timed(
        "counts, frame by frame",
        lambda: np.stack([denoise(frame, noise="poisson") for frame in counts]),
    ),
    "counts, all frames": timed(
        "counts, all frames", lambda: denoise(counts, noise="poisson", stack_axis=0)
    ),
    "what was there": clean,
}

# %%
# The third frame, brightened as a screen would.
figure, axes = plt.subplots(2, 5, figsize=(14, 5.2), layout="constrained")
for column, (name, frames) in zip(axes.T, results.items(), strict=True):
    for axis, part in zip(column, (np.s_[:], np.s_[60:125, 20:100]), strict=True):
        axis.imshow(np.sqrt(np.maximum(frames[2][part], 0)), cmap="gray", vmin=0, vmax=PEAK**0.5)
        axis.set_axis_off()
    total, dark = error(frames)
    title = name if frames is clean else f"{name}\nerror {total:.2f}, in the dark {dark:.2f}"
    column[0].set_title(title)
figure.savefig("plot_film_in_the_dark.png", dpi=120)
print("wrote plot_film_in_the_dark.png")
