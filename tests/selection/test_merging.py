"""Components merged to clusters, against a slow oracle and what is known of the clusters."""

from itertools import combinations

import numpy as np
import pytest
import sklearn.mixture
from own_families import Normal
from sklearn.datasets import load_iris
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmix import (
    CategoricalMixture,
    GaussianMixture,
    MixedMixture,
    Mixture,
    merge_components,
)
from skmix._selection.merging import elbow

X = load_iris().data


def entropy(resp, weight):
    return -sum(
        w * t * np.log(t) for row, w in zip(resp, weight, strict=True) for t in row if t > 0
    )


def merged_slowly(resp, weight):
    """Entropies and partitions from all components down to one, trying every pair in full."""
    groups = [[k] for k in range(resp.shape[1])]
    found = [(entropy(resp, weight), groups)]
    while len(groups) > 1:
        trials = []
        for i, j in combinations(range(len(groups)), 2):
            trial = [g for k, g in enumerate(groups) if k not in (i, j)] + [groups[i] + groups[j]]
            summed = np.stack([resp[:, g].sum(axis=1) for g in trial], axis=1)
            trials.append((entropy(summed, weight), trial))
        found.append(min(trials, key=lambda t: t[0]))
        groups = found[-1][1]
    return found[::-1]


MIXTURES = {
    "gaussian": (GaussianMixture(6, random_state=0), X),
    "tied": (GaussianMixture(5, covariance_type="tied", random_state=0), X),
    "categorical": (
        CategoricalMixture(4, init_params="random", tol=1e-4, random_state=0),
        np.round(X),
    ),
    "mixed": (
        MixedMixture(4, covariance_type="diag", init_params="random", tol=1e-4, random_state=0),
        load_iris(as_frame=True).data.assign(kind=np.round(X[:, 0]).astype(str)),
    ),
    "own": (Mixture(4, family_factory=Normal, random_state=0), X),
    "scikit-learn": (sklearn.mixture.GaussianMixture(5, random_state=0), X),
}


@pytest.mark.parametrize("name", MIXTURES)
def test_every_mixture_merges_as_by_trying_all_pairs(name):
    mixture, rows = MIXTURES[name]
    mixture.fit(rows)
    weight = np.random.default_rng(0).integers(0, 4, size=150)
    merging = merge_components(mixture, rows, sample_weight=weight)
    for k, (expected, groups) in enumerate(merged_slowly(mixture.predict_proba(rows), weight), 1):
        assert merging.entropies[k - 1] == pytest.approx(expected, abs=1e-8)
        assert {frozenset(g) for g in groups} == {
            frozenset(np.flatnonzero(merging.components(k) == g)) for g in range(k)
        }
        np.testing.assert_allclose(merging.proba(k).sum(axis=1), 1.0)
        np.testing.assert_array_equal(merging.labels(k), merging.predict(rows, k))
        np.testing.assert_allclose(merging.proba(k), merging.predict_proba(rows, k))
    np.testing.assert_array_equal(merging.labels(), merging.labels(merging.n_clusters))


def test_a_cluster_of_two_components_is_one():
    rng = np.random.default_rng(0)
    cross = rng.normal(size=(400, 2)) * np.repeat([[3, 0.3], [0.3, 3]], 200, axis=0)
    balls = [rng.normal(size=(150, 2)) + centre for centre in ([9, 9], [-9, 9], [0, 14])]
    rows = np.vstack([cross, *balls])
    truth = np.repeat([0, 1, 2, 3], [400, 150, 150, 150])
    merging = merge_components(GaussianMixture(5, random_state=0).fit(rows), rows)
    assert merging.n_clusters == 4
    assert adjusted_rand_score(truth, merging.labels()) > 0.98
    assert "n_clusters=4" in repr(merging)
    assert merging.merged_rows[3] == pytest.approx(400, abs=5) and merging.merged_rows[-1] == 0


def test_no_merger_of_distinct_clusters_is_suggested():
    rng = np.random.default_rng(0)
    for n_components in (1, 2, 3, 5):
        centres = 12.0 * np.eye(5)[:n_components]
        rows = np.repeat(centres, 60, axis=0) + rng.normal(size=(60 * n_components, 5))
        mixture = GaussianMixture(n_components, covariance_type="spherical", random_state=0)
        assert merge_components(mixture.fit(rows), rows).n_clusters == n_components


def test_the_elbow_is_where_two_lines_fit_exactly():
    places = np.arange(1.0, 9.0)
    for knot in range(2, 8):
        entropies = np.where(places <= knot, 0.1 * places, 0.1 * knot + 3.0 * (places - knot))
        assert elbow(entropies, places) == knot


@pytest.mark.filterwarnings("ignore::skmix.exceptions.DegenerateComponentWarning")
def test_holes_dead_components_and_pipelines():
    rows = X.copy()
    rows[::4, 1] = np.nan
    rows[7] = np.nan
    mixture = GaussianMixture(3, random_state=0).fit(rows)
    merging = merge_components(mixture, rows)
    seen = np.delete(np.arange(150), 7)
    without = merge_components(mixture, rows[seen])
    np.testing.assert_allclose(merging.entropies, without.entropies, atol=1e-9)
    dead = GaussianMixture.from_parameters(
        [0.5, 0.0, 0.5], [[0.0], [1.0], [9.0]], np.ones((3, 1, 1))
    )
    merging = merge_components(dead, [[0.0], [9.0], [4.5]])
    assert merging.n_components == 2
    np.testing.assert_array_equal(merging.components(2), [0, -1, 1])
    np.testing.assert_array_equal(merging.components(1), [0, -1, 0])
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(3, random_state=0)).fit(X)
    merging = merge_components(pipeline, X)
    np.testing.assert_array_equal(merging.predict(X, 3), pipeline.predict(X))
    np.testing.assert_array_equal(merging.labels(2), merging.predict(X, 2))


def test_what_cannot_be_merged_is_named():
    merging = merge_components(GaussianMixture(2, random_state=0).fit(X), X)
    with pytest.raises(ValueError, match=r"n_clusters must lie between 1 and .* 2, but is 3"):
        merging.labels(3)
    with pytest.raises(TypeError, match="merge_components needs a fitted mixture"):
        merge_components(StandardScaler().fit(X), X)
