"""Outliers: a rare class beside the others, found without labels.

    python benchmarks/outliers.py                    # three data sets of scikit-learn, 10 draws
    python benchmarks/outliers.py --seeds 3 --missing 0.3

Wine, breast cancer and digits; every class in turn (of breast cancer the malignant one) is the
outlying one and downsampled to 5 % of the rows, by `--seeds` draws. All detectors are fitted to
all rows, without labels, and score the same rows. The mean area under the ROC curve over classes
and draws, and seconds of processor time per fit and scoring. Constant columns are dropped, columns
are standardised for all alike. With `--missing`, that share of the cells is removed at random:
detectors that take missing cells get the rows as they are, others with the means filled in;
"density" are the plain log densities of the observed cells by the same mixture.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from results import json_option, record
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.ensemble import IsolationForest
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from skmix import MixtureOutlierDetector

SHARE = 0.05
# Data, and the classes that are outlying in turn.
DATA = {
    "wine": (load_wine, range(3)),
    "breast cancer": (load_breast_cancer, [0]),
    "digits": (load_digits, range(10)),
}


def detectors(seed: int) -> dict:
    return {
        "mixture, 1 full": MixtureOutlierDetector(random_state=seed),
        "mixture, 1 diagonal": MixtureOutlierDetector(covariance_type="diag", random_state=seed),
        "mixture, 2 diagonal": MixtureOutlierDetector(
            2, covariance_type="diag", random_state=seed
        ),
        "mixture, 5 tied": MixtureOutlierDetector(5, covariance_type="tied", random_state=seed),
        "IsolationForest": IsolationForest(random_state=seed),
        "LOF, 20 neighbours": LocalOutlierFactor(),
        "LOF, 50 neighbours": LocalOutlierFactor(n_neighbors=50),
    }


def with_rare_class(X, y, rare, rng):
    """Return rows of which `rare` makes up 5 %, and which rows these are."""
    rest, outlying = np.flatnonzero(y != rare), np.flatnonzero(y == rare)
    n_rare = round(len(rest) * SHARE / (1.0 - SHARE))
    rows = np.concatenate([rest, rng.choice(outlying, n_rare, replace=False)])
    X = X[rows]
    return StandardScaler().fit_transform(X[:, X.std(axis=0) > 0]), y[rows] == rare


def areas(detector, X, outlying):
    """Return areas under the ROC curve, by what the detector calls a score."""
    if isinstance(detector, LocalOutlierFactor):
        X = SimpleImputer().fit_transform(X)
        return {"": roc_auc_score(outlying, -detector.fit(X).negative_outlier_factor_)}
    if not get_tags(detector).input_tags.allow_nan:
        detector = make_pipeline(SimpleImputer(), detector)
    detector.fit(X)
    found = {"": roc_auc_score(outlying, -detector.score_samples(X))}
    if isinstance(detector, MixtureOutlierDetector) and np.isnan(X).any():
        density = detector.mixture_.score_samples(X)
        found[", density"] = roc_auc_score(outlying, -density)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--missing", type=float, default=0.0)
    parser.add_argument("--data", nargs="+", choices=list(DATA), default=list(DATA))
    json_option(parser)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in options.data:
        load, classes = DATA[name]
        X, y = load(return_X_y=True)
        found: dict[str, list[float]] = {}
        seconds: dict[str, list[float]] = {}
        for seed in range(options.seeds):
            for rare in classes:
                rng = np.random.default_rng([seed, rare])
                rows, outlying = with_rare_class(X, y, rare, rng)
                rows[rng.random(rows.shape) < options.missing] = np.nan
                for kind, detector in detectors(seed).items():
                    start = time.process_time()
                    for by, area in areas(detector, rows, outlying).items():
                        found.setdefault(kind + by, []).append(area)
                    seconds.setdefault(kind, []).append(time.process_time() - start)
        print(f"{name}, {rows.shape[0]} x {rows.shape[1]}")
        for kind, values in found.items():
            record(
                "areas",
                data=name,
                rows=rows.shape[0],
                features=rows.shape[1],
                missing=options.missing,
                detector=kind,
                area=np.mean(values),
                seconds=np.mean(seconds[kind]) if kind in seconds else None,
            )
            spent = f"{np.mean(seconds[kind]):8.2f} s" if kind in seconds else ""
            print(f"  {kind:32s} {np.mean(values):.3f} {spent}", flush=True)


if __name__ == "__main__":
    main()
