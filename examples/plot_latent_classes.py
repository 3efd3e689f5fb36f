"""
=====================================
How many kinds of voters are there?
=====================================

A survey asks many people the same questions. Latent class analysis explains the answers by a few
kinds of people: within a kind, the answers to different questions are independent. This example
fits such models to a survey of voters, chooses the number of kinds by information criteria, and
draws their profiles.

Run it with ``python examples/plot_latent_classes.py``. It writes the figure
``latent_classes.png`` to the current folder.
"""

# %%
# The survey
# ----------
# In the American National Election Study of 2000, 1785 people said how well six traits describe
# Al Gore and George W. Bush: "extremely well", "quite well", "not too well", "not well at all".
# Many skipped a question; a missing answer is NaN, and everybody takes part in the fit. The data
# come with the R package poLCA (Linzer and Lewis, J. Stat. Softw. 42(10), 2011,
# https://doi.org/10.18637/jss.v042.i10). They are looked for in the folder that the environment
# variable ``SKMIX_DATA`` names; without it, answers are simulated, and everything says so.
import os
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from skmix import CategoricalMixture

plt.switch_backend("agg")  # the figure goes to a file, no display is needed
started = time.perf_counter()
traits = ["moral", "cares", "knows", "leader", "dishonest", "intelligent"]
candidates = ["Gore", "Bush"]


def simulated_answers(n_samples=1785, seed=0):
    """Answers 1 to 4 of three kinds of people: for Gore, for Bush, and lukewarm about both."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice(3, p=[0.4, 0.35, 0.25], size=n_samples)
    liking = np.array([[1.0, -1.0], [-1.0, 1.0], [0.0, 0.0]])[kinds]
    sign = np.where(np.array(traits) == "dishonest", -1.0, 1.0)
    opinion = np.repeat(liking, len(traits), axis=1) * np.tile(sign, 2)
    answers = 1.0 + rng.binomial(3, 1 / (1 + np.exp(opinion)))
    answers[rng.random(answers.shape) < 0.07] = np.nan
    return answers


path = Path(os.environ.get("SKMIX_DATA", "")) / "polca" / "election.csv"
if path.is_file():
    X = np.genfromtxt(path, delimiter=",", skip_header=1)[:, :12]
    source = "ANES 2000"
else:
    X = simulated_answers()
    source = "simulated answers"
print(f"{source}: {len(X)} people, {X.shape[1]} questions, {np.isnan(X).mean():.1%} not answered")

# %%
# How many classes?
# -----------------
# More classes always fit better. BIC charges every parameter log(n) / 2 nats; ICL also charges for
# people who cannot be told apart, so that it asks for classes that are well separated.
numbers = list(range(1, 11))
mixtures = [CategoricalMixture(k, random_state=0).fit(X) for k in numbers]
criteria = {
    "BIC": [mixture.bic(X) for mixture in mixtures],
    "ICL": [mixture.icl(X) for mixture in mixtures],
}
for name, values in criteria.items():
    print(f"{name} is lowest for {numbers[int(np.argmin(values))]} classes")

# %%
# The classes
# -----------
# Models with many classes mostly split the same opinions by how strongly people word them. The
# largest drops of both criteria are over at four classes, which are few enough to be read. Classes
# come in order of decreasing size, so that a refit lists them alike.
n_classes = min(4, numbers[int(np.argmin(criteria["BIC"]))])
mixture = mixtures[numbers.index(n_classes)]
errors = mixture.standard_errors(X)
print(f"\n{n_classes} classes, sizes {mixture.weights_.round(3)} +- {errors.weights.round(3)}")
print(f"How clearly people belong to one: {mixture.entropy(X, relative=True):.2f} of 1")
print(f"{int(np.isnan(X).any(axis=1).sum())} people with a missing answer were used as well:")
row = int(np.flatnonzero(np.isnan(X).sum(axis=1) == 2)[0])
print("  answered", X[row], "\n  imputed ", mixture.impute(X[[row]])[0])

# %%
# The figure
# ----------
# Left, the criteria. Right, for every class the probability that a trait describes a candidate
# "extremely" or "quite well".
agree = np.array([table[:, :2].sum(axis=1) for table in mixture.probabilities_]).T

fig = plt.figure(figsize=(12, 4.8), layout="constrained")
left, right = fig.subfigures(1, 2, width_ratios=[1, 2.2])
ax = left.subplots()
for color, marker, (name, values) in zip(["C0", "C3"], "os", criteria.items(), strict=True):
    ax.plot(numbers, values, color=color, marker=marker, label=name)
    best = int(np.argmin(values))
    ax.plot(numbers[best], values[best], marker, ms=13, mfc="none", mec=color, mew=1.5)
ax.set_xticks(numbers)
ax.set_xlabel("number of classes (n_components)")
ax.set_ylabel("criterion (lower is better)")
ax.set_title("How many classes? (rings: lowest)")
ax.grid(alpha=0.3)
ax.legend()

axes = right.subplots(1, 2, sharey=True)
for ax, candidate, items in zip(axes, candidates, (slice(0, 6), slice(6, 12)), strict=True):
    for k, weight in enumerate(mixture.weights_):
        label = f"class {k}, {weight:.0%} of people"
        ax.plot(traits, agree[k, items], color=f"C{k}", marker="o", label=label)
    ax.set_title(f"Describes {candidate} well")
    ax.set_ylim(-0.02, 1.02)
    plt.setp(ax.get_xticklabels(), rotation=35, ha="right")
    ax.grid(alpha=0.3)
axes[0].set_ylabel("probability of 'extremely' or 'quite well'")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower right", ncols=4)
fig.suptitle(f"Latent classes of voters ({source})")

fig.savefig("latent_classes.png", dpi=120)
print(f"\nwrote latent_classes.png, fits and figure took {time.perf_counter() - started:.0f} s")
