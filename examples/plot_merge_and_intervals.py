"""
From components to clusters, and how sure we are of them
========================================================

BIC chooses as many Gaussians as describe a density. A cluster that is not shaped like one Gaussian
takes several, so that there are fewer clusters than components. Which components are one cluster,
and how well is known what belongs to whom? Rows are simulated here: a cross and a ball.
"""

import matplotlib.pyplot as plt
import numpy as np

from skmix import GaussianMixture, MergingDisplay, bootstrap, merge_components, select_mixture

# %%
# A cross of two bars and a ball are two clusters. BIC takes three Gaussians for them.

rng = np.random.default_rng(0)
bars = rng.normal(size=(600, 2)) * np.repeat([[3.0, 0.4], [0.4, 3.0]], 300, axis=0)
ball = rng.normal(8.0, 1.0, size=(300, 2))
X = np.vstack([bars, ball])

candidates = {"n_components": [1, 2, 3, 4, 5]}
mixture = select_mixture(GaussianMixture(random_state=0), X, candidates).best_estimator_
print(f"BIC chooses {mixture.n_components} components.")

# %%
# Components that overlap are merged, one pair after the other. The entropy of the cluster
# probabilities falls steeply as long as what is merged belongs together. The bumps of the density
# say the same, by other means: every row climbs to one.

merging = merge_components(mixture, X)
modes = mixture.modes(X)
print(merging)
print(f"The density has {len(modes.points)} modes, at {modes.points.round(1).tolist()}.")
agreement = np.mean(
    (merging.labels() == merging.labels()[-1]) == (modes.labels == modes.labels[-1])
)
print(f"Merged components and modes agree on {agreement:.1%} of the rows.")

# %%
# How well are the weights and the means known? Fits to rows of random weights say so, and so does
# the curvature of the likelihood, without any refits, where there are many rows.

intervals = bootstrap(mixture, X, n_bootstrap=100, random_state=0)
table = intervals.to_frame()
print(table.to_string(index=False, float_format="{:.2f}".format))
low, high = intervals.interval()
errors = mixture.standard_errors(X)

# %%
# The picture: clusters with components (ellipses of one standard deviation) and modes, the
# entropy, and intervals of nominal 95 % for the weights, from refits and from the curvature.

fig, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
axes[0].scatter(*X.T, c=merging.labels(), s=4, cmap="coolwarm", alpha=0.6)
circle = np.stack([np.cos(turn := np.linspace(0, 2 * np.pi, 100)), np.sin(turn)])
for mean, covariance in zip(mixture.means_, mixture.covariances_, strict=True):
    axes[0].plot(*(mean[:, None] + np.linalg.cholesky(covariance) @ circle), "k", linewidth=1)
axes[0].plot(*modes.points.T, "k^", markersize=9, label="modes")
axes[0].set_title(f"{mixture.n_components} components, {merging.n_clusters} clusters")
axes[0].legend()

MergingDisplay.from_merging(merging, ax=axes[1])
axes[1].set_title("entropy")

places = np.arange(len(mixture.weights_))
weights = intervals.estimates["weights"]
ends = np.abs(np.stack([low["weights"], high["weights"]]) - weights)
axes[2].errorbar(places - 0.06, weights, ends, fmt="o", capsize=4, label="bootstrap")
axes[2].errorbar(
    places + 0.06, mixture.weights_, 1.96 * errors.weights, fmt="s", capsize=4, label="information"
)
axes[2].axhline(1 / 3, color="0.5", linestyle="--", label="true")
axes[2].set_xticks(places)
axes[2].set_xlabel("component")
axes[2].set_ylabel("weight")
axes[2].set_title("intervals of nominal 95 %")
axes[2].legend()
fig.savefig("plot_merge_and_intervals.png", dpi=120)
