"""
==================================================
Regression that bends, and inputs that are missing
==================================================

Few relations between two quantities are one straight line. Gaussian mixture regression fits a
mixture to inputs and targets together; its prediction blends one line per component, and its
standard deviation says where the data disagree. How many components are worth having, and what is
predicted where an input is not known?

The data here are simulated, so that the truth can be drawn: a response that rises up to a
threshold and falls steeply beyond it, with more noise on one side.

Run it with ``python examples/plot_mixture_regression.py``. It writes the figure
``plot_mixture_regression.png`` to the current folder.
"""

# %%
# Simulated responses
# -------------------
import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV, KFold

from skmix import GMMRegressor

plt.switch_backend("agg")  # the figure goes to a file, no display is needed
rng = np.random.default_rng(0)
dose = rng.uniform(0, 10, size=400)


def response(dose):
    return np.where(dose < 6, 0.5 * dose, 3.0 - 1.2 * (dose - 6))


y = response(dose) + np.where(dose < 6, 0.2, 0.6) * rng.normal(size=400)
weight = 70 + 3 * dose + rng.normal(scale=8, size=400)  # a second input that goes with the first
X = np.column_stack([dose, weight])

# %%
# How many components?
# --------------------
# One component is least squares. Three-fold cross-validation of the coefficient of determination
# says how many lines the curve needs.
search = GridSearchCV(
    GMMRegressor(random_state=0, n_init=5),
    {"n_components": [1, 2, 3, 4, 5]},
    cv=KFold(3, shuffle=True, random_state=0),
).fit(X, y)
scores = search.cv_results_["mean_test_score"]
regressor = search.best_estimator_
print("cross-validated R² of 1 to 5 components:", scores.round(3))
print(f"chosen: {regressor.n_components}")

# %%
# Predictions with a missing input
# --------------------------------
# A missing input is integrated out. The weight adds nothing to the dose, but without the dose it
# is all there is: the standard deviation of the prediction grows fourfold.
patient = [[3.0, 79.0], [3.0, np.nan], [np.nan, 79.0]]
mean, std = regressor.predict(patient, return_std=True)
for what, m, s in zip(["dose and weight", "dose only", "weight only"], mean, std, strict=True):
    print(f"{what:16s} {m:5.2f} +- {s:.2f}")

# %%
# The whole conditional density
# -----------------------------
# ``mixture_.condition`` gives the density of the response, not just its mean: near the threshold
# it has two parts.
grid = np.linspace(0, 10, 200)
inputs = np.column_stack([grid, np.full(200, np.nan)])
values = np.linspace(-4, 5, 181)
density = np.empty((len(values), len(grid)))
rows = np.column_stack([inputs, np.full(200, np.nan)])
for j, conditional in enumerate(regressor.mixture_.condition(rows)):
    density[:, j] = np.exp(conditional.marginal([1]).score_samples(values[:, None]))

figure, axes = plt.subplots(1, 3, figsize=(14, 4.2), layout="constrained")
axes[0].plot(range(1, 6), scores, "o-")
axes[0].set(xlabel="components", ylabel="cross-validated R²", title="How many lines?")
axes[0].set_xticks(range(1, 6))
axes[0].grid(alpha=0.3)

axes[1].plot(dose, y, ".", color="0.6", ms=4, label="simulated responses")
axes[1].plot(grid, response(grid), "k--", lw=1, label="truth")
line = GMMRegressor().fit(X, y).predict(inputs)
axes[1].plot(grid, line, "C1", label="one component")
mean, std = regressor.predict(inputs, return_std=True)
axes[1].plot(grid, mean, "C0", label=f"{regressor.n_components} components")
axes[1].fill_between(grid, mean - 2 * std, mean + 2 * std, alpha=0.2, label="two deviations")
axes[1].set(xlabel="dose", ylabel="response", title="Prediction from the dose alone")
axes[1].legend(loc="lower left")

mesh = axes[2].pcolormesh(grid, values, density, cmap="viridis", shading="auto")
axes[2].plot(grid, mean, "w", lw=1)
axes[2].set(xlabel="dose", ylabel="response", title="Density of the response given the dose")
figure.colorbar(mesh, ax=axes[2], label="density")
figure.savefig("plot_mixture_regression.png", dpi=120)
print("wrote plot_mixture_regression.png")
