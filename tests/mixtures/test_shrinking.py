"""`shrinkage="auto"`: how far covariances are shrunk is chosen by the rows."""

import numpy as np
import oracles
import pytest
from families import FAMILIES, with_holes
from scipy.optimize import minimize_scalar
from scipy.stats import invwishart, multivariate_normal

from skmix import DiagonalGMM, GaussianMixture, GMMBayesClassifier, GMMDenoiser, GMMRegressor
from skmix._engine.em import em_step
from skmix._mixtures import shrinking


def factors(n_samples=60, n_features=12, n_factors=3, noise=0.5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_factors)) @ rng.normal(size=(n_factors, n_features))
    return X + noise * rng.normal(size=X.shape)


def fit(X, n_components=1, **options):
    return GaussianMixture(n_components, shrinkage="auto", random_state=0, **options).fit(X)


@pytest.mark.parametrize("n_samples", [6, 60])
def test_amount_maximises_the_likelihood_of_the_rows(n_samples):
    X = factors(n_samples, 5, 2)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    basis = np.linalg.svd(np.eye(n_samples) - 1.0 / n_samples)[0][:, :-1]
    rows = basis.T @ X  # as independent as the deviations from a known mean
    mean = np.eye(5) * (n_samples - 1) / n_samples  # of the prior; correlations have n - 1

    def negative(log_amount):
        # Bayes' rule at any one covariance.
        freedom, scale = np.exp(log_amount) + 6, np.exp(log_amount) * np.eye(5)
        sigma = np.cov(X.T) + mean
        prior = invwishart.logpdf(sigma, freedom, scale)
        scatter = rows.T @ rows * (n_samples - 1) / n_samples
        posterior = invwishart.logpdf(sigma, freedom + n_samples - 1, scale + scatter)
        scaled = rows * np.sqrt((n_samples - 1) / n_samples)
        likelihood = multivariate_normal.logpdf(scaled, np.zeros(5), sigma).sum()
        return posterior - prior - likelihood

    expected = minimize_scalar(negative, bounds=(-8, 8), method="bounded").x
    found = shrinking.likeliest(np.corrcoef(X.T), n_samples)
    assert np.log(found) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_one_component_keeps_variances_and_shrinks_correlations(covariance_type):
    X = factors()
    mixture = fit(X, covariance_type=covariance_type, reg_covar=0.0)
    nu = mixture.shrinkage_
    assert 0 < nu < len(X)
    empirical = np.cov(X.T, bias=True)
    expected = (len(X) * empirical + nu * np.diag(np.diagonal(empirical))) / (len(X) + nu)
    np.testing.assert_allclose(mixture.covariances_.reshape(12, 12), expected, rtol=1e-9)


def test_fewer_rows_than_features_are_fitted():
    X, held_out = np.split(factors(500, 60), [30])
    mixture = fit(X, reg_covar=0.0)
    assert np.linalg.eigvalsh(mixture.covariances_[0]).min() > 1e-3
    with pytest.warns(match="collapsed"):
        plain = GaussianMixture(reg_covar=1e-2).fit(X)
    assert mixture.score(held_out) > plain.score(held_out) + 10.0


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_it_vanishes_as_rows_come_in(share):
    X = factors(8000)
    shares = []
    for n_samples in (40, 400, 8000):
        rows = with_holes(X[:n_samples], share)
        shares.append(fit(rows).shrinkage_ / n_samples)
    assert shares[0] > 10 * shares[1] / 2 > 10 * shares[2]
    assert shares[2] < 1e-3


def test_it_depends_on_no_unit():
    X = factors()
    units = 10.0 ** np.arange(-6, 6)
    assert fit(X * units + units).shrinkage_ == pytest.approx(fit(X).shrinkage_, rel=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_weights_are_repetitions(share):
    X = with_holes(factors(), share)
    times = np.arange(len(X)) % 3
    weighted = GaussianMixture(shrinkage="auto").fit(X, sample_weight=times)
    repeated = fit(np.repeat(X, times, axis=0))
    assert weighted.shrinkage_ == pytest.approx(repeated.shrinkage_, rel=1e-6)


def test_many_rows_are_sampled(monkeypatch):
    X = factors(4000)
    expected = fit(X).shrinkage_
    monkeypatch.setattr(shrinking, "ROWS", 500)
    assert fit(X).shrinkage_ == pytest.approx(expected, rel=0.3)
    assert fit(X).shrinkage_ != expected


def test_missing_cells_change_little():
    X = factors(200)
    assert fit(with_holes(X, 0.2)).shrinkage_ == pytest.approx(fit(X).shrinkage_, rel=0.3)


def test_constant_columns_count_for_nothing():
    X = factors()
    expected = fit(X).shrinkage_
    with pytest.warns(match="collapsed"):
        assert fit(np.column_stack([X, np.ones(len(X))])).shrinkage_ == pytest.approx(expected)
    with pytest.warns(match="collapsed"):
        assert fit(np.column_stack([X[:, 0], np.ones(len(X))])).shrinkage_ == 0.0


def test_known_noise_is_taken_out():
    rng = np.random.default_rng(0)
    clean = factors(400)
    noisy = clean + rng.normal(size=clean.shape)
    options = dict(shrinkage="auto", noise_std=1.0, random_state=0)
    aware = GMMDenoiser(1, training_noise_std=1.0, **options).fit(noisy).shrinkage_
    naive = GMMDenoiser(1, **options).fit(noisy).shrinkage_
    assert aware < naive / 2


def clusters(n_samples=90, n_features=6):
    rng = np.random.default_rng(0)
    X = factors(n_samples, n_features)
    return X + 8.0 * rng.integers(2, size=(n_samples, 1)) * np.eye(n_features)[0]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_several_components_are_pooled_then_shrunk(covariance_type, weighted):
    (case,) = (case for case in FAMILIES if case.covariance_type == covariance_type)
    params, X = case.problem(0)
    weight = np.random.default_rng(0).gamma(2.0, size=len(X)) if weighted else np.ones(len(X))
    shrinkage = 25.0 if covariance_type == "full" else 0.0
    options = dict(shrinkage=shrinkage, diagonal_shrinkage=40.0)
    with case.bound(X, weight, **options) as (source, family):
        found = family.from_frame(em_step(source, family, family.to_frame(params))[0])
    _, resp, *_ = oracles.conditional(X, params.weights, params.means, case.dense(params))
    _, _, expected = oracles.m_step(covariance_type, X, resp, weight, shrinkage=shrinkage)
    share = weight.sum() / (weight.sum() + 40.0)
    expected = expected * (share + (1.0 - share) * np.eye(4))
    np.testing.assert_allclose(found.covariances, expected, atol=1e-12)


def test_correlations_that_cancel_are_found():
    rng = np.random.default_rng(0)
    # Correlations of opposite signs, which cancel in all rows together.
    sign = np.where(np.arange(400) % 2 == 0, 1.0, -1.0)
    first = rng.normal(size=400)
    X = np.column_stack([first, sign * first + 0.1 * rng.normal(size=400)])
    mixture = fit(X, 2)
    assert mixture.shrinkage_ == fit(X).shrinkage_ == 1.0
    correlation = mixture.covariances_[:, 0, 1] / np.sqrt(
        mixture.covariances_[:, 0, 0] * mixture.covariances_[:, 1, 1]
    )
    np.testing.assert_allclose(np.sort(correlation), [-0.97, 0.97], atol=0.03)


@pytest.mark.parametrize("covariance_type", ["diag", "spherical", "EEI", "VVE", "EEV"])
def test_other_structures_are_left_alone(covariance_type):
    X = clusters()
    options = dict(covariance_type=covariance_type, random_state=0)
    plain = GaussianMixture(2, **options).fit(X)
    shrunk = GaussianMixture(2, shrinkage="auto", **options).fit(X)
    assert shrunk.shrinkage_ == 0.0
    np.testing.assert_array_equal(shrunk.covariances_, plain.covariances_)
    assert DiagonalGMM(2, shrinkage="auto", random_state=0).fit(X).shrinkage_ == 0.0


@pytest.mark.parametrize("assignment", ["soft", "hard"])
@pytest.mark.parametrize("covariance_type", ["full", "tied"])
@pytest.mark.parametrize("n_components", [1, 3])
def test_float32_rows_holes_and_hard_em(n_components, covariance_type, assignment):
    X = with_holes(clusters(200), 0.2)
    options = dict(covariance_type=covariance_type, assignment=assignment)
    expected = fit(X, n_components, **options)
    mixture = fit(X.astype(np.float32), n_components, **options)
    assert mixture.covariances_.dtype == np.float32
    assert mixture.shrinkage_ == pytest.approx(expected.shrinkage_, rel=1e-3)


def test_warm_start_goes_on():
    X = clusters()
    mixture = fit(X, 2, warm_start=True, tol=1e-8, max_iter=500)
    before = mixture.covariances_
    np.testing.assert_allclose(mixture.fit(X).covariances_, before, rtol=1e-4, atol=1e-5)


def test_a_prior_beside_it_is_refused():
    with pytest.raises(ValueError, match="shrinkage='auto' and prior='data' both steady"):
        fit(clusters(), 2, prior="data")


def test_numbers_are_what_was_given():
    assert GaussianMixture(2, shrinkage=4.0, random_state=0).fit(clusters()).shrinkage_ == 4.0
    given = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
    assert not hasattr(given, "shrinkage_")


def test_estimators_say_what_was_chosen():
    X = clusters()
    y = (X[:, 0] > 4).astype(int)
    classifier = GMMBayesClassifier(covariance_type="full", shrinkage="auto").fit(X, y)
    alone = [fit(X[y == label]).shrinkage_ for label in (0, 1)]
    np.testing.assert_allclose(classifier.shrinkage_, alone, rtol=1e-6)
    regressor = GMMRegressor(1, shrinkage="auto").fit(X[:, 1:], X[:, 0])
    assert regressor.shrinkage_ == regressor.mixture_.shrinkage_ > 0
