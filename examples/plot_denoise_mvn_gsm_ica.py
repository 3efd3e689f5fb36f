"""
=================================================
Which density of image patches removes noise best
=================================================

Whoever knows what patches of photographs look like can tell them from noise. Four densities say
it in different ways: a Gaussian (MVN), a Gaussian whose scale varies from patch to patch (GSM),
independent sources whose scales vary one by one (ICA), and a Gaussian mixture (GMM). How much does
each know, and how much noise does it remove?

Run it with ``python examples/plot_denoise_mvn_gsm_ica.py``. It writes the figure
``plot_denoise_mvn_gsm_ica.png`` to the current folder.
"""

# %%
# Patches
# -------
# 8 x 8 gray levels from 0 to 1, of two photographs that come with scikit-learn. The left half of
# each is learned from, patches of the right half are denoised. The mean of a patch is taken out;
# what is left has 63 dimensions, and in their coordinates white noise stays white.
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.linalg import helmert
from sklearn.datasets import load_sample_image
from sklearn.exceptions import ConvergenceWarning

from skmix import GMMDenoiser, GSMDenoiser, ICADenoiser, MVNDenoiser
from skmix.exceptions import DegenerateComponentWarning
from skmix.image import extract_patches

plt.switch_backend("agg")  # the figure goes to a file, no display is needed
# Few iterations, and components that take flat patches for their own.
warnings.simplefilter("ignore", ConvergenceWarning)
warnings.simplefilter("ignore", DegenerateComponentWarning)

rng = np.random.default_rng(0)
to_coordinates = helmert(64).T


def draw_patches(images, n_patches):
    patches = np.concatenate([extract_patches(image, 8, 2).reshape(-1, 64) for image in images])
    return rng.permutation(patches)[:n_patches]


photos = [load_sample_image(name).mean(axis=2) / 255 for name in ("china.jpg", "flower.jpg")]
train = draw_patches([photo[:, :320] for photo in photos], 10_000) @ to_coordinates
patches = draw_patches([photo[:, 320:] for photo in photos], 5_000)
means = patches.mean(axis=1, keepdims=True)
test = patches @ to_coordinates

# %%
# Four priors
# -----------
# Five scales or components each. The scale mixtures are fitted to one number per patch (GSM) or
# per source and patch (ICA).
models = {
    "MVN": MVNDenoiser(),
    "GSM": GSMDenoiser(5, assume_centered=True),
    "ICA": ICADenoiser(5, assume_centered=True),
    "GMM": GMMDenoiser(5, tol=0.01, random_state=0),
}
for name, model in models.items():
    start = time.perf_counter()
    model.fit(train)
    lapse = time.perf_counter() - start
    print(f"{name}: {model.score(test):.1f} nats per held-out patch, fitted in {lapse:.1f} s")

# %%
# Error against noise
# -------------------
# The same fit serves every size of noise. What knows that flat and busy patches differ in scale
# (GSM, GMM) leaves the least.
levels = np.array([0.01, 0.02, 0.05, 0.1, 0.2])
errors = {name: [] for name in models}
for level in levels:
    noisy = test + level * rng.normal(size=test.shape)
    for name, model in models.items():
        restored = model.transform(noisy, row_noise_std=level)
        errors[name].append(np.mean((restored - test) ** 2))

# %%
# Denoising once is enough: what is left after it is no white noise any more.
noisy = test + 0.1 * rng.normal(size=test.shape)
for name, model in models.items():
    once = model.transform(noisy, row_noise_std=0.1)
    twice = model.transform(once, row_noise_std=0.1)
    print(
        f"{name}: mean squared error {np.mean((once - test) ** 2):.5f} after one pass, "
        f"{np.mean((twice - test) ** 2):.5f} after two"
    )

# %%
# Likelihood against K
# --------------------
# A few scales suffice. Components of any shape could go on to learn more, but each asks for many
# patches of its own, and these are few, to be quick: from 10 on they learn what is peculiar to
# them.
counts = {"GSM": [1, 2, 5, 10, 30, 100], "ICA": [1, 2, 5, 10, 30], "GMM": [1, 2, 5, 10, 20]}
makers = {
    "GSM": GSMDenoiser(assume_centered=True, tol=1e-3),
    "ICA": ICADenoiser(assume_centered=True, tol=1e-2, max_iter=20),
    "GMM": GMMDenoiser(tol=0.05, max_iter=20, random_state=0),
}
few = train[:4000]
likelihoods = {
    name: [makers[name].set_params(n_components=k).fit(few).score(test[:2000]) for k in values]
    for name, values in counts.items()
}

# %%
# The figure
# ----------
figure = plt.figure(figsize=(11, 7.5), layout="constrained")
above, below = figure.subfigures(2, 1, height_ratios=[1, 1.25])


def mosaic(rows):
    """Four rows of ten patches, gaps between them."""
    tiles = rows.reshape(4, 10, 8, 8)
    tiles = np.pad(tiles, [(0, 0), (0, 0), (1, 1), (1, 1)], constant_values=1.0)
    return tiles.swapaxes(1, 2).reshape(40, 100)


busy = np.argsort(-test.var(axis=1))[: len(test) // 2]  # half of the patches are next to flat
shown = rng.permutation(busy)[:40]
pictures = {"clean": test[shown], "noisy": noisy[shown]}
for name, model in models.items():
    pictures[name] = model.transform(noisy[shown], row_noise_std=0.1)
for cell, (title, rows) in zip(above.subplots(2, 3).flat, pictures.items(), strict=True):
    cell.imshow(mosaic(rows @ to_coordinates.T + means[shown]), cmap="gray", vmin=0, vmax=1)
    error = np.mean((rows - test[shown]) ** 2)
    cell.set_title(title if title == "clean" else f"{title}, mean squared error {error:.4f}")
    cell.set(xticks=[], yticks=[])
above.suptitle("Held-out patches with noise of standard deviation 0.1, denoised with K = 5")

left, right = below.subplots(1, 2)
for name, values in errors.items():
    left.plot(levels, values, "o--" if name == "GMM" else "o-", label=name)
left.plot(levels, levels**2, "k:", label="noisy")
left.set(
    xscale="log",
    yscale="log",
    xlabel="standard deviation of the noise (gray levels from 0 to 1)",
    ylabel="mean squared error",
    title="Error of held-out patches",
)
left.set_xticks(levels, [str(level) for level in levels])
left.minorticks_off()
left.legend()
for color, (name, values) in zip(("C1", "C2", "C3"), likelihoods.items(), strict=True):
    right.plot(counts[name], values, "o-", color=color, label=name)
right.set(
    xscale="log",
    xlabel="scales or components K",
    ylabel="log-likelihood (nats per patch)",
    title="Likelihood of held-out patches",
)
right.set_xticks([1, 2, 5, 10, 30, 100], ["1", "2", "5", "10", "30", "100"])
right.minorticks_off()
right.legend()
figure.savefig("plot_denoise_mvn_gsm_ica.png", dpi=120)
print("wrote plot_denoise_mvn_gsm_ica.png")
