"""Random calls of everything public end in a sound result or an error that says what is wrong."""

import warnings

import numpy as np
import pytest
from calls import Call

import skmix
import skmix.image
from skmix import GaussianMixture, GMMBayesClassifier, KMeansQuantizer
from skmix.metrics import class_coverage, ndb, pool_estimates, psnr_scorer
from skmix.neural import GenerativeAdversarialNetwork

pytestmark = pytest.mark.usefixtures("few_starts")
X = np.array([[0.0, 0.1], [0.3, -0.2], [5.0, 5.5], [5.2, 4.9], [0.1, 0.0], [5.1, 5.2]])


@pytest.mark.parametrize("first", range(0, 120, 20))
def test_random_calls(first):
    for index in range(first, first + 20):
        outcome = Call(0, index).run()
        assert outcome.kind != "bug", f"Call(0, {index}): {outcome.call}\n{outcome.text}"


def test_inverses_of_variances_that_are_no_float32_are_kept():
    tight = np.where(X > 2.5, 5.0, 0.0) + 1e-4 * X
    rows = (3e-17 * tight).astype(np.float32)
    mixture = GaussianMixture(2, covariance_type="diag", reg_covar=0.0, random_state=0).fit(rows)
    assert mixture.means_.dtype == np.float32
    assert mixture.precisions_.max() > np.finfo(np.float32).max
    assert np.isfinite(mixture.precisions_).all()
    np.testing.assert_array_equal(mixture.predict(rows) == mixture.predict(rows)[0], X[:, 0] < 1)


def test_columns_whose_squares_are_no_float32_are_named():
    with pytest.raises(ValueError, match=r"Column 0 of X varies .* pass float64"):
        GaussianMixture(2).fit((1e-30 * X).astype(np.float32))


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("means_", np.zeros((3, 2)), r"means_ of GaussianMixture must have shape \(2, None\)"),
        ("means_", np.full((2, 2), np.nan), "means_ of GaussianMixture must be finite"),
        ("weights_", [-0.5, 1.5], "weights_ of GaussianMixture must hold numbers that are not"),
        ("weights_", [0.0, 0.0], "weights_ of GaussianMixture must not be 0"),
        ("weights_", "abc", "weights_ must be an array of numbers"),
        ("precisions_cholesky_", -np.ones((2, 2)), "precisions_cholesky_ must be positive"),
    ],
)
def test_attributes_set_by_hand_are_checked(name, value, text):
    mixture = GaussianMixture(2, covariance_type="diag", random_state=0).fit(X)
    setattr(mixture, name, value)
    with pytest.raises(ValueError, match=text):
        mixture.score_samples(X)


def test_other_attributes_set_by_hand_are_checked():
    classifier = GMMBayesClassifier().fit(X, [0, 0, 1, 1, 0, 1])
    classifier.class_prior_ = None
    with pytest.raises(ValueError, match="class_prior_ of GMMBayesClassifier must have shape"):
        classifier.predict(X)
    quantizer = KMeansQuantizer(2, random_state=0).fit(X)
    quantizer.codebook_ = "abc"
    with pytest.raises(ValueError, match="codebook_ must be an array of numbers"):
        quantizer.transform(X)


PIXELS = np.linspace(0.0, 1.0, 64).reshape(8, 8)
PRIOR = skmix.GMMDenoiser.from_parameters([1.0], [np.zeros(16)], [0.1 * np.eye(16)])


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: GaussianMixture.from_parameters(1, 2, 3), "weights must"),
        (
            lambda: GenerativeAdversarialNetwork.from_parameters(1, 2, feature_range=(0, 1)),
            "gener",
        ),
        (lambda: GaussianMixture().fit({"a": 1}), "X must be an array or a frame of numbers"),
        (lambda: GaussianMixture().fit(X, sample_weight=1.0), "sample_weight must be one number"),
        (lambda: GaussianMixture().fit(X).sample(10**400), "n_samples"),
        (lambda: GaussianMixture().fit(X).sample(2, shuffle=np.zeros(2)), "shuffle must be True"),
        (lambda: ndb(X, X, n_bins=100), "n_bins a number of rows or less"),
        (lambda: ndb(X, X, threshold="abc"), "threshold must be a number"),
        (lambda: class_coverage(X, len), "classifier must have predict_proba"),
        (lambda: pool_estimates("abc", 1), "estimates must be an array"),
        (lambda: psnr_scorer(10**400), "noise_std must be a number"),
        (lambda: psnr_scorer(data_range=[1]), "data_range must be a number"),
        (lambda: skmix.merge_components({}, X), "mixture must be a fitted mixture"),
        (lambda: skmix.image.reconstruct(PIXELS, 3), "shape must be that of an image"),
        (lambda: skmix.image.denoise(1e20 * PIXELS, PRIOR, 1.0), "image reaches 1e"),
        (lambda: skmix.image.estimate_noise_std(1e300 * PIXELS), "image reaches 1e"),
        (lambda: skmix.image.fit_patch_prior(3, PRIOR), "images must be a list"),
        (
            lambda: skmix.image.inpaint(PIXELS, PIXELS < 2, PRIOR, reject_outliers=True),
            "no known pixel",
        ),
    ],
)
def test_wrong_parameters_are_named(call, text):
    with pytest.raises((ValueError, TypeError), match=text):
        call()


def test_answers_that_were_never_given_have_standard_errors():
    codes = np.array([[0, 0], [0, 0], [1, 1], [1, 1], [2, 1]])
    mixture = skmix.CategoricalMixture(2, random_state=0).fit(codes)
    mixture.probabilities_[0][:, 2] = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        errors = mixture.standard_errors(codes)
    assert np.isfinite(errors.weights).all()
