"""The kernel of conditioning: blocks of rows, small factorisations, noise."""

import itertools

import numpy as np
import pytest
import scipy.stats
from families import with_holes

from skmix._linalg.blocks import SmallCholesky, group_rows, solve_blocks
from skmix._linalg.conditioner import Conditioner
from skmix._rows.sources import Scratch


def test_groups_hold_every_row_once():
    rng = np.random.default_rng(0)
    patterns = rng.random((6, 40)) < 0.5
    observed = np.concatenate([patterns[rng.integers(6, size=50)], rng.random((30, 40)) < 0.5]).T
    order, groups = group_rows(observed)
    np.testing.assert_array_equal(np.sort(order), np.arange(80))
    assert groups[0].start == 0 and groups[-1].stop == 80
    for group, following in itertools.pairwise(groups):
        assert group.stop == following.start
    assert any(group.repeats > 1 for group in groups)
    for group in groups:
        assert 2 * len(group.blocks) <= 40
        for place in range(group.start, group.stop):
            block = group.blocks[:, (place - group.start) // group.repeats]
            cells = observed[:, order[place]] == group.of_observed
            np.testing.assert_array_equal(block, np.flatnonzero(cells))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 12])
def test_small_factorisation(size):
    rng = np.random.default_rng(size)
    matrices = np.array([np.cov(rng.normal(size=(15, 40))) for _ in range(3)])
    blocks = np.sort(rng.permuted(np.tile(np.arange(15), (20, 1)), axis=1)[:, :size], axis=1).T
    right = rng.normal(size=(3, size, 20))
    noise = rng.uniform(size=15)
    factors = SmallCholesky(matrices, blocks, noise[blocks])
    solution = np.empty_like(right)
    factors.solve(right, out=solution)
    lower = factors.inverse()
    for k in range(3):
        for i in range(20):
            block = blocks[:, i]
            dense = (matrices[k] + np.diag(noise))[np.ix_(block, block)]
            expected = np.linalg.solve(dense, right[k, :, i])
            np.testing.assert_allclose(solution[k, :, i], expected, rtol=1e-10)
            np.testing.assert_allclose(
                lower[k, :, i], np.linalg.inv(dense)[np.tril_indices(size)], rtol=1e-9, atol=1e-12
            )
            np.testing.assert_allclose(
                factors.half_log_det()[k, i], 0.5 * np.linalg.slogdet(dense)[1], rtol=1e-10
            )


@pytest.mark.parametrize("n_features", [8, 40])
def test_blocks_say_how_near_to_singular_they_are(n_features):
    rng = np.random.default_rng(0)
    root = rng.normal(size=(2, n_features, 3))
    covariances = root @ root.swapaxes(1, 2) + 1e-4 * np.eye(n_features)
    singular = root @ root.swapaxes(1, 2)
    _, groups = group_rows(rng.random((n_features, 30)) < 0.5)
    for group in groups:
        size = len(group.blocks)
        right = rng.normal(size=(2, size, group.stop - group.start))
        for matrices, most in ((covariances, 1.0), (singular, 1e-12)):
            solution, _, share = solve_blocks(matrices, group, right, with_share=True)
            assert np.all(np.isfinite(solution))
            if size > 3:  # larger than the rank
                assert np.all(share <= most)
        _, _, share = solve_blocks(covariances, group, right, with_share=True)
        assert np.all(share > 1e-8)


@pytest.mark.parametrize("of_rows", [False, True])
@pytest.mark.parametrize("n_features", [5, 20])
def test_known_noise_in_the_observations(n_features, of_rows):
    """The Wiener filter, with and without missing cells."""
    rng = np.random.default_rng(0)
    covariances = np.array([np.cov(rng.normal(size=(n_features, 60))) for _ in range(2)])
    means = rng.normal(size=(2, n_features))
    noise = rng.uniform(0.1, 1.0, size=(n_features, 30 if of_rows else 1))
    factors = np.linalg.cholesky(np.linalg.inv(covariances)[:, ::-1, ::-1])[:, ::-1, ::-1]
    z = with_holes(rng.normal(size=(30, n_features)), 0.3)
    z[:5] = rng.normal(size=(5, n_features))
    conditioner = Conditioner(means, covariances, factors)
    conditioned = conditioner.condition(conditioner.sort(z.T.copy(), noise), Scratch())
    noise = np.broadcast_to(noise, (n_features, 30))[:, conditioned.rows.order]
    totals = conditioner.zeros()
    conditioner.add_covariances(totals, conditioned.rows, np.ones((2, 30)))
    for k in range(2):
        deviation = conditioned.deviation(k, slice(None))
        variances = conditioner.variances(conditioned.rows, k, np.arange(30))
        total = np.zeros((n_features, n_features))
        for place, row in enumerate(z[conditioned.rows.order]):
            o = ~np.isnan(row)
            noisy = (covariances[k] + np.diag(noise[:, place]))[np.ix_(o, o)]
            gain = covariances[k][:, o] @ np.linalg.inv(noisy)
            posterior = covariances[k] - gain @ covariances[k][o]
            total += posterior
            expected = gain @ (row[o] - means[k][o])
            np.testing.assert_allclose(deviation[:, place], expected, atol=1e-11)
            np.testing.assert_allclose(variances[:, place], np.diag(posterior), atol=1e-11)
            np.testing.assert_allclose(
                conditioned.log_density[k, place],
                scipy.stats.multivariate_normal(means[k][o], noisy).logpdf(row[o]),
                rtol=1e-10,
            )
        sums = conditioner.sum_covariances([part.copy() for part in totals])
        np.testing.assert_allclose(sums[k], total, atol=1e-10)
