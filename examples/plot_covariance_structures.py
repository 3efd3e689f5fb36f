"""
======================================
What may components share of a shape?
======================================

Between one covariance for all components and one for each lie twelve others: components may share
their volume, their shape or their axes. This example shows all fourteen as ellipses, compares
them by BIC on wines, and draws the clusters of the best.

Run it with ``python examples/plot_covariance_structures.py``. It writes the figure
``plot_covariance_structures.png`` to the current folder.
"""

# %%
# Three letters
# -------------
# They say whether the volumes, the shapes and the axes of the components' covariances are equal
# (E), vary (V), or are those of the identity (I): the names of R's mclust. "full" is VVV, "tied"
# EEE, "diag" VVI and "spherical" VII.
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Ellipse
from sklearn.datasets import load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score

from skmix import GaussianMixture

plt.switch_backend("agg")  # the figure goes to a file, no display is needed
warnings.simplefilter("ignore", ConvergenceWarning)
started = time.perf_counter()
TYPES = ["EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE"]
TYPES += ["VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV"]
COLOURS = ["C0", "C1", "C2", "C3"]

# %%
# Fourteen fits to the same rows
# ------------------------------
# Three clusters whose volumes, shapes and axes all differ. A type that shares something finds
# what is nearest to them.
rng = np.random.default_rng(0)
factors = [[[1.6, 0.0], [0.9, 0.4]], [[0.5, 0.0], [0.0, 1.3]], [[0.5, 0.2], [-0.3, 0.4]]]
centres = [[0.0, 0.0], [4.0, 1.0], [1.0, 4.0]]
pairs = zip(factors, centres, strict=True)
rows = np.concatenate([rng.normal(size=(150, 2)) @ np.transpose(f) + c for f, c in pairs])
fits = {kind: GaussianMixture(3, covariance_type=kind, random_state=0).fit(rows) for kind in TYPES}


def matrices_of(mixture):
    """Covariances as matrices, whatever the type keeps of them."""
    covariances, identity = mixture.covariances_, np.eye(mixture.n_features_in_)
    if mixture.covariance_type == "EEE":
        return np.repeat(covariances[None], len(mixture.means_), axis=0)
    if covariances.ndim == 3:
        return covariances
    return covariances.reshape(len(mixture.means_), 1, -1) * identity


def draw_ellipses(axis, mixture):
    """Draw the region of two standard deviations of every component."""
    order = np.argsort(mixture.means_ @ [1.0, 2.0])
    for colour, k in zip(COLOURS, order, strict=False):
        values, vectors = np.linalg.eigh(matrices_of(mixture)[k])
        angle = np.degrees(np.arctan2(*vectors[::-1, 1]))
        width, height = 4.0 * np.sqrt(values[::-1])
        ellipse = Ellipse(mixture.means_[k], width, height, angle=angle, color=colour, alpha=0.5)
        axis.add_patch(ellipse)


# %%
# Which suits the wines?
# ----------------------
# 178 wines of three cultivars, 13 measurements each. A covariance matrix has 91 numbers: three of
# them are too many for so few wines, and variances alone leave out that measurements go together.
# VVE lets all clusters have the same axes and variances of their own along them. Three of its
# clusters are the cultivars; BIC, which knows nothing of those, splits off a few more wines.
wine = load_wine()
numbers = np.arange(1, 5)
bic = {
    kind: [
        GaussianMixture(k, covariance_type=kind, random_state=0).fit(wine.data).bic(wine.data)
        for k in numbers
    ]
    for kind in TYPES
}
best = min(TYPES, key=lambda kind: min(bic[kind]))
n_components = int(numbers[np.argmin(bic[best])])
print("BIC by number of components")
for kind in sorted(TYPES, key=lambda kind: min(bic[kind])):
    print(f"{kind}  " + "  ".join(f"{value:8.1f}" for value in bic[kind]))
chosen = GaussianMixture(n_components, covariance_type=best, random_state=0).fit(wine.data)
labels = chosen.predict(wine.data)
agreement = adjusted_rand_score(wine.target, labels)
print(f"best: {best} with {n_components} components, adjusted Rand index {agreement:.2f}")
three = GaussianMixture(3, covariance_type=best, random_state=0).fit(wine.data)
agreement = adjusted_rand_score(wine.target, three.predict(wine.data))
print(f"with three components: adjusted Rand index {agreement:.2f}")

# %%
# One figure
# ----------
figure = plt.figure(figsize=(11, 8), layout="constrained")
top, bottom = figure.subfigures(2, 1, height_ratios=[1.0, 1.35])
for axis, kind in zip(top.subplots(2, 7).ravel(), TYPES, strict=True):
    axis.scatter(*rows.T, s=1, color="0.6")
    draw_ellipses(axis, fits[kind])
    axis.set(title=kind, xticks=[], yticks=[], aspect="equal", xlim=(-5, 7), ylim=(-4.5, 7))
left, right = bottom.subplots(1, 2)
LINES = {"I": ":", "E": "-", "V": "--"}  # by the axes
for i, kind in enumerate(TYPES):
    width, colour = (3.0 if kind == best else 1.2), f"C{i % 10}"
    left.plot(numbers, bic[kind], f"{LINES[kind[2]]}o", c=colour, ms=4, lw=width, label=kind)
lowest = min(map(min, bic.values()))
left.set(xticks=numbers, xlabel="components", ylabel="BIC (lower is better)")
left.set(title="Wines: fourteen types", ylim=(lowest - 60, lowest + 800))
left.legend(ncols=2, fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
plane = LinearDiscriminantAnalysis(n_components=2).fit(wine.data, wine.target)
shown = plane.transform(wine.data)
for cluster in range(n_components):
    for cultivar, marker in enumerate("o^s"):
        own = (labels == cluster) & (wine.target == cultivar)
        right.scatter(*shown[own].T, s=18, marker=marker, color=COLOURS[cluster])
right.set(title=f"{n_components} clusters of {best} (colours), cultivars (marks)")
right.set(xlabel="first discriminant", ylabel="second discriminant")
figure.savefig("plot_covariance_structures.png", dpi=110)
print(f"wrote plot_covariance_structures.png, {time.perf_counter() - started:.0f} s in all")
