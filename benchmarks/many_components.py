"""Fits with many components: passes that visit what can matter to a row, beside exact ones.

    python benchmarks/many_components.py                              # every case
    python benchmarks/many_components.py --cases "diag synthetic"     # one of them
    python benchmarks/many_components.py --growth                     # time of a pass, by K

Both fits start from the same clusters and make the same number of iterations. Times are those of
the processor, so that they do not depend on what else the machine does; run with OMP_NUM_THREADS=1
to leave out what two threads cost each other. The ratio is that of whole fits, with the exact
passes that both begin and end with, and those that look for candidates. The likelihood (nats per
row) is that of all components at the end of either fit.
"""

from __future__ import annotations

import argparse
import contextlib
import time
import warnings
from typing import NamedTuple

import datasets
import numpy as np
from sklearn.cluster import MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning

from skmix import GaussianMixture
from skmix._engine import em, truncated


class Case(NamedTuple):
    name: str
    rows: callable  # (data folder, n_samples, rng) -> rows
    covariance_type: str
    n_samples: int
    n_components: int
    goal: float


def digits(data, n_samples, rng, n_axes=32):
    """Digits as they are and moved by a pixel to five places, on their first principal axes."""
    train, _, test, _ = datasets.load_images(data / "mnist")
    images = np.concatenate([train, test]).reshape(-1, 28, 28)
    moves = [(0, 0), (1, 0), (0, 1), (-1, 0), (0, -1)][: -(-n_samples // len(images))]
    X = np.concatenate([np.roll(images, move, (1, 2)).reshape(-1, 784) for move in moves])
    X = X[rng.permutation(len(X))[:n_samples]]
    X -= X.mean(axis=0)
    axes = np.linalg.eigh(X[:50_000].T @ X[:50_000])[1][:, : -n_axes - 1 : -1]
    return np.ascontiguousarray(X @ axes)


def patches(data, n_samples, rng, size=8):
    """Patches of photographs less their means."""
    images = datasets.load_gray(data / "bsd-train400")
    X = np.empty((n_samples, size * size))
    for row in X:
        image = images[rng.integers(len(images))]
        i, j = (rng.integers(n - size + 1) for n in image.shape)
        row[:] = image[i : i + size, j : j + size].ravel()
    X -= X.mean(axis=1, keepdims=True)
    return X + 1e-3 * rng.standard_normal(X.shape)


def blobs(n_features, n_blobs, *, full):
    """Rows of so many Gaussians whose means lie two standard deviations apart per column."""

    def rows(data, n_samples, rng):
        centres = 2.0 * rng.standard_normal((n_blobs, n_features))
        labels = rng.integers(n_blobs, size=n_samples)
        X = rng.standard_normal((n_samples, n_features))
        if full:
            maps = rng.standard_normal((n_blobs, n_features, n_features)) / n_features**0.5
            order = np.argsort(labels)
            edges = np.searchsorted(labels[order], np.arange(n_blobs + 1))
            for k in range(n_blobs):
                own = order[edges[k] : edges[k + 1]]
                X[own] = X[own] @ maps[k] + 0.3 * rng.standard_normal((len(own), n_features))
        return X + centres[labels]

    return rows


CASES = [
    Case("diag digits", digits, "diag", 200_000, 1024, 8.0),
    Case("diag synthetic", blobs(32, 1024, full=False), "diag", 200_000, 1024, 8.0),
    Case("full patches", patches, "full", 200_000, 200, 5.0),
    Case("full synthetic", blobs(20, 500, full=True), "full", 100_000, 500, 8.0),
    Case("diag, few components", blobs(32, 32, full=False), "diag", 200_000, 32, 1.0),
]


def clusters(X, case):
    """Weights, means, precisions of k-means clusters; of patches, by direction and contrast."""
    seen = X
    if case.rows is patches:
        contrast = np.linalg.norm(X, axis=1, keepdims=True)
        seen = np.hstack([X / contrast * np.sign(X[:, :1]), np.log(contrast) / 2.0])
    kmeans = MiniBatchKMeans(case.n_components, n_init=1, max_iter=20, random_state=0)
    labels = kmeans.fit_predict(seen)
    counts = np.bincount(labels, minlength=case.n_components) + 1.0
    overall = X.var(axis=0)
    means, precisions = [], []
    for k in range(case.n_components):
        own = X[labels == k] if (labels == k).sum() > 4 else X[k : k + 5]
        mean = np.zeros(X.shape[1]) if case.rows is patches else own.mean(axis=0)
        means.append(mean)
        if case.covariance_type == "diag":
            precisions.append(1.0 / (((own - mean) ** 2).mean(axis=0) + 0.01 * overall))
        else:
            ridge = 0.01 * overall.mean() * np.eye(X.shape[1])
            inverse = np.linalg.inv((own - mean).T @ (own - mean) / len(own) + ridge)
            precisions.append(0.5 * (inverse + inverse.T))
    return {
        "weights_init": counts / counts.sum(),
        "means_init": np.array(means),
        "precisions_init": np.array(precisions),
    }


@contextlib.contextmanager
def all_exact(exact):
    """Context in which all passes are exact, if asked for."""
    before = truncated.MIN_COMPONENTS
    truncated.MIN_COMPONENTS = 2**30 if exact else before
    try:
        yield
    finally:
        truncated.MIN_COMPONENTS = before


class Clock(NamedTuple):
    """Processor time of a fit (s), of each of its iterations, and which of these are exact."""

    fit: float
    steps: list
    exact: list


def timed_fit(X, case, start, n_iter, *, exact):
    steps, were_exact = [], []
    em_step = em.em_step

    def step(*args, truncation=None, **options):
        begin = time.process_time()
        made = em_step(*args, truncation=truncation, **options)
        steps.append(time.process_time() - begin)
        were_exact.append(truncation is None or truncation.exact)
        return made

    mixture = GaussianMixture(
        case.n_components,
        covariance_type=case.covariance_type,
        max_iter=n_iter,
        tol=0.0,
        **start,
    )
    em.em_step = step
    try:
        with all_exact(exact), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            begin = time.process_time()
            mixture.fit(X)
            return mixture, Clock(time.process_time() - begin, steps, were_exact)
    finally:
        em.em_step = em_step


def compare(case, args):
    n_samples = args.n_samples or case.n_samples
    rng = np.random.default_rng(0)
    X = case.rows(args.data, n_samples, rng).astype(args.dtype)
    start = clusters(X, case)
    ours, clock = timed_fit(X, case, start, args.n_iter, exact=False)
    theirs, dense = timed_fit(X, case, start, args.n_iter, exact=True)
    short = [s for s, exact in zip(clock.steps, clock.exact, strict=True) if not exact]
    columns = [
        f"{case.name} {n_samples} x {X.shape[1]}, K={case.n_components}",
        f"{np.median(dense.steps):.2f}",
        f"{np.median(short):.2f}" if short else "-",
        f"{sum(clock.exact)} of {len(clock.exact)}",
        f"{dense.fit:.1f}",
        f"{clock.fit:.1f}",
        f"{dense.fit / clock.fit:.2f}",
        f"{case.goal:g}",
        f"{theirs.lower_bound_:.4f}",
        f"{ours.lower_bound_ - theirs.lower_bound_:+.1e}",
    ]
    print("| " + " | ".join(columns) + " |", flush=True)


def growth(args):
    print("| K | exact pass (s) | pass by candidates (s) |\n|---|---|---|")
    rng = np.random.default_rng(0)
    X = digits(args.data, args.n_samples or 200_000, rng).astype(args.dtype)
    for n_components in (256, 512, 1024, 2048):
        case = Case("growth", digits, "diag", len(X), n_components, 2.5)
        _, clock = timed_fit(X, case, clusters(X, case), 8, exact=False)
        times = [
            np.median([s for s, e in zip(clock.steps, clock.exact, strict=True) if e == exact])
            for exact in (True, False)
        ]
        print(f"| {n_components} | {times[0]:.2f} | {times[1]:.2f} |", flush=True)


def main():
    parser = datasets.argument_parser(__doc__)
    parser.add_argument("--cases", nargs="+", default=[case.name for case in CASES])
    parser.add_argument("--n-iter", type=int, default=50)
    parser.add_argument("--n-samples", type=int, help="rows, instead of those of the case")
    parser.add_argument("--dtype", default="float64", choices=["float64", "float32"])
    parser.add_argument("--growth", action=argparse.BooleanOptionalAction, default=False)
    args = datasets.parse(parser)
    if args.growth:
        growth(args)
        return
    columns = ["case", "exact pass (s)", "other passes (s)", "exact passes", "all exact (s)"]
    columns += ["fit (s)", "ratio", "goal", "likelihood, all exact", "difference"]
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for case in CASES:
        if case.name in args.cases:
            compare(case, args)


if __name__ == "__main__":
    main()
