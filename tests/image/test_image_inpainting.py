"""Missing pixels of images, and standard deviations, against loops over patches."""

import builtins
import tracemalloc

import numpy as np
import pytest
from test_image_denoising import mse, noisy_version, waves
from threadpoolctl import threadpool_limits

from skmix import GMMDenoiser, GSMDenoiser, ICADenoiser, MVNDenoiser
from skmix.image import (
    _adaptive,
    _patches,
    _progress,
    denoise,
    extract_patches,
    fit_patch_prior,
    inpaint,
    reconstruct,
)


@pytest.fixture(scope="module")
def prior():
    images = [waves(seed=seed) for seed in range(1, 6)]
    estimator = GMMDenoiser(3, random_state=0, reg_covar=1e-5)
    return fit_patch_prior(images, estimator, size=6, n_patches=8000, random_state=0)


def holes(shape, share=0.5, seed=0):
    return np.random.default_rng(seed).random(shape) < share


def of_patch(y, weights, means, covariances, noise_std, flat_mean):
    """Posterior mean and variance of one patch (NaN where missing), by generalised least squares.

    With a flat prior the patch's mean is estimated from the whitened pixels, and the density of
    what is observed is that of contrasts.
    """
    seen = ~np.isnan(y)
    log_resp, parts, spreads = [], [], []
    for weight, mean, covariance in zip(weights, means, covariances, strict=True):
        inverse = np.linalg.inv((covariance + noise_std**2 * np.eye(len(y)))[np.ix_(seen, seen)])
        gain = covariance[:, seen] @ inverse
        ones = np.ones(seen.sum())
        information = ones @ inverse @ ones
        level = ones @ inverse @ (y[seen] - mean[seen]) / information if flat_mean else 0.0
        rest = y[seen] - mean[seen] - level
        parts.append(level + mean + gain @ rest)
        spread = np.diagonal(covariance - gain @ covariance[seen])
        log_resp.append(
            np.log(weight) + 0.5 * np.linalg.slogdet(inverse)[1] - 0.5 * rest @ inverse @ rest
        )
        if flat_mean:
            spread = spread + (1.0 - gain @ ones) ** 2 / information
            log_resp[-1] -= 0.5 * np.log(information)
        spreads.append(spread)
    resp = np.exp(log_resp - np.max(log_resp))
    resp /= resp.sum()
    mean = resp @ np.array(parts)
    return mean, resp @ (np.array(spreads) + (np.array(parts) - mean) ** 2)


def loop(image, prior, noise_std, flat_mean, size=6):
    """Average of the posteriors of all patches with known pixels."""
    mixture = prior.mixture_
    sums, counts = np.zeros((2, *image.shape)), np.zeros(image.shape)
    for i in range(image.shape[0] - size + 1):
        for j in range(image.shape[1] - size + 1):
            window = (slice(i, i + size), slice(j, j + size))
            patch = image[window].ravel()
            if np.isnan(patch).all():
                continue
            found = of_patch(
                patch, mixture.weights_, mixture.means_, mixture.covariances_, noise_std, flat_mean
            )
            sums[(slice(None), *window)] += np.reshape(found, (2, size, size))
            counts[window] += 1
    return sums / counts


@pytest.mark.parametrize("noise_std", [0.0, 0.1])
@pytest.mark.parametrize("remove_mean", [True, False])
def test_average_of_patch_posteriors(prior, noise_std, remove_mean):
    clean = waves()[:16, 20:38]
    mask = holes(clean.shape)
    mask[5:11, 6:12] = True  # a patch of which nothing is known
    given = np.where(mask, np.nan, noisy_version(clean, noise_std))
    expected, variance = loop(given, prior, noise_std, remove_mean)
    if noise_std == 0.0:
        expected, variance = np.where(mask, expected, given), np.where(mask, variance, 0.0)
    options = {"noise_std": noise_std, "remove_mean": remove_mean, "method": "mmse", "stride": 1}
    restored, std = inpaint(given, mask, prior, return_std=True, **options)
    # The mean's prior is not quite flat.
    np.testing.assert_allclose(restored, expected, atol=1e-4)
    np.testing.assert_allclose(std**2, variance, atol=1e-4)
    alone = inpaint(given, mask, prior, **options)
    np.testing.assert_allclose(alone, restored, atol=1e-12)
    np.testing.assert_array_equal(denoise(given, prior, **options), alone)


@pytest.mark.parametrize("remove_mean", [True, False])
def test_std_of_complete_images(prior, remove_mean):
    noisy = noisy_version(waves()[:16, 20:38])
    expected, variance = loop(noisy, prior, 0.2, remove_mean)
    options = {"noise_std": 0.2, "remove_mean": remove_mean, "stride": 1}
    restored, std = denoise(noisy, prior, return_std=True, method="mmse", **options)
    # The prior knows the mean of a patch less its mean to the square root of 1e-5.
    np.testing.assert_allclose(restored, expected, atol=1e-3)
    np.testing.assert_allclose(std**2, variance, atol=1e-4)
    # Without standard deviations, components of less than 1e-6 are left out.
    alone = denoise(noisy, prior, method="mmse", **options)
    np.testing.assert_allclose(restored, alone, atol=1e-5)
    np.testing.assert_array_equal(
        denoise(noisy, prior, return_std=True, method="epll", **options)[1], std
    )


@pytest.mark.parametrize("make", [GMMDenoiser, GSMDenoiser, ICADenoiser, MVNDenoiser])
@pytest.mark.parametrize("stride", [1, 4])
def test_std_averages_posterior_variances(make, stride):
    learned = fit_patch_prior([waves(seed=1)], make(), size=6, random_state=0)
    noisy = noisy_version(waves())
    patches = extract_patches(noisy, 6, stride).reshape(-1, 36)
    patches -= patches.mean(axis=1, keepdims=True)
    variance = learned.posterior(patches, row_noise_std=0.2).variance.reshape(-1, 6, 6)
    expected = reconstruct(variance, noisy.shape, stride) + 0.2**2 / 36
    std = denoise(noisy, learned, 0.2, stride=stride, return_std=True)[1]
    np.testing.assert_allclose(std**2, expected, atol=1e-10)
    np.testing.assert_array_equal(denoise(noisy, learned, 0.0, return_std=True)[1], 0.0)


@pytest.mark.parametrize("noise_std", [0.0, 0.2])
def test_std_is_calibrated(prior, noise_std):
    """Images of one patch each, drawn from the prior, at levels of which it knows nothing."""
    rng = np.random.default_rng(0)
    squares, variances = [], []
    for patch, level in zip(prior.sample(300)[0], rng.normal(size=300), strict=True):
        clean = patch.reshape(6, 6) + 3.0 * level
        noisy = clean + noise_std * rng.normal(size=clean.shape)
        mask = rng.random(clean.shape) < 0.6
        options = {"noise_std": noise_std, "method": "mmse", "stride": 1, "return_std": True}
        restored, std = inpaint(noisy, mask, prior, **options)
        squares.append((restored - clean) ** 2)
        variances.append(std**2)
    # Of 300 patches the mean square varies by a fifth; 2000 gave a ratio of 1.02.
    assert np.mean(squares) == pytest.approx(np.mean(variances), rel=0.4)


def test_std_of_an_image_is_about_the_error(prior):
    clean = np.concatenate([waves(seed=seed) for seed in range(6, 10)])
    restored, std = denoise(noisy_version(clean), prior, 0.2, return_std=True)
    assert 0.3 * np.mean(std**2) < mse(restored, clean) < 1.3 * np.mean(std**2)
    edge = std > np.quantile(std, 0.9)
    assert mse(restored[edge], clean[edge]) > 2 * mse(restored[~edge], clean[~edge])


@pytest.mark.parametrize("make", [GMMDenoiser, GSMDenoiser, MVNDenoiser])
def test_every_gaussian_prior_fills(make):
    clean = waves()
    learned = fit_patch_prior([waves(seed=1)], make(), size=6, random_state=0)
    mask = holes(clean.shape)
    filled, std = inpaint(clean + 9.0 * mask, mask, learned, return_std=True)
    np.testing.assert_array_equal(filled[~mask], clean[~mask])
    np.testing.assert_array_equal(std[~mask], 0.0)
    assert np.all(std[mask] > 0)
    assert mse(filled[mask], clean[mask]) < 0.02
    np.testing.assert_allclose(inpaint(clean, mask, learned, stride=2), filled, atol=0.4)


def test_masks_and_nan_together(prior):
    clean = waves()
    mask, nan = holes(clean.shape, 0.2), holes(clean.shape, 0.1, seed=1)
    both = inpaint(np.where(nan, np.nan, clean), mask, prior)
    np.testing.assert_array_equal(inpaint(clean, mask | nan, prior), both)
    alone = inpaint(np.where(mask | nan, np.nan, clean), None, prior)
    np.testing.assert_array_equal(alone, both)
    np.testing.assert_array_equal(inpaint(clean, np.zeros_like(mask), prior), clean)


def test_noise_goes_down_while_holes_are_filled(prior):
    clean = waves()
    mask, noisy = holes(clean.shape, 0.3), noisy_version(waves(), 0.2)
    for method in ("mmse", "epll"):
        restored = inpaint(noisy, mask, prior, noise_std=0.2, method=method)
        assert mse(restored, clean) < 0.4 * 0.2**2
    scratch = np.zeros_like(mask)
    scratch[20:22] = True
    noisy = noisy_version(np.tile(clean, (2, 2)), 0.2)
    guessed = inpaint(noisy, np.tile(scratch, (2, 2)), prior, noise_std="auto")
    known = inpaint(noisy, np.tile(scratch, (2, 2)), prior, noise_std=0.2)
    assert mse(guessed, known) < 0.005**2


@pytest.mark.parametrize("noise_std", [0.0, 0.1])
@pytest.mark.parametrize("remove_mean", [True, False])
def test_large_holes(prior, noise_std, remove_mean):
    """Wider than two patches: filled from the border, less and less surely."""
    clean = waves()
    mask = np.zeros(clean.shape, dtype=bool)
    mask[15:45, 15:45] = True
    restored, std = inpaint(
        clean, mask, prior, noise_std=noise_std, remove_mean=remove_mean, return_std=True
    )
    assert np.all(np.isfinite(restored)) and np.all(np.isfinite(std))
    if remove_mean:
        assert restored.min() > clean.min() - 1.0 and restored.max() < clean.max() + 1.0
        assert np.mean(std[25:35, 25:35]) > np.mean(std[15:45, 15:17]) > np.mean(std[:15])


def test_one_known_pixel_is_enough(prior):
    mask = np.ones((20, 20), dtype=bool)
    mask[3, 4] = False
    restored, std = inpaint(np.full((20, 20), 7.0), mask, prior, return_std=True)
    assert np.all(np.abs(restored - 7.0) < 2.0) and np.all(np.isfinite(std))
    # Patches side by side: none has both known and missing pixels.
    mask = np.ones((12, 12), dtype=bool)
    mask[:6, :6] = False
    assert np.all(np.isfinite(inpaint(waves()[:12, :12], mask, prior, stride=6)))


def test_constant_images(prior):
    mask = holes((20, 20))
    filled = inpaint(np.full((20, 20), 7.0), mask, prior)
    np.testing.assert_allclose(filled, 7.0, atol=0.1)
    integers = inpaint(np.full((20, 20), 7, dtype=np.uint8), mask, prior)
    assert integers.dtype == np.uint8
    np.testing.assert_array_equal(integers, 7)
    single = inpaint(np.full((20, 20), 7.0, dtype=np.float32), mask, prior)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, filled, atol=1e-4)


@pytest.mark.parametrize("channel_axis", [-1, 0, 1])
def test_colour(prior, channel_axis):
    clean = np.stack([waves(), 0.8 * waves(), 0.5 * waves() + 0.2], axis=-1)
    mask = holes(clean.shape[:2], 0.3)
    given = np.moveaxis(np.where(mask[:, :, None], 0.0, clean), -1, channel_axis)
    filled, std = inpaint(given, mask, prior, channel_axis=channel_axis, return_std=True)
    filled, std = (np.moveaxis(array, channel_axis, -1) for array in (filled, std))
    np.testing.assert_array_equal(filled[~mask], clean[~mask])
    np.testing.assert_array_equal(std[~mask], 0.0)
    assert mse(filled[mask], clean[mask]) < 0.01
    # One channel alone: its known neighbours keep their values.
    some = np.zeros(clean.shape, dtype=bool)
    some[..., 1] = mask
    given = np.moveaxis(np.where(some, np.nan, clean), -1, channel_axis)
    filled = np.moveaxis(inpaint(given, None, prior, channel_axis=channel_axis), channel_axis, -1)
    np.testing.assert_array_equal(filled[~some], clean[~some])
    assert mse(filled[some], clean[some]) < 0.01


def test_channels_help_each_other():
    """A prior for patches of all channels fills one channel from the others."""
    clean = np.stack([waves(), 0.8 * waves()], axis=-1)
    learned = fit_patch_prior(
        [np.stack([waves(seed=s), 0.8 * waves(seed=s)], axis=-1) for s in (1, 2)],
        MVNDenoiser(),
        size=4,
        random_state=0,
    )
    some = np.zeros(clean.shape, dtype=bool)
    some[..., 1] = holes(clean.shape[:2], 0.9)
    filled = inpaint(clean, some, learned, channel_axis=-1)
    assert mse(filled[some], clean[some]) < 1e-4
    # Known in different places only.
    some[:, :30, 0], some[:, 30:, 1] = True, True
    some[:, 30:, 0], some[:, :30, 1] = False, False
    assert np.all(np.isfinite(inpaint(clean, some, learned, channel_axis=-1)))


def test_std_in_colour(prior):
    clean = np.stack([waves(), waves(), waves()], axis=-1)
    noisy = noisy_version(clean)
    std = denoise(noisy, prior, 0.2, channel_axis=-1, return_std=True)[1]
    assert std.shape == clean.shape
    assert 0.1 < mse(denoise(noisy, prior, 0.2, channel_axis=-1), clean) / np.mean(std**2) < 1.2


@pytest.mark.filterwarnings("error")
def test_a_prior_from_the_damaged_image_itself():
    clean = waves((70, 60))
    mask = np.zeros(clean.shape, dtype=bool)
    mask[::12], mask[:, 40] = True, True
    filled = inpaint(noisy_version(clean, 0.05), mask, None, noise_std=0.05)
    assert mse(filled, clean) < 0.03**2
    assert mse(inpaint(clean, mask, None)[mask], clean[mask]) < 0.08**2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask": np.zeros((9, 9), dtype=bool)}, r"mask has shape \(9, 9\), but image"),
        ({"mask": np.full((70, 60), 2)}, "mask must hold booleans"),
        ({"mask": np.ones((70, 60), dtype=bool)}, "no known pixel"),
        ({"image": np.full((70, 60), np.inf)}, "infinite pixels"),
        ({"noise_std": -0.1}, "noise_std must be finite and not negative"),
        ({"method": "magic"}, "method must be one of .*, but is 'magic'"),
        ({"prior": None, "mask": holes((70, 60))}, "too few patches without missing pixels"),
        ({"prior": ICADenoiser().fit(np.eye(36))}, "missing pixels, which ICADenoiser cannot"),
        ({"prior": MVNDenoiser().fit(np.eye(7))}, "7 features, which are no square patches"),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_bad_input(prior, options, message):
    options = {"image": waves(), "mask": holes((70, 60), 0.2), "prior": prior, **options}
    with pytest.raises(ValueError, match=message):
        inpaint(**options)


def test_noise_that_cannot_be_told_is_left(prior):
    # A chessboard, on which not even 2 x 2 pixels are complete.
    clean, mask = waves(), np.indices((70, 60)).sum(axis=0) % 2 == 1
    with pytest.warns(UserWarning, match="no noise is removed"):
        filled = inpaint(clean, mask, prior, noise_std="auto")
    np.testing.assert_array_equal(filled, inpaint(clean, mask, prior))


def test_patches_of_one_pixel_fill_nothing():
    with pytest.raises(ValueError, match="Patches of 1 x 1 pixels cannot fill"):
        prior = MVNDenoiser().fit([[0.0], [1.0]])
        inpaint(waves(), holes((70, 60)), prior, stride=1, method="mmse")


# Long work


@pytest.mark.parametrize(
    "options", [{}, {"method": "epll"}, {"return_std": True}, {"share": 0.001}], ids=str
)
def test_patches_are_not_held_all_at_once(prior, options, monkeypatch):
    """Three times the image takes a few images more of memory, not all of the added patches."""
    monkeypatch.setattr(_patches, "STRIP_VALUES", 2**18)
    monkeypatch.setattr(_adaptive, "N_PATCHES", 500)
    simple = MVNDenoiser().fit(prior.sample(2000)[0])
    options = {"share": 0.0, **options}
    share = options.pop("share")
    peaks, sizes = [], []
    for times in (10, 30):
        image = np.tile(noisy_version(waves((60, 40))), (times, 1))
        mask = holes(image.shape, share)
        with threadpool_limits(1):  # every thread has buffers, which a small image does not fill
            tracemalloc.start()
            inpaint(image, mask, simple, noise_std=0.2, **options)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        sizes.append(8 * 36 * (image.shape[0] - 5) * (image.shape[1] - 5))
    assert peaks[1] - peaks[0] < 0.45 * (sizes[1] - sizes[0])


@pytest.mark.parametrize("rich", [True, False])
def test_progress(prior, rich, monkeypatch, capsys):
    monkeypatch.setattr(_patches, "STRIP_VALUES", 1)
    monkeypatch.setattr(_progress, "LINE_INTERVAL", 0.0)
    noisy = noisy_version(waves()[:20])
    silent = denoise(noisy, prior, 0.2, method="epll")
    assert capsys.readouterr() == ("", "")
    real = builtins.__import__

    def without_rich(name, *args, **kwargs):
        if name.startswith("rich"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    if rich:
        pytest.importorskip("rich")
    else:
        monkeypatch.setattr(builtins, "__import__", without_rich)
    np.testing.assert_array_equal(denoise(noisy, prior, 0.2, method="epll", verbose=True), silent)
    out = capsys.readouterr().out
    assert "denoise" in out and "100%" in out
    if not rich:
        steps = 8 + 9 + 8 + 9 + 8  # rows of patches; every other pass is shifted
        lines = [f"denoise: {(i + 1) / steps:.0%}" for i in range(steps)]
        assert out.split("\n")[:-2] == lines and "denoise: done in " in out
        colours = np.stack([noisy, noisy, noisy], axis=-1)
        inpaint(colours, holes(noisy.shape), prior, channel_axis=-1, verbose=True)
        assert capsys.readouterr().out.count("inpaint: 100%") == 1
    inpaint(noisy, holes(noisy.shape), prior, verbose=True)
    assert "inpaint" in capsys.readouterr().out


# By one component for each patch


@pytest.mark.parametrize("share", [0.02, 0.5, 0.8])
def test_photographs_are_filled_without_training(share):
    """Whatever is missing, by default, and better than by smooth continuation."""
    data = pytest.importorskip("skimage.data")
    inpaint_biharmonic = pytest.importorskip("skimage.restoration").inpaint_biharmonic
    clean = data.camera()[180:244, 200:264] / 255.0
    mask = holes(clean.shape, share)
    damaged = np.where(mask, 0.0, clean)
    filled = inpaint(damaged, mask)
    np.testing.assert_array_equal(filled[~mask], clean[~mask])
    smooth = inpaint_biharmonic(damaged, mask)
    assert mse(filled[mask], clean[mask]) < mse(smooth[mask], clean[mask])


def test_one_component_is_filled_as_by_all():
    learned = fit_patch_prior([waves(seed=1)], MVNDenoiser(), size=5, random_state=0)
    mask = holes(waves().shape, 0.6)
    expected = inpaint(waves(), mask, learned, method="mmse", stride=1)
    filled = inpaint(waves(), mask, learned, stride=1)
    # In both the prior of the mean is not quite flat.
    np.testing.assert_allclose(filled, expected, atol=1e-3)
