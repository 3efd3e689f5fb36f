"""
==================================================
Fill holes in measurements, with honest error bars
==================================================

Thirty measurements of the cell nuclei of 569 breast tumours (the Wisconsin diagnostic data that
come with scikit-learn) are strongly related: radius, perimeter and area say nearly the same. If
some measurements are missing, how well are they filled in from the others, and how well does a
mixture know its own errors?

Run it with ``python examples/plot_missing_values.py``. It writes the figure
``plot_missing_values.png`` to the current folder.
"""

# %%
# Holes at random
# ---------------
# Between 10 and 50 % of the cells are removed at random, so the truth is known. Columns are
# standardised by what is left of them; errors are then in standard deviations of a column.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmix import ConditionalGMMInpainter

plt.switch_backend("agg")  # the figure goes to a file, no display is needed
data = load_breast_cancer()
X = data.data


def remove(share):
    return np.where(np.random.default_rng(0).random(X.shape) < share, np.nan, X)


# %%
# The number of components
# ------------------------
# ``score`` is the likelihood of the cells that are there, so a grid search chooses without knowing
# what is missing.
holes = remove(0.3)
search = GridSearchCV(
    make_pipeline(StandardScaler(), ConditionalGMMInpainter(random_state=0)),
    {"conditionalgmminpainter__n_components": [1, 2, 3]},
    cv=ShuffleSplit(1, test_size=0.3, random_state=0),
    n_jobs=2,
).fit(holes)
mixture = search.best_estimator_
print(f"chosen by held-out likelihood: {search.best_params_}")

# %%
# Errors against the share of missing cells
# -----------------------------------------
# The root mean square error of the filled cells, in standard deviations of their column; that of
# column means is about one. IterativeImputer, which regresses every column on all others in turns,
# gets five rounds here to keep the example short; ten, its default, change little.
warnings.simplefilter("ignore", ConvergenceWarning)
imputers = {
    "mixture": mixture,
    "IterativeImputer": make_pipeline(
        StandardScaler(), IterativeImputer(max_iter=5, random_state=0)
    ),
    "KNNImputer": make_pipeline(StandardScaler(), KNNImputer()),
    "column means": make_pipeline(StandardScaler(), SimpleImputer()),
}
shares = (0.1, 0.3, 0.5)
errors = {name: [] for name in imputers}
for share in shares:
    incomplete = remove(share)
    missing = np.isnan(incomplete)
    for name, imputer in imputers.items():
        imputer.fit(incomplete)
        truth = imputer[0].transform(X)
        error = (imputer.transform(incomplete) - truth)[missing]
        errors[name].append(np.sqrt(np.mean(error**2)))
for name, values in errors.items():
    print(f"{name:16s}", " ".join(f"{value:.3f}" for value in values))

# %%
# Error bars
# ----------
# ``predict_std`` gives the standard deviation of every filled cell. About 95 % of the true values
# should lie within 1.96 of them.
mixture.fit(holes)
scaler, inpainter = mixture
Z = scaler.transform(holes)
missing = np.isnan(holes)
filled = scaler.inverse_transform(inpainter.transform(Z))
deviation = inpainter.predict_std(Z) * scaler.scale_
covered = np.abs(filled - X)[missing] < 1.96 * deviation[missing]
print(f"{covered.mean():.1%} of the true values within 1.96 standard deviations")

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
for name, values in errors.items():
    left.plot(100 * np.array(shares), values, "o-", label=name)
left.set(
    xlabel="cells missing (%)",
    ylabel="error (standard deviations of a column)",
    ylim=(0, None),
    title="Error of the filled cells",
)
left.legend()
left.grid(alpha=0.3)

column = list(data.feature_names).index("mean texture")
rows = missing[:, column]
right.errorbar(
    X[rows, column],
    filled[rows, column],
    1.96 * deviation[rows, column],
    fmt="o",
    ms=3,
    lw=0.6,
    label="filled, with 1.96 standard deviations",
)
limits = [X[:, column].min(), X[:, column].max()]
right.plot(limits, limits, "k-", lw=1, label="true value")
inside = covered[np.nonzero(missing)[1] == column].mean()
right.set(
    xlabel="true mean texture (standard deviation of gray levels)",
    ylabel="filled mean texture",
    title=f"One measurement: {inside:.0%} of the bars meet the truth",
)
right.legend(loc="lower right")
right.grid(alpha=0.3)
figure.suptitle("Breast cancer data, 30 measurements, 569 tumours")
figure.savefig("plot_missing_values.png", dpi=120)
print("wrote plot_missing_values.png")
