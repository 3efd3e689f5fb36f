"""More rows than memory should hold: fits to files beside fits to one array.

    python benchmarks/scale.py                          # 2 000 000 x 32 in float32, 256 MB
    python benchmarks/scale.py --rows 20000000          # 2.6 GB, written to a temporary folder
    OMP_NUM_THREADS=2 python benchmarks/scale.py        # on two cores

files   A mixture of K diagonal Gaussians that overlap is written to .npy files, and fitted by
        DiagonalGMM(K) to Chunks of their paths and to one array in memory, each in a process of
        its own, with default starts and a fixed number of iterations. Reported are the largest
        anonymous memory (RssAnon) beyond that after the imports, which leaves out files that are
        mapped but in the fit to an array counts the array; the median time of a pass of EM over
        all rows, by the clock and of the processor (threads together); the time of the whole fit,
        its start included; and the mean log-likelihood (nats) of 200 000 rows held out.
sklearn scikit-learn's GaussianMixture(covariance_type="diag") on 1 % of the rows, from one start
        of k-means: its memory and time per pass there, and multiplied by 100. It needs all rows
        in memory, and arrays of n_samples x n_components beside them; it has no partial_fit.
        Spark's GaussianMixture reads partitions in every pass as the fits to Chunks do: full
        covariances only, "for high-dimensional data this algorithm may perform poorly", a single
        random start, and a driver that collects the statistics (documentation of
        pyspark.ml.clustering.GaussianMixture, 3.4); it was not run here.

Memory is that of /proc, on Linux only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from sklearn import mixture as sklearn_mixture
from sklearn.exceptions import ConvergenceWarning

from skmix import Chunks, DiagonalGMM
from skmix._mixtures import base

CHUNK_ROWS = 500_000
HELD_OUT = 200_000
MB = 2**20


def anonymous_memory() -> int:
    """Bytes of this process that belong to no file."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no RssAnon: this needs Linux")


class Peak:
    """The largest anonymous memory inside the context, beyond that at its start."""

    def __enter__(self):
        self._before, self._most, self._ended = anonymous_memory(), 0, threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def _watch(self):
        while not self._ended.wait(0.01):
            self._most = max(self._most, anonymous_memory())

    def __exit__(self, *exc):
        self._ended.set()
        self._watcher.join()
        self.bytes = max(self._most, anonymous_memory()) - self._before


def components(args):
    """Means and standard deviations of overlapping components, and a generator of rows."""
    rng = np.random.default_rng(0)
    means = 1.5 * rng.normal(size=(args.components, args.features))
    return means, rng.uniform(0.5, 1.5, size=means.shape), rng


def write(args, folder: Path) -> None:
    """Write the rows, and those held out, to files."""
    means, spreads, rng = components(args)

    def rows(n):
        z = rng.integers(len(means), size=n)
        X = rng.standard_normal((n, args.features), dtype=np.float32)
        return (X * spreads[z] + means[z]).astype(np.float32)

    np.save(folder / "held_out.npy", rows(HELD_OUT))
    for i, start in enumerate(range(0, args.rows, CHUNK_ROWS)):
        np.save(folder / f"part_{i:04d}.npy", rows(min(CHUNK_ROWS, args.rows - start)))


def paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("part_*.npy"))


@contextmanager
def timed_passes(n_rows: int):
    """Context with the seconds of every pass over all rows, by the clock and of the processor."""
    wall: list[float] = []
    cpu: list[float] = []
    run = base.em.em

    def timed_em(source, *rest, **options):
        # Runs on samples are part of the start; this is the one that sees all rows.
        if source.n_samples < n_rows:
            return run(source, *rest, **options)
        inner = options["monitor"]

        class Clock:
            def iteration_begins(self, *values):
                inner.iteration_begins(*values)
                self.start = time.perf_counter(), time.process_time()

            def iteration_ends(self, *values):
                wall.append(time.perf_counter() - self.start[0])
                cpu.append(time.process_time() - self.start[1])
                return inner.iteration_ends(*values)

        options["monitor"] = Clock()
        return run(source, *rest, **options)

    base.em.em = timed_em
    try:
        yield wall, cpu
    finally:
        base.em.em = run


def fit(args, X) -> dict:
    """Fit, with the time of every pass over all rows."""
    mixture = DiagonalGMM(args.components, max_iter=args.iterations, tol=0.0, random_state=0)
    start = time.perf_counter()
    with timed_passes(args.rows) as (wall, cpu), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(X)
    total = time.perf_counter() - start
    held_out = np.load(Path(args.folder) / "held_out.npy")
    return {
        "pass": float(np.median(wall)),
        "pass_cpu": float(np.median(cpu)),
        "fit": total,
        "held_out": mixture.score(held_out),
    }


def of_files(args) -> dict:
    with Peak() as peak:
        found = fit(args, Chunks(paths(Path(args.folder))))
    return {**found, "memory": peak.bytes}


def of_array(args) -> dict:
    with Peak() as peak:
        X = np.empty((args.rows, args.features), dtype=np.float32)
        for i, path in enumerate(paths(Path(args.folder))):
            part = np.load(path)
            X[i * CHUNK_ROWS : i * CHUNK_ROWS + len(part)] = part
        found = fit(args, X)
    return {**found, "memory": peak.bytes}


def of_sklearn(args) -> dict:
    """scikit-learn on 1 % of the rows; time per pass is that of a few more iterations."""
    X = np.load(paths(Path(args.folder))[0], mmap_mode="r")[: max(args.rows // 100, 1000)]

    def run(max_iter):
        model = sklearn_mixture.GaussianMixture(
            args.components, covariance_type="diag", max_iter=max_iter, tol=0.0, random_state=0
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            start = time.perf_counter(), time.process_time()
            model.fit(X)
        return time.perf_counter() - start[0], time.process_time() - start[1], model

    with Peak() as peak:
        few, few_cpu, _ = run(2)
        many, many_cpu, model = run(2 + args.iterations)
    held_out = np.load(Path(args.folder) / "held_out.npy")
    return {
        "pass": (many - few) / args.iterations,
        "pass_cpu": (many_cpu - few_cpu) / args.iterations,
        "fit": many,
        "held_out": model.score(held_out),
        "memory": peak.bytes,
    }


TASKS = {"files": of_files, "array": of_array, "sklearn": of_sklearn}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--features", type=int, default=32)
    parser.add_argument("--components", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--folder", help="of files that are there already")
    parser.add_argument("--run", choices=TASKS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        print(json.dumps(TASKS[args.run](args)))
        return
    with tempfile.TemporaryDirectory(prefix="skmix_scale_") as folder:
        folder = Path(args.folder or folder)
        if not paths(folder):
            write(args, folder)
        shape = f"{args.rows} x {args.features} float32, K={args.components}, diagonal"
        print(f"{shape}, {args.iterations} iterations")
        print(f"{'':8}{'memory':>10}{'pass':>9}{'cpu':>9}{'fit':>9}{'held out':>11}")
        for task in args.tasks:
            command = [sys.executable, __file__, *sys.argv[1:], "--run", task]
            done = subprocess.run(
                [*command, "--folder", str(folder)], check=True, capture_output=True, text=True
            )
            r = json.loads(done.stdout)
            print(
                f"{task:8}{r['memory'] / MB:7.0f} MB{r['pass']:7.2f} s{r['pass_cpu']:7.2f} s"
                f"{r['fit']:7.1f} s{r['held_out']:11.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
