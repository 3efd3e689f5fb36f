"""
===================================================
How do a VAE and a GAN learn to write digits?
===================================================

Two networks that generate images, side by side: a variational autoencoder, which has a likelihood,
and a generative adversarial network, which has an opponent. This example draws their losses over
the epochs, what they write after 10, 20, 30, 40 and 50 epochs, and the training images nearest to
what they write in the end.

Run it with ``python examples/plot_vae_gan.py``. It needs PyTorch (``python -m pip install
".[examples,torch]"``) and scikit-learn 1.9 or newer, takes the digits that come with scikit-learn,
and writes ``plot_vae_gan.png`` to the current folder. ``python examples/plot_vae_gan.py mnist``
takes MNIST in full, from the folder that the environment variable ``SKMIX_DATA`` names: half an
hour or more.
"""

# %%
# The images
# ----------
# Gray levels from 0 to 1. A quarter of the small digits is kept for testing; MNIST has its own
# test images.
import gzip
import os
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors

from skmix.neural import GenerativeAdversarialNetwork, VariationalAutoencoder

plt.switch_backend("agg")  # the figure goes to a file, no display is needed
started = time.perf_counter()


def read_mnist(part):
    """Return the images of a part as rows of gray levels."""
    folder = Path(os.environ["SKMIX_DATA"]) / "mnist"
    with gzip.open(folder / f"{part}-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16)
    return pixels.reshape(-1, 784).astype(np.float32) / 255


if "mnist" in sys.argv[1:]:
    source, side = "MNIST", 28
    X_train, X_test = read_mnist("train"), read_mnist("t10k")
    vae_options, gan_options = {}, {}  # the defaults are for images of this kind
else:
    source, side = "digits", 8
    X = (load_digits().data / 16).astype(np.float32)
    X_train, X_test = train_test_split(X, random_state=0)
    vae_options = dict(n_latent=10, hidden_layer_sizes=(128,), batch_size=16)
    gan_options = dict(
        n_latent=16,
        hidden_layer_sizes=(128, 128),
        batch_size=16,
        learning_rate_init=5e-4,
        averaging=0.99,
    )
print(f"{source}: {len(X_train)} training images, {len(X_test)} test images")


# %%
# Samples on the way
# ------------------
# scikit-learn's callbacks hear of every epoch, and get the estimator as it is by then. This one
# has it draw images, always from the same latent variables.
class SamplesAfter:
    """Keeps samples of the fitted estimator after chosen epochs."""

    def __init__(self, epochs, n_samples=10):
        self.epochs, self.n_samples = epochs, n_samples
        self.samples, self.epoch = {}, 0

    def setup(self, estimator, context):
        self.samples, self.epoch = {}, 0

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        if context.task_name != "epoch":
            return
        self.epoch += 1
        if self.epoch in self.epochs:
            self.samples[self.epoch] = fitted_estimator.sample(self.n_samples, random_state=4)


epochs = [10, 20, 30, 40, 50]
common = dict(max_epochs=50, random_state=0)
models = {
    "VAE": VariationalAutoencoder(**vae_options, **common),
    "GAN": GenerativeAdversarialNetwork(**gan_options, feature_range=(0, 1), **common),
}
taken = {}
for name, model in models.items():
    taken[name] = SamplesAfter(epochs)
    model.set_callbacks(taken[name]).fit(X_train, X_val=X_test)
    print(f"{name}: trained after {time.perf_counter() - started:.0f} s in all")

# %%
# Nearest training images
# -----------------------
# A network that had learned images by heart would write them: its samples would have training
# images at no distance. The lines say how far apart they are, and how far test images are
# from training images.
search = NearestNeighbors(n_neighbors=1).fit(X_train)
nearest = {name: X_train[search.kneighbors(t.samples[50])[1][:, 0]] for name, t in taken.items()}
for name, rows in [
    *((n, m.sample(200, random_state=0)) for n, m in models.items()),
    ("test images", X_test[:200]),
]:
    distance = np.median(search.kneighbors(rows)[0])
    print(f"{name}: median distance to the nearest training image {distance:.2f}")

# %%
# The figure
# ----------
# The loss of the VAE is a bound on the likelihood: it falls, on test images nearly as on training
# images, and the epochs after the twentieth gain little. The losses of the GAN measure each
# network by the other: the generator's stays above log 2 = 0.69, the discriminator's below, which
# says that the discriminator can tell, though not well, and nothing of how good the images are.
# The dashed lines are those of whole networks, without dropout, and start farther apart.
#
# What is written looks as the losses suggest. The VAE begins with blurs, which take shape within
# 30 epochs; its digits are smooth, and some are blends of two. The GAN has crisp strokes after 10
# epochs and changes its mind until the end; some of its images are no digits. Samples of both are
# farther from all training images than test images are: they are no copies.


def strip(images):
    """Lay images side by side."""
    return np.hstack([image.reshape(side, side) for image in images])


figure = plt.figure(figsize=(11, 8), layout="constrained")
top, bottom = figure.subfigures(2, 1, height_ratios=[4, 5])
vae_axes, gan_axes = top.subplots(1, 2)
vae, gan = models.values()
passed = np.arange(1, 51)
vae_axes.plot(passed, vae.loss_curve_, label="training images")
vae_axes.plot(passed, vae.validation_loss_curve_, "--", label="test images")
vae_axes.set(title=f"VAE, {source}", xlabel="epoch", ylabel="negative bound (nats per image)")
for label, colour, losses, validation in (
    ("generator", "C2", gan.generator_loss_curve_, gan.validation_generator_loss_curve_),
    (
        "discriminator",
        "C3",
        gan.discriminator_loss_curve_,
        gan.validation_discriminator_loss_curve_,
    ),
):
    gan_axes.plot(passed, losses, colour, label=f"{label}, training images")
    gan_axes.plot(passed, validation, f"{colour}--", label=f"{label}, test images")
gan_axes.axhline(np.log(2), color="gray", linewidth=0.8, zorder=0)
gan_axes.set(title=f"GAN, {source}", xlabel="epoch", ylabel="loss (nats per image)")
for ax in (vae_axes, gan_axes):
    ax.legend(fontsize="small")

grid = bottom.subplots(len(epochs) + 1, 2)
for column, (name, samples) in enumerate(taken.items()):
    rows = [(f"{epoch} epochs", samples.samples[epoch]) for epoch in epochs]
    for ax, (label, images) in zip(
        grid[:, column], [*rows, ("nearest\ntraining\nimage", nearest[name])], strict=True
    ):
        ax.imshow(strip(images), cmap="gray", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
        ax.set_ylabel(label, rotation=0, ha="right", va="center", fontsize="small")
    grid[0, column].set_title(f"{name}: samples")
figure.savefig("plot_vae_gan.png", dpi=110)
print(f"wrote plot_vae_gan.png, {time.perf_counter() - started:.0f} s in all")

# sphinx_gallery_thumbnail_path = "pictures/plot_vae_gan.png"
