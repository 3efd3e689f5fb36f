"""Rubin's rules, and the coverage of the intervals that they give."""

import numpy as np
import pytest
from scipy import stats

from skmix import ConditionalGMMInpainter
from skmix.metrics import pool_estimates


def test_it_is_the_textbook():
    # Worked out by hand: W = 4, B = 1, T = 4 + 6/5, lambda = 3/13.
    estimates = 10.0 + np.array([-1.0, -1.0, 0.0, 1.0, 1.0])
    pooled = pool_estimates(estimates, np.full(5, 4.0), complete_df=20)
    assert pooled.estimate == pytest.approx(10.0)
    assert pooled.standard_error == pytest.approx(np.sqrt(5.2))
    assert pooled.missing_information == pytest.approx(3 / 13)
    old, observed = 4 / (3 / 13) ** 2, 20 * 21 / 23 * 10 / 13
    assert pooled.degrees_of_freedom == pytest.approx(old * observed / (old + observed))
    low, high = pooled.interval(0.9)
    width = stats.t.ppf(0.95, pooled.degrees_of_freedom) * np.sqrt(5.2)
    assert (low, high) == pytest.approx((10 - width, 10 + width))
    many = pool_estimates(estimates, np.full(5, 4.0))
    assert many.degrees_of_freedom == pytest.approx(old)


def test_arrays_are_pooled_entry_by_entry():
    rng = np.random.default_rng(0)
    estimates, variances = rng.normal(size=(6, 2, 3)), rng.gamma(2.0, size=(6, 2, 3))
    pooled = pool_estimates(estimates, variances, complete_df=50)
    one = pool_estimates(estimates[:, 1, 2], variances[:, 1, 2], complete_df=50)
    for field, own in zip(pooled, one, strict=True):
        assert field.shape == (2, 3) and field[1, 2] == pytest.approx(own)


def test_nothing_missing_is_the_complete_analysis():
    pooled = pool_estimates([2.0, 2.0], [1.0, 1.0])
    assert pooled.degrees_of_freedom == np.inf and pooled.missing_information == 0.0
    assert pooled.interval() == pytest.approx((2 - 1.95996, 2 + 1.95996), abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0], [1.0]), "one variance for every estimate"),
        (([1.0], [1.0]), "At least two"),
        (([1.0, np.nan], [1.0, 1.0]), "must be finite"),
        (([1.0, 2.0], [1.0, -1.0]), "must not be negative"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        pool_estimates(*arguments)


def test_bad_numbers():
    with pytest.raises(ValueError, match="complete_df=0 must be positive"):
        pool_estimates([1.0, 2.0], [1.0, 1.0], complete_df=0)
    with pytest.raises(ValueError, match="level=95 must lie between 0 and 1"):
        pool_estimates([1.0, 2.0], [1.0, 1.0]).interval(95)


def covers(rng, n_refits):
    X = rng.multivariate_normal([0.0, 0.0], [[1.0, 0.6], [0.6, 1.0]], size=24)
    X[rng.permutation(24)[:12], 1] = np.nan
    inpainter = ConditionalGMMInpainter(n_refits=n_refits, random_state=rng.integers(2**31))
    tables = inpainter.fit(X).multiple_imputations(X, 8)
    means = [table[:, 1].mean() for table in tables]
    variances = [table[:, 1].var(ddof=1) / 24 for table in tables]
    low, high = pool_estimates(means, variances, complete_df=23).interval()
    return low < 0 < high, high - low


def test_intervals_of_refits_are_wider_and_cover():
    rng = np.random.default_rng(0)
    proper = np.array([covers(rng, 8) for _ in range(30)]).mean(axis=0)
    rng = np.random.default_rng(0)
    improper = np.array([covers(rng, 0) for _ in range(30)]).mean(axis=0)
    assert proper[0] > 0.88
    assert proper[1] > 1.1 * improper[1]
