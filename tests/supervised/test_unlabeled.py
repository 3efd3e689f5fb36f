"""Bayes classifiers of rows some of which have no class."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris, load_wine

from skmix import (
    CategoricalBayesClassifier,
    GaussianMixture,
    GMMBayesClassifier,
    MixedBayesClassifier,
)

CLASSIFIERS = [
    GMMBayesClassifier(1, covariance_type="full", unlabeled=-1, random_state=0),
    GMMBayesClassifier(2, covariance_type="diag", unlabeled=-1, random_state=0),
    GMMBayesClassifier(1, covariance_type="EEE", share="classes", unlabeled=-1, random_state=0),
    CategoricalBayesClassifier(2, alpha=0.1, unlabeled=-1, random_state=0),
    MixedBayesClassifier(1, unlabeled=-1, random_state=0),
]
every_classifier = pytest.mark.parametrize("classifier", CLASSIFIERS, ids=str)


def problem(classifier, share=0.15, seed=0):
    """Rows of two classes, each of two clusters, and labels of some."""
    rng = np.random.default_rng(seed)
    place = np.repeat(np.arange(4), 60)
    X = rng.normal(size=(240, 2)) + np.array([[0, 0], [7, 7], [0, 7], [7, 0]])[place]
    if classifier.n_components == 1:  # one cluster per class
        X = rng.normal(size=(240, 2)) + np.array([[0, 0], [7, 18]])[place // 2]
    y = np.array([3, 3, 8, 8])[place]
    partly = np.where(rng.random(240) < share, y, -1)
    if isinstance(classifier, CategoricalBayesClassifier):
        X = np.clip(np.floor(X / 2) + 2, 0, 6).astype(int)
    if isinstance(classifier, MixedBayesClassifier):
        X = [[a, "high" if b > 9 else "low"] for a, b in X.tolist()]
    return X, y, partly


@every_classifier
def test_unlabelled_rows_are_told_apart(classifier):
    X, y, partly = problem(classifier)
    fitted = clone(classifier).fit(X, partly)
    np.testing.assert_array_equal(fitted.classes_, [3, 8])
    assert np.mean(fitted.predict(X) == y) > 0.9
    assert fitted.class_prior_.sum() == pytest.approx(1.0)
    assert len(fitted.mixtures_) == 2
    for mixture in fitted.mixtures_:
        assert mixture.weights_.sum() == pytest.approx(1.0)
        assert len(mixture.weights_) == classifier.n_components
    rows, labels = fitted.sample(20)
    assert set(labels) <= {3, 8}
    np.testing.assert_allclose(fitted.predict_proba(rows).sum(axis=1), 1.0)


@every_classifier
def test_the_classes_are_blocks_of_one_mixture(classifier):
    """The joint density of rows and classes is that of the EM's likelihood."""
    X, _, partly = problem(classifier)
    fitted = clone(classifier).set_params(tol=1e-10, max_iter=5000).fit(X, partly)
    joint = fitted._joint_log_likelihood(X)
    of_row = np.where(
        partly < 0,
        np.logaddexp(*joint.T),
        joint[np.arange(len(joint)), np.searchsorted([3, 8], np.maximum(partly, 3))],
    )
    assert fitted.mixtures_[0].lower_bound_ == pytest.approx(of_row.mean(), abs=1e-6)


@every_classifier
def test_without_unlabelled_rows_nothing_changes(classifier):
    X, y, _ = problem(classifier)
    plain = clone(classifier).set_params(unlabeled=None).fit(X, y)
    np.testing.assert_array_equal(
        clone(classifier).fit(X, y).predict_proba(X), plain.predict_proba(X)
    )


def test_minus_one_is_a_class_like_others():
    X, y, partly = problem(CLASSIFIERS[0])
    classifier = clone(CLASSIFIERS[0]).set_params(unlabeled=None).fit(X, partly)
    np.testing.assert_array_equal(classifier.classes_, [-1, 3, 8])
    names = np.where(partly < 0, "?", np.where(y == 3, "a", "b"))
    named = clone(CLASSIFIERS[0]).set_params(unlabeled="?").fit(X, names)
    numbered = clone(CLASSIFIERS[0]).fit(X, partly)
    np.testing.assert_array_equal(named.predict_proba(X), numbered.predict_proba(X))


def test_one_component_per_class_is_a_mixture_with_partial_labels():
    X, _, partly = problem(CLASSIFIERS[0])
    labels = np.select([partly == 3, partly == 8], [0, 1], -1)
    options = {"covariance_type": "full", "tol": 1e-10, "max_iter": 2000, "random_state": 0}
    mixture = GaussianMixture(2, **options).fit(X, partial_labels=labels)
    classifier = GMMBayesClassifier(1, unlabeled=-1, **options).fit(X, partly)
    np.testing.assert_allclose(classifier.predict_proba(X), mixture.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(classifier.class_prior_, mixture.weights_, atol=1e-6)


@pytest.mark.parametrize("load", [load_iris, load_wine])
def test_few_labels_do_what_all_do(load):
    X, y = load(return_X_y=True)
    X = X[:, :6]
    partly = np.where(np.random.default_rng(0).random(len(y)) < 0.3, y, -1)
    options = {"covariance_type": "EEE", "share": "classes", "random_state": 0}
    together = GMMBayesClassifier(unlabeled=-1, **options).fit(X, partly)
    alone = GMMBayesClassifier(**options).fit(X[partly >= 0], partly[partly >= 0])
    test = partly < 0
    assert together.score(X[test], y[test]) >= alone.score(X[test], y[test]) - 0.02
    assert together.score(X[test], y[test]) > 0.85


def test_weights_missing_cells_priors_and_sizes():
    X, y, partly = problem(CLASSIFIERS[1])
    X = np.array(X)
    X[np.random.default_rng(1).random(X.shape) < 0.1] = np.nan
    weight = np.random.default_rng(2).uniform(0.5, 1.5, len(X))
    classifier = GMMBayesClassifier({3: 2, 8: 3}, unlabeled=-1, priors=[0.3, 0.7], random_state=0)
    classifier.fit(X, partly, sample_weight=weight)
    np.testing.assert_array_equal(classifier.class_prior_, [0.3, 0.7])
    assert [len(mixture.weights_) for mixture in classifier.mixtures_] == [2, 3]
    seen = ~np.isnan(X).any(axis=1)
    assert classifier.score(X[seen], y[seen]) > 0.9


def test_what_cannot_be_is_refused():
    X, _, partly = problem(CLASSIFIERS[0])
    classifier = clone(CLASSIFIERS[0]).fit(X, partly)
    before = classifier.mixtures_
    with pytest.raises(ValueError, match=r"Every label .* is unlabeled=-1"):
        classifier.fit(X, np.full(len(X), -1))
    classifier.set_params(covariance_type="tied")
    with pytest.raises(ValueError, match=r"covariance_type='tied' .* share='classes' or"):
        classifier.fit(X, partly)
    for name, given in {"n_components": "bic", "covariance_type": "bic"}.items():
        with pytest.raises(ValueError, match=r"'bic', .* is not available with rows of no class"):
            clone(CLASSIFIERS[0]).set_params(**{name: given}).fit(X, partly)
    assert classifier.mixtures_ is before
    table = problem(CLASSIFIERS[-1])[0]
    mixed = clone(CLASSIFIERS[-1]).set_params(covariance_type="tied")
    with pytest.raises(ValueError, match=r"covariance_type='tied' .* Use covariance_type='full'"):
        mixed.fit(table, partly)
