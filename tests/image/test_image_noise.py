"""The estimated noise of images as people have them."""

import numpy as np
import pytest

from skmix.image import denoise, estimate_noise_std


def smooth(shape=(128, 128), seed=0):
    """Gray levels from 40 to 215 without noise of their own, edges among them."""
    rows, columns = np.indices(shape)
    phase = np.random.default_rng(seed).uniform(0, 6, size=3)
    image = np.sin(rows / 9 + phase[0]) + np.sin(columns / 14 + rows / 20 + phase[1])
    image += 1.5 * (columns > shape[1] / 2 + 6 * np.sin(rows / 11 + phase[2]))
    return 40 + 175 * (image + 2) / 5.5


def noisy(std, shape=(128, 128), seed=0):
    return smooth(shape, seed) + std * np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("std", [5, 15, 25, 50])
def test_complete(std):
    assert estimate_noise_std(noisy(std)) == pytest.approx(std, rel=0.05)


@pytest.mark.parametrize("std", [5, 15, 25, 50])
def test_cut_off_at_black_and_white(std):
    image = np.clip(np.rint(noisy(std)), 0, 255).astype(np.uint8)
    assert estimate_noise_std(image) == pytest.approx(std, rel=0.08)


def test_cut_off_everywhere():
    """Black with noise: half of all pixels are cut off, and every patch has some."""
    rng = np.random.default_rng(0)
    image = np.clip(20 * rng.normal(size=(128, 128)), 0, None)
    assert 0.6 * 20 < estimate_noise_std(image) < 1.2 * 20


@pytest.mark.parametrize("value", [0.0, 77.0])
def test_constant_bars(value):
    image = noisy(25)
    image[:20], image[-20:] = value, value
    assert estimate_noise_std(image) == pytest.approx(25, rel=0.06)
    assert estimate_noise_std(np.rint(image).astype(int)) == pytest.approx(25, rel=0.06)


def test_missing_pixels_are_left_out():
    image = noisy(25)
    image[30:60, 20:90] = np.nan
    expected = estimate_noise_std(image)
    assert expected == pytest.approx(25, rel=0.06)
    masked = np.ma.MaskedArray(np.nan_to_num(image), np.isnan(image))
    assert estimate_noise_std(masked) == expected


@pytest.mark.parametrize("missing", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("std", [5, 25])
def test_pixels_missing_at_random(missing, std):
    image = noisy(std, (192, 192))
    image[np.random.default_rng(1).random(image.shape) < missing] = np.nan
    assert estimate_noise_std(image) == pytest.approx(std, rel=0.15)
    image[:60] = np.where(np.isnan(image[:60]), np.nan, 77.0)  # a bar
    assert estimate_noise_std(image) == pytest.approx(std, rel=0.25)


def test_noise_between_missing_pixels_is_removed():
    image = noisy(25, (96, 96))
    missing = np.random.default_rng(1).random(image.shape) < 0.2
    restored = denoise(np.where(missing, np.nan, image), data_range=255)
    left = restored - smooth((96, 96))
    assert np.sqrt(np.mean(left[~missing] ** 2)) < 0.4 * 25
    assert np.sqrt(np.mean(left[missing] ** 2)) < 0.5 * 25


@pytest.mark.parametrize("side", [8, 12, 16, 20, 28])
def test_small_images(side):
    """As exact as so few pixels allow: on average, and within three standard errors each."""
    found = [estimate_noise_std(noisy(50, (side, side), seed)) / 50 for seed in range(20)]
    assert np.mean(found) == pytest.approx(1.0, abs=0.08)
    assert np.all(np.abs(np.array(found) - 1) < 3 * 1.5 / side)


def test_large_images_are_sampled():
    image = np.tile(noisy(25, (256, 256)), (16, 16)).astype(np.float32)  # 17 Mpx
    assert estimate_noise_std(image) == pytest.approx(25, rel=0.04)


def test_channels():
    image = np.stack([noisy(std, seed=std) for std in (10, 20, 30, 40)], axis=1)
    found = estimate_noise_std(image, channel_axis=1)
    np.testing.assert_allclose(found, [10, 20, 30, 40], rtol=0.05)
    assert estimate_noise_std(image[:, 2]) == found[2]


@pytest.mark.parametrize("image", [np.zeros((64, 64)), np.repeat([[1, 9]], 32, 1).repeat(64, 0)])
def test_nothing_can_be_said_of_constant_areas(image):
    with pytest.warns(UserWarning, match="Give noise_std as a number"):
        assert np.isnan(estimate_noise_std(image))


@pytest.mark.parametrize(
    ("name", "std"), [("camera", 15), ("coffee", 15), ("brick", 25), ("astronaut", 25)]
)
def test_photographs(name, std):
    """On reduced photographs, which have next to no grain of their own."""
    data = pytest.importorskip("skimage.data")
    image = getattr(data, name)().astype(float)
    image = image.mean(axis=2) if image.ndim == 3 else image
    image = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
    image = image.reshape(len(image) // 2, 2, -1, 2).mean(axis=(1, 3))[:192, :192]
    image += std * np.random.default_rng(0).normal(size=image.shape)
    assert estimate_noise_std(image) == pytest.approx(std, rel=0.07)
