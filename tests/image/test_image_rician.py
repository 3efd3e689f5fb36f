"""Noise of magnitudes."""

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.stats import rice
from test_image_denoising import mse, waves

from skmix import MVNDenoiser
from skmix.image import denoise, fit_patch_prior
from skmix.image._rician import LAST, RicianTransform, rician_moments, rician_noise_std


@pytest.fixture(scope="module")
def prior():
    images = [(waves(seed=seed) + 0.7) / 2.4 for seed in range(1, 4)]
    return fit_patch_prior(images, MVNDenoiser(), size=6, n_patches=3000, random_state=0)


def clean(background=True):
    image = 200.0 * np.clip((waves() + 0.8) / 2.4, 0.0, None)
    if background:
        image[:, 40:] = 0.0
    return image


def magnitudes(image, noise_std, seed=0):
    rng = np.random.default_rng(seed)
    real, imaginary = noise_std * rng.normal(size=(2, *image.shape))
    return np.hypot(image + real, imaginary)


def test_moments():
    levels = np.array([0.0, 0.3, 1.0, 4.0, 30.0])
    mean, std = rician_moments(levels)
    np.testing.assert_allclose(mean, rice.mean(levels), rtol=1e-6)
    np.testing.assert_allclose(std, rice.std(levels), rtol=1e-5)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0, 3.0, 10.0, 100.0])
def test_transformed_noise_is_alike(level):
    noisy = magnitudes(np.full(100_000, 7.0 * level), 7.0)
    std = np.std(RicianTransform(7.0)(noisy))
    assert std == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("level", [0.2, 1.0, 3.0, LAST - 0.5, LAST + 0.5, 200.0])
def test_inverse_is_unbiased(level):
    """Expectations of transformed magnitudes, by integrals, go to the clean ones."""
    transform = RicianTransform(2.0)
    m = np.linspace(max(level - 9.0, 0.0), level + 9.0, 40_001)
    expected = trapezoid(rice.pdf(m, level) * transform(2.0 * m), m)
    found, slope = transform.inverse(np.array([expected, expected - 1e-3, expected + 1e-3]))
    assert found[0] == pytest.approx(2.0 * level, abs=0.08 if level < 1 else 0.004)
    assert slope[0] == pytest.approx((found[2] - found[1]) / 2e-3, rel=0.1)


def test_background_is_dark_again(prior):
    noisy = magnitudes(clean(), 20.0)
    dark = np.s_[:, 46:]
    assert noisy[dark].mean() > 20.0
    restored = denoise(noisy, prior, 20.0, noise="rician")
    plain = denoise(noisy, prior, 20.0, data_range=200)
    assert restored[dark].mean() < 0.35 * plain[dark].mean()
    assert mse(restored, clean()) < 0.5 * mse(plain, clean())
    bright = np.s_[:, :34]
    assert np.mean(restored[bright] - clean()[bright]) == pytest.approx(0.0, abs=2.0)


def test_an_unknown_level():
    for noise_std in (5.0, 20.0):
        noisy = magnitudes(np.kron(clean(), np.ones((2, 2))), noise_std)
        assert rician_noise_std(noisy) == pytest.approx(noise_std, rel=0.1)
        restored = denoise(noisy, noise="rician", data_range=200)
        assert mse(restored, np.kron(clean(), np.ones((2, 2)))) < 0.3 * noise_std**2


@pytest.mark.parametrize("method", ["auto", "mmse"])
def test_options_compose(prior, method):
    noisy = magnitudes(clean(False), 20.0)
    expected = denoise(noisy, prior, 20.0, noise="rician", method=method)
    holes = np.random.default_rng(1).random(noisy.shape) < 0.2
    filled, std = denoise(
        np.ma.MaskedArray(noisy, holes),
        prior,
        20.0,
        noise="rician",
        method=method,
        return_std=True,
    )
    assert mse(filled, clean(False)) < 2.5 * mse(expected, clean(False))
    assert std.shape == noisy.shape and np.isfinite(std).all()
    single = denoise(noisy.astype(np.float32), prior, 20.0, noise="rician", method=method)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, atol=0.05)
    stack = np.stack([noisy, noisy[::-1]])
    assert denoise(
        np.rint(stack).astype(np.int16), prior, 20.0, noise="rician", method=method, stack_axis=0
    ).dtype == np.dtype(np.int16)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gain": 2.0}, "gain=2.0 is for noise='poisson', but noise is 'rician'"),
        ({"noise_std": 0.0}, "noise_std=0.0 must be one positive number"),
        ({"noise_std": np.ones((9, 9))}, "the same for all pixels"),
        ({"image": -np.ones((9, 9))}, "image holds -1, but noise='rician' is for magnitudes"),
        ({"image": np.zeros((40, 40)), "noise_std": "auto"}, "'auto' finds none"),
    ],
)
def test_what_is_wrong(options, message):
    given = {"image": np.ones((9, 9)), "noise_std": 1.0} | options
    with pytest.raises(ValueError, match=message):
        denoise(given.pop("image"), noise="rician", **given)


def test_a_level_that_does_not_suit_the_image(prior):
    with pytest.warns(UserWarning, match="divided by 0.655"):
        denoise(magnitudes(clean(), 20.0), prior, 2.0, noise="rician")
