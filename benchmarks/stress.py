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
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from calls import Call

from skmix._mixtures import categorical_fit


def inputs(args) -> int:
    """Every call has a sound result, or an error that names a parameter or column."""
    categorical_fit.N_SHORT_RUNS = 2  # interfaces are looked at, not optima
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


SECTIONS = {"inputs": inputs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="all by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--calls", type=int, default=2000, help="random calls of inputs")
    parser.add_argument("--only", type=int, help="the number of one call of inputs, to repeat it")
    args = parser.parse_args()
    broken = sum(SECTIONS[name](args) for name in args.sections or SECTIONS)
    sys.exit(f"{broken} broken" if broken else 0)


if __name__ == "__main__":
    main()
