"""Bayes classifiers whose structure is chosen inside the folds, on the breast cancer data.

    python benchmarks/shared_structure.py                # five splits into ten folds
    python benchmarks/shared_structure.py --splits 1

Three columns of scikit-learn's breast cancer data: mean texture, worst area and worst smoothness
(569 rows, 357 benign), stratified folds that are shuffled by seeds 0, 1, and so on. Printed are
the share of wrong rows and the Brier score (mean squared error of the probability of one class)
over all held-out rows, and the seconds of all fits (CPU). R's mclust has, over ten folds, .0387
and .0302 with one component per class and structure VVV (EDDA), .0369 and .0265 with components
and structure of each class chosen by BIC (MclustDA).
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict

from skmix import GMMBayesClassifier

COLUMNS = ["mean texture", "worst area", "worst smoothness"]
STRUCTURES = ["EEE", "VVI", "VEV", "EVV", "VVV"]


def classifiers() -> dict:
    def ours(n_components=1, **options):
        return GMMBayesClassifier(n_components, random_state=0, **options)

    grid = {"covariance_type": STRUCTURES, "share": ["components", "classes"]}
    grid["n_components"] = [1, 2, 3]
    return {
        "one component, VVV": ours(covariance_type="VVV", share="classes"),
        "one component, structure by BIC": ours(covariance_type="bic", share="classes"),
        "components by BIC, VVV": ours("bic", covariance_type="VVV"),
        "components and structure by BIC": ours("bic", covariance_type="bic"),
        "searched by log loss": GridSearchCV(ours(), grid, scoring="neg_log_loss", cv=5),
        "scikit-learn's LDA": LinearDiscriminantAnalysis(),
        "scikit-learn's QDA": QuadraticDiscriminantAnalysis(),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--splits", type=int, default=5, help="number of splits into ten folds")
    parser.add_argument("--only", default="", help="part of the name of a classifier")
    args = parser.parse_args()
    data = load_breast_cancer(as_frame=True)
    X, y = data.data[COLUMNS].to_numpy(), data.target.to_numpy()
    for name, classifier in classifiers().items():
        if args.only not in name:
            continue
        scores, started = [], time.process_time()
        for seed in range(args.splits):
            folds = StratifiedKFold(10, shuffle=True, random_state=seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                proba = cross_val_predict(classifier, X, y, cv=folds, method="predict_proba")
            error, brier = np.mean(proba.argmax(axis=1) != y), np.mean((proba[:, 1] - y) ** 2)
            scores.append([error, brier])
        error, brier = np.mean(scores, axis=0)
        seconds = (time.process_time() - started) / args.splits
        print(f"{name}: error {error:.4f}, Brier {brier:.4f}, {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
