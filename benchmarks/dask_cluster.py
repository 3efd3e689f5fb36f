"""Fits to Dask arrays on a cluster of processes: what a pass costs, and how it scales.

    python benchmarks/dask_cluster.py                          # all tasks, 2 000 000 x 20
    python benchmarks/dask_cluster.py --tasks scaling --rows 10000000
    OMP_NUM_THREADS=1 python benchmarks/dask_cluster.py --json docs/benchmarks/dask_cluster.json

overhead  30 000 x 5 rows, three diagonal Gaussians, in 1, 10 and 100 chunks on two workers: the
          median time of a pass less that of a pass over one array in this process, which has
          nearly nothing to do. One task per chunk, which is what a reduction of Dask does, sums
          the same for comparison.
scaling   Rows of overlapping diagonal Gaussians, made on the workers, K=50, on one worker and on
          two, in turns: the median time of a pass, the time of the fit from its start to its end
          and the likelihood. Workers are LocalCluster(n_workers, threads_per_worker=1).
paper     What 1e9 x 64 rows, K=256, would take on 16 machines of 32 cores, computed: the time per
          row of a pass in one process on one thread, measured on a sample, and the bytes of
          parameters and sums of a pass, counted, which are sent one worker after the other at
          1 GB/s and with the overhead of a pass, 50 ms.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from contextlib import contextmanager
from functools import partial

import cloudpickle
import dask.array as da
import numpy as np
from dask.distributed import Client, LocalCluster
from results import json_option, record
from scale import timed_passes
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from skmix import DiagonalGMM, GaussianMixture
from skmix._engine import em
from skmix._rows import parts
from skmix._rows.sources import ArraySource

MACHINES, CORES, WORKER_THREADS = 16, 32, 4
BYTES_PER_SECOND = 1e9
OVERHEAD = 0.05


def fit(mixture, X, n_rows: int) -> tuple[float, float]:
    """Fit; return the median seconds of a pass, and those of the fit."""
    start = time.perf_counter()
    with timed_passes(n_rows) as (wall, _), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(X)
    return statistics.median(wall), time.perf_counter() - start


def cluster(n_workers: int) -> LocalCluster:
    return LocalCluster(
        n_workers=n_workers, threads_per_worker=1, dashboard_address=None, silence_logs=50
    )


def overhead(args) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30_000, 5)) + rng.choice([-4.0, 0.0, 4.0], size=(30_000, 1))

    def mixture():
        return DiagonalGMM(3, max_iter=args.passes, tol=0.0, random_state=0)

    alone, _ = fit(mixture(), X, len(X))
    print(f"overhead: {1e3 * alone:.1f} ms per pass in this process")
    with cluster(2) as workers, Client(workers) as client:
        for n_chunks in (1, 10, 100):
            D = da.from_array(X, chunks=(-(-len(X) // n_chunks), -1))
            held, _ = fit(mixture(), D, len(X))
            blocks = client.compute(D.to_delayed().ravel().tolist())
            naive = []
            for _ in range(args.passes):
                start = time.perf_counter()
                sum(client.gather(client.map(np.sum, blocks, axis=0, pure=False)))
                naive.append(time.perf_counter() - start)
            row = {
                "chunks": n_chunks,
                "overhead": held - alone,
                "task per chunk": statistics.median(naive),
            }
            print(
                f"{n_chunks:4d} chunks: {1e3 * row['overhead']:6.1f} ms beyond that, one task per "
                f"chunk {1e3 * row['task per chunk']:6.1f} ms",
                flush=True,
            )
            record("overhead", **row)


def made(n_features: int, n_components: int, block_info=None) -> np.ndarray:
    """Return a chunk of rows of overlapping components."""
    (start, stop), _ = block_info[None]["array-location"]
    means = 1.5 * np.random.default_rng(0).normal(size=(n_components, n_features))
    rng = np.random.default_rng(start)
    return means[rng.integers(n_components, size=stop - start)] + rng.normal(
        size=(stop - start, n_features)
    )


def scaling(args) -> None:
    n_chunks = 20
    for turn in range(args.turns):
        for n_workers in (1, 2):
            with cluster(n_workers) as workers, Client(workers):
                sizes = np.diff(np.linspace(0, args.rows, n_chunks + 1).astype(int))
                D = da.map_blocks(
                    partial(made, 20, 50),
                    chunks=(tuple(sizes.tolist()), (20,)),
                    dtype=float,
                    meta=np.empty((0, 0)),
                )
                mixture = DiagonalGMM(50, max_iter=5, tol=0.0, random_state=0)
                one_pass, whole = fit(mixture, D, args.rows)
            row = {"turn": turn, "rows": args.rows, "workers": n_workers}
            row |= {"pass": one_pass, "fit": whole, "nats": mixture.lower_bound_}
            print(
                f"scaling: {args.rows} x 20, K=50, {n_workers} worker(s): {one_pass:.3f} s per "
                f"pass, fit {whole:.1f} s, {row['nats']:.6f} nats",
                flush=True,
            )
            record("scaling", **row)


def paper(args) -> None:
    rng = np.random.default_rng(0)
    means = 1.5 * rng.normal(size=(256, 64))
    n_workers = MACHINES * CORES // WORKER_THREADS
    for kind, n_rows in (("diag", 100_000), ("full", 30_000)):
        X = means[rng.integers(256, size=n_rows)] + rng.normal(size=(n_rows, 64))
        model = GaussianMixture(
            256, covariance_type=kind, max_iter=4, tol=0.0, means_init=means, random_state=0
        )
        with threadpool_limits(1), exact_passes():
            one_pass, _ = fit(model, X, n_rows)
            with ArraySource(X) as source:
                sent, back = bytes_of_pass(source, model)
        arithmetic = one_pass / n_rows * 1e9 / (MACHINES * CORES)
        messages = n_workers * (sent + back) / BYTES_PER_SECOND
        row = {
            "covariances": kind,
            "pass per row": one_pass / n_rows,
            "parameters": sent,
            "sums": back,
            "workers": n_workers,
            "arithmetic": arithmetic,
            "messages": messages,
            "pass": arithmetic + messages + OVERHEAD,
        }
        print(
            f"paper: {kind}, {1e6 * row['pass per row']:.2f} µs per row and thread, "
            f"{sent / 1e6:.2f} MB there and {back / 1e6:.2f} MB back for each of {n_workers} "
            f"workers; computed: {arithmetic:.1f} s of arithmetic, {messages:.2f} s of messages",
            flush=True,
        )
        record("paper", **row)


@contextmanager
def exact_passes():
    """Context in which every pass visits all components, as it does on a cluster."""
    before = ArraySource.random_access
    ArraySource.random_access = False
    try:
        yield
    finally:
        ArraySource.random_access = before


def bytes_of_pass(source, model) -> tuple[int, int]:
    """Bytes that travel to a worker, and back, in a pass of a fitted mixture."""
    counted: list[int] = []

    class Counting(ArraySource):
        def reduce(self, add, zeros, *shape):
            asked = partial(parts._sums, add, zeros, shape)
            counted.append(len(cloudpickle.dumps(partial(parts._of_source, asked, False, None))))
            counted.append(len(cloudpickle.dumps(zeros())))
            return zeros()

    family, params = model._fitted_family()
    with Counting(source.X[:1000]) as counting:
        em.expect(counting, family.prepare(params, counting.dtype))
    return counted[0], counted[1]


TASKS = {"overhead": overhead, "scaling": scaling, "paper": paper}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--rows", type=int, default=2_000_000, help="of scaling")
    parser.add_argument("--turns", type=int, default=3, help="of scaling")
    parser.add_argument("--passes", type=int, default=30, help="of overhead")
    json_option(parser)
    args = parser.parse_args()
    for task in args.tasks:
        TASKS[task](args)


if __name__ == "__main__":
    main()
