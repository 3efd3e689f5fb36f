"""
Clusters in clutter, and what a few labels are worth
====================================================

Two things that people know of their data, and that a mixture should be told. Some rows belong to
no cluster: `noise=True` gives them a component of constant density, so that they neither widen the
clusters nor need clusters of their own. And the classes of a few rows are known: `unlabeled` lets
a classifier learn from the others as well.

Run it with ``python examples/plot_noise_and_labels.py``. It writes the figure
``plot_noise_and_labels.png`` to the current folder.
"""

# %%
# Clutter
# -------
# Three clusters of 100 rows, and 200 rows that lie anywhere. Nobody says how many those are.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

from skmix import GaussianMixture, GMMBayesClassifier

plt.switch_backend("agg")  # the figure goes to a file, no display is needed
rng = np.random.default_rng(0)
shapes = [[[1.0, 0.8], [0.0, 0.4]], [[0.5, 0.0], [0.0, 1.2]], [[1.2, -0.5], [0.0, 0.5]]]
centres = [[-5.0, 3.0], [0.0, -4.0], [5.0, 4.0]]
clusters = [rng.normal(size=(100, 2)) @ s + c for s, c in zip(shapes, centres, strict=True)]
clutter = rng.uniform(-12, 12, size=(200, 2))
X = np.vstack([*clusters, clutter])
truth = np.repeat([0, 1, 2, -1], [100, 100, 100, 200])

plain = GaussianMixture(3, random_state=0).fit(X)
noisy = GaussianMixture(3, noise=True, random_state=0).fit(X)
found = noisy.predict(X)
print(f"share of noise: {noisy.noise_weight_:.2f} found, {np.mean(truth < 0):.2f} true")
print(f"noise told from clusters: {np.mean((found < 0) == (truth < 0)):.1%} of the rows")
for name, mixture in (("without noise", plain), ("with noise", noisy)):
    print(f"{name}: BIC {mixture.bic(X):.0f}")

# %%
# A few labels
# ------------
# Of 178 wines from three growers, so many from each are labelled. A classifier that learns from
# these alone has too few rows for a covariance, which `shrinkage` keeps from collapsing; with the
# others it has all of them. Errors are those of the wines without a label, means over ten choices
# of the labelled ones.
wine = load_wine()
rows, growers = StandardScaler().fit_transform(wine.data), wine.target
sizes = [2, 3, 5, 10, 20]
errors = {"labelled rows alone": [], "all rows": []}
for size in sizes:
    of_size = {way: [] for way in errors}
    for draw in range(10):
        draws = np.random.default_rng(draw)
        known = np.concatenate(
            [draws.choice(np.flatnonzero(growers == g), size, replace=False) for g in range(3)]
        )
        labels = np.full(len(rows), -1)
        labels[known] = growers[known]
        asked = labels < 0
        options = {"covariance_type": "tied", "share": "classes", "shrinkage": "auto"}
        alone = GMMBayesClassifier(**options).fit(rows[known], growers[known])
        both = GMMBayesClassifier(unlabeled=-1, **options).fit(rows, labels)
        for way, model in zip(errors, (alone, both), strict=True):
            of_size[way].append(np.mean(model.predict(rows[asked]) != growers[asked]))
    for way, values in of_size.items():
        errors[way].append(np.mean(values))
for way, values in errors.items():
    print(f"{way:20}", "  ".join(f"{value:.3f}" for value in values))

# %%
# What it looks like
# ------------------
figure, axes = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
grid = np.stack(np.meshgrid(np.linspace(-12, 12, 121), np.linspace(-12, 12, 121)), axis=-1)
for ax, mixture, title in zip(axes, (plain, noisy), ("noise=False", "noise=True"), strict=False):
    labels = mixture.predict(X)
    for k in range(-1, 3):
        style = {"color": "0.6", "label": "noise"} if k < 0 else {"color": f"C{k}"}
        ax.plot(*X[labels == k].T, ".", markersize=4, **style)
    resp = mixture.predict_proba(grid.reshape(-1, 2)).reshape(121, 121, -1)
    for k in range(3):
        ax.contour(*grid.transpose(2, 0, 1), resp[..., k], levels=[0.5], colors=f"C{k}")
    ax.set_title(title)
    ax.set_aspect("equal")
axes[1].legend(fontsize="small")
for way, values in errors.items():
    axes[2].plot(sizes, values, "o-", label=way)
axes[2].set_xscale("log")
axes[2].set_xticks(sizes, [str(size) for size in sizes])
axes[2].minorticks_off()
axes[2].set_ylim(0, None)
axes[2].set_xlabel("labelled wines per grower")
axes[2].set_ylabel("share of wrong growers")
axes[2].set_title("178 wines")
axes[2].legend(fontsize="small")
figure.savefig("plot_noise_and_labels.png", dpi=150)
