"""
==========================================
Classify and generate handwritten digits
==========================================

A Bayes classifier needs one density per class: the class of an image is the one under whose
density, times the share of the class, the image is most probable. Gaussian naive Bayes and
quadratic discriminant analysis describe each class by a single Gaussian. People write the same
digit in several ways, so this example describes each class by a *mixture* of Gaussians, lets
cross-validation choose how many, and shows what the classifier gains by that and which digits it
believes in.

Run it with ``python examples/quickstart.py``. It prints the accuracies and writes the figure
``quickstart.png`` to the current folder.
"""

# %%
# The data
# --------
# The digits that come with scikit-learn: 1797 images of 8 x 8 pixels, each an integer from 0 to
# 16. Every choice below is made by cross-validation on the training images; the test images are
# looked at once, at the end.
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline
from sklearn.utils import shuffle

from skmix import GMMBayesClassifier
from skmix.exceptions import DegenerateComponentWarning

plt.switch_backend("agg")  # the figure goes to a file, no display is needed
started = time.perf_counter()
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.4, stratify=y, random_state=0
)
folds = StratifiedKFold(n_splits=5, shuffle=True, random_state=0)
print(f"{len(X_train)} training images, {len(X_test)} test images, {X.shape[1]} pixels each")

# %%
# Search over the number of components
# ------------------------------------
# All three classifiers work on the first 20 principal components, and each gets a search over the
# parameters that matter for it, on the same five folds. For the mixtures these are the number of
# components, the covariance type and ``shrinkage``. About a hundred images per class are few for
# several full covariance matrices; ``shrinkage`` adds that many pseudo-observations to each
# component, with the covariance pooled over the components of its class. ``reg_covar=1.0`` adds a
# variance of one squared gray level in every direction; the other two classifiers have a smoothing
# parameter for that purpose, which is searched. The candidates are fitted side by side, each in a
# process that uses one core.
#
# Some candidates, such as eight full covariance matrices per class without shrinkage, ask for more
# than so few images can support. skmix warns of each; the search sees it in their accuracy.
warnings.filterwarnings("ignore", category=DegenerateComponentWarning)


def search(classifier, grid):
    """Cross-validate a classifier behind PCA and refit the best on all training images."""
    pipeline = Pipeline([("pca", PCA(n_components=20)), ("classifier", classifier)])
    grid = {f"classifier__{name}": values for name, values in grid.items()}
    return GridSearchCV(pipeline, grid, cv=folds, n_jobs=-1).fit(X_train, y_train)


searches = {
    "GaussianNB": search(GaussianNB(), {"var_smoothing": [1e-9, 1e-3, 1e-2, 1e-1]}),
    "QuadraticDiscriminantAnalysis": search(
        QuadraticDiscriminantAnalysis(), {"reg_param": [0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9]}
    ),
    "GMMBayesClassifier": search(
        GMMBayesClassifier(reg_covar=1.0, random_state=0),
        {
            "n_components": [1, 2, 4, 8],
            "covariance_type": ["diag", "full"],
            "shrinkage": [0.0, 10.0, 30.0],
        },
    ),
}

# %%
# Accuracy on the test images
# ---------------------------
# The standard error says how much of a difference could be the luck of these test images: with so
# few, a good single full Gaussian and a mixture of them can hardly be told apart, while diagonal
# Gaussians gain much from company.
print(f"\n{'':31}cross-validated   test")
for name, found in searches.items():
    accuracy = found.score(X_test, y_test)
    error = np.sqrt(accuracy * (1 - accuracy) / len(y_test))
    print(f"{name:31}{found.best_score_:.4f}            {accuracy:.4f} +- {error:.4f}")
    chosen = {key.removeprefix("classifier__"): v for key, v in found.best_params_.items()}
    print("    " + ", ".join(f"{key}={value}" for key, value in chosen.items()))

# %%
# New digits
# ----------
# A mixture is a generative model. ``sample`` draws a class from the class shares, a component of
# that class from its weights, and a point from that Gaussian; the inverse of PCA turns the point
# into an image. The rows of one component come together, so we shuffle them before we keep eight
# draws of each class.
n_per_class = 8
search_gmm = searches["GMMBayesClassifier"]
pca, classifier = search_gmm.best_estimator_.named_steps.values()
points, labels = shuffle(*classifier.sample(500), random_state=0)
images = pca.inverse_transform(points).reshape(-1, 8, 8)
generated = {label: images[labels == label][:n_per_class] for label in classifier.classes_}

# %%
# The figure
# ----------
# Left, the curves behind the choice. For each covariance type the solid line is the shrinkage that
# cross-validation prefers and the dashed line no shrinkage. Right, the generated digits.


def accuracy_curve(covariance_type, shrinkage):
    """Number of components, mean accuracy over the folds, and its standard error."""
    results = search_gmm.cv_results_
    rows = (results["param_classifier__covariance_type"] == covariance_type) & (
        results["param_classifier__shrinkage"] == shrinkage
    )
    n_components = results["param_classifier__n_components"][rows].astype(int)
    error = results["std_test_score"][rows] / np.sqrt(folds.get_n_splits())
    return n_components, results["mean_test_score"][rows], error


def best_curve(covariance_type):
    """The shrinkage with the highest accuracy for a covariance type, and its curve."""
    curves = {
        value: accuracy_curve(covariance_type, value)
        for value in search_gmm.param_grid["classifier__shrinkage"]
    }
    shrinkage = max(curves, key=lambda value: curves[value][1].max())
    return shrinkage, curves[shrinkage]


fig = plt.figure(figsize=(11, 5), layout="constrained")
left, right = fig.subfigures(1, 2, width_ratios=[1.2, 1])

ax = left.subplots()
for covariance_type, color in [("full", "C1"), ("diag", "C0")]:
    shrinkage, (n_components, mean, error) = best_curve(covariance_type)
    label = f"{covariance_type}, shrinkage={shrinkage:g}"
    ax.plot(n_components, mean, color=color, marker="o", label=label)
    ax.errorbar(n_components, mean, error, color=color, fmt="none", capsize=3)
    if shrinkage > 0:
        n_components, mean, _ = accuracy_curve(covariance_type, 0.0)
        label = f"{covariance_type}, shrinkage=0"
        ax.plot(n_components, mean, color=color, ls="--", lw=1, marker=".", label=label)
ax.set_xticks(n_components)
ax.set_xlabel("Gaussians per class (n_components)")
ax.set_ylabel("cross-validated accuracy (bars: standard error)")
ax.set_title("How many Gaussians per class?")
ax.grid(alpha=0.3)
ax.legend(loc="lower right")

axes = right.subplots(len(generated), n_per_class)
for row, (label, row_images) in zip(axes, generated.items(), strict=True):
    for cell, image in zip(row, row_images, strict=False):
        cell.imshow(image, cmap="gray", vmin=0, vmax=16)
    for cell in row:
        cell.set(xticks=[], yticks=[])
        cell.spines[:].set_visible(False)
    row[0].set_ylabel(label, rotation=0, ha="right", va="center")
right.suptitle("Digits drawn from the fitted mixtures, by class")

fig.savefig("quickstart.png", dpi=120)
print(f"\nwrote quickstart.png, searches and figure took {time.perf_counter() - started:.0f} s")
