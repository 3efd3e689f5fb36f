"""MNIST and Fashion-MNIST in full, classified by one Gaussian mixture per class.

    python benchmarks/classify_images.py --data DIR      # or the environment variable SKMIX_DATA

DIR holds the folders `mnist` and `fashion-mnist`, each with its four original gzipped IDX files.
For each data set this prints

- the protocol of a course exercise: 20 principal components, 5 components per class, diagonal
  and full covariances;
- the best configuration that GridSearchCV finds on the training images alone (3 folds), with its
  accuracy on the test images, which are looked at once;
- errors as a function of the number of components, cross-validated and on the test images, with
  the other parameters as chosen;
- scikit-learn's mixtures per class (30 principal components, 10 full components) under the same
  Bayes rule, for accuracy and time.

`--figure FILE` draws the errors against the number of components. Times are of single fits in one
process on all cores; on a busy machine PCA, which multiplies on all threads, may take the most.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import numpy as np
import sklearn.mixture
from datasets import argument_parser, load_images, parse, timed
from results import record
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from skmix import GMMBayesClassifier

GRID = {
    "gray": ["passthrough", FunctionTransformer(np.sqrt)],
    "classifier__n_components": [5, 10, 20, 40],
}


def pipeline(n_features, **parameters):
    """Gray-level transformation, PCA and the mixtures."""
    return Pipeline(
        [
            ("gray", "passthrough"),
            ("pca", PCA(n_features, svd_solver="covariance_eigh")),
            ("classifier", GMMBayesClassifier(random_state=0, **parameters)),
        ]
    )


def fit_in_parts(model, X, y):
    """Fit a pipeline; return the seconds for its transformers and for its classifier."""
    Z, before = timed(model[:-1].fit_transform, X)
    _, classifier = timed(model[-1].fit, Z, y)
    return before, classifier


class ScikitLearnMixtures:
    """scikit-learn's mixture per class, with priors from the class frequencies."""

    def fit(self, X, y):
        self.pca = PCA(30, svd_solver="covariance_eigh").fit(X)
        Z = self.pca.transform(X)
        self.log_prior = np.log(np.bincount(y) / len(y))
        start = time.perf_counter()
        self.mixtures = [
            sklearn.mixture.GaussianMixture(10, random_state=0).fit(Z[y == c])
            for c in range(len(self.log_prior))
        ]
        self.fit_time = time.perf_counter() - start
        return self

    def score(self, X, y):
        Z = self.pca.transform(X)
        joint = np.stack([mixture.score_samples(Z) for mixture in self.mixtures], axis=1)
        return np.mean(np.argmax(joint + self.log_prior, axis=1) == y)


def course_protocol(name, X, y, X_test, y_test):
    for covariance_type in ("diag", "full"):
        model = pipeline(20, n_components=5, covariance_type=covariance_type)
        before, lapse = fit_in_parts(model, X, y)
        score = model.score(X_test, y_test)
        row = {"set": name, "model": f"20 principal components, 5 {covariance_type} components"}
        record("accuracy", **row, accuracy=score, seconds=before + lapse)
        print(
            f"PCA 20, K=5, {covariance_type}: test accuracy {score:.4f}, PCA {before:.1f} s, "
            f"mixtures {lapse:.1f} s"
        )


def best_configuration(name, X, y, X_test, y_test):
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    model = pipeline(50, covariance_type="full", shrinkage=30.0, reg_covar=0.05)
    search = GridSearchCV(model, GRID, cv=folds, refit=False)
    _, lapse = timed(search.fit, X, y)
    best = clone(model).set_params(**search.best_params_)
    before, fit_time = fit_in_parts(best, X, y)
    print(f"search over {len(search.cv_results_['params'])} candidates: {lapse:.0f} s")
    print(f"chosen: {search.best_params_}")
    accuracy = best.score(X_test, y_test)
    record("accuracy", set=name, model="chosen", accuracy=accuracy, seconds=before + fit_time)
    print(
        f"chosen: cross-validated {search.best_score_:.4f}, test accuracy "
        f"{accuracy:.4f}, PCA {before:.1f} s, mixtures {fit_time:.1f} s"
    )
    return search, best


def errors_by_n_components(search, best, X, y, X_test, y_test):
    """Rows (K, cross-validated error, test error) with everything else as chosen."""
    rows = []
    for params, score in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        n_components = params["classifier__n_components"]
        if {**search.best_params_, "classifier__n_components": n_components} == params:
            model = clone(best).set_params(classifier__n_components=n_components).fit(X, y)
            rows.append((n_components, 1 - score, 1 - model.score(X_test, y_test)))
    print("| components per class | cross-validated error | test error |\n|---|---|---|")
    for n_components, validated, tested in rows:
        print(f"| {n_components} | {validated:.4f} | {tested:.4f} |")
    return rows


def draw(curves, path):
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(curves), figsize=(5 * len(curves), 4), squeeze=False)
    for ax, (name, rows) in zip(axes[0], curves.items(), strict=True):
        n_components, validated, tested = np.array(rows).T
        ax.plot(n_components, 100 * validated, "o-", label="cross-validated, training images")
        ax.plot(n_components, 100 * tested, "s--", label="test images")
        ax.set(title=name, xlabel="components per class", ylabel="error (%)", ylim=(0, None))
        ax.margins(y=0.1)
        ax.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--sets", nargs="+", default=["mnist", "fashion-mnist"])
    parser.add_argument("--figure", type=Path)
    args = parse(parser)
    warnings.simplefilter("ignore")  # of components that collapse where K is too large
    curves = {}
    for name in args.sets:
        X, y, X_test, y_test = load_images(args.data / name)
        print(f"\n{name}: {len(X)} training images, {len(X_test)} test images", flush=True)
        course_protocol(name, X, y, X_test, y_test)
        search, best = best_configuration(name, X, y, X_test, y_test)
        curves[name] = errors_by_n_components(search, best, X, y, X_test, y_test)
        peer = ScikitLearnMixtures().fit(X, y)
        row = {"set": name, "model": "scikit-learn, 30 principal components, 10 full components"}
        record("accuracy", **row, accuracy=peer.score(X_test, y_test), seconds=peer.fit_time)
        print(
            f"scikit-learn, PCA 30, K=10, full: test accuracy {peer.score(X_test, y_test):.4f}, "
            f"mixtures {peer.fit_time:.1f} s",
            flush=True,
        )
    if args.figure:
        draw(curves, args.figure)


if __name__ == "__main__":
    main()
