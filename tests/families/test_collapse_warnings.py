"""Warnings of collapsed components: with missing cells too, and with advice that fits."""

import numpy as np
import pytest
from families import with_holes

from skmix import GaussianMixture
from skmix.exceptions import DegenerateComponentWarning

TYPES = ["full", "tied", "diag"]


def fit_with_warning(X, n_components, covariance_type="full", **options):
    mixture = GaussianMixture(
        n_components, covariance_type=covariance_type, random_state=0, **options
    )
    with pytest.warns(DegenerateComponentWarning) as caught:
        mixture.fit(X)
    (message,) = [str(w.message) for w in caught if w.category is DegenerateComponentWarning]
    return message


@pytest.mark.parametrize("covariance_type", [*TYPES, "spherical"])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("unit", [1.0, 1e4])
@pytest.mark.parametrize("n_components", [1, 2])
def test_constant_columns_are_reported_with_missing_cells(
    covariance_type, share, unit, n_components
):
    rng = np.random.default_rng(0)
    X = unit * (rng.normal(size=(150, 3)) + 6.0 * (np.arange(150) % n_components)[:, None])
    X[:, 1] = 7.0 * unit
    if covariance_type == "spherical":
        X[:] = X[0] + unit * 100.0 * (np.arange(150) % n_components)[:, None]
    X = with_holes(X, share) if share else X
    message = fit_with_warning(X, n_components, covariance_type)
    assert "collapsed" in message
    if covariance_type != "spherical":
        assert "fewer components" not in message
        assert "Drop constant columns" in message


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
@pytest.mark.parametrize("share", [0.0, 0.2])
def test_columns_that_others_determine(covariance_type, share):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 4))
    X = with_holes(X, share) if share else X
    message = fit_with_warning(X, 1, covariance_type)
    assert "raise reg_covar" in message
    assert "Drop" in message
    assert "fewer components" not in message
    assert "shrinkage" not in message


def test_one_component_of_several_keeps_the_advice_about_components():
    rng = np.random.default_rng(2)
    X = np.concatenate([rng.normal(size=(100, 2)), np.full((60, 2), 9.0)])
    message = fit_with_warning(X, 2)
    assert "Use fewer components" in message


@pytest.mark.parametrize("covariance_type", [*TYPES, "spherical"])
@pytest.mark.parametrize("share", [0.2, 0.6])
def test_narrow_columns_with_missing_cells_are_not_reported(covariance_type, share, recwarn):
    X = np.random.default_rng(3).normal(size=(200, 3))
    X[:, 1] *= 1e-2  # a hundred times the regularisation
    X = with_holes(X, share)
    GaussianMixture(covariance_type=covariance_type).fit(X)
    assert not [w for w in recwarn if w.category is DegenerateComponentWarning]
