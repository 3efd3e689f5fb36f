"""Noise that differs from pixel to pixel, or from channel to channel."""

from copy import copy

import numpy as np
import pytest
from test_image_denoising import mse, noisy_version, waves

from skmix import GMMDenoiser, ICADenoiser, MVNDenoiser
from skmix.image import denoise, extract_patches, fit_patch_prior, inpaint, reconstruct
from skmix.image._conditional import Conditional, filter_for_noise
from skmix.image._group_filters import by_pilot
from skmix.image._patch_mixture import PatchMixture
from skmix.image._progress import Progress
from skmix.image._visitor import PatchVisitor

METHODS = ("auto", "similar", "epll", "mmse")


@pytest.fixture(scope="module")
def prior():
    images = [waves(seed=seed) for seed in range(1, 5)]
    estimator = GMMDenoiser(4, random_state=0, reg_covar=1e-5, tol=1e-2)
    return fit_patch_prior(images, estimator, size=6, n_patches=4000, random_state=0)


def halves(low=0.05, high=0.4, shape=(70, 60)):
    noise_std = np.full(shape, low)
    noise_std[:, shape[1] // 2 :] = high
    return noise_std


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_map_is_a_number(prior, method):
    noisy = noisy_version(waves())
    expected = denoise(noisy, prior, 0.2, method=method)
    given = np.full(noisy.shape, 0.2)
    np.testing.assert_allclose(denoise(noisy, prior, given, method=method), expected, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_each_half_is_restored_as_if_alone(prior, method):
    """As well as by the number that is right there, but for the border between the two."""
    clean, noise_std = waves(), halves()
    noise = np.random.default_rng(1).normal(size=clean.shape)
    restored = denoise(clean + noise_std * noise, prior, noise_std, method=method)
    for level, half in ((0.05, np.s_[:, :24]), (0.4, np.s_[:, 36:])):
        alone = denoise(clean + level * noise, prior, level, method=method)
        assert mse(restored[half], clean[half]) < 1.1 * mse(alone[half], clean[half])
    one = denoise(clean + noise_std * noise, prior, np.sqrt(np.mean(noise_std**2)), method=method)
    assert mse(restored, clean) < 0.85 * mse(one, clean)


def test_mmse_is_the_posterior_mean_of_each_patch():
    """By one Gaussian of patches with their means, in closed form."""
    images = [waves(seed=seed) for seed in range(1, 4)]
    learned = fit_patch_prior(images, MVNDenoiser(), size=4, remove_mean=False, random_state=0)
    noise_std = np.random.default_rng(0).uniform(0.05, 0.5, size=(20, 18))
    noisy = noisy_version(waves()[:20, :18])
    mean, covariance = learned.mixture_.means_[0], learned.mixture_.covariances_[0]
    restored, variances = [], []
    pairs = (extract_patches(image, 4, 2).reshape(-1, 16) for image in (noisy, noise_std**2))
    for patch, variance in zip(*pairs, strict=True):
        gain = covariance @ np.linalg.inv(covariance + np.diag(variance))
        restored.append(mean + gain @ (patch - mean))
        variances.append(np.diag(covariance - gain @ covariance))
    actual, std = denoise(noisy, learned, noise_std, method="mmse", return_std=True)
    for values, expected in ((actual, restored), (std**2, variances)):
        expected = reconstruct(np.reshape(expected, (-1, 4, 4)), noisy.shape, 2)
        np.testing.assert_allclose(values, expected, atol=1e-7)


def test_filters_for_noise_solve_the_equations():
    """Even patches by the gates' filter, others with their mean inferred."""
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(16, 16))
    factor -= factor.mean(axis=0)
    covariance = factor @ factor.T + 1e-3 * np.eye(16)
    mixture = PatchMixture(np.ones(1), np.zeros((1, 16)), covariance[None])
    visitor = PatchVisitor(4, 4, True, Progress("test", False))
    noise_std = np.full((4, 8, 1), 0.7, dtype=np.float32)
    noise_std[0, 5] = 3.0
    at = np.ix_([0], [0, 4])
    image = 5.0 + rng.normal(size=(4, 8, 1)).astype(np.float32)
    rows, _ = visitor.rows(image, at)
    even, mixed = filter_for_noise(mixture, noise_std, visitor, _for_each)(rows, at)[0]
    expected = covariance @ np.linalg.solve(covariance + 0.49 * np.eye(16), rows[0])
    # Patches share gates whose noise is within 10 %.
    assert np.abs(even - expected).max() < 0.1 * np.abs(rows[0] - expected).max()
    flat = covariance + 1e6 * np.ones((16, 16))
    variances = np.square(noise_std[:, 4:, 0]).ravel()
    expected = flat @ np.linalg.solve(flat + np.diag(variances), rows[1])
    np.testing.assert_allclose(mixed, expected, atol=0.02)
    again = Conditional(mixture, 1, visitor, _for_each)
    known = np.ones((1, 16), dtype=bool)
    labels = np.zeros(1, dtype=int)
    np.testing.assert_allclose(
        again.means(rows[1:], labels, variances, known), mixed[None], atol=1e-6
    )


def _for_each(function, items):
    for item in items:
        function(item)


def test_groups_of_different_noise():
    rng = np.random.default_rng(0)
    pilot = rng.normal(size=(2, 30, 5)) @ rng.normal(size=(5, 5))
    noisy = pilot + rng.normal(size=pilot.shape)
    variances = rng.uniform(0.2, 3.0, size=(2, 30))
    variances[1] = 0.9
    cells = np.repeat(variances[:, :, None], 5, axis=2)
    across = rng.uniform(0.2, 3.0, size=5)
    expected = np.empty_like(noisy)
    for g in range(2):
        mean, covariance = pilot[g].mean(axis=0), np.cov(pilot[g].T)
        for i in range(30):
            gain = covariance @ np.linalg.inv(covariance + variances[g, i] * np.eye(5))
            expected[g, i] = mean + gain @ (noisy[g, i] - mean)
    np.testing.assert_allclose(by_pilot(noisy, pilot, cells)[0], expected, atol=1e-10)
    one = by_pilot(noisy[1:], pilot[1:], np.full((1, 1), 0.9))[0]
    np.testing.assert_allclose(one, expected[1:], atol=1e-10)
    # Noise that differs within patches, in the same way in all.
    mean, covariance = pilot[0].mean(axis=0), np.cov(pilot[0].T)
    gain = covariance @ np.linalg.inv(covariance + np.diag(across))
    actual = by_pilot(noisy[:1], pilot[:1], np.broadcast_to(across, (1, 30, 5)))[0]
    np.testing.assert_allclose(actual[0], mean + (noisy[0] - mean) @ gain.T, atol=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_pixels_without_noise_stay(prior, method):
    noise_std = halves(0.0, 0.3)
    noisy = waves() + noise_std * np.random.default_rng(0).normal(size=waves().shape)
    restored = denoise(noisy, prior, noise_std, method=method)
    np.testing.assert_array_equal(restored[:, :30], noisy[:, :30])
    assert mse(restored[:, 30:], waves()[:, 30:]) < 0.15 * 0.3**2


@pytest.mark.parametrize("channel_axis", [0, -1])
def test_one_number_per_channel(prior, channel_axis):
    clean = np.stack([waves(), 0.8 * waves(), 0.5 * waves() + 0.2, waves(seed=1)][:3])
    levels = np.array([0.05, 0.2, 0.4])
    noisy = clean + levels[:, None, None] * np.random.default_rng(0).normal(size=clean.shape)
    right = denoise(np.moveaxis(noisy, 0, channel_axis), prior, levels, channel_axis=channel_axis)
    as_map = np.broadcast_to(levels[:, None, None], clean.shape)
    again = denoise(
        np.moveaxis(noisy, 0, channel_axis),
        prior,
        np.moveaxis(as_map, 0, channel_axis),
        channel_axis=channel_axis,
    )
    np.testing.assert_array_equal(again, right)
    equal = denoise(noisy, prior, np.full(3, 0.2), channel_axis=0)
    np.testing.assert_allclose(equal, denoise(noisy, prior, 0.2, channel_axis=0), atol=1e-12)


def test_channels_one_by_one_and_together(prior):
    clean = np.stack([waves(), 0.8 * waves()], axis=-1)
    noise_std = np.array([0.05, 0.3])
    noisy = clean + noise_std * np.random.default_rng(0).normal(size=clean.shape)
    apart = denoise(noisy, prior, noise_std, channel_axis=-1)
    for c in range(2):
        alone = denoise(noisy[..., c], prior, noise_std[c])
        np.testing.assert_allclose(apart[..., c], alone, atol=1e-6)
    images = [np.stack([waves(seed=s), 0.8 * waves(seed=s)], axis=-1) for s in (1, 2)]
    learned = fit_patch_prior(images, GMMDenoiser(2, random_state=0), size=4, random_state=0)
    for method in METHODS:
        # The channel with little noise says what the other looks like.
        levels = [noise_std, np.sqrt(np.mean(noise_std**2))]
        errors = [
            mse(denoise(noisy, learned, level, channel_axis=-1, method=method), clean)
            for level in levels
        ]
        assert errors[0] < 0.7 * errors[1]


def test_missing_pixels_and_units(prior):
    noise_std = halves()
    noisy = waves() + noise_std * np.random.default_rng(0).normal(size=waves().shape)
    holes = np.random.default_rng(1).random(noisy.shape) < 0.2
    for method in ("auto", "mmse"):
        filled = inpaint(noisy, holes, prior, noise_std=noise_std, method=method)
        assert mse(filled, waves()) < 0.15 * np.mean(noise_std**2)
    restored = denoise(noisy, prior, noise_std)
    in_units = copy(prior)
    in_units.patch_format_ = prior.patch_format_._replace(data_range=1.0)
    np.testing.assert_allclose(
        denoise(7 * noisy, in_units, 7 * noise_std, data_range=7), 7 * restored, atol=1e-5
    )


def test_a_prior_from_the_image_itself():
    noise_std = halves(0.1, 0.3)
    noisy = waves() + noise_std * np.random.default_rng(0).normal(size=waves().shape)
    assert mse(denoise(noisy, None, noise_std), waves()) < 0.3 * np.mean(noise_std**2)


@pytest.mark.parametrize(
    ("noise_std", "message"),
    [
        (np.ones((60, 70)), r"shape \(60, 70\), but image has shape \(70, 60\): give one number"),
        (-halves(), "not negative, but holds -0.05"),
        (np.where(halves() > 0.1, np.inf, 0.1), "finite and not negative, but holds inf"),
        (halves() > 0.1, "a number, an array or 'auto'"),
        (np.ma.masked_greater(halves(), 0.1), "noise_std is masked in 2100 entries"),
    ],
)
def test_wrong_maps(prior, noise_std, message):
    with pytest.raises(ValueError, match=message):
        denoise(waves(), prior, noise_std)


def test_priors_without_a_mixture_have_one_noise():
    learned = fit_patch_prior([waves()], ICADenoiser(), size=4, random_state=0)
    with pytest.raises(ValueError, match="noise_std differs between pixels, which ICADenoiser"):
        denoise(waves(), learned, halves())
