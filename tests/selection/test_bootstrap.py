"""The bootstrapped test of the number of components."""

import numpy as np
import pytest

from skmix import CategoricalMixture, GaussianMixture, bootstrap_lrt
from skmix._selection import bootstrap

pytestmark = pytest.mark.usefixtures("few_starts")
QUICK = CategoricalMixture(init_params="random", tol=1e-6)


def patterns():
    X = np.array([[0, 0, 0], [1, 1, 1], [0, 1, 0], [1, 0, 1]], dtype=float)
    return X, np.array([14, 12, 3, 2])


def test_a_table_of_counts_is_tested_as_its_rows():
    X, counts = patterns()
    of_counts = bootstrap_lrt(QUICK, X, n_bootstrap=5, random_state=0, sample_weight=counts)
    of_rows = bootstrap_lrt(QUICK, np.repeat(X, counts, axis=0), n_bootstrap=5, random_state=0)
    assert of_counts.statistic == pytest.approx(of_rows.statistic, abs=1e-3)
    np.testing.assert_allclose(
        of_counts.bootstrap_statistics, of_rows.bootstrap_statistics, atol=1e-2
    )
    with pytest.raises(ValueError, match="sample_weight must be whole numbers here"):
        bootstrap_lrt(QUICK, X, n_bootstrap=2, sample_weight=[1.0, 0.5, 1.0, 2.0])


def test_the_number_of_jobs_changes_nothing():
    X, counts = patterns()
    options = {"n_bootstrap": 4, "random_state": 0, "sample_weight": counts}
    one, two = (bootstrap_lrt(QUICK, X, n_jobs=n_jobs, **options) for n_jobs in (1, 2))
    np.testing.assert_array_equal(one.bootstrap_statistics, two.bootstrap_statistics)


def test_missing_cells_of_numbers_are_missing_in_drawn_rows(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3)) + 4.0 * np.eye(3)[rng.integers(2, size=80)]
    X[rng.random(X.shape) < 0.3] = np.nan
    seen = []
    plain = bootstrap._statistic

    def watched(models, rows, weight, random_state):
        seen.append(np.isnan(rows))
        return plain(models, rows, weight, random_state)

    monkeypatch.setattr(bootstrap, "_statistic", watched)
    bootstrap_lrt(GaussianMixture(), X, n_bootstrap=2, random_state=0)
    for holes in seen:
        np.testing.assert_array_equal(holes, np.isnan(X))


def test_progress_is_printed(capfd):
    X, counts = patterns()
    bootstrap_lrt(QUICK, X, n_bootstrap=3, random_state=0, sample_weight=counts, verbose=10)
    assert "Done" in "".join(capfd.readouterr())
