"""
How can I fit a mixture of a distribution of my own?
====================================================

Small counts are not Gaussian: they are whole numbers, and their variance is their mean. Here
is a mixture of Poisson distributions, in which a component is written from scratch, in the class
below and the tuple above it. Everything else is that of any mixture of skmix: starts, missing
cells, sample weights, criteria, searches.

The counts are simulated, so that the truth can be drawn: visits per hour, from 6 to 22 o'clock,
to 400 places of three kinds. Three counters in ten failed for some hours.
"""

# %%
# The component
# -------------
# The log probability of a count x at a rate r is ``x log r - r - log x!``: linear in the features
# x and 1, but for a term of the row alone. A missing count leaves both features 0. The means of
# the features over the rows of a component are all that the most likely rates need.

from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import gammaln
from sklearn.metrics import adjusted_rand_score

from skmix import DiagonalGMM, Mixture, SelectionDisplay, select_mixture
from skmix.families import LinearFamily


class PoissonParams(NamedTuple):
    weights: np.ndarray  # (n_components,)
    rates: np.ndarray  # (n_components, n_features)


class Poisson(LinearFamily):
    allow_nan = True

    def features(self, X):
        observed = ~np.isnan(X)
        return np.hstack([np.where(observed, X, 0.0), observed])

    def coefficients(self, params):
        return np.hstack([np.log(params.rates), -params.rates])

    def row_term(self, X):
        return -np.nansum(gammaln(X + 1), axis=1)

    def estimate(self, weights, means, counts):
        sums, observed = np.hsplit(means, 2)
        return PoissonParams(weights, np.maximum(sums, 1e-9) / np.maximum(observed, 1e-9))

    def sample(self, params, component, n_samples, rng):
        return rng.poisson(params.rates[component], (n_samples, self.n_features))

    def n_parameters(self, params):
        return params.rates.size + len(params.weights) - 1


# %%
# The counts
# ----------
# Stations are busy twice a day, canteens at noon, pubs at night.

hours = np.arange(6, 23)


def bump(hour, width):
    return np.exp(-0.5 * ((hours - hour) / width) ** 2)


kinds = {
    "station": 0.2 + 1.5 * bump(8, 1.2) + 1.2 * bump(17, 1.5),
    "canteen": 0.1 + 2.0 * bump(12.5, 1.2),
    "pub": 0.1 + 1.5 * bump(21, 2.0) + 0.3 * bump(13, 1.5),
}
shares = [0.5, 0.3, 0.2]
rng = np.random.default_rng(0)
labels = rng.choice(3, size=400, p=shares)
X = rng.poisson(np.array(list(kinds.values()))[labels]).astype(float)
first_hour = rng.integers(len(hours), size=len(X))
for row in np.flatnonzero(rng.random(len(X)) < 0.3):
    X[row, first_hour[row] : first_hour[row] + 8] = np.nan
print(f"{np.isnan(X).mean():.0%} of the counts are missing")

# %%
# The mixture
# -----------
# The class is its own factory: ``family_factory(n_features)`` makes the family of a fit. BIC
# chooses the number of kinds.

selection = select_mixture(
    Mixture(family_factory=Poisson, random_state=0), X, {"n_components": range(1, 7)}
)
mixture = selection.best_estimator_
found = mixture.params_.rates
print(f"BIC chooses {mixture.n_components} kinds, of sizes {np.sort(mixture.weights_).round(2)}")

# Every kind beside the component that is nearest to it.
errors = []
for name, rates in kinds.items():
    distances = np.sqrt(np.mean((found - rates) ** 2, axis=1))
    errors.append(distances.min())
    print(f"{name}: rates found to {distances.min():.2f} visits per hour")

# Gaussians find nearly the same kinds where they are told how many, and how wide to be at least.
agreement = adjusted_rand_score(labels, mixture.predict(X))
gaussian = DiagonalGMM(3, reg_covar=0.1, n_init=5, random_state=0)
agreement_gaussian = adjusted_rand_score(labels, gaussian.fit(X).predict(X))
print(
    f"agreement with the true kinds: {agreement:.3f}, of three Gaussians {agreement_gaussian:.3f}"
)
gaussians = select_mixture(gaussian, X, {"n_components": range(1, 9)})
print(f"BIC of Gaussians chooses {gaussians.best_params_['n_components']} kinds")

# %%
# What was found
# --------------

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
SelectionDisplay.from_selection(selection).plot(ax=left)
left.set_title("Which number of kinds?")
for k, (name, rates) in enumerate(kinds.items()):
    nearest = np.argmin(np.mean((found - rates) ** 2, axis=1))
    right.plot(hours, found[nearest], color=f"C{k}", label=name)
    right.plot(hours, rates, color=f"C{k}", linestyle=":")
right.set(xlabel="hour", ylabel="visits per hour", title="Rates found, and true ones (dotted)")
right.legend()
figure.savefig("plot_own_component.png", dpi=110)
