"""Networks given as arrays: all that a fitted autoencoder or generator does, without PyTorch."""

import itertools
import pickle
import sys

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import kstest, multivariate_normal, norm
from sklearn.exceptions import NotFittedError

from skmix.neural import GenerativeAdversarialNetwork, VariationalAutoencoder
from skmix.neural._autoencoder import latent_draws

N_FEATURES, N_LATENT, N_HIDDEN = 6, 2, 5


def random_layers(rng, *sizes, scale=1.0):
    coefs = [scale * rng.normal(size=shape) for shape in itertools.pairwise(sizes)]
    return coefs, [scale * rng.normal(size=n) for n in sizes[1:]]


def make_vae(activation="relu", seed=0):
    rng = np.random.default_rng(seed)
    return VariationalAutoencoder.from_parameters(
        random_layers(rng, N_FEATURES, N_HIDDEN, 2 * N_LATENT, scale=0.7),
        random_layers(rng, N_LATENT, N_HIDDEN, N_FEATURES),
        activation=activation,
    )


def make_rows(n_samples=40, seed=1):
    return np.random.default_rng(seed).random((n_samples, N_FEATURES))


def make_factors():
    """A linear Gaussian autoencoder whose encoder is the exact posterior, and its covariance."""
    loadings = np.array([[2.0, 0.0], [1.0, 1.0], [-1.0, 1.0], [0.5, 1.0]])
    loadings[:, 1] -= (
        loadings[:, 0] * (loadings[:, 0] @ loadings[:, 1]) / (loadings[:, 0] ** 2).sum()
    )
    noise = 0.3
    precisions = 1.0 + np.sum(loadings**2, axis=0) / noise
    encoder = np.hstack([loadings / noise / precisions, np.zeros((4, 2))])
    intercepts = np.concatenate([np.zeros(2), -np.log(precisions)])
    vae = VariationalAutoencoder.from_parameters(
        ([encoder], [intercepts]),
        ([loadings.T], [np.zeros(4)]),
        likelihood="gaussian",
        noise_variance=np.full(4, noise),
    )
    return vae, loadings @ loadings.T + noise * np.eye(4)


ACTIVATIONS = {"relu": lambda x: max(x, 0.0), "tanh": np.tanh, "logistic": expit}


def naive_forward(coefs, intercepts, row, activate):
    """A network by loops over units."""
    for layer, (coef, intercept) in enumerate(zip(coefs, intercepts, strict=True)):
        if layer > 0:
            row = [activate(x) for x in row]
        row = [
            sum(x * float(w) for x, w in zip(row, column, strict=True)) + float(b)
            for column, b in zip(coef.T, intercept, strict=True)
        ]
    return np.array(row)


# Bounds.


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_bounds_are_those_of_a_loop(activation):
    vae, X = make_vae(activation), make_rows(5)
    activate = ACTIVATIONS[activation]
    noise = latent_draws(4, N_LATENT, np.random.RandomState(3))
    for row, bound, elbo in zip(
        X,
        vae.score_samples(X, n_draws=4, random_state=3),
        vae.elbo(X, n_draws=4, random_state=3),
        strict=True,
    ):
        code = naive_forward(vae.encoder_coefs_, vae.encoder_intercepts_, row, activate)
        mean, std = code[:N_LATENT], np.exp(code[N_LATENT:] / 2)
        log_likelihoods, log_weights = [], []
        for draw in noise:
            z = mean + std * draw
            p = expit(naive_forward(vae.decoder_coefs_, vae.decoder_intercepts_, z, activate))
            log_likelihoods.append(np.sum(row * np.log(p) + (1 - row) * np.log1p(-p)))
            ratio = norm.logpdf(z).sum() - norm.logpdf(z, mean, std).sum()
            log_weights.append(log_likelihoods[-1] + ratio)
        divergence = np.sum(0.5 * (mean**2 + std**2 - 1) - np.log(std))
        assert bound == pytest.approx(np.log(np.mean(np.exp(log_weights))), rel=1e-10)
        assert elbo == pytest.approx(np.mean(log_likelihoods) - divergence, rel=1e-10)
        np.testing.assert_allclose(vae.transform(row[None])[0], mean, rtol=1e-10)


def test_draws_are_standard_normal_and_spread_evenly():
    seeds = range(400)
    draws = np.array([latent_draws(5, 3, np.random.RandomState(seed)) for seed in seeds])
    assert draws.shape == (400, 5, 3) and np.all(np.isfinite(draws))
    for place in range(5):  # each by itself, over seeds
        for column in range(3):
            assert kstest(draws[:, place, column], "norm").pvalue > 1e-4
    even = latent_draws(100, 20, np.random.RandomState(0))
    # Independent draws have errors of 0.1 and 0.14.
    assert np.sqrt(np.mean(even.mean(axis=0) ** 2)) < 0.03
    assert np.sqrt(np.mean((even.var(axis=0) - 1) ** 2)) < 0.06


@pytest.mark.parametrize("n_draws", [1, 7])
def test_bound_of_exact_factors_is_their_density(n_draws):
    vae, covariance = make_factors()
    X = np.random.default_rng(0).normal(size=(30, 4))
    expected = multivariate_normal(np.zeros(4), covariance).logpdf(X)
    # Parameters are kept in float32.
    np.testing.assert_allclose(vae.score_samples(X, n_draws=n_draws), expected, rtol=2e-6)


def test_bound_grows_towards_the_density():
    rng = np.random.default_rng(5)
    vae = VariationalAutoencoder.from_parameters(
        random_layers(rng, N_FEATURES, N_HIDDEN, 2, scale=0.5),
        random_layers(rng, 1, N_HIDDEN, N_FEATURES),
    )
    X = make_rows(20)
    z = np.linspace(-9, 9, 4001)[:, None]
    p = vae.inverse_transform(z)
    log_joint = X @ np.log(p).T + (1 - X) @ np.log1p(-p).T + norm.logpdf(z).ravel()
    density = np.log(np.exp(log_joint).sum(axis=1) * (z[1, 0] - z[0, 0]))
    elbo = vae.elbo(X, n_draws=2000)
    assert np.all(elbo < density)
    bounds = {
        n: np.mean(
            [vae.score_samples(X, n_draws=n, random_state=s) for s in range(n_sets)], axis=0
        )
        for n, n_sets in ((1, 400), (10, 40), (300, 10))
    }
    gaps = [np.mean(density - bounds[n]) for n in (1, 10, 300)]
    assert gaps[0] > 3 * gaps[1] > 3 * abs(gaps[2])
    np.testing.assert_allclose(bounds[300], density, atol=0.1)
    # One draw is the evidence lower bound; the weights' logarithms vary by 3, in 400 draws.
    assert gaps[0] == pytest.approx(np.mean(density - elbo), abs=0.4)
    assert vae.score(X) == pytest.approx(vae.score_samples(X).mean())


def test_neither_other_rows_nor_their_order_matter():
    vae, X = make_vae(), make_rows(3000)  # several chunks
    holes = np.where(np.random.default_rng(2).random(X.shape) < 0.5, np.nan, X)
    order = np.random.default_rng(3).permutation(len(X))
    for method, rows in (("score_samples", X), ("elbo", X), ("transform", X), ("impute", holes)):
        every = getattr(vae, method)(rows)
        np.testing.assert_allclose(getattr(vae, method)(rows[order]), every[order], atol=1e-9)
        np.testing.assert_allclose(getattr(vae, method)(rows[7:8]), every[7:8], atol=1e-9)


def test_far_rows_overflow_nowhere():
    vae, _ = make_factors()
    assert np.all(np.isfinite(vae.score_samples(np.full((1, 4), 1e6))))


# Types.


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_have_the_type_of_the_rows(dtype):
    X = make_rows().astype(dtype)
    holes = X.copy()
    holes[:, 0] = np.nan
    for vae in (make_vae(), make_factors()[0]):
        rows, gaps = X[:, : vae.n_features_in_], holes[:, : vae.n_features_in_]
        for method in ("transform", "reconstruct", "score_samples", "elbo"):
            found = getattr(vae, method)(rows)
            assert found.dtype == dtype, method
            double = getattr(vae, method)(rows.astype(np.float64))
            np.testing.assert_allclose(found, double, rtol=2e-5, atol=2e-5)
        assert vae.impute(gaps).dtype == dtype
        assert vae.inverse_transform(np.zeros((2, 2), dtype)).dtype == dtype
        assert vae.sample(2, random_state=0).dtype == np.float32


# New rows.


def test_samples_are_means_draws_or_noisy():
    vae = make_vae()
    means = vae.sample(2000, random_state=0)
    draws = vae.sample(2000, random_state=0, noise=True)
    assert set(np.unique(draws)) == {0.0, 1.0}
    np.testing.assert_allclose(draws.mean(axis=0), means.mean(axis=0), atol=5 * 0.5 / 2000**0.5)
    factors, covariance = make_factors()
    found = np.cov(factors.sample(20_000, random_state=0).T)
    np.testing.assert_allclose(found, covariance, atol=0.15)
    smooth = np.cov(factors.sample(20_000, random_state=0, noise=False).T)
    np.testing.assert_allclose(smooth, covariance - 0.3 * np.eye(4), atol=0.15)


@pytest.mark.parametrize("which", ["vae", "gan"])
def test_samples_follow_their_seed(which):
    model = make_vae() if which == "vae" else make_gan()
    one, two, other = (model.sample(3, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, two)
    assert np.any(one != other)
    model.set_params(random_state=1)
    np.testing.assert_array_equal(model.sample(3), other)
    with pytest.raises(ValueError, match="at least one sample"):
        model.sample(0)


# Missing cells.


def test_imputed_factors_are_conditional_means():
    vae, covariance = make_factors()
    X = np.random.default_rng(0).multivariate_normal(np.zeros(4), covariance, size=20)
    X[:10, 1] = X[10:, 0] = X[5:, 3] = np.nan
    filled = vae.impute(X, n_iter=4000)
    for row, found in zip(X, filled, strict=True):
        m, o = np.isnan(row), ~np.isnan(row)
        gain = covariance[np.ix_(m, o)] @ np.linalg.inv(covariance[np.ix_(o, o)])
        np.testing.assert_array_equal(found[o], row[o])
        # A mean over 2000 draws that depend on each other.
        np.testing.assert_allclose(found[m], gain @ row[o], atol=0.1)


def test_rows_without_any_cell_and_without_missing_ones():
    vae, X = make_vae(), make_rows(2)
    X[0] = np.nan
    filled = vae.impute(X, n_iter=400)
    np.testing.assert_array_equal(filled[1], X[1])
    np.testing.assert_allclose(filled[0], vae.sample(4000, random_state=0).mean(axis=0), atol=0.2)


# Generators.


def make_gan(feature_range=(0, 1)):
    rng = np.random.default_rng(0)
    return GenerativeAdversarialNetwork.from_parameters(
        random_layers(rng, N_LATENT, N_HIDDEN, N_FEATURES),
        random_layers(rng, N_FEATURES, N_HIDDEN, 1),
        feature_range=feature_range,
    )


def leaky(x):
    return x if x > 0 else 0.2 * x


def test_generator_and_discriminator_are_those_of_a_loop():
    gan, X = make_gan((-3, 5)), make_rows(5)
    latents = np.random.RandomState(0).standard_normal((5, N_LATENT)).astype(np.float32)
    expected = [
        1 + 4 * np.tanh(naive_forward(gan.generator_coefs_, gan.generator_intercepts_, z, leaky))
        for z in latents
    ]
    np.testing.assert_allclose(gan.sample(5, random_state=0), expected, rtol=1e-5, atol=1e-5)
    weights = gan.discriminator_coefs_, gan.discriminator_intercepts_
    expected = [expit(naive_forward(*weights, (row - 1) / 4, leaky)[0]) for row in X]
    np.testing.assert_allclose(gan.discriminate(X), expected, rtol=1e-6)
    assert gan.discriminate(X.astype(np.float32)).dtype == np.float32


# What is refused.


def test_missing_cells_are_refused_with_the_remedy():
    X = make_rows()
    X[4, 2] = np.nan
    for model in (make_vae(), make_gan()):
        method = "score_samples" if hasattr(model, "score_samples") else "discriminate"
        with pytest.raises(ValueError, match=r"NaN, first in row 4, column 2.*Conditional"):
            getattr(model, method)(X)


def test_values_beyond_one_are_refused():
    vae = make_vae()
    for rows in (make_rows() * 2, make_rows() - 1, np.where(make_rows() > 0.5, np.nan, 255.0)):
        with pytest.raises(ValueError, match="values from 0 to 1, but those of X range from"):
            vae.impute(rows)


def test_rows_and_latents_of_other_widths_are_refused():
    vae = make_vae()
    with pytest.raises(ValueError, match="5 features"):
        vae.transform(make_rows()[:, :5])
    with pytest.raises(ValueError, match="each of the 2 latents, but has 3"):
        vae.inverse_transform(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="n_draws"):
        vae.elbo(make_rows(), n_draws=0)


def test_networks_that_do_not_fit_together_are_refused():
    rng = np.random.default_rng(0)
    encoder = random_layers(rng, 4, 3, 2)
    make = VariationalAutoencoder.from_parameters
    with pytest.raises(ValueError, match="half as many inputs"):
        make(encoder, random_layers(rng, 2, 3, 4))
    with pytest.raises(ValueError, match=r"Layer 1 of decoder .* \(3, n_outputs\)"):
        make(encoder, ([np.ones((1, 3)), np.ones((2, 4))], [np.ones(3), np.ones(4)]))
    with pytest.raises(ValueError, match="lists of equal length"):
        make(encoder, ([], []))
    for noise in (None, [1.0], [1.0, 1.0, 1.0, 0.0]):
        with pytest.raises(ValueError, match="a positive variance for each of the 4"):
            make(encoder, random_layers(rng, 1, 3, 4), likelihood="gaussian", noise_variance=noise)
    with pytest.raises(ValueError, match="must be"):
        GenerativeAdversarialNetwork.from_parameters(
            random_layers(rng, 1, 3, 4), random_layers(rng, 4, 2, 1), feature_range=(0, 1)
        )
    for wrong in ((1, 0), (0,), (0, np.inf)):
        with pytest.raises(ValueError, match="feature_range must be two finite numbers"):
            make_gan(wrong)


@pytest.mark.parametrize("make", [make_vae, make_gan])
def test_without_torch_fit_names_the_extra_and_keeps_what_was(make, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    model = make()
    before = pickle.dumps(model)
    with pytest.raises(ImportError, match=r"skmix\[torch\]"):
        model.fit(make_rows())
    assert pickle.dumps(model) == before
    np.testing.assert_array_equal(
        pickle.loads(before).sample(2, random_state=0), model.sample(2, random_state=0)
    )


@pytest.mark.parametrize("cls", [VariationalAutoencoder, GenerativeAdversarialNetwork])
def test_nothing_works_before_a_fit(cls):
    with pytest.raises(NotFittedError):
        cls().sample()
