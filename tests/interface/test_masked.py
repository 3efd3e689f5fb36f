"""Masked arrays: masked cells are missing cells wherever rows or images are taken."""

import numpy as np
import pytest
from estimators import TABLE
from sklearn.base import clone
from sklearn.utils import get_tags

from skmix import (
    CategoricalMixture,
    ConditionalGMMInpainter,
    GaussianMixture,
    GMMBayesClassifier,
    GMMDenoiser,
    GMMRegressor,
    TransformedDensity,
    select_mixture,
)
from skmix.image import compress, denoise, estimate_noise_std, extract_patches, inpaint

pytestmark = pytest.mark.usefixtures("few_starts")
quiet = pytest.mark.filterwarnings("ignore")
FIRSTS = [row.instances[0] for row in TABLE.values()]
each_class = pytest.mark.parametrize("estimator", FIRSTS, ids=lambda e: type(e).__name__)
ROWWISE = (
    *("predict", "predict_proba", "score_samples", "score", "transform", "impute"),
    *("predict_std", "sample_conditional"),
)


def masked_rows(dtype, n_features=2):
    """Masked integers or floats, with nonsense where they are masked, and rows with NaN."""
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    values = np.round(3.0 * y[:, None] + rng.normal(scale=2.0, size=(90, n_features)) + 10.0)
    mask = rng.random(values.shape) < 0.15
    mask[mask.all(axis=1)] = False
    missing = np.where(mask, np.nan, values)
    masked = np.ma.array(np.where(mask, 77, values).astype(dtype), mask=mask)
    return masked, missing.astype(dtype if np.dtype(dtype).kind == "f" else float), y


@quiet
@each_class
@pytest.mark.parametrize("dtype", ["int16", "float64", "float32"])
def test_masked_cells_are_missing_cells(estimator, dtype):
    masked, missing, y = masked_rows(dtype)
    estimator = clone(estimator)
    if not get_tags(estimator).input_tags.allow_nan:
        with pytest.raises(ValueError, match="NaN"):
            estimator.fit(masked, y)
        known = np.ma.array(np.ma.getdata(masked), mask=False)
        estimator.fit(known, y)  # nothing is masked
        if hasattr(estimator, "transform"):
            with pytest.raises(ValueError, match="NaN"):
                estimator.transform(masked)
        return
    fitted = clone(estimator).fit(masked, y)
    expected = clone(estimator).fit(missing, y)
    for name in ROWWISE:
        if not hasattr(expected, name):
            continue
        arguments = [(masked,), (missing,)]
        if name == "score":
            arguments = [(masked, y), (missing, y)]
        actual = np.asarray(getattr(fitted, name)(*arguments[0]))
        other = np.asarray(getattr(expected, name)(*arguments[1]))
        if actual.dtype.kind in "OU":
            assert actual.tolist() == other.tolist(), name
        else:
            np.testing.assert_array_equal(actual, other, err_msg=name)


def test_a_list_of_masked_rows():
    masked, missing, _ = masked_rows("int64")
    actual = GaussianMixture(random_state=0).fit(list(masked)).means_
    np.testing.assert_array_equal(actual, GaussianMixture(random_state=0).fit(missing).means_)


def test_masked_answers_and_markers():
    answers = np.ma.array([["a", "b"], ["a", "c"], ["b", "b"], ["x", "c"]] * 5)
    answers[3::4, 0] = np.ma.masked
    mixture = CategoricalMixture(1).fit(answers)
    assert [known.tolist() for known in mixture.categories_] == [["a", "b"], ["b", "c"]]
    masked, missing, _ = masked_rows("int64")
    inpainter = ConditionalGMMInpainter(missing_values=-1, random_state=0)
    expected = ConditionalGMMInpainter(random_state=0).fit_transform(missing)
    np.testing.assert_allclose(inpainter.fit_transform(masked), expected, rtol=1e-12)


def test_masked_rows_of_what_takes_several_steps():
    masked, missing, _ = masked_rows("int64")
    grid = {"n_components": [1, 2], "covariance_type": ["diag"]}
    fits = [select_mixture(GaussianMixture(random_state=0), X, grid) for X in (masked, missing)]
    assert fits[0].best_estimator_.lower_bound_ == fits[1].best_estimator_.lower_bound_


def test_masked_targets_and_weights_are_refused():
    _, X, y = masked_rows("float64")
    hidden = np.ma.array(y, mask=np.arange(90) == 4)
    weight = np.ma.array(np.ones(90), mask=np.arange(90) == 7)
    for estimator in (GMMBayesClassifier(), GMMRegressor()):
        with pytest.raises(ValueError, match=r"y is masked in 1 entries.*\[4\]"):
            estimator.fit(X, hidden)
    fits = [GMMBayesClassifier(), GMMRegressor(), GaussianMixture(), GMMDenoiser()]
    for estimator in [*fits, ConditionalGMMInpainter(), TransformedDensity()]:
        with pytest.raises(ValueError, match=r"sample_weight is masked in 1 entries.*\[7\]"):
            estimator.fit(X, y, sample_weight=weight)
    known = np.ma.array(np.ones(90), mask=False)
    GaussianMixture().fit(X, sample_weight=known)


@quiet
def test_masked_pixels_are_missing_pixels():
    rng = np.random.default_rng(0)
    clean = 100.0 + 50.0 * np.sin(np.add.outer(np.arange(24) / 4, np.arange(24) / 7))
    prior = GMMDenoiser(2, random_state=0).fit(extract_patches(clean, 3).reshape(-1, 9))
    mask = rng.random(clean.shape) < 0.1
    for dtype in (np.float64, np.uint8):
        masked = np.ma.array(np.where(mask, 255, clean).astype(dtype), mask=mask)
        missing = np.where(mask, np.nan, clean.astype(dtype))
        for restore in (inpaint, denoise):
            arguments = (None, prior) if restore is inpaint else (prior, 2.0)
            actual = restore(masked, *arguments)
            expected = restore(missing, *arguments)
            assert type(actual) is np.ndarray
            assert actual.dtype == dtype
            np.testing.assert_array_equal(
                actual, expected.round() if dtype == np.uint8 else expected
            )
        np.testing.assert_array_equal(extract_patches(masked, 3), extract_patches(missing, 3))
        assert estimate_noise_std(masked, size=3) == estimate_noise_std(missing, size=3)
        with pytest.raises(ValueError, match="Fill such pixels first"):
            compress(masked, 4)
