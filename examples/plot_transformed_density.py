"""
======================================================
Choose scaling, PCA and mixture size by one likelihood
======================================================

Which scaler, how many principal components, how many mixture components describe data best? The
held-out log-likelihood can tell, if it is that of the *measurements*. The score of a pipeline is
not: it is a density per unit of whatever its last step sees, and changes with those units and with
how many numbers are left. ``TransformedDensity`` converts it back.

Run it with ``python examples/plot_transformed_density.py``. It writes the figure
``plot_transformed_density.png`` to the current folder.
"""

# %%
# The data
# --------
# Thirty measurements of cell nuclei in 569 breast tumours (Wisconsin diagnostic data, wdbc), such
# as mean radius and worst concavity. They are skewed, strongly correlated, and their units differ:
# areas reach the thousands, fractal dimensions stay below 0.3.
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PowerTransformer, StandardScaler

from skmix import GaussianMixture, TransformedDensity
from skmix.exceptions import DegenerateComponentWarning

plt.switch_backend("agg")  # the figure goes to a file, no display is needed
warnings.filterwarnings("ignore", category=DegenerateComponentWarning)
X = load_breast_cancer().data
folds = KFold(3, shuffle=True, random_state=0)
scalers = {
    "no scaling": "passthrough",
    "StandardScaler": StandardScaler(),
    "PowerTransformer": PowerTransformer(),
}
sizes = [2, 5, 10, 20, 30]
mixture = GaussianMixture(tol=1e-2, random_state=0)

# %%
# One search for everything
# -------------------------
# The transformer is itself a pipeline; parameters of all parts are searched together. For PCA with
# fewer components than measurements, the directions that were left out count as independent
# Gaussian noise of the variance that was left out (probabilistic PCA), so that all models are
# densities of the same thirty numbers.
transformer = Pipeline([("scale", StandardScaler()), ("pca", PCA())])
started = time.perf_counter()
search = GridSearchCV(
    TransformedDensity(transformer, mixture),
    {
        "transformer__scale": list(scalers.values()),
        "transformer__pca__n_components": sizes,
        "density__n_components": [1, 2],
    },
    cv=folds,
    n_jobs=-1,
).fit(X)
print(
    f"{len(search.cv_results_['params'])} models in {time.perf_counter() - started:.0f} s; best:"
)
for name, value in search.best_params_.items():
    print(f"    {name}: {value}")
print(f"    {search.best_score_:.2f} nats per tumour on held-out tumours")

# %%
# What a plain pipeline says
# --------------------------
# The same models as pipelines that end in the mixture. Their scores are not comparable with each
# other. A search that believes them does not scale at all: the last principal components are tiny
# numbers then, and the density per unit of a tiny number is huge.
plain = GridSearchCV(
    Pipeline([*transformer.steps, ("mixture", mixture)]),
    {
        "scale": list(scalers.values()),
        "pca__n_components": sizes,
        "mixture__n_components": [1, 2],
    },
    cv=folds,
    n_jobs=-1,
).fit(X)
print("a plain pipeline would choose:")
for name, value in plain.best_params_.items():
    print(f"    {name}: {value}")
same_model = {
    "transformer__scale": plain.best_params_["scale"],
    "transformer__pca__n_components": plain.best_params_["pca__n_components"],
    "density__n_components": plain.best_params_["mixture__n_components"],
}
position = search.cv_results_["params"].index(same_model)
print(f"    {search.cv_results_['mean_test_score'][position]:.2f} nats per tumour")

# %%
# Both searches in a figure
# -------------------------
# Left, the scores in the units of each pipeline: after scaling, two principal components look
# better than ten, because two numbers are easier to predict than ten. Right, the same models in
# the units of the measurements: every direction counts, and taking the skewness away is worth
# about ten nats.


def curve(search, prefix, scaler):
    """For each number of directions the best score over the numbers of Gaussians."""
    best = dict.fromkeys(sizes, float("-inf"))
    results = search.cv_results_
    for params, score in zip(results["params"], results["mean_test_score"], strict=True):
        if str(params[f"{prefix}scale"]) == str(scaler):
            size = params[f"{prefix}pca__n_components"]
            best[size] = max(best[size], score)
    return list(best.values())


figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
for name, scaler in scalers.items():
    left.plot(sizes, curve(plain, "", scaler), "o-", label=name)
    right.plot(sizes, curve(search, "transformer__", scaler), "o-", label=name)
left.set_title("Pipeline: per unit of the transformed rows")
left.set_ylabel("held-out log-likelihood (nats per tumour)")
right.set_title("TransformedDensity: per unit of the measurements")
for axes in (left, right):
    axes.set_xticks(sizes)
    axes.set_xlabel("principal components kept")
    axes.grid(alpha=0.3)
right.legend(loc="lower right")
figure.savefig("plot_transformed_density.png", dpi=120)

# %%
# New tumours
# -----------
# ``sample`` goes back through PCA and scaler, to the units of the measurements. Mean radius and
# mean area are drawn from a joint density: the area is about π times the radius squared.
rows, _ = search.best_estimator_.sample(5)
print("mean radius, mean area and π radius² of five drawn tumours:")
for radius, area in rows[:, [0, 3]]:
    print(f"    {radius:5.1f} {area:7.1f} {np.pi * radius**2:7.1f}")
print("wrote plot_transformed_density.png")
