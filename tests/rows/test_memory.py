"""Memory that stays bounded: statistics of all lanes, rows with noise of their own, scales."""

import warnings

import numpy as np
import pytest
from oracles import peak_memory
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from skmix import GSMDenoiser
from skmix._rows import sources
from skmix._rows.sources import ArraySource

MB = 2**20


def test_lanes_are_added_up_as_soon_as_they_are_there():
    n_bytes = 32 * MB
    X = np.random.default_rng(0).normal(size=(16 * sources.MIN_CHUNK_ROWS, 1))

    def total(n_threads):
        def add(chunk, totals, scratch):
            totals[0][:3] += chunk.X.sum()

        with threadpool_limits(n_threads), ArraySource(X) as source:
            return source.reduce(add, lambda: [np.zeros(n_bytes // 8)], 10_000)

    assert peak_memory(lambda: total(1)) < 2.5 * n_bytes  # four lanes
    np.testing.assert_array_equal(total(1)[0][:3], total(2)[0][:3])


def test_the_largest_statistics_have_two_lanes():
    few = sources._lanes(100_000, 10_000, 40 * MB)
    largest = sources._lanes(100_000, 10_000, 500 * MB)
    assert (len(few), len(largest)) == (4, 2)
    rows = np.concatenate([np.arange(s.start, s.stop) for lane in largest for s in lane])
    np.testing.assert_array_equal(rows, np.arange(100_000))


@pytest.mark.parametrize("training_noise_std", [0.0, 0.2])
def test_learning_a_covariance_keeps_no_responsibilities(training_noise_std):
    n_samples, n_components = 100_000, 64
    X = np.random.default_rng(0).standard_t(3, size=(n_samples, 3))
    options = {"training_noise_std": training_noise_std, "max_iter": 9, "tol": 0.05}
    denoiser = GSMDenoiser(n_components, learn_covariance=True, random_state=0, **options)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert peak_memory(lambda: denoiser.fit(X)) < 0.6 * 8 * n_samples * n_components


def test_rows_with_noise_of_their_own_are_restored_in_small_chunks():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6000, 16)) @ rng.normal(size=(16, 16))
    noise_std = rng.uniform(0.1, 1.0, size=len(X))
    denoiser = GSMDenoiser(8, random_state=0).fit(X[:400])
    with threadpool_limits(1):
        restored = []
        peak = peak_memory(lambda: restored.append(denoiser.transform(X, row_noise_std=noise_std)))
        assert peak < 30 * MB
        part = denoiser.transform(X[2990:3010], row_noise_std=noise_std[2990:3010])
    np.testing.assert_allclose(restored[0][2990:3010], part, rtol=1e-9)
