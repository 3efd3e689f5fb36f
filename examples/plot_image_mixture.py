"""
=============================================
What does a Gaussian mixture learn of images?
=============================================

A mixture of full Gaussians is fitted to small images, all pixels at once. Every component is a
mean image and a matrix of covariances between all pairs of pixels, and a draw from a component is
a new image. This example looks at all three.

Run it with ``python examples/plot_image_mixture.py``. It writes the figures
``plot_image_mixture.png`` and ``plot_image_mixture_samples.png`` to the current folder. Where the
environment variable ``SKMIX_DATA`` names a folder with the files of Fashion-MNIST, the images are
clothes of 784 pixels; otherwise they are the digits that come with scikit-learn, of 64 pixels.
"""

# %%
# The images
# ----------
# 2000 T-shirts, trousers and bags (labels 0, 1 and 8), or 534 digits of the same labels. Gray
# levels from 0 to 1.
import gzip
import os
import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from skmix import ComponentsDisplay, GaussianMixture

plt.switch_backend("agg")  # the figures go to files, no display is needed
started = time.perf_counter()
labels = [0, 1, 8]


def read_fashion(folder):
    """Return the first 2000 training images of the labels, and their labels."""

    def read(name, offset):
        with gzip.open(folder / f"train-{name}-ubyte.gz") as file:
            return np.frombuffer(file.read(), np.uint8, offset=offset)

    y = read("labels-idx1", 8)
    first = np.flatnonzero(np.isin(y, labels))[:2000]
    return read("images-idx3", 16).reshape(-1, 784)[first] / 255.0, y[first]


fashion = Path(os.environ.get("SKMIX_DATA", "")) / "fashion-mnist"
if os.environ.get("SKMIX_DATA") and fashion.is_dir():
    source, image_shape = "Fashion-MNIST", (28, 28)
    names = {0: "T-shirt", 1: "trouser", 8: "bag"}
    X, y = read_fashion(fashion)
else:
    source, image_shape = "digits", (8, 8)
    names = {label: f"digit {label}" for label in labels}
    X, y = load_digits(return_X_y=True)
    X, y = X[np.isin(y, labels)] / 16.0, y[np.isin(y, labels)]
n_features = X.shape[1]
print(f"{source}: {len(X)} images of {n_features} pixels")

# %%
# The start, and EM
# -----------------
# EM starts with the means at the centres of k-means, covariances that are the identity, and equal
# weights. A matrix of 784 x 784 covariances has more entries than 2000 images can speak for: many
# pixels are black in nearly all of them. ``shrinkage`` adds pseudo-observations to every
# component, with the covariance that is pooled over all, and ``reg_covar`` a variance of about
# 0.03 squared to every pixel. Where all rows agree there is no other, which the fit would warn of.
kmeans = KMeans(len(labels), n_init=2, random_state=0).fit(X)
mixture = GaussianMixture(
    len(labels),
    means_init=kmeans.cluster_centers_,
    precisions_init=np.broadcast_to(np.eye(n_features), (len(labels), n_features, n_features)),
    weights_init=np.full(len(labels), 1 / len(labels)),
    tol=0.1,
    shrinkage=50.0,
    reg_covar=1e-3,
    random_state=0,
)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)
    components = mixture.fit_predict(X)
ended = "converged" if mixture.converged_ else "stopped"
print(f"EM {ended} after {mixture.n_iter_} iterations: {mixture.lower_bound_:.1f} nats per image")

# %%
# The components
# --------------
# The fit has not seen the labels. Each component gets the name of what most of its images are.
shares = np.array([[np.mean(y[components == k] == label) for label in labels] for k in range(3)])
called = [names[labels[np.argmax(share)]] for share in shares]
for k in np.argsort(mixture.weights_):
    print(f"component {k}, weight {mixture.weights_[k]:.3f}: {shares[k].max():.0%} {called[k]}")

display = ComponentsDisplay.from_estimator(mixture, image_shape=image_shape)
display.figure_.suptitle(f"Means and covariances, {source}")
display.figure_.savefig("plot_image_mixture.png", dpi=120)

# %%
# New images
# ----------
# A draw has the right pixels light and dark together. That gray levels end at 0 and 1, a Gaussian
# does not know.
rows, drawn = mixture.sample(10)
figure, axes = plt.subplots(2, 5, figsize=(8, 4.2), layout="constrained")
for ax, row, k in zip(axes.flat, rows, drawn, strict=True):
    ax.imshow(row.reshape(image_shape), cmap="gray", vmin=0, vmax=1)
    ax.set_title(f"component {k}\n({called[k]})", fontsize="medium")
    ax.set_axis_off()
figure.suptitle(f"Ten draws from the mixture, {source}")
figure.savefig("plot_image_mixture_samples.png", dpi=120)
print(f"wrote two figures, {time.perf_counter() - started:.0f} s in all")
