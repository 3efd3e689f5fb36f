"""GMMBayesClassifier(share="classes"): one covariance structure for all classes."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from test_bayes import assert_same_probabilities, maximum_likelihood_qda

from skmix import GaussianMixture, GMMBayesClassifier
from skmix.exceptions import DegenerateComponentWarning

DIAGONAL = ["EII", "VII", "EEI", "VEI", "EVI", "VVI"]
STRUCTURES = [*DIAGONAL, "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV"]
each_structure = pytest.mark.parametrize("structure", STRUCTURES)

# Classes that lie so far apart that a mixture without labels knows the class of every row.
APART = 1024.0


def iris():
    return load_iris(return_X_y=True)


def sharing(structure, n_components=1, **options):
    options = {"reg_covar": 0.0, "tol": 1e-10, "max_iter": 2000, "random_state": 0, **options}
    return GMMBayesClassifier(n_components, covariance_type=structure, share="classes", **options)


def without_labels(classifier, X, y, weight=None):
    """Fit a mixture, from where the classifier ended, to rows that show their classes."""
    mixtures, totals = classifier.mixtures_, np.bincount(y, weights=weight)
    weights = [p * m.weights_ for p, m in zip(totals / totals.sum(), mixtures, strict=True)]
    covariances = [mixture.precisions_ for mixture in mixtures]
    shared = covariances[0].ndim == 2 and classifier.covariance_type == "EEE"
    mixture = GaussianMixture(
        sum(len(mixture.weights_) for mixture in mixtures),
        covariance_type=classifier.covariance_type,
        weights_init=np.concatenate(weights),
        means_init=np.concatenate([m.means_ + APART * c for c, m in enumerate(mixtures)]),
        precisions_init=covariances[0] if shared else np.concatenate(covariances),
        reg_covar=0.0,
        tol=1e-10,
        max_iter=2000,
        prior=classifier.prior,
    )
    return mixture.fit(X + APART * y[:, None], sample_weight=weight)


def covariances_of(classifier):
    """All covariances of all classes, (n_components of all classes, d, d)."""
    matrices = []
    for mixture in classifier.mixtures_:
        for covariance in mixture.covariances_ if classifier.covariance_type != "EEE" else [None]:
            own = mixture.covariances_ if covariance is None else covariance
            matrices.append(own if own.ndim == 2 else own * np.eye(mixture.n_features_in_))
    return np.array(matrices)


# Equal to the classifiers that it generalises.


@pytest.mark.parametrize("weighted", [False, True])
def test_one_covariance_is_linear_discriminant_analysis(weighted):
    X, y = iris()
    weight = np.random.default_rng(0).integers(1, 4, size=len(X)) if weighted else None
    repeats = np.ones(len(X), int) if weight is None else weight
    lda = LinearDiscriminantAnalysis(solver="lsqr")
    lda.fit(np.repeat(X, repeats, axis=0), np.repeat(y, repeats))
    classifier = sharing("EEE").fit(X, y, sample_weight=weight)
    assert_same_probabilities(classifier, lda, X)
    np.testing.assert_allclose(classifier.mixtures_[1].covariances_, lda.covariance_)


def test_log_odds_of_one_covariance_are_linear():
    X, y = iris()
    classifier = sharing("tied").fit(X[y > 0], y[y > 0])
    lda = LinearDiscriminantAnalysis(solver="lsqr").fit(X[y > 0], y[y > 0])
    decision = classifier.decision_function(X)
    np.testing.assert_allclose(decision, X @ lda.coef_[0] + lda.intercept_[0], rtol=1e-9)


def test_free_covariances_are_quadratic_discriminant_analysis_and_naive_bayes():
    X, y = iris()
    assert_same_probabilities(sharing("VVV").fit(X, y), maximum_likelihood_qda(X, y), X)
    naive = GaussianNB(var_smoothing=0.0).fit(X, y)
    assert_same_probabilities(sharing("VVI").fit(X, y), naive, X)


@pytest.mark.parametrize("structure", ["VVV", "VVI", "VII"])
def test_what_nothing_shares_is_the_same_either_way(structure):
    X, y = iris()
    together = sharing(structure).fit(X, y)
    apart = clone(together).set_params(share="components").fit(X, y)
    assert_same_probabilities(together, apart, X)


# Equal to a mixture whose components the rows give away.


@pytest.mark.parametrize("kind", ["plain", "weighted", "holes", "prior"])
@each_structure
def test_one_component_per_class(structure, kind):
    X, y = iris()
    rng = np.random.default_rng(0)
    weight = rng.uniform(0.2, 3.0, size=len(X)) if kind == "weighted" else None
    if kind == "holes":
        X = np.where(rng.random(X.shape) < 0.15, np.nan, X)
        X[0] = np.nan  # says nothing, whatever its class
    prior = "data" if kind == "prior" else None
    classifier = sharing(structure, prior=prior).fit(X, y, sample_weight=weight)
    if kind == "prior":  # which is that of all rows, where they are
        means, covariances = _maximum_posterior(X, y)
        for mixture, mean in zip(classifier.mixtures_, means, strict=True):
            np.testing.assert_allclose(mixture.means_[0], mean, rtol=1e-10)
        if structure == "VVV":
            np.testing.assert_allclose(covariances_of(classifier), covariances, rtol=1e-9)
        return
    seen = ~np.isnan(X).all(axis=1)
    weight = None if weight is None else weight[seen]
    mixture = without_labels(classifier, X[seen], y[seen], weight)
    for c, own in enumerate(classifier.mixtures_):
        np.testing.assert_allclose(own.means_[0], mixture.means_[c] - APART * c, atol=2e-5)
        shared = structure == "EEE"
        expected = mixture.covariances_ if shared else mixture.covariances_[c]
        actual = own.covariances_ if shared else own.covariances_[0]
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-6)


def _maximum_posterior(X, y):
    """Means and free covariances of C. Fraley, A. E. Raftery (2007), equation by equation."""
    d = X.shape[1]
    kappa, nu = 0.01, d + 2
    centre, scale = X.mean(axis=0), np.cov(X.T, bias=True) / 3 ** (2 / d)
    means, covariances = [], []
    for c in range(3):
        rows = X[y == c]
        size, mean = len(rows), rows.mean(axis=0)
        means.append((size * mean + kappa * centre) / (size + kappa))
        moved = np.outer(mean - centre, mean - centre)
        scatter = scale + kappa * size / (kappa + size) * moved + size * np.cov(rows.T, bias=True)
        covariances.append(scatter / (nu + size + d + 2))
    return means, np.array(covariances)


@pytest.mark.parametrize("structure", ["EII", "VEI", "EEE", "VVE", "EVV", "VVV"])
def test_several_components_per_class(structure):
    X, y = iris()
    classifier = sharing(structure, {0: 1, 1: 2, 2: 2}, reg_covar=1e-4).fit(X, y)
    assert [len(mixture.weights_) for mixture in classifier.mixtures_] == [1, 2, 2]
    assert np.diff(classifier.mixtures_[0].lower_bounds_).min() > -1e-6
    # EM without labels stays where it is, but for what was added to variances.
    mixture = without_labels(classifier, X, y)
    means = np.concatenate([m.means_ + APART * c for c, m in enumerate(classifier.mixtures_)])
    np.testing.assert_allclose(mixture.means_, means, atol=0.02)


@each_structure
def test_all_covariances_have_the_structure(structure):
    X, y = iris()
    classifier = sharing(structure, 2, tol=1e-4, reg_covar="auto").fit(X, y)
    matrices = covariances_of(classifier)
    if "E" in structure[0]:
        volumes = np.linalg.slogdet(matrices)[1]
        np.testing.assert_allclose(volumes, volumes[0], atol=1e-6)
    volumes = np.exp(np.linalg.slogdet(matrices)[1] / 4)[:, None, None]
    shapes = np.linalg.eigvalsh(matrices / volumes)
    if structure[1] == "E" and structure[2] != "I":
        np.testing.assert_allclose(shapes, shapes[[0]].repeat(len(shapes), axis=0), rtol=1e-6)
    if structure[2] == "E":  # matrices that commute have their axes in common
        products = matrices[0] @ matrices
        np.testing.assert_allclose(products, products.swapaxes(1, 2), atol=1e-8)


# Composes.


@pytest.mark.parametrize("structure", ["EEI", "EEE", "VVE", "VVV"])
def test_float32(structure):
    X, y = iris()
    single = sharing(structure, reg_covar="auto").fit(X.astype(np.float32), y)
    double = sharing(structure, reg_covar="auto").fit(X, y)
    assert all(mixture.covariances_.dtype == np.float32 for mixture in single.mixtures_)
    rows = X.astype(np.float32)
    np.testing.assert_allclose(single.predict_proba(rows), double.predict_proba(X), atol=2e-3)


def test_shrinkage_pools_the_classes():
    X, y = iris()
    classifier = sharing("full", shrinkage=10.0).fit(X, y)
    own = np.array([np.cov(X[y == c].T, bias=True) for c in range(3)])
    expected = (50 * own + 10.0 * own.mean(axis=0)) / 60
    np.testing.assert_allclose(covariances_of(classifier), expected)


def test_labels_decide_whatever_the_distance():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + 1e4])
    y = np.repeat(["near", "far"], 50)
    y[0] = "far"  # a million times more likely near
    classifier = sharing("EEE").fit(X, y)
    for label, mixture in zip(classifier.classes_, classifier.mixtures_, strict=True):
        np.testing.assert_allclose(mixture.means_[0], X[y == label].mean(axis=0))


def test_a_class_of_one_row_needs_no_covariance_of_its_own():
    X, y = iris()
    X, y = np.append(X, [[9.0, 9.0, 9.0, 9.0]], axis=0), np.append(y, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier = sharing("EEE").fit(X, y)
    assert classifier.predict([[9.0, 9.0, 9.0, 8.9]]) == [3]
    with pytest.warns(DegenerateComponentWarning, match=r"Class 3: Component\(s\) 0 collapsed"):
        sharing("VVV", reg_covar="auto").fit(X, y)


def test_learned_attributes():
    X, y = iris()
    names = np.array(["s", "c", "v"])[y]
    classifier = sharing("VVE", {"s": 1, "c": 2, "v": 2}, tol=1e-3, reg_covar="auto")
    classifier.fit(X, names)
    assert all(type(mixture) is GaussianMixture for mixture in classifier.mixtures_)
    assert [mixture.n_components for mixture in classifier.mixtures_] == [2, 1, 2]
    assert len(set(classifier.n_iter_)) == 1
    np.testing.assert_allclose([m.weights_.sum() for m in classifier.mixtures_], 1.0)
    assert classifier.reg_covar_.shape == (4,)
    for mixture in classifier.mixtures_:
        assert mixture.covariances_.shape == (mixture.n_components, 4, 4)
        np.testing.assert_allclose(
            mixture.covariances_ @ mixture.precisions_,
            np.tile(np.eye(4), (mixture.n_components, 1, 1)),
            atol=1e-8,
        )
        assert mixture.sample(3)[0].shape == (3, 4)
        assert np.isfinite(mixture.bic(X))
    back = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(back.predict_proba(X), classifier.predict_proba(X))


def test_a_search_chooses_structure_and_what_shares_it():
    X, y = iris()
    grid = {"covariance_type": ["EEE", "VVI"], "share": ["components", "classes"]}
    search = GridSearchCV(GMMBayesClassifier(random_state=0), grid, cv=3).fit(X, y)
    assert search.best_params_ == {"covariance_type": "EEE", "share": "classes"}


def test_rows_whose_weight_is_zero_are_left_out():
    X, y = iris()
    weight = np.where(np.arange(len(X)) % 3 == 0, 0.0, 1.0)
    weighted = sharing("EVI").fit(X, y, sample_weight=weight)
    without = sharing("EVI").fit(X[weight > 0], y[weight > 0])
    assert_same_probabilities(weighted, without, X)


def test_prints_one_fit(capsys):
    sharing("EEE", verbose=1, verbose_interval=1).fit(*iris())
    assert capsys.readouterr().out.count("Initialization 0") == 1


def test_errors_name_class_and_column_and_keep_the_earlier_fit():
    X, y = iris()
    classifier = sharing("EEE").fit(X, y)
    before = classifier.mixtures_
    frame = pd.DataFrame({"age": [np.nan, np.nan, 1.0, 2.0], "visits": [1.0, 2.0, 3.0, 5.0]})
    with pytest.raises(ValueError, match=r"class 'new' could not be fitted\. Column\(s\) 'age'"):
        classifier.fit(frame, ["new", "new", "old", "old"])
    assert classifier.mixtures_ is before
    with pytest.raises(ValueError, match=r"shrinkage=2\.0 has no effect with covariance_type"):
        classifier.set_params(shrinkage=2.0).fit(X, y)
    assert classifier.mixtures_ is before
