"""Whether anything breaks: bad input, interrupted fits, broken files, thousands of fits.

    python benchmarks/stress.py
    python benchmarks/stress.py inputs --seed 3 --calls 20000
    python benchmarks/stress.py inputs --seed 3 --only 817

Sections: inputs (random calls of everything public, `tests/calls.py`), faults, processes, files,
memory. The numbers are chosen for a few minutes in all; every section takes as many as are asked
for. Each prints its counts and its seed, and the run ends in error if any call did what it must
not.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from calls import Call
from estimators import TABLE
from faults import (
    blas_limits,
    fitting,
    in_child,
    interrupted,
    lines,
    load_chunk,
    load_damaged,
    scores,
    seen_in_child,
    surroundings,
)
from joblib import Parallel, delayed
from results import json_option, record
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from skmix import GaussianMixture, GMMDenoiser
from skmix._mixtures import categorical_fit
from skmix.image import CompressedImage, compress, load_prior, save_prior


def inputs(args) -> int:
    """Every call has a sound result, or an error that names a parameter or column."""
    found: Counter[str] = Counter()
    begin = time.perf_counter()
    for index in range(args.calls) if args.only is None else [args.only]:
        outcome = Call(args.seed, index).run()
        found[outcome.kind] += 1
        if outcome.kind == "bug":
            print(f"call {index}: {outcome.call}\n{outcome.text}\n", flush=True)
        if outcome.seconds > 10.0:
            print(f"call {index} took {outcome.seconds:.0f} s: {outcome.call}", flush=True)
    print(
        f"inputs: {found.total()} calls, seed {args.seed}: {found['result']} sound results, "
        f"{found['error']} errors that say what is wrong, {found['bug']} bugs "
        f"({time.perf_counter() - begin:.0f} s)",
        flush=True,
    )
    outcome = f"{found['result']} sound results, {found['error']} errors that say what is wrong"
    note("inputs", "random calls", found.total(), found["bug"], outcome)
    return found["bug"]


def blobs(n_samples: int) -> np.ndarray:
    centres = 4.0 * np.eye(3)[np.arange(n_samples) % 3][:, :2]
    return np.random.default_rng(0).normal(size=(n_samples, 2)) + centres


def groups(n_samples: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers from 0 to 4, which all estimators take, and labels."""
    X = blobs(n_samples)
    return np.clip(np.round(X - X.min()), 0.0, 4.0), np.arange(n_samples) % 3


def faults(args) -> int:
    """An interrupted fit leaves the earlier fit, threads, limits and filters as they were."""
    rng, broken, done = np.random.default_rng(args.seed), 0, 0
    X, y = groups()
    firsts = [row.instances[0] for row in TABLE.values()]
    while done < args.points:
        estimator = firsts[done % len(firsts)]
        fitted = clone(estimator).fit(X, y)
        learned, outside = dict(vars(fitted)), surroundings()
        again = clone(estimator).fit(X, y)  # a first fit runs a few lines more
        n_lines = lines(lambda: again.fit(X[:40], y[:40]))  # noqa: B023
        error = (KeyboardInterrupt, MemoryError)[rng.integers(2)]
        try:
            interrupted(lambda: fitted.fit(X[:40], y[:40]), error, int(rng.integers(n_lines)) + 1)  # noqa: B023
        except error:
            pass
        else:
            print(f"{estimator!r} swallows {error.__name__}", flush=True)
            broken += 1
        kept = vars(fitted).keys() == learned.keys() and all(
            vars(fitted)[name] is value for name, value in learned.items()
        )
        if not kept or surroundings() != outside:
            print(f"{estimator!r}, {error.__name__}: fit kept: {kept}", flush=True)
            broken += 1
        done += 1
    print(f"faults: {done} interrupted fits, seed {args.seed}: {broken} broken", flush=True)
    note("faults", "interrupted fits", done, broken, "the earlier fit, threads and limits kept")
    return broken + threads(args)


def threads(args) -> int:
    """Sixteen threads fit, predict and limit BLAS at once, and all find the same bits."""
    X = blobs(600)
    mixture = GaussianMixture(3, random_state=0).fit(X)
    expected = mixture.score_samples(X).tobytes()
    end = time.monotonic() + args.seconds

    def work(number: int) -> list[bool]:
        same = []
        while time.monotonic() < end:
            with threadpool_limits(1 + number % 3):
                own = GaussianMixture(3, random_state=0).fit(X)
            same += [m.score_samples(X).tobytes() == expected for m in (own, mixture)]
        return same

    with ThreadPoolExecutor(16) as pool:
        found = [same for part in pool.map(work, range(16)) for same in part]
    broken = found.count(False)
    print(f"threads: {len(found)} results of 16 threads: {broken} differ", flush=True)
    outcome = f"16 threads for {args.seconds:g} s: the same bits"
    note("threads", "fits and predictions", len(found), broken, outcome)
    return broken


def processes(args) -> int:
    """Children that start amid a fit, and workers of joblib, find the same bits."""
    X = blobs(600)
    expected, limits, found = scores(X), blas_limits(), Counter()
    with fitting(X):
        for method in multiprocessing.get_all_start_methods():
            for _ in range(args.children):
                seen, bits = in_child(method, seen_in_child, X)
                found[method, bits == expected and (method != "fork" or seen == limits)] += 1
        for backend in ("loky", "threading", "multiprocessing"):
            tasks = (delayed(scores)(X) for _ in range(4 * args.children))
            for bits in Parallel(n_jobs=2, backend=backend, timeout=120)(tasks):
                found[backend, bits == expected] += 1
    broken = sum(number for (_, same), number in found.items() if not same)
    kinds = ", ".join(f"{number} by {kind}" for (kind, same), number in found.items() if same)
    print(f"processes: amid a fit {kinds}: {broken} differ", flush=True)
    note("processes", "starts amid a fit", found.total(), broken, "the same bits and limits")
    return broken


def files(args) -> int:
    """Damaged files are refused by ValueError or read, in memory of twice the file."""
    rng, broken = np.random.default_rng(args.seed), 0
    found = []
    with tempfile.TemporaryDirectory() as folder:
        good = {name: Path(folder) / name for name in ("prior", "image", "rows.npy")}
        save_prior(good["prior"], GMMDenoiser.from_parameters([1.0], [np.zeros(64)], [np.eye(64)]))
        compress(np.random.default_rng(0).random((200, 200)), 16, random_state=0).save(
            good["image"]
        )
        np.save(good["rows.npy"], blobs(600))
        loads = (load_prior, CompressedImage.load, load_chunk)
        loaders = list(zip(loads, good.values(), strict=True))
        for number in range(args.files):
            load, path = loaders[number % len(loaders)]
            damaged = Path(folder) / f"damaged{path.suffix}"
            try:
                found.append(load_damaged(load, path.read_bytes(), damaged, rng))
            except Exception as error:
                print(f"file {number}: {type(error).__name__}: {error}", flush=True)
                broken += 1
    most = max(beyond for _, beyond in found) / 1e6
    refused = sum(refused for refused, _ in found)
    print(
        f"files: {args.files} damaged, seed {args.seed}: {refused} refused, "
        f"{len(found) - refused} read, {broken} other errors, at most {most:.2f} MB beyond twice "
        "the file",
        flush=True,
    )
    broken += most > 1.0
    note("files", "damaged files", args.files, broken, f"{refused} refused, the others read")
    return broken


def memory(args) -> int:
    """Resident memory after many fits is that after few."""
    X, y = groups()
    firsts = [row.instances[0] for row in TABLE.values()]
    resident = []
    for number in range(args.fits):
        clone(firsts[number % len(firsts)]).fit(X, y)
        if number in (args.fits // 4, args.fits - 1):
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
            resident.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
    first, last = resident
    print(
        f"memory: {first:.1f} MB after a quarter, {last:.1f} MB after all {args.fits} fits",
        flush=True,
    )
    broken = int(last - first > 8.0)
    outcome = f"{first:.0f} MB after a quarter of them, {last:.0f} MB after all"
    note("memory", "fits in one process", args.fits, broken, outcome)
    return broken


def note(section: str, what: str, n_tries: int, broken: int, outcome: str) -> None:
    record(
        "stress", section=section, what=what, tries=n_tries, broken=int(broken), outcome=outcome
    )


SECTIONS = {
    "inputs": inputs, "faults": faults, "processes": processes, "files": files, "memory": memory,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="all by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--calls", type=int, default=2000, help="random calls of inputs")
    parser.add_argument("--only", type=int, help="the number of one call of inputs, to repeat it")
    parser.add_argument("--points", type=int, default=200, help="interrupted fits of faults")
    parser.add_argument("--seconds", type=float, default=20.0, help="of the threads of faults")
    parser.add_argument("--children", type=int, default=4, help="of each kind in processes")
    parser.add_argument("--files", type=int, default=1000, help="damaged files")
    parser.add_argument("--fits", type=int, default=2000, help="fits of memory")
    json_option(parser)
    args = parser.parse_args()
    categorical_fit.N_SHORT_RUNS = 2  # interfaces are looked at, not optima
    warnings.simplefilter("ignore")
    broken = sum(SECTIONS[name](args) for name in args.sections or SECTIONS)
    sys.exit(f"{broken} broken" if broken else 0)


if __name__ == "__main__":
    main()
