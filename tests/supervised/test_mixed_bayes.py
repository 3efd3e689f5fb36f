"""MixedBayesClassifier: the Bayes rule over mixed columns, by hand and beside its siblings."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import norm, poisson

from skmix import (
    CategoricalBayesClassifier,
    GMMBayesClassifier,
    MixedBayesClassifier,
    MixedMixture,
)


def table(n_samples=200, missing=0.0, seed=0):
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(n_samples) < 0.6, "young", "old")
    old = (y == "old").astype(int)
    columns = {
        "age": rng.normal(np.array([30.0, 60.0])[old], 6.0),
        "channel": np.where(rng.random(n_samples) < np.array([0.8, 0.3])[old], "web", "shop"),
        "visits": rng.poisson(np.array([1.0, 4.0])[old]).astype(float),
    }
    X = pd.DataFrame({name: values.astype(object) for name, values in columns.items()})
    return X.mask(rng.random(X.shape) < missing).infer_objects(), y


OPTIONS = {"families": {"visits": "poisson"}, "covariance_type": "diag", "random_state": 0}


def test_one_component_is_naive_bayes_by_hand():
    X, y = table()
    classifier = MixedBayesClassifier(alpha=1.0, reg_covar=0.0, **OPTIONS).fit(X, y)
    joint = []
    for label in ("old", "young"):
        own = X[y == label]
        web = (own["channel"] == "web").sum()
        share = np.where(X["channel"] == "web", web + 1, len(own) - web + 1) / (len(own) + 2)
        log_prob = norm(own["age"].mean(), own["age"].std(ddof=0)).logpdf(X["age"])
        log_prob = log_prob + np.log(share) + poisson(own["visits"].mean()).logpmf(X["visits"])
        joint.append(np.log(len(own) / len(X)) + log_prob)
    expected = joint - np.logaddexp(*joint)
    np.testing.assert_allclose(classifier.predict_log_proba(X).T, expected, rtol=0, atol=1e-8)
    assert classifier.score(X, y) > 0.97


def test_numbers_alone_are_the_gaussian_classifier():
    rng = np.random.default_rng(0)
    y = np.arange(150) % 3
    X = rng.normal(size=(150, 2)) + 2.0 * y[:, None]
    mixed = MixedBayesClassifier(covariance_type="full").fit(X, y)
    plain = GMMBayesClassifier(covariance_type="full").fit(X, y)
    np.testing.assert_allclose(mixed.predict_proba(X), plain.predict_proba(X), atol=1e-8)
    np.testing.assert_allclose(mixed.reg_covar_, plain.reg_covar_)


def test_categories_alone_are_the_categorical_classifier():
    rng = np.random.default_rng(0)
    X, y = rng.integers(3, size=(100, 4)), rng.integers(2, size=100)
    mixed = MixedBayesClassifier(categorical_features=range(4)).fit(X, y)
    plain = CategoricalBayesClassifier().fit(X, y)
    np.testing.assert_allclose(mixed.predict_proba(X), plain.predict_proba(X), atol=1e-10)


def test_missing_cells_drop_out():
    X, y = table(missing=0.2)
    classifier = MixedBayesClassifier(2, **OPTIONS).fit(X, y)
    assert classifier.score(X, y) > 0.88
    nothing = pd.DataFrame([[None, None, None]], columns=X.columns)
    np.testing.assert_allclose(classifier.predict_proba(nothing)[0], classifier.class_prior_)


def test_classes_share_categories():
    X, y = table()
    X.loc[y == "old", "channel"] = "shop"
    X.loc[y == "young", "channel"] = "web"
    classifier = MixedBayesClassifier(**OPTIONS).fit(X, y)
    assert classifier.categories_[0].tolist() == ["shop", "web"]
    assert all(m.probabilities_[0].shape == (1, 2) for m in classifier.mixtures_)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_samples_are_frames(library):
    X, y = table()
    X = X if library == "pandas" else pl.DataFrame(X.to_dict("list"))
    sample, labels = MixedBayesClassifier(**OPTIONS).fit(X, y).sample(30)
    assert type(sample) is type(X) and list(sample.dtypes) == list(X.dtypes)
    assert set(labels) == {"old", "young"} and len(sample) == 30


def test_each_class_is_a_mixture_of_its_rows():
    X, y = table(missing=0.1)
    classifier = MixedBayesClassifier(alpha=0.5, **OPTIONS).fit(X, y)
    own = X[y == "old"]
    alone = MixedMixture(alpha=0.5, **OPTIONS).fit(own)
    expected = alone.score_samples(own)
    joint = classifier._joint_log_likelihood(own)[:, 0] - np.log(classifier.class_prior_[0])
    np.testing.assert_allclose(joint, expected, rtol=0, atol=1e-3)  # reg_covar is shared


def test_errors_name_the_column_or_the_class():
    X, y = table(n_samples=40)
    with pytest.raises(ValueError, match="Negative values in data: column 'visits'"):
        MixedBayesClassifier(**OPTIONS).fit(X.assign(visits=-1.0), y)
    with pytest.raises(ValueError, match=r"unknown categories \['fax'\] in column 'channel'"):
        MixedBayesClassifier(**OPTIONS).fit(X, y).predict(X.assign(channel="fax"))
    X.loc[y == "old", "age"] = np.nan
    with pytest.raises(ValueError, match=r"mixture of class 'old'.*entirely missing"):
        MixedBayesClassifier(**OPTIONS).fit(X, y)


@pytest.mark.parametrize("covariance_type", ["full", "spherical", "EVE", "VEV", "EII"])
def test_numbers_are_regularised_as_by_the_classifier_of_numbers(covariance_type):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)) * [1.0, 100.0, 0.01], np.arange(60) % 2
    plain, mixed = (
        make(covariance_type=covariance_type).fit(X, y)
        for make in (GMMBayesClassifier, MixedBayesClassifier)
    )
    np.testing.assert_array_equal(mixed.reg_covar_, plain.reg_covar_)
