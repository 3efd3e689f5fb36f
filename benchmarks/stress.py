"""Whether anything breaks: bad input, interrupted fits, broken files, thousands of fits.

    python benchmarks/stress.py
    python benchmarks/stress.py inputs --seed 3 --calls 20000
    python benchmarks/stress.py inputs --seed 3 --only 817

Sections: inputs (random calls of everything public, `tests/calls.py`), faults, files, memory. The
numbers are chosen for a few minutes in all; every section takes as many as are asked for. Each
prints its counts and its seed, and the run ends in error if any call did what it must not.
"""

from __future__ import annotations

import argparse
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
from faults import interrupted, lines, load_damaged, surroundings
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
    return found["bug"]


def groups(n_samples: int = 60) -> tuple[np.ndarray, np.ndarray]:
    y = np.arange(n_samples) % 3
    X = np.random.default_rng(0).normal(size=(n_samples, 2)) + 4.0 * np.eye(3)[y][:, :2]
    return np.clip(np.round(X - X.min()), 0.0, 4.0), y


def faults(args) -> int:
    """An interrupted fit leaves the earlier fit, threads, limits and filters as they were."""
    rng, broken, done = np.random.default_rng(args.seed), 0, 0
    X, y = groups()
    firsts = [row.instances[0] for row in TABLE.values()]
    while done < args.points:
        estimator = firsts[done % len(firsts)]
        fitted = clone(estimator).fit(X, y)
        learned, outside = dict(vars(fitted)), surroundings()
        n_lines = lines(lambda: clone(estimator).fit(X[:40], y[:40]))  # noqa: B023
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
    return broken + threads(args)


def threads(args) -> int:
    """Sixteen threads fit, predict and limit BLAS at once, and all find the same bits."""
    X, _ = groups(600)
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
    return broken


def files(args) -> int:
    """Damaged files are refused by ValueError or read, in memory of twice the file."""
    rng, found, broken = np.random.default_rng(args.seed), [], 0
    with tempfile.TemporaryDirectory() as folder:
        prior, image, path = (Path(folder) / name for name in ("prior", "image", "damaged"))
        save_prior(prior, GMMDenoiser.from_parameters([1.0], [np.zeros(64)], [np.eye(64)]))
        compress(np.random.default_rng(0).random((200, 200)), 16, random_state=0).save(image)
        for number in range(args.files):
            load, good = ((load_prior, prior), (CompressedImage.load, image))[number % 2]
            try:
                found.append(load_damaged(load, good.read_bytes(), path, rng))
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
    return broken + (most > 1.0)


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
    return int(last - first > 8.0)


SECTIONS = {"inputs": inputs, "faults": faults, "files": files, "memory": memory}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="all by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--calls", type=int, default=2000, help="random calls of inputs")
    parser.add_argument("--only", type=int, help="the number of one call of inputs, to repeat it")
    parser.add_argument("--points", type=int, default=200, help="interrupted fits of faults")
    parser.add_argument("--seconds", type=float, default=20.0, help="of the threads of faults")
    parser.add_argument("--files", type=int, default=1000, help="damaged files")
    parser.add_argument("--fits", type=int, default=2000, help="fits of memory")
    args = parser.parse_args()
    categorical_fit.N_SHORT_RUNS = 2  # interfaces are looked at, not optima
    warnings.simplefilter("ignore")
    broken = sum(SECTIONS[name](args) for name in args.sections or SECTIONS)
    sys.exit(f"{broken} broken" if broken else 0)


if __name__ == "__main__":
    main()
