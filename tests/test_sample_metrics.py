"""Measures of how generated rows are distributed."""

import numpy as np
import pytest
from scipy.stats import chi2_contingency
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from skmix.metrics import class_coverage, ndb


def groups(counts, seed=0):
    centres = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 9.0]])
    rng = np.random.default_rng(seed)
    return np.repeat(centres, counts, axis=0) + 0.1 * rng.normal(size=(sum(counts), 2))


def test_z_is_that_of_a_test_of_two_proportions():
    X, samples = groups([100, 80, 60, 40]), groups([70, 80, 20, 30], seed=1)
    bins = KMeans(4, n_init=1, random_state=0).fit(X)
    n_different, z = ndb(X, samples, bins=bins, return_z=True)
    for k in range(4):
        inside = [np.sum(bins.predict(rows) == k) for rows in (X, samples)]
        table = [[n, len(rows) - n] for n, rows in zip(inside, (X, samples), strict=True)]
        squared = chi2_contingency(table, correction=False).statistic
        assert z[k] ** 2 == pytest.approx(squared, rel=1e-10)
        assert np.sign(z[k]) == np.sign(inside[1] / len(samples) - inside[0] / len(X))
    assert n_different == np.sum(np.abs(z) > 1.96)
    for threshold in (0.0, 1.0, 3.0, 100.0):
        assert ndb(X, samples, bins=bins, threshold=threshold) == np.sum(np.abs(z) > threshold)


def test_five_percent_of_the_bins_differ_by_chance():
    rng = np.random.default_rng(0)
    centres = rng.uniform(size=(50, 2))
    shares = []
    for _ in range(20):
        X, samples = rng.uniform(size=(2, 3000, 2))
        bins = KMeans(50, init=centres, n_init=1, max_iter=1).fit(centres)  # know nothing of X
        shares.append(ndb(X, samples, bins=bins) / 50)
    # 1000 tests, of which 50 +- 7 are significant.
    assert 0.02 < np.mean(shares) < 0.08


def test_a_dropped_mode_shows_and_float32_will_do():
    X = groups([100, 100, 100, 100]).astype(np.float32)
    samples = groups([130, 130, 0, 140], seed=1)
    for kind in (np.float32, np.float64):
        n_different, z = ndb(X, samples.astype(kind), n_bins=4, return_z=True)
        assert n_different >= 1 and z.min() < -9
    assert ndb(X, X, n_bins=7) == 0


def test_bins_that_nobody_fills_do_not_differ():
    far = KMeans(2, init=np.array([[0.0], [99.0]]), n_init=1, max_iter=1).fit([[0.0], [99.0]])
    n_different, z = ndb([[0.0]] * 5, [[1.0]] * 5, bins=far, return_z=True, threshold=0.0)
    assert n_different == 0 and z.tolist() == [0.0, 0.0]


def test_a_clusterer_that_is_not_fitted_is_cloned():
    bins = KMeans(3, n_init=1, random_state=0)
    X = groups([20, 20, 20, 0])
    assert ndb(X, X, bins=bins) == 0
    assert not hasattr(bins, "labels_")


def test_rows_and_thresholds_that_do_not_suit_are_refused():
    with pytest.raises(ValueError, match="X has 2 features, but samples have 1"):
        ndb(np.zeros((5, 2)), np.zeros((5, 1)))
    with pytest.raises(ValueError, match="threshold must not be negative"):
        ndb(np.zeros((5, 2)), np.zeros((5, 2)), threshold=-1)
    with pytest.raises(ValueError, match="threshold must be a probability"):
        class_coverage([[0.0]], None, threshold=2)


def test_coverage_counts_what_is_sure():
    X, y = load_iris(return_X_y=True)
    classifier = LogisticRegression(max_iter=1000).fit(X, y)
    proba = classifier.predict_proba(X)
    for threshold in (0.0, 0.9, 1.0):
        expected = [
            np.mean([p.max() >= threshold and p.argmax() == k for p in proba]) for k in range(3)
        ]
        np.testing.assert_allclose(class_coverage(X, classifier, threshold=threshold), expected)
    assert class_coverage(X[:50], classifier).tolist() == [1.0, 0.0, 0.0]
