"""Laws that every public estimator keeps: units of weights, refits of what is learned inside."""

import numpy as np
import pytest
from estimators import ESTIMATORS, numbers, suited
from sklearn.base import clone
from sklearn.utils import get_tags

pytestmark = pytest.mark.usefixtures("few_starts")
quiet = pytest.mark.filterwarnings("ignore")
each_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)


def rows(estimator, n_samples=150, n_features=4):
    rng = np.random.default_rng(3)
    y = np.arange(n_samples) % 3
    X = rng.standard_t(5, size=(n_samples, n_features)) + 3.0 * np.eye(n_features)[y]
    X = suited(estimator, X)
    return np.fmin(X, 2.0) if get_tags(estimator).input_tags.categorical else X, y


def seeded(estimator):
    """A clone that gives the same every time."""
    parameters = estimator.get_params()
    names = [name for name in parameters if name.split("__")[-1] == "random_state"]
    return clone(estimator).set_params(**dict.fromkeys(names, 0))


def counts_pseudo_observations(estimator):
    """Whether a prior is worth a number of rows, beside which more weight counts for more."""
    parameters = estimator.get_params()
    return any(parameters.get(name) for name in ("shrinkage", "alpha", "prior"))


@quiet
@each_estimator
def test_a_common_factor_of_the_weights_changes_nothing(estimator):
    if counts_pseudo_observations(estimator):
        pytest.skip("a weight is a number of rows beside so many pseudo-observations")
    X, y = rows(estimator)
    weight = np.random.default_rng(0).integers(1, 4, size=len(X)).astype(float)
    expected = seeded(estimator).fit(X, y, sample_weight=weight)
    for factor in (1024.0, 2.0**-20):  # these round nothing
        actual = seeded(estimator).fit(X, y, sample_weight=factor * weight)
        for one, other in zip(numbers_of(actual), numbers_of(expected), strict=True):
            np.testing.assert_array_equal(one, other)
    # Rounding tells rows at equal distances apart.
    if X.dtype.kind == "f" and not get_tags(estimator).input_tags.categorical:
        X = X + 1e-3 * np.random.default_rng(1).normal(size=X.shape)
        expected = seeded(estimator).fit(X, y, sample_weight=weight)
    # It may also decide whether one more iteration of EM, or of its inner loops, is run: answers
    # agree as far as the `tol` of 1e-3 asks for.
    for factor in (0.37, 3e5):
        actual = seeded(estimator).fit(X, y, sample_weight=factor * weight)
        for name in ("score_samples", "transform"):
            if hasattr(actual, name):
                one, other = getattr(actual, name)(X), getattr(expected, name)(X)
                np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-3)


def numbers_of(fitted):
    """What was learned, without what scikit-learn's transformers count."""
    return numbers(getattr(fitted, "density_", fitted))


def inner_estimators(fitted):
    """Fitted estimators among the learned attributes."""
    for name, value in vars(fitted).items():
        if name.endswith("_") and not name.startswith("_"):
            for part in value if isinstance(value, list) else [value]:
                if hasattr(part, "fit") and hasattr(part, "get_params"):
                    yield part


@quiet
@each_estimator
def test_what_is_fitted_inside_is_refitted_as_its_clone(estimator):
    X, y = rows(estimator)
    fitted = seeded(estimator).fit(X, y)
    for inner in [fitted, *inner_estimators(fitted)]:
        if not hasattr(inner, "n_features_in_"):
            continue
        X, y = rows(estimator, 90, max(inner.n_features_in_, 3))
        X = X[:, : inner.n_features_in_]
        X = np.nan_to_num(X) if not get_tags(inner).input_tags.allow_nan else X
        if get_tags(inner).input_tags.categorical:
            X, rng = suited(inner, X), np.random.default_rng(0)
            kinds = getattr(inner, "families_", np.full(X.shape[1], "categorical"))
            places = np.flatnonzero(kinds == "categorical")
            for j, known in zip(places, getattr(inner, "categories_", []), strict=False):
                X[:, j] = rng.choice(known, len(X))
        expected = numbers(clone(inner).fit(X, y))
        actual = numbers(inner.fit(X, y))
        for one, other in zip(actual, expected, strict=True):
            assert one.tobytes() == other.tobytes()
