"""Dtypes, ranges of gray levels, and what a prior knows of its patches."""

import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_image_denoising import mse, waves

import skmix.image
from skmix import GaussianMixture, GMMDenoiser, GSMDenoiser, ICADenoiser, MVNDenoiser
from skmix.image import denoise, fit_patch_prior, inpaint, load_prior, save_prior
from skmix.image._prior_files import named_prior


def gray(seed=0):
    """Gray levels in [0.1, 0.9]."""
    return (waves(seed=seed) + 0.7) / 2.4 * 0.8 + 0.1


def noisy(seed=0):
    image = gray(seed)
    return image + 0.1 * np.random.default_rng(9).normal(size=image.shape)


@pytest.fixture(scope="module")
def prior():
    images = [gray(seed) for seed in range(1, 4)]
    return fit_patch_prior(images, GSMDenoiser(3), size=6, n_patches=3000, random_state=0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
def test_dtype_and_units_come_back(prior, dtype):
    within = np.clip(noisy(), 0, 1)
    expected, std = denoise(within, prior, 0.1, return_std=True)
    integers = np.dtype(dtype).kind == "u"
    unit = np.iinfo(dtype).max if integers else 1
    image = (np.rint(unit * within) if integers else within).astype(dtype)
    restored, spread = denoise(image, prior, 0.1 * unit, return_std=True)
    assert restored.dtype == dtype
    assert spread.dtype.kind == "f"
    # Rounding to a 255th, here and there, or to the digits of a float16.
    np.testing.assert_allclose(restored / unit, expected, atol=0.006)
    np.testing.assert_allclose(spread / unit, std, atol=0.003)
    mask = np.zeros(image.shape, dtype=bool)
    mask[10:14] = True
    filled = inpaint(image, mask, prior)
    assert filled.dtype == dtype
    np.testing.assert_array_equal(filled[~mask], image[~mask])


def test_integers_do_not_wrap(prior):
    """White beside black with noise: what is restored beyond white is white."""
    image = np.zeros((40, 40))
    image[:, 20:] = 255
    image += 20 * np.random.default_rng(0).normal(size=image.shape)
    restored = denoise(np.clip(image, 0, 255).astype(np.uint8), prior, 20)
    assert restored[:, 24:].min() > 150 and restored[:, :16].max() < 100
    signed = denoise(np.rint(image).astype(np.int16), prior, 20, data_range=255)
    assert signed.dtype == np.int16
    assert signed[:, 24:].max() > 255


def test_largest_integers():
    image = np.full((12, 12), 2**63 - 1, dtype=np.int64)
    learned = MVNDenoiser().fit(np.random.default_rng(0).normal(size=(50, 16)))
    assert denoise(image, learned, 1e16).dtype == np.int64


@pytest.mark.parametrize("unit", [4095.0, 1e-4])
def test_data_range(prior, unit):
    expected = denoise(noisy(), prior, 0.1)
    restored = denoise(noisy() * unit, prior, 0.1 * unit, data_range=unit)
    np.testing.assert_allclose(restored / unit, expected, atol=1e-12)


def test_an_unknown_range_is_inferred_with_a_warning(prior):
    expected = denoise(noisy(), prior, 0.1)
    with pytest.warns(UserWarning, match=r"data_range=None leaves open.*taken to be 255") as said:
        restored = denoise(255 * noisy(), prior, 25.5)
    assert said[0].filename == __file__
    np.testing.assert_allclose(restored / 255, expected, atol=1e-12)
    with pytest.warns(UserWarning, match="pass data_range"):
        restored = denoise(np.rint(3000 * noisy()).astype(np.int32), prior, 300)
    assert mse(restored / 3000, gray()) < 1.3 * mse(expected, gray())
    with pytest.raises(ValueError, match="data_range=0 must be a positive number"):
        denoise(noisy(), prior, 0.1, data_range=0)


def test_a_prior_of_no_known_range_is_for_the_units_of_its_images():
    images = [1000 * gray(seed) for seed in range(1, 4)]
    learned = fit_patch_prior(images, MVNDenoiser(), size=6, random_state=0)
    assert learned.patch_format_.data_range is None
    assert mse(denoise(1000 * noisy(), learned, 100), 1000 * gray()) < 0.3 * 100**2
    given = fit_patch_prior(images, MVNDenoiser(), size=6, data_range=1000, random_state=0)
    np.testing.assert_allclose(
        denoise(noisy(), given, 0.1), denoise(1000 * noisy(), learned, 100) / 1000, atol=1e-9
    )


def test_masked_arrays_are_missing(prior):
    holes = np.random.default_rng(0).random(gray().shape) < 0.3
    masked = np.ma.MaskedArray(np.where(holes, 99.0, gray()), holes)
    np.testing.assert_array_equal(
        inpaint(masked, None, prior), inpaint(np.where(holes, 0, gray()), holes, prior)
    )
    integers = np.ma.MaskedArray(np.rint(255 * gray()).astype(np.uint8), holes)
    filled = denoise(integers, prior, 0.0)
    assert type(filled) is np.ndarray and filled.dtype == np.uint8
    np.testing.assert_array_equal(filled[~holes], integers.data[~holes])
    assert mse(filled[holes] / 255, gray()[holes]) < 0.01


def test_masks_of_files(prior):
    mask = np.zeros(gray().shape, dtype=np.uint8)
    mask[5:8] = 255
    with pytest.raises(ValueError, match="mask > 0"):
        inpaint(gray(), mask, prior)
    inpaint(gray(), mask > 0, prior)


# What a prior is for


def test_channels_other_than_three_are_restored_one_by_one(prior):
    image = np.stack([noisy(seed) for seed in range(4)], axis=-1)
    restored = denoise(image, prior, 0.1, channel_axis=-1)
    for c in range(4):
        alone = denoise(image[..., c], prior, 0.1)
        np.testing.assert_allclose(restored[..., c], alone, atol=1e-12)


def test_gray_patches_are_never_read_as_patches_of_channels():
    """64 features are 8 x 8, gray, or 4 x 4 with four channels."""
    image = np.stack([noisy(seed) for seed in range(4)], axis=-1)
    learned = fit_patch_prior([gray(1)], MVNDenoiser(), random_state=0)
    alone = denoise(image[..., 1], learned, 0.1)
    restored = denoise(image, learned, 0.1, channel_axis=-1)[..., 1]
    np.testing.assert_allclose(restored, alone, atol=1e-12)
    unknown = MVNDenoiser().fit(np.random.default_rng(0).normal(size=(100, 64)))
    with pytest.raises(ValueError, match=r"gray patches of 8 x 8 pixels, or patches of 4 x 4"):
        denoise(image, unknown, 0.1, channel_axis=-1)


def test_channels_that_the_prior_does_not_know():
    image = np.stack([noisy(seed) for seed in range(3)], axis=-1)
    learned = fit_patch_prior([image[..., :2]], MVNDenoiser(), size=4, random_state=0)
    with pytest.raises(ValueError, match="patches of 2 channels, but image has 3"):
        denoise(image, learned, 0.1, channel_axis=-1)


def test_remove_mean_is_recorded():
    learned = fit_patch_prior([gray(1)], MVNDenoiser(), size=6, remove_mean=False, random_state=0)
    np.testing.assert_array_equal(
        denoise(noisy(), learned, 0.1), denoise(noisy(), learned, 0.1, remove_mean=False)
    )


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda X: GaussianMixture().fit(X), TypeError, r"GMMDenoiser\.from_parameters"),
        (lambda X: make_pipeline(StandardScaler(), MVNDenoiser()).fit(X), TypeError, "Pipeline"),
        (lambda X: MVNDenoiser, TypeError, "the class MVNDenoiser; pass a fitted instance"),
        (lambda X: 3, TypeError, "prior is a int, which is no denoiser"),
        (lambda X: MVNDenoiser(), NotFittedError, "not fitted"),
    ],
)
def test_what_is_no_prior(make, error, message):
    X = np.random.default_rng(0).normal(size=(100, 36))
    for restore in (lambda p: denoise(noisy(), p, 0.1), lambda p: inpaint(noisy(), None, p)):
        with pytest.raises(error, match=message):
            restore(make(X))


# Files


@pytest.mark.parametrize(
    "make", [partial(GMMDenoiser, 2, random_state=0), GSMDenoiser, MVNDenoiser]
)
@pytest.mark.parametrize(("dtype", "tol"), [("float64", 1e-6), ("float32", 1e-5)])
def test_priors_come_back_from_files(tmp_path, make, dtype, tol):
    learned = fit_patch_prior([gray(1)], make(), size=5, random_state=0)
    save_prior(tmp_path / "prior", learned, dtype=dtype)
    loaded = load_prior(tmp_path / "prior")
    assert loaded.patch_format_ == learned.patch_format_
    expected = denoise(255 * noisy(), learned, 25.5, data_range=255, method="mmse")
    restored = denoise(255 * noisy(), loaded, 25.5, data_range=255, method="mmse")
    np.testing.assert_allclose(restored, expected, atol=255 * tol)


def test_half_precision_costs_little(tmp_path):
    learned = fit_patch_prior([gray(1)], GMMDenoiser(2, random_state=0), random_state=0)
    save_prior(tmp_path / "prior", learned, dtype="float16")
    restored = denoise(noisy(), load_prior(tmp_path / "prior"), 0.1)
    assert mse(restored, denoise(noisy(), learned, 0.1)) < 1e-3 * 0.1**2


def test_what_no_file_can_hold(tmp_path):
    learned = fit_patch_prior([gray(1)], ICADenoiser(), size=4, random_state=0)
    with pytest.raises(TypeError, match="ICADenoiser, which has no mixture"):
        save_prior(tmp_path / "prior", learned)


def test_the_prior_that_comes_with_the_package():
    photo = named_prior("photo")
    assert photo.patch_format_ == (8, 1, 1.0, True)
    assert len(photo.mixture_.weights_) >= 200
    file = Path(skmix.image.__file__).parent / "data" / "photo_prior.npz"
    assert file.stat().st_size < 2 * 10**6
    assert mse(denoise(noisy(), "photo", 0.1), gray()) < 0.2 * 0.1**2
    with pytest.raises(ValueError, match="prior='faces' is no prior that comes with skmix"):
        denoise(noisy(), "faces", 0.1)


def test_files_that_hold_no_prior(tmp_path):
    learned = fit_patch_prior([gray(1)], MVNDenoiser(), size=4, random_state=0)
    good, bad = tmp_path / "good", tmp_path / "bad"
    save_prior(good, learned)
    whole = good.read_bytes()
    for content in (b"", b"no archive", whole[: len(whole) // 2], whole[:-30]):
        bad.write_bytes(content)
        with pytest.raises(ValueError, match="holds no prior"):
            load_prior(bad)
    parts = dict(np.load(good))
    for change in (
        {"weights": parts["weights"].astype(object)},
        {"weights": parts["weights"] * np.nan},
        {"weights": np.ones(3)},
        {"factors": parts["factors"] * 0},
        {"means": parts["means"][0]},
        {"size": np.array(3)},
        {"size": np.arange(1000)},
        {"unit": np.array([])},
    ):
        np.savez(bad.open("wb"), **{**parts, **change})
        with pytest.raises(ValueError, match="holds no prior"):
            load_prior(bad)
    np.savez_compressed(bad.open("wb"), **parts)
    with pytest.raises(ValueError, match="compressed"):
        load_prior(bad)
    with zipfile.ZipFile(bad, "w") as file:
        file.writestr("weights.npy", _header((10**12,)))
    with pytest.raises(ValueError, match="holds no prior"):
        load_prior(bad)


def _header(shape):
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()
