"""Criteria of every mixture, and the scorers made of them."""

import numpy as np
import pytest
import sklearn.mixture
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, StandardScaler

from skmix import CategoricalMixture, DiagonalGMM, GaussianMixture, metrics
from skmix._mixtures.criteria import evaluate

X = load_iris().data
CODES = np.round(X).astype(int)
SCORERS = {
    "aic": metrics.neg_aic_score,
    "bic": metrics.neg_bic_score,
    "icl": metrics.neg_icl_score,
}
MIXTURES = [
    (GaussianMixture(3, random_state=0), X),
    (GaussianMixture(2, covariance_type="tied", random_state=0), X),
    (DiagonalGMM(3, random_state=0), X),
    (CategoricalMixture(2, random_state=0), CODES),
]
each_mixture = pytest.mark.parametrize(
    ("mixture", "rows"), MIXTURES, ids=["full", "tied", "diag", "categorical"]
)
each_scorer = pytest.mark.parametrize("name", SCORERS)


def naive_icl(mixture, rows):
    """The criterion by a loop over rows and components."""
    entropy = 0.0
    for row in mixture.predict_proba(rows):
        entropy -= sum(r * np.log(r) for r in row if r > 0)
    return mixture.bic(rows) + 2 * entropy


@each_mixture
def test_icl_is_bic_and_twice_the_entropy(mixture, rows):
    mixture.fit(rows)
    np.testing.assert_allclose(mixture.icl(rows), naive_icl(mixture, rows), rtol=1e-12)
    assert mixture.icl(rows) >= mixture.bic(rows)


def test_icl_of_one_component_is_bic():
    mixture = GaussianMixture().fit(X)
    assert mixture.icl(X) == mixture.bic(X)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_number_of_parameters_is_scikit_learns(covariance_type):
    theirs = sklearn.mixture.GaussianMixture(3, covariance_type=covariance_type).fit(X)
    ours = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
    assert ours.n_parameters == theirs._n_parameters()


@each_mixture
def test_all_criteria_at_once_equal_the_methods(mixture, rows):
    mixture.fit(rows)
    at_once = evaluate(mixture, rows)
    for name in SCORERS:
        np.testing.assert_allclose(getattr(at_once, name), getattr(mixture, name)(rows))
    np.testing.assert_allclose(at_once.log_likelihood, mixture.score_samples(rows).sum())
    assert at_once.n_parameters == mixture.n_parameters


@each_mixture
def test_a_weight_is_a_repetition(mixture, rows):
    mixture.fit(rows)
    weight = np.arange(len(rows)) % 3
    repeated = np.repeat(rows, weight, axis=0)
    np.testing.assert_allclose(evaluate(mixture, rows, weight), evaluate(mixture, repeated))


@pytest.mark.filterwarnings("ignore:neg_.* was given other rows")
@each_scorer
@each_mixture
def test_scorer_is_the_negative_criterion_of_the_given_rows(mixture, rows, name):
    mixture.fit(rows)
    few = rows[::3]
    assert SCORERS[name](mixture, few) == -getattr(mixture, name)(few)
    assert SCORERS[name](mixture, few, np.zeros(len(few))) == -getattr(mixture, name)(few)


@each_scorer
def test_scorer_of_a_pipeline_sees_transformed_rows(name):
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0)).fit(X)
    Z = pipeline[0].transform(X)
    assert SCORERS[name](pipeline, X) == -getattr(pipeline[-1], name)(Z)
    alone = Pipeline([("mixture", pipeline[-1])])
    assert SCORERS[name](alone, Z) == SCORERS[name](pipeline, X)
    nested = Pipeline([("scale", pipeline[0]), ("rest", alone)])
    assert SCORERS[name](nested, X) == SCORERS[name](pipeline, X)


def test_scorer_of_a_categorical_pipeline():
    bins = KBinsDiscretizer(3, encode="ordinal", strategy="uniform")
    pipeline = make_pipeline(bins, CategoricalMixture(2, random_state=0)).fit(X)
    Z = pipeline[0].transform(X)
    assert metrics.neg_icl_score(pipeline, X) == -pipeline[-1].icl(Z)


@each_scorer
@pytest.mark.parametrize(
    "estimator",
    [LinearRegression(), make_pipeline(StandardScaler(), LinearRegression())],
    ids=["alone", "pipeline"],
)
def test_scorer_names_what_has_no_criterion(estimator, name):
    with pytest.raises(TypeError, match=rf"neg_{name}_score .* '{name}', but LinearRegression"):
        SCORERS[name](estimator, X)


def test_grid_search_on_all_rows_finds_the_lowest_bic():
    rows = np.arange(len(X))
    search = GridSearchCV(
        GaussianMixture(random_state=0),
        {"n_components": [1, 2, 3, 4], "covariance_type": ["full", "diag"]},
        scoring=metrics.neg_bic_score,
        cv=[(rows, rows)],
    ).fit(X)
    bics = [
        GaussianMixture(random_state=0, **point).fit(X).bic(X)
        for point in search.cv_results_["params"]
    ]
    np.testing.assert_allclose(-search.cv_results_["mean_test_score"], bics)
    assert search.best_index_ == np.argmin(bics)
