"""
=================================================
The density of a square: a map that is two-to-one
=================================================

If x is standard normal, how is z = x² distributed? The rule for one-to-one maps, which
``TransformedDensity`` applies, does not hold: x and -x have the same square. This example derives
the density from first principles, checks it, and shows what to do with such data in practice.

Run it with ``python examples/plot_change_of_variables.py``. It writes the figure
``plot_change_of_variables.png`` to the current folder.
"""

# %%
# The rule
# --------
# A small interval dz receives the probability of every interval dx that is mapped into it, and
# each of these is wider or narrower than dz by the slope of the map:
#
# .. math:: p_Z(z) = \sum_{x : f(x) = z} \frac{p_X(x)}{|f'(x)|}.
#
# For f(x) = x² and z > 0 there are two such x, the square roots of z, both with the slope 2 √z in
# absolute value:
#
# .. math:: p_Z(z) = \frac{p_X(\sqrt z) + p_X(-\sqrt z)}{2 \sqrt z}
#           = \frac{e^{-z / 2}}{\sqrt{2 \pi z}}.
#
# A negative z has none, and density 0.
import matplotlib.pyplot as plt
import numpy as np
from scipy import integrate, stats
from sklearn.preprocessing import FunctionTransformer

from skmix import GaussianMixture, TransformedDensity

plt.switch_backend("agg")  # the figure goes to a file, no display is needed


def transformed_density(z, density, preimages, derivative):
    """Density of f(x) at z: a sum over all x that f maps to z."""
    return sum(density(x) / np.abs(derivative(x)) for x in preimages(z))


def square_density(z):
    """Density of the square of a standard normal x, for z > 0."""
    return transformed_density(
        z,
        density=stats.norm.pdf,
        preimages=lambda z: (np.sqrt(z), -np.sqrt(z)),
        derivative=lambda x: 2 * x,
    )


# %%
# Three checks
# ------------
# The density is not negative, it integrates to 1 (the integrand is infinite at 0, but like 1/√z,
# which quadrature can do), and it is that of the chi-square distribution with one degree of
# freedom, as it should be: that is how chi-square is defined.
grid = np.geomspace(1e-8, 50, 2000)
mass = sum(integrate.quad(square_density, *limits)[0] for limits in [(0, 1), (1, np.inf)])
difference = np.max(np.abs(square_density(grid) / stats.chi2(1).pdf(grid) - 1))
print(f"smallest value between 1e-8 and 50: {square_density(grid).min():.2e}")
print(f"integral: {mass:.9f}")
print(f"largest relative difference from chi-square: {difference:.1e}")
assert square_density(grid).min() >= 0
assert abs(mass - 1) < 1e-7
assert difference < 1e-12

# %%
# With one branch only
# --------------------
# The formula for one-to-one maps sees one of the two square roots, and loses half of the mass.
one_branch = integrate.quad(lambda z: stats.norm.pdf(np.sqrt(z)) / (2 * np.sqrt(z)), 0, np.inf)
print(f"integral over one of the two branches: {one_branch[0]:.6f}")

# %%
# Squares as data
# ---------------
# Where only z was observed, no branch is needed: log z is a one-to-one map of what there is.
# Gaussians on log z, brought back by ``TransformedDensity``, follow the density up to its pole at
# 0. Gaussians on z itself cannot, and put mass on negative numbers, which no square is. The square
# itself as a transformer is refused, for the reason above.
rng = np.random.default_rng(0)
Z = rng.standard_normal((4000, 1)) ** 2
held_out = rng.standard_normal((4000, 1)) ** 2
mixture = GaussianMixture(3, random_state=0)
on_logs = TransformedDensity(FunctionTransformer(np.log), mixture).fit(Z)
direct = TransformedDensity(None, mixture).fit(Z)
negative = integrate.quad(lambda z: np.exp(direct.score_samples([[z]])[0]), -5, 0, limit=200)[0]
print("held-out log-likelihood (nats per row):")
print(f"    exact density          {np.mean(np.log(square_density(held_out))):.4f}")
print(f"    3 Gaussians on log z   {on_logs.score(held_out):.4f}")
print(f"    3 Gaussians on z       {direct.score(held_out):.4f}, mass below zero {negative:.3f}")
try:
    TransformedDensity(FunctionTransformer(np.square)).fit(Z)
except ValueError as error:
    print(f"refused: {str(error).split('.')[0]}.")

# %%
# The figure
# ----------
# Left, where the mass goes: two intervals of x end in one of z. Right, the histogram of squares
# and the densities.
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
x = np.linspace(-3, 3, 400)
left.plot(x, x**2, "k", lw=1.5, label="z = x²")
left.plot(x, 6 * stats.norm.pdf(x), "C0", label="density of x (scaled)")
left.axhspan(2.0, 2.6, color="C1", alpha=0.3)
for low, high in [(np.sqrt(2.0), np.sqrt(2.6)), (-np.sqrt(2.6), -np.sqrt(2.0))]:
    inside = np.linspace(low, high, 20)
    left.fill_between(inside, 0, inside**2, color="C1", alpha=0.3)
    left.fill_between(inside, 0, 6 * stats.norm.pdf(inside), color="C0", alpha=0.6)
left.set(xlabel="x", ylabel="z", ylim=(0, 6), title="Two intervals of x meet in one of z")
left.legend(loc="upper center")

z = np.linspace(-0.7, 6, 2000)[:, None]
right.hist(Z[:, 0], bins=np.arange(0, 6.01, 0.1), density=True, color="0.85", label="4000 squares")
positive = z[z > 0]
right.plot(positive, square_density(positive), "k", lw=2.5, label="sum over two branches")
right.plot(positive, stats.chi2(1).pdf(positive), "C1--", label="chi-square, 1 degree of freedom")
right.plot(z, np.exp(on_logs.score_samples(z)), "C0", label="3 Gaussians on log z")
right.plot(z, np.exp(direct.score_samples(z)), "C3:", lw=1.5, label="3 Gaussians on z")
right.set(xlabel="z", ylabel="density (per unit of z)", xlim=(-0.7, 6), ylim=(0, 2.5))
right.set_title("The density of z")
right.legend(loc="upper right")
figure.savefig("plot_change_of_variables.png", dpi=120)
print("wrote plot_change_of_variables.png")
