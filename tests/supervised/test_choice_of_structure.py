"""GMMBayesClassifier with components and structure that BIC chooses."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_score

from skmix import GaussianMixture, GMMBayesClassifier
from skmix._supervised import gaussian
from skmix.exceptions import DegenerateComponentWarning

DIAGONAL = ["EII", "VII", "EEI", "VEI", "EVI", "VVI"]
STRUCTURES = [*DIAGONAL, "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV"]


def two_classes(n_samples=200):
    """One class of three round clusters of one size, one of a single long cluster."""
    rng = np.random.default_rng(0)
    centres = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])
    round_ = centres[rng.integers(3, size=n_samples)] + rng.normal(size=(n_samples, 2))
    long = rng.normal(size=(n_samples, 2)) @ [[4.0, 3.5], [0.0, 0.5]] + 5.0
    return np.concatenate([round_, long]), np.repeat(["round", "long"], n_samples)


def chosen(classifier):
    return [(mixture.covariance_type, mixture.n_components) for mixture in classifier.mixtures_]


def test_finds_the_components_and_the_structure_of_every_class(monkeypatch):
    monkeypatch.setattr(gaussian, "MOST_COMPONENTS", 3)
    X, y = two_classes(100)
    classifier = GMMBayesClassifier("bic", covariance_type="bic", random_state=0).fit(X, y)
    long, round_ = chosen(classifier)
    assert round_ == ("EII", 3)
    assert long[1] == 1 and long[0] not in DIAGONAL
    back = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(back.predict_proba(X), classifier.predict_proba(X))
    assert all(type(mixture) is GaussianMixture for mixture in classifier.mixtures_)
    assert "_known" not in vars(classifier.mixtures_[0])


@pytest.mark.parametrize("kind", ["plain", "weighted", "holes"])
def test_no_number_has_a_lower_bic(kind):
    X, y = two_classes(120)
    rng = np.random.default_rng(1)
    weight = rng.integers(1, 4, size=len(X)) if kind == "weighted" else None
    if kind == "holes":
        X = np.where(rng.random(X.shape) < 0.1, np.nan, X)
        X[0] = np.nan
    options = {"covariance_type": "diag", "random_state": 0, "reg_covar": 1e-6}
    classifier = GMMBayesClassifier("bic", **options).fit(X, y, sample_weight=weight)
    for label, mixture in zip(classifier.classes_, classifier.mixtures_, strict=True):
        rows = X[y == label]
        own = None if weight is None else weight[y == label]
        for k in range(1, 6):
            other = GaussianMixture(k, **options).fit(rows, sample_weight=own)
            # Two runs to the same optimum end within `tol` per row of it.
            assert mixture.bic(rows, own) <= other.bic(rows, own) + 2 * 1e-3 * len(rows)


def test_structure_of_all_classes_has_the_lowest_bic_of_rows_and_classes():
    X, y = load_iris(return_X_y=True)
    options = {"share": "classes", "random_state": 0}
    choice = GMMBayesClassifier(covariance_type="bic", **options).fit(X, y)
    bics = {}
    for structure in STRUCTURES:
        fitted = GMMBayesClassifier(covariance_type=structure, **options).fit(X, y)
        joint = fitted.decision_function(X)[np.arange(len(X)), y]  # with the class
        means = [mixture.means_[0] for mixture in fitted.mixtures_]
        n_parameters = GaussianMixture.from_parameters(
            fitted.class_prior_, means, _stacked(fitted), covariance_type=structure
        )._n_parameters()
        bics[structure] = -2 * joint.sum() + n_parameters * np.log(len(X))
    assert len(bics) == 14
    assert choice.mixtures_[0].covariance_type == min(bics, key=bics.get)


def _stacked(classifier):
    covariances = [mixture.covariances_ for mixture in classifier.mixtures_]
    return covariances[0] if covariances[0].shape == (4, 4) else np.concatenate(covariances)


def test_a_class_of_few_rows_gets_no_spike():
    X, y = load_iris(return_X_y=True)
    X, y = X[:56], y[:56]  # six rows of the second class, in four dimensions
    for options in (
        {"covariance_type": "bic"},
        {"covariance_type": "bic", "share": "classes"},
        {"covariance_type": "diag", "n_components": "bic"},
    ):
        classifier = GMMBayesClassifier(random_state=0, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("error", DegenerateComponentWarning)
            classifier.fit(X, y)
        proba = classifier.predict_proba(load_iris().data[56:100])
        assert proba[:, 1].mean() > 0.99  # rows of the class that it never saw


def test_no_more_components_than_distinct_rows():
    X = np.concatenate([np.repeat([[0.0], [1.0]], 5, axis=0), np.arange(20.0)[:, None] + 10.0])
    y = np.repeat([0, 1], [10, 20])
    classifier = GMMBayesClassifier("bic", random_state=0).fit(X, y)
    assert classifier.mixtures_[0].n_components <= 2


def test_is_chosen_inside_the_folds():
    X, y = two_classes(60)
    classifier = GMMBayesClassifier("bic", covariance_type="full", random_state=0)
    scores = cross_val_score(classifier, X, y, cv=3)
    assert scores.min() > 0.75
    assert clone(classifier).n_components == "bic"


def test_classes_share_what_is_added_to_variances():
    X, y = two_classes(60)
    classifier = GMMBayesClassifier("bic", covariance_type="diag", random_state=0).fit(X, y)
    for mixture in classifier.mixtures_:
        np.testing.assert_array_equal(mixture.reg_covar_, classifier.reg_covar_)


def test_prior_is_that_of_the_candidates():
    X, y = two_classes(60)
    classifier = GMMBayesClassifier(
        "bic", covariance_type="diag", prior="data", random_state=0
    ).fit(X, y)
    for label, mixture in zip(classifier.classes_, classifier.mixtures_, strict=True):
        own = clone(mixture).fit(X[y == label])
        np.testing.assert_allclose(own.means_, mixture.means_, rtol=1e-4, atol=1e-4)
        assert mixture.prior == "data"


def test_all_candidates_fail():
    X, y = np.zeros((6, 1)), [0, 0, 0, 1, 1, 1]
    with pytest.raises(ValueError, match=r"class 0 could not be fitted.*ill-defined"):
        GMMBayesClassifier("bic", reg_covar=0.0).fit(X, y)
    shared = GMMBayesClassifier(covariance_type="bic", share="classes", reg_covar=0.0)
    with pytest.raises(ValueError, match="ill-defined"):
        shared.fit(X, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": "bic", "share": "classes"}, "n_components='bic' .*share='components'"),
        ({"covariance_type": "bic", "shrinkage": 2.0}, r"shrinkage=2\.0 .*covariance_type='bic'"),
        ({"n_components": "aic"}, "'n_components' parameter of GMMBayesClassifier must be"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        GMMBayesClassifier(**options).fit(*two_classes(20))


def test_the_largest_number_is_that_of_the_docstring():
    assert f"of 1 to {gaussian.MOST_COMPONENTS} (" in GMMBayesClassifier.__doc__
