"""Pixels that a prior finds impossible."""

import numpy as np
import pytest
from test_image_denoising import mse, noisy_version, waves

from skmix import GMMDenoiser, ICADenoiser
from skmix.image import denoise, fit_patch_prior, inpaint
from skmix.image._outliers import _predicted, outliers
from skmix.image._patch_mixture import PatchMixture
from skmix.image._progress import Progress
from skmix.image._visitor import PatchVisitor

SHAPE = (70, 60)


@pytest.fixture(scope="module")
def prior():
    images = [waves(seed=seed) for seed in range(1, 5)]
    estimator = GMMDenoiser(4, random_state=0, reg_covar=1e-5, tol=1e-2)
    return fit_patch_prior(images, estimator, size=6, n_patches=4000, random_state=0)


def spoilt(image, n=30, value=3.0):
    """White and black pixels, and where they are."""
    image = image.copy()
    at = np.random.default_rng(3).choice(image.size, size=n, replace=False)
    image.flat[at] = np.where(np.arange(n) % 2, value, -value)
    return image, np.isin(np.arange(image.size), at).reshape(image.shape)


@pytest.mark.parametrize("noise_std", [0.0, 0.05, 0.2])
def test_outliers_are_found_and_nothing_else(prior, noise_std):
    noisy = noisy_version(waves(), noise_std)
    image, at = spoilt(noisy)
    visitor = PatchVisitor(6, 2, True, Progress("test", False))
    found = outliers(image[:, :, None], PatchMixture.of(prior), noise_std, visitor)[:, :, 0]
    np.testing.assert_array_equal(found, at)
    nothing = outliers(noisy[:, :, None], PatchMixture.of(prior), noise_std, visitor)
    assert nothing.sum() <= 1


@pytest.mark.parametrize("remove_mean", [True, False])
def test_predictions_are_those_of_the_other_pixels(remove_mean):
    """By the formulas of conditional Gaussians, with a flat prior for the mean of the patch."""
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(9, 9))
    if remove_mean:
        factor -= factor.mean(axis=0)
    mixture = PatchMixture(np.ones(1), np.full((1, 9), 0.0), (factor @ factor.T)[None])
    patch = rng.normal(size=9)
    visitor = PatchVisitor(3, 1, remove_mean, Progress("test", False))
    image = patch.reshape(3, 3, 1)
    found = _predicted(image, np.ones(image.shape, dtype=bool), mixture, 0.5, visitor)
    covariance = factor @ factor.T + (1e7 if remove_mean else 0.0)
    for i in range(9):
        others = np.arange(9) != i
        noisy = covariance[np.ix_(others, others)] + 0.25 * np.eye(8)
        gain = np.linalg.solve(noisy, covariance[others, i])
        assert found.mean.flat[i] == pytest.approx(gain @ patch[others], abs=1e-4)
        variance = covariance[i, i] - gain @ covariance[others, i]
        assert found.variance.flat[i] == pytest.approx(variance, rel=1e-3)


@pytest.mark.parametrize("noise_std", [0.05, "auto"])
@pytest.mark.parametrize("method", ["auto", "similar", "epll", "mmse"])
def test_images_are_restored_as_without_them(prior, method, noise_std):
    noisy = noisy_version(waves(), 0.05)
    image, _ = spoilt(noisy)
    clean = mse(denoise(noisy, prior, 0.05, method=method), waves())
    options = {"method": method, "reject_outliers": True}
    assert mse(denoise(image, prior, noise_std, **options), waves()) < 1.3 * clean
    assert mse(denoise(image, prior, noise_std, method=method), waves()) > 5 * clean


def test_they_are_filled_and_all_else_stays(prior):
    image, at = spoilt(waves())
    holes = np.zeros(SHAPE, dtype=bool)
    holes[20:23] = True
    filled = inpaint(image, holes, prior, reject_outliers=True)
    np.testing.assert_array_equal(filled[~at & ~holes], image[~at & ~holes])
    assert np.abs(filled - waves())[at].max() < 0.15
    _, std = inpaint(image, holes, prior, reject_outliers=True, return_std=True)
    assert np.all((std > 0) == (at | holes))


def test_channels_slices_and_maps(prior):
    clean = np.stack([waves(), 0.8 * waves(), 0.5 * waves() + 0.2])
    noise_std = np.full(SHAPE, 0.05)
    noise_std[:, 30:] = 0.1
    image, at = spoilt(clean + noise_std * np.random.default_rng(0).normal(size=clean.shape))
    for axes in ({"channel_axis": 0}, {"stack_axis": 0}):
        restored = denoise(image, prior, noise_std, reject_outliers=True, **axes)
        assert mse(restored[at], clean[at]) < 0.1**2
        per_channel = denoise(image, prior, 0.1, reject_outliers=True, **axes)
        assert mse(per_channel[at], clean[at]) < 0.1**2
    images = [np.stack([waves(seed=s), 0.8 * waves(seed=s)], axis=-1) for s in (1, 2)]
    learned = fit_patch_prior(images, GMMDenoiser(2, random_state=0), size=4, random_state=0)
    image, at = spoilt(np.moveaxis(clean[:2], 0, -1))
    restored = denoise(image, learned, [0.05, 0.1], channel_axis=-1, reject_outliers=True)
    assert mse(restored[at], np.moveaxis(clean[:2], 0, -1)[at]) < 0.1**2


def test_counts_and_integers():
    clean = 40 * (waves() + 0.8)
    counts, at = spoilt(np.random.default_rng(0).poisson(clean), value=900)
    restored = denoise(np.abs(counts), noise="poisson", reject_outliers=True)
    assert mse(restored[at], clean[at]) < clean.mean()


def test_nothing_else_is_left(prior):
    image = np.full((6, 6), np.nan)
    image[2, 2], image[3, 3] = 0.0, 9.0
    assert np.isfinite(denoise(image, prior, 0.1, reject_outliers=True)).all()


def test_what_knows_no_outliers():
    learned = fit_patch_prior([waves()], ICADenoiser(), size=4, random_state=0)
    for given, name in ((learned, "a ICADenoiser"), (None, "None")):
        with pytest.raises(ValueError, match=f"reject_outliers=True needs.*prior is {name}"):
            denoise(waves(), given, 0.1, reject_outliers=True)
