"""
========================================
How many components does a mixture need?
========================================

More components always describe the rows of the fit better, so the likelihood alone cannot say how
many there should be. This example fits diagonal Gaussian mixtures of 1 to 10 components to one
data set, and puts what can say so beside the likelihood: BIC, ICL and the likelihood of held-out
rows.

Run it with ``python examples/plot_choose_components.py``. It writes the figure
``plot_choose_components.png`` to the current folder.
"""

# %%
# The data
# --------
# Alcohol, flavanoids and colour intensity of 178 wines, which come with scikit-learn. They are
# from three growers, and the fits are not told so.
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.metrics import adjusted_rand_score

from skmix import ComponentsDisplay, DiagonalGMM, SelectionDisplay, select_mixture

plt.switch_backend("agg")  # the figure goes to a file, no display is needed
started = time.perf_counter()
wine = load_wine(as_frame=True)
X = wine.data[["alcohol", "flavanoids", "color_intensity"]]

# %%
# One call
# --------
# ``select_mixture`` fits every number of components to all rows, which gives the likelihood and
# the information criteria, and to nine tenths of the rows in ten ways, which gives the likelihood
# of those held out. The best mean is uncertain: with ``one_standard_error=True`` the choice is the
# smallest mixture that is within one standard error of it. ``reg_covar`` keeps components from
# shrinking to a few rows that happen to share a value.
selection = select_mixture(
    DiagonalGMM(reg_covar=0.01, random_state=0),
    X,
    {"n_components": range(1, 11)},
    criterion="cv",
    cv=10,
    one_standard_error=True,
)
table = selection.cv_results_
numbers = np.arange(1, 11)
lowest = {name: numbers[np.argmin(table[name])] for name in ("aic", "bic", "icl")}
best = numbers[np.argmax(table["mean_test_score"])]
chosen = selection.best_params_["n_components"]
print(" K  parameters  -log L     BIC     ICL  held-out nats per row")
columns = ("n_parameters", "log_likelihood", "bic", "icl", "mean_test_score", "standard_error")
for k, (p, log_likelihood, bic, icl, mean, error) in enumerate(
    zip(*(table[name] for name in columns), strict=True), start=1
):
    print(
        f"{k:2d} {p:11d} {-log_likelihood:7.1f} {bic:7.1f} {icl:7.1f}  {mean:.2f} +- {error:.2f}"
    )
for name, k in lowest.items():
    print(f"{name.upper()} is lowest for K = {k}")
print(f"the held-out likelihood is highest for K = {best}; chosen within one error: K = {chosen}")

# %%
# The chosen mixture
# ------------------
# BIC charges log(n) / 2 nats per parameter. It asks for a density, and may spend two components on
# one group of rows that is not Gaussian. ICL charges for overlap as well: it asks for groups. The
# parameters, by increasing weight:
mixture = selection.best_estimator_
print(f"\n{'weight':>8s}  " + "".join(f"{name:>26s}" for name in X.columns))
for k in np.argsort(mixture.weights_):
    cells = [
        f"{mean:.2f} +- {np.sqrt(variance):.2f}"
        for mean, variance in zip(mixture.means_[k], mixture.covariances_[k], strict=True)
    ]
    print(f"{mixture.weights_[k]:8.3f}  " + "".join(f"{cell:>26s}" for cell in cells))
agreement = adjusted_rand_score(wine.target, mixture.predict(X))
print(f"agreement of the components with the growers (adjusted Rand index): {agreement:.2f}")

# %%
# The figure
# ----------
# The negative log-likelihood falls with every component; the criteria turn.
figure, axes = plt.subplots(2, 2, figsize=(12, 8.5), layout="constrained")
(fit, bic), (held_out, components) = axes
fit.plot(numbers, -table["log_likelihood"], "o-")
fit.plot(chosen, -table["log_likelihood"][chosen - 1], "ko", ms=14, mfc="none", label="chosen")
fit.set(
    xlabel="n_components",
    ylabel="negative log-likelihood (nats)",
    title="Rows of the fit",
    xticks=numbers,
)
fit.grid(alpha=0.3)
fit.legend()
SelectionDisplay.from_selection(selection, criterion="bic", ax=bic)
bic.plot(numbers, table["icl"], "s--", color="C1", label="ICL")
bic.set(ylabel="criterion (lower is better)", title="Information criteria")
bic.legend()
SelectionDisplay.from_selection(selection, ax=held_out)
threshold = table["mean_test_score"].max() - table["standard_error"][best - 1]
held_out.axhline(threshold, color="0.4", linestyle=":", label="best less one standard error")
held_out.set_title("Rows held out, ten folds")
held_out.legend(loc="lower right")
ComponentsDisplay.from_estimator(
    mixture,
    X,
    features=["flavanoids", "color_intensity"],
    components=np.argsort(mixture.weights_),
    ax=components,
)
components.set_title(f"The chosen mixture: 50 % and 95 % of each of {chosen} components")
figure.suptitle("Diagonal Gaussian mixtures of 178 wines")
figure.savefig("plot_choose_components.png", dpi=120)
print(f"wrote plot_choose_components.png, {time.perf_counter() - started:.0f} s in all")
