"""Small data, one thread, beside scikit-learn: fits, iterations and single rows.

    OMP_NUM_THREADS=1 python benchmarks/small_data.py
    OMP_NUM_THREADS=1 python benchmarks/small_data.py --only fit row --pairs 9

Both libraries take turns in one process; a line shows the medians and the median of the ratios
of the pairs, in processor time, which other work on the machine disturbs least. `reg_covar` is
1e-6 on both sides.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
import warnings
from functools import partial

import numpy as np
import sklearn.mixture
from results import json_option, record
from sklearn.datasets import load_iris

import skmix

TYPES = ("full", "tied", "diag", "spherical")
OURS, PEER = skmix.GaussianMixture, sklearn.mixture.GaussianMixture


def blobs(n, d, k, seed=0):
    """Overlapping clusters of unequal spread."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=n)
    spread = rng.uniform(0.5, 1.5, size=(k, d))
    return 2.5 * rng.normal(size=(k, d))[labels] + spread[labels] * rng.normal(size=(n, d))


def pair(name, ours, peer, n_pairs, calls=1):
    """Print medians of a pair of functions that take turns, and their ratio."""
    ours(), peer()
    times = np.empty((n_pairs, 2))
    for i in range(n_pairs):
        for j, run in enumerate((ours, peer)):
            started = time.process_time()
            for _ in range(calls):
                run()
            times[i, j] = (time.process_time() - started) / calls
    own, other = np.median(times, axis=0) * 1e3
    ratio = np.median(times[:, 0] / times[:, 1])
    record("pairs", case=name, skmix_ms=own, sklearn_ms=other, ratio=ratio)
    print(f"{name:44} {own:10.3f} ms {other:10.3f} ms {ratio:8.2f}", flush=True)


def options(k, kind, **others):
    """Return arguments that both libraries take."""
    return {"n_components": k, "covariance_type": kind, "reg_covar": 1e-6, **others}


def fits(n_pairs):
    """Time default fits, and fits from k-means."""
    shapes = [(50, 2, 2, "full"), (200, 4, 3, "full"), (900, 8, 3, "tied"), (2000, 5, 6, "diag")]
    shapes += [(150, 4, 3, kind) for kind in TYPES] + [(1000, 3, 5, "full")]
    for init in ("auto", "kmeans"):
        for n, d, k, kind in shapes:
            X = load_iris().data if n == 150 else blobs(n, d, k)
            one = options(k, kind, random_state=0)
            pair(
                f"fit {init} {n} x {d}, K={k}, {kind}",
                lambda X=X, one=one, init=init: OURS(**one, init_params=init).fit(X),
                lambda X=X, one=one: PEER(**one).fit(X),
                n_pairs,
            )


def iterations(n_pairs):
    """Time one more iteration on iris: 201 iterations less one, from the same start."""
    X = load_iris().data
    for kind in TYPES:
        start = PEER(**options(3, kind, random_state=0)).fit(X)
        given = {
            "weights_init": start.weights_,
            "means_init": start.means_,
            "precisions_init": start.precisions_,
        }

        def steps(library, n_iter, kind=kind, given=given):
            one = options(3, kind, tol=0.0, max_iter=n_iter, random_state=0)
            return library(**one, **given).fit(X)

        times = np.empty((n_pairs, 2))
        for i in range(n_pairs):
            for j, library in enumerate((OURS, PEER)):
                spent = []
                for n_iter in (1, 201):
                    started = time.process_time()
                    n_iter = steps(library, n_iter).n_iter_
                    spent.append(time.process_time() - started)
                times[i, j] = 1e3 * (spent[1] - spent[0]) / (n_iter - 1)
        own, other = np.median(times, axis=0)
        ratio = np.median(times[:, 0] / times[:, 1])
        case = f"iteration, iris, {kind}"
        record("pairs", case=case, skmix_ms=own, sklearn_ms=other, ratio=ratio)
        print(f"{case:44} {own:10.3f} ms {other:10.3f} ms {ratio:8.2f}")


def single_rows(n_pairs):
    """Time the methods of a fit on one row."""
    X = load_iris().data
    for kind in TYPES:
        ours = OURS(**options(3, kind, random_state=0)).fit(X)
        peer = PEER(**options(3, kind, random_state=0)).fit(X)
        for method in ("predict", "score_samples", "predict_proba"):
            one, other = getattr(ours, method), getattr(peer, method)
            pair(
                f"{method} of one row, {kind}",
                partial(one, X[:1]),
                partial(other, X[:1]),
                n_pairs,
                50,
            )


def many_features(n_pairs):
    """Time fits of few iterations at many features, start included, with memory."""
    rng = np.random.default_rng(0)
    n_pairs = min(n_pairs, 3)
    for n, d, k in ((4000, 600, 4), (4000, 784, 4), (100, 2000, 1)):
        X = rng.normal(size=(k, d))[rng.integers(k, size=n)] + rng.normal(size=(n, d))
        one = options(k, "full", tol=0.0, max_iter=3, random_state=0)

        def fit(library, X=X, one=one):
            return library(**one).fit(X)

        pair(f"3 iterations of {n} x {d}, K={k}", lambda: fit(OURS), lambda: fit(PEER), n_pairs)
        peaks = []
        for library in (OURS, PEER):
            tracemalloc.start()
            fit(library)
            peaks.append(tracemalloc.get_traced_memory()[1] / 2**20)
            tracemalloc.stop()
        print(
            f"{'    memory':44} {peaks[0]:10.0f} MB {peaks[1]:10.0f} MB {peaks[0] / peaks[1]:8.2f}"
        )


def narrow_components(n_pairs):
    """Time iterations in float32 where a few components of many are narrow."""
    n, d, k = 30_000, 64, 100
    rng = np.random.default_rng(0)
    labels = rng.integers(k, size=n)
    centres = 3.0 * rng.normal(size=(k, d))
    for n_narrow in (0, 3):
        spread = np.where(np.arange(k) < n_narrow, 1e-3, 1.0)[labels, None]
        X = (centres[labels] + spread * rng.normal(size=(n, d))).astype(np.float32)
        one = options(k, "full", tol=0.0, max_iter=3, random_state=0)
        given = {
            "weights_init": np.full(k, 1 / k),
            "means_init": centres,
            "precisions_init": np.eye(d)
            / np.where(np.arange(k) < n_narrow, 1e-6, 1)[:, None, None],
        }
        pair(
            f"3 iterations, float32 {n} x {d}, K={k}, {n_narrow} narrow",
            lambda X=X, one=one, given=given: OURS(**one, **given).fit(X),
            lambda X=X, one=one, given=given: PEER(**one, **given).fit(X),
            1,
        )


def selection(n_pairs):
    """Time a selection of 36 candidates."""
    X = blobs(10_000, 2, 4)
    grid = {"n_components": range(1, 10), "covariance_type": TYPES}

    def ours():
        skmix.select_mixture(OURS(random_state=0), X, grid)

    def peer():
        for k in grid["n_components"]:
            for kind in grid["covariance_type"]:
                PEER(k, covariance_type=kind, random_state=0).fit(X).bic(X)

    pair("select_mixture, 10000 x 2, 36 fits", ours, peer, 1)


def categories(n_pairs):
    """Time the default fit of categorical columns."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, size=(120, 3))
    started = time.process_time()
    skmix.CategoricalMixture(2, random_state=0).fit(X)
    print(f"{'CategoricalMixture, 120 x 3':44} {1e3 * (time.process_time() - started):10.1f} ms")


def shared_shape(n_pairs):
    """Time a transform by a scale mixture with noise per row."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 64))
    denoiser = skmix.GSMDenoiser(noise_std=0.3).fit(X)
    noise = rng.uniform(0.2, 0.5, size=len(X))
    for name, given in (("one noise", {}), ("noise per row", {"row_noise_std": noise})):
        started = time.process_time()
        denoiser.transform(X, **given)
        spent = 1e3 * (time.process_time() - started)
        print(f"{'GSMDenoiser.transform, 2000 x 64, ' + name:44} {spent:10.1f} ms")


TABLES = {
    "fit": fits,
    "iteration": iterations,
    "row": single_rows,
    "features": many_features,
    "narrow": narrow_components,
    "selection": selection,
    "categories": categories,
    "shape": shared_shape,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--pairs", type=int, default=7)
    json_option(parser)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{'':44} {'skmix':>13} {'scikit-learn':>13} {'ratio':>8}")
    for name in args.only:
        TABLES[name](args.pairs)


if __name__ == "__main__":
    main()
