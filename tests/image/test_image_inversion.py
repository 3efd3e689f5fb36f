"""Blurred images, and images of few pixels."""

import numpy as np
import pytest
from scipy.signal import convolve2d
from skimage.restoration import richardson_lucy, wiener
from test_image_denoising import mse, waves

from skmix import GMMDenoiser, ICADenoiser, MVNDenoiser
from skmix.image import _operators, deblur, fit_patch_prior, upscale
from skmix.image._operators import Binning, Blur

SHAPE = (50, 44)


@pytest.fixture(scope="module")
def prior():
    images = [waves(seed=seed) for seed in range(1, 5)]
    estimator = GMMDenoiser(4, random_state=0, reg_covar=1e-5, tol=1e-2)
    return fit_patch_prior(images, estimator, size=6, n_patches=4000, random_state=0)


def spread(shape=(7, 7), width=1.4):
    """A point spread function that is not symmetric."""
    rows, columns = np.indices(shape)
    psf = np.exp(-((rows - 2.5) ** 2 + (columns - 3.5) ** 2) / 2 / width**2)
    return psf / psf.sum()


def blurred(psf, noise_std=0.01):
    """The sharp image, and what is seen of it: its margins are blurred in, but not seen."""
    scene = waves((SHAPE[0] + psf.shape[0] - 1, SHAPE[1] + psf.shape[1] - 1))
    image = convolve2d(scene, psf, mode="valid")
    (top, left) = (n // 2 for n in psf.shape)
    noise = np.random.default_rng(0).normal(size=image.shape)
    return scene[top : top + SHAPE[0], left : left + SHAPE[1]], image + noise_std * noise


# Operators, against matrices


@pytest.mark.parametrize("psf", [spread(), spread((4, 5)), spread((1, 6)), np.ones((1, 1))])
def test_blur_is_a_convolution_with_its_transpose(psf):
    rng = np.random.default_rng(0)
    blur = Blur(psf, (9, 8))
    scene, image = rng.normal(size=blur.scene_shape), rng.normal(size=(9, 8))
    np.testing.assert_allclose(blur(scene), convolve2d(scene, psf, mode="valid"), atol=1e-12)
    assert np.sum(blur(scene) * image) == pytest.approx(np.sum(scene * blur.adjoint(image)))
    np.testing.assert_array_equal(blur.image_of(blur.scene_of(image)), image)
    # The middle of the function is where its pixel stays.
    point = np.zeros((9, 8))
    point[4, 4] = 1.0
    seen = blur(np.pad(point, [(after, before) for before, after in blur.margins]))
    np.testing.assert_allclose(seen, convolve2d(point, psf, mode="same"), atol=1e-12)


@pytest.mark.parametrize("make", [lambda: Blur(spread((3, 4)), (6, 8)), lambda: Binning(2)])
@pytest.mark.parametrize("complete", [True, False])
def test_steps_towards_data_solve_the_equations(make, complete, monkeypatch):
    monkeypatch.setattr(_operators, "TOLERANCE", 1e-10)
    monkeypatch.setattr(_operators, "MAX_ITERATIONS", 1000)
    rng = np.random.default_rng(0)
    operator, image = make(), rng.normal(size=(6, 8))
    start = operator.scene_of(image)
    known = np.ones(image.shape, dtype=bool) if complete else rng.random(image.shape) < 0.7
    units = np.eye(start.size).reshape(-1, *start.shape)
    matrix = np.stack([operator(unit)[known] for unit in units], axis=1)
    restored = start + 0.1 * rng.normal(size=start.shape)
    for weight in (0.003, 1.0):
        right = matrix.T @ image[known] + weight * restored.ravel()
        expected = np.linalg.solve(matrix.T @ matrix + weight * np.eye(start.size), right)
        step = operator.towards_data(image, known)
        actual = step(restored[:, :, None], weight)[:, :, 0]
        np.testing.assert_allclose(actual.ravel(), expected, atol=1e-6)


# Deblurring


def test_deblurring_is_better_than_filters():
    psf = spread()
    sharp, image = blurred(psf)
    restored = deblur(image, psf, noise_std=0.01, data_range=1)
    rivals = [wiener(image, psf, balance, clip=False) for balance in (0.001, 0.01, 0.1)]
    rivals += [
        richardson_lucy(image + 1.0, psf, num_iter=n, clip=False) - 1.0 for n in (5, 10, 30)
    ]
    assert mse(restored, sharp) < 0.6 * min(mse(rival, sharp) for rival in rivals)
    assert mse(restored, sharp) < 0.4 * mse(image, sharp)


def test_deblurring_composes(prior):
    psf = spread((4, 5))
    sharp, image = blurred(psf)
    restored = deblur(image, psf, prior)
    assert mse(restored, sharp) < 0.4 * mse(image, sharp)
    np.testing.assert_array_equal(deblur(image, 7 * psf, prior), restored)
    single = deblur(image.astype(np.float32), psf, prior, noise_std=0.01)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, deblur(image, psf, prior, noise_std=0.01), atol=1e-3)
    holes = np.random.default_rng(1).random(image.shape) < 0.2
    filled = deblur(np.ma.MaskedArray(image, holes), psf, prior, noise_std=0.01)
    assert mse(filled, sharp) < 2 * mse(restored, sharp)
    counts = np.rint(100 + 80 * image).astype(np.uint8)
    in_counts = deblur(counts, psf, noise_std=1)
    assert in_counts.dtype == np.uint8
    assert mse(in_counts / 80.0, sharp + 100 / 80) < 0.5 * mse(image, sharp)
    for n_channels in (2, 3):
        colours = np.stack([image, 0.8 * image, 0.5 * image][:n_channels])
        in_colour = deblur(colours, psf, prior, noise_std=[0.01] * n_channels, channel_axis=0)
        assert in_colour.shape == colours.shape
        assert mse(in_colour[0], sharp) < 0.5 * mse(image, sharp)


def test_without_blur_it_denoises(prior):
    noisy = waves() + 0.2 * np.random.default_rng(0).normal(size=waves().shape)
    assert mse(deblur(noisy, [[1.0]], prior), waves()) < 0.15 * 0.2**2


# Larger images


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_means_of_small_pixels_are_the_large_ones(prior, factor):
    image = waves()[:20, :24]
    large = upscale(image, factor, prior)
    assert large.shape == (20 * factor, 24 * factor)
    np.testing.assert_allclose(Binning(factor)(large), image, atol=2e-3)


def test_upscaling_is_better_than_interpolation():
    rows, columns = np.indices((64, 72))
    sharp = 0.2 + 0.6 * (np.sin(rows / 7 + columns / 5) > 0.2)
    image = Binning(2)(sharp)
    interpolated = Binning(2).scene_of(image)
    large = upscale(image)
    assert mse(large, sharp) < 0.8 * mse(interpolated, sharp)
    noisy = image + 0.1 * np.random.default_rng(0).normal(size=image.shape)
    assert mse(upscale(noisy, noise_std="auto"), sharp) < 0.7 * mse(upscale(noisy), sharp)


def test_upscaling_composes(prior):
    image = waves()[:20, :24]
    large = upscale(image, 2, prior)
    holes = np.random.default_rng(1).random(image.shape) < 0.2
    assert mse(upscale(np.where(holes, np.nan, image), 2, prior), large) < 0.1**2
    colours = upscale(np.stack([image, 0.8 * image, 0.5 * image]), 2, prior, channel_axis=0)
    assert mse(colours[0], large) < 0.02**2
    assert upscale(np.rint(99 * (image + 1)).astype(np.uint8)).dtype == np.uint8
    assert upscale(image[:3, :3], 2, prior).shape == (6, 6)


# Bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: deblur(waves(), [1.0, 2.0], p), r"psf must be a matrix.*shape \(2,\)"),
        (lambda p: deblur(waves(), np.ones((3, 3, 3)), p), "psf must be a matrix"),
        (lambda p: deblur(waves(), [["a"]], p), "psf must be a matrix"),
        (lambda p: deblur(waves(), np.zeros((3, 3)), p), "finite numbers with a positive sum"),
        (lambda p: deblur(waves(), [[np.nan, 1.0]], p), "finite numbers with a positive sum"),
        (
            lambda p: deblur(waves(), np.ones((71, 3)), p),
            r"psf has shape \(71, 3\), which is large",
        ),
        (lambda p: deblur(waves(), [[1]], p, noise_std=np.ones((70, 60))), "but is a map"),
        (lambda p: deblur(waves(), [[1]], p, noise_std=-1), "not negative, but holds -1"),
        (lambda p: deblur(waves() > 0, [[1]], p), "holds booleans"),
        (lambda p: deblur(np.full((9, 9), np.nan), [[1]], p, noise_std=1), "no known pixel"),
        (lambda p: deblur(np.full((9, 9), np.inf), [[1]], p), "infinite pixels"),
        (lambda p: deblur(waves()[:4, :4], [[1]], p, noise_std=1), "no patch of 6 x 6"),
        (lambda p: upscale(waves(), 0, p), "factor=0 must be a positive integer"),
        (lambda p: upscale(waves(), 1.5, p), "factor=1.5 must be a positive integer"),
        (lambda p: upscale(waves()[None], 2, p), "channel_axis must say"),
    ],
)
def test_bad_input(prior, call, message):
    with pytest.raises(ValueError, match=message):
        call(prior)


def test_priors_of_another_kind():
    ica = fit_patch_prior([waves()], ICADenoiser(), size=4, random_state=0)
    with pytest.raises(ValueError, match="prior is a ICADenoiser for patches of 1 channel"):
        upscale(waves(), 2, ica)
    both = fit_patch_prior([np.dstack([waves()] * 2)], MVNDenoiser(), size=4, random_state=0)
    with pytest.raises(ValueError, match=r"patches of 2 channel\(s\), but must be"):
        upscale(np.dstack([waves()] * 2), 2, both, channel_axis=-1)
    with pytest.raises(TypeError, match="NoneType, which is no denoiser"):
        upscale(waves(), 2, None)
