"""
========================================
Hard EM, and clusters that EM cannot see
========================================

Classification EM, "hard EM", gives every point to one component, where EM shares it among all of
them. Here both colour the points of two images of a course on machine learning by the cluster that
they come from. The two sets of points have the same three covariances; in the second set the means
coincide. What is found in each, and how much could be found at all?

The points are read from the files of the course where the environment variable ``SKMIX_DATA``
names a folder that holds them (``sharif-iml-phase1/Image1.csv`` and ``Image2.csv``). Without them,
points are drawn from the same three normal distributions, and the output says so.

Run it with ``python examples/plot_hard_em.py``. It writes the figure ``plot_hard_em.png`` to the
current folder.
"""

# %%
# Two sets of points
# ------------------
# Three clusters of 200 points each. The second set is the first with the means moved to the
# origin: what tells its clusters apart is the direction in which they are long.
import os
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score, confusion_matrix

from skmix import GaussianMixture

plt.switch_backend("agg")  # the figure goes to a file, no display is needed
y = np.repeat([0, 1, 2], 200)
true_means = np.array([[0.0, 0.0], [3.0, 3.0], [-2.0, 4.0]])
covariances = np.array([[[1, 0], [0, 1]], [[1, 0.5], [0.5, 1]], [[1, -0.5], [-0.5, 1]]])
truth = {
    name: GaussianMixture.from_parameters(np.full(3, 1 / 3), means, covariances)
    for name, means in [("image 1", true_means), ("image 2", np.zeros((3, 2)))]
}

folder = Path(os.environ.get("SKMIX_DATA", "")) / "sharif-iml-phase1"
files = {name: folder / f"Image{name[-1]}.csv" for name in truth}
if all(file.is_file() for file in files.values()):
    points = {
        name: np.loadtxt(file, delimiter=",", skiprows=1)[:, 1:] for name, file in files.items()
    }
    source = "points of the course"
else:
    rng = np.random.default_rng(0)
    noise = np.concatenate([rng.multivariate_normal([0, 0], c, size=200) for c in covariances])
    points = {"image 1": true_means[y] + noise, "image 2": noise}
    source = "simulated points"
print(f"{source}: two sets of {len(y)}")

# %%
# One hard E-step, one M-step
# ---------------------------
# A mixture made from given parameters says which component of it each point belongs to. That is
# the hard E-step, here as a table with a row for every component and a 1 for every point in it.
# The M-step is the mean and covariance of these points, which is what ``fit`` comes to when
# it is stopped after one iteration.
start = {
    "weights_init": np.full(3, 1 / 3),
    "means_init": [[-1.0, 0.0], [1.0, 1.0], [-1.0, 2.0]],
    "precisions_init": np.tile(np.eye(2), (3, 1, 1)),
}
before = GaussianMixture.from_parameters(
    start["weights_init"], start["means_init"], np.tile(np.eye(2), (3, 1, 1))
)
X = points["image 1"]
assigned = (before.predict(X) == np.arange(3)[:, None]).astype(int)
print(f"\nhard E-step: {assigned.shape}, points per component {assigned.sum(axis=1)}")
print(assigned[:, ::60])

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)  # one iteration is not meant to converge
    step = GaussianMixture(3, assignment="hard", reg_covar=0, max_iter=1, **start).fit(X)
print("M-step: the means of the points of every component\n", step.means_.round(3))
np.testing.assert_allclose(step.means_, assigned @ X / assigned.sum(axis=1)[:, None])

# %%
# EM to convergence
# -----------------
# Hard EM climbs the classification log-likelihood, the log density of the points together with
# their components, and ends when no point changes its component (``tol=0``). EM climbs the
# log-likelihood of the points alone. Components are matched with clusters so that as many points
# as possible are right; the adjusted Rand index, 0 for guesses and 1 for the true clusters, needs
# no matching.
ways = {"hard EM": {"assignment": "hard", "tol": 0.0}, "EM": {"tol": 1e-6}}
found = {
    (name, way): GaussianMixture(3, max_iter=2000, **options, **start).fit(points[name])
    for name in points
    for way, options in ways.items()
}


def matched(labels):
    """Return how to order components like clusters, and the share of points that is right."""
    table = confusion_matrix(y, labels)
    clusters, components = linear_sum_assignment(-table)
    return components, table[clusters, components].sum() / len(y)


print("\n                     iterations  right  Rand index  log-likelihood  classification")
for (name, way), mixture in found.items():
    X = points[name]
    labels = mixture.predict(X)
    log_prob = mixture.score_samples(X)
    classified = log_prob + np.log(mixture.predict_proba(X).max(axis=1))
    print(
        f"{name}, {way:9s} {mixture.n_iter_:12d} {matched(labels)[1]:6.1%}"
        f" {adjusted_rand_score(y, labels):11.3f} {log_prob.sum():15.1f} {classified.sum():15.1f}"
    )

# %%
# The parameters, side by side
# ----------------------------
# In the first set both ways find the clusters; hard EM finds them a little narrower, as it cuts
# them where they overlap. In the second set, hard EM gives nearly all points to one component: a
# cut through the middle of a cloud costs every point the logarithm of its share, and gains less.
# EM shares the points, but its components are not the true ones.


def parameters(mixture, order):
    """Format weight, mean, variances and correlation of every component."""
    lines = []
    for k in order:
        mean, covariance = mixture.means_[k], mixture.covariances_[k]
        deviations = np.sqrt(np.diag(covariance))
        correlation = covariance[0, 1] / deviations.prod()
        lines.append(
            f"{mixture.weights_[k]:4.2f} ({mean[0]:5.2f}, {mean[1]:5.2f}) "
            f"({deviations[0]:4.2f}, {deviations[1]:4.2f}) {correlation:5.2f}"
        )
    return lines


heading = "share mean           deviations  corr."
print(f"\n          {'image 1: ' + heading:50s}{'image 2: ' + heading}")
for way in ["truth", *ways]:
    columns = []
    for name in points:
        mixture = truth[name] if way == "truth" else found[name, way]
        order = range(3) if way == "truth" else matched(mixture.predict(points[name]))[0]
        columns.append(parameters(mixture, order))
    for k, (first, second) in enumerate(zip(*columns, strict=True)):
        print(f"{way if k == 0 else '':10s}{'':9s}{first:41s}{'':9s}{second}")

# %%
# How much can be found at all?
# -----------------------------
# Nobody can assign points better than by Bayes' rule with the true parameters. The share it gets
# right is the integral of the largest of the three weighted densities: little more than a
# guess (1/3) where the means coincide. The density hardly shows the clusters either: BIC (lower is
# better) wants three components for the first set and one for the second.
grid = np.stack(np.meshgrid(*[np.linspace(-8, 10, 601)] * 2), axis=-1).reshape(-1, 2)
cell = (18 / 600) ** 2
ceiling, rule = {}, {}
print()
for name, X in points.items():
    largest = np.exp(truth[name].score_samples(grid)) * truth[name].predict_proba(grid).max(axis=1)
    ceiling[name], rule[name] = largest.sum() * cell, np.mean(truth[name].predict(X) == y)
    bic = [GaussianMixture().fit(X).bic(X), found[name, "EM"].bic(X)]
    print(
        f"{name}: by the true parameters {rule[name]:.1%} of these points are right, and"
        f" {ceiling[name]:.1%} of many;\n         BIC {bic[0]:.0f} with one component,"
        f" {bic[1]:.0f} with three"
    )

# %%
# Before and after
# ----------------
# The ellipses hold 68 % of a component: radius 1.51 in its own standard deviations.
figure, axes = plt.subplots(
    2, 4, figsize=(12.5, 7.4), layout="constrained", sharex="row", sharey="row"
)
colours = np.array(["tab:blue", "tab:orange", "tab:green"])
angles = np.linspace(0, 2 * np.pi, 100)
circle = 1.51 * np.stack([np.cos(angles), np.sin(angles)])


def draw(axis, X, mixture, title, labels=None):
    order = np.arange(3)
    if labels is None:
        labels = mixture.predict(X)
        order, right = matched(labels)
        title += f"\n{right:.0%} right"
    rank = np.argsort(order)
    axis.scatter(*X.T, c=colours[rank[labels]], s=6)
    for k in order:
        ellipse = mixture.means_[k][:, None] + np.linalg.cholesky(mixture.covariances_[k]) @ circle
        axis.plot(*ellipse, color="k", lw=3.0)
        axis.plot(*ellipse, color=colours[rank[k]], lw=1.6)
    axis.set(title=title, aspect="equal")


for row, (name, X) in zip(axes, points.items(), strict=True):
    at_best = f"{name}: true clusters\n(Bayes' rule: {ceiling[name]:.0%} right)"
    draw(row[0], X, truth[name], at_best, labels=y)
    draw(row[1], X, before, "before: first hard E-step")
    for axis, way in zip(row[2:], ways, strict=True):
        mixture = found[name, way]
        draw(axis, X, mixture, f"after {way}, {mixture.n_iter_} iterations")
    row[0].set_ylabel("second coordinate")
    for axis in row:
        axis.set_xlabel("first coordinate")
figure.suptitle(f"Hard EM and EM ({source})")
figure.savefig("plot_hard_em.png", dpi=120)
print("wrote plot_hard_em.png")
