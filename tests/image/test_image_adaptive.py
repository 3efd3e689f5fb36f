"""Gates, adaptation and similar patches against loops, and what they are worth."""

from functools import partial

import numpy as np
import pytest
from oracles import peak_memory
from scipy.special import softmax
from scipy.stats import multivariate_normal
from test_image_denoising import mse, noisy_version, waves

from skmix import GMMDenoiser, ICADenoiser, MVNDenoiser
from skmix._rows.threads import worker_threads
from skmix.image import _adaptive, _patches, _similar, denoise, extract_patches, fit_patch_prior
from skmix.image._adaptation import N_STEPS, PSEUDO_OBSERVATIONS, adapted
from skmix.image._group_filters import by_own_axes, by_pilot
from skmix.image._patch_mixture import Gates, PatchMixture
from skmix.image._progress import Progress
from skmix.image._similar import filter_groups, restore_by_similar


def drawn_mixture(n_components=30, n_features=16, seed=0):
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n_components, n_features, 6)) * rng.random((n_components, 1, 1))
    covariances = factors @ factors.transpose(0, 2, 1) + 1e-3 * np.eye(n_features)
    weights = rng.dirichlet(np.full(n_components, 3.0))
    return PatchMixture(weights, 0.1 * rng.normal(size=(n_components, n_features)), covariances)


def rows_of(mixture, n, noise_std, seed=1):
    rng = np.random.default_rng(seed)
    labels = rng.choice(len(mixture.weights), size=n, p=mixture.weights)
    rows = np.array(
        [rng.multivariate_normal(mixture.means[k], mixture.covariances[k]) for k in labels]
    )
    return (rows + noise_std * rng.normal(size=rows.shape)).astype(np.float32)


def for_each(task, items):
    for item in items:
        task(item)


def log_joint(mixture, rows, noise_std):
    noise = noise_std**2 * np.eye(rows.shape[1])
    return np.array(
        [
            np.log(weight) + multivariate_normal(mean, covariance + noise).logpdf(rows)
            for weight, mean, covariance in zip(
                mixture.weights, mixture.means, mixture.covariances, strict=True
            )
        ]
    ).T


@pytest.mark.parametrize("noise_std", [0.05, 0.3])
def test_rows_are_restored_by_their_most_probable_component(noise_std):
    mixture = drawn_mixture()
    rows = rows_of(mixture, 400, noise_std)
    expected_joint = log_joint(mixture, rows, noise_std)
    gates = Gates(mixture, noise_std, for_each)
    everything = np.tile(np.arange(30, dtype=np.int16), (400, 1))
    constant = -8 * np.log(2 * np.pi)
    found = gates.log_joint(rows, everything) + constant
    np.testing.assert_allclose(found, expected_joint, rtol=1e-4, atol=1e-2)
    best = expected_joint.argmax(axis=1)
    assert np.mean((gates.candidates(rows) == best[:, None]).any(axis=1)) > 0.99
    restored = gates.restore(rows)
    noisy = mixture.covariances + noise_std**2 * np.eye(16)
    expected = np.array(
        [
            mixture.means[k]
            + mixture.covariances[k] @ np.linalg.solve(noisy[k], row - mixture.means[k])
            for row, k in zip(rows.astype(float), best, strict=True)
        ]
    )
    assert np.mean(np.abs(restored - expected).max(axis=1) < 1e-4) > 0.98


def test_few_directions_find_the_candidates_of_long_rows():
    mixture = drawn_mixture(40, 64)
    rows = rows_of(mixture, 300, 0.2)
    best = log_joint(mixture, rows, 0.2).argmax(axis=1)
    found = Gates(mixture, 0.2, for_each).candidates(rows)
    assert found.shape == (300, 8)
    assert np.mean((found == best[:, None]).any(axis=1)) > 0.95


def test_adaptation_is_em_held_to_the_prior():
    prior = drawn_mixture(5, 6)
    rows = rows_of(drawn_mixture(5, 6, seed=3), 500, 0.0)
    expected, noise_std = prior, 0.1
    for _ in range(N_STEPS):
        noise = noise_std**2 * np.eye(6)
        resp = softmax(log_joint(expected, rows, noise_std), axis=1)
        resp[resp <= 1e-2] = 0.0
        parts = []
        for k in range(5):
            gain = expected.covariances[k] @ np.linalg.inv(expected.covariances[k] + noise)
            clean = expected.means[k] + (rows - expected.means[k]) @ gain.T
            n, nu = resp[:, k].sum(), PSEUDO_OBSERVATIONS
            mean = (resp[:, k] @ clean + nu * prior.means[k]) / (n + nu)
            second = (resp[:, k] * (clean - mean).T) @ (clean - mean)
            second += n * (expected.covariances[k] - gain @ expected.covariances[k])
            drift = prior.means[k] - mean
            second += nu * (prior.covariances[k] + np.outer(drift, drift))
            parts.append((n + prior.weights[k], mean, second / (n + nu)))
        weights, means, covariances = map(np.array, zip(*parts, strict=True))
        expected = PatchMixture(weights / weights.sum(), means, covariances)
    found = adapted(prior, rows, 4 * noise_std, for_each)
    np.testing.assert_allclose(found.weights, expected.weights, atol=1e-4)
    np.testing.assert_allclose(found.means, expected.means, atol=1e-3)
    np.testing.assert_allclose(found.covariances, expected.covariances, atol=1e-3)


def test_similar_patches_by_a_loop(monkeypatch):
    """Every part in plain loops; with all axes patches are compared as they are."""
    monkeypatch.setattr(_similar, "N_COMPARED", 9)
    monkeypatch.setattr(_similar, "N_SIMILAR", 12)
    monkeypatch.setattr(_similar, "REACH", 4)
    clean = waves()[:17, 20:41]
    noisy, pilot = noisy_version(clean, 0.2), noisy_version(clean, 0.05, seed=2)
    total, counts = np.zeros(clean.shape), np.zeros(clean.shape)
    corners = [sorted({*range(0, n - 3, 3), n - 3}) for n in clean.shape]
    n_rows, n_columns = (n - 2 for n in clean.shape)
    for i in corners[0]:
        for j in corners[1]:
            left = min(max(j - 4, 0), n_columns - 9)
            near = [
                (a, b)
                for a in range(max(0, i - 4), min(n_rows, i + 5))
                for b in range(left, left + 9)
            ]
            pilots = np.array([pilot[a : a + 3, b : b + 3].ravel() for a, b in near])
            own = pilot[i : i + 3, j : j + 3].ravel()
            nearest = np.argsort(((pilots - own) ** 2).sum(axis=1))[:12]
            mean, covariance = pilots[nearest].mean(axis=0), np.cov(pilots[nearest].T)
            gain = covariance @ np.linalg.inv(covariance + 0.2**2 * np.eye(9))
            for a, b in (near[n] for n in nearest):
                window = np.s_[a : a + 3, b : b + 3]
                total[window] += (mean + gain @ (noisy[window].ravel() - mean)).reshape(3, 3)
                counts[window] += 1
    with Progress("similar", False) as progress:
        images, rest = (noisy[..., None], pilot[..., None], 0.2, 3), (for_each, progress)
        found = filter_groups(*images, 3, by_pilot, *rest)[..., 0]
        np.testing.assert_allclose(found, total / counts, atol=1e-8)
        own = filter_groups(*images, 4, by_own_axes, *rest)
        both = (images[1] + own) / 2
        last = filter_groups(images[0], both, 0.2, 3, 3, by_pilot, *rest)
        restored = restore_by_similar(*images, *rest)
        np.testing.assert_allclose(restored, 0.25 * images[1] + 0.75 * last, atol=1e-12)
        monkeypatch.setattr(_patches, "STRIP_VALUES", 1)  # several bands
        np.testing.assert_allclose(restore_by_similar(*images, *rest), restored, atol=1e-10)


def test_strong_noise_makes_larger_patches():
    found = [_similar.patch_size(8, s, 0.08, (50, 40, 1)) for s in (0.0, 0.1, 0.14, 0.2, 5.0)]
    assert found == [8, 8, 10, 12, 12]
    assert _similar.patch_size(8, 0.2, 0.08, (50, 9, 1)) == 9
    assert _similar.patch_size(8, 0.2, 0.0, (50, 40, 1)) == 12  # a prior of constant patches


def test_axes_that_stand_out_of_noise():
    """One axis of two groups is more than noise."""
    rng = np.random.default_rng(0)
    axis, mean = np.array([1.0, -1.0, 1.0, -1.0, 0.0]) / 2, rng.normal(size=5)
    clean = mean + 8 * rng.normal(size=(2, 40, 1)) * axis
    noisy = clean + 0.5**0.5 * rng.normal(size=clean.shape)
    restored, weights = by_own_axes(noisy, np.zeros_like(noisy), np.full((1, 1), 0.5))
    for g in range(2):
        centre = noisy[g].mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov(noisy[g].T, bias=True))
        assert values[-1] > 0.5 * (1 + np.sqrt(5 / 40)) ** 2 > values[-2]
        kept = (1 - 0.5 / values[-1]) * np.outer(vectors[:, -1], vectors[:, -1])
        expected = centre + (noisy[g] - centre) @ kept
        np.testing.assert_allclose(restored[g], expected, atol=1e-10)
        assert weights[g] == pytest.approx(1 / (2 - 0.5 / values[-1]))
    assert mse(restored, clean) < 0.3 * mse(noisy, clean)
    # The same noise, given pixel by pixel, and other units of some pixels.
    again, _ = by_own_axes(noisy, noisy, np.full(noisy.shape, 0.5))
    np.testing.assert_allclose(again, restored, atol=1e-10)
    units = rng.uniform(0.5, 2.0, size=5)
    scaled, _ = by_own_axes(units * noisy, noisy, np.broadcast_to(units**2 * 0.5, noisy.shape))
    np.testing.assert_allclose(scaled, units * restored, atol=1e-10)
    # Where all is noise, the mean is all that is left.
    noise = rng.normal(size=(3, 200, 5))
    alone, weights = by_own_axes(noise, noise, np.full((1, 1), 1.3))
    np.testing.assert_allclose(alone, np.broadcast_to(noise.mean(axis=1)[:, None], noise.shape))
    np.testing.assert_array_equal(weights, 1.0)


# What users see


def stripes(shape=(96, 96)):
    """Fine cloth, of which the prior has seen nothing."""
    rows, columns = np.indices(shape)
    return 0.5 + 0.25 * np.sign(np.sin(1.3 * rows + 0.6 * columns)) * (columns > shape[1] / 3)


@pytest.fixture(scope="module")
def prior():
    images = [waves(seed=seed) for seed in range(1, 6)]
    estimator = GMMDenoiser(15, random_state=0, reg_covar=1e-5, max_iter=20, tol=1e-2)
    return fit_patch_prior(images, estimator, size=6, n_patches=6000, random_state=0)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_each_step_is_worth_its_time(prior):
    clean = stripes()
    noisy = noisy_version(clean, 0.15)
    errors = [
        mse(denoise(noisy, prior, 0.15, method=m), clean) for m in ("epll", "auto", "similar")
    ]
    assert errors[0] > 1.1 * errors[1] > 1.1 * 1.1 * errors[2]
    # And where the prior is right, little is lost.
    clean = waves()
    noisy = noisy_version(clean)
    errors = [
        mse(denoise(noisy, prior, 0.2, method=m), clean) for m in ("epll", "auto", "similar")
    ]
    assert max(errors[1:]) < 1.25 * errors[0]


@pytest.mark.parametrize("method", ["auto", "similar"])
def test_options_compose(prior, method):
    clean, noisy = waves(), noisy_version(waves())
    restored = denoise(noisy, prior, 0.2, method=method)
    again, std = denoise(noisy, prior, 0.2, method=method, return_std=True)
    np.testing.assert_array_equal(again, restored)
    assert std.shape == clean.shape
    single = denoise(noisy.astype(np.float32), prior, 0.2, method=method)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, restored, atol=1e-5)
    colours = np.stack([clean, 0.8 * clean, 0.5 * clean + 0.2])
    noisy_colours = noisy_version(colours)
    in_colour = denoise(noisy_colours, prior, 0.2, method=method, channel_axis=0)
    assert mse(in_colour, colours) < 0.12 * mse(noisy_colours, colours)
    holes = np.random.default_rng(0).random(clean.shape) < 0.2
    filled = denoise(np.where(holes, np.nan, noisy), prior, 0.2, method=method)
    assert mse(filled, clean) < 2 * mse(restored, clean)


def test_channels_together():
    clean = np.stack([waves(), 0.8 * waves()], axis=-1)
    images = [np.stack([waves(seed=s), 0.8 * waves(seed=s)], axis=-1) for s in (1, 2)]
    learned = fit_patch_prior(images, GMMDenoiser(2, random_state=0), size=4, random_state=0)
    noisy = noisy_version(clean)
    for method in ("auto", "similar"):
        restored = denoise(noisy, learned, 0.2, channel_axis=-1, method=method)
        assert mse(restored, clean) < 0.2 * mse(noisy, clean)


def test_priors_without_a_mixture_have_mmse():
    learned = fit_patch_prior([waves(seed=1)], ICADenoiser(), size=6, random_state=0)
    expected = denoise(noisy_version(waves()), learned, 0.2, method="mmse")
    np.testing.assert_array_equal(denoise(noisy_version(waves()), learned, 0.2), expected)


@pytest.mark.parametrize("shape", [(6, 6), (6, 30), (9, 7), (31, 6)])
def test_images_of_few_patches(prior, shape):
    noisy = noisy_version(waves())[: shape[0], : shape[1]]
    for method in ("auto", "similar"):
        assert np.isfinite(denoise(noisy, prior, 0.2, method=method)).all()


def test_threads_do_not_change_a_bit(prior):
    noisy = noisy_version(waves())
    expected = denoise(noisy, prior, 0.2, method="similar")
    with worker_threads():
        np.testing.assert_array_equal(denoise(noisy, prior, 0.2, method="similar"), expected)


@pytest.mark.parametrize("method", ["auto", "similar"])
def test_patches_are_not_held_all_at_once(method, monkeypatch):
    monkeypatch.setattr(_patches, "STRIP_VALUES", 2**16)
    monkeypatch.setattr(_adaptive, "N_PATCHES", 500)
    monkeypatch.setattr(_similar, "N_SEEN", 500)
    learned = MVNDenoiser().fit(extract_patches(waves(), 4).reshape(-1, 16))
    peaks, sizes = [], []
    for times in (10, 30):
        image = np.tile(noisy_version(waves((60, 40))), (times, 1)).astype(np.float32)
        peaks.append(peak_memory(partial(denoise, image, learned, 0.2, method=method)))
        sizes.append(image.nbytes)
    # Their patches are 16 times the image, in several copies.
    assert peaks[1] - peaks[0] < 20 * (sizes[1] - sizes[0])
