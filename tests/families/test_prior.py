"""The conjugate prior of Fraley and Raftery (2007), against its formulas written as loops."""

import numpy as np
import oracles
import pytest
from families import with_holes
from mixtures import overlapping

from skmix import DiagonalGMM, GaussianMixture
from skmix._engine.em import em_step
from skmix._families import ConjugatePrior, Frame
from skmix._families.prior import log_prior
from skmix._mixtures.covariance_types import FAMILIES
from skmix._rows.sources import ArraySource

NAMES = ["EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE"]
NAMES += ["VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV"]
every_structure = pytest.mark.parametrize("name", NAMES)


def one_step(name, X, start):
    """One iteration from a fit without a prior, with the prior of the rows."""
    return GaussianMixture(
        len(start.weights_),
        covariance_type=name,
        prior="data",
        reg_covar=0.0,
        max_iter=1,
        tol=0.0,
        weights_init=start.weights_,
        means_init=start.means_,
        precisions_init=start.precisions_,
    ).fit(X)


def table(name, n, K, d, nu, W, S, variance, scale):
    """Covariances by table 2 of the paper, from scatters W, S of rows and of means."""
    total, trace = [w + s for w, s in zip(W, S, strict=True)], np.trace
    variances = np.diag(scale)
    if name == "EII":
        value = (variance + sum(map(trace, total))) / (nu + (n.sum() + K) * d + 2)
        return [value * np.eye(d)] * K
    if name == "VII":
        values = [
            (variance + trace(own)) / (nu + (m + 1) * d + 2)
            for own, m in zip(total, n, strict=True)
        ]
        return [value * np.eye(d) for value in values]
    if name == "EEI":
        diagonal = (variances + np.diag(sum(total))) / (nu + n.sum() + K + 2)
        return [np.diag(diagonal)] * K
    if name == "VVI":
        return [
            np.diag((variances + np.diag(own)) / (nu + m + 3))
            for own, m in zip(total, n, strict=True)
        ]
    if name == "EEE":
        return [(scale + sum(total)) / (nu + n.sum() + d + K + 1)] * K
    return [(scale + own) / (nu + m + d + 2) for own, m in zip(total, n, strict=True)]


@pytest.mark.parametrize("name", ["EII", "VII", "EEI", "VVI", "EEE", "VVV"])
@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_step_is_that_of_the_paper(name, d):
    X, K = overlapping(60, d), 2
    start = GaussianMixture(K, covariance_type=name, random_state=0).fit(X)
    after = one_step(name, X, start)
    matrices = oracles.dense(FAMILIES[name].free_type, start.covariances_, K, d)
    _, resp = oracles.e_step(X, start.weights_, start.means_, matrices)
    n, middle, kappa, nu = resp.sum(axis=0), X.mean(axis=0), 0.01, d + 2
    scale = np.cov(X.T, bias=True).reshape(d, d) / K ** (2 / d)
    W, S, means = [], [], []
    for k in range(K):
        mean = resp[:, k] @ X / n[k]
        W.append(sum(r * np.outer(x - mean, x - mean) for r, x in zip(resp[:, k], X, strict=True)))
        S.append(kappa * n[k] / (kappa + n[k]) * np.outer(mean - middle, mean - middle))
        means.append((n[k] * mean + kappa * middle) / (n[k] + kappa))
    expected = table(name, n, K, d, nu, W, S, np.trace(scale) / d, scale)
    np.testing.assert_allclose(after.means_, means, atol=1e-10)
    np.testing.assert_allclose(after.weights_, n / n.sum(), atol=1e-12)
    found = oracles.dense(FAMILIES[name].free_type, after.covariances_, K, d)
    np.testing.assert_allclose(found, expected, atol=1e-10)


@every_structure
@pytest.mark.parametrize("holes", [False, True])
def test_the_posterior_never_falls(name, holes):
    X = overlapping(120, 3)
    rows = with_holes(X) if holes else X
    start = GaussianMixture(3, covariance_type=name, init_params="kmeans", max_iter=3, tol=1.0)
    start.fit(X)
    family_type = FAMILIES[name]
    prior = ConjugatePrior.of_rows(X.mean(axis=0), np.cov(X.T), 3)
    with ArraySource(rows, incomplete=holes) as source:
        frame = Frame.of_source(source, common_scale=family_type.common_scale)
        family = family_type(frame, incomplete=holes, prior=prior)
        family = family.bound_to(source)
        params = start._fitted_family()[0].from_frame(start._fitted_family()[1])
        params = family.to_frame(params)
        values = []
        for _ in range(15):
            update, bound = em_step(source, family, params)
            values.append(bound * len(X) + log_prior(family, params))
            params = update
    assert np.diff(values).min() > -1e-8
    assert values[-1] > values[0]


@every_structure
def test_fits_know_what_the_prior_may_cost(name, recwarn):
    X = overlapping(200, 3)
    options = {"prior": "data", "random_state": 0, "tol": 1e-9, "max_iter": 3000}
    mixture = GaussianMixture(3, covariance_type=name, **options).fit(X)
    assert mixture.converged_
    assert not [w for w in recwarn if "fell" in str(w.message)]
    free = GaussianMixture(3, covariance_type=name, **options | {"prior": None}).fit(X)
    assert free.score(X) > mixture.score(X) - 1e-9


@every_structure
def test_rows_that_coincide_make_no_spike(name, recwarn):
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(50, 3)), np.full((12, 3), 4.0)])
    options = {"prior": "data", "reg_covar": 0.0, "random_state": 0, "max_iter": 500}
    mixture = GaussianMixture(5, covariance_type=name, **options).fit(X)
    dense = oracles.dense(FAMILIES[name].free_type, mixture.covariances_, 5, 3)
    floor = np.linalg.eigvalsh(np.cov(X.T)).min() / 5 ** (2 / 3) / (5 + 62 + 5)
    assert np.linalg.eigvalsh(dense).min() > 0.3 * floor
    assert not [w for w in recwarn if "collapsed" in str(w.message)]


def test_the_prior_of_rows_with_missing_cells_is_that_of_a_single_gaussian():
    X = with_holes(overlapping(150, 3))
    single = GaussianMixture(1, tol=1e-9, max_iter=500, reg_covar=0.0).fit(X)
    mixture = GaussianMixture(2, prior="data")
    with ArraySource(X, incomplete=True) as source:
        prior = mixture._prior_of(source, Frame.of_source(source))
    np.testing.assert_allclose(prior.mean, single.means_[0], atol=1e-4)
    np.testing.assert_allclose(prior.scale * 2 ** (2 / 3), single.covariances_[0], atol=1e-3)


@pytest.mark.parametrize("name", ["EEI", "VVI", "VEI", "VEE", "VVV", "EVV"])
def test_units_change_nothing(name):
    X, scale = overlapping(150, 3), np.array([1e-3, 1.0, 50.0])
    options = {"prior": "data", "random_state": 0, "init_params": "random", "max_iter": 20}
    options |= {"tol": 1e-2, "covariance_type": name}
    ours, scaled = GaussianMixture(2, **options).fit(X), GaussianMixture(2, **options)
    scaled.fit(X * scale)
    np.testing.assert_allclose(scaled.means_ / scale, ours.means_, atol=1e-8)


def test_the_diagonal_mixture_has_it_too():
    X = overlapping(100, 3)
    ours = DiagonalGMM(2, prior="data", random_state=0).fit(X)
    same = GaussianMixture(2, covariance_type="diag", prior="data", random_state=0).fit(X)
    np.testing.assert_array_equal(ours.covariances_, same.covariances_)
    assert np.abs(ours.covariances_ - DiagonalGMM(2, random_state=0).fit(X).covariances_).max() > 0


def test_two_ways_to_steady_covariances_are_refused():
    with pytest.raises(ValueError, match=r"shrinkage=1.0 and prior='data' both"):
        GaussianMixture(2, prior="data", shrinkage=1.0).fit(overlapping(50, 2))
