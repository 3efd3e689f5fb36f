"""What the tests of Gaussian mixtures share: rows, starts, and lists of options."""

import numpy as np
import pytest

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
INIT_PARAMS = ("kmeans", "k-means++", "random", "random_from_data")
LEARNED = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")

each_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
ill_defined = "some components have ill-defined empirical covariance"


def overlapping(n_samples=600, n_features=4, seed=0):
    """Standardised rows of three clusters that overlap, so that EM takes its time."""
    rng = np.random.default_rng(seed)
    centres = 1.5 * rng.standard_normal((3, n_features))
    X = centres[rng.integers(3, size=n_samples)] + rng.standard_normal((n_samples, n_features))
    return (X - X.mean(axis=0)) / X.std(axis=0)


def given_start(covariance_type, n_components=3, n_features=4, seed=1):
    rng = np.random.default_rng(seed)
    matrices = rng.standard_normal((n_components, n_features, 2 * n_features))
    matrices = matrices @ matrices.transpose(0, 2, 1) / (2 * n_features)
    precisions = {
        "full": matrices,
        "tied": matrices[0],
        "diag": np.einsum("kii->ki", matrices),
        "spherical": matrices[:, 0, 0],
    }[covariance_type]
    return {
        "weights_init": rng.dirichlet(np.full(n_components, 5.0)),
        "means_init": rng.standard_normal((n_components, n_features)),
        "precisions_init": precisions,
    }
