"""
======================================
Clusters that move, in batches of rows
======================================

Rows arrive in batches and are not kept: ``partial_fit`` learns from each and forgets the rows.
Here three clusters move while they are watched. Does a mixture follow them, and what does it cost
where nothing moves?

Run it with ``python examples/plot_stream.py``. It writes the figure ``plot_stream.png`` to the
current folder.
"""

# %%
# A stream
# --------
# Two clusters circle the origin, a third one stands still. A batch has 200 rows.
import matplotlib.pyplot as plt
import numpy as np

from skmix import GaussianMixture

plt.switch_backend("agg")  # the figure goes to a file, no display is needed
N_BATCHES, N_ROWS = 200, 200


def centres(t, moving=True):
    angle = (2.0 * np.pi * t / N_BATCHES if moving else 0.0) + np.array([0.0, np.pi])
    return np.array([*(6.0 * np.stack([np.cos(angle), np.sin(angle)], axis=1)), [0.0, 0.0]])


def batch(t, rng, moving=True):
    labels = rng.integers(3, size=N_ROWS)
    return centres(t, moving)[labels] + rng.normal(size=(N_ROWS, 2))


# %%
# Three ways to weigh the past
# ----------------------------
# With ``forgetting=None`` all batches count alike. A rate is the step of every batch: at 0.2,
# what was learned halves in three batches. ``lower_bounds_`` has the likelihood of every batch
# before it was learned, an honest judge.
rates = (None, 0.05, 0.2)
mixtures, paths = {}, {}
for rate in rates:
    rng = np.random.default_rng(0)
    mixture = GaussianMixture(3, forgetting=rate, random_state=0)
    means = []
    for t in range(N_BATCHES):
        mixture.partial_fit(batch(t, rng))
        means.append(mixture.means_.copy())
    mixtures[rate], paths[rate] = mixture, np.array(means)
    error = np.linalg.norm(means[-1][:, None] - centres(N_BATCHES - 1), axis=2).min(axis=0).max()
    recent = np.mean(mixture.lower_bounds_[-50:])
    print(
        f"forgetting={rate}: {recent:.3f} nats per row in the last 50 batches, "
        f"a mean is {error:.2f} off at the end"
    )

# %%
# Where nothing moves
# -------------------
# The same without motion, judged by fresh rows: a rate pays for its readiness with noise.
rng = np.random.default_rng(1)
fresh = np.concatenate([batch(0, rng, moving=False) for _ in range(50)])
still = {}
for rate in rates:
    rng = np.random.default_rng(0)
    mixture = GaussianMixture(3, forgetting=rate, random_state=0)
    for t in range(N_BATCHES):
        mixture.partial_fit(batch(t, rng, moving=False))
    still[rate] = mixture.score(fresh)
    print(f"forgetting={rate}: {still[rate]:.4f} nats per row where nothing moves")

# %%
# The figure
# ----------
# The paths of the true centres in gray, those of the means in colour; on the right the likelihood
# of each batch before it was learned.
figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
true = np.array([centres(t) for t in range(N_BATCHES)])
for ax, rate in zip(axes, (None, 0.2), strict=False):
    ax.plot(*true[:, :2].transpose(2, 0, 1), color="0.75", lw=6)
    ax.plot(*true[0, 2], "o", color="0.75", ms=9)
    for k, color in enumerate(("tab:blue", "tab:orange", "tab:green")):
        ax.plot(*paths[rate][:, k].T, color=color, lw=1.5)
        ax.plot(*paths[rate][-1, k], "o", color=color)
    ax.set(title=f"forgetting={rate}", xlim=(-8, 8), ylim=(-8, 8), aspect="equal")
for rate in rates:
    axes[2].plot(mixtures[rate].lower_bounds_, label=f"forgetting={rate}", lw=1)
axes[2].set(xlabel="batch", title="log-likelihood of the next batch (nats per row)")
axes[2].legend()
figure.savefig("plot_stream.png", dpi=150)
