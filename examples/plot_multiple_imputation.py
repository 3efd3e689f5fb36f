"""
How sure is a slope when half of a column is missing?
=====================================================

Tables with holes tempt one to fill them in and to carry on as if nothing had been missing. A value
that was made up then counts like one that was measured: standard errors are too small, and slopes
too steep where expectations, which lie on a line, take the place of values that scatter. Multiple
imputation draws the missing cells several times, each time with parameters that are themselves
uncertain, and adds the spread between the draws to the variance of the estimate.

The table is the diabetes data that come with scikit-learn: 442 patients, and how far the disease
went in a year.

Run it with ``python examples/plot_multiple_imputation.py``. It writes the figure
``plot_multiple_imputation.png`` to the current folder.
"""

# %%
# Holes
# -----
# The body mass index of half of the patients is removed, the more often the higher their blood
# pressure is. What is missing thus depends on what is there: patients without a hole are no random
# choice.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

from skmix import ConditionalGMMInpainter
from skmix.metrics import pool_estimates

plt.switch_backend("agg")  # the figure goes to a file, no display is needed
data = load_diabetes(as_frame=True, scaled=False)
complete = data.frame[["bmi", "bp", "s5", "target"]]
rng = np.random.default_rng(0)
pressure = (complete["bp"] - complete["bp"].mean()) / complete["bp"].std()
holed = complete.copy()
holed.loc[rng.random(len(holed)) < 1 / (1 + np.exp(-1.5 * pressure)), "bmi"] = np.nan
print(f"bmi is missing for {holed['bmi'].isna().sum()} of {len(holed)} patients")


# %%
# The analysis
# ------------
# Least squares: the slopes of the target by standard deviation of a predictor, and their squared
# standard errors.
def analyse(table):
    scaled = (table.drop(columns="target") - complete.drop(columns="target").mean()) / (
        complete.drop(columns="target").std()
    )
    design = np.column_stack([np.ones(len(table)), scaled])
    inverse = np.linalg.inv(design.T @ design)
    slopes = inverse @ design.T @ table["target"].to_numpy()
    residuals = table["target"].to_numpy() - design @ slopes
    variance = residuals @ residuals / (len(table) - design.shape[1])
    return slopes[1:], variance * np.diag(inverse)[1:]


# %%
# Fill in once, or twenty times
# -----------------------------
# `transform` puts expectations into the holes. `multiple_imputations` draws, and with `n_refits`
# every draw comes from a mixture that was fitted to rows of other random weights. The target is a
# column like the others: imputations that do not know it would hide the relation to it.
inpainter = ConditionalGMMInpainter(n_refits=20, random_state=0).set_output(transform="pandas")
filled = inpainter.fit_transform(holed)
tables = inpainter.multiple_imputations(holed)
estimates, variances = (np.array(part) for part in zip(*map(analyse, tables), strict=True))
pooled = pool_estimates(estimates, variances, complete_df=len(complete) - 4)

ways = {
    "nothing missing": complete,
    "rows without holes": holed.dropna(),
    "filled in once": filled,
}
results = {}
for way, table in ways.items():
    slopes, squares = analyse(table)
    half = 1.96 * np.sqrt(squares)
    results[way] = slopes, slopes - half, slopes + half
results["20 imputations"] = pooled.estimate, *pooled.interval(0.95)
for way, (slopes, low, high) in results.items():
    cells = (f"{s:5.1f} [{a:5.1f}, {b:5.1f}]" for s, a, b in zip(slopes, low, high, strict=True))
    print(f"{way:20}", "  ".join(cells))
print("information missing  ", pooled.missing_information.round(2))

# %%
# What it looks like
# ------------------
# On the left the intervals of the three slopes; on the right what twenty imputations put into the
# first holes, beside the values that were removed.
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
names = ["body mass index", "blood pressure", "log triglycerides"]
for i, (way, (slopes, low, high)) in enumerate(results.items()):
    at = np.arange(3) + 0.17 * (i - 1.5)
    left.errorbar(at, slopes, [slopes - low, high - slopes], fmt="o", capsize=3, label=way)
left.set_xticks(range(3), names)
left.set_ylabel("slope (target per standard deviation)")
left.set_title("95 % intervals")
left.legend(fontsize="small")

holes = np.flatnonzero(holed["bmi"].isna())[:12]
drawn = np.array([table["bmi"].to_numpy()[holes] for table in tables])
right.plot(np.arange(12), drawn.T, ".", color="0.6", markersize=5)
right.plot([], [], ".", color="0.6", label="20 imputations")
right.plot(filled["bmi"].to_numpy()[holes], "_", color="C2", markersize=14, label="expectation")
right.plot(complete["bmi"].to_numpy()[holes], "x", color="k", label="removed value")
right.set_xticks(range(12), [str(i) for i in holes])
right.set_xlabel("patient")
right.set_ylabel("body mass index (kg / m²)")
right.set_title("Twelve holes")
right.legend(fontsize="small")
figure.savefig("plot_multiple_imputation.png", dpi=150)
