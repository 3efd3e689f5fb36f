"""Given weights: those that sum to 1 but for rounding are taken, and normalised."""

import numpy as np
import pytest

from skmix import DiagonalGMM, GaussianMixture, GMMBayesClassifier, GMMDenoiser

WEIGHTS = np.array([0.2, 0.3, 0.5])
MEANS = np.arange(6.0).reshape(3, 2)


def from_weights(cls, weights):
    covariances = np.ones((3, 2)) if cls is DiagonalGMM else np.tile(np.eye(2), (3, 1, 1))
    made = cls.from_parameters(weights, MEANS, covariances)
    return getattr(made, "mixture_", made)


@pytest.mark.parametrize("cls", [GaussianMixture, DiagonalGMM, GMMDenoiser])
@pytest.mark.parametrize("error", [1e-6, -1e-6, 3e-8, 0.0])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, list])
def test_rounded_weights_are_taken(cls, error, dtype):
    weights = np.add(WEIGHTS, [0.0, error if dtype is not np.float32 else 0.6 * error, 0.0])
    weights = weights.tolist() if dtype is list else weights.astype(dtype)
    given = np.array(weights, dtype=np.float64)
    actual = from_weights(cls, weights).weights_
    assert actual.sum() == pytest.approx(1.0, abs=1e-15)
    np.testing.assert_allclose(actual, given / given.sum(), rtol=1e-15)


@pytest.mark.parametrize("cls", [GaussianMixture, DiagonalGMM, GMMDenoiser])
@pytest.mark.parametrize("error", [2e-6, -2e-6, 0.1])
def test_weights_with_another_sum_are_refused(cls, error):
    with pytest.raises(ValueError, match=r"weights.*Divide them by their sum"):
        from_weights(cls, np.add(WEIGHTS, [0.0, error, 0.0]))


def test_one_weight_a_little_above_one():
    assert GaussianMixture.from_parameters([1.0 + 5e-7], [[0.0]], [[[1.0]]]).weights_ == 1.0


def test_float32_fits_are_read_back_from_text():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(400, 2)) + 8.0 * rng.integers(7, size=(400, 1))).astype(np.float32)
    fitted = GaussianMixture(7, covariance_type="diag", random_state=0).fit(X)
    texts = [f"{weight:.7g}" for weight in fitted.weights_]
    loaded = GaussianMixture.from_parameters(
        np.array(texts, dtype=float),
        fitted.means_,
        fitted.covariances_,
        covariance_type="diag",
    )
    np.testing.assert_allclose(loaded.score_samples(X), fitted.score_samples(X), atol=1e-4)


def test_starting_weights_and_priors_likewise():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 2))
    GaussianMixture(3, weights_init=WEIGHTS + 3e-7).fit(X)
    classifier = GMMBayesClassifier(priors=WEIGHTS + 3e-7).fit(X, np.arange(90) % 3)
    assert classifier.class_prior_.sum() == pytest.approx(1.0, abs=1e-15)
    with pytest.raises(ValueError, match="weights"):
        GaussianMixture(3, weights_init=WEIGHTS + 1e-3).fit(X)
