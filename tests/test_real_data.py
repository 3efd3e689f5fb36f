"""What a classifier reaches on handwritten digits; skipped unless SKMIX_DATA names the data."""

import gzip
import warnings

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import KNNImputer
from sklearn.mixture import GaussianMixture as ScikitLearnMixture

from skmix import ConditionalGMMInpainter, GaussianMixture, GMMBayesClassifier


@pytest.fixture(scope="module")
def digits(data_dir):
    """Twenty principal components of 10 000 training and all test images of MNIST."""

    def read(name, offset):
        with gzip.open(data_dir / "mnist" / name) as file:
            return np.frombuffer(file.read(), np.uint8, offset=offset)

    def images(part):
        return read(f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 784) / 255.0

    X, y = images("train")[:10_000], read("train-labels-idx1-ubyte.gz", 8)[:10_000]
    pca = PCA(20, svd_solver="covariance_eigh").fit(X)
    y_test = read("t10k-labels-idx1-ubyte.gz", 8)
    return pca.transform(X), y, pca.transform(images("t10k")), y_test


def test_digits_are_classified_as_by_scikit_learn_mixtures_and_bayes_rule(digits):
    X, y, X_test, y_test = digits
    options = dict(covariance_type="full", init_params="kmeans", random_state=0, reg_covar=1e-6)
    classifier = GMMBayesClassifier(5, **options).fit(X, y)
    joint = np.empty((len(X_test), 10))
    for label, mixture in enumerate(classifier.mixtures_):
        # The same start: the seed of the classifier's own mixture.
        peer = ScikitLearnMixture(5, random_state=mixture.random_state, reg_covar=1e-6)
        peer.fit(X[y == label])
        joint[:, label] = peer.score_samples(X_test) + np.log(np.mean(y == label))
        assert mixture.lower_bound_ == pytest.approx(peer.lower_bound_, abs=1e-6)
    same = np.mean(np.argmax(joint, axis=1) == classifier.predict(X_test))
    assert same > 0.999
    # The exercise's protocol on all 60 000 images reaches 0.965; a sixth of them less.
    assert classifier.score(X_test, y_test) > 0.94


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_digits_are_fitted_as_by_scikit_learn(digits, covariance_type):
    X = digits[0] / digits[0].std(axis=0)
    start = {"means_init": X[:8], "weights_init": np.full(8, 1 / 8), "max_iter": 20, "tol": 0.0}
    start["reg_covar"] = 1e-6
    start["precisions_init"] = {
        "full": np.broadcast_to(np.eye(20), (8, 20, 20)),
        "tied": np.eye(20),
        "diag": np.ones((8, 20)),
        "spherical": np.ones(8),
    }[covariance_type]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        ours, theirs = (
            library(8, covariance_type=covariance_type, **start).fit(X)
            for library in (GaussianMixture, ScikitLearnMixture)
        )
    # 1e-9 of a column's standard deviation, which is 1 here.
    np.testing.assert_allclose(ours.means_, theirs.means_, rtol=0, atol=1e-9)
    np.testing.assert_allclose(ours.covariances_, theirs.covariances_, rtol=0, atol=1e-9)
    # lower_bounds_ came to scikit-learn in 1.7.
    assert ours.lower_bound_ == pytest.approx(theirs.lower_bound_, abs=1e-9)


def test_clothes_are_restored_from_a_tenth_of_their_pixels(data_dir):
    with gzip.open(data_dir / "fashion-mnist" / "t10k-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16)
    images = pixels.reshape(-1, 784)[:1100] / 255.0
    train, truth = images[:1000], images[1000:]
    holes = np.random.default_rng(0).random(truth.shape) < 0.9
    corrupted = np.where(holes, np.nan, truth)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pixels that are always black, few iterations
        inpainter = ConditionalGMMInpainter(
            3, shrinkage=100.0, reg_covar=3e-3, max_iter=10, random_state=0
        ).fit(train)
    neighbours = KNNImputer(keep_empty_features=True).fit(train).transform(corrupted)
    restored = inpainter.transform(corrupted)
    errors = [np.mean((filled - truth) ** 2) for filled in (restored, neighbours)]
    assert 10 * np.log10(errors[1] / errors[0]) > 0.5  # dB
