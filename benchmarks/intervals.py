"""Coverage of intervals for the parameters of a Gaussian mixture.

    python benchmarks/intervals.py                              # all of it, minutes on one core
    python benchmarks/intervals.py --repetitions 50 --methods information
    python benchmarks/intervals.py --mixtures overlapping --n-bootstrap 200 --n-jobs 2

Rows are drawn from a mixture that is known, a mixture is fitted to them, and intervals of nominal
95 % are counted that hold the true means and weights: percentile intervals of the bootstrap, and
1.96 standard errors from the observed information to both sides. Components are matched with the
true ones by their means. Printed are the shares of intervals that hold, for means and weights,
with the standard error of each share over repetitions, the median length of the intervals, the
refits that were degenerate, and seconds of the processor per repetition (fit and intervals).
"""

from __future__ import annotations

import argparse
import time
import warnings

import joblib
import numpy as np
from scipy.optimize import linear_sum_assignment

from skmix import GaussianMixture, bootstrap

LEVEL, QUANTILE = 0.95, 1.959964
METHODS = ("weighted", "nonparametric", "parametric", "information")
# Weights, means in units of the standard deviations, covariances.
MIXTURES = {
    "separated": (
        np.array([0.5, 0.3, 0.2]),
        np.array([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]]),
        np.array([[[1.0, 0.5], [0.5, 1.0]], np.eye(2), [[1.0, -0.5], [-0.5, 1.0]]]),
    ),
    "overlapping": (
        np.array([0.6, 0.4]),
        np.array([[0.0, 0.0], [3.0, 0.0]]),
        np.array([[[1.0, 0.5], [0.5, 1.0]], [[1.0, -0.5], [-0.5, 1.0]]]),
    ),
}


def intervals(mixture, X, method, n_bootstrap, seed):
    """Return lower and upper ends by parameter, and the number of degenerate refits."""
    if method == "information":
        errors = mixture.standard_errors(X)
        ends = [
            {
                name: getattr(mixture, f"{name}_") + sign * QUANTILE * getattr(errors, name)
                for name in ("weights", "means")
            }
            for sign in (-1, 1)
        ]
        return *ends, 0
    found = bootstrap(mixture, X, method, n_bootstrap, seed)
    return *found.interval(LEVEL), found.n_degenerate


def repeat(name, method, n_samples, n_bootstrap, seed):
    """Return shares and lengths of intervals for means and weights of one data set."""
    truth = dict(zip(("weights", "means", "covariances"), MIXTURES[name], strict=True))
    X, _ = GaussianMixture.from_parameters(**truth).sample(n_samples, random_state=seed)
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"tol": 1e-7, "max_iter": 5000, "random_state": seed}
        mixture = GaussianMixture(len(truth["weights"]), **options).fit(X)
        low, high, n_degenerate = intervals(mixture, X, method, n_bootstrap, seed)
    seconds = time.process_time() - started
    distances = np.linalg.norm(truth["means"][:, None] - mixture.means_, axis=2)
    order = linear_sum_assignment(distances)[1]
    row = []
    for parameter in ("means", "weights"):
        ends = low[parameter][order], high[parameter][order]
        holds = (ends[0] <= truth[parameter]) & (truth[parameter] <= ends[1])
        row += [holds.mean(), (ends[1] - ends[0]).mean()]
    return [*row, n_degenerate, seconds]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--n-samples", type=int, default=300)
    parser.add_argument("--n-bootstrap", type=int, default=200)
    parser.add_argument("--mixtures", nargs="+", choices=MIXTURES, default=list(MIXTURES))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--n-jobs", type=int, default=1)
    options = parser.parse_args()
    print(
        f"{options.repetitions} repetitions of {options.n_samples} rows, "
        f"{options.n_bootstrap} refits, nominal {LEVEL}"
    )
    head = (
        f"{'mixture':12} {'method':14} {'means':>13} {'length':>7} {'weights':>14} {'length':>7}"
    )
    print(f"{head} {'degenerate':>11} {'seconds':>8}")
    for name in options.mixtures:
        for method in options.methods:
            tasks = (
                joblib.delayed(repeat)(name, method, options.n_samples, options.n_bootstrap, seed)
                for seed in range(options.repetitions)
            )
            rows = np.array(joblib.Parallel(n_jobs=options.n_jobs)(tasks))
            means, _, weights, _, degenerate, seconds = rows.mean(axis=0)
            length, length_of_weights = np.median(rows[:, [1, 3]], axis=0)  # some are infinite
            error = rows[:, [0, 2]].std(axis=0, ddof=1) / np.sqrt(len(rows))
            print(
                f"{name:12} {method:14} {means:6.3f} ±{error[0]:.3f} {length:7.3f} "
                f"{weights:6.3f} ±{error[1]:.3f} {length_of_weights:7.3f} "
                f"{degenerate:11.2f} {seconds:8.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
