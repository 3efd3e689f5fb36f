"""Tables of numbers, counts and categories: optima, speed, synthetic rows, missing cells.

    python benchmarks/mixed_columns.py --data DIR                # or the variable SKMIX_DATA
    python benchmarks/mixed_columns.py --sections heart --seeds 50
    python benchmarks/mixed_columns.py --sections adult --components 20 100

heart   Statlog heart, four numbers and eight categories, diagonal, K=2, tol=1e-8: the range of BIC
        over the seeds beside VarSelLCM's fit (13042.04, and 13032.44 with Age Poisson and its
        first cell missing), BIC of all structures, and StepMix with ten starts: likelihood and
        seconds of processor time.
adult   Census income, 14 columns: 80 % of the rows are fitted. Columns of numbers with up to 128
        distinct values are categories ("categories": only fnlwgt is Gaussian), or all six are
        Gaussian ("gaussians"). Held-out nats per row; detection, 1 - 2 max(AUC - .5, 0) of a
        HistGradientBoostingClassifier that tells 10 000 synthetic rows from as many training rows
        (three folds); the mean distance of a synthetic row to its nearest training row over that
        of a held-out row (share of columns that differ, numbers in tenths of their ranks). A
        Gaussian copula of the ranks of all columns stands beside.
fill    10 and 30 % of the cells of heart and of 5000 rows of Adult removed at random. RMSE in
        standard deviations of the column, mean over numbers; accuracy, mean over categories;
        beside mean and mode, and five neighbours and IterativeImputer on standardised numbers and
        one-hot categories, the largest of which is taken.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
import pandas as pd
from datasets import argument_parser, parse
from results import record
from scipy.special import ndtr, ndtri
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.neighbors import NearestNeighbors

from skmix import MixedMixture

HEART_NUMBERS = ["Age", "RestBloodPressure", "SerumCholestoral", "MaxHeartRate"]
STRUCTURES = [
    "EII",
    "VII",
    "EEI",
    "VEI",
    "EVI",
    "VVI",
    "EEE",
    "VEE",
    "EVE",
    "VVE",
    "EEV",
    "VEV",
    "EVV",
    "VVV",
]
FEW_VALUES = 128


def load_heart(folder):
    X = pd.read_csv(folder / "mixed" / "heart.csv")
    y = X.pop("Class")
    return X, y, [name for name in X.columns if name not in HEART_NUMBERS]


def load_adult(folder):
    X = pd.read_csv(folder / "mixed" / "adult.csv")
    return X.drop(columns="income")


def text_columns(X):
    return [name for name in X.columns if X[name].dtype.kind not in "iuf"]


# Heart


def heart(folder, seeds):
    X, y, categorical = load_heart(folder)
    options = {"categorical_features": categorical, "tol": 1e-8}

    def fit(X, seed, covariance_type="diag", **other):
        mixture = MixedMixture(2, covariance_type=covariance_type, random_state=seed)
        return mixture.set_params(**options, **other).fit(X)

    start = time.process_time()
    fits = [fit(X, seed) for seed in range(seeds)]
    seconds = (time.process_time() - start) / seeds
    bics = [mixture.bic(X) for mixture in fits]
    agreement = adjusted_rand_score(y, fits[0].predict(X))
    record("heart", least_bic=min(bics), largest_bic=max(bics), ari=agreement, seconds=seconds)
    print(f"heart, diag: BIC {min(bics):.3f} to {max(bics):.3f} over {seeds} seeds, ", end="")
    print(f"ARI {agreement:.4f}, {seconds:.2f} s per fit")
    counted = X.astype({"Age": float})
    counted.loc[0, "Age"] = np.nan
    bics = [fit(counted, s, families={"Age": "poisson"}).bic(counted) for s in range(seeds)]
    print(f"heart, Age Poisson, one cell missing: BIC {min(bics):.3f} to {max(bics):.3f}")
    found = {kind: fit(X, 0, kind).bic(X) for kind in STRUCTURES}
    print("heart, structures:", ", ".join(f"{k} {bic:.1f}" for k, bic in found.items()))
    stepmix(X, categorical, fits[0].score(X))


def stepmix(X, categorical, ours):
    try:
        from stepmix.stepmix import StepMix
        from stepmix.utils import get_mixed_descriptor
    except ImportError:
        print("heart, StepMix: not installed")
        return
    coded = X.copy()
    for name in categorical:
        coded[name] = pd.factorize(coded[name], sort=True)[0]
    data, measurement = get_mixed_descriptor(
        coded, continuous=HEART_NUMBERS, categorical=categorical
    )
    start = time.process_time()
    model = StepMix(
        2, measurement=measurement, n_init=10, abs_tol=1e-8, max_iter=5000, random_state=0,
        verbose=0, progress_bar=0,
    ).fit(data)  # fmt: skip
    seconds = time.process_time() - start
    print(
        f"heart, StepMix: {model.score(data):.5f} nats per row in {seconds:.2f} s, ours {ours:.5f}"
    )


# Adult


def as_numbers(X, reference):
    """Ordinal codes and numbers, NaN where missing, for judges."""
    columns = []
    for name in X.columns:
        if X[name].dtype.kind in "iuf":
            columns.append(X[name].astype(float).to_numpy())
            continue
        known = sorted(reference[name].dropna().unique())
        codes = pd.Categorical(X[name], categories=known).codes.astype(float)
        columns.append(np.where(codes < 0, np.nan, codes))
    return np.stack(columns, axis=1)


def detection(real, synthetic):
    """1 where a judge of boosted trees sees no difference, 0 where it sees all."""
    n_rows = min(len(real), len(synthetic))
    X = np.vstack([as_numbers(rows.iloc[:n_rows], real) for rows in (real, synthetic)])
    y = np.repeat([0, 1], n_rows)
    judge = HistGradientBoostingClassifier(random_state=0)
    shuffled = np.random.default_rng(0).permutation(len(X))
    auc = cross_val_score(judge, X[shuffled], y[shuffled], cv=3, scoring="roc_auc").mean()
    return 1.0 - 2.0 * max(auc - 0.5, 0.0)


def nearest(train, rows, n_rows=1000):
    """Mean distance of rows to their nearest training row."""

    def coded(X):
        X = as_numbers(X, train)
        for j, name in enumerate(train.columns):
            if train[name].dtype.kind in "iuf":
                known = np.sort(train[name].dropna())
                X[:, j] = np.floor(10.0 * np.searchsorted(known, X[:, j]) / len(known))
        return np.nan_to_num(X, nan=-1.0)

    index = NearestNeighbors(n_neighbors=1, metric="hamming", algorithm="brute").fit(coded(train))
    distance, _ = index.kneighbors(coded(rows.iloc[:n_rows]))
    return float(np.mean(distance))


def copula(train, n_rows, rng):
    """Rows of a Gaussian copula of all columns, categories in the order of their frequencies."""
    normals, tables = [], []
    for name in train.columns:
        values = train[name].astype(object).where(train[name].notna(), "(missing)")
        counts = values.value_counts()
        if train[name].dtype.kind in "iuf":
            counts = counts.sort_index()
        edges = np.append(0.0, np.cumsum(counts.to_numpy()) / len(train))
        place = pd.Categorical(values, categories=counts.index).codes
        level = edges[place] + rng.random(len(train)) * np.diff(edges)[place]
        normals.append(ndtri(np.clip(level, 1e-6, 1 - 1e-6)))
        tables.append((counts.index.to_numpy(), edges))
    factor = np.linalg.cholesky(np.corrcoef(normals))
    drawn = ndtr(rng.standard_normal((n_rows, len(tables))) @ factor.T)
    columns = {}
    for name, level, (known, edges) in zip(train.columns, drawn.T, tables, strict=True):
        values = known[np.minimum(np.searchsorted(edges, level, "right") - 1, len(known) - 1)]
        columns[name] = pd.Series(values).replace("(missing)", None)
        if train[name].dtype.kind in "iuf":
            columns[name] = columns[name].astype(train[name].dtype)
    return pd.DataFrame(columns)


def holed_like(synthetic, train, rng):
    """Take cells out of synthetic rows as often as in training rows, pattern by pattern."""
    pattern = train.isna().to_numpy()[rng.integers(len(train), size=len(synthetic))]
    return (
        synthetic.astype(object)
        .mask(pattern)
        .astype({name: dtype for name, dtype in train.dtypes.items() if dtype.kind in "iuf"})
    )


def adult(folder, components, alpha):
    X = load_adult(folder)
    train, test = train_test_split(X, test_size=0.2, random_state=0)
    few = [name for name in X.columns if X[name].nunique() <= FEW_VALUES]
    n_rows, rng = 10_000, np.random.default_rng(0)
    synthetic = copula(train, n_rows, rng)
    base = nearest(train, test)
    print(f"adult, copula: detection {detection(train, synthetic):.3f}, ", end="")
    print(f"nearest {nearest(train, synthetic) / base:.2f} of that of held-out rows")
    for kind, categorical in (("categories", few), ("gaussians", text_columns(X))):
        for k in components:
            mixture = MixedMixture(
                k, categorical_features=categorical, alpha=alpha, handle_unknown="ignore",
                random_state=0,
            )  # fmt: skip
            wall, cpu = time.perf_counter(), time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                mixture.fit(train)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            synthetic, _ = mixture.sample(4 * n_rows)
            synthetic = synthetic.sample(n_rows, random_state=0)
            synthetic = holed_like(synthetic, train, rng)
            nats, held_out = mixture.score(train), mixture.score(test)
            told_apart = detection(train, synthetic)
            distance = nearest(train, synthetic) / base
            record(
                "adult",
                columns=kind,
                components=k,
                seconds=wall,
                nats=nats,
                held_out_nats=held_out,
                detection=told_apart,
                nearest=distance,
            )
            print(
                f"adult, {kind}, K={k}, alpha={alpha}: {wall:.1f} s ({cpu:.1f} s of processors), "
                f"{mixture.n_iter_} passes, {nats:.3f} nats, held out {held_out:.3f}, detection "
                f"{told_apart:.3f}, nearest {distance:.2f}",
                flush=True,
            )


# Filling in


def encoded_filling(imputer, holed, numbers, categorical):
    """Fill numbers and one-hot categories by an imputer; take the largest of the latter."""
    spread = holed[numbers].std()
    blocks = [((holed[numbers] - holed[numbers].mean()) / spread).to_numpy()]
    known = []
    for name in categorical:
        column = pd.Categorical(holed[name])
        one_hot = (column.codes[:, None] == np.arange(len(column.categories))).astype(float)
        one_hot[column.codes < 0] = np.nan
        blocks.append(one_hot)
        known.append(column.categories.to_numpy())
    filled = imputer.fit_transform(np.hstack(blocks))
    out = holed.astype(object).copy()
    out[numbers] = filled[:, : len(numbers)] * spread.to_numpy() + holed[numbers].mean().to_numpy()
    start = len(numbers)
    for name, levels in zip(categorical, known, strict=True):
        out[name] = levels[np.argmax(filled[:, start : start + len(levels)], axis=1)]
        start += len(levels)
    return out


def errors(truth, filled, holes, numbers, categorical):
    rmse, accuracy = [], []
    for j, name in enumerate(truth.columns):
        gone = holes[:, j] & truth[name].notna().to_numpy()
        one, other = truth[name].to_numpy()[gone], filled[name].to_numpy()[gone]
        if name in numbers:
            difference = one.astype(float) - other.astype(float)
            rmse.append(np.sqrt(np.mean(difference**2)) / truth[name].std())
        elif gone.any():
            accuracy.append(np.mean(one == other))
    return np.mean(rmse), np.mean(accuracy)


def mixed_filling(k, holed, categorical):
    mixture = MixedMixture(k, categorical_features=categorical, tol=1e-4, random_state=0)
    return mixture.set_params(alpha=0.1).fit(holed).impute(holed)


def fillings(k, holed, numbers, categorical):
    """Yield names, filled rows and seconds."""
    peers = {
        "mean, mode": SimpleImputer(),
        "neighbours": KNNImputer(),
        "iterative": IterativeImputer(max_iter=5, random_state=0),
        f"MixedMixture({k})": None,
    }
    for name, imputer in peers.items():
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if imputer is None:
                filled = mixed_filling(k, holed, categorical)
            else:
                filled = encoded_filling(imputer, holed, numbers, categorical)
        yield name, filled, time.process_time() - start


def fill(folder, seeds):
    X, _, categorical = load_heart(folder)
    tables = [("heart", X, categorical, 2), ("adult", load_adult(folder), None, 20)]
    for table, whole, categorical, k in tables:
        categorical = text_columns(whole) if categorical is None else categorical
        numbers = [name for name in whole.columns if name not in categorical]
        for share in (0.1, 0.3):
            found: dict = {}
            for seed in range(seeds):
                rng = np.random.default_rng(seed)
                truth = whole.sample(min(5000, len(whole)), random_state=seed)
                truth = truth.astype(dict.fromkeys(categorical, object))
                truth = truth.astype(dict.fromkeys(numbers, float)).reset_index(drop=True)
                holes = rng.random(truth.shape) < share
                for name, filled, seconds in fillings(k, truth.mask(holes), numbers, categorical):
                    result = errors(truth, filled, holes, numbers, categorical)
                    found.setdefault(name, []).append((*result, seconds))
            for name, results in found.items():
                rmse, accuracy, seconds = np.mean(results, axis=0)
                row = {"data": table, "missing": share, "method": name}
                record("fill", **row, rmse=rmse, accuracy=accuracy, seconds=seconds)
                print(
                    f"{table}, {share:.0%} missing, {name}: RMSE {rmse:.3f}, accuracy "
                    f"{accuracy:.3f}, {seconds:.1f} s",
                    flush=True,
                )


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--sections", nargs="+", default=["heart", "adult", "fill"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--components", type=int, nargs="+", default=[20, 100])
    parser.add_argument("--alpha", type=float, default=0.0)
    args = parse(parser)
    if "heart" in args.sections:
        heart(args.data, args.seeds)
    if "adult" in args.sections:
        adult(args.data, args.components, args.alpha)
    if "fill" in args.sections:
        fill(args.data, args.seeds)


if __name__ == "__main__":
    main()
