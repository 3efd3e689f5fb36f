"""
Which kinds of customers are in a table with numbers, counts, categories and holes?
===================================================================================

Tables are seldom all numbers. `MixedMixture` takes each column for what it is: spendings are
normal within a kind of customer, visits are Poisson counts, the channel is a category. Missing
cells of every kind are left out of the likelihood exactly, and filled in from what a customer's
other cells say.

The customers are simulated, so that the truth is known: four kinds, 1200 rows.
"""

# %%
# The table
# ---------
# Names and dtypes say what the columns are; that `visits` are counts has to be said.

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skmix import GaussianMixture, MixedMixture, SelectionDisplay, select_mixture

CHANNELS = ["shop", "web", "phone"]
rng = np.random.default_rng(0)
kind = rng.choice(4, size=1200, p=[0.4, 0.3, 0.2, 0.1])
table = pd.DataFrame(
    {
        "age": rng.normal(np.array([35.0, 42.0, 61.0, 58.0])[kind], 7.0),
        "spending": rng.normal(np.array([40.0, 90.0, 55.0, 150.0])[kind], 15.0),
        "visits": rng.poisson(np.array([2.0, 6.0, 1.0, 9.0])[kind]),
        "channel": [
            rng.choice(
                CHANNELS,
                p=[[0.1, 0.85, 0.05], [0.6, 0.35, 0.05], [0.2, 0.1, 0.7], [0.7, 0.2, 0.1]][k],
            )
            for k in kind
        ],
        "member": rng.random(1200) < np.array([0.2, 0.8, 0.3, 0.95])[kind],
    }
)


def with_holes(table, share):
    """Return a copy in which a share of the cells is missing."""
    holes = np.random.default_rng(1).random(table.shape) < share
    return table.astype({"visits": "float", "channel": "object", "member": "object"}).mask(holes)


# %%
# How many kinds
# --------------
# BIC chooses, although a fifth of the cells is missing.

customers = with_holes(table, 0.2)
mixture = MixedMixture(families={"visits": "poisson"}, covariance_type="diag", random_state=0)
selection = select_mixture(mixture, customers, {"n_components": [1, 2, 3, 4, 5, 6]})
best = selection.best_estimator_
print(selection)
print(best.report())

# %%
# Beside encoding all columns as numbers
# --------------------------------------
# The usual way out is to fill holes, one-hot encode, scale, and pretend that all is Gaussian.

shares = [0.0, 0.1, 0.2, 0.3]
scores = {"MixedMixture": [], "one-hot, GaussianMixture": []}
for share in shares:
    rows = with_holes(table, share)
    fitted = MixedMixture(
        4, families={"visits": "poisson"}, covariance_type="diag", random_state=0
    )
    scores["MixedMixture"].append(adjusted_rand_score(kind, fitted.fit_predict(rows)))
    encode = make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(sparse_output=False)
    )
    numbers = SimpleImputer().fit_transform(rows[["age", "spending", "visits"]])
    answers = encode.fit_transform(rows[["channel", "member"]].astype(str))
    encoded = StandardScaler().fit_transform(np.hstack([numbers, answers]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # columns that add up to 1 are nearly singular
        plain = GaussianMixture(4, covariance_type="diag", random_state=0).fit(encoded)
    scores["one-hot, GaussianMixture"].append(adjusted_rand_score(kind, plain.predict(encoded)))

# %%
# The holes, filled in
# --------------------
# Frames come back as they went in. A customer of whom only the channel and the visits are known:

known = pd.DataFrame(
    {
        "age": [np.nan],
        "spending": [np.nan],
        "visits": [1.0],
        "channel": ["phone"],
        "member": [None],
    }
)
print(best.impute(known).round(1).to_string(index=False))

# %%

figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
SelectionDisplay.from_selection(selection, ax=axes[0])
for (name, values), marker in zip(scores.items(), "os", strict=True):
    axes[1].plot([f"{share:.0%}" for share in shares], values, marker=marker, label=name)
axes[1].set_xlabel("missing cells")
axes[1].set_ylabel("agreement with the true kinds (ARI)")
axes[1].set_ylim(0, 1)
axes[1].grid(alpha=0.3)
axes[1].legend(loc="lower left")
figure.savefig("plot_mixed_table.png", dpi=120)
