"""MixtureOutlierDetector: scores by hand, beside draws of the mixture, offsets, frames, errors."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.spatial.distance import mahalanobis
from scipy.special import entr
from scipy.stats import multivariate_normal, poisson
from sklearn.metrics import roc_auc_score

from skmix import MixedMixture, MixtureOutlierDetector
from skmix._mixtures.expected import poisson_entropy
from skmix._outliers.detector import _offset

OPTIONS = {"families": {"visits": "poisson"}, "random_state": 0}


def table(n_samples=300, missing=0.0, seed=0):
    rng = np.random.default_rng(seed)
    group = (rng.random(n_samples) < 0.4).astype(int)
    columns = {
        "age": rng.normal(np.array([30.0, 60.0])[group], 5.0),
        "income": rng.normal(np.array([1e4, 3e4])[group], 2e3),
        "channel": np.where(rng.random(n_samples) < np.array([0.9, 0.2])[group], "web", "shop"),
        "visits": rng.poisson(np.array([2.0, 9.0])[group]).astype(float),
    }
    X = pd.DataFrame({name: values.astype(object) for name, values in columns.items()})
    return X.mask(rng.random(X.shape) < missing).infer_objects()


def numbers(n_samples=200, seed=0):
    rng = np.random.default_rng(seed)
    mixing = np.array([[2.0, 0.5, 0.0], [0.0, 1.0, -0.7], [0.0, 0.0, 0.3]])
    return rng.standard_normal((n_samples, 3)) @ mixing + [5.0, -2.0, 0.0]


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "EEV"])
def test_one_component_is_the_mahalanobis_distance_of_the_observed_cells(covariance_type):
    X = numbers()
    X[::3, 0] = X[1::4, 2] = np.nan
    detector = MixtureOutlierDetector(covariance_type=covariance_type).fit(X)
    twin = MixedMixture(covariance_type=covariance_type).fit(X)
    mean = twin.means_[0]
    draws = twin.sample_conditional(np.full((1, 3), np.nan), 1, random_state=0)
    assert draws.shape == (1, 1, 3)
    family, params = twin._numbers(twin._learned_of_numbers())._fitted_family()
    covariance = family.matrices(family.from_frame(params))[0]
    for row, score in zip(X[:20], detector.score_samples(X[:20]), strict=True):
        o = np.flatnonzero(~np.isnan(row))
        distance = mahalanobis(row[o], mean[o], np.linalg.inv(covariance[np.ix_(o, o)]))
        np.testing.assert_allclose(score, (len(o) - distance**2) / 2.0, rtol=0, atol=1e-8)


def test_scores_of_two_components_by_hand():
    X = table(missing=0.1)
    detector = MixtureOutlierDetector(2, **OPTIONS).fit(X)
    mixture = detector.mixture_
    rows = pd.DataFrame(
        {
            "age": [31.0, np.nan, 50.0],
            "income": [np.nan, 3e4, 1e4],
            "channel": ["web", None, "shop"],
            "visits": [np.nan, 4.0, 2.0],
        }
    )
    expected = mixture.score_samples(rows)
    for weight, mean, covariance, rate, chances in zip(
        mixture.weights_,
        mixture.means_,
        mixture.covariances_,
        mixture.rates_[:, 0],
        mixture.probabilities_[0],
        strict=True,
    ):
        age = multivariate_normal(mean[0], covariance[0, 0]).entropy()
        income = multivariate_normal(mean[1], covariance[1, 1]).entropy()
        both = multivariate_normal(mean, covariance).entropy()
        answer, visits = entr(chances).sum(), poisson(rate).entropy()
        expected += weight * np.array([age + answer, income + visits, both + answer + visits])
    np.testing.assert_allclose(detector.score_samples(rows), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("pattern", [[0], [1, 3], [0, 1, 2, 3]])
def test_scores_of_draws_are_0_on_average_whatever_is_observed(pattern):
    detector = MixtureOutlierDetector(2, **OPTIONS).fit(table())
    drawn, _ = detector.mixture_.sample(4000, random_state=1)
    hidden = np.delete(drawn.columns.to_numpy(), pattern)
    drawn[hidden] = np.nan if "channel" not in hidden else None
    drawn = drawn.astype({name: float for name in hidden if name != "channel"})
    scores = detector.score_samples(drawn)
    error = 4.0 * scores.std() / np.sqrt(len(scores))
    # What the cells tell of the component: nothing to all.
    assert -entr(detector.mixture_.weights_).sum() - error <= scores.mean() <= error


def test_rows_without_cells_score_0_and_change_nothing():
    X = table(missing=0.1)
    detector = MixtureOutlierDetector(2, **OPTIONS).fit(X)
    nothing = X.iloc[:9].mask(np.ones((9, 4), bool))
    np.testing.assert_array_equal(detector.score_samples(nothing), np.zeros(9))
    longer = MixtureOutlierDetector(2, **OPTIONS).fit(pd.concat([X, nothing]))
    assert longer.offset_ == pytest.approx(detector.offset_, abs=1e-9)


def test_missing_cells_hide_outliers_less_than_densities_say():
    rng = np.random.default_rng(0)
    X = np.concatenate([numbers(400), numbers(20, seed=1) + np.array([8.0, 0.0, 1.5])])
    outlying = np.arange(len(X)) >= 400
    X[rng.random(X.shape) < 0.3] = np.nan
    X = X * [1.0, 1e3, 1.0]  # a density of the second column is small
    detector = MixtureOutlierDetector(contamination=0.05).fit(X)
    by_score = roc_auc_score(outlying, -detector.score_samples(X))
    by_density = roc_auc_score(outlying, -detector.mixture_.score_samples(X))
    assert by_score > by_density + 0.15


def test_units_change_no_score():
    X = numbers()
    X[::3, 0] = X[1::4, 2] = np.nan
    detector = MixtureOutlierDetector(2, random_state=0).fit(X)
    scaled = X * 2.0 ** np.array([10.0, -20.0, 3.0])
    other = MixtureOutlierDetector(2, random_state=0).fit(scaled)
    np.testing.assert_allclose(
        other.score_samples(scaled), detector.score_samples(X), rtol=0, atol=1e-8
    )


def test_entropies_of_counts():
    rates = np.array([[0.0, 1e-9, 0.3, 4.0], [49.99, 50.01, 700.0, 1.0]])
    expected = [[0.0 if rate == 0 else poisson(rate).entropy() for rate in row] for row in rates]
    np.testing.assert_allclose(poisson_entropy(rates), expected, rtol=0, atol=3e-8)
    large = poisson_entropy(np.array([1e6]))
    np.testing.assert_allclose(large, multivariate_normal(0, 1e6).entropy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("contamination", [0.01, 0.1, 0.3, 0.5])
def test_so_many_training_rows_are_outliers(contamination):
    X = numbers(200)
    detector = MixtureOutlierDetector(contamination=contamination)
    assert np.sum(detector.fit_predict(X) == -1) == round(contamination * 200)
    decision = detector.decision_function(X)
    np.testing.assert_array_equal(decision, detector.score_samples(X) - detector.offset_)
    np.testing.assert_array_equal(detector.predict(X) == -1, decision < 0)


@pytest.mark.parametrize(
    ("scores", "weight", "contamination", "offset"),
    [
        ([4.0, 1.0, 2.0, 3.0], [1, 1, 1, 1], 0.5, 2.5),
        ([4.0, 1.0, 2.0, 3.0], [1, 1, 1, 1], 0.1, 0.5),  # nearer to none than to one of four
        ([4.0, 1.0, 2.0, 3.0], [1, 1, 1, 1], 0.125, 1.5),
        ([4.0, 1.0, 1.0, 1.0], [1, 1, 1, 1], 0.25, -0.5),
        ([4.0, 1.0, 1.0, 1.0], [1, 1, 1, 1], 0.5, 2.5),
        ([4.0, 1.0, 2.0], [5, 1, 4], 0.1, 1.5),
        ([4.0, 1.0, 2.0], [5, 1, 4], 0.4, 3.0),
        ([7.0, 7.0], [1, 1], 0.5, 7.0 - 4e-9),
    ],
)
def test_offsets_by_hand(scores, weight, contamination, offset):
    weight = np.array(weight, dtype=float)
    for factor in (1.0, 1e-3, 7e5):
        found = _offset(np.array(scores), factor * weight, contamination)
        assert found == pytest.approx(offset, rel=0, abs=1e-12)
    repeated = np.repeat(scores, weight.astype(int))
    assert _offset(repeated, np.ones(len(repeated)), contamination) == pytest.approx(offset)


def test_a_weight_is_a_repetition():
    X = table(80, missing=0.1)
    weight = np.random.default_rng(0).integers(0, 4, len(X))
    weighted = MixtureOutlierDetector(**OPTIONS).fit(X, sample_weight=weight)
    repeated = MixtureOutlierDetector(**OPTIONS).fit(X.loc[np.repeat(X.index, weight)])
    assert weighted.offset_ == pytest.approx(repeated.offset_, abs=1e-8)
    np.testing.assert_allclose(weighted.score_samples(X), repeated.score_samples(X), atol=1e-8)


def test_rows_of_weight_0_may_hold_unknown_categories():
    X = table(60)
    longer = pd.concat([X, X.iloc[:1].assign(channel="fax")])
    weight = np.append(np.ones(len(X)), 0.0)
    detector = MixtureOutlierDetector(**OPTIONS).fit(longer, sample_weight=weight)
    assert detector.offset_ == MixtureOutlierDetector(**OPTIONS).fit(X).offset_
    with pytest.raises(ValueError, match=r"\['fax'\] in column 'channel'"):
        detector.predict(longer)


def test_categories_without_rows():
    X = table(100)
    given = MixtureOutlierDetector(categories=[["fax", "shop", "web"]], **OPTIONS).fit(X)
    fax = X.assign(channel="fax")
    surprise = given.score_samples(X.assign(channel="shop")) - given.score_samples(fax)
    shops = (X["channel"] == "shop").sum()
    np.testing.assert_allclose(surprise, np.log(shops + 1), atol=1e-9)
    ignoring = MixtureOutlierDetector(handle_unknown="ignore", **OPTIONS).fit(X)
    missing = X.assign(channel=None)
    np.testing.assert_array_equal(ignoring.score_samples(fax), ignoring.score_samples(missing))
    strict = MixtureOutlierDetector(categories=[["fax", "shop", "web"]], alpha=0.0, **OPTIONS)
    holed = fax.assign(income=np.nan).iloc[:3]
    assert np.all(strict.fit(X).decision_function(holed) < -100.0)
    np.testing.assert_array_equal(strict.predict(holed), [-1] * 3)


def test_frames_and_arrays_give_the_same_scores():
    X = table(missing=0.1)
    cells = X.astype(object).where(X.notna(), None)
    of_polars = pl.DataFrame({name: column.tolist() for name, column in cells.items()})
    expected = MixtureOutlierDetector(2, **OPTIONS).fit(X)
    other = MixtureOutlierDetector(2, **OPTIONS).fit(of_polars)
    np.testing.assert_allclose(other.score_samples(of_polars), expected.score_samples(X))
    array = cells.to_numpy()
    plain = MixtureOutlierDetector(2, families={3: "poisson"}, random_state=0).fit(array)
    np.testing.assert_allclose(plain.score_samples(array), expected.score_samples(X))
    assert list(expected.feature_names_in_) == list(expected.mixture_.feature_names_in_)


def test_categories_alone_and_counts_alone():
    X = table(missing=0.1)
    for names in (["channel"], ["visits"]):
        options = {"families": {name: "poisson" for name in names if name == "visits"}}
        detector = MixtureOutlierDetector(**options).fit(X[names])
        density = detector.mixture_.score_samples(X[names])
        observed = X[names[0]].notna().to_numpy()
        difference = (density - detector.score_samples(X[names]))[observed]
        np.testing.assert_allclose(difference, difference[0], atol=1e-12)
        assert difference[0] < 0


def test_float32_and_wide_tables():
    X = np.random.default_rng(0).standard_normal((60, 130)).astype(np.float32)
    X[::2, ::3] = np.nan
    detector = MixtureOutlierDetector(covariance_type="diag").fit(X)
    double = MixtureOutlierDetector(covariance_type="diag").fit(X.astype(np.float64))
    np.testing.assert_allclose(detector.score_samples(X), double.score_samples(X), atol=1e-2)


def test_a_component_without_rows_counts_for_nothing():
    X = np.repeat([[0.0, 1.0], [4.0, 2.0], [9.0, 3.0]], 5, axis=0)
    with pytest.warns(Warning):
        detector = MixtureOutlierDetector(5, random_state=0).fit(X)
    holed = np.array([[0.0, np.nan], [np.nan, 3.0]])
    assert np.all(np.isfinite(detector.score_samples(np.concatenate([X, holed]))))


def test_bad_input_keeps_the_earlier_fit():
    X = table(60)
    detector = MixtureOutlierDetector(**OPTIONS).fit(X)
    before = detector.decision_function(X)
    with pytest.raises(ValueError, match="column 'visits', which is 'poisson'"):
        detector.fit(X.assign(visits=-1.0))
    np.testing.assert_array_equal(detector.decision_function(X), before)
    for contamination in (0.0, 0.6, "auto"):
        with pytest.raises(ValueError, match="contamination"):
            MixtureOutlierDetector(contamination=contamination).fit(X)
    with pytest.raises(ValueError, match="feature names"):
        detector.predict(X[["age", "income"]])
