"""No component of a mixed mixture stands on a value of a rounded column while others are left."""

import warnings
from itertools import product

import numpy as np
import pytest
from sklearn.datasets import make_blobs

from skmix import MixedBayesClassifier, MixedMixture
from skmix.exceptions import DegenerateComponentWarning

STRUCTURES = ["diag", "full", "spherical", "VVE"]


def rows_of_one_cluster(seed, step, holes=0.0):
    rng = np.random.default_rng(seed)
    X = rng.normal([3.0, -1.0, 40.0], [1.0, 1.0, 4.0], size=(200, 3))
    X = np.column_stack([step * np.round(X / step), rng.integers(2, size=200)])
    X[rng.random(X.shape) < holes] = np.nan
    return X


@pytest.mark.parametrize(
    ("structure", "step", "holes"), [*product(STRUCTURES, [0.5, 1.0], [0.0]), ("diag", 1.0, 0.1)]
)
@pytest.mark.parametrize("seed", range(3))
def test_two_components_of_one_cluster_are_as_coarse_as_its_rows(structure, step, holes, seed):
    X = rows_of_one_cluster(seed, step, holes)
    mixture = MixedMixture(2, covariance_type=structure, categorical_features=[3], random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DegenerateComponentWarning)
        mixture.fit(X)
    assert not mixture._is_flattered(X, None)
    numbers = mixture.covariances_.reshape(2, -1)
    narrowest = (
        numbers.min()
        if structure != "full" and structure != "VVE"
        else min(np.linalg.eigvalsh(matrix)[0] for matrix in mixture.covariances_)
    )
    assert narrowest > step**2 / 12


@pytest.mark.parametrize(
    ("centers", "std", "seed", "at_least"),
    [(3, 1.0, 0, 0.87), (2, 1.0, 0, 0.93), (3, 2.0, 2, 0.81)],
)
def test_classes_of_integers_are_told_apart(centers, std, seed, at_least):
    X, y = make_blobs(100, n_features=2, centers=centers, cluster_std=std, random_state=seed)
    X = np.round(X)
    classifier = MixedBayesClassifier(2, covariance_type="diag", random_state=0).fit(X, y)
    assert classifier.score(X, y) >= at_least
    assert min(mixture.covariances_.min() for mixture in classifier.mixtures_) > 1.0 / 12.0


def test_a_random_start_is_left_alone():
    X, y = make_blobs(100, n_features=2, centers=3, random_state=0)
    X = np.round(X[y == 2])
    with pytest.warns(DegenerateComponentWarning, match="collapsed"):
        mixture = MixedMixture(
            2, covariance_type="diag", init_params="random", random_state=0
        ).fit(X)
    assert mixture._is_flattered(X, None)
