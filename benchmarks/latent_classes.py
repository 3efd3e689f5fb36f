"""Latent class models: optima, speed and memory of skmix, beside StepMix where it is installed.

    python -m pip install ".[benchmarks]"
    SKMIX_DATA=... python benchmarks/latent_classes.py                 # every part
    SKMIX_DATA=... python benchmarks/latent_classes.py --parts speed   # or some

`optima` fits every published example with many seeds and default settings. `speed` times one EM
pass (the difference of two fits, divided by the passes between them; encoding cancels) and whole
default fits; both libraries run in turn, and medians of pairs are printed with the likelihood
reached. `large` fits a million rows in bounded memory. `classify` compares unlabelled classes with
known ones, and the Bayes classifier with naive Bayes by cross-validation.

Peak memory is what numpy allocates beyond the data (tracemalloc), in a run that is not timed.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import sklearn
from results import json_option, record
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.naive_bayes import CategoricalNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from threadpoolctl import threadpool_info

import skmix

try:
    from stepmix.stepmix import StepMix
except ImportError:
    StepMix = None

# poLCA manual 1.4; Linzer and Lewis, J. Stat. Softw. 42(10), 2011 (doi 10.18637/jss.v042.i10).
PUBLISHED = [
    ("values", 4, False, {1: -543.6498, 2: -504.4677, 3: -503.3011}),
    ("gss82", 4, False, {2: -2783.268, 3: -2754.545, 4: -2746.621}),
    ("cheating", 4, False, {2: -440.0271}),
    ("election", 12, True, {1: -18647.31, 2: -17344.92, 3: -16714.66, 4: -16350.59}),
    ("election", 12, False, {1: -23782.306, 2: -22127.913, 3: -21311.536}),
]


def data_dir():
    folder = os.environ.get("SKMIX_DATA")
    if not folder:
        raise SystemExit("Set SKMIX_DATA to the folder of real data sets.")
    return Path(folder)


def polca(name, n_items, complete):
    path = data_dir() / "polca" / f"{name}.csv"
    X = np.genfromtxt(path, delimiter=",", skip_header=1)[:, :n_items]
    return X[~np.isnan(X).any(axis=1)] if complete else X


def uci(name):
    """Answers as strings, None where blank, and the known classes."""
    with open(data_dir() / "uci-categorical" / f"{name}.csv") as file:
        table = np.array(list(csv.reader(file))[1:], dtype=object)
    return np.where(table[:, 1:] == "", None, table[:, 1:]), table[:, 0]


def simulate(n_samples, n_features, n_levels, n_components, seed):
    """Integer codes of a latent class model."""
    rng = np.random.default_rng(seed)
    tables = rng.dirichlet(np.full(n_levels, 0.5), size=(n_components, n_features))
    labels = rng.integers(n_components, size=n_samples)
    X = np.empty((n_samples, n_features), dtype=np.int64)
    for j in range(n_features):
        limits = np.cumsum(tables[:, j], axis=1)[labels, :-1]
        X[:, j] = (rng.random(n_samples)[:, None] > limits).sum(axis=1)
    return X


def table(*columns):
    print("\n| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))


def row(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def optima(args):
    table(
        "data", "classes", "published", "best", "worst", "seeds within 1e-3 of best", "s per fit"
    )
    for name, n_items, complete, figures in PUBLISHED:
        X = polca(name, n_items, complete)
        for n_components, published in figures.items():
            start = time.perf_counter()
            found = np.array(
                [
                    skmix.CategoricalMixture(n_components, random_state=seed).fit(X).score(X)
                    for seed in range(args.seeds)
                ]
            ) * len(X)
            lapse = (time.perf_counter() - start) / args.seeds
            hits = np.mean(found >= max(found.max(), published) - 1e-3 - half_digit(published))
            record(
                "optima",
                data=name,
                rows=len(X),
                columns=n_items,
                complete_rows=complete,
                classes=n_components,
                published=published,
                best=found.max(),
                worst=found.min(),
                share=hits,
                seeds=args.seeds,
                seconds=lapse,
            )
            row(
                f"{name}{', complete rows' if complete else ''} ({len(X)} x {n_items})",
                n_components,
                published,
                f"{found.max():.4f}",
                f"{found.min():.4f}",
                f"{hits:.0%}",
                f"{lapse:.2f}",
            )


def half_digit(figure):
    """Half a unit of the last digit printed, by which a published figure may be rounded."""
    return 0.5 * 10.0 ** -len(str(figure).partition(".")[2])


def fit_time(make, X):
    start = time.perf_counter()
    model = make().fit(X)
    return time.perf_counter() - start, model


def ours(n_components, **options):
    return lambda: skmix.CategoricalMixture(n_components, random_state=0, **options)


def theirs(n_components, **options):
    options = {"measurement": "categorical", "progress_bar": 0, "random_state": 0, **options}
    return lambda: StepMix(n_components, **options)


def pass_time(make, X, few, many):
    """Seconds per pass."""
    n_passes = many["max_iter"] - few["max_iter"]
    return (fit_time(make(**many), X)[0] - fit_time(make(**few), X)[0]) / n_passes


def speed(args):
    if StepMix is None:
        print("\nStepMix is not installed: its columns are left out.")
    X, _ = uci("mushroom")
    mushroom = np.stack([np.unique(c.astype(str), return_inverse=True)[1] for c in X.T], axis=1)
    cases = {
        "10 000 x 100 binary, K=8": (simulate(10_000, 100, 2, 8, args.seed), 8),
        "mushroom 8124 x 22, K=10": (mushroom, 10),
    }
    table(
        "case",
        "ms per pass, skmix",
        "StepMix",
        "ratio",
        "s per default fit, skmix",
        "StepMix n_init=20",
        "ratio",
        "log-likelihood, skmix",
        "StepMix",
        "MB, skmix",
    )
    for name, (codes, n_components) in cases.items():
        passes, fits = {"ours": [], "theirs": []}, {"ours": [], "theirs": []}
        for _ in range(args.repeat):
            few, many = ({"init_params": "random", "tol": 0.0, "max_iter": n} for n in (20, 220))
            make = lambda **options: ours(n_components, **options)  # noqa: B023, E731
            passes["ours"].append(1e3 * pass_time(make, codes, few, many))
            if StepMix is not None:
                few, many = ({"abs_tol": 0, "rel_tol": 0, "max_iter": n} for n in (5, 25))
                make = lambda **options: theirs(n_components, **options)  # noqa: B023, E731
                passes["theirs"].append(1e3 * pass_time(make, codes, few, many))
        for _ in range(1 if args.repeat == 1 else 3):
            lapse, mine = fit_time(ours(n_components), codes)
            fits["ours"].append(lapse)
        their_score = float("nan")
        if StepMix is not None:
            lapse, peer = fit_time(theirs(n_components, n_init=20), codes)
            fits["theirs"].append(lapse)
            their_score = peer.score(codes) * len(codes)
        score, memory = mine.score(codes) * len(codes), peak_memory(ours(n_components), codes)
        record(
            "speed",
            case=name,
            pass_ms=np.median(passes["ours"]),
            stepmix_pass_ms=np.median(passes["theirs"]) if passes["theirs"] else None,
            fit_seconds=np.median(fits["ours"]),
            stepmix_fit_seconds=np.median(fits["theirs"]) if fits["theirs"] else None,
            log_likelihood=score,
            stepmix_log_likelihood=their_score if fits["theirs"] else None,
            mb=memory,
        )
        row(
            name,
            f"{np.median(passes['ours']):.2f}",
            *ratio_cells(passes),
            f"{np.median(fits['ours']):.2f}",
            *ratio_cells(fits),
            f"{score:.2f}",
            f"{their_score:.2f}",
            f"{memory:.0f}",
        )


def ratio_cells(times):
    if not times["theirs"]:
        return "", ""
    mine, peer = np.median(times["ours"]), np.median(times["theirs"])
    return f"{peer:.2f}", f"{peer / mine:.0f}"


def peak_memory(make, X):
    tracemalloc.start()
    try:
        make().fit(X)
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def large(args):
    X = simulate(1_000_000, 20, 4, 10, args.seed)
    lapse, mixture = fit_time(ours(10), X)
    memory = peak_memory(ours(10), X)
    record(
        "large",
        case="1 000 000 x 20 items of 4 levels, K=10",
        seconds=lapse,
        passes=mixture.n_iter_,
        mb=memory,
        nats=mixture.lower_bound_,
    )
    table("case", "s per fit", "passes over all rows", "converged", "MB beyond X", "nats per row")
    row(
        "1 000 000 x 20 items of 4 levels, K=10",
        f"{lapse:.1f}",
        mixture.n_iter_,
        mixture.converged_,
        f"{memory:.0f}",
        f"{mixture.lower_bound_:.4f}",
    )


def classify(args):
    table("data", "classes", "adjusted Rand index", "error of the majority in each class")
    sets = {name: uci(name) for name in ("house_votes84", "mushroom")}
    for name, (X, y) in sets.items():
        for n_components in (2, 10) if name == "mushroom" else (2, 4):
            labels = skmix.CategoricalMixture(n_components, random_state=0).fit_predict(X)
            right = sum(
                np.unique(y[labels == k], return_counts=True)[1].max() for k in np.unique(labels)
            )
            index = adjusted_rand_score(y, labels)
            row(name, n_components, f"{index:.3f}", f"{1 - right / len(y):.4f}")
    folds = StratifiedKFold(10, shuffle=True, random_state=args.seed)
    table("data", "classifier", "error, 10-fold cross-validation")
    for name, (X, y) in sets.items():
        naive = make_pipeline(
            SimpleImputer(missing_values=None, strategy="constant", fill_value="missing"),
            OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
            CategoricalNB(min_categories=20),
        )
        classifiers = {"CategoricalNB, missing as a category": naive}
        for n_components in (1, 2, 4, 8):
            classifiers[f"CategoricalBayesClassifier({n_components})"] = (
                skmix.CategoricalBayesClassifier(
                    n_components, handle_unknown="ignore", random_state=0
                )
            )
        for title, classifier in classifiers.items():
            accuracy = cross_val_score(classifier, X, y, cv=folds).mean()
            record("classify", data=name, classifier=title, error=1 - accuracy)
            row(name, title, f"{1 - accuracy:.4f}")


PARTS = {"optima": optima, "speed": speed, "large": large, "classify": classify}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seeds", type=int, default=100, help="fits per published example")
    parser.add_argument("--repeat", type=int, default=3, help="pairs of timed runs")
    parser.add_argument("--seed", type=int, default=0, help="of simulated data and folds")
    json_option(parser)
    args = parser.parse_args()
    threads = max((lib["num_threads"] for lib in threadpool_info()), default=1)
    print(
        f"skmix {skmix.__version__}, scikit-learn {sklearn.__version__}, {os.cpu_count()} cores, "
        f"{threads} threads"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for part in args.parts:
            PARTS[part](args)


if __name__ == "__main__":
    main()
