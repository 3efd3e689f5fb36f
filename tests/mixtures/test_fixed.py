"""Gaussian mixtures of which some parameters are held, against closed forms."""

import numpy as np
import pytest
from sklearn.base import clone

from skmix import GaussianMixture

MEANS = np.array([[0.3, -0.2], [4.0, 4.0]])
EXACT = {"reg_covar": 0.0, "tol": 1e-10, "max_iter": 3000, "random_state": 0}


def rows(seed=0):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(size=(150, 2)), 4.0 + rng.normal(size=(90, 2))])


TYPES = ["full", "tied", "diag", "spherical", "EEV", "VVE"]


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize(
    "held", [{"means": [0]}, {"weights": True}, {"means": True, "weights": [1]}]
)
def test_held_values_stay_and_the_likelihood_never_falls(covariance_type, held):
    X = rows()
    gm = GaussianMixture(
        2,
        covariance_type=covariance_type,
        means_init=MEANS,
        weights_init=[0.5, 0.5],
        fixed=held,
        **EXACT,
    ).fit(X)
    which = {"means": gm.means_, "weights": gm.weights_}
    given = {"means": MEANS, "weights": np.array([0.5, 0.5])}
    for name, components in held.items():
        places = slice(None) if components is True else components
        np.testing.assert_allclose(which[name][places], given[name][places], atol=1e-12)
    assert np.diff(gm.lower_bounds_).min() > -1e-10
    assert gm.weights_.sum() == pytest.approx(1.0)
    free = GaussianMixture(2, covariance_type=covariance_type, **EXACT).fit(X)
    assert gm.lower_bound_ < free.lower_bound_
    n_held = {"means": 2, "weights": 1}
    n_held = sum(
        n_held[name] * (1 if name == "weights" else (2 if which is True else len(which)))
        for name, which in held.items()
    )
    assert gm.n_parameters == free.n_parameters - n_held


def test_one_component_about_a_held_mean():
    X = rows()
    gm = GaussianMixture(1, means_init=[[1.0, 1.0]], fixed={"means": [0]}, **EXACT).fit(X)
    np.testing.assert_allclose(gm.covariances_[0], (X - 1.0).T @ (X - 1.0) / len(X), rtol=1e-10)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_scatter_is_about_held_means(covariance_type):
    X = rows(1)
    options = {"covariance_type": covariance_type, "means_init": MEANS, "fixed": {"means": True}}
    gm = GaussianMixture(2, **options, **EXACT).fit(X)
    resp = gm.predict_proba(X).T
    counts = resp.sum(axis=1)
    own = [(r[:, None] * (X - m)).T @ (X - m) for r, m in zip(resp, MEANS, strict=True)]
    own_covariances = np.array([s / n for s, n in zip(own, counts, strict=True)])
    expected = {
        "full": own_covariances,
        "tied": sum(own) / len(X),
        "diag": np.einsum("kii->ki", own_covariances),
        "spherical": np.einsum("kii->k", own_covariances) / 2,
    }[covariance_type]
    np.testing.assert_allclose(gm.covariances_, expected, rtol=1e-4, atol=1e-4)


def test_precisions_are_held_with_missing_cells_and_weights():
    X = rows(2)
    X[::7, 0] = np.nan
    precisions = np.array([np.eye(2), 2.0 * np.eye(2)])
    gm = GaussianMixture(2, precisions_init=precisions, fixed={"precisions": [1]}, random_state=0)
    gm.fit(X, sample_weight=np.random.default_rng(0).uniform(0.5, 1.5, len(X)))
    np.testing.assert_allclose(gm.covariances_[1], 0.5 * np.eye(2), atol=1e-9)
    assert not np.allclose(gm.covariances_[0], np.eye(2), atol=1e-3)
    free = GaussianMixture(2, random_state=0).fit(X)
    assert gm.n_parameters == free.n_parameters - 3


BAD = {
    "means_init is None. Pass means_init": {"fixed": {"means": [0]}},
    "has the key 'covariances'": {"fixed": {"covariances": [0]}},
    "must be components from 0 to 1": {"fixed": {"means": [2]}, "means_init": MEANS},
    "must be True or a list": {"fixed": {"means": "all"}, "means_init": MEANS},
    "not available with prior": {"fixed": {"means": [0]}, "means_init": MEANS, "prior": "data"},
    "not available with noise": {"fixed": {"means": [0]}, "means_init": MEANS, "noise": True},
    "not available with shrinkage": {
        "fixed": {"means": [0]},
        "means_init": MEANS,
        "shrinkage": 1.0,
    },
    "components share something": {
        "fixed": {"precisions": True},
        "precisions_init": np.eye(2),
        "covariance_type": "tied",
    },
}


@pytest.mark.parametrize("message", BAD)
def test_what_cannot_be_held_is_refused(message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(2, **BAD[message]).fit(rows())


def test_nothing_held_changes_nothing():
    gm = GaussianMixture(2, random_state=0)
    held = clone(gm).set_params(fixed={}).fit(rows())
    np.testing.assert_array_equal(held.means_, gm.fit(rows()).means_)
    with pytest.raises(ValueError, match="not available with partial_labels"):
        clone(gm).set_params(fixed={"means": [0]}, means_init=MEANS).fit(
            rows(), partial_labels=[-1] * 240
        )
