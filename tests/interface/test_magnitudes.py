"""Columns and rows of extreme size: the right answer, or an error that names the column."""

import numpy as np
import pytest
from estimators import TABLE
from sklearn.base import clone
from sklearn.utils import get_tags

from skmix import ConditionalGMMInpainter, GaussianMixture, GMMRegressor

quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
FIRSTS = [row.instances[0] for row in TABLE.values()]
NUMERIC = [e for e in FIRSTS if not get_tags(e).input_tags.categorical]
each_class = pytest.mark.parametrize("estimator", NUMERIC, ids=lambda e: type(e).__name__)


def ordinary_rows(n_features=3):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    return rng.normal(size=(60, n_features)) + 3.0 * y[:, None], y


def scaled(X, factor, dtype, missing=False):
    X = X.copy()
    X[:, 1] *= factor
    if missing:
        X[5, 1] = X[7, 0] = np.nan
    return X.astype(dtype)


@quiet
@each_class
@pytest.mark.parametrize(
    ("factor", "dtype"),
    [(1e-165, "f8"), (1e-80, "f8"), (1e160, "f8"), (1e250, "f8"), (1e30, "f4")],
)
def test_fits_name_columns_of_extreme_size(estimator, factor, dtype):
    X, y = ordinary_rows()
    if hasattr(estimator, "transformer"):
        pytest.skip("scaled to any unit first")
    takes_nan = get_tags(estimator).input_tags.allow_nan
    fitted = clone(estimator).fit(X, y)
    for missing in {False, takes_nan}:
        with pytest.raises(ValueError, match="Column 1 of X"):
            fitted.fit(scaled(X, factor, dtype, missing), y)
    fitted.score(X, y) if hasattr(fitted, "score") else fitted.transform(X)  # as it was


@quiet
@each_class
def test_rows_of_extreme_size_are_scored_or_named(estimator):
    X, y = ordinary_rows()
    fitted = clone(estimator).fit(X, y)
    for factor, dtype in [(1e-165, "f8"), (1e40, "f8"), (1e160, "f8"), (1e30, "f4"), (1e17, "f4")]:
        for name in ("predict", "predict_proba", "score_samples", "transform"):
            if not hasattr(fitted, name):
                continue
            try:
                result = getattr(fitted, name)(scaled(X, factor, dtype))
            except ValueError as error:
                assert factor in (1e160, 1e30)
                assert "Column 1 of X" in str(error) or "images beyond" in str(error)
            else:
                assert not np.isnan(result).any(), (name, factor)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("missing", [False, True])
def test_float32_rows_far_out_have_the_densities_of_float64(covariance_type, missing):
    X, _ = ordinary_rows()
    options = {"covariance_type": covariance_type, "random_state": 0}
    mixture = GaussianMixture(2, **options).fit(X.astype(np.float32) * np.float32(1e-2))
    rows = scaled(X, 1e14, "f4", missing)
    actual = mixture.score_samples(rows)
    np.testing.assert_allclose(actual, mixture.score_samples(rows.astype(float)), rtol=1e-5)
    far = scaled(X, 1e17, "f4", missing)  # densities that float32 cannot hold
    assert np.all(mixture.score_samples(far)[[0, 1]] < -1e34)
    assert not np.isnan(mixture.predict_proba(far)).any()


def test_names_of_columns_and_targets():
    pandas = pytest.importorskip("pandas")
    X, y = ordinary_rows(2)
    frame = pandas.DataFrame(scaled(X, 1e200, "f8"), columns=["near", "far"])
    with pytest.raises(ValueError, match=r"Column 'far' of X reaches 7\.\d+e\+200"):
        GaussianMixture().fit(frame)
    with pytest.raises(ValueError, match="Column 2 of X"):  # the target follows the inputs
        GMMRegressor().fit(X, 1e160 * y)


def test_markers_and_constant_columns_may_have_any_size():
    X, _ = ordinary_rows()
    marked = X.copy()
    marked[3, 0] = -1e300
    filled = ConditionalGMMInpainter(missing_values=-1e300).fit_transform(marked)
    assert np.abs(filled).max() < 100.0
    X[:, 2] = 1e-200
    with pytest.warns(match="collapsed"):
        assert GaussianMixture().fit(X).means_[0, 2] == pytest.approx(1e-200)
