"""prior="data" of estimators that have a Gaussian mixture inside: that mixture has it."""

import warnings

import numpy as np
import pytest

from skmix import (
    ConditionalGMMInpainter,
    GaussianMixture,
    GMMBayesClassifier,
    GMMDenoiser,
    GMMRegressor,
    MixedBayesClassifier,
    MixedMixture,
    MixtureOutlierDetector,
)
from skmix.exceptions import DegenerateComponentWarning

pytestmark = pytest.mark.usefixtures("few_starts")

TIGHT = {"tol": 1e-9, "max_iter": 2000, "random_state": 0}


def rows():
    """Two clusters, and many equal rows that a component would collapse onto."""
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(size=(60, 2)), rng.normal(size=(60, 2)) + 4.0])
    return np.vstack([X, np.full((40, 2), 12.0)])


INSIDE = [
    ConditionalGMMInpainter(3, shrinkage=0.0, **TIGHT),
    GMMRegressor(3, **TIGHT),
    GMMDenoiser(3, **TIGHT),
]


def fit(estimator, X):
    return (
        estimator.fit(X[:, :1], X[:, 1])
        if isinstance(estimator, GMMRegressor)
        else estimator.fit(X)
    )


@pytest.mark.parametrize("estimator", INSIDE, ids=lambda e: type(e).__name__)
def test_the_mixture_inside_is_that_with_the_prior(estimator):
    X = rows()
    with pytest.warns(DegenerateComponentWarning, match='prior="data"'):
        fit(estimator.set_params(prior=None), X)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DegenerateComponentWarning)
        fit(estimator.set_params(prior="data"), X)
        alone = GaussianMixture(3, prior="data", **TIGHT).fit(X)
    np.testing.assert_array_equal(estimator.mixture_.covariances_, alone.covariances_)
    np.testing.assert_array_equal(estimator.mixture_.means_, alone.means_)
    assert min(np.linalg.eigvalsh(matrix)[0] for matrix in alone.covariances_) > 1e-3


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "VVE"])
def test_numbers_alone_are_a_gaussian_mixture_with_the_prior(covariance_type):
    X = rows()
    options = {"covariance_type": covariance_type, "prior": "data"}
    mixed = MixedMixture(3, tol=1e-11, max_iter=5000, random_state=0, **options).fit(X)
    alone = GaussianMixture(
        3,
        weights_init=mixed.weights_,
        means_init=mixed.means_,
        precisions_init=mixed.precisions_,
        **{**TIGHT, "tol": 1e-11},
        **options,
    ).fit(X)
    np.testing.assert_allclose(mixed.weights_, alone.weights_, atol=1e-4)
    np.testing.assert_allclose(mixed.covariances_, alone.covariances_, rtol=1e-3, atol=1e-3)
    assert mixed.lower_bound_ == pytest.approx(alone.lower_bound_, abs=1e-6)


@pytest.mark.parametrize("assignment", ["soft", "hard"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_mixed_columns_with_weights_and_holes_do_not_collapse(assignment, dtype):
    X = rows()
    rng = np.random.default_rng(1)
    X = np.column_stack([X, rng.integers(3, size=len(X)), rng.poisson(2.0, len(X))]).astype(dtype)
    X[::7, 0] = X[3::7, 2] = np.nan
    weight = rng.integers(1, 3, len(X))
    options = {"families": {2: "categorical", 3: "poisson"}, "assignment": assignment}
    with warnings.catch_warnings():
        warnings.simplefilter("error", DegenerateComponentWarning)
        mixture = MixedMixture(3, prior="data", random_state=0, **options)
        mixture.fit(X, sample_weight=weight)
        twice = MixedMixture(3, prior="data", random_state=0, **options).fit(X.repeat(weight, 0))
    assert min(np.linalg.eigvalsh(matrix)[0] for matrix in mixture.covariances_) > 1e-3
    assert mixture.covariances_.dtype == dtype
    assert mixture.lower_bound_ == pytest.approx(twice.lower_bound_, abs=1e-4)


def test_classes_of_mixed_columns_have_it():
    X = rows()
    X = np.column_stack([X, np.random.default_rng(1).integers(2, size=len(X))])
    y = np.where(np.arange(len(X)) < 60, 0, 1)
    options = {"covariance_type": "full", "random_state": 0}
    plain = MixedBayesClassifier(2, categorical_features=[2], **options)
    with pytest.warns(DegenerateComponentWarning, match='prior="data"'):
        plain.fit(X, y)
    classifier = MixedBayesClassifier(
        {0: 1, 1: 2}, prior="data", categorical_features=[2], **options
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", DegenerateComponentWarning)
        classifier.fit(X, y)
    assert all(mixture.prior == "data" for mixture in classifier.mixtures_)
    # Numbers that are independent of categories: the classifier of numbers alone.
    numbers = MixedBayesClassifier(1, prior="data", **options).fit(X[:, :2], y)
    alone = GMMBayesClassifier(1, prior="data", **options).fit(X[:, :2], y)
    np.testing.assert_allclose(
        numbers.predict_proba(X[:, :2]), alone.predict_proba(X[:, :2]), atol=1e-9
    )


def test_shrinkage_and_the_prior_are_one_or_the_other():
    with pytest.raises(ValueError, match="use one of them, shrinkage=0 or prior=None"):
        ConditionalGMMInpainter(2, prior="data").fit(rows())
    with pytest.raises(ValueError, match="use one of them"):
        MixedMixture(2, prior="data", shrinkage=1.0).fit(rows())


def test_the_warning_names_the_prior_only_where_it_is_a_parameter():
    with pytest.warns(DegenerateComponentWarning, match="collapsed") as caught:
        MixtureOutlierDetector(3, random_state=0).fit(rows())
    assert not any("prior" in str(warning.message) for warning in caught)
