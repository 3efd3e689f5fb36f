"""Whole images and priors for patches, against loops and closed forms."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from skmix import GMMDenoiser, GSMDenoiser, ICADenoiser, MVNDenoiser
from skmix.image import (
    _patches,
    denoise,
    estimate_noise_std,
    extract_patches,
    fit_patch_prior,
    reconstruct,
)


def waves(shape=(70, 60), seed=0):
    """Smooth structure with an edge, gray levels of order one."""
    rows, columns = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    phase = np.random.default_rng(seed).uniform(0, 6, size=3)
    image = np.sin(rows / 4 + phase[0]) + np.sin(columns / 6 + rows / 9 + phase[1])
    return 0.3 * (image + 2.0 * (columns > shape[1] / 2 + 5 * np.sin(rows / 8 + phase[2])))


def test_priors_are_drawn_from_patches_without_missing_pixels():
    image = waves()
    image[::2, :40] = np.nan
    whole = image[:, 40:]
    learned = fit_patch_prior([image], MVNDenoiser(), size=6, n_patches=100, random_state=0)
    expected = fit_patch_prior([whole], MVNDenoiser(), size=6, n_patches=100, random_state=0)
    patches = extract_patches(whole, 6).reshape(-1, 36)
    np.testing.assert_allclose(learned.score_samples(patches), expected.score_samples(patches))
    with pytest.raises(ValueError, match="no patch of 6 x 6 without missing pixels"):
        fit_patch_prior([image[:, :40]], MVNDenoiser(), size=6)
    one_is_empty = fit_patch_prior(
        [np.full((9, 9), np.nan), whole], MVNDenoiser(), size=6, n_patches=200
    )
    assert np.all(np.isfinite(one_is_empty.score_samples(patches)))


def test_too_few_patches_without_missing_pixels_teach_no_prior():
    image = noisy_version(waves((40, 40)))
    image[np.random.default_rng(0).random(image.shape) < 0.1] = np.nan
    with pytest.raises(ValueError, match=r"too few patches without missing pixels.*prior='photo'"):
        denoise(image, prior=None, noise_std=0.2)
    image = noisy_version(waves())
    image[:, :30:3] = np.nan
    assert np.all(np.isfinite(denoise(image, prior=None, noise_std=0.2)))


def noisy_version(image, noise_std=0.2, seed=1):
    return image + noise_std * np.random.default_rng(seed).normal(size=image.shape)


@pytest.fixture(scope="module")
def prior():
    images = [waves(seed=seed) for seed in range(1, 6)]
    return fit_patch_prior(images, GSMDenoiser(4), size=6, n_patches=8000, random_state=0)


# Priors


def test_prior_learns_patches_without_their_mean():
    images = [waves(seed=seed) for seed in range(3)]
    prior = MVNDenoiser(reg_covar=1e-6)
    learned = fit_patch_prior(images, prior, size=5, n_patches=10**6, random_state=0)
    patches = np.concatenate([extract_patches(image, 5).reshape(-1, 25) for image in images])
    patches -= patches.mean(axis=1, keepdims=True)
    direct = prior.fit(patches)
    np.testing.assert_allclose(
        learned.mixture_.covariances_, direct.mixture_.covariances_, atol=1e-12
    )
    few = fit_patch_prior(images, MVNDenoiser(), size=5, n_patches=300, random_state=0)
    again = fit_patch_prior(images, MVNDenoiser(), size=5, n_patches=300, random_state=0)
    np.testing.assert_array_equal(few.mixture_.covariances_, again.mixture_.covariances_)
    with pytest.raises(ValueError, match="images is empty"):
        fit_patch_prior([], MVNDenoiser())


# Denoising


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("remove_mean", [True, False])
def test_mmse_averages_denoised_patches(prior, stride, remove_mean):
    noisy = noisy_version(waves())
    patches = extract_patches(noisy, 6, stride).reshape(-1, 36)
    means = patches.mean(axis=1, keepdims=True) if remove_mean else 0.0
    restored = prior.transform(patches - means, row_noise_std=0.2) + means
    expected = reconstruct(restored.reshape(-1, 6, 6), noisy.shape, stride)
    options = {"method": "mmse", "stride": stride, "remove_mean": remove_mean}
    actual = denoise(noisy, prior, 0.2, **options)
    # Components of which a patch has less than 1e-6 are left out.
    np.testing.assert_allclose(actual, expected, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_epll_takes_turns_as_zoran_and_weiss_do(prior, stride):
    clean = waves()[:15, :18]
    noisy = noisy_version(clean)
    current, half = noisy, stride // 2
    mixture = prior.mixture_
    for weight, shift in zip(
        [1, 4, 8, 16, 32], [(0, 0), (half, half), (0, half), (half, 0), (0, 0)], strict=True
    ):
        variance = 0.2**2 / weight
        noisy_covariances = mixture.covariances_ + variance * np.eye(36)
        total, counts = np.zeros_like(noisy), np.zeros_like(noisy)
        starts = [
            sorted({0, *range(first, n - 6, stride), n - 6})
            for n, first in zip(noisy.shape, shift, strict=True)
        ]
        for i in starts[0]:
            for j in starts[1]:
                window = np.s_[i : i + 6, j : j + 6]
                patch = current[window].ravel()
                mean = patch.mean()
                densities = [
                    np.log(share) + multivariate_normal(centre, covariance).logpdf(patch - mean)
                    for share, centre, covariance in zip(
                        mixture.weights_, mixture.means_, noisy_covariances, strict=True
                    )
                ]
                k = int(np.argmax(densities))
                deviation = patch - mean - mixture.means_[k]
                gain = mixture.covariances_[k] @ np.linalg.inv(noisy_covariances[k])
                restored = mean + mixture.means_[k] + gain @ deviation
                total[window] += restored.reshape(6, 6)
                counts[window] += 1
        current = (noisy + weight * total / counts) / (1 + weight)
    actual = denoise(noisy, prior, 0.2, method="epll", stride=stride)
    np.testing.assert_allclose(actual, current, atol=1e-9)


def test_strips_add_up(prior, monkeypatch):
    noisy = noisy_version(waves())
    whole = denoise(noisy, prior, 0.2, method="mmse")
    monkeypatch.setattr(_patches, "STRIP_VALUES", 1)
    np.testing.assert_allclose(denoise(noisy, prior, 0.2, method="mmse"), whole, atol=1e-10)


def mse(restored, clean):
    return np.mean((restored - clean) ** 2)


@pytest.mark.parametrize("method", ["mmse", "epll"])
def test_noise_goes_down(prior, method):
    clean = waves()
    noisy = noisy_version(clean)
    restored = denoise(noisy, prior, 0.2, method=method)
    assert mse(restored, clean) < 0.25 * mse(noisy, clean)


@pytest.mark.parametrize("make", [GMMDenoiser, GSMDenoiser, ICADenoiser, MVNDenoiser])
def test_every_denoiser_is_a_prior(make):
    clean = waves()
    learned = fit_patch_prior([waves(seed=1)], make(), size=6, random_state=0)
    assert mse(denoise(noisy_version(clean), learned, 0.2), clean) < 0.5 * 0.2**2


def test_a_prior_from_the_noisy_image_itself():
    clean = waves((60, 50))
    noisy = noisy_version(clean)
    assert mse(denoise(noisy, None, 0.2, method="mmse"), clean) < 0.3 * mse(noisy, clean)
    assert mse(denoise(noisy, None, 0.2, method="epll"), clean) < 0.3 * mse(noisy, clean)


@pytest.mark.parametrize("noise_std", [0.05, 0.3])
def test_noise_is_estimated(prior, noise_std):
    noisy = noisy_version(waves((200, 150)), noise_std)
    assert estimate_noise_std(noisy) == pytest.approx(noise_std, rel=0.05)
    known = denoise(noisy, prior, estimate_noise_std(noisy))
    np.testing.assert_array_equal(denoise(noisy, prior), known)


def test_texture_is_not_taken_for_noise():
    """Half of the image is a random walk, of which every direction holds something."""
    rng = np.random.default_rng(0)
    image = np.zeros((200, 200))
    image[:, 100:] = 0.3 * rng.normal(size=(200, 100)).cumsum(axis=0)
    noisy = image + 0.1 * rng.normal(size=image.shape)
    assert estimate_noise_std(noisy) == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("noise_std", [0.02, 0.1, 0.3])
def test_noise_is_estimated_as_by_wavelets(noise_std):
    pytest.importorskip("pywt")
    restoration = pytest.importorskip("skimage.restoration")
    noisy = noisy_version(waves((200, 150)), noise_std)
    by_wavelets = restoration.estimate_sigma(noisy)
    assert estimate_noise_std(noisy) == pytest.approx(by_wavelets, rel=0.05)
    # A tenth of the image missing: the estimate is that of the rest.
    noisy[50:80, 20:120] = np.nan
    assert estimate_noise_std(noisy) == pytest.approx(noise_std, rel=0.05)


def test_missing_pixels_are_filled():
    clean = waves()
    learned = fit_patch_prior([waves(seed=1)], GMMDenoiser(), size=6, random_state=0)
    holes = np.random.default_rng(0).random(clean.shape) < 0.2
    for noise_std, method in [(0.1, "mmse"), (0.1, "epll"), (0.0, "mmse")]:
        corrupted = np.where(holes, np.nan, noisy_version(clean, noise_std))
        restored = denoise(corrupted, learned, noise_std, method=method)
        assert np.all(np.isfinite(restored))
        assert mse(restored[holes], clean[holes]) < 0.02
    np.testing.assert_allclose(restored[~holes], clean[~holes], atol=1e-10)


@pytest.mark.parametrize("channel_axis", [-1, 0, 1])
def test_colour_by_luminance(prior, channel_axis):
    clean = np.stack([waves(), 0.8 * waves(), 0.5 * waves() + 0.2], axis=-1)
    noisy = noisy_version(clean)
    given = np.moveaxis(noisy, -1, channel_axis)
    restored = denoise(given, prior, 0.2, channel_axis=channel_axis, method="mmse")
    restored = np.moveaxis(restored, channel_axis, -1)
    assert mse(restored, clean) < 0.2 * mse(noisy, clean)
    # A gray image in colour is restored as in gray, from three observations of equal noise; the
    # prior's own small mean is all that is seen of colour.
    gray = np.stack([noisy[..., 0]] * 3, axis=-1)
    alone = denoise(noisy[..., 0], prior, 0.2 / np.sqrt(3), method="mmse")
    in_colour = denoise(gray, prior, 0.2, channel_axis=-1, method="mmse").mean(axis=-1)
    np.testing.assert_allclose(in_colour, alone, atol=1e-9)


def test_prior_for_patches_of_all_channels():
    clean = np.stack([waves(), 0.8 * waves()], axis=-1)
    learned = fit_patch_prior(
        [np.stack([waves(seed=1), 0.8 * waves(seed=1)], axis=-1)],
        GMMDenoiser(2, random_state=0),
        size=4,
        random_state=0,
    )
    assert learned.n_features_in_ == 32
    noisy = noisy_version(clean)
    restored = denoise(noisy, learned, 0.2, channel_axis=-1)
    assert mse(restored, clean) < 0.4 * mse(noisy, clean)


def test_special_images(prior):
    flat = np.full((20, 20), 7.0)
    # But for the small mean of the prior's patches.
    np.testing.assert_allclose(denoise(flat, prior, 0.1), flat, atol=0.02)
    np.testing.assert_array_equal(denoise(waves(), prior, 0.0), waves())
    integers = np.round(100 * waves()).astype(np.uint8)
    restored = denoise(integers, prior, 5.0)
    assert restored.dtype == np.uint8
    single = denoise(noisy_version(waves()).astype(np.float32), prior, 0.2)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, denoise(noisy_version(waves()), prior, 0.2), atol=2e-3)
    smallest = noisy_version(waves())[:6, :6]
    assert denoise(smallest, prior, 0.2).shape == (6, 6)


COLOUR = {"image": np.ones((9, 9, 3)), "channel_axis": -1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise_std": -0.1}, "noise_std must be finite and not negative"),
        ({"noise_std": "guess"}, "array or 'auto', but is 'guess'"),
        ({"noise_std": [0.1, 0.2]}, r"noise_std has shape \(2,\), but image"),
        ({**COLOUR, "noise_std": "guess"}, "array or 'auto', but is 'guess'"),
        ({**COLOUR, "noise_std": [0.1, 0.2]}, r"noise_std has shape \(2,\).*one per channel"),
        ({**COLOUR, "image": np.full((9, 9, 3), np.inf)}, "infinite pixels"),
        ({"noise_std": np.nan}, "noise_std must be finite"),
        ({"method": "magic"}, "method must be one of .*, but is 'magic'"),
        ({"stride": 0}, "must be at least 1, but are 6 and 0"),
        ({"stride": 7}, "stride=7 leaves out pixels"),
        ({"image": np.ones((9, 9), dtype=complex)}, "integers or floats.*complex128"),
        ({"image": np.ones((9, 9), dtype=bool)}, "holds booleans"),
        ({"image": np.ones((10, 11)), "prior": None}, "10 x 11 pixels has too few patches"),
        ({"image": np.ones((5, 9))}, "no patch of 6 x 6"),
        ({"image": np.ones((9, 9, 3))}, "channel_axis must say"),
        ({"image": np.ones((9, 9)), "channel_axis": 0}, "needs an image with three axes"),
        ({"image": np.full((9, 9), np.inf)}, "infinite pixels"),
        ({"image": np.ones((0, 9))}, r"no pixels: its shape is \(0, 9\)"),
        ({"image": np.ones((0, 9, 9)), "stack_axis": 0}, "no pixels"),
        ({"image": "photo.png"}, "integers or floats, but has dtype"),
        ({"prior": MVNDenoiser().fit(np.eye(7))}, "7 features, which are no square patches"),
    ],
)
def test_bad_images(prior, options, message):
    options = {"image": waves(), "prior": prior, "noise_std": 0.1, **options}
    with pytest.raises(ValueError, match=message):
        denoise(**options)


def test_strides_and_axes_are_integers(prior):
    with pytest.raises(TypeError, match=r"integers, but are 6 and 2\.5"):
        denoise(waves(), prior, 0.1, stride=2.5)
    with pytest.raises(TypeError, match="integers, but are 6 and 'two'"):
        denoise(waves(), prior, 0.1, stride="two")
    with pytest.raises(TypeError, match=r"channel_axis must be an integer or None, but is 1\.5"):
        denoise(np.ones((9, 9, 3)), prior, 0.1, channel_axis=1.5)


@pytest.mark.filterwarnings("ignore:The noise level cannot be told")
@pytest.mark.parametrize("noise_std", ["auto", 0.1])
@pytest.mark.parametrize(
    "make", [lambda rng: np.zeros((30, 30)), lambda rng: rng.normal(size=(30, 30))]
)
def test_images_without_structure(prior, make, noise_std):
    """Constant ones, and nothing but noise: no warning, no NaN, next to no change of the mean."""
    image = 3.0 + 0.1 * make(np.random.default_rng(0))
    for given in (prior, None):
        for method in ("mmse", "epll", "auto"):
            restored, std = denoise(image, given, noise_std, method=method, return_std=True)
            assert np.all(np.isfinite(restored)) and np.all(np.isfinite(std))
            np.testing.assert_allclose(restored.mean(), image.mean(), atol=0.03)
            assert restored.std() <= image.std() + 0.01


def test_noise_is_estimated_of_finite_images_only():
    with pytest.warns(UserWarning, match="cannot be told"):
        assert np.isnan(estimate_noise_std(np.full((20, 20), np.nan)))
    with pytest.raises(ValueError, match="infinite pixels"):
        estimate_noise_std(np.full((20, 20), np.inf))
    with pytest.raises(ValueError, match="size=1"):
        estimate_noise_std(np.ones((20, 20)), size=1)
    with pytest.raises(ValueError, match="channel_axis must say"):
        estimate_noise_std(np.ones((20, 20, 3)))
