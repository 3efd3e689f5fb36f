"""Denoisers against closed forms, slow loops and simulated truth."""

import pickle

import numpy as np
import oracles
import pytest
import sklearn
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skmix import GaussianMixture, GMMDenoiser, GSMDenoiser, ICADenoiser, MVNDenoiser
from skmix._denoisers import eigenbasis
from skmix._families import GaussianParams

EVERY = [
    MVNDenoiser(),
    GMMDenoiser(2, random_state=0),
    GMMDenoiser(2, covariance_type="tied", random_state=0),
    GMMDenoiser(2, covariance_type="diag", random_state=0),
    GMMDenoiser(2, covariance_type="spherical", random_state=0),
    GSMDenoiser(3),
    GSMDenoiser(3, assume_centered=True, learn_covariance=True),
    ICADenoiser(3),
    ICADenoiser(3, rotation="ica", random_state=0),
]
every = pytest.mark.parametrize("denoiser", EVERY, ids=repr)


def correlated(n_samples=2000, n_features=6, seed=0):
    """Rows of several scales and one shape, off the origin."""
    rng = np.random.default_rng(seed)
    shape = rng.normal(size=(n_features, n_features)) / np.sqrt(n_features)
    scales = rng.choice([0.2, 1.0, 3.0], size=(n_samples, 1))
    return scales * rng.normal(size=(n_samples, n_features)) @ shape + 1.5


def with_noise(X, noise_std, seed=1):
    return X + noise_std * np.random.default_rng(seed).normal(size=X.shape)


def wiener(X, mean, covariance, noise_std):
    """The formula with precisions, for one number or one per feature."""
    precision = np.linalg.inv(covariance)
    noise = np.diag(np.broadcast_to(1.0 / np.square(noise_std), (len(mean),)))
    system = np.linalg.inv(precision + noise)
    return (precision @ mean + X @ noise) @ system.T, np.diag(system)


@pytest.mark.parametrize("noise_std", [0.3, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]])
def test_mvn_is_the_wiener_filter(noise_std):
    X = correlated()
    denoiser = MVNDenoiser(noise_std=noise_std, reg_covar=1e-6).fit(X)
    covariance = np.cov(X.T, bias=True) + 1e-6 * np.eye(6)
    expected, variance = wiener(X, X.mean(axis=0), covariance, np.asarray(noise_std))
    mean, actual = denoiser.posterior(X)
    np.testing.assert_allclose(mean, expected, atol=1e-9)
    np.testing.assert_allclose(actual, np.tile(variance, (len(X), 1)), atol=1e-9)
    np.testing.assert_array_equal(denoiser.transform(X), mean)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_gmm_blends_wiener_filters(covariance_type):
    X = np.concatenate([correlated(300), correlated(300, seed=1) + 4.0])
    denoiser = GMMDenoiser(2, covariance_type=covariance_type, random_state=0).fit(X)
    mixture = denoiser.mixture_
    Y, noise_std = with_noise(X[::20], 0.7), 0.7
    matrices = oracles.dense(covariance_type, mixture.covariances_, 2, 6)
    _, resp = oracles.e_step(
        Y, mixture.weights_, mixture.means_, matrices + noise_std**2 * np.eye(6)
    )
    parts = [
        wiener(Y, mean, matrix, noise_std)
        for mean, matrix in zip(mixture.means_, matrices, strict=True)
    ]
    expected = sum(resp[:, [k]] * parts[k][0] for k in range(2))
    square = sum(resp[:, [k]] * (parts[k][1] + parts[k][0] ** 2) for k in range(2))
    mean, variance = denoiser.posterior(Y, row_noise_std=noise_std)
    np.testing.assert_allclose(mean, expected, atol=1e-9)
    np.testing.assert_allclose(variance, square - expected**2, atol=1e-8)


@every
def test_no_noise_changes_nothing_and_much_leaves_the_mean(denoiser):
    X = correlated()
    fitted = sklearn.clone(denoiser).fit(X)
    np.testing.assert_array_equal(fitted.transform(X, row_noise_std=0.0), X)
    np.testing.assert_allclose(fitted.transform(X, row_noise_std=1e-6), X, atol=1e-6)
    mean, variance = fitted.posterior(X, row_noise_std=1e7)
    center = np.zeros(6) if getattr(denoiser, "assume_centered", False) else X.mean(axis=0)
    np.testing.assert_allclose(mean, np.tile(center, (len(X), 1)), atol=1e-3)
    draws, _ = fitted.sample(20_000)
    np.testing.assert_allclose(variance[0], draws.var(axis=0), rtol=0.15)


@every
def test_noise_per_row(denoiser):
    X = with_noise(correlated(200), 0.5)
    fitted = sklearn.clone(denoiser).fit(X)
    levels = np.random.default_rng(0).choice([0.0, 0.1, 0.5, 2.0], size=200)
    mean, variance = fitted.posterior(X, row_noise_std=levels)
    for level in np.unique(levels):
        rows = levels == level
        expected = fitted.posterior(X[rows], row_noise_std=level)
        np.testing.assert_allclose(mean[rows], expected.mean, atol=1e-9)
        np.testing.assert_allclose(variance[rows], expected.variance, atol=1e-9)


@every
def test_posterior_variance_is_calibrated(denoiser):
    """Clean rows drawn from the model itself."""
    fitted = sklearn.clone(denoiser).set_params(random_state=0).fit(correlated())
    clean = fitted.sample(6000)[0]
    mean, variance = fitted.posterior(with_noise(clean, 0.5), row_noise_std=0.5)
    assert np.mean((mean - clean) ** 2) == pytest.approx(np.mean(variance), rel=0.05)
    assert np.mean((mean - clean) ** 2) < 0.9 * 0.5**2


@every
def test_denoising_twice_does_not_help(denoiser):
    X = correlated()
    fitted = sklearn.clone(denoiser).fit(X)
    once = fitted.transform(with_noise(X, 0.5), row_noise_std=0.5)
    twice = fitted.transform(once, row_noise_std=0.5)
    assert np.mean((twice - X) ** 2) > np.mean((once - X) ** 2)


@every
def test_works_behind_pca(denoiser):
    """Isotropic noise stays isotropic under a rotation."""
    X = correlated()
    noisy = with_noise(X, 0.5)
    plain = sklearn.clone(denoiser).set_params(noise_std=0.5).fit(X)
    piped = make_pipeline(PCA(), sklearn.clone(plain)).fit(X)
    restored = piped.inverse_transform(piped.transform(noisy))
    # Two components with one covariance have several optima here: rows without clusters.
    rotates_alike = not isinstance(denoiser, ICADenoiser) and (
        getattr(denoiser, "covariance_type", "full") in ("full", "spherical")
    )
    if rotates_alike and not getattr(denoiser, "assume_centered", False):
        np.testing.assert_allclose(restored, plain.transform(noisy), atol=1e-3)
    assert np.mean((restored - X) ** 2) < np.mean((noisy - X) ** 2)


@every
def test_metadata_routing_of_noise(denoiser):
    X = correlated(300)
    levels = np.linspace(0.1, 1.0, 300)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = sklearn.clone(denoiser).set_transform_request(row_noise_std=True)
        pipeline = make_pipeline(PCA(), routed).fit(X)
        expected = pipeline[1].transform(pipeline[0].transform(X), row_noise_std=levels)
        np.testing.assert_array_equal(pipeline.transform(X, row_noise_std=levels), expected)


# Training rows that carry noise


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_noise_per_row_in_the_basis_of_a_shared_shape(monkeypatch, offset, dtype):
    rng = np.random.default_rng(0)
    clean = rng.choice([0.3, 4.0], size=(300, 1)) * rng.normal(size=(300, 5))
    clean = clean @ rng.normal(size=(5, 5)) + offset
    levels = rng.uniform(0.1, 2.0, size=300)
    levels[::50] = 0.0
    noisy = (clean + levels[:, None] * rng.normal(size=clean.shape)).astype(dtype)
    denoiser = GSMDenoiser(3).fit(clean)
    quick = denoiser.posterior(noisy, row_noise_std=levels)
    calls = []
    monkeypatch.setattr(eigenbasis, "shared_shape", lambda *args: calls.append(args))
    slow = denoiser.posterior(noisy, row_noise_std=levels)
    assert len(calls) == 1
    tolerance = 1e-8 if dtype == np.float64 else 1e-3
    for one, other in zip(quick, slow, strict=True):
        assert one.dtype == other.dtype == dtype
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(quick.mean[::50], noisy[::50])


def test_shapes_that_differ_or_vanish_in_rounding_are_not_shared():
    params = GaussianParams(np.full(2, 0.5), np.zeros((2, 2)), np.array([np.eye(2)] * 2), None)
    noise = np.full(3, 0.1)
    assert eigenbasis.shared_shape(params, noise) is not None
    stretched = np.array([np.eye(2), np.diag([1.0, 1.0 + 1e-6])])
    assert eigenbasis.shared_shape(params._replace(covariances=stretched), noise) is None
    thin = np.array([np.diag([1.0, 1e-13])] * 2)
    assert eigenbasis.shared_shape(params._replace(covariances=thin), noise) is not None
    assert eigenbasis.shared_shape(params._replace(covariances=thin), 1e-12 * noise) is None


@pytest.mark.parametrize(
    "denoiser",
    [
        MVNDenoiser(training_noise_std=0.8),
        GMMDenoiser(2, training_noise_std=0.8, random_state=0, max_iter=2000, tol=1e-6),
        GMMDenoiser(2, training_noise_std=0.8, random_state=0, covariance_type="tied"),
        GSMDenoiser(3, training_noise_std=0.8, max_iter=5000, tol=1e-6),
        ICADenoiser(3, training_noise_std=0.8, max_iter=5000, tol=1e-6),
    ],
    ids=repr,
)
def test_noise_of_the_training_rows_is_taken_out(denoiser):
    clean = 2.0 * correlated(20_000)
    noisy = with_noise(clean, 0.8)
    from_clean = sklearn.clone(denoiser).set_params(training_noise_std=0.0).fit(clean)
    naive = sklearn.clone(denoiser).set_params(training_noise_std=0.0).fit(noisy)
    learned = sklearn.clone(denoiser).fit(noisy)
    best, worst = from_clean.score(clean), naive.score(clean)
    assert best > worst + 0.2
    assert learned.score(clean) > worst + 0.3 * (best - worst)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_components_without_the_noise_of_the_training_rows(covariance_type):
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=6000)
    clean = rng.normal(size=(6000, 3)) + 6.0 * np.eye(3)[y]
    denoiser = GMMDenoiser(
        3, covariance_type=covariance_type, training_noise_std=0.7, tol=1e-5, random_state=0
    ).fit(with_noise(clean, 0.7))
    matrices = oracles.dense(covariance_type, denoiser.mixture_.covariances_, 3, 3)
    np.testing.assert_allclose(matrices, np.repeat(np.eye(3)[None], 3, axis=0), atol=0.15)
    np.testing.assert_allclose(np.sort(denoiser.mixture_.weights_), 1 / 3, atol=0.03)


def test_covariance_less_noise_is_the_maximum_of_the_likelihood():
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 5))  # flat in three directions
    noise_std = np.array([0.5, 0.3, 0.4, 0.6, 0.2])
    noisy = clean + noise_std * rng.normal(size=clean.shape)
    denoiser = MVNDenoiser(training_noise_std=noise_std, reg_covar=1e-12).fit(noisy)

    def likelihood(covariance):
        observed = covariance + np.diag(noise_std**2)
        return multivariate_normal(noisy.mean(axis=0), observed).logpdf(noisy).mean()

    best = denoiser.mixture_.covariances_[0]
    for _ in range(200):
        root = np.linalg.cholesky(best + 1e-10 * np.eye(5)) + 0.02 * rng.normal(size=(5, 5))
        assert likelihood(root @ root.T) <= likelihood(best) + 1e-9
    em = GMMDenoiser(training_noise_std=noise_std, reg_covar=1e-9, tol=1e-9, max_iter=5000)
    slow = em.fit(noisy).mixture_.covariances_[0]
    assert likelihood(slow) == pytest.approx(likelihood(best), abs=1e-3)


def test_missing_cells_and_noise_together():
    X = correlated(500)
    holes = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, with_noise(X, 0.3))
    denoiser = GMMDenoiser(2, noise_std=0.3, training_noise_std=0.3, random_state=0).fit(holes)
    restored, variance = denoiser.posterior(holes)
    assert np.all(np.isfinite(restored))
    assert np.mean((restored - X) ** 2) < np.mean((holes - X)[~np.isnan(holes)] ** 2) + 0.5
    assert np.mean((restored - X) ** 2) == pytest.approx(np.mean(variance), rel=0.3)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("noise_std", [0.0, 0.3, [0.1, 0.2, 0.3, 0.0, 0.5, 0.6]])
def test_missing_cells_by_closed_form(covariance_type, noise_std):
    X = np.concatenate([correlated(300), correlated(300, seed=1) + 4.0])
    denoiser = GMMDenoiser(
        2, covariance_type=covariance_type, noise_std=noise_std, random_state=0
    ).fit(X)
    noise = np.diag(np.broadcast_to(noise_std, 6) ** 2)
    Y = np.where(np.random.default_rng(0).random(X.shape) < 0.4, np.nan, X)[::15]
    Y[0] = np.nan
    mean, variance = denoiser.posterior(Y)
    np.testing.assert_allclose(denoiser.transform(Y), mean, atol=1e-12)
    mixture = denoiser.mixture_
    matrices = oracles.dense(covariance_type, mixture.covariances_, 2, 6)
    for row, found, spread in zip(Y, mean, variance, strict=True):
        seen = ~np.isnan(row)
        log_resp, parts, squares = [], [], []
        for weight, center, matrix in zip(mixture.weights_, mixture.means_, matrices, strict=True):
            observed = (matrix + noise)[np.ix_(seen, seen)]
            gain = matrix[:, seen] @ np.linalg.inv(observed)
            parts.append(center + gain @ (row - center)[seen])
            squares.append(np.diagonal(matrix - gain @ matrix[seen]) + parts[-1] ** 2)
            log_resp.append(np.log(weight))
            if seen.any():
                log_resp[-1] += multivariate_normal(center[seen], observed).logpdf(row[seen])
        resp = np.exp(log_resp - logsumexp(log_resp))
        np.testing.assert_allclose(found, resp @ parts, atol=1e-9)
        np.testing.assert_allclose(spread, resp @ squares - (resp @ parts) ** 2, atol=1e-8)


# Scale mixtures


def loops_em(X, covariance, n_iter, weights, variances):
    """EM of a Gaussian scale mixture by its formulas."""
    u = np.einsum("nd,de,ne->n", X, np.linalg.inv(covariance), X)
    d = X.shape[1]
    for _ in range(n_iter):
        log_prob = np.log(weights) - 0.5 * d * np.log(variances) - 0.5 * u[:, None] / variances
        resp = np.exp(log_prob - logsumexp(log_prob, axis=1, keepdims=True))
        weights = resp.mean(axis=0)
        variances = (resp * u[:, None]).sum(axis=0) / (d * resp.sum(axis=0))
    return weights, variances


def test_gsm_follows_the_update():
    X = correlated()
    with pytest.warns(match="max_iter=7"):
        denoiser = GSMDenoiser(3, assume_centered=True, reg_covar=0.0, max_iter=7, tol=0.0).fit(X)
    covariance = X.T @ X / len(X)
    np.testing.assert_allclose(denoiser.covariance_, covariance, rtol=1e-10)
    start = np.geomspace(0.02, 4.0, 3)
    weights, variances = loops_em(X, covariance, 7, np.full(3, 1 / 3), start)
    np.testing.assert_allclose(denoiser.weights_, weights, rtol=1e-9)
    np.testing.assert_allclose(denoiser.scales_, np.sqrt(variances), rtol=1e-9)


def test_gsm_recovers_simulated_scales():
    rng = np.random.default_rng(0)
    X = rng.choice([0.3, 1.0, 4.0], p=[0.2, 0.5, 0.3], size=(20_000, 1)) * rng.normal(
        size=(20_000, 8)
    )
    for options in ({}, {"learn_covariance": True}):
        denoiser = GSMDenoiser(3, assume_centered=True, tol=1e-7, max_iter=5000, **options).fit(X)
        scales = denoiser.scales_ * np.sqrt(np.trace(denoiser.covariance_) / 8)
        np.testing.assert_allclose(scales, [0.3, 1.0, 4.0], rtol=0.03)
        np.testing.assert_allclose(denoiser.weights_, [0.2, 0.5, 0.3], atol=0.02)


def test_gsm_with_one_scale_is_mvn():
    X = correlated()
    centred = X - X.mean(axis=0)
    gsm = GSMDenoiser(1, assume_centered=True).fit(centred)
    mvn = MVNDenoiser().fit(centred)
    np.testing.assert_allclose(gsm.transform(X), mvn.transform(X), atol=1e-6)
    np.testing.assert_allclose(gsm.score_samples(X), mvn.score_samples(X), rtol=1e-5)


def test_learning_the_shape_raises_the_likelihood():
    rng = np.random.default_rng(0)
    # A few rows of another shape pull the second moment away from that of most.
    X = np.concatenate([correlated(1900) - 1.5, 20 * rng.normal(size=(100, 1)) * np.ones((1, 6))])
    fixed = GSMDenoiser(3, assume_centered=True, tol=1e-6).fit(X)
    learned = GSMDenoiser(3, assume_centered=True, tol=1e-6, learn_covariance=True).fit(X)
    assert learned.score(X) > fixed.score(X) + 0.05


def test_shape_and_scales_from_noisy_rows():
    """The shape that most rows share, though few of another shape have the largest scale."""
    rng = np.random.default_rng(0)
    shape = np.diag([1.0, 2.0, 4.0, 8.0])
    clean = rng.choice([0.5, 2.0], size=(20_000, 1)) * rng.normal(size=(20_000, 4)) @ shape
    noise_std = np.array([0.5, 1.0, 0.1, 2.0])
    noisy = clean + noise_std * rng.normal(size=clean.shape)
    options = {"assume_centered": True, "tol": 1e-6, "learn_covariance": True, "max_iter": 5000}
    learned = GSMDenoiser(2, training_noise_std=noise_std, **options).fit(noisy)
    covariances = learned.scales_[:, None, None] ** 2 * learned.covariance_
    for covariance, scale in zip(covariances, [0.5, 2.0], strict=True):
        ratio = np.linalg.solve(scale * shape, np.linalg.solve(scale * shape, covariance).T)
        np.testing.assert_allclose(ratio, np.eye(4), atol=0.15)
    # Hardly any noise: as without.
    few = GSMDenoiser(2, training_noise_std=1e-3, **options).fit(clean[:2000])
    none = GSMDenoiser(2, **options).fit(clean[:2000])
    assert few.score(clean) == pytest.approx(none.score(clean), abs=1e-3)


def test_turns_never_lower_the_likelihood_of_noisy_rows():
    X = with_noise(correlated(1000), 0.3)
    options = {"assume_centered": True, "training_noise_std": 0.3, "learn_covariance": True}
    bounds = []
    for max_iter in (1, 5, 20, 100, 2000):
        denoiser = GSMDenoiser(3, tol=1e-9, reg_covar=1e-9, max_iter=max_iter, **options)
        mixture = denoiser.fit(X).mixture_
        noisy = mixture.covariances_ + 0.09 * np.eye(6)
        bounds.append(oracles.e_step(X, mixture.weights_, mixture.means_, noisy)[0].mean())
    assert np.all(np.diff(bounds) > -1e-8)


def test_weights_are_repetitions():
    X = correlated(200)
    times = np.arange(200) % 3
    shape_too = GSMDenoiser(3, training_noise_std=0.1, learn_covariance=True)
    for denoiser in (GSMDenoiser(3), shape_too, ICADenoiser(3), MVNDenoiser()):
        weighted = sklearn.clone(denoiser).fit(X, sample_weight=times)
        repeated = sklearn.clone(denoiser).fit(np.repeat(X, times, axis=0))
        np.testing.assert_allclose(weighted.transform(X), repeated.transform(X), atol=1e-8)


@pytest.mark.parametrize("rotation", ["pca", "ica"])
def test_ica_rotates_orthogonally(rotation):
    denoiser = ICADenoiser(2, rotation=rotation, random_state=0).fit(correlated())
    np.testing.assert_allclose(denoiser.rotation_.T @ denoiser.rotation_, np.eye(6), atol=1e-10)


def test_ica_finds_independent_sources():
    rng = np.random.default_rng(0)
    mixing, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    sources = rng.laplace(size=(5000, 4)) * np.array([1.0, 1.1, 1.2, 1.3])
    X = sources @ mixing.T
    pca = ICADenoiser(4).fit(X)
    ica = ICADenoiser(4, rotation="ica", random_state=0).fit(X)
    assert np.sort(np.abs(ica.rotation_.T @ mixing).max(axis=0))[0] > 0.98
    assert ica.score(X) > pca.score(X) + 0.02


def test_ica_with_one_scale_is_mvn():
    X = correlated()
    ica, mvn = ICADenoiser(1).fit(X), MVNDenoiser().fit(X)
    np.testing.assert_allclose(ica.transform(X), mvn.transform(X), atol=1e-4)
    np.testing.assert_allclose(ica.score_samples(X), mvn.score_samples(X), atol=1e-3)


def test_ica_equals_a_loop_over_sources():
    X = with_noise(correlated(50), 0.4)
    denoiser = ICADenoiser(3).fit(correlated())
    sources = (X - denoiser.location_) @ denoiser.rotation_
    shrunk, spread = np.empty_like(sources), np.empty_like(sources)
    density = np.zeros(50)
    for j in range(6):
        weights, variances = denoiser.weights_[:, j], denoiser.variances_[:, j]
        clean = weights * norm.pdf(sources[:, [j]], scale=np.sqrt(variances))
        density += np.log(clean.sum(axis=1))
        resp = weights * norm.pdf(sources[:, [j]], scale=np.sqrt(variances + 0.16))
        resp /= resp.sum(axis=1, keepdims=True)
        means = variances / (variances + 0.16) * sources[:, [j]]
        shrunk[:, j] = (resp * means).sum(axis=1)
        squares = variances * 0.16 / (variances + 0.16) + means**2
        spread[:, j] = (resp * squares).sum(axis=1) - shrunk[:, j] ** 2
    mean, variance = denoiser.posterior(X, row_noise_std=0.4)
    np.testing.assert_allclose(
        mean, shrunk @ denoiser.rotation_.T + denoiser.location_, atol=1e-10
    )
    np.testing.assert_allclose(variance, spread @ (denoiser.rotation_**2).T, atol=1e-10)
    np.testing.assert_allclose(denoiser.score_samples(X), density, atol=1e-10)


@every
def test_samples_follow_the_density(denoiser):
    fitted = sklearn.clone(denoiser).set_params(random_state=0).fit(correlated())
    X = fitted.sample(20_000)[0]
    entropy = -fitted.score(X)
    np.testing.assert_allclose(-fitted.score(fitted.sample(5000)[0]), entropy, atol=0.15)
    if hasattr(fitted, "mixture_"):
        assert isinstance(fitted.mixture_, GaussianMixture)
        np.testing.assert_allclose(fitted.mixture_.score(X), -entropy, rtol=1e-9)


def test_search_chooses_by_held_out_likelihood():
    rng = np.random.default_rng(0)
    X = rng.choice([0.1, 5.0], size=(400, 1)) * rng.normal(size=(400, 4))
    search = GridSearchCV(GSMDenoiser(), {"n_components": [1, 2]}, cv=3).fit(X)
    assert search.best_params_ == {"n_components": 2}


# Bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise_std": -1.0}, "'noise_std' parameter of"),
        ({"noise_std": [0.1, 0.2]}, r"noise_std must be a number.*shape \(6,\)"),
        ({"noise_std": [-0.1] * 6}, "noise_std must be finite and not negative"),
        ({"training_noise_std": [0.1, np.inf] * 3}, "training_noise_std must be finite"),
        ({"training_noise_std": 1e300}, "training_noise_std must be finite.*less than"),
        ({"training_noise_std": 50.0}, "more than 3 times the standard deviation of every"),
    ],
)
def test_bad_noise(options, message):
    for make in (MVNDenoiser, GMMDenoiser, GSMDenoiser):
        with pytest.raises(ValueError, match=message):
            make(**options).fit(correlated())


@every
def test_bad_noise_of_rows(denoiser):
    X = correlated(50)
    fitted = sklearn.clone(denoiser).fit(X)
    for bad, message in [
        (-0.1, "not negative"),
        (np.nan, "finite"),
        ([0.1] * 3, r"shape \(50,\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            fitted.transform(X, row_noise_std=bad)


def test_refused_combinations():
    X = correlated(100)
    with pytest.raises(ValueError, match="covariance_type='spherical' has one variance"):
        GMMDenoiser(covariance_type="spherical", training_noise_std=[0.1] * 5 + [0.2]).fit(X)
    with pytest.raises(ValueError, match="'noise_std' parameter of ICADenoiser"):
        ICADenoiser(noise_std=[0.1] * 6).fit(X)
    X[0, 0] = np.nan
    for denoiser in (GSMDenoiser(), ICADenoiser()):
        with pytest.raises(ValueError, match=r"contains NaN, but .*GMMDenoiser or an MVN"):
            denoiser.fit(X)
        with pytest.raises(ValueError, match="contains NaN"):
            denoiser.fit(X[1:]).transform(X)


@every
def test_flat_rows_give_finite_answers(denoiser):
    """Patches less their mean have one direction without any spread; some are all zeros."""
    X = correlated(300)
    X -= X.mean(axis=1, keepdims=True)
    X[:30] = 0.0
    fitted = sklearn.clone(denoiser).fit(X)
    mean, variance = fitted.posterior(with_noise(X, 0.1), row_noise_std=0.1)
    assert np.all(np.isfinite(mean)) and np.all(np.isfinite(variance)) and np.all(variance >= 0)
    assert np.all(np.isfinite(fitted.score_samples(X)))


def test_constant_rows():
    for denoiser in (MVNDenoiser(), GSMDenoiser(3), ICADenoiser(3)):
        fitted = denoiser.fit(np.full((20, 3), 7.0))
        np.testing.assert_allclose(fitted.transform(np.full((2, 3), 7.5)), 7.0, atol=1e-3)
    for denoiser in (GSMDenoiser(reg_covar=0.0), MVNDenoiser(reg_covar=0.0)):
        with pytest.raises(ValueError, match=r"singular|ill-defined"):
            denoiser.fit(np.full((20, 3), 7.0))


def test_failed_refit_keeps_the_earlier_fit():
    X = correlated(100)
    for denoiser in (MVNDenoiser(), GMMDenoiser(), GSMDenoiser(), ICADenoiser()):
        expected = denoiser.fit(X).transform(X)
        with pytest.raises(ValueError):
            denoiser.fit(np.full_like(X, np.inf))
        np.testing.assert_array_equal(denoiser.transform(X), expected)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_a_denoiser_of_given_parameters(covariance_type):
    """It denoises as the fitted one whose parameters it has."""
    X = correlated()
    fitted = GMMDenoiser(2, covariance_type=covariance_type, random_state=0).fit(X)
    mixture = fitted.mixture_
    given = GMMDenoiser.from_parameters(
        mixture.weights_,
        mixture.means_,
        mixture.covariances_,
        covariance_type=covariance_type,
        noise_std=np.arange(1.0, 7.0),
    )
    fitted.set_params(noise_std=np.arange(1.0, 7.0))
    noisy = with_noise(X[:50], 2.0)
    noisy[::3, 1] = np.nan
    for mine, theirs in zip(given.posterior(noisy), fitted.posterior(noisy), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(given.score_samples(X), fitted.score_samples(X), rtol=1e-9)
    assert given.sample(5)[0].shape == (5, 6)
    assert (given.n_components, given.n_features_in_, given.n_iter_) == (2, 6, 0)
    assert given.covariance_type == covariance_type
    again = pickle.loads(pickle.dumps(given))
    np.testing.assert_array_equal(again.transform(noisy), given.transform(noisy))
    refitted = sklearn.clone(given).fit(X)  # the parameters of EM are the defaults
    assert refitted.n_iter_ > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": [0.5, 0.4]}, "'weights' should be normalized"),
        ({"means": [[0.0, 0.0]]}, r"'means' should have the shape of \(2, 2\)"),
        ({"covariances": np.zeros((2, 2, 2))}, "should be symmetric, positive-definite"),
        ({"covariance_type": "round"}, "'covariance_type' parameter of GMMDenoiser must be"),
        ({"noise_std": -1.0}, "'noise_std' parameter of GMMDenoiser must be"),
        ({"noise_std": [1.0, 1.0, 1.0]}, "noise_std must"),
    ],
)
def test_given_parameters_are_checked(changes, message):
    good = {
        "weights": [0.5, 0.5],
        "means": [[0.0, 0.0], [1.0, 1.0]],
        "covariances": [np.eye(2), np.eye(2)],
    }
    with pytest.raises(ValueError, match=message):
        GMMDenoiser.from_parameters(**{**good, **changes})


def test_rotations_are_found_whatever_the_weights_add_up_to():
    rng = np.random.default_rng(0)
    X = rng.laplace(size=(400, 2)) @ [[1.0, 0.5], [0.0, 1.0]]
    expected = ICADenoiser(3, rotation="ica", random_state=0).fit(X)
    for factor in (1e-6, 1.0):
        weighted = ICADenoiser(3, rotation="ica", random_state=0)
        weighted.fit(X, sample_weight=np.full(400, factor))
        np.testing.assert_allclose(weighted.rotation_, expected.rotation_, atol=1e-9)
