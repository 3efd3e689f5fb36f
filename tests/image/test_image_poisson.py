"""Noise of counted photons."""

import numpy as np
import pytest
from scipy.stats import norm, poisson
from test_image_denoising import mse, waves

from skmix import MVNDenoiser
from skmix.image import denoise, fit_patch_prior
from skmix.image._poisson import LAST_COUNT, Anscombe
from skmix.image._stabilised import _white


@pytest.fixture(scope="module")
def prior():
    images = [(waves(seed=seed) + 0.7) / 2.4 for seed in range(1, 4)]
    return fit_patch_prior(images, MVNDenoiser(), size=6, n_patches=3000, random_state=0)


def clean(peak=30.0):
    return peak * (waves() + 0.8) / 2.4


@pytest.mark.parametrize("spread", [0.0, 0.3, 4.0])
@pytest.mark.parametrize("gain", [1.0, 2.5])
def test_inverse_is_unbiased(spread, gain):
    """Expectations of transformed noisy pixels, by sums and integrals, go to the clean ones."""
    transform, (nodes, weights) = (
        Anscombe(gain, spread * gain),
        np.polynomial.legendre.leggauss(99),
    )
    for count in (0.01, 0.5, 3.0, 20.0, LAST_COUNT - 1, LAST_COUNT + 1, 400.0):
        k = np.arange(poisson.ppf(1e-13, count), poisson.ppf(1 - 1e-13, count) + 1)
        transformed = 2 * np.sqrt(k + 3 / 8)
        if spread > 0.0:
            # In r² of z above the place where the root begins, which makes it smooth.
            least = np.maximum(-(k + 3 / 8 + spread**2) / spread, -12.0)[:, None]
            most = np.sqrt(12.0 - least)
            r = most * (nodes + 1) / 2
            root = 2 * np.sqrt(
                np.maximum(k[:, None] + spread * (least + r**2) + 3 / 8 + spread**2, 0)
            )
            transformed = np.sum(
                root * norm.pdf(least + r**2) * 2 * r * weights * most / 2, axis=1
            )
        expected = poisson.pmf(k, count) @ transformed
        found, slope = transform.inverse(np.array([expected, expected - 1e-3, expected + 1e-3]))
        # By the table, and by the first terms of a series.
        assert found[0] == pytest.approx(gain * count, rel=4e-3 if count < 1 else 5e-4)
        if count > 0.1:
            assert slope[0] == pytest.approx((found[2] - found[1]) / 2e-3, rel=0.05)


def test_transformed_noise_is_alike():
    rng = np.random.default_rng(0)
    for count in (5.0, 50.0, 500.0):
        noisy = 3.0 * rng.poisson(count, size=40_000) + 4.0 * rng.normal(size=40_000)
        assert np.std(Anscombe(3.0, 4.0)(noisy)) == pytest.approx(1.0, abs=0.03)


def test_counts_are_restored_without_bias(prior):
    counts = np.random.default_rng(0).poisson(clean())
    restored = denoise(counts, prior, noise="poisson")
    assert restored.dtype == counts.dtype
    assert mse(restored, clean()) < 0.2 * mse(counts, clean())
    assert np.mean(restored) == pytest.approx(np.mean(counts), rel=0.01)
    few = np.random.default_rng(0).poisson(1.5, size=(60, 60)).astype(float)
    assert np.mean(denoise(few, prior, noise="poisson")) == pytest.approx(few.mean(), rel=0.04)


def test_shadows_are_better_than_by_one_number_for_all(prior):
    image, dark = clean(200.0), np.s_[:, :30]
    image[dark] *= 0.05
    noisy = np.random.default_rng(0).poisson(image).astype(float)
    restored = denoise(noisy, prior, noise="poisson")
    one = denoise(noisy, prior, np.sqrt(image.mean()), data_range=200)
    assert mse(restored[dark], image[dark]) < 0.7 * mse(one[dark], image[dark])
    assert mse(restored, image) < 1.2 * mse(one, image)


def test_gain_and_gaussian_part(prior):
    rng = np.random.default_rng(0)
    counts, noise = rng.poisson(clean()), rng.normal(size=clean().shape)
    noisy = 7.0 * (counts + 2.0 * noise)
    restored = denoise(noisy, prior, 14.0, noise="poisson", gain=7.0)
    assert mse(restored, 7 * clean()) < 0.25 * mse(noisy, 7 * clean())
    in_counts = denoise(noisy / 7.0, prior, 2.0, noise="poisson")
    np.testing.assert_allclose(restored, 7.0 * in_counts, rtol=1e-6, atol=1e-6)
    with pytest.raises(ValueError, match=r"image holds -\d.*Give the Gaussian part"):
        denoise(noisy, prior, noise="poisson", gain=7.0)


@pytest.mark.parametrize("method", ["auto", "similar", "epll", "mmse"])
def test_options_compose(prior, method):
    noisy = np.random.default_rng(0).poisson(clean()).astype(float)
    expected = denoise(noisy, prior, noise="poisson", method=method)
    holes = np.random.default_rng(1).random(noisy.shape) < 0.2
    filled, std = denoise(
        np.ma.MaskedArray(noisy, holes), prior, noise="poisson", method=method, return_std=True
    )
    assert mse(filled, clean()) < 2.5 * mse(expected, clean())
    assert std.shape == noisy.shape
    # The standard deviation of counts is larger where there are more of them.
    bright = clean() > np.median(clean())
    assert std[bright].mean() > 1.2 * std[~bright].mean()
    single = denoise(noisy.astype(np.float32), prior, noise="poisson", method=method)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=2e-3, atol=2e-3)
    colours = np.stack([noisy, 0.0 * noisy + 4.0, noisy])
    assert denoise(colours, prior, noise="poisson", channel_axis=0, method=method).shape[0] == 3


def test_white_is_what_bright_areas_have():
    image = np.zeros((1, 64, 70, 1))
    image[:, 8:16, 8:16] = 100.0
    image[:, 8, 8] = np.nan
    image[:, 40, 40] = 5000.0
    assert 50.0 < _white(image) <= 100.0
    assert _white(np.full((1, 3, 2, 1), 7.0)) == 7.0
    assert np.isfinite(denoise(np.zeros((20, 20)), noise="poisson")).all()


def test_a_gain_that_does_not_suit_the_image(prior):
    noisy = np.random.default_rng(0).poisson(clean(200.0)).astype(float)
    with pytest.warns(UserWarning, match="gain is the variance of a pixel divided by") as said:
        denoise(noisy * 20, prior, noise="poisson")
    assert said[0].filename == __file__


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise": "salt"}, "noise must be 'gaussian', 'poisson' or 'rician', but is 'salt'"),
        ({"noise": "gaussian", "gain": 2.0}, "gain=2.0 is for noise='poisson'"),
        ({"gain": 0.0}, "gain=0.0 must be a positive number"),
        ({"gain": [1.0, 2.0]}, r"gain=\[1.0, 2.0\] must be a positive number"),
        ({"noise_std": np.ones((70, 60))}, "it is the Gaussian part, the same for all"),
        ({"noise_std": -1.0}, "noise_std=-1.0 must be one finite number"),
        ({"image": np.full((9, 9), np.inf)}, "infinite pixels"),
    ],
)
def test_bad_counts(prior, options, message):
    options = {"image": clean(), "prior": prior, "noise": "poisson", **options}
    with pytest.raises(ValueError, match=message):
        denoise(**options)
