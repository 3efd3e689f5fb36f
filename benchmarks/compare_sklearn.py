"""Time, memory and likelihood of skmix beside scikit-learn, in one process from the same start.

    python benchmarks/compare_sklearn.py                  # a few EM iterations, every case
    python benchmarks/compare_sklearn.py --whole-fits     # k-means start to convergence
    python benchmarks/compare_sklearn.py --cases "diag 200000 x 20, K=50" --dtypes float32

Both libraries run in turn, several times; medians are printed, and the median of the ratios of
neighbouring runs. A time per iteration is the difference of two fits from given starting values,
of one iteration and of some more, divided by the iterations between them. Memory is the peak
beyond the data that numpy allocates (tracemalloc), in a run of its own that is not timed. The
share of the machine's speed compares the floating-point operations that an iteration needs
(8 n K d for diagonal, 4 n K d for tied and spherical, 2 n K d² for full covariances) with what one
large matrix product does in the same time.
"""

from __future__ import annotations

import argparse
import os
import time
import tracemalloc
import warnings
from typing import NamedTuple

import numpy as np
import sklearn
import sklearn.mixture
from results import json_option, record
from sklearn.exceptions import ConvergenceWarning

import skmix


class Case(NamedTuple):
    covariance_type: str
    n_samples: int
    n_features: int
    n_components: int
    n_iter: int
    goals: dict  # least ratio of times per dtype

    @property
    def name(self):
        shape = f"{self.n_samples} x {self.n_features}"
        return f"{self.covariance_type} {shape}, K={self.n_components}"

    @property
    def flops(self):
        size = self.n_samples * self.n_components * self.n_features
        factor = {"diag": 8, "tied": 4, "spherical": 4, "full": 2 * self.n_features}
        return factor[self.covariance_type] * size


def goals(float64, float32):
    return {"float64": float64, "float32": float32}


CASES = [
    Case("diag", 1_000_000, 64, 64, 2, goals(10, 5)),
    Case("diag", 200_000, 20, 50, 10, goals(6, 10)),
    Case("diag", 20_000, 10, 5, 50, goals(3, 3)),
    Case("tied", 100_000, 32, 16, 10, goals(15, 15)),
    Case("spherical", 200_000, 20, 50, 10, goals(6, 10)),
    Case("full", 100_000, 32, 16, 10, goals(5, 8)),
    Case("full", 100_000, 64, 200, 1, goals(5, 8)),
    Case("full", 60_000, 784, 10, 2, goals(1.5, 1.5)),
]


def make_data(case, dtype, seed):
    """Rows around random centres two standard deviations wide, and those centres."""
    rng = np.random.default_rng(seed)
    centres = 2.0 * rng.standard_normal((case.n_components, case.n_features))
    X = rng.standard_normal((case.n_samples, case.n_features), dtype=dtype)
    X += centres.astype(dtype)[rng.integers(case.n_components, size=case.n_samples)]
    return X, centres.astype(dtype)


def given_start(case, centres):
    """Uniform weights, the true centres a little off, identity precisions."""
    k, d = centres.shape
    precisions = {
        "full": np.broadcast_to(np.eye(d), (k, d, d)),
        "tied": np.eye(d),
        "diag": np.ones((k, d)),
        "spherical": np.ones(k),
    }[case.covariance_type]
    return {
        "weights_init": np.full(k, 1.0 / k, dtype=centres.dtype),
        "means_init": centres + centres.dtype.type(0.1),
        "precisions_init": precisions.astype(centres.dtype),
        "max_iter": 1 + case.n_iter,
        "tol": 0.0,
    }


def fit(library, case, X, options):
    estimator = library.GaussianMixture(
        case.n_components, covariance_type=case.covariance_type, random_state=0, **options
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        start = time.perf_counter()
        estimator.fit(X)
        return time.perf_counter() - start, estimator


def peak_memory(library, case, X, options):
    tracemalloc.start()
    try:
        fit(library, case, X, {**options, "max_iter": 1})
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def matrix_speed(dtype, size=3000):
    """Floating-point operations per second of a large product on all threads."""
    A = np.ones((size, size), dtype=dtype)
    A @ A
    times = []
    for _ in range(5):
        start = time.perf_counter()
        A @ A
        times.append(time.perf_counter() - start)
    return 2 * size**3 / min(times)


def compare(case, dtype, args):
    X, centres = make_data(case, dtype, args.seed)
    options = {"max_iter": args.max_iter} if args.whole_fits else given_start(case, centres)
    times = {skmix: [], sklearn.mixture: []}
    estimators = {}
    for _ in range(args.repeat):
        for library, measured in times.items():
            lapse, estimators[library] = fit(library, case, X, options)
            if not args.whole_fits:
                lapse = (
                    lapse - fit(library, case, X, {**options, "max_iter": 1})[0]
                ) / case.n_iter
            measured.append(lapse)
    n_iters = {library: estimator.n_iter_ for library, estimator in estimators.items()}
    ours, theirs = (np.array(times[library]) for library in (skmix, sklearn.mixture))
    row = [
        case.name,
        np.dtype(dtype).name,
        f"{np.median(ours) * 1e3:.2f}",
        f"{np.median(theirs) * 1e3:.2f}",
        f"{np.median(theirs / ours):.1f}",
        f"{case.goals[np.dtype(dtype).name] / (2 if args.whole_fits else 1):g}",
    ]
    if args.whole_fits:
        row += [str(n_iters[skmix]), str(n_iters[sklearn.mixture])]
    else:
        share = case.flops / np.median(ours) / args.speed[np.dtype(dtype).name]
        memory = [peak_memory(library, case, X, options) for library in times]
        row += [f"{share:.0%}", *(f"{m:.0f}" for m in memory)]
    scores = [estimators[library].score(X) for library in times]
    row += [f"{score:.6f}" for score in scores]
    cells = {
        "skmix: ms": 1e3 * np.median(ours),
        "scikit-learn: ms": 1e3 * np.median(theirs),
        "ratio": np.median(theirs / ours),
        "skmix: nats": scores[0],
        "scikit-learn: nats": scores[1],
    }
    if not args.whole_fits:
        cells |= {"skmix: MB": memory[0], "scikit-learn: MB": memory[1]}
    table = "fit" if args.whole_fits else "iteration"
    record(table, case=case.name, dtype=np.dtype(dtype).name, repeat=args.repeat, **cells)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=[case.name for case in CASES])
    parser.add_argument("--dtypes", nargs="+", default=["float64", "float32"])
    parser.add_argument("--repeat", type=int, default=3, help="runs of each library")
    parser.add_argument("--whole-fits", action="store_true", help="from k-means to convergence")
    parser.add_argument("--max-iter", type=int, default=100, help="of whole fits")
    parser.add_argument("--seed", type=int, default=0)
    json_option(parser)
    args = parser.parse_args()
    args.speed = {dtype: matrix_speed(dtype) for dtype in args.dtypes}
    speeds = ", ".join(f"{dtype} {speed / 1e9:.0f}" for dtype, speed in args.speed.items())
    print(f"skmix {skmix.__version__}, scikit-learn {sklearn.__version__}, {os.cpu_count()} cores")
    print(f"matrix product, GFLOP/s: {speeds}; seed {args.seed}, {args.repeat} runs each\n")
    per = "ms per fit" if args.whole_fits else "ms per iteration"
    columns = ["case", "dtype", f"skmix {per}", f"scikit-learn {per}", "ratio", "goal"]
    if args.whole_fits:
        columns += ["skmix iterations", "scikit-learn iterations"]
    else:
        columns += ["of matrix speed", "skmix MB", "scikit-learn MB"]
    columns += ["skmix score", "scikit-learn score"]
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for case in CASES:
        if case.name in args.cases:
            for dtype in args.dtypes:
                print("| " + " | ".join(compare(case, dtype, args)) + " |", flush=True)


if __name__ == "__main__":
    main()
