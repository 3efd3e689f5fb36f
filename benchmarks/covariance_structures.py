"""All covariance structures beside R's mclust: likelihoods, BIC on wine, speed.

    python benchmarks/covariance_structures.py --data-sets acidity precip diabetes iris
    python benchmarks/covariance_structures.py             # all seven data sets
    python benchmarks/covariance_structures.py --only wine     # or speed

The folder of the data (--data or SKMIX_DATA) has `mclust/mclust.csv`, the fits of mclust 6.0.0
(14 structures, 1 to 9 components, its default start, no prior), and the data sets beside it.
skmix fits the same with tol=1e-6, max_iter=2000, random_state=0 and all else at its default. A
cell meets the goal if its log-likelihood (nats, of all rows) is at least mclust's - 0.01. Cells
in which mclust's fit is a spike (its column says so) are left out.
"""

from __future__ import annotations

import csv
import time
import warnings
from collections import Counter
from pathlib import Path

from datasets import argument_parser, load_table, parse

from skmix import GaussianMixture

DATA_SETS = ("acidity", "precip", "diabetes", "iris", "banknote", "cross", "chevron")
DIAGONAL = ["EII", "VII", "EEI", "VEI", "EVI", "VVI"]
STRUCTURES = [*DIAGONAL, "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV"]
ONE_DIMENSIONAL = {"E": "EII", "V": "VII"}
OPTIONS = {"tol": 1e-6, "max_iter": 2000, "random_state": 0}
TOLERANCE = 0.01


def read_cells(folder: Path) -> list[dict[str, str]]:
    with open(folder / "mclust.csv", newline="") as file:
        return list(csv.DictReader(file))


def fit(X, structure, n_components, **options):
    """Return the mixture and the seconds it took."""
    mixture = GaussianMixture(n_components, covariance_type=structure, **OPTIONS, **options)
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixture.fit(X)
    return mixture, time.perf_counter() - started


def compare(folder: Path, data_set: str, kinds: list[str], *, verbose: bool) -> Counter:
    """Fit every cell of one data set; print those that miss the goal, return counts."""
    X = load_table(folder / f"{data_set}.csv")
    counts: Counter = Counter()
    for cell in read_cells(folder):
        structure = ONE_DIMENSIONAL.get(cell["model"], cell["model"])
        if cell["data"] != data_set or cell["spike"] == "1" or structure not in kinds:
            continue
        n_components = int(cell["G"])
        mixture, seconds = fit(X, structure, n_components)
        behind = float(cell["loglik"]) - mixture.score(X) * len(X)
        assert mixture._n_parameters() == int(cell["df"]), "the models differ"
        counts.update(cells=1, met=behind <= TOLERANCE, above=behind < -TOLERANCE)
        counts["seconds"] += seconds
        counts["mclust seconds"] += float(cell["seconds"])
        if behind > TOLERANCE or verbose:
            at = f"{data_set} {structure},{n_components}"
            smallest = mixture.weights_.min() * len(X)
            print(f"    {at}: {-behind:+.3f} nats ({seconds:.2f} s, smallest {smallest:.1f} rows)")
    print(f"{data_set}: {line_of(counts)}", flush=True)
    return counts


def line_of(counts: Counter) -> str:
    n = max(counts["cells"], 1)
    return (
        f"{counts['met']} of {counts['cells']} cells at least mclust's ({counts['met'] / n:.1%}), "
        f"{counts['above']} above ({counts['above'] / n:.1%}); {counts['seconds']:.1f} s, mclust "
        f"{counts['mclust seconds']:.1f} s on another machine"
    )


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--data-sets", nargs="*", default=DATA_SETS, choices=DATA_SETS)
    parser.add_argument("--structures", nargs="*", default=STRUCTURES, choices=STRUCTURES)
    parser.add_argument("--verbose", action="store_true", help="print every cell")
    args = parse(parser)
    total: Counter = Counter()
    for data_set in args.data_sets:
        total += compare(args.data / "mclust", data_set, args.structures, verbose=args.verbose)
    print(f"All: {line_of(total)}. Goals: 99 % and 50 %")


if __name__ == "__main__":
    main()
